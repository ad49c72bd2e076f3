"""What a rank sends and receives, counted where PyTorch dispatches it: also what DDP or `parallelize_module` call inside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_NAMES = {
    "allreduce_": "all_reduce",
    "allreduce_coalesced_": "all_reduce",
    "allgather_": "all_gather",
    "_allgather_base_": "all_gather",
    "allgather_into_tensor_coalesced_": "all_gather",
    "all_gather_into_tensor": "all_gather",
    "_reduce_scatter_base_": "reduce_scatter",
    "reduce_scatter_": "reduce_scatter",
    "reduce_scatter_tensor": "reduce_scatter",
    "reduce_scatter_tensor_coalesced_": "reduce_scatter",
    "alltoall_": "all_to_all",
    "alltoall_base_": "all_to_all",
    "all_to_all_single": "all_to_all",
    "recv_any_source_": "recv",
}
# Which argument holds what a rank puts in; of all others it is the first. Gathering names its output before its input.
_INPUT_IS_SECOND = {"allgather_", "_allgather_base_", "reduce_scatter_", "_reduce_scatter_base_", "gather_", "scatter_"}
_INPUT_IS_SECOND |= {
    "allgather_into_tensor_coalesced_",
    "reduce_scatter_tensor_coalesced_",
    "alltoall_",
    "alltoall_base_",
}
_NO_TRAFFIC = {"wait_tensor", "_wrap_tensor_autograd", "monitored_barrier_"}


@dataclass(frozen=True)
class Call:
    """One call of a rank.

    Attributes
    ----------
    name : str
        ``send``, ``recv``, ``all_reduce``, ``all_gather``, ``reduce_scatter``, ``broadcast``, ``barrier`` and so on.
    bytes : int
        What this rank puts in (for ``recv``: what it takes): elements times bytes each.
    ranks : int
        How many ranks take part.
    peer : int
        The other end of ``send`` and ``recv`` within its group, the source of ``broadcast``; −1 elsewhere.
    """

    name: str
    bytes: int
    ranks: int
    peer: int = -1

    @property
    def ring_bytes(self) -> float:
        """Return what a rank sends if the operation runs as a ring, in bytes.

        For n bytes on N ranks: all-reduce 2 n (N−1)/N, reduce-scatter n (N−1)/N, all-gather n (N−1) (n is one rank's
        part there), all-to-all n (N−1)/N, broadcast at most n, ``send`` n, ``recv`` 0. Source: P. Patarasuk and X. Yuan,
        "Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC 69 (2009).
        """
        share = (self.ranks - 1) / self.ranks
        factors = {"all_reduce": 2 * share, "reduce_scatter": share, "all_to_all": share, "all_gather": self.ranks - 1}
        if self.name in ("recv", "barrier"):
            return 0.0
        return self.bytes * factors.get(self.name, 1.0)


def total(calls: Iterable[Call], name: str = "") -> int:
    """Return the bytes of all calls, or of those of one name."""
    return sum(call.bytes for call in calls if name in ("", call.name))


@contextlib.contextmanager
def counted() -> Iterator[list[Call]]:
    """Record what this process communicates while the block runs.

    Yields
    ------
    list of Call
        Grows with each call, in the order of the calls.

    Notes
    -----
    Counting is done by a ``TorchDispatchMode``, so it sees ``torch.distributed``'s functions, functional collectives and what
    DDP's hooks call in the backward pass of this thread. It says how much is handed over, not what the backend makes of it.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    calls: list[Call] = []

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func.namespace in ("c10d", "_c10d_functional"):
                operation = func._schema.name.partition("::")[2]
                if operation not in _NO_TRAFFIC:
                    calls.append(_call(operation, args))
            return func(*args, **(kwargs or {}))

    with Counting():
        yield calls


def _call(operation: str, args: tuple[Any, ...]) -> Call:
    name = _NAMES.get(operation, operation.rstrip("_"))
    size = 0 if name == "barrier" else _bytes(args[1 if operation in _INPUT_IS_SECOND else 0])
    peer = -1
    if name in ("send", "recv", "broadcast"):
        # send(tensors, group, peer, tag); broadcast_(tensors, group, root, ...)
        peer = next((arg for arg in args if isinstance(arg, int) and not isinstance(arg, bool)), -1)
    return Call(name, size, _ranks(args), peer)


def _ranks(args: tuple[Any, ...]) -> int:
    import torch
    import torch.distributed as dist

    for arg in args:
        if isinstance(arg, torch.ScriptObject):
            with contextlib.suppress(RuntimeError):  # it is the reduction, not the group
                return int(dist.ProcessGroup.unbox(arg).size())
    from torch.distributed.distributed_c10d import _resolve_process_group

    for arg in reversed(args):  # functional collectives name their group last
        if isinstance(arg, str):
            with contextlib.suppress(Exception):
                return int(_resolve_process_group(arg).size())
    return dist.get_world_size()


def _bytes(value: Any) -> int:
    if isinstance(value, list | tuple):
        return sum(_bytes(part) for part in value)
    return value.numel() * value.element_size() if hasattr(value, "element_size") else 0
