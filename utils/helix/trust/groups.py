"""Rates and gaps between groups of people, written out once and used by everything that audits."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helix.measure import Interval, difference_of_proportions, ratio_of_proportions, wilson

if TYPE_CHECKING:
    import pandas as pd

ALL = ("tp", "fn", "fp", "tn")
# Each rate as the cells of the confusion matrix above the line, and below it.
RATES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "base_rate": (("tp", "fn"), ALL),
    "selection_rate": (("tp", "fp"), ALL),
    "tpr": (("tp",), ("tp", "fn")),
    "fpr": (("fp",), ("fp", "tn")),
    "ppv": (("tp",), ("tp", "fp")),
    "npv": (("tn",), ("tn", "fn")),
    "accuracy": (("tp", "tn"), ALL),
}
SPARED = (("fn", "tn"), ALL)  # who is not selected: the wanted outcome, where to be selected is a burden
# What each gap compares between groups.
COMPARED = {
    "demographic_parity": ("selection_rate",),
    "equal_opportunity": ("tpr",),
    "equalised_odds": ("tpr", "fpr"),
    "predictive_parity": ("ppv",),
    "accuracy": ("accuracy",),
}
RATIO = "impact_ratio"  # the lowest rate over the highest, not their difference
SMALL = 30  # a rate of fewer people than this is not compared
ROUNDING = 1e-12  # 0.4 - 0.3 is 0.1, and 0.24 / 0.3 is 0.8, whatever floats say
NOT_STATED = ("", "nan", "<NA>", "NaT")  # what a missing value becomes as text


def keeps(value: float, limit: float, least: bool = False) -> bool:
    """Return whether a gap is at most its limit, or a ratio (``least=True``) at least its own; NaN keeps nothing.

    Everything that compares with a limit asks here, so that a gap of exactly the limit is never judged in two ways.
    """
    return value >= limit - ROUNDING if least else value <= limit + ROUNDING


def binary(values: ArrayLike, name: str = "y_true") -> NDArray[np.int64]:
    """Return labels or predictions as whole numbers, if they are 0 and 1.

    Parameters
    ----------
    values : array_like, shape (n,)
        Numbers or booleans.
    name : str
        What they are called in an error.

    Raises
    ------
    ValueError
        If there are none, they are not one row, a value is missing, or one is neither 0 nor 1.
    """
    import pandas as pd

    array = np.asarray(values)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must be one value for each person; its shape is {array.shape}.")
    if missing := int(pd.isna(array).sum()):  # None and pandas' NA too, which no number can be
        raise ValueError(f"{name} has {missing} missing values (NaN). Find out why before you audit.")
    try:
        values = array.astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold 0 and 1; it holds {_some(array)}. Map your labels first.") from None
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must hold 0 and 1; it holds {_some(array)}. Map labels; cut scores at a threshold.")
    return values.astype(np.int64)


def names(groups: Any, n: int) -> NDArray[np.object_]:
    """Return the group of each person, as text.

    Parameters
    ----------
    groups : array_like, shape (n,), or DataFrame of n rows
        One attribute, or several: the columns of a table make intersectional groups (“Black × Female”). People are
        matched by their place, not by an index.
    n : int
        How many people there are.

    Raises
    ------
    ValueError
        If the lengths differ, a group is missing or is called as a missing value is ("nan"), a column is there twice, types are
        mixed, so that "1" and 1, or 1 and 1.0, would be two groups, two names differ in blanks only, or the names of two
        crossed groups would be the same.
    """
    import pandas as pd

    if hasattr(groups, "columns"):
        if not len(groups.columns):
            raise ValueError("The table of groups has no columns.")
        if len(set(groups.columns)) < len(groups.columns):
            raise ValueError(f"The table of groups has a column twice: {', '.join(map(str, groups.columns))}.")
        parts = [names(groups[column], n) for column in groups.columns]
        rows = list(zip(*parts, strict=True))
        crossed = {row: " × ".join(row) for row in set(rows)}
        if len(set(crossed.values())) < len(crossed):  # ("a", "b × c") and ("a × b", "c")
            raise ValueError('Two different groups would both be called “… × …”: a name holds " × ". Rename it.')
        return np.array([crossed[row] for row in rows], dtype=object)
    array = np.asarray(groups, dtype=object)
    if array.shape != (n,):
        raise ValueError(f"There are {n} people, and groups of the shape {array.shape}; each person needs one group.")
    if missing := int(pd.isna(array).sum()):
        raise ValueError(f"The group is missing for {missing} of {n} people. Name it ('not stated') or leave them out.")
    if len(kinds := {_kind(one) for one in array}) > 1:
        raise ValueError(f"The group column mixes {' and '.join(sorted(kinds))}. Make it one type: .astype(str).")
    found = np.array([str(one) for one in array], dtype=object)
    different = set(found)
    if nameless := sorted(one for one in different if one.strip() in NOT_STATED):
        many = int(np.isin(found, nameless).sum())
        raise ValueError(
            f"The group of {many} of {n} people is called {nameless[0]!r}, as a missing value is. "
            "Name it ('not stated') or leave them out."
        )
    if len({" ".join(one.split()) for one in different}) < len(different):
        twins = sorted(one for one in different if one != " ".join(one.split()))
        raise ValueError(f"The group {twins[0]!r} differs from another in blanks only. Mend it: .str.strip().")
    return found


def without_people(groups: Any) -> tuple[str, ...]:
    """Return the groups that pandas' categories name, and to which nobody belongs."""
    if hasattr(groups, "columns"):
        return tuple(name for column in groups.columns for name in without_people(groups[column]))
    categories = getattr(getattr(groups, "dtype", None), "categories", None)
    if categories is None:
        return ()
    there = set(groups)
    return tuple(str(one) for one in categories if one not in there)


def counts(y_true: ArrayLike, y_pred: ArrayLike, groups: Any, expected: Sequence[str] = ()) -> pd.DataFrame:
    """Count the confusion matrix of every group.

    Parameters
    ----------
    y_true, y_pred : array_like of 0 and 1, shape (n,)
        What was true, and what the classifier said; 1 is “selected”.
    groups : array_like, shape (n,), or DataFrame
        As in `names`.
    expected : sequence of str
        Groups that must be there.

    Returns
    -------
    DataFrame
        A row a group, in alphabetical order, with the columns tp, fn, fp, tn.

    Raises
    ------
    ValueError
        If the input is not what it should be, an expected group is empty, or there is only one group.
    """
    import pandas as pd

    y, p = binary(y_true), binary(y_pred, "y_pred")
    if len(y) != len(p):
        raise ValueError(f"There are {len(y)} labels and {len(p)} predictions; each person needs both.")
    of = names(groups, len(y))
    found = sorted(set(of))
    if empty := sorted(set(expected) - set(found)):
        raise ValueError(
            f"The group {empty[0]!r} is empty: nothing can be said about it. There are {', '.join(found)}."
        )
    if len(found) < 2:
        raise ValueError(f"There is only the group {found[0]!r}: a comparison needs two.")
    cells = {"tp": y & p, "fn": y & (1 - p), "fp": (1 - y) & p, "tn": (1 - y) & (1 - p)}
    return pd.DataFrame(cells).groupby(of).sum()


def group_metrics(y_true: ArrayLike, y_pred: ArrayLike, groups: Any, expected: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rates of every group.

    Parameters
    ----------
    y_true, y_pred, groups, expected
        As in `counts`.

    Returns
    -------
    DataFrame
        A row a group: ``n`` and the columns of `RATES`. NaN where nobody stands below the line: a group without a true 1
        has no true positive rate, and 0 would be a claim.

    Raises
    ------
    ValueError
        As `counts`.
    """
    import pandas as pd

    cells = counts(y_true, y_pred, groups, expected)
    part = {name: cells[name].to_numpy() for name in cells}
    rates: dict[str, Any] = {"n": sum(part.values())}
    with np.errstate(invalid="ignore"):  # nobody stands below the line: NaN
        for rate, (over, under) in RATES.items():
            rates[rate] = sum(part[one] for one in over) / sum(part[one] for one in under)
    return pd.DataFrame(rates, index=cells.index)


def gaps(y_true: ArrayLike, y_pred: ArrayLike, groups: Any) -> dict[str, float]:
    """Return the largest difference between any two groups, for every notion of group fairness.

    Parameters
    ----------
    y_true, y_pred, groups
        As in `counts`.

    Returns
    -------
    dict of str to float
        ``demographic_parity`` (selection rates), ``equal_opportunity`` (true positive rates), ``equalised_odds`` (the larger
        one of the differences of true and of false positive rates), ``predictive_parity`` (precision) and ``accuracy``: from
        0, equal, to 1. ``impact_ratio`` is the lowest selection rate over the highest: 1 is equal. It is made for what
        people want; where to be selected is a burden, ask for ``gaps(1 - y_true, 1 - y_pred, groups)``. NaN where a rate of
        a group is undefined, or nobody is selected.

    Raises
    ------
    ValueError
        As `counts`.

    References
    ----------
    M. Hardt, E. Price and N. Srebro (2016), Equality of Opportunity in Supervised Learning, arXiv:1610.02413.
    A. Chouldechova (2017), Fair Prediction with Disparate Impact, doi:10.1089/big.2016.0047.
    """
    rates = group_metrics(y_true, y_pred, groups)

    def spread(column: str) -> float:
        return float(np.ptp(rates[column].to_numpy()))  # NaN if one of them is

    found = {gap: float(np.max([spread(column) for column in columns])) for gap, columns in COMPARED.items()}
    selected = rates["selection_rate"]
    found[RATIO] = float(selected.min() / selected.max()) if selected.max() else float("nan")
    return found


def calibration(y_true: ArrayLike, scores: ArrayLike, groups: Any, edges: Sequence[float]) -> pd.DataFrame:
    """Return how often the label is 1, for each group and range of scores: equal within a range is calibration within groups.

    Parameters
    ----------
    y_true, groups
        As in `counts`.
    scores : array_like, shape (n,)
        What the classifier put on the label 1.
    edges : sequence of float
        Ends of the ranges, ascending; a range holds its upper end, and the first one its lower end too.

    Returns
    -------
    DataFrame
        A row a group and range: ``n``, ``score`` (the mean) and ``positive`` (the share with label 1).

    Raises
    ------
    ValueError
        If a score is NaN or lies outside the edges, or as `counts`.
    """
    import pandas as pd

    y = binary(y_true)
    frame = pd.DataFrame({"group": names(groups, len(y)), "score": finite(scores, len(y)), "positive": y})
    frame["range"] = pd.cut(frame["score"], list(edges), include_lowest=True)
    if frame["range"].isna().any():
        low, high = frame["score"].min(), frame["score"].max()
        raise ValueError(f"The scores run from {low:g} to {high:g}, the edges only from {edges[0]:g} to {edges[-1]:g}.")
    by = frame.groupby(["group", "range"], observed=True)
    return by.agg(n=("positive", "size"), score=("score", "mean"), positive=("positive", "mean"))


def finite(scores: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return scores as numbers, if there is one for each of n people and none is NaN or infinite; else a ValueError."""
    try:
        array = np.asarray(scores, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(
            f"Scores must be numbers, one for each person; these hold {_some(np.ravel(scores))}."
        ) from None
    if array.shape != (n,):
        raise ValueError(f"There are {n} people, and scores of the shape {array.shape}; each person needs one score.")
    if wrong := int((~np.isfinite(array)).sum()):
        raise ValueError(
            f"{wrong} of {n} scores are NaN or infinite. Whoever got one has not been judged: mend that first."
        )
    return array


@dataclass(frozen=True)
class Gap:
    """One gap: between which groups, how large, and how sure.

    Attributes
    ----------
    name, rate : str
        A key of `COMPARED` or ``impact_ratio``, and the rate of it that differs most.
    low, high : str
        The groups where that rate is lowest and highest.
    interval : Interval
        The difference, with Newcombe's interval at 95 %; of the impact ratio, the ratio. The two groups were picked *because*
        they lie furthest apart, so that with many groups the interval promises too much.
    behind : int
        How many people the less certain one of the two rates was computed from.
    """

    name: str
    rate: str
    low: str
    high: str
    interval: Interval
    behind: int

    @property
    def worst(self) -> float:
        """The end of the interval that is farthest from equal treatment, whichever group it disfavours."""
        low, high = self.interval.low, self.interval.high
        return min(low, 1 / high if high else 0.0) if self.name == RATIO else max(high, -low)


def compared(gap: str, burden: bool = False) -> tuple[str, ...]:
    """Return the rates that a gap, or the impact ratio, compares; of a burden the ratio compares who is spared.

    Raises
    ------
    ValueError
        If there is no such gap.
    """
    if gap == RATIO:
        return ("spared_rate",) if burden else ("selection_rate",)
    if gap not in COMPARED:
        raise ValueError(f"There is no gap {gap!r}; there are {', '.join((*COMPARED, RATIO))}.")
    return COMPARED[gap]


def widest(cells: pd.DataFrame, gap: str, at_least: int = SMALL, burden: bool = False) -> Gap | None:
    """Find the two groups between which a gap is widest, among the rates that enough people stand behind.

    Parameters
    ----------
    cells : DataFrame
        From `counts`.
    gap : str
        A key of `COMPARED`, or ``impact_ratio``.
    at_least : int
        Rates of fewer people are left out of the comparison. Whoever does that has to say so.
    burden : bool
        Whether to be selected is a burden; then the impact ratio is that of the spared.

    Returns
    -------
    Gap or None
        None if fewer than two groups remain for one of its rates, or the ratio has nobody below its line: then the gap is
        not known.

    Raises
    ------
    ValueError
        If there is no such gap.
    """
    found = pairs(cells, gap, at_least, burden)
    return min(found, key=_value) if gap == RATIO and found else max(found, key=_value, default=None)


def pairs(cells: pd.DataFrame, gap: str, at_least: int = SMALL, burden: bool = False) -> list[Gap]:
    """Return the gap between every two groups, for every rate that it compares; parameters and errors as in `widest`.

    Not the widest one alone: between two small groups a narrower gap may be the less certain one. None at all, if fewer than
    two groups remain for one of its rates, or the ratio has nobody below its line.
    """
    found = []
    for rate in compared(gap, burden):
        over, under = (cells[list(part)].sum(axis=1) for part in (RATES | {"spared_rate": SPARED})[rate])
        kept = under >= max(at_least, 1)
        order = (over[kept] / under[kept]).sort_values(kind="stable").index
        if len(order) < 2 or (gap == RATIO and not over[order[-1]]):
            return []
        for low, high in itertools.combinations(order, 2):
            if gap != RATIO:
                apart = difference_of_proportions(over[high], under[high], over[low], under[low])
            elif over[high]:
                apart = ratio_of_proportions(over[low], under[low], over[high], under[high])
            else:
                continue  # nobody of either is selected, and others are: those pairs tell
            found.append(Gap(gap, rate, low, high, apart, int(min(under[low], under[high]))))
    return found


def _value(gap: Gap) -> float:
    return gap.interval.value


def rate_of(cells: pd.Series, rate: str) -> Interval | None:
    """Return a rate of one group, a row of `counts`, with Wilson's interval; None if nobody stands below the line."""
    over, under = (int(cells[list(part)].sum()) for part in RATES[rate])
    return wilson(over, under) if under else None


def _kind(one: object) -> str:
    if isinstance(one, (bool, np.bool_)):
        return "booleans"
    if isinstance(one, numbers.Integral):
        return "whole numbers"
    return "text" if isinstance(one, str) else "numbers" if isinstance(one, numbers.Number) else type(one).__name__


def _some(array: NDArray[Any]) -> str:
    found = list(dict.fromkeys(array.tolist()))
    return ", ".join(map(repr, found[:4])) + (" …" if len(found) > 4 else "")
