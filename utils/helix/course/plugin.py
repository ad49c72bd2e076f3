"""What pytest has to know of this course.

Each notebook gets a work folder of its own, a skip can be made to count, groups of tests stay together and the longest
begins first, and the end says what the run cost.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from helix.course import costs, notebooks, variables

_CACHE = "helix/cpu_seconds"  # in .pytest_cache: what each group took last time


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the course's options; `python3 kit.py test` sets most of them itself."""
    group = parser.getgroup("double helix")
    group.addoption("--require-all", action="store_true", help="a skipped test fails: nothing may be missing here")
    group.addoption(
        "--costs", choices=("part", "whole"), help="print CPU seconds by lesson; of a whole run, judge them"
    )
    group.addoption("--labs", help="run the exercises of these topics only, with commas between them")
    group.addoption("--processor", help="the processor that this run imitates, for the words at the end")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the state of a run."""
    config.pluginmanager.register(_Surroundings(), "helix-surroundings")
    config.pluginmanager.register(_Meters(), "helix-meters")
    if config.getoption("--costs") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Costs(config), "helix-costs")


# ------------------------------------------------------------------ which tests, in which order


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the exercises that were not asked for; in a worker, put the groups that take longest first."""
    if (labs := config.getoption("--labs")) is not None:
        wanted = labs.split(",")
        others = [
            item
            for item in items
            if (lab := re.search(r"test_exercises\.py\[(\w+)\]$", costs.group(item.nodeid))) and lab[1] not in wanted
        ]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    if hasattr(config, "workerinput"):
        cache = getattr(config, "cache", None)
        measured = cache.get(_CACHE, {}) if cache else {}
        items.sort(key=lambda item: -costs.expected(costs.group(item.nodeid), measured))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give whole groups to the workers.

    ``--dist=loadgroup`` would do the same, but it writes the group into the name of each test, so that a name copied from
    a failure finds nothing.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return costs.group(nodeid)

    return ByGroup(config, log) if config.getoption("dist") == "loadscope" else None


# ------------------------------------------------------------------ what each test meets


class _Surroundings:
    """A notebook has an empty work folder and the settings it was built with; no other test sees them."""

    def __init__(self) -> None:
        self.notebook: Path | None = None
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        self.settings = pytest.MonkeyPatch()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Set, before a notebook's kernel starts; unset, before the first test after it."""
        if item.path == self.notebook:
            return
        self.leave()
        if item.path.suffix == ".ipynb":
            self.notebook, self.folder = item.path, tempfile.TemporaryDirectory(prefix="helix-notebook-")
            settings = variables.lesson_settings(self.folder.name, grading=item.path.parent.name == "solutions")
            for name, value in {**settings, **variables.only_its_assets(notebooks.lesson_of(item.path))}.items():
                self.settings.setenv(name, value)

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        self.leave()

    def leave(self) -> None:
        """Take the settings and the folder of the last notebook away."""
        self.settings.undo()
        if self.folder:
            self.folder.cleanup()
        self.notebook = self.folder = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """Turn a skip into a failure where everything is required."""
    report = yield
    # A test that is expected to fail is no skip; nbval's cells tagged to be skipped are not used here.
    if item.config.getoption("--require-all") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, though everything is required here: {report.longrepr}"
    return report


# ------------------------------------------------------------------ what it cost


class _Meters:
    """In each process that runs tests: the CPU seconds of each, in the report of its end."""

    def __init__(self) -> None:
        self.meter = costs.Meter()
        self.started = False
        self.last = False
        self.open = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
        """Look whether this test is the last of its group, whose seconds no other may get."""
        if not self.started:
            self.meter.read()  # imports and collection belong to no test
            self.started = True
        self.last = nextitem is None or costs.group(nextitem.nodeid) != costs.group(item.nodeid)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        """Read the meter after the test, while its kernel lives, and again after its end."""
        report = yield
        if call.when != "setup":
            self.open += self.meter.read(now=self.last)
        if call.when == "teardown":
            report.user_properties.append(("cpu_seconds", self.open))
            self.open = 0.0
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller what this worker used in all."""
        self.meter.read()
        if (output := getattr(session.config, "workeroutput", None)) is not None:
            output["cpu_seconds"] = self.meter.total


class _Costs:
    """Where the reports come together: the table of costs, and the budget of a whole run."""

    def __init__(self, config: pytest.Config) -> None:
        from helix.course import catalogue

        chapters = catalogue.load().chapters
        self.config = config
        self.started = time.monotonic()
        self.bill = costs.Bill([chapter.name for chapter in chapters if chapter.written], len(chapters))
        self.workers = 0.0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Book what a test took."""
        for name, seconds in report.user_properties:
            if name == "cpu_seconds" and report.when == "teardown":
                self.bill.add(report.nodeid, float(str(seconds)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Book what a worker took in all; one that crashed told nothing."""
        self.workers += getattr(node, "workeroutput", {}).get("cpu_seconds", 0.0)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep the seconds of a whole run for the next one's order; where everything is required, hold the budget."""
        own = self.config.pluginmanager.get_plugin("helix-meters").meter  # type: ignore[union-attr]
        self.bill.total = self.workers + time.process_time() if self.workers else own.total
        cache = getattr(self.config, "cache", None)
        if cache and self.judged:
            cache.set(_CACHE, dict(self.bill.groups))
        if self.judged and self.config.getoption("--require-all") and self.bill.over(costs.MARGIN):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def judged(self) -> bool:
        """Whether the run was whole, so that its sums mean something."""
        return bool(self.config.getoption("--costs") == "whole")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the table, and the budgets that are broken."""
        terminalreporter.section("what it cost")
        for line in self.bill.table(time.monotonic() - self.started):
            terminalreporter.write_line(line)
        if not self.judged:
            return
        terminalreporter.write_line(self.bill.forecast())
        for sentence in self.bill.over():
            terminalreporter.write_line(f"Over budget: {sentence}", yellow=True)
        if self.config.getoption("--require-all"):
            for sentence in self.bill.over(costs.MARGIN):
                terminalreporter.write_line(f"Failed, {costs.MARGIN} times over budget: {sentence}", red=True)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say of each notebook that failed what mends it; on another processor, which cells differ."""
    failed: dict[Path, list[str]] = {}
    for report in terminalreporter.stats.get("failed", []):
        path, _, cell = report.nodeid.partition("::")
        if path.endswith(".ipynb"):
            failed.setdefault(Path(path), []).append(cell.rpartition("::")[2])
    for notebook, cells in sorted(failed.items()):
        if processor := config.getoption("--processor"):
            terminalreporter.write_line(
                f"{notebook.name} differs on the processor “{processor}” in: {', '.join(cells)}. "
                "What a chapter asserts or has checked needs a margin: see CONTRIBUTING.md, “Measuring”."
            )
        else:
            mine = [target for target in notebooks.targets() if target.path.name == notebook.name]
            terminalreporter.write_line(
                f"{notebook.name}: if its new output is what you mean, run: python3 kit.py build {notebook.name[:2]}"
                + "".join(f".{notebooks.if_yours(target)}" for target in mine if notebooks.if_yours(target))
            )
