r"""Audit a classifier group by group, hand the report on, and refuse a model whose gaps are too wide or not known.

From a shell or in continuous integration::

    python -m helix.trust.fairness_audit --model shop.model:load --data people.csv --label hired --groups sex \\
        --limit demographic_parity=0.1 impact_ratio=0.8 --report audit.html

exits with 0 (passed), 1 (refused) or 2 (could not be asked). The model is code of yours that is imported: a pickle that came
with the data would run whatever its maker wrote into it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from helix.trust import audit_report
from helix.trust.asking import scores_of
from helix.trust.findings import HIDDEN, Findings, Line, Page
from helix.trust.groups import (
    COMPARED,
    RATES,
    RATIO,
    SMALL,
    binary,
    calibration,
    compared,
    counts,
    gaps,
    group_metrics,
    keeps,
    names,
    pairs,
    widest,
    without_people,
)

__all__ = [
    "Audit", "Line", "Page", "Refused", "audit", "calibration", "counts", "gaps", "gate", "group_metrics", "scores_of",
]  # fmt: skip

LIMITED = (*COMPARED, RATIO)


class Audit(Findings):
    """What an audit found, and how it is told; the fields are those of `Findings`."""

    def to_markdown(self, level: int = 1) -> str:
        """Return the report as Markdown (CommonMark with tables); its heading is of this level, 3 or deeper inside a chapter."""
        return audit_report.markdown(self, level)

    def to_html(self) -> str:
        """Return the report as one HTML page that needs no network and no script."""
        return audit_report.html_page(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a file that ends in .html or .md, and return its path.

        Raises
        ------
        ValueError
            If it ends in something else.
        """
        target = Path(path)
        if target.suffix not in (".html", ".md"):
            raise ValueError(f"A report is a page (.html) or Markdown (.md); got {target.name!r}.")
        target.write_text(self.to_html() if target.suffix == ".html" else self.to_markdown(), encoding="utf-8")
        return target


def audit(
    model: Any,
    X: Any,
    y: ArrayLike,
    groups: Any,
    *,
    limits: Mapping[str, float] | None = None,
    threshold: float = 0.5,
    at_least: int = SMALL,
    certain: bool = True,
    unknown: Sequence[str] = (),
    burden: bool = False,
    hide_below: int = HIDDEN,
    page: Page | None = None,
) -> Audit:
    """Audit a classifier, group by group.

    A limit is kept only if that is **known**: the estimate lies within it, the end of its 95 % interval does too, and every
    group has enough people behind its rate. Whoever decides with less says so (`certain`, `unknown`), and the report's
    headline repeats it.

    Parameters
    ----------
    model, X
        As `scores_of` takes them.
    y : array_like of 0 and 1, shape (n,)
        What was true.
    groups : array_like, shape (n,), or DataFrame
        The sensitive attribute, kept apart from `X`; several columns make intersectional groups. A category of pandas to
        which nobody belongs is a group of which nothing is known; ``.cat.remove_unused_categories()`` drops it.
    limits : mapping of str to float, optional
        The widest gap that is let through, for any key of `helix.trust.groups.COMPARED`; for ``impact_ratio`` the lowest ratio.
    threshold : float
        Whose score is above it is selected. Choose it on validation data, never on these.
    at_least : int
        Rates of fewer people are not compared.
    certain : bool
        Whether the end of the 95 % interval must keep the limit too, not only the estimate. A gap of 0.05 between two groups
        of fifty may well be 0.2 among the next people. With False the estimate alone decides.
    unknown : sequence of str
        Groups that may pass without being known, each by its name.
    burden : bool
        Whether to be selected is a burden, as to be held in custody is. The impact ratio is made for what people want, so
        it is then that of the people who are spared.
    hide_below : int
        Of fewer people the report prints nothing; at most `at_least`.
    page : Page, optional
        The words of the report. Its model and data are printed as given.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If data, predictions, threshold, limits, numbers of people or names of groups are not what they should be, or
        everybody gets the same answer.
    TypeError
        If the model cannot be asked.
    """
    for name, limit in (limits or {}).items():
        if name not in LIMITED:
            raise ValueError(f"There is no gap {name!r} to limit; there are {', '.join(LIMITED)}.")
        if not 0 <= limit <= 1:
            raise ValueError(f"The limit of {name} must lie from 0 to 1; got {limit!r}.")
    if not 0 <= threshold < 1:
        raise ValueError(f"The threshold must lie from 0 to below 1; got {threshold!r}.")
    if at_least < 1:
        raise ValueError(f"A rate needs at least 1 person behind it to be compared; got {at_least!r}.")
    if not 1 <= hide_below <= at_least:
        raise ValueError(
            f"What is compared is printed, so hide_below lies from 1 to at_least, which is {at_least}; got {hide_below!r}."
        )
    truth = binary(y, "y")
    scores, graded = scores_of(model, X)
    if len(scores) != len(truth):
        raise ValueError(f"There are {len(scores)} rows of data and {len(truth)} labels.")
    selected = scores > threshold
    cells = counts(truth, selected, groups)
    if selected.all() or not selected.any():
        # Every gap would be 0, and a gate would let the one model through that decides nothing.
        raise ValueError(
            f"Everybody gets the answer {int(selected[0])} at the threshold {threshold:g}: nothing to audit."
        )
    nobody, let_pass = without_people(groups), (unknown,) if isinstance(unknown, str) else tuple(unknown)
    if strange := sorted(set(let_pass) - {*cells.index, *nobody}):
        raise ValueError(
            f"There is no group {strange[0]!r} that could pass unknown; there are {', '.join((*cells.index, *nobody))}."
        )

    def judged(name: str) -> Line:
        gap, limit, least = widest(cells, name, at_least, burden), (limits or {}).get(name), name == RATIO
        thin = (*_thin(cells, name, at_least), *nobody)
        if limit is None:
            return Line(name, gap, limit, "not known" if gap is None else "no limit", unknown=thin)
        if gap is not None and not keeps(gap.interval.value, limit, least):
            return Line(name, gap, limit, "too wide", True, thin)
        if gap is None or set(thin) - set(let_pass):
            return Line(name, gap, limit, "not known", True, thin)
        # Of all pairs of groups, since a narrower gap between few people may be the less certain one.
        least_sure = (min if least else max)(pairs(cells, name, at_least, burden), key=lambda one: one.worst)
        if not keeps(least_sure.worst, limit, least):
            return Line(name, least_sure, limit, "not certain", certain, thin)
        return Line(name, gap, limit, "within", unknown=thin)

    page = page or Page()
    return Audit(
        page=replace(
            page,
            date=page.date or date.today().isoformat(),
            model=page.model or f"{type(model).__name__}, version not stated",
        ),
        threshold=threshold,
        cells=cells,
        lines=tuple(map(judged, LIMITED)),
        ranges=calibration(truth, scores, groups, np.linspace(0, 1, 6).tolist()) if graded else None,
        at_least=at_least,
        hide_below=hide_below,
        burden=burden,
        let_pass=let_pass,
        nobody=nobody,
        fingerprint=_fingerprint(truth, groups),
    )


def _thin(cells: pd.DataFrame, gap: str, at_least: int) -> tuple[str, ...]:
    """Return the groups that have too few people behind a rate that the gap compares."""
    under = {RATES[rate][1] for rate in compared(gap)}
    return tuple(
        str(group) for group, cell in cells.iterrows() if any(cell[list(part)].sum() < at_least for part in under)
    )


def _fingerprint(truth: ArrayLike, groups: Any) -> str:
    """Return the SHA-256 of labels and groups, by which a reader can tell on which people an audit was made."""
    of = names(groups, len(np.asarray(truth)))
    text = "".join(f"{label}\t{name}\n" for label, name in zip(np.asarray(truth), of, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()


class Refused(Exception):
    """The gate's answer to a model that it does not let through; ``audit`` holds the findings."""

    def __init__(self, found: Audit) -> None:
        why = [audit_report.sentence(found, line) for line in found.lines if line.refused]
        super().__init__(" ".join([audit_report.verdict(found), *why]))
        self.audit = found


def gate(model: Any, X: Any, y: ArrayLike, groups: Any, *, limits: Mapping[str, float], **options: Any) -> Audit:
    """Let a model through, or raise.

    Parameters
    ----------
    model, X, y, groups, limits, **options
        As `audit` takes them; a gate without a limit refuses nothing, so one is asked for.

    Returns
    -------
    Audit
        If the model passed.

    Raises
    ------
    Refused
        If it did not; the exception holds the audit, for its report.
    ValueError, TypeError
        As `audit`.
    """
    if not limits:
        raise ValueError(
            f"A gate needs at least one limit, such as {{'equalised_odds': 0.1}}; of {', '.join(LIMITED)}."
        )
    found = audit(model, X, y, groups, limits=limits, **options)
    if not found.passed:
        raise Refused(found)
    return found


if __name__ == "__main__":
    from helix.trust.fairness_cli import main

    sys.exit(main())
