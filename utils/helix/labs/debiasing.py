"""Bias mitigation: a penalty safe for every batch, weights, thresholds, the rule, and a decision."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helix.checking import Ask, ReasonedAnswer, Rule, decision, exercise
from helix.record import results

LIMIT, TOLERANCE = 0.1, 0.02

Floats = NDArray[np.float64]
Names = NDArray[Any]


def _signed(p: Floats, code: Floats) -> float:
    return float(p[code == 0].mean() - p[code == 1].mean())


def _slope(code: Floats) -> Floats:
    """Return what each person moves the signed gap by."""
    first = code == 0
    return np.where(first, 1 / first.sum(), -1 / (~first).sum())


def _safe_gap(p: Floats, code: Floats) -> tuple[float, Floats]:
    if len(set(code.tolist())) < 2:
        return 0.0, np.zeros(len(p))
    gap = _signed(p, code)
    return abs(gap), np.sign(gap) * _slope(code)


@exercise(
    lab="debiasing",
    title="A gap that survives every batch",
    minutes=10,
    difficulty=2,
    hints=(
        "Without one of the groups return `0.0` and zeros of the shape of `p`.",
        "The signed gap is a mean minus a mean; each person of a group of n moves it by 1/n, with opposite signs in the two groups.",
    ),
    last_hint="The absolute value turns the signs round where the signed gap is negative: multiply the gradient by `np.sign(gap)`.",
    errors={
        r"Mean of empty slice|invalid value": "The mean of nobody is NaN. Ask whether both groups are there before you divide.",
    },
    reference=_safe_gap,
    mistakes={
        "This is the signed gap. Pushing it down would widen a gap that is negative already.": (
            lambda p, code: (_signed(p, code), _slope(code))
        ),
        "The value is right; the gradient is that of the signed gap. The absolute value turns it round where the gap is negative.": (
            lambda p, code: (abs(_signed(p, code)), _slope(code))
        ),
        "You divided by the size of the batch. Each mean is over its own group.": (
            lambda p, code: (_safe_gap(p, code)[0], np.sign(_signed(p, code)) * np.where(code == 0, 1, -1) / len(code))
        ),
    },
)
def safe_gap(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the gap of a batch and its gradient, also where a group is empty."""
    first, second = int(rng.integers(3, 6)), int(rng.integers(7, 11))
    code = rng.permutation(np.repeat([0, 1], [first, second]))
    for lean in (-1, 1):
        p = np.where(code == 0, rng.uniform(0.1, 0.4, len(code)), rng.uniform(0.6, 0.9, len(code)))
        p = p if lean < 0 else 1 - p
        ask(
            *(p, code),
            because="This is not the absolute gap and its gradient.",
            given=f"a batch with {first} and {second} people, signed gap {_signed(p, code):.3f}",
        )
    for only in (0, 1):
        ask(
            *(p, np.full(len(p), only)),
            because="A batch without one of the groups says nothing: value 0 and a gradient of zeros, never NaN.",
            given=f"a batch in which everybody is in group {only}",
        )


SYLLABLES = ("an", "bel", "cor", "dun", "el", "far", "gal", "hod", "il", "jor", "kem", "lun")


def _names(rng: np.random.Generator, n: int) -> list[str]:
    """Draw names that nobody can have written down beforehand, in random order."""
    return [str(name) for name in rng.choice([a + b for a in SYLLABLES for b in SYLLABLES if a != b], n, replace=False)]


def _alike(*columns: Names) -> Floats:
    """For each person, how many are as this person is in all of these."""
    keys = np.array([" ".join(map(str, row)) for row in zip(*columns, strict=True)])
    _, place, n = np.unique(keys, return_inverse=True, return_counts=True)
    return n[place].astype(float)


def _weights_within(y: Names, group: Names, level: Names) -> Floats:
    return _alike(level, group) * _alike(level, y) / _alike(level) / _alike(level, group, y)


@exercise(
    lab="debiasing",
    title="Even out what education does not explain",
    minutes=14,
    difficulty=3,
    hints=(
        "Take one level at a time, and forget everybody else: `here = level == one`.",
        "Within it, a cell's weight is the share that it would have if group and label had nothing to do with each other, over the share that it has.",
    ),
    last_hint="With `own = here & (group == name)` and `same = here & (y == label)`: `own.sum() * same.sum() / here.sum() / (own & same).sum()` for everyone in `own & same`.",
    errors={
        r"ambiguous": "`level == one and group == name` does not work on arrays; write `(level == one) & (group == name)`.",
        r"divi": "A cell is empty: this group has nobody with this label in this level. Then there is nobody to weight either.",
    },
    reference=_weights_within,
    mistakes={
        "You left the levels out: this also evens out what differs between them, which was to stay.": (
            lambda y, group, level: _weights_within(y, group, np.full(len(y), "all"))
        ),
        "This is upside down: the fuller a cell, the smaller its weight.": (
            lambda y, group, level: 1 / _weights_within(y, group, level)
        ),
        "The shares have different margins: group and label are counted among everybody, the cell within its level. All three are shares of the same people.": (
            lambda y, group, level: _alike(group) * _alike(y) / len(y) / _alike(level, group, y),
            lambda y, group, level: _alike(group) * _alike(y) / len(y) ** 2 * _alike(level) / _alike(level, group, y),
        ),
        "P(label) is missing: this is one over the share of the label within the group.": (
            lambda y, group, level: _alike(level, group) / _alike(level, group, y)
        ),
        "P(group) is missing: this is one over the share of the group among those with the label.": (
            lambda y, group, level: _alike(level, y) / _alike(level, group, y)
        ),
        "This conditions on the group alone: it balances the sizes of the groups and leaves the tie.": (
            lambda y, group, level: _alike(level) / _alike(level, group)
        ),
    },
)
def weights_within(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for weights that make group and label independent within each level."""
    groups, levels = _names(rng, 3), _names(rng, 3)
    cells = [(g, c, one) for one in levels for g in groups for c in (0, 1)]
    if rng.random() < 0.4:  # a group that is not there at all in one of the levels
        cells = [cell for cell in cells if (cell[0], cell[2]) != (groups[0], levels[0])]
    sizes = rng.choice(np.arange(3, 30), size=len(cells), replace=False)
    group, y, level = (np.repeat(np.array([cell[i] for cell in cells]), sizes) for i in range(3))
    order = rng.permutation(len(y))
    ask(
        *(y[order], group[order], level[order]),
        because="Under these weights group and label are not independent within each level.",
        given=f"{len(y)} people in three groups and three levels",
    )


Pick = Callable[[Floats, float], float]


def _at(own: Floats, rate: float) -> float:
    return float(np.sort(own)[::-1][int(rate * len(own))])


def _thresholds(
    scores: Floats, y: Floats, group: Names, rate: float, at_least: int = 10, *, label: int = 1, pick: Pick = _at
) -> dict[str, float]:
    """Return each group's threshold among those with this label, for as many groups as have enough qualified people."""
    names = [str(name) for name in np.unique(group)]
    if min(int(y[group == name].sum()) for name in names) < at_least:
        raise ValueError("too few qualified people in a group")
    return {name: pick(scores[(group == name) & (y == label)], rate) for name in names}


def _of_everybody(scores: Floats, y: Floats, group: Names, rate: float, at_least: int = 10) -> dict[str, float]:
    return {str(name): _at(scores[group == name], rate) for name in np.unique(group)}


def _for_all(scores: Floats, group: Names, rate: float) -> dict[str, float]:
    return {str(name): _at(scores, rate) for name in np.unique(group)}


@exercise(
    lab="debiasing",
    title="A threshold for the qualified",
    minutes=12,
    difficulty=3,
    hints=(
        "For each group take the scores of its people with label 1, largest first: `np.sort(own)[::-1]`.",
        "If k are to be selected, these are the places 0 to k − 1. The threshold is the score at place k, since only *more* than it is selected.",
    ),
    last_hint="`own = np.sort(scores[(group == name) & (y == 1)])[::-1]`, then `float(own[int(np.floor(rate * len(own)))])`; before that, `raise ValueError(...)` if `len(own) < at_least`.",
    errors={
        r"out of bounds": "There are not so many qualified people. The places run from 0 to n − 1, and a group may have too few: raise a ValueError.",
        r"ambiguous": "`group == name and y == 1` does not work on arrays; write `(group == name) & (y == 1)`.",
    },
    reference=_thresholds,
    mistakes={
        "These thresholds select the same share of *all* people of a group. The share of its qualified people is asked for: take those with label 1 first.": _of_everybody,
        "You took the people with label 0. The qualified have label 1.": (lambda *case: _thresholds(*case, label=0)),
        "This is one threshold for everybody. Leaving the group out of the rule does not give the qualified of each group the same chance.": (
            lambda scores, y, group, rate, at_least=10: _for_all(scores, group, rate),
            lambda scores, y, group, rate, at_least=10: {
                name: _at(scores[y == 1], rate) for name in _for_all(scores, group, rate)
            },
        ),
        "You counted from the lowest score: this turns away the share that was to be selected.": (
            lambda *case: _thresholds(*case, pick=lambda own, rate: -_at(-own, rate))
        ),
        "One person too few lies above: selected is who scores *above* the threshold.": (
            lambda *case: _thresholds(*case, pick=lambda own, rate: float(np.sort(own)[::-1][int(rate * len(own)) - 1]))
        ),
    },
)
def qualified_thresholds(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for thresholds that give the qualified of every group the same chance, and for a refusal where they are few."""
    at_least = int(rng.integers(8, 15))
    names = _names(rng, 3)
    # The last group has just as many qualified people as are asked for.
    qualified = [int(n) for n in rng.choice(np.arange(21, 60, 2), 2, replace=False)] + [at_least]
    others = [int(n) for n in rng.choice(np.arange(61, 120, 2), 3, replace=False)]
    group = np.repeat(names + names, qualified + others)
    y = np.repeat([1, 0], [sum(qualified), sum(others)])
    scores = rng.uniform(0, 0.6, len(y)) + 0.3 * y + 0.1 * (group == names[0])
    rate = float(rng.choice([0.23, 0.31, 0.37]))
    order = rng.permutation(len(y))
    group, y, scores = group[order], y[order], scores[order]
    ask(
        *(scores, y, group, rate, at_least),
        because="With these thresholds not exactly floor(rate · n) of the n qualified people of each group score above.",
        given=f"{', '.join(map(str, qualified))} qualified people in three groups, rate {rate}, at_least {at_least}",
    )
    small = y.copy()
    small[np.flatnonzero((group == names[2]) & (y == 1))[0]] = 0
    ask.raises(
        ValueError,
        *(scores, small, group, rate, at_least),
        because=f"A group has {at_least - 1} qualified people here, and {at_least} are the least. Raise a ValueError: a threshold that hangs on so few is chance, and it would be used for all of them.",
        given=f"a group with {at_least - 1} qualified people and many others, at_least {at_least}",
    )


Pair = tuple[float, float]
Tried = dict[float, dict[str, Pair]]


def _kept(one: dict[str, Pair], limit: float) -> bool:
    return abs(one["validation"][1]) <= limit


def _accurate(pair: Pair) -> float:
    return pair[0]


def _narrow(pair: Pair) -> float:
    return -abs(pair[1])


def _on_test(one: dict[str, Pair]) -> float:
    return abs(one["test"][1])


def _rule(
    keep: Callable[[dict[str, Pair], float], bool] = _kept,
    best: Callable[[Pair], float] = _accurate,
    split: str = "validation",
    told: Callable[[dict[str, Pair]], float] = _on_test,
) -> Callable[[Tried, float], Pair]:
    """Return a rule that chooses a strength and tells a gap; the right one without arguments."""

    def rule(tried: Tried, limit: float = LIMIT) -> Pair:
        kept = [strength for strength, one in tried.items() if keep(one, limit)]
        if not kept:
            raise ValueError("no strength keeps the limit")
        chosen = max(kept, key=lambda strength: best(tried[strength][split]))
        return chosen, told(tried[chosen])

    return rule


def _signed_kept(one: dict[str, Pair], limit: float) -> bool:
    return one["validation"][1] <= limit


@exercise(
    lab="debiasing",
    title="The rule that chooses λ",
    minutes=10,
    difficulty=2,
    hints=(
        "First keep what is within the limit on validation, then look at accuracy on validation. Test comes last, and only for the strength that was chosen.",
        "The gaps are signed. Within the limit is `abs(gap) <= limit`.",
    ),
    last_hint="`best = max(kept, key=lambda strength: kept[strength])`, then `return best, abs(tried[best]['test'][1])`; if `kept` is empty, `raise ValueError(...)`.",
    errors={r"empty": "Nothing is within the limit: raise a ValueError of your own before you look for the best."},
    reference=_rule(),
    mistakes={
        "You compared the signed gap. A gap of −0.15 is as wide as one of 0.15.": (
            _rule(_signed_kept),
            _rule(_signed_kept, told=lambda one: one["test"][1]),
        ),
        "You chose on the test people. Then nothing is left to say what the choice is worth.": (
            _rule(lambda one, limit: abs(one["test"][1]) <= limit, split="test"),
            _rule(lambda one, limit: True, _narrow, "test"),
        ),
        "You asked the test people to keep the limit too: that is choosing on them. Open test last, for one strength.": (
            _rule(lambda one, limit: _kept(one, limit) and abs(one["test"][1]) <= limit)
        ),
        "This is the gap on validation, where the strength was chosen because of it. Report the one on test.": (
            _rule(told=lambda one: abs(one["validation"][1])),
            _rule(told=lambda one: one["validation"][1]),
        ),
        "The strength is right; the gap on test keeps its sign here. A gap is never negative.": (
            _rule(told=lambda one: one["test"][1])
        ),
        "This is the most accurate of all; the limit is not kept.": _rule(lambda one, limit: True),
        "This has the narrowest gap. Within the limit the rule asks for accuracy.": (
            _rule(lambda one, limit: True, _narrow)
        ),
        "At most the limit is `<=`: a gap of exactly the limit may stay.": (
            _rule(lambda one, limit: abs(one["validation"][1]) < limit)
        ),
    },
)
def choose_strength(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the strength that validation chooses, and for its gap on test."""
    limit = float(rng.choice([0.08, 0.1, 0.12]))
    strengths = [float(one) for one in rng.permutation([0.1, 0.3, 1.0, 3.0, 9.0, 27.0, 81.0, 243.0])]
    pairs = (  # (accuracy, signed gap) on validation and on test
        ((0.86, limit + 0.07), (0.852, limit + 0.05)),  # wide
        ((0.85, -limit - 0.05), (0.846, -limit - 0.06)),  # wide, the other way
        ((0.845, limit + 0.015), (0.849, limit - 0.02)),  # within the limit on test only
        ((0.84, -limit), (0.833, -limit - 0.012)),  # just the limit: the right one
        ((0.83, limit - 0.02), (0.825, limit + 0.01)),  # within it on validation only
        ((0.82, 0.03), (0.817, 0.02)),  # within it on both
        ((0.80, -0.002), (0.79, -0.013)),  # the narrowest on validation
        ((0.70, 0.01), (0.69, 0.004)),  # the narrowest on test
    )
    tried = {
        strengths[place]: dict(zip(("validation", "test"), pairs[place], strict=True))
        for place in rng.permutation(len(pairs)).tolist()
    }
    ask(
        *(tried, limit),
        because="The rule gives something else: by validation alone, the most accurate strength whose absolute gap is at most the limit; then its absolute gap on test.",
        given="; ".join(
            f"λ={one:g}: {pair['validation'][0]:.3f}, {pair['validation'][1]:+.3f} (test {pair['test'][0]:.3f}, {pair['test'][1]:+.3f})"
            for one, pair in tried.items()
        )
        + f"; limit {limit:g}",
    )
    none = {1.0: (0.8, 0.3), 2.0: (0.7, -0.2)}
    ask.raises(
        ValueError,
        *({one: {"validation": pair, "test": (0.75, 0.01)} for one, pair in none.items()}, limit),
        because="No strength keeps the limit on validation here, whatever test says. Raise a ValueError: the next best would be another rule.",
        given="gaps of 0.3 and −0.2 on validation, and of 0.01 on test",
    )


# The decision ----------------------------------------------------------------------------------------------


@cache
def _adult() -> tuple[Any, Any, Any, Any]:
    from helix.trust.people import load

    test, kept = load("adult")["test"], results.load("13_debiasing")["figures"]["answers"]["adult"]
    before, after = (np.array([int(one) for one in kept[name]]) for name in ("baseline", "regulariser"))
    return test.y, before, after, test.groups


@cache
def _gap(name: str, which: int) -> float:
    from helix.trust.groups import gaps

    y, *both, groups = _adult()
    return gaps(y, both[which], groups)[name]


def _case(rng: np.random.Generator, cells: dict[tuple[str, int, int, int], int]) -> tuple[Any, ...]:
    """Make y, before, after and groups: for (group, y, before, after) how many people, in random order."""
    rows = np.repeat(np.array(list(cells), dtype=object), list(cells.values()), axis=0)
    rows = rows[rng.permutation(len(rows))]
    return (*(rows[:, column].astype(int) for column in (1, 2, 3)), rows[:, 0])


def _near(rng: np.random.Generator, before: dict[str, Pair], after: dict[str, Pair]) -> tuple[Any, ...]:
    """Make a case of two groups with as many of each label, from how many of 100 with label 1 and with 0 are selected."""
    people, hundreds = {}, int(rng.integers(1, 4))
    for group in before:
        for label, then, now in zip((1, 0), before[group], after[group], strict=True):
            both, most = min(then, now), max(then, now)
            people[(group, label, 1, 1)] = int(hundreds * both)
            people[(group, label, *((1, 0) if then > now else (0, 1)))] = int(hundreds * (most - both))
            people[(group, label, 0, 0)] = int(hundreds * (100 - most))
    return _case(rng, people)


def _gap_of(rng: np.random.Generator, a: str, b: str, left: int) -> tuple[Any, ...]:
    """Narrow a gap of 0.2 to `left` hundredths, by selecting more of the qualified of the group that was behind."""
    return _near(rng, {a: (80, 20), b: (50, 10)}, {a: (80, 20), b: (90 - 2 * left, 10)})


def _opened_by(rng: np.random.Generator, a: str, b: str, growth: int) -> tuple[Any, ...]:
    """Narrow a gap of 0.15 far enough, and open one of `growth` hundredths among the qualified."""
    return _near(rng, {a: (80, 40), b: (80, 10)}, {a: (80 - growth, 40), b: (80, 24)})


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
        _gap_of(rng, a, b, 12),
        _opened_by(rng, a, b, 3),
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
        _gap_of(rng, a, b, 8),
        _opened_by(rng, a, b, 1),
    ]


decide = decision(
    lab="debiasing",
    title="A decision: may the mitigated model be shipped?",
    minutes=14,
    evidence={
        "parity_gap_after": lambda: _gap("demographic_parity", 1),
        "opportunity_gap_growth": lambda: _gap("equal_opportunity", 1) - _gap("equal_opportunity", 0),
    },
    limits={"parity_gap_after": LIMIT, "opportunity_gap_growth": TOLERANCE},
    stop=_cases_to_stop,
    stop_because="Your control lets a mitigation pass that leaves ΔDP above 0.1, opens the gap among the qualified by more than 0.02, or levels down.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a mitigation that keeps both limits, and by which a group gains.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["opportunity_gap_growth"] > TOLERANCE,
            "Your control stops this model, and your choice ships it. One of the two has to change.",
            case=_adult,
        ),
        Rule(
            lambda made, values: len([one for one in made.affected if str(one).strip()]) < 2,
            "Somebody gains and somebody loses here. Name both among the affected.",
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
            "The gap among the qualified grew, and 407 men with a high income newly lose. A smaller λ narrows both gaps but seldom keeps 0.1, so ask those who are affected which gap counts before λ is chosen anew.",
        ),
        ReasonedAnswer(
            "Stop",
            "Income of 1994 says who was paid, not who deserves credit. No penalty on its predictions mends that.",
        ),
    ),
    hints={
        "form": "Start from the form above, and replace every `...` by a sentence of your own.",
        "control": "You need not write the chapter's gate again: `debiasing.refusals(y, before, after, groups)` returns a list of the reasons to refuse. A lambda can be a control: `lambda y, before, after, groups: ...`.",
        "evidence": "Look at the numbers that you recorded, and say of each on which side of its limit it lies.",
    },
    last_hints={
        "evidence": '`{"parity_gap_after": "<= 0.1", "opportunity_gap_growth": "> 0.02"}`',
    },
)
