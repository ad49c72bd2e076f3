"""The gates: what must be true of the repository. Each returns sentences; an empty list means that the gate is open.

Every sentence says what is wrong and how to mend it, with the command where there is one. `GATES` is the list of them all.
"""

from __future__ import annotations

from collections.abc import Callable

from helix.course import glossary, prose, readme
from helix.course.gates.built import drift, leaks, outputs, pages, split_solutions
from helix.course.gates.lesson import chapters, claims, labs, too_wide, wrong_answers
from helix.course.gates.repository import cards, links, sizes, tracked
from helix.record import results

__all__ = [
    "GATES",
    "cards",
    "chapters",
    "claims",
    "drift",
    "labs",
    "leaks",
    "links",
    "outputs",
    "pages",
    "sizes",
    "split_solutions",
    "too_wide",
    "tracked",
    "wrong_answers",
]

GATES: dict[str, Callable[[], list[str]]] = {
    "built notebooks are what the sources give": drift,
    "stored outputs are whole and the same anywhere": outputs,
    "labs show no solution": leaks,
    "pages lead to one another": pages,
    "chapters have what a chapter needs": chapters,
    "labs have what a lab needs": labs,
    "Markdown has one sentence a line": prose.unformatted,
    "code fits a small window": too_wide,
    "terms are defined once, in two languages": glossary.lacks,
    "claims are measured": claims,
    "records belong to their scripts": results.stale,
    "links lead somewhere": links,
    "files are small": sizes,
    "data sets have cards": cards,
    "README is current": readme.lacks,
    "the Chinese README follows the English one": readme.chinese_lacks,
}
