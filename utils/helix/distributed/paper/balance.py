"""Where to cut: layers of unequal cost into contiguous stages, so that the slowest stage is as fast as can be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from helix.distributed.paper.costs import Model
from helix.distributed.whole import whole


def stage_costs(costs: Sequence[float], boundaries: Sequence[int]) -> list[float]:
    """Return the sum of each stage; boundaries are the first layers of all stages but the first."""
    ends = [0, *boundaries, len(costs)]
    return [math.fsum(costs[a:b]) for a, b in itertools.pairwise(ends)]


def balance(costs: Sequence[float], stages: int) -> tuple[int, ...]:
    """Cut layers into stages so that the largest sum is the least possible; exact, by dynamic programming.

    Parameters
    ----------
    costs : sequence of float
        What each layer costs, in order, 0 or more, in any unit.
    stages : int
        p; each stage gets at least one layer.

    Returns
    -------
    tuple of p − 1 int
        The first layer of every stage but the first. Of several best cuts the one whose later stages start earliest.

    Raises
    ------
    ValueError
        If there are fewer layers than stages, or a cost is negative or not finite.

    Notes
    -----
    best[k][n] = min over j of max(best[k − 1][j], sum of costs[j:n]): the least largest sum of the first n layers in k stages.
    Of order p·l² steps. B. Kernighan (1971), "Optimal sequential partitions of graphs", J. ACM 18, 34-40, doi:10.1145/321623.321627.
    """
    whole(stages=stages)
    if len(costs) < stages:
        raise ValueError(f"{len(costs)} layers cannot fill {stages} stages: each needs at least one layer.")
    if not all(0 <= cost < math.inf for cost in costs):
        raise ValueError("Costs must be 0 or more and finite.")
    layers = len(costs)
    best: list[list[float]] = [[math.fsum(costs[:n]) if n else math.inf for n in range(layers + 1)]]
    chosen: list[list[int]] = [[0] * (layers + 1)]
    for stage in range(1, stages):
        row, places = [math.inf] * (layers + 1), [0] * (layers + 1)
        for n in range(stage + 1, layers + 1):
            row[n], places[n] = min((max(best[-1][j], math.fsum(costs[j:n])), j) for j in range(stage, n))
        best.append(row)
        chosen.append(places)
    cuts, n = [], layers
    for stage in range(stages - 1, 0, -1):
        n = chosen[stage][n]
        cuts.append(n)
    return tuple(reversed(cuts))


def layer_costs(model: Model, batch: int = 1) -> list[float]:
    """Return operations of each layer in one step, forward and backward; the last holds the output layer too.

    Looking up an embedding is no matrix product, so the first layer costs what the others do; the output layer, 6BshV, is what
    makes the last stage slow.
    """
    tokens, h, s = batch * model.sequence, model.hidden, model.sequence
    each = 72.0 * tokens * h**2 + 12.0 * tokens * s * h
    return [each] * (model.layers - 1) + [each + 6.0 * tokens * h * model.vocabulary]
