"""From py:percent sources to the cells of notebooks: a pure function, so that any drift can be seen."""

from __future__ import annotations

import ast
import contextlib
import copy
import hashlib
import io
import json
import re
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import jupytext
import nbformat
from nbformat import NotebookNode

from helix import paths
from helix.assets import manifest
from helix.course import catalogue

Kind = Literal["chapter", "lab", "solution"]

FOLDER: dict[Kind, str] = {"chapter": "notebooks", "lab": "labs", "solution": "solutions"}
STUB = "# Your code here, in place of the next line.\nraise NotImplementedError"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
# The tag of a cell whose code only draws: JupyterLab and Jupyter Book fold it away.
HIDDEN = "hide-input"
_NOTES: dict[Kind, str] = {
    "chapter": "Built from `{source}`: edit that file, then run `python3 kit.py build {number}`.",
    "lab": "Your own copy of this lab is made by `python3 kit.py start {number}`, in `work/`. "
    "Built from `{source}`: edit that file, then run `python3 kit.py build {number}`.",
    "solution": "The worked version of `labs/{name}.ipynb`. "
    "Built from `{source}`: edit that file, then run `python3 kit.py build {number}`.",
}


class SourceError(Exception):
    """A source cannot be built; the message names the file and the line."""


@dataclass(frozen=True)
class Target:
    """One notebook to build."""

    name: str
    kind: Kind

    @property
    def source(self) -> Path:
        """The py:percent file."""
        return paths.root() / "source" / ("notebooks" if self.kind == "chapter" else "labs") / f"{self.name}.py"

    @property
    def path(self) -> Path:
        """The notebook."""
        return paths.root() / FOLDER[self.kind] / f"{self.name}.ipynb"

    @property
    def executed(self) -> bool:
        """Whether it is stored with its outputs."""
        return self.kind != "lab"

    @property
    def command(self) -> str:
        """What a person types to build it."""
        return f"python3 kit.py build {self.name[:2]}"


def targets() -> list[Target]:
    """Return every notebook that the sources define, in the order of the course."""
    found: list[Target] = []
    for folder, kinds in (("notebooks", ("chapter",)), ("labs", ("lab", "solution"))):
        for file in sorted((paths.root() / "source" / folder).glob("[0-9][0-9]_*.py")):
            found += [Target(file.stem, kind) for kind in kinds]  # type: ignore[arg-type]
    return sorted(found, key=lambda target: (target.name, target.kind))


def make(target: Target) -> NotebookNode:
    """Return the notebook of a target, without outputs: the same bytes of source give the same notebook.

    Raises
    ------
    SourceError
        If the solution marks in the source do not pair.
    """
    _check_marks(target, _text(target.source))
    notebook = copy.deepcopy(_cells(target.source, target.source.stat().st_mtime_ns))
    note = _NOTES[target.kind].format(
        source=target.source.relative_to(paths.root()).as_posix(), number=target.name[:2], name=target.name
    )
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"<small>{note}</small>"))
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = _SOLUTIONS[target.kind](cell.source)
            cell.outputs, cell.execution_count = [], None
        cell.metadata = NotebookNode({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        if hidden(cell):
            cell.metadata["jupyter"] = NotebookNode({"source_hidden": True})
        key = hashlib.sha256(f"{target.name}\n{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]
        seen[key] = seen.get(key, 0) + 1
        repeat = f"-{seen[key]}" if seen[key] > 1 else ""
        # The id holds the lesson's name and the cell's content, so a new cell changes no other cell's id.
        cell["id"] = f"{target.name.replace('_', '-')[:40]}-{key}{repeat}"
    notebook.metadata = NotebookNode(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "helix": {"lesson": target.name, "kind": target.kind},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def hidden(cell: NotebookNode) -> bool:
    """Whether a cell's code is folded away."""
    return HIDDEN in cell.metadata.get("tags", [])


@lru_cache(maxsize=64)
def _cells(source: Path, changed: int) -> NotebookNode:
    """Read a source; lab and solution share one. `changed`, its time stamp, makes an edited file be read again."""
    return jupytext.reads(_text(source), fmt="py:percent")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(f"{paths.display(file)} is not UTF-8: {error}.") from None


def serialise(notebook: NotebookNode) -> str:
    """Return the text of the file."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def read(path: Path) -> NotebookNode:
    """Read a built notebook as it stands, without upgrading or mending it."""
    return nbformat.from_dict(json.loads(path.read_text("utf-8")))


def saved_over(path: Path) -> bool:
    """Whether JupyterLab or another editor of notebooks has saved a file since it was built.

    They all store a cell's text as a list of lines; a build stores one string.
    """
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        return not cells or any(isinstance(cell["source"], list) for cell in cells)
    except (ValueError, TypeError, KeyError):  # no notebook at all: nothing of ours
        return True


def built_from(stored: NotebookNode) -> str | None:
    """Return the `fingerprint` that a stored notebook was built from, if it has one."""
    inputs: str | None = stored.metadata.get("helix", {}).get("inputs")
    return inputs


def learners(target: Target) -> bool:
    """Whether what makes a notebook differ from its source is a learner's: it was saved, and its source is as when it was built.

    A lab is stored without a fingerprint of its own; its solution, which has the same source and is built with it, has one.
    """
    witness = Target(target.name, "solution") if target.kind == "lab" else target
    if not (target.path.exists() and witness.path.exists() and saved_over(target.path)):
        return False
    try:
        return built_from(read(witness.path)) == fingerprint(target)
    except (ValueError, AttributeError):  # no notebook any more
        return False


def identity(cell: NotebookNode) -> tuple[Any, ...]:
    """Return what of a cell comes from its source: all but its outputs."""
    return cell.id, cell.cell_type, cell.source, dict(cell.metadata)


def inputs(target: Target) -> set[Path]:
    """Return the files that the outputs depend on: source, imported helix modules, data, weights, record, the lock.

    A lesson that reads anything else names it in its header, under ``jupyter: helix: inputs:``, as chapter 00 does; of a
    folder (with ``/``) only the names of the files count, so it stands here as a folder.
    """
    root = paths.root()
    files = {target.source, root / "requirements.lock", root / "results" / f"{target.name}.json"}
    modules = modules_of(target.source)
    files |= modules
    for module in modules:
        if module.parent.name == "datasets":
            files |= _files_in(root / "data" / module.stem)
        for folder in re.findall(r'"(weights/\w+)"', module.read_text("utf-8")):
            files |= _files_in(root / folder)
    header = _cells(target.source, target.source.stat().st_mtime_ns).metadata
    return files | {root / wanted for wanted in header.get("helix", {}).get("inputs", [])}


def fingerprint(target: Target) -> str:
    """Return a hash of the `inputs` of a notebook, and of the assets that the catalogue names for it."""
    root = paths.root()
    digest = hashlib.sha256()
    for asset in catalogue.load().assets_of(target.name):
        digest.update(manifest.get(asset).digest.encode())
    found = inputs(target)
    for folder in sorted(path for path in found if path.is_dir()):
        digest.update(" ".join(sorted(file.name for file in folder.glob("*.py"))).encode())
    for file in sorted(file for file in found if file.is_file()):
        digest.update(f"{file.relative_to(root).as_posix()} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _files_in(folder: Path) -> set[Path]:
    return {file for file in folder.glob("**/*") if file.is_file() and "__pycache__" not in file.parts}


def solved(name: str) -> dict[str, Any]:
    """Run the source of a lab, solutions and all, as a script; return the names it made.

    Its checks run too and write to ``work/``, so point ``HELIX_WORK`` elsewhere first.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return runpy.run_path(
            str(Target(name, "solution").source), run_name="__main__"
        )  # as in a notebook: then ranks get its functions by value


def modules_of(source: Path) -> set[Path]:
    """Return the files of all helix modules that a source imports, directly or through others."""
    found: set[Path] = set()
    queue = [source]
    while queue:
        for module in _imports(queue.pop()) - found:
            found.add(module)
            queue.append(module)
    return found


def _imports(file: Path) -> set[Path]:
    package = paths.root() / "utils"
    found = set()
    for name in _imported(file, file.stat().st_mtime_ns):
        stem = package.joinpath(*name.split("."))
        found |= {path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.exists()}
    return found


@lru_cache(maxsize=1024)
def _imported(file: Path, changed: int) -> frozenset[str]:
    """Return the names under helix that a file imports; `changed`, its time stamp, makes an edited file be read again."""
    names: set[str] = set()
    for node in ast.walk(_parsed(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in names if name.partition(".")[0] == "helix")


def _parsed(file: Path) -> ast.Module:
    """Parse a source or a module; lines of IPython magic are blanked out."""
    try:
        return ast.parse(re.sub(r"(?m)^[ \t]*[%!].*$", "", _text(file)))
    except SyntaxError as error:
        raise SourceError(f"{paths.display(file)}, line {error.lineno}: {error.msg}.") from None
    except ValueError as error:  # a null byte
        raise SourceError(f"{paths.display(file)}: {error}.") from None


def _check_marks(target: Target, text: str) -> None:
    def wrong(number: int, what: str) -> SourceError:
        return SourceError(f"{paths.display(target.source)}, line {number}: {what}")

    open_at = 0
    for number, line in enumerate(text.splitlines(), 1):
        if BEGIN in line:
            if open_at:
                raise wrong(number, f"a solution begins inside the one that began in line {open_at}.")
            open_at = number
        elif END in line:
            if not open_at:
                raise wrong(number, "a solution ends that never began.")
            open_at = 0
        elif line.startswith("# %%") and open_at:
            raise wrong(number, f"the solution that began in line {open_at} does not end in its cell.")
    if open_at:
        raise wrong(open_at, "this solution does not end.")


def _without_marks(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if line.strip() not in (BEGIN, END))


def _blank(source: str) -> str:
    """Return a cell's text with the stub, as far indented, in place of each solution; its marks pair."""
    lines: list[str] = []
    inside = False
    for line in source.split("\n"):
        if BEGIN in line:
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + one for one in STUB.split("\n")]
        if BEGIN in line or END in line:
            inside = BEGIN in line
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


_SOLUTIONS: dict[Kind, Callable[[str], str]] = {"chapter": str, "lab": _blank, "solution": _without_marks}
