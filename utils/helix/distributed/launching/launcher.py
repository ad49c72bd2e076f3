"""`launch`: a function on several ranks, from a cell."""

from __future__ import annotations

import contextlib
import linecache
import math
import os
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle

from helix import forked
from helix.distributed.launching import failure, warmth, wire
from helix.distributed.measured.counting import Call

MOST_RANKS = 64


class Results(list[Any]):
    """What the ranks returned, in their order.

    Attributes
    ----------
    seconds : float
        From the fork of the ranks to the last answer.
    oversubscribed : bool
        Whether there were more ranks than cores: the results hold, times do not.
    printed : list of str
        What each rank wrote to stdout.
    calls : list of list of Call
        What each rank communicated, with ``count=True``.
    """

    def __init__(self, values: list[Any], seconds: float, oversubscribed: bool, printed: list[str]) -> None:
        super().__init__(values)
        self.seconds, self.oversubscribed, self.printed = seconds, oversubscribed, printed
        self.calls: list[list[Call]] = [[] for _ in values]


def launch(
    function: Callable[..., Any] | str,
    *args: Any,
    ranks: int = 2,
    timeout: float = 60.0,
    seed: int = 0,
    count: bool = False,
    careful: bool = False,
    show: bool = True,
    note: bool = True,
    port: int = 0,
) -> Results:
    """Run a function on several local processes that are joined by `torch.distributed` (gloo), one thread each.

    Parameters
    ----------
    function : callable or str
        A function of a module, or of the notebook (then it and what it uses are sent along by value); or
        ``"path/to/file.py:name"``, where the name is ``main`` if left out. Files are read afresh by each launch.
    *args
        Its arguments, the same on every rank.
    ranks : int
        How many processes, 1 to 64.
    timeout : float
        Seconds until all are stopped, from their start.
    seed : int
        Rank r starts with `random`, NumPy and torch seeded by ``seed + r``: different ranks, the same on every run.
    count : bool
        Record what each rank communicates: ``calls`` of the result.
    careful : bool
        Have torch compare operations and shapes of all ranks before each collective; point-to-point is not checked. It costs time.
        Without it gloo ends a rank where sizes differ, or returns wrong sums in silence.
    show : bool
        Print what the ranks printed, rank by rank, each line with its rank.
    note : bool
        Say so on a line if there are more ranks than cores. Turn it off where the output must be the same on every machine.
    port : int
        The port where ranks meet, as ``MASTER_PORT``; 0 takes a free one.

    Returns
    -------
    Results
        A list of what the ranks returned.

    Raises
    ------
    RankFailed
        If a rank raised, was killed, ended without returning, or did not end in time. All others are stopped before.
    TypeError, ValueError
        If an argument is wrong, or cannot be sent to another process.
    OSError
        If `port` is taken, this machine does not reach itself at 127.0.0.1, or it has no POSIX processes (Windows: use WSL2).

    Notes
    -----
    Arguments and results are pickled. They pass between this process and its own children, over sockets and pipes without a
    name that nobody else can open; code that must not be trusted must not be launched. Nothing is left behind: when this
    process, or a check that called `launch`, ends in any way, its ranks end too. Only what a rank starts in a session of its
    own (``setsid``) escapes.
    """
    if sys.platform == "win32":
        raise OSError("launch needs Linux or macOS. On Windows, run the course in WSL2.")
    _validate(ranks, timeout, seed, port)
    file, task = _task(function, args)
    order = {
        "task": task,
        "file": file,
        "ranks": ranks,
        "timeout": float(timeout),
        "seed": seed,
        "count": count,
        "careful": careful,
        "port": port,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "room": _room(),
        "cells": _cells(),
    }
    reply = _answered(order, timeout)
    if reply["kind"] == "port":
        raise OSError(f"Port {port} is taken by another program. Leave `port` out: launch then takes a free one.")
    if reply["kind"] == "loopback":
        raise OSError(
            f"This machine does not reach itself at 127.0.0.1 ({reply['message']}), where ranks meet. In a container or namespace switch the "
            "loopback interface on: ip link set lo up."
        )
    if show:
        _show(reply["printed"])
    if reply["kind"] != "done":
        raise failure.sentence(reply, ranks, timeout)
    crowded = ranks > _cores()
    if crowded and note:
        print(f"{ranks} ranks share {_cores()} cores (oversubscribed): results hold, times do not.")
    values = []
    for number, result in enumerate(reply["results"]):
        try:
            values.append(pickle.loads(result))  # from our own child
        except Exception as error:
            raise TypeError(
                f"What rank {number} returned cannot be read here: {type(error).__name__}: {error}"
            ) from None
    results = Results([value for value, _ in values], reply["seconds"], crowded, [out for out, _ in reply["printed"]])
    results.calls = [calls for _, calls in values]
    return results


def _answered(order: dict[str, Any], timeout: float) -> dict[str, Any]:
    connection = warmth.ask()
    try:
        connection.settimeout(30)
        connection.sendall(wire.framed(pickle.dumps(order)))
        answer = wire.receive(connection, timeout + 60)
    except TimeoutError:
        answer = None
    finally:
        # Whatever happened, an interrupt included: no return before the ranks have been stopped.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            while connection.recv(1 << 20):
                pass
        connection.close()
    if answer is None:
        raise failure.RankFailed(
            "The process that watches the ranks was ended from outside; the ranks ended with it.", "killed"
        )
    reply: dict[str, Any] = pickle.loads(answer)
    return reply


def _validate(ranks: Any, timeout: Any, seed: Any, port: Any) -> None:
    if not isinstance(ranks, int) or isinstance(ranks, bool) or not 1 <= ranks <= MOST_RANKS:
        raise ValueError(f"ranks must be a whole number from 1 to {MOST_RANKS}, not {ranks!r}.")
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not math.isfinite(timeout) or timeout <= 0:
        raise ValueError(f"timeout must be a number of seconds above 0, not {timeout!r}.")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32 - MOST_RANKS:
        raise ValueError(f"seed must be a whole number from 0 to {2**32 - MOST_RANKS - 1}, not {seed!r}.")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port < 2**16:
        raise ValueError(f"port must be 0 (a free one) or a port number, not {port!r}.")


def _task(function: Callable[..., Any] | str, args: tuple[Any, ...]) -> tuple[str, bytes]:
    """Return the script's file (empty for a function) and what is sent: the function, or its name, with the arguments."""
    file = ""
    if isinstance(function, str):
        name, _, wanted = function.partition(".py:")
        path = Path(name if name.endswith(".py") else f"{name}.py").expanduser()
        if not path.is_file():
            raise ValueError(f"There is no file {path}. Give launch a function, or 'path/to/file.py:name'.")
        file, function = str(path.resolve()), wanted or "main"
    elif not callable(function):
        raise TypeError(f"launch needs a function, not {type(function).__name__}: pass `step`, not `step()`.")
    named = [(f"Argument {number}", arg) for number, arg in enumerate(args, 1)]
    for what, value in [("The function", function), *named]:
        try:
            cloudpickle.dumps(value)
        except Exception as error:
            raise TypeError(
                f"{what} ({type(value).__name__}) cannot be sent to another process: {error}. Send data, such as tensors, numbers "
                "or text, and open files, connections and generators on the ranks."
            ) from None
    return file, cloudpickle.dumps((function, args))


def _room() -> int | None:
    """Return how many bytes this process may still take, where it is limited (as in a check): a rank may take as many."""
    if sys.platform != "linux":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        return None
    return max(0, soft - forked.held())


def _cells() -> dict[str, str]:
    """Return the sources that are in no file, for tracebacks: the notebook's cells."""
    kept: dict[str, Any] = dict(linecache.cache)
    return {
        name: "".join(entry[2])
        for name, entry in kept.items()
        if len(entry) == 4 and entry[2] and not Path(name).exists()
    }


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _show(printed: list[tuple[str, str]]) -> None:
    for number, texts in enumerate(printed):
        for text, stream in zip(texts, (sys.stdout, sys.stderr), strict=True):
            for line in failure.shown(text):
                print(f"[rank {number}] {line}", file=stream)
