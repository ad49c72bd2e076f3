"""Loaders of the data in ``data/``: typed, with fixed splits, and verified against each set's card.

Every folder of ``data/`` has a ``CARD.md`` whose first fenced TOML block holds the facts that a program can
check, among them the size and SHA-256 of each file. They stand nowhere else.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from typing import Any

from helix import paths


def card(name: str) -> dict[str, Any]:
    """Read the facts in the card of a data set.

    Parameters
    ----------
    name : str
        The folder inside ``data/``.

    Raises
    ------
    FileNotFoundError
        If there is no such card.
    ValueError
        If the card has no readable TOML block.
    """
    path = paths.root() / "data" / name / "CARD.md"
    if not path.exists():
        raise FileNotFoundError(f"{paths.display(path)} is missing. Bring it back with: git checkout -- data/{name}")
    block = re.search(r"^```toml\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    try:
        return tomllib.loads(block[1] if block else "no facts")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"The facts in {paths.display(path)} cannot be read ({error}). "
            f"Bring the card back with: git checkout -- data/{name}"
        ) from None


def read(name: str, file: str) -> bytes:
    """Read a file of a data set and check it against the SHA-256 in the card.

    Parameters
    ----------
    name, file : str
        The folder inside ``data/`` and a file in it that the card lists under ``[files]``.

    Raises
    ------
    FileNotFoundError
        If the file or the card is missing.
    ValueError
        If the file is not, byte for byte, the one that the card describes.
    """
    path = paths.root() / "data" / name / file
    mend = f"Bring it back with: git checkout -- data/{name}"
    expected = card(name)["files"][file]["sha256"]
    if not path.exists():
        raise FileNotFoundError(f"{paths.display(path)} is missing. {mend}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        raise ValueError(f"{paths.display(path)} is damaged: it is not the file that its card describes. {mend}")
    return content
