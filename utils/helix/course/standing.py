"""Where a learner stands in the course, counted from the learner's own record each time it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from helix.course import catalogue
from helix.course.catalogue import Chapter
from helix.course.map_picture import Rung, Status
from helix.record import decisions, progress
from helix.record.progress import Standing


@dataclass(frozen=True)
class Row:
    """One lesson and what of it is done.

    `exercises` are those of its lab (`helix.checking.Exercise`), in order, none if the lab is not written. Their titles and
    minutes come from its checks module, the one place where they stand. `decided` is the latest decision, if one is recorded.
    """

    chapter: Chapter
    exercises: tuple[Any, ...] = ()
    standing: Standing = field(default_factory=Standing)
    decided: Mapping[str, Any] | None = None

    @property
    def left(self) -> list[Any]:
        """The exercises that were never correct."""
        return [one for one in self.exercises if one.name not in self.standing.correct]

    @property
    def correct(self) -> int:
        """How many exercises were correct once."""
        return len(self.exercises) - len(self.left)

    @property
    def status(self) -> Status:
        """``planned``, ``open``, or ``done``: all core exercises of the lab were correct once."""
        if not self.chapter.written:
            return "planned"
        core = [one.name for one in self.exercises if one.core]
        return "done" if core and self.standing.finished(core) else "open"

    @property
    def next(self) -> Any | None:
        """The first core exercise that is left."""
        return next((one for one in self.left if one.core), None)

    @property
    def minutes_left(self) -> int:
        """Chapter and lab until an exercise is tried; from then on the core exercises that are left."""
        if self.status != "open":
            return 0
        if not self.standing.tried:
            return self.chapter.minutes + self.chapter.lab_minutes
        return sum(one.minutes for one in self.left if one.core)

    def number(self, exercise: Any) -> int:
        """Return the number of an exercise in the lab, from 1."""
        return self.exercises.index(exercise) + 1


class Course:
    """All lessons as one learner stands in them.

    Parameters
    ----------
    standings, register : mapping, optional
        The standing in each lab, and the latest decision of each. Both are read from the learner's record if one is not
        given; a record that cannot be read counts as empty, and `problem` says why.
    """

    def __init__(
        self,
        standings: Mapping[str, Standing] | None = None,
        register: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.problem = ""
        if standings is None or register is None:
            standings, register = {}, {}
            try:
                standings, register = progress.standings(), decisions.registered()
            except (OSError, SystemExit) as error:
                self.problem = _sentence(error)
        self.rows = [
            Row(one, _exercises(one), standings.get(one.topic, Standing()), register.get(one.topic))
            for one in catalogue.load().chapters
        ]

    @property
    def written(self) -> list[Row]:
        """The lessons that can be read."""
        return [row for row in self.rows if row.chapter.written]

    @property
    def planned(self) -> list[Chapter]:
        """The chapters that are not written yet."""
        return [row.chapter for row in self.rows if not row.chapter.written]

    @property
    def current(self) -> Row | None:
        """The first open lesson that was begun, else the first open one."""
        waiting = [row for row in self.written if row.status == "open"]
        return next((row for row in waiting if row.standing.tried), next(iter(waiting), None))

    @property
    def summary(self) -> str:
        """What is done and what is left of everything that is written, in a sentence."""
        exercises, labs = (sum(map(count, self.written)) for count in (lambda row: len(row.exercises), _has_lab))
        correct, decided = (sum(map(count, self.written)) for count in (lambda row: row.correct, _has_decision))
        minutes = sum(row.minutes_left for row in self.written)
        return f"{correct} of {exercises} exercises correct, {decided} of {labs} decisions recorded, about {duration(minutes)} left."

    def rungs(self) -> list[Rung]:
        """Return the chapters as the rungs of the map."""
        parts = {part.id: f"{part.numeral} {part.title}" for part in catalogue.load().parts}
        return [Rung(row.chapter.number, row.chapter.title, parts[row.chapter.part], row.status) for row in self.rows]


def duration(minutes: int) -> str:
    """Return minutes as a person says them: ``45 min``, ``2 h 15 min``."""
    hours, rest = divmod(minutes, 60)
    words = [f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest or not hours)
    return " ".join(words)


def _has_lab(row: Row) -> bool:
    return bool(row.exercises)


def _has_decision(row: Row) -> bool:
    return row.decided is not None


def _exercises(chapter: Chapter) -> tuple[Any, ...]:
    from helix.checking import exercises_of

    return tuple(exercises_of(chapter.topic).values()) if chapter.lab_source.exists() else ()


def _sentence(error: BaseException) -> str:
    """Return why a record cannot be read; what the record's own modules raise is a sentence already."""
    reason = getattr(error, "strerror", None)
    return f"Your record cannot be read: {reason}." if reason else str(error)
