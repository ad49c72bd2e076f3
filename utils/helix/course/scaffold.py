"""``helix new``: the five files of a planned lesson, which build at once and say what they still lack."""

from __future__ import annotations

import argparse
from pathlib import Path

from helix import paths
from helix.course import catalogue
from helix.course.catalogue import Chapter

_TEMPLATES = Path(__file__).parent / "templates"
# The folder of a chapter's helper module, by the last chapter that it holds.
_PACKAGES = {
    4: ("engineering", "quantization, mixed precision, pruning, compilation"),
    8: ("datawork", "capturing, choosing, augmenting and versioning data"),
    11: ("distributed", "training on many processes"),
    19: ("trust", "fairness, privacy, explanation, model cards"),
    30: ("generative", "generative models and their ethical problems"),
    36: ("deployment", "export, serving, monitoring, delivery"),
}


def package_of(chapter: Chapter) -> tuple[str, str]:
    """Return the name and the description of the package that holds the chapter's helper module."""
    return next(package for last, package in _PACKAGES.items() if chapter.number <= last)


def _link(topic: str) -> str:
    """Return the title of another chapter, linked where there is something to read."""
    chapter = catalogue.load().chapter(topic)
    return f"[{chapter.title}]({chapter.name}.ipynb)" if chapter.written else chapter.title


def files(chapter: Chapter) -> dict[Path, str]:
    """Return the five files of a new lesson and their texts."""
    package, _ = package_of(chapter)
    root, topic = paths.root(), chapter.topic
    values = {
        "number": f"{chapter.number:02d}",
        "name": chapter.name,
        "topic": topic,
        "title": chapter.title,
        "promise": chapter.promise,
        "minutes": chapter.minutes,
        "lab_minutes": chapter.lab_minutes,
        "strand": chapter.strand,
        "prerequisites": "after " + ", ".join(_link(one) for one in chapter.prerequisites),
        "claims": "".join(f"# > {one.statement}\n" for one in chapter.claims) or "# TODO: the claim.\n",
        "module": f"helix.{package}.{topic}",
    }
    places = {
        "chapter": chapter.source,
        "lab": chapter.lab_source,
        "helper": root / "utils" / "helix" / package / f"{topic}.py",
        "checks": root / "utils" / "helix" / "labs" / f"{topic}.py",
        "wrong_answers": root / "tests" / "wrong_answers" / f"{topic}.py",
    }
    return {path: (_TEMPLATES / f"{name}.txt").read_text().format(**values) for name, path in places.items()}


def main(words: list[str]) -> int:
    """``helix new NN topic``."""
    parser = argparse.ArgumentParser(prog="helix new", description="Make the five files of a planned lesson.")
    parser.add_argument("number")
    parser.add_argument("topic")
    options = parser.parse_args(words)
    chapter = catalogue.load().chapter(options.number)
    if chapter.topic != options.topic:
        raise SystemExit(f"Chapter {chapter.number:02d} is {chapter.topic} in source/course.toml, not {options.topic}.")
    made = files(chapter)
    if there := [path for path in made if path.exists()]:
        raise SystemExit(f"{paths.display(there[0])} exists already. Nothing was written.")
    package, description = package_of(chapter)
    marker = paths.root() / "utils" / "helix" / package / "__init__.py"
    if not marker.exists():
        made[marker] = f'"""{description.capitalize()}."""\n'
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"made {paths.display(path)}")
    print(
        "\nNext: python3 kit.py build (this lesson, and the start page's map), python3 kit.py readme, then write.\n"
        "python3 kit.py test tests/test_gates.py says what the lesson still lacks. CONTRIBUTING.md tells the rest."
    )
    return 0
