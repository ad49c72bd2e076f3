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


def weights_upside_down(solution):
    return lambda y, group: 1 / solution(y, group)


def _cell(y, group):
    return np.array([((group == g) & (y == c)).mean() for g, c in zip(group, y, strict=True)])


def _own(group):
    return np.array([(group == g).mean() for g in group])


def weights_of_cells(solution):
    return lambda y, group: 0.25 / _cell(y, group)


def weights_of_groups(solution):
    return lambda y, group: 1 / _own(group)


def weights_without_label(solution):
    return lambda y, group: _own(group) / _cell(y, group)


def thresholds_for_all(solution):
    def answer(scores, group, rate):
        return dict.fromkeys(set(group.tolist()), float(np.sort(scores)[::-1][int(rate * len(scores))]))

    return answer


def thresholds_from_below(solution):
    def answer(scores, group, rate):
        return {
            name: float(np.sort(scores[group == name])[int(rate * (group == name).sum())])
            for name in set(group.tolist())
        }

    return answer


def thresholds_one_too_few(solution):
    def answer(scores, group, rate):
        return {
            name: float(np.sort(scores[group == name])[::-1][int(rate * (group == name).sum()) - 1])
            for name in set(group.tolist())
        }

    return answer


def _rule(key, keep):
    def made(solution):
        def answer(validation, limit=0.1):
            solution(validation, limit)  # refuses as it should
            kept = {one: pair for one, pair in validation.items() if keep(pair[1], limit)}
            return max(kept, key=lambda one: key(kept[one]))

        return answer

    return made


rule_signed = _rule(lambda pair: pair[0], lambda gap, limit: gap <= limit)
rule_accuracy = _rule(lambda pair: pair[0], lambda gap, limit: True)
rule_narrowest = _rule(lambda pair: -abs(pair[1]), lambda gap, limit: True)
rule_below = _rule(lambda pair: pair[0], lambda gap, limit: abs(gap) < limit)


def rule_never_refuses(solution):
    def answer(validation, limit=0.1):
        try:
            return solution(validation, limit)
        except ValueError:
            return min(validation, key=lambda one: abs(validation[one][1]))

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
    "weights": [
        (weights_upside_down, "upside down"),
        (weights_of_cells, "equally heavy"),
        (weights_of_groups, "conditions on the group alone"),
        (weights_without_label, "P(label) is missing"),
    ],
    "thresholds": [
        (thresholds_for_all, "one threshold for everybody"),
        (thresholds_from_below, "from the lowest score"),
        (thresholds_one_too_few, "One person too few"),
    ],
    "choose_strength": [
        (rule_signed, "signed gap"),
        (rule_accuracy, "most accurate of all"),
        (rule_narrowest, "narrowest gap"),
        (rule_below, "`<=`"),
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
    "weights": {
        "own, same = (group != name, y == label)": "with two groups the loop fills in the other one each time",
        "own, same = (group == name, y != label)": "with two labels the loop fills in the other one each time",
    },
}
