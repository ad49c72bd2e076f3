"""Chapter 11: layers split over ranks, held against whole ones: outputs, gradients, bytes, memory; and the planner against published runs.

2 and 4 local processes (gloo, one thread each), random weights and inputs. Everything but the planner's formulas is counted or computed by what ran; no
time is measured here: with four ranks on two cores it would say nothing. What counts as "holds" stands in `_claim` and was written before measuring.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.functional import gelu, linear

from helix.distributed import counted, launch
from helix.distributed.measured import memory_per_rank
from helix.distributed.measured.saved import SavedBytes
from helix.distributed.paper import published
from helix.distributed.parallel.parallel_block import Block, ParallelBlock, ParallelMLP, attended
from helix.distributed.parallel.tensor_parallel import ColumnParallelLinear, f, g, gathered, share_of
from helix.record.experiment import Experiment

experiment = Experiment(__file__)

HIDDEN, HEADS, BATCH, POSITIONS = 64, 8, 4, 32
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}  # of the largest entry


def dense_block(seed: int, dtype: torch.dtype = torch.float32, hidden: int = HIDDEN) -> Block:
    """Return a layer in which no bias is 0 and no norm is 1."""
    torch.manual_seed(seed)
    dense = Block(hidden, HEADS).to(dtype)
    with torch.no_grad():
        for parameter in dense.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return dense


def on_rank_equal(seed: int, dtype: torch.dtype) -> dict[str, float]:
    """Compare output, input's gradient and all gradients with the whole layer's."""
    dense = dense_block(seed, dtype)
    x = torch.randn(BATCH, POSITIONS, HIDDEN, dtype=dtype)
    whole, part = x.clone().requires_grad_(), x.clone().requires_grad_()
    split = ParallelBlock(dense)
    wanted, out = dense(whole), split(part)
    wanted.square().mean().backward()
    out.square().mean().backward()
    assert part.grad is not None
    assert whole.grad is not None
    gradients = [("x", part.grad, whole.grad), *split.parts_of(dense, gradients=True)]
    return {
        "output": _apart(out.detach(), wanted.detach()),
        "gradients": max(_apart(mine, other) for _, mine, other in gradients),
    }


def _apart(mine: Tensor, other: Tensor) -> float:
    return float((mine - other).abs().max() / other.abs().max())


@experiment.runs(ranks=(2, 4), dtype=("float32", "float64"), seed=range(5), rtol=10.0)
def equal(ranks: int, dtype: str, seed: int) -> dict[str, float]:
    """Return the largest differences over the ranks."""
    found = launch(on_rank_equal, seed, getattr(torch, dtype), ranks=ranks, note=False)
    return {name: max(one[name] for one in found) for name in found[0]}


class _Scattered(torch.autograd.Function):
    """Gather columns; in the backward pass sum the ranks' gradients by a reduce-scatter, so that no f is needed behind it."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        parts = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, mine.contiguous())
        return torch.cat(parts, dim=-1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        parts = [part.contiguous() for part in gradient.chunk(dist.get_world_size(), dim=-1)]
        own = torch.empty_like(parts[0])
        dist.reduce_scatter(own, parts)
        return own


def on_rank_bytes(batch: int, positions: int, hidden: int) -> dict[str, Any]:
    """Count what a layer exchanges, what two column-parallel layers would that gather their outputs, and what PyTorch's own do.

    Two ways to gather: "gathering" leaves the sum of the gradients to the next layer's f, "scattering" does it by a reduce-scatter.
    """
    dense = dense_block(0, hidden=hidden)
    x = torch.randn(batch, positions, hidden)
    split = ParallelBlock(dense)
    first, second = ColumnParallelLinear(dense.up, gather=True), ColumnParallelLinear(dense.down, gather=True)
    ours = ParallelMLP(dense.up, dense.down)
    theirs = nn.Sequential(dense.up, nn.GELU(), dense.down)
    parallelize_module(
        theirs, init_device_mesh("cpu", (dist.get_world_size(),)), {"0": ColwiseParallel(), "2": RowwiseParallel()}
    )
    found: dict[str, Any] = {}

    def scattering(each: Tensor) -> Tensor:
        middle: Tensor = _Scattered.apply(linear(f(each), first.weight, first.bias))
        return gathered(linear(gelu(middle), second.weight, second.bias))

    models = {
        "block": split,
        "mlp": ours,
        "gathering": lambda each: second(gelu(first(each))),
        "scattering": scattering,
        "PyTorch": theirs,
    }
    outputs, gradients = {}, {}
    for name, model in models.items():
        one = x.clone().requires_grad_()
        with counted() as forward:
            out = model(one)
        with counted() as backward:
            out.square().mean().backward()
        assert one.grad is not None
        outputs[name], gradients[name] = out.detach(), one.grad
        for way, calls in (("forward", forward), ("backward", backward)):
            found[f"{name} {way}"] = [
                sum(call.bytes for call in calls),
                sum(call.ring_bytes for call in calls),
                len(calls),
            ]
    found["apart"] = max(
        _apart(values[name], values["mlp"])
        for name in ("gathering", "scattering", "PyTorch")
        for values in (outputs, gradients)
    )
    return found


@experiment.runs(ranks=(2, 4), batch=(1, 4), positions=(8, 32), hidden=(32, 64))
def sent(ranks: int, batch: int, positions: int, hidden: int) -> dict[str, Any]:
    """Return bytes handed over, bytes that a ring would make of them, and calls, of one rank; all ranks are the same in these."""
    found = launch(on_rank_bytes, batch, positions, hidden, ranks=ranks, note=False)
    assert all({**one, "apart": 0} == {**found[0], "apart": 0} for one in found)
    return {**found[0], "apart": max(one["apart"] for one in found), "bsh": batch * positions * hidden * 4}


def on_rank_held(hidden: int) -> dict[str, int]:
    """Count parameters, gradients and Adam's states on this rank, and what autograd saves."""
    split = ParallelBlock(dense_block(0, hidden=hidden))
    optimiser = torch.optim.Adam(split.parameters())
    with SavedBytes(split.parameters()) as saved:
        out = split(torch.randn(BATCH, POSITIONS, hidden, requires_grad=True))
        kept = saved.now
        out.square().mean().backward()
    optimiser.step()
    shared = sum(
        4 * each.numel()
        for name, each in split.named_parameters()
        if "norm" in name or name.endswith(("out.bias", "down.bias"))
    )
    return {**memory_per_rank.held(split, optimiser), "saved": kept, "shared": shared}


@experiment.runs(ranks=(1, 2, 4), hidden=(64, 256))
def held(ranks: int, hidden: int) -> dict[str, int]:
    """Return the bytes of one rank; all are the same."""
    found = launch(on_rank_held, hidden, ranks=ranks, note=False)
    assert all(one == found[0] for one in found)
    return found[0]


def on_rank_mistakes(seed: int) -> dict[str, float]:
    """Make four classic mistakes and return how far the output is off, relative to its largest entry."""
    dense = dense_block(seed)
    x = torch.randn(BATCH, POSITIONS, HIDDEN)
    ranks = dist.get_world_size()
    own, inner = share_of(HIDDEN, "inputs"), share_of(4 * HIDDEN, "inner")
    up, down, wanted = dense.up, dense.down, dense.down(gelu(dense.up(x)))
    seen = dense.out(attended(dense.qkv(x), HEADS))
    third = 3 * HIDDEN // ranks
    rank = dist.get_rank()
    rows = slice(rank * third, (rank + 1) * third)
    fused = linear(f(x), dense.qkv.weight[rows], dense.qkv.bias[rows])  # contiguous rows instead of heads
    assert up.bias is not None
    wrong = {
        "bias on every rank": g(
            linear(gelu(linear(x, up.weight[inner], up.bias[inner])), down.weight[:, inner], down.bias)
        ),
        "GELU before the sum": down(g(gelu(linear(x[..., own], up.weight[:, own]) + up.bias / ranks))),
        "no sum": linear(gelu(linear(x, up.weight[inner], up.bias[inner])), down.weight[:, inner], down.bias),
    }
    found = {name: _apart(out.detach(), wanted.detach()) for name, out in wrong.items()}
    cut = g(linear(attended(fused, HEADS // ranks), dense.out.weight[:, own])) + dense.out.bias
    return {**found, "fused projection cut in a row": _apart(cut.detach(), seen.detach())}


@experiment.runs(ranks=(2, 4), seed=range(5), rtol=0.01)
def mistakes(ranks: int, seed: int) -> dict[str, float]:
    """Return rank 0's; none of these raises anything."""
    found: dict[str, float] = launch(on_rank_mistakes, seed, ranks=ranks, note=False)[0]
    return found


@experiment.runs(row=tuple(range(len(published.TABLE_1))), rtol=1e-6)
def plans(row: int) -> dict[str, Any]:
    """Hold the planner against a published run (arXiv:2104.04473, Table 1)."""
    return published.compare(published.TABLE_1[row])


@experiment.conclude
def conclude(runs: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Compute the figures that the chapter reads, and the verdict."""
    same = runs["equal"].groupby("dtype")[["output", "gradients"]].max()
    bytes_ = runs["sent"]
    exact = all(
        row[f"{name} {way}"] == [calls * row["bsh"], 2 * (row["ranks"] - 1) / row["ranks"] * calls * row["bsh"], calls]
        for _, row in bytes_.iterrows()
        for name, calls in (("block", 2), ("mlp", 1), ("PyTorch", 1))
        for way in ("forward", "backward")
    )
    ring = {
        name: sum(bytes_[f"{name} {way}"].map(lambda each: each[1]) for way in ("forward", "backward"))
        for name in ("mlp", "gathering", "scattering")
    }
    more = {name: (ring[name] / ring["mlp"]).agg(["min", "max"]).tolist() for name in ("gathering", "scattering")}
    table = runs["held"].set_index(["hidden", "ranks"])
    shares = {}
    for hidden in (64, 256):
        whole = table.loc[hidden, 1]
        for ranks in (2, 4):
            one = table.loc[hidden, ranks]
            split = (one["parameters"] - one["shared"]) / (whole["parameters"] - whole["shared"])
            states = ["parameters", "gradients", "optimiser"]
            shares[f"{hidden} | {ranks}"] = {
                "split layers": float(split),
                "states": float(one[states].sum() / whole[states].sum()),
                "saved": float(one["saved"] / whole["saved"]),
            }
    figures = {
        "equal": {str(dtype): row.to_dict() for dtype, row in same.iterrows()},
        "bytes_exact": exact,
        "gathering_sends": more["gathering"],
        "scattering_sends": more["scattering"],
        "apart": float(bytes_["apart"].max()),
        "shares": shares,
        "mistakes": {
            str(ranks): {
                name: [float(each[name].min()), float(each[name].max())]
                for name in each.columns
                if name not in ("ranks", "seed")
            }
            for ranks, each in runs["mistakes"].groupby("ranks")
        },
        "plans": runs["plans"].to_dict("records"),
    }
    _claim(figures)
    return figures


def _claim(figures: dict[str, Any]) -> None:
    """Give the verdict.

    The claim holds if, with 2 and 4 ranks and five seeds, outputs and gradients are those of the whole layer within `TOLERANCE`, if the bytes are exactly
    those of the formula (two all-reduces of bsh each way), and if each rank holds exactly 1/t of the layers that are split. It is "holds if" where columns
    alone, each layer gathering its output, send more than columns followed by rows, in the leaner of the two ways to gather too.
    """
    same = all(max(figures["equal"][dtype].values()) <= most for dtype, most in TOLERANCE.items())
    share = all(one["split layers"] == 1 / int(name.split(" | ")[1]) for name, one in figures["shares"].items())
    verdict = "does not hold"
    if same and share and figures["bytes_exact"]:
        alone = figures["scattering_sends"][0] > 1
        verdict = "holds if a row-parallel layer follows each column-parallel one" if alone else "holds"
    experiment.claim(
        "megatron_column_parallel",
        measured=f"Outputs and gradients of a transformer layer on 2 and 4 ranks within {max(figures['equal']['float32'].values()):.0e} (float32) and "
        f"{max(figures['equal']['float64'].values()):.0e} (float64) of the whole layer's; two all-reduces of bsh each way, to the byte; 1/t of the split weights a rank. "
        f"Column-parallel layers alone send {figures['scattering_sends'][0]:.2f} times as much for the feed-forward block, and {figures['gathering_sends'][0]:.2f} times "
        "where f sums the whole gradient of what was gathered",
        verdict=verdict,
        conditions="Width 64, 8 heads, 5 seeds, gloo on the CPU; bytes as a ring would send them; columns alone gather their outputs; the first number is with a gather whose backward pass is a reduce-scatter",
    )


if __name__ == "__main__":
    experiment.main()
