"""What a check answers: one of four outcomes, with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The four outcomes of a check."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not attempted"
    RAISED = "your code raised"


@dataclass(frozen=True)
class Verdict:
    """One outcome and what the learner is told about it.

    Parameters
    ----------
    outcome : Outcome
        Which of the four.
    message : str
        The reason, in sentences.
    given, got : str
        The case that failed, and what the answer returned for it; empty where there is none.
    where : str
        The learner's own lines of the traceback, if the code raised.
    printed : str
        What the answer printed while it was checked.
    details : mapping
        Plain data for the record, such as a decision's fields; `notes` in it are shown after a correct answer.
    again : list of int
        Of a case that failed the seed, its index, and the number of the question: enough to draw it once more. Empty without one.
    """

    outcome: Outcome
    message: str
    given: str = ""
    got: str = ""
    where: str = ""
    printed: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)

    def as_plain(self) -> dict[str, Any]:
        """Return the verdict as JSON-serialisable data."""
        return asdict(self) | {"outcome": str(self.outcome)}

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Verdict:
        """Make a verdict from what `as_plain` gave."""
        return cls(**{**data, "outcome": Outcome(data["outcome"])})
