"""``python3 kit.py export`` and ``import``: a learner's record, taken along."""

from __future__ import annotations

import argparse
from pathlib import Path

from helix import paths
from helix.record import export


def export_main(words: list[str]) -> int:
    """``python3 kit.py export [FILE] [--owner NAME]``."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py export",
        description="Write progress and decisions to one file. It is your own account, and no proof of anything.",
    )
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--owner", default="", help="a label that says whose record it is")
    options = parser.parse_args(words)
    file = export.export(options.file, options.owner)
    print(f"Written: {paths.display(file)}")
    if not options.owner:
        print('It does not say whose it is. If somebody collects these files: export --owner "your name".')
    return 0


def import_main(words: list[str]) -> int:
    """``python3 kit.py import FILE``."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py import", description="Take in a file that `python3 kit.py export` wrote."
    )
    parser.add_argument("file", type=Path)
    file = parser.parse_args(words).file
    attempts, made = export.bring_in(file)
    label = export.owner(file)
    print(
        f"Taken in{f' from the record of {label}' if label else ''}: "
        f"{attempts} attempts and {made} decisions that were not here yet. They now count as yours."
    )
    return 0
