"""The report of an audit, in Markdown and as one HTML page: for those who decide, and did not train the model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from helix.trust.findings import Findings, Line
from helix.trust.groups import rate_of

TITLES = {
    "demographic_parity": "Demographic parity",
    "equal_opportunity": "Equal opportunity",
    "equalised_odds": "Equalised odds",
    "predictive_parity": "Predictive parity",
    "accuracy": "Equal accuracy",
}
# What each rate counts, as "Of 100 people …, N …".
SHARES = {
    "selection_rate": ("people", "are selected"),
    "tpr": ("people whose label is 1", "are selected"),
    "fpr": ("people whose label is 0", "are selected"),
    "ppv": ("people who are selected", "have the label 1"),
    "accuracy": ("people", "are judged rightly"),
}
COLUMNS = {
    "base_rate": "label 1",
    "selection_rate": "selected",
    "tpr": "selected, of label 1",
    "fpr": "selected, of label 0",
    "ppv": "label 1, of selected",
    "accuracy": "judged rightly",
}
SIGNS = {
    "within": "within the limit",
    "too wide": "TOO WIDE",
    "not certain": "NOT CERTAIN",
    "not known": "not known",
    "no limit": "no limit set",
}
LIMITS_OF_IT = (
    "A gap says that groups are treated differently, not why, and not whether that is justified.",
    "A gap of 0 can be had by treating everybody equally badly. Look at the rates themselves.",
    "The labels may carry the unfairness that is looked for: an arrest is not a deed, a salary is not a merit.",
    "Unless every group has the same share of label 1, the notions cannot all be met at once by a model that errs "
    "(Chouldechova 2017, doi:10.1089/big.2016.0047). Which of them counts here is a decision of people.",
    "Intervals hold for two groups fixed beforehand. The widest of many gaps is wide partly by chance.",
)

_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(
    (Path(__file__).parent / "audit_report.html").read_text("utf-8")
)


def sentence(line: Line) -> str:
    """Say one line of the audit in a sentence, with people instead of rates."""
    title = TITLES[line.name]
    if line.gap is None:
        return f"{title}: not known, since too few people stand behind a rate."
    people, what = SHARES[line.gap.rate]
    of, gap = line.gap, line.gap.interval
    text = (
        f"{title}: of 100 {people}, {100 * gap.value:.1f} more {what} in the group {of.high} than in the group {of.low} "
        f"(95 % interval {_signed(gap.low)} to {_signed(gap.high)})"
    )
    return text + (f"; the limit is {100 * line.limit:.1f}." if line.limit is not None else ".")


def verdict(audit: Findings) -> str:
    """Say the outcome in one sentence."""
    limited = [line for line in audit.lines if line.limit is not None]
    refused = [TITLES[line.name] for line in limited if line.refused]
    if refused:
        return f"Refused: {', '.join(refused)}."
    if limited:
        return f"Passed: {', '.join(TITLES[line.name] for line in limited)} within the limit that was set."
    return "Shown, not judged: no limit was set."


def notes(audit: Findings) -> list[str]:
    """Return what a reader has to know about who was compared."""
    n, said = int(audit.cells.to_numpy().sum()), []
    said.append(
        f"{n:,} people in {len(audit.cells)} groups; whoever scores above {audit.threshold:g} is selected. Rates of fewer than "
        f"{audit.at_least} people are shown and not compared."
    )
    for group, rates in audit.left_out.items():
        shown = ", ".join(f"“{COLUMNS[rate]}”" for rate in rates if rate in COLUMNS)
        if shown:
            said.append(
                f"Not compared for {group}, too few people: {shown}. This does not mean that all is well for them."
            )
    return said


def markdown(audit: Findings) -> str:
    """Return the report as Markdown."""
    about = [_plain(audit.about), ""] if audit.about else []
    lines = [f"# {_plain(audit.title)}", "", *about, f"**{verdict(audit)}**", ""]
    lines += [f"- {_plain(sentence(line))} *{SIGNS[line.verdict]}*" for line in audit.lines]
    lines += ["", "## Every group", "", "In percent, with 95 % intervals (Wilson).", ""]
    lines += [f"| group | people | {' | '.join(COLUMNS.values())} |", f"|---|---:|{'---|' * len(COLUMNS)}"]
    for group, cell in audit.cells.iterrows():
        shown = []
        for rate in COLUMNS:
            found = rate_of(cell, rate)
            shown.append(
                f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"
                if found
                else "nobody to count"
            )
        lines.append(f"| {_plain(str(group))} | {int(cell.sum()):,} | {' | '.join(shown)} |")
    if audit.ranges is not None:
        lines += ["", "## What a score means", "", "Share with label 1 among those with a score in the range.", ""]
        lines += ["| group | score | people | label 1 |", "|---|---|---:|---:|"]
        lines += [
            f"| {_plain(str(group))} | {_range(scores)} | {int(row.n):,} | {100 * row.positive:.1f} % |"
            for (group, scores), row in audit.ranges.iterrows()
        ]
    lines += ["", "## Who was compared", "", *(f"- {_plain(note)}" for note in notes(audit))]
    lines += ["", "## What this report does not say", "", *(f"- {text}" for text in LIMITS_OF_IT), ""]
    return "\n".join(lines)


def html_page(audit: Findings) -> str:
    """Return the report as one HTML page: no script, nothing from elsewhere, every text of the data escaped."""
    groups = [
        (str(group), int(cell.sum()), [rate_of(cell, rate) for rate in COLUMNS])
        for group, cell in audit.cells.iterrows()
    ]
    return _TEMPLATE.render(
        audit=audit,
        verdict=verdict(audit),
        sentence=sentence,
        signs=SIGNS,
        columns=COLUMNS.values(),
        groups=groups,
        scores=_scores(audit),
        notes=(("Who was compared", notes(audit)), ("What this report does not say", LIMITS_OF_IT)),
    )


def _scores(audit: Findings) -> list[tuple[str, list[Any]]]:
    """Return, for each range of the score, what is known of each group: the rows of the page's second table."""
    if audit.ranges is None:
        return []
    table = audit.ranges.reset_index()
    found = {(row.group, row.range): row for row in table.itertuples()}
    return [
        (_range(scores), [found.get((group, scores)) for group in audit.cells.index])
        for scores in sorted(table["range"].unique())
    ]


def _signed(share: float) -> str:
    """Write a share in percent, with a real minus sign."""
    return f"{100 * share:.1f}".replace("-", "−")


def _range(scores: object) -> str:
    """Write a range of scores without pandas' widened first edge."""
    low, high = (max(0.0, getattr(scores, end)) for end in ("left", "right"))
    return f"{low:.1f}–{high:.1f}"


def _plain(text: str) -> str:
    """Keep a text of the data from becoming Markdown, HTML or a column of a table."""
    return re.sub(r"([\\`*_~$&\[\]<>|#])", r"\\\1", " ".join(text.split()))
