"""Where a text quotes somebody: quotation marks of English and Chinese."""

from __future__ import annotations

_CLOSES = {"“": "”", "「": "」", "『": "』", "«": "»", "‘": "’", '"': '"', "'": "'"}
_MARKS = frozenset(_CLOSES) | frozenset(_CLOSES.values()) | {"\n"}
_DEEP = 8  # quotations nested deeper than this are marked with the outer ones, or not at all


def hidden(text: str) -> bytearray:
    """Mark what stands in quotation marks, nested ones and the marks included.

    Parameters
    ----------
    text : str

    Returns
    -------
    bytearray, of the length of the text
        1 where a quotation stands, else 0. A quotation in straight marks ends with its line. A mark that is never closed hides
        the rest of its line, since half a quotation is one still; but a single one is an apostrophe, and after a digit
        a straight one is an inch. The time is linear in the length.
    """
    marked = bytearray(len(text))
    stack: list[tuple[str, int]] = []  # what closes, and where it was opened
    waiting = dict.fromkeys(_CLOSES.values(), 0)
    left_open: list[int] = []
    for i, mark in enumerate(text):
        if mark not in _MARKS:
            continue
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        if mark == "\n":
            while stack and stack[-1][0] in "'\"":
                closes, start = stack.pop()
                waiting[closes] -= 1
                if closes == '"':
                    left_open.append(start)
        elif waiting.get(mark) and not (mark in "'’" and _letter(before) and _letter(after)):
            start = i
            while stack:
                closes, start = stack.pop()
                waiting[closes] -= 1
                if closes == mark:
                    break
            if len(stack) < _DEEP:
                marked[start : i + 1] = b"\1" * (i + 1 - start)
        elif mark in _CLOSES and not _is_no_quotation(mark, before, after):
            stack.append((_CLOSES[mark], i))
            waiting[_CLOSES[mark]] += 1
    until = 0
    for start in sorted(left_open + [start for closes, start in stack if closes not in "'’"]):
        if start >= until:
            line = text.find("\n", start)
            until = line if line >= 0 else len(text)
            marked[start:until] = b"\1" * (until - start)
    return marked


def _is_no_quotation(mark: str, before: str, after: str) -> bool:
    if mark == "'":
        return _letter(before) or not after.strip()
    return mark == '"' and before.isdigit()


def _letter(mark: str) -> bool:
    """Return whether it is a letter of an alphabet: between Chinese characters nobody writes an apostrophe."""
    return mark.isalnum() and mark < "\u2e80"
