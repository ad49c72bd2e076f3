"""The Markdown of lessons, one sentence a line: what a sentence changes is then one line of a difference.

A new line inside a paragraph is a space to whoever reads the page, so that nothing rendered changes. Headings, tables, quotations,
code, formulas that stand alone and lines of HTML are left as they are.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt  # comes with jupytext

from helix import paths

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_MARKER = re.compile(r"(?P<indent> *)(?P<marker>[-*+]|\d+\.) +")
_KEPT = re.compile(r"\s*(?:#{1,6} |\||>|<|\$\$|!\[|(?:-{3,}|={3,})\s*$)")  # a line that is no piece of a paragraph
# Where a sentence may end: not inside of code, formulas, links or tags.
_WHOLE = re.compile(r"(`+).+?\1|\$[^$\s](?:[^$]*[^$\s])?\$|\[[^\]]*\]\([^)]*\)|<[^>]+>")
_END = re.compile(r"(?<=[.!?:])(?P<close>[\"”’')\]*_]*) (?=[\"“‘'(\[*_`$]*[^\W_])")
_NO_END = re.compile(
    r"(?:^|[\s(“\"'*_])(?:[A-Z]|e\.g|i\.e|cf|vs|al|etc|No|Nos|Fig|Figs|Eq|Sec|Art|Vol|pp?|ed|eds|Dr|Mr|Ms|Prof|St|approx|ca|resp|U\.S)\.$"
)


def formatted(text: str) -> str:
    """Return the Markdown of a cell with one sentence a line; a text whose page would look different stays as it is."""
    made = _formatted(text)
    return made if _page(made) == _page(text) else text


def _page(text: str) -> str:
    return re.sub(r"\s+", " ", str(_MARKDOWN.render(text)))


def _formatted(text: str) -> str:
    made: list[str] = []
    paragraph: list[str] = []
    fence = ""

    def flush() -> None:
        if paragraph:
            made.extend(_sentences(paragraph))
            paragraph.clear()

    for line in text.split("\n"):
        opens = re.match(r"\s*(`{3,}|~{3,}|\$\$)", line)
        if fence:
            made.append(line)
            fence = "" if line.rstrip().endswith(fence) else fence
        elif opens:
            flush()
            made.append(line)
            fence = "" if opens[1] in line.strip()[len(opens[1]) :] else opens[1]
        elif not line.strip() or _KEPT.match(line):
            flush()
            made.append(line)
        elif _MARKER.match(line):
            flush()
            paragraph.append(line)
        else:
            paragraph.append(line)
    flush()
    return "\n".join(made)


def _sentences(lines: list[str]) -> list[str]:
    """Split a paragraph, or an item of a list, into its sentences; what follows an item's first line stands under its text."""
    if any(line.endswith(("  ", "\\")) for line in lines[:-1]):
        return lines  # a line break that the author wants
    marker = _MARKER.match(lines[0])
    head = marker[0] if marker else re.match(" *", lines[0])[0]  # type: ignore[index]
    if not lines[0][len(head) :].strip():
        return lines  # an item whose text begins in the next line
    words = " ".join([lines[0][len(head) :].strip(), *(line.strip() for line in lines[1:])])
    whole = [found.span() for found in _WHOLE.finditer(words)]
    found: list[str] = []
    start = 0
    for end in _END.finditer(words):
        if words[: end.start()].endswith(":") or any(a < end.start() < b for a, b in whole):
            continue
        if _NO_END.search(words[start : end.start()]) or _MARKER.match(words[end.end() :]):
            continue
        found.append(words[start : end.end() - 1])
        start = end.end()
    found.append(words[start:])
    return [head + found[0], *(" " * len(head) + one for one in found[1:])]


def formatted_source(text: str) -> str:
    """Return a py:percent source whose Markdown cells have one sentence a line."""
    made: list[str] = []
    cell: list[str] | None = None

    def flush() -> None:
        nonlocal cell
        if cell is not None:
            body = formatted("\n".join(line[2:] if line.startswith("# ") else line[1:] for line in cell))
            made.extend(f"# {line}".rstrip() for line in body.split("\n"))
            cell = None

    for line in text.split("\n"):
        if cell is not None and line.startswith("#") and not line.startswith("# %%"):
            cell.append(line)
            continue
        if cell is not None and not cell:
            cell = None
        flush()
        made.append(line)
        if re.match(r"# %% (?:.* )?\[markdown\]", line):
            cell = []
    if cell:
        flush()
    return "\n".join(made)


def sources() -> list[Path]:
    """Return the sources of all lessons."""
    return sorted((paths.root() / "source").glob("*/[0-9][0-9]_*.py"))


def write() -> list[Path]:
    """Format every source in place, its Markdown here and its code with ruff; return those that changed."""
    before = {file: file.read_bytes() for file in sources()}
    for file, text in before.items():
        file.write_text(formatted_source(text.decode("utf-8")), "utf-8")
    # ruff wraps the code as source/ruff.toml says; what does not parse it names itself, and leaves as it is.
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache", *map(str, before)], check=False)
    return [file for file, text in before.items() if file.read_bytes() != text]


def unformatted() -> list[str]:
    """Return where Markdown has not one sentence a line: the first place of each source is enough."""
    found = []
    for file in sources():
        before, after = file.read_text("utf-8").split("\n"), formatted_source(file.read_text("utf-8")).split("\n")
        if before != after:
            pairs = enumerate(zip([*before, ""], [*after, ""], strict=False), 1)
            number = next((n for n, (old, new) in pairs if old != new), len(before))
            found.append(
                f"{paths.display(file)}, line {number}: Markdown has one sentence a line. Run: python3 kit.py build --format"
            )
    return found
