"""The processes of a launch, as their supervisor holds them: forked, joined to it by pipes, ended with all they started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import Any, NoReturn

from helix.distributed.launching import rank

_PR_SET_PDEATHSIG = 1
_READ = ("answer", "out", "err", "look")


@dataclass
class Rank:
    """A rank's process and what has come from it."""

    pid: int
    pipes: dict[str, int]  # what is read: answer, out, err, look
    go: int
    kept: dict[str, bytearray] = field(default_factory=lambda: {name: bytearray() for name in _READ})
    message: bytes | None = None
    status: int | None = None  # its exit code, or minus the signal's number

    @property
    def returned(self) -> bool:
        """Say whether its function has returned."""
        return self.message is not None and self.message.startswith(rank.RESULT)

    @property
    def failed(self) -> bool:
        """Say whether it raised, or ended without an answer."""
        return (self.message is not None and not self.returned) or (self.message is None and self.status is not None)


def fork(order: dict[str, Any], number: int, earlier: list[Rank], connection: socket.socket) -> Rank:
    """Start rank `number`; what belongs to the supervisor and to `earlier` ranks is closed in it."""
    pairs = {name: os.pipe() for name in _READ}
    taken, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(order, number, earlier, connection, pairs, taken, go)
    with contextlib.suppress(OSError):  # it does so itself too: whoever comes first
        os.setpgid(pid, pid)
    os.close(taken)
    for _, into in pairs.values():
        os.close(into)
    pipes = {name: out for name, (out, _) in pairs.items()}
    for pipe in pipes.values():
        os.set_blocking(pipe, False)
    return Rank(pid, pipes, go)


def _become(
    order: dict[str, Any],
    number: int,
    earlier: list[Rank],
    connection: socket.socket,
    pairs: dict[str, tuple[int, int]],
    taken: int,
    go: int,
) -> NoReturn:
    try:
        os.setpgid(0, 0)  # what it starts goes with it
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # also where its lifeline's thread gets no turn
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        connection.close()
        os.close(go)
        for other in earlier:
            os.close(other.go)
            for pipe in other.pipes.values():
                os.close(pipe)
        for out, _ in pairs.values():
            os.close(out)
        for goal, name in ((1, "out"), (2, "err")):
            os.dup2(pairs[name][1], goal)
            os.close(pairs[name][1])
        os.set_blocking(pairs["look"][1], False)
        rank.serve(order, number, pairs["answer"][1], taken, pairs["look"][1])
    finally:
        os._exit(70)


def kill(each: Rank) -> None:
    """End a rank and all that it started, wait for it, and close its pipes."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(each.pid, signal.SIGKILL)
    if each.status is None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(each.pid, 0)
    for pipe in (each.go, *each.pipes.values()):
        with contextlib.suppress(OSError):
            os.close(pipe)
