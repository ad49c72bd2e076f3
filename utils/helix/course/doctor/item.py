"""What an examination says, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GB = 1e9
SETUP = "Run: python3 kit.py setup"
WORK_ELSEWHERE = "Set HELIX_WORK to a folder that you can write to; kit.py then puts your copies and your record there."

Status = Literal["OK", "NOTE", "FAIL"]


@dataclass(frozen=True)
class Item:
    """One line of the examination: what was looked at, how it stands, a sentence, and what mends it.

    ``NOTE`` is what one should know and need not mend.
    """

    item: str
    status: Status
    text: str
    mend: str = ""

    def __str__(self) -> str:
        said = f"{self.text.removesuffix('.')} — {self.mend}" if self.mend else self.text
        return f"{f'[{self.status}]':6} {said}"
