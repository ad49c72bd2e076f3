"""Rates and gaps between groups of people, written out once and used by everything that audits."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helix.measure import Interval, difference_of_proportions, wilson

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
# What each gap compares between groups.
COMPARED = {
    "demographic_parity": ("selection_rate",),
    "equal_opportunity": ("tpr",),
    "equalised_odds": ("tpr", "fpr"),
    "predictive_parity": ("ppv",),
    "accuracy": ("accuracy",),
}
SMALL = 30  # a rate of fewer people than this is shown and not compared


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
        One attribute, or several: the columns of a table make intersectional groups (“Black × Female”).
    n : int
        How many people there are.

    Raises
    ------
    ValueError
        If the lengths differ, a group is missing, a column is there twice, or types are mixed, so that "1" and 1, or 1 and
        1.0, would be two groups.
    """
    import pandas as pd

    if hasattr(groups, "columns"):
        if not len(groups.columns):
            raise ValueError("The table of groups has no columns.")
        if len(set(groups.columns)) < len(groups.columns):
            raise ValueError(f"The table of groups has a column twice: {', '.join(map(str, groups.columns))}.")
        parts = [names(groups[column], n) for column in groups.columns]
        return np.array([" × ".join(row) for row in zip(*parts, strict=True)], dtype=object)
    array = np.asarray(groups, dtype=object)
    if array.shape != (n,):
        raise ValueError(f"There are {n} people, and groups of the shape {array.shape}; each person needs one group.")
    if missing := int(pd.isna(array).sum()):
        raise ValueError(f"The group is missing for {missing} of {n} people. Name it ('not stated') or leave them out.")
    if len(kinds := {_kind(one) for one in array}) > 1:
        raise ValueError(f"The group column mixes {' and '.join(sorted(kinds))}. Make it one type: .astype(str).")
    return np.array([str(one) for one in array], dtype=object)


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
        0, equal, to 1. ``impact_ratio`` is the lowest selection rate over the highest: 1 is equal. NaN where a rate of a
        group is undefined, or nobody is selected.

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
    found["impact_ratio"] = float(selected.min() / selected.max()) if selected.max() else float("nan")
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
        A key of `COMPARED`, and the rate of it that differs most.
    low, high : str
        The groups where that rate is lowest and highest.
    interval : Interval
        The difference, with Newcombe's interval at 95 %. The two were picked *because* they lie furthest apart, so that with
        many groups the interval promises too much.
    behind : int
        How many people the less certain one of the two rates was computed from.
    """

    name: str
    rate: str
    low: str
    high: str
    interval: Interval
    behind: int


def widest(cells: pd.DataFrame, gap: str, at_least: int = SMALL) -> Gap | None:
    """Find the two groups between which a gap is widest, among the rates that enough people stand behind.

    Parameters
    ----------
    cells : DataFrame
        From `counts`.
    gap : str
        A key of `COMPARED`.
    at_least : int
        Rates of fewer people are left out of the comparison. Whoever does that has to say so.

    Returns
    -------
    Gap or None
        None if fewer than two groups remain for one of its rates: then the gap is not known.

    Raises
    ------
    ValueError
        If there is no such gap.
    """
    if gap not in COMPARED:
        raise ValueError(f"There is no gap {gap!r}; there are {', '.join(COMPARED)}.")
    found = []
    for rate in COMPARED[gap]:
        over, under = (cells[list(part)].sum(axis=1) for part in RATES[rate])
        kept = under >= max(at_least, 1)
        if kept.sum() < 2:
            return None
        order = (over[kept] / under[kept]).sort_values(kind="stable").index
        low, high = order[0], order[-1]
        difference = difference_of_proportions(over[high], under[high], over[low], under[low])
        found.append(Gap(gap, rate, low, high, difference, int(min(under[low], under[high]))))
    return max(found, key=lambda one: one.interval.value)


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
