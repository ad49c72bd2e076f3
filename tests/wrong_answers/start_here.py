"""Wrong answers to the warm-up that are no other value, or typed as learners do; its check names the rest."""

from dataclasses import replace


def selection_rates_typed(solution):
    def answer(selected, group):
        rates = {}
        for name in group.unique():
            rates[name] = ((selected == 1) & (group == name)).sum() / (selected == 1).sum()
        return rates

    return answer


def selection_rates_hard_coded(solution):
    return lambda selected, group: {"Female": 0.11, "Male": 0.31}


def selection_rates_one_number(solution):
    return lambda selected, group: selected.mean()


def selection_rates_nothing(solution):
    def answer(selected, group):
        selected.groupby(group).mean().to_dict()

    return answer


def selection_rates_series(solution):
    return lambda selected, group: selected.groupby(group).mean()


def selection_rates_in_place(solution):
    def answer(selected, group):
        rates = selected.groupby(group).mean().to_dict()
        selected *= 100
        return rates

    return answer


def parity_gap_typed(solution):
    def answer(rates):
        values = list(rates.values())
        gap = 0
        for i in range(len(values) - 1):
            if abs(values[i + 1] - values[i]) > gap:
                gap = abs(values[i + 1] - values[i])
        return gap

    return answer


def parity_gap_spread(solution):
    return lambda rates: (sum((r - sum(rates.values()) / len(rates)) ** 2 for r in rates.values()) / len(rates)) ** 0.5


def parity_gap_text(solution):
    return lambda rates: f"{max(rates.values()) - min(rates.values()):.2f}"


def _gap(selected, group):
    rates = selected.groupby(group).mean()
    return rates.max() - rates.min()


def release_gate_typed(solution):
    def release_gate(selected, group, limit=0.1):
        rates = list(selected.groupby(group).mean())
        released = True
        if rates[0] - rates[-1] > limit:
            released = False
        return released

    return release_gate


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


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_control_counts_people(solution):
    return lambda: replace(solution(), control=lambda selected, group, limit=0.1: len(selected) != 5000)


def decide_control_knows_two_groups(solution):
    def control(selected, group, limit=0.1):
        rates = selected.groupby(group).mean()
        return bool(abs(rates.get("Male", 0) - rates.get("Female", 0)) <= limit)

    return lambda: replace(solution(), control=control)


def _control(what, passes):
    def answer(solution):
        return lambda: replace(solution(), control=lambda selected, group: bool(passes(selected.groupby(group).mean())))

    answer.__name__ = f"decide_control_{what}"
    return answer


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "selection_rates": [
        (selection_rates_typed, "conditions the other way"),
        (selection_rates_hard_coded, "Of each group that `group` names"),
        (selection_rates_series, "in a pandas Series"),
        (selection_rates_one_number, "a value for each key"),
        (selection_rates_nothing, "`return` missing"),
        (selection_rates_in_place, "changed `selected`"),
    ],
    "parity_gap": [
        (parity_gap_typed, "by their place"),
        (parity_gap_spread, "not the parity gap"),
        (parity_gap_text, "a single number is expected"),
    ],
    "release_gate": [
        (release_gate_typed, "only in one direction"),
        (release_gate_from_the_mean, "should pass"),
        (release_gate_numbers_of_people, "This selection should"),
        (release_gate_rounded, "should be stopped"),
        (release_gate_other_default, "should be stopped"),
        (release_gate_lenient, "should be stopped"),
        (release_gate_returns_nothing, "returned nothing"),
        (release_gate_returns_words, "`True` or `False` is expected"),
        (release_gate_without_default, "missing 1 required positional argument"),
    ],
    "decide": [
        (decide_ships, "One of the two has to change"),
        (decide_control_counts_people, "lets a selection pass"),
        (decide_control_knows_two_groups, "lets a selection pass"),
        (_control("spread", lambda rates: rates.std() <= 0.1), "lets a selection pass"),
        (_control("from_the_mean", lambda rates: (rates - rates.mean()).abs().max() <= 0.1), "lets a selection pass"),
        (_control("from_the_first", lambda rates: (rates - rates.iloc[0]).abs().max() <= 0.1), "lets a selection pass"),
        (_control("ratio", lambda rates: rates.min() / rates.max() >= 0.8), "our control"),
        (_control("too_lenient", lambda rates: rates.max() - rates.min() <= 0.15), "lets a selection pass"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {}
