"""The warm-up: a selection rate for each group, the gap between them, a control, and a first decision."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from helix.checking import ReasonedAnswer, Rule, Unmet, any_of, decision, exercise, expect, expect_that, shorten
from helix.datasets import adult

LIMIT = 0.1

_NAMES = ("north", "south", "east", "west", "Ada", "Noor", "Wei", "blue", "green", "red")


def _names(rng: np.random.Generator, count: int) -> list[str]:
    return [str(name) for name in rng.choice(_NAMES, size=count, replace=False)]


def _people(rng: np.random.Generator, counts: Mapping[str, tuple[int, int]]) -> tuple[pd.Series, pd.Series]:
    """Make people in random order: for each group, how many of them are selected, and how many there are."""
    group = np.repeat(list(counts), [size for _, size in counts.values()])
    selected = np.concatenate([np.arange(size) < chosen for chosen, size in counts.values()]).astype(int)
    order = rng.permutation(len(group))
    return pd.Series(selected[order], name="selected"), pd.Series(group[order].astype(object), name="group")


def _by_rates(rng: np.random.Generator, thousandths: Mapping[str, int]) -> tuple[pd.Series, pd.Series]:
    """Make people with just these rates; the groups differ in size, so that numbers of people tell nothing."""
    sizes = 1000 * rng.integers(1, 4, size=len(thousandths))
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


@exercise(
    lab="start_here",
    title="Selection rates",
    minutes=8,
    difficulty=1,
    hints=(
        "A selection rate is a mean: the mean of 0s and 1s is the share of 1s.",
        "pandas can split one Series by another: `a.groupby(b)`. What you call on the result is computed for each group.",
        "Group `selected` by `group`, take `.mean()`, and make a `dict` of it with `.to_dict()`.",
    ),
    errors={
        r"KeyError: '?(?:Male|Female|sex|income_over_50k)": "The check calls your function with other people, in other "
        "groups. Use the arguments `selected` and `group`, not `people`, and let the data say which groups there are.",
    },
)
def selection_rates(answer: Callable[[pd.Series, pd.Series], Any], rng: np.random.Generator) -> None:
    """Ask for the share of each group that was selected."""
    names = _names(rng, int(rng.integers(3, 6)))
    sizes = rng.choice(np.arange(37, 211), size=len(names), replace=False)
    # Neither all nor none of a group, and no share that two decimals hold.
    counts = {name: (int(rng.integers(5, size - 5)), int(size)) for name, size in zip(names, sizes, strict=True)}
    selected, group = _people(rng, counts)
    chosen = {name: counts[name][0] for name in names}
    wanted = {name: chosen[name] / counts[name][1] for name in names}
    given = f"{len(group)} people in the groups {', '.join(sorted(names))}"
    got = answer(selected.copy(), group.copy())
    if isinstance(got, pd.Series):
        raise Unmet("This is a pandas Series. Make a `dict` of it with `.to_dict()`: what follows needs one.", given)
    if isinstance(got, Mapping):
        other = ", ".join(sorted(map(str, got)))
        expect_that(
            set(map(str, got)) == set(names),
            because=f"Your answer has the groups {other}; these people are in {', '.join(sorted(names))}. Let `group` say which.",
            given=given,
            got=got,
        )
    expect(
        got,
        close_to=wanted,
        because="These are not the selection rates. Of each group, which share has a 1 in `selected`?",
        given=given,
        if_equals={
            "This is each group's share of all who were selected. The selection rate conditions the other way: "
            "of each group, which share was selected?": {name: chosen[name] / sum(chosen.values()) for name in names},
            "These are numbers of people. Groups differ in size, so divide each by the size of its group.": chosen,
            "These are percentages. A rate is a share between 0 and 1.": {name: 100 * wanted[name] for name in names},
            "This is the share that was turned away. The selection rate counts those who were selected.": {
                name: 1 - wanted[name] for name in names
            },
            "You divided by the number of all people. Divide by the size of each group.": {
                name: chosen[name] / len(group) for name in names
            },
            "Every group got the overall rate. Split the people by `group` first.": {
                name: sum(chosen.values()) / len(group) for name in names
            },
            "You rounded. Round what you print, never what you compute with.": any_of(
                *({name: round(wanted[name], digits) for name in names} for digits in range(1, 7))
            ),
        },
    )


@exercise(
    lab="start_here",
    title="The parity gap",
    minutes=7,
    difficulty=1,
    hints=(
        "With two groups it is a difference without its sign. Which two rates matter when there are five groups?",
        "The largest rate and the smallest rate are all you need: `max(...)` and `min(...)`.",
        "`rates` is a `dict`; its numbers are `rates.values()`. Subtract the smallest from the largest.",
    ),
    errors={
        r"KeyError": "The groups have other names here. Work with all the values, whatever their keys are.",
        r"'dict' object has no attribute|unsupported operand|dict_values|not callable": "`rates` is a `dict` that maps names "
        "to numbers. `rates.values()` gives the numbers, so `max(rates.values())` is the largest.",
    },
)
def parity_gap(answer: Callable[[dict[str, float]], Any], rng: np.random.Generator) -> None:
    """Ask for the largest difference between the selection rates of any two groups."""
    low, *middle, high = np.sort(rng.choice(np.arange(30, 970), size=6, replace=False)) / 997
    one, other = _names(rng, 2)
    many = _names(rng, 6)
    # The extremes stand inside and apart, so that no rule about first, last or neighbouring groups meets them.
    places = [middle[0], high, middle[1], middle[2], low, middle[3]]
    for rates in ({one: high, other: low}, {one: low, other: high}, dict(zip(many, places, strict=True))):
        values = [float(rate) for rate in rates.values()]
        expect(
            answer(dict(zip(rates, values, strict=True))),
            close_to=max(values) - min(values),
            because="This is not the parity gap: the largest difference between the rates of any two groups.",
            given=", ".join(f"{name}: {value:.3f}" for name, value in zip(rates, values, strict=True)),
            if_equals={
                "This is a signed difference. Whoever is listed first, the gap is the same: it is never negative.": min(
                    values
                )
                - max(values),
                "This looks at two groups by their place. With more than two, the largest gap can be between any of them.": any_of(
                    *(abs(a - b) for a, b in itertools.combinations(values, 2))
                ),
                "This is relative to the largest rate. The gap is a plain difference of two rates.": 1
                - min(values) / max(values),
                "This is a ratio of two rates. The gap is a difference; the four-fifths rule uses the ratio.": any_of(
                    min(values) / max(values), max(values) / min(values)
                ),
                "This is the largest rate. Subtract the smallest one from it.": max(values),
                "These are percentage points times 100. Rates are shares, so the gap is one between 0 and 1.": 100
                * (max(values) - min(values)),
                "This is the spread around the mean (a standard deviation). The gap looks at the two extremes.": any_of(
                    float(np.std(values)), float(np.std(values, ddof=1))
                ),
                "You rounded. Round what you print, never what you compute with.": any_of(
                    *(round(max(values) - min(values), digits) for digits in range(1, 7))
                ),
            },
        )


@exercise(
    lab="start_here",
    title="A control: the release gate",
    minutes=10,
    difficulty=2,
    hints=(
        "You have written all of it already: rates first, then their gap.",
        "Compare the gap with `limit`. A gap of exactly `limit` may pass.",
        "`return parity_gap(selection_rates(selected, group)) <= limit`",
    ),
    errors={
        r"KeyError": "The gate meets other people than Adult's. Use its arguments, and let the data name the groups.",
        r"parity_gap\(\) (?:takes|missing)": "`parity_gap` takes one argument, the rates: compute them first.",
        r"not callable": "Is a Series where the rates are wanted? Compute them first, with `selection_rates`.",
        r"selection_rates\(\) (?:takes|missing)": "`selection_rates` takes two arguments: `selected` and `group`.",
        r"missing 1 required positional argument: 'limit'": "Keep the first line as the lab gave it: `limit` is 0.1 unless "
        "somebody says otherwise.",
    },
)
def release_gate(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for a function that says whether a selection may be released: its gap is at most the limit."""
    one, other = _names(rng, 2)
    low, limit = int(rng.integers(50, 300)), int(rng.choice([150, 200, 250]))
    # Rates and limit in thousandths; None leaves the limit to the gate (0.1).
    asked: tuple[tuple[dict[str, int], int | None, bool], ...] = (
        ({one: low, other: low + limit - 1}, limit, True),
        ({one: low, other: low + limit + 1}, limit, False),
        ({one: low + limit + 1, other: low}, limit, False),
        (_apart(rng, low, limit + 1), limit, False),
        ({one: 250, other: 750}, 500, True),  # exactly at the limit, in numbers that binary floats hold exactly
        ({one: low, other: low + 99}, None, True),
        ({one: low, other: low + 101}, None, False),
        ({one: low, other: low + 600}, limit, False),
        (_one_below(rng, low, limit - 1), limit, True),
    )
    got: list[Any] = [None] * len(asked)
    for place in rng.permutation(len(asked)):  # in another order each time
        rates, thousandths, _ = asked[place]
        people = _by_rates(rng, rates)
        let = answer(*people) if thousandths is None else answer(*people, thousandths / 1000)
        got[place] = bool(let) if isinstance(let, np.bool_) else let
    wanted = [may for _, _, may in asked]
    wrong = [place for place, (let, may) in enumerate(zip(got, wanted, strict=True)) if let is not may]
    if not wrong:
        return
    rates, thousandths, may = asked[wrong[0]]
    gaps = [max(rates.values()) - min(rates.values()) for rates, _, _ in asked]
    given = f"{len(rates)} groups, gap {gaps[wrong[0]] / 1000:.3f}, " + (
        "no limit named, so 0.1" if thousandths is None else f"limit {thousandths / 1000:.3f}"
    )
    if not all(isinstance(let, bool) for let in got):
        odd = next(let for let in got if not isinstance(let, bool))
        because = (
            "A branch of your gate returns nothing (`None`)."
            if odd is None
            else "Return `True` or `False`, nothing else."
        )
        raise Unmet(because, given, shorten(odd))
    expect(
        got,
        equal_to=wanted,
        because=f"This selection should {'pass' if may else 'be stopped'}: the gate returns True where the gap is at most `limit`.",
        given=given,
        if_equals={
            "The gate is the wrong way round: True means that the selection may be released.": [
                not may for may in wanted
            ],
            "The gate lets everything pass. A control that never stops anything controls nothing.": [True] * 9,
            "The gate stops everything, even a gap below the limit.": [False] * 9,
            "The gate does not use `limit`. It must hold for every limit it is given.": [gap <= 100 for gap in gaps],
            'A gap of exactly the limit may pass: "at most" is `<=`.': [*wanted[:4], False, *wanted[5:]],
            "The gate sees a gap only in one direction, or only between some of the groups.": any_of(
                [True, False, True, True, True, True, False, False, True],
                [True, True, False, True, True, True, True, True, True],
                [True, False, False, True, True, True, False, False, True],
            ),
        },
    )


@cache
def _adult_gap() -> float:
    people = adult.load("train")
    rates = people.groupby(people["sex"].astype(str))["income_over_50k"].mean()
    return float(rates.max() - rates.min())


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
    "other way or lies with a third group. Your `release_gate` would stop it.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a selection whose gap is below 0.1. Then nothing could ever be released.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["parity_gap"] > LIMIT,
            "Your control stops these labels, and your choice ships them. One of the two has to change.",
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
    hints=(
        "Start from the form above the exercise, and replace every `...` by a sentence of your own.",
        '`evidence` is a dict such as `{"parity_gap": "< 0.05"}`: the id that you recorded, and what you say of its value.',
        "`control=release_gate` is enough: it is called with `selected` and `group`, so give `limit` its default of 0.1.",
    ),
    errors={
        r"missing \d+ required positional argument": "If `release_gate` is named, its `limit` needs the default that the lab "
        "gave it; if `Decision` is named, one of its fields is missing.",
        r"unexpected keyword argument": "The fields of `Decision` are spelled as in the form above the exercise.",
    },
)
