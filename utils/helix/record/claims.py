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

VERDICTS = ("holds", "does not hold", "not traced")


@dataclass(frozen=True)
class Measured:
    """What was measured for a claim, and what follows: `verdict` is one of `VERDICTS` or ``holds if …``."""

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
            lines += [f"{label}: {row.measured} → {row.verdict}"] + [f"  {row.conditions}"] * bool(row.conditions)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td style='text-align:left'>{html.escape(label)}</td>"
            f"<td style='text-align:left'>{html.escape(row.measured)}</td>"
            f"<td style='text-align:left'><b>{html.escape(row.verdict)}</b></td>"
            f"<td style='text-align:left'>{html.escape(row.conditions)}</td></tr>"
            for label, row in self.rows
        )
        return (
            "<div style='border-left:4px solid #6a5acd;padding:.4em .9em;margin:.4em 0'>"
            f"<div><b>Claim.</b> {html.escape(self.statement)}</div>"
            f"<div style='opacity:.75'>Origin: {html.escape(self.origin)}</div>"
            "<table><thead><tr><th style='text-align:left'></th><th style='text-align:left'>measured</th>"
            "<th style='text-align:left'>verdict</th><th style='text-align:left'>conditions</th></tr></thead>"
            f"<tbody>{cells}</tbody></table></div>"
        )


def claim(id: str, measured: str, verdict: str, conditions: str = "") -> ClaimView:
    """Set this run's measurement of a claim beside the recorded reference.

    Parameters
    ----------
    id : str
        The claim's id in the catalogue, which holds the statement and its origin.
    measured : str
        What this run measured, in words and numbers.
    verdict : str
        ``holds``, ``does not hold``, ``not traced``, or ``holds if …``.
    conditions : str
        Under which conditions this run measured.

    Returns
    -------
    ClaimView
        Shown by the notebook when it is the last line of a cell.

    Raises
    ------
    ValueError
        If the id is unknown or the verdict is none of these.
    """
    _, found = find(id)
    rows = [("this run", Measured(measured, verdict, conditions))]
    if recorded := reference(id):
        rows.insert(0, ("recorded", recorded))
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
