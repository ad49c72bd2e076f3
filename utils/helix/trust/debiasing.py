"""Mitigation of a gap between two groups: in the loss, by an adversary, by weights, by thresholds; and its price.

None of these makes a model fair. Each moves one gap, and moves people: `moved` counts them, and `refusals` says no.
Weights, thresholds, the rule for choosing a strength and the price need no torch and stand in `helix.trust.mitigated`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from helix.trust.groups import binary, finite
from helix.trust.mitigated import choose, codes, moved, parity_thresholds, refusals, reweighing, select

__all__ = [
    "GapRegulariser", "adversarial", "choose", "codes", "fit", "moved", "parity_thresholds", "probabilities", "refusals",
    "reverse_gradient", "reweighing", "select", "signed_gap",
]  # fmt: skip

Penalty = Callable[[Tensor, Tensor], Tensor]


# In the loss -----------------------------------------------------------------------------------------------


def signed_gap(p: Tensor, code: Tensor) -> Tensor:
    """Return the mean probability in group 0 minus that in group 1, with its gradient.

    Parameters
    ----------
    p : Tensor, shape (n,)
        Probabilities of the wanted answer.
    code : Tensor, shape (n,)
        0 or 1.

    Raises
    ------
    ValueError
        If a group is empty: the mean of nobody is NaN. What that ruins depends on the formula: the value of an absolute
        gap, and with a squared one every weight.
    """
    if not bool(torch.isfinite(p).all()):
        raise ValueError("A probability is NaN or infinite: the model has diverged already.")
    first = code == 0
    if not bool(first.any()) or bool(first.all()):
        raise ValueError(
            "A group has nobody in this batch, so that the gap is not defined. Skip the batch, or draw larger ones."
        )
    return p[first].mean() - p[~first].mean()


class GapRegulariser:
    """The penalty: the absolute difference of the mean probabilities in the two groups, made safe for batches.

    Two things differ from the plain formula. A batch without one of the groups is **skipped**: it gives 0, with a gradient
    of 0. Given how many people of each group a batch holds, its signed gap is right on average, so that leaving batches
    out by these numbers alone bends nothing. And the **sign comes from a running estimate** over the last batches, not
    from the batch: the mean of absolute values is larger than the absolute value of the mean, and a batch whose gap has the
    wrong sign by chance pushes the wrong way. The value can be negative in one batch; its mean is the gap.

    Parameters
    ----------
    momentum : float
        What the running estimate keeps at each batch; 0 is the batch alone, which is the plain formula.

    Attributes
    ----------
    running : float or None
        The signed gap, None before the first batch.
    skipped : int
        Batches that lacked a group.
    """

    def __init__(self, momentum: float = 0.9) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"The momentum lies from 0 to below 1; got {momentum}.")
        self.momentum = momentum
        self.running: float | None = None
        self.skipped = 0

    def __call__(self, p: Tensor, code: Tensor) -> Tensor:
        """Return the penalty of a batch, a scalar with a gradient."""
        if not bool((code == 0).any()) or not bool((code == 1).any()):
            self.skipped += 1
            return 0.0 * p.sum()
        gap = signed_gap(p, code)
        now = float(gap.detach())
        self.running = now if self.running is None else self.momentum * self.running + (1 - self.momentum) * now
        return gap if self.running >= 0 else -gap


# By an adversary -------------------------------------------------------------------------------------------


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * upstream[0], None


def reverse_gradient(x: Tensor, strength: float = 1.0) -> Tensor:
    """Return x as it is, and multiply the gradient on its way back by −strength.

    References
    ----------
    Y. Ganin and others (2016), Domain-Adversarial Training of Neural Networks, arXiv:1505.07818.
    """
    made: Tensor = _Reversal.apply(x, strength)
    return made


def adversarial(strength: float) -> tuple[nn.Module, Penalty]:
    """Return an adversary that guesses the group from a logit, and the loss that trains it against the model.

    The adversary reads the logit alone, as it does for demographic parity in the paper of Zhang and others, whose
    projection of the gradient is left out here.

    References
    ----------
    B. H. Zhang, B. Lemoine and M. Mitchell (2018), Mitigating Unwanted Biases with Adversarial Learning, arXiv:1801.07593.
    """
    guesser = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))

    def loss(logit: Tensor, code: Tensor) -> Tensor:
        guess = guesser(reverse_gradient(logit[:, None], strength))[:, 0]
        return nn.functional.binary_cross_entropy_with_logits(guess, code.to(logit.dtype))

    return guesser, loss


def fit(
    X: ArrayLike,
    y: ArrayLike,
    groups: Any,
    *,
    seed: int,
    gap: float = 0.0,
    adversary: float = 0.0,
    weights: ArrayLike | None = None,
    penalty: Penalty | None = None,
    epochs: int = 8,
    batch: int = 512,
    rate: float = 2e-3,
) -> nn.Sequential:
    """Train a network with one hidden layer of 64, with the mitigations that are asked for.

    Parameters
    ----------
    X : array_like, shape (n, features)
        Standardised features, without the group.
    y, groups : array_like, shape (n,)
        Labels 0 and 1, and two groups. The groups are used in training only; the network never sees them.
    seed : int
        Of the first weights and of the order of the batches.
    gap : float
        λ, the weight of the gap in the loss.
    adversary : float
        α, by which the adversary's gradient is multiplied where it is reversed.
    weights : array_like, shape (n,), optional
        Of each person, as from `reweighing`.
    penalty : callable, optional
        In place of a `GapRegulariser`; takes probabilities and codes.
    epochs, batch, rate : int, int, float
        Passes, people in a batch, and the step of Adam; the adversary's is five times as long. All above 0.

    Returns
    -------
    Sequential
        Gives logits of shape (n, 1).

    Raises
    ------
    ValueError
        If features, labels, groups or weights are not what they should be, there is not one of each for every person, a
        strength is negative or no number, or the training diverges.
    """
    if not (0 <= gap < np.inf and 0 <= adversary < np.inf):
        raise ValueError(f"λ and α are numbers from 0 up; got {gap} and {adversary}.")
    if not (epochs >= 1 and batch >= 1 and 0 < rate < np.inf):
        raise ValueError(f"Epochs, batch and rate lie above 0; got {epochs}, {batch} and {rate}.")
    truth = binary(y, "y")
    people = _features(X)
    if len(people) != len(truth):
        raise ValueError(f"There are {len(people)} rows of data and {len(truth)} labels.")
    target = torch.as_tensor(truth, dtype=torch.float32)
    code = torch.as_tensor(codes(groups, len(truth))[1])
    weight = torch.as_tensor(np.ones(len(truth)) if weights is None else finite(weights, len(truth))).float()
    if bool((weight < 0).any()) or not bool(weight.any()):
        raise ValueError("A weight is not negative, and not all are 0: who has a negative one is trained against.")
    penalty = penalty or GapRegulariser()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(people.shape[1], 64), nn.ReLU(), nn.Linear(64, 1))
        guesser, against = adversarial(adversary)
        steps = [{"params": model.parameters()}, {"params": guesser.parameters(), "lr": 5 * rate}]
        optimiser = torch.optim.Adam(steps, lr=rate)
        for _ in range(epochs):
            for rows in torch.randperm(len(target)).split(batch):
                logit = model(people[rows])[:, 0]
                each = nn.functional.binary_cross_entropy_with_logits(logit, target[rows], reduction="none")
                loss = (each * weight[rows]).mean()
                if gap:
                    loss = loss + gap * penalty(logit.sigmoid(), code[rows])
                if adversary:
                    loss = loss + against(logit, code[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    if not all(bool(torch.isfinite(one).all()) for one in model.parameters()):
        raise ValueError("The training diverged: the weights are NaN or infinite. Take a smaller rate or strength.")
    return model.eval()


def probabilities(model: nn.Module, X: ArrayLike) -> NDArray[np.float64]:
    """Return the probability of label 1 that a network of `fit` gives to each person; `X` is what `fit` takes."""
    with torch.no_grad():
        made: NDArray[np.float64] = model(_features(X))[:, 0].double().sigmoid().numpy()
    return made


def _features(X: ArrayLike) -> Tensor:
    """Return features as a tensor of float32, if they are a table of numbers, none of them missing."""
    try:
        table = np.asarray(X, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("Features must be numbers. Code categories first, as one column each.") from None
    if table.ndim != 2:
        raise ValueError(f"Features are a table, a row a person; their shape is {table.shape}.")
    if wrong := int((~np.isfinite(table)).sum()):
        raise ValueError(f"{wrong} features are NaN or infinite. Mend that first.")
    return torch.as_tensor(table, dtype=torch.float32)
