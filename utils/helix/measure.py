"""The yardstick of every chapter: time, intervals, memory, size, operations and the machine itself.

Nothing heavy is imported until a function needs it; in particular torch is never imported for timing alone.
"""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import pandas as pd

CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.perf_counter}
_TICKS = {
    "cpu": time.get_clock_info("process_time").resolution,
    "wall": time.get_clock_info("perf_counter").resolution,
}


# Intervals -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interval:
    """An estimate with the interval around it, at a confidence level such as 0.95.

    Prints as ``0.123 [0.101, 0.147]``; a format applies to all three numbers (``f"{interval:.1%}"``), and
    ``x in interval`` asks whether `x` lies between its ends, ends included.
    """

    value: float
    low: float
    high: float
    level: float = 0.95

    @property
    def width(self) -> float:
        """Distance between the two ends, in the unit of the value."""
        return self.high - self.low

    def __contains__(self, x: float) -> bool:
        return self.low <= x <= self.high

    def __format__(self, spec: str) -> str:
        value, low, high = (format(x, spec or ".3f") for x in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"

    def __str__(self) -> str:
        return format(self, "")


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion, without continuity correction.

    Parameters
    ----------
    successes, n : float
        How many of how many. Unlike the textbook interval it stays inside [0, 1], also at 0 or `n` successes.
    level : float
        Confidence level, strictly between 0 and 1.

    Raises
    ------
    ValueError
        If `n` is not positive, `successes` is not within 0..n, or `level` is not within (0, 1).

    References
    ----------
    E. B. Wilson (1927), J. Am. Stat. Assoc. 22, 209-212, doi:10.1080/01621459.1927.10502953.
    """
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"A proportion needs 0 <= successes <= n and n > 0; got {successes} of {n}.")
    z = statistics.NormalDist().inv_cdf(0.5 + _checked(level) / 2)
    p = successes / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 or n successes the end is exactly 0 or 1; rounding must not push it past the estimate.
    return Interval(p, max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half)), level)


def difference_of_proportions(
    successes_a: float, n_a: float, successes_b: float, n_b: float, level: float = 0.95
) -> Interval:
    """Newcombe's hybrid Wilson interval of the difference p_a − p_b of two independent proportions.

    Raises
    ------
    ValueError
        As `wilson`, for either group.

    References
    ----------
    R. G. Newcombe (1998), Statistics in Medicine 17, 873-890, method 10.
    """
    a, b = wilson(successes_a, n_a, level), wilson(successes_b, n_b, level)
    difference = a.value - b.value
    below = math.hypot(a.value - a.low, b.high - b.value)
    above = math.hypot(a.high - a.value, b.value - b.low)
    return Interval(difference, difference - below, difference + above, level)


def paired_difference(won: int, lost: int, n: int, level: float = 0.95) -> Interval:
    """Interval of the difference of two proportions that were counted on the same `n` items, after − before.

    Two models that answer the same pictures agree on most of them, so that their difference is known much better than
    `difference_of_proportions` would say. Agresti and Min's interval (half an item more in each cell) also holds where no
    item changed: after 0 of 20, much may still have changed elsewhere.

    Parameters
    ----------
    won, lost : int
        Items that count only after, and only before.
    n : int
        All items.
    level : float
        Confidence level, strictly between 0 and 1.

    Raises
    ------
    ValueError
        If `n` is not positive, a count is negative, or more items changed than there are.

    References
    ----------
    A. Agresti and Y. Min (2005), Statistics in Medicine 24, 729-740, doi:10.1002/sim.1781.
    """
    if not (n > 0 and won >= 0 and lost >= 0 and won + lost <= n):
        raise ValueError(f"Of {n} items {won} cannot have been won and {lost} lost.")
    z = statistics.NormalDist().inv_cdf(0.5 + _checked(level) / 2)
    middle = (won - lost) / (n + 2)
    half = z * math.sqrt(won + lost + 1 - (won - lost) ** 2 / (n + 2)) / (n + 2)
    value = (won - lost) / n
    return Interval(value, max(-1.0, min(value, middle - half)), min(1.0, max(value, middle + half)), level)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[Any], Any] = np.mean,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a statistic.

    Parameters
    ----------
    values : array, shape (n,) or (n, ...)
        The sample. Rows are drawn together, so paired measurements stay paired.
    statistic : callable
        Takes an array of the shape of `values`, gives one number.
    level, resamples, seed
        Confidence level; number of resamples; seed of the draws (the same seed gives the same interval).

    Raises
    ------
    ValueError
        If there are fewer than two values, a value is NaN, or `level` is not within (0, 1).

    Notes
    -----
    With fewer than about 20 values the percentile interval is too narrow.

    References
    ----------
    B. Efron and R. Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    sample, rng = _sample(values), np.random.default_rng(seed)
    draws = [statistic(sample[rng.integers(len(sample), size=len(sample))]) for _ in range(resamples)]
    return _percentiles(statistic(sample), draws, level)


def bootstrap_difference(
    a: ArrayLike,
    b: ArrayLike,
    statistic: Callable[[Any], Any] = np.mean,
    paired: bool = False,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of statistic(a) − statistic(b).

    Parameters
    ----------
    a, b : array, shape (n_a, ...) and (n_b, ...)
        The two samples.
    paired : bool
        True if row i of `a` and row i of `b` belong together (the same person, image or seed): then they are
        drawn together, which is usually much narrower. False if the samples are independent.
    statistic, level, resamples, seed
        As in `bootstrap`.

    Raises
    ------
    ValueError
        As `bootstrap`, and if paired samples differ in length.
    """
    first, second, rng = _sample(a), _sample(b), np.random.default_rng(seed)
    if paired and len(first) != len(second):
        raise ValueError(f"Paired samples need the same length; got {len(first)} and {len(second)}.")
    draws = []
    for _ in range(resamples):
        rows = rng.integers(len(first), size=len(first))
        others = rows if paired else rng.integers(len(second), size=len(second))
        draws.append(statistic(first[rows]) - statistic(second[others]))
    return _percentiles(statistic(first) - statistic(second), draws, level)


def _sample(values: ArrayLike) -> Any:
    sample = np.asarray(values)
    if sample.ndim == 0 or len(sample) < 2:
        raise ValueError("A bootstrap needs at least two values.")
    if sample.dtype.kind == "f" and np.isnan(sample).any():
        raise ValueError("The sample contains NaN; decide what a missing value means and remove it first.")
    return sample


def _percentiles(value: Any, draws: list[Any], level: float) -> Interval:
    tail = (1 - _checked(level)) / 2
    low, high = np.quantile(np.asarray(draws, dtype=float), [tail, 1 - tail])
    return Interval(float(value), float(low), float(high), level)


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, such as 0.95; got {level}.")
    return level


def _median(values: ArrayLike, level: float = 0.95) -> Interval:
    """Median with its order-statistic interval [k-th smallest, k-th largest], by the sign test.

    The level given back is the one reached, which is exact for independent values of any distribution: seven
    values reach 98.4 %, five 93.8 % and three 75 %, because no interval is wider than [smallest, largest].
    """
    ordered = sorted(np.asarray(values, dtype=float).tolist())
    n, k, outside = len(ordered), 1, 2 * 0.5 ** len(ordered)
    while k < (n + 1) // 2 and outside + 2 * math.comb(n, k) * 0.5**n <= 1 - _checked(level):
        outside += 2 * math.comb(n, k) * 0.5**n
        k += 1
    return Interval(statistics.median(ordered), ordered[k - 1], ordered[n - k], 1 - outside)


# Time ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Timing:
    """What `compare` measured: for each name the seconds of one call, one number a round."""

    seconds: Mapping[str, tuple[float, ...]]
    clock: str

    def median(self, name: str) -> Interval:
        """Median seconds of one call, with an order-statistic interval."""
        return _median(self._of(name))

    def ratio(self, name: str, *, over: str, level: float = 0.95) -> Interval:
        """Median over the rounds of seconds of `name` divided by seconds of `over`; 0.5 is half the time.

        Both sides of each ratio ran in the same round, so a slow spell of the machine cancels. The `level` of
        the interval is the one reached: with 7 rounds [smallest, largest] is a 98.4 % interval.
        """
        return _median(np.divide(self._of(name), self._of(over)), level)

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


# Memory --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MemoryUse:
    """Peak resident memory of a function, in bytes, beyond the `baseline` that was there before it ran."""

    extra: int
    baseline: int

    def __str__(self) -> str:
        return f"{self.extra / 2**20:.1f} MiB on top of {self.baseline / 2**20:.1f} MiB"


def peak_memory(function: Callable[[], object]) -> MemoryUse:
    """Highest resident memory that one call adds to this process.

    The call runs in a forked copy of this process, which ends afterwards: its peak is exact, as the kernel
    keeps it, and cannot be hidden by an earlier, higher one; its result and side effects are lost.

    Counted: every page the call made resident, including pages of code and of files that it was the first to
    touch. These can be 20 MiB at the first use of a torch kernel, so measure what takes more than that.
    Not counted: memory of a GPU, memory swapped out, other processes that the call starts, and what fits
    into space that this process had already and had free.

    Parameters
    ----------
    function : callable without arguments
        Torch runs with one thread in the copy, because thread pools do not survive a fork.

    Raises
    ------
    RuntimeError
        If the call raised or was killed (its reason is in the message), or if the system cannot fork.

    References
    ----------
    proc_pid_status(5), VmHWM; getrusage(2), ru_maxrss, where there is no /proc.
    """
    if not hasattr(os, "fork"):
        raise RuntimeError("Peak memory is measured in a forked process; on Windows, run the course in WSL2.")
    gc.collect()
    _give_back_free_memory()
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            answer = json.dumps(_peak_of(function))
        except BaseException as error:  # even an interrupt: the copy must not run on as a second notebook
            answer = json.dumps(f"{type(error).__name__}: {error}")
        os.write(write, answer.encode()[:60_000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not answer:
        killer = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        raise RuntimeError(f"The measured call ended early ({killer}); SIGKILL usually means out of memory.")
    result = json.loads(answer)
    if isinstance(result, str):
        raise RuntimeError(f"The measured call raised {result}")
    return MemoryUse(extra=result[1] - result[0], baseline=result[0])


def _peak_of(function: Callable[[], object]) -> tuple[int, int]:
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
    before = high_water()
    result = function()
    peak = high_water()
    del result
    return before, peak


def high_water() -> int:
    """Peak resident bytes of this process; after a fork the kernel starts it anew at what is resident."""
    try:
        line = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        line = None
    if line:
        return int(line[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


def _give_back_free_memory() -> None:
    """Return freed heap to the system, or the measured call would reuse it unseen (glibc only)."""
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


# Size and operations -------------------------------------------------------------------------------------


def size_on_disk(path: str | os.PathLike[str]) -> int:
    """Bytes of a file, or of all files in a folder; links inside a folder are not followed.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {path}; run the cell that writes it first.")
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink())


def parameter_count(module: Any, trainable: bool = False) -> int:
    """Numbers in the parameters of a torch module, shared ones once; only trainable ones on request.

    Layers that torch has packed into int8 hold no parameters and count 0: compare those by `state_size`.
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def state_size(module: Any) -> int:
    """Bytes of all tensors in a module's state: number of elements times bytes of their dtype.

    It is what the numbers need, without the header of a file format (safetensors adds a few KiB). Shared
    tensors count once, packed int8 weights one byte each; pruning masks count, zeros count, buffers that are
    not saved do not. Per-channel scales inside torch's own quantized tensors are left out.
    """
    tensors = {id(t): t for t in _tensors(module.state_dict(keep_vars=True))}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _tensors(value: Any) -> Iterator[Any]:
    import torch

    if hasattr(value, "__tensor_flatten__"):  # a tensor subclass, such as torchao's: count what it is made of
        yield from _tensors([getattr(value, name) for name in value.__tensor_flatten__()[0]])
    elif isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def flops(function: Callable[..., Any], *inputs: Any) -> int:
    """Floating-point operations of ``function(*inputs)``, by torch's FlopCounterMode.

    A multiply-add counts as 2 operations: a Linear of shape (m, n) on a batch of b costs 2·b·m·n. Matrix
    products, convolutions and attention are counted, in the forward pass and in a backward pass that the
    function makes; biases, activations, norms, pooling and int8 kernels count 0.

    Parameters
    ----------
    function : torch module or callable
        Called once.
    inputs
        Its arguments.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    return int(counter.get_total_flops())


# The machine ---------------------------------------------------------------------------------------------

_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")
_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "torchao", "transformers", "onnxruntime")


def hardware() -> dict[str, str | int | list[str]]:
    """Describe what a measurement ran on, without the names of machine, user or folder.

    Returns
    -------
    dict
        ``cpu`` (model), ``cores`` (logical), ``memory_gib`` (rounded), ``instructions`` (those present among
        AVX2, AVX-512, VNNI, bfloat16 and AMX int8), ``system``, ``python``, and the version of each library
        of interest that is installed. What cannot be found out is "unknown" or 0.
    """
    cpu, flags = _cpu()
    try:
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (AttributeError, OSError, ValueError):
        memory = 0
    facts: dict[str, str | int | list[str]] = {
        "cpu": cpu,
        "cores": os.cpu_count() or 0,
        "memory_gib": memory,
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "system": f"{platform.system()} {platform.machine()}".strip() or "unknown",
        "python": platform.python_version(),
    }
    for library in _LIBRARIES:
        try:
            facts[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return facts


def _cpu() -> tuple[str, set[str]]:
    """CPU model and its flags, spelled as in Linux's /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    if model:
        return model[1], set(flags[1].split()) if flags else set()
    brand = _sysctl("machdep.cpu.brand_string") or platform.processor() or "unknown"
    return brand, set(_sysctl("machdep.cpu.leaf7_features").lower().replace("512vnni", "512_vnni").split())


def _sysctl(name: str) -> str:
    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
