"""Data parallelism: doubling, an evaluation in shares, a norm of shards, overlap, how many ranks are worth it, and a decision."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from helix.checking import ReasonedAnswer, Rule, any_of, decision, exercise, expect, expect_raises, expect_that
from helix.distributed import RankFailed, launch
from helix.record import results

TIMEOUT = 7.0  # seconds until a launch of a check is ended
_WAITS = (
    "A rank waits for a message that nobody sends. Does every send have its receive on the partner, in the same step? If both partners wait until "
    "their own send is done, neither gets to receive: begin with `dist.isend`. "
    "And call `sending.wait()` before you change, or let go of, what you send."
)


def _double_on_rank(answer: Callable[..., Any], mine: list[Any]) -> tuple[Any, bool]:
    """Return the answer's result, and whether its input is unchanged."""
    import torch
    import torch.distributed as dist

    tensor = torch.tensor(mine[dist.get_rank()], dtype=torch.float64)
    before = tensor.clone()
    result = answer(tensor)
    return (result.tolist() if isinstance(result, torch.Tensor) else result), torch.equal(tensor, before)


@exercise(
    lab="data_parallel",
    title="All-reduce by doubling",
    minutes=18,
    difficulty=3,
    repeats=2,
    seconds=30,
    processes=True,
    hints=(
        "In step k the partner's number differs from yours in bit k: `dist.get_rank() ^ distance`, with distance 1, 2, 4, …",
        "What you send is the sum that you have so far, not what you began with.",
        "`sending = dist.isend(sum, partner)`, then receive into a tensor of its own, then `sending.wait()`, then add.",
    ),
    errors={r"wait|in time": _WAITS},
)
def all_reduce_by_doubling(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Sum over eight ranks in three exchanges, and refuse three ranks."""
    values = rng.integers(1, 100, (8, 3)).astype(float) * 10.0 ** rng.integers(0, 3)
    found = launch(_double_on_rank, answer, values.tolist(), ranks=8, timeout=TIMEOUT, count=True, note=False)
    given = f"8 ranks; rank 0 has {values[0].tolist()}, rank 1 {values[1].tolist()}"
    used = {call.name for calls in found.calls for call in calls} - {"send", "recv"}
    expect_that(
        not used,
        because=f"Here sums are made of `dist.isend` and `dist.recv` alone; you called {', '.join(sorted(used))}.",
        given=given,
    )
    whole, ranks = values.sum(axis=0), range(8)
    expect(
        [value for value, _ in found],
        close_to=[whole.tolist()] * 8,
        because="This is not the sum over all ranks, on every rank.",
        given=given,
        if_equals={
            "Each partner's first value arrives, but not what it had collected by then: send the running sum.": [
                (values[r] + values[r ^ 1] + values[r ^ 2] + values[r ^ 4]).tolist() for r in ranks
            ],
            "This is the sum with one neighbour. Go on with distances 2, 4, … as long as they are less than the number of ranks.": [
                (values[r] + values[r ^ 1]).tolist() for r in ranks
            ],
            "This is the mean. An all-reduce gives the sum; DDP divides afterwards.": [(whole / 8).tolist()] * 8,
            "In each step what arrived replaced your sum instead of being added to it.": [
                values[r ^ 7].tolist() for r in ranks
            ],
            "The sum is right on rank 0 only. After doubling everybody has it, so return it everywhere.": [
                whole.tolist()
            ]
            + [None] * 7,
        },
    )
    expect_that(
        all(untouched for _, untouched in found),
        because="The sum is right, but the input was changed in place. Begin with `tensor.clone()`: the caller still needs its own gradient.",
        given=given,
    )
    sent = [sum(call.name == "send" for call in calls) for calls in found.calls]
    expect_that(
        max(sent) <= 3,
        because="The sum is right, with more messages than doubling needs. With 8 ranks three exchanges are enough.",
        given=given,
        got=f"{max(sent)} messages of a rank",
    )
    try:
        refused: list[bool] = launch(_refuses_on_rank, answer, ranks=3, timeout=TIMEOUT, note=False)
    except RankFailed as failure:
        if failure.kind not in ("stuck", "time"):
            raise
        refused = [False]
    expect_that(
        all(refused),
        because="With three ranks there is not always a partner. Raise a ValueError before anything is sent, or the ranks wait for ever or add wrongly.",
        given="3 ranks",
    )


def _refuses_on_rank(answer: Callable[..., Any]) -> bool:
    import torch
    import torch.distributed as dist

    try:
        answer(torch.ones(2, dtype=torch.float64))
    except ValueError:
        return True
    except (RuntimeError, IndexError):  # gloo's own complaint about a rank that is not there
        return False
    finally:
        # Whoever went wrong has left messages behind: nobody may go home before all have seen it.
        dist.barrier()
    return False


def _evaluate_on_rank(answer: Callable[..., Any], cases: list[tuple[Any, Any]]) -> list[tuple[Any, list[int]]]:
    """Return for each case the answer's result, and the samples that its model was asked about."""
    import torch

    found = []
    for truth, guessed in cases:
        asked: list[int] = []

        def model(x: Any, asked: list[int] = asked, guessed: list[int] = guessed) -> Any:
            chosen = x[:, 0].long().tolist()
            asked.extend(chosen)
            return torch.nn.functional.one_hot(torch.tensor([guessed[i] for i in chosen], dtype=torch.long), 4).float()

        X = torch.arange(len(truth), dtype=torch.float32)[:, None]
        result = answer(model, X, torch.tensor(truth))
        found.append((result.item() if isinstance(result, torch.Tensor) and result.numel() == 1 else result, asked))
    return found


@exercise(
    lab="data_parallel",
    title="Everybody counts once",
    minutes=14,
    difficulty=2,
    repeats=3,
    seconds=30,
    processes=True,
    hints=(
        "`X[rank::world]` deals out all samples, each once, and the shares differ by one at most.",
        "Add up two numbers over all ranks, in one all-reduce: how many are right, and how many there are.",
        "A share may be empty: a mean of it would be NaN, a count is 0. Nobody may skip the all-reduce.",
    ),
    errors={r"wait|in time": "A rank left out the all-reduce, perhaps the one whose share is empty."},
)
def evaluate(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for an accuracy over shares: samples that do not divide by three, and fewer samples than ranks."""
    n = int(3 * rng.integers(4, 9) + 2)
    truth = rng.integers(0, 4, n)
    guessed = truth.copy()
    wrong = np.concatenate(
        [rng.choice(np.arange(0, n - 2, 3), 3, replace=False), [1, n - 1]]
    )  # more in the share of rank 0
    guessed[wrong] = (truth[wrong] + 1) % 4
    few = rng.integers(0, 4, 2)
    cases = [(truth.tolist(), guessed.tolist()), (few.tolist(), [int(few[0]), int(few[1] + 1) % 4])]
    by_rank = launch(_evaluate_on_rank, answer, cases, ranks=3, timeout=TIMEOUT, careful=True, note=False)
    for case, (labels, answers) in enumerate(cases):
        right = np.equal(labels, answers)
        n = len(right)
        given = f"{n} samples on 3 ranks, of which {int(right.sum())} are answered rightly"
        asked = [found[case][1] for found in by_rank]
        values = [found[case][0] for found in by_rank]
        expect_that(
            not all(len(set(one)) == n for one in asked),
            because="Every rank asked the model about all samples. That is right, and three times the work: each takes its share.",
            given=given,
        )
        expect_that(
            sum(map(len, asked)) <= n and len({i for one in asked for i in one}) == sum(map(len, asked)),
            because="Some samples were asked twice: shares that are filled up, as `DistributedSampler` does it, count somebody double.",
            given=given,
            got=f"{sum(map(len, asked))} samples were asked",
        )
        expect_that(
            len({i for one in asked for i in one}) == n,
            because="Some samples were never asked: the rest of the division was dropped. Their answers may be the ones that matter.",
            given=given,
            got=f"{len({i for one in asked for i in one})} samples were asked",
        )
        expect_that(
            max(map(len, asked)) - min(map(len, asked)) <= 1,
            because="The shares differ by more than one sample: the largest one decides how long all wait.",
            given=given,
            got=f"shares of {[len(one) for one in asked]}",
        )
        own = [float(right[sorted(one)].mean()) if one else math.nan for one in asked]
        expect(
            values,
            close_to=[float(right.mean())] * 3,
            because="This is not the accuracy over all samples, on every rank.",
            given=given,
            if_equals={
                "This is the mean of the ranks' accuracies. A share that is smaller by one then counts as much as the others; add up counts.": any_of(
                    *[[float(np.mean(own))] * 3, [float(np.nanmean(own))] * 3, [float(np.nansum(own) / 3)] * 3]
                ),
                "Each rank returns the accuracy of its own share. Sum over the ranks before you divide.": any_of(
                    own, [0.0 if math.isnan(one) else one for one in own]
                ),
                "This is how many are right. Divide by how many there are.": [float(right.sum())] * 3,
                "The right answers of all ranks were divided by the samples of one: both numbers have to be summed.": any_of(
                    [float(right.sum()) / max(1, len(one)) for one in asked]
                ),
            },
        )


def _clip_on_rank(answer: Callable[..., Any], cases: list[tuple[list[list[float]], float]]) -> list[Any]:
    import torch
    import torch.distributed as dist

    found = []
    for shards, most in cases:
        shard = torch.tensor(shards[dist.get_rank()], dtype=torch.float64)
        result = answer(shard.clone(), most)
        found.append(result.tolist() if isinstance(result, torch.Tensor) else result)
    return found


@exercise(
    lab="data_parallel",
    title="The norm of a gradient that nobody holds",
    minutes=14,
    difficulty=3,
    repeats=3,
    seconds=30,
    processes=True,
    hints=(
        "The squared norm of the whole is the sum of the squared norms of its parts.",
        "All-reduce one number, the sum of squares of your shard; take the root *afterwards*.",
        "The factor is `min(1, most / norm)`: short gradients stay as they are.",
    ),
    errors={r"wait|in time": "A rank left out the all-reduce, perhaps the one with an empty shard."},
)
def clip_shards(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Clip by the norm over three shards of different length, one of them empty; leave a short gradient alone."""
    shards = [(rng.normal(size=size) * scale).tolist() for size, scale in ((4, 3.0), (2, 1.0), (0, 1.0))]
    shards = [shards[i] for i in rng.permutation(3)]
    norms = np.array([float(np.linalg.norm(one)) for one in shards])
    norm = float(np.sqrt((norms**2).sum()))
    most = float(norm * rng.uniform(0.3, 0.6))
    zero = [[0.0, 0.0], [0.0], []]
    cases: list[tuple[Any, float]] = [(shards, most), (shards, 2 * norm), (zero, 1.0)]
    found = launch(_clip_on_rank, answer, cases, ranks=3, timeout=TIMEOUT, careful=True, note=False)

    def scaled(factors: Any) -> list[list[float]]:
        return [
            (np.array(one) * factor).tolist() for one, factor in zip(shards, np.broadcast_to(factors, 3), strict=True)
        ]

    with np.errstate(divide="ignore"):
        own = np.minimum(1.0, most / norms)
    given = f"shards of length {[len(one) for one in shards]}, norm of the whole {norm:.3f}, at most {most:.3f}"
    expect(
        [one[0] for one in found],
        close_to=scaled(most / norm),
        because="The whole gradient does not have the norm `most` now, or its direction changed.",
        given=given,
        if_equals={
            "Each rank clipped by the norm of its own shard. Shards then shrink by different factors, and the gradient points elsewhere.": scaled(
                own
            ),
            "Norms were added. The squares of norms add up; take the root of their sum.": scaled(most / norms.sum()),
            "The root is missing: this divides by the squared norm.": scaled(min(1.0, most / norm**2)),
            "This takes the mean of the squares over the ranks. A norm knows no ranks.": scaled(
                min(1.0, most / (norm / math.sqrt(3)))
            ),
            "This clips each entry. The direction of the gradient changes with it.": [
                np.clip(one, -most, most).tolist() for one in shards
            ],
        },
    )
    expect(
        [one[1] for one in found],
        close_to=shards,
        because="This gradient is shorter than `most` and must stay as it is.",
        given=f"norm of the whole {norm:.3f}, at most {2 * norm:.3f}",
        if_equals={"A gradient that is short enough was made longer. The factor is at most 1.": scaled(2.0)},
    )
    expect(
        [one[2] for one in found],
        close_to=zero,
        because="A gradient of zeros has norm 0: dividing by it makes NaN of all weights.",
        given="shards of zeros, and an empty one",
    )


@exercise(
    lab="data_parallel",
    title="What overlap leaves over",
    minutes=12,
    difficulty=2,
    hints=(
        "One link: a bucket starts when it is ready *and* the one before has gone.",
        "Keep one number, the time at which the link is free, and go through the buckets.",
        "`free = max(free, ready) + alpha + beta * size` for each; the answer is `free` less the last `ready`.",
    ),
)
def exposed_seconds(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask by how much the messages outlast the backward pass."""
    alpha, beta = float(rng.uniform(0.5, 1.5)), float(rng.uniform(0.8, 1.2))
    # The link is never idle after the first: α of every message shows in the end, and neither sum nor last message alone gives it.
    ready = np.cumsum([float(rng.uniform(0.4, 0.8)), 1.0, 1.0, 0.5, 0.5])
    sizes = np.array([3.0, 2.0, float(rng.uniform(4, 6)), 3.0, float(rng.uniform(0.5, 1.5))])
    costs, free = alpha + beta * sizes, 0.0
    for at, cost in zip(ready, costs, strict=True):
        free = max(free, at) + cost
    bare, last = 0.0, float(ready[-1])
    for at, size in zip(ready, beta * sizes, strict=True):
        bare = max(bare, at) + size
    once = 0.0
    for index, (at, size) in enumerate(zip(ready, beta * sizes, strict=True)):
        once = max(once, at) + size + (alpha if index == 0 else 0)
    expect(
        answer(ready.tolist(), sizes.tolist(), alpha, beta),
        close_to=free - last,
        because="This is not the time between the end of the backward pass and the end of the last message.",
        given=f"ready at {ready.round(2).tolist()} s, sizes {sizes.round(2).tolist()} MB, α = {alpha:.2f} s, β = {beta:.2f} s a MB",
        if_equals={
            "All messages wait for the end of the backward pass here: there is no overlap.": float(costs.sum()),
            "The link was used twice at once: a bucket has to wait until the one before has gone.": float(
                (ready + costs).max() - last
            ),
            "Only the last message is counted. It may have to wait for those before it.": float(costs[-1]),
            "α is missing: each message costs a start.": bare - last,
            "α is counted for the first message only. Each message takes α of the link's time.": once - last,
            "This is the time at which all is done. The backward pass takes part of it anyway; return what comes after.": free,
            "This is the time of all messages less that of the backward pass, as if the first could start at 0.": float(
                costs.sum() - last
            ),
        },
    )
    expect(
        answer([1.0, 5.0, 9.0], [1.0, 1.0, 0.5], 0.25, 1.0),
        close_to=0.75,
        because="The link is idle between these buckets. It cannot send ahead of time what is not ready.",
        given="ready at 1, 5 and 9 s, sizes 1, 1 and 0.5 MB, α = 0.25 s, β = 1 s a MB",
    )


@exercise(
    lab="data_parallel",
    title="How many ranks are worth it",
    minutes=14,
    difficulty=3,
    hints=(
        "For N ranks the batch is `N * share`; the law gives the steps, `seconds[N]` the time of each.",
        "Every rank is paid for as long as the training lasts: N · steps · seconds.",
        "Keep those within the budget, and take the one with the least time; of equal times the fewest ranks.",
    ),
)
def choose_ranks(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the fastest number of ranks that the budget pays."""
    while True:
        share, least, critical = int(rng.integers(4, 17)), float(rng.integers(100, 400)), float(rng.integers(60, 300))
        counts = (1, 2, 4, 8, 16, 32, 64)
        seconds = {n: float(rng.uniform(0.4, 1.6) * (1 + 0.1 * math.log2(n))) for n in counts}
        times = {n: least * (1 + critical / (n * share)) * seconds[n] for n in counts}
        prices = {n: n * times[n] for n in counts}
        ordered = sorted(prices.values())
        budget = float((ordered[4] + ordered[5]) / 2)
        within = [n for n in counts if prices[n] <= budget]
        best = min(within, key=lambda n: times[n])
        fastest = min(counts, key=lambda n: times[n])
        unpaid = min((n for n in counts if times[n] <= budget), key=lambda n: times[n])
        cheapest, most = min(counts, key=lambda n: prices[n]), max(within)
        quickest = min(within, key=lambda n: seconds[n])
        if (
            len({best, fastest, cheapest, most, quickest}) == 5
        ):  # so that none of them is right by luck, or taken for another
            break
    expect(
        answer(seconds, share, (least, critical), budget),
        equal_to=best,
        because="This is not the number of ranks with the shortest training within the budget.",
        given=f"seconds a step { ({n: round(s, 2) for n, s in seconds.items()}) }, share {share}, S_min {least:.0f}, B_crit {critical:.0f}, budget {budget:.0f} rank-seconds",
        if_equals={
            "This is the fastest of all; the budget does not pay for it. A price is N · steps · seconds.": any_of(
                fastest, unpaid
            ),
            "This is the cheapest. Within the budget the shortest training is asked for.": cheapest,
            "These are the most ranks that the budget pays. A step with more ranks takes longer, and beyond the critical batch steps hardly get fewer.": most,
            "This has the quickest step. The number of steps differs as well; the batch is N · share.": quickest,
        },
    )
    expect(
        answer({1: 2.0, 2: 2.0 * (1 + 8 / 4) / (1 + 8 / 8), 4: 9.0}, 4, (10.0, 8.0), 1e9),
        equal_to=1,
        because="One rank and two take equally long here. Of equal times take the fewest ranks.",
        given="1 and 2 ranks take 60 s each, 4 ranks 135 s; any budget",
    )
    expect(
        answer({1: 2.0, 2: 2.0}, 4, (10.0, 8.0), 80.0),  # exact in any order of multiplication
        equal_to=2,
        because="A price of just the budget is within it: `<=`.",
        given="1 rank: 60 s for 60 rank-seconds; 2 ranks: 40 s for 80; budget 80",
    )
    expect_raises(
        ValueError,
        lambda: answer(dict(seconds), share, (least, critical), min(prices.values()) / 2),
        because="No number of ranks is within this budget. Raise a ValueError: the least that is too much is no answer.",
        given="half of the lowest price as the budget",
    )


# The decision ----------------------------------------------------------------------------------------------

LIMIT = 0.001


@cache
def _sums() -> Any:
    return results.load("09_data_parallel")["figures"]["sums"]


def _changed() -> float:
    return max(max(seeds) for seeds in _sums()["rates"]["0.02"]["changed"].values())


def _hex(rng: np.random.Generator, digits: int) -> str:
    return "".join(rng.choice(list("0123456789abcdef"), digits))


def _record(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "seed": int(rng.integers(0, 100)),
        "world_size": int(rng.integers(2, 9)),
        "batch_per_rank": int(rng.integers(8, 65)),
        "steps": int(rng.integers(100, 999)),
        "sampler": "shuffled by seed and epoch, dealt out in turn",
        "commit": _hex(rng, 40),
        "clean": True,
        "data_sha256": _hex(rng, 64),
        "backend": "gloo",
        "versions": {"python": "3.11.2", "torch": "2.13.0", "numpy": "2.3.5"},
        "hardware": {"cpu": "one of the workshop", "instructions": ["avx2"], "system": "Linux x86_64"},
        "weights_sha256": _hex(rng, 64),
    }


def _cases_to_stop(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    kept = _record(rng)
    cases: list[tuple[Any, ...]] = []
    faults: tuple[dict[str, Any], ...] = (
        {"world_size": None},
        {"data_sha256": "unknown"},
        {"clean": False},
        {"seed": None},
        {"versions": {}},
        {"commit": kept["commit"][:7]},
    )
    cases.extend(
        (kept | fault, dict(kept) | fault) for fault in faults
    )  # the same gap in both: they agree, and say nothing
    name = str(rng.choice(["world_size", "data_sha256", "hardware"]))
    cases.append(({one: value for one, value in kept.items() if one != name}, dict(kept)))
    cases.append((dict(kept), {one: value for one, value in kept.items() if one != name}))
    cases.append((kept, kept | {"clean": False}))
    cases.append((kept | {"clean": False}, dict(kept)))
    cases.append((kept, kept | {"weights_sha256": _hex(rng, 64)}))  # it ended elsewhere
    other = {"world_size": kept["world_size"] * 2, "batch_per_rank": kept["batch_per_rank"] + 1}
    cases.append((kept, kept | {"world_size": other["world_size"]}))  # not a repetition of this run
    cases.append((kept, kept | {"seed": kept["seed"] + 1}))
    return cases


def _cases_to_pass(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    kept, other = _record(rng), _record(rng)
    return [(kept, dict(kept)), (other | {"seed": 0}, dict(other) | {"seed": 0})]  # a seed of 0 is a seed


decide = decision(
    lab="data_parallel",
    title="A decision: what may be promised about a run?",
    minutes=18,
    evidence={"changed_by_world": _changed, "hashes_of_a_world": lambda: float(_sums()["hashes_of_a_world"])},
    limits={"changed_by_world": LIMIT},
    stop=_cases_to_stop,
    stop_because="Your control lets a result pass that nobody could repeat, or whose repetition had other inputs or ended at other weights.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a run whose record is complete, and whose repetition had the same inputs and ended at the same weights.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["changed_by_world"] > LIMIT,
            "The promise says “on any number of ranks”, and more answers change between worlds than the limit allows. This sentence cannot be shipped. If you mean to publish a narrower one, that is `fix: …`.",
        ),
        Rule(
            lambda made, values: len([one for one in made.affected if str(one).strip()]) < 2,
            "Name at least two: those of whom the model decides, and those who have to answer a complaint.",
        ),
    ),
    rubric=(
        "Does it say whose answers changed, and that for them the number of ranks decided?",
        "Is what may be promised said in words that a person with a complaint understands?",
        "Who keeps the records, for how long, and who may see them?",
    ),
    examples=(
        ReasonedAnswer(
            "Fix",
            "Promise what was shown: the same bits on equally many ranks of the same kind, with the record attached. And tell those whose answer differs between worlds that it does: for them the model has no answer.",
        ),
        ReasonedAnswer(
            "Stop",
            "Whoever is paid by an answer that hangs on how many processes summed a gradient is not served by a repetition of the same chance. Until such pictures go to a person, sort by hand.",
        ),
    ),
    hints=(
        "Start from the form above, and replace every `...` by a sentence of your own.",
        "`run_record.missing(record)` and `run_record.differences(record, repetition)` are lists: empty where nothing is wrong. Ask all three questions.",
        'Look at the numbers that you recorded, and say on which side of 0.001 the first lies: `"changed_by_world": "> ..."` or `"<= ..."`; the second is a number of hashes, `"== ..."`.',
    ),
)
