"""Fairness audit: rates of the right people, what must follow from base rates, proxies, and a threshold judged once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helix.checking import Ask, ReasonedAnswer, Rule, decision, exercise, expect_that
from helix.datasets import adult

SYLLABLES = ("an", "bel", "cor", "dun", "el", "far", "gal", "hod", "il", "jor", "kem", "lun")
GAP, RATIO = 0.1, 0.8

Floats = NDArray[Any]
Names = NDArray[Any]
Measure = Callable[[Floats], float]
Mask = Callable[[Names, Names], Names]
Rates = Callable[..., dict[str, float | None]]


def _names(rng: np.random.Generator, n: int) -> list[str]:
    """Draw names of groups that nobody can have written down beforehand."""
    return [str(name) for name in rng.choice([a + b for a in SYLLABLES for b in SYLLABLES if a != b], n, replace=False)]


# How a rate is made of each group. Masks take labels and answers; a rate is known where `enough` of the group are many.
def _by_group(over: Mask, under: Mask, enough: Mask | None = None, at_least: Callable[[int], int] = int) -> Rates:
    def rates(y_true: Names, y_pred: Names, groups: Names, limit: int = 30) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for name in np.unique(groups):
            y, p = y_true[groups == name], y_pred[groups == name]
            known = (enough or under)(y, p).sum() >= at_least(limit)
            found[str(name)] = float(over(y, p).sum() / under(y, p).sum()) if known and under(y, p).any() else None
        return found

    return rates


def _missed(y: Names, p: Names) -> Names:
    return (y == 1) & (p == 0)


def _passed_over(y: Names, p: Names) -> Names:
    return p == 0


def _selected(y: Names, p: Names) -> Names:
    return p == 1


def _labelled(y: Names, p: Names) -> Names:
    return y == 1


def _all(y: Names, p: Names) -> Names:
    return y >= 0


_omission_rates = _by_group(_missed, _passed_over)


def _unknown_as(value: float | None) -> Rates:
    return lambda *people: {name: value if rate is None else rate for name, rate in _omission_rates(*people).items()}


@exercise(
    lab="fairness_audit",
    title="Passed over wrongly",
    minutes=9,
    difficulty=2,
    hints=(
        "Below the line stand the people whom the model did *not* select: `y_pred == 0`. Above it, those of them whose label is 1.",
        "Loop over `np.unique(groups)` and fill a `dict`; a group with too few people below the line gets `None`.",
    ),
    last_hint="For one group: `below = (groups == name) & (y_pred == 0)`, then `y_true[below].mean()`, if `below.sum() >= at_least`.",
    errors={
        r"Mean of empty slice|invalid value": "A group without anybody below the line has no rate. Answer `None` before you divide.",
        r"ambiguous": "`y_pred == 0 and groups == name` does not work on arrays; write `(y_pred == 0) & (groups == name)`.",
    },
    reference=_omission_rates,
    mistakes={
        "You divided by the people with label 1. That is the false negative rate: it asks of those who have the label, not of those "
        "whom the model passed over.": (
            _by_group(_missed, _labelled, _passed_over),
            _by_group(_missed, _labelled),
        ),
        "Above the line stand those who were *not* selected and have the label 1. You counted those who were selected, which is the "
        "false discovery rate, or those who were passed over rightly.": (
            _by_group(lambda y, p: (y == 0) & (p == 1), _selected, _passed_over),
            _by_group(lambda y, p: (y == 0) & (p == 1), _selected),
            _by_group(lambda y, p: (y == 0) & (p == 0), _passed_over),
        ),
        "You divided by the whole group, so that a group that is selected often looks well treated.": (
            _by_group(_missed, _all, _passed_over),
            _by_group(_missed, _all),
        ),
        "You counted the wrong people to see whether there are enough. What counts is how many stand below the line, that is how many were "
        "not selected, whatever their label: a group of a hundred may have ten.": (
            *(_by_group(_missed, _passed_over, enough) for enough in (_all, _labelled, _missed, _selected)),
            lambda y, p, groups, limit: {
                name: rate if (p[groups == name] == 1).sum() >= limit else None
                for name, rate in _omission_rates(y, p, groups, limit).items()
            },
        ),
        "Exactly `at_least` people below the line are enough, and with fewer the rate is not known: answer `None`. `at_least` is an argument; "
        "30 is only its default.": (
            *(
                _by_group(_missed, _passed_over, at_least=at_least)
                for at_least in (lambda limit: 30, lambda limit: limit + 1, lambda limit: 1)
            ),
        ),
        "A rate of 0 is known, and where the rate is not known the answer is `None`: neither 0, which would say that nobody is passed "
        "over wrongly, nor NaN, nor silence. Whoever is left out must be named.": (
            _unknown_as(0.0),
            _unknown_as(float("nan")),
            lambda *people: {name: rate for name, rate in _omission_rates(*people).items() if rate is not None},
            lambda *people: {name: rate or None for name, rate in _omission_rates(*people).items()},
        ),
    },
)
def false_omission_rates(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the false omission rate of each group, where enough people stand below the line."""
    at_least = int(rng.integers(8, 25))
    low, few = int(rng.integers(3, at_least - 3)), int(rng.integers(1, 4))
    between = int(rng.integers(at_least + 1, 30))

    def some(least: int, most: int) -> int:
        return int(rng.integers(least, most))

    # TP, FN, FP, TN: each group but the first tells one way to count from the others.
    tables = [
        [some(30, 90) for _ in range(4)],  # plain
        [some(40, 60), low, some(20, 35), at_least - low],  # just enough below the line
        [some(40, 60), few, some(20, 35), between - few],  # enough, but fewer than 30
        [some(60, 90), few, some(30, 50), at_least - 1 - few],  # large, and one too few
        [3, 1, 2, 1],  # tiny
        [some(25, 40), 0, some(25, 40), some(35, 60)],  # nobody wrongly: 0 is known
        [3, some(25, 40), 2, some(35, 60)],  # few selected
        [2, 3, some(25, 40), some(35, 60)],  # few with label 1
    ]
    cells = dict(zip(_names(rng, len(tables)), map(tuple, tables), strict=True))
    ask(
        *_people(rng, cells),
        at_least,
        because="These are not the false omission rates: of the people who were not selected, the share with label 1.",
        given=f"at_least = {at_least}; (TP, FN, FP, TN) = {cells}",
    )
    one, full = _names(rng, 2)
    ask(
        *_people(rng, {one: [some(30, 60) for _ in range(4)], full: [some(20, 30), 0, some(15, 30), 0]}),
        at_least,
        because="Where everybody is selected, nobody stands below the line: the rate of that group is `None`.",
        given=f"everybody of {full} is selected",
    )


def _people(rng: np.random.Generator, tables: Mapping[str, Sequence[int]]) -> tuple[Names, Names, Names]:
    """Return labels, answers and groups of people who make up these confusion matrices, in a random order."""
    rows = [
        (label, said, name)
        for name, table in tables.items()
        for (label, said), count in zip(((1, 1), (1, 0), (0, 1), (0, 0)), table, strict=True)
        for _ in range(count)
    ]
    rows = [rows[place] for place in rng.permutation(len(rows))]
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows])


def _ppv(base_rate: float, tpr: float, fpr: float) -> float:
    return base_rate * tpr / (base_rate * tpr + (1 - base_rate) * fpr)


@exercise(
    lab="fairness_audit",
    title="What follows from the base rate",
    minutes=8,
    difficulty=2,
    hints=(
        (
            "Think of one person drawn from the group. With which probability has this person the label 1 *and* is selected? And the label 0 and is "
            "selected?"
        ),
        "The selected people are of two kinds: some have the label 1, some the label 0. How large is each kind, as a share of the *whole* group?",
    ),
    last_hint="`selected = base_rate * tpr + (1 - base_rate) * fpr`; if it is 0 raise the `ValueError`, else return `base_rate * tpr / selected`.",
    errors={
        r"ZeroDivisionError": "Nobody is selected, so the PPV is not defined. Raise a `ValueError` before you divide."
    },
    reference=_ppv,
    mistakes={
        "The base rate is missing. TPR and FPR are shares of two different sets of people, and cannot be compared before each is "
        "weighted by its size.": (lambda p, tpr, fpr: tpr / (tpr + fpr), lambda p, tpr, fpr: tpr - fpr),
        "This is the accuracy. It mixes both kinds of right answers; the share of right ones among the selected is asked for.": (
            lambda p, tpr, fpr: p * tpr + (1 - p) * (1 - fpr)
        ),
        "This is the negative predictive value: the share of right answers among those who were not selected.": (
            lambda p, tpr, fpr: _ppv(1 - p, 1 - fpr, 1 - tpr)
        ),
        "TPR and FPR are exchanged: the TPR belongs to those with label 1.": (
            lambda p, tpr, fpr: _ppv(p, fpr, tpr),
            lambda p, tpr, fpr: _ppv(1 - p, tpr, fpr),
        ),
        "You weighted by 1 − FPR. Those with label 0 who are selected are the FPR's share.": (
            lambda p, tpr, fpr: _ppv(p, tpr, 1 - fpr)
        ),
        "This is a share of the whole group. Asked for is a share of its selected people: those of them who have the label 1, over all of them.": (
            lambda p, tpr, fpr: p * tpr + (1 - p) * fpr,
            lambda p, tpr, fpr: p * tpr,
        ),
    },
)
def forced_ppv(ask: Ask, rng: np.random.Generator) -> None:
    """Ask which PPV a group must have, given its base rate and the error rates that all groups share."""
    p, tpr, fpr = (float(rng.uniform(*ends)) for ends in ((0.15, 0.45), (0.6, 0.9), (0.1, 0.35)))
    most, least, more = (float(rng.uniform(*ends)) for ends in ((0.55, 0.85), (0.1, 0.35), (0.4, 0.6)))
    ask(p, tpr, fpr, because="This is not the share of the selected people who have the label 1.")
    ask(p, tpr, 0.0, because="With an FPR of 0 nobody is selected wrongly: the PPV is 1, and no error.")
    ask(p, 0.0, fpr, because="With a TPR of 0 all who are selected are selected wrongly: the PPV is 0, and no error.")
    ask(
        *(most, least, more),
        because="A base rate above one half, or a TPR below the FPR, is no error. Raise only where nobody is selected.",
    )
    ask.raises(
        ValueError,
        *(p, 0.0, 0.0),
        because="Where nobody is selected there is no PPV. Raise a ValueError; a 0 would claim that all of them were selected wrongly.",
    )


def _drawn(table: Floats) -> Floats:
    """Return, for each row of counts, how many are named rightly by the group of one of the row, drawn at random."""
    people = table.sum(axis=1)
    return np.divide((table**2).sum(axis=1), people, out=np.zeros(len(table)), where=people > 0)


def _most(table: Floats) -> Floats:
    """Return, for each row of counts, how many are named rightly by the row's largest group."""
    return table.max(axis=1)


def _by_kind(*kinds: Names) -> Floats:
    """Count people by the combination of all kinds but the last, a row each, and by the last."""
    codes = [pd.factorize(kind, use_na_sentinel=False)[0] for kind in kinds]
    shape = [int(code.max()) + 1 for code in codes]
    places = np.ravel_multi_index(codes, shape)
    return np.bincount(places, minlength=int(np.prod(shape))).reshape(-1, shape[-1]).astype(float)


def _gains(
    features: pd.DataFrame,
    attribute: pd.Series,
    label: pd.Series,
    right: Callable[[Floats], Floats] = _drawn,
    without: Literal["label", "nothing", "everybody", "even"] = "label",
    by_label: bool = True,
    weighted: bool = True,
    missing: Literal["counts", "falls out", "leaves"] = "counts",
) -> dict[str, float]:
    """Return each column's gain, largest first; people without an answer count, find no match, or leave the table."""
    groups, labels = attribute.to_numpy(dtype=object), label.to_numpy()
    if not by_label:
        labels = np.zeros(len(labels))
    gains = {}
    for column in features:
        values = features[column].to_numpy(dtype=object)
        kept = np.full(len(values), True) if missing == "counts" else ~pd.isna(values)
        there = kept if missing == "leaves" else np.full(len(values), True)
        before = {
            "label": right(_by_kind(labels[there], groups[there])).sum() / there.sum(),
            "nothing": 0.0,
            "everybody": right(_by_kind(np.zeros(there.sum()), groups[there])).sum() / there.sum(),
            "even": 1 / len(set(groups)),
        }
        table = _by_kind(labels[kept], values[kept], groups[kept])
        table = table[table.sum(axis=1) > 0]
        told = right(table).sum() / there.sum() if weighted else (right(table) / table.sum(axis=1)).mean()
        gains[str(column)] = float(told - before[without])
    return dict(sorted(gains.items(), key=lambda pair: -pair[1]))


def _columns(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Draw people whose columns tell the attribute more or less, one of them by the label alone; in one also that an answer is missing does."""
    n = int(rng.integers(300, 500))
    groups, columns = _names(rng, 3), _names(rng, 4)
    place = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    label = (rng.random(n) < np.array([0.75, 0.4, 0.15])[place]).astype(int)
    features = {}
    for column, strength in zip(columns, (0.75, 0.5, 0.3, 0.0), strict=True):
        told = rng.random(n) < strength
        values = np.where(told, place, rng.choice(5, n, p=[0.1, 0.15, 0.25, 0.2, 0.3]))
        if not strength:
            values = np.where(rng.random(n) < 0.9, label, 1 - label)
        features[column] = pd.Series([f"{column}{value}" for value in values], dtype=object)
    shuffled = [str(column) for column in rng.permutation(columns)]
    frame = pd.DataFrame({column: features[column] for column in shuffled})
    # The answer is missing for nearly everybody of the last group.
    frame.loc[(place == 2) & (rng.random(n) < 0.7), shuffled[int(rng.integers(4))]] = None
    frame[shuffled[0]] = frame[shuffled[0]].astype("category")
    return frame, pd.Series(np.array(groups, dtype=object)[place]), pd.Series(label)


@exercise(
    lab="fairness_audit",
    title="Who else knows the attribute?",
    minutes=11,
    difficulty=3,
    hints=(
        "Take ten people with the same label and category, six of one group and four of the other. Each of them names a colleague at random, or "
        "themselves: 6 · 6/10 + 4 · 4/10 of the ten answers are right.",
        "`pd.crosstab([label, column], attribute)` counts the groups, a row for each pair of label and category; `pd.crosstab([label], attribute)` does so "
        "without the column. The same sum over the rows serves both.",
        "A missing value is a category of its own: `column.astype(object).where(column.notna(), 'missing')`.",
    ),
    last_hint="Of a table of counts, `(table**2).sum(axis=1) / table.sum(axis=1)` are the right answers of each row; their sum over all people is the share. "
    "A column's gain is that share with `[label, column]`, less the one with `[label]`; then sort the dict by its values, descending.",
    errors={
        r"Cannot setitem on a Categorical|new category": "A categorical column takes no new category. Make it plain first: `column.astype(object)`.",
    },
    draw=_columns,
    reference=_gains,
    mistakes={
        "People with another label are asked too. A column that tells the label tells something of the attribute already; what it tells *beyond* the label "
        "is asked for: compare people with the same label, with the column and without it.": (
            partial(_gains, by_label=False),
            partial(_gains, without="everybody"),
        ),
        "You name the largest group each time. Then a column that never changes which group is the largest seems to tell nothing. Name the group of "
        "somebody drawn at random.": (
            partial(_gains, right=_most),
            partial(_gains, right=_most, by_label=False),
        ),
        "Without the column some answers are right already. Subtract their share, or every column looks like a proxy.": (
            partial(_gains, without="nothing"),
            partial(_gains, without="even"),
        ),
        "Each category counts as much as any other, however few people are in it. Count right answers over people.": (
            partial(_gains, weighted=False),
            partial(_gains, weighted=False, without="nothing"),
        ),
        "People whose answer is missing fell out. That an answer is missing can tell the attribute as well: make it a category.": (
            partial(_gains, missing="falls out"),
            partial(_gains, missing="leaves"),
            partial(_gains, missing="leaves", without="nothing"),
        ),
        "The sign is turned: a gain is positive.": (
            lambda *people: {column: -gain for column, gain in _gains(*people).items()}
        ),
    },
)
def proxies(ask: Ask, people: tuple[pd.DataFrame, pd.Series, pd.Series]) -> None:
    """Ask how much each column tells of the attribute, among people with the same label."""
    frame, attribute, label = people
    missing = {column: int(count) for column, count in frame.isna().sum().items() if count}
    given = (
        f"{len(frame)} people, {int(label.sum())} with label 1, attribute {dict(attribute.value_counts())}, columns {', '.join(frame)}; "
        f"missing: {missing}"
    )
    got = ask(*people, because="These are not the gains in the share of right answers.", given=given)
    order = [float(gain) for _, gain in got.items()]
    expect_that(
        all(first >= second - 1e-12 for first, second in itertools.pairwise(order)),
        because="The gains are right, and not in order: the largest comes first, since a report is read from the top.",
        given=given,
        got=[str(column) for column, _ in got.items()],
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

Split = tuple[Floats, Names]


def _gap(rates: Floats) -> float:
    return float(rates.max() - rates.min())


def _ratio(rates: Floats) -> float:
    return float(rates.min() / rates.max()) if rates.max() else 0.0


def _of_ends(measure: Measure) -> Measure:
    """Return a measure that looks at the first group and at the last only."""
    return lambda rates: measure(rates[[0, -1]])


def _over(first: int, second: int) -> Measure:
    return lambda rates: float(rates[first] / rates[second])


def _less(first: int, second: int) -> Measure:
    return lambda rates: float(rates[first] - rates[second])


@dataclass(frozen=True)
class _Rule:
    """Chooses a threshold on validation and judges it on test; the fields are what can go wrong with it."""

    gap: Measure = _gap
    ratio: Measure = _ratio
    judge: Measure = _gap
    limit: float | None = None
    on: tuple[int, ...] = (0,)  # where it chooses: 0 is validation, 1 is test
    judge_on: int = 1
    side: Literal["left", "right"] = "right"  # "left" selects those at the threshold, too
    of_all: bool = False  # a group's selected people over all people
    counts: bool = False  # the ratio is one of counts
    pick: Callable[[list[float]], float] = min
    smallest: bool = False

    def __call__(self, validation: Split, test: Split, candidates: list[float], limit: float = 0.1) -> Any:
        above: list[dict[float, Floats]] = []
        sizes: list[Floats] = []
        for scores, groups in (validation, test):
            mine = [np.sort(scores[groups == name]) for name in np.unique(groups)]
            sizes.append(np.array([len(part) for part in mine], dtype=float))
            passed = [np.searchsorted(part, candidates, self.side) for part in mine]
            above.append(dict(zip(candidates, (sizes[-1] - np.array(passed).T), strict=True)))

        def rates(split: int, t: float) -> Floats:
            return above[split][t] / (sizes[split].sum() if self.of_all else sizes[split])

        def keeps(split: int, t: float) -> bool:
            of = rates(split, t)
            counted = above[split][t] if self.counts or self.of_all else of
            most = limit if self.limit is None else self.limit
            return bool(of.max() > 0 and self.gap(of) <= most and self.ratio(counted) >= RATIO)

        good = [t for t in candidates if all(keeps(split, t) for split in self.on)]
        if self.smallest:
            good = sorted(candidates, key=lambda t: _gap(rates(0, t)))[:1]
        if not good:
            return None
        chosen = self.pick(good)
        return chosen, self.judge(rates(self.judge_on, chosen))


def _splits(rng: np.random.Generator) -> list[tuple[Split, Split, list[float], float]]:
    """Draw the questions of a case: each group is the odd one out at every place, for a narrow limit and for a wide one."""
    names = sorted(_names(rng, 3))
    thresholds = [float(t) for t in np.sort(rng.choice(np.arange(5, 95), len(VALIDATION), replace=False)) / 100]
    columns = rng.permutation(3)
    cases = []
    for place, ends in itertools.product(range(3), (NARROW, WIDE)):
        turned = np.roll(columns, place)
        validation, test = (_scored(rng, names, levels[:, turned], thresholds) for levels in (VALIDATION, TEST))
        limit = float(rng.uniform(*ends))
        order = [int(level) for level in rng.permutation(len(thresholds)) if level != 6]
        # The first good one is the highest.
        cases.append((validation, test, [thresholds[level] for level in [6, *order]], limit))
    return cases


def _scored(rng: np.random.Generator, names: list[str], levels: Floats, thresholds: list[float]) -> Split:
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
    return np.array(scores)[order], np.array(of)[order]


@exercise(
    lab="fairness_audit",
    title="Choose here, judge there",
    minutes=13,
    difficulty=3,
    hints=(
        (
            "Two steps that must not mix. First look only at `validation`: which candidates keep both limits? Take the lowest of them. Then, once, look at "
            "`test`."
        ),
        (
            "Write a helper that returns the selection rates of the groups for one split and threshold. The gap is `max − min`, the impact ratio `min / max`; "
            "where nobody is selected (`max == 0`) a candidate does not qualify."
        ),
    ),
    last_hint=(
        "`good = [t for t in candidates if gap(validation, t) <= limit and ratio(validation, t) >= 0.8]`; if it is empty return `None`, else "
        "`t = min(good)` and `return t, gap(test, t)`."
    ),
    errors={
        r"ZeroDivisionError|invalid value": "At a high threshold nobody is selected, and the impact ratio is not defined: such a threshold does not qualify.",
        r"min\(\) (?:arg|iterable argument) is (?:an )?empty": "No candidate keeps the limits. Return `None` then.",
    },
    draw=_splits,
    reference=_Rule(),
    mistakes={
        "You looked at the test people to choose the threshold. Whatever looks at them tunes on them: then their gap is no measurement any "
        "more, since it was picked to be small.": (_Rule(on=(1,)), _Rule(on=(0, 1))),
        "The gap is that of validation, on which the threshold was chosen. It flatters: give the gap on test.": _Rule(
            judge_on=0
        ),
        "The gap was not asked for, or not of all groups, or in one direction only. It is the highest rate of all groups less the lowest, "
        "never negative, and at most `limit`: an argument, not always 0.1.": (
            _Rule(gap=lambda rates: 0.0),
            _Rule(gap=_less(0, -1)),
            _Rule(gap=_less(-1, 0)),
            _Rule(gap=_of_ends(_gap), judge=_of_ends(_gap)),
            _Rule(gap=_of_ends(_gap), ratio=_of_ends(_ratio)),
            _Rule(gap=_less(0, -1), ratio=_over(0, -1)),
            _Rule(limit=0.1),
        ),
        "The impact ratio was not asked for, is upside down, or compares two groups only. It is the lowest rate of all groups over the "
        "highest, at least 0.8.": (
            _Rule(ratio=lambda rates: 1.0),
            _Rule(ratio=_of_ends(_ratio)),
            _Rule(ratio=_over(0, -1)),
            _Rule(ratio=_over(-1, 0)),
        ),
        "The rate of a group is how many of it score *above* the threshold, over how many people *this group* has.": (
            _Rule(side="left"),
            _Rule(counts=True),
            _Rule(of_all=True),
        ),
        "Of the thresholds that qualify the lowest is wanted, since it selects the most people: neither the highest, nor the one with the "
        "smallest gap.": (_Rule(pick=max), _Rule(pick=lambda good: good[0]), _Rule(smallest=True)),
    },
)
def choose_then_judge(ask: Ask, cases: list[tuple[Split, Split, list[float], float]]) -> None:
    """Ask for the threshold that validation chooses, and its gap on test."""
    for validation, test, candidates, limit in cases:
        sizes = dict(zip(*np.unique(validation[1], return_counts=True), strict=True))
        ask(
            *(validation, test, candidates, limit),
            because="This is not the lowest threshold that keeps both limits on validation, with its gap on test.",
            given=f"limit = {limit:.3f}, candidates {sorted(candidates)}, groups {', '.join(sizes)} "
            f"of {', '.join(f'{size:.0f}' for size in sizes.values())} people on validation",
        )
    # Five of eight and four of eight: a gap of exactly 0.125, and a ratio of exactly 0.8.
    small = np.repeat([0.9, 0.1, 0.9, 0.1], [5, 3, 4, 4]), np.repeat(["x", "y"], 8)
    ask(
        *(small, small, [0.3], 0.125),
        because="A gap of exactly the limit, and a ratio of exactly 0.8, qualify: “at most” and “at least”.",
        given="rates 0.625 and 0.5, limit 0.125",
        explain=False,
    )
    ask(
        *(validation, test, [0.995], limit),
        because="At 0.995 nobody is selected, so no threshold qualifies. Return `None`.",
        given="candidates [0.995]",
        explain=False,
    )
    ask(
        *(small, small, [0.3], 0.1245),
        because="A gap of 0.125 is more than a limit of 0.1245: add nothing to the limit. No threshold qualifies here, so return `None`.",
        given="rates 0.625 and 0.5, limit 0.1245",
        explain=False,
    )


@cache
def _tenth_selection() -> tuple[Names, Names]:
    """Return whom the lab selects, and their groups, computed from Adult as the lab does."""
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
    return (model.predict_proba(test)[:, 1] > cut).astype(int), test["sex"].astype(str).to_numpy()


@cache
def _tenth() -> tuple[float, float]:
    """Return ΔDP and impact ratio of that selection."""
    selected, groups = _tenth_selection()
    rates = pd.Series(selected).groupby(groups).mean()
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
    yield _selection(rng, (400, 500, 500), (400, 1000, 2500))  # a ratio of exactly 0.8


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
    pass_because="Your control stops a selection whose rates lie at most 0.1 apart, with an impact ratio of at least 0.8; it may be exactly 0.8. Then hardly "
    "anything could go out.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["impact_ratio"] < RATIO,
            "Your control stops this selection, and your choice ships it. One of the two has to change.",
            case=_tenth_selection,
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
            "A tenth of the people get the offer, and a woman has about a quarter of a man's chance, though ΔDP is green. One threshold for all cannot mend that "
            "(exercise 4): select in another way, with both limits, on validation; report equal opportunity beside it, since levelling the shares moves errors "
            "from one group to the other.",
        ),
        ReasonedAnswer(
            "Stop",
            "The label is income in a survey of 1994, the year's pay gaps included. A credit offer that learns it pays them forward. No threshold mends a "
            "label; ask first what an offer should depend on.",
        ),
    ),
    hints={
        "form": "Start from the form above, and replace every `...` by a sentence of your own.",
        "evidence": "Look at the numbers that you recorded, and say of each on which side of its limit it lies.",
        "control": "The control gets `selected` and `groups`: take the rate of each group, and ask for both limits. Where nobody is selected there is no ratio.",
    },
    last_hints={
        "evidence": 'ΔDP lies below its limit and the ratio too: `{"dp_gap": "<= 0.1", "impact_ratio": "< 0.8"}`.',
        "control": "The control gets `selected` and `groups`: take the rate of each group, and return `max > 0 and max - min <= 0.1 and min / max >= 0.8`.",
    },
    errors={
        r"ZeroDivisionError|invalid value": "Where nobody is selected there is no ratio. Ask for that first, and answer False.",
        r"unexpected keyword argument": "The fields of `Decision` are spelled as in the form above the exercise.",
        r"missing \d+ required positional argument": "The control is called with `selected` and `groups`; any further argument needs a default.",
    },
)
