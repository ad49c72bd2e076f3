"""The assertions about exercises are shown what they must refuse."""

from __future__ import annotations

import os
import time

import pytest

import exercise_assertions as assertions
from helix.checking import exercise
from helix.checking import exercises as engine

LAB = "toy"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setattr(engine, "_REGISTRY", {})


def larger(a, b):
    return max(a, b)


def toy(mistakes, reference=larger, **options):
    @exercise(lab=LAB, title="The larger", minutes=1, reference=reference, mistakes=mistakes, **options)
    def check(ask, rng):
        a, b = (int(number) for number in rng.choice(100, size=2, replace=False))
        ask(a, b, because="It is not the larger one.")

    return check


def test_each_mistake_is_told_its_own_message():
    mistakes = {"This is the smaller.": min, "This is the sum.": (lambda a, b: a + b, lambda a, b: sum([a, b]))}
    assert assertions.own_wrong_answers_are_told_apart(toy(mistakes), larger) == 3


@pytest.mark.parametrize(
    ("mistakes", "says"),
    [
        ({"First.": min, "Second.": lambda a, b: min(b, a)}, "Second.*it is told 'First.', not 'Second.'"),
        ({"The same.": lambda a, b: max(b, a)}, "right by luck with seed 0"),
        ({"Often the same.": lambda a, b: 99 if a == 99 else max(a, b)}, "right by luck"),
        ({"It raises.": lambda a, b: a / 0}, "it is told 'ZeroDivisionError"),
    ],
    ids=["coincide", "right", "lucky", "raises"],
)
def test_mistakes_that_cannot_be_told_are_refused(mistakes, says):
    with pytest.raises(AssertionError, match=says):
        assertions.own_wrong_answers_are_told_apart(toy(mistakes), larger)


def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_check_that_costs_too_much_is_refused():
    assert assertions.is_judged_in_time(toy({}), larger) <= assertions.SECONDS

    def slow(a, b):
        busy(0.1)
        return max(a, b)

    with pytest.raises(AssertionError, match=r"toy.check takes 0\.[5-9]\d CPU seconds .*; 0\.2 are the most"):
        assertions.is_judged_in_time(toy({}), slow)
    assert assertions.is_judged_in_time(toy({}, processes=True), slow) <= assertions.SECONDS_WITH_PROCESSES


def test_what_is_computed_once_does_not_count_and_what_is_drawn_does():
    once = []

    def reference(a, b):
        if not once:
            once.append(busy(0.5))
        return max(a, b)

    assertions.is_judged_in_time(toy({}, reference), larger)

    @exercise(lab=LAB, title="Slow draws", minutes=1, reference=larger, draw=lambda rng: busy(0.1))
    def slow_draws(ask, case):
        ask(1, 2, because="No.")

    with pytest.raises(AssertionError, match="slow_draws takes"):
        assertions.is_judged_in_time(slow_draws, larger)


def test_a_wrong_answer_that_must_stay_isolated_never_runs_here():
    @assertions.stays_isolated
    def ends_the_process(solution):
        return lambda a, b: os._exit(1)

    assert ends_the_process.isolated
    assertions.is_refused(toy({}), ends_the_process(larger), "ended the process", isolated=True)


def test_mutants_that_hang_or_die_are_refused_as_all_others():
    hangs, dies = ("hangs", lambda a, b: time.sleep(60)), ("dies", lambda a, b: os._exit(1))
    wrong, passes = ("wrong", min), ("passes", lambda a, b: max(b, a))
    quick = toy({}, seconds=0.3)
    assert assertions._passing(quick, larger, [hangs, dies, wrong, passes]) == ["passes"]
    assert assertions._passing(quick, larger, [hangs, passes, passes]) == ["passes", "passes"]
    assert assertions.mutants_are_refused(quick, larger, {}) > 5


def test_a_mutant_that_spoils_the_next_ones_is_found_out():
    spoilt = []

    def solution(a, b):
        return 0 if spoilt else max(a, b)

    tried = [("spoils", lambda a, b: spoilt.append(1)), ("passes", lambda a, b: solution(b, a))]
    assert assertions._passing(toy({}), solution, tried) == ["passes"]
