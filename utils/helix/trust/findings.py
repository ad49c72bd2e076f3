"""What an audit found: the lines that it judges, and who was counted. Nothing here asks a model or writes a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from helix.trust.groups import COMPARED, RATES, Gap

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = 10  # of fewer people nothing is printed: they could be recognised
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Page:
    """What the readers of a report need beside the numbers, in their own words. All of it is printed; what nobody gave as “not stated”.

    Attributes
    ----------
    title, about : str
        The heading, and what is decided about whom.
    selected : str
        What happens to whoever is selected, as it follows “A person …”: "gets the offer".
    label : str
        What the label 1 means, in the same way: "earns over 50,000 dollars".
    date : str
        Of the audit; today's, if it is not given.
    model, data : str
        Which version of which model, and which people. The audit adds a hash of labels and groups.
    threshold : str
        Where the threshold comes from: "chosen on validation, for one offer to ten people".
    owner, next_step : str
        Who answers for the model, and what that person does next.
    """

    title: str = "Fairness audit"
    about: str = ""
    selected: str = "is selected"
    label: str = "has the label 1"
    date: str = ""
    model: str = ""
    data: str = ""
    threshold: str = ""
    owner: str = ""
    next_step: str = ""


@dataclass(frozen=True)
class Line:
    """A gap and what the audit says of it.

    Attributes
    ----------
    name : str
        A key of `helix.trust.groups.COMPARED`, or ``impact_ratio``.
    gap : Gap or None
        None if too few people stand behind its rates: then the gap is not known.
    limit : float or None
        None if nobody set one.
    verdict : str
        ``within``, ``too wide``, ``not certain`` (the estimate is within, the end of its interval is not), ``not known`` (for some
        group) or ``no limit``.
    refused : bool
        Whether this line alone is a reason to refuse.
    unknown : tuple of str
        The groups of which too few people stand behind a rate.
    """

    name: str
    gap: Gap | None
    limit: float | None
    verdict: str
    refused: bool = False
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What an audit found.

    Attributes
    ----------
    page : Page
        What the report says beside the numbers.
    threshold : float
        Whose score is above it was selected.
    cells : DataFrame
        The confusion matrix of every group, as `counts` gives it.
    lines : tuple of Line
        One for each gap, and one for the impact ratio.
    ranges : DataFrame or None
        From `calibration`, in fifths of the score; None if the model gives labels only.
    at_least, hide_below : int
        Rates of fewer people were not compared, and are not printed.
    burden : bool
        Whether to be selected is a burden.
    let_pass : tuple of str
        Groups that could pass without being known.
    nobody : tuple of str
        Groups that the data name, and to which nobody belongs.
    fingerprint : str
        SHA-256 of labels and groups, person by person.
    """

    page: Page
    threshold: float
    cells: pd.DataFrame
    lines: tuple[Line, ...]
    ranges: pd.DataFrame | None
    at_least: int
    hide_below: int = HIDDEN
    burden: bool = False
    let_pass: tuple[str, ...] = ()
    nobody: tuple[str, ...] = field(default=())
    fingerprint: str = ""

    @property
    def passed(self) -> bool:
        """Whether no line refuses. An audit without limits refuses nothing, and shows."""
        return not any(line.refused for line in self.lines)

    @property
    def left_out(self) -> dict[str, tuple[str, ...]]:
        """For each group that some rate of too few people kept out of a comparison, these rates."""
        thin, rates_compared = {}, {rate for rates in COMPARED.values() for rate in rates}
        for group, cell in self.cells.iterrows():
            under = {
                rate: sum(cell[part] for part in below) for rate, (_, below) in RATES.items() if rate in rates_compared
            }
            if rates := tuple(rate for rate, n in under.items() if n < self.at_least):
                thin[str(group)] = rates
        return thin
