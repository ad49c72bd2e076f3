"""Training runs that were published, with the place each number was read: what the planner's formulas are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from helix.distributed.paper import planner
from helix.distributed.paper.clusters import selene
from helix.distributed.paper.costs import Layout, Model

MEGATRON = "arXiv:2104.04473, Table 1; micro-batch, chunks and re-materialisation: NVIDIA/Megatron-LM, examples/sc21/run_table_1.sh"
LLAMA3 = "arXiv:2407.21783, Tables 3 and 4"


@dataclass(frozen=True)
class Run:
    """A published benchmark run.

    Parameters
    ----------
    parameters : float
        As published, in units of 1e9.
    batch : int
        Sequences in an iteration.
    achieved : float
        Published throughput of a GPU in 1e12 operations a second, by equation 3 of the paper, re-materialisation included.
    """

    parameters: float
    model: Model
    layout: Layout
    batch: int
    achieved: float


def _run(
    parameters: float, a: int, h: int, layers: int, t: int, p: int, n: int, batch: int, achieved: float, b: int, v: int
) -> Run:
    layout = Layout(
        t, p, n // (t * p), b, True, 0, v, fused=False
    )  # attention kept its scores, and no token was shared
    return Run(parameters, Model(layers, h, a), layout, batch, achieved)


# Table 1 of arXiv:2104.04473: 80-GB A100s, 8 to a node; vocabulary 51,200, sequences of 2,048 tokens. v from "num-layers-per-
# virtual-pipeline-stage" in the script; where it has none (39 B and 1 T), v = 1. Section 5.1 says that the schedule was interleaved,
# which for 1 T the script is not. The planner gives 157e12 operations a second with v = 1 and 164e12 with 2; published are 163e12.
TABLE_1 = (
    _run(1.7, 24, 2304, 24, 1, 1, 32, 512, 137, 16, 1),
    _run(3.6, 32, 3072, 30, 2, 1, 64, 512, 138, 16, 1),
    _run(7.5, 32, 4096, 36, 4, 1, 128, 512, 142, 16, 1),
    _run(18.4, 48, 6144, 40, 8, 1, 256, 1024, 135, 8, 1),
    _run(39.1, 64, 8192, 48, 8, 2, 512, 1536, 138, 4, 1),
    _run(76.1, 80, 10240, 60, 8, 4, 1024, 1792, 140, 2, 3),
    _run(145.6, 96, 12288, 80, 8, 8, 1536, 2304, 148, 2, 2),
    _run(310.1, 128, 16384, 96, 8, 16, 1920, 2160, 155, 1, 2),
    _run(529.6, 128, 20480, 105, 8, 35, 2520, 2520, 163, 1, 3),
    _run(1008.0, 160, 25600, 128, 8, 64, 3072, 3072, 163, 1, 1),
)
GPT3 = Model(96, 12288, 96)  # arXiv:2104.04473, section 5.3.2; 174.6e9 parameters in its Table 2
# (model, tokens, batch, GPUs, achieved 1e12 operations a second and GPU, published days): section 5.1 of arXiv:2104.04473
# (34 and 84 days) and its Table 2, rows with model parallelism, 300e9 tokens.
DAYS = (
    (GPT3, 300e9, 1536, 1024, 140, 34),
    (TABLE_1[9].model, 450e9, 3072, 3072, 163, 84),
    (GPT3, 300e9, 1536, 384, 153, 84),
    (GPT3, 300e9, 1536, 768, 149, 43),
    (GPT3, 300e9, 1536, 1536, 141, 23),
    (TABLE_1[8].model, 300e9, 2240, 560, 171, 156),
    (TABLE_1[8].model, 300e9, 2240, 1120, 167, 80),
    (TABLE_1[8].model, 300e9, 2240, 2240, 159, 42),
)
CHECKPOINT_1T = 13.8e12  # bytes of a checkpoint of the 1,008e9 parameters, arXiv:2104.04473, section 5.10
# (billions of parameters, replicas, ZeRO stage, published GB): arXiv:1910.02054, Table 1.
ZERO = (
    (7.5, 1, 1, 120), (7.5, 4, 1, 52.5), (7.5, 64, 1, 31.4), (7.5, 4, 2, 41.3), (7.5, 64, 2, 16.6), (7.5, 64, 3, 1.88),
    (128, 64, 1, 536), (128, 64, 2, 284), (128, 64, 3, 32), (1000, 1024, 1, 4011), (1000, 1024, 2, 2013), (1000, 1024, 3, 15.6),
)  # fmt: skip


def llama_parameters(layers: int, hidden: int, inner: int, heads: int, kv_heads: int, vocabulary: int) -> int:
    """Count the parameters of a Llama: gated feed-forward of `inner`, grouped keys and values, no biases, untied output layer.

    Per layer 2h² for queries and output, 2h·(h/a)·kv for keys and values, 3h·inner and two norms of h; then 2Vh + h.
    """
    attention = 2 * hidden**2 + 2 * hidden * (hidden // heads) * kv_heads
    return layers * (attention + 3 * hidden * inner + 2 * hidden) + 2 * vocabulary * hidden + hidden


# arXiv:2407.21783, Table 3: layers, hidden, inner, heads, key-value heads, vocabulary; published size in 1e9 parameters.
LLAMAS = (
    ((32, 4096, 14336, 32, 8, 128_000), 8),
    ((80, 8192, 28672, 64, 8, 128_000), 70),
    ((126, 16384, 53248, 128, 8, 128_000), 405),
)
LLAMA_405B_OPERATIONS, LLAMA_405B_TOKENS = 3.8e25, 15.6e12  # sections 3.2 and 2 of arXiv:2407.21783
# Table 4, 8,192-token stages without context parallelism: GPUs, t, p, d, sequences a replica, achieved 1e12 operations, share.
LLAMA_TABLE_4 = ((8192, 8, 16, 64, 32, 430, 0.43), (16384, 8, 16, 128, 16, 400, 0.41))


def compare(run: Run) -> dict[str, Any]:
    """Hold the formulas and the planner against one row of Table 1.

    The planner chooses among t, p, d, micro-batches of 1 to 16 and 1 to 3 chunks, all with re-materialisation and
    neither ZeRO, sequence parallelism nor fused attention, as the published runs; a (t, p, d) counts with the best of its micro-batches and chunks.

    Returns
    -------
    dict
        Parameters in 1e9 and throughput in 1e12 operations a second and GPU, each computed and published; GB of a GPU; "rank" of the
        published (t, p, d) among "of" that fit, 1 the fastest, and "slower", its estimated time over the fastest's.
    """
    cluster = selene(run.layout.gpus)
    found = planner.estimate(run.model, cluster, run.layout, run.batch)
    best: dict[tuple[int, int, int], float] = {}
    tried = planner.plan(run.model, cluster, run.batch, chunks=(1, 2, 3), zero=0, sequence=(False,), fused=False)
    for one in tried.fitting:
        at = one.layout
        if at.rematerialised:
            best.setdefault((at.tensor, at.pipeline, at.data), one.time)
    published = (run.layout.tensor, run.layout.pipeline, run.layout.data)
    return {
        "parameters": run.model.parameters / 1e9,
        "published parameters": run.parameters,
        "throughput": found.achieved / 1e12,
        "published throughput": run.achieved,
        "GB": sum(found.memory.values()) / 1e9,
        "layout": published,
        "planned": next(iter(best)),
        "rank": list(best).index(published) + 1,
        "of": len(best),
        "slower": best[published] / next(iter(best.values())),
    }
