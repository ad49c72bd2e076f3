"""Mitigation around training: weights before, thresholds after, the rule that chooses a setting, the price in people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helix.trust.groups import ROUNDING, binary, finite, gaps, group_metrics, keeps, names

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 0.1
TOLERANCE = 0.02


def codes(groups: Any, n: int) -> tuple[tuple[str, str], NDArray[np.int64]]:
    """Return the names of two groups, in alphabetical order, and the place, 0 or 1, of each person's.

    Raises
    ------
    ValueError
        If there are not just two groups, one is missing for a person, or types are mixed.
    """
    of = names(groups, n)
    found = sorted(set(of))
    if len(found) != 2:
        raise ValueError(f"Two groups are wanted, neither of them empty; there are: {', '.join(found)}.")
    return (found[0], found[1]), (of == found[1]).astype(np.int64)


def reweighing(y: ArrayLike, groups: Any) -> NDArray[np.float64]:
    """Return a weight for each person under which label and group are independent: P(group) P(label) / P(group, label).

    Raises
    ------
    ValueError
        If labels or groups are not what they should be, or a group has only one of the labels: no weight makes up for
        people who are not there.

    References
    ----------
    F. Kamiran and T. Calders (2012), Data preprocessing techniques for classification without discrimination,
    doi:10.1007/s10115-011-0463-8.
    """
    truth = binary(y, "y")
    both, code = codes(groups, len(truth))
    cells = np.zeros((2, 2))
    np.add.at(cells, (code, truth), 1)
    if not cells.all():
        group, label = np.argwhere(cells == 0)[0]
        raise ValueError(f"Nobody in the group {both[group]} has the label {label}: a weight cannot make up for that.")
    table = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / len(truth) / cells
    weights: NDArray[np.float64] = table[code, truth]
    return weights


def parity_thresholds(scores: ArrayLike, y: ArrayLike, groups: Any, eps: float = 0.0) -> dict[str, float]:
    """Return a threshold for each group with the most right answers, of those whose selection rates lie within eps.

    Whoever scores *above* the threshold of the own group is selected. So the group must be known when the decision is
    made, which may be forbidden, and is a choice of its own. No chance is involved, unlike in Hardt and others; rates are
    tried in steps of half a hundredth, and one person of the smallest group more than eps is let pass. To select nobody at
    all, or everybody, is never the answer, even where that is most often right, as with a rare label: it decides nothing.

    Parameters
    ----------
    scores, y, groups : array_like, shape (n,)
        Of validation people. Thresholds that were chosen on test people say nothing about others.
    eps : float
        The largest difference of the selection rates.

    Raises
    ------
    ValueError
        If a score is NaN, labels or groups are not what they should be, there is one group only, all scores of a group are
        the same, or so many are that only selecting nobody, or everybody, keeps the rates within eps.

    References
    ----------
    M. Hardt, E. Price and N. Srebro (2016), Equality of Opportunity in Supervised Learning, arXiv:1610.02413.
    """
    truth = binary(y, "y")
    if not 0 <= eps <= 1:
        raise ValueError(f"A difference of rates lies from 0 to 1; eps is {eps}.")
    numbers, of = finite(scores, len(truth)), names(groups, len(truth))
    found = {}
    for name in sorted(set(of)):
        own, right = numbers[of == name], truth[of == name]
        if np.ptp(own) == 0:
            raise ValueError(f"All scores in the group {name} are the same: no threshold can divide it.")
        ladder = np.append(np.sort(own)[::-1], np.nextafter(own.min(), -np.inf))
        cut = ladder[np.round(np.linspace(0, 1, 201) * len(own)).astype(int)]
        selected = own > cut[:, None]
        found[name] = (cut, selected.mean(axis=1), (selected == right).sum(axis=1))
    if len(found) < 2:
        raise ValueError(f"There is only the group {next(iter(found))!r}: a comparison needs two.")
    slack = eps + 1 / min((of == name).sum() for name in found)
    best: tuple[int, dict[str, float]] = (-1, {})
    for low in sorted({float(rate) for _, rates, _ in found.values() for rate in rates}):
        inside = {
            name: np.where((rates >= low) & (rates <= low + slack + ROUNDING), correct, -1)
            for name, (_, rates, correct) in found.items()
        }
        if any(correct.max() < 0 for correct in inside.values()):
            continue
        steps = _deciding({name: rates for name, (_, rates, _) in found.items()}, inside)
        total = sum(int(inside[name][step]) for name, step in steps.items())
        if steps and total > best[0]:
            best = (total, {name: float(found[name][0][step]) for name, step in steps.items()})
    if not best[1]:
        raise ValueError(
            f"Too many people have the same score: of the rates within {eps:g} of each other, thresholds reach only those "
            "that select nobody or everybody."
        )
    return best[1]


def _deciding(rates: Mapping[str, NDArray[Any]], correct: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Return for each group the step that is most often right; none, if they can but select nobody or everybody.

    Where the best steps do that together, the group that loses the fewest right answers by it takes its next best step.
    """
    steps = {name: int(of.argmax()) for name, of in correct.items()}
    chosen = {float(rates[name][step]) for name, step in steps.items()}
    if chosen not in ({0.0}, {1.0}):
        return steps
    others = {name: np.where(rates[name] == min(chosen), -1, of) for name, of in correct.items()}
    lost = {name: correct[name].max() - of.max() for name, of in others.items() if of.max() >= 0}
    if not lost:
        return {}
    name = min(lost, key=lambda one: int(lost[one]))
    return steps | {name: int(others[name].argmax())}


def select(scores: ArrayLike, groups: Any, thresholds: Mapping[str, float]) -> NDArray[np.int64]:
    """Return 1 for everyone who scores above the threshold of the own group.

    Raises
    ------
    ValueError
        If a score is NaN, or a group has no threshold.
    """
    of = names(groups, len(np.asarray(scores)))
    numbers = finite(scores, len(of))
    if unknown := sorted(set(of) - set(thresholds)):
        raise ValueError(f"The group {unknown[0]!r} has no threshold. It was not there when they were chosen.")
    return (numbers > np.array([thresholds[name] for name in of])).astype(np.int64)


def choose(validation: Mapping[Any, tuple[float, float]], limit: float = LIMIT) -> Any:
    """Choose a setting by the rule: on validation, of those whose gap is at most the limit, the most accurate.

    Parameters
    ----------
    validation : mapping of setting to (accuracy, gap)
        The gap is the absolute one. Of equally accurate settings the one with the smaller gap is taken.
    limit : float
        The widest gap.

    Raises
    ------
    ValueError
        If a number is NaN, a gap is negative, or no setting keeps the limit: then the rule has no answer, and the
        next best is another rule.
    """
    for setting, (accuracy, gap) in validation.items():
        if not (np.isfinite(accuracy) and np.isfinite(gap)) or gap < 0:
            raise ValueError(
                f"The setting {setting!r} has accuracy {accuracy} and gap {gap}; a gap is an absolute value."
            )
    kept = {setting: pair for setting, pair in validation.items() if keeps(pair[1], limit)}
    if not kept:
        raise ValueError(f"No setting has a gap of at most {limit:g} on validation.")
    return max(kept, key=lambda setting: (kept[setting][0], -kept[setting][1]))


def moved(y: ArrayLike, before: ArrayLike, after: ArrayLike, groups: Any) -> pd.DataFrame:
    """Count, for each group, whom a mitigation moves.

    Parameters
    ----------
    y, before, after : array_like of 0 and 1, shape (n,)
        What was true, and who was selected before and after.
    groups : array_like, shape (n,)

    Returns
    -------
    DataFrame
        A row a group: ``n``; ``wins`` and ``loses``, people newly selected and newly turned away; ``qualified_wins`` and
        ``qualified_loses``, those of them with label 1; selection rates and true positive rates before and after.

    Raises
    ------
    ValueError
        As `helix.trust.groups.counts`.
    """
    then, now = group_metrics(y, before, groups), group_metrics(y, after, groups)
    truth, was, is_ = binary(y), binary(before, "before"), binary(after, "after")
    of, frame = names(groups, len(truth)), then[["n"]].copy()
    for column, people in {
        "wins": (was == 0) & (is_ == 1),
        "loses": (was == 1) & (is_ == 0),
        "qualified_wins": (was == 0) & (is_ == 1) & (truth == 1),
        "qualified_loses": (was == 1) & (is_ == 0) & (truth == 1),
    }.items():
        frame[column] = [int(people[of == name].sum()) for name in frame.index]
    for rate in ("selection_rate", "tpr"):
        frame[f"{rate}_before"], frame[f"{rate}_after"] = then[rate], now[rate]
    return frame


def refusals(
    y: ArrayLike, before: ArrayLike, after: ArrayLike, groups: Any, limit: float = LIMIT, tolerance: float = TOLERANCE
) -> list[str]:
    """Return the reasons to refuse a mitigation; none, if it may pass.

    It is refused if the gap of selection rates is still wider than `limit`; if it shrank and the gap of true positive
    rates grew by more than `tolerance`; or if it shrank by **levelling down**: no group is selected more often.

    Parameters
    ----------
    y, before, after, groups
        As `moved` takes them.
    limit, tolerance : float
        Set by those who answer for it, before anyone looks at the people it is asked about.

    Raises
    ------
    ValueError
        As `moved`; and if a group has no qualified people, so that its true positive rate is not known.
    """
    table = moved(y, before, after, groups)
    if table["tpr_before"].isna().any():
        raise ValueError(f"Nobody in the group {table.index[table['tpr_before'].isna()][0]} has label 1.")
    was, now = gaps(y, before, groups), gaps(y, after, groups)
    found = []
    if not keeps(now["demographic_parity"], limit):
        found.append(f"Selection rates differ by {now['demographic_parity']:.3f}, more than {limit:g}.")
    if now["demographic_parity"] < was["demographic_parity"]:
        grown = now["equal_opportunity"] - was["equal_opportunity"]
        if not keeps(grown, tolerance):
            lost = ", ".join(f"{count} {name}" for name, count in table["qualified_loses"].items())
            found.append(
                f"Among the qualified the gap grew from {was['equal_opportunity']:.3f} to {now['equal_opportunity']:.3f}; newly turned away of them: {lost}."
            )
        if (table["selection_rate_after"] <= table["selection_rate_before"]).all():
            found.append("Levelling down: the gap is narrower because people were turned away, and no group gained.")
    return found
