"""Data parallelism by hand: what `torch.nn.parallel.DistributedDataParallel` does, in Python.

Source: S. Li and others, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", PVLDB 13 (2020), section 3.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

MEGABYTE = 2**20

Reduce = Callable[[Tensor], Any]


@dataclass
class Bucket:
    """Parameters whose gradients travel in one message.

    Attributes
    ----------
    names, parameters : list
        In the order in which backward is expected to reach them: from the network's last to its first.
    """

    names: list[str] = field(default_factory=list)
    parameters: list[nn.Parameter] = field(default_factory=list)
    ready: set[str] = field(default_factory=set)
    flat: Tensor | None = None
    handle: Any = None

    @property
    def size(self) -> int:
        """Return the bytes of its gradients."""
        return sum(each.numel() * each.element_size() for each in self.parameters)


def buckets_of(module: nn.Module, limit: float) -> list[Bucket]:
    """Cut a module's trainable parameters, from last to first, into buckets.

    Parameters
    ----------
    module : nn.Module
        Its parameters must have the same order on all ranks.
    limit : float
        Bytes from which a bucket is full. Each holds at least one parameter, and one data type.
    """
    made: list[Bucket] = []
    for name, parameter in reversed(list(module.named_parameters())):
        if not parameter.requires_grad:
            continue
        if not made or made[-1].size >= limit or made[-1].parameters[0].dtype != parameter.dtype:
            made.append(Bucket())
        made[-1].names.append(name)
        made[-1].parameters.append(parameter)
    return made


class DataParallel(nn.Module):
    """A module that trains on each rank's share of the batch as if one process had all of it.

    On construction rank 0's parameters and buffers are broadcast. In the backward pass a bucket's gradients are averaged over the
    ranks as soon as all of them are there, while backward goes on; when it returns, every rank holds the same gradients.

    Parameters
    ----------
    module : nn.Module
        The same on all ranks, on the CPU or on each rank's own GPU.
    bucket_mb : float
        Megabytes of a bucket: small ones start early, large ones cost fewer messages.
    broadcast_buffers : bool
        Before each forward pass in training, take over rank 0's buffers, such as the running statistics of BatchNorm.
    reduce : callable, optional
        Sums a flat tensor over all ranks in place; a handle that it returns is waited on. Default `dist.all_reduce`, asynchronous.

    Raises
    ------
    ValueError
        If nothing in the module can be trained, the bucket's size is not above 0, or the ranks' modules differ in name, shape, data type or in
        what is frozen: on every rank, before anything is sent.
    RuntimeError
        By ``forward``, if a parameter was frozen or unfrozen since. By ``backward``, if it did not reach some parameters, since their bucket would
        wait for ever, or if a gradient is sparse.

    Notes
    -----
    The mean over ranks is the mean over the whole batch only where all ranks have equally many samples. Only ``backward`` averages:
    `torch.autograd.grad` returns this rank's own gradient, as with PyTorch's class. Unlike that it finds no unused parameters and does not
    rebuild its buckets after the first pass.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        bucket_mb: float = 25.0,
        broadcast_buffers: bool = True,
        reduce: Reduce | None = None,
    ) -> None:
        super().__init__()
        if not bucket_mb > 0:
            raise ValueError(f"bucket_mb must be above 0, not {bucket_mb!r}.")
        self.module, self.broadcast_buffers = module, broadcast_buffers
        self._reduce = reduce or _all_reduce
        self._synchronises, self._pending, self._next = True, False, 0
        self.buckets = buckets_of(module, bucket_mb * MEGABYTE)
        if not self.buckets:
            raise ValueError("No parameter of this module requires a gradient: there is nothing to train.")
        self._trained = _trainable(module)
        _compare(module)
        self._broadcast([*module.parameters(), *module.buffers()])
        for bucket in self.buckets:
            for name, parameter in zip(bucket.names, bucket.parameters, strict=True):
                parameter.register_post_accumulate_grad_hook(self._hook(bucket, name))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module."""
        self._pending = False  # a backward pass that raised has left it
        if torch.is_grad_enabled() and (changed := self._trained ^ _trainable(self.module)):
            raise RuntimeError(
                f"{', '.join(sorted(changed))}: frozen or unfrozen after the module was wrapped, and the buckets do not know it. Wrap the "
                "module again, on all ranks."
            )
        if self.training and self.broadcast_buffers and self._synchronises and torch.is_grad_enabled():
            self._broadcast(list(self.module.buffers()))
        return self.module(*args, **kwargs)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Only add up gradients on each rank. The first backward pass outside averages all that was added up."""
        before, self._synchronises = self._synchronises, False
        try:
            yield
        finally:
            self._synchronises = before

    def _broadcast(self, tensors: list[Tensor]) -> None:
        for tensor in tensors:
            # gloo sends a tensor's memory as it lies there: a view with gaps, such as a slice with a step, arrives as other numbers.
            dense = tensor.detach().contiguous()
            dist.broadcast(dense, src=0)
            if dense.data_ptr() != tensor.data_ptr():
                with torch.no_grad():
                    tensor.copy_(dense)

    def _hook(self, bucket: Bucket, name: str) -> Callable[[Tensor], None]:
        def arrived(_: Tensor) -> None:
            if not self._synchronises:
                return
            if not self._pending:
                self._begin()
            bucket.ready.add(name)
            # In the same order on all ranks, whatever order autograd takes: messages are matched by their order.
            while self._next < len(self.buckets) and len(self.buckets[self._next].ready) == len(
                self.buckets[self._next].names
            ):
                self._send(self.buckets[self._next])
                self._next += 1

        return arrived

    def _begin(self) -> None:
        self._pending, self._next = True, 0
        for bucket in self.buckets:
            bucket.ready.clear()
            bucket.flat = bucket.handle = None
        # Runs when this backward pass has done everything else, as DDP's own does.
        torch.autograd.Variable._execution_engine.queue_callback(self._finish)

    def _send(self, bucket: Bucket) -> None:
        for name, each in zip(bucket.names, bucket.parameters, strict=True):
            if _gradient(each).layout != torch.strided:
                raise RuntimeError(
                    f"The gradient of {name} is sparse, and buckets are dense. Make the layer with sparse=False."
                )
        bucket.flat = torch.cat([_gradient(each).reshape(-1) for each in bucket.parameters])
        bucket.handle = self._reduce(bucket.flat)

    def _finish(self) -> None:
        self._pending = False
        late = [name for bucket in self.buckets for name in bucket.names if name not in bucket.ready]
        if late:
            raise RuntimeError(
                f"The backward pass did not reach {', '.join(late)}. Every rank must use every parameter that requires a gradient; "
                "freeze the others with requires_grad_(False) before the module is wrapped."
            )
        for bucket in self.buckets:
            if hasattr(bucket.handle, "wait"):
                bucket.handle.wait()
            assert bucket.flat is not None
            averaged = (bucket.flat / dist.get_world_size()).split([each.numel() for each in bucket.parameters])
            for parameter, part in zip(bucket.parameters, averaged, strict=True):
                _gradient(parameter).copy_(part.view_as(parameter))
            bucket.flat = bucket.handle = None


def _trainable(module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if parameter.requires_grad}


def _compare(module: nn.Module) -> None:
    """Refuse modules that differ between ranks: a broadcast would fill one rank's bytes into another's types in silence."""
    trained = _trainable(module)
    own = [
        f"{name} {tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}{'' if name in trained else ' not trained'}"
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    ]
    told: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(told, own)
    for rank, other in enumerate(told):
        if other != told[0]:
            first, here = next(
                pair for pair in zip_longest(told[0], other, fillvalue="nothing more") if pair[0] != pair[1]
            )
            raise ValueError(
                f"The ranks' modules differ: rank 0 has {first}, rank {rank} has {here}. Build the same on all."
            )


def _gradient(parameter: nn.Parameter) -> Tensor:
    gradient: Tensor | None = parameter.grad
    assert gradient is not None
    return gradient


def _all_reduce(flat: Tensor) -> Any:
    return dist.all_reduce(flat, async_op=True)
