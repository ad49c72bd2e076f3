"""Plausible wrong answers to the lab of chapter 01, each with a piece of the message that is meant for it."""

import itertools
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from helix.engineering import quantization


def _affine(low, high, steps, rounded=round):
    scale = (high - low) / steps
    return scale, rounded(-low / scale)


def scale_ignores_zero(solution):
    return lambda low, high, bits=8: (1.0, 0) if low == high else _affine(low, high, 2**bits - 1)


def scale_of_places(solution):
    return lambda low, high, bits=8: (1.0, 0) if low == high else _affine(min(low, 0.0), max(high, 0.0), 2**bits)


def scale_symmetric(solution):
    return lambda low, high, bits=8: (max(-low, high) / (2 ** (bits - 1) - 1) or 1.0, 0)


def scale_symmetric_shifted(solution):
    return lambda low, high, bits=8: (max(-low, high) / 2 ** (bits - 1) or 1.0, 2 ** (bits - 1))


def scale_wrong_sign(solution):
    def answer(low, high, bits=8):
        scale, zero_point = solution(low, high, bits)
        return scale, -zero_point

    return answer


def scale_cut_off(solution):
    return lambda low, high, bits=8: (
        (1.0, 0) if low == high else _affine(min(low, 0.0), max(high, 0.0), 2**bits - 1, rounded=int)
    )


def scale_of_int8(solution):
    def answer(low, high, bits=8):
        scale, zero_point = solution(low, high, bits)
        return scale, zero_point - 2 ** (bits - 1)

    return answer


def scale_swapped(solution):
    return lambda low, high, bits=8: solution(low, high, bits)[::-1]


def scale_without_rounding(solution):
    return lambda low, high, bits=8: (
        (1.0, 0) if low == high else _affine(min(low, 0.0), max(high, 0.0), 2**bits - 1, rounded=float)
    )


def scale_of_rounded_float(solution):
    def answer(low, high, bits=8):
        scale, zero_point = solution(low, high, bits)
        return scale, float(zero_point)

    return answer


def scale_always_eight_bits(solution):
    return lambda low, high, bits=8: solution(low, high, 9 - bits if bits != 8 else 7)


def scale_of_nothing(solution):
    return lambda low, high, bits=8: _affine(min(low, 0.0), max(high, 0.0), 2**bits - 1)


def scale_zero_for_nothing(solution):
    return lambda low, high, bits=8: (0.0, 0) if low == high else solution(low, high, bits)


def scale_alone(solution):
    return lambda low, high, bits=8: solution(low, high, bits)[0]


def _q(x, scale, zero_point):
    return np.round(x / scale) + zero_point


def trip_without_clipping(solution):
    return lambda x, s, z, bits=8: s * (_q(x, s, z) - z)


def trip_one_way(solution):
    return lambda x, s, z, bits=8: np.clip(_q(x, s, z), 0, 2**bits - 1)


def trip_keeps_zero_point(solution):
    return lambda x, s, z, bits=8: s * np.clip(_q(x, s, z), 0, 2**bits - 1)


def trip_without_zero_point(solution):
    return lambda x, s, z, bits=8: s * np.clip(np.round(x / s), 0, 2**bits - 1)


def trip_truncates(solution):
    return lambda x, s, z, bits=8: s * (np.clip(np.trunc(x / s) + z, 0, 2**bits - 1) - z)


def trip_floors(solution):
    return lambda x, s, z, bits=8: s * (np.clip(x // s + z, 0, 2**bits - 1) - z)


def trip_wraps(solution):
    return lambda x, s, z, bits=8: s * (_q(x, s, z).astype(np.int64).astype(np.uint8).astype(float) - z)


def trip_int8(solution):
    def answer(x, s, z, bits=8):
        q = np.clip(_q(x, s, z), 0, 2**bits - 1).astype(np.int64).astype(np.int8)
        return s * (q.astype(float) - z)

    return answer


def trip_int8_overflows(solution):
    return lambda x, s, z, bits=8: (
        s * (np.clip(_q(x, s, z), 0, 2**bits - 1).astype(np.int64).astype(np.int8) - (z + 128))
    )


def trip_uint8(solution):
    return lambda x, s, z, bits=8: s * (np.clip(_q(x, s, z), 0, 2**bits - 1).astype(np.uint8) - z).astype(float)


def trip_as_list(solution):
    return lambda x, s, z, bits=8: solution(x, s, z, bits).tolist()


def trip_signed_ends(solution):
    return lambda x, s, z, bits=8: s * (np.clip(_q(x, s, z), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) - z)


def trip_one_place_too_many(solution):
    return lambda x, s, z, bits=8: s * (np.clip(_q(x, s, z), 0, 2**bits) - z)


def trip_in_place(solution):
    def answer(x, s, z, bits=8):
        x /= s
        return s * (np.clip(np.round(x) + z, 0, 2**bits - 1) - z)

    return answer


def trip_of_eight_bits(solution):
    return lambda x, s, z, bits=8: solution(x, s, z, bits + 1)


def trip_nothing(solution):
    return lambda x, s, z, bits=8: None


def _over_others(weight, axis, how):
    others = tuple(k for k in range(weight.ndim) if k != axis % weight.ndim)
    return how(weight, axis=others)


def _channel(how, top=lambda bits: 2 ** (bits - 1) - 1, dead=1.0):
    def answer(weight, axis=0, bits=8):
        largest = _over_others(weight, axis, how)
        return np.where(_over_others(np.abs(weight), axis, np.max) > 0, largest / top(bits), dead)

    return lambda solution: answer


def _magnitude(weight, axis):
    return np.abs(weight).max(axis=axis)


def channel_per_tensor(solution):
    return lambda weight, axis=0, bits=8: np.full(weight.shape[axis], np.abs(weight).max() / (2 ** (bits - 1) - 1))


def channel_one_number(solution):
    return lambda weight, axis=0, bits=8: np.abs(weight).max() / (2 ** (bits - 1) - 1)


def channel_largest_number(solution):
    return _channel(np.max)(solution)


def channel_half_range(solution):
    return _channel(lambda weight, axis: (weight.max(axis=axis) - weight.min(axis=axis)) / 2)(solution)


def channel_mean(solution):
    return _channel(lambda weight, axis: np.abs(weight).mean(axis=axis))(solution)


def channel_one_bit_too_many(solution):
    return _channel(_magnitude, top=lambda bits: 2**bits - 1)(solution)


def channel_one_place_too_many(solution):
    return _channel(_magnitude, top=lambda bits: 2 ** (bits - 1))(solution)


def channel_dead_is_zero(solution):
    return _channel(_magnitude, dead=0.0)(solution)


def channel_keeps_axes(solution):
    def answer(weight, axis=0, bits=8):
        others = tuple(k for k in range(weight.ndim) if k != axis % weight.ndim)
        return np.abs(weight).max(axis=others, keepdims=True) / (2 ** (bits - 1) - 1)

    return answer


def channel_next_axis(solution):
    return lambda weight, axis=0, bits=8: solution(weight, (axis + 1) % weight.ndim, bits)


def channel_of_positive_axes(solution):
    def answer(weight, axis=0, bits=8):
        others = tuple(k for k in range(weight.ndim) if k != axis)
        largest = np.abs(weight).max(axis=others)
        return np.where(largest > 0, largest / (2 ** (bits - 1) - 1), 1.0) * np.ones(weight.shape[axis])

    return answer


def channel_as_list(solution):
    return lambda weight, axis=0, bits=8: list(solution(weight, axis, bits))


def gradient_in_place(solution):
    def answer(x, g, s, z, bits=8):
        g[~_inside(x, s, z, bits)] = 0
        return g

    return answer


def gradient_of_everything(solution):
    return lambda x, g, s, z, bits=8: g


def gradient_of_a_staircase(solution):
    return lambda x, g, s, z, bits=8: np.zeros_like(x)


def _inside(x, s, z, bits):
    q = _q(x, s, z)
    return (q >= 0) & (q <= 2**bits - 1)


def gradient_is_the_mask(solution):
    return lambda x, g, s, z, bits=8: _inside(x, s, z, bits).astype(float)


def gradient_the_other_way_round(solution):
    return lambda x, g, s, z, bits=8: np.where(_inside(x, s, z, bits), 0.0, g)


def gradient_with_scale(solution):
    return lambda x, g, s, z, bits=8: np.where(_inside(x, s, z, bits), g * s, 0.0)


def gradient_without_zero_point(solution):
    return lambda x, g, s, z, bits=8: np.where(_inside(x, s, 0, bits), g, 0.0)


def gradient_of_unrounded(solution):
    return lambda x, g, s, z, bits=8: np.where((x / s + z >= 0) & (x / s + z <= 2**bits - 1), g, 0.0)


def gradient_without_ends(solution):
    return lambda x, g, s, z, bits=8: np.where((_q(x, s, z) > 0) & (_q(x, s, z) < 2**bits - 1), g, 0.0)


def gradient_of_eight_bits(solution):
    return lambda x, g, s, z, bits=8: solution(x, g, s, z, bits + 1)


def _taken(bits, numbers):
    return sum(bits[name] * numbers[name] for name in bits) / 8


def _checked(solution, choose):
    """Refuse impossible budgets as the solution does, so that only the choice is wrong."""

    def answer(losses, numbers, budget):
        solution(losses, numbers, budget)
        return choose(losses, numbers, budget)

    return answer


def _choices(losses):
    return [dict(zip(losses, bits, strict=True)) for bits in itertools.product(*losses.values())]


def _loss(losses, bits):
    return sum(losses[name][width] for name, width in bits.items())


def bits_alike(solution):
    def choose(losses, numbers, budget):
        widths = sorted(next(iter(losses.values())), reverse=True)
        alike = [dict.fromkeys(losses, width) for width in widths]
        return next(one for one in alike if _taken(one, numbers) <= budget)

    return _checked(solution, choose)


def bits_most(solution):
    return _checked(solution, lambda losses, numbers, budget: {name: max(by) for name, by in losses.items()})


def bits_least(solution):
    return _checked(solution, lambda losses, numbers, budget: {name: min(by) for name, by in losses.items()})


def bits_for_bytes(solution):
    return lambda losses, numbers, budget: solution(losses, numbers, budget // 8)


def bits_below_the_budget(solution):
    return lambda losses, numbers, budget: solution(losses, numbers, budget - 1)


def bits_equal_shares(solution):
    def choose(losses, numbers, budget):
        return {
            name: min(
                (width for width in by if width * numbers[name] <= 8 * budget / len(losses)),
                key=by.__getitem__,
                default=min(by),
            )
            for name, by in losses.items()
        }

    return _checked(solution, choose)


def bits_greedy(solution):
    def choose(losses, numbers, budget):
        now = {name: max(by) for name, by in losses.items()}
        while _taken(now, numbers) > budget:
            lower = {name: max((w for w in losses[name] if w < now[name]), default=0) for name in now}
            steps = {name: losses[name][width] - losses[name][now[name]] for name, width in lower.items() if width}
            chosen = min(steps, key=steps.__getitem__)
            now[chosen] = lower[chosen]
        return now

    return _checked(solution, choose)


def bits_averaged(solution):
    def choose(losses, numbers, budget):
        average = 8 * budget / sum(numbers.values())
        fitting = [one for one in _choices(losses) if sum(one.values()) <= average * len(one)]
        return min(fitting, key=lambda one: _loss(losses, one))

    return _checked(solution, choose)


def _least(harm):
    def choose(losses, numbers, budget):
        fitting = [one for one in _choices(losses) if _taken(one, numbers) <= budget]
        return min(fitting, key=lambda one: harm([losses[name][one[name]] for name in one], list(numbers.values())))

    return lambda solution: _checked(solution, choose)


def bits_of_the_worst_part(solution):
    return _least(lambda each, numbers: max(each))(solution)


def bits_weighted(solution):
    return _least(lambda each, numbers: sum(loss * n for loss, n in zip(each, numbers, strict=True)))(solution)


def bits_of_absolute_loss(solution):
    return _least(lambda each, numbers: sum(map(abs, each)))(solution)


def bits_of_positive_loss(solution):
    return _least(lambda each, numbers: sum(max(loss, 0) for loss in each))(solution)


def bits_over_the_budget(solution):
    return _checked(solution, lambda losses, numbers, budget: solution(losses, numbers, int(1.3 * budget) + 1))


def bits_of_some_parts(solution):
    return _checked(solution, lambda losses, numbers, budget: dict(list(solution(losses, numbers, budget).items())[1:]))


def bits_never_refuses(solution):
    def answer(losses, numbers, budget):
        try:
            return solution(losses, numbers, budget)
        except ValueError:
            return {name: min(by) for name, by in losses.items()}

    return answer


def bits_without_loss(solution):
    def choose(losses, numbers, budget):
        return max(
            (one for one in _choices(losses) if _taken(one, numbers) <= budget), key=lambda one: _taken(one, numbers)
        )

    return _checked(solution, choose)


def decide_denies_the_interval(solution):
    return lambda: replace(solution(), evidence={"worst_fall": "<= 0.02", "worst_fall_possible": "<= 0.02"})


def decide_contradicts_the_measurement(solution):
    return lambda: replace(solution(), evidence={"worst_fall": "> 0.02", "worst_fall_possible": "> 0.02"})


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def _control(rule):
    return lambda solution: lambda: replace(solution(), control=rule)


def _changes(labels, before, after):
    return quantization.class_changes(labels, before, after).values()


def decide_open_control(solution):
    return _control(lambda labels, before, after, limit=0.02: True)(solution)


def decide_shut_control(solution):
    return _control(lambda labels, before, after, limit=0.02: False)(solution)


def decide_control_of_the_average(solution):
    return _control(lambda labels, before, after: bool(np.mean(after == labels) >= np.mean(before == labels) - 0.02))(
        solution
    )


def decide_control_of_the_measured_fall(solution):
    return _control(lambda labels, before, after: all(c.value >= -0.02 for c in _changes(labels, before, after)))(
        solution
    )


def decide_control_of_the_other_end(solution):
    return _control(lambda labels, before, after: all(c.high >= -0.02 for c in _changes(labels, before, after)))(
        solution
    )


def decide_control_of_any_change(solution):
    return _control(
        lambda labels, before, after: all(c.low >= -0.02 and c.high <= 0.02 for c in _changes(labels, before, after))
    )(solution)


def decide_control_of_independent_samples(solution):
    from helix import measure

    def control(labels, before, after, limit=0.02):
        for label in np.unique(labels):
            here = labels == label
            then, now = (int((one == labels)[here].sum()) for one in (before, after))
            if measure.difference_of_proportions(now, int(here.sum()), then, int(here.sum())).low < -limit:
                return False
        return True

    return _control(control)(solution)


def decide_control_of_the_first_class(solution):
    return _control(lambda labels, before, after: next(iter(_changes(labels, before, after))).low >= -0.02)(solution)


def decide_control_of_agreement(solution):
    return _control(lambda labels, before, after: bool(np.mean(before == after) >= 0.975))(solution)


def decide_control_of_ten_classes(solution):
    return _control(
        lambda labels, before, after: all(
            quantization.class_changes(labels, before, after)[label].low >= -0.02 for label in range(10)
        )
    )(solution)


def decide_settles_nothing(solution):
    return lambda: replace(solution(), evidence={"worst_fall": ">= 0", "worst_fall_possible": "> 0.02"})


def decide_without_evidence(solution):
    return lambda: replace(solution(), evidence={"worst_fall": "<= 0.02"})


def decide_no_dissent(solution):
    return lambda: replace(solution(), dissent="...")


def decide_copies_the_form(solution):
    return lambda: replace(solution(), dissent="the strongest reason against your choice")


def decide_too_late(solution):
    return lambda: replace(solution(), review_date=date.today() + timedelta(days=2000))


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "scale_and_zero_point": [
        (scale_ignores_zero, "does not contain 0"),
        (scale_of_places, "divided by the number of places"),
        (scale_symmetric, "symmetric grid"),
        (scale_symmetric_shifted, "symmetric grid"),
        (scale_wrong_sign, "wrong sign"),
        (scale_cut_off, "cut off, not rounded"),
        (scale_of_int8, "starts at −2**(bits−1)"),
        (scale_swapped, "The scale comes first"),
        (scale_without_rounding, "The zero point is a whole number"),
        (scale_of_rounded_float, "still a float"),
        (scale_always_eight_bits, "not the scale and the zero point of this range"),
        (scale_of_nothing, "division by zero"),
        (scale_zero_for_nothing, "nothing but 0"),
        (scale_alone, "not the scale and the zero point of this range"),
    ],
    "round_trip": [
        (trip_without_clipping, "clipped to its ends"),
        (trip_one_way, "Read them back"),
        (trip_keeps_zero_point, "not subtracted"),
        (trip_without_zero_point, "not added before clipping"),
        (trip_truncates, "cut the decimals off"),
        (trip_floors, "cut the decimals off"),
        (trip_wraps, "wrapped round"),
        (trip_int8, "wrapped round"),
        (trip_int8_overflows, "out of bounds"),
        (trip_uint8, "wrapped round"),
        (trip_as_list, "This is a list"),
        (trip_signed_ends, "−2**(bits−1)"),
        (trip_one_place_too_many, "not 2**bits"),
        (trip_in_place, "changed the array"),
        (trip_of_eight_bits, "not the numbers that the grid holds"),
        (trip_nothing, "`return` missing"),
    ],
    "channel_scales": [
        (channel_per_tensor, "one scale for the whole tensor"),
        (channel_one_number, "one scale for the whole tensor"),
        (channel_largest_number, "largest magnitude"),
        (channel_half_range, "half of the range"),
        (channel_mean, "mean magnitude"),
        (channel_one_bit_too_many, "one bit is for the sign"),
        (channel_one_place_too_many, "one bit is for the sign"),
        (channel_dead_is_zero, "dead channel"),
        (channel_keeps_axes, "One number a channel"),
        (channel_of_positive_axes, "negative axis"),
        (channel_as_list, "This is a list"),
        (channel_next_axis, "The channels stand on axis"),
    ],
    "gradient_of_round_trip": [
        (gradient_of_everything, "Every gradient passes"),
        (gradient_of_a_staircase, "zero everywhere"),
        (gradient_is_the_mask, "Multiply it by `upstream`"),
        (gradient_the_other_way_round, "other way round"),
        (gradient_with_scale, "scale does not belong"),
        (gradient_without_zero_point, "without zero point"),
        (gradient_of_unrounded, "Compare the rounded numbers"),
        (gradient_without_ends, "two ends of the grid belong"),
        (gradient_in_place, "changed the gradient"),
        (gradient_of_eight_bits, "not the straight-through gradient"),
    ],
    "choose_bits": [
        (bits_alike, "the same bits"),
        (bits_most, "budget is not kept"),
        (bits_least, "fewest bits"),
        (bits_for_bytes, "eight bits a byte"),
        (bits_equal_shares, "equal share"),
        (bits_greedy, "step by step"),
        (bits_averaged, "averaged the bits"),
        (bits_of_the_worst_part, "worst part"),
        (bits_weighted, "weighed each loss"),
        (bits_of_absolute_loss, "can be negative"),
        (bits_of_positive_loss, "can be negative"),
        (bits_over_the_budget, "are allowed"),
        (bits_of_some_parts, "Give every part"),
        (bits_never_refuses, "raise a ValueError"),
        (bits_without_loss, "fills the budget"),
        (bits_below_the_budget, "to the last byte"),
    ],
    "decide": [
        (decide_denies_the_interval, "`worst_fall_possible` is <= 0.02, but"),
        (decide_contradicts_the_measurement, "`worst_fall` is > 0.02, but"),
        (decide_ships, "One of the two has to change"),
        (decide_open_control, "lets a network pass"),
        (decide_shut_control, "stops a network"),
        (decide_control_of_the_average, "lets a network pass"),
        (decide_control_of_the_measured_fall, "lets a network pass"),
        (decide_control_of_the_other_end, "lets a network pass"),
        (decide_control_of_any_change, "stops a network"),
        (decide_control_of_independent_samples, "stops a network"),
        (decide_control_of_the_first_class, "lets a network pass"),
        (decide_control_of_agreement, "our control"),
        (decide_control_of_ten_classes, "KeyError"),
        (decide_settles_nothing, "on both sides of 0.02"),
        (decide_without_evidence, "does not say what it makes of `worst_fall_possible`"),
        (decide_no_dissent, "`dissent` is empty"),
        (decide_copies_the_form, "`dissent` is empty"),
        (decide_too_late, "`review_date`"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "choose_bits": {
        "choices = [dict(zip(parts, bits, strict=False)) for bits in product(*(added_loss[part] for part in parts))]": "product gives one number of bits a part, so that the two are always of the same length",
    },
}
