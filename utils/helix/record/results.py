"""Records of experiments: ``results/NN_topic.json``, with the hashes of the script and of the modules that made each."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from helix import paths


class MissingRecord(FileNotFoundError):
    """An experiment has not been measured yet."""


class DamagedRecord(ValueError):
    """A record is no longer what its experiment wrote."""


def path(name: str) -> Path:
    """Return where the record of the experiment ``NN_topic`` stands."""
    return paths.root() / "results" / f"{name}.json"


def script(name: str) -> Path:
    """Return the script of the experiment ``NN_topic``."""
    return paths.root() / "experiments" / f"{name}.py"


def script_hash(file: Path) -> str:
    """Return the SHA-256 of a program: of what it does, whichever way it is laid out.

    Comments, docstrings, layout and imports do not count: they measure nothing, and what is imported has hashes of its own.
    """
    return hashlib.sha256("\n".join(_told(ast.parse(file.read_text("utf-8")))).encode()).hexdigest()


def _told(node: Any) -> Iterator[str]:
    """Tell a syntax tree as lines that every version of Python tells alike, which `ast.dump` and `ast.unparse` do not."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return
    if not isinstance(node, ast.AST):
        yield f"{type(node).__name__} {node!r}"
        return
    yield f"({type(node).__name__}"
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "kind", "type_comment"):
            continue
        parts = value if isinstance(value, list) else [] if value is None else [value]
        if name == "body" and parts and _is_text(parts[0]):  # a docstring, or what stands for a comment
            parts = parts[1:]
        lines = [line for part in parts for line in _told(part)]
        if lines:
            yield from (f".{name}", *lines)
    if isinstance(node, ast.Constant) and node.value is None:
        yield "None"
    yield ")"


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def modules(script: Path) -> dict[str, str]:
    """Return, by name, the hash of every helix module that a script imports, directly or through others."""
    from helix.course import notebooks

    package = paths.root() / "utils"
    found = {}
    for file in sorted(notebooks.modules_of(script)):
        name = file.relative_to(package).with_suffix("").as_posix().replace("/", ".")
        found[name.removesuffix(".__init__")] = script_hash(file)
    return found


def changed_modules(record: Mapping[str, Any], script: Path) -> str:
    """Return a sentence on the modules that are no longer what they were when the record was made, or nothing.

    A change there need not change a number, so it is told and nothing fails.
    """
    if "modules" not in record:
        return "The record does not say with which modules of helix it was made."
    then, now = record["modules"], modules(script)
    moved = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
    return f"Changed since the record was made: {', '.join(moved)}." if moved else ""


def load(name: str) -> dict[str, Any]:
    """Return the record of the experiment ``NN_topic``.

    Raises
    ------
    MissingRecord
        If it was never measured; the message names the command that measures it.
    DamagedRecord
        If it is cut short or no record; the message says how to bring it back.
    """
    try:
        record = json.loads(path(name).read_text("utf-8"))
    except FileNotFoundError:
        raise MissingRecord(
            f"There is no record results/{name}.json yet. Measure it: python3 kit.py experiment {name[:2]} --measure"
        ) from None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise DamagedRecord(
            f"results/{name}.json is damaged. Bring it back with: git checkout -- results/{name}.json "
            "(without git: copy it from the course that you downloaded)"
        )
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


def notes() -> list[str]:
    """Return, for each record that names its modules, which of them have changed since; no complaint."""
    found = []
    for file in sorted((paths.root() / "results").glob("[0-9][0-9]_*.json")):
        record = load(file.stem)
        if "modules" in record and script(file.stem).exists():
            said = changed_modules(record, script(file.stem))
            found += [f"results/{file.name}: {said}"] if said else []
    return found
