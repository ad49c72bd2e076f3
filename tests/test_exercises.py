"""Every exercise of every lab: the solution passes, the blank is told apart, wrong answers and mutants are refused."""

import importlib

import pytest

import exercise_assertions as assertions
from helix.checking import exercises_of
from helix.course import catalogue, gates, notebooks
from helix.record.evidence_store import forget

LABS = [chapter for chapter in catalogue.load().chapters if chapter.lab_source.exists()]
EXERCISES = [(chapter.name, name) for chapter in LABS for name in exercises_of(chapter.topic)]
WRONG = [
    (chapter.name, name, answer, says)
    for chapter in LABS
    for name, answers in gates.wrong_answers(chapter.topic).items()
    for answer, says in answers
]

_solved: dict[str, dict] = {}


@pytest.fixture(autouse=True)
def _own_work(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HELIX_WORK", str(tmp_path_factory.mktemp("work")))
    monkeypatch.setenv("HELIX_GRADING", "1")


def solved(name):
    """Run the worked lab once; its evidence stays recorded for the decision."""
    if name not in _solved:
        forget()
        _solved.clear()
        _solved[name] = notebooks.solved(name)
    return _solved[name]


def exercise(name, which):
    return exercises_of(name[3:])[which]


@pytest.mark.parametrize(("name", "which"), EXERCISES)
def test_solution_passes(name, which):
    assertions.passes(exercise(name, which), solved(name)[which])


@pytest.mark.parametrize(("name", "which"), EXERCISES)
def test_blank_is_not_attempted(name, which):
    solved(name)
    assertions.blank_is_not_attempted(exercise(name, which), assertions.blanks(name)[which])


@pytest.mark.parametrize(
    ("name", "which", "answer", "says"),
    WRONG,
    ids=[f"{name[3:]}-{which}-{answer.__name__}" for name, which, answer, _ in WRONG],
)
def test_wrong_answer_gets_its_message(name, which, answer, says):
    assertions.is_refused(exercise(name, which), answer(solved(name)[which]), says)


@pytest.mark.parametrize(("name", "which"), EXERCISES)
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
