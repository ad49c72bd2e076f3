"""Where a script runs: which rank it is, of how many. The same under `launch`, ``torchrun`` and plain ``python``."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Context:
    """A process among the others.

    Attributes
    ----------
    rank, world_size : int
        Its number, from 0, and how many there are on all machines together.
    local_rank : int
        Its number on this machine: the GPU that is its own.
    device : str
        ``cpu``, or ``cuda:`` and the local rank where the backend is NCCL.
    started_by : str
        ``launch``, ``torchrun`` or ``python`` (then it is alone).
    """

    rank: int
    world_size: int
    local_rank: int
    device: str
    started_by: str


@contextlib.contextmanager
def context(backend: str = "", seconds: float = 600.0) -> Iterator[Context]:
    """Join the other ranks, and leave them at the end.

    Under `launch` the process group is there already and stays; under ``torchrun`` it is made from the environment
    (``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR``, ``MASTER_PORT``) and destroyed at the end; started by plain
    ``python`` the process is a world of one.

    Parameters
    ----------
    backend : str
        ``gloo`` or ``nccl``; empty takes NCCL where there is a GPU for each rank of this machine, gloo elsewhere.
    seconds : float
        How long a collective waits for the other ranks before it raises. Only where the group is made here.

    Yields
    ------
    Context
        This process among the others.
    """
    import torch
    import torch.distributed as dist

    rank, world, local = (int(os.environ.get(name, other)) for name, other in _VARIABLES)
    on_gpu = torch.cuda.is_available() and torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", world))
    made = not dist.is_initialized()
    if made:
        chosen = backend or ("nccl" if on_gpu else "gloo")
        if chosen == "nccl":
            torch.cuda.set_device(local)
        patience = timedelta(seconds=seconds)
        if "RANK" in os.environ:
            dist.init_process_group(chosen, timeout=patience)
        else:
            dist.init_process_group(chosen, store=dist.HashStore(), rank=0, world_size=1, timeout=patience)
    device = f"cuda:{local}" if dist.get_backend() == "nccl" else "cpu"
    started_by = os.environ.get("HELIX_STARTED_BY") or ("torchrun" if "RANK" in os.environ else "python")
    try:
        yield Context(rank, world, local, device, started_by)
    finally:
        # After an error the others may be gone or waiting: the process ends anyway, and takes its group with it.
        if made and sys.exc_info()[0] is None and dist.is_initialized():
            dist.destroy_process_group()


_VARIABLES = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
