"""What an audit found: the lines that it judges, and who was counted. Nothing here asks a model or writes a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from helix.trust.groups import COMPARED, RATES, Gap

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Line:
    """A gap and what the audit says of it.

    Attributes
    ----------
    name : str
        A key of `helix.trust.groups.COMPARED`.
    gap : Gap or None
        None if too few people stand behind its rates: then the gap is not known.
    limit : float or None
        None if nobody set one.
    verdict : str
        ``within``, ``too wide``, ``not certain`` (only if certainty was asked for), ``not known`` or ``no limit``.
    """

    name: str
    gap: Gap | None
    limit: float | None
    verdict: str

    @property
    def refused(self) -> bool:
        """Whether this line alone is a reason to refuse. What has a limit and is not known is refused too."""
        return self.verdict in ("too wide", "not certain") or (self.verdict == "not known" and self.limit is not None)


@dataclass(frozen=True)
class Findings:
    """What an audit found.

    Attributes
    ----------
    title, about, threshold
        As given to `audit`.
    cells : DataFrame
        The confusion matrix of every group, as `counts` gives it.
    lines : tuple of Line
        One for each gap.
    ranges : DataFrame or None
        From `calibration`, in fifths of the score; None if the model gives labels only.
    at_least : int
        Rates of fewer people were shown and not compared.
    """

    title: str
    about: str
    threshold: float
    cells: pd.DataFrame
    lines: tuple[Line, ...]
    ranges: pd.DataFrame | None
    at_least: int

    @property
    def passed(self) -> bool:
        """Whether no line refuses. An audit without limits refuses nothing, and shows."""
        return not any(line.refused for line in self.lines)

    @property
    def left_out(self) -> dict[str, tuple[str, ...]]:
        """For each group that some rate of too few people kept out of a comparison, these rates."""
        thin, compared = {}, {rate for rates in COMPARED.values() for rate in rates}
        for group, cell in self.cells.iterrows():
            under = {rate: sum(cell[part] for part in below) for rate, (_, below) in RATES.items() if rate in compared}
            if rates := tuple(rate for rate, n in under.items() if n < self.at_least):
                thin[str(group)] = rates
        return thin
