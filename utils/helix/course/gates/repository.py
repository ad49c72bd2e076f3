"""What must be true of the repository as a whole."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pathspec

from helix import paths
from helix.course import copies, notebooks

MEGABYTE = 10**6
FILE_AT_MOST = 25 * MEGABYTE
DATA_AT_MOST = 90 * MEGABYTE


def links() -> list[str]:
    """Every relative link in a page, or in a notebook and its outputs, leads to a file, and into a notebook to a heading of it.

    A notebook leads only to other notebooks of the course: those the learner's folder has, in which its copy is read.
    """
    found = []
    copied = {paths.root() / page for page in copies.pages()}
    for path, text in _pages():
        plain = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=[\"']([^\"']+)[\"']", plain):
            goal, _, heading = html.unescape(link[0] or link[1]).partition("#")
            if not goal or re.match(r"[a-z]+:", goal):
                continue
            if not (path.parent / goal).exists():
                found.append(f"{paths.display(path)} links to {goal}, which does not exist.")
            elif path in copied and (path.parent / goal).resolve() not in copied:
                found.append(
                    f"{paths.display(path)} links to {goal}, which a learner's copy of it will not find beside it."
                )
            elif goal.endswith(".ipynb") and heading and heading not in _headings((path.parent / goal).resolve()):
                found.append(f"{paths.display(path)} links to {goal}#{heading}, and there is no such heading.")
    return found


def _pages() -> Iterable[tuple[Path, str]]:
    for path in tracked():
        if path.suffix == ".md":
            yield path, path.read_text("utf-8")
        elif path.suffix == ".ipynb":
            cells = notebooks.read(path).cells
            texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
            texts += [
                output.data.get("text/html", "")
                for cell in cells
                for output in cell.get("outputs", [])
                if "data" in output
            ]
            yield path, "\n\n".join(texts)


def _headings(notebook: Path) -> set[str]:
    """Return the headings of a notebook, as a link names them."""
    cells = notebooks.read(notebook).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return {heading.strip().replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.+)$", text)}


def sizes() -> list[str]:
    """No file is too large, nor are data and weights together."""
    files = [path for path in tracked() if path.is_file()]
    found = [
        f"{paths.display(path)} has {path.stat().st_size / MEGABYTE:.0f} MB; {FILE_AT_MOST // MEGABYTE} are the most."
        for path in files
        if path.stat().st_size > FILE_AT_MOST
    ]
    heavy = sum(path.stat().st_size for path in files if path.relative_to(paths.root()).parts[0] in ("data", "weights"))
    if heavy > DATA_AT_MOST:
        found.append(f"data/ and weights/ have {heavy / MEGABYTE:.0f} MB; {DATA_AT_MOST // MEGABYTE} are the most.")
    return found


def tracked() -> list[Path]:
    """Return the files that git tracks or would track; outside a checkout, all that ``.gitignore`` does not name."""
    root = paths.root()
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        found = [root / name for name in listed.split("\0") if name]
    else:
        ignored = pathspec.GitIgnoreSpec.from_lines((root / ".gitignore").read_text("utf-8").splitlines())
        found = list(_not_ignored(root, root, ignored))
    return sorted(path for path in set(found) if path.is_file())


def _not_ignored(folder: Path, root: Path, ignored: pathspec.GitIgnoreSpec) -> Iterator[Path]:
    """Yield the files of a folder and, without looking into a folder that is ignored, those below it."""
    for path in folder.iterdir():
        name = path.relative_to(root).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not ignored.match_file(f"{name}/"):
                yield from _not_ignored(path, root, ignored)
        elif not ignored.match_file(name):
            yield path


def cards() -> list[str]:
    """Every data set and every set of weights has its card."""
    return [
        f"{paths.display(folder)} has no CARD.md (origin, licence, consent, hash, size, known problems)."
        for kind in ("data", "weights")
        for folder in sorted((paths.root() / kind).glob("*/"))
        if folder.is_dir() and not (folder / "CARD.md").exists()
    ]
