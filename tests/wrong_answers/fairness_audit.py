"""Plausible wrong answers to the lab of chapter 12, each with a piece of the message that is meant for it."""

from dataclasses import replace

import numpy as np
import pandas as pd


def _by_group(over, under, enough=None, otherwise=None):
    """Return an answer that divides other people by other people; `enough` counts whether they are many."""

    def answer(y, p, groups, at_least=30):
        rates = {}
        for name in np.unique(groups):
            mine = groups == name
            above, below = mine & over(y, p), mine & under(y, p)
            count = (mine & (enough or under)(y, p)).sum()
            rates[str(name)] = float(above.sum() / below.sum()) if count >= at_least else otherwise
        return rates

    return answer


def _missed(y, p):
    return (y == 1) & (p == 0)


def _passed_over(y, p):
    return p == 0


def _all(y, p):
    return y >= 0


def false_omission_rates_of_the_label(solution):
    return _by_group(_missed, lambda y, p: y == 1, _passed_over)


def false_omission_rates_of_the_label_counted(solution):
    return _by_group(_missed, lambda y, p: y == 1)


def false_omission_rates_discovery(solution):
    return _by_group(lambda y, p: (y == 0) & (p == 1), lambda y, p: p == 1)


def false_omission_rates_of_the_group(solution):
    return _by_group(_missed, _all, _passed_over)


def false_omission_rates_rightly(solution):
    return _by_group(lambda y, p: (y == 0) & (p == 0), _passed_over)


def false_omission_rates_size_of_group(solution):
    return _by_group(_missed, _passed_over, _all)


def false_omission_rates_always(solution):
    return lambda y, p, groups, at_least=30: solution(y, p, groups, 1)


def false_omission_rates_silent(solution):
    return lambda *people: {name: rate for name, rate in solution(*people).items() if rate is not None}


def false_omission_rates_zero(solution):
    return lambda *people: {name: rate or 0.0 for name, rate in solution(*people).items()}


def false_omission_rates_more_than(solution):
    return lambda y, p, groups, at_least=30: solution(y, p, groups, at_least + 1)


def false_omission_rates_overall(solution):
    return lambda y, p, groups, at_least=30: {str(name): float(y[p == 0].mean()) for name in np.unique(groups)}


def false_omission_rates_one_number(solution):
    return lambda y, p, groups, at_least=30: float(y[p == 0].mean())


def false_omission_rates_nan(solution):
    return lambda *people: {name: float("nan") if rate is None else rate for name, rate in solution(*people).items()}


def false_omission_rates_nan_where_nobody_stands(solution):
    def answer(y, p, groups, at_least=30):
        below = {str(name): (p[groups == name] == 0).sum() for name in np.unique(groups)}
        return solution(y, p, groups, at_least) | {name: float("nan") for name, count in below.items() if count == 0}

    return answer


def false_omission_rates_filtered_first(solution):
    def answer(y, p, groups, at_least=30):
        passed_over = pd.DataFrame({"y": y, "group": groups})[p == 0]
        rates = passed_over.groupby("group")["y"].agg(["mean", "size"])
        return {name: m if count >= at_least else None for name, m, count in rates.itertuples()}

    return answer


def false_omission_rates_or_none(solution):
    return lambda *people: {name: rate or None for name, rate in solution(*people).items()}


def false_omission_rates_enough_selected(solution):
    return _by_group(_missed, _passed_over, lambda y, p: p == 1)


def false_omission_rates_enough_of_both(solution):
    def answer(y, p, groups, at_least=30):
        selected = {str(name): (p[groups == name] == 1).sum() for name in np.unique(groups)}
        rates = solution(y, p, groups, at_least)
        return {name: rate if selected[name] >= at_least else None for name, rate in rates.items()}

    return answer


def false_omission_rates_enough_missed(solution):
    return _by_group(_missed, _passed_over, _missed)


def false_omission_rates_enough_with_label(solution):
    return _by_group(_missed, _passed_over, lambda y, p: y == 1)


def false_omission_rates_always_thirty(solution):
    return lambda y, p, groups, at_least=30: solution(y, p, groups, 30)


def forced_ppv_no_base_rate(solution):
    return lambda base_rate, tpr, fpr: tpr / (tpr + fpr)


def forced_ppv_difference(solution):
    return lambda base_rate, tpr, fpr: tpr - fpr


def forced_ppv_accuracy(solution):
    return lambda base_rate, tpr, fpr: base_rate * tpr + (1 - base_rate) * (1 - fpr)


def forced_ppv_negative(solution):
    def answer(base_rate, tpr, fpr):
        right = (1 - base_rate) * (1 - fpr)
        return right / (right + base_rate * (1 - tpr))

    return answer


def forced_ppv_exchanged(solution):
    return lambda base_rate, tpr, fpr: solution(base_rate, fpr, tpr)


def forced_ppv_other_base_rate(solution):
    return lambda base_rate, tpr, fpr: solution(1 - base_rate, tpr, fpr)


def forced_ppv_specificity(solution):
    return lambda base_rate, tpr, fpr: solution(base_rate, tpr, 1 - fpr)


def forced_ppv_selected(solution):
    return lambda base_rate, tpr, fpr: base_rate * tpr + (1 - base_rate) * fpr


def forced_ppv_of_everybody(solution):
    return lambda base_rate, tpr, fpr: base_rate * tpr


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


def forced_ppv_refuses_tpr_below_fpr(solution):
    return _raising(solution, lambda base_rate, tpr, fpr: tpr <= fpr)


def _table(column, attribute):
    values = column.astype(object)
    return pd.crosstab(values.where(values.notna(), "missing"), attribute)


def _ordered(gains):
    return dict(sorted(gains.items(), key=lambda pair: -pair[1]))


def proxies_no_baseline(solution):
    return lambda features, attribute: _ordered(
        {name: _table(features[name], attribute).max(axis=1).sum() / len(attribute) for name in features}
    )


def proxies_unweighted(solution):
    def answer(features, attribute):
        tables = {name: _table(features[name], attribute) for name in features}
        without = attribute.value_counts(normalize=True).max()
        return _ordered({name: (t.max(axis=1) / t.sum(axis=1)).mean() - without for name, t in tables.items()})

    return answer


def proxies_drop_missing(solution):
    def answer(features, attribute):
        without = attribute.value_counts(normalize=True).max()
        tables = {name: pd.crosstab(features[name], attribute) for name in features}
        return _ordered({name: t.max(axis=1).sum() / len(attribute) - without for name, t in tables.items()})

    return answer


def proxies_drop_missing_people(solution):
    def answer(features, attribute):
        found = {}
        for name in features:
            kept = features[name].notna()
            found[name] = solution(features.loc[kept, [name]], attribute[kept])[name]
        return _ordered(found)

    return answer


def proxies_negative(solution):
    return lambda features, attribute: {name: -gain for name, gain in solution(features, attribute).items()}


def proxies_only_helpful(solution):
    return lambda features, attribute: {
        name: gain for name, gain in solution(features, attribute).items() if gain > 1e-9
    }


def proxies_unordered(solution):
    return lambda features, attribute: {name: solution(features, attribute)[name] for name in sorted(features)}


def proxies_ascending(solution):
    return lambda features, attribute: dict(reversed(solution(features, attribute).items()))


def proxies_codes(solution):
    def answer(features, attribute):
        code = attribute.astype("category").cat.codes
        return _ordered({name: abs(features[name].astype("category").cat.codes.corr(code)) for name in features})

    return answer


def proxies_changes_the_table(solution):
    def answer(features, attribute):
        found = solution(features, attribute)
        for name in features:
            features[name] = features[name].astype(object).where(features[name].notna(), "missing")
        return found

    return answer


def _rates(split, threshold, at=False):
    scores, groups = split
    chosen = scores >= threshold if at else scores > threshold
    return np.array([chosen[groups == name].mean() for name in np.unique(groups)])


def _choose(pick=min, qualifies=None, judge_on=1, choose_on=(0,), at=False):
    def usual(of, limit):
        return of.max() > 0 and np.ptp(of) <= limit and of.min() / of.max() >= 0.8

    def answer(validation, test, candidates, limit=0.1):
        splits = (validation, test)
        good = [
            t
            for t in candidates
            if all((qualifies or usual)(_rates(splits[place], t, at), limit) for place in choose_on)
        ]
        if not good:
            return None
        return pick(good), float(np.ptp(_rates(splits[judge_on], pick(good), at)))

    return answer


def choose_then_judge_on_test(solution):
    return _choose(choose_on=(1,))


def choose_then_judge_on_both(solution):
    return _choose(choose_on=(0, 1))


def choose_then_judge_on_validation(solution):
    return _choose(judge_on=0)


def choose_then_judge_signed(solution):
    return _choose(qualifies=lambda of, limit: of.max() > 0 and of[0] - of[-1] <= limit and of.min() / of.max() >= 0.8)


def choose_then_judge_signed_other_way(solution):
    return _choose(qualifies=lambda of, limit: of.max() > 0 and of[-1] - of[0] <= limit and of.min() / of.max() >= 0.8)


def choose_then_judge_strict(solution):
    return _choose(qualifies=lambda of, limit: of.max() > 0 and np.ptp(of) < limit and of.min() / of.max() >= 0.8)


def choose_then_judge_no_ratio(solution):
    return _choose(qualifies=lambda of, limit: np.ptp(of) <= limit)


def choose_then_judge_upside_down(solution):
    return _choose(qualifies=lambda of, limit: np.ptp(of) <= limit and of.max() >= 0.8 * of.min())


def choose_then_judge_only_ratio(solution):
    return _choose(qualifies=lambda of, limit: of.max() > 0 and of.min() / of.max() >= 0.8)


def choose_then_judge_at_threshold(solution):
    return _choose(at=True)


def choose_then_judge_highest(solution):
    return _choose(pick=max)


def choose_then_judge_first(solution):
    return _choose(pick=lambda good: good[0])


def choose_then_judge_smallest(solution):
    def answer(validation, test, candidates, limit=0.1):
        some = [t for t in candidates if _rates(validation, t).any()]
        if not some:
            return None
        chosen = min(some, key=lambda t: np.ptp(_rates(validation, t)))
        return chosen, float(np.ptp(_rates(test, chosen)))

    return answer


def _compares(gap=np.ptp, ratio=lambda of: of.min() / of.max()):
    return _choose(qualifies=lambda of, limit: of.max() > 0 and gap(of) <= limit and ratio(of) >= 0.8)


def choose_then_judge_ends(solution):
    return _compares(lambda of: abs(of[0] - of[-1]), lambda of: min(of[0], of[-1]) / max(of[0], of[-1]))


def choose_then_judge_first_two(solution):
    return _compares(lambda of: abs(of[0] - of[1]), lambda of: min(of[0], of[1]) / max(of[0], of[1]))


def choose_then_judge_gap_of_ends(solution):
    return _compares(lambda of: abs(of[0] - of[-1]))


def choose_then_judge_ratio_of_ends(solution):
    return _compares(ratio=lambda of: min(of[0], of[-1]) / max(of[0], of[-1]))


def choose_then_judge_ratio_one_way(solution):
    return _compares(ratio=lambda of: of[0] / of[-1])


def choose_then_judge_ratio_other_way(solution):
    return _compares(ratio=lambda of: of[-1] / of[0])


def choose_then_judge_all_signed(solution):
    return _compares(lambda of: of[0] - of[-1], lambda of: of[0] / of[-1])


def choose_then_judge_counts(solution):
    def answer(validation, test, candidates, limit=0.1):
        scores, groups = validation
        good = []
        for t in candidates:
            counts = np.array([(scores[groups == name] > t).sum() for name in np.unique(groups)])
            if counts.max() and np.ptp(_rates(validation, t)) <= limit and counts.min() / counts.max() >= 0.8:
                good.append(t)
        return (min(good), float(np.ptp(_rates(test, min(good))))) if good else None

    return answer


def choose_then_judge_shares_of_all(solution):
    def of(split, t):
        scores, groups = split
        return np.array([((scores > t) & (groups == name)).mean() for name in np.unique(groups)])

    def answer(validation, test, candidates, limit=0.1):
        good = [
            t for t in candidates if (r := of(validation, t)).max() and np.ptp(r) <= limit and r.min() / r.max() >= 0.8
        ]
        return (min(good), float(np.ptp(of(test, min(good))))) if good else None

    return answer


def choose_then_judge_fixed_limit(solution):
    return lambda validation, test, candidates, limit=0.1: solution(validation, test, candidates, 0.1)


def choose_then_judge_other_fixed_limit(solution):
    return lambda validation, test, candidates, limit=0.1: solution(validation, test, candidates, 0.125)


def choose_then_judge_a_little_more(solution):
    return lambda validation, test, candidates, limit=0.1: solution(validation, test, candidates, limit + 0.001)


def choose_then_judge_threshold_only(solution):
    return lambda *given: (solution(*given) or [None])[0]


def choose_then_judge_always(solution):
    return lambda validation, test, candidates, limit=0.1: (
        solution(validation, test, candidates, limit)
        or (
            candidates[0],
            0.0,
        )
    )


def _control(solution, control):
    return lambda: replace(solution(), control=control)


def _of(selected, groups):
    return pd.Series(selected).groupby(groups).mean()


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_control_open(solution):
    return _control(solution, lambda selected, groups: True)


def decide_control_shut(solution):
    return _control(solution, lambda selected, groups: False)


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


def decide_control_returns_words(solution):
    return _control(solution, lambda selected, groups: "pass")


def decide_contradicts_evidence(solution):
    return lambda: replace(solution(), evidence={"dp_gap": "<= 0.1", "impact_ratio": ">= 0.8"})


def decide_one_number(solution):
    return lambda: replace(solution(), evidence={"dp_gap": "<= 0.1"})


def decide_no_dissent(solution):
    return lambda: replace(solution(), dissent="...")


def decide_no_decision(solution):
    return lambda: "fix"


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "false_omission_rates": [
        (false_omission_rates_of_the_label, "false negative rate"),
        (false_omission_rates_of_the_label_counted, "false negative rate"),
        (false_omission_rates_discovery, "false discovery rate"),
        (false_omission_rates_of_the_group, "divided by the whole group"),
        (false_omission_rates_rightly, "shares of label 0"),
        (false_omission_rates_size_of_group, "counted the whole group"),
        (false_omission_rates_always, "as if they were known"),
        (false_omission_rates_silent, "must be named"),
        (false_omission_rates_zero, "You answered 0"),
        (false_omission_rates_more_than, "Exactly `at_least`"),
        (false_omission_rates_overall, "not the false omission rates"),
        (false_omission_rates_one_number, "a value for each key"),
        (false_omission_rates_nan, "NaN is not `None`: say"),
        (false_omission_rates_nan_where_nobody_stands, "you answered NaN"),
        (false_omission_rates_filtered_first, "everybody is selected is gone"),
        (false_omission_rates_or_none, "A rate of 0 is known"),
        (false_omission_rates_enough_selected, "how many were selected"),
        (false_omission_rates_enough_of_both, "how many were selected"),
        (false_omission_rates_enough_missed, "passed over *wrongly* to see"),
        (false_omission_rates_enough_with_label, "people with label 1 to see"),
        (false_omission_rates_always_thirty, "always 30"),
    ],
    "forced_ppv": [
        (forced_ppv_no_base_rate, "base rate is missing"),
        (forced_ppv_difference, "base rate is missing"),
        (forced_ppv_accuracy, "This is the accuracy"),
        (forced_ppv_negative, "negative predictive value"),
        (forced_ppv_exchanged, "are exchanged"),
        (forced_ppv_other_base_rate, "are exchanged"),
        (forced_ppv_specificity, "weighted by 1 − FPR"),
        (forced_ppv_selected, "how many are selected"),
        (forced_ppv_of_everybody, "Divide by all who are selected"),
        (forced_ppv_zero, "a 0 would claim"),
        (forced_ppv_nan, "Raise a ValueError"),
        (forced_ppv_refuses_tpr_zero, "the PPV is 0, and no error"),
        (forced_ppv_refuses_fpr_zero, "the PPV is 1, and no error"),
        (forced_ppv_refuses_high_base_rate, "A base rate above one half"),
        (forced_ppv_refuses_tpr_below_fpr, "Raise only where nobody is selected"),
    ],
    "proxies": [
        (proxies_no_baseline, "Subtract that share"),
        (proxies_unweighted, "Count right guesses over people"),
        (proxies_drop_missing, "make it a category"),
        (proxies_drop_missing_people, "make it a category"),
        (proxies_negative, "The sign is turned"),
        (proxies_only_helpful, "still belongs into the answer"),
        (proxies_ascending, "not in order"),
        (proxies_codes, "not the gains"),
        (proxies_changes_the_table, "changed the table"),
    ],
    "choose_then_judge": [
        (choose_then_judge_on_test, "chose the threshold on the test people"),
        (choose_then_judge_on_both, "tunes on them"),
        (choose_then_judge_on_validation, "It flatters"),
        (choose_then_judge_signed, "in one direction"),
        (choose_then_judge_signed_other_way, "in one direction"),
        (choose_then_judge_strict, "exactly the limit"),
        (choose_then_judge_no_ratio, "was not asked for, is upside down"),
        (choose_then_judge_upside_down, "upside down"),
        (choose_then_judge_only_ratio, "The gap was not asked for"),
        (choose_then_judge_at_threshold, "*above* the threshold"),
        (choose_then_judge_highest, "the lowest is wanted"),
        (choose_then_judge_first, "the lowest is wanted"),
        (choose_then_judge_smallest, "smallest gap"),
        (choose_then_judge_ends, "not of all groups"),
        (choose_then_judge_first_two, "not of all groups"),
        (choose_then_judge_gap_of_ends, "in one direction"),
        (choose_then_judge_ratio_of_ends, "compares two groups"),
        (choose_then_judge_ratio_one_way, "compares two groups"),
        (choose_then_judge_ratio_other_way, "compares two groups"),
        (choose_then_judge_all_signed, "in one direction"),
        (choose_then_judge_counts, "Groups differ in size"),
        (choose_then_judge_shares_of_all, "Groups differ in size"),
        (choose_then_judge_fixed_limit, "Your limit is fixed"),
        (choose_then_judge_other_fixed_limit, "Your limit is fixed"),
        (choose_then_judge_a_little_more, "add nothing to the limit"),
        (choose_then_judge_threshold_only, "not the lowest threshold"),
        (choose_then_judge_always, "no threshold qualifies"),
    ],
    "decide": [
        (decide_ships, "One of the two has to change"),
        (decide_control_open, "lets a selection through"),
        (decide_control_shut, "hardly anything could go out"),
        (decide_control_gap_only, "lets a selection through"),
        (decide_control_ratio_only, "lets a selection through"),
        (decide_control_by_place, "our control"),
        (decide_control_no_gap_strict_ratio, "our control"),
        (decide_control_low_ratio, "lets a selection through"),
        (decide_control_wide_gap, "lets a selection through"),
        (decide_control_narrow_gap, "hardly anything could go out"),
        (decide_control_counts, "our control"),
        (decide_control_against_overall, "lets a selection through"),
        (decide_control_first_and_last, "lets a selection through"),
        (decide_control_first_two, "lets a selection through"),
        (decide_control_against_the_first, "our control"),
        (decide_control_nobody_selected, "nobody is selected at all"),
        (decide_control_without_the_empty, "lets a selection through"),
        (decide_control_returns_words, "True (let it pass) or False"),
        (decide_contradicts_evidence, "its value is 0."),
        (decide_one_number, "does not say what it makes of `impact_ratio`"),
        (decide_no_dissent, "`dissent` is empty"),
        (decide_no_decision, "must return a `Decision"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {
    "choose_then_judge": {
        "return of.min() > 0 and of.max() - of.min() <= limit and (of.min() / of.max() >= 0.8)": "where the lowest rate is 0 the ratio is 0",
        "return of.max() >= 0 and of.max() - of.min() <= limit and (of.min() / of.max() >= 0.8)": "0 / 0 is NaN, which is not at least 0.8",
    },
}
