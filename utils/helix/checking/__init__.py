"""The exercise engine: what a check module says of an exercise, and what the learner gets back."""

from helix.checking.decision import ReasonedAnswer, Rule, decision
from helix.checking.exercise import Exercise, NotCorrect, exercise, exercises_of
from helix.checking.expectations import Unmet, any_of, expect, expect_raises, expect_that, shorten
from helix.checking.verdict import Outcome, Verdict

__all__ = [
    "Exercise",
    "NotCorrect",
    "Outcome",
    "ReasonedAnswer",
    "Rule",
    "Unmet",
    "Verdict",
    "any_of",
    "decision",
    "exercise",
    "exercises_of",
    "expect",
    "expect_raises",
    "expect_that",
    "shorten",
]
