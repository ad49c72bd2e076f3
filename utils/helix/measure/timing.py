"""Time: several functions in one run, interleaved, so that a slow spell of the machine cancels."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from helix.measure.intervals import Interval, median

if TYPE_CHECKING:
    import pandas as pd

CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.perf_counter}
_TICKS = {
    "cpu": time.get_clock_info("process_time").resolution,
    "wall": time.get_clock_info("perf_counter").resolution,
}


@dataclass(frozen=True)
class Timing:
    """What `compare` measured: for each name the seconds of one call, one number a round."""

    seconds: Mapping[str, tuple[float, ...]]
    clock: str

    def median(self, name: str) -> Interval:
        """Median seconds of one call, with an order-statistic interval."""
        return median(self._of(name))

    def ratio(self, name: str, *, over: str, level: float = 0.95) -> Interval:
        """Median over the rounds of seconds of `name` divided by seconds of `over`; 0.5 is half the time.

        Both sides of each ratio ran in the same round, so a slow spell of the machine cancels. The `level` of
        the interval is the one reached: with 7 rounds [smallest, largest] is a 98.4 % interval.
        """
        return median(np.divide(self._of(name), self._of(over)), level)

    def table(self) -> pd.DataFrame:
        """One row a function: median, low and high in milliseconds, ratio to the first function."""
        import pandas as pd

        first, rows = next(iter(self.seconds)), {}
        for name in self.seconds:
            time_ = self.median(name)
            milliseconds = [1000 * x for x in (time_.value, time_.low, time_.high)]
            rows[name] = [*milliseconds, self.ratio(name, over=first).value]
        return pd.DataFrame.from_dict(
            rows, orient="index", columns=["median_ms", "low_ms", "high_ms", f"ratio to {first}"]
        )

    def __str__(self) -> str:
        rounds = len(next(iter(self.seconds.values())))
        kind = "CPU" if self.clock == "cpu" else "wall"
        head = f"Milliseconds of {kind} time a call, median of {rounds} interleaved rounds, one thread."
        return f"{head}\n{self.table().to_string(float_format='{:.3f}'.format)}"

    def _of(self, name: str) -> tuple[float, ...]:
        if name not in self.seconds:
            raise ValueError(f"{name!r} was not timed; the names are {', '.join(map(repr, self.seconds))}.")
        return self.seconds[name]


def compare(
    functions: Mapping[str, Callable[[], object]],
    repeats: int = 7,
    warmup: int = 1,
    clock: Literal["cpu", "wall"] = "cpu",
) -> Timing:
    """Time several functions side by side, interleaved (A B C, A B C, …) so that all share the same weather.

    Parameters
    ----------
    functions : mapping of name to function without arguments
        A call much shorter than a millisecond measures the clock as well: loop inside the function.
    repeats, warmup : int
        Rounds that are timed, at least 3, after rounds that are not.
    clock : "cpu" or "wall"
        CPU seconds of this process, which other programs hardly disturb, or seconds that passed. Waiting
        (disk, network, sleep, other processes) is only in the second.

    Returns
    -------
    Timing
        A benchmark: it never raises for being slow.

    Raises
    ------
    ValueError
        If there is no function, `repeats` is below 3, `warmup` is negative, or the clock is unknown.

    Notes
    -----
    BLAS, OpenMP and, if it is already imported, torch are held to one thread and restored afterwards, so that
    ratios compare work and not cores. Where a library escapes this, start Jupyter with ``OMP_NUM_THREADS=1``.
    """
    if not functions:
        raise ValueError("There is nothing to time: pass a dict such as {'plain': f, 'fused': g}.")
    if repeats < 3 or warmup < 0:
        raise ValueError(f"Use at least 3 repeats and no negative warmup; got {repeats} and {warmup}.")
    if clock not in CLOCKS:
        raise ValueError(f"The clock is 'cpu' or 'wall'; got {clock!r}.")
    now, tick = CLOCKS[clock], _TICKS[clock]
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    with _one_thread():
        for round_ in range(warmup + repeats):
            for name, function in functions.items():
                start = now()
                function()
                if round_ >= warmup:  # never below one tick, so that a ratio always exists
                    seconds[name].append(max(now() - start, tick))
    return Timing({name: tuple(values) for name, values in seconds.items()}, clock)


@contextmanager
def _one_thread() -> Iterator[None]:
    with ExitStack() as stack:
        if (torch := sys.modules.get("torch")) is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
        from threadpoolctl import threadpool_limits  # comes with scikit-learn

        stack.enter_context(threadpool_limits(limits=1))
        yield
