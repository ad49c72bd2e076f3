"""Plausible wrong answers to the warm-up, each with a piece of the message that is meant for it."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

LAB = "00_start_here"


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


def decide_contradicts_evidence(solution):
    return lambda: replace(solution(), evidence={"parity_gap": "<= 0.1"})


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_open_control(solution):
    return lambda: replace(solution(), control=lambda selected, group, limit=0.1: True)


def decide_shut_control(solution):
    return lambda: replace(solution(), control=lambda selected, group, limit=0.1: False)


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
        (selection_rates_hard_coded, "not the selection rates"),
        (selection_rates_one_number, "a value for each key"),
        (selection_rates_nothing, "`return` missing"),
    ],
    "parity_gap": [
        (parity_gap_signed, "signed difference"),
        (parity_gap_signed_other_way, "signed difference"),
        (parity_gap_negative, "signed difference"),
        (parity_gap_first_and_last, "first group with the last"),
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
        (release_gate_strict, "exactly the limit"),
        (release_gate_one_sided, "only in one direction"),
    ],
    "decide": [
        (decide_contradicts_evidence, "its value is 0.1963"),
        (decide_ships, "One of the two has to change"),
        (decide_open_control, "lets the Adult labels pass"),
        (decide_shut_control, "nothing could ever be released"),
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
