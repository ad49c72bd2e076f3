"""``python3 kit.py test``: one pytest over everything, where there is no network."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from helix import paths
from helix.course import offline, variables


def main(words: list[str]) -> int:
    """Run all tests and gates; ``--require-all`` turns a skip into a failure; other words go to pytest.

    With paths or ``-k`` among the words only those tests run.
    """
    require_all = "--require-all" in words
    words = [word for word in words if word != "--require-all"]
    chosen = [word for word in words if not word.startswith("-") and (paths.root() / word.partition("::")[0]).exists()]
    how = offline.enter()
    print(
        f"No network: {'a namespace with loopback only' if how == 'namespace' else 'a guard on sockets'}.", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="helix-test-") as work:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--numprocesses=2",
            "--dist=loadfile",  # the cells of a notebook belong to one worker
            "--nbval-lax",
            "--nbval-cell-timeout=120",
            "--durations=10",
            "--durations-min=1",
            *(["--require-all"] if require_all else []),
            *words,
            *([] if chosen else ["notebooks", "solutions", "tests"]),
        ]
        settings = dict(variables.lesson_settings(work, grading=False))
        return subprocess.run(command, cwd=paths.root(), env={**os.environ, **settings}).returncode
