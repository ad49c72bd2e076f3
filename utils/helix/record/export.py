"""A learner's record as one portable file, and its way back in.

The file is the learner's own account: anybody can edit it. Its SHA-256 tells of damage on the way, and proves nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import date
from pathlib import Path
from typing import Any

from helix import paths
from helix.record import decisions, journal, progress

_FORMAT = "double-helix-record-2"
_READ = ("double-helix-record-1", _FORMAT)  # the first had no owner
_NOTE = (
    "The learner's own account, kept on the learner's machine. Anybody can edit it, and its SHA-256 only tells whether it "
    "was damaged on the way. It proves nothing, so nothing should be graded by it alone."
)
_NAMES = {"progress": ("lab", "exercise", "outcome"), "decisions": ("lab",)}  # what an entry must say to be used
_LABEL = 100  # letters of an owner's label


class NoRecord(Exception):
    """A file that cannot be taken in; the message says why, and nothing was taken in."""


def export(target: Path | None = None, owner: str = "") -> Path:
    """Write progress and decisions to one JSON file and return it; an existing file is never overwritten.

    Parameters
    ----------
    target : Path, optional
        The file; without one, a new file in the learner's folder.
    owner : str
        Whose record it is: a label for whoever collects such files, at most 100 letters.
    """
    if not owner.isprintable() or len(owner) > _LABEL:
        raise SystemExit(f"The owner's label has at most {_LABEL} letters and stands in one line. Nothing was written.")
    content = {"progress": journal.read(progress.path()), "decisions": journal.read(decisions.path())}
    document = {"format": _FORMAT, "owner": owner, "note": _NOTE, "sha256": _hash(content), **content}
    target = target or paths.free(paths.work() / f"record-{date.today().isoformat()}.json")
    ours = False
    try:
        with open(target, "x", encoding="utf-8", opener=_private) as file:
            ours = True
            json.dump(document, file, ensure_ascii=False, indent=1)
    except FileExistsError:
        raise SystemExit(f"{target} exists already. Name another file; nothing was written.") from None
    except OSError as error:
        if ours:
            target.unlink()  # half a record is none
        raise SystemExit(f"{target} could not be written ({error.strerror}). Name another file.") from None
    return target


def _private(file: str, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(file, flags, 0o600)


def bring_in(source: Path) -> tuple[int, int]:
    """Merge an exported record into this learner's, whole or not at all.

    Returns
    -------
    attempts, decisions : int
        How many were new.

    Raises
    ------
    NoRecord
        If the file is missing, unreadable, no record, of a newer version, changed since it was written, or holds what no
        record holds. Nothing was taken in.
    OSError
        If this learner's record cannot be read or written. Nothing was taken in.
    """
    content = _content(source)
    new = {
        file: journal.fresh(file, entries)
        for file, entries in ((progress.path(), content["progress"]), (decisions.path(), content["decisions"]))
    }
    journal.extend({file: entries for file, entries in new.items() if entries})
    return len(new[progress.path()]), len(new[decisions.path()])


def owner(source: Path) -> str:
    """Return the owner's label of a record that `bring_in` takes; empty if it has none."""
    label = json.loads(source.read_text("utf-8")).get("owner", "")
    return label if isinstance(label, str) and label.isprintable() and len(label) <= _LABEL else ""


def _content(source: Path) -> dict[str, list[dict[str, Any]]]:
    """Read a record, or say which of the things that can be wrong is."""
    name = repr(str(source))[1:-1]  # a file's name may hold what a terminal obeys

    def refused(why: str) -> NoRecord:
        return NoRecord(f"{name} {why} Nothing was taken in.")

    try:
        if source.exists() and not source.is_file():
            raise refused("is no file.")
        text = source.read_text("utf-8")
    except FileNotFoundError:
        raise refused("is not there. Look at the path.") from None
    except OSError as error:
        raise refused(f"cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise refused("is no record that `python3 kit.py export` wrote: it is not text in UTF-8.") from None
    try:
        document = json.loads(text)
        version = document["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise refused("is no record that `python3 kit.py export` wrote, or was cut short.") from None
    if version not in _READ:
        newer = re.fullmatch(r"double-helix-record-(\d{1,9})", str(version))
        raise refused(
            "was written by a newer version of the course. Run: python3 kit.py update"
            if newer
            else "is no record that `python3 kit.py export` wrote."
        )
    content = {key: document.get(key) for key in _NAMES}
    if document.get("sha256") != _hash(content):
        raise refused(
            "was changed or damaged since `python3 kit.py export` wrote it: its SHA-256 is another. Export again."
        )
    for key, names in _NAMES.items():
        entries = content[key]
        if not isinstance(entries, list) or not all(_is_entry(entry, names) for entry in entries):
            raise refused(f"has {key} that no record holds: a list of entries with {', '.join(names)}.")
    return content


def _is_entry(entry: object, names: tuple[str, ...]) -> bool:
    """Whether an entry is one that can be shown: its names are short texts without control characters."""
    return isinstance(entry, dict) and all(
        isinstance(entry.get(name), str) and 0 < len(entry[name]) <= 80 and entry[name].isprintable() for name in names
    )


def _hash(content: dict[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
