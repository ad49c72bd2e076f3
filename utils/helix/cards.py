"""The cards of what is in ``data/`` and ``weights/``, and files that are read only if they are what their card describes.

Every folder there has a ``CARD.md`` whose first fenced TOML block holds the facts that a program can check, among them the
SHA-256 of each file. They stand nowhere else.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from typing import Any

from helix import paths


def facts(folder: str) -> dict[str, Any]:
    """Read the facts in the card of a folder.

    Parameters
    ----------
    folder : str
        Such as ``data/adult``.

    Raises
    ------
    FileNotFoundError
        If there is no such card.
    ValueError
        If the card has no readable TOML block.
    """
    path = paths.root() / folder / "CARD.md"
    if not path.exists():
        raise FileNotFoundError(f"{paths.display(path)} is missing. {paths.bring_back(folder)}")
    block = re.search(r"^```toml\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    try:
        return tomllib.loads(block[1] if block else "no facts")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"The facts in {paths.display(path)} cannot be read ({error}). {paths.bring_back(folder)}"
        ) from None


def read(folder: str, file: str) -> bytes:
    """Read a file and check it against the SHA-256 in the card of its folder.

    Parameters
    ----------
    folder, file : str
        The folder, such as ``data/adult``, and a file in it that its card lists under ``[files]``.

    Raises
    ------
    FileNotFoundError
        If the file or the card is missing.
    ValueError
        If the card does not list the file, or it is not, byte for byte, the one that the card describes.
    """
    path = paths.root() / folder / file
    mend = paths.bring_back(folder)
    listed = facts(folder).get("files", {})
    if file not in listed:
        raise ValueError(f"{folder}/CARD.md lists no {file}; it lists {', '.join(listed) or 'no files'}.")
    expected = listed[file]["sha256"]
    if not path.exists():
        raise FileNotFoundError(f"{paths.display(path)} is missing. {mend}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        if hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() == expected:  # git takes it for unchanged
            mend = f"Only its line ends differ: git made them Windows's (core.autocrlf). Remove it first. {mend}"
        raise ValueError(f"{paths.display(path)} is damaged: it is not the file that its card describes. {mend}")
    return content
