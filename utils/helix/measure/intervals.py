"""Intervals: what an estimate from a sample can and cannot say."""

from __future__ import annotations

import math
import numbers
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Interval:
    """An estimate with the interval around it, at a confidence level such as 0.95.

    Prints as ``0.123 [0.101, 0.147]``; a format applies to all three numbers (``f"{interval:.1%}"``), and
    ``x in interval`` asks whether `x` lies between its ends, ends included.
    """

    value: float
    low: float
    high: float
    level: float = 0.95

    @property
    def width(self) -> float:
        """Distance between the two ends, in the unit of the value."""
        return self.high - self.low

    def __contains__(self, x: float) -> bool:
        return self.low <= x <= self.high

    def __format__(self, spec: str) -> str:
        value, low, high = (format(x, spec or ".3f") for x in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"

    def __str__(self) -> str:
        return format(self, "")


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion, without continuity correction.

    Parameters
    ----------
    successes, n : float
        How many of how many. Unlike the textbook interval it stays inside [0, 1], also at 0 or `n` successes.
    level : float
        Confidence level, strictly between 0 and 1.

    Raises
    ------
    ValueError
        If `n` is not positive, `successes` is not within 0..n, or `level` is not within (0, 1).

    References
    ----------
    E. B. Wilson (1927), J. Am. Stat. Assoc. 22, 209-212, doi:10.1080/01621459.1927.10502953.
    """
    successes, n = _count(successes), _count(n)
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"A proportion needs 0 <= successes <= n and n > 0; got {successes} of {n}.")
    z = statistics.NormalDist().inv_cdf(0.5 + _checked(level) / 2)
    p = successes / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 or n successes the end is exactly 0 or 1; rounding must not push it past the estimate.
    return Interval(p, max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half)), level)


def difference_of_proportions(
    successes_a: float, n_a: float, successes_b: float, n_b: float, level: float = 0.95
) -> Interval:
    """Newcombe's hybrid Wilson interval of the difference p_a − p_b of two independent proportions.

    Raises
    ------
    ValueError
        As `wilson`, for either group.

    References
    ----------
    R. G. Newcombe (1998), Statistics in Medicine 17, 873-890, method 10.
    """
    a, b = wilson(successes_a, n_a, level), wilson(successes_b, n_b, level)
    difference = a.value - b.value
    below = math.hypot(a.value - a.low, b.high - b.value)
    above = math.hypot(a.high - a.value, b.value - b.low)
    return Interval(difference, difference - below, difference + above, level)


def ratio_of_proportions(
    successes_a: float, n_a: float, successes_b: float, n_b: float, level: float = 0.95
) -> Interval:
    """Interval of the ratio p_a / p_b of two independent proportions, put together from Wilson's two (MOVER-R).

    Its upper end is infinite where group b may have a proportion of 0 too.

    Raises
    ------
    ValueError
        As `wilson`, for either group; and if nobody counts in group b, so that there is no ratio.

    References
    ----------
    A. Donner and G. Y. Zou (2012), Statistical Methods in Medical Research 21, 347-359, doi:10.1177/0962280210383082.
    """
    a, b = wilson(successes_a, n_a, level), wilson(successes_b, n_b, level)
    if b.value == 0:
        raise ValueError(f"A ratio needs somebody below its line; group b has 0 of {n_b}.")
    # The ends R solve (p_a − R p_b)² = (p_a − l_a)² + R² (u_b − p_b)², and the same with the other ends. The lower one is written
    # so that nothing is divided by a difference that may be 0.
    both = a.value * b.value
    low, high = a.low * (2 * a.value - a.low), a.high * (2 * a.value - a.high)
    above, below = b.high * (2 * b.value - b.high), b.low * (2 * b.value - b.low)
    least = low / (both + math.sqrt(max(both**2 - low * above, 0.0))) if both else 0.0
    most = (both + math.sqrt(max(both**2 - high * below, 0.0))) / below if below > 0 else math.inf
    ratio = a.value / b.value
    return Interval(ratio, max(0.0, min(ratio, least)), max(ratio, most), level)


def paired_difference(won: float, lost: float, n: float, level: float = 0.95) -> Interval:
    """Interval of the difference of two proportions that were counted on the same `n` items, after − before.

    Two models that answer the same pictures agree on most of them, so that their difference is known much better than
    `difference_of_proportions` would say. Agresti and Min's interval (half an item more in each cell) also holds where no
    item changed: after 0 of 20, much may still have changed elsewhere.

    Parameters
    ----------
    won, lost : float
        Items that count only after, and only before: whole numbers, of any type.
    n : float
        All items.
    level : float
        Confidence level, strictly between 0 and 1.

    Raises
    ------
    ValueError
        If `n` is not positive, a count is negative, or more items changed than there are.

    References
    ----------
    A. Agresti and Y. Min (2005), Statistics in Medicine 24, 729-740, doi:10.1002/sim.1781.
    """
    won, lost, n = _count(won), _count(lost), _count(n)
    if not (n > 0 and won >= 0 and lost >= 0 and won + lost <= n):
        raise ValueError(f"Of {n} items {won} cannot have been won and {lost} lost.")
    z = statistics.NormalDist().inv_cdf(0.5 + _checked(level) / 2)
    middle = (won - lost) / (n + 2)
    half = z * math.sqrt(won + lost + 1 - (won - lost) ** 2 / (n + 2)) / (n + 2)
    value = (won - lost) / n
    return Interval(value, max(-1.0, min(value, middle - half)), min(1.0, max(value, middle + half)), level)


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[Any], Any] = np.mean,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a statistic.

    Parameters
    ----------
    values : array, shape (n,) or (n, ...)
        The sample. Rows are drawn together, so paired measurements stay paired.
    statistic : callable
        Takes an array of the shape of `values`, gives one number.
    level, resamples, seed
        Confidence level; number of resamples; seed of the draws (the same seed gives the same interval).

    Raises
    ------
    ValueError
        If there are fewer than two values, a value is NaN or no number, or `level` is not within (0, 1).

    Notes
    -----
    With fewer than about 20 values the percentile interval is too narrow.

    References
    ----------
    B. Efron and R. Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    sample, rng = _sample(values), np.random.default_rng(seed)
    draws = [statistic(sample[rng.integers(len(sample), size=len(sample))]) for _ in range(resamples)]
    return _percentiles(statistic(sample), draws, level)


def bootstrap_difference(
    a: ArrayLike,
    b: ArrayLike,
    statistic: Callable[[Any], Any] = np.mean,
    paired: bool = False,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of statistic(a) − statistic(b).

    Parameters
    ----------
    a, b : array, shape (n_a, ...) and (n_b, ...)
        The two samples.
    paired : bool
        True if row i of `a` and row i of `b` belong together (the same person, image or seed): then they are
        drawn together, which is usually much narrower. False if the samples are independent.
    statistic, level, resamples, seed
        As in `bootstrap`.

    Raises
    ------
    ValueError
        As `bootstrap`, and if paired samples differ in length.
    """
    first, second, rng = _sample(a), _sample(b), np.random.default_rng(seed)
    if paired and len(first) != len(second):
        raise ValueError(f"Paired samples need the same length; got {len(first)} and {len(second)}.")
    draws = []
    for _ in range(resamples):
        rows = rng.integers(len(first), size=len(first))
        others = rows if paired else rng.integers(len(second), size=len(second))
        draws.append(float(statistic(first[rows])) - float(statistic(second[others])))
    # As floats: the difference of two unsigned integers is never below 0.
    return _percentiles(float(statistic(first)) - float(statistic(second)), draws, level)


def _sample(values: ArrayLike) -> Any:
    sample = np.asarray(values)
    if sample.ndim == 0 or len(sample) < 2:
        raise ValueError("A bootstrap needs at least two values.")
    if sample.dtype.kind not in "biufc":  # objects, such as a column of pandas that holds None
        try:
            sample = sample.astype(float)
        except (TypeError, ValueError):
            raise ValueError(f"A bootstrap needs numbers; these are of the type {sample.dtype}.") from None
    if sample.dtype.kind in "fc" and np.isnan(sample).any():
        raise ValueError("The sample contains NaN; decide what a missing value means and remove it first.")
    return sample


def _percentiles(value: Any, draws: list[Any], level: float) -> Interval:
    tail = (1 - _checked(level)) / 2
    low, high = np.quantile(np.asarray(draws, dtype=float), [tail, 1 - tail])
    return Interval(float(value), float(low), float(high), level)


def _count(value: Any) -> float:
    """Return a count as a number of Python's own, which does not overflow as the integers of NumPy and torch do."""
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"A confidence level lies between 0 and 1, such as 0.95; got {level}.")
    return level


def median(values: ArrayLike, level: float = 0.95) -> Interval:
    """Median with its order-statistic interval [k-th smallest, k-th largest], by the sign test.

    The level given back is the one reached, which is exact for independent values of any distribution: seven
    values reach 98.4 %, five 93.8 % and three 75 %, because no interval is wider than [smallest, largest].

    Raises
    ------
    ValueError
        If there are no values, or one is NaN, which has no place in an order.
    """
    ordered = sorted(np.asarray(values, dtype=float).ravel().tolist())
    if not ordered or any(math.isnan(value) for value in ordered):
        raise ValueError("A median needs at least one value, and none that is NaN.")
    n, k, outside = len(ordered), 1, 2 * 0.5 ** len(ordered)
    while k < (n + 1) // 2 and outside + 2 * math.comb(n, k) * 0.5**n <= 1 - _checked(level):
        outside += 2 * math.comb(n, k) * 0.5**n
        k += 1
    return Interval(statistics.median(ordered), ordered[k - 1], ordered[n - k], 1 - outside)
