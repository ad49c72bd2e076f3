"""Where a batch is cut into shares: how to weigh uneven ones, and a BatchNorm that sees the whole batch.

The mean over ranks is the mean over all samples only if every rank has equally many. And a layer that computes a statistic of its batch
computes another one of a share. Both change the gradient, and nothing is raised.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn


def loss_weight(samples: int) -> float:
    """Return by what a rank multiplies its mean loss, so that the mean over ranks is the mean over all samples.

    Parameters
    ----------
    samples : int
        How many this rank has in this step; 0 is allowed, but not on all ranks. Every rank must call.

    Returns
    -------
    float
        N · samples / (samples of all N ranks); 1 where all have equally many.

    Raises
    ------
    ValueError
        If the number is no whole number of at least 0, or no rank has any.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 0:
        raise ValueError(f"A rank has 0 samples or more; got {samples!r}.")
    everyone = torch.tensor([float(samples)], dtype=torch.float64)
    dist.all_reduce(everyone)
    if not everyone.item():
        raise ValueError("No rank has a sample in this step: there is no mean. End the epoch one step earlier.")
    return dist.get_world_size() * samples / everyone.item()


class _SumOverRanks(torch.autograd.Function):
    """Sum over all ranks, forward and backward: each rank's input counts in every rank's output."""

    @staticmethod
    def forward(ctx: object, tensor: Tensor) -> Tensor:
        summed = tensor.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        summed = gradient.clone()
        dist.all_reduce(summed)
        return summed


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """BatchNorm whose mean and variance, in training, are those of the samples of all ranks.

    PyTorch's `torch.nn.SyncBatchNorm` does this on GPUs and refuses the CPU. Parameters are those of `torch.nn.BatchNorm1d`; ranks may have
    different numbers of samples, but all must call. In evaluation, and in a world of one, it is BatchNorm.

    Parameters
    ----------
    num_features : int
        Channels, the second axis of the input, which has two axes or more.
    eps, momentum, affine
        As in `torch.nn.BatchNorm1d`; running statistics are always kept.

    Raises
    ------
    ValueError
        By ``forward``: if the input has fewer than two axes, or all ranks together hold one value a channel in training.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats=True)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `input`, of shape (samples, channels, ...), channel by channel."""
        self._check_input_dim(input)
        if not self.training:
            return super().forward(input)
        axes = [axis for axis in range(input.dim()) if axis != 1]
        here = input.new_tensor([input.numel() / max(1, input.shape[1])])
        sums = torch.cat([input.sum(axes), here])
        total, count = _SumOverRanks.apply(sums).split([self.num_features, 1])
        if count.item() <= 1:
            raise ValueError("In training BatchNorm needs more than one value a channel, over all ranks together.")
        shape = [1, -1] + [1] * (input.dim() - 2)
        centred = input - (total / count).view(shape)
        # From the centred values: a difference of two large sums would lose the digits that matter.
        variance = _SumOverRanks.apply(centred.square().sum(axes)) / count
        self._keep(total.detach() / count.detach(), variance.detach(), count.item())
        normed = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normed = normed * self.weight.view(shape) + self.bias.view(shape)
        return normed

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2 or input.shape[1] != self.num_features:
            raise ValueError(
                f"BatchNorm of {self.num_features} channels needs shape (samples, {self.num_features}, ...); got {tuple(input.shape)}."
            )

    def _keep(self, mean: Tensor, variance: Tensor, count: float) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        step = self.momentum if self.momentum is not None else 0.1
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, step)
        self.running_var.lerp_(variance * count / (count - 1), step)  # without bias, as PyTorch keeps it


def synchronised(module: nn.Module) -> nn.Module:
    """Replace every `torch.nn.BatchNorm` in a module, in place, by `BatchNorm`, with its weights and statistics; return the module.

    The counterpart of ``torch.nn.SyncBatchNorm.convert_sync_batchnorm``.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and child.running_mean is not None:
            made = BatchNorm(child.num_features, child.eps, child.momentum or 0.1, child.affine)
            made.to(device=child.running_mean.device, dtype=child.running_mean.dtype).load_state_dict(
                child.state_dict()
            )
            made.train(child.training)
            setattr(module, name, made)
        else:
            synchronised(child)
    return module
