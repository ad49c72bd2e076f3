"""Quantization: grids, their gradient, bits under a budget, and whether a smaller network may take another's place."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helix.checking import ReasonedAnswer, Rule, Unmet, any_of, decision, exercise, expect, expect_raises, expect_that
from helix.datasets import fashion_mnist
from helix.record import results

LIMIT = 0.02

Integers = NDArray[np.int64]


@exercise(
    lab="quantization",
    title="Scale and zero point",
    minutes=12,
    difficulty=2,
    hints=(
        "Widen the range first: `low = min(low, 0.0)`, `high = max(high, 0.0)`. From one end to the other there are as many steps as "
        "there are whole numbers, less one.",
        "The scale is `(high - low) / (2**bits - 1)`. The zero point is the whole number that means 0: `low` is the whole number 0, so 0 "
        "lies `-low / scale` steps further.",
        "`return scale, int(round(-low / scale))`, and before it `if low == high: return 1.0, 0`.",
    ),
    errors={
        r"ZeroDivisionError|division by zero": "The range can hold nothing but 0 (`low == high == 0`). Return `(1.0, 0)` then.",
        r"cannot convert float NaN|invalid value": "0 divided by 0: is the range that holds nothing but 0 answered before?",
    },
)
def scale_and_zero_point(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the scale and the zero point of an asymmetric grid."""
    bits = int(rng.integers(3, 9))
    a, b = np.sort(rng.uniform(0.4, 9, size=2))
    for low, high in (
        (-float(a), float(b) + 1),
        (-float(b) - 1, float(a)),
        (float(a), float(b) + 1),  # 0 lies outside
        (-float(b) - 1, -float(a)),
    ):
        given = f"low = {low:.3f}, high = {high:.3f}, bits = {bits}"
        wanted = _affine(low, high, bits)
        got = answer(low, high, bits)
        if isinstance(got, tuple | list) and len(got) == 2:
            scale, zero_point = got
            expect_that(
                not (isinstance(scale, int | np.integer) and isinstance(zero_point, float)),
                because="The scale comes first, then the zero point.",
                given=given,
                got=got,
            )
            expect_that(
                not (isinstance(zero_point, float) and zero_point.is_integer()),
                because="The zero point is whole, but still a float: `np.round` gives one. Wrap it in `int(...)`.",
                given=given,
                got=got,
            )
            expect_that(
                isinstance(zero_point, int | np.integer) and not isinstance(zero_point, bool),
                because="The zero point is a whole number, an `int`. Round it, or 0 does not lie on the grid.",
                given=given,
                got=got,
            )
        wide, step = (min(low, 0.0), max(high, 0.0)), 2**bits - 1
        expect(
            tuple(got) if isinstance(got, list) else got,
            close_to=wanted,
            because="These are not the scale and the zero point of this range.",
            given=given,
            if_equals={
                "This range does not contain 0, so 0 is not on your grid. Widen it first: padding and ReLU make many zeros.": _of_scale(
                    low, (high - low) / step
                ),
                "You divided by the number of places. There is one step less than there are places: 2**bits − 1.": _of_scale(
                    wide[0], (wide[1] - wide[0]) / 2**bits
                ),
                "This is a symmetric grid. With an asymmetric one no whole number is spent on a side that is not needed.": any_of(
                    *(
                        (max(-wide[0], wide[1]) / (2 ** (bits - 1) - shift), middle)
                        for shift in (0, 1)
                        for middle in (0, 2 ** (bits - 1))
                    )
                ),
                "The zero point has the wrong sign. `low` is the whole number 0, so 0 lies −low / scale steps above it.": (
                    wanted[0],
                    -wanted[1],
                ),
                "This zero point was cut off, not rounded: 0 then lies up to a whole step beside the grid.": (
                    wanted[0],
                    int(-wide[0] / wanted[0]),
                ),
                "This grid starts at −2**(bits−1). Here the whole numbers run from 0 to 2**bits − 1.": (
                    wanted[0],
                    wanted[1] - 2 ** (bits - 1),
                ),
            },
        )
    expect(
        answer(0.0, 0.0, bits),
        close_to=(1.0, 0),
        because="Where there is nothing but 0 to be held, return (1.0, 0).",
        given="low = high = 0",
    )


def _of_scale(low: float, scale: float) -> tuple[float, int]:
    return scale, round(-low / scale)


def _affine(low: float, high: float, bits: int) -> tuple[float, int]:
    low, high = min(low, 0.0), max(high, 0.0)
    return _of_scale(low, (high - low) / (2**bits - 1))


def _numbers(rng: np.random.Generator, bits: int) -> tuple[NDArray[np.float64], float, int]:
    """Draw numbers, a grid, and take care that some are clipped at either end and none lies half-way between two places."""
    scale, zero_point = float(rng.uniform(0.02, 2)), int(rng.integers(1, 2**bits - 1))
    last = 2**bits - 1
    inside = rng.integers(0, last + 1, size=8) + rng.uniform(-0.4, 0.4, size=8)
    beyond = np.array(
        [-rng.uniform(1.2, 3), -rng.uniform(2, 300), last + rng.uniform(1.2, 3), last + rng.uniform(2, 300)]
    )
    # Between the last place and half a step beyond it a number is rounded back and not clipped.
    edges = np.array([-0.3, 0.2, last - 0.2, last + 0.3])
    steps = rng.permutation(np.concatenate([inside, beyond, edges])).reshape(2, 8)
    return scale * (steps - zero_point), scale, zero_point


def _as_array(got: Any, given: str) -> Any:
    """Return what was answered; refuse a list of the right numbers with a word about that, and not about the numbers."""
    if isinstance(got, list | tuple):
        raise Unmet("This is a list. Return an array, which can be computed with: `np.array(...)`.", given)
    return got


@exercise(
    lab="quantization",
    title="There and back",
    minutes=10,
    difficulty=2,
    hints=(
        "Three steps: divide by the scale and round, add the zero point, clip. Then two back: subtract the zero point, multiply by the scale.",
        "`np.clip(values, 0, 2**bits - 1)` clips; do it after the zero point was added, since the whole numbers run from 0.",
        "`q = np.clip(np.round(x / scale) + zero_point, 0, 2**bits - 1)`, then `scale * (q - zero_point)`.",
    ),
    errors={
        r"cast|overflow|out of bounds": "int8 ends at 127, and the whole numbers here reach 255. Let them stay floats: the chapter's "
        "`.astype(np.int8)` belongs to a symmetric grid.",
    },
)
def round_trip(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for numbers on an asymmetric grid, read back: once with 8 bits, where an int8 would overflow, once with fewer."""
    for bits in (8, int(rng.integers(3, 8))):
        x, scale, zero_point = _numbers(rng, bits)
        last, q = 2**bits - 1, np.round(x / scale) + zero_point
        clipped = np.clip(q, 0, last)
        given = f"scale = {scale:.4f}, zero_point = {zero_point}, bits = {bits}, x from {x.min():.3f} to {x.max():.3f}"
        before = x.copy()
        got = _as_array(answer(x, scale, zero_point, bits), given)
        expect_that(
            np.array_equal(x, before),
            because="Your function changed the array it was given. Work on new arrays: whoever called you still needs `x`.",
            given=given,
        )
        expect(
            got,
            close_to=scale * (clipped - zero_point),
            because="These are not the numbers that the grid holds.",
            given=given,
            if_equals={
                "Numbers beyond the grid have to be clipped to its ends.": scale * (q - zero_point),
                "These are the whole numbers q. Read them back: subtract the zero point, multiply by the scale.": clipped,
                "The zero point was not subtracted when reading back.": scale * clipped,
                "The zero point was not added before clipping, so that the grid lies elsewhere.": any_of(
                    scale * np.clip(q - zero_point, 0, last), scale * (np.clip(q - zero_point, 0, last) - zero_point)
                ),
                "You cut the decimals off. Round to the nearest, or the errors all go the same way.": any_of(
                    *(
                        scale * (np.clip(cut(x / scale) + zero_point, 0, last) - zero_point)
                        for cut in (np.floor, np.trunc, np.ceil)
                    ),
                    scale * (np.floor(np.clip(x / scale + zero_point, 0, last)) - zero_point),
                ),
                "The whole numbers wrapped round: they became 8-bit integers too early, or of a type that is too small. Let them stay "
                "floats in here: int8 ends at 127, and a uint8 minus the zero point never falls below 0.": any_of(
                    scale * (q.astype(np.int64).astype(np.uint8).astype(float) - zero_point),
                    scale * (clipped.astype(np.uint8).astype(np.int8).astype(float) - zero_point),
                    scale * ((clipped - zero_point) % 256),
                    scale * ((q - zero_point) % 256),
                ),
                "This clips to −2**(bits−1) … 2**(bits−1) − 1. An asymmetric grid has the whole numbers 0 to 2**bits − 1.": any_of(
                    scale * (np.clip(q, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) - zero_point),
                    scale * np.clip(q - zero_point, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
                ),
                "The last whole number is 2**bits − 1, not 2**bits.": scale * (np.clip(q, 0, last + 1) - zero_point),
            },
        )


@exercise(
    lab="quantization",
    title="A scale for each channel",
    minutes=12,
    difficulty=2,
    hints=(
        "You want the largest magnitude over all axes but one. `np.moveaxis(weight, axis, 0)` brings that one to the front.",
        "After `rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)` each row is a channel: `np.abs(rows).max(axis=1)`.",
        "Divide by `2**(bits - 1) - 1`, and use `np.where(largest > 0, ..., 1.0)` for channels that are all zeros.",
    ),
    errors={
        r"AxisError|axis .* is out of bounds": "The weight may have any number of axes, and `axis` may be negative.",
        r"could not be broadcast|shape mismatch": "Is the result one number a channel, of shape (channels,)?",
    },
)
def channel_scales(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the scale of each channel, for weights whose channels stand on any axis."""
    bits = int(rng.integers(3, 9))
    shape = tuple(int(n) for n in rng.choice([3, 4, 5, 6], size=3, replace=False))
    axis = int(rng.integers(0, 3))
    weight = rng.normal(size=shape) * rng.uniform(0.1, 4, size=shape[axis]).reshape(
        [-1 if k == axis else 1 for k in range(3)]
    )
    weight[tuple(slice(None) if k != axis else 0 for k in range(3))] -= 1.5  # a channel whose largest is below 0
    weight[tuple(slice(None) if k != axis else 1 for k in range(3))] = 0.0
    others = tuple(k for k in range(3) if k != axis)
    largest, top = np.abs(weight).max(axis=others), 2 ** (bits - 1) - 1
    alive = largest > 0
    wanted = np.where(alive, largest / top, 1.0)

    def where_alive(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(alive, values, 1.0)

    for asked in (axis, axis - 3):
        given = f"a weight of shape {shape}, axis = {asked}, bits = {bits}, channel 1 all zeros"
        got = _as_array(answer(weight.copy(), asked, bits), given)
        if isinstance(got, np.ndarray) and got.ndim > 1:
            raise Unmet(
                f"One number a channel, please: the shape is {got.shape}, and should be ({shape[axis]},).", given
            )
        if isinstance(got, np.ndarray) and got.shape == (shape[axis],) and got[1] == 0:
            raise Unmet("The dead channel got the scale 0, by which something will be divided. Give it 1.", given)
        for other in others:
            if isinstance(got, np.ndarray) and got.shape == (shape[other],):
                raise Unmet(
                    f"These are {shape[other]} scales. The channels stand on axis {asked}, and are {shape[axis]}.",
                    given,
                )
        if asked < 0:
            expect(
                got,
                close_to=wanted,
                because="With this negative axis your answer is another than with the same axis counted from the front.",
                given=given,
            )
        expect(
            got,
            close_to=wanted,
            because="These are not the channels' scales: the largest magnitude of each, over the largest whole number.",
            given=given,
            if_equals={
                "This is one scale for the whole tensor. Each channel gets its own.": any_of(
                    *(value * np.ones(shape[axis]) for value in (largest.max() / top,)),
                    where_alive(np.full(shape[axis], largest.max() / top)),
                    float(largest.max() / top),
                ),
                "This looks at the largest number, not at the largest magnitude: −3 needs as much room as 3.": any_of(
                    where_alive(weight.max(axis=others) / top),
                    np.where(weight.max(axis=others) > 0, weight.max(axis=others) / top, 1.0),
                ),
                "This is half of the range. A symmetric grid has to reach the larger of its two ends.": where_alive(
                    (weight.max(axis=others) - weight.min(axis=others)) / 2 / top
                ),
                "This takes the mean magnitude, so that the larger weights are clipped.": where_alive(
                    np.abs(weight).mean(axis=others) / top
                ),
                "The largest whole number is 2**(bits−1) − 1: one bit is for the sign, and the grid is symmetric.": any_of(
                    *(where_alive(largest / n) for n in (2 ** (bits - 1), 2**bits - 1, 2**bits))
                ),
            },
        )


@exercise(
    lab="quantization",
    title="The gradient that goes straight through",
    minutes=12,
    difficulty=3,
    hints=(
        "Find out which numbers were clipped: compute the whole numbers as before, without clipping them, and see which lie outside of 0 to "
        "2**bits − 1.",
        "Inside, the answer is `upstream`, as it is. Outside it is 0. `np.where(condition, a, b)` chooses.",
        "`q = np.round(x / scale) + zero_point`, then `np.where((q >= 0) & (q <= 2**bits - 1), upstream, 0.0)`.",
    ),
    errors={
        r"truth value of an array": "Combine conditions on arrays with `&` and brackets: `(q >= 0) & (q <= last)`.",
    },
)
def gradient_of_round_trip(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the straight-through gradient of `round_trip`."""
    bits = int(rng.integers(3, 9))
    x, scale, zero_point = _numbers(rng, bits)
    upstream = rng.normal(size=x.shape) + 3 * rng.choice([-1, 1], size=x.shape)
    last, q = 2**bits - 1, np.round(x / scale) + zero_point
    inside = (q >= 0) & (q <= last)
    unrounded = x / scale + zero_point
    given = f"scale = {scale:.4f}, zero_point = {zero_point}, bits = {bits}; {int((~inside).sum())} of {x.size} numbers are clipped"
    came = upstream.copy()
    got = _as_array(answer(x.copy(), came, scale, zero_point, bits), given)
    expect_that(
        np.array_equal(came, upstream),
        because="Your function changed the gradient it was given. Make a new array: others still need `upstream`.",
        given=given,
    )
    expect(
        got,
        close_to=np.where(inside, upstream, 0.0),
        because="This is not the straight-through gradient: `upstream` where the number was not clipped, 0 where it was.",
        given=given,
        if_equals={
            "Every gradient passes. A clipped number sits at the end of the grid whatever it does: its gradient is 0. Ask which "
            "were clipped before you clip them.": upstream,
            "This is the true gradient of a staircase, zero everywhere. Nothing would be learned from it.": np.zeros(
                x.shape
            ),
            "This says where the gradient passes. Multiply it by `upstream`, which has come back so far.": any_of(
                inside.astype(float), inside
            ),
            "It is the other way round: the gradient stops where the number was clipped.": np.where(
                inside, 0.0, upstream
            ),
            "The scale does not belong in here: the number is divided by it on the way in and multiplied on the way back.": any_of(
                *(np.where(inside, upstream * factor, 0.0) for factor in (scale, 1 / scale))
            ),
            "These are the ends of a grid without zero point. Add it before you compare.": any_of(
                np.where((q - zero_point >= 0) & (q - zero_point <= last), upstream, 0.0),
                np.where(np.abs(q - zero_point) <= last, upstream, 0.0),
                np.where(np.abs(q - zero_point) <= 2 ** (bits - 1) - 1, upstream, 0.0),
            ),
            "Compare the rounded numbers: less than half a step beyond the last place is rounded back to it, not clipped.": np.where(
                (unrounded >= 0) & (unrounded <= last), upstream, 0.0
            ),
            "The two ends of the grid belong to it: `<=` and `>=`.": np.where((q > 0) & (q < last), upstream, 0.0),
        },
    )


@dataclass(frozen=True)
class _Parts:
    """Parts of a network: the loss that each number of bits adds, the weights, and the bytes that all may take."""

    losses: dict[str, dict[int, float]]
    numbers: dict[str, int]
    budget: int

    @property
    def widths(self) -> list[int]:
        return list(next(iter(self.losses.values())))

    @cached_property
    def choices(self) -> list[dict[str, int]]:
        return [
            dict(zip(self.numbers, bits, strict=True))
            for bits in itertools.product(self.widths, repeat=len(self.numbers))
        ]

    def loss(self, bits: Mapping[str, int]) -> float:
        return sum(self.losses[name][width] for name, width in bits.items())

    def taken(self, bits: Mapping[str, int]) -> float:
        return sum(width * self.numbers[name] for name, width in bits.items()) / 8

    def fits(self, bits: Mapping[str, int]) -> bool:
        return self.taken(bits) <= self.budget

    def best(self, harm: Callable[[Mapping[str, int]], float]) -> dict[str, int]:
        return min(filter(self.fits, self.choices), key=harm)

    def each(self, bits: Mapping[str, int]) -> list[float]:
        return [self.losses[name][width] for name, width in bits.items()]

    def shortcuts(self) -> dict[str, list[dict[str, int]]]:
        """Return what the usual shortcuts choose; each is a misconception."""
        alike = [dict.fromkeys(self.numbers, width) for width in self.widths]
        average = 8 * self.budget / sum(self.numbers.values())
        return {
            "alike": [next(one for one in alike if self.fits(one))],
            "most": [alike[0]],
            "least": [alike[-1]],
            "fullest": [self.best(lambda one: -self.taken(one))],
            "shares": [_equal_shares(self)],
            "greedy": [_greedy(self, per_byte=per_byte) for per_byte in (False, True)],
            "average": [min((one for one in self.choices if sum(one.values()) <= average * len(one)), key=self.loss)],
            "worst": [self.best(lambda one: max(self.each(one)))],
            "weighted": [
                self.best(lambda one: sum(self.losses[name][one[name]] * n for name, n in self.numbers.items()))
            ],
            "negative": [
                self.best(lambda one: sum(map(abs, self.each(one)))),
                self.best(lambda one: sum(max(loss, 0.0) for loss in self.each(one))),
            ],
        }


def _draw_parts(rng: np.random.Generator) -> _Parts:
    """Draw parts whose best choice is clear, leaves some of the budget, and is missed by every shortcut."""
    while True:
        names = [str(name) for name in rng.permutation(["stem", "body", "neck", "head", "tail"])[:4]]
        numbers = {name: int(8 * rng.integers(20, 3000)) for name in names}
        widths = sorted(rng.choice([2, 3, 4, 5, 6, 8], size=3, replace=False).tolist(), reverse=True)
        losses = {}
        for name in names:
            added = np.sort(rng.exponential(rng.uniform(0.02, 1.5), size=3))
            # Rounding can also help a little: the more bits may then be below 0.
            losses[name] = dict(zip(widths, (added - rng.uniform(0, 1.2) * added[1]).tolist(), strict=True))
        most, least = (sum(numbers.values()) * width // 8 for width in (widths[0], widths[-1]))
        made = _Parts(losses, numbers, int(least + rng.uniform(0.25, 0.6) * (most - least)))
        first, second = sorted(filter(made.fits, made.choices), key=made.loss)[:2]
        shortcuts = made.shortcuts()
        missed = all(first not in chosen for chosen in shortcuts.values()) and shortcuts["alike"] != shortcuts["least"]
        if missed and made.loss(second) - made.loss(first) > 0.01:
            return made


def _greedy(parts: _Parts, *, per_byte: bool) -> dict[str, int]:
    """Go down step by step, each time where it adds the least loss, until it fits."""
    now = dict.fromkeys(parts.numbers, parts.widths[0])
    while parts.taken(now) > parts.budget:
        steps = {}
        for name, bits in now.items():
            if lower := [width for width in parts.widths if width < bits]:
                saved = (bits - lower[0]) * parts.numbers[name] if per_byte else 1
                steps[name] = ((parts.losses[name][lower[0]] - parts.losses[name][bits]) / saved, lower[0])
        chosen = min(steps, key=lambda name: steps[name][0])
        now[chosen] = steps[chosen][1]
    return now


def _equal_shares(parts: _Parts) -> dict[str, int]:
    """Give each part the same share of the budget, and the best bits within it; the fewest, if none fit."""
    made = {}
    for name, by in parts.losses.items():
        allowed = [bits for bits in by if bits * parts.numbers[name] <= 8 * parts.budget / len(parts.numbers)]
        made[name] = min(allowed or [min(by)], key=by.__getitem__)
    return made


@exercise(
    lab="quantization",
    title="Bits where they are needed",
    minutes=20,
    difficulty=4,
    hints=(
        "`itertools.product` makes every combination: `product(*(added_loss[part] for part in parts))` gives one number of bits a part.",
        "Keep the combinations that fit: the sum of `bits * numbers[part]` is in bits, and the budget in bytes, eight times as large.",
        "Of those that fit take the `min(..., key=...)` by the sum of `added_loss[part][bits]`; if none fits, `raise ValueError(...)`.",
    ),
    errors={
        r"KeyError": "The parts have other names here, and other numbers of bits. Take both from `added_loss`.",
        r"min\(\) (?:arg|iterable)|empty sequence": "Nothing fits in this budget: raise a ValueError with a sentence of your own before you "
        "look for the best.",
    },
    seconds=15.0,
)
def choose_bits(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the bits of each part that add the least loss within a budget."""
    parts = _draw_parts(rng)
    numbers, losses = parts.numbers, parts.losses
    given = (
        f"{len(numbers)} parts with {', '.join(f'{n:,}' for n in numbers.values())} weights, "
        f"{' / '.join(map(str, parts.widths))} bits to choose from, a budget of {parts.budget:,} bytes"
    )

    def ask(budget: int) -> Any:
        return answer({name: dict(by) for name, by in losses.items()}, dict(numbers), budget)

    best = parts.best(parts.loss)
    try:
        got, exact = ask(parts.budget), ask(int(parts.taken(best)))
    except ValueError as error:
        raise Unmet(
            "Your function refuses a budget in which something fits. Does it count eight bits a byte? Does it look at every "
            "combination?",
            given,
            f"ValueError: {error}",
        ) from None
    because = "Another choice fits in the budget and adds less loss."
    if isinstance(got, Mapping):
        if set(got) != set(numbers) or any(got[name] not in losses[name] for name in numbers):
            because = "Give every part one of the numbers of bits that `added_loss` lists for it."
        elif parts.taken(got) > parts.budget:
            because = f"This needs {parts.taken(got):,.0f} bytes, and {parts.budget:,} are allowed."
    chosen = {name: any_of(*made) for name, made in parts.shortcuts().items()}
    expect(
        dict(got) if isinstance(got, Mapping) else got,
        equal_to=best,
        because=because,
        given=given,
        if_equals={
            "All parts have the same bits. Those that bear less can give theirs to those that need more.": chosen[
                "alike"
            ],
            "The budget is not kept: every part got the most bits there are.": chosen["most"],
            "Every part got the fewest bits. That fits, but the budget leaves room for better.": chosen["least"],
            "A loss can be negative: that rounding helped. Take it as it is, without `abs` and without cutting it off at 0.": chosen[
                "negative"
            ],
            "You weighed each loss with the number of weights. It is what the part as a whole adds already.": chosen[
                "weighted"
            ],
            "This fills the budget as far as it goes. Bytes that are left harm nobody: of all that fits, take what adds the least "
            "loss.": chosen["fullest"],
            "You gave each part an equal share of the budget. Parts that need little should leave theirs to others.": chosen[
                "shares"
            ],
            "You went down step by step, always where it cost least at that moment. A step that looks dear can make several "
            "others unnecessary: compare whole combinations.": chosen["greedy"],
            "This keeps the worst part as good as can be. Asked is the sum over the parts.": chosen["worst"],
            "You averaged the bits over the parts. Parts differ in size: count the weights of each.": chosen["average"],
        },
    )
    expect(
        dict(exact) if isinstance(exact, Mapping) else exact,
        equal_to=best,
        because="This choice takes the budget to the last byte, which fits: at most means `<=`.",
        given=given.replace(f"{parts.budget:,} bytes", f"{parts.taken(best):,.0f} bytes"),
    )
    needed = parts.taken(dict.fromkeys(numbers, parts.widths[-1]))
    expect_raises(
        ValueError,
        lambda: ask(int(needed) - 1),
        because="Nothing fits in this budget, so no choice is right: raise a ValueError that says so.",
        given=f"a budget of {int(needed) - 1:,} bytes, where the fewest bits for all need {needed:,.0f}",
    )


# The decision ----------------------------------------------------------------------------------------------


@cache
def _recorded(name: str) -> Integers:
    return np.array([int(digit) for digit in results.load("01_quantization")["figures"]["answers"][name]])


@cache
def _labels() -> Integers:
    return fashion_mnist.load("test").labels


def _falls(end: str) -> float:
    from helix.engineering.quantization import class_changes

    changes = class_changes(_labels(), _recorded("fp32"), _recorded("mixed"))
    return max(-float(getattr(change, end)) for change in changes.values())


def _answers(
    rng: np.random.Generator, changes: Mapping[int, tuple[int, int, int]]
) -> tuple[Integers, Integers, Integers]:
    """Make labels and answers in random order: for each class how many pictures, how many newly right, how many newly wrong."""
    labels, before, after = [], [], []
    for label, (size, won, lost) in changes.items():
        right = int(0.9 * size) - won
        wrong = (label + 1) % (max(changes) + 1)
        labels += [label] * size
        # Right in both, newly wrong, newly right, wrong in both: in this order.
        before += [label] * right + [wrong] * (size - right)
        after += [label] * (right - lost) + [wrong] * lost + [label] * won + [wrong] * (size - right - won)
    order = rng.permutation(len(labels))
    made: tuple[Integers, ...] = tuple(np.array(one, dtype=np.int64)[order] for one in (labels, before, after))
    return made[0], made[1], made[2]


def _cases_to_stop(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    """Draw the network of the lab, and networks with a class that pays, or that may pay: few pictures show little."""
    a, b, c = (int(label) for label in rng.permutation(6)[:3])
    size = int(rng.integers(900, 1100))
    return [
        (_labels(), _recorded("fp32"), _recorded("mixed")),
        (_labels(), _recorded("fp32"), _recorded("int4 weights")),
        _answers(rng, {a: (size, 45, 2), b: (size, 1, 45), c: (size, 40, 2)}),  # the average gains
        _answers(rng, {a: (size, 1, 1), b: (size, 2, 20), c: (size, 1, 1)}),  # measured below the limit, possibly above
        _answers(rng, {a: (size, 1, 1), b: (size, 1, 1), c: (30, 0, 0)}),  # nothing lost, of thirty pictures
    ]


def _cases_to_pass(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    """Draw networks of the same kinds in which no class can have lost more than the limit."""
    a, b, c = (int(label) for label in rng.permutation(6)[:3])
    size = int(rng.integers(900, 1100))
    return [
        (_labels(), _recorded("fp32"), _recorded("static")),
        _answers(rng, {a: (size, 45, 2), b: (size, 20, 21), c: (size, 40, 2)}),
        _answers(rng, {a: (size, 1, 1), b: (size, 2, 5), c: (size, 1, 1)}),
        _answers(rng, {a: (size, 1, 1), b: (size, 1, 1), c: (600, 0, 0)}),
        _answers(rng, {a: (8 * size, 40, 90), b: (size, 0, 1)}),  # many pictures: a small loss, well known
    ]


decide = decision(
    lab="quantization",
    title="A decision: may the small network take the large one's place?",
    minutes=24,
    evidence={"worst_fall": lambda: _falls("value"), "worst_fall_possible": lambda: _falls("low")},
    limits={"worst_fall": LIMIT, "worst_fall_possible": LIMIT},
    stop=_cases_to_stop,
    stop_because="Your control lets a network pass of which one class lost more than the limit, or may have: its interval reaches below "
    "−limit. Look at every class, and at the low end of its interval.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a network of which no class can have lost more than the limit. Is it the interval for the same pictures "
    "before and after, as `class_changes` gives it? Gains are no harm.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["worst_fall_possible"] > LIMIT,
            "Your control stops this network, and your choice ships it. One of the two has to change.",
        ),
    ),
    rubric=(
        "Are the people named who stand behind the class that lost, and those who gain from a smaller network?",
        "Would someone who wants to ship today recognise their own argument in your dissent?",
        "Does the residual risk say what ten classes and one shop's pictures cannot show?",
        "Was the limit of 0.02 yours to set? Who would set it if those who wait for their money were asked?",
    ),
    examples=(
        ReasonedAnswer(
            "Fix",
            "The measured fall is 1.8 points and may be 2.8: the test cannot tell. Train one epoch with these bits in place, as the chapter "
            "did for 2 bits, and measure again on more pictures of T-shirts. Until then the large network answers from the server.",
        ),
        ReasonedAnswer(
            "Stop",
            "The limit was set before looking, and nobody can say that it is kept. Those who would wait longer for their money did not ask "
            "for an app. The time is better spent on a network that was built for pictures of this size.",
        ),
    ),
    hints=(
        "Start from the form above, and replace every `...` by a sentence of your own.",
        'The measured fall lies below 0.02, what the interval allows above: `{"worst_fall": "<= 0.02", "worst_fall_possible": "> 0.02"}`.',
        "`all(change.low >= -limit for change in quantization.class_changes(labels, before, after).values())` is the whole control.",
    ),
    errors={
        r"KeyError": "The pictures may hold any classes. Look at all the values: `class_changes(...).values()`.",
        r"has no attribute 'low'": "`class_changes` gives a `dict`; its `.values()` are the intervals, with `.value`, `.low` and `.high`.",
        r"unexpected keyword argument": "The fields of `Decision` are spelled as in the form above the exercise.",
    },
)
