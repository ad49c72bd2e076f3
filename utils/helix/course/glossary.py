"""The glossary: a page without code, made from the definitions that the chapters mark.

A chapter marks a term in the sentence that defines it: ``A <dfn title="控制措施">control</dfn> is a function that runs, and
refuses.`` The sentence has to make sense alone, since it is all that the glossary says of the term.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helix import paths
from helix.course import catalogue, copies, navigation, notebooks
from helix.course.catalogue import Chapter
from helix.course.notebooks import Target

COMMAND = "python3 kit.py build"
_TERM = re.compile(r'<dfn title="([^"<>]*)">([^<>]+)</dfn>')
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_MARKER = re.compile(r"^\s*(?:[-*+>]|\d+\.)\s+")
_ABOUT = (
    f"[Map]({navigation.link(navigation.MAP, 'chapter')})\n\n# Glossary\n\n"
    "The terms that the chapters define, each with its Chinese name and the sentence that defines it. "
    "The chapter says why it matters."
)


@dataclass(frozen=True)
class Term:
    """A definition: the term, its Chinese name, the sentence that defines it, and where."""

    term: str
    chinese: str
    sentence: str
    chapter: Chapter


def path() -> Path:
    """Return where the glossary stands."""
    return paths.root() / navigation.GLOSSARY


def terms() -> list[Term]:
    """Return all definitions of the written chapters, by term and then in the order of the course."""
    found = []
    for chapter in catalogue.load().written():
        for line in _lines(chapter):
            sentence = _plain(line)
            found += [Term(name.strip(), zh.strip(), sentence, chapter) for zh, name in _TERM.findall(line)]
    return sorted(found, key=lambda one: one.term.casefold())


def make() -> NotebookNode:
    """Return the page."""
    texts = [_ABOUT]
    for letter, group in itertools.groupby(terms(), key=lambda one: one.term[0].upper()):
        texts.append("\n\n".join([f"## {letter}", *map(_entry, group)]))
    cells = [nbformat.v4.new_markdown_cell(text) for text in texts]
    for cell in cells:
        cell["id"] = notebooks.cell_id("glossary", cell)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {
        "kernelspec": kernel,
        "language_info": {"name": "python"},
        "helix": {"kind": "glossary", "texts": copies.texts(cells)},
    }
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    notebook.nbformat_minor = 5
    return notebook


def write() -> bool:
    """Write the page if the chapters give another one than stands there; return whether they do."""
    text = notebooks.serialise(make())
    if path().exists() and path().read_text("utf-8") == text:
        return False
    path().write_text(text, "utf-8")
    return True


def lacks() -> list[str]:
    """Return what is wrong with the marked definitions, or that the page is older than they are."""
    form = '<dfn title="中文">term</dfn>'
    found = [
        f"{paths.display(chapter.source)}: a definition is marked as {form}, on one line, which this is not: {line[:80]!r}."
        for chapter in catalogue.load().written()
        for line in _lines(chapter)
        if len(re.findall(r"</?dfn\b", line)) != 2 * len(_TERM.findall(line))
    ]
    for _, group in itertools.groupby(terms(), key=lambda one: one.term.casefold()):
        first, *others = group
        if not all(_CHINESE.search(one.chinese) for one in (first, *others)):
            found.append(f"{paths.display(first.chapter.source)}: {first.term!r} has no Chinese name: {form}.")
        found += [
            f"{paths.display(one.chapter.source)} defines {one.term!r}, as {paths.display(first.chapter.source)} does; "
            "one of them marks it."
            for one in others
        ]
    if not path().exists() or path().read_text("utf-8") != notebooks.serialise(make()):
        found.append(f"{navigation.GLOSSARY} is not what the chapters define. Run: {COMMAND}")
    return found


def _lines(chapter: Chapter) -> list[str]:
    """Return the lines of a chapter's Markdown, each of which holds one sentence."""
    cells = notebooks.make(Target(chapter.name, "chapter")).cells
    return [line for cell in cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]


def _plain(line: str) -> str:
    """Return a sentence without markup; formulas stay, since they are read as formulas."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", _MARKER.sub("", line))
    text = re.sub(r"<[^<>]+>", "", text)
    return re.sub(r"(\*\*|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|`)", "", text).strip()


def _entry(one: Term) -> str:
    page = navigation.link(navigation.place(one.chapter.name, "chapter"), "chapter")
    return (
        f'**{one.term}** · <span lang="zh">{one.chinese}</span> · [{one.chapter.numbered}]({page})<br>\n{one.sentence}'
    )
