"""What must be true of the built notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbformat import NotebookNode

from helix import paths
from helix.course import build, catalogue, glossary, navigation, notebooks
from helix.course.notebooks import Target


def drift(targets: Iterable[Target] | None = None) -> list[str]:
    """Regenerate the cells of every notebook, or of `targets`, and compare them with what is stored."""
    found = [f"{why}{notebooks.if_yours(target)}" for target in _or_all(targets) if (why := build.why_stale(target))]
    if targets is None:
        known = {glossary.path(), *(target.path for target in notebooks.targets())}
        found += [
            f"{paths.display(path)} has no source. Remove it (git rm), or move it to work/notebooks/, the place for your own."
            for folder in notebooks.FOLDER.values()
            for path in sorted((paths.root() / folder).glob("*.ipynb"))
            if path not in known
        ]
    return found


def _or_all(targets: Iterable[Target] | None) -> list[Target]:
    return notebooks.targets() if targets is None else list(targets)


def outputs(targets: Iterable[Target] | None = None) -> list[str]:
    """Every cell of an executed notebook has run, without an error and without an output that differs elsewhere."""
    found = []
    for target in _or_all(targets):
        if not (target.executed and target.path.exists()):
            continue
        code = [cell for cell in notebooks.read(target.path).cells if cell.cell_type == "code" and cell.source.strip()]
        where = paths.display(target.path)
        if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
            found.append(f"{where}: not every cell has run. Run: {target.command}")
        if any(output.output_type == "error" for cell in code for output in cell.outputs):
            found.append(f"{where} holds an error. Run: {target.command}")
        found += [f"{where}: {complaint} Run: {target.command}" for cell in code if (complaint := build.unstable(cell))]
        found += [
            f"{where}: an output has a heading as large as the page's own: {heading!r}. Shown inside a page, headings begin with ###."
            for cell in code
            if (heading := _large_heading(cell))
        ]
    return found


def _large_heading(cell: NotebookNode) -> str:
    """Return the first heading of the first or second level in a cell's outputs, or nothing: it would rule the table of contents."""
    for output in cell.outputs:
        data = output.get("data", {})
        if large := re.search(r"(?m)^##? .*", data.get("text/markdown", "")) or re.search(
            r"<h[12]\b.*?</h[12]>", data.get("text/html", ""), re.DOTALL | re.IGNORECASE
        ):
            return large[0]
    return ""


def leaks(targets: Iterable[Target] | None = None) -> list[str]:
    """No line of a solution, and no mark, stands in a learner's lab."""
    found = []
    for target in _or_all(targets):
        if target.kind != "lab" or not target.path.exists():
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


def pages(targets: Iterable[Target] | None = None) -> list[str]:
    """Each page leads, on top and at its end, to the other page of its lesson, to its neighbours, the map and the glossary; a lab ends in its count."""
    found = []
    for target in _or_all(targets):
        if not target.path.exists():
            continue
        cells = notebooks.read(target.path).cells
        where, mend = paths.display(target.path), f"Run: {target.command}"
        for place, cell in (("on top", cells[:1]), ("at its end", cells[-2:-1])):
            there = set(re.findall(r"\]\(([^)#\s]+)", "".join(one.source for one in cell)))
            if missing := [goal for goal in _neighbours(target) if goal not in there]:
                found.append(f"{where} does not lead to {', '.join(missing)} {place}. {mend}")
        if target.kind == "lab":
            code = [cell.source for cell in cells if cell.cell_type == "code"]
            if not code or f'finish("{target.name[:2]}")' not in code[-1]:
                found.append(f"{where} does not end in the cell that counts what is solved. {mend}")
    return found


def _neighbours(target: Target) -> list[str]:
    """Return the pages that a page has to lead to, as it names them."""
    lessons = catalogue.load()
    chapter = lessons.chapter(target.name)
    goals = [Target(target.name, "lab" if target.kind == "chapter" else "chapter")]
    goals += [
        Target(one.name, "chapter") for one in (lessons.before(chapter), lessons.after(chapter)) if one and one.written
    ]
    files = [one.path.relative_to(paths.root()).as_posix() for one in goals if one.source.exists()]
    files += [navigation.START, navigation.GLOSSARY]
    return [navigation.link(file, target.kind) for file in files]


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
