"""Train and judge a network on pictures: one plain loop that chapters 01 to 04 and their experiments share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from helix.datasets import fashion_mnist


def tensors(data: fashion_mnist.Images) -> tuple[Tensor, Tensor]:
    """Return pictures from 0 to 1, shape (n, 1, 28, 28), and labels, shape (n,), as tensors."""
    return torch.from_numpy(fashion_mnist.scaled(data.images)), torch.from_numpy(data.labels)


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    rate: float,
    seed: int,
    batch: int = 128,
    decay: float = 5e-4,
    after_step: Callable[[], None] | None = None,
) -> float:
    """Train a classifier in place by stochastic gradient descent; every picture is mirrored half of the time.

    Parameters
    ----------
    model : Module
        Maps (n, ...) to logits (n, classes). It is left in evaluation mode.
    images, labels : Tensor
        Shapes (n, ...) and (n,).
    epochs, batch, seed : int
        Passes over the pictures, pictures in a step (the last, smaller one of a pass is left out), and the seed of
        their order and of the mirroring.
    rate : float
        The highest learning rate: it rises over the first tenth of the steps and falls along a cosine to zero.
    decay : float
        Weight decay.
    after_step : callable, optional
        Called after each step.

    Returns
    -------
    float
        Mean loss of the last 50 steps.

    Raises
    ------
    ValueError
        If there are fewer pictures than a batch, not as many labels as pictures, or no epoch.
    """
    if epochs < 1:
        raise ValueError(f"Training takes at least one epoch; got {epochs}.")
    if not batch <= len(images) == len(labels):
        raise ValueError(f"{len(images)} pictures, {len(labels)} labels and batches of {batch} do not fit together.")
    draw = torch.Generator().manual_seed(seed)
    steps = epochs * (len(images) // batch)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=decay)
    warm = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: (
            (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
        ),
    )
    losses: list[float] = []
    model.train()
    # In a notebook tqdm.auto does not ask for TQDM_DISABLE itself, and a built page would keep an empty bar.
    with tqdm(total=steps, desc="fit", unit="step", leave=False, disable=bool(os.environ.get("TQDM_DISABLE"))) as bar:
        for _ in range(epochs):
            for rows in torch.randperm(len(images), generator=draw)[: steps // epochs * batch].split(batch):
                pictures = images[rows]
                mirrored = torch.rand(batch, generator=draw) < 0.5
                pictures[mirrored] = pictures[mirrored].flip(-1)
                loss = nn.functional.cross_entropy(model(pictures), labels[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                if after_step:
                    after_step()
                losses.append(loss.item())
                bar.update()
    model.eval()
    return float(np.mean(losses[-50:]))


def logits(model: Callable[[Tensor], Tensor], images: Tensor, batch: int = 250) -> Tensor:
    """Return what a model says of pictures, shape (n, classes), without gradients; a module must be in evaluation mode."""
    with torch.inference_mode():
        return torch.cat([model(part) for part in images.split(batch)])


def predict(model: Callable[[Tensor], Tensor], images: Tensor, batch: int = 250) -> NDArray[np.int64]:
    """Return the class that a model finds most likely for each picture, shape (n,)."""
    found: NDArray[np.int64] = logits(model, images, batch).argmax(1).numpy()
    return found
