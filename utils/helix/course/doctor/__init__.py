"""``python3 kit.py doctor``: what is in order on this machine, what is not, and the command that mends it.

Whatever is broken, the doctor speaks: it imports nothing but the standard library and modules of helix that need no more.
What may fail in a way that no ``except`` catches (compiled libraries, a kernel) is tried in a child process. Its words are
made to be pasted into a report, so they hold no name and no folder of the person.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from importlib import metadata

from helix import paths
from helix.course.doctor import child
from helix.course.doctor.installed import assets, groups, imports, packages, python, set_up
from helix.course.doctor.item import SETUP, Item
from helix.course.doctor.machine import cores, disk, instructions, memory, records
from helix.course.doctor.running import git, home, kernel, port, work

VERSIONS = ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "torch", "jupyterlab", "ipykernel", "helix")

# What is examined, in the order in which it is shown.
CHECKS: dict[str, Callable[[], Iterable[Item]]] = {
    "python": python,
    "set-up": set_up,
    "packages": packages,
    "imports": imports,
    "groups": groups,
    "assets": assets,
    "memory": memory,
    "disk": disk,
    "cores": cores,
    "instructions": instructions,
    "records": records,
    "kernel": kernel,
    "port": port,
    "home": home,
    "git": git,
    "work": work,
}


def examine() -> Iterator[Item]:
    """Yield the items of all checks, in their order; the checks run side by side, for most of them wait."""
    early = {"memory": _isolated("memory", CHECKS["memory"])} if "memory" in CHECKS else {}  # before ours is in use
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        for items in pool.map(lambda name: early.get(name) or _isolated(name, CHECKS[name]), CHECKS):
            yield from items


def _isolated(name: str, check: Callable[[], Iterable[Item]]) -> list[Item]:
    """Run one check; whatever it raises becomes an item of its own."""
    found = []
    try:
        for item in check():
            found.append(item)
    except (Exception, SystemExit) as error:
        text = f"{name.capitalize()}: this could not be examined ({child.reason(error)})."
        found.append(Item(name, "FAIL", text, f"{SETUP}; if that does not mend it, report it with this output."))
    return [replace(item, text=_anonymous(item.text), mend=_anonymous(item.mend)) for item in found]


def _anonymous(text: str) -> str:
    """Return `text` without addresses, user names and folders; files of the course keep their place in it."""
    root, home = str(paths.root()), os.path.expanduser("~")
    text = re.sub(r"\w+://\S+", "(an address)", text)
    text = re.sub(r"host='[^']*'", "host=…", text)
    for folder, short in ((f"{root}/", ""), (root, "the course's folder"), (f"{home}/", "~/"), (home, "~")):
        if len(folder) > 2:  # a home that is / names nobody
            text = text.replace(folder, short)
    text = re.sub(r"(?<![\w.:/…])~?(?:/[^\s/'\":,;()<>]+)+", lambda found: "…/" + found[0].rpartition("/")[2], text)
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return text
    return re.sub(rf"(?<=[/\\]){re.escape(name)}(?![\w-])", "…", text)


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = str(metadata.version("double-helix" if name == "helix" else name))
        except Exception:  # missing, or broken: the items say so
            continue
    return found


def summary(items: Sequence[Item]) -> str:
    """Return the last line: one sentence."""
    fails, notes = (sum(item.status == status for item in items) for status in ("FAIL", "NOTE"))
    if fails:
        return f"{fails} of {len(items)} items need mending: each says how."
    return f"All {len(items)} items are in order" + (f", {notes} with a note." if notes else ".")


def main(words: list[str]) -> int:
    """``python3 kit.py doctor [--json]``: return 1 if an item has to be mended."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py doctor",
        description="Examine this machine and the set-up, and say what mends what is broken.",
    )
    parser.add_argument("--json", action="store_true", help="for programs: items, versions and hardware as JSON")
    options = parser.parse_args(words)
    items = []
    for item in examine():
        items.append(item)
        if not options.json:
            print(item, flush=True)
    if options.json:
        told, _ = child.call("tell_hardware", seconds=child.IMPORT_SECONDS)
        hardware = told[-1]["hardware"] if told else {}
        report = {"items": [asdict(item) for item in items], "versions": _versions(), "hardware": hardware}
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        print(summary(items))
    return int(any(item.status == "FAIL" for item in items))
