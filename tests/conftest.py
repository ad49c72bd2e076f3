"""What the tests share."""

import shutil

import pytest
from hypothesis import HealthCheck, settings

from helix import paths
from helix.course import gates

# On a busy machine a case may take long, and that is no fault. The same cases each time: a red test stays red until it is mended.
settings.register_profile("course", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("course")


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
