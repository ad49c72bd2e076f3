"""A guard between a generator of job descriptions and the page, and a gate for repairs of the generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from helix.generative import gendered_wording
from helix.generative.gendered_wording import Finding
from helix.generative.rewriter import rewrite

LIMIT = 0.1  # of a skew that was put in may arrive, on either axis
FAULTS = 0.02  # by which the share of faultless sentences may fall
LONGEST = 20_000  # characters of a description; longer ones are held, not read
_NUMBERS = ("pronoun_skew", "trait_skew", "faultless")


@dataclass(frozen=True)
class Checked:
    """What the guard did with a text.

    Attributes
    ----------
    action : "publish", "rewrite" or "hold"
        As it was; with its pronouns put neutrally; or not before a human has seen it.
    text : str
        What may be published; if held, the text as it was.
    findings : tuple of Finding
        All gendered wording of the text as it was.
    reason : str
        In one sentence.
    """

    action: Literal["publish", "rewrite", "hold"]
    text: str
    findings: tuple[Finding, ...]
    reason: str


def guard(text: str) -> Checked:
    """Decide whether a generated job description may be published.

    Pronouns of the wanted person are rewritten, and the result is read again. Any other gendered wording is held: to leave out
    “men preferred” is not a matter of grammar. The guard reads one text; a lean over many texts is for `refusals`.

    Raises
    ------
    TypeError
        If it is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"A job description is a text; got {type(text).__name__}.")
    if len(text) > LONGEST:
        return Checked("hold", text, (), f"It has {len(text):,} characters; the guard reads {LONGEST:,}.")
    found = tuple(gendered_wording.find(text))
    others = sorted({one.code for one in found} - {"pronoun"})
    if others:
        return Checked(
            "hold", text, found, f"It has gendered wording that no rewriter may decide on: {', '.join(others)}."
        )
    repaired = rewrite(text)
    if repaired == text and not found:
        return Checked("publish", text, (), "No gendered wording was found.")
    if gendered_wording.find(repaired):
        return Checked(
            "hold", text, found, "A pronoun of the wanted person is left that the rewriter cannot put neutrally."
        )
    return Checked("rewrite", repaired, found, "Its pronouns are put neutrally.")


def guarded(texts: Sequence[str]) -> dict[str, list[Checked]]:
    """Return what the guard did with each of several texts, under the three actions; none is lost."""
    made: dict[str, list[Checked]] = {"publish": [], "rewrite": [], "hold": []}
    for text in texts:
        one = guard(text)
        made[one.action].append(one)
    return made


def refusals(
    before: Mapping[str, float], after: Mapping[str, float], limit: float = LIMIT, faults: float = FAULTS
) -> list[str]:
    """Return why a repaired generator may not replace the one before it; an empty list if it may.

    Parameters
    ----------
    before, after : mappings
        ``pronoun_skew`` and ``trait_skew``: how much of each skew that was put in may arrive, as
        `helix.generative.generation_bias.furthest` takes it from the interval of a slope; and ``faultless``, the share of faultless sentences.
    limit : float
        For either skew; a skew the other way round counts as well.
    faults : float
        By which ``faultless`` may fall.

    Raises
    ------
    ValueError
        If a number is missing or is not finite: what was not measured is not zero.
    """
    for name, record in (("before", before), ("after", after)):
        for key in _NUMBERS:
            value = record.get(key)
            if not isinstance(value, int | float) or not abs(value) < float("inf"):
                raise ValueError(f"{key!r} {name} the repair must be a finite number; got {value!r}. Measure it first.")
    reasons = []
    for key in _NUMBERS[:2]:
        if abs(after[key]) > limit:
            worse = " It was not before." if abs(before[key]) <= limit else ""
            reasons.append(f"{key} is {after[key]:.2f}, further from 0 than {limit:g}.{worse}")
    if before["faultless"] - after["faultless"] > faults:
        reasons.append(
            f"faultless fell from {before['faultless']:.3f} to {after['faultless']:.3f}, by more than {faults:g}."
        )
    return reasons
