"""Plan a training run on a cluster: every layout that fits, with memory, bubble, traffic and an estimated time.

The estimate is a model, not a measurement. It knows matrix products at a share of the peak, reading and writing of
activations, the pipeline's fill and drain, and messages at the links' bandwidth, none of it overlapped. It does not know that
small products run slower than large ones, so nothing in it favours large micro-batches but fewer messages.
`tests/unit/test_planner.py` says how far it is from published runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from helix.distributed.paper import costs
from helix.distributed.paper.clusters import GB, Cluster
from helix.distributed.paper.costs import Layout, Model
from helix.distributed.whole import whole


@dataclass(frozen=True)
class Plan:
    """A layout with what it costs.

    Parameters
    ----------
    microbatches : int
        Micro-batches of a pipeline in an iteration, m.
    memory, traffic : dict
        Bytes of the fullest GPU and bytes a GPU sends, as `costs.memory` and `costs.traffic` give them.
    seconds : dict
        Of one iteration, by part.
    bubble : float
        Share of a pipeline's time spent waiting, for equal stages.
    achieved : float
        Operations a second and GPU, re-materialisation counted, as arXiv:2104.04473 does.
    """

    layout: Layout
    microbatches: int
    memory: dict[str, float]
    traffic: dict[str, float]
    seconds: dict[str, float]
    bubble: float
    achieved: float

    @property
    def time(self) -> float:
        """Seconds of an iteration."""
        return sum(self.seconds.values())

    def __str__(self) -> str:
        at, gb = self.layout, sum(self.memory.values()) / GB
        return (
            f"t={at.tensor} p={at.pipeline} d={at.data} b={at.microbatch} v={at.chunks} ZeRO {at.zero}"
            f"{' re-materialised' if at.rematerialised else ''}: {self.time:.3g} s, {gb:.1f} GB, bubble {self.bubble:.1%}, "
            f"{self.achieved / 1e12:.0f} TFLOP/s a GPU"
        )


@dataclass(frozen=True)
class Plans:
    """What was found: plans that fit, fastest first, and each layout that was dropped with the reason."""

    fitting: tuple[Plan, ...]
    dropped: tuple[tuple[Layout, str], ...]


class NothingFits(ValueError):
    """No layout fits; the message names what would be needed."""


def estimate(model: Model, cluster: Cluster, layout: Layout, batch: int) -> Plan:
    """Estimate one layout, whether it fits or not.

    A stage's time is matrix products at `efficiency` of the peak, activations of its layers written and read once in each pass
    (3, or 4 with re-materialisation) and its messages. Stages of times τ₁…τ_p take m·max τ + (Σ τ − max τ)/v: for equal ones
    (m + (p − 1)/v)τ. The last stage also computes the logits.

    Raises
    ------
    ValueError
        If the layout does not divide the model, the batch, the nodes or the cluster.
    """
    reason = _misfit(model, cluster, layout, batch)
    if reason:
        raise ValueError(reason)
    m, t, p, v = layout.microbatches(batch), layout.tensor, layout.pipeline, layout.chunks
    ops = costs.operations(model, batch, layout.rematerialised)
    speed = cluster.efficiency * cluster.peak
    logits = ops["logits"] / (m * layout.data * t) / speed
    products = (sum(ops.values()) - ops["logits"]) / (m * layout.gpus) / speed
    passes, reductions = (4, 6) if layout.rematerialised else (3, 4)
    layers = model.layers / p
    touched = 2 * passes * layers * costs.layer_activations(model, layout.microbatch, t) / cluster.bandwidth
    sent = costs.traffic(model, layout, batch)
    rings = layers * reductions * 2 * (t - 1) * cluster.latency
    tensor = sent["tensor"] / m / cluster.intra + rings
    stage_link = cluster.inter if layout.gpus > cluster.per_node else cluster.intra
    pipe = sent["pipeline"] / m / stage_link + (2 * v * cluster.latency if p > 1 else 0.0)
    compute = products + touched
    stage = compute + tensor + pipe
    start = 2 * (layout.data - 1) * cluster.latency
    seconds = {
        "compute": m * (compute + logits),
        "tensor messages": m * tensor,
        "pipeline messages": m * pipe,
        "bubble": (p - 1) * stage / v,
        "data messages": sent["data"] / cluster.ring(layout) + start,
    }
    return Plan(
        layout,
        m,
        costs.memory(model, layout, m),
        sent,
        seconds,
        costs.bubble(p, m, v),
        sum(ops.values()) / (layout.gpus * sum(seconds.values())),
    )


def plan(
    model: Model,
    cluster: Cluster,
    batch: int,
    *,
    microbatches: Sequence[int] = (1, 2, 4, 8, 16),
    chunks: Sequence[int] = (1,),
    zero: int = 0,
) -> Plans:
    """Try every layout that uses all GPUs, and sort what fits by estimated time.

    t within a node, p by dividing the layers, d = GPUs/(t·p), micro-batches of the sizes given, with and without
    re-materialisation.

    Parameters
    ----------
    batch : int
        Sequences in an iteration, over all replicas.
    microbatches, chunks : sequence of int
        Sizes of a micro-batch b and chunks v to try.
    zero : int
        ZeRO stage of all layouts.

    Raises
    ------
    NothingFits
        If no layout fits into memory, or none divides model, batch and cluster; names what would be needed.
    """
    whole(batch=batch)
    fitting, dropped, short = [], [], []
    for layout in _layouts(cluster, microbatches, chunks, zero):
        reason = _misfit(model, cluster, layout, batch)
        if reason:
            dropped.append((layout, reason))
            continue
        found = estimate(model, cluster, layout, batch)
        need = sum(found.memory.values())
        if need <= cluster.usable:
            fitting.append(found)
            continue
        largest = max(found.memory, key=found.memory.__getitem__)
        dropped.append((layout, f"needs {need / GB:.1f} GB of {cluster.usable / GB:.1f} usable, most for {largest}"))
        short.append((need, found))
    if fitting:
        return Plans(tuple(sorted(fitting, key=lambda one: one.time)), tuple(dropped))
    if not short:
        why = dropped[-1][1] if dropped else "there is none to try"
        raise NothingFits(f"No layout divides layers, heads, batch {batch} and {cluster.gpus} GPUs; the last: {why}")
    need, leanest = min(short, key=lambda one: one[0])
    least = math.ceil(costs.BYTES_PER_PARAMETER * model.parameters / cluster.usable)
    raise NothingFits(
        f"{model.parameters / 1e9:.1f} billion parameters do not fit on {cluster.gpus} GPUs of {cluster.memory / GB:.0f} GB "
        f"({cluster.usable / GB:.0f} usable). The leanest layout ({leanest}) needs GPUs of {need / (1 - cluster.reserve) / GB:.0f} GB. "
        f"The training states alone fill {least} GPUs of this size"
        + (", and a higher ZeRO stage would split them further." if zero < 3 else ".")
    )


def _layouts(cluster: Cluster, microbatches: Sequence[int], chunks: Sequence[int], zero: int) -> Iterator[Layout]:
    for t in _divisors(min(cluster.gpus, cluster.per_node)):
        for p in _divisors(cluster.gpus // t) if cluster.gpus % t == 0 else ():
            for b in microbatches:
                for v in sorted({v if p > 1 else 1 for v in chunks}):
                    for again in (False, True):
                        yield Layout(t, p, cluster.gpus // (t * p), b, again, zero, v)


def _misfit(model: Model, cluster: Cluster, at: Layout, batch: int) -> str:
    if at.gpus != cluster.gpus:
        return f"t·p·d = {at.gpus} GPUs, the cluster has {cluster.gpus}"
    if at.tensor > cluster.per_node or cluster.per_node % at.tensor:
        return f"t = {at.tensor} does not divide a node of {cluster.per_node}"
    if model.heads % at.tensor or model.hidden % at.tensor:
        return f"t = {at.tensor} does not divide {model.heads} heads and hidden size {model.hidden}"
    if model.layers % (at.pipeline * at.chunks):
        return f"p·v = {at.pipeline}·{at.chunks} does not divide {model.layers} layers"
    if batch % (at.data * at.microbatch):
        return f"d·b = {at.data}·{at.microbatch} does not divide the batch of {batch}"
    if at.chunks > 1 and batch // (at.data * at.microbatch) % at.pipeline:
        return f"chunks need micro-batches in multiples of p = {at.pipeline} (arXiv:2104.04473, section 2.2.2)"
    return ""


def _divisors(n: int) -> list[int]:
    return [k for k in range(1, n + 1) if n % k == 0]
