"""Wrong answers to the lab on bias in generation, as a learner would type them, each with a piece of the message that is meant for it."""

from dataclasses import replace

import numpy as np
import pandas as pd

from helix.labs.generation_bias import FORMS


def beyond_of_all_texts_by_pandas(solution):
    def answer(counts, word, neutral="person"):
        table = pd.DataFrame(counts, index=["he", "she", "none"]).T
        if table.loc[[word, neutral], ["he", "she"]].sum(axis=1).eq(0).any():
            raise ValueError("no pronoun")
        share = table["he"] / table.sum(axis=1)
        return share[word] - share[neutral]

    return answer


def beyond_rounded(solution):
    return lambda counts, word, neutral="person": round(solution(counts, word, neutral), 2)


def beyond_zero_if_none(solution):
    def answer(counts, word, neutral="person"):
        try:
            return solution(counts, word, neutral)
        except ValueError:
            return 0.0

    return answer


def beyond_divides_by_zero(solution):
    def answer(counts, word, neutral="person"):
        he, she, _ = counts[word]
        he0, she0, _ = counts[neutral]
        return he / (he + she) - he0 / (he0 + she0)

    return answer


def beyond_of_half_texts(solution):
    return lambda counts, word, neutral="person": solution(counts, word, neutral) / 2


def beyond_of_person(solution):
    return lambda counts, word, neutral="person": solution(counts, word, "person")


def _refusing(refuses):
    def made(solution):
        def answer(counts, word, neutral="person"):
            if refuses(counts, word):
                raise ValueError("refused")
            return solution(counts, word, neutral)

        return answer

    return made


beyond_refuses_one_sided = _refusing(lambda counts, word: not all(counts[word][:2]))
beyond_refuses_for_others = _refusing(lambda counts, word: any(he + she == 0 for he, she, _ in counts.values()))
beyond_refuses_balance = _refusing(lambda counts, word: counts[word][0] == counts[word][1])


def twin_by_a_flat_table(solution):
    def answer(tokens):
        table = {"he": "she", "she": "he", "him": "her", "her": "his", "his": "her", "himself": "herself"}
        table |= {"hers": "his", "herself": "himself"}
        made = []
        for word, _, whose in tokens:
            if whose == "wanted":
                new = table[word.lower()]
                made.append(new.capitalize() if word[0].isupper() else new)
            else:
                made.append(word)
        return made

    return answer


def twin_without_capital(solution):
    def answer(tokens):
        made = []
        for word, role, whose in tokens:
            if whose != "wanted":
                made.append(word)
                continue
            he, she = FORMS[role]
            made.append(she if word.lower() == he else he)
        return made

    return answer


def twin_of_all_roles(solution):
    def answer(tokens):
        made = []
        for word, role, _ in tokens:
            he, she = FORMS[role]
            made.append(she if word == he else he)
        return made

    return answer


def twin_in_small_letters(solution):
    return lambda tokens: [word.lower() for word in solution(tokens)]


def twin_they(solution):
    return lambda tokens: ["they" if role == "subject" else word for word, role, _ in tokens]


def twin_as_a_text(solution):
    return lambda tokens: " ".join(solution(tokens))


def twin_in_place(solution):
    def answer(tokens):
        for i, word in enumerate(solution(tokens)):
            tokens[i] = (word, *tokens[i][1:])
        return [word for word, *_ in tokens]

    return answer


def arrives_polyfit_the_level(solution):
    return lambda known, found: np.polyfit(known, found, 1)[1]


def arrives_by_pandas_correlation(solution):
    return lambda known, found: pd.Series(known).corr(pd.Series(found))


def arrives_distance(solution):
    return lambda known, found: float(np.abs(found - known).mean())


def arrives_mean_of_ratios(solution):
    return lambda known, found: float(np.mean([f / k for k, f in zip(known, found, strict=True) if k != 0]))


def arrives_halved(solution):
    return lambda known, found: solution(known, found) / 2


def arrives_rounded(solution):
    return lambda known, found: round(solution(known, found), 1)


def arrives_both(solution):
    return lambda known, found: np.polyfit(known, found, 1)


def arrives_in_place(solution):
    def answer(known, found):
        known -= known.mean()
        return float(known @ found / (known @ known))

    return answer


def arrives_flat_is_one(solution):
    return lambda known, found: solution(known, found) if found.std() > 1e-9 else 1.0


def arrives_flat_is_nan(solution):
    return lambda known, found: solution(known, found) if found.std() > 1e-9 else float("nan")


def arrives_unsigned(solution):
    return lambda known, found: abs(solution(known, found))


def arrives_clipped(solution):
    return lambda known, found: min(1.0, max(0.0, solution(known, found)))


def publish_at_once(solution):
    def answer(text, find, rewrite):
        found = find(text)
        if not found:
            return "publish", text
        if all(code == "pronoun" for code in found):
            return "rewrite", rewrite(text)
        return "hold", text

    return answer


def publish_if_any_pronoun(solution):
    def answer(text, find, rewrite):
        found = find(text)
        if not found:
            return "publish", text
        if "pronoun" in found:
            repaired = rewrite(text)
            if not find(repaired):
                return "rewrite", repaired
        return "hold", text

    return answer


def publish_rewrites_until_clean(solution):
    def answer(text, find, rewrite):
        found, out = find(text), text
        if set(found) == {"pronoun"}:
            for _ in range(5):
                out = rewrite(out)
            return ("hold", text) if find(out) else ("rewrite", out)
        return ("hold", text) if found else ("publish", text)

    return answer


def publish_says_published(solution):
    def answer(text, find, rewrite):
        action, out = solution(text, find, rewrite)
        return ("hold" if action == "hold" else "publish"), out

    return answer


def publish_drops(solution):
    return lambda text, find, rewrite: ("hold", "") if find(text) else ("publish", text)


def publish_the_text_only(solution):
    return lambda text, find, rewrite: solution(text, find, rewrite)[1]


def publish_turned(solution):
    return lambda text, find, rewrite: solution(text, find, rewrite)[::-1]


def _control(rule):
    return lambda solution: lambda: replace(solution(), control=rule)


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


# exercise: [(wrong answer, a piece of its message)]
WRONG = {
    "beyond_neutral": [
        (beyond_of_all_texts_by_pandas, "Texts without a pronoun are counted"),
        (beyond_rounded, "the right value, rounded"),
        (beyond_of_half_texts, "This is not the excess"),
        (beyond_of_person, "The neutral word is the one that is given"),
        (beyond_refuses_one_sided, "a share may be 1"),
        (beyond_refuses_for_others, "other words do not matter"),
        (beyond_refuses_balance, "no reason to refuse"),
        (beyond_zero_if_none, "0 would look like balance"),
        (beyond_divides_by_zero, "ZeroDivisionError"),
    ],
    "counterfactual": [
        (twin_by_a_flat_table, "look the pair up by the role"),
        (twin_without_capital, "A capital is lost"),
        (twin_of_all_roles, "KeyError"),
        (twin_in_small_letters, "A capital is lost"),
        (twin_they, "not the sentence with the other gender"),
        (twin_as_a_text, "a list is expected"),
        (twin_in_place, "changed `tokens`"),
    ],
    "arrives": [
        (arrives_polyfit_the_level, "a level and no slope"),
        (arrives_by_pandas_correlation, "This is the correlation"),
        (arrives_distance, "how far the two lie apart"),
        (arrives_mean_of_ratios, "You divided lean by lean"),
        (arrives_halved, "not the slope of the found lean"),
        (arrives_rounded, "the right value, rounded"),
        (arrives_both, "a single number is expected"),
        (arrives_in_place, "changed `known`"),
        (arrives_unsigned, "a slope may be below 0"),
        (arrives_clipped, "a slope may be below 0"),
        (arrives_flat_is_one, "nothing of the skew arrives"),
        (arrives_flat_is_nan, "nothing of the skew arrives"),
    ],
    "publish": [
        (publish_at_once, "Look again before it goes to the page"),
        (publish_if_any_pronoun, "Pronouns are not the only finding"),
        (publish_rewrites_until_clean, "You rewrote until nothing was found"),
        (publish_the_text_only, "a tuple (a list will do) is expected"),
        (publish_turned, "The two have changed places"),
        (publish_says_published, "its action is “rewrite”"),
        (publish_drops, "not the action and the text"),
    ],
    "decide": [
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
    ],
}

# Mutants that are no mistakes: {exercise: {mutated line: why it is as good as the solution}}
EQUIVALENT: dict[str, dict[str, str]] = {}
