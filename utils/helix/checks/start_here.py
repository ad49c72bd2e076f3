"""The warm-up: a selection rate for each group, the gap between them, a control, and a first decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from helix.checking import ReasonedAnswer, Rule, any_of, decision, exercise, expect
from helix.datasets import adult

LIMIT = 0.1

_GROUPS = ("north", "south", "east", "west", "a", "b", "Ada", "Noor", "Wei")


def _people(rng: np.random.Generator, rates: Mapping[str, float]) -> tuple[pd.Series, pd.Series]:
    """Make shuffled people: each group has a size of its own, and exactly the share selected that `rates` names."""
    rows = []
    for name, rate in rates.items():
        size = 20 * int(rng.integers(2, 9))
        rows += [(name, int(number < round(rate * size))) for number in range(size)]
    table = pd.DataFrame(rows, columns=["group", "selected"])
    table = table.iloc[rng.permutation(len(table))].reset_index(drop=True)
    return table["selected"], table["group"]


def _rates(rng: np.random.Generator, count: int) -> dict[str, float]:
    """Draw that many groups with rates that are all different, in steps of a twentieth."""
    names = rng.choice(_GROUPS, size=count, replace=False)
    steps = rng.choice(np.arange(1, 20), size=count, replace=False)
    return {str(name): int(step) / 20 for name, step in zip(names, steps, strict=True)}


@exercise(
    lab="start_here",
    title="Selection rates",
    minutes=5,
    difficulty=1,
    hints=(
        "A selection rate is a mean: the mean of 0s and 1s is the share of 1s.",
        "pandas can split one Series by another: `a.groupby(b)`. What you call on the result is computed for each group.",
        "Group `selected` by `group`, then take `.mean()`. A pandas Series counts as an answer, and so does a `dict`.",
    ),
    errors={
        r"KeyError: '?(?:Male|Female|sex|income_over_50k)": "The check calls your function with other people, in other "
        "groups. Use the arguments `selected` and `group`, not `people`, and let the data say which groups there are.",
    },
)
def selection_rates(answer: Callable[[pd.Series, pd.Series], Any], rng: np.random.Generator) -> None:
    """Ask for the share of each group that was selected."""
    selected, group = _people(rng, _rates(rng, int(rng.integers(2, 5))))
    names = sorted(group.unique())
    chosen = {name: int(selected[group == name].sum()) for name in names}
    size = {name: int((group == name).sum()) for name in names}
    expect(
        answer(selected.copy(), group.copy()),
        close_to={name: chosen[name] / size[name] for name in names},
        because="These are not the selection rates. Of each group, which share has a 1 in `selected`?",
        given=f"{len(group)} people in the groups {', '.join(names)}",
        if_equals={
            "This is each group's share of all who were selected. The selection rate conditions the other way: "
            "of each group, which share was selected?": {name: chosen[name] / sum(chosen.values()) for name in names},
            "These are numbers of people. Groups differ in size, so divide each by the size of its group.": chosen,
            "These are percentages. A rate is a share between 0 and 1.": {
                name: 100 * chosen[name] / size[name] for name in names
            },
            "This is the share that was turned away. The selection rate counts those who were selected.": {
                name: 1 - chosen[name] / size[name] for name in names
            },
            "You divided by the number of all people. Divide by the size of each group.": {
                name: chosen[name] / len(group) for name in names
            },
            "Every group got the overall rate. Split the people by `group` first.": {
                name: sum(chosen.values()) / len(group) for name in names
            },
        },
    )


@exercise(
    lab="start_here",
    title="Parity gap",
    minutes=5,
    difficulty=1,
    hints=(
        "With two groups it is a difference without its sign. Which two rates matter when there are four groups?",
        "The largest rate and the smallest rate are all you need: `max(...)` and `min(...)`.",
        "`rates` may be a `dict`; its numbers are `rates.values()`. Subtract the smallest from the largest.",
    ),
    errors={
        r"KeyError": "The groups have other names here. Work with all the values, whatever their keys are.",
        r"unsupported operand|dict_values|not callable": "`rates` maps names to numbers. `rates.values()` gives the numbers; "
        "`list(...)` makes a list of them.",
    },
)
def parity_gap(answer: Callable[[dict[str, float]], Any], rng: np.random.Generator) -> None:
    """Ask for the largest difference between the selection rates of any two groups."""
    values = [float(value) for value in rng.permutation(np.linspace(0.05, 0.9, 18))[: int(rng.integers(2, 5))]]
    rates = {str(name): value for name, value in zip(rng.permutation(_GROUPS), values, strict=False)}
    first, last = values[0], values[-1]
    low, high = min(values), max(values)
    expect(
        answer(dict(rates)),
        close_to=high - low,
        because="This is not the parity gap: the largest difference between the rates of any two groups.",
        given=", ".join(f"{name}: {rate:.2f}" for name, rate in rates.items()),
        if_equals={
            "This compares the first group with the last. With more than two groups the largest gap can be elsewhere.": abs(
                first - last
            ),
            "This is a signed difference. Whoever is listed first, the gap is the same: it is never negative.": any_of(
                first - last, last - first, low - high
            ),
            "This is a ratio of two rates. The gap is a difference; the four-fifths rule uses the ratio.": low / high,
            "This is the largest rate. Subtract the smallest one from it.": high,
            "These are percentage points times 100. Rates are shares, so the gap is one between 0 and 1.": 100
            * (high - low),
            "This is the spread around the mean (a standard deviation). The gap looks at the two extremes.": float(
                np.std(values)
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
        r"KeyError": "The gate meets other people than Adult's. Use its arguments, and let the data name the groups."
    },
)
def release_gate(answer: Callable[[pd.Series, pd.Series, float], Any], rng: np.random.Generator) -> None:
    """Ask for a function that says whether a selection may be released: its gap is at most the limit."""
    low = int(rng.integers(2, 7)) / 20
    cases = (  # the rates of each group, the limit
        ({"a": low, "b": low + 0.05}, 0.1),
        ({"a": low, "b": low + 0.25}, 0.1),
        ({"a": low + 0.25, "b": low}, 0.1),
        ({"a": low, "b": low + 0.25}, 0.4),
        ({"a": 0.25, "b": 0.75}, 0.5),  # exactly at the limit, in numbers that binary floats hold exactly
        ({"a": low, "b": low + 0.45, "c": low}, 0.1),
    )
    people = [(*_people(rng, rates), limit) for rates, limit in cases]
    given = tuple(answer(selected.copy(), group.copy(), limit) for selected, group, limit in people)
    wanted = (True, False, False, True, True, False)
    expect(
        tuple(bool(one) if isinstance(one, np.bool_) else one for one in given),
        equal_to=wanted,
        because="The gate is wrong on at least one selection. It returns True where the gap is at most `limit`, else False.",
        given="gaps of 0.05, 0.25, 0.25, 0.25, 0.5 and 0.45, with the limits 0.1, 0.1, 0.1, 0.4, 0.5 and 0.1",
        if_equals={
            "The gate is the wrong way round: True means that the selection may be released.": tuple(
                not one for one in wanted
            ),
            "The gate lets everything pass. A control that never stops anything controls nothing.": (True,) * 6,
            "The gate stops everything, even a gap below the limit.": (False,) * 6,
            "The gate does not use `limit`. It must hold for every limit it is given.": (
                True,
                False,
                False,
                False,
                False,
                False,
            ),
            'A gap of exactly the limit may pass: "at most" is `<=`.': (True, False, False, True, False, False),
            "The gate sees a gap only in one direction. The gap has no sign.": (True, False, True, True, True, True),
        },
    )


@cache
def _adult_gap() -> float:
    people = adult.load("train")
    rates = people.groupby(people["sex"].astype(str))["income_over_50k"].mean()
    return float(rates.max() - rates.min())


def _adult_selection(rng: np.random.Generator) -> tuple[pd.Series, pd.Series]:
    people = adult.load("train").sample(5000, random_state=int(rng.integers(2**31)))
    return people["income_over_50k"], people["sex"].astype(str)


def _even_selection(rng: np.random.Generator) -> tuple[pd.Series, pd.Series]:
    rate = int(rng.integers(4, 16)) / 20
    return _people(rng, {"Female": rate, "Male": rate})


decide = decision(
    lab="start_here",
    title="A decision: may this table choose?",
    minutes=15,
    evidence={"parity_gap": _adult_gap},
    stop=_adult_selection,
    stop_because="Your control lets the Adult labels pass, though their gap is far above 0.1. Give it your `release_gate`.",
    let_pass=_even_selection,
    pass_because="Your control stops a selection without any gap. Then nothing could ever be released.",
    rules=(
        Rule(
            lambda made, values: made.choice.lower().startswith("ship") and values["parity_gap"] > LIMIT,
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
        '`evidence` is a dict such as `{"parity_gap": "> 0.1"}`: the id that you recorded, and what you say of its value.',
        "`control=release_gate` is enough: it is called with `selected` and `group`, so give `limit` its default of 0.1.",
    ),
    errors={
        r"missing \d+ required positional argument": "If `release_gate` is named, its `limit` needs the default that the lab "
        "gave it; if `Decision` is named, one of its fields is missing.",
        r"unexpected keyword argument": "The fields of `Decision` are spelled as in the form above the exercise.",
    },
)
