"""The little Markdown that cards need, as HTML: code, bold, emphasis, links, paragraphs and lists. All else is escaped."""

from __future__ import annotations

import html
import re

_CODE = re.compile(r"`([^`]+)`")
# Not beside letters or digits, so that 2**bits − 1 and a*b stay what they are.
_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])(.+?)(?<=[^\s*])\*\*(?![\w*])")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=[^\s*])\*(?![\w*])")
_LINK = re.compile(r"\[([^\]\n]+)\]\((https?://[^\s()\"'<>]+|[\w][\w./#-]*)\)")
_ITEM = re.compile(r"(-|\d+\.)\s+(.*)")


def inline(text: str) -> str:
    """Return a sentence as HTML."""
    pieces = _CODE.split(text.replace("\0", ""))
    codes = [f"<code>{html.escape(code, quote=False)}</code>" for code in pieces[1::2]]
    made = html.escape("\0".join(pieces[::2]), quote=False)
    made = _EMPHASIS.sub(r"<em>\1</em>", _BOLD.sub(r"<b>\1</b>", made))
    made = _LINK.sub(lambda link: f'<a href="{html.escape(html.unescape(link[2]))}">{link[1]}</a>', made)
    for code in codes:
        made = made.replace("\0", code, 1)
    return made


def blocks(text: str) -> str:
    """Return paragraphs and lists as HTML; a list begins after a blank line."""
    return "".join(map(_block, re.split(r"\n\s*\n", text.strip())))


def _block(text: str) -> str:
    items = [_ITEM.fullmatch(line.strip()) for line in text.splitlines()]
    if items and all(items):
        kind = "ul" if all(item and item[1] == "-" for item in items) else "ol"
        inner = "".join(f"<li style='margin:.2em 0'>{inline(item[2])}</li>" for item in items if item)
        return f"<{kind} style='margin:.3em 0;padding-left:1.6em'>{inner}</{kind}>"
    return f"<p style='margin:.3em 0 0'>{inline(' '.join(text.split()))}</p>"
