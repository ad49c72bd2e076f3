"""``python3 kit.py new``: all files of a planned lesson, which build at once and say what they still lack."""

from __future__ import annotations

import argparse
from pathlib import Path

from helix import paths
from helix.course import catalogue, prose
from helix.course.catalogue import Chapter

_TEMPLATES = Path(__file__).parent / "templates"
# What the marker of a package says, where the first chapter that needs the package makes it.
_PACKAGES = {
    "datawork": "capturing, choosing, augmenting and versioning data",
    "deployment": "export, serving, monitoring, delivery",
}


def _link(topic: str) -> str:
    """Return the title of another chapter, linked where there is something to read."""
    chapter = catalogue.load().chapter(topic)
    return f"[{chapter.title}]({chapter.name}.ipynb)" if chapter.written else chapter.title


def files(chapter: Chapter) -> dict[Path, str]:
    """Return the files of a new lesson and their texts."""
    root, topic = paths.root(), chapter.topic
    package = root / "utils" / "helix" / chapter.package
    module = f"helix.{chapter.package}.{topic}"
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
        "module": module,
        "experiment_imports": "\n".join(
            sorted((f"from {module} import first_step", "from helix.record.experiment import Experiment"))
        ),
        "experiment_claims": "".join(
            f'    experiment.claim("{one.id}", measured="TODO", verdict="not tested", conditions="TODO")\n'
            for one in chapter.claims
        ),
    }
    places = {
        "chapter": chapter.source,
        "lab": chapter.lab_source,
        "helper": package / f"{topic}.py",
        "checks": root / "utils" / "helix" / "labs" / f"{topic}.py",
        "wrong_answers": root / "tests" / "wrong_answers" / f"{topic}.py",
        "unit_test": root / "tests" / "unit" / f"test_{topic}.py",
        "experiment": root / "experiments" / f"{chapter.name}.py",
    }
    made = {path: (_TEMPLATES / f"{name}.txt").read_text("utf-8").format(**values) for name, path in places.items()}
    for source in (chapter.source, chapter.lab_source):  # titles and claims come from the catalogue, of any length
        made[source] = prose.formatted_source(made[source])
    if not (package / "__init__.py").exists():
        made[package / "__init__.py"] = f'"""{_PACKAGES[chapter.package].capitalize()}."""\n'
    return made


def main(words: list[str]) -> int:
    """``python3 kit.py new NN topic``."""
    parser = argparse.ArgumentParser(prog="python3 kit.py new", description="Make the files of a planned lesson.")
    parser.add_argument("number")
    parser.add_argument("topic")
    options = parser.parse_args(words)
    chapter = catalogue.load().chapter(options.number)
    if chapter.topic != options.topic:
        raise SystemExit(f"Chapter {chapter.number:02d} is {chapter.topic} in source/course.toml, not {options.topic}.")
    made = files(chapter)
    if there := [path for path in made if path.exists()]:
        raise SystemExit(f"{paths.display(there[0])} exists already. Nothing was written.")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"made {paths.display(path)}")
    print(
        "\nNext: python3 kit.py build (this lesson, and the start page's map), python3 kit.py readme, then write.\n"
        "python3 kit.py test tests/test_gates.py says what the lesson still lacks. CONTRIBUTING.md tells the rest."
    )
    return 0
