"""Data parallelism: doubling, an evaluation in shares, a norm of shards, how many ranks are worth it, and a decision."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helix.checking import (
    Ask,
    Question,
    ReasonedAnswer,
    Rule,
    any_of,
    decision,
    distinct,
    exercise,
    expect,
    expect_that,
    per_rank,
)
from helix.checking.asking import Mistakes
from helix.checking.expectations import matches
from helix.distributed import RankFailed, launch
from helix.record import results

TIMEOUT = 7.0  # seconds until a launch of a check is ended
_WAITS = (
    "A rank waits for a message that nobody sends. Does every send have its receive on the partner, in the same step? If both partners wait until "
    "their own send is done, neither gets to receive: begin with `dist.isend`. "
    "And call `sending.wait()` before you change, or let go of, what you send."
)

Parts = list[NDArray[np.float64]]  # what each rank has


def _everywhere(parts: Parts) -> Parts:
    """Return the sum over the ranks, for each of them."""
    return [np.sum(parts, axis=0)] * len(parts)


def _of_partners(*distances: int) -> Callable[[Parts], Parts]:
    """Return a program that adds up what the ranks at these distances began with."""
    return lambda parts: [np.sum([parts[rank ^ far] for far in distances], axis=0) for rank in range(len(parts))]


@exercise(
    lab="data_parallel",
    title="All-reduce by doubling",
    minutes=15,
    difficulty=3,
    repeats=1,
    seconds=30,
    processes=True,
    hints=(
        "In step k the partner's number differs from yours in bit k, and only there.",
        "What you send is the sum that you have so far, not what you began with.",
    ),
    last_hint="The partner is `dist.get_rank() ^ distance`, with distance 1, 2, 4, … Then `sending = dist.isend(sum, partner)`, then receive into a tensor of its own, then `sending.wait()`, then add.",
    errors={
        r"SIGSEGV": "Is there a rank of that number? Distances are less than the number of ranks, which is not always 8.",
        r"wait|all were stopped": _WAITS,
    },
    reference=_everywhere,
    mistakes={
        "Each partner's first value arrives, but not what it had collected by then: send the running sum.": (
            _of_partners(0, 1, 2, 4),
            _of_partners(0, 1, 2),
        ),
        "This is the sum with one neighbour. Go on with distances 2, 4, … as long as they are less than the number of ranks.": (
            _of_partners(0, 1)
        ),
        "This is the mean. An all-reduce gives the sum; DDP divides afterwards.": (
            lambda parts: [np.mean(parts, axis=0)] * len(parts)
        ),
        "In each step what arrived replaced your sum instead of being added to it.": lambda parts: parts[::-1],
        "The sum is right on rank 0 only. After doubling everybody has it, so return it everywhere.": (
            lambda parts: [*_everywhere(parts)[:1], *[None] * (len(parts) - 1)]
        ),
    },
)
def all_reduce_by_doubling(ask: Ask, rng: np.random.Generator) -> None:
    """Sum over eight ranks in three exchanges and over four in two, and refuse six ranks."""
    for ranks, exchanges in ((8, 3), (4, 2)):
        values = rng.integers(1, 100, (ranks, 3)).astype(float) * 10.0 ** rng.integers(0, 3)
        given = f"{ranks} ranks; rank 0 has {values[0].tolist()}, rank 1 {values[1].tolist()}"
        asked = Question(
            per_rank(list(values)), because="This is not the sum over all ranks, on every rank.", given=given
        )
        found = ask.on_ranks(asked, ranks=ranks, timeout=TIMEOUT, careful=False, most_bytes=math.inf)  # only counted
        used = {call.name for calls in found.calls for call in calls} - {"send", "recv"}
        expect_that(
            not used,
            because=f"Here sums are made of `dist.isend` and `dist.recv` alone; you called {', '.join(sorted(used))}.",
            given=given,
        )
        sent = max(sum(call.name == "send" for call in calls) for calls in found.calls)
        expect_that(
            sent <= exchanges,
            because="The sum is right, with more messages than doubling needs. With 8 ranks three exchanges are enough.",
            given=given,
            got=f"{sent} messages of a rank",
        )
    try:
        refused: list[bool] = launch(_refuses_on_rank, ask.answer, ranks=6, timeout=TIMEOUT, note=False)
    except RankFailed as failure:
        if failure.kind not in ("stuck", "time", "killed"):  # gloo may crash where a rank is not there
            raise
        refused = [False]
    expect_that(
        all(refused),
        because="With six ranks there is not always a partner. Raise a ValueError before anything is sent, or the ranks wait for ever or add wrongly.",
        given="6 ranks",
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


def _answered(rng: np.random.Generator, n: int) -> tuple[list[int], list[int]]:
    """Draw classes and answers, of which most of the wrong ones are in the share of rank 0, if shares are dealt out."""
    truth = rng.integers(0, 4, n)
    guessed = truth.copy()
    wrong = np.concatenate([rng.choice(np.arange(0, n - 2, 3), 3, replace=False), [1, n - 1]])
    guessed[wrong] = (truth[wrong] + 1) % 4
    return truth.tolist(), guessed.tolist()


@exercise(
    lab="data_parallel",
    title="Everybody counts once",
    minutes=9,
    difficulty=2,
    repeats=1,
    seconds=30,
    processes=True,
    hints=(
        "Deal the samples out like cards: each once, and no rank gets two more than another.",
        "A share may be empty: a mean of it would be NaN, a count is 0. Nobody may skip the all-reduce.",
    ),
    last_hint="`X[rank::world]` is the share. Add up two numbers over all ranks, in one all-reduce: how many are right, and how many there are.",
    errors={r"wait|all were stopped": "A rank left out the all-reduce, perhaps the one whose share is empty."},
)
def evaluate(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for accuracies over shares: one sample more than a multiple of three, two more, and fewer than ranks."""
    few = rng.integers(0, 4, 2)
    cases = [
        _answered(rng, int(3 * rng.integers(4, 9) + 1)),
        _answered(rng, int(3 * rng.integers(4, 9) + 2)),
        (few.tolist(), [int(few[0]), int(few[1] + 1) % 4]),
    ]
    by_rank = launch(_evaluate_on_rank, answer, cases, ranks=3, timeout=TIMEOUT, careful=True, note=False)
    for case, (labels, answers) in enumerate(cases):
        right = np.equal(labels, answers)
        n = len(right)
        given = f"{n} samples on 3 ranks, of which {int(right.sum())} are answered rightly"
        values = [found[case][0] for found in by_rank]
        asked = [found[case][1] for found in by_rank]
        together = sum(map(len, asked))
        different = len({i for one in asked for i in one})
        expect_that(
            not all(len(set(one)) == n for one in asked),
            because="Every rank asked the model about all samples. That can give the right accuracy, and is three times the work: each takes its share.",
            given=given,
        )
        expect_that(
            together == different,
            because="Some samples were asked twice: shares that are filled up, as `DistributedSampler` does it, count somebody double.",
            given=given,
            got=f"{together} samples were asked",
        )
        expect_that(
            different == n,
            because="Some samples were never asked, as where the rest of the division was dropped. Their answers may be the ones that matter.",
            given=given,
            got=f"{different} samples were asked",
        )
        expect_that(
            max(map(len, asked)) - min(map(len, asked)) <= 1,
            because="The shares differ by more than one sample: the largest one decides how long all wait.",
            given=given,
            got=f"shares of {[len(one) for one in asked]}",
        )
        accuracy, whole = float(right.mean()), float(right.sum())
        own = [float(right[sorted(one)].mean()) if one else math.nan for one in asked]
        expect_that(
            not matches(values[0], accuracy, 1e-6) or matches(values[1:], [accuracy] * 2, 1e-6),
            because="The accuracy is right on rank 0 only. An all-reduce gives the sums to every rank; return it everywhere.",
            given=given,
            got=values,
        )
        expect(
            values,
            close_to=[accuracy] * 3,
            because="This is not the accuracy over all samples, on every rank.",
            given=given,
            if_equals={
                "This is the mean of the ranks' accuracies. A share that is smaller by one then counts as much as the others. Add up counts.": any_of(
                    *[[float(np.mean(own))] * 3, [float(np.nanmean(own))] * 3, [float(np.nansum(own) / 3)] * 3]
                ),
                "Each rank returns the accuracy of its own share. Sum over the ranks before you divide.": any_of(
                    own, [0.0 if math.isnan(one) else one for one in own]
                ),
                "This is how many are right. Divide by how many there are.": [whole] * 3,
                "The right answers of all ranks were divided by the samples of one rank: both numbers have to be summed.": (
                    [whole / max(1, len(one)) for one in asked]
                ),
            },
        )


def _scaled_by(length: Callable[[NDArray[np.float64]], float]) -> Callable[[Parts, float], Parts]:
    """Return a program that divides all shards by `length` of their norms, if it is more than `most`."""

    def clip(shards: Parts, most: float) -> Parts:
        long = length(np.array([np.linalg.norm(shard) for shard in shards]))
        return [shard * (most / long if long > most else 1.0) for shard in shards]

    return clip


def _clipped_alone(shards: Parts, most: float) -> Parts:
    return [_clip([shard], most)[0] for shard in shards]


_clip = _scaled_by(lambda norms: float(np.sqrt((norms**2).sum())))


@exercise(
    lab="data_parallel",
    title="The norm of a gradient that nobody holds",
    minutes=10,
    difficulty=3,
    repeats=1,
    seconds=30,
    processes=True,
    hints=(
        "The squared norm of the whole is the sum of the squared norms of its parts.",
        "One number from each rank is enough, also from the rank whose shard is empty. Which number may be added up over the ranks?",
    ),
    last_hint="All-reduce the sum of squares of your shard, then take the root. If that norm is greater than `most`, the factor is `most / norm`; otherwise the shard stays as it is.",
    errors={r"wait|all were stopped": "A rank left out the all-reduce, perhaps the one with an empty shard."},
    reference=_clip,
    mistakes={
        "Each rank clipped by the norm of its own shard. Shards then shrink by different factors, and the gradient points elsewhere.": (
            _clipped_alone
        ),
        "Norms were added. The squares of norms add up; take the root of their sum.": _scaled_by(np.sum),
        "The root is missing: this divides by the squared norm.": _scaled_by(lambda norms: float((norms**2).sum())),
        "This clips each entry. The direction of the gradient changes with it.": (
            lambda shards, most: [np.clip(shard, -most, most) for shard in shards]
        ),
    },
)
def clip_shards(ask: Ask, rng: np.random.Generator) -> None:
    """Clip by the norm over three shards of different length, one of them empty; leave a short gradient alone."""
    shards = [rng.normal(size=size) * scale for size, scale in ((4, 3.0), (2, 1.0), (0, 1.0))]
    shards = [shards[i] for i in rng.permutation(3)]
    norm = float(np.linalg.norm(np.concatenate(shards)))
    most = float(norm * rng.uniform(0.3, 0.6))
    given = f"shards of length {[len(one) for one in shards]}, norm of the whole {norm:.3f}, at most"
    ask.on_ranks(
        Question(
            *(per_rank(shards), most),
            because="The whole gradient does not have the norm `most` now, or its direction changed.",
            given=f"{given} {most:.3f}",
        ),
        Question(
            *(per_rank(shards), 2 * norm),
            because="This gradient is shorter than `most` and must stay as it is: the factor is at most 1.",
            given=f"{given} {2 * norm:.3f}",
        ),
        Question(
            *(per_rank([np.zeros(2), np.zeros(1), np.zeros(0)]), 1.0),
            because="A gradient of zeros has norm 0: dividing by it makes NaN of all weights.",
            given="shards of zeros, and an empty one",
        ),
        ranks=3,
        timeout=TIMEOUT,
    )


Choice = Callable[[dict[int, float], int, tuple[float, float], float], int]


def _times(seconds: dict[int, float], share: int, law: tuple[float, float]) -> dict[int, float]:
    least, critical = law
    return {ranks: least * (1 + critical / (ranks * share)) * each for ranks, each in seconds.items()}


def _cheapest(seconds: dict[int, float], share: int, law: tuple[float, float], budget: float) -> int:
    times = _times(seconds, share, law)
    return min(times, key=lambda ranks: ranks * times[ranks])


def _fastest(
    seconds: dict[int, float], share: int, law: tuple[float, float], budget: float, price: Callable[[int], int] = int
) -> int:
    """Return the fastest of those whose price, `price` of the ranks times the time, is within the budget."""
    times = _times(seconds, share, law)
    paid = [ranks for ranks in times if price(ranks) * times[ranks] <= budget]
    if not paid:
        raise ValueError
    return min(paid, key=lambda ranks: (times[ranks], ranks))


def _within(best: Callable[[Sequence[int], dict[int, float]], int]) -> Choice:
    """Return how one chooses otherwise among those within the budget."""

    def choose(seconds: dict[int, float], share: int, law: tuple[float, float], budget: float) -> int:
        times = _times(seconds, share, law)
        return best([ranks for ranks in times if ranks * times[ranks] <= budget], seconds)

    return choose


_most = _within(lambda paid, seconds: max(paid))
_quickest = _within(lambda paid, seconds: min(paid, key=lambda ranks: seconds[ranks]))
_CHOICES: Mistakes = {
    "This is the fastest of all; the budget does not pay for it. A price is N · steps · seconds.": (
        lambda seconds, share, law, budget: _fastest(seconds, share, law, math.inf),
        lambda seconds, share, law, budget: _fastest(seconds, share, law, budget, price=lambda ranks: 1),
    ),
    "This is the cheapest. Within the budget the shortest training is asked for.": _cheapest,
    "These are the most ranks that the budget pays. A step with more ranks may take longer, and beyond the critical batch steps "
    "hardly get fewer.": _most,
    "This has the quickest step. The number of steps differs as well: the batch is N · share.": _quickest,
}


def _rounded(how: Callable[[float], int]) -> Choice:
    """Return how one chooses whose steps are whole."""

    def choose(seconds: dict[int, float], share: int, law: tuple[float, float], budget: float) -> int:
        times = {n: how(law[0] * (1 + law[1] / (n * share))) * each for n, each in seconds.items()}
        return min(times, key=lambda ranks: (times[ranks], ranks))

    return choose


def _offer(rng: np.random.Generator) -> tuple[dict[int, float], int, tuple[float, float], float]:
    """Draw what ranks take, and a budget that pays for six of eight numbers of them."""
    share, law = int(rng.integers(4, 17)), (float(rng.integers(100, 400)), float(rng.integers(60, 300)))
    seconds = {2**k: round(float(rng.uniform(0.4, 1.6)) * (1 + 0.1 * k), 2) for k in range(8)}
    prices = sorted(ranks * time for ranks, time in _times(seconds, share, law).items())
    return seconds, share, law, round((prices[5] + prices[6]) / 2, 1)


def _few_steps(rng: np.random.Generator) -> tuple[dict[int, float], int, tuple[float, float], float]:
    """Draw a training of so few steps that rounding them tells, and any budget."""
    return (
        {2**k: round(float(rng.uniform(0.7, 1.3)), 2) for k in range(6)},
        4,
        (round(float(rng.uniform(1.5, 4)), 1), float(rng.integers(2, 6))),
        1e9,
    )


def _offers(rng: np.random.Generator) -> tuple[Any, Any]:
    rounded = (_rounded(math.ceil), _rounded(round), _rounded(math.floor))
    otherwise = (_cheapest, _most, _quickest)  # the fastest of all is right here
    return (
        distinct(rng, _offer, _fastest, _CHOICES, apart=True),
        distinct(rng, _few_steps, _fastest, {"rounded": rounded, "otherwise": otherwise}, apart=True),
    )


@exercise(
    lab="data_parallel",
    title="How many ranks are worth it",
    minutes=11,
    difficulty=3,
    hints=(
        "For N ranks the batch is `N * share`; the law gives the steps, `seconds[N]` the time of each.",
        "Every rank is paid for as long as the training lasts: N · steps · seconds.",
    ),
    last_hint="Keep those within the budget, and take the one with the least time; of equal times the fewest ranks.",
    draw=_offers,
    reference=_fastest,
    mistakes=_CHOICES,
)
def choose_ranks(ask: Ask, offers: tuple[Any, Any]) -> None:
    """Ask for the fastest number of ranks that the budget pays."""
    offer, few_steps = offers
    ask(*offer, because="This is not the number of ranks with the shortest training within the budget.")
    ask(
        *few_steps,
        because="This is not the shortest of these trainings of a few steps. Do not round the steps: the law gives a mean, which need not be whole.",
    )
    ask(
        *({1: 2.0, 2: 3.0, 4: 9.0}, 4, (10.0, 8.0), 1e9),  # exact in any order of multiplication
        because="One rank and two take equally long here. Of equal times take the fewest ranks.",
        given="1 and 2 ranks take 60 s each, 4 ranks 135 s; any budget",
    )
    ask(
        *({1: 2.0, 2: 2.0, 4: 2.0}, 4, (10.0, 8.0), 120.0),
        because="A price of just the budget is within it: `<=`.",
        given="1 rank: 60 s for 60 rank-seconds; 2 ranks: 40 s for 80; 4 ranks: 30 s for 120; budget 120",
    )
    seconds, share, law, _ = offer
    least = min(ranks * time for ranks, time in _times(seconds, share, law).items())
    ask.raises(
        ValueError,
        *(seconds, share, law, least / 2),
        because="No number of ranks is within this budget. Raise a ValueError: the cheapest is still too expensive.",
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
        "settings": {
            "device": "cpu",
            "threads": int(rng.integers(1, 9)),
            "deterministic": False,
            "benchmark": False,
            "matmul precision": "highest",
            "environment": {},
        },
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
        {"settings": {one: value for one, value in kept["settings"].items() if one != "threads"}},
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
    cases.append((kept, kept | {"world_size": kept["world_size"] * 2}))  # not a repetition of this run
    cases.append((kept, kept | {"seed": kept["seed"] + 1}))
    cases.append((kept, kept | {"settings": kept["settings"] | {"threads": kept["settings"]["threads"] + 1}}))
    return cases


def _cases_to_pass(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    kept, other = _record(rng), _record(rng)
    return [(kept, dict(kept)), (other | {"seed": 0}, dict(other) | {"seed": 0})]  # a seed of 0 is a seed


decide = decision(
    lab="data_parallel",
    title="A decision: what may be promised about a run?",
    minutes=17,
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
            "Promise what was shown: the same bits on equally many ranks of the same kind and settings, with the record attached. And tell those whose answer differs between worlds that it does: for them the model has no single answer.",
        ),
        ReasonedAnswer(
            "Stop",
            "Some people are paid by an answer that depends on how many processes summed a gradient. Repeating the same chance does not help them. Until a person looks at such pictures, sort by hand.",
        ),
    ),
    hints={
        "form": "Start from the form above, and replace every `...` by a sentence of your own.",
        "control": "Three questions: is each record complete, do both agree in all inputs, and did both end at the same weights?",
        "evidence": 'Look at the numbers that you recorded, and say on which side of the limit, 0.001, the first lies: `"changed_by_world": "> ..."` or `"<= ..."`; the second is a number of hashes, `"== ..."`.',
    },
    last_hints={
        "control": "`run_record.missing(record)` and `run_record.differences(record, repetition)` are lists: empty where nothing is wrong.",
    },
)
