"""How many bytes of a training's states a rank holds: counted on the tensors themselves, replicated (DDP) or sharded (FSDP2)."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import torch
from torch import nn


def held(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, int]:
    """Count what this rank holds between two steps.

    Parameters
    ----------
    model : nn.Module
        After a backward pass; its parameters may be `DTensor`, as ``fully_shard`` makes them: then this rank's shard counts.
    optimiser : Optimizer
        After a step.

    Returns
    -------
    dict
        Bytes of ``parameters``, ``gradients`` and ``optimiser`` (states of a parameter's shape, without step counters).
    """
    parameters = list(model.parameters())
    states = [
        value
        for state in optimiser.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor) and value.dim()
    ]
    return {
        "parameters": sum(map(local_bytes, parameters)),
        "gradients": sum(local_bytes(each.grad) for each in parameters if each.grad is not None),
        "optimiser": sum(map(local_bytes, states)),
    }


def local_bytes(tensor: Any) -> int:
    """Return the bytes of a tensor on this rank: of its shard, where it is a `DTensor`."""
    local = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return int(local.numel() * local.element_size())


def return_freed_pages(above: int = 2**20) -> bool:
    """Have the allocator give freed tensors of at least `above` bytes back to the system at once (glibc), in this process.

    By default glibc keeps blocks of up to 32 MB in its heap after they are freed, and a process looks as large as if nothing had been freed: layers
    that FSDP gathers and lets go stay in its resident memory. Allocation is slower afterwards: for measuring.

    Returns
    -------
    bool
        Whether the allocator took the setting; False where it has none, as on macOS.

    Notes
    -----
    mallopt(3), M_MMAP_THRESHOLD: setting it also stops its growing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return bool(mallopt and mallopt(-3, above))
