"""The guard holds what it must hold, publishes what it may, and loses no text; the gate looks at every axis."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helix.generative import gendered_wording, job_guard
from helix.generative.rewriter import rewrite
from rewriter_cases import CHANGED, KEPT, WORDS

GOOD = {"pronoun_skew": 0.05, "trait_skew": 0.02, "faultless": 0.95}
SKEWED = {"pronoun_skew": 0.9, "trait_skew": 0.8, "faultless": 0.95}


@pytest.mark.parametrize(
    ("text", "action", "out"),
    [
        ("We need a cook. Lunch is free.", "publish", "We need a cook. Lunch is free."),
        ("We need a cook. She works with care.", "rewrite", "We need a cook. They work with care."),
        ("招聘护士。她工作认真。", "rewrite", "招聘护士。应聘者工作认真。"),
        ("We need a cook. Men only. He works with care.", "hold", None),
        ("招聘司机，限男性。", "hold", None),
        ("Anna Weber leads the team, and she is fair.", "publish", "Anna Weber leads the team, and she is fair."),
        ("She plans her week, and Paul Brown helps her.", "hold", None),
        ("She who dares wins.", "hold", None),
        ("Pronouns: she/her.", "publish", "Pronouns: she/her."),
        ("", "publish", ""),
    ],
)
def test_ways(text, action, out):
    made = job_guard.guard(text)
    assert (made.action, made.text) == (action, text if out is None else out)
    assert bool(made.findings) == (action != "publish")
    assert made.reason.endswith(".")


def test_what_is_left_after_rewriting_is_held(monkeypatch):
    monkeypatch.setattr(job_guard, "rewrite", lambda text: text)
    made = job_guard.guard("We need a cook. She works with care.")
    assert (made.action, made.text) == ("hold", "We need a cook. She works with care.")
    assert made.reason == "A pronoun of the wanted person is left that the rewriter cannot put neutrally."


def test_a_pair_is_no_finding_and_is_still_put_for_everybody():
    made = job_guard.guard("He or she works with care.")
    assert (made.action, made.text, made.findings) == ("rewrite", "They work with care.", ())


@pytest.mark.parametrize("text", [text for texts in (CHANGED, [(one, "") for one in KEPT]) for text, _ in texts])
def test_guard_and_rewriter_agree(text):
    agree(text)


def agree(text):
    """What is published as it was, the rewriter would not change; what was rewritten has nothing gendered left."""
    made = job_guard.guard(text)
    assert made.action != "publish" or rewrite(text) == text
    if made.action == "rewrite":
        assert made.text == rewrite(text) != text
        assert not gendered_wording.find(made.text)


@given(st.lists(st.sampled_from(WORDS), max_size=25), st.sampled_from((" ", "")))
def test_guard_and_rewriter_agree_on_any_text(words, between):
    agree(between.join(words))


def test_a_book_is_held_and_not_read(monkeypatch):
    monkeypatch.setattr(job_guard.gendered_wording, "find", lambda text: pytest.fail("it was read"))
    assert job_guard.guard("a" * (job_guard.LONGEST + 1)).action == "hold"


def test_no_text_is_lost():
    texts = ["Lunch is free.", "She works with care.", "Men only, please.", "Lunch is free."]
    made = job_guard.guarded(texts)
    assert sum(map(len, made.values())) == len(texts)
    assert [one.text for one in made["hold"]] == ["Men only, please."]


@pytest.mark.parametrize("wrong", [None, 3, b"he", ["he"]])
def test_what_is_no_text_is_refused(wrong):
    with pytest.raises(TypeError, match="A job description is a text; got"):
        job_guard.guard(wrong)


@pytest.mark.parametrize(
    ("after", "reasons"),
    [
        ({}, []),
        ({"pronoun_skew": 0.5}, ["pronoun_skew is 0.50, further from 0 than 0.1."]),
        ({"pronoun_skew": -0.5}, ["pronoun_skew is -0.50, further from 0 than 0.1."]),
        ({"trait_skew": 0.11}, ["trait_skew is 0.11, further from 0 than 0.1."]),
        ({"faultless": 0.92}, ["faultless fell from 0.950 to 0.920, by more than 0.02."]),
        ({"faultless": 0.99}, []),
        ({"faultless": 0.9301, "pronoun_skew": 0.1, "trait_skew": -0.1}, []),
    ],
)
def test_the_gate(after, reasons):
    assert job_guard.refusals(SKEWED, GOOD | after) == reasons


def test_a_repair_that_opens_another_axis_is_told_so():
    (reason,) = job_guard.refusals(GOOD, GOOD | {"trait_skew": 0.4})
    assert reason == "trait_skew is 0.40, further from 0 than 0.1. It was not before."


@pytest.mark.parametrize("wrong", [None, math.nan, math.inf, "0.1"])
@pytest.mark.parametrize("which", ["before", "after"])
def test_what_was_not_measured_is_not_zero(wrong, which):
    records = {"before": SKEWED, "after": GOOD}
    records[which] = records[which] | {"trait_skew": wrong}
    with pytest.raises(ValueError, match=f"'trait_skew' {which} the repair must be a finite number"):
        job_guard.refusals(**records)
    del records[which]["trait_skew"]
    with pytest.raises(ValueError, match="Measure it first"):
        job_guard.refusals(**records)
