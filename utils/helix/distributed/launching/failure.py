"""What went wrong on a rank, told in a sentence; where each rank was; whose lines are shown."""

from __future__ import annotations

import linecache
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from helix import paths

_DISTRIBUTED = Path(__file__).parents[1]
_OURS = {str(_DISTRIBUTED / "launching" / name) for name in ("rank.py", "supervisor.py", "server.py")}
_COUNTER = str(_DISTRIBUTED / "measured" / "counting.py")
_OURS.add(_COUNTER)
_THREAD = re.compile(r"^(?:Current thread|Thread) 0x([0-9a-f]+)")
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$')
_ESCAPED = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})")
_SIZES = re.compile(r"doesn't match expected size|op\.preamble\.length|Detected mismatch between collectives")
_MISMATCH = re.compile(
    r"Rank (\d+) is running collective: CollectiveFingerPrint\((?:SequenceNumber=\d+, )?OpType=(\w+)(?:, TensorShape=(\[[\d, ]*\]))?"
)
_ABORT = re.compile(r"^terminate called after throwing|^\s*what\(\):\s+\[enforce fail at")
GONE_PATTERN = re.compile(r"Connection closed by peer|Connection reset by peer")

SIZES = (
    "The ranks called an operation with tensors of different sizes, or different operations: print the shape on every rank "
    "just before that line."
)
GONE = "The rank at the other end was no longer there."


class RankFailed(RuntimeError):
    """A rank did not return; all others were stopped.

    Attributes
    ----------
    kind : str
        ``raised``, ``killed`` (by a signal), ``exited`` (without returning), ``stuck`` (all wait for each other) or ``time``.
    rank : int
        Whose fault it is; −1 where it is nobody's alone.
    error : str
        For ``raised``: the type of the exception, such as ``ValueError``.
    """

    def __init__(self, message: str, kind: str, rank: int = -1, told: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind, self.rank, self._told = kind, rank, told or {}
        self.error = str(self._told.get("error", ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return RankFailed, (str(self), self.kind, self.rank, self._told)

    @property
    def elsewhere(self) -> tuple[str, str, traceback.StackSummary]:
        """Return what an exercise's card says: the exception's type (if one was raised), what happened, and the rank's frames."""
        first = str(self).partition("\nTraceback")[0]
        if self.kind != "raised" or "sentence" in self._told or _SIZES.search(self._told["message"]):
            return "", first, traceback.StackSummary()
        text = f"{self.error}: {self._told['message'][:600]} (on rank {self.rank})"
        return self.error, text, traceback.StackSummary.from_list([tuple(frame) for frame in self._told["frames"]])

    def _render_traceback_(self) -> list[str]:
        """Show a notebook the sentence and the rank's own lines, without the launcher's around them."""
        return str(self).splitlines()


def display(file: str) -> str:
    """Return a file's name as a learner should read it, the same on every machine."""
    if "ipykernel_" in file or file.startswith("<ipython"):
        return "a cell"
    _, installed, rest = file.rpartition("site-packages/")
    if installed:
        return rest
    return Path(file).name if file.startswith(sys.base_prefix) else paths.display(Path(file))


def report(error: BaseException) -> dict[str, Any]:
    """Describe an exception on the rank that raised it: its type, its message, and the traceback without our frames."""
    described = traceback.TracebackException.from_exception(error)
    frames = [(f.filename, f.lineno or 0, f.name, f.line) for f in described.stack]
    link: traceback.TracebackException | None = described
    while link is not None:
        link.stack = traceback.StackSummary.from_list(
            [(display(f.filename), f.lineno or 0, f.name, f.line) for f in link.stack if f.filename not in _OURS]
        )
        link = link.__cause__ or link.__context__
    text = "".join(described.format())
    return {"error": type(error).__name__, "message": _message(error), "traceback": text.rstrip(), "frames": frames}


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its message cannot be shown)"


def frames(dump: str, thread: int) -> list[tuple[str, int, str]]:
    """Read the main thread's frames, innermost first, from what `faulthandler` wrote last: file, line, function.

    It writes letters beyond ASCII as escapes; here they are letters again, so that a name can be compared and its file read.
    """
    found: list[tuple[str, int, str]] = []
    inside = False
    for line in dump.splitlines():
        if head := _THREAD.match(line):
            inside = int(head[1], 16) == thread
            found = [] if inside else found
        elif inside and (frame := _FRAME.match(line)):
            found.append((_unescaped(frame[1]), int(frame[2]), _unescaped(frame[3])))
    return found


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda escape: chr(int(escape[0][2:], 16)), text)


def place(found: list[tuple[str, int, str]]) -> str:
    """Say where a rank was: the innermost line that is neither Python's, an installed package's nor the launcher's."""
    for file, line, function in found:
        if file not in _OURS and not file.startswith((sys.prefix, sys.base_prefix, "<frozen")):
            text = linecache.getline(file, line).strip()
            return f"at line {line} of {display(file)}, in {function}" + (f": {text}" if text else "")
    return "before its first line" if found else "where nobody can look (stopped, or deep in a library)"


def waits(found: list[tuple[str, int, str]]) -> bool:
    """Say whether a rank waits for others: its innermost frame is `torch.distributed`'s, or a line that calls ``wait``.

    Where its calls are counted, they pass through our counter and other parts of torch, which are looked through.

    While ranks still meet (``init_process_group``, before the function is called) none of them does: on a busy machine that
    takes longer than a moment, and it is nobody's mistake.
    """
    if not found or any(function == "init_process_group" for _, _, function in found):
        return False
    file, line, _ = next((frame for frame in found if not _passes(frame[0])), found[0])
    return "/torch/distributed/" in file or ".wait(" in linecache.getline(file, line)


def _passes(file: str) -> bool:
    return file == _COUNTER or ("/site-packages/torch/" in file and "/torch/distributed/" not in file)


def sentence(reply: dict[str, Any], ranks: int, timeout: float) -> RankFailed:
    """Make the exception of what the supervisor answered."""
    kind, rank = reply["kind"], reply["rank"]
    if kind in ("time", "stuck"):
        where = "; ".join(f"rank {number} {was}" for number, was in enumerate(reply["where"]))
        why = (
            f"The time limit of {timeout:g} seconds passed"
            if kind == "time"
            else "No rank could go on: all wait for another"
        )
        return RankFailed(f"{why}, and all were stopped. When they were stopped, {where}.", kind)
    who, stopped = f"Rank {rank} of {ranks}", "The other ranks were stopped." if ranks > 1 else ""
    if kind == "raised":
        told = reply["report"]
        if told["error"] == "SystemExit":
            text = f"{who} called sys.exit({told['message']}) instead of returning."
        elif told.get("sentence"):
            return RankFailed(_lines(f"{who} {told['sentence']} {stopped}", "", told["message"]), kind, rank, told)
        elif both := _MISMATCH.findall(told["message"]):
            calls = "; ".join(
                f"rank {n} called {name.lower()}" + (f" with shape {shape}" if shape else "") for n, name, shape in both
            )
            text = f"{who} found that the ranks do not do the same: {calls}."
            return RankFailed(_lines(f"{text} {stopped}", SIZES, _frames_only(told["traceback"])), kind, rank, told)
        else:
            text = f"{who} raised {told['error']}: {told['message'].strip().partition(chr(10))[0]}"
            text += "" if text.endswith((".", "!", "?")) else "."
        why = SIZES if _SIZES.search(told["message"]) else GONE if GONE_PATTERN.search(told["message"]) else ""
        return RankFailed(_lines(f"{text} {stopped}", why, told["traceback"]), kind, rank, told)
    where = f" It was {reply['where'][rank]}." if reply["where"][rank] else ""
    if kind == "killed":
        number = reply["code"]
        why = SIZES if _SIZES.search(reply["printed"][rank][1]) else ""
        if number == signal.SIGKILL:
            why = "Somebody ended it, or the system did because memory ran out."
        name = signal.Signals(number).name if number in list(signal.Signals) else "unnamed"
        text = f"{who} was killed by signal {number} ({name}).{where} {stopped}"
        return RankFailed(_lines(text, why), kind, rank)
    text = f"{who} ended with exit code {reply['code']} instead of returning.{where} {stopped}"
    return RankFailed(_lines(text), kind, rank)


def shown(text: str) -> list[str]:
    """Return the lines of what a rank wrote, without those that C++ writes of an abort: the sentence tells it."""
    return [line for line in text.splitlines() if not _ABORT.search(line)]


def _frames_only(text: str) -> str:
    """Drop the message from a traceback: lines that do not begin with a space come after the frames."""
    head, *rest = text.splitlines()
    return "\n".join([head, *(line for line in rest if line.startswith(" "))])


def _lines(*parts: str) -> str:
    return "\n".join(part.strip() for part in parts if part.strip())
