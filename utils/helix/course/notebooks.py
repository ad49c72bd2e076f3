"""From py:percent sources to the cells of notebooks: a pure function, so that any drift can be seen."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import json
import re
import runpy
from dataclasses import dataclass
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
    from traitlets.config import Config

    notebook = jupytext.read(target.source, fmt="py:percent")
    _check_marks(target)
    if target.kind == "lab":
        from nbgrader.preprocessors import ClearSolutions

        config = Config()
        config.ClearSolutions.code_stub = {"python": STUB}
        config.ClearSolutions.enforce_metadata = False
        notebook, _ = ClearSolutions(config=config).preprocess(notebook, {})
    note = _NOTES[target.kind].format(
        source=target.source.relative_to(paths.root()).as_posix(), number=target.name[:2], name=target.name
    )
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"<small>{note}</small>"))
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = _without_marks(cell.source) if target.kind == "solution" else cell.source
            cell.outputs, cell.execution_count = [], None
        cell.metadata = NotebookNode({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
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


def serialise(notebook: NotebookNode) -> str:
    """Return the text of the file."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def read(path: Path) -> NotebookNode:
    """Read a built notebook as it stands, without upgrading or mending it."""
    return nbformat.from_dict(json.loads(path.read_text()))


def identity(cell: NotebookNode) -> tuple[Any, ...]:
    """Return what of a cell comes from its source: all but its outputs."""
    return cell.id, cell.cell_type, cell.source, dict(cell.metadata)


def fingerprint(target: Target) -> str:
    """Return a hash of what the outputs depend on: source, imported helix modules, data, weights, assets, record, the lock.

    A lesson that reads anything else names it in its header, under ``jupyter: helix: inputs:``, as chapter 00 does; of a
    folder (with ``/``) only the names of the files count.
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
    digest = hashlib.sha256()
    for asset in catalogue.load().assets_of(target.name):
        digest.update(manifest.get(asset).digest.encode())
    for wanted in jupytext.read(target.source, fmt="py:percent").metadata.get("helix", {}).get("inputs", []):
        if wanted.endswith("/"):
            digest.update(" ".join(sorted(file.name for file in (root / wanted).glob("*.py"))).encode())
        else:
            files.add(root / wanted)
    for file in sorted(file for file in files if file.exists()):
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
    names: set[str] = set()
    for node in ast.walk(ast.parse(_as_python(file))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    found = set()
    for name in names:
        parts = name.split(".")
        if parts[0] == "helix":
            stem = package.joinpath(*parts)
            found |= {path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.exists()}
    return found


def _as_python(file: Path) -> str:
    """Return the text with lines of IPython magic blanked out, so that it parses."""
    return re.sub(r"(?m)^\s*[%!].*$", "", file.read_text())


def _check_marks(target: Target) -> None:
    open_at = 0
    for number, line in enumerate(target.source.read_text().splitlines(), 1):
        where = f"{paths.display(target.source)}, line {number}"
        if BEGIN in line:
            if open_at:
                raise SourceError(f"{where}: a solution begins inside the one that began in line {open_at}.")
            open_at = number
        elif END in line:
            if not open_at:
                raise SourceError(f"{where}: a solution ends that never began.")
            open_at = 0
        elif line.startswith("# %%") and open_at:
            raise SourceError(f"{where}: the solution that began in line {open_at} does not end in its cell.")
    if open_at:
        raise SourceError(f"{paths.display(target.source)}, line {open_at}: this solution does not end.")


def _without_marks(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if line.strip() not in (BEGIN, END))
