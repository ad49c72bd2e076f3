"""The caller's end of the warm process: started at the first launch, shared by forked children, ended with this process."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import helix
from helix.distributed.launching.server import PRELOADED

_START_AT_MOST = 120.0  # seconds


@dataclass
class _Warm:
    control: socket.socket
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    owner: int
    modules: frozenset[str]


_warm: _Warm | None = None
_lock = threading.RLock()
os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.RLock()))


def warm(*modules: str) -> None:
    """Start the process from which ranks are forked, unless it is there, and do not wait for it.

    It takes some seconds, once: `launch` starts it too, and waits. In a lab it belongs into the first cell, so that checks,
    which run in children of the notebook, find it warm.

    Parameters
    ----------
    *modules : str
        Modules that the ranks need besides torch, such as ``transformers``: imported once instead of by every rank.
    """
    global _warm
    with _lock:
        if _warm is not None and _warm.modules.issuperset(modules) and _alive(_warm):
            return
        wanted = list(dict.fromkeys((*PRELOADED, *(_warm.modules - set(PRELOADED) if _warm else ()), *modules)))
        close()
        ours, theirs = socket.socketpair()
        # The folder of helix only: the learner's path comes with each launch, and a file called torch.py stays out.
        # What fails is raised and told by `launch`; the C++ libraries' own log lines say it again, in their words.
        environment = {"TORCH_CPP_LOG_LEVEL": "FATAL", **os.environ, "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
        paths = [str(Path(str(helix.__file__)).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process; it has no name
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "helix.distributed.launching.server", str(theirs.fileno()), *wanted],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=environment,
                start_new_session=True,  # the notebook's interrupt is not meant for it
            )
        _warm = _Warm(ours, process, said, os.getpid(), frozenset(wanted))


def ask() -> socket.socket:
    """Return a connection to a supervisor of its own, from the warm process.

    Raises
    ------
    RuntimeError
        If the warm process does not start; the message holds what it said.
    """
    for attempt in (1, 2):
        warm()
        assert _warm is not None
        _await(_warm)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(_warm.control, [b"?"], [theirs.fileno()])
        except OSError:  # it was ended from outside since
            ours.close()
            close()
            if attempt == 2:
                raise
        else:
            return ours
    raise AssertionError


def _await(held: _Warm) -> None:
    """Wait until it has imported all; its one byte stays unread, for the children of this process."""
    held.control.settimeout(_START_AT_MOST)
    ready = False
    with contextlib.suppress(OSError):
        ready = held.control.recv(1, socket.MSG_PEEK) == b"!"
    if not ready:
        held.process.kill()
        held.process.wait()
        held.said.seek(0)
        last = held.said.read().decode(errors="replace").strip().rpartition("\n")[2]
        close()
        raise RuntimeError(f"The process that ranks are forked from did not start: {last or 'it said nothing'}")


def close() -> None:
    """End the warm process. The next launch starts another; at the end of Python it happens by itself."""
    global _warm
    with _lock:
        if _warm is None:
            return
        _warm.control.close()
        _warm.said.close()
        if _warm.owner == os.getpid():
            try:
                _warm.process.wait(5)
            except subprocess.TimeoutExpired:
                _warm.process.kill()
                _warm.process.wait()
        else:
            _warm.process.returncode = 0  # another process's child: not ours to wait for
        _warm = None


def _alive(held: _Warm) -> bool:
    return held.owner != os.getpid() or held.process.poll() is None


atexit.register(close)
