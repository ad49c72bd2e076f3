"""Plausible wrong answers to the lab on bias mitigation, each with a piece of the message that is meant for it."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from helix.trust import debiasing
from helix.trust.groups import gaps


def _slope(code):
    first = code == 0
    return np.where(first, 1 / first.sum(), -1 / (~first).sum())


def _checked_gap(wrong):
    """Answer batches without a group as the solution does."""

    def made(solution):
        return lambda p, code: wrong(p, code) if len(set(code.tolist())) == 2 else solution(p, code)

    return made


def _signed(p, code):
    return p[code == 0].mean() - p[code == 1].mean()


gap_signed = _checked_gap(lambda p, code: (_signed(p, code), _slope(code)))
gap_signed_gradient = _checked_gap(lambda p, code: (abs(_signed(p, code)), _slope(code)))
gap_of_the_batch = _checked_gap(
    lambda p, code: (abs(_signed(p, code)), np.sign(_signed(p, code)) * np.where(code == 0, 1, -1) / len(code))
)


def gap_is_one_of_a_group(solution):
    return lambda p, code: solution(p, code) if len(set(code.tolist())) == 2 else (abs(p.mean()), np.ones(len(p)))


def _parts(z, y, a, w):
    return (1 / (1 + np.exp(-z)) - y) / len(z), (1 / (1 + np.exp(-w * z)) - a) / len(z)


def _reversal(wrong):
    def made(solution):
        return lambda z, y, a, w, alpha: wrong(z, w, alpha, *_parts(z, y, a, w))

    return made


reversal_not_at_all = _reversal(lambda z, w, alpha, task, other: (task + alpha * w * other, float(other @ z)))
reversal_of_both = _reversal(lambda z, w, alpha, task, other: (task - alpha * w * other, -float(other @ z)))
reversal_without_w = _reversal(lambda z, w, alpha, task, other: (task - alpha * other, float(other @ z)))
reversal_without_alpha = _reversal(lambda z, w, alpha, task, other: (task - w * other, float(other @ z)))
reversal_of_sums = _reversal(
    lambda z, w, alpha, task, other: (len(z) * (task - alpha * w * other), len(z) * float(other @ z))
)


def _alike(*columns):
    """For each person, how many are as this person is in all of these."""
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    return np.array([rows.count(row) for row in rows])


def weights_upside_down(solution):
    return lambda y, group, level: 1 / solution(y, group, level)


def weights_without_levels(solution):
    return lambda y, group, level: solution(y, group, np.full(len(y), "all"))


def weights_of_two_margins(solution):
    return lambda y, group, level: _alike(group) * _alike(y) / len(y) / _alike(level, group, y)


def weights_of_two_margins_in_shares(solution):
    def answer(y, group, level):
        return (_alike(group) / len(y)) * (_alike(y) / len(y)) / (_alike(level, group, y) / _alike(level))

    return answer


def weights_without_label(solution):
    return lambda y, group, level: _alike(level, group) / _alike(level, group, y)


def weights_without_group(solution):
    return lambda y, group, level: _alike(level, y) / _alike(level, group, y)


def weights_of_groups(solution):
    return lambda y, group, level: _alike(level) / _alike(level, group)


def _thresholds(pick):
    """Refuse as the solution does, and answer otherwise."""

    def made(solution):
        def answer(scores, y, group, rate, at_least=10):
            solution(scores, y, group, rate, at_least)
            return {name: float(pick(scores, y, group, group == name, rate)) for name in set(group.tolist())}

        return answer

    return made


def _at(own, rate, less=0):
    return np.sort(own)[::-1][int(rate * len(own)) - less]


thresholds_of_everybody = _thresholds(lambda scores, y, group, own, rate: _at(scores[own], rate))
thresholds_of_the_others = _thresholds(lambda scores, y, group, own, rate: _at(scores[own & (y == 0)], rate))
thresholds_for_all = _thresholds(lambda scores, y, group, own, rate: _at(scores, rate))
thresholds_for_all_qualified = _thresholds(lambda scores, y, group, own, rate: _at(scores[y == 1], rate))
thresholds_from_below = _thresholds(lambda scores, y, group, own, rate: -_at(-scores[own & (y == 1)], rate))
thresholds_one_too_few = _thresholds(lambda scores, y, group, own, rate: _at(scores[own & (y == 1)], rate, less=1))


def thresholds_of_tiny_groups(solution):
    return lambda scores, y, group, rate, at_least=10: solution(scores, y, group, rate, 1)


def thresholds_that_count_everybody(solution):
    def answer(scores, y, group, rate, at_least=10):
        if min((group == name).sum() for name in set(group.tolist())) < at_least:
            raise ValueError("too few")
        return solution(scores, y, group, rate, 1)

    return answer


def _rule(key, keep, split="validation", told=lambda one: abs(one["test"][1])):
    def made(solution):
        def answer(tried, limit=0.1):
            solution(tried, limit)  # refuses as it should
            kept = [name for name, one in tried.items() if keep(one, limit)]
            best = max(kept, key=lambda name: key(tried[name][split]))
            return best, told(tried[best])

        return answer

    return made


def _within(one, limit):
    return abs(one["validation"][1]) <= limit


def _accuracy(pair):
    return pair[0]


rule_signed = _rule(_accuracy, lambda one, limit: one["validation"][1] <= limit)
rule_signed_throughout = _rule(
    _accuracy, lambda one, limit: one["validation"][1] <= limit, told=lambda one: one["test"][1]
)
rule_accuracy = _rule(_accuracy, lambda one, limit: True)
rule_narrowest = _rule(lambda pair: -abs(pair[1]), lambda one, limit: True)
rule_below = _rule(_accuracy, lambda one, limit: abs(one["validation"][1]) < limit)
rule_on_test = _rule(_accuracy, lambda one, limit: abs(one["test"][1]) <= limit, split="test")
rule_narrowest_on_test = _rule(lambda pair: -abs(pair[1]), lambda one, limit: True, split="test")
rule_on_both = _rule(_accuracy, lambda one, limit: _within(one, limit) and abs(one["test"][1]) <= limit)
rule_tells_validation = _rule(_accuracy, _within, told=lambda one: abs(one["validation"][1]))
rule_keeps_the_sign = _rule(_accuracy, _within, told=lambda one: one["test"][1])


def rule_never_refuses(solution):
    def answer(tried, limit=0.1):
        try:
            return solution(tried, limit)
        except ValueError:
            best = min(tried, key=lambda one: abs(tried[one]["validation"][1]))
            return best, abs(tried[best]["test"][1])

    return answer


def _control(rule):
    return lambda solution: lambda: replace(solution(), control=rule)


decide_open = _control(lambda y, before, after, groups: True)
decide_shut = _control(lambda y, before, after, groups: False)
decide_parity_only = _control(lambda y, before, after, groups: gaps(y, after, groups)["demographic_parity"] <= 0.1)
decide_accuracy_parity = _control(lambda y, before, after, groups: gaps(y, after, groups)["accuracy"] <= 0.1)
decide_nobody_loses = _control(
    lambda y, before, after, groups: debiasing.moved(y, before, after, groups)["loses"].sum() == 0
)


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_denies(solution):
    return lambda: replace(solution(), evidence={"parity_gap_after": "<= 0.1", "opportunity_gap_growth": "<= 0.02"})


def decide_one_sided(solution):
    return lambda: replace(solution(), affected=["women who are newly accepted"])


def decide_no_dissent(solution):
    return lambda: replace(solution(), dissent="...")


def decide_too_late(solution):
    return lambda: replace(solution(), review_date=date.today() + timedelta(days=2000))


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "safe_gap": [
        (gap_signed, "This is the signed gap"),
        (gap_signed_gradient, "gradient is that of the signed gap"),
        (gap_of_the_batch, "divided by the size of the batch"),
        (gap_is_one_of_a_group, "says nothing"),
    ],
    "reversed_gradients": [
        (reversal_not_at_all, "Nothing is turned round"),
        (reversal_of_both, "adversary's own gradient"),
        (reversal_without_w, "chain rule is missing"),
        (reversal_without_alpha, "alpha is not used"),
        (reversal_of_sums, "Both losses are means"),
    ],
    "weights_within": [
        (weights_without_levels, "left the levels out"),
        (weights_upside_down, "upside down"),
        (weights_of_two_margins, "different margins"),
        (weights_of_two_margins_in_shares, "different margins"),
        (weights_without_label, "P(label) is missing"),
        (weights_without_group, "P(group) is missing"),
        (weights_of_groups, "conditions on the group alone"),
    ],
    "qualified_thresholds": [
        (thresholds_of_everybody, "same share of *all* people"),
        (thresholds_of_the_others, "people with label 0"),
        (thresholds_for_all, "one threshold for everybody"),
        (thresholds_for_all_qualified, "one threshold for everybody"),
        (thresholds_from_below, "from the lowest score"),
        (thresholds_one_too_few, "One person too few"),
        (thresholds_of_tiny_groups, "hangs on so few is chance"),
        (thresholds_that_count_everybody, "hangs on so few is chance"),
    ],
    "choose_strength": [
        (rule_signed, "compared the signed gap"),
        (rule_signed_throughout, "compared the signed gap"),
        (rule_accuracy, "most accurate of all"),
        (rule_narrowest, "narrowest gap"),
        (rule_below, "`<=`"),
        (rule_on_test, "You chose on the test people"),
        (rule_narrowest_on_test, "You chose on the test people"),
        (rule_on_both, "keep the limit too"),
        (rule_tells_validation, "gap on validation"),
        (rule_keeps_the_sign, "keeps its sign"),
        (rule_never_refuses, "Raise a ValueError"),
    ],
    "decide": [
        (decide_open, "Your control lets"),
        (decide_shut, "Your control stops"),
        (decide_parity_only, "Your control lets"),
        (decide_accuracy_parity, "our control"),
        (decide_nobody_loses, "our control"),
        (decide_ships, "One of the two has to change"),
        (decide_denies, "`opportunity_gap_growth` is <= 0.02, but"),
        (decide_one_sided, "Somebody gains and somebody loses"),
        (decide_no_dissent, "`dissent` is empty"),
        (decide_too_late, "`review_date`"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "safe_gap": {
        "first = code != 0": "the groups change places, and the absolute gap is the same for both",
        "first = code == 1": "the groups change places, and the absolute gap is the same for both",
    },
    "weights_within": {
        "own, same = (here & (group == name), here & (y != label))": "with two labels the loop fills in the other one each time",
    },
}
