"""The report of an audit, in Markdown and as one HTML page: for those who decide, and did not train the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from helix.measure import Interval, difference_of_proportions, wilson
from helix.trust.findings import NOT_STATED, Findings, Line
from helix.trust.groups import RATES, RATIO, rate_of

TITLES = {
    "demographic_parity": "Demographic parity",
    "equal_opportunity": "Equal opportunity",
    "equalised_odds": "Equalised odds",
    "predictive_parity": "Predictive parity",
    "accuracy": "Equal accuracy",
    RATIO: "Impact ratio",
}
COLUMNS = ("base_rate", "selection_rate", "tpr", "fpr", "ppv", "accuracy")
LIMITS_OF_IT = (
    "A gap says that outcomes differ between groups. It does not say why, nor whether that is justified.",
    "A gap of 0 can be had by treating everybody equally badly. Look at the rates themselves.",
    "The labels may carry the unfairness that is looked for: an arrest is not a deed, a salary is not a merit.",
    "Unless every group has the same share with the label, the notions cannot all be met at once by a model that errs "
    "(Chouldechova 2017, doi:10.1089/big.2016.0047). Which of them counts here is a decision of people.",
    "Intervals hold for two groups fixed beforehand. The widest of many gaps is wide partly by chance.",
    "Small cells are left out so that nobody is shown alone. That is no promise: from totals and rates more can be worked out. "
    "Look again before you publish.",
)

_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    (Path(__file__).parent / "audit_report.html").read_text("utf-8")
)


@dataclass(frozen=True)
class Cell:
    """One cell of a table: a rate with its interval, or words in its place.

    Attributes
    ----------
    rate : Interval or None
        None if it is not printed.
    n : int
        How many people stand behind it.
    words : str
        What is printed in the place of the rate, or beside it.
    """

    rate: Interval | None
    n: int
    words: str = ""

    @property
    def text(self) -> str:
        """The cell as text, in percent."""
        if self.rate is None:
            return self.words
        rate = self.rate
        known = f"{100 * rate.value:.1f} [{100 * rate.low:.1f}, {100 * rate.high:.1f}] of {self.n:,}"
        return f"{known}, {self.words}" if self.words else known


def columns(audit: Findings) -> dict[str, tuple[str, str]]:
    """Return what each rate counts, and of whom: the two lines of a column's heading."""
    selected, label = audit.page.selected, audit.page.label
    return {
        "base_rate": (label, "of all"),
        "selection_rate": (selected, "of all"),
        "tpr": (selected, f"of those: {label}"),
        "fpr": (selected, "of the others"),
        "ppv": (label, f"of those: {selected}"),
        "accuracy": ("is judged rightly", "of all"),
    }


def sentence(audit: Findings, line: Line) -> str:
    """Say one line of the audit in a sentence, with people instead of rates."""
    title = TITLES[line.name]
    if line.gap is None:
        return f"{title}: not known, since too few people stand behind a rate."
    gap, page = line.gap, audit.page
    if line.name == RATIO:
        what = "is spared" if audit.burden else page.selected
        text = (
            f"{title}: a person of the group {gap.low} {what} {gap.interval.value:.2f} times as often as one of the group {gap.high} "
            f"(95 % interval {gap.interval.low:.2f} to {gap.interval.high:.2f})"
        )
        text += f"; the limit is {line.limit:.2f}." if line.limit is not None else "."
    else:
        who, what = {
            "selection_rate": ("a person", page.selected),
            "tpr": (f"a person who {page.label}", page.selected),
            "fpr": (f"a person of whom “{page.label}” is not true", page.selected),
            "ppv": (f"a person who {page.selected}", page.label),
            "accuracy": ("a person", "is judged rightly"),
        }[gap.rate]
        high, low = (_cell(audit, group, gap.rate) for group in (gap.high, gap.low))
        assert high.rate is not None, "what is compared is printed"
        assert low.rate is not None, "what is compared is printed"
        text = (
            f"{title}: {who} {what} in {100 * high.rate.value:.1f} of 100 cases in the group {gap.high}, and in {100 * low.rate.value:.1f} "
            f"in the group {gap.low}, a difference of {100 * gap.interval.value:.1f} (95 % interval {_signed(gap.interval.low)} to "
            f"{_signed(gap.interval.high)})"
        )
        text += f"; the limit is {100 * line.limit:.1f}." if line.limit is not None else "."
        text += f" In people: {round(gap.interval.value * low.n):,} of the {low.n:,} counted in the group {gap.low}."
    if line.unknown and line.limit is not None:
        text += f" Not known for {_listed(line.unknown)}: fewer than {audit.at_least} people stand behind a rate."
    return text


def sign(line: Line) -> str:
    """Say the verdict on one line in a few words; a refusal in capitals."""
    if line.verdict == "too wide":
        return "TOO LOW" if line.name == RATIO else "TOO WIDE"
    if line.verdict == "not certain":
        return "NOT CERTAINLY within the limit" if line.refused else "within the limit, not certainly"
    if line.verdict == "not known":
        return "NOT KNOWN for everybody" if line.refused else "not known"
    return {"within": "within the limit", "no limit": "no limit set"}[line.verdict]


def verdict(audit: Findings) -> str:
    """Say the outcome in one or two sentences."""
    limited = [line for line in audit.lines if line.limit is not None]
    if not limited:
        return "Shown, not judged: no limit was set."
    if not audit.passed:
        return f"Refused: {', '.join(f'{TITLES[line.name]} ({_why(line)})' for line in limited if line.refused)}."
    sure = [TITLES[line.name] for line in limited if line.verdict == "within"]
    unsure = [TITLES[line.name] for line in limited if line.verdict == "not certain"]
    unknown = dict.fromkeys(group for line in limited for group in line.unknown)
    said = [f"Passed: {', '.join(sure)} within the limit that was set."] if sure else []
    if unsure:
        said.append(f"Passed on the estimate alone, not certainly within the limit: {', '.join(unsure)}.")
    if unknown:
        said.append(f"Not known for {_listed(tuple(unknown))}, let pass by name.")
    return " ".join(said)


def _why(line: Line) -> str:
    if line.verdict == "too wide":
        return "too low" if line.name == RATIO else "too wide"
    if line.verdict == "not certain":
        return "within the limit, not certainly"
    return f"not known for {_listed(line.unknown)}" if line.unknown else "not known"


def filed(audit: Findings) -> dict[str, str]:
    """Return what is needed to file a report and to answer it."""
    page, sizes = audit.page, audit.cells.sum(axis=1)
    shown = sizes[sizes >= audit.hide_below]  # a total of all would tell how many the others are
    people = f"{int(shown.sum()):,} people in {len(shown)} groups"
    if few := len(sizes) - len(shown):
        people += f", and {few} of fewer than {audit.hide_below}"
    data = f"{people}; SHA-256 of labels and groups {audit.fingerprint[:16]}"
    return {
        "date": page.date,
        "model": page.model,
        "data": f"{page.data or NOT_STATED}; {data}",
        "threshold": f"whoever scores above {audit.threshold:g}; where it comes from: {page.threshold or NOT_STATED}",
        "owner": page.owner or NOT_STATED,
        "next step": page.next_step or NOT_STATED,
    }


def notes(audit: Findings) -> list[str]:
    """Return what a reader has to know about who was compared."""
    said = [
        f"Rates of fewer than {audit.at_least} people are not compared"
        + (f"; of fewer than {audit.hide_below} they are not shown." if audit.hide_below > 1 else "."),
        *(f"{group}: nobody in these data." for group in audit.nobody),
    ]
    titles = columns(audit)
    for group, rates in audit.left_out.items():
        shown = ", ".join(f"“{titles[rate][0]}” {titles[rate][1]}" for rate in rates)
        said.append(f"Not compared for {group}, too few people: {shown}. This does not mean that all is well for them.")
    return said


def _cell(audit: Findings, group: str, rate: str) -> Cell:
    cell = audit.cells.loc[group]
    return _shown(audit, group, rate_of(cell, rate), int(cell[list(RATES[rate][1])].sum()))


def _shown(audit: Findings, group: str, rate: Interval | None, n: int) -> Cell:
    if n < audit.hide_below and (n or int(audit.cells.loc[group].sum()) < audit.hide_below):
        return Cell(
            None, n, f"fewer than {audit.hide_below}, not shown"
        )  # of a few, that there are none of a kind tells too
    if rate is None:
        return Cell(None, n, "nobody to count")
    return Cell(rate, n, "not compared" if n < audit.at_least else "")


def _people(audit: Findings, n: int) -> str:
    return f"{n:,}" if n >= audit.hide_below else f"fewer than {audit.hide_below}"


def _groups(audit: Findings) -> list[tuple[str, str, list[Cell]]]:
    """Return, for each group, its name, how many people it has, and its rates."""
    return [
        (str(group), _people(audit, int(cell.sum())), [_cell(audit, str(group), rate) for rate in COLUMNS])
        for group, cell in audit.cells.iterrows()
    ]


def _errors(audit: Findings) -> tuple[tuple[str, str], list[tuple[str, str, str]]]:
    """Return two headings and, for each group, how many people met each kind of error."""
    selected, label = audit.page.selected, audit.page.label
    left = "spared" if audit.burden else "passed over"
    titles = (f"{left}, although: {label}", f"{selected}, although not: {label}")
    rows = [
        (str(group), _people(audit, int(cell["fn"])), _people(audit, int(cell["fp"])))
        for group, cell in audit.cells.iterrows()
    ]
    return titles, rows


def _scores(audit: Findings) -> tuple[list[str], list[tuple[str, list[Cell]]], list[str]]:
    """Return the ranges of the score, for each group the share with the label in each, and what differs for sure in each."""
    if audit.ranges is None:
        return [], [], []
    table = audit.ranges.reset_index()
    found = {(row.group, row.range): row for row in table.itertuples()}
    ranges = sorted(table["range"].unique())
    rows = []
    for group in map(str, audit.cells.index):
        cells = []
        for scores in ranges:
            row: Any = found.get((group, scores))
            rate = wilson(round(row.n * row.positive), row.n) if row else None
            cells.append(_shown(audit, group, rate, int(row.n) if row else 0))
        rows.append((group, cells))
    apart = [_apart([cells[place] for _, cells in rows]) for place in range(len(ranges))]
    return [_range(scores) for scores in ranges], rows, apart


def _apart(cells: list[Cell]) -> str:
    """Say how far the lowest and the highest of some shares lie apart, and whether chance would explain it."""
    known = sorted((cell.rate.value, cell.n) for cell in cells if cell.rate and not cell.words)
    if len(known) < 2:
        return "not known"
    (low, few), (high, many) = known[0], known[-1]
    apart = difference_of_proportions(high * many, many, low * few, few)
    said = f"{100 * apart.value:.1f} [{_signed(apart.low)}, {_signed(apart.high)}]"
    return f"{said}, more than chance" if apart.low > 0 else said


def markdown(audit: Findings, level: int = 1) -> str:
    """Return the report as Markdown, its title as a heading of this level."""
    top, under = "#" * level, "#" * (level + 1)
    page, errors, (ranges, scores, apart) = audit.page, _errors(audit), _scores(audit)
    lines = [f"{top} {_plain(page.title)}", ""]
    lines += [_plain(page.about), ""] if page.about else []
    lines += [f"**{_plain(verdict(audit))}**", ""]
    lines += [f"- {name}: {_plain(said)}" for name, said in filed(audit).items()]
    lines += ["", f"{under} What was measured", ""]
    lines += [f"- {_plain(sentence(audit, line))} *{sign(line)}*" for line in audit.lines]
    lines += ["", f"{under} Every group", "", "In percent, with 95 % intervals (Wilson), and of how many people.", ""]
    titles = [f"{first} ({second})" for first, second in columns(audit).values()]
    lines += _table(
        ["group", "people", *titles], [[name, n, *(cell.text for cell in cells)] for name, n, cells in _groups(audit)]
    )
    lines += ["", f"{under} Whom the errors fall on", "", "People, not percent.", ""]
    lines += _table(["group", *errors[0]], [list(row) for row in errors[1]])
    if scores:
        about = f"Of those with a score in the range, in percent: {page.label}. Equal numbers in a column mean that the score means the same for everybody."
        lines += ["", f"{under} What a score means", "", _plain(about), ""]
        lines += _table(
            ["group", *(f"score {one}" for one in ranges)],
            [*([name, *(cell.text for cell in cells)] for name, cells in scores), ["widest difference", *apart]],
        )
    lines += ["", f"{under} Who was compared", "", *(f"- {_plain(note)}" for note in notes(audit))]
    lines += ["", f"{under} What this report does not say", "", *(f"- {text}" for text in LIMITS_OF_IT), ""]
    return "\n".join(lines)


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(map(_plain, heads))} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(map(_plain, row))} |" for row in rows),
    ]


def html_page(audit: Findings) -> str:
    """Return the report as one HTML page: no script, nothing from elsewhere, every text of the data escaped."""
    return _TEMPLATE.render(
        audit=audit,
        page=audit.page,
        verdict=verdict(audit),
        filed=filed(audit),
        not_stated=NOT_STATED,
        lines=[_drawn(audit, line) for line in audit.lines],
        columns=columns(audit).values(),
        groups=_groups(audit),
        errors=_errors(audit),
        scores=_scores(audit),
        notes=(("Who was compared", notes(audit)), ("What this report does not say", LIMITS_OF_IT)),
    )


def _drawn(audit: Findings, line: Line) -> dict[str, Any]:
    """Return a line of the audit with the places of its estimate, interval and limit on a scale from 0 to 100."""
    title, _, text = sentence(audit, line).partition(": ")
    drawn = None
    if line.gap is not None:
        of = line.gap.interval
        full = 1.0 if line.name == RATIO else max(0.2, 1.2 * of.high, 1.2 * (line.limit or 0))
        place = {"low": of.low, "value": of.value, "high": of.high} | (
            {} if line.limit is None else {"limit": line.limit}
        )
        drawn = {name: round(100 * min(max(value / full, 0), 1), 1) for name, value in place.items()}
    tone = "bad" if line.refused else "good" if line.verdict == "within" else "soft"
    return {"title": title, "text": text[:1].upper() + text[1:], "sign": sign(line), "tone": tone, "drawn": drawn}


def _listed(groups: tuple[str, ...]) -> str:
    return ", ".join(groups)


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
