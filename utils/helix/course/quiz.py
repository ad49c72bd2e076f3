"""The questions at the end of a chapter: how authors write them, how they are shown, and what they lack."""

from __future__ import annotations

import re

QUESTIONS = (3, 5)
_OPTION = re.compile(r"<details>(<summary>(?:(?!</details>).)*?</summary>\s*)(Right|Not quite)\.", re.DOTALL)
_SHOWN = {"Right": ("hx-right", "✓"), "Not quite": ("hx-wrong", "✗")}


def dressed(text: str) -> str:
    """Return the Markdown of a cell in which each option has its sign, and a class for the style.

    Right and wrong are told apart by sign, by word, and by the colour of the line beside them.
    """

    def dress(option: re.Match[str]) -> str:
        name, sign = _SHOWN[option[2]]
        return f'<details class="hx-option {name}">{option[1]}**{sign} {option[2]}.**'

    return _OPTION.sub(dress, text)


def lacks(section: str) -> list[str]:
    """Return what a quiz lacks: three to five questions, options with a reason each, one of them right."""
    questions = re.split(r"^\*\*\d+\.\s", section, flags=re.MULTILINE)[1:]
    found = []
    if not QUESTIONS[0] <= len(questions) <= QUESTIONS[1]:
        found.append(f"the quiz has {len(questions)} questions; {QUESTIONS[0]} to {QUESTIONS[1]} are wanted.")
    for number, question in enumerate(questions, 1):
        options = re.findall(r"<details[^>]*><summary>.*?</summary>(.*?)</details>", question, re.DOTALL)
        reasons = [re.sub(r"^\*\*[✓✗] (.*?)\*\*", r"\1", body.strip()) for body in options]
        if len(options) < 2:
            found.append(f"question {number} has {len(options)} options, each in <details><summary>…</summary>.")
        if sum(reason.startswith("Right.") for reason in reasons) != 1:
            found.append(f"question {number} needs just one option whose reason begins with “Right.”.")
        if any(not re.match(r"(?:Right\.|Not quite\.)\s+\S+", reason) for reason in reasons):
            found.append(f"question {number}: every option gives its reason, after “Right.” or “Not quite.”.")
    return found
