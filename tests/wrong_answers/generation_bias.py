"""Plausible wrong answers to the lab on bias in generation, each with a piece of the message that is meant for it."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from helix.labs.generation_bias import FORMS


def _refusing(wrong):
    """Refuse words without pronouns as the solution does."""

    def made(solution):
        def answer(counts, word, neutral="person"):
            solution(counts, word, neutral)
            return wrong(counts, word, neutral)

        return answer

    return made


def _share(one):
    return one[0] / (one[0] + one[1])


beyond_all_texts = _refusing(lambda c, w, n: c[w][0] / sum(c[w]) - c[n][0] / sum(c[n]))
beyond_one_half = _refusing(lambda c, w, n: _share(c[w]) - 0.5)
beyond_unsigned = _refusing(lambda c, w, n: abs(_share(c[w]) - _share(c[n])))
beyond_of_all_he = _refusing(lambda c, w, n: (c[w][0] - c[n][0]) / sum(one[0] for one in c.values()))
beyond_of_two_he = _refusing(lambda c, w, n: c[w][0] / (c[w][0] + c[n][0]) - 0.5)
beyond_turned = _refusing(lambda c, w, n: _share(c[n]) - _share(c[w]))


def beyond_zero_if_none(solution):
    def answer(counts, word, neutral="person"):
        try:
            return solution(counts, word, neutral)
        except ValueError:
            return 0.0

    return answer


def beyond_divides_by_zero(solution):
    return lambda counts, word, neutral="person": _share(counts[word]) - _share(counts[neutral])


def _capital(new, word):
    return new.capitalize() if word[0].isupper() else new


def _other(word, role):
    he, she = FORMS[role]
    return _capital(she if word.lower() == he else he, word)


def twin_of_everybody(solution):
    return lambda tokens: [_other(word, role) if role else word for word, role, _ in tokens]


def twin_without_capital(solution):
    def answer(tokens):
        made = solution(tokens)
        return [word.lower() if i == 0 else word for i, word in enumerate(made)]

    return answer


def twin_one_way(solution):
    def answer(tokens):
        return [
            _capital(FORMS[role][1], word) if role and whose == "wanted" and word.lower() == FORMS[role][0] else word
            for word, role, whose in tokens
        ]

    return answer


def _by_word(table):
    def made(solution):
        return lambda tokens: [
            _capital(table.get(word.lower(), word), word) if whose == "wanted" else word for word, _, whose in tokens
        ]

    return made


_TABLE = dict(FORMS.values()) | {she: he for he, she in reversed(FORMS.values())}
twin_her_is_him = _by_word({**_TABLE, "her": "him"})
twin_her_is_his = _by_word({**_TABLE, "her": "his"})


def twin_they(solution):
    return lambda tokens: ["they" if role == "subject" else word for word, role, _ in tokens]


def arrives_correlation(solution):
    return lambda known, found: float(np.corrcoef(known, found)[0, 1]) if found.std() else 0.0


def arrives_through_zero(solution):
    return lambda known, found: float(known @ found / (known @ known))


def arrives_turned(solution):
    def answer(known, found):
        y = found - found.mean()
        return float((known - known.mean()) @ y / (y @ y)) if y @ y else 0.0

    return answer


def arrives_distance(solution):
    return lambda known, found: float(np.abs(found - known).mean())


def arrives_spread(solution):
    return lambda known, found: float(found.std() / known.std())


def arrives_flat_is_one(solution):
    return lambda known, found: solution(known, found) if found.std() > 1e-9 else 1.0


def _associations(x, y, a, b, unit=True):
    if unit:
        x, y, a, b = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (x, y, a, b))
    both = np.concatenate([x, y])
    s = (both @ a.T).mean(axis=1) - (both @ b.T).mean(axis=1)
    return s, s[: len(x)].mean() - s[len(x) :].mean()


def effect_of_products(solution):
    def answer(*sets):
        s, difference = _associations(*sets, unit=False)
        return float(difference / s.std(ddof=1))

    return answer


def effect_undivided(solution):
    return lambda *sets: float(_associations(*sets)[1])


def effect_turned(solution):
    return lambda x, y, a, b: solution(x, y, b, a)


def effect_population(solution):
    def answer(*sets):
        s, difference = _associations(*sets)
        return float(difference / s.std())

    return answer


def effect_of_one_set(solution):
    def answer(*sets):
        s, difference = _associations(*sets)
        return float(difference / s[: len(sets[0])].std(ddof=1))

    return answer


def effect_pooled(solution):
    def answer(*sets):
        s, difference = _associations(*sets)
        n = len(sets[0])
        return float(difference / np.sqrt((s[:n].var(ddof=1) + s[n:].var(ddof=1)) / 2))

    return answer


def publish_everything(solution):
    return lambda text, find, rewrite: ("publish", text)


def publish_rewritten_at_once(solution):
    def answer(text, find, rewrite):
        found = find(text)
        if not found:
            return "publish", text
        return ("publish", rewrite(text)) if set(found) == {"pronoun"} else ("hold", text)

    return answer


def publish_if_any_pronoun(solution):
    def answer(text, find, rewrite):
        found = find(text)
        if not found:
            return "publish", text
        if "pronoun" in found and not find(rewrite(text)):
            return "publish", rewrite(text)
        return "hold", text

    return answer


def publish_holds_the_rewritten(solution):
    def answer(text, find, rewrite):
        way, out = solution(text, find, rewrite)
        return (way, out) if way == "publish" else (way, rewrite(text))

    return answer


def publish_holds_pronouns(solution):
    return lambda text, find, rewrite: ("hold", text) if find(text) else ("publish", text)


def publish_one_pronoun_only(solution):
    def answer(text, find, rewrite):
        return solution(text, find, rewrite) if find(text) in ([], ["pronoun"]) else ("hold", text)

    return answer


def publish_nothing(solution):
    return lambda text, find, rewrite: ("hold", text)


def publish_by_the_last(solution):
    def answer(text, find, rewrite):
        found = find(text)
        if not found:
            return "publish", text
        if found[-1] == "pronoun" and not find(rewrite(text)):
            return "publish", rewrite(text)
        return "hold", text

    return answer


def publish_if_no_pronoun_is_left(solution):
    def answer(text, find, rewrite):
        found = find(text)
        if set(found) == {"pronoun"} and "pronoun" not in find(rewrite(text)):
            return "publish", rewrite(text)
        return ("hold", text) if found else ("publish", text)

    return answer


def publish_if_fewer_are_left(solution):
    def answer(text, find, rewrite):
        found = find(text)
        if set(found) == {"pronoun"} and len(find(rewrite(text))) < len(found):
            return "publish", rewrite(text)
        return ("hold", text) if found else ("publish", text)

    return answer


def publish_rewrites_everything(solution):
    def answer(text, find, rewrite):
        way, out = solution(text, find, rewrite)
        return (way, rewrite(text)) if not find(text) else (way, out)

    return answer


def publish_rewrites_until_clean(solution):
    def answer(text, find, rewrite):
        found, out = find(text), text
        if set(found) == {"pronoun"}:
            for _ in range(5):
                out = rewrite(out)
            return ("hold", text) if find(out) else ("publish", out)
        return ("hold", text) if found else ("publish", text)

    return answer


def beyond_of_person(solution):
    return lambda counts, word, neutral="person": solution(counts, word, "person")


def beyond_refuses_one_sided(solution):
    def answer(counts, word, neutral="person"):
        if not all(counts[word][:2]):
            raise ValueError("one-sided")
        return solution(counts, word, neutral)

    return answer


def beyond_refuses_for_others(solution):
    def answer(counts, word, neutral="person"):
        if any(he + she == 0 for he, she, _ in counts.values()):
            raise ValueError("somebody")
        return solution(counts, word, neutral)

    return answer


def twin_capital_at_the_beginning(solution):
    def answer(tokens):
        made = solution([(word.lower(), role, whose) if role else (word, role, whose) for word, role, whose in tokens])
        return [word.capitalize() if i == 0 else word for i, word in enumerate(made)]

    return answer


twin_of_a_flat_table = _by_word({**_TABLE, "his": "her", "her": "his"})


def arrives_unsigned(solution):
    return lambda known, found: abs(solution(known, found))


def arrives_clipped(solution):
    return lambda known, found: min(1.0, max(0.0, solution(known, found)))


def effect_unsigned(solution):
    return lambda *sets: abs(solution(*sets))


def effect_of_the_other_set(solution):
    def answer(*sets):
        s, difference = _associations(*sets)
        return float(difference / s[len(sets[0]) :].std(ddof=1))

    return answer


def _control(rule):
    return lambda solution: lambda: replace(solution(), control=rule)


decide_open = _control(lambda before, after: True)
decide_shut = _control(lambda before, after: False)
decide_pronouns_only = _control(
    lambda before, after: after["pronoun_skew"] <= 0.1 and before["faultless"] - after["faultless"] <= 0.02
)
decide_better_than_before = _control(
    lambda before, after: after["pronoun_skew"] < before["pronoun_skew"] and after["trait_skew"] <= before["trait_skew"]
)
decide_blind_to_faults = _control(lambda before, after: max(after["pronoun_skew"], after["trait_skew"]) <= 0.1)
decide_mean_of_both = _control(
    lambda before, after: (
        (after["pronoun_skew"] + after["trait_skew"]) / 2 <= 0.1 and before["faultless"] - after["faultless"] <= 0.02
    )
)


def _fell(before, after):
    return before["faultless"] - after["faultless"]


decide_lenient = _control(
    lambda before, after: (
        max(abs(after["pronoun_skew"]), abs(after["trait_skew"])) <= 0.14 and _fell(before, after) <= 0.02
    )
)
decide_more_faults = _control(
    lambda before, after: (
        max(abs(after["pronoun_skew"]), abs(after["trait_skew"])) <= 0.1 and _fell(before, after) <= 0.03
    )
)
decide_sum = _control(
    lambda before, after: abs(after["pronoun_skew"]) + abs(after["trait_skew"]) <= 0.1 and _fell(before, after) <= 0.02
)
decide_tenth_of_before = _control(
    lambda before, after: (
        all(abs(after[one]) <= 0.1 * before[one] for one in ("pronoun_skew", "trait_skew"))
        and _fell(before, after) <= 0.02
    )
)
decide_one_way = _control(
    lambda before, after: max(after["pronoun_skew"], after["trait_skew"]) <= 0.1 and _fell(before, after) <= 0.02
)


def decide_ships(solution):
    return lambda: replace(solution(), choice="ship")


def decide_denies(solution):
    return lambda: replace(solution(), evidence={"pronoun_skew": "<= 0.1", "trait_skew": "<= 0.1"})


def decide_no_dissent(solution):
    return lambda: replace(solution(), dissent="...")


def decide_too_late(solution):
    return lambda: replace(solution(), review_date=date.today() + timedelta(days=2000))


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "beyond_neutral": [
        (beyond_all_texts, "Texts without a pronoun are counted"),
        (beyond_one_half, "compared with one half"),
        (beyond_unsigned, "The sign is lost"),
        (beyond_turned, "the sign is turned round"),
        (beyond_of_all_he, "how much of all “he”"),
        (beyond_of_two_he, "how much of all “he”"),
        (beyond_of_person, "The neutral word is the one that is given"),
        (beyond_refuses_one_sided, "ValueError"),
        (beyond_refuses_for_others, "ValueError"),
        (beyond_zero_if_none, "0 would look like balance"),
        (beyond_divides_by_zero, "ZeroDivisionError"),
    ],
    "counterfactual": [
        (twin_of_everybody, "Somebody else's pronouns"),
        (twin_without_capital, "The capital"),
        (twin_one_way, "Nothing has changed here"),
        (twin_her_is_him, "look the pair up by the role"),
        (twin_her_is_his, "look the pair up by the role"),
        (twin_capital_at_the_beginning, "A capital within the text is lost"),
        (twin_of_a_flat_table, "look the pair up by the role"),
        (twin_they, "not the sentence with the other gender"),
    ],
    "arrives": [
        (arrives_correlation, "This is the correlation"),
        (arrives_through_zero, "goes through 0"),
        (arrives_turned, "have changed places"),
        (arrives_distance, "how far the two lie apart"),
        (arrives_spread, "ratio of spreads"),
        (arrives_unsigned, "a slope may be below 0"),
        (arrives_clipped, "a slope may be below 0"),
        (arrives_flat_is_one, "nothing of the skew arrives"),
    ],
    "effect_size": [
        (effect_of_products, "scalar products"),
        (effect_undivided, "difference of the means"),
        (effect_turned, "The sign is turned round"),
        (effect_population, "standard deviation is that of a sample"),
        (effect_of_one_set, "over both sets"),
        (effect_pooled, "over both sets"),
        (effect_of_the_other_set, "over both sets"),
        (effect_unsigned, "turn"),
    ],
    "publish": [
        (publish_everything, "published as it was written"),
        (publish_rewritten_at_once, "Look again before you publish"),
        (publish_if_any_pronoun, "Pronouns are not the only finding"),
        (publish_holds_the_rewritten, "the human gets the rewritten text"),
        (publish_holds_pronouns, "need not wait for a human"),
        (publish_one_pronoun_only, "need not wait for a human"),
        (publish_by_the_last, "Pronouns are not the only finding"),
        (publish_if_no_pronoun_is_left, "Look again before you publish"),
        (publish_if_fewer_are_left, "Look again before you publish"),
        (publish_rewrites_everything, "publish it as it is"),
        (publish_rewrites_until_clean, "The guard sends this text another way"),
        (publish_nothing, "The guard sends this text another way"),
    ],
    "decide": [
        (decide_open, "Your control lets"),
        (decide_shut, "Your control stops"),
        (decide_pronouns_only, "Your control lets"),
        (decide_better_than_before, "Your control lets"),
        (decide_blind_to_faults, "Your control lets"),
        (decide_mean_of_both, "Your control lets"),
        (decide_lenient, "Your control lets"),
        (decide_more_faults, "Your control lets"),
        (decide_sum, "Your control stops"),
        (decide_tenth_of_before, "our control"),
        (decide_one_way, "Your control lets"),
        (decide_ships, "One of the two has to change"),
        (decide_denies, "`trait_skew` is <= 0.1, but"),
        (decide_no_dissent, "`dissent` is empty"),
        (decide_too_late, "`review_date`"),
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {}
