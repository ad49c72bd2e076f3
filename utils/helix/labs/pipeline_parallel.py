"""Pipeline parallelism: an order, a number of micro-batches, gradients on real ranks, a balance, a peak, and a plan judged."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from helix.checking import ReasonedAnswer, Rule, Unmet, any_of, decision, exercise, expect, expect_that
from helix.distributed.paper import schedules
from helix.distributed.paper.pipeline_plan import PLAN, PipelinePlan
from helix.distributed.paper.schedules import Event

IDLE_AT_MOST, FULL_AT_MOST = 0.2, 0.9
Order = list[tuple[str, int]]


# ------------------------------------------------------------------ the order


def _order(microbatches: int, ahead: int, first: str = "F") -> Order:
    """Return an order with so many forward passes ahead, and no check whether it can run."""
    ahead = max(0, min(ahead, microbatches))
    forward: Order = [("F", i) for i in range(microbatches)]
    backward: Order = [("B", i) for i in range(microbatches)]
    pairs = zip(forward[ahead:], backward, strict=False)
    steady = [action for f, b in pairs for action in ((f, b) if first == "F" else (b, f))]
    return forward[:ahead] + steady + backward[microbatches - ahead :]


@exercise(
    lab="pipeline_parallel",
    title="The order of 1F1B",
    minutes=15,
    difficulty=3,
    hints=(
        "Draw four stages and follow micro-batch 0 to the last stage and back. How many forward passes can stage `rank` do before B0 reaches it?",
        "Warm-up: `ahead = stages - 1 - rank` forward passes, but never more than there are micro-batches. Then one F and one B in turn. What is left over "
        "at the end?",
        "`for i in range(microbatches - ahead)`: append `('F', ahead + i)` and `('B', i)`. Then the last `ahead` backward passes.",
    ),
)
def order_1f1b(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask in which order a stage works with 1F1B: the first, one in the middle, the last, and with few micro-batches."""
    p = int(rng.integers(4, 8))
    m = p + int(rng.integers(2, 6))
    middle, few = int(rng.integers(1, p - 2)), int(rng.integers(1, p - 2))
    if 2 * middle == p - 1:  # there, counting from the other end would be right by luck
        middle += 1
    asked = [(p, 0, m), (p, middle, m), (p, p - 1, m), (p, 0, few)]

    def wrong(ahead: Callable[[int, int], int], first: str = "F") -> list[Order]:
        return [_order(n, ahead(stages, rank), first) for stages, rank, n in asked]

    def uncapped(stages: int, rank: int, n: int) -> Order:
        ahead = stages - 1 - rank
        steady = [action for i in range(n - ahead) for action in (("F", ahead + i), ("B", i))]
        return [("F", i) for i in range(ahead)] + steady + [("B", i) for i in range(max(0, n - ahead), n)]

    wanted = wrong(lambda stages, rank: stages - 1 - rank)
    got = [answer(*case) for case in asked]
    if not all(isinstance(each, list | tuple) for each in got):
        bad = next(each for each in got if not isinstance(each, list | tuple))
        raise Unmet("Return a list of pairs such as ('F', 0).", got=repr(bad)[:80])
    expect(
        [[tuple(action) if isinstance(action, list | tuple) else action for action in each] for each in got],
        equal_to=wanted,
        because="This is not the order of 1F1B: p − 1 − rank forward passes ahead, then one F and one B in turn, then the B that are left.",
        given=f"(stages, rank, microbatches) = {', '.join(map(str, asked))}",
        if_equals={
            "This is GPipe's order: all forward passes first. 1F1B starts a backward pass as soon as one can have arrived, so that fewer "
            "micro-batches are held.": wrong(lambda stages, rank: 10**6),
            "This is the naive order: every micro-batch is finished before the next one starts, so that all other stages wait.": wrong(
                lambda stages, rank: 0
            ),
            "Every stage does p − 1 forward passes ahead. The later a stage, the sooner B0 is back: only stage 0 needs so many.": wrong(
                lambda stages, rank: stages - 1
            ),
            "You counted from the other end: the *last* stage has none ahead, the first has the most.": wrong(
                lambda stages, rank: rank
            ),
            "You do one forward pass more than needed before the first backward pass, so each stage holds one micro-batch too many.": wrong(
                lambda stages, rank: stages - rank
            ),
            "You do one forward pass too few before the first backward pass: the stage would wait for B0 with nothing to do.": wrong(
                lambda stages, rank: stages - 2 - rank
            ),
            "In turn means F, then B. You begin with a B, and the last stage would need B0 before F0.": wrong(
                lambda stages, rank: stages - 1 - rank, "B"
            ),
            "The last backward passes are missing. Every micro-batch has one F and one B on every stage.": [
                each[: 2 * n - min(stages - 1 - rank, n)] for each, (stages, rank, n) in zip(wanted, asked, strict=True)
            ],
            "With fewer micro-batches than stages you do forward passes of micro-batches that do not exist.": [
                uncapped(*case) for case in asked
            ],
            "Micro-batches are numbered from 0.": [[(kind, i + 1) for kind, i in each] for each in wanted],
        },
    )


# ------------------------------------------------------------------ how many


def _fewest(
    stages: int, batch: int, limit: float, share: Callable[[int, int], float] = lambda p, m: (p - 1) / (m + p - 1)
) -> int | None:
    return next((m for m in range(1, batch + 1) if batch % m == 0 and share(stages, m) <= limit), None)


def _draw_batches(rng: np.random.Generator) -> list[tuple[int, int, float]]:
    """Draw a limit that is met exactly, one whose m does not divide, one met by single samples only, and one never met."""
    while True:
        # A power of two, so that there is no rounding in the limit; the numbers beside the right one divide the batch too.
        p, limit = int(rng.integers(3, 7)), float(rng.choice([0.25, 0.125]))
        exact = round((p - 1) * (1 / limit - 1))
        q, loose = int(rng.integers(3, 8)), float(rng.uniform(0.12, 0.3))
        least = next(m for m in itertools.count(1) if (q - 1) / (m + q - 1) <= loose)
        nearby = next(b for b in itertools.count(2 * least + 1) if b % least and b % (least + 1))
        asked = [
            (p, (exact - 1) * exact * (exact + 1), limit),
            (q, 2 * nearby, loose),
            (2, int(rng.choice([11, 13, 17, 19])), 0.3),
            (8, int(rng.integers(2, 5)), 0.2),
        ]
        shares: tuple[Callable[[int, int], float], ...] = (
            lambda p, m: (p - 1) / (m + p - 1),
            lambda p, m: (p - 1) / m,
            lambda p, m: p / (m + p),
        )
        found = [_fewest(*asked[0], share) for share in shares]
        if len({exact + 1, *found}) == 4:
            return asked


@exercise(
    lab="pipeline_parallel",
    title="How many micro-batches?",
    minutes=10,
    difficulty=2,
    hints=(
        "You need not solve for m. How many values can m have at all?",
        "m must divide the batch: look at `m` from 1 to `batch` and leave out those with `batch % m`.",
        "`for m in range(1, batch + 1): if batch % m == 0 and (stages - 1) / (m + stages - 1) <= limit: return m`, and `None` at the end.",
    ),
)
def fewest_microbatches(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the fewest micro-batches that divide the batch and keep the bubble within a limit: exactly, at the next, at last, never."""
    asked = _draw_batches(rng)

    def each(of: Callable[..., Any]) -> list[Any]:
        return [of(*case) for case in asked]

    expect(
        each(answer),
        equal_to=each(_fewest),
        because="This is not the fewest: the smallest m that divides the batch and has (p − 1)/(m + p − 1) at or below the limit.",
        given=f"(stages, batch, limit) = {', '.join(f'({a}, {b}, {c:.4g})' for a, b, c in asked)}",
        if_equals={
            "Your m does not divide the batch: micro-batches of unequal size would be left.": any_of(
                each(lambda s, b, c: next((m for m in range(1, b + 1) if (s - 1) / (m + s - 1) <= c), None)),
                each(lambda s, b, c: next(m for m in itertools.count(1) if (s - 1) / (m + s - 1) <= c)),
            ),
            "A bubble of exactly the limit is allowed.": each(
                lambda s, b, c: next((m for m in range(1, b + 1) if b % m == 0 and (s - 1) / (m + s - 1) < c), None)
            ),
            "This takes (p − 1)/m, the wait over the *ideal* time. The share of all time has m + p − 1 below the line.": each(
                lambda s, b, c: _fewest(s, b, c, lambda p, m: (p - 1) / m)
            ),
            "The bubble of p stages has p − 1 above the line, not p: with one stage nobody waits.": each(
                lambda s, b, c: _fewest(s, b, c, lambda p, m: p / (m + p))
            ),
            "This is the most micro-batches, one sample each. The fewest are wanted: each costs a message.": each(
                lambda s, b, c: b if (s - 1) / (b + s - 1) <= c else None
            ),
            "Where no number of micro-batches is enough, the answer is `None`, not the batch.": each(
                lambda s, b, c: _fewest(s, b, c) or b
            ),
            "Where no number of micro-batches is enough, the answer is `None`: 0 micro-batches are no batch.": each(
                lambda s, b, c: _fewest(s, b, c) or 0
            ),
        },
    )


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


def _trained(case: tuple[int, list[int], int], weights: Sequence[float], told: Sequence[float]) -> tuple[Any, Any, Any]:
    """Return loss, last stage's and first stage's gradient if each micro-batch's mean loss counts with this weight."""
    import torch

    seed, sizes, width = case
    before, after, x, y = _two_stages(seed, sizes, width)
    pairs = zip(x.split(sizes), y.split(sizes), strict=True)
    losses = [torch.nn.functional.cross_entropy(after(before(a)), b) for a, b in pairs]
    sum(w * loss for w, loss in zip(weights, losses, strict=True)).backward()
    loss = sum(w * each.item() for w, each in zip(told, losses, strict=True))
    return loss, after.weight.grad.tolist(), before.weight.grad.tolist()


@exercise(
    lab="pipeline_parallel",
    title="The last stage, with uneven micro-batches",
    minutes=22,
    difficulty=4,
    hints=(
        "For each micro-batch: receive it, `stage(x)`, the loss, `backward()`, send `x.grad`. What has to be asked of a received tensor so that it gets a `.grad`?",
        "The mean over all samples is not the mean of the micro-batches' means where these differ in size. What does a micro-batch of 3 in a batch of 10 count?",
        "`x = torch.empty(n, width, dtype=torch.float64)`; `dist.recv(x, src=rank - 1)`; `x.requires_grad_()`; `loss = cross_entropy(stage(x), y) * n / sum(sizes)`; "
        "`loss.backward()`; `dist.send(x.grad, dst=rank - 1)`; add `loss.item()`.",
    ),
    errors={
        r"does not require grad|does not have a grad_fn": "A received tensor is new here: nobody asked for its gradient. `x.requires_grad_()`, before the stage gets it.",
        r"different sizes": "What you receive has another size in bytes than what was sent: numbers in float64 (`dtype=torch.float64`), and gradients back in the same order.",
        r"same dtype|expected scalar type|Double": "The ranks work in float64: `torch.empty(..., dtype=torch.float64)`.",
        r"tensor must be specified|NoneType": "`x.grad` is `None` until `backward()` has run, and unless `x.requires_grad_()` came before.",
        r"The time limit of": "A rank waits in vain. Stage 0 sends each micro-batch, and then waits for one gradient for each, in the same order.",
        r"No rank could go on": "Both ranks wait. Stage 0 sends each micro-batch once, and then waits for one gradient for each, in the same order.",
    },
    repeats=2,
    seconds=30.0,
    processes=True,
)
def last_stage(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the last stage's side of a step, on a real rank beside a stage that sends and waits."""
    from helix.distributed import launch

    cases = []
    for _ in range(2):
        sizes = [int(n) for n in rng.permutation([1, int(rng.integers(2, 4)), int(rng.integers(5, 8))])]
        cases.append((int(rng.integers(2**31)), sizes, int(rng.integers(3, 6))))
    first, last = launch(_on_rank, answer, cases, timeout=4, careful=True, show=False)
    got = [(loss, own, before) for (loss, own), before in zip(last, first, strict=True)]

    def each(weights: Callable[[list[int]], list[float]], told: Callable[[list[int]], list[float]]) -> list[Any]:
        return [_trained(case, weights(case[1]), told(case[1])) for case in cases]

    def share(sizes: list[int]) -> list[float]:
        return [n / sum(sizes) for n in sizes]

    def equal(sizes: list[int]) -> list[float]:
        return [1 / len(sizes)] * len(sizes)

    def one(sizes: list[int]) -> list[float]:
        return [1.0] * len(sizes)

    def samples(sizes: list[int]) -> list[float]:
        return [float(n) for n in sizes]

    def only(sizes: list[int]) -> list[float]:
        return [*[0.0] * (len(sizes) - 1), share(sizes)[-1]]

    wanted = each(share, share)
    some = [[loss for loss, _, _ in got], [own for _, own, _ in got], [before for _, _, before in got]]
    expect_that(
        all(own is not None for own in some[1]),
        because="The stage's parameters have no gradient when your function returns: `backward()` has to run, and nobody may clear it after.",
    )
    expect(
        [(own, before) for _, own, before in got],
        close_to=[(own, before) for _, own, before in wanted],
        because="The gradients of the two stages are not those of one process with the whole batch.",
        given=f"micro-batches of {' and of '.join(map(str, (case[1] for case in cases)))} samples",
        if_equals={
            "You took the mean of the micro-batches' means. They differ in size: a sample in a small one would count more.": [
                pair[1:] for pair in each(equal, equal)
            ],
            "Gradients of the micro-batches are added up, each that of a *mean*: the sum is too large. Weigh each mean with its share of the batch.": [
                pair[1:] for pair in each(one, one)
            ],
            "These are the gradients of the summed loss. The batch's loss is a mean: divide by the number of samples.": [
                pair[1:] for pair in each(samples, samples)
            ],
            "The stage before got the right gradients, but here only the last micro-batch is left: something clears the gradients in between.": [
                (a[1], b[2]) for a, b in zip(each(only, share), wanted, strict=True)
            ],
            "This stage's gradients are right. What you sent back is not weighted in the same way.": any_of(
                *(
                    [(b[1], a[2]) for a, b in zip(each(other, share), wanted, strict=True)]
                    for other in (equal, one, samples)
                )
            ),
        },
    )
    expect(
        some[0],
        close_to=[loss for loss, _, _ in wanted],
        because="The gradients are right; the loss that you return is not the mean over all samples.",
        given=f"micro-batches of {' and of '.join(map(str, (case[1] for case in cases)))} samples",
        if_equals={
            "You return the mean of the micro-batches' means. The gradients are right; the loss needs the same weights.": [
                loss for loss, _, _ in each(share, equal)
            ],
            "You return the sum of the micro-batches' means.": [loss for loss, _, _ in each(share, one)],
            "You return the loss of the last micro-batch only. Add them up.": [
                loss for loss, _, _ in each(share, only)
            ],
        },
    )


# ------------------------------------------------------------------ balance


def _sums(costs: Sequence[float], cuts: Sequence[int]) -> list[float]:
    return [sum(costs[a:b]) for a, b in itertools.pairwise([0, *cuts, len(costs)])]


def _slowest(costs: Sequence[float], cuts: Sequence[int]) -> float:
    return max(_sums(costs, cuts))


def _all_sums(costs: Sequence[float], stages: int) -> list[list[float]]:
    return [_sums(costs, cuts) for cuts in itertools.combinations(range(1, len(costs)), stages - 1)]


def _by_number(costs: Sequence[float], stages: int) -> list[int]:
    return [round(k * len(costs) / stages) for k in range(1, stages)]


def _greedy(costs: Sequence[float], stages: int, over: bool) -> list[int]:
    """Fill one stage after the other up to the mean, or until it is passed; layers for the stages to come are kept."""
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


def _draw_costs(rng: np.random.Generator) -> tuple[list[int], int]:
    """Draw layers on which every known shortcut misses the best cut."""
    while True:
        stages, layers = int(rng.integers(3, 5)), int(rng.integers(8, 11))
        costs = [int(n) for n in rng.integers(1, 10, layers)]
        costs[-1] += int(rng.integers(3, 15))  # the output layer
        cuts_of = list(itertools.combinations(range(1, layers), stages - 1))
        by_squares = min(cuts_of, key=lambda cuts: sum(one * one for one in _sums(costs, cuts)))
        by_range = min(cuts_of, key=lambda cuts: max(_sums(costs, cuts)) - min(_sums(costs, cuts)))
        shortcuts = (
            _by_number(costs, stages),
            _greedy(costs, stages, True),
            _greedy(costs, stages, False),
            by_squares,
            by_range,
        )
        best = min(map(max, _all_sums(costs, stages)))
        if best not in {_slowest(costs, cuts) for cuts in shortcuts}:
            return costs, stages


@exercise(
    lab="pipeline_parallel",
    title="Balance unequal stages",
    minutes=15,
    difficulty=3,
    hints=(
        "A pipeline goes at the pace of its slowest stage. So each cut has one number, and the best cut is the one where it is smallest.",
        "With at most twelve layers all cuts can be tried: `itertools.combinations(range(1, len(costs)), stages - 1)`.",
        "`min(all_cuts, key=slowest)`, where `slowest(cuts)` is the largest of `sum(costs[a:b]) for a, b in itertools.pairwise([0, *cuts, len(costs)])`.",
    ),
)
def balance_stages(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the boundaries with the fastest slowest stage; several may be best, so what counts is the slowest stage."""
    costs, stages = _draw_costs(rng)
    sums = _all_sums(costs, stages)
    expect(
        _slowest(costs, _cuts(answer, costs, stages)),
        close_to=min(map(max, sums)),
        because="There is a cut whose slowest stage is faster.",
        given=f"costs = {costs}, stages = {stages}",
        if_equals={
            "You gave each stage equally many layers. They differ in cost, and the last one holds the output layer.": _slowest(
                costs, _by_number(costs, stages)
            ),
            "You filled one stage after the other up to the mean. Whatever that leaves lands on the last stage.": any_of(
                _slowest(costs, _greedy(costs, stages, True)), _slowest(costs, _greedy(costs, stages, False))
            ),
            "This is the cut with the *slowest* slowest stage.": max(map(max, sums)),
        },
    )
    # One layer outweighs all others: however the rest is cut, it must still give every stage a layer.
    giant = [*costs[:-1], sum(costs) + 1]
    expect(
        _slowest(giant, _cuts(answer, giant, stages)),
        close_to=giant[-1],
        because="The last layer outweighs all others; it should be alone.",
        given=f"costs = {giant}, stages = {stages}",
    )


def _cuts(answer: Callable[..., Any], costs: list[int], stages: int) -> list[int]:
    """Return the boundaries that an answer gives, or say what is wrong with their form."""
    got, given = answer(list(costs), stages), f"costs = {costs}, stages = {stages}"
    try:
        cuts = [int(cut) for cut in got]
    except TypeError:
        raise Unmet("Return a list of the boundaries: the first layer of each stage but the first.", given) from None
    expect_that(
        len(cuts) == stages - 1,
        because=f"{stages} stages have {stages - 1} boundaries: the first layer of every stage but the first.",
        given=given,
        got=cuts,
    )
    expect_that(
        all(a < b for a, b in itertools.pairwise([0, *cuts, len(costs)])),
        because="The boundaries do not rise from 1 to the number of layers − 1, so a stage would have no layer.",
        given=given,
        got=cuts,
    )
    return cuts


# ------------------------------------------------------------------ the peak


def _peak(spans: list[tuple[int, int]], at_end_first: bool = True) -> int:
    steps = sorted((when, change if at_end_first else -change, change) for a, b in spans for when, change in ((a, 1), (b, -1)))  # fmt: skip
    return max(itertools.accumulate(change for _, _, change in steps))


def _draw_events(rng: np.random.Generator) -> tuple[list[Event], list[int]]:
    """Draw stages whose passes overlap, as on devices that do two things at once, with ties; shortcuts miss all of them."""
    while True:
        stages, m = int(rng.integers(2, 5)), int(rng.integers(5, 9))
        events = []
        for stage in range(stages):
            for i in range(m):
                start = int(rng.integers(0, 30))
                f, wait, b = (int(n) for n in rng.integers((1, 0, 2), (4, 6, 6)))
                events += [
                    Event(stage, "F", i, start, start + f),
                    Event(stage, "B", i, start + f + wait, start + f + wait + b),
                ]
        values = [_peaks(events, stages, *how) for how in _HELD.values()]
        if all(one != values[0] for one in values[1:]):
            each = [int(n) for n in rng.choice(np.arange(3, 30), stages, replace=False)]
            return [events[place] for place in rng.permutation(len(events))], each


# How the span is taken for which a micro-batch is held: from where to where, and what is counted first at the same moment.
_HELD = {
    "right": ("start", "end", True),
    "released early": ("start", "start", True),
    "taken late": ("end", "end", True),
    "tie": ("start", "end", False),
}


def _peaks(events: Sequence[Event], stages: int, begin: str, until: str, end_first: bool) -> list[int]:
    found = []
    for stage in range(stages):
        own = {(event.kind, event.microbatch): event for event in events if event.stage == stage}
        numbers = [i for kind, i in own if kind == "F"]
        found.append(_peak([(getattr(own["F", i], begin), getattr(own["B", i], until)) for i in numbers], end_first))
    return found


@exercise(
    lab="pipeline_parallel",
    title="What each stage holds at its peak",
    minutes=10,
    difficulty=3,
    hints=(
        "For one stage: a micro-batch is there from the start of its F to the end of its B. At which moments can the number rise?",
        "Only when an F starts. So count at each such moment `t` how many micro-batches have `F.start <= t < B.end`.",
        "Make two dicts for each stage, `{microbatch: start of F}` and `{microbatch: end of B}`; the peak is the largest count over all `t` in the first; times `bytes_each[stage]`.",
    ),
)
def peak_bytes(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the bytes that each stage holds at its peak, from events in no order."""
    events, each = _draw_events(rng)
    stages = len(each)

    def of(name: str) -> list[int]:
        return [n * size for n, size in zip(_peaks(events, stages, *_HELD[name]), each, strict=True)]

    m = sum(event.stage == 0 and event.kind == "F" for event in events)
    counts = _peaks(events, stages, *_HELD["right"])
    running = [
        _peak([(int(e.start), int(e.end)) for e in events if e.stage == stage]) * each[stage] for stage in range(stages)
    ]
    expect(
        answer(list(events), list(each)),
        close_to=of("right"),
        because="These are not the peaks: for each stage, the most micro-batches at once between the start of their F and the end of their B, times its bytes.",
        given=f"{stages} stages, {m} micro-batches, bytes_each = {each}",
        if_equals={
            "All micro-batches are counted as if none were ever released. A micro-batch goes when its B has ended.": [
                m * size for size in each
            ],
            "You release a micro-batch when its B *starts*. The backward pass is what needs it.": of("released early"),
            "You count a micro-batch only when its F has ended. What it saves piles up while F runs.": of("taken late"),
            "Where one micro-batch goes at the very moment when another comes, you count both.": of("tie"),
            "You counted the passes that run at the same time. A micro-batch is also held while nothing runs, between its F and its B.": running,
            "These are numbers of micro-batches. Multiply by the bytes that one keeps on that stage.": counts,
            "This is one number. Each stage is a device of its own: return a list.": any_of(
                max(of("right")), sum(of("right"))
            ),
        },
    )


# ------------------------------------------------------------------ the decision


def fullest(plan: PipelinePlan) -> float:
    """Return the share of a device that the fullest stage needs."""
    counts = schedules.held(plan.events())
    return max(f + n * a for f, n, a in zip(plan.fixed, counts, plan.activations, strict=True)) / plan.device


def _plan(rng: np.random.Generator, schedule: Any = "1f1b", m_per_stage: int = 8, **changed: Any) -> PipelinePlan:
    """Return a plan that keeps both limits: equal stages, a bubble of about 0.1, the fullest device at 0.7 to 0.85."""
    p = int(rng.integers(3, 7))
    m = m_per_stage * p if m_per_stage > 0 else 2
    seconds, device = float(rng.uniform(0.01, 0.1)), float(rng.uniform(16, 80)) * 1e9
    most = m if schedule == "gpipe" else p
    each = device * float(rng.uniform(0.3, 0.45)) / most
    fixed = device * 0.4
    made: dict[str, Any] = {
        "forward": [seconds] * p,
        "backward": [2 * seconds] * p,
        "activations": [each] * p,
        "fixed": [fixed] * p,
    }
    for name, change in changed.items():
        made[name] = change(made[name], p)
    return PipelinePlan(schedule, m, device=device, **made)


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
        (_plan(rng, forward=_moved(lambda p: -1, 0.6), backward=_moved(lambda p: -1, 0.6)),),  # the output layer
        (_plan(rng, forward=_moved(middle, 0.6), backward=_moved(middle, 0.6)),),
        (_plan(rng, backward=_moved(lambda p: 0, 0.6)),),  # forward passes are equal
        (_plan(rng, m_per_stage=0),),  # two micro-batches
        (_plan(rng, activations=_moved(lambda p: 0, 0.95)),),  # the stage that holds most of them
        (_plan(rng, fixed=_moved(lambda p: -1, 1.2)),),  # the last holds one micro-batch, and the vocabulary
        (_plan(rng, fixed=_moved(middle, 1.2)),),
        (_gpipe_too_much(rng),),
    ]


def _gpipe_too_much(rng: np.random.Generator) -> PipelinePlan:
    """Return a plan that 1F1B would keep within the limit and GPipe does not."""
    good = _plan(rng)
    return PipelinePlan(
        "gpipe", good.microbatches, good.forward, good.backward, good.activations, good.fixed, good.device
    )


def _to_pass(rng: np.random.Generator) -> list[tuple[PipelinePlan]]:
    return [
        (_plan(rng),),
        (_plan(rng, "gpipe"),),
        (_plan(rng, forward=_moved(lambda p: 1, 0.05), backward=_moved(lambda p: 1, 0.05)),),
        (_plan(rng, activations=_moved(lambda p: -1, 0.9)),),  # the last stage holds one micro-batch only
        (_plan(rng, fixed=_moved(lambda p: 1, 0.1)),),
    ]


decide = decision(
    lab="pipeline_parallel",
    title="A decision: may this plan have the devices?",
    minutes=18,
    evidence={"idle_share": lambda: schedules.idle_share(PLAN.events()), "fullest_device": lambda: fullest(PLAN)},
    limits={"idle_share": IDLE_AT_MOST, "fullest_device": FULL_AT_MOST},
    stop=_to_stop,
    stop_because="Your control lets a plan pass in which the devices wait more than a fifth of the time, or one stage needs more than 0.9 of its device, "
    "although the totals look fine. The law for equal stages and the mean over the devices do not see it: look at the events, and at each stage.",
    let_pass=_to_pass,
    pass_because="Your control stops a plan whose idle share and whose fullest device keep both limits. A last stage with large activations is no harm by "
    "itself: it holds one micro-batch with 1F1B.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and (values["idle_share"] > IDLE_AT_MOST or values["fullest_device"] > FULL_AT_MOST),
            "Your control stops this plan, and your choice ships it. One of the two has to change.",
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
            "The same model, cut where the operations are and with layers computed again, keeps both limits on the same four cards. A third more operations in the "
            "layers is cheaper than cards that stand still for half of the time.",
        ),
        ReasonedAnswer(
            "Stop",
            "The vocabulary makes two ends of this model heavier than its middle; four cards are the wrong number for it. Use a smaller vocabulary or a model that exists, "
            "and leave the cards to those who have work for all of them.",
        ),
    ),
    hints=(
        "`PLAN.events()` gives the predicted step. Its idle share is `schedules.idle_share(...)`; what each stage holds is your `peak_bytes`.",
        "A control gets one plan: `plan.events()`, `plan.activations`, `plan.fixed`, `plan.device`. Add `fixed` to your peaks, stage by stage.",
        "Return `idle_share <= 0.2 and max(...) <= 0.9`, with the maximum over the stages of (fixed + peak) / device.",
    ),
)  # fmt: skip
