"""The audit of chapter 00: what one sample of people shows of a selection gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helix.measure import Interval, difference_of_proportions


@dataclass(frozen=True)
class SampleGap:
    """One audit: the gap it measured, and whether its interval leaves no gap behind."""

    gap: Interval

    @property
    def sees(self) -> bool:
        """Whether the interval excludes zero: the audit shows that there is a gap."""
        return 0.0 not in self.gap


def sample_gap(table: pd.DataFrame, size: int, rng: np.random.Generator) -> SampleGap | None:
    """Draw people from a table and measure how much more often men than women are selected.

    Parameters
    ----------
    table : pandas.DataFrame
        With the columns ``sex`` (``Male``, ``Female``) and ``income_over_50k`` (0 or 1, taken as the selection).
    size : int
        How many people are drawn, without replacement.
    rng : numpy.random.Generator
        The source of the draw.

    Returns
    -------
    SampleGap or None
        The difference of the two selection rates with Newcombe's 95 % interval (Statistics in Medicine 17, 1998,
        method 10); None if one of the groups was not drawn at all.

    Raises
    ------
    ValueError
        If `size` is not between 1 and the number of rows.
    """
    if not 1 <= size <= len(table):
        raise ValueError(f"An audit of {size} people cannot be drawn from {len(table)}: take 1 to {len(table)}.")
    drawn = rng.choice(len(table), size=size, replace=False)
    selected = table["income_over_50k"].to_numpy()[drawn]
    men = (table["sex"] == "Male").to_numpy()[drawn]
    if men.all() or not men.any():
        return None
    men_selected, women_selected = int(selected[men].sum()), int(selected[~men].sum())
    return SampleGap(difference_of_proportions(men_selected, int(men.sum()), women_selected, int((~men).sum())))
