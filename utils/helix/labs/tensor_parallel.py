"""Tensor parallelism: an embedding and a loss over a cut vocabulary, key-value heads, half an all-reduce, a layout, and a decision."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from helix.checking import ReasonedAnswer, Rule, any_of, decision, exercise, expect, expect_raises, expect_that
from helix.distributed import launch

TIMEOUT = 7.0  # seconds until a launch of a check is ended
BUDGET = 6_000.0  # kWh
_LEFT_OUT = "A rank left out a message that the others wait for. Every rank must reach every all-reduce, also one that has nothing to add."
RANKS = 4


def _sent(calls: list[Any]) -> float:
    return max(sum(call.ring_bytes for call in each) for each in calls)


def _embed_on_rank(answer: Callable[..., Any], tokens: list[int], table: list[list[float]]) -> Any:
    import torch
    import torch.distributed as dist

    part = torch.tensor(table, dtype=torch.float64).chunk(dist.get_world_size())[dist.get_rank()]
    result = answer(torch.tensor(tokens), part.clone())
    return result.tolist() if isinstance(result, torch.Tensor) else result


@exercise(
    lab="tensor_parallel",
    title="An embedding, cut by words",
    minutes=16,
    difficulty=3,
    repeats=3,
    seconds=30,
    processes=True,
    hints=(
        "Subtract the number of this rank's first word. Which tokens are then yours?",
        "Look up something valid for the others too (`clamp`), and set it to 0 with the mask. A negative index would count from the end.",
        "One all-reduce of the rows that were found gives everybody the whole embedding.",
    ),
    errors={
        r"wait|in time": _LEFT_OUT,
        r"index out of range|out of bounds": "A token of another rank was looked up in your rows. Clamp the index, and mask what is not yours.",
    },
)
def embed(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Embed tokens that leave one rank without any, over 4 ranks."""
    words, width, n = 3, 2, 9
    table = (rng.integers(1, 100, (RANKS * words, width)) * rng.choice([-1, 1], (RANKS * words, width))).astype(float)
    table[:, 0] = -np.abs(table[:, 0])
    empty = int(rng.integers(0, RANKS))
    own = [word for word in range(RANKS * words) if word // words != empty]
    tokens = np.array([*rng.permutation(own)[: n - 1], own[0]])
    found = launch(
        _embed_on_rank,
        answer,
        tokens.tolist(),
        table.tolist(),
        ranks=RANKS,
        timeout=TIMEOUT,
        count=True,
        careful=True,
        note=False,
    )
    wanted = table[tokens]
    first = np.arange(RANKS)[:, None] * words

    def summed(rule: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> list[list[float]]:
        return np.sum(
            [rule(tokens - first[r], table[r * words : (r + 1) * words]) for r in range(RANKS)], axis=0
        ).tolist()

    def own_rows(r: int) -> list[list[float]]:
        local = tokens - r * words
        inside = ((local >= 0) & (local < words))[:, None]
        return (table[np.clip(tokens, r * words, (r + 1) * words - 1)] * inside).tolist()

    expect(
        found,
        close_to=[wanted.tolist()] * RANKS,
        because="These are not the rows of the whole table, on every rank.",
        given=f"{RANKS} ranks with {words} words each, tokens {tokens.tolist()}, none of them on rank {empty}",
        if_equals={
            "Tokens of other ranks were looked up too, in your first or last row, and added: set them to 0 before the sum.": [
                summed(lambda local, part: part[np.clip(local, 0, words - 1)])
            ]
            * RANKS,
            "Each rank returns its own rows, with 0 for the others. Sum over the ranks.": [
                own_rows(r) for r in range(RANKS)
            ],
            "Words before your first were counted from the end of your rows: a negative index is valid in Python. Ask for `local >= 0` too.": [
                summed(
                    lambda local, part: (
                        part[np.clip(local, -words, words - 1)] * ((local >= -words) & (local < words))[:, None]
                    )
                )
            ]
            * RANKS,
            "The largest was taken over the ranks. Rows may be negative: add them.": [np.maximum(wanted, 0).tolist()]
            * RANKS,
            "The tokens were looked up without subtracting the number of your first word: every rank found the rows of rank 0's words.": any_of(
                [summed(lambda local, part: part[np.clip(tokens, 0, words - 1)] * (tokens < words)[:, None])] * RANKS
            ),
        },
    )
    expect_that(
        _sent(found.calls) <= 2 * (RANKS - 1) / RANKS * n * width * 8 + 64,
        because="The result is right, and more was sent than it takes: one all-reduce of the embeddings is enough. The table stays where it is.",
        given=f"a table of {RANKS * words} words, {n} tokens",
        got=f"{_sent(found.calls):.0f} bytes from one rank",
    )


def _loss_on_rank(answer: Callable[..., Any], cases: list[tuple[Any, list[int]]]) -> list[Any]:
    import torch
    import torch.distributed as dist

    found = []
    for logits, targets in cases:
        part = torch.tensor(logits, dtype=torch.float64).chunk(dist.get_world_size(), dim=1)[dist.get_rank()]
        result = answer(part.clone(), torch.tensor(targets))
        found.append(result.item() if isinstance(result, torch.Tensor) and result.numel() == 1 else result)
    return found


def _log_sum(z: np.ndarray) -> np.ndarray:
    top = z.max(axis=1)
    return np.asarray(top + np.log(np.exp(z - top[:, None]).sum(axis=1)))


@exercise(
    lab="tensor_parallel",
    title="A loss over a vocabulary that is cut",
    minutes=18,
    difficulty=4,
    repeats=2,
    seconds=30,
    processes=True,
    hints=(
        "Subtract the largest logit *of all ranks* before `exp`: an all-reduce with `op=dist.ReduceOp.MAX`.",
        "Sum the exponentials of your words, then over the ranks; only then take the logarithm.",
        "The target's logit is on one rank only. The others add 0, as in exercise 1; subtract the same largest logit from it.",
    ),
    errors={
        r"wait|in time": _LEFT_OUT,
        r"index out of range|out of bounds": "A target of another rank was looked up among your words. Clamp the index, and mask it.",
    },
)
def vocabulary_loss(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the loss of small logits, and of logits whose exponentials do not exist."""
    words, n = 3, 4
    z = rng.normal(size=(n, RANKS * words)) * 2
    y = rng.integers(0, RANKS * words, n)
    big = z.copy()
    big[0] += 1_000.0  # a token whose logits are all large,
    big[1] -= 2_000.0  # one whose logits are all very negative,
    big[2, int(rng.integers(0, RANKS * words))] += 2_000.0  # and one with a single large one
    found = launch(
        _loss_on_rank,
        answer,
        [(z.tolist(), y.tolist()), (big.tolist(), y.tolist())],
        ranks=RANKS,
        timeout=TIMEOUT,
        count=True,
        careful=True,
        note=False,
    )
    right = z[np.arange(n), y]
    wanted = float((_log_sum(z) - right).mean())
    parts = [z[:, r * words : (r + 1) * words] for r in range(RANKS)]
    logs = np.array([_log_sum(part) for part in parts])
    inside = np.array([(y >= r * words) & (y < (r + 1) * words) for r in range(RANKS)])
    own_top = sum(np.exp(part - part.max(axis=1)[:, None]).sum(axis=1) for part in parts)
    top = z.max(axis=1)
    tops = np.array([part.max(axis=1) for part in parts])
    expect(
        [one[0] for one in found],
        close_to=[wanted] * RANKS,
        because="This is not the mean cross-entropy over the whole vocabulary, on every rank.",
        given=f"{RANKS} ranks with {words} words each, {n} tokens, targets {y.tolist()}",
        if_equals={
            "Each rank made a softmax of its own words. The sum of exponentials goes over all of them.": any_of(
                [float((logs[r] - right).mean()) for r in range(RANKS)],
                [float((logs[r] - right * inside[r]).mean()) for r in range(RANKS)],
                [float((logs.sum(axis=0) - right).mean())] * RANKS,
                [float((logs.mean(axis=0) - right).mean())] * RANKS,
            ),
            "Each rank subtracted the largest of its own words, so that the exponentials do not fit together.": any_of(
                [float((np.log(own_top) - (right - tops[y // words, np.arange(n)])).mean())] * RANKS,
                *[[float((np.log(own_top) - right + tops[r]).mean()) for r in range(RANKS)]],
                [float((np.log(own_top) - (right - top)).mean())] * RANKS,
            ),
            "The target's logit is missing on the ranks that do not have it: sum it over the ranks.": [
                float((_log_sum(z) - top - (right - top) * inside[r]).mean()) for r in range(RANKS)
            ],
            "This is the sum over the tokens. The mean is asked for.": [n * wanted] * RANKS,
            "The largest logit was subtracted from the exponentials and not from the target's logit.": [
                float((_log_sum(z) - top - right).mean())
            ]
            * RANKS,
        },
    )
    huge = float((_log_sum(big) - big[np.arange(n), y]).mean())
    expect(
        [one[1] for one in found],
        close_to=[huge] * RANKS,
        because="For large or very negative logits this is not the loss: exp(1000) is infinite and exp(−2000) is 0. Subtract, for each token, the largest logit of all ranks first.",
        given="one token with all logits near 1,000, one with all near −2,000, one with a single logit of 2,000",
    )
    expect_that(
        _sent(found.calls) <= 2 * 2 * (RANKS - 1) / RANKS * 4 * n * 8 + 64,
        because="The loss is right, and more was sent than it takes: a few numbers for each token are enough. The logits stay where they are.",
        given=f"{n} tokens, {RANKS * words} words, two calls",
        got=f"{_sent(found.calls):.0f} bytes from one rank",
    )


@exercise(
    lab="tensor_parallel",
    title="Keys and values for fewer heads",
    minutes=10,
    difficulty=2,
    hints=(
        "Which query heads does the rank have? A contiguous range.",
        "Each of them uses key-value head `head // (heads // kv)`.",
        "Collect them in a set, sort it, and refuse ranks that do not divide the heads.",
    ),
)
def kv_heads(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for every rank, with fewer and with more ranks than key-value heads."""
    k = int(rng.choice([1, 2]))
    # Copies; several key-value heads on a rank; groups that lie across two ranks.
    for ranks, heads, kv in ((8, 24, 4), (2, 16, 8), (4 * k, 12 * k, 6 * k)):
        each, group = heads // ranks, heads // kv
        wanted = [sorted({head // group for head in range(r * each, (r + 1) * each)}) for r in range(ranks)]
        got = [answer(r, ranks, heads, kv) for r in range(ranks)]
        expect(
            [list(one) if isinstance(one, tuple | range | np.ndarray) else one for one in got],
            equal_to=wanted,
            because="These are not the key-value heads of the rank's query heads, rising, each once.",
            given=f"{heads} heads of queries, {kv} of keys and values, ranks 0 to {ranks - 1}",
            if_equals={
                "The key-value heads were dealt out like the query heads. Some ranks then lack one: with more ranks than key-value heads, or a group across two ranks, copies are needed.": [
                    list(range(r * kv // ranks, (r + 1) * kv // ranks)) for r in range(ranks)
                ],
                "Neighbouring query heads share a key-value head: head i uses i // (heads / kv), not i modulo kv.": [
                    sorted({head % kv for head in range(r * each, (r + 1) * each)}) for r in range(ranks)
                ],
                "Every rank got all of them. That works, and the memory that fewer heads save is gone.": [
                    list(range(kv))
                ]
                * ranks,
                "Each is asked for once: this lists it again for every query head.": [
                    [head // group for head in range(r * each, (r + 1) * each)] for r in range(ranks)
                ],
            },
        )
    for ranks, heads in ((3, 8), (4, 6)):
        expect_raises(
            ValueError,
            lambda ranks=ranks, heads=heads: answer(0, ranks, heads, 2),  # type: ignore[misc]
            because=f"{ranks} ranks do not divide {heads} heads: some would have more heads than others. Raise a ValueError.",
            given=f"rank 0 of {ranks}, {heads} heads of queries, 2 of keys and values",
        )


def _sum_on_rank(answer: Callable[..., Any], summands: list[Any]) -> tuple[Any, bool]:
    import torch
    import torch.distributed as dist

    mine = torch.tensor(summands[dist.get_rank()], dtype=torch.float64)
    before = mine.clone()
    result = answer(mine)
    return (result.tolist() if isinstance(result, torch.Tensor) else result), torch.equal(mine, before)


@exercise(
    lab="tensor_parallel",
    title="Half an all-reduce",
    minutes=14,
    difficulty=3,
    repeats=3,
    seconds=30,
    processes=True,
    hints=(
        "`summand.chunk(t)` cuts it by positions: part r is what rank r needs from everybody.",
        "`dist.reduce_scatter(own, parts)` sums part r over all ranks into `own` on rank r.",
        "`own = torch.empty_like(parts[0])` before, and return it.",
    ),
    errors={r"wait|in time": _LEFT_OUT},
)
def sum_of_own_positions(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for each rank's positions of a sum over 4 ranks, with less traffic than an all-reduce."""
    positions, width = 2 * RANKS, RANKS
    summands = rng.integers(1, 100, (RANKS, positions, width)).astype(float)
    found = launch(
        _sum_on_rank, answer, summands.tolist(), ranks=RANKS, timeout=TIMEOUT, count=True, careful=True, note=False
    )
    whole, each = summands.sum(axis=0), positions // RANKS
    own = [slice(r * each, (r + 1) * each) for r in range(RANKS)]
    given = f"{RANKS} ranks, {positions} positions of width {width}"
    expect(
        [value for value, _ in found],
        close_to=[whole[one].tolist() for one in own],
        because="This is not the sum over all ranks at this rank's positions.",
        given=given,
        if_equals={
            "These are the rank's positions of its own summand. The other ranks' summands are missing.": [
                summands[r, one].tolist() for r, one in enumerate(own)
            ],
            "This is the whole sum. Each rank needs its own positions only.": [whole.tolist()] * RANKS,
            "The width was cut instead of the positions. Positions are the first axis.": [
                whole[:, r * width // RANKS : (r + 1) * width // RANKS].tolist() for r in range(RANKS)
            ],
            "This is the mean over the ranks. Summands add up.": [(whole[one] / RANKS).tolist() for one in own],
            "Positions were dealt out in turns. Rank r has those from r·s/t up to (r+1)·s/t.": [
                whole[r::RANKS].tolist() for r in range(RANKS)
            ],
            "Each rank got the positions of its neighbour.": [
                whole[own[(r + 1) % RANKS]].tolist() for r in range(RANKS)
            ],
        },
    )
    expect_that(
        all(untouched for _, untouched in found),
        because="The sum is right, but the summand was changed in place. Autograd may still need it.",
        given=given,
    )
    size = positions * width * 8
    expect_that(
        _sent(found.calls) <= (RANKS - 1) / RANKS * size + 64,
        because="The sum is right, and an all-reduce's worth of bytes was sent for it, or more. A reduce-scatter sends half.",
        given=given,
        got=f"{_sent(found.calls):.0f} bytes from one rank",
    )


@exercise(
    lab="tensor_parallel",
    title="A layout for a cluster",
    minutes=14,
    difficulty=3,
    hints=(
        "Go through all t that divide `per_node` and `heads`, and all p that divide `layers`.",
        "d is what is left: `gpus // (t * p)`, if t·p divides the GPUs.",
        "Keep those with `memory(t, p, d) <= usable`, and take the one with the least `time(t, p, d)`.",
    ),
)
def choose_layout(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the fastest layout where each rule that is left out leads to another one."""
    gpus, per_node, layers, heads = 96, 8, 12, 12  # t from 1, 2, 4; p from 1, 2, 3, 4, 6, 12
    whole = [(t, p, gpus // (t * p)) for t in range(1, gpus + 1) for p in range(1, gpus + 1) if gpus % (t * p) == 0]
    allowed = [(t, p, d) for t, p, d in whole if per_node % t == 0 and heads % t == 0 and layers % p == 0]
    while True:
        times = {one: float(rng.uniform(1, 9)) for one in whole}
        sizes = {one: float(rng.uniform(40, 100)) for one in whole}
        usable = 70.0
        fits = [one for one in allowed if sizes[one] <= usable]
        best = min(fits, key=lambda one: times[one]) if fits else None
        wrong = {
            "heads": min(
                (o for o in whole if sizes[o] <= usable and per_node % o[0] == 0 and layers % o[1] == 0),
                key=lambda o: times[o],
            ),
            "node": min(
                (o for o in whole if sizes[o] <= usable and heads % o[0] == 0 and layers % o[1] == 0),
                key=lambda o: times[o],
            ),
            "layers": min(
                (o for o in whole if sizes[o] <= usable and per_node % o[0] == 0 and heads % o[0] == 0),
                key=lambda o: times[o],
            ),
            "memory": min(allowed, key=lambda o: times[o]),
            "leanest": min(allowed, key=lambda o: sizes[o]),
            "slowest": max(fits, key=lambda o: times[o]) if fits else None,
        }
        if (
            best is not None and len({best, *wrong.values()}) == 7
        ):  # so that none is right by luck, or taken for another
            break

    def ask(bytes_of: dict[tuple[int, int, int], float], limit: float) -> Any:
        made = answer(
            gpus,
            per_node,
            layers,
            heads,
            lambda t, p, d: bytes_of.get((t, p, d), 1e9),
            limit,
            lambda t, p, d: times.get((t, p, d), 1e9),
        )
        return tuple(made) if isinstance(made, list) else made

    given = f"{gpus} GPUs in nodes of {per_node}, {layers} layers, {heads} heads; memory and time are drawn"
    made = ask(sizes, usable)
    expect(
        made,
        equal_to=best,
        because="This is not the fastest of the layouts that divide and fit.",
        given=given,
        if_equals={
            "It is the fastest that divides, and does not fit into the memory.": wrong["memory"],
            "t does not divide the heads here.": wrong["heads"],
            "t does not divide a node's GPUs: a layer's ranks would lie across nodes, and talk over the network.": wrong[
                "node"
            ],
            "p does not divide the layers here.": wrong["layers"],
            "This is the layout with the least memory. Of those that fit, the fastest is asked for.": wrong["leanest"],
            "This is the slowest of those that fit.": wrong["slowest"],
        },
    )
    expect_that(
        all(isinstance(size, int | np.integer) for size in made),
        because="The layout is right, but t, p and d count GPUs: whole numbers. Divide by `//`; no launcher starts 16.0 processes.",
        given=given,
        got=repr(made),
    )
    edge = sizes | {best: usable}
    expect(
        ask(edge, usable),
        equal_to=best,
        because="What needs just the usable memory fits: `<=`.",
        given=f"{given}; the fastest needs exactly what is usable",
    )
    ends = (per_node, layers, gpus // (per_node * layers))
    expect(
        answer(
            gpus,
            per_node,
            layers,
            24,
            lambda t, p, d: 10.0,
            usable,
            lambda t, p, d: 0.5 if (t, p, d) == ends else 1.0 + t + p,
        ),
        equal_to=ends,
        because="A layer may have all GPUs of a node, and a stage a single layer: both ends belong to the search.",
        given=f"{gpus} GPUs in nodes of {per_node}, {layers} layers, 24 heads; everything fits, and t = {per_node}, p = {layers} is the fastest",
    )
    expect(
        answer(
            30,
            6,
            12,
            12,
            lambda t, p, d: 10.0,
            usable,
            lambda t, p, d: 0.5 if t * p * d != 30 else 1.0 + abs(t - 3) + abs(p - 2),
        ),
        equal_to=(3, 2, 5),
        because="t·p has to divide the GPUs, or some stand unused; and t is any divisor of a node's GPUs, not only a power of two.",
        given="30 GPUs in nodes of 6, 12 layers, 12 heads; everything fits",
    )
    expect_raises(
        ValueError,
        lambda: ask(sizes, 1.0),
        because="Nothing fits here. Raise a ValueError: a plan that cannot start is no plan.",
        given=f"{given}; 1 byte is usable",
    )


# The decision ----------------------------------------------------------------------------------------------


@cache
def _estimates() -> dict[str, float]:
    from helix.distributed.paper import planner
    from helix.distributed.paper.clusters import selene
    from helix.distributed.paper.costs import Model
    from helix.distributed.paper.footprint import GRIDS, Given, footprint

    gpt = Model(layers=36, hidden=4096, heads=32)
    best = planner.plan(gpt, selene(64), 512, chunks=(1, 2, 3)).fitting[0]
    found: dict[str, float] = {}
    for name, tokens in (("train", 150e9), ("tune", 50e6)):
        hours = tokens / (512 * gpt.sequence) * best.time / 3600
        one = footprint(
            64, Given(0.9 * hours, hours, 1.5 * hours), Given(200, 330, 400), Given(1.1, 1.2, 1.6), GRIDS["world"]
        )
        found |= {f"{name}_kwh": one.kwh.value, f"{name}_high_kwh": one.kwh.high}
    return found


def _job(value: float, high: float, sources: tuple[str, str, str, str]) -> Any:
    """Return a footprint whose electricity is `value` kWh, and `high` at its high end."""
    from helix.distributed.paper.footprint import Given, footprint

    hours, watts, pue, grid = sources
    return footprint(
        100,
        Given(value / 60, value / 50, high / 50, hours),
        Given(500, 500, 500, watts),
        Given(1, 1, 1, pue),
        Given(30, 200, 700, grid),
    )


_SOURCES = ("the scheduler's log", "the rack's meter", "the operator's report", "the grid's yearly table")


def _cases_to_stop(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    budget = float(rng.integers(4, 9) * 1_000)
    cases = [
        (_job(0.6 * budget, 1.3 * budget, _SOURCES), budget),  # the value keeps it, the high end does not
        (_job(0.9 * budget, 1.01 * budget, _SOURCES), budget),
        (_job(1.2 * budget, 1.5 * budget, _SOURCES), budget),
    ]
    for left_out in range(4):  # everything within the budget, one input that nobody looked up
        sources = [source if at != left_out else "" for at, source in enumerate(_SOURCES)]
        cases.append((_job(0.5 * budget, 0.8 * budget, tuple(sources)), budget))  # type: ignore[arg-type]
    return cases


def _cases_to_pass(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    budget = float(rng.integers(4, 9) * 1_000)
    exact = _job(0.7 * budget, 0.9 * budget, _SOURCES)
    return [(exact, budget), (exact, exact.kwh.high), (_job(0.1 * budget, 0.2 * budget, _SOURCES), budget)]


decide = decision(
    lab="tensor_parallel",
    title="A decision: train, fine-tune, or don't",
    minutes=18,
    evidence={
        "train_high_kwh": lambda: _estimates()["train_high_kwh"],
        "tune_high_kwh": lambda: _estimates()["tune_high_kwh"],
        "train_kwh": lambda: _estimates()["train_kwh"],
    },
    limits={"train_high_kwh": BUDGET, "tune_high_kwh": BUDGET, "train_kwh": BUDGET},
    stop=_cases_to_stop,
    stop_because="Your control lets a job start that may break the budget at its high end, or that rests on an input which nobody looked up.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a job whose inputs all have a source, and whose high end is within the budget.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["train_high_kwh"] > BUDGET,
            "Your control stops this training: at its high end it breaks the budget, “whatever happens”. One of the two has to change.",
        ),
        Rule(
            lambda made, values: len([one for one in made.affected if str(one).strip()]) < 2,
            "Name at least two: those who would use the assistant, and those who bear what it costs.",
        ),
    ),
    rubric=(
        "Does the dissent say what is lost for speakers of the language?",
        "Is it said what would have to be measured before the decision is asked again?",
        "Who set the budget, and do those who bear the emissions have a word in it?",
    ),
    examples=(
        ReasonedAnswer(
            "Fix",
            "Fine-tuning is within the budget by far, also at its high end. But the control refuses it until hours, watts and PUE have sources, so the next step is a meter, not a job.",
        ),
        ReasonedAnswer(
            "Stop",
            "Nobody has shown that readers' questions need a model that writes. Retrieval answers many of them with a shelf mark and a page; collect the questions for three months, then ask again.",
        ),
    ),
    hints=(
        "Start from the form above, and replace every `...` by a sentence of your own.",
        "`estimated.kwh.high` is the high end, `estimated.assumed` the list of inputs without a source: empty where all have one.",
        '`{"train_high_kwh": "> 6000", "tune_high_kwh": "<= 6000", "train_kwh": "< 6000"}`',
    ),
)
