"""What must be true of the built notebooks.

One that a learner saved is told apart from one that an author forgot to build: `saved` names it, the others leave it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from helix import paths
from helix.course import build, notebooks
from helix.course.notebooks import Target


def drift(targets: Iterable[Target] | None = None) -> list[str]:
    """Regenerate the cells of every notebook, or of `targets`, and compare them with what is stored."""
    chosen = notebooks.targets() if targets is None else list(targets)
    found = [why for target in chosen if not notebooks.learners(target) and (why := build.why_stale(target))]
    if targets is None:
        found += [
            f"{paths.display(path)} has no source. Run: git rm {paths.display(path)}"
            for path in _without_source()
            if not notebooks.saved_over(path)
        ]
    return found


def saved() -> list[str]:
    """Return the notebooks that a learner saved over, or made, where built ones stand."""
    return [
        f"{paths.display(target.path)} was saved since it was built. To have the built one again: {target.command} --force"
        for target in notebooks.targets()
        if notebooks.learners(target)
    ] + [
        f"{paths.display(path)} is no notebook of the course; work/ is the place for your own."
        for path in _without_source()
        if notebooks.saved_over(path)
    ]


def outputs(targets: Iterable[Target] | None = None) -> list[str]:
    """Every cell of an executed notebook has run, without an error and without an output that differs elsewhere."""
    found = []
    for target in _as_built(targets):
        if not target.executed:
            continue
        code = [cell for cell in notebooks.read(target.path).cells if cell.cell_type == "code" and cell.source.strip()]
        where = paths.display(target.path)
        if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
            found.append(f"{where}: not every cell has run. Run: {target.command}")
        if any(output.output_type == "error" for cell in code for output in cell.outputs):
            found.append(f"{where} holds an error. Run: {target.command}")
        found += [f"{where}: {complaint} Run: {target.command}" for cell in code if (complaint := build.unstable(cell))]
    return found


def leaks(targets: Iterable[Target] | None = None) -> list[str]:
    """No line of a solution, and no mark, stands in a learner's lab."""
    found = []
    for target in _as_built(targets):
        if target.kind != "lab":
            continue
        stored = notebooks.read(target.path)
        text = [line.strip() for cell in stored.cells for line in cell.source.splitlines()]
        given, hidden = split_solutions(target.source.read_text("utf-8"))
        public = {line.strip(" #") for line in given}
        secret = {line.strip() for line in hidden if len(line.strip()) > 12} - public
        leaked = [line for line in text if line in secret or line in (notebooks.BEGIN, notebooks.END)]
        if any(cell.get("outputs") for cell in stored.cells if cell.cell_type == "code"):
            leaked.append("(an output)")
        if leaked:
            found.append(f"{paths.display(target.path)} shows its solution: {leaked[0]!r}. Run: {target.command}")
    return found


def split_solutions(source: str) -> tuple[list[str], list[str]]:
    """Split the lines of a source into those that learners get and those between the solution marks."""
    given: list[str] = []
    hidden: list[str] = []
    inside = False
    for line in source.splitlines():
        if notebooks.BEGIN in line or notebooks.END in line:
            inside = notebooks.BEGIN in line
        else:
            (hidden if inside else given).append(line)
    return given, hidden


def _as_built(targets: Iterable[Target] | None) -> list[Target]:
    """Return the targets that are there as a build wrote them; `drift` and `saved` tell of the others."""
    chosen = notebooks.targets() if targets is None else targets
    return [target for target in chosen if target.path.exists() and not notebooks.saved_over(target.path)]


def _without_source() -> list[Path]:
    known = {target.path for target in notebooks.targets()}
    return [
        path
        for folder in sorted(set(notebooks.FOLDER.values()))
        for path in sorted((paths.root() / folder).glob("*.ipynb"))
        if path not in known
    ]
