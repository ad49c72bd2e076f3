"""The gate that asks whether each sentence of a check has been seen by a wrong answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from helix.checking import sentences

CHECKS = '''
"""A module. With a docstring."""

WORDS = "No sentence of anybody."


def _helper(value):
    """Help. Not told."""
    if not value:
        raise Unmet("The helper tells this.")


@exercise(title="A title.", hints=("A hint.",), mistakes={"A mistake of the exercise.": sum})
def total(ask, rng):
    """Ask for a sum. Not told."""

    def draw():
        """Draw. Not told."""

    edge = "An edge has a sentence."
    got = ask([1], because="No full stop, and told", given="Case. In words.")
    ask(["A text that is asked."], because=edge, mistakes={"Only here": lambda values: "No. Value."})
    for value, because in ((1, "One of several."), (2, f"{value} of several, said of {edge}.")):
        expect(got, equal_to=value, because=because, if_equals={"Old way": 3})
    expect_that(got, because="With a condition.", got=f"{got} was returned.")


decide = decision(
    title="A decision.",
    stop_because="Brought by the engine.",
    rules=(Rule(lambda made, values: True, "A rule of the lab."),),
)
'''
TOLD = {
    "The helper tells this": "_helper",
    "An edge": "total",
    "No full stop": "total",
    "Only here": "total",
    "One of several": "total",
    " of several, said of": "total",
    "Old way": "total",
    "With a condition": "total",
    "A rule of the lab": "decide",
}


@pytest.fixture
def checks(tmp_path):
    file = tmp_path / "toy.py"
    file.write_text(CHECKS)
    return file


EXERCISES = {
    "total": SimpleNamespace(mistakes={"A mistake of the exercise.": sum}, is_decision=False),
    "decide": SimpleNamespace(mistakes={}, is_decision=True),
}


def rows(says):
    wrong = {"total": [], "decide": []}
    for piece in says:
        wrong["decide" if piece.startswith("A rule") else "total"].append((None, piece))
    return wrong


def test_every_sentence_that_is_told_needs_a_wrong_answer(checks):
    assert sentences.unreached(checks, EXERCISES, rows(TOLD)) == []
    found = sentences.unreached(checks, EXERCISES, rows([]))
    assert len(found) == len(TOLD)


@pytest.mark.parametrize("piece", TOLD)
def test_a_sentence_that_nobody_saw_is_named(checks, piece):
    (found,) = sentences.unreached(checks, EXERCISES, rows([one for one in TOLD if one != piece]))
    assert f"no wrong answer to {TOLD[piece]} is told “" in found
    assert piece in found
    assert "toy.py, line " in found


@pytest.mark.parametrize(
    ("typed", "mistakes", "says"),
    [
        (0, 5, "has no wrong answer to total. Type one at least"),
        (1, 1, "has 1 wrong answers to total, and its check names 1 mistakes; 3 together"),
        (1, 2, ""),
        (3, 0, ""),
    ],
)
def test_wrong_answers_are_counted(checks, typed, mistakes, says):
    one = SimpleNamespace(mistakes=dict.fromkeys(map(str, range(mistakes))), is_decision=False)
    found = sentences.too_few(checks, {"total": one}, {"total": [(None, "")] * typed})
    assert [says in sentence for sentence in found] == [True] * bool(says)


def test_a_decision_needs_one_of_its_own(checks):
    decide = {"decide": EXERCISES["decide"]}
    assert "no wrong answer to decide" in sentences.too_few(checks, decide, {})[0]
    assert sentences.too_few(checks, decide, {"decide": [(None, "")]}) == []
