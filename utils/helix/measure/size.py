"""Size and operations of a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any


def size_on_disk(path: str | os.PathLike[str]) -> int:
    """Bytes of a file, or of all files in a folder; links inside a folder are not followed.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {path}; run the cell that writes it first.")
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink())


def parameter_count(module: Any, trainable: bool = False) -> int:
    """Numbers in the parameters of a torch module, shared ones once; only trainable ones on request.

    Layers that torch has packed into int8 hold no parameters and count 0: compare those by `state_size`.
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def state_size(module: Any) -> int:
    """Bytes of all tensors in a module's state: number of elements times bytes of their dtype.

    It is what the numbers need, without the header of a file format (safetensors adds a few KiB). Shared
    tensors count once, packed int8 weights one byte each; pruning masks count, zeros count, buffers that are
    not saved do not. Per-channel scales inside torch's own quantized tensors are left out.
    """
    tensors = {id(t): t for t in _tensors(module.state_dict(keep_vars=True))}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _tensors(value: Any) -> Iterator[Any]:
    import torch

    if hasattr(value, "__tensor_flatten__"):  # a tensor subclass, such as torchao's: count what it is made of
        yield from _tensors([getattr(value, name) for name in value.__tensor_flatten__()[0]])
    elif isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def flops(function: Callable[..., Any], *inputs: Any) -> int:
    """Floating-point operations of ``function(*inputs)``, by torch's FlopCounterMode.

    A multiply-add counts as 2 operations: a Linear of shape (m, n) on a batch of b costs 2·b·m·n. Matrix
    products, convolutions and attention are counted, in the forward pass and in a backward pass that the
    function makes; biases, activations, norms, pooling and int8 kernels count 0.

    Parameters
    ----------
    function : torch module or callable
        Called once.
    inputs
        Its arguments.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    return int(counter.get_total_flops())
