"""The gate on a CSV file, for a shell or continuous integration: ``python -m helix.trust.fairness_audit``."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from helix.trust.fairness_audit import LIMITED, Audit, Page, audit

if TYPE_CHECKING:
    import pandas as pd

# What a terminal that is not UTF-8 is given for the signs of the report; anything else it lacks is written as \uXXXX.
PLAIN = str.maketrans({"−": "-", "–": "-", "×": "x", "“": '"', "”": '"', "≥": ">=", "≤": "<="})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate on a CSV file; return 0 if the model passed, 1 if it was refused, 2 if it could not be asked."""
    given = _parser().parse_args(arguments)
    sys.path.insert(0, os.getcwd())  # where the caller's own module stands, as with python -m
    try:
        found = _audited(given)
        if given.report is not None:
            found.save(given.report)
    # Whatever the caller's code raises, even SystemExit(0): 0 and 1 are answers, and nobody gave one.
    except (Exception, SystemExit) as error:
        said = f"{error}" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {error}"
        _say(f"The model could not be audited: {said}", sys.stderr)
        return 2
    _say(found.to_markdown(), sys.stdout)
    return 0 if found.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m helix.trust.fairness_audit", description="Audit a classifier, and refuse it."
    )
    say = parser.add_argument
    say("--model", required=True, metavar="MODULE:FUNCTION", help="what returns the classifier when called")
    say("--data", required=True, type=Path, help="CSV, UTF-8: features, the label and the groups")
    say("--label", required=True, help="the column with 0 and 1")
    say("--groups", required=True, nargs="+", action="extend", help="the sensitive columns; hidden from the model")
    say("--keep-groups", action="store_true", help="the model sees them all the same")
    say("--limit", required=True, nargs="+", action="extend", metavar="GAP=NUMBER", help=f"of {', '.join(LIMITED)}")
    say("--threshold", type=float, default=0.5, help="whose score is above it is selected")
    say("--estimate", action="store_true", help="judge the estimate alone, not the whole interval; the report says so")
    say("--unknown", nargs="+", action="extend", default=[], metavar="GROUP", help="may pass without being known")
    say("--burden", action="store_true", help="to be selected is a burden: the impact ratio is that of the spared")
    say("--report", type=Path, help="where the report goes, .html or .md, whatever the outcome")
    words = parser.add_argument_group("words of the report")
    for name, help in {
        "title": "its heading",
        "about": "what is decided about whom",
        "selected": "what happens to whoever is selected: 'gets the offer'",
        "label-means": "what the label 1 means: 'earns over 50,000 dollars'",
        "threshold-from": "where the threshold comes from",
        "owner": "who answers for the model",
        "next-step": "what the owner does next",
    }.items():
        words.add_argument(f"--{name}", help=help)
    return parser


def _audited(given: argparse.Namespace) -> Audit:
    if given.report is not None and given.report.suffix not in (".html", ".md"):
        raise ValueError(f"A report is a page (.html) or Markdown (.md); got {given.report.name!r}.")
    limits = _limits(given.limit)
    content = given.data.read_bytes()
    table, texts = _tables(content, given.data.name)
    if absent := [one for one in (given.label, *given.groups) if one not in table]:
        raise ValueError(f"{given.data.name} has no column {absent[0]!r}; it has {', '.join(map(str, table))}.")
    module, _, function = given.model.partition(":")
    if not module or not function:
        raise ValueError(f"A model is named MODULE:FUNCTION, such as shop.model:load; got {given.model!r}.")
    model = getattr(importlib.import_module(module), function)()
    words = {
        "title": given.title or f"Fairness audit of {given.model}", "about": given.about, "selected": given.selected,
        "label": given.label_means, "threshold": given.threshold_from, "owner": given.owner, "next_step": given.next_step,
        "model": given.model, "data": f"{given.data.name}, SHA-256 {hashlib.sha256(content).hexdigest()[:16]}",
    }  # fmt: skip
    return audit(
        model,
        table.drop(columns=[given.label, *([] if given.keep_groups else given.groups)]),
        table[given.label],
        texts[list(given.groups)],
        limits=limits,
        threshold=given.threshold,
        certain=not given.estimate,
        unknown=given.unknown,
        burden=given.burden,
        page=Page(**{name: said for name, said in words.items() if said}),
    )


def _tables(content: bytes, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what pandas reads, for the model; and the texts as they stand, for the groups.

    Read as numbers, 01 and 1 would be one group; read for missing values, the groups None and NA would be none.
    """
    import pandas as pd

    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not in UTF-8. Save it as CSV UTF-8, as spreadsheets call it.") from None
    options: dict[str, Any] = {"encoding": "utf-8-sig"}
    return (
        pd.read_csv(io.BytesIO(content), **options),
        pd.read_csv(io.BytesIO(content), **options, dtype=str, keep_default_na=False, na_values=[""]),
    )


def _say(text: str, stream: TextIO) -> None:
    """Print, whatever signs the terminal lacks: the audit has its answer already."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(text, file=stream, flush=True)
    except OSError:  # nobody reads on, as with | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _limits(given: Sequence[str]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for one in given:
        name, _, number = one.partition("=")
        if name in limits:
            raise ValueError(f"There are two limits for {name}; give one.")
        try:
            limits[name] = float(number)
        except ValueError:
            raise ValueError(f"A limit is written GAP=NUMBER, such as equalised_odds=0.1; got {one!r}.") from None
    return limits
