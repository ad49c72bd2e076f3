"""The α–β model of a message's time: α to start it, β for each byte. Fitted to measured times, put to use on paper.

A message of x bytes takes α + βx seconds. A ring all-reduce of x bytes among N processes sends 2(N − 1) messages of x/N bytes in a row
(P. Patarasuk and X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", J. Parallel Distrib. Comput. 69 (2009)
117-124, doi:10.1016/j.jpdc.2008.09.002): 2(N − 1)α + 2(N − 1)/N·xβ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helix.measure import Interval


@dataclass(frozen=True)
class AlphaBeta:
    """A fitted model of message times.

    Parameters
    ----------
    alpha : float
        Seconds to start a message, 0 or more.
    beta : float
        Seconds a byte; 1/beta is the bandwidth.
    covariance : array of shape (2, 2)
        Of alpha and beta.
    t : float
        Student's quantile of the intervals, for the pairs' degrees of freedom.
    level : float
        Confidence level of the intervals.
    largest : float
        Bytes of the largest message that was measured; beyond it the model is extrapolated.
    """

    alpha: float
    beta: float
    covariance: NDArray[np.float64]
    t: float
    level: float
    largest: float

    def message(self, size: float) -> Interval:
        """Seconds of one message of `size` bytes, with the interval of its mean (not of a single message)."""
        return self._mix(1.0, _size(size))

    def ring_all_reduce(self, size: float, processes: int) -> Interval:
        """Seconds of a ring all-reduce of `size` bytes on each of `processes`, extrapolated: 2(N − 1)α + 2(N − 1)/N·size·β.

        The interval holds for the fit alone. It does not know that 1,000 processes share links and wait for the slowest.

        Raises
        ------
        ValueError
            If the number of processes is no whole number of at least 1, or the size is negative.
        """
        if isinstance(processes, bool) or not isinstance(processes, int) or processes < 1:
            raise ValueError(f"An all-reduce needs a whole number of processes, 1 or more; got {processes!r}.")
        steps = 2 * (processes - 1)
        return self._mix(float(steps), steps / processes * _size(size))

    @property
    def latency(self) -> Interval:
        """α in seconds, with its interval."""
        return self._mix(1.0, 0.0)

    @property
    def seconds_per_byte(self) -> Interval:
        """β in seconds a byte, with its interval."""
        return self._mix(0.0, 1.0)

    def _mix(self, a: float, b: float) -> Interval:
        value = a * self.alpha + b * self.beta
        weights = np.array([a, b])
        half = self.t * float(np.sqrt(max(0.0, weights @ self.covariance @ weights)))
        return Interval(value, max(0.0, value - half), value + half, self.level)


def fit(pairs: Iterable[tuple[float, float]], *, relative: bool = True, level: float = 0.95) -> AlphaBeta:
    """Fit α and β by least squares to messages of known size.

    Parameters
    ----------
    pairs : iterable of (bytes, seconds)
        At least 3, of at least 2 sizes.
    relative : bool
        Weigh each residual by 1/seconds, as fits times that scatter by a share of themselves: without it one large message
        outweighs a thousand small ones, and α drowns in its noise.
    level : float
        Confidence level of the intervals, Student's t with n − 2 degrees of freedom.

    Returns
    -------
    AlphaBeta
        Where the best α is negative, which no message has, it is 0 and β fitted alone.

    Raises
    ------
    ValueError
        If there are too few pairs or sizes, a number is not finite, a size is negative, a time not positive, or times do
        not grow with size.
    """
    if not 0 < level < 1:
        raise ValueError(f"A confidence level lies within (0, 1); got {level}.")
    try:
        data = np.array([(float(x), float(y)) for x, y in pairs], dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        raise ValueError("Each pair is (bytes, seconds), two numbers.") from None
    x, y = data.T
    if not np.isfinite(data).all() or (x < 0).any() or (y <= 0).any():
        raise ValueError("Sizes must be 0 or more, times more than 0, and all of them finite.")
    if len(x) < 3 or len(np.unique(x)) < 2:
        raise ValueError(
            f"A line needs at least 3 pairs of at least 2 sizes; got {len(x)} of {len(np.unique(x))}. Measure a few sizes "
            "from some bytes to some megabytes."
        )
    weight, unit = (1 / y if relative else np.ones_like(y)), float(x.max())
    columns = np.stack([np.ones_like(x), x / unit], axis=1)
    found, covariance = _solve(columns, y, weight, [0, 1])
    if found[0] < 0:
        found, covariance = _solve(columns, y, weight, [1])
    if found[1] <= 0:
        raise ValueError("By these pairs a larger message takes no longer. Measure larger ones, and more of each size.")
    scale = np.array([1.0, 1 / unit])
    from scipy import stats

    quantile = float(stats.t.ppf(0.5 + level / 2, len(x) - 2))
    alpha, beta = (found * scale).tolist()
    return AlphaBeta(alpha, beta, covariance * np.outer(scale, scale), quantile, level, unit)


def _solve(
    columns: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], used: list[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted least squares with the columns in `used`; the other coefficient and its variances stay 0."""
    weighted = columns[:, used] * weight[:, None]
    inverse = np.linalg.inv(weighted.T @ weighted)
    part = inverse @ weighted.T @ (y * weight)
    left = y * weight - weighted @ part
    found, covariance = np.zeros(2), np.zeros((2, 2))
    found[used] = part
    covariance[np.ix_(used, used)] = inverse * float(left @ left) / (len(y) - 2)
    return found, covariance


def _size(size: float) -> float:
    if not 0 <= size < np.inf:
        raise ValueError(f"A message has 0 or more bytes; got {size!r}.")
    return float(size)
