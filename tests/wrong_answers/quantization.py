"""Wrong answers to the lab of chapter 01 that are no other value, or typed as learners do; its check names the rest."""

import itertools
import math
from dataclasses import replace

import numpy as np

from helix.engineering import quantization


def scale_typed(solution):
    def answer(low, high, bits=8):
        if low == high:
            return 1.0, 0
        qmin, qmax = 0, 2**bits - 1
        scale = (high - low) / (qmax - qmin)
        zero_point = round(qmin - low / scale)
        return scale, zero_point

    return answer


def scale_of_rounded_float(solution):
    def answer(low, high, bits=8):
        low, high = min(low, 0), max(high, 0)
        if low == high == 0:
            return 1.0, 0
        scale = (high - low) / (2**bits - 1)
        return scale, np.round(-low / scale)

    return answer


def scale_of_nothing(solution):
    def answer(low, high, bits=8):
        low, high = min(low, 0.0), max(high, 0.0)
        scale = (high - low) / (2**bits - 1)
        return scale, round(-low / scale)

    return answer


def scale_zero_for_nothing(solution):
    return lambda low, high, bits=8: (0.0, 0) if low == high else solution(low, high, bits)


def scale_alone(solution):
    return lambda low, high, bits=8: solution(low, high, bits)[0]


def scale_of_the_magnitude(solution):
    return lambda low, high, bits=8: (abs(low) / 2**bits + 1e-12, 0)


def trip_typed(solution):
    def answer(x, scale, zero_point, bits=8):
        q = x // scale + zero_point
        q[q < 0] = 0
        q[q > 2**bits - 1] = 2**bits - 1
        return (q - zero_point) * scale

    return answer


def trip_int8_overflows(solution):
    def answer(x, scale, zero_point, bits=8):
        q = np.clip(np.round(x / scale) + zero_point, 0, 2**bits - 1).astype(np.int64).astype(np.int8)
        return scale * (q - (zero_point + 128))

    return answer


def trip_uint8(solution):
    def answer(x, scale, zero_point, bits=8):
        q = np.clip(np.round(x / scale) + zero_point, 0, 2**bits - 1).astype(np.uint8)
        return (q - zero_point) * scale

    return answer


def trip_of_seven_bits(solution):
    return lambda x, scale, zero_point, bits=8: solution(x, scale, zero_point, bits - 1)


def trip_as_list(solution):
    return lambda x, scale, zero_point, bits=8: solution(x, scale, zero_point, bits).tolist()


def trip_in_place(solution):
    def answer(x, scale, zero_point, bits=8):
        x /= scale
        return scale * (np.clip(np.round(x) + zero_point, 0, 2**bits - 1) - zero_point)

    return answer


def trip_nothing(solution):
    def answer(x, scale, zero_point, bits=8):
        q = np.clip(np.round(x / scale) + zero_point, 0, 2**bits - 1)
        scale * (q - zero_point)

    return answer


def channel_typed(solution):
    def answer(weight, axis=0, bits=8):
        w = np.moveaxis(weight, axis, 0)
        scales = np.zeros(len(w))
        for i in range(len(w)):
            scales[i] = w[i].max() / (2 ** (bits - 1) - 1)
            if w[i].any() == False:  # noqa: E712
                scales[i] = 1
        return scales

    return answer


def channel_keeps_axes(solution):
    def answer(weight, axis=0, bits=8):
        others = tuple(k for k in range(weight.ndim) if k != axis % weight.ndim)
        return np.abs(weight).max(axis=others, keepdims=True) / (2 ** (bits - 1) - 1)

    return answer


def channel_of_positive_axes(solution):
    def answer(weight, axis=0, bits=8):
        others = tuple(k for k in range(weight.ndim) if k != axis)
        scales = np.abs(weight).max(axis=others) / (2 ** (bits - 1) - 1)
        return np.where(scales > 0, scales, 1.0)

    return answer


def channel_dead_is_tiny(solution):
    return lambda weight, axis=0, bits=8: np.where((s := solution(weight, axis, bits)) == 1, 1e-8, s)


def channel_as_list(solution):
    return lambda weight, axis=0, bits=8: list(solution(weight, axis, bits))


def gradient_typed(solution):
    def answer(x, upstream, scale, zero_point, bits=8):
        low, high = -zero_point * scale, (2**bits - 1 - zero_point) * scale
        grad = upstream.copy()
        grad[(x < low) | (x > high)] = 0
        return grad

    return answer


def gradient_in_place(solution):
    def answer(x, upstream, scale, zero_point, bits=8):
        q = np.round(x / scale) + zero_point
        upstream[(q < 0) | (q > 2**bits - 1)] = 0
        return upstream

    return answer


def gradient_and(solution):
    def answer(x, upstream, scale, zero_point, bits=8):
        q = np.round(x / scale) + zero_point
        return upstream if q >= 0 and q <= 2**bits - 1 else 0.0

    return answer


def gradient_of_the_mean(solution):
    return lambda x, upstream, scale, zero_point, bits=8: solution(x, upstream, scale, zero_point, bits) / x.size


def bits_typed(solution):
    def answer(added_loss, numbers, budget):
        bits = {part: 8 if 8 in by else max(by) for part, by in added_loss.items()}
        while sum(bits[part] * numbers[part] for part in bits) / 8 > budget:
            best, cost = None, math.inf
            for part in bits:
                lower = [b for b in added_loss[part] if b < bits[part]]
                if lower and added_loss[part][max(lower)] - added_loss[part][bits[part]] < cost:
                    best, cost = part, added_loss[part][max(lower)] - added_loss[part][bits[part]]
            if best is None:
                raise ValueError("nothing fits")
            bits[best] = max(b for b in added_loss[best] if b < bits[best])
        return bits

    return answer


def bits_for_bytes(solution):
    def answer(added_loss, numbers, budget):
        best = None
        for widths in itertools.product(*added_loss.values()):
            if sum(b * n for b, n in zip(widths, numbers.values(), strict=True)) <= budget:
                loss = sum(added_loss[part][b] for part, b in zip(added_loss, widths, strict=True))
                if best is None or loss < best[0]:
                    best = loss, dict(zip(added_loss, widths, strict=True))
        if best is None:
            raise ValueError("The budget is too small.")
        return best[1]

    return answer


def bits_of_an_empty_list(solution):
    def answer(added_loss, numbers, budget):
        fitting = [
            one
            for one in itertools.product(*added_loss.values())
            if sum(b * n for b, n in zip(one, numbers.values(), strict=True)) <= budget
        ]
        return min(fitting, key=sum)

    return answer


def bits_below_the_budget(solution):
    return lambda added_loss, numbers, budget: solution(added_loss, numbers, budget - 1)


def bits_over_the_budget(solution):
    return lambda added_loss, numbers, budget: solution(added_loss, numbers, int(1.3 * budget) + 1)


def bits_of_some_parts(solution):
    return lambda added_loss, numbers, budget: dict(list(solution(added_loss, numbers, budget).items())[1:])


def bits_without_names(solution):
    return lambda added_loss, numbers, budget: list(solution(added_loss, numbers, budget).values())


def bits_never_refuses(solution):
    def answer(added_loss, numbers, budget):
        try:
            return solution(added_loss, numbers, budget)
        except ValueError:
            return {}

    return answer


def decide_ships(solution):
    """What the control with the limit of the chapter stops is shipped all the same."""
    from functools import partial

    return lambda: replace(solution(), choice="ship", control=partial(solution().control, limit=0.02))


def channel_of_three_axes(solution):
    def answer(weight, axis=0, bits=8):
        largest = np.abs(weight).max(axis=tuple(k for k in range(3) if k != axis % 3))
        return np.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1.0)

    return answer


def scale_of_one_number(solution):
    return lambda low, high, bits=8: (abs(low), 0) if low == high != 0 else solution(low, high, bits)


def scale_asks_too_early(solution):
    def answer(low, high, bits=8):
        if low == high:
            return 1.0, 0
        return solution(low, high, bits)

    return answer


def _control(what, rule):
    def answer(solution):
        return lambda: replace(solution(), control=rule)

    answer.__name__ = f"decide_control_{what}"
    return answer


def _of_changes(what, passes):
    return _control(
        what,
        lambda labels, before, after, limit=0.03: bool(
            passes(quantization.class_changes(labels, before, after), limit)
        ),
    )


def decide_control_of_independent_samples(solution):
    from helix import measure

    def control(labels, before, after, limit=0.03):
        for label in np.unique(labels):
            here = labels == label
            then, now = (int((one == labels)[here].sum()) for one in (before, after))
            if measure.difference_of_proportions(now, int(here.sum()), then, int(here.sum())).low < -limit:
                return False
        return True

    return _control("", control)(solution)


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "scale_and_zero_point": [
        (scale_typed, "does not contain 0"),
        (scale_of_rounded_float, "still a float"),
        (scale_of_nothing, "division by zero"),
        (scale_of_one_number, "whose ends are equal and not 0"),
        (scale_asks_too_early, "From −3 to −3 there is a −3"),
        (scale_zero_for_nothing, "nothing but 0"),
        (scale_alone, "a tuple (a list will do) is expected"),
        (scale_of_the_magnitude, "not the scale and the zero point of this range"),
    ],
    "round_trip": [
        (trip_typed, "cut the decimals off"),
        (trip_uint8, "wrapped round"),
        (trip_int8_overflows, "out of bounds"),
        (trip_of_seven_bits, "not the numbers that the grid holds"),
        (trip_as_list, "`list`; an array of the shape (2, 8)"),
        (trip_in_place, "changed `x`"),
        (trip_nothing, "`return` missing"),
    ],
    "channel_scales": [
        (channel_typed, "largest *magnitude*"),
        (channel_of_three_axes, "axis 2 is out of bounds"),
        (channel_keeps_axes, "Your array has the shape"),
        (channel_of_positive_axes, "negative axis"),
        (channel_dead_is_tiny, "not the channels' scales"),
        (channel_as_list, "`list`; an array of the shape"),
    ],
    "gradient_of_round_trip": [
        (gradient_typed, "after rounding"),
        (gradient_in_place, "changed `upstream`"),
        (gradient_and, "truth value of an array"),
        (gradient_of_the_mean, "not the straight-through gradient"),
    ],
    "choose_bits": [
        (bits_typed, "step by step"),
        (bits_for_bytes, "of eight bits each, another adds the least loss. Your function refuses this case"),
        (bits_of_an_empty_list, "ValueError"),
        (bits_below_the_budget, "to the last byte"),
        (bits_over_the_budget, "another adds the least loss"),
        (bits_of_some_parts, "for every part"),
        (bits_without_names, "a value for each key"),
        (bits_never_refuses, "raise a ValueError"),
    ],
    "decide": [
        (decide_ships, "One of the two has to change"),
        (
            _of_changes("measured_fall", lambda by, limit: all(c.value >= -limit for c in by.values())),
            "not at what was measured",
        ),
        (_of_changes("other_end", lambda by, limit: all(c.high >= -limit for c in by.values())), "lets a network pass"),
        (
            _of_changes("any_change", lambda by, limit: all(c.low >= -limit and c.high <= limit for c in by.values())),
            "stops a network",
        ),
        (_of_changes("first_class", lambda by, limit: next(iter(by.values())).low >= -limit), "our control"),
        (_of_changes("any_class", lambda by, limit: any(c.low >= -limit for c in by.values())), "lets a network pass"),
        (_of_changes("ten_classes", lambda by, limit: all(by[label].low >= -limit for label in range(10))), "KeyError"),
        (_of_changes("wrong_sign", lambda by, limit: all(c.low >= limit for c in by.values())), "stops a network"),
        (_of_changes("fixed_limit", lambda by, limit: all(c.low >= -0.03 for c in by.values())), "our control"),
        (_of_changes("below_the_limit", lambda by, limit: all(c.low > -limit for c in by.values())), "exactly at"),
        (
            _control(
                "average",
                lambda labels, before, after, limit=0.03: bool(
                    np.mean(after == labels) >= np.mean(before == labels) - limit
                ),
            ),
            "lets a network pass",
        ),
        (
            _control("agreement", lambda labels, before, after, limit=0.03: np.mean(before == after) >= 0.975),
            "our control",
        ),
        (decide_control_of_independent_samples, "stops a network"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "choose_bits": {
        "choices = [dict(zip(parts, bits, strict=False)) for bits in product(*(added_loss[part] for part in parts))]": "product gives one number of bits a part, so that the two are always of the same length",
    },
}
