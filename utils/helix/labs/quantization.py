"""Quantization: grids, their gradient, bits under a budget, and whether a smaller network may take another's place."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helix.checking import Ask, ReasonedAnswer, Rule, decision, distinct, exercise, expect_that
from helix.datasets import fashion_mnist
from helix.record import results

# What float32 itself costs a class when it is trained an epoch more, three times: 0.014 as measured, up to 0.025 with its interval.
ORDINARY = 0.014
LIMIT = 0.03  # the smallest whole number of points under which the lab's control lets all three of these updates pass

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def _affine(
    low: float,
    high: float,
    bits: int = 8,
    steps: Callable[[int], int] = lambda bits: 2**bits - 1,
    rounded: Callable[[float], float] = round,
    widened: bool = True,
) -> tuple[float, float]:
    if widened:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return 1.0, 0
    scale = (high - low) / steps(bits)
    return scale, rounded(-low / scale)


def _symmetric(low: float, high: float, bits: int, unused: int, middle: int) -> tuple[float, int]:
    return max(-low, high) / (2 ** (bits - 1) - unused) or 1.0, middle * 2 ** (bits - 1)


@exercise(
    lab="quantization",
    title="Scale and zero point",
    minutes=9,
    difficulty=2,
    hints=(
        (
            "Widen the range first: `low = min(low, 0.0)`, `high = max(high, 0.0)`. From one end to the other there are as many steps as "
            "there are whole numbers, less one."
        ),
        (
            "The scale is the length of one of these steps. The zero point is the whole number that means 0: `low` is the whole number 0, so "
            "count the steps from there up to 0."
        ),
    ),
    last_hint="`scale = (high - low) / (2**bits - 1)`, then `return scale, int(round(-low / scale))`; before both `if low == high: return 1.0, 0`.",
    errors={
        r"ZeroDivisionError|division by zero": "The range can hold nothing but 0 (`low == high == 0`). Return `(1.0, 0)` then.",
        r"cannot convert float NaN|invalid value": "0 divided by 0: is the range that holds nothing but 0 answered before?",
    },
    reference=_affine,
    mistakes={
        "Only where both ends are 0 is there nothing but 0 to be held. From −3 to −3 there is a −3: widen the range before you ask whether its "
        "ends are equal.": lambda low, high, bits: (1.0, 0) if low == high else _affine(low, high, bits),
        "This range does not contain 0, so 0 is not on your grid. Widen it first: padding and ReLU make many zeros.": partial(
            _affine, widened=False
        ),
        "The whole numbers from 0 to 2**bits − 1 are one step less apart than there are places: divide by 2**bits − 1. "
        "(2**(bits−1) − 1 belongs to a symmetric grid, and 255 to 8 bits.)": (
            partial(_affine, steps=lambda bits: 2**bits),
            partial(_affine, steps=lambda bits: 2 ** (bits - 1) - 1),
            partial(_affine, steps=lambda bits: 255),
        ),
        "This is a symmetric grid. With an asymmetric one no whole number is spent on a side that is not needed.": tuple(
            partial(_symmetric, unused=unused, middle=middle) for unused in (0, 1) for middle in (0, 1)
        ),
        "The whole number 0 means `low`, so 0 lies −low / scale steps above it. Your zero point has the other sign, or belongs to a grid "
        "that starts at −2**(bits−1).": (
            partial(_affine, rounded=lambda steps: -round(steps)),
            lambda low, high, bits: (_affine(low, high, bits)[0], _affine(low, high, bits)[1] - 2 ** (bits - 1)),
        ),
        "The zero point is a whole number, rounded to the nearest. Cut off or unrounded, it puts 0 up to a whole step beside the grid.": (
            partial(_affine, rounded=int),
            partial(_affine, rounded=float),
        ),
        "The scale comes first, then the zero point.": lambda *given: _affine(*given)[::-1],
    },
)
def scale_and_zero_point(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the scale and the zero point of an asymmetric grid; never with 8 bits, which some take for granted."""
    bits = int(rng.integers(3, 8))
    a, b = (float(end) for end in np.sort(rng.uniform(0.4, 9, size=2)))
    for low, high in ((-a, b + 1), (-b - 1, a), (a, b + 1), (-b - 1, -a)):  # in the last two 0 lies outside
        got = ask(*(low, high, bits), because="These are not the scale and the zero point of this range.")
        expect_that(
            np.asarray(got[1]).dtype.kind in "iu",
            because="The zero point is whole, but still a float: `np.round` gives one. Wrap it in `int(...)`.",
            got=got,
        )
    ask(*(0.0, 0.0, bits), because="Where there is nothing but 0 to be held, return (1.0, 0).")
    for end in (-a, b):
        ask(
            *(end, end, bits),
            because="These are not the scale and the zero point of a range whose ends are equal and not 0.",
        )


def _numbers(rng: np.random.Generator, bits: int) -> tuple[Floats, float, int]:
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


def _whole(x: Floats, scale: float, zero_point: int) -> Floats:
    return np.round(x / scale) + zero_point


def _trip(
    x: Floats, scale: float, zero_point: int, bits: int = 8, rounded: Callable[[Floats], Floats] = np.round
) -> Floats:
    return scale * (np.clip(rounded(x / scale) + zero_point, 0, 2**bits - 1) - zero_point)


@exercise(
    lab="quantization",
    title="There and back",
    minutes=7,
    difficulty=2,
    hints=(
        "Three steps: divide by the scale and round, add the zero point, clip. Then two back: subtract the zero point, multiply by the scale.",
        "`np.clip(values, 0, 2**bits - 1)` clips; do it after the zero point was added, since the whole numbers run from 0.",
    ),
    last_hint="`q = np.clip(np.round(x / scale) + zero_point, 0, 2**bits - 1)`, then `scale * (q - zero_point)`.",
    errors={
        r"cast|overflow|out of bounds": "int8 ends at 127, and the whole numbers here reach 255. Let them stay floats: the chapter's "
        "`.astype(np.int8)` belongs to a symmetric grid.",
    },
    reference=_trip,
    mistakes={
        "Numbers beyond the grid have to be clipped to its ends.": lambda x, s, z, bits: s * (_whole(x, s, z) - z),
        "These are the whole numbers q. Read them back: subtract the zero point, multiply by the scale.": (
            lambda x, s, z, bits: np.clip(_whole(x, s, z), 0, 2**bits - 1)
        ),
        "The zero point is added before clipping, and subtracted again when reading back. One of the two is missing or turned.": (
            lambda x, s, z, bits: s * np.clip(_whole(x, s, z), 0, 2**bits - 1),
            lambda x, s, z, bits: s * np.clip(_whole(x, s, 0), 0, 2**bits - 1),
            lambda x, s, z, bits: s * (np.clip(_whole(x, s, 0), 0, 2**bits - 1) - z),
            lambda x, s, z, bits: s * (np.clip(_whole(x, s, -z), 0, 2**bits - 1) + z),
        ),
        "You cut the decimals off. Round to the nearest, or the errors all go the same way.": (
            *(partial(_trip, rounded=cut) for cut in (np.floor, np.trunc, np.ceil)),
            lambda x, s, z, bits: s * (np.floor(np.clip(x / s + z, 0, 2**bits - 1)) - z),
        ),
        "The whole numbers wrapped round: they became 8-bit integers too early, or of a type that is too small. Let them stay "
        "floats in here: int8 ends at 127, and a uint8 minus the zero point never falls below 0.": (
            lambda x, s, z, bits: s * (_whole(x, s, z) % 256 - z),
            lambda x, s, z, bits: s * ((np.clip(_whole(x, s, z), 0, 2**bits - 1) + 128) % 256 - 128 - z),
            lambda x, s, z, bits: s * ((np.clip(_whole(x, s, z), 0, 2**bits - 1) - z) % 256),
            lambda x, s, z, bits: s * ((_whole(x, s, z) - z) % 256),
        ),
        "An asymmetric grid has the whole numbers from 0 to 2**bits − 1: none below 0, no 2**bits, and 255 with 8 bits only.": (
            lambda x, s, z, bits: s * (np.clip(_whole(x, s, z), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) - z),
            lambda x, s, z, bits: s * np.clip(_whole(x, s, 0), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
            lambda x, s, z, bits: s * (np.clip(_whole(x, s, z), 0, 2**bits) - z),
            lambda x, s, z, bits: _trip(x, s, z, 8),
        ),
    },
)
def round_trip(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for numbers on an asymmetric grid, read back: once with 8 bits, where an int8 would overflow, once with fewer."""
    for bits in (8, int(rng.integers(3, 8))):
        x, scale, zero_point = _numbers(rng, bits)
        ask(
            *(x, scale, zero_point, bits),
            because="These are not the numbers that the grid holds.",
            given=f"scale = {scale:.4f}, zero_point = {zero_point}, bits = {bits}, x from {x.min():.3f} to {x.max():.3f}",
        )


def _magnitude(rows: Floats) -> Floats:
    return np.asarray(np.abs(rows).max(axis=1))


def _scales(
    weight: Floats,
    axis: int = 0,
    bits: int = 8,
    measure: Callable[[Floats], Floats] = _magnitude,
    top: Callable[[int], int] = lambda bits: 2 ** (bits - 1) - 1,
    dead: float = 1.0,
) -> Floats:
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    return np.where(_magnitude(rows) > 0, measure(rows) / top(bits), dead)


def _one_scale(weight: Floats, axis: int, bits: int) -> float:
    return float(np.abs(weight).max() / (2 ** (bits - 1) - 1))


_OF_THE_TENSOR = (
    _one_scale,
    lambda weight, axis, bits: np.full(weight.shape[axis], _one_scale(weight, axis, bits)),
    partial(_scales, measure=lambda rows: np.abs(rows).max()),
)


@exercise(
    lab="quantization",
    title="A scale for each channel",
    minutes=7,
    difficulty=2,
    hints=(
        "You want the largest magnitude over all axes but one. `np.moveaxis(weight, axis, 0)` brings that one to the front.",
        "After `rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)` each row is a channel: `np.abs(rows).max(axis=1)`.",
    ),
    last_hint="Divide by `2**(bits - 1) - 1`, and use `np.where(largest > 0, ..., 1.0)` for channels that are all zeros.",
    errors={
        r"AxisError|axis .* is out of bounds": "The weight may have any number of axes, and `axis` may be negative.",
        r"could not be broadcast|shape mismatch": "Is the result one number a channel, of shape (channels,)?",
    },
    reference=_scales,
    mistakes={
        "This is one scale for the whole tensor. Each channel gets its own.": _OF_THE_TENSOR,
        "The largest whole number is 2**(bits−1) − 1: one bit is for the sign, and the grid is symmetric.": (
            partial(_scales, top=lambda bits: 2 ** (bits - 1)),
            partial(_scales, top=lambda bits: 2**bits - 1),
            partial(_scales, top=lambda bits: 2**bits),
        ),
        "The dead channel got the scale 0, by which something will be divided. Give it 1.": partial(_scales, dead=0.0),
        "A symmetric grid has to reach the largest *magnitude* of the channel: −3 needs as much room as 3. The largest number, half of the "
        "range or the mean is not enough.": (
            partial(_scales, measure=lambda rows: rows.max(axis=1)),
            partial(_scales, measure=lambda rows: np.ptp(rows, axis=1) / 2),
            partial(_scales, measure=lambda rows: np.abs(rows).mean(axis=1)),
        ),
        "These are scales along another axis than the one that was named.": tuple(
            lambda weight, axis, bits, further=further: _scales(weight, (axis + further) % weight.ndim, bits)
            for further in (1, 2)
        ),
    },
)
def channel_scales(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the scale of each channel, for weights whose channels stand on any axis."""
    bits = int(rng.integers(3, 8))
    for axes in (3, 2, 4):
        shape = tuple(int(n) for n in rng.choice([3, 4, 5, 6], size=axes, replace=False))
        axis = int(rng.integers(0, axes))
        weight = rng.normal(size=shape)
        channels = np.moveaxis(weight, axis, 0)
        channels *= rng.uniform(0.1, 4, size=(shape[axis], *[1] * (axes - 1)))
        channels[0] -= 1.5  # its largest magnitude is below 0
        channels[1] = 0.0
        given = f"a weight of shape {shape}, axis = {{}}, bits = {bits}, channel 1 all zeros"
        ask(
            *(weight, axis, bits),
            because="These are not the channels' scales: the largest magnitude of each, over the largest whole number.",
            given=given.format(axis),
        )
        negative = "With this negative axis your answer is another than with the same axis counted from the front."
        ask(
            *(weight, axis - axes, bits),
            because=negative,
            given=given.format(axis - axes),
            mistakes={negative: _OF_THE_TENSOR},
        )


def _inside(q: Floats, bits: int) -> NDArray[np.bool_]:
    return (q >= 0) & (q <= 2**bits - 1)


def _gradient(
    x: Floats,
    upstream: Floats,
    scale: float,
    zero_point: int,
    bits: int = 8,
    whole: Callable[[Floats, float, int], Floats] = _whole,
    inside: Callable[[Floats, int], NDArray[np.bool_]] = _inside,
) -> Floats:
    return np.where(inside(whole(x, scale, zero_point), bits), upstream, 0.0)


@exercise(
    lab="quantization",
    title="The gradient that goes straight through",
    minutes=8,
    difficulty=3,
    hints=(
        (
            "Find out which numbers were clipped: compute the whole numbers as before, without clipping them, and see which lie outside of 0 to "
            "2**bits − 1."
        ),
        "Inside, the answer is `upstream`, as it is. Outside it is 0. `np.where(condition, a, b)` chooses.",
    ),
    last_hint="`q = np.round(x / scale) + zero_point`, then `np.where((q >= 0) & (q <= 2**bits - 1), upstream, 0.0)`.",
    errors={
        r"truth value of an array": "Combine conditions on arrays with `&` and brackets: `(q >= 0) & (q <= last)`.",
    },
    reference=_gradient,
    mistakes={
        "Every gradient passes. A clipped number sits at the end of the grid whatever it does: its gradient is 0. Ask which were clipped "
        "before you clip them.": lambda x, upstream, s, z, bits: upstream,
        "This is the true gradient of a staircase, zero everywhere. Nothing would be learned from it.": (
            lambda x, upstream, s, z, bits: np.zeros(x.shape)
        ),
        "Where the number was not clipped `upstream` passes. This only says where that is, or lets the others pass.": (
            lambda x, upstream, s, z, bits: _inside(_whole(x, s, z), bits),
            lambda x, upstream, s, z, bits: _inside(_whole(x, s, z), bits).astype(float),
            partial(_gradient, inside=lambda q, bits: ~_inside(q, bits)),
        ),
        "Clipped is what lies outside of 0 to 2**bits − 1 after rounding and with the zero point added: both ends belong to the grid, and "
        "less than half a step beyond them is rounded back.": (
            partial(_gradient, whole=lambda x, s, z: _whole(x, s, 0)),
            partial(_gradient, whole=lambda x, s, z: x / s + z),
            partial(_gradient, inside=lambda q, bits: (q > 0) & (q < 2**bits - 1)),
            partial(_gradient, inside=lambda q, bits: _inside(q, 8)),
        ),
        "The scale does not belong in here: the number is divided by it on the way in and multiplied on the way back.": (
            lambda x, upstream, s, z, bits: _gradient(x, upstream * s, s, z, bits),
            lambda x, upstream, s, z, bits: _gradient(x, upstream / s, s, z, bits),
        ),
    },
)
def gradient_of_round_trip(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the straight-through gradient of `round_trip`."""
    bits = int(rng.integers(3, 8))
    x, scale, zero_point = _numbers(rng, bits)
    upstream = rng.normal(size=x.shape) + 3 * rng.choice([-1, 1], size=x.shape)
    clipped = int((~_inside(_whole(x, scale, zero_point), bits)).sum())
    ask(
        *(x, upstream, scale, zero_point, bits),
        because="This is not the straight-through gradient: `upstream` where the number was not clipped, 0 where it was.",
        given=f"scale = {scale:.4f}, zero_point = {zero_point}, bits = {bits}; {clipped} of {x.size} numbers are clipped",
    )


Losses = Mapping[str, Mapping[int, float]]
Sizes = Mapping[str, int]
Bits = dict[str, int]


def _least(
    losses: Losses,
    numbers: Sizes,
    budget: float,
    harm: Callable[[Sequence[int], Sequence[float], Sequence[int]], float] = lambda bits, added, sizes: sum(added),
) -> Bits:
    """Return the bits that do the least harm within a budget; `harm` takes the bits, losses and sizes of the parts."""
    sizes = list(numbers.values())
    fitting = [
        one
        for one in itertools.product(*(by.items() for by in losses.values()))
        if sum(bits * size for (bits, _), size in zip(one, sizes, strict=True)) <= 8 * budget
    ]
    best = min(fitting, key=lambda one: harm(*zip(*one, strict=True), sizes))  # type: ignore[call-arg]
    return dict(zip(losses, (bits for bits, _ in best), strict=True))


def _bytes(bits: Bits, numbers: Sizes) -> float:
    return sum(width * numbers[name] for name, width in bits.items()) / 8


def _alike(losses: Losses, numbers: Sizes, budget: float) -> Bits:
    widths = sorted(next(iter(losses.values())))
    return dict.fromkeys(losses, max(width for width in widths if width * sum(numbers.values()) <= 8 * budget))


def _equal_shares(losses: Losses, numbers: Sizes, budget: float) -> Bits:
    """Give each part the same share of the budget, and the best bits within it; the fewest, if none fit."""
    share = 8 * budget / len(losses)
    return {
        name: min([bits for bits in by if bits * numbers[name] <= share] or [min(by)], key=by.__getitem__)
        for name, by in losses.items()
    }


def _greedy(losses: Losses, numbers: Sizes, budget: float, per_byte: bool = False) -> Bits:
    """Go down step by step, each time where it adds the least loss, until it fits."""
    now = {name: max(by) for name, by in losses.items()}
    while _bytes(now, numbers) > budget:
        steps = {}
        for name, bits in now.items():
            if lower := max((width for width in losses[name] if width < bits), default=0):
                saved = (bits - lower) * numbers[name] if per_byte else 1
                steps[name] = ((losses[name][lower] - losses[name][bits]) / saved, lower)
        chosen = min(steps, key=lambda name: steps[name][0])
        now[chosen] = steps[chosen][1]
    return now


_SHORTCUTS: dict[str, Callable[..., Bits] | tuple[Callable[..., Bits], ...]] = {
    "The budget is not kept: every part got the bits that are best for it alone.": lambda losses, numbers, budget: {
        name: min(by, key=by.__getitem__) for name, by in losses.items()
    },
    "All parts have the same bits. Those that bear less can give theirs to those that need more.": (
        _alike,
        lambda losses, numbers, budget: {name: min(by) for name, by in losses.items()},
    ),
    "You gave each part an equal share of the budget. Parts that need little should leave theirs to others.": _equal_shares,
    "You went down step by step, always where it cost least at that moment. A step that looks dear can make several others "
    "unnecessary: compare whole combinations.": (_greedy, partial(_greedy, per_byte=True)),
    "This fills the budget as far as it goes. Bytes that are left harm nobody: of all that fits, take what adds the least loss.": partial(
        _least, harm=lambda bits, added, sizes: -sum(width * size for width, size in zip(bits, sizes, strict=True))
    ),
    "Add the losses as they are. A negative one says that rounding helped: neither `abs` nor a cut at 0. And each is what the part as a "
    "whole adds already: no factor for its size.": (
        partial(_least, harm=lambda bits, added, sizes: sum(max(loss, 0.0) for loss in added)),
        partial(_least, harm=lambda bits, added, sizes: sum(map(abs, added))),
        partial(
            _least, harm=lambda bits, added, sizes: sum(loss * size for loss, size in zip(added, sizes, strict=True))
        ),
    ),
}


def _parts(rng: np.random.Generator) -> tuple[Losses, Sizes, int]:
    """Draw the losses and sizes of four parts, and a budget in bytes that leaves something to choose."""
    names = [str(name) for name in rng.permutation(["stem", "body", "neck", "head", "tail"])[:4]]
    numbers = {name: int(8 * rng.integers(20, 3000)) for name in names}
    widths = sorted(rng.choice([2, 3, 4, 5, 6, 8], size=3, replace=False).tolist(), reverse=True)
    losses = {}
    for name in names:
        added = np.sort(rng.exponential(rng.uniform(0.02, 1.5), size=3))
        # Rounding can also help a little: the more bits may then be below 0.
        losses[name] = dict(zip(widths, (added - rng.uniform(0, 1.2) * added[1]).tolist(), strict=True))
    least, most = (sum(numbers.values()) * width // 8 for width in (widths[-1], widths[0]))
    return losses, numbers, int(least + rng.uniform(0.25, 0.6) * (most - least))


@exercise(
    lab="quantization",
    title="Bits where they are needed",
    minutes=12,
    difficulty=4,
    hints=(
        "`itertools.product` makes every combination: `product(*(added_loss[part] for part in parts))` gives one number of bits a part.",
        "Keep the combinations that fit: the sum of `bits * numbers[part]` is in bits, and the budget in bytes, eight times as large.",
    ),
    last_hint="Of those that fit take the `min(..., key=...)` by the sum of `added_loss[part][bits]`; if none fits, `raise ValueError(...)`.",
    errors={
        r"KeyError": "The parts have other names here, and other numbers of bits. Take both from `added_loss`.",
        r"min\(\) (?:arg|iterable)|empty sequence": "No combination was left, though some fit: does it count eight bits a byte, and look at "
        "every one? Where none fits raise a ValueError with a sentence of your own.",
    },
    seconds=15.0,
    draw=lambda rng: distinct(rng, _parts, _least, _SHORTCUTS),
    reference=_least,
    mistakes=_SHORTCUTS,
)
def choose_bits(ask: Ask, parts: tuple[Losses, Sizes, int]) -> None:
    """Ask for the bits of each part that add the least loss within a budget."""
    losses, numbers, budget = parts
    widths = list(next(iter(losses.values())))
    given = (
        f"{len(numbers)} parts with {', '.join(f'{n:,}' for n in numbers.values())} weights, "
        f"{' / '.join(map(str, widths))} bits to choose from, a budget of {{:,}} bytes"
    )
    because = "Of all choices of bits for every part that need at most `budget` bytes, of eight bits each, another adds the least loss."
    best = ask(*parts, because=because, given=given.format(budget))
    filled = int(_bytes(best, numbers))
    edge = "This choice does not take the budget to the last byte, which it may: at most means `<=`."
    ask(
        *(losses, numbers, filled),
        because=because,
        given=given.format(filled),
        mistakes={edge: lambda losses, numbers, budget: _least(losses, numbers, budget - 1)},
    )
    needed = sum(numbers.values()) * min(widths) // 8
    ask.raises(
        ValueError,
        *(losses, numbers, needed - 1),
        because="Nothing fits in this budget, so no choice is right: raise a ValueError that says so.",
        given=f"a budget of {needed - 1:,} bytes, where the fewest bits for all need {needed:,}",
    )


# The decision ----------------------------------------------------------------------------------------------


@cache
def _recorded(name: str) -> Integers:
    return np.array([int(digit) for digit in results.load("01_quantization")["figures"]["answers"][name]])


@cache
def _labels() -> Integers:
    return fashion_mnist.load("test").labels


@cache
def _falls(end: str, name: str = "mixed") -> float:
    from helix.engineering.quantization import class_changes

    changes = class_changes(_labels(), _recorded("fp32"), _recorded(name))
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
    """Draw networks of the record, also for limits just too narrow, and some with a class that pays, or may: few pictures show little."""
    a, b, c = (int(label) for label in rng.permutation(6)[:3])
    size = int(rng.integers(900, 1100))
    return [
        (_labels(), _recorded("fp32"), _recorded("int4 weights")),
        *((_labels(), _recorded("fp32"), _recorded(name), _falls("low", name) - 0.001) for name in ("mixed", "static")),
        _answers(rng, {a: (size, 45, 2), b: (size, 1, 45), c: (size, 40, 2)}),  # the average gains
        _answers(rng, {a: (size, 1, 1), b: (size, 2, 28), c: (size, 1, 1)}),  # measured below the limit, possibly above
        _answers(rng, {a: (size, 1, 1), b: (size, 1, 1), c: (30, 0, 0)}),  # nothing lost, of thirty pictures
    ]


def _cases_to_pass(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    """Draw networks in which no class can have lost more than the limit, or just the limit: the lab's, int8, float32 after an update."""
    a, b, c = (int(label) for label in rng.permutation(6)[:3])
    size = int(rng.integers(900, 1100))
    return [
        *((_labels(), _recorded("fp32"), _recorded(name)) for name in ("mixed", "static", "fp32, one epoch more")),
        *((_labels(), _recorded("fp32"), _recorded(name), _falls("low", name)) for name in ("mixed", "static")),
        _answers(rng, {a: (size, 45, 2), b: (size, 20, 21), c: (size, 40, 2)}),
        _answers(rng, {a: (size, 1, 1), b: (size, 2, 5), c: (size, 1, 1)}),
        _answers(rng, {a: (size, 1, 1), b: (size, 1, 1), c: (600, 0, 0)}),
        _answers(rng, {a: (8 * size, 40, 90), b: (size, 0, 1)}),  # many pictures: a small loss, well known
    ]


decide = decision(
    lab="quantization",
    title="A decision: may the small network take the large one's place?",
    minutes=16,
    evidence={"worst_fall": lambda: _falls("value"), "worst_fall_possible": lambda: _falls("low")},
    limits={"worst_fall": ORDINARY, "worst_fall_possible": LIMIT},
    stop=_cases_to_stop,
    stop_because="Your control lets a network pass of which one class lost more than the limit, or may have: its interval reaches below "
    "−limit. Look at every class, at the low end of its interval and not at what was measured, and use the limit that it is given.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a network of which no class can have lost more than the limit. Is it the interval for the same pictures "
    "before and after, as `class_changes` gives it? Gains are no harm, and an interval that ends exactly at −limit may pass.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship",
            "Your control stops this network, and your choice ships it. One of the two has to change.",
            case=lambda: (_labels(), _recorded("fp32"), _recorded("mixed")),
        ),
    ),
    rubric=(
        "Are the people named who stand behind the class that lost, and those who gain from a smaller network?",
        "Would someone who wants to ship today recognise their own argument in your dissent?",
        "Does the residual risk say what ten classes and one shop's pictures cannot show?",
        "Who set the limit of 0.03? Would those who wait for their money have set it where an update's noise ends?",
    ),
    examples=(
        ReasonedAnswer(
            "Fix",
            "The limit is kept, but T-shirts lose 1.8 points as measured, where no update of float32 cost a class more than 1.4, and the average "
            "hardly moved. 200 kB more bits bring the measured fall to 1.0. Choose those bits without another look at these pictures, and "
            "measure on pictures that nobody has seen.",
        ),
        ReasonedAnswer(
            "Ship",
            "The limit comes from what three ordinary updates of the large network do, and it is kept. People with slow connections load a ninth of the "
            "bytes. Returns of T-shirts are watched from the first day, and the old network is back within an hour if they wait longer.",
        ),
    ),
    hints={
        "form": "Start from the form above, and replace every `...` by a sentence of your own.",
        "evidence": "Look at the numbers that you recorded, and say of each on which side of its limit it lies.",
        "control": "`class_changes(labels, before, after).values()` are intervals, with `.value`, `.low` and `.high`. Which of them says what a class may have lost?",
    },
    last_hints={
        "evidence": 'The measured fall lies above 0.014, what the interval allows below 0.03: `{"worst_fall": "> 0.014", "worst_fall_possible": "<= 0.03"}`.',
        "control": "`all(change.low >= -limit for change in quantization.class_changes(labels, before, after).values())` is the whole control.",
    },
    errors={
        r"KeyError": "The pictures may hold any classes. Look at all the values: `class_changes(...).values()`.",
        r"has no attribute 'low'": "`class_changes` gives a `dict`; its `.values()` are the intervals, with `.value`, `.low` and `.high`.",
        r"unexpected keyword argument": "The fields of `Decision` are spelled as in the form above the exercise.",
    },
)
