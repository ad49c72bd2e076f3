"""What the tests share."""

import shutil

import pytest

from helix import paths
from helix.course import gates


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the repository to break: gates look there, the code that runs is still the repository's own."""
    copy = tmp_path / "copy"
    for file in gates.tracked():
        goal = copy / file.relative_to(paths.root())
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, goal)
    monkeypatch.setenv("HELIX_ROOT", str(copy))
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))
    return copy
