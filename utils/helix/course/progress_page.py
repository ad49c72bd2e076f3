"""What learners see of their progress: the table of the start page and the terminal, the map, the card at a lab's end."""

from __future__ import annotations

import argparse
import html
import itertools
import textwrap
from collections.abc import Iterable

from helix.course import catalogue, navigation
from helix.course.catalogue import Chapter
from helix.course.map_picture import Rung, Status
from helix.course.navigation import Kind, place
from helix.course.standing import Course, Row, duration

_SIGNS: dict[Status, str] = {"done": "✓", "open": "○", "planned": " "}
_LEFT = 'style="text-align:left"'
_CARD = "border-left:4px solid {0};background:{0}14;padding:.5em .9em;margin:.4em 0;max-width:46em"
_COLOURS = {True: "#2e8b57", False: "#7d8597"}  # of a lab that is finished, and of one that is not


class Overview:
    """All chapters with what is done and what comes next, as a table: HTML in a notebook, text in a terminal."""

    def __init__(self, course: Course | None = None) -> None:
        self.course = course or Course()

    def __repr__(self) -> str:
        course, rows = self.course, self.course.written
        table = [("chapter", "exercises", "left", "next exercise")]
        table += [(row.chapter.numbered, _bar(row), _time(row), _next(row)) for row in rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [course.problem] * bool(course.problem) + [f"Where you stand: {course.summary}", ""]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
        ]
        lines.append("")
        lines += [f"Your decision in {row.chapter.numbered}: {_decision(row)}" for row in rows if row.decided]
        if course.planned:
            lines.append(f"{len(course.planned)} more chapters are planned; `python3 kit.py map` lists them.")
        if row := course.current:
            page = place(row.chapter.name, "lab" if row.standing.tried else "chapter")
            lines.append(f"Go on with {row.chapter.numbered}: `python3 kit.py lab`, then open {page}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        course = self.course
        parts = [f"<p>{html.escape(course.problem)}</p>"] * bool(course.problem)
        if row := course.current:
            parts.append(f"<p><b>Go on here:</b> {_go_on(row)}</p>")
        parts.append(f"<p>{course.summary}</p>")
        body = []
        for id, rows in itertools.groupby(course.written, key=lambda row: row.chapter.part):
            part = catalogue.load().part(id)
            title = f"{part.numeral} · {html.escape(part.title)}"
            body.append(f'<tr><th scope="rowgroup" colspan="4" {_LEFT}>{title}</th></tr>')
            body += map(_table_row, rows)
        heads = ("Chapter", "Exercises", "Next exercise", "Time left")
        parts.append(
            f"<table><caption {_LEFT}>Where you stand</caption><thead><tr>"
            + "".join(f'<th scope="col" {_LEFT}>{head}</th>' for head in heads)
            + f"</tr></thead><tbody>{''.join(body)}</tbody></table>"
        )
        if course.planned:
            names = _list(html.escape(chapter.numbered) for chapter in course.planned)
            parts.append(
                f"<details><summary>{len(course.planned)} more chapters are planned</summary>{names}</details>"
            )
        return "".join(parts)


class Finish:
    """The card at the end of a lab: what is correct, what is left, whether a decision is recorded, and what comes next."""

    def __init__(self, row: Row, problem: str = "") -> None:
        self.row, self.problem = row, problem
        self.done = row.status == "done"

    @property
    def _count(self) -> str:
        row = self.row
        count = f"{row.correct} of {len(row.exercises)} exercises are correct"
        return f"✓ The lab is finished: {count}." if self.done else f"○ {count}."

    @property
    def _facts(self) -> list[str]:
        row = self.row
        facts = [self.problem] * bool(self.problem)
        facts.append(f"Your decision is recorded: {_decision(row)}." if row.decided else "No decision is recorded yet.")
        if row.next:
            facts.append(
                f"Next: exercise {row.number(row.next)}, {row.next.title}. "
                "Hints are on the card of its check: run the check, and each attempt that fails offers one more."
            )
        return facts

    @property
    def _left(self) -> list[str]:
        return [
            f"{self.row.number(one)}. {one.title} ({one.minutes} minutes{'' if one.core else ', if you like'})"
            for one in self.row.left
        ]

    @property
    def _further(self) -> list[tuple[str, str, str]]:
        """What comes after the lab: words, what they name, and its place."""
        if not self.done:
            return []
        chapter = self.row.chapter
        steps = [("Compare the reasons, not only the code:", "the worked lab", place(chapter.name, "solution"))]
        after = catalogue.load().after(chapter)
        if after and after.written:
            steps.append(("Next chapter:", _offer(after), place(after.name, "chapter")))
        return [*steps, ("All chapters, and where you stand:", "the map", navigation.MAP)]

    def __repr__(self) -> str:
        lines = [self._count, *(f"  left: {one}" for one in self._left), *self._facts]
        return "\n".join(lines + [f"{words} {name}, {goal.partition('#')[0]}" for words, name, goal in self._further])

    def _repr_html_(self) -> str:
        colour = _COLOURS[self.done]
        parts = [f"<b style='color:color-mix(in srgb, {colour} 70%, currentColor)'>{self._count}</b>"]
        if left := self._left:
            parts.append("Left:" + _list(map(html.escape, left)))
        parts += map(html.escape, self._facts)
        parts += [f"{words} {_anchor(name, goal, 'lab')}" for words, name, goal in self._further]
        lines = "".join(f"<div style='margin-top:.3em'>{part}</div>" for part in parts)
        return f"<section aria-label='What you have done in this lab' style='{_CARD.format(colour)}'>{lines}</section>"


def overview() -> Overview:
    """Return where the learner stands, to be shown as the last value of a cell."""
    return Overview()


def rungs() -> list[Rung]:
    """Return the chapters as rungs of the map, with the learner's status of each."""
    return Course().rungs()


def finish(key: str) -> Finish:
    """Return the card at the end of a lab, to be shown as the last value of a cell. A record that cannot be read is told on it.

    Parameters
    ----------
    key : str
        The lesson's number, topic or name.

    Raises
    ------
    UnknownLesson
        If there is no such lesson.
    """
    chapter, course = catalogue.load().chapter(key), Course()
    return Finish(course.rows[chapter.number], course.problem)


def map_text(course: Course, width: int = 100) -> str:
    """Return the map as text: the chapters by part, with status and minutes, and what the written ones are for."""
    longest = max(len(row.chapter.numbered) for row in course.rows)
    lines = [course.problem] * bool(course.problem)
    for id, rows in itertools.groupby(course.rows, key=lambda row: row.chapter.part):
        part = catalogue.load().part(id)
        lines += ["", f"{part.numeral} {part.title}"]
        for row in rows:
            one = row.chapter
            minutes = f"{one.minutes} + {one.lab_minutes} min"
            lines.append(f"{_SIGNS[row.status]} {one.numbered:{longest}}  {row.status:7}  {minutes}")
            if one.written:
                lines += textwrap.wrap(one.promise, width, initial_indent=" " * 5, subsequent_indent=" " * 5)
    return "\n".join(lines).lstrip("\n")


def map_main(words: list[str]) -> int:
    """``python3 kit.py map``."""
    parser = argparse.ArgumentParser(prog="python3 kit.py map", description="List the chapters: done, open, planned.")
    parser.parse_args(words)
    print(map_text(Course()))
    return 0


def progress_main(words: list[str]) -> int:
    """``python3 kit.py progress``."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py progress", description="What you have solved and decided, and what comes next."
    )
    parser.parse_args(words)
    print(repr(Overview()))
    return 0


def _table_row(row: Row) -> str:
    title = _anchor(row.chapter.numbered, place(row.chapter.name, "chapter"))
    coming = _anchor(row.next.title, _exercise(row)) if row.next else _next(row)
    cells = "".join(f"<td {_LEFT}>{cell}</td>" for cell in (_bar_html(row), coming, _time(row)))
    return f'<tr><th scope="row" {_LEFT}>{title}</th>{cells}</tr>'


def _go_on(row: Row) -> str:
    """Return, with links, what to read or to solve now."""
    chapter = _anchor(row.chapter.numbered, place(row.chapter.name, "chapter"))
    if row.next is None:
        return f"{chapter}."
    exercise = f"{_anchor(row.next.title, _exercise(row))} ({row.next.minutes} minutes)"
    if row.standing.tried:
        return f"exercise {row.number(row.next)} of {chapter}: {exercise}."
    return f"{chapter} ({row.chapter.minutes} minutes), then its lab, which begins with {exercise}."


def _exercise(row: Row) -> str:
    """Return where the next exercise stands: its heading, which a gate holds to be number and title."""
    heading = f"{row.number(row.next)}. {row.next.title}" if row.next else ""
    return f"{place(row.chapter.name, 'lab')}#{heading.replace(' ', '-')}"


def _offer(chapter: Chapter) -> str:
    return f"{chapter.numbered} ({chapter.minutes} minutes, and {chapter.lab_minutes} for its lab)"


def _anchor(words: str, goal: str, kind: Kind = "chapter") -> str:
    """Return a link from a page of this kind."""
    return f'<a href="{html.escape(navigation.link(goal, kind))}">{html.escape(words)}</a>'


def _list(items: Iterable[str]) -> str:
    return f"<ul style='margin:.2em 0'>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _bar(row: Row) -> str:
    return f"{'■' * row.correct}{'□' * len(row.left)} {row.correct} of {len(row.exercises)}"


def _bar_html(row: Row) -> str:
    count = f"{row.correct} of {len(row.exercises)}"
    bar = f'value="{row.correct}" max="{max(len(row.exercises), 1)}" title="{count} correct" style="width:4em"'
    return f"<progress {bar}></progress> {count}"


def _next(row: Row) -> str:
    return row.next.title if row.next else "done" if row.status == "done" else "its lab is not written yet"


def _time(row: Row) -> str:
    return duration(row.minutes_left) if row.status == "open" else "–"


def _decision(row: Row) -> str:
    """Return a recorded decision in short: the choice and the day, as far as the entry holds them."""
    entry = row.decided or {}
    return ", ".join(str(entry[key])[:length] for key, length in (("choice", 200), ("time", 10)) if key in entry)
