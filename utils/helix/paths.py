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
    folder = Path(os.environ.get("HELIX_WORK") or root() / "work").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(
            f"The work folder {folder} cannot be made ({error.strerror}). "
            "Set HELIX_WORK to a folder that you can write to."
        ) from None
    return folder


def assets() -> Path:
    """Return the folder of models and data that come inside packages: ``.assets/``."""
    return root() / ".assets"


def display(path: Path) -> str:
    """Return `path` as a learner should read it: relative to the repository where it lies inside."""
    try:
        return path.resolve().relative_to(root()).as_posix()
    except ValueError:
        return path.name if path.is_absolute() else path.as_posix()
