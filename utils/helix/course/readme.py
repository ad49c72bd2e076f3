"""The generated parts of the README: its map, its table of claims, its picture."""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from helix import paths, plots
from helix.course import catalogue, lock, map_picture
from helix.course.standing import Course
from helix.record import claims

PICTURE = "docs/double-helix.svg"
_COMMAND = "python3 kit.py readme"


def map_markdown() -> str:
    """Return the map of the course as a Markdown table; planned chapters say so."""
    found = catalogue.load()
    rows = ["| | chapter | you will be able to | minutes |", "|---|---|---|---|"]
    for part in found.parts:
        rows.append(f"| **{part.numeral}** | **{part.title}** | | |")
        for one in found.chapters:
            if one.part != part.id:
                continue
            title = f"[{one.title}](notebooks/{one.name}.ipynb)" if one.written else f"{one.title} *(planned)*"
            rows.append(f"| {one.number:02d} | {title} | {one.promise} | {one.minutes} + {one.lab_minutes} |")
    return "\n".join(rows)


def claims_markdown() -> str:
    """Return the register of claims as a Markdown table."""
    rows = ["| chapter | claim | measured | verdict | record |", "|---|---|---|---|---|"]
    written = {one.name for one in catalogue.load().written()}
    for row in claims.table():
        number, name = row["chapter"][:2], row["chapter"]
        chapter = f"[{number}](notebooks/{name}.ipynb)" if name in written else f"{number} *(planned)*"
        measured = row["measured"] + (f" ({row['conditions']})" if row["conditions"] else "")
        rows.append(
            f"| {chapter} | {row['statement']} | {measured} | **{row['verdict']}** | [{row['date']}]({row['record']}) |"
        )
    return "\n".join(rows)


def pythons_markdown() -> str:
    """Return, in a sentence, the Python versions that the lock resolves for."""
    tested, *others = lock.parse((paths.root() / "requirements.lock").read_text()).pythons
    return (
        f"Tested on Python {tested}. The lock also resolves for {' and '.join(others)}, where nothing has been run."
        if others
        else (f"Tested on Python {tested}, the only version that the lock resolves for.")
    )


def rendered(text: str) -> str:
    """Return the README with its generated parts as they should be.

    Raises
    ------
    ValueError
        If a pair of marks is missing.
    """
    for name, content in (
        ("pythons", pythons_markdown()),
        ("map", map_markdown()),
        ("claims", claims_markdown()),
    ):
        pattern = re.compile(rf"(<!-- {name}: made by `{_COMMAND}` -->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md has lost its marks for the generated {name}.")
        text = pattern.sub(lambda match, content=content: match[1] + content + match[2], text)  # type: ignore[misc]
    return text


def picture(target: Path) -> None:
    """Draw the map, as nobody's progress shows it, to an SVG file."""
    target.parent.mkdir(exist_ok=True)
    rungs = Course({}, {}).rungs()
    plots.save_svg(map_picture.double_helix(rungs), target, alt=map_picture.in_words(rungs))


def lacks() -> list[str]:
    """Return what is not current, a sentence each; the gate of the README."""
    text = (paths.root() / "README.md").read_text()
    found = []
    if rendered(text) != text:
        found.append(f"The tables of README.md are not current. Run: {_COMMAND}")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder, "map.svg")
        picture(fresh)
        stored = paths.root() / PICTURE
        if not stored.exists() or stored.read_bytes() != fresh.read_bytes():
            found.append(f"{PICTURE} is not current. Run: {_COMMAND}")
    return found


def main(words: list[str]) -> int:
    """``python3 kit.py readme``."""
    argparse.ArgumentParser(
        prog="python3 kit.py readme", description="Remake the README's tables and picture."
    ).parse_args(words)
    file = paths.root() / "README.md"
    file.write_text(rendered(file.read_text()))
    picture(paths.root() / PICTURE)
    print(f"README.md and {PICTURE} are current.")
    return 0
