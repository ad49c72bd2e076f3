"""Quantization: networks whose weights and activations lie on grids of few bits, here and in torchao.

What a grid is stands in `helix.engineering.grids`, whom a smaller network costs in `helix.engineering.class_harm`; both can be
reached from here.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from helix.engineering.class_harm import class_changes, class_gate
from helix.engineering.grids import Grid, asymmetric, clipped, on_grid, symmetric
from helix.notices import without_notices

__all__ = [
    "Grid",
    "OnGrid",
    "asymmetric",
    "calibrate",
    "class_changes",
    "class_gate",
    "clipped",
    "fold",
    "layers",
    "on_grid",
    "quantize",
    "size",
    "symmetric",
    "to_int8",
]


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
