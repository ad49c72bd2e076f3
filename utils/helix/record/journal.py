"""Append-only files of JSON lines: what a learner did survives a kernel that dies, a full disk, two windows."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helix import paths


class UnreadableRecord(OSError):
    """A learner's record is there and cannot be read; the message says what to do, and nothing was changed."""


def now() -> str:
    """Return the present moment, UTC, in ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one entry to the end of the file and flush it to the disk.

    The file is private to its owner (mode 600). A last line that a crash cut short is closed first, so that it spoils
    nothing but itself.

    Raises
    ------
    OSError
        If the file cannot be written; the entries that are there stay as they are.
    """
    extend({path: [entry]})


def extend(additions: Mapping[Path, Iterable[Mapping[str, Any]]]) -> None:
    """Add entries to the ends of several files, all of them or none.

    Raises
    ------
    OSError
        If one of the files cannot be written; all of them are as they were.
    """
    lines = {path: b"".join(_line(entry) for entry in entries) for path, entries in additions.items()}
    with contextlib.ExitStack() as stack:
        sizes: dict[int, int] = {}
        try:
            for path, text in lines.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
                stack.callback(os.close, file)
                fcntl.flock(file, fcntl.LOCK_EX)
                size = os.fstat(file).st_size
                if size and os.pread(file, 1, size - 1) != b"\n":
                    text = b"\n" + text
                sizes[file] = size
                if (written := os.write(file, text)) < len(text):
                    raise OSError(28, f"only {written} of {len(text)} bytes could be written", str(path))
                os.fsync(file)
        except OSError:
            for file, size in sizes.items():
                with contextlib.suppress(OSError):
                    os.ftruncate(file, size)
            raise


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, sort_keys=True).encode(errors="replace") + b"\n"


def read(path: Path) -> list[dict[str, Any]]:
    """Return the entries in the order they were added; lines that are no JSON object are passed over.

    Raises
    ------
    UnreadableRecord
        If something is there that cannot be read: another user's file, a folder, a pipe.
    """
    mend = "Move it to another place, or make it yours. Nothing was changed."
    try:
        # Without waiting: a pipe of this name would hold us until somebody wrote into it.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UnreadableRecord(f"{paths.display(path)} is no file. {mend}")
            text = file.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnreadableRecord(f"{paths.display(path)} cannot be read ({error.strerror}). {mend}") from None
    entries = []
    for line in text.split(b"\n"):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def fresh(path: Path, entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of `entries` that the file does not hold yet, each once."""
    known = {json.dumps(entry, sort_keys=True) for entry in read(path)}
    found = {json.dumps(entry, sort_keys=True): entry for entry in entries}
    return [entry for text, entry in found.items() if text not in known]
