"""``python3 kit.py test --changed``: which tests the changes since the main branch can touch.

A notebook's fingerprint stands in the notebook, so one that is the same as on the main branch and still has that
fingerprint need not run. Of other tests the imports tell what they read. What neither can judge runs.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helix import paths
from helix.course import catalogue, notebooks
from helix.course.notebooks import Target

# Whatever runs depends on these.
_EVERYTHING = re.compile(
    r"pyproject\.toml|requirements\.lock|kit\.py|envs/.*|source/course\.toml|(.*/)?conftest\.py|tests/support/.*"
    r"|utils/helix/(__init__|paths|notices)\.py|utils/helix/assets/assets\.lock"
    r"|utils/helix/course/(catalogue|changed|costs|notebooks|offline|plugin|testing|variables)\.py|utils/helix/course/guard/.*"
)
# Only the gates read these.
_DOCUMENTS = re.compile(r"[^/]*\.md|docs/.*|CITATION\.cff|LICENSE.*|\.ci/.*|\.github/.*|\.devcontainer/.*|\.gitignore")
_GATES = "tests/test_gates.py"
_EXERCISES = "tests/test_exercises.py"
# A test that starts Python, loads by name or breaks a copy of the repository reads more than it imports.
_READS_MORE = re.compile(r"sys\.executable|import_module|spec_from_file|runpy|\bcopied\b|playwright")
# The lesson on which the tests of the house try everything.
_MODEL = "00_start_here"


class NoBase(Exception):
    """Git does not say what changed."""


@dataclass(frozen=True)
class Selection:
    """What is to run: paths for pytest, and of the exercises those of some topics; `everything` says why all runs."""

    paths: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    everything: str = ""

    def words(self) -> list[str]:
        """Return the words for pytest."""
        if self.everything:
            return []
        exercises = [_EXERCISES, f"--labs={','.join(self.topics)}"] if self.topics else []
        return [*self.paths, *exercises]

    def told(self) -> list[str]:
        """Return lines that say what runs and what does not."""
        if self.everything:
            return [f"Everything runs: {self.everything}"]
        lines = [f"Runs: {', '.join(self.paths)}"]
        if self.topics:
            lines.append(f"Runs: the exercises of {', '.join(self.topics)}")
        if self.left_out:
            lines.append(
                f"Left out, as neither they nor anything that they read has changed: {', '.join(self.left_out)}"
            )
        return lines


def select() -> Selection:
    """Return which tests the changes can touch: those of commits that are not on the main branch, and those not committed."""
    try:
        base = _base()
        files = _changed(base)
    except NoBase as error:
        return Selection(everything=str(error))
    if general := sorted(file for file in files if _EVERYTHING.fullmatch(file)):
        return Selection(everything=f"{general[0]} has changed.")
    run: list[str] = [_GATES]
    topics: list[str] = []
    left_out: list[str] = []
    same: dict[str, bool] = {}
    for target in notebooks.targets():
        if target.executed:
            name = paths.display(target.path)
            same[f"{target.kind} {target.name}"] = name not in files and _still(target, base)
            (left_out if same[f"{target.kind} {target.name}"] else run).append(name)
    engine = bool(files & _reads(paths.root() / _EXERCISES))
    for chapter in catalogue.load().chapters:
        if chapter.lab_source.exists():
            answers = f"tests/wrong_answers/{chapter.topic}.py"
            touched = engine or answers in files or not same[f"solution {chapter.name}"]
            if touched or f"utils/helix/labs/{chapter.topic}.py" in files:
                topics.append(chapter.topic)
            else:
                left_out.append(f"exercises of {chapter.topic}")
    for file in sorted((paths.root() / "tests").rglob("test_*.py")):
        if (name := paths.display(file)) not in (_GATES, _EXERCISES):
            (run if name in files or _touched(file, files) else left_out).append(name)
    return Selection(tuple(run), tuple(topics), tuple(left_out))


def _base() -> str:
    """Return the commit at which this work left the main branch."""
    for branch in ("origin/main", "main"):
        try:
            return _git("merge-base", "HEAD", branch).strip()
        except NoBase:
            continue
    raise NoBase("git knows no main branch to compare with.")


def _changed(base: str) -> set[str]:
    listed = _git("diff", "--name-only", "--no-renames", "-z", base) + _git(
        "ls-files", "--others", "--exclude-standard", "-z"
    )
    return {name for name in listed.split("\0") if name}


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=paths.root(), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise NoBase("git does not say here what has changed.") from None
    return done.stdout


def _still(target: Target, base: str) -> bool:
    """Return whether a notebook depends on the same things as on the main branch, where it was built and tested."""
    try:
        stored = json.loads(_git("show", f"{base}:{paths.display(target.path)}"))
    except NoBase:
        return False
    return bool(stored["metadata"].get("helix", {}).get("inputs") == notebooks.fingerprint(target))


# ------------------------------------------------------------------ other tests


def _touched(file: Path, files: Iterable[str]) -> bool:
    """Return whether changed files can change what a test file finds."""
    read = _reads(file)
    texts = [(paths.root() / name).read_text("utf-8") for name in read if name.startswith("tests/")]
    reads_more = any(_READS_MORE.search(text) for text in texts)
    reads_lessons = not read.isdisjoint({"utils/helix/course/catalogue.py", "utils/helix/course/notebooks.py"})
    for name in files:
        if name in read:
            return True
        if _DOCUMENTS.fullmatch(name):
            continue
        lesson = _lesson(name)
        if lesson and lesson != _MODEL:
            # Its own file: read by tests that name the lesson, or go through the catalogue.
            named = any(lesson[3:] in text or f'"{lesson[:2]}"' in text for text in (file.name, *texts))
            if named or (reads_lessons and not name.startswith(("utils/", "tests/"))):
                return True
        elif reads_more or not name.endswith(".py") or name.startswith(("source/", "experiments/", "data/")):
            return True
    return False


def _lesson(name: str) -> str:
    """Return the lesson to which alone a changed file belongs, or nothing."""
    stem = notebooks.lesson_of(Path(name))
    for chapter in catalogue.load().chapters:
        if name.startswith(f"weights/{chapter.name}/"):
            return chapter.name
        if stem == chapter.name and name.startswith(
            ("source/", "notebooks/", "labs/", "solutions/", "experiments/", "results/")
        ):
            return chapter.name
        if stem == chapter.topic and name.startswith(("utils/helix/labs/", "tests/wrong_answers/")):
            return chapter.name
        if stem in (f"test_{chapter.topic}", f"test_{chapter.topic}_lesson"):
            return chapter.name
    return ""


@cache
def _closure(file: Path, root: Path) -> frozenset[str]:
    found: set[Path] = set()
    queue = [file]
    while queue:
        one = queue.pop()
        found.add(one)
        queue += [beside for beside in _beside(one) if beside not in found]
    modules = {module for one in found for module in notebooks.modules_of(one)}
    return frozenset(paths.display(one) for one in found | modules)


def _reads(file: Path) -> frozenset[str]:
    """Return a test file, what it imports of the tests, and all helix modules behind them."""
    return _closure(file, paths.root())


def _beside(file: Path) -> set[Path]:
    """Return the files of ``tests/`` that a file of ``tests/`` imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    tests = paths.root() / "tests"
    candidates = {
        folder / f"{name.replace('.', '/')}.py" for name in names for folder in (tests, tests / "support", file.parent)
    }
    return {candidate for candidate in candidates if candidate.is_file()}
