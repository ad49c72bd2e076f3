"""The generated parts of the README: its map, its table of claims, its picture."""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from helix import paths, plots
from helix.course import catalogue, chinese, lock, map_picture
from helix.course.standing import Course
from helix.record import claims

PICTURE = "docs/double-helix.svg"
_COMMAND = "python3 kit.py readme"
Say = Callable[[str], str]  # gives a piece of English in the language of the page


def map_markdown(say: Say = str) -> str:
    """Return the map of the course as Markdown tables: what is written, and what is planned folded away."""
    found = catalogue.load()

    def rows(chapters: Iterable[catalogue.Chapter]) -> list[str]:
        heads = (say("chapter"), say("you will be able to"), say("minutes"))
        lines, part = [f"| | {' | '.join(heads)} |", "|---|---|---|---|"], ""
        for one in chapters:
            if one.part != part:
                part = one.part
                lines.append(f"| **{found.part(part).numeral}** | **{say(found.part(part).title)}** | | |")
            title = f"[{say(one.title)}](notebooks/{one.name}.ipynb)" if one.written else say(one.title)
            lines.append(f"| {one.number:02d} | {title} | {say(one.promise)} | {one.minutes} + {one.lab_minutes} |")
        return lines

    planned = [one for one in found.chapters if not one.written]
    folded = [
        "",
        f"<details><summary>{say('Planned, and not written yet')}: {len(planned)}</summary>",
        "",
        *rows(planned),
        "",
        "</details>",
    ]
    return "\n".join([*rows(found.written()), *(folded if planned else [])])


def claims_markdown(say: Say = str, *, measured: bool = True) -> str:
    """Return the register of claims as a Markdown table; what was measured folds away under each claim, or is left out."""
    rows = [f"| | {say('verdict')} | {say('claim')} | {say('record')} |", "|---|---|---|---|"]
    written = {one.name for one in catalogue.load().written()}
    for row in claims.table():
        number, name = row["chapter"][:2], row["chapter"]
        chapter = f"[{number}](notebooks/{name}.ipynb)" if name in written else f"{number} ({say('planned')})"
        verdict, joint, condition = row["verdict"].partition(" if ")
        sign = claims.Measured(row["measured"], row["verdict"]).signed[0]
        statement = _cell(say(row["statement"]))
        statement += f"<br>*{_cell(say(f'if {condition}'))}*" if condition else ""
        if measured:
            under = _cell(row["measured"]) + (f"<br><i>{_cell(row['conditions'])}</i>" if row["conditions"] else "")
            statement += f"<details><summary>what was measured</summary>{under}</details>"
        rows.append(
            f"| {chapter} | {sign} {say((verdict + joint).strip())} | {statement} | [{row['date']}]({row['record']}) |"
        )
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def pythons_markdown(say: Say = str) -> str:
    """Return, in a sentence, the Python versions that the lock resolves for."""
    tested, *others = lock.parse((paths.root() / "requirements.lock").read_text()).pythons
    return say(
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


def in_chinese(text: str) -> tuple[str, list[str]]:
    """Return the Chinese README of an English one, and what of its translation has gone stale, a sentence each."""
    say = chinese.translator()
    generated = {
        "pythons": pythons_markdown(say),
        "map": map_markdown(say),
        "claims": claims_markdown(say, measured=False),
    }
    return chinese.readme(text, generated, say), chinese.lacks(say)


def picture(target: Path) -> None:
    """Draw the map, as nobody's progress shows it, to an SVG file."""
    target.parent.mkdir(exist_ok=True)
    rungs = Course({}, {}).rungs()
    plots.save_svg(map_picture.double_helix(rungs), target, alt=map_picture.in_words(rungs))


def chinese_lacks() -> list[str]:
    """Return what is not current in the Chinese README, a sentence each."""
    fresh, found = in_chinese(rendered((paths.root() / "README.md").read_text("utf-8")))
    stored = paths.root() / chinese.README
    if not stored.exists() or stored.read_text("utf-8") != fresh:
        found.append(f"{chinese.README} is not current. Run: {_COMMAND}")
    return found


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
    file.write_text(rendered(file.read_text("utf-8")), "utf-8")
    translated, stale = in_chinese(file.read_text("utf-8"))
    (paths.root() / chinese.README).write_text(translated, "utf-8")
    picture(paths.root() / PICTURE)
    print("\n".join([f"README.md, {chinese.README} and {PICTURE} are current.", *stale]))
    return 0
