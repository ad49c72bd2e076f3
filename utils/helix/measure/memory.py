"""Memory: the resident pages that one call adds to a process."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helix import forked


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
    child, read = forked.start(lambda into: os.write(into, _answer(function)))
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


def _answer(function: Callable[[], object]) -> bytes:
    try:
        said: object = _peak_of(function)
    except BaseException as error:  # even an interrupt: the copy must not run on as a second notebook
        said = f"{type(error).__name__}: {error}"
    return json.dumps(said).encode()[:60_000]


def _peak_of(function: Callable[[], object]) -> tuple[int, int]:
    forked.use_one_thread()
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
