"""`ask`: a reference, mistakes that are functions, arguments that stay what they were; on one process and on ranks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from helix.checking import Outcome, Question, Unmet, distinct, exercise, expect_that, per_rank
from helix.checking import exercises as engine
from helix.checking.asking import Ask, unchanged

LAB = "toy"


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setattr(engine, "_REGISTRY", {})


def gap(values, limit=0):
    return max(values) - min(values) - limit


def ask(answer, reference=gap, mistakes=None):
    return Ask(answer, reference, mistakes or {})


def told(asked, *args, because="It is another gap.", **options):
    with pytest.raises(Unmet) as unmet:
        asked(*args, because=because, **options)
    return unmet.value


def named(unmet):
    return [message for message in unmet.explains if unmet.is_explained_by(message)]


# ------------------------------------------------------------------ one question


def test_a_right_answer_is_returned_as_it_came():
    assert ask(lambda values, limit: np.float64(7))([1, 8], 0, because="No.") == 7
    assert type(ask(lambda values: Fraction(7))([1, 8], because="No.")) is Fraction


def test_without_a_case_in_words_the_references_parameters_name_it():
    assert told(ask(lambda *_: 0), [1, 8], 2).given == "values = [1, 8], limit = 2"
    assert told(ask(lambda *_: 0), [1, 8], given="two values").given == "two values"
    several = ask(lambda *_: 1, lambda first, *rest: 0)
    assert told(several, lambda: 0, 5, 6).given == "first = a function, rest[0] = 5, rest[1] = 6"


def test_what_is_of_the_wrong_kind_is_told_as_such():
    assert told(ask(lambda values: None), [1, 8]).because.startswith("Your function returned nothing")
    pair = ask(lambda values: min(values), lambda values: (min(values), max(values)))
    assert told(pair, [1, 8]).because == "Your function returned an `int`; a tuple (a list will do) is expected."
    assert ask(lambda values: [1, 8], lambda values: (min(values), max(values)))([1, 8], because="No.") == [1, 8]


def test_exactly_and_within_a_tolerance():
    third = ask(lambda: 0.333, lambda: 1 / 3)
    third(because="No.", atol=0.01)
    told(third)
    told(ask(lambda: 1 / 3 + 1e-12, lambda: 1 / 3), exact=True)
    told(ask(lambda: 10_000_001, lambda: 10_000_000))


def test_mistakes_are_called_only_when_they_matter():
    calls = []

    def sum_of(values, limit=0):
        calls.append(values)
        return sum(values)

    mistakes = {"This is the sum.": sum_of}
    ask(gap, mistakes=mistakes)([1, 8], because="No.")
    assert not calls
    unmet = told(ask(lambda values: sum(values), mistakes=mistakes), [1, 8])
    assert not calls
    assert named(unmet) == ["This is the sum."]
    assert calls == [[1, 8]]


def test_a_mistake_that_raises_or_is_nonsense_explains_nothing():
    mistakes = {"divides": lambda values: values / 0, "nothing": lambda values: None, "sum": (gap, sum)}
    assert named(told(ask(lambda values: 9, mistakes=mistakes), [1, 8])) == ["sum"]
    assert named(told(ask(lambda values: 10, mistakes=mistakes), [1, 8])) == []


def test_a_question_can_have_mistakes_of_its_own_or_none():
    asked = ask(lambda values: 9, mistakes={"sum": sum})
    assert named(told(asked, [1, 8], mistakes={"nine": lambda values: 9})) == ["nine", "sum"]
    assert named(told(asked, [1, 8], explain=False)) == []


def test_mistakes_without_a_reference_are_refused():
    with pytest.raises(TypeError, match="needs reference"):
        exercise(lab=LAB, title="A title", minutes=1, mistakes={"No.": sum})(lambda ask, rng: None)


# ------------------------------------------------------------------ refusals


def test_an_undue_refusal_is_told_and_an_accident_is_an_error():
    def refuses(values):
        raise ValueError("too few")

    unmet = told(ask(refuses), [1, 8])
    assert unmet.because == "It is another gap. Your function refuses this case, which has an answer."
    assert unmet.got == "ValueError: too few"

    def asserts(values):
        assert len(values) > 5

    def is_blank(values):
        raise NotImplementedError

    for answer, error in (
        (lambda values: int("x"), ValueError),
        (lambda values: np.ones(2) @ np.ones(3), ValueError),
        (lambda values: values["x"], TypeError),
        (asserts, AssertionError),
        (is_blank, NotImplementedError),
    ):
        with pytest.raises(error):
            ask(answer)([1, 8], because="No.")


def test_a_refusal_that_is_due():
    def refuses(values):
        values.append(0)
        raise ValueError

    empty = []
    ask(refuses).raises(ValueError, empty, because="No.")
    assert empty == []
    with pytest.raises(Unmet, match="Refuse it"):
        ask(lambda values: 0).raises(ValueError, [], because="Refuse it.")


# ------------------------------------------------------------------ arguments


def test_arguments_are_copies():
    values = [1, [8]]

    def spoils(values):
        values[1][0] = 0
        return 0

    told(ask(spoils, lambda values: 7), values)
    assert values == [1, [8]]


@dataclass
class Plan:
    stages: list


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([3, 1, 2], lambda value: value.sort()),
        ({"a": 1}, lambda value: value.update(b=2)),
        ({"a": 1, "b": 2}, lambda value: value.update(a=value.pop("a"))),
        (np.arange(3), lambda value: value.__setitem__(0, 9)),
        (np.array([1.0, np.nan]), lambda value: value.__setitem__(0, np.nan)),
        (np.array(["a", None], dtype=object), lambda value: value.__setitem__(1, "b")),
        (pd.DataFrame({"a": ["x", None]}), lambda value: value.__setitem__("a", "y")),
        (pd.DataFrame({"a": [1]}), lambda value: value.insert(0, "b", 2)),
        (pd.Series([2, 1]), lambda value: value.__setitem__(0, 5)),
        ({1, 2}, lambda value: value.add(3)),
        ([np.zeros(2)], lambda value: value[0].fill(1)),
        (Plan([1, 2]), lambda value: value.stages.append(3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_change_in_place_is_told_by_its_name(value, change):
    def reference(people):
        return 0

    def answer(people):
        change(people)
        return 0

    unmet = told(ask(answer, reference), value)
    assert unmet.because.startswith(
        "The value is right, but your function changed `people`, which it was given, in place."
    )
    ask(answer, reference)(value, because="No.", may_change=True)
    ask(reference, reference)(value, because="No.")


def test_what_is_asked_to_be_used_counts_as_unchanged():
    rng = np.random.default_rng(0)
    ask(lambda rng: rng.random() * 0, lambda rng: 0.0)(rng, because="No.")
    ask(lambda function: function(), lambda function: 3)(lambda: 3, because="No.")


def test_tensors_are_watched():
    torch = pytest.importorskip("torch")
    before, after = torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")])
    assert unchanged(before, after)
    assert not unchanged(before, after.add_(1))
    assert not unchanged(before, before.double())
    doubled = ask(lambda x: x.mul_(2), lambda x: x * 2)
    assert "changed `x`" in told(doubled, torch.ones(2)).because


def test_an_argument_that_raises_when_it_is_looked_at_has_changed():
    class Hostile:
        def __len__(self):
            raise RuntimeError

    assert not unchanged([[1]], [Hostile()])


# ------------------------------------------------------------------ in an exercise


def drawn(draws, **options):
    def draw(rng):
        draws.append(1)
        return [int(number) for number in rng.choice(100, 5, replace=False)]

    @exercise(
        lab=LAB, title="A gap", minutes=1, draw=draw, reference=gap, mistakes={"This is the largest.": max}, **options
    )
    def check(ask, case):
        got = ask(case, because="This is not the gap.")
        case.clear()
        expect_that(got != 0, because="It is never 0.")

    return check


def test_a_case_is_drawn_once_and_nobody_can_change_it():
    draws = []
    check = drawn(draws)
    for _ in range(3):
        assert check.verdict(gap, 1, isolated=False).outcome is Outcome.CORRECT
    assert len(draws) == 5
    assert check.case(1, 0) == check.case(1, 0) != check.case(1, 1)
    assert check.case(1, 0) != check.case(2, 0)
    drawn(draws).case(1, 0)
    assert len(draws) == 7  # another seed, and another exercise


def test_a_mistake_is_named_and_a_half_verdict_has_the_same_outcome():
    check = drawn([])
    assert check.verdict(max, 1).message == "This is the largest."
    assert check.verdict(lambda values: 0, 1).message == "This is not the gap."
    calls = []
    answer = lambda values: calls.append(1)  # noqa: E731
    assert check.verdict(answer, 1, isolated=False, whole=False).outcome is Outcome.INCORRECT
    assert len(calls) == 1
    assert check.verdict(answer, 1, isolated=False).outcome is Outcome.INCORRECT
    assert len(calls) == 6


def test_an_answer_that_changes_what_it_returned_is_explained_by_what_it_was():
    kept = []

    @exercise(lab=LAB, title="Sorted", minutes=1, reference=sorted, mistakes={"This is as it came.": list})
    def check(ask, rng):
        ask([int(n) for n in rng.choice(100, 5, replace=False)], because="It is not sorted.")

    def answer(values):
        kept[:] = values
        return kept

    assert check.verdict(answer, 1, isolated=False).message == "This is as it came."


def test_what_an_exercise_brings():
    assert [(says, answer) for _, answer, says in drawn([]).wrong_answers(gap)] == [("This is the largest.", max)]
    assert drawn([], processes=True).wrong_answers(gap) == []


# ------------------------------------------------------------------ draws


def test_distinct_draws_until_no_mistake_is_right():
    mistakes = {"largest": max, "first or sum": (lambda values: values[0], sum)}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        (values,) = distinct(rng, lambda rng: ([int(n) for n in rng.integers(0, 3, 2)],), gap, mistakes)
        assert gap(values) not in (max(values), values[0], sum(values))
    rng = np.random.default_rng(0)
    (values,) = distinct(rng, lambda rng: ([int(n) for n in rng.integers(1, 4, 2)],), gap, mistakes, apart=True)
    assert max(values) not in (values[0], sum(values))


def test_a_draw_that_cannot_be_asked_is_left_out_and_endless_ones_end():
    draws = iter([None, ([1, 2],)])
    assert distinct(np.random.default_rng(0), lambda rng: next(draws), gap, [max, lambda values: 1 / 0]) == ([1, 2],)
    with pytest.raises(RuntimeError, match="50 draws"):
        distinct(np.random.default_rng(0), lambda rng: ([1, 2],), gap, [gap], tries=50)


# ------------------------------------------------------------------ ranks


def summed(parts, factor):
    return [np.sum(parts, axis=0) * factor] * len(parts)


MEAN = "This is the mean."


def on_ranks(answer, **options):
    values = np.arange(6.0).reshape(3, 2)
    asked = Ask(answer, summed, {MEAN: lambda parts, factor: [np.mean(parts, axis=0) * factor] * len(parts)})
    return asked.on_ranks(
        Question(per_rank(values), 1.0, because="This is not the sum."),
        Question(per_rank([np.zeros(0)] * 3), 2.0, because="An empty share has an empty sum.", given="nothing"),
        ranks=3,
        timeout=20,
        **options,
    )


def all_reduced(mine, factor):
    import torch.distributed as dist

    whole = mine * factor
    dist.all_reduce(whole)
    return whole


def mean_reduced(mine, factor):
    return all_reduced(mine, factor) / 3


def reduced_in_place(mine, factor):
    import torch.distributed as dist

    mine *= factor
    dist.all_reduce(mine)
    return mine.clone()


def own(mine, factor):
    return mine * factor


@pytest.fixture
def _ranks():
    pytest.importorskip("torch")
    from warmed import warmed

    with warmed(__name__):
        yield


@pytest.mark.usefixtures("_ranks")
def test_ranks_are_asked_in_one_launch():
    found = on_ranks(all_reduced, most_bytes=1000, bytes_because="Too much.")
    assert found.returned == [[[6.0, 9.0]] * 3, [[]] * 3]
    assert found.sent > 0
    with pytest.raises(Unmet) as unmet:
        on_ranks(mean_reduced)
    assert named(unmet.value) == [MEAN]
    with pytest.raises(Unmet) as unmet:
        on_ranks(own)
    assert (unmet.value.because, named(unmet.value)) == ("This is not the sum.", [])
    assert unmet.value.given.startswith("parts = [")
    with pytest.raises(Unmet, match="changed in place"):
        on_ranks(reduced_in_place)
    with pytest.raises(Unmet, match="Too much"):
        on_ranks(all_reduced, most_bytes=-100, bytes_because="Too much.")
