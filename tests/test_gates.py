"""The gates. What each refuses is shown in tests/gates/."""

import hashlib
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from helix import paths
from helix.course import gates
from helix.record import results


@pytest.mark.parametrize("gate", gates.GATES.values(), ids=gates.GATES.keys())
def test_gate(gate):
    complaints = gate()
    assert not complaints, "\n" + "\n".join(complaints)


def test_records_whose_modules_changed_are_named():
    for note in results.notes():
        warnings.warn(note, stacklevel=1)  # told at the end of the run: a change need not change a number


def test_style_reads_every_program():
    shown = style("ruff", "check", "--show-files", ".").stdout.split("\n")
    programs = {str(file) for file in gates.tracked() if file.suffix == ".py"}
    assert programs <= set(shown), sorted(programs - set(shown))


def types_cache() -> Path:
    """Return the folder in which mypy keeps what it knows: one for each list of files.

    From a cache that was made before a new file existed, mypy has complained of that file.
    """
    names = "\n".join(paths.display(file) for file in gates.tracked() if file.suffix == ".py")
    home = paths.root() / ".mypy_cache" / f"files-{hashlib.sha256(names.encode()).hexdigest()[:12]}"
    for other in home.parent.glob("files-*"):
        if other != home:
            shutil.rmtree(other, ignore_errors=True)
    return home


def style(*command):
    return subprocess.run([sys.executable, "-m", *command], cwd=paths.root(), capture_output=True, text=True)


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", f"--cache-dir={types_cache()}"],
        ["codespell_lib", "."],
    ],
    ids=["ruff check", "ruff format", "mypy", "codespell"],
)
def test_style(command):
    done = style(*command)
    assert done.returncode == 0, (
        f"\n{done.stdout}{done.stderr}\nTo mend it: {' '.join(command[:2])} --fix (ruff), or by hand."
    )


def test_a_new_file_has_a_cache_of_its_own(copied):
    old = types_cache()
    old.mkdir(parents=True)
    assert types_cache() == old
    assert old.exists()
    (copied / "utils" / "helix" / "new.py").write_text("")
    assert types_cache() != old
    assert not old.exists()
