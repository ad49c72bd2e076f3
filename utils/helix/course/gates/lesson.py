"""What a chapter and its lab must have."""

from __future__ import annotations

import importlib.util
import re
import statistics
import tomllib
from pathlib import Path

from helix import paths
from helix.checking import Exercise, exercises_of, sentences
from helix.course import catalogue, minutes, notebooks, quiz
from helix.course.notebooks import Target
from helix.display import columns

CHECKED_CELLS = 5
EXERCISES = (3, 6)
_LEFT_TO_DO = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
_SOURCE_LINK = re.compile(r"https?://(?:doi\.org/|arxiv\.org/)|doi:|arXiv:", re.IGNORECASE)
_FORBIDDEN = {
    r"pip install|conda install|apt-get": "installs something; a lesson finds everything installed",
    r"filterwarnings\(\s*['\"]ignore": "silences every warning; mend the cause",
    r"urlopen|requests\.get|wget |curl ": "fetches something; lessons run offline",
}


def chapters() -> list[str]:
    """Return what the written chapters lack."""
    return [sentence for chapter in catalogue.load().written() for sentence in chapter_lacks(chapter)]


def chapter_lacks(chapter: catalogue.Chapter) -> list[str]:
    """Return what one chapter lacks: sections, checked cells, quiz, sources, claims, alternatives of figures."""
    cells = notebooks.make(Target(chapter.name, "chapter")).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    program = "\n".join(cell.source for cell in code)
    where = f"source/notebooks/{chapter.name}.py"
    found = []
    for heading in ("The claim", "The other strand", "Check yourself", "Go on"):
        if not re.search(rf"^## {heading}", text, re.MULTILINE):
            found.append(f"{where} has no section “{heading}”.")
    if not re.search(r"\b(?:ship|fix|stop)\b", _section(text, "The other strand"), re.IGNORECASE):
        found.append(f"{where}: “The other strand” does not end in ship, fix or stop.")
    checked = sum("nbval-check-output" in cell.metadata.get("tags", []) for cell in code)
    if checked < CHECKED_CELLS:
        found.append(f"{where} has {checked} cells tagged nbval-check-output; {CHECKED_CELLS} are the least.")
    lines = [minutes.lines(cell.source) for cell in code if not notebooks.hidden(cell)]
    found += [
        f"{where}: a cell tagged {notebooks.HIDDEN} shows no figure and no table: {cell.source[:60]!r}. Let readers see its code."
        for cell in code
        if notebooks.hidden(cell) and not re.search(r"\b(?:plots\.show|table)\(", cell.source)
    ]
    if lines and (statistics.median(lines) > 8 or max(lines) > 25):
        found.append(f"{where}: code cells are long (median {statistics.median(lines):g}, longest {max(lines)} lines).")
    if len(code) > minutes.CODE_CELLS_AT_MOST:
        found.append(f"{where} has {len(code)} code cells; {minutes.CODE_CELLS_AT_MOST} are the most.")
    found += [f"{where}: {complaint}" for complaint in quiz.lacks(_section(text, "Check yourself"))]
    if not _SOURCE_LINK.search(_section(text, "Go on")):
        found.append(f"{where}: “Go on” names no primary source with a DOI or arXiv id.")
    if re.search(r"plt\.show\(|plt\.subplots\(", program):
        found.append(
            f"{where} draws past helix.plots: use plots.figure and plots.show, which asks for a text alternative."
        )
    found += [f"{where} {why}." for pattern, why in _FORBIDDEN.items() if re.search(pattern, program)]
    if f"**{chapter.minutes} minutes" not in text:
        found.append(
            f"{where} does not state its {chapter.minutes} minutes of source/course.toml: **{chapter.minutes} minutes …**"
        )
    if chapter.minutes > minutes.CHAPTER_AT_MOST:
        found.append(f"{where} takes {chapter.minutes} minutes; {minutes.CHAPTER_AT_MOST} are the most.")
    if why := minutes.complaint(where, chapter.minutes, minutes.content(Target(chapter.name, "chapter")).minutes):
        found.append(why)
    found += _left_to_do(chapter.source)
    if not chapter.claims:
        found.append(f"{chapter.name} has no claim in source/course.toml.")
    found += [
        f'{where} does not show the claim {one.id}: claim("{one.id}", …).'
        for one in chapter.claims
        if f'"{one.id}"' not in program
    ]
    if not chapter.lab_source.exists():
        found.append(f"{chapter.name} has no lab: source/labs/{chapter.name}.py.")
    if not (paths.root() / "tests" / "unit" / f"test_{chapter.topic}.py").exists():
        found.append(
            f"{chapter.name} has no tests/unit/test_{chapter.topic}.py, which holds what the chapter writes out against helix."
        )
    return found


def too_wide() -> list[str]:
    """No visible line of code is wider than the cell that shows it in a window of 1366 pixels; the first of each lesson is enough.

    How many columns fit is the ``line-length`` of source/ruff.toml. Beside the file browser JupyterLab 4.6 has room for
    118 of its letters there; some of them are left for a scroll bar and for a wider file browser.
    """
    most = tomllib.loads((paths.root() / "source" / "ruff.toml").read_text("utf-8"))["line-length"]
    found = []
    for target in notebooks.targets():
        lines = [
            line
            for cell in notebooks.make(target).cells
            if cell.cell_type == "code" and not notebooks.hidden(cell)
            for line in cell.source.splitlines()
        ]
        if (wide := next((line for line in lines if columns(line) > most), None)) is not None:
            found.append(
                f"{paths.display(target.source)}: this line of code has {columns(wide)} columns, {most} are the most: "
                f"{wide.strip()[:60]!r}. Run: python3 kit.py build --format. What it leaves (texts, comments) is broken by hand."
            )
    return list(dict.fromkeys(found))  # a lab's solution has most lines of the lab


def _section(text: str, heading: str) -> str:
    match = re.search(rf"^## {heading}.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match[0] if match else ""


def labs() -> list[str]:
    """Return what the written labs lack."""
    return [sentence for chapter in catalogue.load().chapters for sentence in lab_lacks(chapter)]


def lab_lacks(chapter: catalogue.Chapter) -> list[str]:
    """Return what one lab lacks: checks, exercises, a decision at the end, hints, wrong answers."""
    if not chapter.lab_source.exists():
        return []
    where = f"source/labs/{chapter.name}.py"
    if not (paths.root() / "utils" / "helix" / "labs" / f"{chapter.topic}.py").exists():
        return [f"{where} has no checks: utils/helix/labs/{chapter.topic}.py."]
    source = chapter.lab_source.read_text("utf-8")
    found = []
    exercises = exercises_of(chapter.topic)
    if not EXERCISES[0] <= len(exercises) <= EXERCISES[1]:
        found.append(f"{where} has {len(exercises)} exercises; {EXERCISES[0]} to {EXERCISES[1]} are wanted.")
    if exercises and not list(exercises.values())[-1].is_decision:
        found.append(f"{where}: the last exercise is not a decision.")
    found += [
        f"{where} never checks {name}: check.{name}({name})."
        for name in exercises
        if not re.search(rf"^check\.{name}\({name}\)", source, re.MULTILINE)
    ]
    found += [f"{where}: {one.name} has no hints." for one in exercises.values() if not one.hints]
    wrong = wrong_answers(chapter.topic)
    found += [sentence for name, one in exercises.items() for sentence in _header_lacks(where, source, name, one)]
    found += _lab_minutes_lack(where, source, chapter, exercises)
    checks = paths.root() / "utils" / "helix" / "labs" / f"{chapter.topic}.py"
    found += sentences.lacks(checks, exercises, wrong)
    return found + _left_to_do(chapter.lab_source) + _left_to_do(checks)


def _lab_minutes_lack(where: str, source: str, chapter: catalogue.Chapter, exercises: dict[str, Exercise]) -> list[str]:
    """Return what is wrong with a lab's minutes: its exercises', and what the catalogue's number leaves for reading."""
    stated = chapter.lab_minutes
    planned = sum(one.minutes for one in exercises.values())
    found = [
        minutes.complaint(
            f"{where}, reading ({stated} of source/course.toml − {planned} of its exercises)",
            stated - planned,
            minutes.content(Target(chapter.name, "lab")).minutes,
        ),
        minutes.complaint(
            f"{where}, its exercises together", planned, sum(minutes.solving(source, exercises.values()).values())
        ),
        f"{where} takes {stated} minutes; {minutes.LAB_AT_MOST} are the most." if stated > minutes.LAB_AT_MOST else "",
        f"{where} does not state its {stated} minutes of source/course.toml: **{stated} minutes …**"
        if f"**{stated} minutes" not in source
        else "",
    ]
    return [one for one in found if one]


def _left_to_do(file: Path) -> list[str]:
    """Return where a file says that it is not finished; the first place of each file is enough."""
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        if left := _LEFT_TO_DO.search(line):
            return [f"{paths.display(file)}, line {number}, still holds a {left[0]}."]
    return []


def _header_lacks(where: str, source: str, name: str, one: Exercise) -> list[str]:
    """Return where the lab's words on an exercise differ from its check."""
    title, facts = f". {one.title}\n", f"*{one.minutes} minutes · difficulty {one.difficulty} of 5 · "
    facts += "core*" if one.core else "stretch*"
    return [
        f"{where} has no line “{wanted.strip('. ').strip()}”, as the check of {name} has it."
        for wanted in (title, facts)
        if wanted not in source
    ]


def wrong_answers(topic: str) -> dict[str, list]:  # type: ignore[type-arg]
    """Return the wrong answers to a lab, empty if there is no such module."""
    file = paths.root() / "tests" / "wrong_answers" / f"{topic}.py"
    spec = importlib.util.spec_from_file_location(f"wrong_answers_{topic}", file) if file.exists() else None
    if not spec or not spec.loader:
        return {}
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(getattr(module, "WRONG", {}))


def claims() -> list[str]:
    """Every claim of a written chapter has a measured reference."""
    from helix.record.claims import reference

    return [
        f"The claim {one.id} of {chapter.name} has no record. Run: python3 kit.py experiment {chapter.number:02d} --measure"
        for chapter in catalogue.load().written()
        for one in chapter.claims
        if reference(one.id) is None
    ]
