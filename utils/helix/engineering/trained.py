"""The networks that experiments trained and ``weights/`` holds, in files as small as they can honestly be.

A ResNet with ImageNet's stem shrinks a picture of 28 pixels to one place before its last stage. There a 3×3 convolution
with padding meets the picture with its middle tap alone; the other eight only ever meet zeros. Such taps get no gradient
and change no answer: they are 0 from the beginning, and are not stored.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save_file
from torch import Tensor, nn

from helix import cards
from helix.engineering import quantization
from helix.engineering.resnet import ResNet, resnet18

FOLDER = "weights/01_quantization"
PIXELS = 28


def live_taps(model: nn.Module, pixels: int = PIXELS) -> dict[str, tuple[slice, slice]]:
    """Return for each convolution the rows and columns of its kernel that can meet a picture, and not only padding.

    Parameters
    ----------
    model : Module
        A network for pictures with one channel.
    pixels : int
        Their width and height.
    """
    sizes = _sizes(model, pixels)
    taps = {}
    for name, (inside, outside) in sizes.items():
        layer = model.get_submodule(name)
        (kernel, *_), (stride, *_), (padding, *_) = layer.kernel_size, layer.stride, layer.padding
        steps = [k * layer.dilation[0] - padding for k in range(kernel)]
        met = [k for k in range(kernel) if any(0 <= o * stride + steps[k] < inside for o in range(outside))]
        taps[name] = (slice(met[0], met[-1] + 1),) * 2
    return taps


def _sizes(model: nn.Module, pixels: int) -> dict[str, tuple[int, int]]:
    """Return for each convolution the width of what enters and of what leaves it."""
    sizes: dict[str, tuple[int, int]] = {}

    def note(name: str) -> object:
        return lambda module, given, made: sizes.__setitem__(name, (given[0].shape[-1], made.shape[-1]))

    found = {name: layer for name, layer in quantization.layers(model).items() if isinstance(layer, nn.Conv2d)}
    hooks = [layer.register_forward_hook(note(name)) for name, layer in found.items()]
    training = model.training
    with torch.no_grad():
        model.eval()(torch.zeros(1, 1, pixels, pixels))
    model.train(training)
    for hook in hooks:
        hook.remove()
    return {name: sizes[name] for name in found}


def silence(model: nn.Module, pixels: int = PIXELS) -> nn.Module:
    """Set the taps that never meet a picture to 0, in place, and return the network."""
    with torch.no_grad():
        for name, taps in live_taps(model, pixels).items():
            weight = model.get_submodule(name).weight
            kept = weight[:, :, *taps].clone()
            weight.zero_()[:, :, *taps] = kept
    return model


def compact(model: nn.Module, pixels: int = PIXELS) -> nn.Module:
    """Return a folded copy whose kernels hold nothing but taps that can meet a picture; it gives the same answers.

    What is 3×3 in the last stage of the ResNet18 becomes 2×2 or 1×1, and of 11.2 million weights 4.2 million are left. Whoever tells
    how small a network became by fewer bits should count from here: the others need no bits at all.

    Parameters
    ----------
    model : Module
        A network for pictures with one channel, of `pixels` width and height.
    pixels : int
    """
    model = quantization.fold(model)
    for name, (rows, columns) in live_taps(model, pixels).items():
        layer = model.get_submodule(name)
        layer.weight = nn.Parameter(layer.weight.detach()[:, :, rows, columns].clone())
        layer.kernel_size = tuple(layer.weight.shape[2:])
        step = layer.dilation[0]
        layer.padding = (layer.padding[0] - rows.start * step, layer.padding[1] - columns.start * step)
    return model


def pack(model: ResNet) -> dict[str, Tensor]:
    """Return what is stored of a network in float32: its live weights in float16, all else as it is."""
    taps = live_taps(model)
    packed = {}
    for name, value in model.state_dict().items():
        layer = name.removesuffix(".weight")
        if layer in taps:
            packed[name] = value[:, :, *taps[layer]].half().contiguous()
        elif not name.endswith("num_batches_tracked"):
            packed[name] = value.clone()
    return packed


def unpack(packed: dict[str, Tensor]) -> ResNet:
    """Return the network that `pack` stored, in evaluation mode."""
    model = resnet18(10, 1)
    taps = live_taps(model)
    state = model.state_dict()
    for name, value in packed.items():
        layer = name.removesuffix(".weight")
        if layer in taps:
            state[name].zero_()[:, :, *taps[layer]] = value.float()
        else:
            state[name].copy_(value)
    return model.eval()


def pack_change(model: nn.Module, base: nn.Module) -> dict[str, Tensor]:
    """Return what is stored of a folded network that was trained further: the change of its live weights, in int8.

    The change is a few per cent of the weights, so that int8 per channel holds it more finely than float16 holds them.
    """
    taps, before = live_taps(base), quantization.layers(quantization.fold(base))
    packed: dict[str, Tensor] = {}
    for name, layer in quantization.layers(model).items():
        change = (layer.weight - before[name].weight).detach()
        change = change[:, :, *taps[name]] if name in taps else change
        grid = quantization.symmetric(change, axis=0)
        packed |= {
            f"{name}.change": grid.quantize(change),
            f"{name}.scale": grid.scale,
            f"{name}.bias": layer.bias.detach(),
        }
    return packed


def unpack_change(packed: dict[str, Tensor], base: nn.Module) -> nn.Module:
    """Return the folded network that `pack_change` stored."""
    taps = live_taps(base)
    with torch.no_grad():
        for name, layer in quantization.layers(model := quantization.fold(base)).items():
            change = packed[f"{name}.change"].float()
            change *= packed[f"{name}.scale"].reshape(-1, *[1] * (change.ndim - 1))
            if name in taps:
                layer.weight[:, :, *taps[name]] += change
            else:
                layer.weight += change
            layer.bias.copy_(packed[f"{name}.bias"])
    return model


def pack_int8(model: nn.Module) -> dict[str, Tensor]:
    """Return what is stored of a network from `quantization.quantize`, 8 bits per channel: what it computes with.

    Raises
    ------
    ValueError
        If a tap that never meets a picture is not 0, as `silence` makes it: it would be lost, and its channel's scale with it.
    """
    packed: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, quantization.OnGrid):
            weight = module.layer.weight.detach()
            grid = quantization.symmetric(weight, axis=0)
            packed |= {
                f"{name}.q": grid.quantize(weight),
                f"{name}.scale": grid.scale,
                f"{name}.bias": module.layer.bias.detach(),
                f"{name}.input_scale": module.scale,
                f"{name}.input_zero_point": module.zero_point,
            }
    taps = live_taps(unwrapped(model))
    for name, tap in taps.items():
        whole = packed[f"{name}.q"]
        packed[f"{name}.q"] = whole[:, :, *tap].contiguous()
        if whole.count_nonzero() > packed[f"{name}.q"].count_nonzero():
            raise ValueError(
                f"{name} has weights that never meet a picture and are not 0. Train it from `silence(model)` on."
            )
    return packed


def unpack_int8(packed: dict[str, Tensor]) -> nn.Module:
    """Return the network on grids that `pack_int8` stored."""
    model = quantization.quantize(silence(resnet18(10, 1)))
    taps = live_taps(unwrapped(model))
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, quantization.OnGrid):
                weight = packed[f"{name}.q"].float()
                weight *= packed[f"{name}.scale"].reshape(-1, *[1] * (weight.ndim - 1))
                module.layer.weight[(slice(None), slice(None), *taps.get(name, ()))] = weight
                module.layer.bias.copy_(packed[f"{name}.bias"])
                module.scale.copy_(packed[f"{name}.input_scale"])
                module.zero_point.copy_(packed[f"{name}.input_zero_point"])
    return model


def unwrapped(model: nn.Module) -> nn.Module:
    """Return a network from `quantization.quantize` as a plain one in float32, its weights on their grids."""
    model = copy.deepcopy(model)
    for name, module in list(model.named_modules()):
        if isinstance(module, quantization.OnGrid):
            layer = module.layer
            if module.weight_bits:
                layer.weight.data = quantization.on_grid(layer.weight, module.weight_bits, module.group).detach()
            model.set_submodule(name, layer)
    return model


def load(name: str) -> nn.Module:
    """Load a ResNet18 for Fashion-MNIST's ten classes, in evaluation mode.

    Parameters
    ----------
    name : "fp32", "fp32_longer" or "qat"
        The network as it was trained; with one more epoch, its batch norms folded; with one more epoch of
        quantization-aware training, on grids of 8 bits. ``weights/01_quantization/CARD.md`` says how they came about.

    Raises
    ------
    ValueError
        If there is no such network, or its file is not the one in the card.
    FileNotFoundError
        If a file is missing.
    """
    if name not in ("fp32", "fp32_longer", "qat"):
        raise ValueError(f"The networks are 'fp32', 'fp32_longer' and 'qat'; got {name!r}.")
    packed = from_bytes(cards.read(FOLDER, f"{name}.safetensors"))
    if name == "fp32_longer":
        return unpack_change(packed, load("fp32"))
    return unpack(packed) if name == "fp32" else unpack_int8(packed)


def save(packed: dict[str, Tensor], path: Path) -> None:
    """Write tensors to a safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(packed, path)
