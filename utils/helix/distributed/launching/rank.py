"""What one rank does: take over the caller's surroundings, join the group, run the function, answer."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import json
import linecache
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from helix import forked
from helix.distributed.launching import failure, wire

RESULT, REPORT = b"R", b"E"


class _Unsendable(Exception):
    pass


def serve(order: dict[str, Any], number: int, answer: int, go: int, look: int) -> None:
    """Be rank `number`: never returns, and is ended by the supervisor, whose pipe `go` is its lifeline.

    Parameters
    ----------
    order : dict
        What `launch` asked for.
    number : int
        The rank.
    answer, go, look : int
        Pipes: where the answer goes, where the port comes from, where `faulthandler` writes.
    """
    _surround(order, number, look)
    port = b""
    while not port.endswith(b"\n"):
        piece = os.read(go, 16)
        if not piece:
            os._exit(0)
        port += piece
    threading.Thread(target=_die_with, args=(go,), daemon=True).start()
    try:
        message = RESULT + _run(order, number, int(port))
    except BaseException as error:
        told = failure.report(error)
        if isinstance(error, _Unsendable):
            told["sentence"] = (
                "returned something that cannot be sent back. Return tensors, arrays, numbers, text, lists or dictionaries."
            )
        message = REPORT + json.dumps(told).encode(errors="replace")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    data = memoryview(wire.framed(message))
    while data:
        data = data[os.write(answer, data) :]
    # It stays, with its connections open: what it sent may still be on its way, and its end would raise errors elsewhere.
    while True:
        signal.pause()


def _die_with(go: int) -> None:
    """End this rank and all it started once nobody holds the other end of its lifeline."""
    while os.read(go, 16):
        pass
    os.killpg(0, signal.SIGKILL)


def _surround(order: dict[str, Any], number: int, look: int) -> None:
    sys.stdout = open(1, "w", buffering=1, closefd=False, encoding="utf-8", errors="replace")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False, encoding="utf-8", errors="replace")  # noqa: SIM115
    faulthandler.enable(look, all_threads=True)
    faulthandler.register(signal.SIGUSR1, look, all_threads=True)
    os.environ.clear()
    os.environ.update(order["environment"])
    world = str(order["ranks"])
    os.environ.update(RANK=str(number), LOCAL_RANK=str(number), WORLD_SIZE=world, LOCAL_WORLD_SIZE=world)
    os.environ.update(HELIX_STARTED_BY="launch", OMP_NUM_THREADS="1", MASTER_ADDR="127.0.0.1")
    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if sys.platform == "linux" else "lo0"
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"  # as under torchrun: the store is not rank 0's
    with contextlib.suppress(OSError):
        os.chdir(order["folder"])
    sys.path[:] = order["path"]
    sys.argv = [order["file"] or "launch"]
    for name, text in order["cells"].items():
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    if order["room"] is not None:
        forked.limit_memory(order["room"])


def _run(order: dict[str, Any], number: int, port: int) -> bytes:
    import cloudpickle
    import numpy as np
    import torch
    import torch.distributed as dist

    from helix.distributed.measured.counting import counted

    os.environ["MASTER_PORT"] = str(port)
    torch.set_num_threads(1)
    seed = order["seed"] + number
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the learner's code may use the global generator
    torch.manual_seed(seed)
    if order["careful"]:
        dist.set_debug_level(dist.DebugLevel.DETAIL)
    dist.init_process_group("gloo", timeout=timedelta(seconds=order["timeout"] + 60))
    function, args = cloudpickle.loads(order["task"])
    if order["file"]:
        function = _function_of(order["file"], function)
    if order["count"]:
        with counted() as calls:
            value = function(*args)
    else:
        calls, value = [], function(*args)
    try:
        return cloudpickle.dumps((value, list(calls)))
    except Exception as error:
        raise _Unsendable(f"{type(value).__name__}: {type(error).__name__}: {error}") from None


def _function_of(file: str, name: str) -> Callable[..., Any]:
    path = Path(file)
    sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module: ModuleType = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    if not callable(function := getattr(module, name, None)):
        raise AttributeError(f"{path.name} defines no function {name}")
    return function
