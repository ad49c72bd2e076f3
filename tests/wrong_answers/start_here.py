"""Plausible wrong answers to the warm-up, each with a piece of the message that is meant for it."""

import itertools
from dataclasses import replace
from datetime import date, timedelta

import numpy as np


def selection_rates_share_of_selected(solution):
    return lambda selected, group: (selected.groupby(group).sum() / selected.sum()).to_dict()


def selection_rates_counts(solution):
    return lambda selected, group: selected.groupby(group).sum().to_dict()


def selection_rates_of_everybody(solution):
    return lambda selected, group: (selected.groupby(group).sum() / len(selected)).to_dict()


def selection_rates_overall(solution):
    return lambda selected, group: {name: selected.mean() for name in group.unique()}


def selection_rates_percent(solution):
    return lambda selected, group: (100 * selected.groupby(group).mean()).to_dict()


def selection_rates_turned_away(solution):
    return lambda selected, group: (1 - selected.groupby(group).mean()).to_dict()


def selection_rates_hard_coded(solution):
    return lambda selected, group: {"Female": 0.11, "Male": 0.31}


def selection_rates_one_number(solution):
    return lambda selected, group: selected.mean()


def selection_rates_nothing(solution):
    return lambda selected, group: None


def selection_rates_series(solution):
    return lambda selected, group: selected.groupby(group).mean()


def selection_rates_rounded(solution):
    return lambda selected, group: selected.groupby(group).mean().round(2).to_dict()


def _values(rates):
    return list(rates.values())


def parity_gap_signed(solution):
    return lambda rates: _values(rates)[0] - _values(rates)[-1]


def parity_gap_signed_other_way(solution):
    return lambda rates: _values(rates)[-1] - _values(rates)[0]


def parity_gap_negative(solution):
    return lambda rates: min(_values(rates)) - max(_values(rates))


def parity_gap_first_and_last(solution):
    return lambda rates: abs(_values(rates)[0] - _values(rates)[-1])


def parity_gap_first_and_second(solution):
    return lambda rates: abs(_values(rates)[0] - _values(rates)[1])


def parity_gap_neighbours(solution):
    return lambda rates: max(abs(a - b) for a, b in itertools.pairwise(_values(rates)))


def parity_gap_relative(solution):
    return lambda rates: 1 - min(_values(rates)) / max(_values(rates))


def parity_gap_rounded(solution):
    return lambda rates: round(max(_values(rates)) - min(_values(rates)), 2)


def parity_gap_ratio(solution):
    return lambda rates: min(_values(rates)) / max(_values(rates))


def parity_gap_maximum(solution):
    return lambda rates: max(_values(rates))


def parity_gap_percent(solution):
    return lambda rates: 100 * (max(_values(rates)) - min(_values(rates)))


def parity_gap_spread(solution):
    return lambda rates: float(np.std(_values(rates)))


def parity_gap_text(solution):
    return lambda rates: f"{max(_values(rates)) - min(_values(rates)):.2f}"


def _gap(selected, group, signed=False):
    rates = selected.groupby(group).mean()
    return rates.iloc[-1] - rates.iloc[0] if signed else rates.max() - rates.min()


def release_gate_wrong_way_round(solution):
    return lambda selected, group, limit=0.1: bool(_gap(selected, group) > limit)


def release_gate_open(solution):
    return lambda selected, group, limit=0.1: True


def release_gate_shut(solution):
    return lambda selected, group, limit=0.1: False


def release_gate_ignores_limit(solution):
    return lambda selected, group, limit=0.1: bool(_gap(selected, group) <= 0.1)


def release_gate_strict(solution):
    return lambda selected, group, limit=0.1: bool(_gap(selected, group) < limit)


def release_gate_one_sided(solution):
    return lambda selected, group, limit=0.1: bool(_gap(selected, group, signed=True) <= limit)


def release_gate_by_place(solution):
    def gate(selected, group, limit=0.1):
        rates = selected.groupby(group).mean()
        return bool(abs(rates.iloc[-1] - rates.iloc[0]) <= limit)

    return gate


def release_gate_neighbours(solution):
    return lambda selected, group, limit=0.1: bool(selected.groupby(group).mean().diff().abs().max() <= limit)


def release_gate_from_the_mean(solution):
    def gate(selected, group, limit=0.1):
        rates = selected.groupby(group).mean()
        return bool(2 * (rates - rates.mean()).abs().max() <= limit)

    return gate


def release_gate_numbers_of_people(solution):
    def gate(selected, group, limit=0.1):
        chosen = selected.groupby(group).sum()
        return bool((chosen.max() - chosen.min()) / (len(selected) / group.nunique()) <= limit)

    return gate


def release_gate_rounded(solution):
    return lambda selected, group, limit=0.1: bool(round(_gap(selected, group), 2) <= limit)


def release_gate_other_default(solution):
    return lambda selected, group, limit=0.102: bool(_gap(selected, group) <= limit)


def release_gate_lenient(solution):
    return lambda selected, group, limit=0.1: bool(_gap(selected, group) <= limit + 0.04)


def release_gate_returns_nothing(solution):
    return lambda selected, group, limit=0.1: True if _gap(selected, group) <= limit else None


def release_gate_returns_words(solution):
    return lambda selected, group, limit=0.1: "release" if _gap(selected, group) <= limit else "refuse"


def release_gate_without_default(solution):
    return lambda selected, group, limit: bool(_gap(selected, group) <= limit)


def decide_contradicts_evidence(solution):
    return lambda: replace(solution(), evidence={"parity_gap": "<= 0.1"})


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_open_control(solution):
    return lambda: replace(solution(), control=lambda selected, group, limit=0.1: True)


def decide_shut_control(solution):
    return lambda: replace(solution(), control=lambda selected, group, limit=0.1: False)


def decide_control_counts_people(solution):
    return lambda: replace(solution(), control=lambda selected, group, limit=0.1: len(selected) != 5000)


def decide_control_knows_two_groups(solution):
    def control(selected, group, limit=0.1):
        rates = selected.groupby(group).mean()
        return bool(abs(rates.get("Male", 0) - rates.get("Female", 0)) <= limit)

    return lambda: replace(solution(), control=control)


def _control(solution, rule):
    return lambda: replace(
        solution(), control=lambda selected, group: bool(rule(selected.groupby(group).mean()) <= 0.1)
    )


def decide_control_by_spread(solution):
    return _control(solution, lambda rates: rates.std())


def decide_control_from_the_mean(solution):
    return _control(solution, lambda rates: (rates - rates.mean()).abs().max())


def decide_control_from_the_first(solution):
    return _control(solution, lambda rates: (rates - rates.iloc[0]).abs().max())


def decide_control_by_ratio(solution):
    return _control(solution, lambda rates: 0.0 if rates.min() / rates.max() >= 0.8 else 1.0)


def decide_control_too_lenient(solution):
    return lambda: replace(solution(), control=lambda selected, group: bool(_gap(selected, group) <= 0.15))


def decide_says_one_letter(solution):
    return lambda: replace(solution(), dissent="aaaaaaaaaaaaaaaa")


def decide_says_the_same(solution):
    return lambda: replace(solution(), dissent=solution().question, residual_risk=solution().question)


def decide_control_needs_limit(solution):
    return lambda: replace(solution(), control=lambda selected, group, limit: True)


def decide_says_nothing(solution):
    return lambda: replace(solution(), question="x", dissent="x", residual_risk="x")


def decide_evidence_settles_nothing(solution):
    return lambda: replace(solution(), evidence={"parity_gap": ">= 0"})


def decide_something_else(solution):
    return lambda: replace(solution(), options=["release it", "stop"], choice="release it")


def decide_one_option(solution):
    return lambda: replace(solution(), options=["fix"])


def decide_no_dissent(solution):
    return lambda: replace(solution(), dissent="...")


def decide_unknown_evidence(solution):
    return lambda: replace(solution(), evidence={"parity_gap": "> 0.1", "accuracy": "> 0.8"})


def decide_other_evidence(solution):
    return lambda: replace(solution(), evidence={"accuracy": "> 0.8"})


def decide_in_the_past(solution):
    return lambda: replace(solution(), review_date=date.today() - timedelta(days=1))


def decide_words_for_numbers(solution):
    return lambda: replace(solution(), evidence={"parity_gap": "too large"})


def decide_no_decision(solution):
    return lambda: "stop"


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "selection_rates": [
        (selection_rates_share_of_selected, "conditions the other way"),
        (selection_rates_counts, "numbers of people"),
        (selection_rates_of_everybody, "divided by the number of all people"),
        (selection_rates_overall, "overall rate"),
        (selection_rates_percent, "percentages"),
        (selection_rates_turned_away, "turned away"),
        (selection_rates_hard_coded, "has the groups Female, Male"),
        (selection_rates_series, "pandas Series"),
        (selection_rates_rounded, "You rounded"),
        (selection_rates_one_number, "a value for each key"),
        (selection_rates_nothing, "`return` missing"),
    ],
    "parity_gap": [
        (parity_gap_signed, "signed difference"),
        (parity_gap_signed_other_way, "signed difference"),
        (parity_gap_negative, "signed difference"),
        (parity_gap_first_and_last, "by their place"),
        (parity_gap_first_and_second, "by their place"),
        (parity_gap_neighbours, "by their place"),
        (parity_gap_relative, "relative to the largest"),
        (parity_gap_rounded, "You rounded"),
        (parity_gap_ratio, "ratio of two rates"),
        (parity_gap_maximum, "the largest rate"),
        (parity_gap_percent, "percentage points"),
        (parity_gap_spread, "standard deviation"),
        (parity_gap_text, "a single number is expected"),
    ],
    "release_gate": [
        (release_gate_wrong_way_round, "wrong way round"),
        (release_gate_open, "lets everything pass"),
        (release_gate_shut, "stops everything"),
        (release_gate_ignores_limit, "does not use `limit`"),
        (release_gate_by_place, "only between some of the groups"),
        (release_gate_neighbours, "only between some of the groups"),
        (release_gate_from_the_mean, "should pass"),
        (release_gate_numbers_of_people, "This selection should"),
        (release_gate_rounded, "should be stopped"),
        (release_gate_other_default, "should be stopped"),
        (release_gate_lenient, "should be stopped"),
        (release_gate_returns_nothing, "returns nothing"),
        (release_gate_returns_words, "nothing else"),
        (release_gate_without_default, "missing 1 required positional argument"),
        (release_gate_strict, "exactly the limit"),
        (release_gate_one_sided, "only in one direction"),
    ],
    "decide": [
        (decide_contradicts_evidence, "its value is 0.1963"),
        (decide_ships, "One of the two has to change"),
        (decide_open_control, "lets a selection pass"),
        (decide_shut_control, "nothing could ever be released"),
        (decide_control_counts_people, "lets a selection pass"),
        (decide_control_knows_two_groups, "lets a selection pass"),
        (decide_control_by_spread, "lets a selection pass"),
        (decide_control_from_the_mean, "lets a selection pass"),
        (decide_control_from_the_first, "lets a selection pass"),
        (decide_control_by_ratio, "our control"),
        (decide_control_too_lenient, "lets a selection pass"),
        (decide_says_one_letter, "says too little"),
        (decide_says_the_same, "say the same"),
        (decide_control_needs_limit, "any further one needs a default"),
        (decide_says_nothing, "says too little"),
        (decide_evidence_settles_nothing, "on both sides of 0.1"),
        (decide_something_else, "begins with ship, fix or stop"),
        (decide_one_option, "two entries"),
        (decide_no_dissent, "`dissent` is empty"),
        (decide_unknown_evidence, "not evidence that this run recorded"),
        (decide_other_evidence, "does not say what it makes of `parity_gap`"),
        (decide_in_the_past, "`review_date`"),
        (decide_words_for_numbers, "write a relation and a number"),
        (decide_no_decision, "must return a `Decision"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {}
