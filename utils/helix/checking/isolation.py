"""Run a learner's code so that it can hang, eat memory or crash and the notebook stays usable.

On Linux the code runs in a forked child: it sees all that the notebook has computed, changes nothing of it, and can be
stopped whatever it does. Elsewhere (forking is unsafe on macOS once its system libraries run) it runs in this process
under an alarm, which stops a loop but neither a long call into C nor a memory hog.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from helix import forked

MEGABYTE = 2**20
_PRINTED_AT_MOST = 4000


@dataclass(frozen=True)
class Ran:
    """What became of a run: `value` if it ended by itself, else why it did not (``time``, ``memory``, ``crash``)."""

    value: dict[str, Any] | None
    stopped: str = ""
    printed: str = ""


class TimeUp(BaseException):
    """The alarm rang; no ``except Exception`` of the learner's catches it."""


def run(function: Callable[[], dict[str, Any]], seconds: float, memory: int) -> Ran:
    """Run a function that returns JSON-serialisable data, within limits.

    Parameters
    ----------
    function : callable
        Takes nothing and returns a dictionary.
    seconds : float
        Wall-clock limit.
    memory : int
        How many bytes it may take on top of what the process holds already.

    Returns
    -------
    Ran
        The value, or why there is none.
    """
    if sys.platform == "linux":
        return _forked(function, seconds, memory)
    return _alarmed(function, seconds)


def _forked(function: Callable[[], dict[str, Any]], seconds: float, memory: int) -> Ran:
    pages = os.fdopen(os.memfd_create("printed"), "w+b", buffering=0)  # outlives a child that has to be killed
    child, out = forked.start(lambda into: _serve(function, into, pages, memory))
    try:
        answer = _receive(out, seconds)
    finally:
        os.close(out)
        # The child leads a group of its own, so that whatever it started goes with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with pages:
        pages.seek(0)
        printed = pages.read().decode(errors="replace")
    if answer is None:
        return Ran(None, "time", printed)
    try:
        data = json.loads(answer.partition(b"\n")[0])  # an answer that forks comes back twice
    except ValueError:
        return Ran(None, "crash", printed)
    return Ran(data["value"], data["stopped"], printed)


def _serve(function: Callable[[], dict[str, Any]], into: int, pages: BinaryIO, memory: int) -> None:
    """Be the child: run, and answer with one line of JSON."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    faulthandler.disable()  # Jupyter's would print a page of frames under a card that says it in a sentence
    forked.limit_memory(memory)
    forked.use_one_thread()
    # What a program or a C library writes goes nowhere: it could go on for ever.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stdout = sys.stderr = _Printed(pages)
    value: dict[str, Any] | None
    try:
        value, stopped = function(), ""
    except MemoryError:
        value, stopped = None, "memory"
    answer = {"value": value, "stopped": stopped}
    # "replace" is for half a surrogate pair, which no file, browser or terminal takes.
    data = memoryview(json.dumps(answer, ensure_ascii=False).encode(errors="replace") + b"\n")
    while data:
        data = data[os.write(into, data) :]


def _receive(out: int, seconds: float) -> bytes | None:
    """Read one line within the time; None if it does not come. A child that died leaves less than a line."""
    end, received = time.monotonic() + seconds, b""
    while not received.endswith(b"\n"):
        ready, _, _ = select.select([out], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return None
        piece = os.read(out, 1 << 16)
        if not piece:
            return b""
        received += piece
    return received


class _Printed(io.TextIOBase):
    """Keeps the first few thousand characters; a loop that prints for ever fills no memory."""

    def __init__(self, pages: BinaryIO) -> None:
        self._pages, self._room = pages, _PRINTED_AT_MOST

    def write(self, text: str) -> int:
        if self._room > 0:
            self._pages.write(text[: self._room].encode(errors="replace"))
            self._room -= len(text)
        return len(text)


def _alarmed(function: Callable[[], dict[str, Any]], seconds: float) -> Ran:
    pages = io.BytesIO()
    value, stopped = None, ""
    with contextlib.redirect_stdout(_Printed(pages)) as printed, contextlib.redirect_stderr(printed):
        try:
            with _alarm(seconds):
                value = function()
        except TimeUp:
            stopped = "time"
        except MemoryError:
            stopped = "memory"
    return Ran(value, stopped, pages.getvalue().decode())


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
