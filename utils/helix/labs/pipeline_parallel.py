"""Pipeline parallelism: an order, gradients on real ranks, a balance, a peak, and a plan judged."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helix.checking import Ask, ReasonedAnswer, Rule, any_of, decision, distinct, exercise, expect, expect_that
from helix.checking.asking import Mistakes
from helix.distributed import launch
from helix.distributed.paper import schedules
from helix.distributed.paper.pipeline_plan import PLAN, PipelinePlan
from helix.distributed.paper.schedules import Event

MFU_AT_LEAST, FULL_AT_MOST = 0.4, 0.9
Order = list[tuple[str, int]]


# ------------------------------------------------------------------ the order


def _ahead(count: Callable[[int, int], int], capped: bool = True) -> Callable[[int, int, int], Order]:
    """Return who does `count(stages, rank)` forward passes ahead, then one of each kind in turn, then what is left."""

    def order(stages: int, rank: int, microbatches: int) -> Order:
        ahead = min(count(stages, rank), microbatches) if capped else count(stages, rank)
        first: Order = [("F", i) for i in range(ahead)]
        steady = [action for i in range(microbatches - ahead) for action in (("F", ahead + i), ("B", i))]
        return first + steady + [("B", i) for i in range(max(0, microbatches - ahead), microbatches)]

    return order


_order = _ahead(lambda stages, rank: stages - 1 - rank)


@exercise(
    lab="pipeline_parallel",
    title="The order of 1F1B",
    minutes=10,
    difficulty=3,
    hints=(
        "Draw four stages and follow micro-batch 0 to the last stage and back. How many forward passes can stage `rank` do before B0 reaches it?",
        (
            "Warm-up: `ahead = stages - 1 - rank` forward passes, but never more than there are micro-batches. Then one F and one B in turn. What is left over "
            "at the end?"
        ),
    ),
    last_hint="`for i in range(microbatches - ahead)`: append `('F', ahead + i)` and `('B', i)`. Then the last `ahead` backward passes.",
    reference=_order,
    mistakes={
        "This is GPipe's order: all forward passes first. 1F1B starts a backward pass as soon as one can have arrived, so that fewer "
        "micro-batches are held.": _ahead(lambda stages, rank: 10**6),
        "Every stage does p − 1 forward passes ahead. The later a stage, the sooner B0 is back: only stage 0 needs so many.": (
            _ahead(lambda stages, rank: stages - 1)
        ),
        "You counted from the other end: the *last* stage has none ahead, the first has the most.": (
            _ahead(lambda stages, rank: rank)
        ),
        "You are one off: p − 1 − rank forward passes come before the first B. With one more a stage holds a micro-batch too many, with "
        "one fewer it waits for B0 with nothing to do.": (
            _ahead(lambda stages, rank: stages - rank),
            _ahead(lambda stages, rank: max(0, stages - 2 - rank)),
        ),
        "The last backward passes are missing. Every micro-batch has one F and one B on every stage.": (
            lambda stages, rank, m: _order(stages, rank, m)[: 2 * m - min(stages - 1 - rank, m)]
        ),
        "With fewer micro-batches than stages you do forward passes of micro-batches that do not exist.": (
            _ahead(lambda stages, rank: stages - 1 - rank, capped=False)
        ),
    },
)
def order_1f1b(ask: Ask, rng: np.random.Generator) -> None:
    """Ask in which order a stage works with 1F1B: one in the middle, the first, the last, and with few micro-batches."""
    p = int(rng.integers(7, 10))
    m = p + int(rng.integers(2, 6))
    middle = int(rng.choice([2, p - 3]))  # there each mistake has another number of forward passes ahead
    because = "This is not the order of 1F1B: p − 1 − rank forward passes ahead, then one F and one B in turn, then the B that are left."
    ask(p, middle, m, because=because)
    ask(p, 0, m, because=because)
    ask(p, p - 1, m, because=because)
    ask(p, 0, int(rng.integers(1, p - 2)), because=because)


# ------------------------------------------------------------------ gradients on real ranks


def _two_stages(seed: int, sizes: Sequence[int], width: int) -> tuple[Any, Any, Any, Any]:
    import torch

    torch.manual_seed(seed)
    before, after = torch.nn.Linear(3, width).double(), torch.nn.Linear(width, 4).double()
    return before, after, torch.randn(sum(sizes), 3).double(), torch.randint(4, (sum(sizes),))


def _on_rank(answer: Callable[..., Any], cases: list[tuple[int, list[int], int]]) -> list[Any]:
    """Be the stage before (rank 0), or let the answer be the last one (rank 1)."""
    import torch
    import torch.distributed as dist

    found: list[Any] = []
    for seed, sizes, width in cases:
        before, after, x, y = _two_stages(seed, sizes, width)
        if dist.get_rank():
            loss = answer(after, list(sizes), y, width)
            gradient = after.weight.grad
            plain = loss.detach().item() if isinstance(loss, torch.Tensor) and loss.numel() == 1 else loss
            found.append((plain, None if gradient is None else gradient.tolist()))
            continue
        outputs = [before(piece) for piece in x.split(sizes)]
        sending = [dist.isend(each.detach().contiguous(), dst=1) for each in outputs]
        for each in outputs:
            gradient = torch.empty_like(each)
            dist.recv(gradient, src=1)
            each.backward(gradient)
        for handle in sending:
            handle.wait()
        found.append(before.weight.grad.tolist() if before.weight.grad is not None else None)
    return found


Weights = Callable[[list[int]], list[float]]  # what the mean loss of each micro-batch counts


def _share(sizes: list[int]) -> list[float]:
    return [n / sum(sizes) for n in sizes]


def _equal(sizes: list[int]) -> list[float]:
    return [1 / len(sizes)] * len(sizes)


def _one(sizes: list[int]) -> list[float]:
    return [1.0] * len(sizes)


def _samples(sizes: list[int]) -> list[float]:
    return [float(n) for n in sizes]


def _only_the_last(sizes: list[int]) -> list[float]:
    return [*[0.0] * (len(sizes) - 1), _share(sizes)[-1]]


def _trained(case: tuple[int, list[int], int], weights: Weights) -> tuple[float, Any, Any]:
    """Return loss, last stage's and first stage's gradient, if the micro-batches count so."""
    import torch

    seed, sizes, width = case
    before, after, x, y = _two_stages(seed, sizes, width)
    pairs = zip(x.split(sizes), y.split(sizes), strict=True)
    losses = [torch.nn.functional.cross_entropy(after(before(a)), b) for a, b in pairs]
    loss = sum(w * each for w, each in zip(weights(sizes), losses, strict=True))
    loss.backward()
    return loss.item(), after.weight.grad.tolist(), before.weight.grad.tolist()


@exercise(
    lab="pipeline_parallel",
    title="The last stage, with uneven micro-batches",
    minutes=15,
    difficulty=4,
    hints=(
        "For each micro-batch: receive it, `stage(x)`, the loss, `backward()`, send `x.grad`. What has to be asked of a received tensor so that it gets a `.grad`?",
        "The mean over all samples is not the mean of the micro-batches' means where these differ in size. What does a micro-batch of 3 in a batch of 10 count?",
    ),
    last_hint=(
        "`x = torch.empty(n, width, dtype=torch.float64)`; `dist.recv(x, src=dist.get_rank() - 1)`; `x.requires_grad_()`; `loss = cross_entropy(stage(x), y) * n / sum(sizes)`; "
        "`loss.backward()`; `dist.send(x.grad, dst=dist.get_rank() - 1)`; add `loss.item()`."
    ),
    errors={
        r"does not require grad|does not have a grad_fn": "A received tensor is new here: nobody asked for its gradient. `x.requires_grad_()`, before the stage gets it.",
        r"different sizes": "What you receive has another size in bytes than what was sent: numbers in float64 (`dtype=torch.float64`), and gradients back in the same order.",
        r"same dtype|expected scalar type|Double": "The ranks work in float64: `torch.empty(..., dtype=torch.float64)`.",
        r"tensor must be specified|NoneType": "`x.grad` is `None` until `backward()` has run, and unless `x.requires_grad_()` came before.",
        r"The time limit of": "A rank waits in vain. Stage 0 sends each micro-batch, and then waits for one gradient for each, in the same order.",
        r"No rank could go on": "Both ranks wait. Stage 0 sends each micro-batch once, and then waits for one gradient for each, in the same order.",
    },
    repeats=1,
    seconds=30.0,
    processes=True,
)
def last_stage(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the last stage's side of three steps, on a real rank beside a stage that sends and waits."""
    cases = []
    for _ in range(3):
        sizes = [int(n) for n in rng.permutation([1, int(rng.integers(2, 4)), int(rng.integers(5, 8))])]
        cases.append((int(rng.integers(2**31)), sizes, int(rng.integers(3, 6))))
    first, last = launch(_on_rank, answer, cases, timeout=4, careful=True, show=False, note=False)
    losses, own = [loss for loss, _ in last], [gradient for _, gradient in last]
    expect_that(
        all(gradient is not None for gradient in own),
        because="The stage's parameters have no gradient when your function returns: `backward()` has to run, and nobody may clear it after.",
    )
    found: dict[Weights, list[tuple[float, Any, Any]]] = {
        weights: [_trained(case, weights) for case in cases]
        for weights in (_share, _equal, _one, _samples, _only_the_last)
    }

    def gradients(here: Weights, before: Weights) -> list[tuple[Any, Any]]:
        return [(a[1], b[2]) for a, b in zip(found[here], found[before], strict=True)]

    def told(weights: Weights) -> list[float]:
        return [loss for loss, _, _ in found[weights]]

    given = f"micro-batches of {', '.join(str(sizes) for _, sizes, _ in cases)} samples"
    expect(
        list(zip(own, first, strict=True)),
        close_to=gradients(_share, _share),
        because="The gradients of the two stages are not those of one process with the whole batch.",
        given=given,
        if_equals={
            "You took the mean of the micro-batches' means. They differ in size: a sample in a small one would count more.": gradients(
                _equal, _equal
            ),
            "Gradients of the micro-batches are added up, each that of a *mean*: the sum is too large. Weigh each mean with its share of the batch.": gradients(
                _one, _one
            ),
            "These are the gradients of the summed loss. The batch's loss is a mean: divide by the number of samples.": gradients(
                _samples, _samples
            ),
            "The stage before got the right gradients, but here only the last micro-batch is left: something clears the gradients in between.": gradients(
                _only_the_last, _share
            ),
            "This stage's gradients are right. What you sent back is not weighted in the same way.": any_of(
                *(gradients(_share, other) for other in (_equal, _one, _samples))
            ),
        },
    )
    expect(
        losses,
        close_to=told(_share),
        because="The gradients are right; the loss that you return is not the mean over all samples.",
        given=given,
        if_equals={
            "The gradients are right; you return the sum or the mean of the micro-batches' means. The loss needs the same weights as they.": any_of(
                told(_equal), told(_one)
            ),
            "You return the loss of the last micro-batch only. Add them up.": told(_only_the_last),
        },
    )


# ------------------------------------------------------------------ balance


def _sums(costs: Sequence[float], cuts: Sequence[int]) -> list[float]:
    return [sum(costs[a:b]) for a, b in itertools.pairwise([0, *cuts, len(costs)])]


@lru_cache(maxsize=64)
def _all_cuts(layers: int, stages: int) -> NDArray[np.int64]:
    return np.array(list(itertools.combinations(range(1, layers), stages - 1)), dtype=int)


def _all_sums(costs: Sequence[float], stages: int) -> NDArray[np.float64]:
    """Return the stages' costs with each cut, a row for each of `_all_cuts`."""
    until = np.concatenate([[0], np.cumsum(costs)])
    ends = np.pad(until[_all_cuts(len(costs), stages)], ((0, 0), (1, 1)))
    ends[:, -1] = until[-1]
    return np.diff(ends, axis=1)


def _least(
    measure: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Callable[[Sequence[float], int], list[int]]:
    """Return who takes the cut with the least `measure` of the stages' costs, the first of several."""
    return lambda costs, stages: [
        int(cut) for cut in _all_cuts(len(costs), stages)[measure(_all_sums(costs, stages)).argmin()]
    ]


def _by_number(costs: Sequence[float], stages: int) -> list[int]:
    return [round(k * len(costs) / stages) for k in range(1, stages)]


def _greedy(over: bool) -> Callable[[Sequence[float], int], list[int]]:
    """Return who fills one stage after the other up to the mean, or until it is passed; each stage to come keeps a layer."""

    def fill(costs: Sequence[float], stages: int) -> list[int]:
        cuts: list[int] = []
        mean, now = sum(costs) / stages, 0.0
        for place, cost in enumerate(costs):
            full = now >= mean if over else now + cost > mean
            begun = place > (cuts[-1] if cuts else 0)
            short = len(costs) - place <= stages - 1 - len(cuts)
            if begun and len(cuts) < stages - 1 and (full or short):
                cuts.append(place)
                now = 0.0
            now += cost
        return cuts

    return fill


def _nearest(costs: Sequence[float], stages: int) -> list[int]:
    """Cut where the sum so far is nearest to each stage's share of the whole."""
    until = np.cumsum(costs)
    return [int(abs(until - until[-1] * k / stages).argmin()) + 1 for k in range(1, stages)]


_balance = _least(lambda sums: sums.max(axis=1))
_SHORTCUTS: Mistakes = {
    "You gave each stage equally many layers. They differ in cost, and the last one holds the output layer.": _by_number,
    "You filled one stage after the other up to the mean, or cut where it is nearest. Whatever that leaves lands on some stage.": (
        _greedy(True),
        _greedy(False),
        _nearest,
    ),
    "You made the stages as equal as can be, all of them. A pipeline waits for its slowest stage only: the others may differ.": (
        _least(lambda sums: sums.var(axis=1)),
        _least(lambda sums: np.ptp(sums, axis=1)),
    ),
    "This is the cut with the *slowest* slowest stage.": _least(lambda sums: -sums.max(axis=1)),
}


def _layers(rng: np.random.Generator) -> tuple[list[int], int] | None:
    """Draw layers, the last one with the output, that have one best cut."""
    stages, layers = int(rng.integers(4, 6)), int(rng.integers(9, 13))
    costs = [int(n) for n in rng.integers(1, 60, layers)]
    costs[-1] += int(rng.integers(10, 60))
    slowest = _all_sums(costs, stages).max(axis=1)
    return (costs, stages) if (slowest == slowest.min()).sum() == 1 else None


@exercise(
    lab="pipeline_parallel",
    title="Balance unequal stages",
    minutes=9,
    difficulty=3,
    hints=(
        "A pipeline goes at the pace of its slowest stage. So each cut has one number, and the best cut is the one where it is smallest.",
        "With at most twelve layers all cuts can be tried: `itertools.combinations(range(1, len(costs)), stages - 1)`.",
    ),
    last_hint="`min(all_cuts, key=slowest)`, where `slowest(cuts)` is the largest of `sum(costs[a:b]) for a, b in itertools.pairwise([0, *cuts, len(costs)])`.",
    draw=lambda rng: distinct(rng, _layers, _balance, _SHORTCUTS, apart=True),
    reference=_balance,
    mistakes={
        **_SHORTCUTS,
        "The cut is right, and its form is not: the answer is the *first* layer of every stage but the first, so p − 1 numbers.": (
            lambda costs, stages: [*_balance(costs, stages), len(costs)],
            lambda costs, stages: [0, *_balance(costs, stages)],
            lambda costs, stages: [0, *_balance(costs, stages), len(costs)],
            lambda costs, stages: [cut - 1 for cut in _balance(costs, stages)],
        ),
    },
)
def balance_stages(ask: Ask, drawn: tuple[list[int], int]) -> None:
    """Ask for the boundaries with the fastest slowest stage, where one cut is the best; and for a layer for each stage."""
    costs, stages = drawn
    ask(
        costs,
        stages,
        because="There is a cut whose slowest stage is faster: p − 1 rising numbers, each the first layer of a stage.",
    )
    ask(
        *(costs[-stages:], stages),
        because="With as many stages as layers each stage gets one: none may be without a layer.",
    )


# ------------------------------------------------------------------ the peak

Span = Callable[[Event, Event], float]  # of a micro-batch's F and B on a stage
Peaks = Callable[[list[Event], list[int]], list[int]]


def _peak(spans: list[tuple[float, float]], end_first: bool = True) -> int:
    """Return how many spans there are at most at once; of what happens at one moment ends are first, or begins."""
    steps = sorted(
        (when, change if end_first else -change, change) for a, b in spans for when, change in ((a, 1), (b, -1))
    )
    return max(itertools.accumulate(change for _, _, change in steps))


def _held(begin: str = "start", until: str = "end", end_first: bool = True) -> Peaks:
    """Return who holds a micro-batch from this moment of its F until that of its B."""

    def peaks(events: list[Event], bytes_each: list[int]) -> list[int]:
        found = []
        for stage, size in enumerate(bytes_each):
            own = {(event.kind, event.microbatch): event for event in events if event.stage == stage}
            spans = [(getattr(f, begin), getattr(own["B", i], until)) for (kind, i), f in own.items() if kind == "F"]
            found.append(_peak(spans, end_first) * size)
        return found

    return peaks


def _running(events: list[Event], bytes_each: list[int]) -> list[int]:
    """Count the passes that run at once."""
    return [
        _peak([(event.start, event.end) for event in events if event.stage == stage]) * size
        for stage, size in enumerate(bytes_each)
    ]


_peaks = _held()
_HELD_OTHERWISE: Mistakes = {
    "A micro-batch is held from the *start* of its F, since what it saves piles up while F runs, to the *end* of its B, which needs it. "
    "You took it later, or let it go earlier.": (_held(until="start"), _held(begin="end"), _held("end", "start")),
    "Where one micro-batch goes at the very moment when another comes, you count both.": _held(end_first=False),
    "All micro-batches are counted as if none were ever released. A micro-batch goes when its B has ended.": (
        lambda events, bytes_each: [len({event.microbatch for event in events}) * size for size in bytes_each]
    ),
    "You counted the passes that run at the same time. A micro-batch is also held while nothing runs, between its F and its B.": (
        _running
    ),
    "These are numbers of micro-batches. Multiply by the bytes that one keeps on that stage.": (
        lambda events, bytes_each: _peaks(events, [1] * len(bytes_each))
    ),
}


def _passes(rng: np.random.Generator) -> tuple[list[Event], list[int]]:
    """Draw stages whose passes overlap, as on devices that do two things at once, with ties."""
    stages, m = int(rng.integers(2, 4)), int(rng.integers(5, 8))
    events = []
    for stage in range(stages):
        for i in range(m):
            start = int(rng.integers(0, 25))
            f, wait, b = (int(n) for n in rng.integers((1, 0, 2), (4, 6, 6)))
            events += [
                Event(stage, "F", i, start, start + f),
                Event(stage, "B", i, start + f + wait, start + f + wait + b),
            ]
    each = [int(n) for n in rng.choice(np.arange(3, 30), stages, replace=False)]
    return [events[place] for place in rng.permutation(len(events))], each


@exercise(
    lab="pipeline_parallel",
    title="What each stage holds at its peak",
    minutes=12,
    difficulty=3,
    hints=(
        "For one stage: a micro-batch is held from the start of its F to the end of its B. At which moments can the number of those held rise?",
        "Only when an F starts. So count at each such moment `t` how many micro-batches have `F.start <= t < B.end`.",
    ),
    last_hint="Make two dicts for each stage, `{microbatch: start of F}` and `{microbatch: end of B}`; the peak is the largest count over all `t` in the first; times `bytes_each[stage]`.",
    draw=lambda rng: distinct(rng, _passes, _peaks, _HELD_OTHERWISE, apart=True),
    reference=_peaks,
    mistakes=_HELD_OTHERWISE,
)
def peak_bytes(ask: Ask, drawn: tuple[list[Event], list[int]]) -> None:
    """Ask for the bytes that each stage holds at its peak, from events in no order."""
    events, each = drawn
    m = len({event.microbatch for event in events})
    ask(
        *drawn,
        because="These are not the peaks: for each stage, the most micro-batches at once between the start of their F and the end of their B, times its bytes.",
        given=f"{len(each)} stages, {m} micro-batches, bytes_each = {each}",
    )


# ------------------------------------------------------------------ the decision


def fullest(plan: PipelinePlan) -> float:
    """Return the share of a device that the fullest stage needs."""
    counts = schedules.held(plan.events())
    return max(f + n * a for f, n, a in zip(plan.fixed, counts, plan.activations, strict=True)) / plan.device


def _plan(
    rng: np.random.Generator,
    schedule: Any = "1f1b",
    m_per_stage: int = 8,
    speed: float = 0.65,
    again: bool = False,
    **changed: Any,
) -> PipelinePlan:
    """Return a plan that keeps both limits: equal stages, a bubble of about 0.1, an MFU of about 0.6, the fullest device at 0.7 to 0.85.

    `speed` is the share of the peak that products reach; with `again`, layers are computed again.
    """
    p = int(rng.integers(3, 7))
    m = m_per_stage * p if m_per_stage > 0 else 2
    seconds, device = float(rng.uniform(0.01, 0.1)), float(rng.uniform(16, 80)) * 1e9
    peak = float(rng.uniform(1, 10)) * 1e14
    most = m if schedule == "gpipe" else p
    each = device * float(rng.uniform(0.3, 0.45)) / most
    fixed = device * 0.4
    made: dict[str, Any] = {
        "forward": [seconds] * p,
        "backward": [(3 if again else 2) * seconds] * p,
        "activations": [each] * p,
        "fixed": [fixed] * p,
    }
    for name, change in changed.items():
        made[name] = change(made[name], p)
    return PipelinePlan(schedule, m, device=device, operations=3 * seconds * p * speed * peak, peak=peak, **made)


def _moved(place: Callable[[int], int], share: float) -> Callable[[list[float], int], list[float]]:
    """Return a change that puts so much more on one stage, and takes it from the others: the total stays."""

    def change(values: list[float], p: int) -> list[float]:
        more = values[0] * share
        return [value + more if stage == place(p) % p else value - more / (p - 1) for stage, value in enumerate(values)]

    return change


def _to_stop(rng: np.random.Generator) -> list[tuple[PipelinePlan]]:
    drawn = int(rng.integers(4))

    def middle(p: int) -> int:
        return 1 + drawn % (p - 2)

    return [
        (_plan(rng, forward=_moved(lambda p: -1, 0.9), backward=_moved(lambda p: -1, 0.9)),),  # the output layer
        (_plan(rng, forward=_moved(middle, 0.9), backward=_moved(middle, 0.9)),),
        (_plan(rng, backward=_moved(lambda p: 0, 1.4)),),  # forward passes are equal
        (_plan(rng, m_per_stage=0),),  # two micro-batches
        (_plan(rng, speed=0.48, again=True),),  # it hardly waits: a quarter of its work is done twice
        (_plan(rng, speed=0.33),),  # it hardly waits: its products are slow
        (_plan(rng, activations=_moved(lambda p: 0, 0.95)),),  # the stage that holds most of them
        (_plan(rng, fixed=_moved(lambda p: -1, 1.2)),),  # the last holds one micro-batch, and the vocabulary
        (_plan(rng, fixed=_moved(middle, 1.2)),),
        (replace(_plan(rng), schedule="gpipe"),),  # 1F1B would keep the limit
    ]


def _to_pass(rng: np.random.Generator) -> list[tuple[PipelinePlan]]:
    return [
        (_plan(rng),),
        (_plan(rng, "gpipe"),),
        (_plan(rng, m_per_stage=2),),  # it waits for more than a fifth of the time, and does enough in the rest
        (_plan(rng, again=True),),  # computes again, and does enough
        (_plan(rng, forward=_moved(lambda p: 1, 0.05), backward=_moved(lambda p: 1, 0.05)),),
        (_plan(rng, activations=_moved(lambda p: -1, 0.9)),),  # the last stage holds one micro-batch only
        (_plan(rng, fixed=_moved(lambda p: 1, 0.1)),),
    ]


decide = decision(
    lab="pipeline_parallel",
    title="A decision: may this plan have the devices?",
    minutes=18,
    evidence={"mfu": lambda: PLAN.mfu, "fullest_device": lambda: fullest(PLAN)},
    limits={"mfu": MFU_AT_LEAST, "fullest_device": FULL_AT_MOST},
    stop=_to_stop,
    stop_because="Your control lets a plan pass whose MFU is below 0.4, or of which one stage needs more than 0.9 of its device, although the totals look fine. "
    "The law for equal stages, the idle share and the mean over the devices do not see it: look at the MFU, and at each stage.",
    let_pass=_to_pass,
    pass_because="Your control stops a plan whose MFU and whose fullest device keep both limits. Waiting, computing again, and a last stage with large "
    "activations (it holds one micro-batch with 1F1B) are no harm by themselves.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and (values["mfu"] < MFU_AT_LEAST or values["fullest_device"] > FULL_AT_MOST),
            "Your control stops this plan, and your choice ships it. One of the two has to change.",
            case=lambda: (PLAN,),
        ),
    ),
    rubric=(
        "Who else would have used these devices in the hours that are paid and idle?",
        "Does the dissent say what a later start costs those who wait for the model?",
        "Does the residual risk name what a simulation cannot see: the network, a slow device, a run that fails and starts again?",
        "Can the owner refuse the devices, and is the plan measured again once it runs?",
    ),
    examples=(
        ReasonedAnswer(
            "Fix",
            "The same model with the boundaries (4, 13, 23) keeps both limits on the same four cards: an MFU of 0.48, the fullest card at 0.84. With layers computed "
            "again and the boundaries (8, 16, 23) it waits for 0.18 of the time instead of 0.28, and a step takes 1.44 s instead of 1.32.",
        ),
        ReasonedAnswer(
            "Stop",
            "The vocabulary makes the two ends of this model heavier than its middle: even cut at (4, 13, 23), the first card waits for 0.65 of the time. Use a smaller vocabulary or a model that exists, "
            "and leave the cards to those who have work for all of them.",
        ),
    ),
    hints={
        "evidence": "Look at the two numbers that you recorded, and say of each on which side of its limit it lies.",
        "control": "A control gets one plan. Its MFU is there; for the memory use your `peak_bytes`, and add `plan.fixed`, stage by stage. Which stage decides?",
    },
    last_hints={
        "control": "Return `plan.mfu >= 0.4 and max(...) <= 0.9`, with the maximum over the stages of (fixed + peak) / device.",
    },
)  # fmt: skip
