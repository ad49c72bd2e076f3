"""Where things stand in the repository. Every other module asks here."""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """Return the repository's top folder (``HELIX_ROOT`` names another one, as the gates' own tests do)."""
    return Path(os.environ.get("HELIX_ROOT") or Path(__file__).parents[2]).resolve()


def work() -> Path:
    """Return the learner's folder, made if needed: ``work/``, or what ``HELIX_WORK`` names.

    Raises
    ------
    SystemExit
        If the folder cannot be made or written to; the message says what to do.
    """
    folder = work_unmade()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(
            f"The work folder {folder} cannot be made ({error.strerror}). "
            "Set HELIX_WORK to a folder that you can write to."
        ) from None
    return folder


def work_unmade() -> Path:
    """Return the learner's folder without making it: whoever only looks changes nothing.

    A relative name is meant from the course's folder, so that it is the same one in every kernel and terminal; ``kit.py`` and
    ``helix`` have made it absolute by then, from the folder in which they were called.
    """
    return Path(os.path.abspath(root() / Path(os.environ.get("HELIX_WORK") or "work").expanduser()))


def assets() -> Path:
    """Return the folder of models and data that come inside packages: ``.assets/``."""
    return root() / ".assets"


def display(path: Path) -> str:
    """Return `path` as a learner should read it: relative to the repository where it lies inside."""
    try:
        return path.resolve().relative_to(root()).as_posix()
    except ValueError:
        return path.name if path.is_absolute() else path.as_posix()


def told(path: Path) -> str:
    """Return `path` for a terminal: relative to the repository where it lies inside, else whole."""
    return display(path) if root() in path.resolve().parents else str(path)


def bring_back(name: str) -> str:
    """Return the sentence that says how to have a file or folder of the course again as it was."""
    if (root() / ".git").exists():
        return f"Bring it back with: git checkout -- {name}"
    return "Bring it back from a fresh download of the course: python3 kit.py update --from FOLDER"


def free(path: Path) -> Path:
    """Return `path`, or the first of its numbered names (``name-2.json``, …) that is not taken."""
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate
