"""``python3 kit.py experiment``: run the script of an experiment."""

from __future__ import annotations

import runpy
import sys

from helix import paths
from helix.course import catalogue
from helix.record import results


def main(words: list[str]) -> int:
    """``python3 kit.py experiment NN [--measure]``; what follows the number goes to the script."""
    if not words:
        raise SystemExit("Name the experiment: python3 kit.py experiment NN [--measure]")
    script = results.script(catalogue.load().chapter(words[0]).name)
    if not script.exists():
        raise SystemExit(f"There is no {paths.display(script)}.")
    sys.argv = [str(script), *words[1:]]
    runpy.run_path(str(script), run_name="__main__")
    return 0
