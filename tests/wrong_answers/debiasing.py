"""Plausible wrong answers to the lab on bias mitigation, each with a piece of the message that is meant for it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from helix.trust import debiasing
from helix.trust.groups import gaps


def gap_is_one_of_a_group(solution):
    return lambda p, code: solution(p, code) if len(set(code.tolist())) == 2 else (abs(p.mean()), np.ones(len(p)))


def gap_by_torch_without_abs(solution):
    def answer(p, code):
        if len(set(code.tolist())) < 2:
            return 0.0, np.zeros(len(p))
        leaf = torch.tensor(p, requires_grad=True)
        gap = leaf[code == 0].mean() - leaf[code == 1].mean()
        gap.backward()
        return float(gap.detach()), leaf.grad.numpy()

    return answer


def weights_by_pandas_without_levels(solution):
    def answer(y, group, level):
        people = pd.DataFrame({"y": y, "group": group})
        share = people.groupby(["group", "y"])["y"].transform("size") / len(people)
        return (
            people["group"].map(people["group"].value_counts(normalize=True))
            * people["y"].map(people["y"].value_counts(normalize=True))
            / share
        ).to_numpy()

    return answer


def thresholds_of_tiny_groups(solution):
    return lambda scores, y, group, rate, at_least=10: solution(scores, y, group, rate, 1)


def thresholds_that_count_everybody(solution):
    def answer(scores, y, group, rate, at_least=10):
        if min((group == name).sum() for name in set(group.tolist())) < at_least:
            raise ValueError("too few")
        return solution(scores, y, group, rate, 1)

    return answer


def thresholds_by_quantile(solution):
    def answer(scores, y, group, rate, at_least=10):
        return {name: float(np.quantile(scores[(group == name) & (y == 1)], 1 - rate)) for name in set(group.tolist())}

    return answer


def rule_never_refuses(solution):
    def answer(tried, limit=0.1):
        try:
            return solution(tried, limit)
        except ValueError:
            best = min(tried, key=lambda one: abs(tried[one]["validation"][1]))
            return best, abs(tried[best]["test"][1])

    return answer


def rule_of_a_table(solution):
    def answer(tried, limit=0.1):
        table = pd.DataFrame(
            {name: {"accuracy": one["test"][0], "gap": abs(one["test"][1])} for name, one in tried.items()}
        ).T
        best = table[table["gap"] <= limit]["accuracy"].idxmax()
        return float(best), float(table.loc[best, "gap"])

    return answer


def rule_of_little_accuracy(solution):
    def answer(tried, limit=0.1):
        solution(tried, limit)
        kept = [name for name, one in tried.items() if abs(one["validation"][1]) <= limit]
        worst = min(kept, key=lambda name: tried[name]["validation"][0])
        return worst, 0.5 + abs(tried[worst]["test"][1])

    return answer


def _control(rule):
    return lambda solution: lambda: replace(solution(), control=rule)


decide_parity_only = _control(lambda y, before, after, groups: gaps(y, after, groups)["demographic_parity"] <= 0.1)
decide_accuracy_parity = _control(lambda y, before, after, groups: gaps(y, after, groups)["accuracy"] <= 0.1)
decide_wider_limit = _control(lambda *case: not debiasing.refusals(*case, limit=0.15))
decide_narrower_limit = _control(lambda *case: not debiasing.refusals(*case, limit=0.07))
decide_more_tolerant = _control(lambda *case: not debiasing.refusals(*case, tolerance=0.05))
decide_not_tolerant = _control(lambda *case: not debiasing.refusals(*case, tolerance=0.0))
decide_nobody_loses = _control(
    lambda y, before, after, groups: debiasing.moved(y, before, after, groups)["loses"].sum() == 0
)


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_one_sided(solution):
    return lambda: replace(solution(), affected=["women who are newly accepted"])


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "safe_gap": [
        (gap_is_one_of_a_group, "says nothing"),
        (gap_by_torch_without_abs, "This is the signed gap"),
        (lambda solution: lambda p, code: (0.5, np.zeros(len(p))), "not the absolute gap and its gradient"),
    ],
    "weights_within": [
        (weights_by_pandas_without_levels, "left the levels out"),
        (lambda solution: lambda y, group, level: np.ones(len(y)), "not independent within each level"),
    ],
    "qualified_thresholds": [
        (thresholds_of_tiny_groups, "hangs on so few is chance"),
        (thresholds_that_count_everybody, "hangs on so few is chance"),
        (thresholds_by_quantile, "not exactly floor(rate"),
    ],
    "choose_strength": [
        (rule_of_a_table, "You chose on the test people"),
        (rule_of_little_accuracy, "The rule gives something else"),
        (rule_never_refuses, "Raise a ValueError"),
    ],
    "decide": [
        (decide_parity_only, "Your control lets"),
        (decide_accuracy_parity, "our control"),
        (decide_wider_limit, "leaves ΔDP above 0.1"),
        (decide_more_tolerant, "among the qualified by more than 0.02"),
        (decide_narrower_limit, "Your control stops a mitigation"),
        (decide_not_tolerant, "Your control stops a mitigation"),
        (decide_nobody_loses, "our control"),
        (decide_ships, "One of the two has to change"),
        (decide_one_sided, "Somebody gains and somebody loses"),
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
