"""The warm-up: a selection rate for each group, the gap between them, a control, and a first decision."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helix.checking import Ask, ReasonedAnswer, Rule, decision, exercise, expect_that
from helix.checking.expectations import matches, of_type
from helix.datasets import adult

LIMIT = 0.1

_NAMES = ("north", "south", "east", "west", "Ada", "Noor", "Wei", "blue", "green", "red")


def _names(rng: np.random.Generator, count: int) -> list[str]:
    return [str(name) for name in rng.choice(_NAMES, size=count, replace=False)]


def _people(rng: np.random.Generator, counts: Mapping[str, tuple[int, int]]) -> tuple[pd.Series, pd.Series]:
    """Make people in random order: for each group, how many of them are selected, and how many there are."""
    group = np.repeat(np.arange(len(counts)), [size for _, size in counts.values()])
    selected = np.concatenate([np.arange(size) < chosen for chosen, size in counts.values()]).astype(int)
    order = rng.permutation(len(group))
    named = np.array(list(counts), dtype=object)[group[order]]
    return pd.Series(selected[order], name="selected"), pd.Series(named, name="group")


def _by_rates(rng: np.random.Generator, thousandths: Mapping[str, int]) -> tuple[pd.Series, pd.Series]:
    """Make people with just these rates; the groups differ in size, so that numbers of people tell nothing."""
    sizes = 1000 * rng.integers(1, 3, size=len(thousandths))
    return _people(
        rng,
        {
            name: (rate * int(size) // 1000, int(size))
            for (name, rate), size in zip(thousandths.items(), sizes, strict=True)
        },
    )


def _apart(rng: np.random.Generator, low: int, gap: int) -> dict[str, int]:
    """Return five groups whose gap shows neither between neighbours, nor from the first or the last: low and high are apart."""
    half, names = low + gap // 2, sorted(_names(rng, 5))
    return dict(zip(names, [half, low + gap, half, low, half], strict=True))


def _one_below(rng: np.random.Generator, low: int, gap: int) -> dict[str, int]:
    """Return five groups of which one lies below all others: twice the distance from the mean says too much."""
    names = sorted(_names(rng, 5))
    return dict(zip(names, [low + gap, low + gap - 1, low, low + gap - 1, low + gap], strict=True))


def _rates(selected: pd.Series, group: pd.Series) -> dict[str, float]:
    return dict(selected.groupby(group).mean())


def _sums(selected: pd.Series, group: pd.Series) -> dict[str, float]:
    return dict(selected.groupby(group).sum())


def _of_each(change: Callable[[float], float]) -> Callable[..., dict[str, float]]:
    """Return a function that changes each selection rate."""
    return lambda selected, group: {name: change(rate) for name, rate in _rates(selected, group).items()}


def _rounded(digits: int) -> Callable[[float], float]:
    return lambda rate: round(float(rate), digits)


DIGITS = range(1, 5)


@exercise(
    lab="start_here",
    title="Selection rates",
    minutes=8,
    difficulty=1,
    hints=(
        "A selection rate is a mean: the mean of 0s and 1s is the share of 1s.",
        "pandas can split one Series by another: `a.groupby(b)`. What you call on the result is computed for each group.",
    ),
    last_hint="Group `selected` by `group`, take `.mean()`, and make a `dict` of it with `.to_dict()`.",
    errors={
        r"KeyError: '?(?:Male|Female|sex|income_over_50k)": "The check calls your function with other people, in other "
        "groups. Use the arguments `selected` and `group`, not `people`, and let the data say which groups there are.",
    },
    reference=_rates,
    mistakes={
        "This is each group's share of all who were selected. The selection rate conditions the other way: of each group, which share was "
        "selected?": lambda selected, group: {
            name: count / selected.sum() for name, count in _sums(selected, group).items()
        },
        "These are numbers of people. Groups differ in size, so divide each by the size of its group.": _sums,
        "Divide the selected people of each group by the size of that group, not of all groups together.": (
            lambda selected, group: {name: count / len(group) for name, count in _sums(selected, group).items()},
            lambda selected, group: dict.fromkeys(group, float(selected.mean())),
        ),
        "This is the share that was turned away. The selection rate counts those who were selected.": _of_each(
            lambda rate: 1 - rate
        ),
        "A rate is a share between 0 and 1: neither a percentage nor rounded. Round what you print, never what you compute with.": (
            _of_each(lambda rate: 100 * rate),
            *(_of_each(_rounded(digits)) for digits in DIGITS),
        ),
    },
)
def selection_rates(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the share of each group that was selected."""
    names = _names(rng, int(rng.integers(3, 6)))
    sizes = rng.choice(np.arange(37, 211), size=len(names), replace=False)
    # Neither all nor none of a group, and no share that two decimals hold.
    counts = {name: (int(rng.integers(5, size - 5)), int(size)) for name, size in zip(names, sizes, strict=True)}
    given = f"{sum(sizes)} people in the groups {', '.join(sorted(names))}"
    got = ask(
        *_people(rng, counts),
        because="These are not the selection rates. Of each group that `group` names, which share has a 1 in `selected`?",
        given=given,
    )
    expect_that(
        not isinstance(got, pd.Series),
        because="The rates are right, and in a pandas Series. Make a `dict` of it with `.to_dict()`: what follows needs one.",
        given=given,
    )


def _by_place(rule: Callable[[list[float]], float]) -> Callable[[dict[str, float]], float]:
    """Return a function of rates that knows groups by their place only."""
    return lambda rates: rule(list(rates.values()))


def _of_extremes(rule: Callable[[float, float], float]) -> Callable[[dict[str, float]], float]:
    """Return a function of the smallest rate and the largest."""
    return lambda rates: rule(min(rates.values()), max(rates.values()))


_gap = _of_extremes(lambda low, high: high - low)


@exercise(
    lab="start_here",
    title="The parity gap",
    minutes=7,
    difficulty=1,
    hints=(
        "With two groups it is a difference without its sign. Which two rates matter when there are five groups?",
        "The largest rate and the smallest rate are all you need: `max(...)` and `min(...)`.",
    ),
    last_hint="`rates` is a `dict`; its numbers are `rates.values()`. Subtract the smallest from the largest.",
    errors={
        r"KeyError": "The groups have other names here. Work with all the values, whatever their keys are.",
        r"'dict' object has no attribute|unsupported operand|dict_values|not callable": "`rates` is a `dict` that maps names "
        "to numbers. `rates.values()` gives the numbers, so `max(rates.values())` is the largest.",
    },
    reference=_gap,
    mistakes={
        "This looks at two groups by their place. With more than two, the largest gap can be between any of them.": (
            _by_place(lambda rates: abs(rates[0] - rates[-1])),
            _by_place(lambda rates: abs(rates[0] - rates[1])),
            _by_place(lambda rates: max(abs(one - next) for one, next in itertools.pairwise(rates))),
        ),
        "This is a signed difference. Whoever is listed first, the gap is the same: it is never negative.": (
            _by_place(lambda rates: rates[0] - rates[-1]),
            _by_place(lambda rates: rates[-1] - rates[0]),
            _of_extremes(lambda low, high: low - high),
        ),
        "This is a ratio, or relative to the largest rate. The gap is a plain difference; the four-fifths rule uses the ratio.": (
            _of_extremes(lambda low, high: low / high),
            _of_extremes(lambda low, high: high / low),
            _of_extremes(lambda low, high: 1 - low / high),
        ),
        "This is the largest rate. Subtract the smallest one from it.": _of_extremes(lambda low, high: high),
        "The gap of two shares is one between 0 and 1: neither a percentage nor rounded. Round what you print, never what you compute "
        "with.": (
            _of_extremes(lambda low, high: 100 * (high - low)),
            *(lambda rates, digits=digits: round(_gap(rates), digits) for digits in DIGITS),
        ),
    },
)
def parity_gap(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the largest difference between the selection rates of any two groups."""
    low, *middle, high = (float(rate) for rate in np.sort(rng.choice(np.arange(30, 970), size=6, replace=False)) / 997)
    one, other = _names(rng, 2)
    # The extremes stand inside and apart, so that no rule about first, last or neighbouring groups meets them.
    many = dict(zip(_names(rng, 6), [middle[0], high, middle[1], middle[2], low, middle[3]], strict=True))
    for rates in ({one: high, other: low}, {one: low, other: high}, many):
        ask(
            rates,
            because="This is not the parity gap: the largest difference between the rates of any two groups.",
            given=", ".join(f"{name}: {rate:.3f}" for name, rate in rates.items()),
        )


@dataclass(frozen=True)
class _Gate:
    """A gate with this rule; it takes the rates, in the order of the groups' names, and the limit."""

    rule: Callable[[NDArray[np.float64], float], bool]

    def __call__(self, selected: pd.Series, group: pd.Series, limit: float = LIMIT) -> bool:
        return self.rule(selected.groupby(group).mean().to_numpy(), limit)


@exercise(
    lab="start_here",
    title="A control: the release gate",
    minutes=10,
    difficulty=2,
    hints=(
        "You have written all of it already: rates first, then their gap.",
        "Compare the gap with `limit`. A gap of exactly `limit` may pass.",
    ),
    last_hint="`return parity_gap(selection_rates(selected, group)) <= limit`",
    errors={
        r"KeyError": "The gate meets other people than Adult's. Use its arguments, and let the data name the groups.",
        r"parity_gap\(\) (?:takes|missing)": "`parity_gap` takes one argument, the rates: compute them first.",
        r"not callable": "Is a Series where the rates are wanted? Compute them first, with `selection_rates`.",
        r"selection_rates\(\) (?:takes|missing)": "`selection_rates` takes two arguments: `selected` and `group`.",
        r"missing 1 required positional argument: 'limit'": "Keep the first line as the lab gave it: `limit` is 0.1 unless "
        "somebody says otherwise.",
    },
    reference=_Gate(lambda rates, limit: bool(np.ptp(rates) <= limit)),
    mistakes={
        "The gate is the wrong way round: True means that the selection may be released.": _Gate(
            lambda rates, limit: bool(np.ptp(rates) > limit)
        ),
        "The gate lets everything pass. A control that never stops anything controls nothing.": _Gate(
            lambda rates, limit: True
        ),
        "The gate stops everything, even a gap below the limit.": _Gate(lambda rates, limit: False),
        "The gate does not use `limit`. It must hold for every limit it is given.": _Gate(
            lambda rates, limit: bool(np.ptp(rates) <= LIMIT)
        ),
        'A gap of exactly the limit may pass: "at most" is `<=`.': _Gate(
            lambda rates, limit: bool(np.ptp(rates) < limit)
        ),
        "The gate sees a gap only in one direction, or only between some of the groups.": (
            _Gate(lambda rates, limit: bool(rates[-1] - rates[0] <= limit)),
            _Gate(lambda rates, limit: bool(rates[0] - rates[-1] <= limit)),
            _Gate(lambda rates, limit: bool(abs(rates[-1] - rates[0]) <= limit)),
            _Gate(lambda rates, limit: bool(np.abs(np.diff(rates)).max() <= limit)),
        ),
    },
)
def release_gate(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for a function that says whether a selection may be released: its gap is at most the limit.

    A single True or False tells little, so the answers to all selections together are held against those of the mistakes.
    """
    one, other = sorted(_names(rng, 2))
    low, limit = int(rng.integers(50, 300)), int(rng.choice([150, 200, 250]))
    # Rates and limit in thousandths; None leaves the limit to the gate.
    asked: list[tuple[dict[str, int], int | None]] = [
        ({one: low, other: low + limit - 1}, limit),
        ({one: low, other: low + limit + 1}, limit),
        ({one: low + limit + 1, other: low}, limit),
        (_apart(rng, low, limit + 1), limit),
        ({one: 250, other: 750}, 500),  # exactly at the limit, in numbers that binary floats hold exactly
        ({one: low, other: low + 99}, None),
        ({one: low, other: low + 101}, None),
        ({one: low, other: low + 600}, limit),
        (_one_below(rng, low, limit - 1), limit),
    ]
    asked = [asked[place] for place in rng.permutation(len(asked))]  # in another order each time
    got = [ask.answer(*_by_rates(rng, rates), *(() if limit is None else (limit / 1000,))) for rates, limit in asked]
    drawn = [
        (np.array([rates[name] for name in sorted(rates)]) / 1000, LIMIT if limit is None else limit / 1000)
        for rates, limit in asked
    ]

    def to_all(gate: Any) -> Callable[[], list[bool]]:
        return lambda: [gate.rule(*one) for one in drawn]

    wanted = to_all(ask.reference)()
    first = next((n for n in range(len(got)) if not matches(got[n], wanted[n])), 0)
    rates, limit_of_first = drawn[first]
    groups = {
        message: tuple(map(to_all, gates if isinstance(gates, tuple) else (gates,)))
        for message, gates in ask.mistakes.items()
    }
    Ask(lambda: got, lambda: wanted, groups)(
        because=of_type(got[first], True)
        or f"This selection should {'pass' if wanted[first] else 'be stopped'}: the gate returns True where the gap is at most `limit`.",
        given=f"{len(rates)} groups, gap {np.ptp(rates):.3f}, "
        + ("no limit named, so 0.1" if asked[first][1] is None else f"limit {limit_of_first:.3f}"),
    )


def _adult_case() -> tuple[pd.Series, pd.Series]:
    people = adult.load("train")
    return people["income_over_50k"], people["sex"].astype(str)


@cache
def _adult_gap() -> float:
    rates = _rates(*_adult_case()).values()
    return float(max(rates) - min(rates))


def _at_limit(rng: np.random.Generator) -> list[tuple[tuple[pd.Series, pd.Series], float, bool]]:
    """Return selections beyond and just at another limit than 0.1, in numbers that binary floats hold exactly."""
    one, other = _names(rng, 2)
    apart = _by_rates(rng, {one: 250, other: 750})
    return [(apart, 0.5, True), (apart, 0.375, False), (_by_rates(rng, {one: 750, other: 250}), 0.75, True)]


def _cases_to_stop(rng: np.random.Generator) -> list[tuple[pd.Series, pd.Series]]:
    """Draw from Adult itself, and make selections whose gap runs the other way or lies with a third group."""
    people = adult.load("train").sample(3000, random_state=int(rng.integers(2**31)))
    one, other = _names(rng, 2)
    low, high = int(rng.integers(100, 200)), int(rng.integers(600, 700))
    return [
        (people["income_over_50k"], people["sex"].astype(str)),
        _by_rates(rng, {"Female": high + 110, "Male": high}),
        _by_rates(rng, {one: low, other: low + 110}),
        _by_rates(rng, _apart(rng, high, 110)),
    ]


def _cases_to_pass(rng: np.random.Generator) -> list[tuple[pd.Series, pd.Series]]:
    """Make selections of the same kinds whose gap is below the limit."""
    one, other = _names(rng, 2)
    low, high = int(rng.integers(100, 200)), int(rng.integers(600, 700))
    return [
        _by_rates(rng, {"Female": low + 90, "Male": low}),
        _by_rates(rng, {one: high, other: high + 90}),
        _by_rates(rng, _apart(rng, low, 90)),
        _by_rates(rng, _one_below(rng, low, 90)),
    ]


decide = decision(
    lab="start_here",
    title="A decision: may this table choose?",
    minutes=20,
    evidence={"parity_gap": _adult_gap},
    limits={"parity_gap": LIMIT},
    stop=_cases_to_stop,
    stop_because="Your control lets a selection pass whose gap is far above 0.1: Adult's own labels, or one in which the gap runs the "
    "other way or lies with a third group.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a selection whose gap is below 0.1. Then nothing could ever be released.",
    at_limit=_at_limit,
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["parity_gap"] > LIMIT,
            "Your control stops these labels, and your choice ships them. One of the two has to change.",
            case=_adult_case,
        ),
    ),
    rubric=(
        "Are the people named who would be turned away, or only those who would be chosen?",
        "Would someone who disagrees with you recognise their own argument in your dissent?",
        "Does the residual risk say what your control cannot see (other groups, other years, errors in the labels)?",
        "Could the owner really stop the release, and will they be asked on the review date?",
    ),
    examples=(
        ReasonedAnswer(
            "Stop",
            "The label is a record of who was paid what around 1994. A rule that learns it repeats that history on people who "
            "had no part in it, and no threshold mends what the label means.",
        ),
        ReasonedAnswer(
            "Fix",
            "Nothing is gained if a worse rule decides by hand instead. Keep the table, set the gate at 0.1 before any release, "
            "and mitigate until it opens; publish the price in accuracy, and ask those affected at the review.",
        ),
    ),
    hints={
        "form": "Start from the form above the exercise, and replace every `...` by a sentence of your own.",
        "evidence": '`evidence` is a dict such as `{"parity_gap": "< 0.05"}`: the id that you recorded, and what you say of its value.',
        "control": "A control is called with `selected` and `group`, and with nothing else. Have you written such a function?",
    },
    last_hints={
        "control": "`control=release_gate` is enough: it is called with `selected` and `group`, so give `limit` its default of 0.1.",
    },
    errors={
        r"missing \d+ required positional argument": "If `release_gate` is named, its `limit` needs the default that the lab "
        "gave it; if `Decision` is named, one of its fields is missing.",
        r"unexpected keyword argument": "The fields of `Decision` are spelled as in the form above the exercise.",
    },
)
