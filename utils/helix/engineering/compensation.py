"""Rounding that looks at a layer's inputs: the errors are pushed to where they do little harm.

`quantization` rounds every weight to its nearest place. Weights of 3 or 4 bits, and activations with a few huge numbers, ask for
more. The functions here need to know of the inputs x only their second moment, the sum of x xᵀ over many tokens: the squared error of the
layer's answer is the trace of (W − Ŵ) · moment · (W − Ŵ)ᵀ.

References
----------
E. Frantar et al. (2022), GPTQ, arXiv:2210.17323. J. Lin et al. (2023), AWQ, arXiv:2306.00978. G. Xiao et al. (2022), SmoothQuant,
arXiv:2211.10438.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from helix.engineering.grids import on_grid, symmetric

_POWERS = torch.linspace(0, 1, 11)  # of the inputs' size, among which `scaled` looks for the best


def answer_error(weight: Tensor, rounded: Tensor, moment: Tensor) -> float:
    """Return the error of a layer's answers, as a share of their size: the root of the ratio of the mean squares.

    Parameters
    ----------
    weight, rounded : Tensor, shape (outputs, inputs)
        The weights as they were, and as they became.
    moment : Tensor, shape (inputs, inputs)
        The sum of x xᵀ over the inputs.
    """
    off = weight - rounded
    return float((((off @ moment) * off).sum() / ((weight @ moment) * weight).sum()).sqrt())


def fed_back(weight: Tensor, moment: Tensor, bits: int, group: int | None = None, damping: float = 0.01) -> Tensor:
    """Return weights on grids, rounded column by column, each error made up for by the columns that are still to come (GPTQ).

    Parameters
    ----------
    weight : Tensor, shape (outputs, inputs)
        Of a linear layer, in float32.
    moment : Tensor, shape (inputs, inputs)
        The sum of x xᵀ over the inputs.
    bits, group
        As in `grids.on_grid`; the grid of a group is chosen when its first column is reached.
    damping : float
        What is added to the moment's diagonal, as a share of its mean: a direction in which no input ever went can still be needed.

    Raises
    ------
    ValueError
        If the moment does not fit the weight, or as `grids.on_grid`.
    """
    _refuse(weight, moment)
    damped = moment + damping * moment.diagonal().mean() * torch.eye(len(moment))
    upper = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    left, made = weight.detach().clone(), torch.empty_like(weight)
    length = weight.shape[1] if group is None or weight.shape[1] % group else group
    for column in range(weight.shape[1]):
        if column % length == 0:
            grid = symmetric(left[:, column : column + length], bits, axis=0)
        made[:, column] = grid.round_trip(left[:, column : column + 1])[:, 0]
        error = (left[:, column] - made[:, column]) / upper[column, column]
        left[:, column:] -= torch.outer(error, upper[column, column:])
    return made


def scaled(weight: Tensor, moment: Tensor, bits: int, group: int | None = None) -> Tensor:
    """Return weights on grids that are finer for the inputs that are large (AWQ).

    Each input's column is multiplied by a power of the input's size, rounded, and divided again; a real program divides what comes
    in. Of 11 powers the one with the least error of the answers is taken, among them 0: to the nearest.

    Parameters
    ----------
    weight, moment, bits, group
        As in `fed_back`.

    Raises
    ------
    ValueError
        If the moment does not fit the weight, or as `grids.on_grid`.
    """
    _refuse(weight, moment)
    size = moment.diagonal().sqrt().clamp(min=1e-12)
    size = size / size.log().mean().exp()
    weight = weight.detach()
    tried = [on_grid(weight * size**power, bits, group) / size**power for power in _POWERS]
    return min(tried, key=lambda one: answer_error(weight, one, moment))


def smoothing(reach: Tensor, weight: Tensor, power: float = 0.5) -> Tensor:
    """Return by what each input is to be divided, and its column of the weight multiplied, so that both are easier to round (SmoothQuant).

    Parameters
    ----------
    reach : Tensor, shape (inputs,)
        The largest magnitude of each input over many tokens.
    weight : Tensor, shape (outputs, inputs)
        Of the layer that takes them; of several layers, one above the other.
    power : float
        1 makes all inputs equally large and leaves the weights to bear it, 0 the reverse.

    Returns
    -------
    Tensor, shape (inputs,)
        max|x|^power / max|w|^(1 − power).
    """
    return reach.clamp(min=1e-5) ** power / weight.detach().abs().amax(dim=0).clamp(min=1e-5) ** (1 - power)


def watch(
    model: nn.Module,
    read: Callable[[], Any],
    note: Callable[[Tensor], Tensor],
    join: Callable[[Tensor, Tensor], Tensor],
) -> dict[str, Tensor]:
    """Return for each linear layer what `note` says of its inputs, shape (tokens, inputs), joined over all calls while `read` runs."""
    seen: dict[str, Tensor] = {}

    def look(name: str) -> Any:
        def hook(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            said = note(given[0].detach().flatten(0, -2))
            seen[name] = join(seen[name], said) if name in seen else said

        return hook

    hooks = [
        layer.register_forward_pre_hook(look(name))
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        read()
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def moments(model: nn.Module, read: Callable[[], Any]) -> dict[str, Tensor]:
    """Return the second moment of the inputs of each linear layer, shape (inputs, inputs), over what `read` makes the model read."""
    return watch(model, read, lambda x: x.T @ x, torch.add)


def reaches(model: nn.Module, read: Callable[[], Any]) -> dict[str, Tensor]:
    """Return the largest magnitude of each input of each linear layer, shape (inputs,), over what `read` makes the model read."""
    return watch(model, read, lambda x: x.abs().amax(dim=0), torch.maximum)


def _refuse(weight: Tensor, moment: Tensor) -> None:
    if weight.ndim != 2 or moment.shape != (weight.shape[1], weight.shape[1]):
        raise ValueError(f"A weight of shape {tuple(weight.shape)} has no moment of shape {tuple(moment.shape)}.")
    if not bool(torch.isfinite(moment).all() and (moment.diagonal() >= 0).all() and moment.diagonal().any()):
        raise ValueError("The moment is a sum of x xᵀ over inputs that are finite, and not all zero.")
