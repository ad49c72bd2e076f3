"""The gates. What each refuses is shown in tests/gates/."""

import subprocess
import sys
import warnings

import pytest

from helix import paths
from helix.course import gates


@pytest.mark.parametrize("gate", gates.GATES.values(), ids=gates.GATES.keys())
def test_gate(gate):
    complaints = gate()
    assert not complaints, "\n" + "\n".join(complaints)


def test_no_notebook_was_saved_over():
    """What a learner saved is no fault of the course: it is told, and counts only where nothing may be skipped."""
    if told := gates.saved():
        warnings.warn("\n".join(told), stacklevel=1)
        pytest.skip("\n".join(told))


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--no-incremental"],  # a cache from before a new file existed has complained of it
        ["codespell_lib", "."],
    ],
    ids=["ruff check", "ruff format", "mypy", "codespell"],
)
def test_style(command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=paths.root(), capture_output=True, text=True)
    assert done.returncode == 0, (
        f"\n{done.stdout}{done.stderr}\nTo mend it: {' '.join(command[:2])} --fix (ruff), or by hand."
    )
