"""The warm process: has imported torch once, and forks a supervisor for each launch.

It is started by `warmth` as ``python -m helix.distributed.launching.server``, has no address and no file: whoever holds the
other end of the socket that it was started with may ask, and when the last of them is gone it ends.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys

from helix.distributed.launching.supervisor import supervise

PRELOADED = (
    "cloudpickle",
    "numpy",
    "torch",
    "torch.distributed",
    "torch.nn.parallel",
    "torch.distributed.pipelining",
    "torch.distributed.tensor.parallel",
    "torch.distributed.fsdp",
)


def main(number: int, modules: list[str]) -> None:
    """Import the modules, say so, then serve the socket of that number until nobody holds its other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=number)
    for module in modules:
        importlib.import_module(module)
    sys.modules["torch"].set_num_threads(1)
    gc.collect()
    gc.freeze()  # shared with every rank: a collection there would copy it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are not waited for
    control.sendall(b"!")
    while True:
        try:
            asked, given, _, _ = socket.recv_fds(control, 1, 1)
        except ConnectionError:
            return
        if not asked:
            return
        for each in given:
            if os.fork() == 0:
                _launch(control, each)
            os.close(each)


def _launch(control: socket.socket, each: int) -> None:
    try:
        control.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        supervise(socket.socket(fileno=each))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
