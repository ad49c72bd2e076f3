"""Fairness audit: rates of the right people, what must follow from base rates, proxies, and a threshold judged once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helix.checking import ReasonedAnswer, Rule, Unmet, any_of, decision, exercise, expect, expect_raises, expect_that
from helix.datasets import adult

SYLLABLES = ("an", "bel", "cor", "dun", "el", "far", "gal", "hod", "il", "jor", "kem", "lun")
GAP, RATIO = 0.1, 0.8

Floats = NDArray[np.float64]
Names = NDArray[Any]


def _names(rng: np.random.Generator, n: int) -> list[str]:
    """Draw names of groups that nobody can have written down beforehand."""
    return [str(name) for name in rng.choice([a + b for a in SYLLABLES for b in SYLLABLES if a != b], n, replace=False)]


@exercise(
    lab="fairness_audit",
    title="Passed over wrongly",
    minutes=9,
    difficulty=2,
    hints=(
        "Below the line stand the people whom the model did *not* select: `y_pred == 0`. Above it, those of them whose label is 1.",
        "For one group: `below = (groups == name) & (y_pred == 0)`, then `y_true[below].mean()`, if `below.sum() >= at_least`.",
        "Loop over `np.unique(groups)` and fill a `dict`; a group with too few people below the line gets `None`.",
    ),
    errors={
        r"Mean of empty slice|invalid value": "A group without anybody below the line has no rate. Answer `None` before you divide.",
        r"ambiguous": "`y_pred == 0 and groups == name` does not work on arrays; write `(y_pred == 0) & (groups == name)`.",
    },
)
def false_omission_rates(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the false omission rate of each group, where enough people stand below the line."""
    at_least = int(rng.integers(8, 25))
    low, few = int(rng.integers(3, at_least - 3)), int(rng.integers(1, 4))
    between = int(rng.integers(at_least + 1, 30))
    # TP, FN, FP, TN: each group but the first tells one way to count from the others.
    tables = [
        [int(n) for n in rng.integers(30, 90, size=4)],  # plain
        [int(rng.integers(40, 60)), low, int(rng.integers(20, 35)), at_least - low],  # just enough below the line
        [int(rng.integers(40, 60)), few, int(rng.integers(20, 35)), between - few],  # enough, but fewer than 30
        [int(rng.integers(60, 90)), few, int(rng.integers(30, 50)), at_least - 1 - few],  # large, and one too few
        [3, 1, 2, 1],  # tiny
        [
            int(rng.integers(25, 40)),
            0,
            int(rng.integers(25, 40)),
            int(rng.integers(35, 60)),
        ],  # nobody wrongly: 0 is known
        [3, int(rng.integers(25, 40)), 2, int(rng.integers(35, 60))],  # few selected
        [2, 3, int(rng.integers(25, 40)), int(rng.integers(35, 60))],  # few with label 1
    ]
    names = _names(rng, len(tables))
    y, p, of = _people(rng, dict(zip(names, tables, strict=True)))
    cells = {
        name: dict(zip(("tp", "fn", "fp", "tn"), table, strict=True)) for name, table in zip(names, tables, strict=True)
    }

    def size(cell: dict[str, int], *parts: str) -> int:
        return sum(cell[part] for part in parts)

    def rates(over: str, under: tuple[str, ...], enough: Callable[[dict[str, int]], bool]) -> dict[str, Any]:
        return {name: cell[over] / size(cell, *under) if enough(cell) else None for name, cell in cells.items()}

    def known(cell: dict[str, int]) -> bool:
        return size(cell, "fn", "tn") >= at_least

    def where(enough: Callable[[dict[str, int]], bool]) -> dict[str, Any]:
        return rates("fn", ("fn", "tn"), enough)

    wanted, everybody = where(known), ("tp", "fn", "fp", "tn")
    expect(
        answer(y, p, of, at_least),
        close_to=wanted,
        because="These are not the false omission rates: of the people who were not selected, the share with label 1.",
        given=f"at_least = {at_least}; (TP, FN, FP, TN) = {dict(zip(names, map(tuple, tables), strict=True))}",
        if_equals={
            "You divided by the people with label 1. That is the false negative rate: it asks of those who have the label, not of "
            "those whom the model passed over.": any_of(
                rates("fn", ("fn", "tp"), known),
                rates("fn", ("fn", "tp"), lambda cell: size(cell, "fn", "tp") >= at_least),
            ),
            "You looked at those who were selected. That is the false discovery rate.": any_of(
                rates("fp", ("fp", "tp"), known),
                rates("fp", ("fp", "tp"), lambda cell: size(cell, "fp", "tp") >= at_least),
            ),
            "You divided by the whole group, so that a group that is selected often looks well treated.": any_of(
                rates("fn", everybody, known), rates("fn", everybody, lambda cell: size(cell, *everybody) >= at_least)
            ),
            "These are the shares of label 0. You counted those who were passed over rightly.": rates(
                "tn", ("fn", "tn"), known
            ),
            "You counted the whole group to see whether it is large enough. What counts is how many stand below the line: a group of a "
            "hundred may have ten people who were not selected.": where(
                lambda cell: size(cell, *everybody) >= at_least
            ),
            "You counted the people with label 1 to see whether they are enough. What counts is how many stand below the line, that is "
            "how many were not selected.": where(lambda cell: size(cell, "tp", "fn") >= at_least),
            "You counted those passed over *wrongly* to see whether they are enough. Below the line stand all who were not selected, "
            "whatever their label.": where(lambda cell: cell["fn"] >= at_least),
            "You asked how many were selected. The rate is known as soon as enough people were *not* selected, however few were.": any_of(
                where(lambda cell: size(cell, "tp", "fp") >= at_least),
                where(lambda cell: known(cell) and size(cell, "tp", "fp") >= at_least),
            ),
            "Your limit is always 30. `at_least` is an argument, and 30 only what it is if nobody says otherwise.": where(
                lambda cell: size(cell, "fn", "tn") >= 30
            ),
            "Rates of too few people are given as if they were known. Answer `None` for them.": where(
                lambda cell: True
            ),
            "Small groups are gone from your answer. Whoever is left out must be named: answer `None`.": {
                name: rate for name, rate in wanted.items() if rate is not None
            },
            "You answered 0 where nothing is known. 0 would say that nobody is passed over wrongly.": {
                name: 0.0 if rate is None else rate for name, rate in wanted.items()
            },
            "NaN is not `None`: say `None` where the rate is not known.": {
                name: float("nan") if rate is None else rate for name, rate in wanted.items()
            },
            "A rate of 0 is known: enough people were passed over, and none of them wrongly. (`rate or None` makes `None` of it.)": {
                name: rate or None for name, rate in wanted.items()
            },
            "Exactly `at_least` people are enough; only fewer are too few.": where(
                lambda cell: size(cell, "fn", "tn") > at_least
            ),
        },
    )
    # Of one group everybody is selected, so that nobody stands below the line.
    some, full = _names(rng, 2)
    cell = [int(n) for n in rng.integers(30, 60, size=4)]
    y, p, of = _people(rng, {some: cell, full: [int(rng.integers(20, 30)), 0, int(rng.integers(15, 30)), 0]})
    rate = cell[1] / (cell[1] + cell[3])
    expect(
        answer(y, p, of, at_least),
        close_to={some: rate, full: None},
        because="Where everybody is selected, nobody stands below the line: the rate of that group is `None`.",
        given=f"everybody of {full} is selected",
        if_equals={
            "A group of which everybody is selected is gone from your answer. Whoever is left out must be named: answer `None`.": {
                some: rate
            },
            "Where nobody stands below the line you answered NaN. NaN is not `None`.": {some: rate, full: float("nan")},
        },
    )


def _people(rng: np.random.Generator, tables: dict[str, list[int]]) -> tuple[Names, Names, Names]:
    """Return labels, answers and groups of people who make up these confusion matrices, in a random order."""
    rows = [
        (label, said, name)
        for name, table in tables.items()
        for (label, said), count in zip(((1, 1), (1, 0), (0, 1), (0, 0)), table, strict=True)
        for _ in range(count)
    ]
    rows = [rows[place] for place in rng.permutation(len(rows))]
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows])


@exercise(
    lab="fairness_audit",
    title="What follows from the base rate",
    minutes=8,
    difficulty=2,
    hints=(
        "Think of one person drawn from the group. With which probability has this person the label 1 *and* is selected? And the label 0 and is "
        "selected?",
        "Selected are `base_rate * tpr + (1 - base_rate) * fpr` of the group. The first part has the label 1.",
        "`selected = base_rate * tpr + (1 - base_rate) * fpr`; if it is 0 raise the `ValueError`, else return `base_rate * tpr / selected`.",
    ),
    errors={
        r"ZeroDivisionError": "Nobody is selected, so the PPV is not defined. Raise a `ValueError` before you divide."
    },
)
def forced_ppv(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask which PPV a group must have, given its base rate and the error rates that all groups share."""
    p, tpr, fpr = (float(rng.uniform(*ends)) for ends in ((0.15, 0.45), (0.6, 0.9), (0.1, 0.35)))
    miss, right = 1 - tpr, 1 - fpr
    expect(
        answer(p, tpr, fpr),
        close_to=p * tpr / (p * tpr + (1 - p) * fpr),
        because="This is not the share of the selected people who have the label 1.",
        given=f"base_rate = {p:.3f}, tpr = {tpr:.3f}, fpr = {fpr:.3f}",
        if_equals={
            "The base rate is missing. TPR and FPR are shares of two different sets of people, and cannot be compared before each is "
            "weighted by its size.": any_of(tpr / (tpr + fpr), tpr - fpr),
            "This is the accuracy. It mixes both kinds of right answers; asked is the share of right ones among the selected.": p
            * tpr
            + (1 - p) * right,
            "This is the negative predictive value: the share of right answers among those who were not selected.": (
                1 - p
            )
            * right
            / ((1 - p) * right + p * miss),
            "TPR and FPR are exchanged: the TPR belongs to those with label 1.": any_of(
                p * fpr / (p * fpr + (1 - p) * tpr), (1 - p) * tpr / ((1 - p) * tpr + p * fpr)
            ),
            "You weighted by 1 − FPR. Those with label 0 who are selected are the FPR's share.": p
            * tpr
            / (p * tpr + (1 - p) * right),
            "This is how many are selected at all.": p * tpr + (1 - p) * fpr,
            "This is the share of all people who are selected and have the label 1. Divide by all who are selected.": p
            * tpr,
        },
    )
    most, least, more = (float(rng.uniform(*ends)) for ends in ((0.55, 0.85), (0.1, 0.35), (0.4, 0.6)))
    for given, wanted, because in (
        ((p, tpr, 0.0), 1.0, "With an FPR of 0 nobody is selected wrongly: the PPV is 1, and no error."),
        (
            (p, 0.0, fpr),
            0.0,
            "With a TPR of 0 and an FPR above 0 all who are selected are selected wrongly: the PPV is 0, and no error.",
        ),
        (
            (most, least, more),
            most * least / (most * least + (1 - most) * more),
            "A base rate above one half, or a TPR below the FPR, is no error: the PPV follows from them all the same.",
        ),
    ):
        said = "base_rate = {:.3f}, tpr = {:.3f}, fpr = {:.3f}".format(*given)
        try:
            got = answer(*given)
        except ValueError as error:
            raise Unmet(f"{because} Raise only where nobody is selected.", said, f"ValueError: {error}") from None
        expect(got, close_to=wanted, because=because, given=said)
    expect_raises(
        ValueError,
        lambda: answer(p, 0.0, 0.0),
        because="Where nobody is selected there is no PPV. Raise a ValueError; a 0 would claim that all of them were selected wrongly.",
        given="tpr = fpr = 0",
    )


@exercise(
    lab="fairness_audit",
    title="Who else knows the attribute?",
    minutes=11,
    difficulty=3,
    hints=(
        "Without any column the best guess is the largest group, for everybody. With a column, guess the largest group *within each category*, and "
        "count over all people how often that is right.",
        "`pd.crosstab(column, attribute)` counts the groups in each category; `.max(axis=1)` are the right guesses. A missing value is a category of "
        "its own: `column.astype(object).where(column.notna(), 'missing')`.",
        "`gain = table.max(axis=1).sum() / len(attribute) - attribute.value_counts(normalize=True).max()`; then sort the dict by its values, descending.",
    ),
    errors={
        r"Cannot setitem on a Categorical|new category": "A categorical column takes no new category. Make it plain first: `column.astype(object)`.",
    },
)
def proxies(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask how much better each column makes a guess of the attribute."""
    n = int(rng.integers(300, 500))
    groups, columns = _names(rng, 3), _names(rng, 4)
    attribute = pd.Series(rng.choice(groups, n, p=[0.5, 0.3, 0.2]))
    place = attribute.map({name: i for i, name in enumerate(groups)}).to_numpy()
    features = {}
    for column, strength in zip(rng.permutation(columns), (0.75, 0.5, 0.3, 0.0), strict=True):
        told = rng.random(n) < strength
        values = np.where(told, place, rng.choice(5, n, p=[0.1, 0.15, 0.25, 0.2, 0.3]))
        features[str(column)] = pd.Series([f"{column}{value}" for value in values], dtype=object)
    shuffled = [str(column) for column in rng.permutation(columns)]
    frame = pd.DataFrame({column: features[column] for column in shuffled})
    holed = shuffled[int(rng.integers(4))]
    # An answer goes missing for nearly everybody of the last group: that it is missing tells the group.
    frame.loc[(place == 2) & (rng.random(n) < 0.7), holed] = None
    frame[shuffled[0]] = frame[shuffled[0]].astype("category")

    def gains(dropped: bool = False, baseline: bool = True, weighted: bool = True) -> dict[str, float]:
        found = {}
        for column in shuffled:
            values = frame[column].astype(object)
            kept = values.notna() if dropped else pd.Series(True, index=values.index)
            table = pd.crosstab(values.where(values.notna(), "missing")[kept], attribute[kept])
            purity = table.max(axis=1) / table.sum(axis=1)
            right = table.max(axis=1).sum() / n if weighted else purity.mean()
            found[column] = float(right - (attribute.value_counts(normalize=True).max() if baseline else 0))
        return found

    def per_known() -> dict[str, float]:
        found = {}
        for column in shuffled:
            kept = frame[column].notna()
            table = pd.crosstab(frame[column][kept].astype(object), attribute[kept])
            found[column] = float(
                table.max(axis=1).sum() / kept.sum() - attribute[kept].value_counts(normalize=True).max()
            )
        return found

    wanted = gains()
    known = per_known()
    overall = float(attribute.value_counts(normalize=True).max())
    given = f"{n} people, attribute {dict(attribute.value_counts())}, columns {', '.join(shuffled)}; {holed} is missing for {int(frame[holed].isna().sum())}"
    before = frame.copy()
    got = answer(frame, attribute)
    if not frame.equals(before):
        raise Unmet(
            "Your function changed the table that it was given. Work on new columns: the audit still needs the old ones.",
            given,
        )
    expect(
        got,
        close_to=wanted,
        because="These are not the gains in the share of right guesses.",
        given=given,
        if_equals={
            "Without the column one guesses right for the largest group already. Subtract that share, or every column looks like a proxy.": gains(
                baseline=False
            ),
            "Each category counts as much as any other, however few people are in it. Count right guesses over people.": any_of(
                gains(weighted=False), gains(weighted=False, baseline=False)
            ),
            "People whose answer is missing fell out. That an answer is missing can tell the attribute as well: make it a category.": any_of(
                gains(dropped=True), known, {column: known[column] + overall for column in shuffled}
            ),
            "The sign is turned: a gain is positive.": {column: -gain for column, gain in wanted.items()},
            "A column that changes no guess still belongs into the answer, with its gain of 0.": {
                column: gain for column, gain in wanted.items() if gain > 1e-9
            },
        },
    )
    order = [(str(column), float(gain)) for column, gain in got.items()]
    if any(first < second - 1e-12 for (_, first), (_, second) in itertools.pairwise(order)):
        raise Unmet(
            "The gains are right, and not in order: the largest comes first, since a report is read from the top.",
            given,
            str([column for column, _ in order]),
        )


# Selection rates of three groups above each of eight thresholds, lowest first, on validation and on test. What each misconception takes
# for good differs: level 0 has only the ratio, 1 has a gap that only a wide limit lets through, 2 is good on test only, 3 has only the gap, 4 is
# the answer to a narrow limit, 5 is good on both, 6 is the highest good one, 7 has the smallest gap. Which group is which changes, so that
# each is the odd one out at every place.
VALIDATION = np.array(
    [
        *((0.99, 0.90, 0.82), (0.66, 0.72, 0.80), (0.45, 0.50, 0.62), (0.30, 0.36, 0.40)),
        *((0.28, 0.29, 0.32), (0.22, 0.24, 0.265), (0.15, 0.16, 0.18), (0.04, 0.05, 0.055)),
    ]
)
TEST = np.array(
    [
        *((0.95, 0.90, 0.75), (0.60, 0.70, 0.80), (0.50, 0.52, 0.55), (0.42, 0.44, 0.46)),
        *((0.22, 0.30, 0.36), (0.20, 0.21, 0.22), (0.14, 0.15, 0.16), (0.05, 0.05, 0.06)),
    ]
)
NARROW, WIDE = (0.106, 0.128), (0.146, 0.16)  # limits between the gaps of levels 3 and 1, and of levels 1 and 0
SIZES = (400, 600, 1000)


@dataclass(frozen=True)
class _Split:
    """Scores and groups, and what they come to: the groups' sizes, and how many are above, or at, each threshold."""

    given: tuple[Floats, Names]
    sizes: Floats
    above: dict[float, Floats]
    at: dict[float, Floats]

    @classmethod
    def drawn(cls, rng: np.random.Generator, names: list[str], levels: Floats, thresholds: list[float]) -> _Split:
        """Return people with these selection rates; whoever is not above a threshold and above the one below stands on it."""
        factor = float(rng.uniform(0.97, 1))
        scores: list[float] = []
        of: list[str] = []
        for name, size, level in zip(names, rng.permutation(SIZES), levels.T, strict=True):
            above = np.round(size * factor * level).astype(int)
            for upper, count in zip([*thresholds, 0.995], -np.diff([size, *above, 0]), strict=True):
                scores += [upper] * int(count)
                of += [name] * int(count)
        order = rng.permutation(len(of))
        split = np.array(scores)[order], np.array(of)[order]
        mine = [split[0][split[1] == name] for name in names]
        return cls(
            split,
            np.array([len(part) for part in mine], dtype=float),
            {t: np.array([(part > t).sum() for part in mine], dtype=float) for t in thresholds},
            {t: np.array([(part >= t).sum() for part in mine], dtype=float) for t in thresholds},
        )


Measure = Callable[[Floats], float]


def _gap(rates: Floats) -> float:
    return float(rates.max() - rates.min())


def _ratio(rates: Floats) -> float:
    return float(rates.min() / rates.max()) if rates.max() else 0.0


def _of_two(measure: Measure, *places: int) -> Measure:
    """Return a measure that looks at two groups only."""
    return lambda rates: measure(rates[list(places)])


def _over(first: int, second: int) -> Measure:
    return lambda rates: float(rates[first] / rates[second])


def _less(first: int, second: int) -> Measure:
    return lambda rates: float(rates[first] - rates[second])


# Gaps and ratios that compare two of the groups, or that have a direction: what is asked of validation, and how test is judged.
TWO = (
    *((gap, _ratio) for gap in (_less(0, -1), _less(-1, 0), _of_two(_gap, 0, -1), _of_two(_gap, 0, 1))),
    *((_gap, ratio) for ratio in (_of_two(_ratio, 0, -1), _of_two(_ratio, 0, 1), _over(0, -1), _over(-1, 0))),
    *((_of_two(_gap, *two), _of_two(_ratio, *two)) for two in ((0, -1), (0, 1))),
    *((_less(*two), _over(*two)) for two in ((0, -1), (-1, 0))),
)


@exercise(
    lab="fairness_audit",
    title="Choose here, judge there",
    minutes=13,
    difficulty=3,
    hints=(
        "Two steps that must not mix. First look only at `validation`: which candidates keep both limits? Take the lowest of them. Then, once, look at "
        "`test`.",
        "Write a helper that returns the selection rates of the groups for one split and threshold. The gap is `max − min`, the impact ratio `min / max`; "
        "where nobody is selected (`max == 0`) a candidate does not qualify.",
        "`good = [t for t in candidates if gap(validation, t) <= limit and ratio(validation, t) >= 0.8]`; if it is empty return `None`, else "
        "`t = min(good)` and `return t, gap(test, t)`.",
    ),
    errors={
        r"ZeroDivisionError|invalid value": "At a high threshold nobody is selected, and the impact ratio is not defined: such a threshold does not qualify.",
        r"min\(\) (?:arg|iterable argument) is (?:an )?empty": "No candidate keeps the limits. Return `None` then.",
    },
)
def choose_then_judge(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the threshold that validation chooses, and its gap on test."""
    names = sorted(_names(rng, 3))
    thresholds = [float(t) for t in np.sort(rng.choice(np.arange(5, 95), len(VALIDATION), replace=False)) / 100]
    columns = rng.permutation(3)
    for place, ends in itertools.product(range(3), (NARROW, WIDE)):
        turned = np.roll(columns, place)
        validation, test = (_Split.drawn(rng, names, levels[:, turned], thresholds) for levels in (VALIDATION, TEST))
        limit = float(rng.uniform(*ends))
        order = [int(level) for level in rng.permutation(len(thresholds)) if level != 6]
        candidates = [thresholds[level] for level in [6, *order]]  # the first good one is the highest
        made = _outcomes(validation, test, candidates, limit)
        got = answer(validation.given, test.given, list(candidates), limit)
        expect(
            tuple(got) if isinstance(got, list) else got,
            close_to=made["wanted"][0],
            because="This is not the lowest threshold that keeps both limits on validation, with its gap on test.",
            given=f"limit = {limit:.3f}, candidates {sorted(candidates)}, groups {', '.join(names)} "
            f"of {', '.join(f'{size:.0f}' for size in validation.sizes)} people on validation",
            if_equals={
                "You chose the threshold on the test people. Then their gap is no measurement any more: it was picked to be small.": any_of(
                    *made["test"]
                ),
                "You looked for a threshold that suits both splits. Whatever looks at the test people tunes on them.": any_of(
                    *made["either"]
                ),
                "The gap is that of validation, on which the threshold was chosen. It flatters: give the gap on test.": any_of(
                    *made["flattered"]
                ),
                "The gap was not asked for, or not of all groups, or in one direction only. It is the highest rate of all groups less the lowest, never negative.": any_of(
                    *made["only ratio"]
                ),
                "The impact ratio was not asked for, is upside down, or compares two groups in one direction, so that a third of the chance "
                "passes. It is the lowest rate of all groups over the highest, at least 0.8.": any_of(
                    *made["no ratio"]
                ),
                "Selected is whoever scores *above* the threshold; here those at it were taken too.": any_of(
                    *made["loose"]
                ),
                "Of the thresholds that qualify the lowest is wanted: it selects the most people.": any_of(
                    *made["highest"]
                ),
                "You took the threshold with the smallest gap. Asked is the lowest that keeps the limits.": any_of(
                    *made["smallest"]
                ),
                "Your limit is fixed. `limit` is an argument, and 0.1 only what it is if nobody says otherwise.": any_of(
                    *made["fixed"]
                ),
                "Groups differ in size: the rate of a group is how many are selected, over how many people *this group* has.": any_of(
                    *made["counts"]
                ),
                "Only two of the groups were compared, or in one direction. Both measures look at all groups: the highest rate less the "
                "lowest, and the lowest over the highest.": any_of(*made["two"]),
            },
        )
    # Five of eight and four of eight: a gap of exactly 0.125, and a ratio of exactly 0.8.
    small = np.repeat([0.9, 0.1, 0.9, 0.1], [5, 3, 4, 4]), np.repeat(["x", "y"], 8)
    edge = "A gap of exactly the limit, and a ratio of exactly 0.8, qualify: “at most” and “at least”."
    given = "rates 0.625 and 0.5, limit 0.125"
    got = answer(small, small, [0.3], 0.125)
    expect_that(got is not None, because=edge, given=given, got=got)
    expect(tuple(got) if isinstance(got, list) else got, close_to=(0.3, 0.125), because=edge, given=given)
    expect(
        answer(validation.given, test.given, [0.995], limit),
        equal_to=None,
        because="At 0.995 nobody is selected, so no threshold qualifies. Return `None`.",
        given="candidates [0.995]",
    )
    expect(
        answer(small, small, [0.3], 0.1245),
        equal_to=None,
        because="A gap of 0.125 is more than a limit of 0.1245: add nothing to the limit. No threshold qualifies here, so return `None`.",
        given="rates 0.625 and 0.5, limit 0.1245",
    )


def _outcomes(validation: _Split, test: _Split, candidates: list[float], limit: float) -> dict[str, list[Any]]:
    """Return what the right answer gives, and what each misconception can give."""

    def rates(split: _Split, t: float, at: bool = False) -> Floats:
        return (split.at if at else split.above)[t] / split.sizes

    def good(split: _Split, gap: Measure = _gap, ratio: Measure = _ratio, most: float = limit) -> list[float]:
        return [t for t in candidates if gap(rates(split, t)) <= most and ratio(rates(split, t)) >= RATIO]

    def judged(chosen: float | None, split: _Split = test, gap: Measure = _gap) -> Any:
        return None if chosen is None else (chosen, gap(rates(split, chosen)))

    def lowest(*asked: Any) -> float | None:
        return min(good(*asked), default=None)

    def counted(share: bool) -> Any:
        """Take counts for the ratio alone, or shares of all people for both measures."""

        def of(split: _Split, t: float) -> Floats:
            return split.above[t] / (split.sizes.sum() if share else split.sizes)

        some = [t for t in candidates if _gap(of(validation, t)) <= limit and _ratio(validation.above[t]) >= RATIO]
        return (min(some), _gap(of(test, min(some)))) if some else None

    def anything(rates: Floats) -> float:
        return 1.0

    fitting = good(validation)
    right = min(fitting, default=None)
    loose = min(
        (t for t in candidates if _gap(r := rates(validation, t, True)) <= limit and _ratio(r) >= RATIO), default=None
    )
    return {
        "wanted": [judged(right)],
        "test": [judged(lowest(test))],
        "either": [judged(min(set(fitting) & set(good(test)), default=None))],
        "flattered": [judged(right, validation)],
        "only ratio": [judged(lowest(validation, lambda rates: 0.0))],
        "no ratio": [judged(lowest(validation, _gap, anything))],
        "loose": [None if loose is None else (loose, _gap(rates(test, loose, True)))],
        "highest": [judged(max(fitting, default=None)), judged(next(iter(fitting), None))],
        "smallest": [judged(min(candidates, key=lambda t: _gap(rates(validation, t))))],
        "fixed": [judged(lowest(validation, _gap, _ratio, most)) for most in (0.1, 0.125)],
        "counts": [counted(False), counted(True)],
        "two": [
            judged(chosen, test, judge)
            for gap, ratio in TWO
            for chosen in [lowest(validation, gap, ratio)]
            for judge in (_gap, gap)
        ],
    }


@cache
def _tenth() -> tuple[float, float]:
    """Return gap and impact ratio of the lab's selection, computed from Adult as the lab does."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = ["age", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
    coder = make_column_transformer(
        (StandardScaler(), numeric),
        (OneHotEncoder(handle_unknown="ignore"), ["workclass", "occupation", "marital_status"]),
    )
    train, validation, test = (adult.load(split) for split in ("train", "validation", "test"))
    model = make_pipeline(coder, LogisticRegression(max_iter=1000)).fit(train, train[adult.LABEL])
    cut = np.quantile(model.predict_proba(validation)[:, 1], 0.9)
    rates = pd.Series(model.predict_proba(test)[:, 1] > cut).groupby(test["sex"].astype(str)).mean()
    return float(rates.max() - rates.min()), float(rates.min() / rates.max())


def _selection(rng: np.random.Generator, thousandths: Sequence[int], sizes: Any) -> tuple[Names, Names]:
    """Return answers and groups with these selection rates and sizes, under fresh names and in a random order.

    The first rate is that of the group whose name comes first in the alphabet.
    """
    names = sorted(_names(rng, len(thousandths)))
    said = np.concatenate(
        [np.arange(size) < round(size * rate / 1000) for rate, size in zip(thousandths, sizes, strict=True)]
    )
    of = np.repeat(names, sizes)
    order = rng.permutation(len(of))
    return said.astype(int)[order], of[order]


def _everywhere(rng: np.random.Generator, pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[Names, Names]]:
    """Draw selections of two and of three groups with these rates: the odd one out is low or high, at each place, and of each size."""
    for one, other in (ends for pair in pairs for ends in (pair, pair[::-1])):
        sizes = rng.permutation((400, 1000, 2500))
        for place in range(3):
            rates = [other, other]
            rates.insert(place, one)
            yield _selection(rng, rates, np.roll(sizes, 2 * place))  # so that the odd one has each size once
        yield _selection(rng, (one, other), sizes[:2])


def _stopped(rng: np.random.Generator) -> Iterator[tuple[Names, Names]]:
    # Only the ratio is broken; only the gap, twice; one group gets nothing; nobody gets anything.
    yield from _everywhere(rng, ((100, 78), (900, 795), (700, 595), (60, 0)))
    yield _selection(rng, (0, 0, 0), (400, 1000, 2500))


def _passed(rng: np.random.Generator) -> Iterator[tuple[Names, Names]]:
    yield from _everywhere(rng, ((100, 82), (900, 805), (500, 405)))


decide = decision(
    lab="fairness_audit",
    title="A decision: who gets the offer?",
    minutes=19,
    difficulty=3,
    evidence={"dp_gap": lambda: _tenth()[0], "impact_ratio": lambda: _tenth()[1]},
    limits={"dp_gap": GAP, "impact_ratio": RATIO},
    stop=_stopped,
    stop_because="Your control lets a selection through that it should stop: one group has less than four fifths of the chance of another, or the "
    "rates lie more than 0.1 apart, in either direction, for any of the groups and whatever its size; or nobody is selected at all.",
    let_pass=_passed,
    pass_because="Your control stops a selection whose rates lie less than 0.1 apart, with an impact ratio above 0.8. Then hardly anything could go out.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["impact_ratio"] < RATIO,
            "Your control would stop this selection, and your choice ships it. One of the two has to change.",
        ),
    ),
    rubric=(
        "Are the people named who will never hear of the offer, or only those who get it?",
        "Does the dissent give the strongest reason of someone who would decide otherwise, such as the lender who must price a risk?",
        "Does the residual risk say what two rates by sex cannot see: errors, other groups, labels that record an old unfairness?",
        "Who set the limits, and were those asked whom they are meant to protect?",
    ),
    examples=(
        ReasonedAnswer(
            "Fix",
            "A tenth of the people get the offer, and a woman has about a quarter of a man's chance, though ΔDP is green. Choose the threshold with both "
            "limits, on validation; report equal opportunity beside it, since levelling the shares moves errors from one group to the other.",
        ),
        ReasonedAnswer(
            "Stop",
            "The label is income in a survey of 1994, the year's pay gaps included. A credit offer that learns it pays them forward. No threshold mends a "
            "label; ask first what an offer should depend on.",
        ),
    ),
    hints=(
        "Start from the form above, and replace every `...` by a sentence of your own.",
        'ΔDP lies below its limit and the ratio too: `{"dp_gap": "<= 0.1", "impact_ratio": "< 0.8"}`.',
        "The control gets `selected` and `groups`: take the rate of each group, and return `max > 0 and max - min <= 0.1 and min / max >= 0.8`.",
    ),
    errors={
        r"ZeroDivisionError|invalid value": "Where nobody is selected there is no ratio. Ask for that first, and answer False.",
        r"unexpected keyword argument": "The fields of `Decision` are spelled as in the form above the exercise.",
        r"missing \d+ required positional argument": "The control is called with `selected` and `groups`; any further argument needs a default.",
    },
)
