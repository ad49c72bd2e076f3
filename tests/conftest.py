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


def pytest_collection_modifyitems(items):
    """Let the tests of a lab stand together, since a lab is solved once: first those without a lab, then lab by lab."""
    of_labs = {
        item: item.callspec.params["name"]
        for item in items
        if item.path.name == "test_exercises.py" and hasattr(item, "callspec")
    }
    places = [place for place, item in enumerate(items) if item in of_labs]
    for place, item in zip(places, sorted(of_labs, key=of_labs.get), strict=True):
        items[place] = item
