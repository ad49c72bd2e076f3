"""What a run of the tests costs, lesson by lesson: CPU seconds, the budget, and what the whole course would take.

CPU seconds, not seconds on a clock: they are the same whatever else the machine does, and they add up over workers.
"""

from __future__ import annotations

import contextlib
import re
import resource
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

KINDS = ("chapter", "solution", "exercises", "unit tests")
LESSON_AT_MOST = 75.0  # CPU seconds, all four kinds together
WHOLE_AT_MOST = 30 * 60.0  # seconds, for all lessons of the catalogue, if CORES are busy all the time
CORES = 2
# A budget is kept on one machine and read on others: processors of one decade differ by about as much.
MARGIN = 1.5
_REST = ("", "the rest")


def group(nodeid: str) -> str:
    """Return what a test runs together with, in one worker and in its order.

    The cells of a notebook need one kernel, the exercises of a lab one solved lab; elsewhere a file is a group. Tests of
    the gates have nothing in common and take long, so each goes where there is room.
    """
    path = nodeid.partition("::")[0]
    if path.endswith("tests/test_exercises.py") and (lab := re.search(r"\[(?:\d\d_)?(\w+)", nodeid)):
        return f"{path}[{lab[1]}]"
    if path.startswith("tests/gates/") or path == "tests/test_gates.py":
        return nodeid
    return path


# Before anything was measured: these take longest, in this order.
_LONG = ("test_new_lesson", "mypy", "tests/test_exercises.py[", "notebooks/", "solutions/", "tests/gates", "drift")


def expected(name: str, measured: dict[str, float]) -> float:
    """Return about how many seconds a group takes, from an earlier run if there was one: the longest begin first."""
    rank = next((number for number, piece in enumerate(_LONG) if piece in name), len(_LONG))
    return measured.get(name, 100.0 / (1 + rank))


def place(nodeid: str, lessons: Sequence[str]) -> tuple[str, str]:
    """Return the lesson that a test belongs to, by its full name, and which of `KINDS` it is; else an empty name."""
    path = nodeid.partition("::")[0]
    for lesson in lessons:
        topic = lesson[3:]
        if path in (f"notebooks/{lesson}.ipynb", f"solutions/{lesson}_solution.ipynb"):
            return lesson, "chapter" if path.startswith("notebooks") else "solution"
        if group(nodeid) == f"tests/test_exercises.py[{topic}]":
            return lesson, "exercises"
        if re.fullmatch(rf"tests/unit/test_{topic}(_lesson)?\.py", path):
            return lesson, "unit tests"
    return _REST


class Meter:
    """Counts the CPU seconds of this process and of all that it started, also of what still runs.

    A notebook's kernel is killed at the end, and with it goes what the kernel's own children used; so the living are asked
    while they live, and a reading that falls is taken for nothing. Asking takes milliseconds: it is done twice a second at most.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self._last = 0.0
        self._when = -1.0

    def read(self, *, now: bool = True) -> float:
        """Return the CPU seconds since the last reading; zero, to be told later, if that was just before and not `now`."""
        if not now and time.monotonic() < self._when + 0.5:
            return 0.0
        seen = _used()
        used, self._last, self._when = max(0.0, seen - self._last), seen, time.monotonic()
        self.total += used
        return used


def _used() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:4])  # its own, and that of its children that have ended
    return seconds


@dataclass
class Bill:
    """The CPU seconds of a run: `spent` by lesson and kind, and `total`, which also counts what is no test.

    Parameters
    ----------
    lessons : sequence of str
        The written lessons.
    planned : int
        How many lessons the catalogue has.
    """

    lessons: Sequence[str]
    planned: int
    spent: defaultdict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    groups: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    total: float = 0.0

    def add(self, nodeid: str, seconds: float) -> None:
        """Book the CPU seconds of a test."""
        self.spent[place(nodeid, self.lessons)] += seconds
        self.groups[group(nodeid)] += seconds

    def of_lesson(self, lesson: str) -> float:
        """Return what a lesson took, all kinds together."""
        return sum(self.spent[lesson, kind] for kind in KINDS)

    @property
    def rest(self) -> float:
        """What belongs to no lesson: gates, tests of the house, and the start of the workers."""
        return max(self.total - sum(map(self.of_lesson, self.lessons)), self.spent[_REST])

    @property
    def whole(self) -> float:
        """The seconds that all planned lessons would take on `CORES` busy cores: the rest once, and a mean lesson each."""
        mean = sum(map(self.of_lesson, self.lessons)) / max(len(self.lessons), 1)
        return (self.rest + self.planned * mean) / CORES

    def table(self, seconds: float) -> list[str]:
        """Return the lines of the table; `seconds` is what the run took on the clock."""
        head = f"{'CPU seconds':24}" + "".join(f"{kind:>12}" for kind in (*KINDS, "together"))
        lines = [head]
        for lesson in self.lessons:
            if self.of_lesson(lesson):
                cells = [self.spent[lesson, kind] for kind in KINDS] + [self.of_lesson(lesson)]
                lines.append(f"{lesson:24}" + "".join(f"{cell:12.1f}" for cell in cells))
        lines.append(f"{'gates, house, start':24}{self.rest:{12 * (len(KINDS) + 1)}.1f}")
        lines.append(f"{'all':24}{self.total:{12 * (len(KINDS) + 1)}.1f}  in {seconds / 60:.1f} minutes")
        return lines

    def forecast(self) -> str:
        """Return the sentence on the whole course."""
        return f"All {self.planned} lessons at this price: {self.whole / 60:.0f} minutes on {CORES} busy cores."

    def over(self, margin: float = 1.0) -> list[str]:
        """Return a sentence for each budget that is broken by more than `margin` times."""
        found = [
            f"{lesson} takes {spent:.0f} CPU seconds, {spent - LESSON_AT_MOST:.0f} more than the {LESSON_AT_MOST:.0f} of a lesson."
            for lesson in self.lessons
            if (spent := self.of_lesson(lesson)) > margin * LESSON_AT_MOST
        ]
        if self.whole > margin * WHOLE_AT_MOST:
            found.append(
                f"All {self.planned} lessons would take {self.whole / 60:.0f} minutes on {CORES} cores, "
                f"{(self.whole - WHOLE_AT_MOST) / 60:.0f} more than the {WHOLE_AT_MOST / 60:.0f} of the whole."
            )
        return found
