"""Every exercise of every lab: the solution passes, the blank is told apart, wrong answers and mutants are refused."""

import importlib

import pytest

import exercise_assertions as assertions
from helix.checking import exercises_of
from helix.course import catalogue, gates, notebooks
from helix.record.evidence_store import evidence, forget, recorded

LABS = [chapter for chapter in catalogue.load().chapters if chapter.lab_source.exists()]
EXERCISES = [(chapter.name, name) for chapter in LABS for name in exercises_of(chapter.topic)]
WRONG = [
    pytest.param(chapter.name, name, answer, says, id=f"{chapter.name}-{name}-{answer.__name__}")
    for chapter in LABS
    for name, answers in gates.wrong_answers(chapter.topic).items()
    for answer, says in answers
]
for_every_exercise = pytest.mark.parametrize(("name", "which"), EXERCISES)

_lab = {}


@pytest.fixture(autouse=True)
def _own_work(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HELIX_WORK", str(tmp_path_factory.mktemp("work")))
    monkeypatch.setenv("HELIX_GRADING", "1")


def lab(name):
    """Run a worked lab and its blank version, once: the tests of a lab stand together, one lab is kept.

    The evidence of the worked lab stays recorded for its decision.
    """
    if name not in _lab:
        forget()
        _lab.clear()
        solved = notebooks.solved(name)
        values = recorded()
        blank = assertions.blanks(name)
        forget()
        for id, value in values.items():
            evidence(id, value)
        _lab[name] = solved, blank
    return _lab[name]


def solved(name):
    return lab(name)[0]


def exercise(name, which):
    return exercises_of(name[3:])[which]


@for_every_exercise
def test_solution_passes(name, which):
    assertions.passes(exercise(name, which), solved(name)[which])


@for_every_exercise
def test_right_answer_is_judged_in_time(name, which):
    assertions.is_judged_in_time(exercise(name, which), solved(name)[which])


@for_every_exercise
def test_blank_is_not_attempted(name, which):
    assertions.blank_is_not_attempted(exercise(name, which), lab(name)[1][which])


@pytest.mark.parametrize(("name", "which", "answer", "says"), WRONG)
def test_wrong_answer_gets_its_message(name, which, answer, says):
    isolated = getattr(answer, "isolated", False)
    assertions.is_refused(exercise(name, which), answer(solved(name)[which]), says, isolated)


@for_every_exercise
def test_own_wrong_answers_are_told_apart(name, which):
    assertions.own_wrong_answers_are_told_apart(exercise(name, which), solved(name)[which])


@for_every_exercise
def test_mutants_are_refused(name, which):
    module = importlib.import_module(f"wrong_answers.{name[3:]}")
    equivalent = getattr(module, "EQUIVALENT", {}).get(which, {})
    assertions.mutants_are_refused(exercise(name, which), solved(name)[which], equivalent)


@pytest.mark.parametrize("name", [chapter.name for chapter in LABS])
def test_learner_version_is_the_source_without_solutions(name):
    assertions.learner_version_is_source_minus_solutions(name)


def test_there_are_labs():
    assert EXERCISES
    assert WRONG
