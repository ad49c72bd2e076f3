"""The catalogue of the course, read from ``source/course.toml``.

The README's map, the start page, the command line and the tests all read it here. Five words, everywhere the same:

chapter
    A notebook that is read and run. It states a claim, measures it, and ends in a quiz.
lab
    The exercises to a chapter, with blanks. A decision is the last of them.
lesson
    A chapter with its lab: one entry of the catalogue.
topic
    The word for what a lesson is about, ``pruning``; in the package it names the helper, the checks and the tests.
name
    The lesson's number and topic, ``03_pruning``; it names the sources, the notebooks, the experiment and the record.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from helix import paths
from helix.assets import manifest


class UnknownLesson(ValueError):
    """No lesson has that number, topic or name."""


class CatalogueError(ValueError):
    """``source/course.toml`` does not hold together."""


@dataclass(frozen=True)
class Claim:
    """A claim that a chapter tests: its id, the sentence, and where the sentence comes from."""

    id: str
    statement: str
    origin: str


@dataclass(frozen=True)
class Part:
    """One of the parts of the course."""

    id: str
    numeral: str
    title: str


@dataclass(frozen=True)
class Chapter:
    """A chapter and its lab, as the catalogue describes them.

    `minutes` is for reading and running the chapter, `lab_minutes` for reading the lab and solving its exercises; `package`
    is the package below ``helix`` that holds the chapter's helper module (none for chapter 00, whose helper is ``helix.start_here``).
    """

    number: int
    topic: str
    title: str
    promise: str
    part: str
    strand: str
    minutes: int
    lab_minutes: int
    prerequisites: tuple[str, ...]
    group: str
    package: str
    claims: tuple[Claim, ...] = ()
    assets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``NN_topic``: the name of this lesson in every folder."""
        return f"{self.number:02d}_{self.topic}"

    @property
    def numbered(self) -> str:
        """``03 Pruning``: what this lesson is called in links and tables."""
        return f"{self.number:02d} {self.title}"

    @property
    def source(self) -> Path:
        """The chapter's py:percent source."""
        return paths.root() / "source" / "notebooks" / f"{self.name}.py"

    @property
    def lab_source(self) -> Path:
        """The lab's py:percent source, with its solutions."""
        return paths.root() / "source" / "labs" / f"{self.name}.py"

    @property
    def written(self) -> bool:
        """Whether the chapter exists; until then it is planned."""
        return self.source.exists()


@dataclass(frozen=True)
class Catalogue:
    """All parts and chapters, in order."""

    title: str
    parts: tuple[Part, ...]
    chapters: tuple[Chapter, ...]

    @cached_property
    def _by_key(self) -> dict[str, Chapter]:
        found = {}
        for chapter in self.chapters:
            for key in (str(chapter.number), f"{chapter.number:02d}", chapter.topic, chapter.name):
                found[key] = chapter
        return found

    def chapter(self, key: str) -> Chapter:
        """Return the chapter with this number (``3``, ``03``), topic (``pruning``) or name (``03_pruning``).

        Raises
        ------
        UnknownLesson
            If there is none.
        """
        try:
            return self._by_key[str(key)]
        except KeyError:
            last = self.chapters[-1].name
            raise UnknownLesson(
                f"There is no lesson {str(key)!r}. Lessons are named by number, topic or both, "
                f"from {self.chapters[0].name} to {last}; `python3 kit.py map` lists them."
            ) from None

    def assets_of(self, lesson: str) -> tuple[str, ...]:
        """Return the assets that a lesson reads; none for one that is not in the catalogue."""
        return self._by_key[lesson].assets if lesson in self._by_key else ()

    def written(self) -> list[Chapter]:
        """Return the chapters that exist."""
        return [chapter for chapter in self.chapters if chapter.written]

    def before(self, chapter: Chapter) -> Chapter | None:
        """Return the written chapter that comes before this one, if there is one."""
        return next((one for one in reversed(self.chapters[: chapter.number]) if one.written), None)

    def after(self, chapter: Chapter) -> Chapter | None:
        """Return the written chapter that comes after this one; where none is, the first planned one; none after the last."""
        later = self.chapters[chapter.number + 1 :]
        return next((one for one in later if one.written), next(iter(later), None))

    def part(self, id: str) -> Part:
        """Return the part with this id."""
        return next(part for part in self.parts if part.id == id)


def _build(kind: type, table: dict[str, Any], where: str) -> Any:
    """Make one dataclass from one TOML table, naming what is missing or unknown."""
    known = {field.name for field in fields(kind)}
    if unknown := set(table) - known:
        raise CatalogueError(f"{where}: unknown key {', '.join(sorted(unknown))} in source/course.toml.")
    try:
        return kind(**table)
    except TypeError as error:
        raise CatalogueError(f"{where} in source/course.toml is incomplete: {error}.") from None


def load(path: Path | None = None) -> Catalogue:
    """Read the catalogue and check that it holds together.

    Raises
    ------
    CatalogueError
        If a key is missing or unknown, a number or topic stands twice, a prerequisite or part does not exist or does
        not come before, or there is no such asset.
    """
    with open(path or paths.root() / "source" / "course.toml", "rb") as file:
        try:
            data = tomllib.load(file)
        except ValueError as error:
            raise CatalogueError(f"source/course.toml: {error}.") from None
    if odd := {"title", "part", "chapter"} ^ set(data):
        raise CatalogueError(f"source/course.toml: {', '.join(sorted(odd))} is missing, or unknown, at its top.")
    parts = tuple(_build(Part, table, f"Part {table.get('id')}") for table in data["part"])
    chapters = []
    for table in data["chapter"]:
        where = f"Chapter {table.get('number')}"
        if "claims" in table:
            raise CatalogueError(f"{where}: unknown key claims in source/course.toml; it is [[chapter.claim]].")
        claims = tuple(_build(Claim, claim, f"{where}, claim {claim.get('id')}") for claim in table.pop("claim", []))
        for key in ("prerequisites", "assets"):
            table[key] = tuple(table.get(key, ()))
        chapters.append(_build(Chapter, table | {"claims": claims}, where))
    known = set(manifest.load()) if any(chapter.assets for chapter in chapters) else set()
    seen: set[str] = set()
    for expected, chapter in enumerate(chapters):
        if chapter.number != expected:
            raise CatalogueError(f"Chapter {chapter.number} stands where {expected} belongs in source/course.toml.")
        if missing := set(chapter.prerequisites) - seen:
            raise CatalogueError(
                f"{chapter.name}: the prerequisite {', '.join(sorted(missing))} does not come before it."
            )
        if unknown := set(chapter.assets) - known:
            raise CatalogueError(f"{chapter.name}: assets.lock has no asset {', '.join(sorted(unknown))}.")
        if chapter.part not in {part.id for part in parts}:
            raise CatalogueError(f"{chapter.name}: there is no part {chapter.part!r}.")
        if chapter.topic in seen:
            raise CatalogueError(f"The topic {chapter.topic} stands twice in source/course.toml.")
        seen.add(chapter.topic)
    ids = [claim.id for chapter in chapters for claim in chapter.claims]
    if twice := {id for id in ids if ids.count(id) > 1}:
        raise CatalogueError(f"A claim id stands twice in source/course.toml: {', '.join(sorted(twice))}.")
    return Catalogue(data["title"], parts, tuple(chapters))
