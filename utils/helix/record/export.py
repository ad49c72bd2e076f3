"""A learner's record as one portable file, and its way back in."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

from helix import paths
from helix.record import decisions, journal, progress

_FORMAT = "double-helix-record-1"


def export(target: Path | None = None) -> Path:
    """Write progress and decisions to one JSON file and return it; an existing file is never overwritten."""
    content = {"progress": journal.read(progress.path()), "decisions": journal.read(decisions.path())}
    document = {"format": _FORMAT, "sha256": _hash(content), **content}
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
    """Merge an exported record into this learner's; return how many attempts and decisions were new."""
    try:
        document = json.loads(source.read_text("utf-8"))
        content = {key: document[key] for key in ("progress", "decisions")}
        intact = document["format"] == _FORMAT and document["sha256"] == _hash(content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        intact = False
    if not intact:
        raise SystemExit(
            f"{source} is no record that `python3 kit.py export` wrote, or it was changed. Nothing was taken in."
        )
    return (
        journal.merge(progress.path(), content["progress"]),
        journal.merge(decisions.path(), content["decisions"]),
    )


def _hash(content: dict[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
