"""The learner's progress: every attempt at an exercise, local and private, in ``work/progress.jsonl``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from helix import paths
from helix.record import journal


def path() -> Path:
    """Return the file that holds the attempts."""
    return paths.work() / "progress.jsonl"


def attempted(lab: str, exercise: str, outcome: str, message: str, seed: int) -> None:
    """Record one attempt."""
    journal.append(
        path(),
        {"time": journal.now(), "lab": lab, "exercise": exercise, "outcome": outcome, "message": message, "seed": seed},
    )


@dataclass(frozen=True)
class Standing:
    """Where a learner stands in one lab: exercises tried, those once correct, and how often each failed."""

    tried: frozenset[str] = frozenset()
    correct: frozenset[str] = frozenset()
    failures: Mapping[str, int] = field(default_factory=dict)

    def finished(self, exercises: Iterable[str]) -> bool:
        """Whether all of these exercises were correct once."""
        return set(exercises) <= self.correct


def standings() -> dict[str, Standing]:
    """Return the standing in every lab that was tried. An exercise that was correct once stays correct."""
    tried: dict[str, set[str]] = {}
    correct: dict[str, set[str]] = {}
    failures: dict[str, Counter[str]] = {}
    for entry in journal.read(path()):
        lab, exercise, outcome = (str(entry.get(key)) for key in ("lab", "exercise", "outcome"))
        if outcome != "not attempted":
            tried.setdefault(lab, set()).add(exercise)
        if outcome == "correct":
            correct.setdefault(lab, set()).add(exercise)
        elif outcome != "not attempted":
            failures.setdefault(lab, Counter())[exercise] += 1
    return {
        lab: Standing(frozenset(tried[lab]), frozenset(correct.get(lab, ())), failures.get(lab, {})) for lab in tried
    }


def standing(lab: str) -> Standing:
    """Return the standing in one lab."""
    return standings().get(lab, Standing())
