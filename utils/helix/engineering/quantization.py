"""Quantization: networks whose weights and activations lie on grids of few bits, here and in torchao.

What a grid is stands in `helix.engineering.grids`, whom a smaller network costs in `helix.engineering.class_harm`; both can be
reached from here.
"""

from __future__ import annotations

import collections
import copy
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from helix.engineering.class_harm import class_changes, class_gate
from helix.engineering.grids import Grid, asymmetric, clip_weights, clipped, on_grid, symmetric
from helix.notices import without_notices

__all__ = [
    "Grid",
    "OnGrid",
    "asymmetric",
    "calibrate",
    "class_changes",
    "class_gate",
    "clip_weights",
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
        From 2 to 8; None leaves them in float32.
    group : int, optional
        See `on_grid`.

    Raises
    ------
    ValueError
        If the layer is a convolution that does not pad with zeros, its weights are not in float32, or there is no such number of bits.
    """

    def __init__(
        self, layer: nn.Module, weight_bits: int | None, activation_bits: int | None, group: int | None = None
    ) -> None:
        super().__init__()
        if getattr(layer, "padding_mode", "zeros") != "zeros":
            raise ValueError(
                f"Only padding with zeros is supported, which every grid holds; not {layer.padding_mode!r}."
            )
        for bits in (weight_bits, activation_bits):
            if bits is not None:  # asked here once; a layer that computes is asked for speed
                asymmetric(0.0, 1.0, bits)
        if weight_bits:
            on_grid(layer.weight.detach(), weight_bits, group)
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
    """Return a copy in evaluation mode in which every batch norm that directly follows a convolution is part of it.

    After training a batch norm multiplies each channel by a constant and adds another. Both go into the weights and the
    bias of the convolution, and one multiplication less is left to be rounded. Another batch norm (after a ReLU, without running
    statistics, or behind a convolution whose answer is used elsewhere, too) stays as it is.

    Parameters
    ----------
    model : Module
        If it has batch norms, `torch.fx` must be able to follow its `forward`.

    Raises
    ------
    ValueError
        If the model has batch norms and cannot be followed.
    """
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    model = copy.deepcopy(model).eval()
    for name, norm in _directly_after(model).items():
        before = model.get_submodule(name)
        model.set_submodule(name, fuse_conv_bn_eval(before, model.get_submodule(norm)))
        model.set_submodule(norm, nn.Identity())
    return model


def _directly_after(model: nn.Module) -> dict[str, str]:
    """Return for each convolution that hands its answer to one batch norm, and to nothing else, the name of that batch norm."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in model.modules() if module is not model):
        return {}
    try:
        nodes = torch.fx.symbolic_trace(model).graph.nodes
    except Exception as reason:  # torch.fx raises what the model's own code raises on a stand-in for a tensor
        raise ValueError(
            "The batch norms of this network cannot be folded, because torch.fx cannot follow its forward. "
            f"Fold them yourself, or write forward without questions about its input. ({type(reason).__name__}: {reason})"
        ) from None
    called = [node for node in nodes if node.op == "call_module"]
    times = collections.Counter(id(model.get_submodule(str(node.target))) for node in called)
    found = {}
    for node in called:
        norm = model.get_submodule(str(node.target))
        before = node.args[0] if node.args else None
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None:
            continue
        if not isinstance(before, torch.fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        layer = model.get_submodule(str(before.target))
        if isinstance(layer, nn.Conv2d) and times[id(layer)] == times[id(norm)] == 1:
            found[str(before.target)] = str(node.target)
    return found


def layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the convolutions and linear layers of a network by name, in the order in which they were made."""
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}


def quantize(
    model: nn.Module,
    weight_bits: int | Mapping[str, int] | None = 8,
    activation_bits: int | Mapping[str, int] | None = 8,
    group: int | None = None,
    clip: bool = False,
) -> nn.Module:
    """Return a folded copy of a network with every convolution and linear layer on grids; then `calibrate` it.

    Parameters
    ----------
    model : Module
        Trained, in float32.
    weight_bits, activation_bits : int or mapping of str to int, optional
        For all layers, or by the names of `layers`; a layer that is not named, and None, stay in float32. A layer that stands
        under two names is one, and has the first of them.
    group : int, optional
        See `on_grid`.
    clip : bool
        Cut the largest weights off, as `clip_weights` does; else each grid reaches the largest weight.

    Raises
    ------
    ValueError
        If a mapping names a layer that there is not, the model is itself a layer and holds none, it is on grids already, or it
        holds PyTorch's attention, which takes its layers' weights and calls no layer.
    """
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention | nn.TransformerEncoderLayer):
            raise ValueError(
                f"torch.nn.{type(module).__name__} takes the weights of its layers without calling them, so nothing can be rounded on "
                "the way. Quantize a model that calls its linear layers, such as those of transformers."
            )
        if isinstance(module, OnGrid):
            raise ValueError("This network is on grids already. Quantize the one in float32.")
    model = fold(model)
    found = layers(model)
    for bits in (weight_bits, activation_bits):
        if isinstance(bits, Mapping) and (unknown := set(bits) - set(found)):
            raise ValueError(f"There is no layer {', '.join(sorted(unknown))}; there are {', '.join(found)}.")
    made = {
        id(layer): OnGrid(layer, _bits_of(weight_bits, name), _bits_of(activation_bits, name), group)
        for name, layer in found.items()
    }
    for name, layer in list(model.named_modules(remove_duplicate=False)):
        if id(layer) in made and not isinstance(layer, OnGrid):
            model.set_submodule(name, made[id(layer)])
    if clip:
        for one in made.values():
            if one.weight_bits:
                one.layer.weight.data = clip_weights(one.layer.weight, one.weight_bits, group)
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

    Raises
    ------
    ValueError
        If there is no picture, or a layer whose activations are to be rounded is not used.
    """
    grids = {name: one for name, one in model.named_modules() if isinstance(one, OnGrid) and one.activation_bits}
    samples: dict[str, list[Tensor]] = {name: [] for name in grids}
    try:
        for name, module in grids.items():
            module.sample = samples[name]
        with torch.inference_mode():
            for part in images.split(64):
                model(part)
    finally:
        for module in grids.values():
            module.sample = None
    if unused := [name for name, seen in samples.items() if not sum(map(len, seen))]:
        raise ValueError(
            f"No number came to {', '.join(unused)}: no pictures, or forward does not use the layer. Leave it out of activation_bits."
        )
    for name, module in grids.items():
        grid = clipped(torch.cat(samples[name]).clone(), module.activation_bits or 8)
        module.scale.copy_(grid.scale)
        module.zero_point.copy_(grid.zero_point)
    return model


def size(model: nn.Module) -> int:
    """Return the bytes that a network from `quantize` needs when it is stored.

    Weights count as their bits, a scale of 4 bytes for each channel or group, the grids of activations 8 bytes. Every other number
    (biases, embeddings, norms) counts as it is, shared ones once.
    """
    bits = 0
    plain: dict[int, int] = {}
    on_grids = {id(one.layer) for one in model.modules() if isinstance(one, OnGrid) and one.weight_bits}
    for module in model.modules():
        if isinstance(module, OnGrid):
            bits += 64 if module.activation_bits else 0
            if module.weight_bits:
                weight = module.layer.weight
                grouped = module.group and weight[0].numel() % module.group == 0
                bits += weight.numel() * module.weight_bits
                bits += 32 * (weight.numel() // module.group if grouped and module.group else len(weight))
            continue
        own = {name: value for name, value in module.state_dict(keep_vars=True).items() if "." not in name}
        if id(module) in on_grids:
            del own["weight"]
        plain |= {id(value): value.numel() * value.element_size() for value in own.values()}
    return sum(plain.values()) - (-bits // 8)


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
