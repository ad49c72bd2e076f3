"""Wrong answers to the lab of chapter 12, as a learner would type them, each with a piece of the message that is meant for it."""

from dataclasses import replace

import numpy as np
import pandas as pd


def false_omission_rates_filtered_first(solution):
    def answer(y, p, groups, at_least=30):
        passed_over = pd.DataFrame({"y": y, "group": groups})[p == 0]
        rates = passed_over.groupby("group")["y"].agg(["mean", "size"])
        return {name: m if count >= at_least else None for name, m, count in rates.itertuples()}

    return answer


def false_omission_rates_size_of_group(solution):
    def answer(y, p, groups, at_least=30):
        people = pd.DataFrame({"y": y, "p": p, "group": groups})
        found = {}
        for name, group in people.groupby("group"):
            below = group[group["p"] == 0]
            found[name] = below["y"].mean() if len(group) >= at_least and len(below) else None
        return found

    return answer


def false_omission_rates_overall(solution):
    return lambda y, p, groups, at_least=30: {str(name): float(y[p == 0].mean()) for name in np.unique(groups)}


def false_omission_rates_one_number(solution):
    return lambda y, p, groups, at_least=30: float(y[p == 0].mean())


def false_omission_rates_base_rate_where_nobody_stands(solution):
    def answer(y, p, groups, at_least=30):
        rates = solution(y, p, groups, at_least)
        for name in rates:
            if not (p[groups == name] == 0).any():
                rates[name] = float(y[groups == name].mean())
        return rates

    return answer


def forced_ppv_accuracy(solution):
    def answer(base_rate, tpr, fpr):
        if tpr == fpr == 0:
            raise ValueError("Nobody is selected.")
        right = base_rate * tpr
        rightly_not = (1 - base_rate) * (1 - fpr)
        return right + rightly_not

    return answer


def forced_ppv_squared(solution):
    return lambda base_rate, tpr, fpr: solution(base_rate, tpr, fpr) ** 2


def forced_ppv_zero(solution):
    return lambda base_rate, tpr, fpr: solution(base_rate, tpr, fpr) if tpr + fpr else 0.0


def forced_ppv_nan(solution):
    return lambda base_rate, tpr, fpr: solution(base_rate, tpr, fpr) if tpr + fpr else float("nan")


def _raising(solution, refused):
    def answer(base_rate, tpr, fpr):
        if refused(base_rate, tpr, fpr):
            raise ValueError("There is no PPV.")
        return solution(base_rate, tpr, fpr)

    return answer


def forced_ppv_refuses_tpr_zero(solution):
    return _raising(solution, lambda base_rate, tpr, fpr: tpr == 0)


def forced_ppv_refuses_fpr_zero(solution):
    return _raising(solution, lambda base_rate, tpr, fpr: fpr == 0)


def forced_ppv_refuses_high_base_rate(solution):
    return _raising(solution, lambda base_rate, tpr, fpr: base_rate >= 0.5 or tpr == fpr == 0)


def _right(rows, attribute):
    table = pd.crosstab(rows, attribute)
    return (table**2).sum(axis=1).div(table.sum(axis=1)).sum() / len(attribute)


def proxies_drop_missing(solution):
    def answer(features, attribute, label):
        without = _right([label], attribute)
        gains = {name: _right([label, features[name].astype(object)], attribute) - without for name in features}
        return dict(sorted(gains.items(), key=lambda pair: -pair[1]))

    return answer


def proxies_among_all(solution):
    return lambda features, attribute, label: solution(features, attribute, label * 0)


def proxies_ascending(solution):
    return lambda *people: dict(reversed(solution(*people).items()))


def proxies_codes(solution):
    def answer(features, attribute, label):
        code = attribute.astype("category").cat.codes
        return {name: abs(features[name].astype("category").cat.codes.corr(code)) for name in features}

    return answer


def proxies_changes_the_table(solution):
    def answer(features, attribute, label):
        found = solution(features, attribute, label)
        for name in features:
            features[name] = features[name].astype(object).where(features[name].notna(), "missing")
        return found

    return answer


def choose_then_judge_no_ratio(solution):
    def answer(validation, test, candidates, limit=0.1):
        def gap(split, threshold):
            scores, groups = split
            rates = pd.Series(scores > threshold).groupby(groups).mean()
            return float(rates.max() - rates.min())

        good = [threshold for threshold in sorted(candidates) if gap(validation, threshold) <= limit]
        return (good[0], gap(test, good[0])) if good else None

    return answer


def choose_then_judge_strict(solution):
    def answer(validation, test, candidates, limit=0.1):
        return solution(validation, test, candidates, limit - 1e-9)

    return answer


def choose_then_judge_a_little_more(solution):
    return lambda validation, test, candidates, limit=0.1: solution(validation, test, candidates, limit + 0.001)


def choose_then_judge_threshold_only(solution):
    return lambda *given: (solution(*given) or [None])[0]


def choose_then_judge_middle(solution):
    def answer(validation, test, candidates, limit=0.1):
        chosen, gap = solution(validation, test, candidates, limit) or (None, None)
        return None if chosen is None else (chosen, gap / 2)

    return answer


def choose_then_judge_always(solution):
    def answer(validation, test, candidates, limit=0.1):
        return solution(validation, test, candidates, limit) or (candidates[0], 0.0)

    return answer


def _control(solution, control):
    return lambda: replace(solution(), control=control)


def _of(selected, groups):
    return pd.Series(selected).groupby(groups).mean()


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_control_gap_only(solution):
    return _control(solution, lambda selected, groups: bool(np.ptp(_of(selected, groups)) <= 0.1))


def decide_control_ratio_only(solution):
    return _control(
        solution, lambda selected, groups: bool(_of(selected, groups).min() >= 0.8 * _of(selected, groups).max())
    )


def decide_control_by_place(solution):
    def control(selected, groups):
        of = _of(selected, groups)
        return bool(abs(of.iloc[0] - of.iloc[-1]) <= 0.1 and of.iloc[0] >= 0.8 * of.iloc[-1])

    return _control(solution, control)


def _rated(solution, passes):
    return _control(solution, lambda selected, groups: bool(passes(_of(selected, groups).to_numpy())))


def decide_control_no_gap_strict_ratio(solution):
    return _rated(solution, lambda of: of.max() > 0 and of.min() >= 0.88 * of.max())


def decide_control_low_ratio(solution):
    return _rated(solution, lambda of: of.max() > 0 and np.ptp(of) <= 0.1 and of.min() >= 0.55 * of.max())


def decide_control_wide_gap(solution):
    return _rated(solution, lambda of: of.max() > 0 and np.ptp(of) <= 0.125 and of.min() >= 0.8 * of.max())


def decide_control_narrow_gap(solution):
    return _rated(solution, lambda of: of.max() > 0 and np.ptp(of) <= 0.0701 and of.min() >= 0.8 * of.max())


def decide_control_more_than_four_fifths(solution):
    return _rated(solution, lambda of: of.max() > 0 and np.ptp(of) <= 0.1 and of.min() > 0.8 * of.max())


def decide_control_counts(solution):
    def control(selected, groups):
        counts = pd.Series(selected).groupby(groups).sum()
        return bool(counts.max() > 0 and np.ptp(_of(selected, groups)) <= 0.1 and counts.min() >= 0.8 * counts.max())

    return _control(solution, control)


def decide_control_against_overall(solution):
    def control(selected, groups):
        of = _of(selected, groups)
        return bool(of.max() > 0 and np.ptp(of) <= 0.1 and of.min() >= 0.8 * selected.mean())

    return _control(solution, control)


def decide_control_first_and_last(solution):
    return _rated(
        solution,
        lambda of: of.max() > 0 and abs(of[0] - of[-1]) <= 0.1 and min(of[0], of[-1]) >= 0.8 * max(of[0], of[-1]),
    )


def decide_control_first_two(solution):
    return _rated(solution, lambda of: of.max() > 0 and np.ptp(of[:2]) <= 0.1 and of[:2].min() >= 0.8 * of[:2].max())


def decide_control_against_the_first(solution):
    return _rated(solution, lambda of: of.max() > 0 and np.ptp(of) <= 0.1 and of.min() >= 0.8 * of[0])


def decide_control_nobody_selected(solution):
    return _rated(solution, lambda of: np.ptp(of) <= 0.1 and of.min() >= 0.8 * of.max())


def decide_control_without_the_empty(solution):
    def passes(of):
        of = of[of > 0]
        return len(of) and np.ptp(of) <= 0.1 and of.min() >= 0.8 * of.max()

    return _rated(solution, passes)


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "false_omission_rates": [
        (false_omission_rates_filtered_first, "Whoever is left out must be named"),
        (false_omission_rates_size_of_group, "how many stand below the line"),
        (false_omission_rates_overall, "not the false omission rates"),
        (false_omission_rates_one_number, "a value for each key"),
        (false_omission_rates_base_rate_where_nobody_stands, "nobody stands below the line"),
    ],
    "forced_ppv": [
        (forced_ppv_accuracy, "This is the accuracy"),
        (forced_ppv_squared, "not the share of the selected people"),
        (forced_ppv_zero, "a 0 would claim"),
        (forced_ppv_nan, "Raise a ValueError"),
        (forced_ppv_refuses_tpr_zero, "the PPV is 0, and no error"),
        (forced_ppv_refuses_fpr_zero, "the PPV is 1, and no error"),
        (forced_ppv_refuses_high_base_rate, "A base rate above one half"),
    ],
    "proxies": [
        (proxies_drop_missing, "make it a category"),
        (proxies_among_all, "People with another label are asked too"),
        (proxies_ascending, "not in order"),
        (proxies_codes, "not the gains"),
        (proxies_changes_the_table, "changed `features`"),
    ],
    "choose_then_judge": [
        (choose_then_judge_no_ratio, "The impact ratio was not asked for"),
        (choose_then_judge_strict, "exactly the limit"),
        (choose_then_judge_a_little_more, "add nothing to the limit"),
        (choose_then_judge_threshold_only, "a tuple (a list will do) is expected"),
        (choose_then_judge_middle, "not the lowest threshold"),
        (choose_then_judge_always, "no threshold qualifies"),
    ],
    "decide": [
        (decide_ships, "One of the two has to change"),
        (decide_control_gap_only, "lets a selection through"),
        (decide_control_ratio_only, "lets a selection through"),
        (decide_control_by_place, "our control"),
        (decide_control_no_gap_strict_ratio, "our control"),
        (decide_control_low_ratio, "lets a selection through"),
        (decide_control_wide_gap, "lets a selection through"),
        (decide_control_narrow_gap, "hardly anything could go out"),
        (decide_control_more_than_four_fifths, "it may be exactly 0.8"),
        (decide_control_counts, "our control"),
        (decide_control_against_overall, "lets a selection through"),
        (decide_control_first_and_last, "lets a selection through"),
        (decide_control_first_two, "lets a selection through"),
        (decide_control_against_the_first, "our control"),
        (decide_control_nobody_selected, "nobody is selected at all"),
        (decide_control_without_the_empty, "lets a selection through"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "choose_then_judge": {
        "return of.min() > 0 and of.max() - of.min() <= limit and (of.min() / of.max() >= 0.8)": "where the lowest rate is 0 the ratio is 0",
        "return of.max() >= 0 and of.max() - of.min() <= limit and (of.min() / of.max() >= 0.8)": "0 / 0 is NaN, which is not at least 0.8",
    },
}
