"""The ``helix`` command. Each word imports only what it needs, so that the frequent ones answer at once."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable

from helix import paths

USAGE = """usage: python3 kit.py WORD …        (or, with the environment active: helix WORD …)

for learners
  lab                    open JupyterLab on the start page
  map                    list the chapters: done, open, planned
  start NN [--fresh]     copy a lab to work/; --fresh keeps the old copy under a new name
  progress               what you have solved and decided
  export [FILE]          write your progress and decisions to one file
  import FILE            take such a file in
  test [--require-all]   run every test and gate
  about                  machine, versions and set-up, for a bug report

for authors
  build [NN …]           build the notebooks whose sources changed [--force] [--watch]
  new NN topic           make the files of a planned lesson
  experiment NN          rerun a slice of an experiment [--measure: run it all and write its record]
  readme                 remake the tables and the picture of the README
  lock                   remake requirements.lock and environment.yml [--upgrade]
"""


def _lab(words: list[str]) -> int:
    from helix.course import workspace

    return workspace.lab(words)


def _map(words: list[str]) -> int:
    from helix.course import workspace

    print(workspace.map_table())
    return 0


def _start(words: list[str]) -> int:
    from helix.course import workspace

    return workspace.start_main(words)


def _progress(words: list[str]) -> int:
    from helix.course import workspace

    print(workspace.progress_table())
    return 0


def _export(words: list[str]) -> int:
    from helix.course import workspace

    return workspace.export_main(words)


def _import(words: list[str]) -> int:
    from helix.course import workspace

    return workspace.import_main(words)


def _about(words: list[str]) -> int:
    from helix.course import workspace

    print(workspace.about())
    return 0


def _build(words: list[str]) -> int:
    from helix.course import build

    return build.main(words)


def _test(words: list[str]) -> int:
    from helix.course import testing

    return testing.main(words)


def _new(words: list[str]) -> int:
    from helix.course import scaffold

    return scaffold.main(words)


def _experiment(words: list[str]) -> int:
    from helix.course import catalogue
    from helix.record import results

    if not words:
        raise SystemExit("Name the experiment: helix experiment NN [--measure]")
    script = results.script(catalogue.load().chapter(words[0]).name)
    if not script.exists():
        raise SystemExit(f"There is no {paths.display(script)}.")
    sys.argv = [str(script), *words[1:]]
    runpy.run_path(str(script), run_name="__main__")
    return 0


def _readme(words: list[str]) -> int:
    from helix.course import readme

    return readme.main(words)


def _lock(words: list[str]) -> int:
    from helix.course import lock

    return lock.main(words) or 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "lab": _lab,
    "map": _map,
    "start": _start,
    "progress": _progress,
    "export": _export,
    "import": _import,
    "about": _about,
    "build": _build,
    "test": _test,
    "new": _new,
    "experiment": _experiment,
    "readme": _readme,
    "lock": _lock,
}


def main(words: list[str] | None = None) -> int:
    """Run one word of the command; errors that a person can mend are one sentence, without a traceback."""
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in ("help", "-h", "--help"):
        print(USAGE)
        return 0
    if words[0] not in COMMANDS:
        print(f"There is no command {words[0]!r}.\n\n{USAGE}", file=sys.stderr)
        return 2
    from helix.course.catalogue import UnknownLesson
    from helix.record.results import MissingRecord

    try:
        return COMMANDS[words[0]](words[1:])
    except (UnknownLesson, MissingRecord) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
