"""Append-only files of JSON lines: what a learner did survives a kernel that dies, a full disk, two windows."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


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
    line = json.dumps(entry, ensure_ascii=False, sort_keys=True).encode(errors="replace") + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        if (written := os.write(file, line)) < len(line):
            os.ftruncate(file, size)
            raise OSError(28, f"only {written} of {len(line)} bytes could be written", str(path))
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the entries in the order they were added; lines that are no JSON object are passed over."""
    if not path.exists():
        return []
    entries = []
    for line in path.read_bytes().split(b"\n"):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            entries.append(entry)
    return entries


def merge(path: Path, entries: list[dict[str, Any]]) -> int:
    """Append those of `entries` that the file does not hold yet; return how many there were."""
    known = {json.dumps(entry, sort_keys=True) for entry in read(path)}
    fresh = [entry for entry in entries if json.dumps(entry, sort_keys=True) not in known]
    for entry in fresh:
        append(path, entry)
    return len(fresh)
