"""Records of experiments: ``results/NN_topic.json``, with the hash of the script that made each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from helix import paths


class MissingRecord(FileNotFoundError):
    """An experiment has not been measured yet."""


def path(name: str) -> Path:
    """Return where the record of the experiment ``NN_topic`` stands."""
    return paths.root() / "results" / f"{name}.json"


def script(name: str) -> Path:
    """Return the script of the experiment ``NN_topic``."""
    return paths.root() / "experiments" / f"{name}.py"


def script_hash(file: Path) -> str:
    """Return the SHA-256 of a script's text."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def load(name: str) -> dict[str, Any]:
    """Return the record of the experiment ``NN_topic``.

    Raises
    ------
    MissingRecord
        If it was never measured; the message names the command that measures it.
    """
    try:
        record: dict[str, Any] = json.loads(path(name).read_text("utf-8"))
    except FileNotFoundError:
        raise MissingRecord(
            f"There is no record results/{name}.json yet. Measure it: python3 kit.py experiment {name[:2]} --measure"
        ) from None
    return record


def save(name: str, record: Mapping[str, Any]) -> Path:
    """Write a record whole or not at all; return its file."""
    target = path(name)
    target.parent.mkdir(exist_ok=True)
    draft = target.with_suffix(".json.part")
    draft.write_text(json.dumps(record, indent=1, ensure_ascii=False, default=plain) + "\n", "utf-8")
    draft.replace(target)
    return target


def plain(value: Any) -> Any:
    """Turn what NumPy made into Python's numbers and lists: the `default` of ``json.dumps``."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"A record holds numbers, texts, lists and tables of them, and no {type(value).__name__}.")


def stale() -> list[str]:
    """Return what is wrong between scripts and records, a sentence each with the command that mends it."""
    found = []
    scripts = {file.stem: file for file in sorted((paths.root() / "experiments").glob("[0-9][0-9]_*.py"))}
    records = {file.stem: file for file in sorted((paths.root() / "results").glob("[0-9][0-9]_*.json"))}
    for name, file in scripts.items():
        command = f"python3 kit.py experiment {name[:2]} --measure"
        if name not in records:
            found.append(f"experiments/{name}.py has no record. Run: {command}")
        elif load(name)["script_sha256"] != script_hash(file):
            found.append(f"results/{name}.json was made by another version of experiments/{name}.py. Run: {command}")
    for name in sorted(set(records) - set(scripts)):
        found.append(f"results/{name}.json has no script. Remove it: git rm results/{name}.json")
    return found
