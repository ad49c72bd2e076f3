"""A forked copy of this process: one that answers over a pipe, with a limit to its memory and without thread pools.

For `helix.checking.isolation` and whoever runs something that may end the process, or must not be seen by it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable


def start(child: Callable[[int], object]) -> tuple[int, int]:
    """Fork; the child runs `child` and ends, without any of this process's cleaning up.

    Parameters
    ----------
    child : callable
        Takes the end of a pipe that it writes its answer into. What it raises ends it in silence.

    Returns
    -------
    pid, out : int
        The child, which has to be waited for, and the end of the pipe to read from, which has to be closed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    out, into = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 warns of forking beside other threads; the child only computes and leaves by _exit.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os.close(out)
            child(into)
        finally:
            os._exit(0)
    os.close(into)
    return pid, out


def use_one_thread() -> None:
    """Do without pools of OpenMP threads: they do not survive a fork, and whoever calls them waits for ever."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "threadpoolctl" in sys.modules:  # scikit-learn imports it, and brings a pool of its own
        sys.modules["threadpoolctl"].threadpool_limits(1)


def held() -> int:
    """Return the bytes of address space that this process has (Linux only)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")


def limit_memory(more: int) -> None:
    """Let this process take `more` bytes of address space on top of what it has; elsewhere than on Linux, do nothing."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = held() + more if hard == resource.RLIM_INFINITY else min(held() + more, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
