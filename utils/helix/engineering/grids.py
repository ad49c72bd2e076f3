"""Grids of evenly spaced numbers: the whole numbers of few bits that quantization puts in the place of float32.

The chapter on quantization writes the ideas out for one matrix; here they hold for tensors of any shape, for 2 to 8 bits, per tensor,
per channel and per group.

References
----------
B. Jacob et al. (2018), Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
arXiv:1712.05877. M. Nagel et al. (2021), A White Paper on Neural Network Quantization, arXiv:2106.08295.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_SHRINK = torch.linspace(1.0, 0.3, 36)  # the shares of the whole range among which `clipped` looks for the best
_CLIP = torch.linspace(1.0, 0.2, 41)  # and `clip_weights`: two bits want a shorter grid than activations do


@dataclass(frozen=True)
class Grid:
    """The numbers scale · (q − zero_point) for whole q from `low` to `high`.

    Attributes
    ----------
    scale, zero_point : Tensor
        The distance of neighbours, and the q that means 0. Both of shape (), or (channels,) along `axis`.
    low, high : int
        The smallest and the largest q.
    axis : int, optional
        The axis of x along which every place has a grid of its own.
    """

    scale: Tensor
    zero_point: Tensor
    low: int
    high: int
    axis: int | None = None

    def quantize(self, x: Tensor) -> Tensor:
        """Return the nearest q of each number, in int8 or uint8; what lies outside the grid goes to its end."""
        # Times 1/scale, as torch's own operators do: a number half-way between two places then goes the same way in all.
        steps = torch.round(x * (1 / self._wide(self.scale, x))) + self._wide(self.zero_point, x)
        q = torch.clamp(steps, self.low, self.high)
        return q.to(torch.int8 if self.low < 0 else torch.uint8)

    def dequantize(self, q: Tensor) -> Tensor:
        """Return the numbers that whole q mean, in float32."""
        return (q.float() - self._wide(self.zero_point, q)) * self._wide(self.scale, q)

    def round_trip(self, x: Tensor) -> Tensor:
        """Return x on the grid, in float32: quantized and back (“fake quantization”).

        Its gradient is that of the straight-through estimator: 1 inside of the grid, 0 where x was clipped (Y. Bengio et
        al. 2013, arXiv:1308.3432).
        """
        _refuse_dtype(x)
        if self.axis is None:
            return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, self.low, self.high)
        return torch.fake_quantize_per_channel_affine(x, self.scale, self.zero_point, self.axis, self.low, self.high)

    def _wide(self, value: Tensor, x: Tensor) -> Tensor:
        if self.axis is None:
            return value
        return value.reshape([-1 if axis == self.axis else 1 for axis in range(x.ndim)])


def symmetric(x: Tensor, bits: int = 8, axis: int | None = None) -> Grid:
    """Return the grid that is symmetric about 0 and reaches the largest magnitude of x: the usual one for weights.

    Parameters
    ----------
    x : Tensor
    bits : int
        From 2 to 8. One of the 2^bits whole numbers stays unused, so that −q exists for every q.
    axis : int, optional
        Give every place along this axis a grid of its own; one for the whole tensor if not given.

    Raises
    ------
    ValueError
        If `bits` is not from 2 to 8, or x is empty or holds a number that is not finite.
    """
    _refuse(x, bits)
    others = [] if axis is None else [a for a in range(x.ndim) if a != axis % x.ndim]
    magnitude = x.detach().abs()
    magnitude = magnitude.amax() if axis is None else magnitude.amax(others) if others else magnitude
    high = 2 ** (bits - 1) - 1
    scale = torch.where(magnitude > 0, magnitude / high, 1.0)  # all zeros: any grid holds them
    return Grid(scale, torch.zeros_like(scale, dtype=torch.int32), -high, high, None if axis is None else axis % x.ndim)


def asymmetric(low: float | Tensor, high: float | Tensor, bits: int = 8) -> Grid:
    """Return the grid from about `low` to about `high` on which 0 lies exactly: the usual one for activations.

    Parameters
    ----------
    low, high : float
        The range to be held; it is widened to contain 0, since padding and ReLU make many exact zeros.
    bits : int
        From 2 to 8.

    Raises
    ------
    ValueError
        If `bits` is not from 2 to 8, the ends are not finite, or `low` lies above `high`.
    """
    ends = torch.stack([torch.as_tensor(low, dtype=torch.float32), torch.as_tensor(high, dtype=torch.float32)])
    _refuse(torch.stack([*ends, ends[1] - ends[0]]), bits)
    if ends[0] > ends[1]:
        raise ValueError(f"The range from {float(ends[0]):g} to {float(ends[1]):g} is upside down.")
    low, high = ends[0].clamp(max=0), ends[1].clamp(min=0)
    scale = torch.where(high > low, (high - low) / (2**bits - 1), 1.0)
    return Grid(scale, torch.round(-low / scale).to(torch.int32), 0, 2**bits - 1)


def clipped(x: Tensor, bits: int = 8) -> Grid:
    """Return the asymmetric grid with the least mean squared error for a sample of activations.

    A shorter range clips a few large numbers and rounds all others more finely; 36 lengths are tried.

    Parameters
    ----------
    x : Tensor
        The sample.
    bits : int
        From 2 to 8.

    Raises
    ------
    ValueError
        If `bits` is not from 2 to 8, or x is empty or holds a number that is not finite.
    """
    _refuse(x, bits)
    x = x.detach()
    grids = [asymmetric(share * x.min(), share * x.max(), bits) for share in _SHRINK]
    errors = [float(functional.mse_loss(grid.round_trip(x), x)) for grid in grids]
    return grids[errors.index(min(errors))]


def on_grid(weight: Tensor, bits: int, group: int | None = None) -> Tensor:
    """Return a layer's weights on symmetric grids, in float32.

    Parameters
    ----------
    weight : Tensor, shape (outputs, ...)
        The first axis counts the output channels.
    bits : int
        From 2 to 8.
    group : int, optional
        How many neighbours inside a channel share a grid; each channel is one group if not given, or if its length is not
        a multiple.

    Raises
    ------
    ValueError
        If `bits` is not from 2 to 8, the group is empty, or the weights are not finite numbers in float32.
    """
    rows = _rows(weight, group)
    return symmetric(rows, bits, axis=0).round_trip(rows).reshape(weight.shape)


def clip_weights(weight: Tensor, bits: int, group: int | None = None) -> Tensor:
    """Return a layer's weights with their largest cut off where that makes the squared error of `on_grid` least.

    A shorter grid clips a few large weights and rounds all others more finely; 41 lengths are tried for each channel or group.

    Parameters
    ----------
    weight, bits, group
        As in `on_grid`.
    """
    rows = _rows(weight.detach(), group)
    top = rows.abs().amax(dim=1, keepdim=True)
    best, least = rows, torch.full_like(top, torch.inf)
    for share in _CLIP:
        cut = rows.clamp(-share * top, share * top)
        error = (symmetric(cut, bits, axis=0).round_trip(rows) - rows).square().sum(dim=1, keepdim=True)
        best, least = torch.where(error < least, cut, best), torch.minimum(error, least)
    return best.reshape(weight.shape)


def _rows(weight: Tensor, group: int | None) -> Tensor:
    """Return the weights as a matrix in which each row shares a grid."""
    if group is not None and group < 1:
        raise ValueError(f"A group has at least one weight; got {group}.")
    whole = group is None or weight[0].numel() % group
    return weight.reshape(len(weight), -1) if whole else weight.reshape(-1, group)


def _refuse_dtype(x: Tensor) -> None:
    if x.dtype != torch.float32:
        raise ValueError(
            f"Grids take the place of float32, and this is {str(x.dtype).removeprefix('torch.')}: call .float() first."
        )


def _refuse(x: Tensor, bits: int) -> None:
    if bits not in range(2, 9):
        raise ValueError(f"A grid has 2 to 8 bits; got {bits}.")
    _refuse_dtype(x)
    if x.numel() == 0 or not bool(torch.isfinite(x).all()):
        raise ValueError("A grid needs numbers, all of them finite; is there a NaN or an infinity in the input?")
