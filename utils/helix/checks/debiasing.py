"""Bias mitigation: a penalty that survives every batch, a reversed gradient, weights, thresholds, the rule, and a decision."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from helix.checking import ReasonedAnswer, Rule, any_of, decision, exercise, expect, expect_raises
from helix.record import results

LIMIT, TOLERANCE = 0.1, 0.02


@exercise(
    lab="debiasing",
    title="A gap that survives every batch",
    minutes=16,
    difficulty=2,
    hints=(
        "Without one of the groups return `0.0` and zeros of the shape of `p`.",
        "The signed gap is a mean minus a mean; each person of a group of n moves it by 1/n, with opposite signs in the two groups.",
        "The absolute value turns the signs round where the signed gap is negative: multiply the gradient by `np.sign(gap)`.",
    ),
)
def safe_gap(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the gap of a batch and its gradient, also where a group is empty."""
    first, second = int(rng.integers(3, 6)), int(rng.integers(7, 11))
    code = rng.permutation(np.repeat([0, 1], [first, second]))
    for lean in (-1, 1):
        p = np.where(code == 0, rng.uniform(0.1, 0.4, len(code)), rng.uniform(0.6, 0.9, len(code)))
        p = p if lean < 0 else 1 - p
        gap = p[code == 0].mean() - p[code == 1].mean()
        slope = np.where(code == 0, 1 / first, -1 / second)
        given = f"a batch with {first} and {second} people, signed gap {gap:.3f}"
        got = answer(p.copy(), code.copy())
        expect(
            got,
            close_to=(abs(gap), np.sign(gap) * slope),
            because="This is not the absolute gap and its gradient.",
            given=given,
            if_equals={
                "This is the signed gap. Pushing it down would widen a gap that is negative already.": (gap, slope),
                "The value is right; the gradient is that of the signed gap. The absolute value turns it round where the gap is negative.": (
                    abs(gap),
                    slope,
                ),
                "You divided by the size of the batch. Each mean is over its own group.": any_of(
                    (abs(gap), np.sign(gap) * np.where(code == 0, 1, -1) / len(code)),
                ),
            },
        )
    for only in (0, 1):
        expect(
            answer(p.copy(), np.full(len(p), only)),
            close_to=(0.0, np.zeros(len(p))),
            because="A batch without one of the groups says nothing: value 0 and a gradient of zeros, never NaN.",
            given=f"a batch in which everybody is in group {only}",
        )


@exercise(
    lab="debiasing",
    title="The gradient, turned round",
    minutes=16,
    difficulty=3,
    hints=(
        "The derivative of the mean cross-entropy by a logit u is (σ(u) − target) / n.",
        "The adversary's logit is u = w z, so the chain rule gives w (σ(u) − a) / n for z, and the sum of z (σ(u) − a) / n for w.",
        "Only what flows back into z is turned round: multiply it by −alpha. The adversary itself learns with the plain gradient.",
    ),
)
def reversed_gradients(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the gradients of a model's logits and of an adversary's weight."""
    n = int(rng.integers(5, 9))
    z, w, alpha = rng.normal(size=n) + 0.3, float(rng.uniform(0.6, 2)), float(rng.uniform(1.5, 3))
    y, a = rng.integers(2, size=n), rng.integers(2, size=n)

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    task, other = (sigmoid(z) - y) / n, (sigmoid(w * z) - a) / n
    slope = float((other * z).sum())
    expect(
        answer(z.copy(), y.copy(), a.copy(), w, alpha),
        close_to=(task - alpha * w * other, slope),
        because="These are not the two gradients.",
        given=f"{n} people, w = {w:.2f}, alpha = {alpha:.2f}",
        if_equals={
            "Nothing is turned round: this helps the adversary to read the group.": (task + alpha * w * other, slope),
            "You turned the adversary's own gradient too. It has to learn, or it is no opponent.": any_of(
                (task - alpha * w * other, -slope), (task - alpha * w * other, -alpha * slope)
            ),
            "The w of the chain rule is missing on the way back to z.": (task - alpha * other, slope),
            "The strength alpha is not used.": (task - w * other, slope),
            "Both losses are means: divide by the number of people.": (n * (task - alpha * w * other), n * slope),
        },
    )


@exercise(
    lab="debiasing",
    title="Weights that make group and label independent",
    minutes=14,
    difficulty=2,
    hints=(
        "What share would a cell have if group and label had nothing to do with each other? P(group) P(label).",
        "The weight is that share over the one that is there: below 1 for a cell that is too full.",
        "`(group == g).mean() * (y == c).mean() / ((group == g) & (y == c)).mean()` for everyone in the cell.",
    ),
)
def weights(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the reweighing of Kamiran and Calders."""
    sizes = rng.choice(np.arange(4, 30), size=4, replace=False)
    group = np.repeat(np.array(["east", "east", "west", "west"]), sizes)
    y = np.repeat([0, 1, 0, 1], sizes)
    order = rng.permutation(len(y))
    group, y = group[order], y[order]
    of = {name: (group == name).mean() for name in ("east", "west")}
    label = np.array([(y == 0).mean(), (y == 1).mean()])
    own = np.array([of[name] for name in group])
    cell = np.array([((group == g) & (y == c)).mean() for g, c in zip(group, y, strict=True)])
    expect(
        answer(y.copy(), group.copy()),
        close_to=own * label[y] / cell,
        because="Under these weights group and label are not independent.",
        given=f"{len(y)} people in two groups",
        if_equals={
            "This is upside down: the fuller a cell, the smaller its weight.": cell / (own * label[y]),
            "These weights make all four cells equally heavy. Groups and labels keep their own shares; only their tie is cut.": any_of(
                0.25 / cell, 1 / cell
            ),
            "This conditions on the group alone: it balances the sizes of the groups and leaves the tie.": any_of(
                1 / own, 0.5 / own
            ),
            "P(label) is missing: this is one over the share of the label within the group.": own / cell,
        },
    )


@exercise(
    lab="debiasing",
    title="A threshold for each group",
    minutes=14,
    difficulty=3,
    hints=(
        "In each group floor(rate · n) people are to lie above the threshold.",
        "Sort the group's scores downwards: `np.sort(own)[::-1]`. The first m are selected if the threshold is the score after them.",
        "`float(np.sort(own)[::-1][int(np.floor(rate * len(own)))])`",
    ),
)
def thresholds(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for thresholds that select the same share of each group."""
    sizes = {
        name: int(size)
        for name, size in zip(("north", "south"), rng.choice(np.arange(21, 60, 2), 2, replace=False), strict=True)
    }
    group = np.repeat(list(sizes), list(sizes.values()))
    scores = np.where(group == "north", rng.uniform(0, 0.8, len(group)), rng.uniform(0.3, 1, len(group)))
    rate = float(rng.choice([0.23, 0.31, 0.37]))
    order = rng.permutation(len(group))
    group, scores = group[order], scores[order]

    def at(pick: Callable[[Any], float]) -> dict[str, float]:
        return {name: pick(np.sort(scores[group == name])[::-1]) for name in sizes}

    expect(
        answer(scores.copy(), group.copy(), rate),
        close_to=at(lambda own: float(own[int(rate * len(own))])),
        because="With these thresholds not just floor(rate · n) people of each group score above.",
        given=f"groups of {', '.join(map(str, sizes.values()))} people, rate {rate}",
        if_equals={
            "This is one threshold for everybody, so that the rates differ.": dict.fromkeys(
                sizes, float(np.sort(scores)[::-1][int(rate * len(scores))])
            ),
            "You counted from the lowest score: this turns away the share that was to be selected.": at(
                lambda own: float(own[::-1][int(rate * len(own))])
            ),
            "One person too few lies above: selected is who scores *above* the threshold.": at(
                lambda own: float(own[int(rate * len(own)) - 1])
            ),
        },
    )


@exercise(
    lab="debiasing",
    title="The rule that chooses λ",
    minutes=10,
    difficulty=2,
    hints=(
        "First keep what is within the limit, then look at accuracy.",
        "The gaps are signed. Within the limit is `abs(gap) <= limit`.",
        "`max(kept, key=lambda strength: kept[strength][0])`; if `kept` is empty, `raise ValueError(...)`.",
    ),
    errors={r"empty": "Nothing is within the limit: raise a ValueError before you look for the best."},
)
def choose_strength(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the most accurate strength with an absolute gap of at most the limit."""
    limit = float(rng.choice([0.08, 0.1, 0.12]))
    strengths = [float(one) for one in rng.permutation([0.1, 0.3, 1.0, 3.0, 9.0, 27.0])]
    wide, negative, edge, small, least, poor = strengths
    tried = {
        wide: (0.86, limit + 0.07),
        negative: (0.85, -limit - 0.05),
        edge: (0.84, -limit),
        small: (0.82, 0.03),
        least: (0.80, -0.002),
        poor: (0.70, 0.01),
    }
    shuffled = {one: tried[one] for one in rng.permutation(strengths).tolist()}
    expect(
        answer(dict(shuffled), limit),
        equal_to=edge,
        because="The rule chooses another strength: the most accurate one whose absolute gap is at most the limit.",
        given=", ".join(f"λ={one:g}: {a:.2f}, {g:+.3f}" for one, (a, g) in shuffled.items()) + f"; limit {limit:g}",
        if_equals={
            "You compared the signed gap. A gap of −0.15 is as wide as one of 0.15.": negative,
            "This is the most accurate of all; the limit is not kept.": wide,
            "This has the narrowest gap. Within the limit the rule asks for accuracy.": least,
            "At most the limit is `<=`: a gap of just the limit may stay.": small,
        },
    )
    expect_raises(
        ValueError,
        lambda: answer({1.0: (0.8, 0.3), 2.0: (0.7, -0.2)}, limit),
        because="No strength keeps the limit here. Raise a ValueError: the next best would be another rule.",
        given="gaps of 0.3 and −0.2",
    )


# The decision ----------------------------------------------------------------------------------------------


@cache
def _adult() -> tuple[Any, Any, Any, Any]:
    from helix.trust.people import load

    test, kept = load("adult")["test"], results.load("13_debiasing")["figures"]["answers"]["adult"]
    before, after = (np.array([int(one) for one in kept[name]]) for name in ("baseline", "regulariser"))
    return test.y, before, after, test.groups


def _gap(name: str, which: int) -> float:
    from helix.trust.groups import gaps

    y, *both, groups = _adult()
    return gaps(y, both[which], groups)[name]


def _case(rng: np.random.Generator, cells: dict[tuple[str, int, int, int], int]) -> tuple[Any, ...]:
    """Make y, before, after and groups: for (group, y, before, after) how many people, in random order."""
    rows = np.repeat(np.array(list(cells), dtype=object), list(cells.values()), axis=0)
    rows = rows[rng.permutation(len(rows))]
    return (*(rows[:, column].astype(int) for column in (1, 2, 3)), rows[:, 0])


def _cases_to_stop(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    a, b = (str(one) for one in rng.permutation(["red", "teal"]))
    k = int(rng.integers(8, 12))
    return [
        _adult(),
        _case(rng, {(a, 1, 1, 1): 8 * k, (a, 0, 0, 0): 2 * k, (b, 1, 1, 1): 2 * k, (b, 0, 0, 0): 8 * k}),  # still wide
        _case(  # the gap closes among the unqualified, and opens among the qualified
            rng,
            {(a, 1, 1, 1): 3 * k, (a, 1, 1, 0): 2 * k, (a, 0, 0, 0): 5 * k, (b, 1, 1, 1): 2 * k, (b, 0, 0, 1): k, (b, 0, 0, 0): 7 * k},
        ),
        _case(  # levelling down: equal among the qualified before and after, and nobody gains
            rng,
            {(a, 1, 1, 1): 2 * k, (a, 1, 0, 0): 2 * k, (a, 0, 1, 0): 2 * k, (a, 0, 0, 0): 4 * k,
             (b, 1, 1, 1): 2 * k, (b, 1, 0, 0): 2 * k, (b, 0, 0, 0): 6 * k},
        ),
    ]  # fmt: skip


def _cases_to_pass(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    a, b = (str(one) for one in rng.permutation(["red", "teal"]))
    k = int(rng.integers(8, 12))
    return [
        _case(
            rng,
            {
                (a, 1, 1, 1): 4 * k,
                (a, 0, 1, 0): k,
                (a, 0, 0, 0): 5 * k,
                (b, 1, 1, 1): 2 * k,
                (b, 1, 0, 1): 2 * k,
                (b, 0, 0, 0): 6 * k,
            },
        ),
        _case(
            rng, {(a, 1, 1, 1): 3 * k, (a, 0, 0, 0): 7 * k, (b, 1, 1, 1): 2 * k, (b, 1, 0, 1): k, (b, 0, 0, 0): 7 * k}
        ),
    ]


decide = decision(
    lab="debiasing",
    title="A decision: may the mitigated model be shipped?",
    minutes=20,
    evidence={
        "parity_gap_after": lambda: _gap("demographic_parity", 1),
        "opportunity_gap_growth": lambda: _gap("equal_opportunity", 1) - _gap("equal_opportunity", 0),
    },
    limits={"parity_gap_after": LIMIT, "opportunity_gap_growth": TOLERANCE},
    stop=_cases_to_stop,
    stop_because="Your control lets a mitigation pass that leaves the gap too wide, opens one among the qualified, or levels down.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a mitigation that closes the gap by selecting more qualified people of the group that was behind.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["opportunity_gap_growth"] > TOLERANCE,
            "Your control stops this model, and your choice ships it. One of the two has to change.",
        ),
    ),
    rubric=(
        "Are the people named who newly lose, and those who newly gain?",
        "Does the dissent say what the wide gap costs those who wait?",
        "Who set 0.1 and 0.02, and were the affected asked?",
    ),
    examples=(
        ReasonedAnswer(
            "Fix",
            "The gap among the qualified grew. Try a smaller λ, which narrowed both gaps on validation, and a better record of women's work.",
        ),
        ReasonedAnswer(
            "Stop",
            "Income of 1994 says who was paid, not who deserves credit. No penalty on its predictions mends that.",
        ),
    ),
    hints=(
        "Start from the form above, and replace every `...` by a sentence of your own.",
        "`debiasing.refusals(y, before, after, groups)` names every reason to refuse; an empty list may pass.",
        '`{"parity_gap_after": "<= 0.1", "opportunity_gap_growth": "> 0.02"}`',
    ),
)
