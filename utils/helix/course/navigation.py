"""Where the pages of a lesson stand, and what the builder adds to each: the lines that lead to the others, and a lab's finish.

The learner's folder is laid out as the course is, so the links are the same in both. What is not written yet is named without a link.
"""

from __future__ import annotations

from typing import Literal

from helix.course import catalogue
from helix.course.catalogue import Chapter

Kind = Literal["chapter", "lab", "solution"]

FOLDER: dict[Kind, str] = {"chapter": "notebooks", "lab": "labs", "solution": "solutions"}
# Ends of the files' names, so that the tabs of a chapter, its lab and its worked lab read differently.
SUFFIX: dict[Kind, str] = {"chapter": "", "lab": "_lab", "solution": "_solution"}
START = "notebooks/00_start_here.ipynb"
MAP = f"{START}#The-map"
GLOSSARY = "notebooks/glossary.ipynb"
# The tags of the cells that stand in no source.
LINKS, FINISH, AUTHORS = "navigation", "finish", "for-authors"


def place(name: str, kind: Kind) -> str:
    """Return where a page stands, below the course and below the learner's folder: ``labs/03_pruning_lab.ipynb``."""
    return f"{FOLDER[kind]}/{name}{SUFFIX[kind]}.ipynb"


def link(goal: str, kind: Kind) -> str:
    """Return the address of a place, as a page of this kind links to it."""
    here = f"{FOLDER[kind]}/"
    return goal.removeprefix(here) if goal.startswith(here) else f"../{goal}"


def chapter_link(chapter: Chapter, kind: Kind) -> str:
    """Return a chapter's number and title as Markdown on a page of this kind, linked if there is something to read."""
    if not chapter.written:
        return f"{chapter.numbered} (planned)"
    return f"[{chapter.numbered}]({link(place(chapter.name, 'chapter'), kind)})"


def links(name: str, kind: Kind) -> str:
    """Return the line on top and at the end of a page: previous, this lesson's other pages, next, map, glossary.

    Parameters
    ----------
    name : str
        The lesson, ``03_pruning``.
    kind : str
        Whether the page is its chapter, its lab or its solution.

    Raises
    ------
    UnknownLesson
        If the catalogue has no such lesson.
    """
    found = catalogue.load()
    chapter = found.chapter(name)
    before, after = found.before(chapter), found.after(chapter)
    steps = [f"Previous: {chapter_link(before, kind)}"] if before else []
    if kind != "chapter":
        steps.append(f"Chapter: {chapter_link(chapter, kind)}")
    if kind != "lab" and chapter.lab_source.exists():
        steps.append(f"Lab: [{chapter.numbered}]({link(place(name, 'lab'), kind)})")
    steps += [f"Next: {chapter_link(after, kind)}"] if after else []
    steps += [f"[Map]({link(MAP, kind)})", f"[Glossary]({link(GLOSSARY, kind)})"]
    return " · ".join(steps)


def finish(name: str) -> tuple[str, str]:
    """Return the last cells of a lab, Markdown and code: it counts, when it is run, and says what comes next."""
    words = "## What you have done\n\nRun the next cell: it counts what you have solved and says what comes next."
    return words, f'from helix.course.progress_page import finish\n\nfinish("{name[:2]}")'


def for_authors(source: str, name: str) -> str:
    """Return the last cell of each page, which tells authors where it is edited."""
    return (
        f"<small>For authors: built from `{source}`. Edit that file, then run `python3 kit.py build {name[:2]}`. "
        "The versions are those of `requirements.lock`; `python3 kit.py about` tells the ones that are installed.</small>"
    )
