"""Claims: the sentence, what was measured, and the verdict that follows.

The reference of a claim is what its experiment recorded. A chapter shows it beside the learner's own run and never
raises over a difference: a slower machine is not a mistake.
"""

from __future__ import annotations

import html
import re
from dataclasses import asdict, dataclass
from typing import Any

from helix import paths
from helix.course import catalogue
from helix.record import results

# Each verdict with the sign that stands beside its word; "holds if" is followed by its condition.
SIGNS = {"holds": "✓", "holds if": "◐", "does not hold": "✗", "not tested": "–", "not traced": "?"}
VERDICTS = tuple(verdict for verdict in SIGNS if verdict != "holds if")


@dataclass(frozen=True)
class Measured:
    """What was measured for a claim, and what follows: `verdict` is one of `VERDICTS` or ``holds if …``.

    ``not tested``: what the claim speaks of could not be measured here, and something else stands in `measured`.
    ``not traced``: no source says what the claim is said to say.
    """

    measured: str
    verdict: str
    conditions: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS and not re.fullmatch(r"holds if \S.*", self.verdict):
            raise ValueError(
                f"The verdict {self.verdict!r} is none of: {', '.join(VERDICTS)}, or 'holds if' and a condition."
            )
        if not self.measured.strip():
            raise ValueError("A claim needs what was measured, in words and numbers.")

    @property
    def signed(self) -> str:
        """The verdict with its sign, such as ``◐ holds if …``."""
        known = self.verdict if self.verdict in SIGNS else "holds if"
        return f"{SIGNS[known]} {self.verdict}"

    def as_record(self) -> dict[str, str]:
        """Return the fields as plain data."""
        return asdict(self)


def find(id: str) -> tuple[catalogue.Chapter, catalogue.Claim]:
    """Return a claim of the catalogue and its chapter.

    Raises
    ------
    ValueError
        If there is none with this id.
    """
    for chapter in catalogue.load().chapters:
        for claim_ in chapter.claims:
            if claim_.id == id:
                return chapter, claim_
    raise ValueError(f"There is no claim {id!r} in source/course.toml. Add it to its chapter there first.")


def reference(id: str) -> Measured | None:
    """Return what the claim's experiment recorded, or None if it has not been measured."""
    chapter, _ = find(id)
    if not results.path(chapter.name).exists():
        return None
    found = results.load(chapter.name).get("claims", {}).get(id)
    return Measured(**found) if found else None


class ClaimView:
    """A claim as a chapter shows it; HTML in a notebook, text elsewhere."""

    def __init__(self, statement: str, rows: list[tuple[str, Measured]], origin: str) -> None:
        self.statement, self.rows, self.origin = statement, rows, origin

    def __repr__(self) -> str:
        lines = [f"Claim: {self.statement}", f"Origin: {self.origin}"]
        for label, row in self.rows:
            lines += [f"{label}: {row.measured} → {row.signed}"] + [f"  {row.conditions}"] * bool(row.conditions)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        left = "style='text-align:left;vertical-align:top'"
        rows = "".join(
            f"<tr><th scope='row' {left}>{label}</th><td {left}>{_inline(row.measured)}</td>"
            f"<td {left}><b>{_inline(row.signed)}</b></td><td {left}>{_inline(row.conditions)}</td></tr>"
            for label, row in self.rows
        )
        heads = "".join(f"<th scope='col' {left}>{head}</th>" for head in ("run", "measured", "verdict", "conditions"))
        return (
            "<div style='border-left:4px solid #6a5acd;padding:.4em .9em;margin:.4em 0'>"
            f"<div><b>Claim.</b> {_inline(self.statement)}</div>"
            f"<div style='opacity:.75'>Origin: {_inline(self.origin)}</div>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )


def _inline(text: str) -> str:
    """Return a text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def claim(id: str, measured: str = "", verdict: str = "", conditions: str = "") -> ClaimView:
    """Show a claim with its recorded reference and, beside it, what this run measured.

    Parameters
    ----------
    id : str
        The claim's id in the catalogue, which holds the statement and its origin.
    measured : str
        What this run measured, in words and numbers; left out, the record stands alone, as where a run takes hours.
    verdict : str
        What follows from this run: ``holds``, ``does not hold``, ``not tested``, ``not traced``, or ``holds if …``.
    conditions : str
        Under which conditions this run measured.

    Returns
    -------
    ClaimView
        Shown by the notebook when it is the last line of a cell.

    Raises
    ------
    ValueError
        If the id is unknown, the verdict is none of these, the record is given out as this run's measurement, or there
        is neither.
    """
    _, found = find(id)
    recorded = reference(id)
    rows = [("recorded", recorded)] if recorded else []
    if measured or verdict or conditions:
        if recorded and measured == recorded.measured:
            raise ValueError(
                f"What this run is said to have measured of {id!r} is the record, word for word. "
                f"Give what this run measured, or show the record alone: claim({id!r})."
            )
        rows.append(("this run", Measured(measured, verdict, conditions)))
    if not rows:
        raise ValueError(f"The claim {id!r} has neither a record nor a measurement of this run.")
    return ClaimView(found.statement, rows, found.origin)


def table() -> list[dict[str, Any]]:
    """Return the register: every claim that has been measured, with its chapter, reference and date."""
    rows = []
    for chapter in catalogue.load().chapters:
        if not results.path(chapter.name).exists():
            continue
        record = results.load(chapter.name)
        for found in chapter.claims:
            if measured := record.get("claims", {}).get(found.id):
                rows.append(
                    {
                        "chapter": chapter.name,
                        "id": found.id,
                        "statement": found.statement,
                        **measured,
                        "date": record["date"],
                        "record": paths.display(results.path(chapter.name)),
                    }
                )
    return rows
