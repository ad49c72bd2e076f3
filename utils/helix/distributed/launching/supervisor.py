"""One launch, watched: forks the ranks, keeps what they print, ends them all at the first failure or the time limit."""

from __future__ import annotations

import contextlib
import json
import linecache
import os
import pickle
import re
import selectors
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from helix.distributed.launching import failure, wire
from helix.distributed.launching.processes import Rank, fork, kill

PRINTED_AT_MOST = 20_000
# What the libraries say of a start that went well; the second where no name service is, as in an offline build.
_NOTICES = re.compile(r"^\[Gloo\] Rank \d+ is connected|\[c10d\] The hostname of the client socket cannot be retrieved")
_GRACE = 0.3  # seconds: a rank that dies makes others raise; its own end is told, not theirs
_IDLE = 3.0  # seconds without work on any rank, before they are asked where they are
_NOISE = 6  # ticks of 10 ms that waiting itself takes meanwhile


def supervise(connection: socket.socket) -> None:
    """Serve one launch: read the order from the caller, run it, answer once. The caller's end closing ends everything."""
    try:
        asked = wire.receive(connection, 60)
    except TimeoutError:
        return
    if asked is None:
        return
    order = pickle.loads(asked)  # the caller's own, over a socket that only it and its children hold
    for name, text in order["cells"].items():
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    ranks: list[Rank] = []
    reply: dict[str, Any] = {"kind": "loopback", "message": _unreachable()}
    if not reply["message"]:
        try:
            for number in range(order["ranks"]):
                ranks.append(fork(order, number, ranks, connection))
            reply = _Watch(order, ranks, connection).run()
        finally:
            for each in ranks:
                kill(each)
    with contextlib.suppress(OSError):
        connection.settimeout(30)
        connection.sendall(wire.framed(pickle.dumps(reply)))


class _Watch:
    def __init__(self, order: dict[str, Any], ranks: list[Rank], connection: socket.socket) -> None:
        self.order, self.ranks, self.connection = order, ranks, connection
        self.began = time.monotonic()
        self.selector = selectors.DefaultSelector()
        self.selector.register(connection, selectors.EVENT_READ)
        for each in ranks:
            for name, pipe in each.pipes.items():
                self.selector.register(pipe, selectors.EVENT_READ, (each, name))

    def run(self) -> dict[str, Any]:
        try:
            store = _store(self.order["port"])
        except OSError as error:
            return {"kind": "port", "message": str(error)}
        for each in self.ranks:
            os.write(each.go, b"%d\n" % store.port)
        kind = self._until_the_end()
        seconds = time.monotonic() - self.began
        blamed = self._blamed() if kind == "failed" else -1
        where = self._where() if kind in ("time", "stuck") else [self._last_place(each) for each in self.ranks]
        for each in self.ranks:  # what is in the pipes still; those who hold them are stopped first
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(each.pid, signal.SIGKILL)
            for name in each.pipes:
                self._read(each, name)
        reply: dict[str, Any] = {"kind": kind, "rank": blamed, "where": where, "seconds": seconds}
        reply["printed"] = [(_text(each.kept["out"]), _text(each.kept["err"])) for each in self.ranks]
        if kind == "done":
            reply["results"] = [(each.message or b"")[1:] for each in self.ranks]
        elif kind == "failed":
            bad = self.ranks[blamed]
            if bad.message is not None:
                reply |= {"kind": "raised", "report": json.loads(bad.message[1:])}
            else:
                status = bad.status or 0
                reply |= {"kind": "killed" if status < 0 else "exited", "code": abs(status)}
        return reply

    def _until_the_end(self) -> str:
        """Watch until all have returned or something ends it: done, failed, time, stuck or left (the caller is gone)."""
        end, judged = self.began + self.order["timeout"], 0.0
        worked, moved = self._work(), self.began
        while True:
            for key, _ in self.selector.select(0.05):
                if key.data is None:
                    return "left"  # the caller says nothing more: this is its end closing
                if not self._read(*key.data):
                    self.selector.unregister(key.fd)
            for each in self.ranks:
                if each.status is None and (found := os.waitpid(each.pid, os.WNOHANG))[0]:
                    each.status = os.waitstatus_to_exitcode(found[1])
            now = time.monotonic()
            if any(each.failed for each in self.ranks):
                judged = judged or now + _GRACE
                if now >= judged:
                    return "failed"
            elif all(each.returned for each in self.ranks):
                return "done"
            elif now >= end:
                return "time"
            elif _busy(worked, work := self._work()):
                worked, moved = work, now
            elif now >= moved + _IDLE:
                if all(each.returned or failure.waits(found) for each, found in self._look()):
                    return "stuck"
                worked, moved = self._work(), now + _IDLE

    def _read(self, each: Rank, name: str) -> bool:
        """Keep what a pipe holds; False once its other end is closed."""
        while True:
            try:
                piece = os.read(each.pipes[name], 1 << 16)
            except BlockingIOError:
                return True
            if not piece:
                return False
            kept = each.kept[name]
            kept += piece if name in ("answer", "look") else piece[: max(0, PRINTED_AT_MOST - len(kept))]
            if name == "answer" and each.message is None:
                each.message = wire.unframed(kept)
            if name in ("out", "err"):
                return True  # let the others have their turn, whatever this one prints

    def _blamed(self) -> int:
        """Return whose failure caused the others': first those that died, then the first of those that raised."""
        bad = [number for number, each in enumerate(self.ranks) if each.failed]
        dead = [number for number in bad if self.ranks[number].message is None]
        told = {
            number: json.loads((self.ranks[number].message or b" null")[1:]) for number in bad if number not in dead
        }
        own = [number for number, what in told.items() if not failure.GONE_PATTERN.search(what["message"])]
        return (dead or own or bad)[0]

    def _look(self) -> list[tuple[Rank, list[tuple[str, int, str]]]]:
        """Ask all ranks that run still where they are; one that cannot answer has no frames."""
        asked = [each for each in self.ranks if not each.returned and each.status is None]
        for each in asked:
            self._read(each, "look")
            each.kept["look"].clear()
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGUSR1)
        end, before = time.monotonic() + 1.0, -1
        while time.monotonic() < end:
            time.sleep(0.03)
            for each in asked:
                self._read(each, "look")
            written = sum(len(each.kept["look"]) for each in asked)
            if written == before and all(each.kept["look"] for each in asked):
                break
            before = written
        return [(each, self._frames(each)) for each in self.ranks]

    def _frames(self, each: Rank) -> list[tuple[str, int, str]]:
        return failure.frames(each.kept["look"].decode(errors="replace"), threading.get_ident())

    def _where(self) -> list[str]:
        return ["had returned" if each.returned else f"was {failure.place(found)}" for each, found in self._look()]

    def _last_place(self, each: Rank) -> str:
        """Say where a crashed rank was, if `faulthandler` could still write it."""
        self._read(each, "look")
        found = self._frames(each)
        return failure.place(found) if found else ""

    def _work(self) -> list[int] | None:
        """Return the processor time of each rank that has not returned, in ticks; None where the system does not tell."""
        try:
            stats = [Path(f"/proc/{each.pid}/stat").read_text() for each in self.ranks if not each.returned]
        except OSError:
            return None
        fields = [stat.rpartition(")")[2].split() for stat in stats]
        return [int(each[11]) + int(each[12]) for each in fields]


def _busy(before: list[int] | None, now: list[int] | None) -> bool:
    if before is None or now is None or len(before) != len(now):
        return True
    return any(later - earlier > _NOISE for earlier, later in zip(before, now, strict=True))


def _unreachable() -> str:
    """Say why this machine does not reach itself by 127.0.0.1, or nothing: the store would try for minutes."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            socket.create_connection(listener.getsockname(), timeout=2).close()
    except OSError as error:
        return str(error)
    return ""


def _store(port: int) -> Any:
    """Return the store where ranks meet: it is served by this process, and listens on loopback only."""
    import torch.distributed as dist

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(256)
    chosen = listener.getsockname()[1]
    # The store takes the socket over. It is given open, so that no other program can take the port in between.
    return dist.TCPStore("127.0.0.1", chosen, None, True, wait_for_workers=False, master_listen_fd=listener.detach())


def _text(kept: bytearray) -> str:
    lines = [line for line in kept.decode(errors="replace").splitlines() if not _NOTICES.search(line)]
    if len(kept) >= PRINTED_AT_MOST:
        lines.append("(It printed more than is shown.)")
    return "\n".join(lines)
