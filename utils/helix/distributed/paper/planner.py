"""Plan a training run on a cluster: every layout that fits, with memory, bubble, traffic and an estimated time.

The estimate is a model, not a measurement. It knows matrix products at a share of the peak, reading and writing of
activations, the pipeline's fill and drain, and messages at the links' bandwidth, none of it overlapped. It does not know that
small products run slower than large ones, so nothing in it favours large micro-batches but fewer messages; nor context parallelism,
experts, or pipelines without a bubble (zero bubble, DualPipe).
`tests/unit/test_planner.py` says how far it is from published runs.
"""

from __future__ import annotations

import itertools
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
    mfu : float
        Model FLOPs utilisation, where it does not count: see `costs.utilisation`.
    """

    layout: Layout
    microbatches: int
    memory: dict[str, float]
    traffic: dict[str, float]
    seconds: dict[str, float]
    bubble: float
    achieved: float
    mfu: float

    @property
    def time(self) -> float:
        """Seconds of an iteration."""
        return sum(self.seconds.values())

    def __str__(self) -> str:
        at, gb = self.layout, sum(self.memory.values()) / GB
        return (
            f"t={at.tensor} p={at.pipeline} d={at.data} b={at.microbatch} v={at.chunks} ZeRO {at.zero}"
            f"{' sequence-parallel' if at.sequence else ''}{' re-materialised' if at.rematerialised else ''}: {self.time:.3g} s, {gb:.1f} GB, "
            f"bubble {self.bubble:.1%}, MFU {self.mfu:.1%}"
        )


@dataclass(frozen=True)
class Plans:
    """What was found: plans that fit, fastest first; layouts that need too much memory; and those that do not divide what they should.

    The latter two each with the reason.
    """

    fitting: tuple[Plan, ...]
    too_large: tuple[tuple[Layout, str], ...]
    indivisible: tuple[tuple[Layout, str], ...]


class NothingFits(ValueError):
    """No layout fits; the message names what would be needed."""


def estimate(model: Model, cluster: Cluster, layout: Layout, batch: int) -> Plan:
    """Estimate one layout, whether it fits or not.

    A stage's time is matrix products at `efficiency` of the peak, activations of its layers written and read once in each pass
    (3, or 4 with re-materialisation) and its messages; gradients travel by a ring or by trees, whichever is faster. Stages of times τ₁…τ_p take m·max τ + (Σ τ − max τ)/v: for equal ones
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
    passes, layers = 4 if layout.rematerialised else 3, model.layers / p
    kept = costs.layer_activations(model, layout.microbatch, t, sequence=layout.sequence, fused=layout.fused)
    touched = 2 * passes * layers * kept / cluster.bandwidth
    sent = costs.traffic(model, layout, batch)
    rings = layers * costs.reductions(layout) * 2 * (t - 1) * cluster.latency
    tensor = sent["tensor"] / m / cluster.intra + rings
    far = layout.gpus > cluster.per_node
    link, start = (cluster.inter, cluster.network_latency) if far else (cluster.intra, cluster.latency)
    pipe = sent["pipeline"] / m / link + (2 * v * start if p > 1 else 0.0)
    compute = products + touched
    stage = compute + tensor + pipe
    reduced = cluster.all_reduce(costs.HALF * costs.parameters_per_gpu(model, layout), layout)
    seconds = {
        "compute": m * (compute + logits),
        "tensor messages": m * tensor,
        "pipeline messages": m * pipe,
        "bubble": (p - 1) * stage / v,
        "data messages": costs.data_rounds(layout, m) / 2 * min(reduced.values()),
    }
    time = sum(seconds.values())
    return Plan(
        layout,
        m,
        costs.memory(model, layout, m),
        sent,
        seconds,
        costs.bubble(p, m, v),
        sum(ops.values()) / (layout.gpus * time),
        costs.utilisation(costs.useful(model, batch), layout.gpus, cluster.peak, time),
    )


def plan(
    model: Model,
    cluster: Cluster,
    batch: int,
    *,
    microbatches: Sequence[int] = (1, 2, 4, 8, 16),
    chunks: Sequence[int] = (1, 2, 3, 4),
    zero: int | Sequence[int] = (0, 1, 2, 3),
    sequence: Sequence[bool] = (False, True),
    fused: bool = True,
) -> Plans:
    """Try every layout that uses all GPUs, and sort what fits by estimated time.

    t within a node, p by dividing the layers, d = GPUs/(t·p), micro-batches of the sizes given, with and without
    re-materialisation. What makes no difference is tried once: chunks without a pipeline, sequence parallelism for t = 1, ZeRO for d = 1.

    Parameters
    ----------
    batch : int
        Sequences in an iteration, over all replicas.
    microbatches, chunks : sequence of int
        Sizes of a micro-batch b and chunks v to try.
    zero : int or sequence of int
        ZeRO stages to try.
    sequence : sequence of bool
        Without and with sequence parallelism.
    fused : bool
        Whether attention keeps no scores, in all layouts.

    Raises
    ------
    NothingFits
        If no layout fits into memory, or none divides model, batch and cluster; names what would be needed.
    """
    whole(batch=batch)
    stages = (zero,) if isinstance(zero, int) else zero
    fitting: list[Plan] = []
    short: list[Plan] = []
    indivisible: list[tuple[Layout, str]] = []
    for layout in _layouts(cluster, microbatches, chunks, stages, sequence, fused):
        if reason := _misfit(model, cluster, layout, batch):
            indivisible.append((layout, reason))
            continue
        found = estimate(model, cluster, layout, batch)
        (fitting if _need(found) <= cluster.usable else short).append(found)
    if fitting:
        too_large = tuple((one.layout, _excess(one, cluster)) for one in short)
        return Plans(tuple(sorted(fitting, key=lambda one: one.time)), too_large, tuple(indivisible))
    if not short:
        why = indivisible[-1][1] if indivisible else "there is none to try"
        raise NothingFits(f"No layout divides layers, heads, batch {batch} and {cluster.gpus} GPUs; the last: {why}")
    leanest = min(short, key=_need)
    least = math.ceil(costs.BYTES_PER_PARAMETER * model.parameters / cluster.usable)
    raise NothingFits(
        f"{model.parameters / 1e9:.1f} billion parameters do not fit on {cluster.gpus} GPUs of {cluster.memory / GB:.0f} GB. "
        f"The leanest layout ({leanest}) {_excess(leanest, cluster)}, so GPUs of {_need(leanest) / (1 - cluster.reserve) / GB:.0f} GB. "
        f"The training states alone fill {least} GPUs of this size."
    )


def _need(found: Plan) -> float:
    return sum(found.memory.values())


def _excess(found: Plan, cluster: Cluster) -> str:
    """Say what a plan needs, and for what: the five states together, what is kept for backward, and what comes and goes."""
    kept = sum(found.memory[name] for name in costs.STATES), found.memory["activations"]
    named = dict(zip(("states", "activations"), kept, strict=True)) | {"one layer and logits": _need(found) - sum(kept)}
    parts = ", ".join(
        f"{size / GB:.1f} for {name}" for name, size in sorted(named.items(), key=lambda one: -one[1]) if size
    )
    return f"needs {_need(found) / GB:.1f} GB of {cluster.usable / GB:.1f} usable: {parts}"


def _layouts(
    cluster: Cluster,
    microbatches: Sequence[int],
    chunks: Sequence[int],
    stages: Sequence[int],
    sequence: Sequence[bool],
    fused: bool,
) -> Iterator[Layout]:
    for t in _divisors(min(cluster.gpus, cluster.per_node)):
        for p in _divisors(cluster.gpus // t) if cluster.gpus % t == 0 else ():
            d = cluster.gpus // (t * p)
            choices = itertools.product(
                microbatches,
                (False, True),
                stages if d > 1 else (0,),
                chunks if p > 1 else (1,),
                sequence if t > 1 else (False,),
            )
            for b, again, zero, v, shared in choices:
                yield Layout(t, p, d, b, again, zero, v, shared, fused)


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
