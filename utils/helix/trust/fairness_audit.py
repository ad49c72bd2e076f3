r"""Audit a classifier group by group, hand the report on, and refuse a model whose gaps are too wide.

From a shell or in continuous integration::

    python -m helix.trust.fairness_audit --model shop.model:load --data people.csv --label hired --groups sex \\
        --limit demographic_parity=0.1 --report audit.html

exits with 0 (passed), 1 (refused) or 2 (could not be asked). The model is code of yours that is imported: a pickle that came
with the data would run whatever its maker wrote into it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helix.trust import audit_report
from helix.trust.findings import Findings, Line
from helix.trust.groups import (
    COMPARED,
    SMALL,
    Gap,
    binary,
    calibration,
    counts,
    finite,
    gaps,
    group_metrics,
    widest,
)

if TYPE_CHECKING:
    pass

__all__ = ["Audit", "Line", "audit", "calibration", "counts", "gaps", "gate", "group_metrics", "main", "scores_of"]


ROUNDING = 1e-6  # a mean of float32 scores may end a little above 1


class Audit(Findings):
    """What an audit found, and how it is told; the fields are those of `Findings`."""

    def to_markdown(self) -> str:
        """Return the report as Markdown (CommonMark with tables)."""
        return audit_report.markdown(self)

    def to_html(self) -> str:
        """Return the report as one HTML page that needs no network."""
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


def scores_of(model: Any, X: Any) -> tuple[NDArray[np.float64], bool]:
    """Ask a classifier about every person.

    Parameters
    ----------
    model : object
        A PyTorch module that gives logits, shape (n,), (n, 1) or (n, 2); anything with ``predict_proba`` (scikit-learn,
        LightGBM …); anything with ``predict``; or a function.
    X : DataFrame or array, n rows
        What the model reads. A module is given a float32 tensor.

    Returns
    -------
    scores : ndarray, shape (n,)
        The probability of label 1, or the label itself.
    graded : bool
        Whether these are probabilities; False if the model gave labels.

    Raises
    ------
    ValueError
        If the model does not know the label 1, or an answer is NaN or lies outside 0 to 1.
    TypeError
        If it cannot be asked at all.
    """
    n = X.shape[0] if hasattr(X, "shape") else len(X)  # a sparse matrix has no length
    torch = sys.modules.get("torch")  # who has a module has imported torch
    if torch is not None and isinstance(model, torch.nn.Module):
        given: Any = _sigmoid(torch, model, X, n)
    elif hasattr(model, "predict_proba"):
        classes = np.asarray(getattr(model, "classes_", (0, 1))).tolist()
        if len(classes) != 2 or 1 not in classes:
            raise ValueError(f"The model tells the classes {classes} apart; an audit needs two, one of them 1.")
        table = np.asarray(model.predict_proba(X))
        if table.shape != (n, 2):
            raise ValueError(f"predict_proba must give shape ({n}, 2), a column for each class; it gave {table.shape}.")
        given = table[:, classes.index(1)]
    elif hasattr(model, "predict") or callable(model):
        given = np.asarray((model.predict if hasattr(model, "predict") else model)(X))
    else:
        raise TypeError(f"A {type(model).__name__} is no classifier: it has neither predict_proba nor predict.")
    scores = finite(given, n)
    if np.any((scores < -ROUNDING) | (scores > 1 + ROUNDING)):
        raise ValueError(f"Scores must lie from 0 to 1; these run from {scores.min():g} to {scores.max():g}.")
    scores = scores.clip(0, 1)
    return scores, bool(np.any((scores != 0) & (scores != 1)))


def _sigmoid(torch: Any, model: Any, X: Any, n: int) -> NDArray[np.float64]:
    training = [(module, module.training) for module in model.modules()]  # each its own: a frozen layer stays frozen
    model.eval()
    try:
        with torch.no_grad():
            logits = model(torch.as_tensor(np.asarray(X, dtype=np.float32)))
    finally:
        for module, was in training:
            module.training = was
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"A module must give a tensor of logits; this one gave a {type(logits).__name__}.")
    if tuple(logits.shape) not in ((n,), (n, 1), (n, 2)):
        raise ValueError(
            f"For {n} people a module must give {n} logits, or pairs; it gave shape {tuple(logits.shape)}."
        )
    if logits.shape == (n, 2):
        logits = logits[:, 1] - logits[:, 0]  # of two logits only the difference counts
    probabilities: NDArray[np.float64] = torch.sigmoid(logits.double()).numpy().reshape(-1)
    return probabilities


def audit(
    model: Any,
    X: Any,
    y: ArrayLike,
    groups: Any,
    *,
    limits: Mapping[str, float] | None = None,
    threshold: float = 0.5,
    title: str = "Fairness audit",
    about: str = "",
    at_least: int = SMALL,
    certain: bool = False,
) -> Audit:
    """Audit a classifier, group by group.

    Parameters
    ----------
    model, X
        As `scores_of` takes them.
    y : array_like of 0 and 1, shape (n,)
        What was true.
    groups : array_like, shape (n,), or DataFrame
        The sensitive attribute, kept apart from `X`; several columns make intersectional groups.
    limits : mapping of str to float, optional
        The widest gap that is let through, for any key of `helix.trust.groups.COMPARED`.
    threshold : float
        Whose score is above it is selected. Choose it on validation data, never on these.
    title, about : str
        Of the report: its heading, and what is decided about whom, for readers who do not know it.
    at_least : int
        Rates of fewer people are shown, and not compared; at least 1.
    certain : bool
        Ask that the upper end of the 95 % interval lies within the limit too, not only the estimate.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If data, predictions, threshold, limits or `at_least` are not what they should be, or everybody gets the same answer.
    TypeError
        If the model cannot be asked.
    """
    for name, limit in (limits or {}).items():
        if name not in COMPARED:
            raise ValueError(f"There is no gap {name!r} to limit; there are {', '.join(COMPARED)}.")
        if not 0 <= limit <= 1:
            raise ValueError(f"The limit of {name} must lie from 0 to 1; got {limit!r}.")
    if not 0 <= threshold < 1:
        raise ValueError(f"The threshold must lie from 0 to below 1; got {threshold!r}.")
    if at_least < 1:
        raise ValueError(f"A rate needs at least 1 person behind it to be compared; got {at_least!r}.")
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
    lines = tuple(_judge(name, widest(cells, name, at_least), (limits or {}).get(name), certain) for name in COMPARED)
    ranges = calibration(truth, scores, groups, np.linspace(0, 1, 6).tolist()) if graded else None
    return Audit(title, about, threshold, cells, lines, ranges, at_least)


def _judge(name: str, gap: Gap | None, limit: float | None, certain: bool) -> Line:
    if gap is None:
        return Line(name, gap, limit, "not known")
    if limit is None:
        return Line(name, gap, limit, "no limit")
    if gap.interval.value > limit + 1e-12:  # 0.4 - 0.3 is 0.1, whatever floats say
        return Line(name, gap, limit, "too wide")
    return Line(name, gap, limit, "not certain" if certain and gap.interval.high > limit else "within")


class Refused(Exception):
    """The gate's answer to a model that it does not let through; ``audit`` holds the findings."""

    def __init__(self, found: Audit) -> None:
        wide = [audit_report.sentence(line) for line in found.lines if line.refused]
        super().__init__("Refused. " + " ".join(wide))
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
            f"A gate needs at least one limit, such as {{'equalised_odds': 0.1}}; of {', '.join(COMPARED)}."
        )
    found = audit(model, X, y, groups, limits=limits, **options)
    if not found.passed:
        raise Refused(found)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate on a CSV file; return 0 if the model passed, 1 if it was refused, 2 if it could not be asked."""
    import pandas as pd

    parser = argparse.ArgumentParser(
        prog="python -m helix.trust.fairness_audit", description="Audit a classifier, and refuse it."
    )
    parser.add_argument(
        "--model", required=True, metavar="MODULE:FUNCTION", help="what returns the classifier when called"
    )
    parser.add_argument("--data", required=True, type=Path, help="CSV: features, the label and the groups")
    parser.add_argument("--label", required=True, help="the column with 0 and 1")
    parser.add_argument(
        "--groups", required=True, nargs="+", action="extend", help="the sensitive columns; hidden from the model"
    )
    parser.add_argument("--keep-groups", action="store_true", help="the model sees them all the same")
    parser.add_argument(
        "--limit", required=True, nargs="+", action="extend", metavar="GAP=NUMBER", help=f"of {', '.join(COMPARED)}"
    )
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--certain", action="store_true", help="the whole interval must lie within the limit")
    parser.add_argument("--report", type=Path, help="where the report goes, .html or .md, whatever the outcome")
    given = parser.parse_args(arguments)
    sys.path.insert(0, os.getcwd())  # where the caller's own module stands, as with python -m
    try:
        if given.report is not None and given.report.suffix not in (".html", ".md"):
            raise ValueError(f"A report is a page (.html) or Markdown (.md); got {given.report.name!r}.")
        limits = _limits(given.limit)
        table = pd.read_csv(given.data)
        if absent := [one for one in (given.label, *given.groups) if one not in table]:
            raise ValueError(f"{given.data.name} has no column {absent[0]!r}; it has {', '.join(map(str, table))}.")
        module, _, function = given.model.partition(":")
        if not module or not function:
            raise ValueError(f"A model is named MODULE:FUNCTION, such as shop.model:load; got {given.model!r}.")
        model = getattr(importlib.import_module(module), function)()
        X = table.drop(columns=[given.label, *([] if given.keep_groups else given.groups)])
        found = audit(
            model, X, table[given.label], table[list(given.groups)], limits=limits, threshold=given.threshold,
            certain=given.certain, title=f"Fairness audit of {given.model}",
        )  # fmt: skip
        if given.report is not None:
            found.save(given.report)
        print(found.to_markdown())
    # Whatever the caller's code raises, even SystemExit(0): 0 and 1 are answers, and nobody gave one.
    except (Exception, SystemExit) as error:
        said = f"{error}" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {error}"
        print(f"The model could not be audited: {said}", file=sys.stderr)
        return 2
    return 0 if found.passed else 1


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


if __name__ == "__main__":
    sys.exit(main())
