"""Texts of bounded length: whatever somebody else wrote is cut before it is shown or kept."""

from __future__ import annotations

AT_MOST = 400  # characters of one text on a card, and of a line in the learner's record


def cut(text: str, at_most: int = AT_MOST) -> str:
    """Return a text, or its beginning and an ellipsis.

    Parameters
    ----------
    text : str
        Any text.
    at_most : int
        How many characters may stay.
    """
    return text if len(text) <= at_most else text[: at_most - 1] + "…"


def quoted(text: object, at_most: int = 80) -> str:
    """Return what somebody wrote as a short piece of code in Markdown: nothing in it is read as Markdown.

    Parameters
    ----------
    text : object
        A text, or something else by mistake.
    at_most : int
        How many characters may stay.
    """
    try:
        words = " ".join(str(text)[: 10 * at_most].split())
    except Exception:  # a learner's object can raise from any method
        words = f"<{type(text).__name__}>"
    return f"`{cut(words.replace('`', chr(39)), at_most) or ' '}`"


def kind(value: object) -> str:
    """Return of what type a value is, with its article: ``an `int` ``."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} `{name}`"
