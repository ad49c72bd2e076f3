"""What pytest has to know of this course: each notebook gets a work folder of its own, a skip can be made to count."""

from __future__ import annotations

import os
import tempfile
import unittest.mock
from collections.abc import Callable, Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from helix import paths
from helix.course import notebooks, variables

_folders: dict[Path, tempfile.TemporaryDirectory[str]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--require-all``."""
    parser.addoption("--require-all", action="store_true", help="a skipped test fails: nothing may be missing here")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give a notebook, before its kernel starts, an empty work folder and the settings it was built with."""
    if item.path.suffix == ".ipynb" and item.path not in _folders:
        _folders[item.path] = tempfile.TemporaryDirectory(prefix="helix-notebook-")
        settings = variables.lesson_settings(_folders[item.path].name, grading=item.path.parent.name == "solutions")
        os.environ.update({**settings, **variables.only_its_assets(item.path.stem)})
    elif item.path.suffix != ".ipynb":
        os.environ.pop("HELIX_LESSON_ASSETS", None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """Turn a skip into a failure where everything is required."""
    report = yield
    # A test that is expected to fail is no skip; nbval's cells tagged to be skipped are not used here.
    if item.config.getoption("--require-all") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, though everything is required here: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name, for each notebook that failed, the command that mends it if the change was meant."""
    failed = {Path(report.nodeid.partition("::")[0]) for report in terminalreporter.stats.get("failed", [])}
    for notebook in sorted(path for path in failed if path.suffix == ".ipynb"):
        terminalreporter.write_line(
            f"{notebook.name}: if its new output is what you mean, run: python3 kit.py build {notebook.name[:2]}"
        )


# What a learner saved over a built notebook is theirs: it is run as its source has it. Where everything is required, nothing is excused.


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave alone a notebook of a learner's own that lies beside the built ones."""
    own = _built(collection_path) and not config.getoption("--require-all") and _target(collection_path) is None
    return True if own and notebooks.saved_over(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator[None, Any, Any]:
    """Run a notebook that a learner saved from its source; its outputs are then compared with nothing."""
    collected = yield
    target = _target(file_path) if _built(file_path) and not parent.config.getoption("--require-all") else None
    if target and notebooks.learners(target):
        made = notebooks.make(target)
        for cell in made.cells:
            cell.metadata.pop("tags", None)
        for file in collected:
            file.collect = partial(_collect_as, made, file.collect)
    return collected


def _collect_as(made: Any, collect: Callable[[], Iterable[pytest.Item]]) -> list[pytest.Item]:
    import nbval.plugin

    with unittest.mock.patch.object(nbval.plugin.nbformat, "read", return_value=made):
        return list(collect())


def _built(path: Path) -> bool:
    return path.suffix == ".ipynb" and path.parent in {paths.root() / folder for folder in notebooks.FOLDER.values()}


def _target(path: Path) -> notebooks.Target | None:
    return next((target for target in notebooks.targets() if target.path == path), None)
