"""The exercise engine: what a check module says of an exercise, and what the learner gets back."""

from helix.checking.asking import Ask, distinct
from helix.checking.decisions import ReasonedAnswer, Rule, decision
from helix.checking.exercises import Exercise, NotCorrect, exercise, exercises_of
from helix.checking.expectations import Unmet, any_of, expect, expect_raises, expect_that, shorten
from helix.checking.ranks import Question, per_rank
from helix.checking.verdict import Outcome, Verdict

__all__ = [
    "Ask",
    "Exercise",
    "NotCorrect",
    "Outcome",
    "Question",
    "ReasonedAnswer",
    "Rule",
    "Unmet",
    "Verdict",
    "any_of",
    "decision",
    "distinct",
    "exercise",
    "exercises_of",
    "expect",
    "expect_raises",
    "expect_that",
    "per_rank",
    "shorten",
]
