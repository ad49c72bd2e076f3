"""How long a chapter or a lab takes at least: an estimate from what is there to be read, run and written.

Learners read in a language that is not their own, run each cell, and look at what it shows. What is stated has to be
between the estimate and `SLOWEST` times of it: people differ by that much, and no count of words sees how hard a thought is.
CONTRIBUTING.md says the formula in words.
"""

from __future__ import annotations

import io
import math
import re
import tokenize
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from helix.checking import Exercise
from helix.course import notebooks
from helix.course.notebooks import Target

CHAPTER_AT_MOST = 60
LAB_AT_MOST = 75
CODE_CELLS_AT_MOST = 45
SLOWEST = 1.8

# People read about 238 words of a plain text a minute, silently and in their own language (Brysbaert 2019,
# doi:10.1016/j.jml.2019.104047). Here it is a technical text, and for most a foreign language: 238 / 1.7.
WORDS_A_MINUTE = 140
# Tables and printed lines are searched, not read word by word.
PRINTED_WORDS_A_MINUTE = 250
CODE_CELL = 0.5  # five lines to read, a key to press, a result to look at; for a check the card to read
FIGURE = 0.75  # axes, legend, and the one thing to see
FORMULA = 0.75  # each letter found again in the sentence before it
QUESTION = 1.5  # to choose an option, and to read the reasons of all

ATTEMPT = 2.5  # what each exercise takes anyway: its text, its docstring, a first run that is wrong
DIFFICULTY = 1.5  # for each of its five steps: thinking before anything is typed
SOLUTION_LINE = 0.6  # to type a line and to mend it once
LINE = 80  # letters


@dataclass(frozen=True)
class Content:
    """What a notebook holds to be read, run and looked at; code that is folded away counts by what it shows."""

    words: int
    code_cells: int
    figures: int
    printed_words: int
    formulas: int
    questions: int

    @property
    def minutes(self) -> float:
        """Return how long reading takes at least."""
        return (
            self.words / WORDS_A_MINUTE
            + self.code_cells * CODE_CELL
            + self.figures * FIGURE
            + self.printed_words / PRINTED_WORDS_A_MINUTE
            + self.formulas * FORMULA
            + self.questions * QUESTION
        )


def content(target: Target) -> Content:
    """Count what a chapter or a lab holds: its cells from the source, what they print from the built notebook, if it is there."""
    cells = [cell for cell in notebooks.make(target).cells if not notebooks.is_framing(cell)]
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    plain = re.sub(r"```.*?```|\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    plain = re.sub(r"\]\([^)\s]*\)|</?\w[^<>\n]*>", " ", plain)
    shown = list(_outputs(target))
    return Content(
        words=_words(plain),
        code_cells=sum(
            cell.cell_type == "code" and bool(cell.source.strip()) and not notebooks.hidden(cell) for cell in cells
        ),
        figures=sum("<img " in one.get("data", {}).get("text/html", "") for one in shown),
        printed_words=sum(_words(one.get("text", "") or one.get("data", {}).get("text/plain", "")) for one in shown),
        formulas=len(re.findall(r"\$\$.+?\$\$", text, re.DOTALL)),
        questions=len(re.findall(r"^\*\*\d+\.\s", text.partition("## Check yourself")[2], re.MULTILINE)),
    )


def _words(text: str) -> int:
    return sum(any(letter.isalnum() for letter in word) for word in text.split())


def _outputs(target: Target) -> Iterable[NotebookNode]:
    if target.executed and target.path.exists():
        for cell in nbformat.v4.reads(target.path.read_text("utf-8")).cells:
            yield from cell.get("outputs", [])


def solving(source: str, exercises: Iterable[Exercise]) -> dict[str, float]:
    """Return, for each exercise of a lab's source, how long finding its answer takes at least.

    The lines of a solution that stand in a cell without an exercise's function count for the next exercise.
    """
    found, waiting = {}, 0
    exercises = list(exercises)
    lines = {one.name: 0 for one in exercises}
    for cell in re.split(r"(?m)^# %%.*$", source):
        waiting += _solution_lines(cell)
        for name in re.findall(r"(?m)^(?:def|class) (\w+)\b", cell):
            if name in lines:
                lines[name] += waiting
                waiting = 0
    for one in exercises:
        found[one.name] = ATTEMPT + DIFFICULTY * one.difficulty + SOLUTION_LINE * lines[one.name]
    return found


def _solution_lines(cell: str) -> int:
    rows, inside = set(), False
    for row, line in enumerate(cell.splitlines(), 1):
        if notebooks.BEGIN in line or notebooks.END in line:
            inside = notebooks.BEGIN in line
        elif inside:
            rows.add(row)
    return lines(cell, rows) if rows else 0


def lines(code: str, rows: Collection[int] | None = None) -> int:
    """Return how many lines of 80 letters the statements and comments of a cell take, however they are wrapped.

    So a formatter that breaks a line makes no cell longer to read, and no solution longer to write. With `rows`, counted
    from 1, only what begins in one of these.
    """
    text = re.sub(r"(?m)^[ \t]*[%!].*$", "pass", code).splitlines()  # IPython's own
    count, first = 0, 0  # the row where the statement began that is being read
    for token in tokenize.generate_tokens(io.StringIO("\n".join(text) + "\n").readline):
        row = token.start[0]
        if token.type in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        first = first or row
        if token.type == tokenize.NEWLINE or (token.type == tokenize.COMMENT and text[first - 1].lstrip()[:1] == "#"):
            if rows is None or first in rows:
                count += math.ceil(len(" ".join(line.strip() for line in text[first - 1 : row])) / LINE)
            first = 0
    return count


def complaint(what: str, stated: float, estimated: float) -> str:
    """Return why a statement is not believed, or nothing."""
    if estimated <= stated <= SLOWEST * estimated:
        return ""
    return (
        f"{what}: {stated:.0f} minutes are stated; what is there takes {estimated:.0f} to {SLOWEST * estimated:.0f}, by the "
        "estimate of helix.course.minutes. State what is true, or shorten it."
    )
