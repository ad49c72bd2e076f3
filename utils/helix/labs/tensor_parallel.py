"""Tensor parallelism: an embedding and a loss over a cut vocabulary, half an all-reduce, a layout, and a decision."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helix.checking import Ask, Question, ReasonedAnswer, Rule, decision, distinct, exercise, expect_that, per_rank

TIMEOUT = 7.0  # seconds until a launch of a check is ended
BUDGET = 9_000.0  # kWh
RANKS = 4
_LEFT_OUT = (
    "If one rank has returned and the others wait, it left out a collective operation. Every rank must reach each of them, also a rank that has "
    "nothing to add."
)

_LARGE = (
    "For large or very negative logits this is not the loss: exp(1000) is infinite and exp(−2000) is 0. Subtract, for each token, the largest logit "
    "of all ranks first."
)

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Parts = list[Floats]  # what each rank has


def _firsts(parts: Parts, axis: int = 0) -> list[int]:
    """Return the number of each rank's first word."""
    return [rank * part.shape[axis] for rank, part in enumerate(parts)]


def _found(found: Callable[[Whole, Floats], Floats], offset: bool = True) -> Callable[[Whole, Parts], Parts]:
    """Return a program of which each rank finds rows in its own part: here without a sum over the ranks."""
    return lambda tokens, parts: [
        found(tokens - first * offset, part) for first, part in zip(_firsts(parts), parts, strict=True)
    ]


def _everywhere(program: Callable[[Whole, Parts], Parts]) -> Callable[[Whole, Parts], Parts]:
    return lambda tokens, parts: [np.sum(program(tokens, parts), axis=0)] * len(parts)


def _clamped(local: Whole, part: Floats) -> Floats:
    return part[np.clip(local, 0, len(part) - 1)]


def _masked(local: Whole, part: Floats) -> Floats:
    return _clamped(local, part) * ((local >= 0) & (local < len(part)))[:, None]


def _from_the_end(local: Whole, part: Floats) -> Floats:
    valid = (local >= -len(part)) & (local < len(part))
    return part[np.where(valid, local, 0)] * valid[:, None]


_embedding = _everywhere(_found(_masked))


def _tokens(rng: np.random.Generator) -> tuple[Whole, per_rank]:
    """Draw the first word, the last and one between of each rank but one, one of them twice; and a table that is dear to move."""
    words, width = 16, 2
    table = (rng.integers(1, 100, (RANKS * words, width)) * rng.choice([-1, 1], (RANKS * words, width))).astype(float)
    table[:, 0] = -np.abs(table[:, 0])
    ranks = rng.permutation(RANKS)[1:]
    tokens = [rank * words + word for rank in ranks for word in (0, rng.integers(1, words - 1), words - 1)]
    return rng.permutation([*tokens, tokens[0]]), per_rank(np.split(table, RANKS))


@exercise(
    lab="tensor_parallel",
    title="An embedding, cut by words",
    minutes=10,
    difficulty=3,
    repeats=1,
    seconds=30,
    processes=True,
    hints=(
        "Subtract the number of this rank's first word. Which tokens are then yours?",
        "Look up something valid for the others too (`clamp`), and set it to 0 with the mask. A negative index would count from the end.",
    ),
    last_hint="One all-reduce of the rows that were found gives everybody the whole embedding.",
    errors={
        r"all were stopped": _LEFT_OUT,
        r"index out of range|out of bounds": "A token of another rank was looked up in your rows. Clamp the index, and mask what is not yours.",
    },
    draw=_tokens,
    reference=_embedding,
    mistakes={
        "Tokens of other ranks were looked up too, in your first or last row, and added: set them to 0 before the sum.": (
            _everywhere(_found(_clamped))
        ),
        "Each rank returns its own rows, with 0 for the others. Sum over the ranks.": _found(_masked),
        "Words before your first were counted from the end of your rows: a negative index is valid in Python. Ask for `local >= 0` too.": (
            _everywhere(_found(_from_the_end))
        ),
        "The largest was taken over the ranks. Rows may be negative: add them.": (
            lambda tokens, parts: [np.max(_found(_masked)(tokens, parts), axis=0)] * len(parts)
        ),
        "The tokens were looked up without subtracting the number of your first word: every rank found the rows of rank 0's words.": (
            _everywhere(_found(_masked, offset=False))
        ),
    },
)
def embed(ask: Ask, case: tuple[Whole, per_rank]) -> None:
    """Embed tokens that leave one rank without any, over 4 ranks."""
    tokens, parts = case
    words, width = parts.parts[0].shape
    empty = (set(range(RANKS)) - {int(token) // words for token in tokens}).pop()
    ask.on_ranks(
        Question(
            *(tokens, parts),
            because="These are not the rows of the whole table, on every rank.",
            given=f"{RANKS} ranks with {words} words each, tokens {tokens.tolist()}, none of them on rank {empty}",
        ),
        ranks=RANKS,
        timeout=TIMEOUT,
        most_bytes=2 * (RANKS - 1) / RANKS * len(tokens) * width * 8,
        bytes_because="The result is right, and more was sent than it takes: one all-reduce of the embeddings is enough. The table stays where it is.",
    )


def _loss(
    top: str = "all",
    sums: str = "all",
    target: str = "all",
    shifts: bool = True,
    reduce: Callable[[Floats], Any] = np.mean,
) -> Callable[[Parts, Whole], list[float]]:
    """Return a program of the loss; "own" leaves out the all-reduce of that number, and sums of the "owner" are of the words among which the target is.

    `top` is what is subtracted: the largest of "all" ranks, of the "own" words, "one" for all tokens, or "none".
    """

    def loss(parts: Parts, targets: Whole) -> list[float]:
        every = np.max([part.max(axis=1) for part in parts], axis=0)
        tops = {
            "all": lambda part: every,
            "own": lambda part: part.max(axis=1),
            "one": lambda part: every * 0 + every.max(),
        }
        total, right, mines = [], [], []
        for first, part in zip(_firsts(parts, axis=1), parts, strict=True):
            largest = tops.get(top, lambda part: every * 0)(part)
            local = np.clip(targets - first, 0, part.shape[1] - 1)
            mines.append(local == targets - first)
            total.append(np.exp(part - largest[:, None]).sum(axis=1))
            right.append(np.where(mines[-1], part[np.arange(len(part)), local] - largest * shifts, 0))
        if sums == "owner":
            total = [each * mine for each, mine in zip(total, mines, strict=True)]
        if sums != "own":
            total = [np.sum(total, axis=0)] * len(parts)
        if target == "all":
            right = [np.sum(right, axis=0)] * len(parts)
        return [float(reduce(np.log(each) - own)) for each, own in zip(total, right, strict=True)]

    def quiet(parts: Parts, targets: Whole) -> list[float]:
        with np.errstate(all="ignore"):  # some of these overflow: that is what they are for
            return loss(parts, targets)

    return quiet


def _of_own_words(parts: Parts, targets: Whole) -> list[float]:
    return _loss(top="none", sums="own", target="own")(parts, targets)


@exercise(
    lab="tensor_parallel",
    title="A loss over a vocabulary that is cut",
    minutes=15,
    difficulty=4,
    repeats=1,
    seconds=30,
    processes=True,
    hints=(
        "Subtract the largest logit *of all ranks* before `exp`: an all-reduce with `op=dist.ReduceOp.MAX`.",
        "Sum the exponentials of your words, then over the ranks; only then take the logarithm.",
    ),
    last_hint="The target's logit is on one rank only. The others add 0, as in exercise 1; subtract the same largest logit from it.",
    errors={
        r"all were stopped": _LEFT_OUT,
        r"index out of range|out of bounds": "A target of another rank was looked up among your words. Clamp the index, and mask it.",
    },
    reference=_loss(),
    mistakes={
        "Only the exponentials of one rank's words were summed. The sum goes over the words of all ranks.": (
            *(_loss(top, "own", target) for top in ("all", "own", "none") for target in ("all", "own")),
            _loss(sums="owner"),
            lambda *given: [sum(_of_own_words(*given))] * RANKS,
            lambda *given: [sum(_of_own_words(*given)) / RANKS] * RANKS,
        ),
        "Each rank subtracted the largest of its own words, so that the exponentials do not fit together.": (
            _loss(top="own"),
            _loss(top="own", target="own"),
        ),
        "The target's logit is missing on the ranks that do not have it: sum it over the ranks.": (
            _loss(target="own"),
            _loss(top="none", target="own"),
        ),
        "This is the sum over the tokens. The mean is asked for.": _loss(reduce=np.sum),
        "The largest logit was subtracted from the exponentials and not from the target's logit.": _loss(shifts=False),
    },
)
def vocabulary_loss(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the loss of small logits, and of logits whose exponentials do not exist: a launch each, so that no message of one meets the other."""
    words, n = 8, 4
    logits = rng.normal(size=(n, RANKS * words)) * 2
    one, other, third = words * rng.permutation(RANKS)[1:]  # first words of ranks; those of the fourth are no targets
    targets = rng.permutation([one, other + words - 1, *(third + rng.integers(0, words, n - 2))])
    large = logits.copy()
    large[0] += 1_000.0  # a token whose logits are all large,
    large[1] -= 2_000.0  # one whose logits are all very negative,
    large[2, int(rng.integers(0, RANKS * words))] += 2_000.0  # and one with a single large one
    ask.on_ranks(
        Question(
            *(per_rank(np.split(logits, RANKS, axis=1)), targets),
            because="This is not the mean cross-entropy over the whole vocabulary, on every rank.",
            given=f"{RANKS} ranks with {words} words each, {n} tokens, targets {targets.tolist()}",
        ),
        ranks=RANKS,
        timeout=TIMEOUT,
        most_bytes=2 * (RANKS - 1) / RANKS * 4 * n * 8,
        bytes_because="The loss is right, and more was sent than it takes: a few numbers for each token are enough. The logits stay where they are.",
    )
    ask.on_ranks(
        Question(
            *(per_rank(np.split(large, RANKS, axis=1)), targets),
            because=_LARGE,
            mistakes={
                _LARGE: (_loss(top="none"), _loss(top="one"))
            },  # first: NaN is what other mistakes give here, too
            given="one token with all logits near 1,000, one with all near −2,000, one with a single logit of 2,000",
        ),
        ranks=RANKS,
        timeout=TIMEOUT,
    )


def _cut(value: Floats, axis: int = 0) -> Parts:
    return np.split(value, RANKS, axis=axis)


def _sums_of_own(summands: Parts) -> Parts:
    return _cut(np.sum(summands, axis=0))


@exercise(
    lab="tensor_parallel",
    title="Half an all-reduce",
    minutes=10,
    difficulty=3,
    repeats=1,
    seconds=30,
    processes=True,
    hints=(
        "`summand.chunk(t)` cuts it by positions: part r is what rank r needs from everybody.",
        "There is a collective that sums part r over all ranks into one tensor on rank r: half an all-reduce.",
    ),
    last_hint="`own = torch.empty_like(parts[0])`, then `dist.reduce_scatter(own, parts)`, and return `own`.",
    errors={r"all were stopped": _LEFT_OUT},
    reference=_sums_of_own,
    mistakes={
        "These are the rank's positions of its own summand. The other ranks' summands are missing.": (
            lambda summands: [_cut(summand)[rank] for rank, summand in enumerate(summands)]
        ),
        "This is the whole sum. Each rank needs its own positions only.": (
            lambda summands: [np.sum(summands, axis=0)] * RANKS
        ),
        "The width was cut instead of the positions. Positions are the first axis.": (
            lambda summands: _cut(np.sum(summands, axis=0), axis=1)
        ),
        "This is the mean over the ranks. Summands add up.": lambda summands: _cut(np.mean(summands, axis=0)),
        "Positions were dealt out in turns. Rank r has those from r·s/t up to (r+1)·s/t.": (
            lambda summands: [np.sum(summands, axis=0)[rank::RANKS] for rank in range(RANKS)]
        ),
    },
)
def sum_of_own_positions(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for each rank's positions of a sum over 4 ranks, with less traffic than an all-reduce."""
    positions, width = 2 * RANKS, RANKS
    summands = rng.integers(1, 100, (RANKS, positions, width)).astype(float)
    ask.on_ranks(
        Question(
            per_rank(list(summands)),
            because="This is not the sum over all ranks at this rank's positions.",
            given=f"{RANKS} ranks, {positions} positions of width {width}",
        ),
        ranks=RANKS,
        timeout=TIMEOUT,
        most_bytes=(RANKS - 1) / RANKS * summands[0].nbytes,
        bytes_because="The sum is right, and an all-reduce's worth of bytes was sent for it, or more. A reduce-scatter sends half.",
    )


Layout = tuple[int, int, int]
Estimate = Callable[[int, int, int], float]
Search = Callable[[int, int, int, int, Estimate, float, Estimate], Layout]


@cache
def _layouts(gpus: int, per_node: int, layers: int, heads: int) -> dict[Layout, str]:
    """Return the layouts that break one rule at most, and which: what t, p or t·p does not divide."""
    found = {}
    for t in range(1, gpus + 1):
        for p in range(1, gpus // t + 1):
            rest = {"node": per_node % t, "heads": heads % t, "layers": layers % p, "gpus": gpus % (t * p)}
            broken = [rule for rule, left in rest.items() if left]
            if len(broken) <= 1:
                found[t, p, gpus // (t * p)] = "".join(broken)
    return found


def _choose(ignored: str = "", by: str = "time", only: Callable[[int], bool] = bool) -> Search:
    """Return a search that ignores one rule, or goes by the least memory, or goes through some t only."""

    def choose(
        gpus: int, per_node: int, layers: int, heads: int, memory: Estimate, usable: float, time: Estimate
    ) -> Layout:
        layouts = _layouts(gpus, per_node, layers, heads)
        found = [one for one, broken in layouts.items() if broken in ("", ignored) and only(one[0])]
        if ignored != "memory":
            found = [one for one in found if memory(*one) <= usable]
        if not found:
            raise ValueError("no layout fits")
        return min(found, key=lambda one: memory(*one) if by == "memory" else time(*one))

    return choose


_SHORTCUTS: dict[str, Callable[..., Any]] = {
    "It is the fastest that divides, and does not fit into the memory.": _choose("memory"),
    "t does not divide the heads here.": _choose("heads"),
    "t does not divide a node's GPUs: a layer's ranks would lie across nodes, and talk over the network.": _choose(
        "node"
    ),
    "p does not divide the layers here.": _choose("layers"),
    "t·p does not divide the GPUs here, so that some would stand unused.": _choose("gpus"),
    "This is the layout with the least memory. Of those that fit, the fastest is asked for.": _choose(by="memory"),
    "Only powers of two were tried. t may be any number that divides a node's GPUs and the heads, such as 3.": (
        _choose(only=lambda t: t & (t - 1) == 0)
    ),
}


def _cluster(rng: np.random.Generator) -> tuple[Any, ...]:
    """Draw what each layout takes so that each rule that is left out leads to another one."""
    shape = 144, 12, 32, 18  # GPUs, those of a node, layers, heads: t from 1, 2, 3, 6; p from 1, 2, 4, 8, 16

    def drawn(rng: np.random.Generator) -> tuple[Any, ...]:
        layouts = _layouts(*shape)
        # One whose t is a power of two always fits: whoever tries only those finds something.
        memory = {one: float(rng.uniform(40, 70 if one == (2, 4, 18) else 100)) for one in layouts}
        time = {one: float(rng.uniform(1 if broken else 4, 9)) for one, broken in layouts.items()}
        return *shape, lambda *one: memory.get(one, 1e9), 70.0, lambda *one: time.get(one, 1e9)

    return distinct(rng, drawn, _choose(), _SHORTCUTS, apart=True)


@exercise(
    lab="tensor_parallel",
    title="A layout for a cluster",
    minutes=12,
    difficulty=3,
    hints=(
        "Go through all t that divide `per_node` and `heads`, and all p that divide `layers`.",
        "d is what is left: `gpus // (t * p)`, if t·p divides the GPUs.",
    ),
    last_hint="Keep those with `memory(t, p, d) <= usable`, and take the one with the least `time(t, p, d)`.",
    draw=_cluster,
    reference=_choose(),
    mistakes=_SHORTCUTS,
)
def choose_layout(ask: Ask, case: tuple[Any, ...]) -> None:
    """Ask for the fastest layout where each rule that is left out leads to another one, and for both ends of the search."""
    gpus, per_node, layers, heads, memory, usable, time = case
    given = f"{gpus} GPUs in nodes of {per_node}, {layers} layers, {heads} heads; memory and time are drawn"
    made = ask(*case, because="This is not the fastest of the layouts that divide and fit.", given=given)
    expect_that(
        all(isinstance(size, int | np.integer) for size in made),
        because="The layout is right, but t, p and d count GPUs: whole numbers. Divide by `//`; no launcher starts 16.0 processes.",
        given=given,
        got=repr(made),
    )
    best = tuple(made)
    ask(
        *case[:4],
        lambda *one: usable if one == best else memory(*one),
        *(usable, time),
        because="What needs just the usable memory fits: `<=`.",
        given=f"{given}; the fastest needs exactly what is usable",
        explain=False,
    )
    ask(
        *(gpus, per_node, per_node, 2 * per_node, lambda *one: 10.0, usable),
        lambda t, p, d: 0.5 if t == p == per_node else 1.0 + t + p,
        because="A layer may have all GPUs of a node, and a stage a single layer: both ends belong to the search.",
        given=f"{gpus} GPUs in nodes of {per_node}, {per_node} layers, {2 * per_node} heads; everything fits, and t = p = {per_node} is the fastest",
        explain=False,
    )
    ask.raises(
        ValueError,
        *(*case[:4], memory, 1.0, time),
        because="Nothing fits here. Raise a ValueError: a plan that cannot start is no plan.",
        given=f"{given}; 1 byte is usable",
    )


# The decision ----------------------------------------------------------------------------------------------


@cache
def _estimates() -> dict[str, float]:
    from helix.distributed.paper import planner
    from helix.distributed.paper.clusters import selene
    from helix.distributed.paper.costs import Model
    from helix.distributed.paper.footprint import GRIDS, WATTS, Given, footprint

    gpt = Model(layers=36, hidden=4096, heads=32)
    best = planner.plan(gpt, selene(64), 512).fitting[0]
    found: dict[str, float] = {}
    for name, tokens in (("train", 150e9), ("tune", 50e6)):
        hours = tokens / (512 * gpt.sequence) * best.time / 3600
        one = footprint(64, Given(0.9 * hours, hours, 1.5 * hours), WATTS["A100"], Given(1.1, 1.2, 1.6), GRIDS["world"])
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


def _training() -> tuple[Any, float]:
    """Return a job that uses what the training of the lab does, every input looked up, and the budget."""
    return _job(_estimates()["train_kwh"], _estimates()["train_high_kwh"], _SOURCES), BUDGET


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
    minutes=15,
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
            case=_training,
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
            "Fine-tuning is within the budget by far, also at its high end. But the control refuses it until hours and PUE have sources, so the next step is a log and a meter, not a job.",
        ),
        ReasonedAnswer(
            "Stop",
            "Nobody has shown that readers' questions need a model that writes. Retrieval may answer many of them with a shelf mark and a page; collect the questions for three months, then ask again.",
        ),
    ),
    hints={
        "form": "Start from the form above, and replace every `...` by a sentence of your own.",
        "control": "`estimated.kwh.high` is the high end, `estimated.assumed` the list of inputs without a source: empty where all have one.",
        "evidence": "Look at the numbers that you recorded, and say of each on which side of its limit it lies.",
    },
    last_hints={
        "evidence": '`{"train_high_kwh": "> 9000", "tune_high_kwh": "<= 9000", "train_kwh": "< 9000"}`',
    },
)
