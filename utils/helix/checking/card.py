"""The card that shows a verdict: HTML for light and dark themes, and the same in plain text."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field

from helix.checking import markdown
from helix.checking.verdict import Outcome, Verdict

# Colours of the bar; mixed with the theme's own text colour, words in them have a contrast of 4.5:1 or more on white and
# on JupyterLab's dark background, which no single colour has. The sign and the word say it too.
_LOOK = {
    Outcome.CORRECT: ("✓", "Correct", "#2e8b57"),
    Outcome.INCORRECT: ("✗", "Incorrect", "#d1495b"),
    Outcome.NOT_ATTEMPTED: ("○", "Not attempted", "#7d8597"),
    Outcome.RAISED: ("!", "Your code raised an error", "#c77800"),
}
_RECORDED = "Recorded"  # a decision: no program can call one correct
_TO_BE_MENDED = "Not recorded yet"
_PRE = "margin:.1em 0 .1em 1em;white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"


@dataclass(frozen=True)
class Card:
    """What is shown of one check.

    Parameters
    ----------
    title : str
        The exercise.
    verdict : Verdict
        What was found.
    hints, last_hints : mapping of str to str
        The hints that are offered, each under its name. A last hint gives the answer away: it is only opened on purpose.
    help : str
        What helps against an error.
    again : str
        How to look at the case, where it is too large to print.
    last_hint_by : str
        The call that prints the last hints, where nothing can be opened.
    count, warning : str
        Where the learner stands in the lab; what could not be saved.
    decision : bool
        Whether this is a decision: a right one is recorded.
    """

    title: str
    verdict: Verdict
    hints: Mapping[str, str] = field(default_factory=dict)
    last_hints: Mapping[str, str] = field(default_factory=dict)
    help: str = ""
    again: str = ""
    last_hint_by: str = ""
    count: str = ""
    warning: str = ""
    decision: bool = False

    @property
    def word(self) -> str:
        """The outcome in words."""
        outcome = self.verdict.outcome
        if self.decision and outcome in (Outcome.CORRECT, Outcome.INCORRECT):
            return _RECORDED if outcome is Outcome.CORRECT else _TO_BE_MENDED
        return _LOOK[outcome][1]

    def __repr__(self) -> str:
        verdict = self.verdict
        lines = [f"{_LOOK[verdict.outcome][0]} {self.word}: {self.title}", verdict.message]
        for label, text in (("Case", verdict.given), ("Your answer", verdict.got), ("Where", verdict.where)):
            lines += [f"{label}: {text}"] * bool(text)
        lines += [self.again] * bool(self.again)
        lines += [f"What helps: {self.help}"] * bool(self.help)
        lines += list(verdict.details.get("notes", ()))
        lines += [f"Printed: {verdict.printed.rstrip()}"] * bool(verdict.printed.strip())
        lines += [f"{name}: {hint}" for name, hint in self.hints.items()]
        if self.last_hints:
            lines.append(f"There is a last hint. It gives the answer away: {self.last_hint_by} prints it.")
        lines += [line for line in (self.count, self.warning) if line]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        sign, _, colour = _LOOK[self.verdict.outcome]
        verdict, title = self.verdict, markdown.inline(self.title)
        raised = verdict.outcome is Outcome.RAISED
        parts = [
            # Only this line is announced when the card appears; the card itself is a region that can be gone to and read.
            f"<div role='alert'><b style='color:color-mix(in srgb, {colour} 70%, currentColor)'>"
            f"<span aria-hidden='true'>{sign} </span>{self.word}</b>: {title}</div>",
            # What the learner's code raised is a text of theirs, and no Markdown.
            f"<div style='margin-top:.3em;white-space:pre-wrap;overflow-wrap:anywhere'>{html.escape(verdict.message)}</div>"
            if raised
            else markdown.blocks(verdict.message),
        ]
        if verdict.given:
            parts.append(
                f"<div style='margin-top:.3em;overflow-wrap:anywhere'>Case: {html.escape(verdict.given)}</div>"
            )
        for label, text in (
            ("Your answer", verdict.got),
            ("Where", verdict.where),
            ("Printed", verdict.printed.rstrip()),
        ):
            if text:
                parts.append(
                    f"<div style='margin-top:.3em'>{label}:</div><pre style='{_PRE}'>{html.escape(text)}</pre>"
                )
        if self.again:
            parts.append(markdown.blocks(self.again))
        if self.help:
            parts.append(f"<div style='margin-top:.3em'><b>What helps.</b> {markdown.inline(self.help)}</div>")
        parts += [markdown.blocks(note) for note in verdict.details.get("notes", ())]
        last = {f"{name}: it gives the answer away": hint for name, hint in self.last_hints.items()}
        parts += [
            f"<details style='margin-top:.3em'><summary>{markdown.inline(name)}</summary>{markdown.blocks(hint)}</details>"
            for name, hint in {**self.hints, **last}.items()
        ]
        parts += [
            f"<div style='margin-top:.5em;opacity:.75'>{markdown.inline(line)}</div>"
            for line in (self.count, self.warning)
            if line
        ]
        label = html.escape(f"{self.word}: {self.title}".replace("`", ""), quote=True)
        return (
            f"<section class='hx-card' aria-label='{label}' style='border-left:4px solid {colour};background:{colour}14;"
            f"padding:.5em .9em;margin:.4em 0;max-width:46em'>{''.join(parts)}</section>"
        )


def show(card: Card) -> None:
    """Show a card: as HTML in a notebook, as text elsewhere."""
    try:
        from IPython import display, get_ipython

        notebook = get_ipython() is not None
    except ImportError:
        notebook = False
    if notebook:
        display.display({"text/html": card._repr_html_(), "text/plain": repr(card)}, raw=True)
    else:
        print(card)
