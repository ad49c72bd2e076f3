"""The card that shows a verdict: HTML for light and dark themes, and the same in plain text."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from helix.checking.verdict import Outcome, Verdict

# Colours of the bar; mixed with the theme's own text colour, words in them have a contrast of 4.5:1 or more on white and
# on JupyterLab's dark background, which no single colour has. The sign and the word say it too.
_LOOK = {
    Outcome.CORRECT: ("✓", "Correct", "#2e8b57"),
    Outcome.INCORRECT: ("✗", "Incorrect", "#d1495b"),
    Outcome.NOT_ATTEMPTED: ("○", "Not attempted", "#7d8597"),
    Outcome.RAISED: ("!", "Your code raised an error", "#c77800"),
}


@dataclass(frozen=True)
class Card:
    """What is shown of one check."""

    title: str
    verdict: Verdict
    hints: tuple[str, ...] = ()
    help: str = ""
    count: str = ""
    warning: str = ""

    def __repr__(self) -> str:
        sign, word, _ = _LOOK[self.verdict.outcome]
        verdict = self.verdict
        lines = [f"{sign} {word}: {self.title}", verdict.message]
        for label, text in (("Case", verdict.given), ("Your answer", verdict.got), ("Where", verdict.where)):
            lines += [f"{label}: {text}"] * bool(text)
        lines += [f"What helps: {self.help}"] * bool(self.help)
        lines += list(verdict.details.get("notes", ()))
        lines += [f"Printed: {verdict.printed.rstrip()}"] * bool(verdict.printed.strip())
        lines += [f"Hint {number}: {hint}" for number, hint in enumerate(self.hints, 1)]
        lines += [line for line in (self.count, self.warning) if line]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        sign, word, colour = _LOOK[self.verdict.outcome]
        verdict = self.verdict
        parts = [
            f"<div><b style='color:color-mix(in srgb, {colour} 70%, currentColor)'>{sign} {word}</b> · {_inline(self.title)}</div>",
            f"<div style='margin-top:.3em'>{_inline(verdict.message)}</div>",
        ]
        if verdict.given:
            parts.append(f"<div>Case: {_inline(verdict.given)}</div>")
        for label, text in (
            ("Your answer", verdict.got),
            ("Where", verdict.where),
            ("Printed", verdict.printed.rstrip()),
        ):
            if text:
                parts.append(
                    f"<div style='margin-top:.3em'>{label}:</div><pre style='margin:.1em 0 .1em 1em;"
                    f"white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere'>{html.escape(text)}</pre>"
                )
        if self.help:
            parts.append(f"<div style='margin-top:.3em'><b>What helps.</b> {_inline(self.help)}</div>")
        parts += [f"<div style='margin-top:.3em'>{_inline(note)}</div>" for note in verdict.details.get("notes", ())]
        parts += [
            f"<details style='margin-top:.3em'><summary>Hint {number}</summary>{_inline(hint)}</details>"
            for number, hint in enumerate(self.hints, 1)
        ]
        parts += [
            f"<div style='margin-top:.5em;opacity:.75'>{_inline(line)}</div>"
            for line in (self.count, self.warning)
            if line
        ]
        return (
            f"<div role='status' style='border-left:4px solid {colour};background:{colour}14;"
            f"padding:.5em .9em;margin:.4em 0;max-width:46em'>{''.join(parts)}</div>"
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


def _inline(text: str) -> str:
    """Escape a sentence and set what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
