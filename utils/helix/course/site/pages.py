"""Which pages the site has, how they link, and what must be true of it."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urlsplit

import jinja2
from markupsafe import Markup

from helix import paths
from helix.course import catalogue, notebooks, readme
from helix.course.site import render

_HERE = Path(__file__).parent
_OWN = ("site.css", "page.js", "search.js")
_LINK = re.compile(r"""(<(?:a|img|link|script|source|iframe)\b[^>]*?\s(?:href|src)=")([^"]*)(")""")


@dataclass(frozen=True)
class Page:
    """A page of the site: its file in the course, and its place in the site."""

    title: str
    source: str
    place: str


def _ordered() -> list[Page]:
    """Return the pages that a reader goes through, in the order of the course."""
    found = [Page("Start", "README.md", "index.html")]
    for chapter in catalogue.load().written():
        for kind, title in (("chapter", ""), ("lab", " · lab"), ("solution", " · worked lab")):
            path = notebooks.Target(chapter.name, kind).path.relative_to(paths.root())  # type: ignore[arg-type]
            if (paths.root() / path).exists():
                name = f"{chapter.number:02d} {chapter.title}{title}"
                found.append(Page(name, path.as_posix(), path.with_suffix(".html").as_posix()))
    return found


def _beside() -> list[Page]:
    """Return the pages that every page links to."""
    found = [
        Page("Claims", "", "claims.html"),
        Page("Glossary", "notebooks/glossary.ipynb", "notebooks/glossary.html"),
        Page("中文", "README.zh.md", "README.zh.html"),
    ]
    return [page for page in found if not page.source or (paths.root() / page.source).exists()]


def _linked(source: str) -> Page | None:
    """Return the page that a linked file of the course becomes, or None if the file is taken along as it is."""
    path = PurePosixPath(source)
    if path.suffix not in (".md", ".ipynb"):
        return None
    known = {page.source: page for page in [*_ordered(), *_beside()]}
    return known.get(source) or Page(path.stem.replace("_", " "), source, path.with_suffix(".html").as_posix())


def write(target: Path) -> list[Page]:
    """Write the whole site into a new or empty folder, or over an earlier site; return its pages.

    Raises
    ------
    SystemExit
        If the folder holds anything else.
    """
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / "words.js").exists())):
        raise SystemExit(f"{target} holds something else than a site. Name a new folder; nothing was written.")
    whole, target = (
        target,
        target.with_name(f"{target.name}.part"),
    )  # an interrupted call leaves the site that was there
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    frame = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined
    ).get_template("page.html")
    ordered = _ordered()
    beside = _beside()
    waiting, done, words = [*ordered, *beside], dict[str, Page](), []
    while waiting:
        page = waiting.pop(0)
        if page.place in done:
            continue
        done[page.place] = page
        found: list[Page] = []
        body = _accessible(_with_links(_body(page), page, target, found))
        waiting += found
        at = ordered.index(page) if page in ordered else None
        html = frame.render(
            title=page.title,
            language="zh" if page.title == "中文" else "en",
            top="../" * page.place.count("/"),
            here=page.place,
            places=[(other.title, other.place) for other in beside],
            body=Markup(body),
            before=ordered[at - 1] if at else None,
            after=ordered[at + 1] if at is not None and at + 1 < len(ordered) else None,
        )
        file = target / page.place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(html, "utf-8")
        words += [{"page": page.title, "place": page.place} | one for one in render.sections(body)]
    for name in _OWN:
        shutil.copyfile(_HERE / name, target / name)
    with open(target / "site.css", "a", encoding="utf-8") as style:
        style.write(render.code_colours())
    (target / ".nojekyll").touch()  # GitHub Pages serves the files as they are
    (target / "words.js").write_text("window.helixWords = " + json.dumps(words, ensure_ascii=False) + ";\n", "utf-8")
    if whole.exists():
        shutil.rmtree(whole)
    target.rename(whole)
    return list(done.values())


def _body(page: Page) -> str:
    if page.place == "claims.html":
        return render.markdown(f"# What we claim, and what we measured\n\n{readme.claims_markdown()}")
    file = paths.root() / page.source
    return render.notebook(file) if file.suffix == ".ipynb" else render.markdown(file.read_text("utf-8"))


def _with_links(body: str, page: Page, target: Path, found: list[Page]) -> str:
    """Turn links to files of the course into links of the site; add the pages that they name to `found`."""

    def turned(match: re.Match[str]) -> str:
        link = unescape(match[2])
        if not link or link.startswith(("#", "//")) or urlsplit(link).scheme:
            return match[0]
        path, fragment = urldefrag(link)
        source = os.path.normpath(os.path.join(os.path.dirname(page.source), unquote(path)))
        file = paths.root() / source
        if source.startswith("..") or not file.is_file():
            return match[1] + "#" + match[3]  # a folder: a site has none to show
        other = _linked(source)
        if other:
            found.append(other)
        else:
            copy = target / source
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        place = other.place if other else source
        relative = os.path.relpath(place, os.path.dirname(page.place) or ".")
        return match[1] + relative + (f"#{fragment}" if fragment else "") + match[3]

    return _LINK.sub(turned, body)


def _accessible(body: str) -> str:
    """Let wide tables scroll by themselves (page.js lets a keyboard reach what does), and give the map its class."""
    body = re.sub(r"<table\b", '<div class="wide"><table', body).replace("</table>", "</table></div>")
    return re.sub(r'<img ([^>]*src="[^"]*double-helix\.svg")', r'<img class="map" \1', body)


def lacks(site: Path) -> list[str]:
    """Return what is wrong with a written site, a sentence each: dead links, lost anchors, requests to other hosts."""
    found = []
    ids: dict[Path, set[str]] = {}

    def anchors(file: Path) -> set[str]:
        if file not in ids:
            ids[file] = {unescape(id) for id in re.findall(r'\sid="([^"]*)"', file.read_text("utf-8"))}
        return ids[file]

    for file in sorted(site.rglob("*.html")):
        name = file.relative_to(site).as_posix()
        for opening, link in _links(file.read_text("utf-8")):
            path, fragment = urldefrag(link)
            if urlsplit(link).scheme or link.startswith("//"):
                if not opening.startswith("<a") and not link.startswith("data:"):
                    found.append(f"{name} asks another host for {link}.")
                continue
            other = (file.parent / unquote(path)).resolve() if path else file
            if not other.is_file():
                found.append(f"{name} links to {link}, which is not there.")
            elif fragment and other.suffix == ".html" and not {fragment, unquote(fragment)} & anchors(other):
                found.append(f"{name} links to {link}, and there is no such place on that page.")
    for file in (site / name for name in _OWN):
        if re.search(r"https?:|@import|//[a-z]", re.sub(r"(?m)^\s*//.*$|  // .*$", "", file.read_text("utf-8"))):
            found.append(f"{file.name} may ask another host.")
    return found


def _links(html: str) -> Iterator[tuple[str, str]]:
    return ((match[1], unescape(match[2])) for match in _LINK.finditer(html))


def main(words: list[str]) -> int:
    """``python3 kit.py site [FOLDER]``."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py site", description="Write the built pages as a static web site. Nothing is run."
    )
    parser.add_argument("folder", nargs="?", type=Path, default=paths.root() / "site", help="default: site/")
    folder = parser.parse_args(words).folder
    pages = write(folder)
    wrong = lacks(folder)
    for sentence in wrong:
        print(sentence)
    print(f"{len(pages)} pages in {folder}. Open {folder / 'index.html'} in a browser.")
    return 1 if wrong else 0
