"""Run a learner's code so that it can hang, eat memory or crash and the notebook stays usable.

On Linux the code runs in a forked child: it sees all that the notebook has computed, changes nothing of it, and can be
stopped whatever it does. Elsewhere (forking is unsafe on macOS once its system libraries run) it runs in this process
under an alarm, which stops a loop but neither a long call into C nor a memory hog.
"""

from __future__ import annotations

import builtins
import contextlib
import faulthandler
import io
import json
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from helix import forked
from helix.texts import AT_MOST, cut

MEGABYTE = 2**20
_PRINTED_AT_MOST = 4000  # what is kept while it runs; less is shown
_PATIENCE = 6  # times the limit that a check may take on a busy machine
_ASLEEP = 0.05  # seconds of work in the last second, below which code only waits


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
        How long it may work, in seconds of processor time. One that only waits is stopped after as many seconds, and
        none may take six times as long.
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
        answer = _receive(out, seconds, child)
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
        printed = _shown(pages.read().decode(errors="replace"))
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
    sys.stdin = io.StringIO()
    _leave_the_notebook()
    value: dict[str, Any] | None
    try:
        with _nobody_types():
            value, stopped = function(), ""
    except MemoryError:
        value, stopped = None, "memory"
    answer = {"value": value, "stopped": stopped}
    # "replace" is for half a surrogate pair, which no file, browser or terminal takes.
    data = memoryview(json.dumps(answer, ensure_ascii=False).encode(errors="replace") + b"\n")
    while data:
        data = data[os.write(into, data) :]


def _receive(out: int, seconds: float, child: int) -> bytes | None:
    """Read one line within the time; None if it does not come. A child that died leaves less than a line."""
    began, received = time.monotonic(), b""
    window = min(1.0, seconds)  # how far back its work is compared
    works = [(began, 0.0)]
    while not received.endswith(b"\n"):
        ready, _, _ = select.select([out], [], [], min(0.1, seconds / 4))
        if ready:
            piece = os.read(out, 1 << 16)
            if not piece:
                return b""
            received += piece
            continue
        now, worked = time.monotonic(), _worked(child)
        works = [one for one in works if one[0] > now - window] or works[-1:]
        asleep = worked - works[0][1] < _ASLEEP * window
        works.append((now, worked))
        if worked >= seconds or now >= began + (seconds if asleep else _PATIENCE * seconds):
            return None
    return received


def _worked(process: int) -> float:
    """Return the processor time of a child so far, in seconds: on a busy machine its clock stands still, too."""
    try:
        with open(f"/proc/{process}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _shown(printed: str) -> str:
    """Return what was printed as it would look in the end, progress bars too, and cut."""
    return cut(re.sub(r"[^\n]*\r(?!\n)", "", printed), AT_MOST)


@contextlib.contextmanager
def _nobody_types() -> Iterator[None]:
    """Have `input()` say at once that nobody answers, in the place of waiting."""

    def ask(prompt: object = "") -> str:
        raise EOFError("a check cannot type an answer to `input()`. Take what your function needs from its arguments.")

    before, builtins.input = builtins.input, ask
    try:
        yield
    finally:
        builtins.input = before


def _leave_the_notebook() -> None:
    """Write what is displayed (figures, tables, widgets) to what is printed: a copy of the kernel must send it nothing.

    Otherwise it would be lost, and each call would leave a warning with the whole message in the terminal of JupyterLab.
    """
    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython

    def publish(data: dict[str, Any], *_: object, **__: object) -> None:
        print(data.get("text/plain", ""))

    shell = get_ipython()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return
    with contextlib.suppress(Exception):  # another kernel may be built otherwise
        shell.display_pub.publish = publish
        kernel.session.send = lambda *_, **__: None


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
            with _alarm(seconds), _nobody_types():
                value = function()
        except TimeUp:
            stopped = "time"
        except MemoryError:
            stopped = "memory"
    return Ran(value, stopped, _shown(pages.getvalue().decode(errors="replace")))


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
