"""The gates. What each refuses is shown in tests/gates/."""

import subprocess
import sys

import pytest

from helix import paths
from helix.course import gates, readme
from helix.record import results

GATES = {
    "built notebooks are what the sources give": gates.drift,
    "stored outputs are whole and the same anywhere": gates.outputs,
    "labs show no solution": gates.leaks,
    "chapters have what a chapter needs": gates.chapters,
    "labs have what a lab needs": gates.labs,
    "claims are measured": gates.claims,
    "records belong to their scripts": results.stale,
    "links lead somewhere": gates.links,
    "files are small": gates.sizes,
    "data sets have cards": gates.cards,
    "README is current": readme.lacks,
}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
def test_gate(gate):
    complaints = gate()
    assert not complaints, "\n" + "\n".join(complaints)


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
