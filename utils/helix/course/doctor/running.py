"""Examining what the learner uses: JupyterLab's kernel and port, git, and the work folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from helix import paths
from helix.course import variables
from helix.course.doctor import child
from helix.course.doctor.item import SETUP, WORK_ELSEWHERE, Item, Status

PORT = 8888  # JupyterLab's default


def kernel(prefix: str = sys.prefix) -> Iterator[Item]:
    """Start the kernel that JupyterLab would start, ask it for 1+1 and for its environment, and end it."""
    mend = SETUP if not _cut_off() else "Mend first what is said of 127.0.0.1: the kernel is reached through it."
    told, end = child.call("ask_kernel", seconds=2 * child.KERNEL_SECONDS + 10)
    found = told[-1] if told else {"error": end}
    if found.get("error"):
        yield Item("kernel", "FAIL", f"The kernel of the notebooks does not start: {found['error']}.", mend)
    elif found["answer"] != "2":
        yield Item("kernel", "FAIL", f"The kernel says that 1+1 is {found['answer']}.", SETUP)
    elif os.path.realpath(found["prefix"]) != os.path.realpath(prefix):
        text = "JupyterLab would start the kernel of another Python environment."
        mend = "Run: jupyter kernelspec list. Then remove the kernel python3 that is not in this environment."
        yield Item("kernel", "FAIL", text, mend)
    else:
        yield Item("kernel", "OK", "The kernel of the notebooks starts in this environment, and answers.")


def port(number: int = PORT) -> Iterator[Item]:
    """Say whether this machine can talk to itself, and whether JupyterLab's default port is free."""
    if error := _cut_off():
        text = f"JupyterLab cannot be reached on this machine (localhost, 127.0.0.1): {error.strerror or error}."
        mend = "Let programs listen on 127.0.0.1, and let /etc/hosts name it localhost."
        yield Item("port", "FAIL", text, mend)
        return
    try:
        _listener(number).close()
        yield Item("port", "OK", f"Port {number}, JupyterLab's default, is free.")
    except OSError:
        yield Item(
            "port", "NOTE", f"Port {number} is taken (by another JupyterLab?): JupyterLab will take another one."
        )


def _cut_off() -> OSError | None:
    """Return what keeps this machine from talking to itself, if anything does."""
    try:
        socket.getaddrinfo("localhost", PORT)
        with _listener(0) as ours, socket.create_connection(ours.getsockname(), timeout=2):
            return None
    except OSError as error:
        return error


def home() -> Iterator[Item]:
    """Say whether JupyterLab can write in the home folder, and whether it will be started as root."""
    if variables.home_is_writable():
        yield Item("home", "OK", "JupyterLab can keep its settings in your home folder.")
    elif _writable(paths.work_unmade()):
        text = "Your home folder cannot be written to. `python3 kit.py lab` keeps JupyterLab's settings in your work folder;"
        yield Item("home", "NOTE", f"{text} for another editor, set HOME to a folder that you can write to.")
    else:
        yield Item("home", "FAIL", "Neither your home folder nor your work folder can be written to.", WORK_ELSEWHERE)
    if os.geteuid() == 0:
        text = "You are root, as in many containers. `python3 kit.py lab` then starts JupyterLab with --allow-root;"
        yield Item("home", "NOTE", f"{text} a command of your own needs that word too.")


def _writable(folder: Path) -> bool:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _listener(number: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # As JupyterLab does: a port that was closed a moment ago counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", number))
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener


def git(root: Path | None = None) -> Iterator[Item]:
    """Say whether git is there and reads this repository: the tests ask it for the list of files."""
    root = paths.root() if root is None else root
    checkout = (root / ".git").exists()
    if not shutil.which("git"):
        status: Status = "FAIL" if checkout else "NOTE"
        mend = "Install git, on Debian and Ubuntu: sudo apt install git"
        yield Item("git", status, "git is missing: some tests need it, the lessons do not.", mend)
        return
    command = ["git", "-C", str(root), "ls-files", "kit.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    if not checkout:
        yield Item("git", "OK", "git is here; this copy of the course is no checkout.")
    elif done.returncode:
        text = f"git does not read this repository, which some tests need: {child.last(done.stderr)}."
        mend = "If git names a dubious ownership, the command that it prints mends it; else clone the course anew."
        yield Item("git", "FAIL", text, mend)
    elif b"\r\n" in (root / "kit.py").read_bytes():
        text = (
            "git gave the files of this clone Windows's line ends (core.autocrlf): check sums and hashes do not hold."
        )
        yield Item("git", "FAIL", text, "Clone the course anew, and move your folder work/ there.")
    else:
        yield Item("git", "OK", "git is here, and reads this repository.")


def work(folder: Path | None = None) -> Iterator[Item]:
    """Say whether what the learner did can be read: progress and decisions. Nothing is written."""
    folder = paths.work_unmade() if folder is None else folder
    name = paths.display(folder)
    if not folder.exists():
        yield Item("work", "OK", f"The folder {name} will be made by the first lab that you start.")
        return
    entries, odd = 0, 0
    for journal in ("progress.jsonl", "decisions.jsonl"):  # as helix.record names them
        try:
            if (folder / journal).exists() and not (folder / journal).is_file():
                raise OSError(0, "it is no file")  # a pipe would be read for ever
            lines = (folder / journal).read_bytes().splitlines()
        except FileNotFoundError:
            continue
        except OSError as error:
            text = f"What you did cannot be read ({error.strerror}): {name}/{journal}."
            yield Item("work", "FAIL", text, f"Make the folder {name} and its files readable and writable for you.")
            return
        good = sum(_is_entry(line) for line in lines)
        entries, odd = entries + good, odd + len(lines) - good
    if odd:
        text = f"Damaged lines in your progress or decisions in {name}, which are passed over: {odd}. Read: {entries}."
        yield Item("work", "NOTE", text)
    else:
        yield Item("work", "OK", f"Your progress and decisions in {name} can be read ({entries} entries).")


def _is_entry(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
