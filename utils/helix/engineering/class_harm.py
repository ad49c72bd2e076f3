"""Whom a smaller network costs: how the accuracy of each class changed, and a gate that asks about each one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from helix import measure


def class_changes(
    labels: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]
) -> dict[int, measure.Interval]:
    """Return for each class how its accuracy changed, with a paired 95 % interval; below 0 the class lost.

    Parameters
    ----------
    labels, before, after : ndarray of int, shape (n,)
        The true classes, and the predictions of the network before and after it was made smaller, of the same pictures.

    Raises
    ------
    ValueError
        If the three differ in length, or there is no picture.
    """
    labels, before, after = map(np.asarray, (labels, before, after))
    if not len(labels) == len(before) == len(after):
        raise ValueError(
            f"{len(labels)} labels, {len(before)} and {len(after)} predictions: all of the same pictures, please."
        )
    if not len(labels):
        raise ValueError("There are no pictures, so nothing is known of any class.")
    right_before, right_after = before == labels, after == labels
    changes = {}
    for label in np.unique(labels):
        here = labels == label
        won, lost = (right_after & ~right_before & here).sum(), (right_before & ~right_after & here).sum()
        changes[int(label)] = measure.paired_difference(int(won), int(lost), int(here.sum()))
    return changes


def class_gate(
    labels: NDArray[np.int64],
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    limit: float = 0.02,
    updates: Sequence[NDArray[np.int64]] = (),
) -> bool:
    """Say whether a smaller network may take the place of another: no class loses more than `limit` of its accuracy.

    Parameters
    ----------
    labels, before, after : ndarray of int, shape (n,)
        As in `class_changes`. Where `after` was trained further, let `before` be a network that was trained as long at full size: else the
        gate blames the smaller numbers for what the training did.
    limit : float
        The largest fall of a class's accuracy that may pass, as a share of its pictures.
    updates : sequence of ndarray, shape (n,)
        Predictions of networks that only were trained on, at full size. Each must pass, or the limit is narrower than what any update does to
        a class, and the gate would say nothing about size.

    Raises
    ------
    ValueError
        As `class_changes`, or if an update does not pass.
    """
    for update in updates:
        worst = min(change.value for change in class_changes(labels, before, update).values())
        if worst < -limit:
            raise ValueError(
                f"An update at full size costs a class {-worst:.3f}, more than the limit of {limit:g}: this gate would stop every update."
            )
    return all(change.value >= -limit for change in class_changes(labels, before, after).values())
