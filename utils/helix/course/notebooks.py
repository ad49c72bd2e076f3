"""From py:percent sources to the cells of notebooks: a pure function, so that any drift can be seen."""

from __future__ import annotations

import ast
import contextlib
import copy
import hashlib
import io
import re
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from helix import paths
from helix.assets import manifest
from helix.course import catalogue, copies, navigation, quiz
from helix.course.navigation import FOLDER as FOLDER
from helix.course.navigation import Kind

STUB = "# Your code here, in place of the next line.\nraise NotImplementedError"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
# The tag of a cell whose code only draws: JupyterLab and Jupyter Book fold it away.
HIDDEN = "hide-input"
_WORKED = "*This is the worked version of the lab: try the lab first, then compare the reasons, not only the code.*"


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
        return paths.root() / navigation.place(self.name, self.kind)

    @property
    def executed(self) -> bool:
        """Whether it is stored with its outputs."""
        return self.kind != "lab"

    @property
    def command(self) -> str:
        """What a person types to build it."""
        return f"python3 kit.py build {self.name[:2]}"


def lesson_of(path: Path) -> str:
    """Return the lesson of a built notebook, or of anything that is named as one is."""
    return re.sub(r"_(?:lab|solution)$", "", path.name.partition(".")[0])


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
        If the solution marks in the source do not pair, or the catalogue has no such lesson.
    """
    _check_marks(target, _text(target.source))
    notebook = copy.deepcopy(_cells(target.source, target.source.stat().st_mtime_ns))
    source = target.source.relative_to(paths.root()).as_posix()
    notebook.cells = _framed(notebook.cells, target, source)
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = _SOLUTIONS[target.kind](cell.source)
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = quiz.dressed(cell.source)
        cell.metadata = NotebookNode({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        if hidden(cell):
            cell.metadata["jupyter"] = NotebookNode({"source_hidden": True})
        key = cell_id(target.name, cell)
        seen[key] = seen.get(key, 0) + 1
        cell["id"] = key if seen[key] == 1 else f"{key}-{seen[key]}"
    notebook.metadata = NotebookNode(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            # `texts` are those of the cells as they are built, so that a copy tells whether anything was written in it.
            "helix": {
                "lesson": target.name,
                "kind": target.kind,
                "source": source,
                "texts": copies.texts(notebook.cells),
            },
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def hidden(cell: NotebookNode) -> bool:
    """Whether a cell's code is folded away."""
    return HIDDEN in cell.metadata.get("tags", [])


def is_framing(cell: NotebookNode) -> bool:
    """Whether the builder added a cell to those of the source: links, a lab's finish, the note for authors."""
    return bool({navigation.LINKS, navigation.FINISH, navigation.AUTHORS} & set(cell.metadata.get("tags", [])))


def _framed(cells: list[NotebookNode], target: Target, source: str) -> list[NotebookNode]:
    """Return the cells of a source between those that every page has: links, a lab's finish, the note for authors."""

    def markdown(text: str, tag: str) -> NotebookNode:
        return nbformat.v4.new_markdown_cell(text, metadata={"tags": [tag]})

    try:
        links = navigation.links(target.name, target.kind)
    except catalogue.UnknownLesson as error:
        raise SourceError(f"{source}: {error}") from None
    worked = f"\n\n{_WORKED}" if target.kind == "solution" else ""
    framed = [markdown(links + worked, navigation.LINKS), *cells]
    if target.kind == "lab":
        words, code = navigation.finish(target.name)
        framed.append(markdown(words, navigation.FINISH))
        framed.append(nbformat.v4.new_code_cell(code, metadata={"tags": [navigation.FINISH]}))
    framed.append(markdown(f"---\n\n{links}", navigation.LINKS))
    framed.append(markdown(navigation.for_authors(source, target.name), navigation.AUTHORS))
    return framed


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
    """Return the text of the file, in the form in which JupyterLab stores it: to open and to save changes nothing."""
    return str(nbformat.v4.writes(notebook)) + "\n"


def read(path: Path) -> NotebookNode:
    """Read a built notebook as it stands, whoever saved it; a file that is no notebook (any more) is one without cells."""
    try:
        found = nbformat.v4.reads(path.read_text("utf-8"))
        # Every text must be one by now, and every cell have what a cell has: then nobody who asks needs to doubt.
        nbformat.validate(found, version=4, relax_add_props=True)
    except (ValueError, TypeError, KeyError, AttributeError, nbformat.ValidationError):
        return nbformat.v4.new_notebook()
    return found


def built_from(stored: NotebookNode) -> str | None:
    """Return the `fingerprint` that a stored notebook was built from, if it has one."""
    inputs: str | None = stored.metadata.get("helix", {}).get("inputs")
    return inputs


def cell_id(lesson: str, cell: NotebookNode) -> str:
    """Return the id of a built cell: the lesson's name and a hash of the text, so that a new cell changes no other's id."""
    key = hashlib.sha256(f"{lesson}\n{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]
    return f"{lesson.replace('_', '-')[:40]}-{key}"


def if_yours(target: Target) -> str:
    """Return what a learner does who wrote into a built notebook, in an editor that opens the course's own files."""
    if not target.path.exists() or not copies.written_in(target.path):
        return ""
    return (
        " Or, if you wrote in it: python3 kit.py update, which moves your version to work/ and puts the built one back."
    )


def identity(cell: NotebookNode) -> tuple[Any, ...]:
    """Return what of a cell comes from its source: all but its outputs."""
    return cell.get("id"), cell.cell_type, cell.source, dict(cell.metadata)


def inputs(target: Target) -> set[Path]:
    """Return the files that the outputs depend on: source, imported helix modules, data, weights, record, the lock.

    A lesson that reads anything else names it in its header, under ``jupyter: helix: inputs:``, as chapter 00 does; of a
    folder (with ``/``) only the names of the files count, so it stands here as a folder; of a pattern (``*.py``) the files.
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
    wanted = header.get("helix", {}).get("inputs", [])
    return files.union(*(root.glob(pattern) for pattern in wanted))


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
