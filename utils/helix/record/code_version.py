"""Which code ran: the commit of this repository, and whether files were changed since."""

from __future__ import annotations

import subprocess
from typing import Any

from helix import paths


def commit() -> dict[str, Any]:
    """Return ``commit``, the full hash the repository stands at, and ``clean``; "unknown" and False without git."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=paths.root(), capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "clean": not git("status", "--porcelain", "--untracked-files=no")}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown", "clean": False}
