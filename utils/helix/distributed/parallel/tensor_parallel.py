"""Tensor parallelism: one layer on several ranks, by columns or by rows, and the two operators that keep its gradients right.

Source: M. Shoeybi and others, "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model Parallelism", arXiv:1909.08053,
section 3. Weights have PyTorch's shape (out, in), so what Megatron calls columns are rows of ``weight``. First derivatives only: f and g
are not differentiated twice.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import linear


class _F(torch.autograd.Function):
    """Megatron's f: nothing forward, an all-reduce backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _summed(gradient, ctx.group), None


class _G(torch.autograd.Function):
    """Megatron's g: an all-reduce forward, nothing backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        return _summed(x, group)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def f(x: Tensor, group: Any = None) -> Tensor:
    """Return `x`; in the backward pass its gradient is summed over the group's ranks. Before a column-parallel layer."""
    out: Tensor = _F.apply(x, group)
    return out


def g(x: Tensor, group: Any = None) -> Tensor:
    """Return the sum of the ranks' `x`; in the backward pass the gradient passes unchanged. After a row-parallel layer."""
    out: Tensor = _G.apply(x, group)
    return out


def share_of(size: int, what: str, group: Any = None) -> slice:
    """Return this rank's part of an axis.

    Raises
    ------
    ValueError
        If the axis does not divide by the number of ranks.
    """
    rank, ranks = dist.get_rank(group), dist.get_world_size(group)
    if size % ranks:
        raise ValueError(
            f"{size} {what} do not divide by {ranks} ranks: each would hold another shape. Choose a divisor of {size}."
        )
    return slice(rank * size // ranks, (rank + 1) * size // ranks)


def part_of(whole: Tensor, part: Any) -> nn.Parameter:
    """Return a copy of part of a parameter, indexed by `part`: frozen where the whole is frozen."""
    return nn.Parameter(whole.detach()[part].clone(), requires_grad=whole.requires_grad)


class ColumnParallelLinear(nn.Module):
    """A linear layer of which each rank computes some outputs: input (…, in), the same on all; output (…, out / t), its own part.

    Parameters
    ----------
    dense : nn.Linear
        The whole layer, the same on all ranks; its part is copied.
    group : ProcessGroup, optional
        The t ranks that share the layer; the default group if left out.
    gather : bool
        Give every rank the whole output, for one all-gather more.
    """

    def __init__(self, dense: nn.Linear, group: Any = None, *, gather: bool = False) -> None:
        super().__init__()
        own = share_of(dense.out_features, "outputs", group)
        self.group, self.gather, self.part = group, gather, own
        self.weight = part_of(dense.weight, own)
        self.bias = None if dense.bias is None else part_of(dense.bias, own)

    def forward(self, x: Tensor) -> Tensor:
        """Return this rank's outputs, or all of them with ``gather``."""
        out = linear(f(x, self.group), self.weight, self.bias)
        return gathered(out, self.group) if self.gather else out


class RowParallelLinear(nn.Module):
    """A linear layer of which each rank has some inputs: input (…, in / t), its own part; output (…, out), the same on all.

    The bias is whole on every rank and added *after* the sum, once.

    Parameters
    ----------
    dense : nn.Linear
        The whole layer, the same on all ranks; its part is copied.
    group : ProcessGroup, optional
        The t ranks that share the layer.
    """

    def __init__(self, dense: nn.Linear, group: Any = None) -> None:
        super().__init__()
        own = share_of(dense.in_features, "inputs", group)
        self.group = group
        self.weight = part_of(dense.weight, (slice(None), own))
        self.bias = None if dense.bias is None else part_of(dense.bias, slice(None))

    def forward(self, x: Tensor) -> Tensor:
        """Return the whole output from this rank's inputs."""
        out = g(linear(x, self.weight), self.group)
        return out if self.bias is None else out + self.bias


class _Gather(torch.autograd.Function):
    """Put the ranks' parts of the last axis side by side; backward each takes its own part of the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size(group))]
        dist.all_gather(parts, x.contiguous(), group=group)
        return torch.cat(parts, dim=-1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[..., share_of(gradient.shape[-1], "outputs", ctx.group)].contiguous(), None


def gathered(x: Tensor, group: Any = None) -> Tensor:
    """Return the ranks' parts of the last axis side by side, on every rank, where all ranks go on with the same computation."""
    out: Tensor = _Gather.apply(x, group)
    return out


def _summed(x: Tensor, group: Any) -> Tensor:
    total = x.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total, group=group)
    return total
