"""Quantization: grids of evenly spaced numbers, networks whose weights and activations lie on them, and whom it costs.

The chapter writes the ideas out for one matrix; here they hold for whole networks, for any number of bits up to 8, per
tensor, per channel and per group.

References
----------
B. Jacob et al. (2018), Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
arXiv:1712.05877. M. Nagel et al. (2021), A White Paper on Neural Network Quantization, arXiv:2106.08295.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from helix import measure
from helix.notices import without_notices

_SHRINK = torch.linspace(1.0, 0.3, 36)  # the shares of the whole range among which `clipped` looks for the best


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
    """
    if group is None or weight[0].numel() % group:
        return symmetric(weight, bits, axis=0).round_trip(weight)
    rows = weight.reshape(-1, group)
    return symmetric(rows, bits, axis=0).round_trip(rows).reshape(weight.shape)


def _refuse(x: Tensor, bits: int) -> None:
    if bits not in range(2, 9):
        raise ValueError(f"A grid has 2 to 8 bits; got {bits}.")
    if x.numel() == 0 or not bool(torch.isfinite(x).all()):
        raise ValueError("A grid needs numbers, all of them finite; is there a NaN or an infinity in the input?")


# Networks ------------------------------------------------------------------------------------------------


class OnGrid(nn.Module):
    """A convolution or linear layer whose weights and, where wanted, inputs are rounded to grids before it computes.

    The product itself is made in float32, which holds whole numbers up to 2²⁴ exactly and rounds larger sums in their eighth
    digit: what int8 arithmetic with int32 sums would give, at float's speed. Gradients go straight through, so that the layer
    can be trained as it is.

    Parameters
    ----------
    layer : Conv2d or Linear
    weight_bits, activation_bits : int, optional
        None leaves them in float32.
    group : int, optional
        See `on_grid`.

    Raises
    ------
    ValueError
        If the layer is a convolution that does not pad with zeros.
    """

    def __init__(
        self, layer: nn.Module, weight_bits: int | None, activation_bits: int | None, group: int | None = None
    ) -> None:
        super().__init__()
        if getattr(layer, "padding_mode", "zeros") != "zeros":
            raise ValueError(
                f"Only padding with zeros is supported, which every grid holds; not {layer.padding_mode!r}."
            )
        self.layer, self.weight_bits, self.activation_bits, self.group = layer, weight_bits, activation_bits, group
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("zero_point", torch.tensor(0, dtype=torch.int32))
        self.sample: list[Tensor] | None = None  # filled while `calibrate` looks on

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer; shapes are those of the layer."""
        if self.sample is not None:
            self.sample.append(x.flatten()[:: max(1, x.numel() // 20_000)])
        elif self.activation_bits:
            x = Grid(self.scale, self.zero_point, 0, 2**self.activation_bits - 1).round_trip(x)
        weight = self.layer.weight
        if self.weight_bits:
            weight = on_grid(weight, self.weight_bits, self.group)
        if isinstance(self.layer, nn.Linear):
            return functional.linear(x, weight, self.layer.bias)
        of = self.layer
        return functional.conv2d(x, weight, of.bias, of.stride, of.padding, of.dilation, of.groups)


def fold(model: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode in which every batch norm is part of the convolution before it.

    After training a batch norm multiplies each channel by a constant and adds another. Both go into the weights and the
    bias of the convolution, and one multiplication less is left to be rounded.

    Parameters
    ----------
    model : Module
        Its batch norms stand directly after a Conv2d, as in `helix.engineering.resnet`.
    """
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    model = copy.deepcopy(model).eval()
    for parent in list(model.modules()):
        children = list(parent.named_children())
        norms = {name: child for name, child in children if isinstance(child, nn.BatchNorm2d)}
        for name, norm in norms.items():
            before = str(int(name) - 1) if name.isdigit() else name.replace("bn", "conv")
            setattr(parent, before, fuse_conv_bn_eval(getattr(parent, before), norm))
            setattr(parent, name, nn.Identity())
    return model


def layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the convolutions and linear layers of a network by name, in the order in which they were made."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}


def quantize(
    model: nn.Module,
    weight_bits: int | Mapping[str, int] | None = 8,
    activation_bits: int | Mapping[str, int] | None = 8,
    group: int | None = None,
) -> nn.Module:
    """Return a folded copy of a network with every convolution and linear layer on grids; then `calibrate` it.

    Parameters
    ----------
    model : Module
        Trained, in float32.
    weight_bits, activation_bits : int or mapping of str to int, optional
        For all layers, or by the names of `layers`; a layer that is not named, and None, stay in float32.
    group : int, optional
        See `on_grid`.

    Raises
    ------
    ValueError
        If a mapping names a layer that there is not, or the model is itself a layer and holds none.
    """
    model = fold(model)
    found = layers(model)
    for bits in (weight_bits, activation_bits):
        if isinstance(bits, Mapping) and (unknown := set(bits) - set(found)):
            raise ValueError(f"There is no layer {', '.join(sorted(unknown))}; there are {', '.join(found)}.")
    for name, layer in found.items():
        made = OnGrid(layer, _bits_of(weight_bits, name), _bits_of(activation_bits, name), group)
        model.set_submodule(name, made)
    return model


def _bits_of(bits: int | Mapping[str, int] | None, name: str) -> int | None:
    return bits.get(name) if isinstance(bits, Mapping) else bits


def calibrate(model: nn.Module, images: Tensor) -> nn.Module:
    """Choose the grids of all activations from what a few hundred pictures cause; return the same network.

    Parameters
    ----------
    model : Module
        From `quantize`.
    images : Tensor, shape (n, channels, h, w)
        Training pictures: a grid that was fitted to the test set would have seen it.
    """
    grids = [module for module in model.modules() if isinstance(module, OnGrid) and module.activation_bits]
    for module in grids:
        module.sample = []
    with torch.inference_mode():
        for part in images.split(64):
            model(part)
    for module in grids:
        sample = torch.cat(module.sample or []).clone()
        module.sample = None
        grid = clipped(sample, module.activation_bits or 8)
        module.scale.copy_(grid.scale)
        module.zero_point.copy_(grid.zero_point)
    return model


def size(model: nn.Module) -> int:
    """Return the bytes that a network from `quantize` needs when it is stored.

    Weights count as their bits, a scale of 4 bytes for each channel or group, every other number (biases, the grids of
    the activations) 4 bytes.
    """
    bits = 0
    for module in model.modules():
        if isinstance(module, OnGrid):
            weight = module.layer.weight
            bits += weight.numel() * (module.weight_bits or 32)
            if module.weight_bits:
                grouped = module.group and weight[0].numel() % module.group == 0
                bits += 32 * (weight.numel() // module.group if grouped and module.group else len(weight))
            bits += 32 * (0 if module.layer.bias is None else module.layer.bias.numel())
            bits += 64 if module.activation_bits else 0
    return -(-bits // 8)


def to_int8(model: nn.Module, calibration: Tensor) -> Any:
    """Quantize a network with torchao's PT2E for x86, int8 weights and activations; ready for ``torch.compile``.

    It is exported, watched on the calibration pictures, and converted; its int8 arithmetic exists once it is compiled
    with ``torch._inductor.config.freezing`` on.

    Parameters
    ----------
    model : Module
        In float32 and evaluation mode.
    calibration : Tensor, shape (n, channels, h, w)
        Training pictures.
    """
    with without_notices():
        from torchao.quantization import pt2e
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    parts = calibration.split(64)
    sizes = {0: torch.export.Dim("batch", min=1, max=1024)}
    exported = torch.export.export(model.eval(), (parts[0],), dynamic_shapes=(sizes,), strict=True).module()
    quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    with warnings.catch_warnings():  # true and harmless: a maximum is the same in any number of bits
        warnings.filterwarnings("ignore", message="The input of maxpool2d is not quantized")
        prepared = prepare_pt2e(exported, quantizer)
    with torch.no_grad():
        for part in parts:
            prepared(part)
    converted = convert_pt2e(prepared)
    pt2e.move_exported_model_to_eval(converted)
    used = {node.target for node in converted.graph.nodes if node.op == "get_attr"}
    for name in set(converted.state_dict()) - used:  # the weights in float32, which nothing reads any more
        parent, _, own = name.rpartition(".")
        delattr(converted.get_submodule(parent), own)
    return converted


# Whom it costs -------------------------------------------------------------------------------------------


def class_changes(
    labels: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]
) -> dict[int, measure.Interval]:
    """Return for each class how its accuracy changed, with a paired 95 % interval; below 0 the class lost.

    Parameters
    ----------
    labels, before, after : ndarray of int, shape (n,)
        The true classes, and the predictions of the network before and after it was made smaller, of the same pictures.

    Raises
    ------
    ValueError
        If the three differ in length.
    """
    if not len(labels) == len(before) == len(after):
        raise ValueError(
            f"{len(labels)} labels, {len(before)} and {len(after)} predictions: all of the same pictures, please."
        )
    right_before, right_after = before == labels, after == labels
    changes = {}
    for label in np.unique(labels):
        here = labels == label
        won, lost = (right_after & ~right_before & here).sum(), (right_before & ~right_after & here).sum()
        changes[int(label)] = measure.paired_difference(int(won), int(lost), int(here.sum()))
    return changes


def class_gate(
    labels: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64], limit: float = 0.02
) -> bool:
    """Say whether a smaller network may take the place of another: no class loses more than `limit` of its accuracy.

    Parameters
    ----------
    labels, before, after : ndarray of int, shape (n,)
        As in `class_changes`.
    limit : float
        The largest fall of a class's accuracy that may pass, as a share of its pictures.

    Raises
    ------
    ValueError
        As `class_changes`.
    """
    return all(change.value >= -limit for change in class_changes(labels, before, after).values())
