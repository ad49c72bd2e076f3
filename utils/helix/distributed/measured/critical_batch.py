"""How far a larger batch saves steps: S = S_min (1 + B_crit / B), fitted to runs that ended at the same loss.

Source: S. McCandlish, J. Kaplan, D. Amodei and others, "An Empirical Model of Large-Batch Training", arXiv:1812.06162,
section 2.3 (steps S and examples E = S·B obey (S/S_min − 1)(E/E_min − 1) = 1, which is this line) and appendix A.1 (the noise scale from
two batch sizes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CriticalBatch:
    """The two numbers of the law.

    Attributes
    ----------
    least_steps : float
        S_min: steps that no batch, however large, gets below.
    batch : float
        B_crit, in samples: here twice S_min steps are needed, and twice the fewest samples.
    """

    least_steps: float
    batch: float

    def steps(self, batch: float) -> float:
        """Return the steps to the target with a batch of `batch` samples."""
        return self.least_steps * (1 + self.batch / _positive(batch, "batch"))

    def samples(self, batch: float) -> float:
        """Return the samples to the target; at least ``least_steps * self.batch``."""
        return self.steps(batch) * batch


def fit(steps: Mapping[float, float]) -> CriticalBatch:
    """Fit the law to the steps of several batch sizes, by least squares of relative residuals.

    Parameters
    ----------
    steps : mapping of float to float
        Batch size to the steps that reached the target; at least three sizes. For each size they should be the fewest over learning rates:
        a size with a bad rate tells of the rate.

    Raises
    ------
    ValueError
        If there are fewer than three sizes, a number is not positive and finite, or the steps do not fall with the batch.
    """
    if len(steps) < 3:
        raise ValueError(f"The law has two numbers: give the steps of at least three batch sizes, not of {len(steps)}.")
    batches = np.array([_positive(batch, "batch") for batch in steps], dtype=np.float64)
    counts = np.array([_positive(count, "steps") for count in steps.values()], dtype=np.float64)
    columns = np.stack([np.ones_like(batches), 1 / batches], axis=1) / counts[:, None]
    (least, product), *_ = np.linalg.lstsq(columns, np.ones_like(counts), rcond=None)
    if least <= 0 or product <= 0:
        raise ValueError(
            "These steps are no line in 1/batch with positive ends: either no size is past the critical batch, or all are."
        )
    return CriticalBatch(float(least), float(product / least))


def noise_scale(small: float, large: float, batch_small: float, batch_large: float) -> float:
    """Estimate tr(Σ)/|G|², the batch at which noise and gradient are equally long, from squared gradient norms at two batch sizes.

    Parameters
    ----------
    small, large : float
        Mean squared norm of the gradient of batches of the two sizes. In data parallelism both are there for free: the ranks' own gradients,
        and their mean.
    batch_small, batch_large : float
        Samples, the first fewer than the second.

    Returns
    -------
    float
        In samples. Infinite where the estimate of |G|² is not positive: too few batches were averaged.

    Raises
    ------
    ValueError
        If a number is not positive, or the sizes are not in order.
    """
    for name, value in {"small": small, "large": large, "batch_small": batch_small, "batch_large": batch_large}.items():
        _positive(value, name)
    if batch_small >= batch_large:
        raise ValueError(f"The first batch must be the smaller one; got {batch_small!r} and {batch_large!r}.")
    squared = (batch_large * large - batch_small * small) / (batch_large - batch_small)
    spread = (small - large) / (1 / batch_small - 1 / batch_large)
    return max(0.0, spread) / squared if squared > 0 else math.inf


def _positive(value: float, name: str) -> float:
    if isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}.")
    return float(value)
