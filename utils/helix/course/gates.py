"""The gates: what must be true of the repository. Each returns sentences; an empty list means that the gate is open.

Every sentence says what is wrong and how to mend it, with the command where there is one.
"""

from __future__ import annotations

import importlib.util
import re
import statistics
import subprocess
from collections.abc import Iterable
from pathlib import Path

from helix import paths
from helix.checking import Exercise, exercises_of, sentences
from helix.course import build, catalogue, notebooks
from helix.course.notebooks import Target

MEGABYTE = 10**6
FILE_AT_MOST = 25 * MEGABYTE
DATA_AT_MOST = 60 * MEGABYTE
CHECKED_CELLS = 5
QUESTIONS = (3, 5)
EXERCISES = (3, 6)
_LEFT_TO_DO = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
_SOURCE_LINK = re.compile(r"https?://(?:doi\.org/|arxiv\.org/)|doi:|arXiv:", re.IGNORECASE)
_FORBIDDEN = {
    r"pip install|conda install|apt-get": "installs something; a lesson finds everything installed",
    r"filterwarnings\(\s*['\"]ignore": "silences every warning; mend the cause",
    r"urlopen|requests\.get|wget |curl ": "fetches something; lessons run offline",
}


# ------------------------------------------------------------------ built notebooks


def drift() -> list[str]:
    """Regenerate the cells of every notebook and compare them with what is stored."""
    found = []
    for target in notebooks.targets():
        stored_at = paths.display(target.path)
        if not target.path.exists():
            found.append(f"{stored_at} is not built. Run: {target.command}")
            continue
        stored, made = notebooks.read(target.path), notebooks.make(target)
        if [notebooks.identity(cell) for cell in stored.cells] != [notebooks.identity(cell) for cell in made.cells]:
            found.append(f"{stored_at} is not what {paths.display(target.source)} gives. Run: {target.command}")
        elif target.executed and stored.metadata.get("helix", {}).get("inputs") != notebooks.fingerprint(target):
            found.append(
                f"{stored_at} was built before its modules, data, record or the lock changed. Run: {target.command}"
            )
        elif not target.executed and stored != made:
            found.append(f"{stored_at} holds more than its source gives. Run: {target.command}")
    known = {target.path for target in notebooks.targets()}
    for folder in sorted(set(notebooks.FOLDER.values())):
        for path in sorted((paths.root() / folder).glob("*.ipynb")):
            if path not in known:
                found.append(f"{paths.display(path)} has no source. Run: git rm {paths.display(path)}")
    return found


def outputs() -> list[str]:
    """Every cell of an executed notebook has run, without an error and without an output that differs elsewhere."""
    found = []
    for target in _built():
        code = [cell for cell in notebooks.read(target.path).cells if cell.cell_type == "code" and cell.source.strip()]
        where = paths.display(target.path)
        if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
            found.append(f"{where}: not every cell has run. Run: {target.command}")
        if any(output.output_type == "error" for cell in code for output in cell.outputs):
            found.append(f"{where} holds an error. Run: {target.command}")
        found += [f"{where}: {complaint} Run: {target.command}" for cell in code if (complaint := build.unstable(cell))]
    return found


def leaks() -> list[str]:
    """No line of a solution, and no mark, stands in a learner's lab."""
    found = []
    for target in notebooks.targets():
        if target.kind != "lab" or not target.path.exists():
            continue
        text = [line.strip() for cell in notebooks.read(target.path).cells for line in cell.source.splitlines()]
        given, hidden = split_solutions(target.source.read_text())
        public = {line.strip(" #") for line in given}
        secret = {line.strip() for line in hidden if len(line.strip()) > 12} - public
        leaked = [line for line in text if line in secret or line in (notebooks.BEGIN, notebooks.END)]
        stored = notebooks.read(target.path)
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


# ------------------------------------------------------------------ what a lesson must have


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
    lines = [len(cell.source.strip().splitlines()) for cell in code]
    if lines and (statistics.median(lines) > 8 or max(lines) > 25):
        found.append(f"{where}: code cells are long (median {statistics.median(lines):g}, longest {max(lines)} lines).")
    found += [f"{where}: {complaint}" for complaint in quiz_lacks(_section(text, "Check yourself"))]
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
    return found


def _section(text: str, heading: str) -> str:
    match = re.search(rf"^## {heading}.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match[0] if match else ""


def quiz_lacks(section: str) -> list[str]:
    """Return what the quiz lacks: three to five questions, options with a reason each, one of them right."""
    questions = re.split(r"^\*\*\d+\. ", section, flags=re.MULTILINE)[1:]
    found = []
    if not QUESTIONS[0] <= len(questions) <= QUESTIONS[1]:
        found.append(f"the quiz has {len(questions)} questions; {QUESTIONS[0]} to {QUESTIONS[1]} are wanted.")
    for number, question in enumerate(questions, 1):
        options = re.findall(r"<details><summary>(.*?)</summary>(.*?)</details>", question, re.DOTALL)
        reasons = [body.strip() for _, body in options]
        if len(options) < 2:
            found.append(f"question {number} has {len(options)} options, each in <details><summary>…</summary>.")
        if sum(reason.startswith("Right.") for reason in reasons) != 1:
            found.append(f"question {number} needs just one option whose reason begins with “Right.”.")
        if any(not re.match(r"(?:Right\.|Not quite\.)\s+\S+", reason) for reason in reasons):
            found.append(f"question {number}: every option gives its reason, after “Right.” or “Not quite.”.")
    return found


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
    source = chapter.lab_source.read_text()
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
    planned = sum(one.minutes for one in exercises.values())
    if planned != chapter.lab_minutes or f"**{chapter.lab_minutes} minutes" not in source:
        found.append(
            f"{where}: its exercises take {planned} minutes together, source/course.toml says {chapter.lab_minutes}; the lab's "
            f"first lines must say the same: **{planned} minutes …**"
        )
    checks = paths.root() / "utils" / "helix" / "labs" / f"{chapter.topic}.py"
    found += sentences.lacks(checks, exercises, wrong)
    return found + _left_to_do(chapter.lab_source) + _left_to_do(checks)


def _left_to_do(file: Path) -> list[str]:
    """Return where a file says that it is not finished; the first place of each file is enough."""
    for number, line in enumerate(file.read_text().splitlines(), 1):
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


# ------------------------------------------------------------------ the repository


def links() -> list[str]:
    """Every relative link in a page or notebook leads to a file; links into ``work/`` are made when labs start."""
    found = []
    for path, text in _pages():
        plain = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=[\"']([^\"']+)[\"']", plain):
            goal = (link[0] or link[1]).partition("#")[0]
            if not goal or re.match(r"[a-z]+:", goal):
                continue
            if goal.removeprefix("../").startswith("work/") and goal.endswith(".ipynb"):
                goal = goal.replace("work/", "labs/", 1)
            if not (path.parent / goal).exists():
                found.append(f"{paths.display(path)} links to {goal}, which does not exist.")
    return found


def _pages() -> Iterable[tuple[Path, str]]:
    for path in tracked():
        if path.suffix == ".md":
            yield path, path.read_text()
        elif path.suffix == ".ipynb":
            cells = notebooks.read(path).cells
            yield path, "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def sizes() -> list[str]:
    """No file is too large, nor are data and weights together."""
    files = [path for path in tracked() if path.is_file()]
    found = [
        f"{paths.display(path)} has {path.stat().st_size / MEGABYTE:.0f} MB; {FILE_AT_MOST // MEGABYTE} are the most."
        for path in files
        if path.stat().st_size > FILE_AT_MOST
    ]
    heavy = sum(path.stat().st_size for path in files if path.relative_to(paths.root()).parts[0] in ("data", "weights"))
    if heavy > DATA_AT_MOST:
        found.append(f"data/ and weights/ have {heavy / MEGABYTE:.0f} MB; {DATA_AT_MOST // MEGABYTE} are the most.")
    return found


def tracked() -> list[Path]:
    """Return the files that git tracks or would track; outside a checkout, all but what is made here."""
    root = paths.root()
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        found = [root / name for name in listed.split("\0") if name]
    else:
        made = {".venv", ".assets", "work", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
        found = [path for path in root.rglob("*") if not made & set(path.relative_to(root).parts)]
    return sorted(path for path in set(found) if path.is_file())


def cards() -> list[str]:
    """Every data set and every set of weights has its card."""
    return [
        f"{paths.display(folder)} has no CARD.md (origin, licence, consent, hash, size, known problems)."
        for kind in ("data", "weights")
        for folder in sorted((paths.root() / kind).glob("*/"))
        if folder.is_dir() and not (folder / "CARD.md").exists()
    ]


def _built() -> list[Target]:
    return [target for target in notebooks.targets() if target.executed and target.path.exists()]
