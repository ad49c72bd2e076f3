"""The ``helix`` command. Each word imports only what it needs, so that the frequent ones answer at once."""

from __future__ import annotations

import importlib
import os
import sys

from helix.course import terminal

USAGE = """usage: python3 kit.py WORD …        (or, with the environment active: helix WORD …)

for learners
  lab                    open JupyterLab on the start page
  map                    list the chapters: done, open, planned
  start [NN] [--fresh]   put your copies of all pages in work/; of one lab, --fresh begins anew and keeps the old copy
  update [--from FOLDER] bring a new version of the course; all that you wrote stays
  progress               what you have solved and decided
  export [FILE]          write your progress and decisions to one file [--owner NAME]
  import FILE            take such a file in
  test                   run every test and gate; with a path, that part
  assets [NAME …]        fetch the models and data that the chapters use [--list] [--all]; `assets --help` tells more
  doctor [--json]        look at everything the course needs here, and say what to do
  about                  machine, versions and set-up

for authors
  build [NN …]           build the notebooks whose sources changed [--force] [--watch] [--format]
  new NN topic           make the files of a planned lesson
  test --changed         run what your changes can touch [--require-all: a skip fails] [--processor default: chapters on another processor]
  experiment NN          rerun a slice of an experiment [--measure: run it all and write its record]
  site [FOLDER]          write the pages as a static web site, to be read without installing anything
  readme                 remake the tables and the picture of the README
  lock                   remake requirements.lock and environment.yml [--upgrade]
"""


# Each word, and the function of a module of this package that takes the words after it and returns the exit status.
COMMANDS = {
    "lab": "workspace:lab",
    "map": "progress_page:map_main",
    "start": "workspace:start_main",
    "export": "portable:export_main",
    "import": "portable:import_main",
    "update": "update:main",
    "progress": "progress_page:progress_main",
    "assets": "assets:main",
    "doctor": "doctor:main",
    "about": "workspace:about_main",
    "build": "build:main",
    "test": "testing:main",
    "new": "scaffold:main",
    "experiment": "experiments:main",
    "site": "site:main",
    "readme": "readme:main",
    "lock": "lock:main",
}


def main(words: list[str] | None = None) -> int:
    """Run one word of the command; errors that a person can mend are one sentence, without a traceback."""
    terminal.prepare()
    words = sys.argv[1:] if words is None else words
    if os.environ.get("HELIX_WORK"):  # it means the same folder in every process from here on
        os.environ["HELIX_WORK"] = os.path.abspath(os.path.expanduser(os.environ["HELIX_WORK"]))
    if not words or words[0] in ("help", "-h", "--help"):
        print(USAGE)
        return 0
    if words[0] not in COMMANDS:
        print(f"There is no command {words[0]!r}.\n\n{USAGE}", file=sys.stderr)
        return 2
    try:
        module, _, function = COMMANDS[words[0]].partition(":")
        status: int | None = getattr(importlib.import_module(f"helix.course.{module}"), function)(words[1:])
        return status or 0
    except _told() as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


def _told() -> tuple[type[Exception], ...]:
    """Return the errors whose message is for the person; imported only when something is raised.

    So `doctor` speaks even where numpy, which the records need, is broken.
    """
    from helix.assets.manifest import AssetError
    from helix.course.catalogue import CatalogueError, UnknownLesson
    from helix.course.chinese import StaleTranslation
    from helix.record.export import NoRecord
    from helix.record.journal import UnreadableRecord
    from helix.record.results import DamagedRecord, MissingRecord

    return (
        AssetError,
        UnknownLesson,
        CatalogueError,
        MissingRecord,
        DamagedRecord,
        NoRecord,
        UnreadableRecord,
        StaleTranslation,
    )


if __name__ == "__main__":
    sys.exit(main())
