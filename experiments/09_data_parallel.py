"""Chapter 09: data parallelism held against one process, its bytes, its traps, its limits.

Everything runs on 1 to 4 local processes (gloo, one thread each) on Fashion-MNIST; only `critical`, `noise` and `order` simulate ranks in one process,
which `equal` shows to be the same. More than two ranks share two cores here, so times are taken with two ranks only, and last.

Learning rates of `critical` are chosen on seeds 0 to 2 and judged on seeds 3 to 7, both by the loss on validation pictures; the test pictures only
report. What counts as "holds" stands in `_claims` and was written before anything was measured.
"""

from __future__ import annotations

import math
import statistics
import time
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler

from helix import measure
from helix.datasets import fashion_mnist
from helix.distributed import counted, launch, total
from helix.distributed.measured import critical_batch, memory_per_rank, messages, run_record
from helix.distributed.paper.one_device import DEVICES, largest_model, on_one_device
from helix.distributed.parallel import batches, data_parallel, ring
from helix.engineering.training import tensors
from helix.record.experiment import Experiment

experiment = Experiment(__file__)

WORLDS = (2, 3, 4)
GLOBAL = 48  # samples of a step, divisible by 1 to 4 ranks
LARGE = 960  # the same, where threads are to have something to share
BATCHES = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
RATES = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
TARGET = 0.50  # cross-entropy on the 2,000 validation pictures
MOST_STEPS, MOST_SAMPLES = 8_000, 2_500_000  # where a run is given up: it counts as MOST_STEPS
TRILLION, TOKENS = (
    1e12,
    450e9,
)  # arXiv:2104.04473, section 5.1, plans its trillion-parameter model with 450 billion tokens
PER_PARAMETER = 20  # tokens for each parameter, as arXiv:2203.15556 found best for a given amount of computing
WORKING_LIFE = 40.0  # years


def network(seed: int, norm: str = "") -> nn.Sequential:
    """Return a small network; `norm` is empty, "batch" or "group"."""
    torch.manual_seed(seed)
    norms = {"batch": [nn.BatchNorm1d(64)], "group": [nn.GroupNorm(8, 64)]}.get(norm, [])
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), *norms, nn.ReLU(), nn.Linear(64, 10))


def _difference(ours: nn.Module, theirs: nn.Module, gradients: bool = False) -> float:
    """Largest difference of two models' gradients or weights, relative to the largest entry."""
    pairs = [
        (a.grad, b.grad) if gradients else (a.detach(), b.detach())
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
    ]
    widest = max(float((a - b).abs().max()) for a, b in pairs)
    return widest / max(float(b.abs().max()) for _, b in pairs)


# Equal to one process --------------------------------------------------------------------------------------


def _train(model: nn.Module, optimiser: Any, X: Tensor, y: Tensor, rank: int, world: int, steps: int) -> None:
    share = GLOBAL // world
    for step in range(steps):
        begin = step * GLOBAL % (len(X) - GLOBAL) + rank * share
        optimiser.zero_grad()
        cross_entropy(model(X[begin : begin + share]), y[begin : begin + share]).backward()
        optimiser.step()


def on_rank_equal(seed: int, dtype: torch.dtype) -> dict[str, float]:
    """Train one model as one process, one by hand, one by PyTorch's class; compare."""
    X, y = tensors(fashion_mnist.load("train"))
    X, y = X[:2_000].to(dtype), y[:2_000]
    rank, world = dist.get_rank(), dist.get_world_size()
    alone = network(seed).to(dtype)
    mine = data_parallel.DataParallel(
        network(seed + rank).to(dtype), bucket_mb=0.05
    )  # other ranks' weights are overwritten
    theirs = DistributedDataParallel(network(seed + rank).to(dtype))
    found: dict[str, float] = {}
    for steps, word in ((1, "gradient"), (20, "weights")):
        for model, as_rank, of in ((alone, 0, 1), (mine, rank, world), (theirs, rank, world)):
            optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
            _train(model, optimiser, X, y, as_rank, of, steps)
        found[f"{word}_by_hand"] = _difference(mine, alone, word == "gradient")
        found[f"{word}_ddp"] = _difference(theirs, alone, word == "gradient")
    return found


@experiment.runs(world=WORLDS, seed=range(5), dtype=("float32", "float64"), rtol=10.0)
def equal(world: int, seed: int, dtype: str) -> dict[str, float]:
    """Return the largest relative differences of all ranks, of the first gradient and of the weights after 21 steps."""
    found = launch(on_rank_equal, seed, getattr(torch, dtype), ranks=world, note=False)
    return {name: max(one[name] for one in found) for name in found[0]}


# Bytes -----------------------------------------------------------------------------------------------------


def on_rank_bytes(elements: int) -> tuple[int, int, int, int]:
    """Return what this rank sent by our ring, and what DDP hands over in one step: synchronised, and four micro-batches with no_sync."""
    sent = ring.all_reduce(torch.ones(elements))
    X, y = tensors(fashion_mnist.load("validation"))
    model = DistributedDataParallel(network(0))
    with counted() as every:
        for part in range(4):
            cross_entropy(model(X[part * 8 : part * 8 + 8]), y[part * 8 : part * 8 + 8]).backward()
    model.zero_grad()
    with counted() as once:
        with model.no_sync():
            for part in range(3):
                cross_entropy(model(X[part * 8 : part * 8 + 8]), y[part * 8 : part * 8 + 8]).backward()
        cross_entropy(model(X[24:32]), y[24:32]).backward()
    size = sum(each.numel() * 4 for each in model.parameters())
    return sent, total(every, "all_reduce"), total(once, "all_reduce"), size


@experiment.runs(world=WORLDS, elements=(10, 1_000, 100_003))
def sent(world: int, elements: int) -> dict[str, Any]:
    """Count the bytes of one ring all-reduce, and of four accumulated batches."""
    found = launch(on_rank_bytes, elements, ranks=world, note=False)
    return {
        "ring_total": sum(one[0] for one in found),
        "ring_most": max(one[0] for one in found),
        "bound": ring.bound(4 * elements, world),
        "every_step": found[0][1],
        "no_sync": found[0][2],
        "gradient": found[0][3],
    }


# What a share of the batch changes ---------------------------------------------------------------------------


def on_rank_shares(seed: int, counts: list[int], norm: str) -> dict[str, float]:
    """Compare the gradient of shares of `counts` samples with that of the whole batch: as it is, and mended."""
    X, y = tensors(fashion_mnist.load("train"))
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(seed))[: sum(counts)]
    rank = dist.get_rank()
    begin = sum(counts[:rank])
    own = order[begin : begin + counts[rank]]
    alone = network(seed, norm)
    cross_entropy(alone(X[order]), y[order]).backward()
    found = {}
    for name, weight in (("plain", 1.0), ("mended", batches.loss_weight(counts[rank]))):
        model = network(seed, norm)
        if name == "mended":
            batches.synchronised(model)
        wrapped = data_parallel.DataParallel(model)
        (weight * cross_entropy(wrapped(X[own]), y[own])).backward()
        squares = [
            (float((a.grad - b.grad).square().sum()), float(b.grad.square().sum()))
            for a, b in zip(model.parameters(), alone.parameters(), strict=True)
        ]
        found[name] = math.sqrt(sum(one for one, _ in squares) / sum(one for _, one in squares))
    return found


SHARES = {"48+48": (48, 48), "64+32": (64, 32), "88+8": (88, 8), "94+2": (94, 2)}


@experiment.runs(counts=tuple(SHARES), seed=range(20), rtol=10.0)
def uneven(counts: str, seed: int) -> dict[str, float]:
    """Return |gradient − whole batch's| / |whole batch's| for shares of different size."""
    return launch(on_rank_shares, seed, list(SHARES[counts]), "")[0]


@experiment.runs(norm=("batch", "group"), share=(2, 4, 8, 16, 32), seed=range(10), rtol=10.0)
def norms(norm: str, share: int, seed: int) -> dict[str, float]:
    """Return the same for four equal shares and a network that normalises."""
    return launch(on_rank_shares, seed, [share] * 4, norm, ranks=4, note=False)[0]


# Which rank sees which sample -----------------------------------------------------------------------------------

SAMPLERS = ("set_epoch", "without set_epoch", "a seed for each rank")


def orders(sampler: str, epoch: int, seed: int, samples: int, world: int = 4) -> list[list[int]]:
    """Return each rank's indices in an epoch."""
    dealt = []
    for rank in range(world):
        own = DistributedSampler(
            range(samples),
            num_replicas=world,
            rank=rank,
            seed=seed + (rank if sampler == SAMPLERS[2] else 0),
        )
        if sampler != SAMPLERS[1]:
            own.set_epoch(epoch)
        dealt.append(list(own))
    return dealt


@experiment.runs(sampler=SAMPLERS, seed=range(10), rtol=0.02)
def order(sampler: str, seed: int) -> dict[str, Any]:
    """Train for ten epochs on what four ranks would see, 16 samples each a step."""
    X, y = tensors(fashion_mnist.load("train"))
    test, truth = tensors(fashion_mnist.load("test"))
    torch.set_num_threads(1)
    model, seen, pairs = network(seed), [], set()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(10):
        dealt = torch.tensor(orders(sampler, epoch, seed, len(X)))
        seen.append(len(dealt.unique()) / len(X))
        pairs.add(tuple(dealt[0, :8].tolist()))
        for begin in range(0, dealt.shape[1] - 15, 16):
            batch = dealt[:, begin : begin + 16].flatten()
            optimiser.zero_grad()
            cross_entropy(model(X[batch]), y[batch]).backward()
            optimiser.step()
    with torch.no_grad():
        right = (model(test).argmax(1) == truth).float().mean().item()
    return {"seen": statistics.mean(seen), "orders": len(pairs), "accuracy": right}


# Sums that differ -----------------------------------------------------------------------------------------------


def on_rank_sums(rate: float, seed: int, epochs: int) -> dict[str, Any]:
    """Train with the same samples in each step, whatever the world; return answers and a hash."""
    X, y = tensors(fashion_mnist.load("train"))
    rank, world = dist.get_rank(), dist.get_world_size()
    wrapped = data_parallel.DataParallel(network(seed))
    optimiser = torch.optim.SGD(wrapped.parameters(), lr=rate, momentum=0.9)
    share = GLOBAL // world
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(1_000 * seed + epoch)
        shuffled = torch.randperm(len(X), generator=generator)[: len(X) // GLOBAL * GLOBAL].view(-1, world, share)
        for batch in shuffled[:, rank]:
            optimiser.zero_grad()
            cross_entropy(wrapped(X[batch]), y[batch]).backward()
            optimiser.step()
    test, truth = tensors(fashion_mnist.load("test"))
    with torch.no_grad():
        answers = wrapped(test).argmax(1)
    return {
        "sha256": run_record.sha256(wrapped.parameters()),
        "answers": "".join(map(str, answers.tolist())) if rank == 0 else "",
        "accuracy": (answers == truth).float().mean().item(),
    }


@experiment.runs(rate=(0.02, 0.1), world=(1, 2, 3, 4), seed=range(5), again=(0, 1), rtol=math.inf)
def sums(rate: float, world: int, seed: int, again: int) -> dict[str, Any]:
    """Train for five epochs, calmly and at a rate near the edge of stability; ranks must agree to the bit."""
    found = launch(on_rank_sums, rate, seed, 5, ranks=world, note=False, timeout=600)
    assert len({one["sha256"] for one in found}) == 1
    return found[0]


def on_rank_threads(threads: int, seed: int, epochs: int) -> dict[str, Any]:
    """Train with so many threads a rank, on batches large enough that threads share an operation; return answers, a hash, the settings."""
    torch.set_num_threads(threads)
    X, y = tensors(fashion_mnist.load("train"))
    rank, world = dist.get_rank(), dist.get_world_size()
    wrapped = data_parallel.DataParallel(network(seed))
    optimiser = torch.optim.SGD(wrapped.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(1_000 * seed + epoch)
        shuffled = torch.randperm(len(X), generator=generator)[: len(X) // LARGE * LARGE].view(
            -1, world, LARGE // world
        )
        for batch in shuffled[:, rank]:
            optimiser.zero_grad()
            cross_entropy(wrapped(X[batch]), y[batch]).backward()
            optimiser.step()
    test, _ = tensors(fashion_mnist.load("test"))
    with torch.no_grad():
        answers = wrapped(test).argmax(1)
    return {
        "sha256": run_record.sha256(wrapped.parameters()),
        "answers": "".join(map(str, answers.tolist())) if rank == 0 else "",
        "recorded": run_record.settings()["threads"],
    }


@experiment.runs(threads=(1, 2), seed=range(5), again=(0, 1), rtol=math.inf)
def threads(threads: int, seed: int, again: int) -> dict[str, Any]:
    """Train for five epochs on two ranks; everything but the threads is the same."""
    return dict(launch(on_rank_threads, threads, seed, 5, note=False, timeout=600)[0])


# Memory -----------------------------------------------------------------------------------------------------------


def on_rank_memory(kind: str, pages: str, width: int, layers: int) -> dict[str, Any]:
    """Make, train for two steps, and count: replicated by DDP, or sharded by FSDP2."""
    if pages == "returned":
        memory_per_rank.return_freed_pages()
    _two_steps(kind, 8, 2)  # what is loaded and set up once is not the model's memory
    before = measure.high_water()
    return {**_two_steps(kind, width, layers), "peak": measure.high_water() - before}


def _two_steps(kind: str, width: int, layers: int) -> dict[str, Any]:
    torch.manual_seed(0)
    with torch.device("meta" if kind == "FSDP2" else "cpu"):  # no rank ever holds the whole model
        model: nn.Module = nn.Sequential(*[nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(layers)])
    elements = sum(each.numel() for each in model.parameters())
    trained: nn.Module = model
    if kind == "FSDP2":
        mesh = init_device_mesh("cpu", (dist.get_world_size(),))
        for layer in model.children():
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        model.to_empty(device="cpu")
        for each in model.parameters():
            nn.init.normal_(each.detach().to_local(), std=0.02)
    else:
        trained = DistributedDataParallel(model, gradient_as_bucket_view=True)
    optimiser = torch.optim.Adam(trained.parameters())
    x = torch.randn(16, width)
    for _ in range(2):
        with counted() as calls:
            trained(x).square().mean().backward()
        optimiser.step()
        held = memory_per_rank.held(trained, optimiser)
        optimiser.zero_grad()
    return {"elements": elements, **held, "ring_bytes": sum(call.ring_bytes for call in calls)}


@experiment.runs(kind=("DDP", "FSDP2"), world=(1, 2, 4), pages=("kept", "returned"), rtol=0.2)
def memory(kind: str, world: int, pages: str) -> dict[str, Any]:
    """Return the largest of all ranks, for 24 layers of 1,024 by 1,024; freed pages kept by the allocator, or returned."""
    found = launch(on_rank_memory, kind, pages, 1_024, 24, ranks=world, note=False, timeout=300)
    return {name: max(one[name] for one in found) for name in found[0]}


# The critical batch -------------------------------------------------------------------------------------------------


@cache
def _pictures() -> tuple[Tensor, ...]:
    return (*tensors(fashion_mnist.load("train")), *tensors(fashion_mnist.load("validation")))


def steps_to_target(batch: int, rate: float, seed: int) -> int:
    """Count the steps of SGD until the validation loss is at most `TARGET`; `MOST_STEPS` where it never is."""
    X, y, V, v = _pictures()
    model = network(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate)
    generator = torch.Generator().manual_seed(seed)
    due = 1  # evaluate where steps have grown by 2 %, which is then how exact they are
    for step in range(1, min(MOST_STEPS, MOST_SAMPLES // batch) + 1):
        chosen = torch.randint(len(X), (batch,), generator=generator)
        optimiser.zero_grad()
        cross_entropy(model(X[chosen]), y[chosen]).backward()
        optimiser.step()
        if step >= due:
            due = math.ceil(1.02 * step)
            with torch.no_grad():
                loss = cross_entropy(model(V), v).item()
            if loss <= TARGET:
                return step
            if not math.isfinite(loss) or loss > 20:
                break
    return MOST_STEPS


@experiment.runs(batch=BATCHES, rtol=0.3, in_slice=False)
def critical(batch: int) -> dict[str, Any]:
    """Choose the learning rate with the fewest steps on three seeds, then count on five others."""
    torch.set_num_threads(1)
    tried = {rate: statistics.mean(steps_to_target(batch, rate, seed) for seed in range(3)) for rate in RATES}
    rate = min(tried, key=lambda one: tried[one])
    return {
        "rate": rate,
        "tried": list(tried.values()),
        "steps": [steps_to_target(batch, rate, seed) for seed in range(3, 8)],
    }


@experiment.runs(seed=range(5), rtol=0.3)
def noise(seed: int) -> dict[str, float]:
    """Estimate the noise scale at the start, half-way to the target, and where the target is reached (batch 64, rate 0.1)."""
    torch.set_num_threads(1)
    X, y = tensors(fashion_mnist.load("train"))
    V, v = tensors(fashion_mnist.load("validation"))
    model = network(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(seed)
    found = {"start": _noise(model, X, y, generator)}
    for loss, name in ((1.0, "half-way"), (TARGET, "target")):
        while True:
            chosen = torch.randint(len(X), (64,), generator=generator)
            optimiser.zero_grad()
            cross_entropy(model(X[chosen]), y[chosen]).backward()
            optimiser.step()
            with torch.no_grad():
                if cross_entropy(model(V), v).item() <= loss:
                    break
        found[name] = _noise(model, X, y, generator)
    return found


def _noise(model: nn.Module, X: Tensor, y: Tensor, generator: torch.Generator) -> float:
    """Estimate from 300 pairs of batches, of 32 and of 1,024 samples."""
    sizes, norms_of = (32, 1_024), []
    for size in sizes:
        squares = []
        for _ in range(300):
            chosen = torch.randint(len(X), (size,), generator=generator)
            gradients = torch.autograd.grad(cross_entropy(model(X[chosen]), y[chosen]), list(model.parameters()))
            squares.append(sum(float(each.square().sum()) for each in gradients))
        norms_of.append(statistics.mean(squares))
    small, large = norms_of
    return critical_batch.noise_scale(small, large, *sizes)


# Times, with two ranks on two cores --------------------------------------------------------------------------------------

SIZES = tuple(4**power * 64 for power in range(10))  # 64 bytes to 16 MiB


def on_rank_messages() -> list[tuple[int, float, float, float]]:
    """Time a message there and back, gloo's all-reduce and our ring, of each size, in turns."""
    rank, found = dist.get_rank(), []
    for size in SIZES:
        tensor = torch.zeros(size // 4)
        turns: list[tuple[float, float, float]] = []
        for _ in range(3 + max(10, min(100, 2**24 // size))):
            dist.barrier()
            begin = time.perf_counter()
            if rank == 0:
                dist.send(tensor, 1)
                dist.recv(tensor, 1)
            else:
                dist.recv(tensor, 0)
                dist.send(tensor, 0)
            message = (time.perf_counter() - begin) / 2
            dist.barrier()
            begin = time.perf_counter()
            dist.all_reduce(tensor)
            gloo = time.perf_counter() - begin
            dist.barrier()
            begin = time.perf_counter()
            ring.all_reduce(tensor)
            turns.append((message, gloo, time.perf_counter() - begin))
        medians = [statistics.median(column) for column in zip(*turns[3:], strict=True)]
        found.append((size, *medians))
    return found


@experiment.runs(timing=True, repeat=range(5))
def times(repeat: int) -> dict[str, Any]:
    """Return the medians of one launch, as rank 0 saw them."""
    rows = launch(on_rank_messages, timeout=300)[0]
    return dict(zip(("size", "message", "gloo", "ring"), map(list, zip(*rows, strict=True)), strict=True))


def on_rank_scaling(whole: int, share: int) -> float:
    """Return the median seconds of a step of a ResNet-like amount of work: `share` samples of a batch of `whole`."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(32 * 784, 10))
    wrapped = DistributedDataParallel(model)
    optimiser = torch.optim.SGD(wrapped.parameters(), lr=0.01)
    x, y, seconds = torch.randn(share, 1, 28, 28), torch.randint(10, (share,)), []
    for _ in range(8):
        dist.barrier()
        begin = time.perf_counter()
        optimiser.zero_grad()
        cross_entropy(wrapped(x), y).backward()
        optimiser.step()
        dist.barrier()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[2:])


@experiment.runs(timing=True, repeat=range(5))
def scaling(repeat: int) -> dict[str, float]:
    """Time one process with 64 samples, two that share them (strong), two with 64 each (weak); in turns."""
    return {
        "one": launch(on_rank_scaling, 64, 64, ranks=1)[0],
        "strong": max(launch(on_rank_scaling, 64, 32)),
        "weak": max(launch(on_rank_scaling, 128, 64)),
    }


# The record -----------------------------------------------------------------------------------------------------------------


def _changed(runs: pd.DataFrame, one: int, other: int) -> list[float]:
    """Return the share of test pictures that two worlds answer differently, for each seed."""
    kept = runs[runs["again"] == 0].set_index(["world", "seed"])["answers"]
    seeds = sorted(runs["seed"].unique())
    return [float(np.mean([a != b for a, b in zip(kept[one, seed], kept[other, seed], strict=True)])) for seed in seeds]


def _sums(runs: pd.DataFrame) -> dict[str, Any]:
    first = runs[runs["again"] == 0]
    return {
        "changed": {f"{a} and {b}": _changed(runs, a, b) for a, b in ((1, 2), (1, 4), (2, 4), (3, 4))},
        "accuracy": {str(world): list(each["accuracy"]) for world, each in first.groupby("world")},
    }


def _threads(runs: pd.DataFrame) -> dict[str, Any]:
    """Return how many hashes a number of threads gave, at most; how many both gave, by seed; and the answers that differ between them."""
    kept = runs[runs["again"] == 0].set_index(["threads", "seed"])["answers"]
    pairs = [(kept[1, seed], kept[2, seed]) for seed in sorted(runs["seed"].unique())]
    return {
        "hashes_of_a_number": int(runs.groupby(["threads", "seed"])["sha256"].nunique().max()),
        "hashes_of_both": runs.groupby("seed")["sha256"].nunique().tolist(),
        "recorded": bool((runs["threads"] == runs["recorded"]).all()),
        "changed": [float(np.mean([a != b for a, b in zip(*pair, strict=True)])) for pair in pairs],
    }


def _law(runs: pd.DataFrame) -> dict[str, Any]:
    means: dict[float, float] = {
        int(batch): float(np.mean(steps)) for batch, steps in zip(runs["batch"], runs["steps"], strict=True)
    }
    law = critical_batch.fit(means)
    generator = np.random.default_rng(9)
    draws = []
    for _ in range(1_000):
        drawn: dict[float, float] = {
            int(batch): float(np.mean(generator.choice(steps, len(steps))))
            for batch, steps in zip(runs["batch"], runs["steps"], strict=True)
        }
        draws.append(critical_batch.fit(drawn).batch)
    low, high = np.percentile(draws, [2.5, 97.5])
    misses = {batch: law.steps(batch) / mean - 1 for batch, mean in means.items()}
    return {
        "least_steps": law.least_steps,
        "batch": law.batch,
        "low": low,
        "high": high,
        "means": means,
        "misses": misses,
    }


@experiment.conclude
def conclude(runs: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Compute the figures that the chapter reads, and the verdicts."""
    same = runs["equal"].groupby("dtype")[["gradient_by_hand", "gradient_ddp", "weights_by_hand", "weights_ddp"]].max()
    shares = runs["uneven"].groupby("counts")[["plain", "mended"]].agg(["mean", "max"])
    normed = runs["norms"].groupby(["norm", "share"])[["plain", "mended"]].agg(["mean", "max"])
    pairs = {
        "size": np.concatenate(runs["times"]["size"].tolist()),
        **{name: np.concatenate(runs["times"][name].tolist()) for name in ("message", "gloo", "ring")},
    }
    model = messages.fit(zip(pairs["size"], pairs["message"], strict=True))
    predicted = np.array([model.ring_all_reduce(float(size), 2).value for size in pairs["size"]])
    table = pd.DataFrame(
        {"size": pairs["size"], "predicted": predicted, **{n: pairs[n] for n in ("message", "gloo", "ring")}}
    )
    repeated = runs["sums"].groupby(["rate", "world", "seed"])["sha256"].nunique().max()
    hashes = runs["sums"].groupby(["rate", "seed"])["sha256"].nunique()
    scaled = runs["scaling"]
    figures = {
        "equal": {str(dtype): row.to_dict() for dtype, row in same.iterrows()},
        "uneven": {
            str(counts): {one: list(row[one]) for one in ("plain", "mended")} for counts, row in shares.iterrows()
        },
        "norms": [
            {"norm": norm, "share": int(share), **{one: list(row[one]) for one in ("plain", "mended")}}
            for (norm, share), row in normed.iterrows()
        ],
        "order": {
            str(name): {
                "seen": one["seen"].mean(),
                "orders": int(one["orders"].max()),
                "accuracy": list(one["accuracy"]),
            }
            for name, one in runs["order"].groupby("sampler")
        },
        "order_differences": {name: _paired(runs["order"], name) for name in SAMPLERS[1:]},
        "sums": {
            "hashes_of_a_world": int(repeated),
            "hashes_of_four_worlds": [int(hashes.min()), int(hashes.max())],
            "rates": {str(rate): _sums(each) for rate, each in runs["sums"].groupby("rate")},
        },
        "threads": _threads(runs["threads"]),
        "memory": runs["memory"].to_dict("records"),
        "law": _law(runs["critical"]),
        "noise": {name: list(runs["noise"][name]) for name in ("start", "half-way", "target")},
        "alpha_beta": {
            "alpha": [model.latency.value, model.latency.low, model.latency.high],
            "beta": [model.seconds_per_byte.value, model.seconds_per_byte.low, model.seconds_per_byte.high],
            "pairs": [[float(s), float(t)] for s, t in zip(pairs["size"], pairs["message"], strict=True)],
            "table": table.groupby("size").median().reset_index().to_dict("records"),
        },
        "scaling": {
            name: {"value": float((scaled[name] / scaled["one"]).median()), "all": list(scaled[name] / scaled["one"])}
            for name in ("strong", "weak")
        },
    }
    _claims(runs, figures)
    return figures


def _paired(runs: pd.DataFrame, name: str) -> dict[str, float]:
    """Return the mean difference of accuracy from set_epoch over the seeds, with a 95 % interval (Student's t)."""
    from scipy import stats

    table = runs.pivot_table(index="seed", columns="sampler", values="accuracy")
    difference = table[name] - table[SAMPLERS[0]]
    half = float(stats.t.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / math.sqrt(len(difference)))
    mean = float(difference.mean())
    return {"value": mean, "low": mean - half, "high": mean + half}


def _claims(runs: dict[str, pd.DataFrame], figures: dict[str, Any]) -> None:
    """Give the verdicts.

    `ddp_gradient_synchronisation` holds if in float32 both classes' gradients are equal to one process's within 1e-6 of the largest, in all worlds and
    seeds; "holds if" where that needs equal shares and layers without batch statistics, that is, where uneven shares or BatchNorm move a gradient by
    more than 1 % on average, and mending them brings it back within 1e-5 (if it does not: "does not hold").

    `distributed_only_choice` holds if, for a trillion parameters, on every device that was looked up neither do the training states fit, nor would training on the
    450 billion tokens of arXiv:2104.04473 end within 40 years where a throughput is published; else "does not hold". How much smaller a model has the same
    two walls is measured, and is no condition.
    """
    same = max(figures["equal"]["float32"][f"gradient_{one}"] for one in ("by_hand", "ddp"))
    plain = max(one["plain"][0] for one in [*figures["uneven"].values(), *figures["norms"]])
    mended = max(
        [one["mended"][1] for one in figures["uneven"].values()]
        + [one["mended"][1] for one in figures["norms"] if one["norm"] == "batch"]
    )
    if same > 1e-6 or mended > 1e-5:
        verdict = "does not hold"
    elif plain <= 0.01:
        verdict = "holds"
    else:
        verdict = "holds if every rank has equally many samples, and no layer computes statistics of its batch"
    uneven_, batch = (
        figures["uneven"]["88+8"]["plain"][0],
        next(one for one in figures["norms"] if one["norm"] == "batch" and one["share"] == 4),
    )
    experiment.claim(
        "ddp_gradient_synchronisation",
        measured=f"Gradients equal to one process within {same:.0e} of the largest (2, 3 and 4 ranks). Off by {100 * uneven_:.0f} % with shares of 88 and 8, by "
        f"{100 * batch['plain'][0]:.0f} % with BatchNorm on 4 samples a rank; weighing and synchronising bring both back within {mended:.0e}",
        verdict=verdict,
        conditions="A network of 51,000 parameters on Fashion-MNIST, gloo on the CPU of one machine, float32",
    )
    one = {name: on_one_device(TRILLION, device, tokens=TOKENS) for name, device in DEVICES.items()}
    holds = all(not each.fits and (each.years is None or each.years > WORKING_LIFE) for each in one.values())
    years = {name: each.years for name, each in one.items() if each.years is not None}
    fastest = min(years, key=lambda name: years[name])
    largest = {name: largest_model(device) for name, device in DEVICES.items()}
    long = on_one_device(TRILLION, DEVICES[fastest], tokens=PER_PARAMETER * TRILLION).years
    assert long is not None
    figures["one_device"] = {
        "years": years,
        "years_at_20_tokens": long,
        "devices": {name: each.devices for name, each in one.items()},
        "largest": largest,
    }
    experiment.claim(
        "distributed_only_choice",
        measured=f"A trillion parameters need 16 TB of states, {min(each.devices for each in one.values())} of the largest devices looked up, and "
        f"{years[fastest]:,.0f} years on one {fastest} for 450 billion tokens, {long:,.0f} years for 20 tokens a parameter. It understates: the states of "
        f"{max(largest.values()) / 1e9:.0f} billion fill the largest device already",
        verdict="holds" if holds else "does not hold",
        conditions="Computed from published memory and throughput: mixed precision with Adam, nothing offloaded, devices of November 2026",
    )


if __name__ == "__main__":
    experiment.main()
