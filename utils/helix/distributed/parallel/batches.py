"""Where a batch is cut into shares: how to weigh uneven ones, and a BatchNorm that sees the whole batch.

The mean over ranks is the mean over all samples only if every rank has equally many. And a layer that computes a statistic of its batch
computes another one of a share. Both change the gradient, and nothing is raised.
"""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def loss_weight(samples: int) -> float:
    """Return by what a rank multiplies its mean loss, so that the mean over ranks is the mean over all samples.

    Parameters
    ----------
    samples : int
        How many this rank's loss is a mean of in this step: samples, or in a language model the tokens that count, without padding.
        0 is allowed, but not on all ranks. Every rank must call.

    Returns
    -------
    float
        N · samples / (samples of all N ranks); 1 where all have equally many. A rank with 0 must still run backward on something that
        is 0, such as ``model(x).sum() * 0``: a mean of nothing is NaN, and 0 · NaN is too.

    Raises
    ------
    ValueError
        If the number is no whole number of at least 0, or no rank has any.
    """
    if isinstance(samples, bool) or not isinstance(samples, Integral) or samples < 0:
        raise ValueError(f"The number of samples must be a whole number, 0 or more; got {samples!r}.")
    everyone = torch.tensor([float(samples)], dtype=torch.float64)
    dist.all_reduce(everyone)
    if not everyone.item():
        raise ValueError("No rank has a sample in this step: there is no mean. End the epoch one step earlier.")
    return dist.get_world_size() * int(samples) / everyone.item()


class _SumOverRanks(torch.autograd.Function):
    """Sum over all ranks, forward and backward: each rank's input counts in every rank's output."""

    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:
        summed = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        summed = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """BatchNorm whose mean and variance, in training, are those of the samples of all ranks.

    PyTorch's `torch.nn.SyncBatchNorm` does this on GPUs and refuses the CPU. Parameters are those of `torch.nn.BatchNorm1d`; ranks may have
    different numbers of samples, but all must call. In evaluation, and in a world of one, it is BatchNorm. Sums are taken in float32 at
    least, and the output has the type of the input.

    Parameters
    ----------
    num_features : int
        Channels, the second axis of the input, which has two axes or more.
    eps, momentum, affine, track_running_stats
        As in `torch.nn.BatchNorm1d`; a momentum of None keeps the mean of all batches.

    Raises
    ------
    ValueError
        By ``forward``: if the input has fewer than two axes, or all ranks together hold one value a channel in training.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `input`, of shape (samples, channels, ...), channel by channel."""
        self._check_input_dim(input)
        if not self.training:
            return super().forward(input)
        wide = input.to(torch.promote_types(input.dtype, torch.float32))  # float16 ends at 65,504: its sums overflow
        axes = [axis for axis in range(input.dim()) if axis != 1]
        here = wide.new_tensor([input.numel() / max(1, input.shape[1])])
        sums = torch.cat([wide.sum(axes), here])
        total, count = _SumOverRanks.apply(sums).split([self.num_features, 1])
        if count.item() <= 1:
            raise ValueError("In training BatchNorm needs more than one value a channel, over all ranks together.")
        shape = [1, -1] + [1] * (input.dim() - 2)
        centred = wide - (total / count).view(shape)
        # From the centred values: a difference of two large sums would lose the digits that matter.
        variance = _SumOverRanks.apply(centred.square().sum(axes)) / count
        if self.running_mean is not None:
            self._keep(total.detach() / count.detach(), variance.detach(), count.item())
        normed = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normed = normed * self.weight.view(shape) + self.bias.view(shape)
        return normed.to(input.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2 or input.shape[1] != self.num_features:
            raise ValueError(
                f"BatchNorm of {self.num_features} channels needs shape (samples, {self.num_features}, ...); got {tuple(input.shape)}."
            )

    def _keep(self, mean: Tensor, variance: Tensor, count: float) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        step = 1.0 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        unbiased = variance * count / (count - 1)  # as PyTorch keeps it
        for kept, new in ((self.running_mean, mean), (self.running_var, unbiased)):
            kept.lerp_(new.to(kept.dtype), step)


def synchronised(module: nn.Module) -> nn.Module:
    """Replace every `torch.nn.BatchNorm` in a module, in place, by `BatchNorm`; return the module, or what took its place.

    The new layers hold the *same* parameters and buffers, so an optimiser made before keeps them and what is frozen stays frozen; a layer
    that stands at two places still does. The counterpart of ``torch.nn.SyncBatchNorm.convert_sync_batchnorm``.
    """
    found: dict[int, nn.Module] = {}
    _replace(module, found)
    return found.get(id(module), module)


def _replace(module: nn.Module, found: dict[int, nn.Module]) -> None:
    """Enter in `found` what takes the place of each module, by its id."""
    if id(module) in found:
        return
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        found[id(module)] = _made_of(module)
        return
    found[id(module)] = module
    for name, child in list(module._modules.items()):  # `named_children` tells of a shared one once only
        if child is not None:
            _replace(child, found)
            module._modules[name] = found[id(child)]


def _made_of(old: Any) -> BatchNorm:
    made = BatchNorm(old.num_features, old.eps, old.momentum, old.affine, old.track_running_stats)
    made._parameters, made._buffers = copy.copy(old._parameters), copy.copy(old._buffers)
    made.training = old.training
    return made
