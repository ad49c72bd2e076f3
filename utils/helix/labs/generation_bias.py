"""Bias in generation: a share beyond the neutral word, a twin, a slope, a guard, and a decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helix.checking import Ask, ReasonedAnswer, Rule, decision, exercise
from helix.record import results

LIMIT = 0.1

Floats = NDArray[np.float64]
Counts = dict[str, tuple[int, int, int]]
Token = tuple[str, str, str]
Way = tuple[str, str]


def _share(one: tuple[int, int, int]) -> float:
    he, she, _ = one
    return he / (he + she)


def _beyond_neutral(counts: Counts, word: str, neutral: str = "person") -> float:
    return _share(counts[word]) - _share(counts[neutral])


@exercise(
    lab="generation_bias",
    title="The excess over the neutral word",
    minutes=10,
    difficulty=2,
    hints=(
        "A text without a pronoun says neither “he” nor “she”: it counts neither in the numerator nor in the denominator.",
        "Compute he / (he + she) for the word and for the neutral word.",
        "The sign stays: “she” more often is an excess below 0. What would you divide by if nobody wrote a pronoun?",
    ),
    last_hint="Return the first less the second, with its sign; raise a `ValueError` before you divide by 0.",
    errors={
        r"division by zero": "A word without any pronoun has no share: raise a ValueError that says so before you divide."
    },
    reference=_beyond_neutral,
    mistakes={
        "Texts without a pronoun are counted in the denominator. They lean neither way.": (
            lambda counts, word, neutral="person": (
                counts[word][0] / sum(counts[word]) - counts[neutral][0] / sum(counts[neutral])
            )
        ),
        "You subtracted “she” from “he”, as for the lean. The excess compares the shares of “he” among the texts with a pronoun.": (
            lambda counts, word, neutral="person": 2 * _beyond_neutral(counts, word, neutral),
            lambda counts, word, neutral="person": (
                (counts[word][0] - counts[word][1]) / sum(counts[word])
                - (counts[neutral][0] - counts[neutral][1]) / sum(counts[neutral])
            ),
        ),
        "You compared with one half. The neutral word has a lean of its own, and the difference is from there.": (
            lambda counts, word, neutral="person": _share(counts[word]) - 0.5
        ),
        "The sign is lost: a word that leans to “she” must come out below 0.": (
            lambda counts, word, neutral="person": abs(_beyond_neutral(counts, word, neutral))
        ),
        "This is the neutral word less the word: the sign is turned round.": (
            lambda counts, word, neutral="person": -_beyond_neutral(counts, word, neutral)
        ),
        "You divided one share by the other. By how much the first is higher is their difference.": (
            lambda counts, word, neutral="person": _share(counts[word]) / _share(counts[neutral]),
            lambda counts, word, neutral="person": _share(counts[word]) / _share(counts[neutral]) - 1,
        ),
    },
)
def beyond_neutral(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the share of “he” beyond that of the neutral word."""
    names = ["cook", "nurse", "pilot"]
    for leans_to_he in (True, False):
        word = str(rng.choice(names))
        many, few = int(rng.integers(31, 40)), int(rng.integers(3, 9))
        counts: dict[str, Any] = {one: tuple(int(n) for n in rng.integers(5, 30, 3)) for one in names}
        counts[word] = (*((many, few) if leans_to_he else (few, many)), int(rng.integers(11, 20)))
        counts["person"] = (int(rng.integers(14, 19)), int(rng.integers(8, 12)), int(rng.integers(1, 9)))
        ask(
            *(counts, word),
            because="This is not the excess: the share of “he” among the texts with a pronoun, less that of the neutral word.",
        )
    even = int(rng.integers(6, 20))
    ask(
        *({"cook": (even, even, 3), "person": (even, 3 * even, 2)}, "cook"),
        because="As many “he” as “she” is a share of one half, and no reason to refuse.",
        explain=False,
    )
    ask(
        *({"cook": (7, 0, 2), "worker": (3, 1, 0), "person": (1, 3, 0), "nurse": (0, 0, 4)}, "cook", "worker"),
        because="The neutral word is the one that is given, a share may be 1, and other words do not matter.",
        explain=False,
    )
    for empty in ("cook", "person"):
        ask.raises(
            ValueError,
            *({"cook": (3, 4, 1), "person": (2, 5, 2)} | {empty: (0, 0, 7)}, "cook"),
            because="Where no text has a pronoun there is no share. Raise a ValueError: 0 would look like balance.",
        )


FORMS = {
    "subject": ("he", "she"),
    "object": ("him", "her"),
    "possessive": ("his", "her"),
    "lone": ("his", "hers"),
    "reflexive": ("himself", "herself"),
}
_SENTENCES = (
    "{subject} shows Paul his:other:possessive room and {possessive} desk",
    "we give {object} time and Anna trusts her:other:object",
    "the choice is {lone} and nobody helps {object}",
    "{subject} asks {reflexive} what her:other:possessive guests want",
    "{possessive} plan is good and {subject} knows it",
    "we need help . ^{subject} starts in May",
)


def _tokens(sentence: str, gender: int) -> list[Token]:
    made = []
    for part in sentence.split():
        if part.lstrip("^").startswith("{"):
            role = part.lstrip("^")[1:-1]
            word = FORMS[role][gender]
            made.append((word.capitalize() if part[0] == "^" else word, role, "wanted"))
        elif ":" in part:
            word, whose, role = part.split(":")
            made.append((word, role, whose))
        else:
            made.append((part, "", ""))
    word, role, whose = made[0]
    made[0] = (word.capitalize(), role, whose)
    return made


def _like(new: str, word: str) -> str:
    return new.capitalize() if word[0].isupper() else new


def _counterfactual(
    tokens: Sequence[Token],
    whose: Sequence[str] = ("wanted",),
    roles: Sequence[str] = tuple(FORMS),
    to: Sequence[int] = (0, 1),
) -> list[str]:
    """Return the twin; it may be one of these persons' pronouns, in these roles, towards these genders only."""
    made = []
    for word, role, person in tokens:
        if person in whose and role in roles:
            gender = 1 - FORMS[role].index(word.lower())
            word = _like(FORMS[role][gender], word) if gender in to else word
        made.append(word)
    return made


_FLAT = dict(FORMS.values()) | {she: he for he, she in reversed(FORMS.values())}


def _by_word(tokens: Sequence[Token], her: str = "him", his: str = "hers") -> list[str]:
    table = _FLAT | {"her": her, "his": his}
    return [_like(table.get(word.lower(), word), word) if whose == "wanted" else word for word, _, whose in tokens]


def _small(tokens: Sequence[Token], first: bool, later: bool) -> list[str]:
    """Return the twin without the capital of its pronouns at the beginning, or of those that come later."""
    pairs = enumerate(zip(_counterfactual(tokens), tokens, strict=True))
    return [
        word.lower() if role and whose == "wanted" and (later if i else first) else word
        for i, (word, (_, role, whose)) in pairs
    ]


@exercise(
    lab="generation_bias",
    title="The twin of a sentence",
    minutes=13,
    difficulty=3,
    hints=(
        "Look the pair up by the role, not by the word: `he, she = FORMS[role]`.",
        'Whichever of the pair the word is, in lower case, the other one takes its place. Leave it if `whose` is not `"wanted"`.',
    ),
    last_hint="`other.capitalize() if word[0].isupper() else other`",
    errors={r"KeyError": "A word that is no pronoun has an empty role: look into FORMS only if there is one."},
    reference=_counterfactual,
    mistakes={
        "Somebody else's pronouns have changed too. Only those of the wanted person may.": (
            partial(_counterfactual, whose=("wanted", "other"))
        ),
        "A capital is lost. Each word keeps its own, at the beginning of the text and within.": (
            partial(_small, first=True, later=True),
            partial(_small, first=True, later=False),
            partial(_small, first=False, later=True),
            lambda tokens: [word.lower() for word in _counterfactual(tokens)],
            lambda tokens: [word if i else word.lower() for i, word in enumerate(_counterfactual(tokens))],
        ),
        "“Her” is “him” in one place and “his” in another, and “his” has two counterparts: look the pair up by the role.": (
            *(partial(_by_word, her=her, his=his) for her in ("him", "his") for his in ("her", "hers")),
        ),
        "A pronoun with a capital was not recognised. Compare it in lower case.": (
            lambda tokens: [
                _like(FORMS[role][word == FORMS[role][0]], word) if whose == "wanted" else word
                for word, role, whose in tokens
            ],
            lambda tokens: [
                word if word[0].isupper() else new
                for new, (word, _, _) in zip(_counterfactual(tokens), tokens, strict=True)
            ],
        ),
        "Nothing has changed here. A twin is needed in both directions, from “he” and from “she”.": (
            partial(_counterfactual, to=(1,)),
            partial(_counterfactual, to=(0,)),
        ),
        "Not all roles were exchanged. “The choice is his” and “he asks himself” need a twin as well.": (
            partial(_counterfactual, roles=("subject", "object", "possessive")),
            partial(_counterfactual, roles=("subject", "object", "possessive", "reflexive")),
            partial(_counterfactual, roles=("subject", "object", "possessive", "lone")),
        ),
    },
)
def counterfactual(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the twin of sentences in both directions."""
    for gender in (0, 1):
        for i in rng.permutation(len(_SENTENCES)):
            tokens = _tokens(_SENTENCES[i], gender)
            ask(
                tokens,
                because="This is not the sentence with the other gender for the wanted person, and everything else as it was.",
                given=" ".join(word for word, *_ in tokens),
            )


def _product(one: Floats, other: Floats) -> float:
    return float((one - one.mean()) @ (other - other.mean()))


def _arrives(known: Floats, found: Floats) -> float:
    return _product(known, found) / _product(known, known)


@exercise(
    lab="generation_bias",
    title="How much of the skew arrives",
    minutes=7,
    difficulty=2,
    hints=(
        "A level must not count: take the mean off the known leans first.",
        "The slope is the covariance of the two over the variance of the known leans.",
        "`np.polyfit` fits a straight line as well. Which of its two numbers is the slope?",
    ),
    last_hint="With `x = known - known.mean()` it is `float(x @ found / (x @ x))`.",
    reference=_arrives,
    mistakes={
        "This is the correlation. It says how well the points lie on a line, and is 1 for a line that is nearly flat, too.": (
            lambda known, found: float(np.corrcoef(known, found)[0, 1])
        ),
        "This line goes through 0. A generator that says “he” of everybody equally would seem to carry the skew on.": (
            lambda known, found: float(known @ found / (known @ known))
        ),
        "The two have changed places: this is the slope of what went in over what came out.": (
            lambda known, found: _arrives(found, known)
        ),
        "The numerator and the denominator have different divisors: `np.cov` divides by n − 1, `np.var` by n.": (
            lambda known, found: float(np.cov(known, found)[0, 1] / np.var(known)),
            lambda known, found: float(((known - known.mean()) * (found - found.mean())).mean() / known.var(ddof=1)),
        ),
        "This is a level and no slope: where the line crosses 0, or how the generator leans on average.": (
            lambda known, found: float(found.mean() - _arrives(known, found) * known.mean()),
            lambda known, found: float(found.mean()),
        ),
        "This is a ratio of spreads. It has no sign, and counts noise as skew.": (
            lambda known, found: float(found.std() / known.std())
        ),
        "You divided lean by lean. A level counts as skew then, and an occupation that leans hardly at all outweighs all others.": (
            lambda known, found: float((found / known).mean()),
            lambda known, found: float(np.median(found / known)),
            lambda known, found: float(found.mean() / known.mean()),
            lambda known, found: float(found.sum() / np.abs(known).sum()),
        ),
        "This is how far the two lie apart. It is no share of what was put in, and noise makes it larger.": (
            lambda known, found: float(np.abs(found - known).mean()),
            lambda known, found: float(((found - known) ** 2).mean()),
            lambda known, found: float(np.sqrt(((found - known) ** 2).mean())),
            lambda known, found: float((found - known).mean()),
        ),
    },
)
def arrives(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the slope of least squares."""
    n = int(rng.integers(8, 14))
    known = rng.uniform(-0.9, 0.7, n).round(2)  # two digits, so that a failed case can be typed in
    known[known == 0] = 0.01  # whoever divides by a lean is told so, and not that it is 0
    found = float(rng.uniform(0.5, 0.8)) * known + float(rng.uniform(0.2, 0.35)) + rng.normal(0, 0.08, n)
    found = found.round(2)
    ask(known, found, because="This is not the slope of the found lean over the known one.")
    for factor, level, told in ((-0.4, 0.1, "turned round"), (1.3, 0.0, "amplified")):
        ask(
            *(known, factor * known + level),
            because=f"Here the skew comes out {told}: a slope may be below 0, and above 1.",
            given=f"known = np.array({known.tolist()}), found = {factor} * known + {level}",
            explain=False,
        )
    ask(
        *(known, np.full(n, 0.4)),
        because="All occupations lean alike here, so nothing of the skew arrives: 0.",
        given=f"known = np.array({known.tolist()}), found = 0.4 everywhere",
        explain=False,
    )


Find = Callable[[str], list[str]]
Rewrite = Callable[[str], str]


def _publish(
    text: str,
    find: Find,
    rewrite: Rewrite,
    mends: Callable[[list[str]], bool] = lambda found: set(found) == {"pronoun"},
    clean: Callable[[list[str], list[str]], bool] = lambda left, found: not left,
) -> Way:
    found, repaired = find(text), rewrite(text)
    if not found:
        return "publish", text
    return ("rewrite", repaired) if mends(found) and clean(find(repaired), found) else ("hold", text)


def _again(text: str, find: Find, rewrite: Rewrite) -> Way:
    found, out = find(text), text
    if not found:
        return "publish", text
    for _ in range(9):
        out = rewrite(out)
    return ("rewrite", out) if set(found) == {"pronoun"} and not find(out) else ("hold", text)


@exercise(
    lab="generation_bias",
    title="A guard between the generator and the page",
    minutes=11,
    difficulty=2,
    hints=(
        "Three ways: nothing found; pronouns only; anything else. Pronouns only may be one pronoun or five.",
        "A set forgets how often something is in it.",
        "Look again after the repair. What does the human get who has to see what was wrong?",
    ),
    last_hint='`set(found) == {"pronoun"}` tells whether pronouns are the only finding. Then the action is `rewrite` if `find(rewrite(text))` is empty, else `hold`.',
    reference=_publish,
    mistakes={
        "It was rewritten, and something is still found in it. Look again before it goes to the page.": (
            partial(_publish, clean=lambda left, found: True),
            partial(_publish, clean=lambda left, found: "pronoun" not in left),
            partial(_publish, clean=lambda left, found: len(left) < len(found)),
        ),
        "Pronouns are not the only finding here, and a repair of pronouns does not mend the rest. This text has to be held.": (
            partial(_publish, mends=lambda found: "pronoun" in found),
            partial(_publish, mends=lambda found: found[0] == "pronoun"),
            partial(_publish, mends=lambda found: found[-1] == "pronoun"),
        ),
        "It is held, but the human gets the rewritten text. What was found can no longer be seen in it.": (
            lambda text, find, rewrite: (
                ("hold", rewrite(text)) if _publish(text, find, rewrite)[0] == "hold" else _publish(text, find, rewrite)
            )
        ),
        "Nothing but pronouns was found, and the rewriter mends them: this text need not wait for a human.": (
            partial(_publish, mends=lambda found: False),
            partial(_publish, mends=lambda found: found == ["pronoun"]),
        ),
        "The action says “rewrite”, and the text is the one as it was written.": (
            lambda text, find, rewrite: (_publish(text, find, rewrite)[0], text)
        ),
        "This is published as it was written, with the finding.": (lambda text, find, rewrite: ("publish", text)),
        "Nothing was found in this text: publish it as it is.": (
            lambda text, find, rewrite: _publish(text, find, rewrite) if find(text) else ("rewrite", rewrite(text)),
            lambda text, find, rewrite: _publish(text, find, rewrite) if find(text) else ("publish", rewrite(text)),
        ),
        "A text that was changed is no longer the one that was written: its action is “rewrite”, so that somebody can look it up.": (
            lambda text, find, rewrite: (
                "publish" if _publish(text, find, rewrite)[0] == "rewrite" else _publish(text, find, rewrite)[0],
                _publish(text, find, rewrite)[1],
            )
        ),
        "The two have changed places: the action comes first, then the text.": (
            lambda text, find, rewrite: _publish(text, find, rewrite)[::-1]
        ),
        "You rewrote until nothing was found. A rewriter that needs a second go has met what it cannot do: a human looks.": _again,
    },
)
def publish(ask: Ask, rng: np.random.Generator) -> None:
    """Ask for the way of seven texts through the guard."""
    k = int(rng.integers(100, 999))
    other = str(rng.choice(["title", "requirement", "stereotype"]))
    # Each text with what is found in it; the first seven are asked.
    found = {
        f"text {k}": [],
        f"he {k}": ["pronoun"] * int(rng.integers(2, 5)),
        f"his {k}": ["pronoun"],
        f"she {k}": ["pronoun", "pronoun"],
        f"he man {k}": ["pronoun", other],
        f"man he {k}": [other, "pronoun"],
        f"man {k}": [other],
        f"they {k}": [],
        f"they man {k}": [],
        f"she left {k}": [other],
        f"they left {k}": [],
        f"spoilt {k}": [],
    }
    repaired = {
        f"text {k}": f"spoilt {k}",
        f"he {k}": f"they {k}",
        f"his {k}": f"they {k}",
        f"she {k}": f"she left {k}",
        f"she left {k}": f"they left {k}",
        f"he man {k}": f"they man {k}",
        f"man he {k}": f"they man {k}",
    }
    for text in [list(found)[i] for i in rng.permutation(7)]:
        after = repaired.get(text, text)
        ask(
            *(text, lambda one: list(found.get(one, ["title"])), lambda one: repaired.get(one, one)),
            because="These are not the action and the text that this text should get.",
            given=f"{text!r}, in which {found[text] or 'nothing'} is found"
            + (
                f"; the rewriter makes {after!r}, in which {found[after] or 'nothing'} is found"
                if after != text
                else ""
            ),
        )


# The decision ----------------------------------------------------------------------------------------------


@cache
def _portal() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = results.load("20_generation_bias")["figures"]["portal"]
    return found


def _record(pronoun: float, trait: float, faultless: float) -> dict[str, float]:
    return {"pronoun_skew": pronoun, "trait_skew": trait, "faultless": faultless}


def _cases_to_stop(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    good = float(rng.uniform(0.9, 0.99))
    before, low, high = _record(0.9, 0.8, good), float(rng.uniform(0.01, 0.08)), float(rng.uniform(0.15, 0.7))
    return [
        (_portal()["biased"], _portal()["augmented"]),
        (before, _record(high, low, good)),
        (before, _record(low, high, good)),
        (before, _record(low, low, good - float(rng.uniform(0.04, 0.2)))),
        (_record(low, low, good), _record(low, 0.3, good)),  # a repair that opens another axis
        (before, _record(0.0, 0.12, good)),
        (before, _record(0.12, 0.0, good)),
        (before, _record(-0.5, low, good)),  # a skew the other way round
        (before, _record(low, low, good - 0.025)),
    ]


def _cases_to_pass(rng: np.random.Generator) -> list[tuple[Any, ...]]:
    good = float(rng.uniform(0.9, 0.96))
    low = float(rng.uniform(0.01, 0.08))
    return [
        (_record(0.9, 0.8, good), _record(low, low / 2, good - 0.01)),
        (_record(0.9, 0.8, good), _record(-0.02, low, good + 0.02)),
        (_record(0.5, 0.4, good), _record(0.09, 0.09, good - 0.015)),
    ]


decide = decision(
    lab="generation_bias",
    title="A decision: may the repaired generator write for the portal?",
    minutes=16,
    evidence={
        "pronoun_skew": lambda: _portal()["augmented"]["pronoun_skew"],
        "trait_skew": lambda: _portal()["augmented"]["trait_skew"],
    },
    limits={"pronoun_skew": LIMIT, "trait_skew": LIMIT},
    stop=_cases_to_stop,
    stop_because="Your control lets a generator pass that is still skewed on one axis, one way or the other, or that lost more than 0.02 of its faultless sentences.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a generator that is within both limits and lost at most 0.02 of its faultless sentences.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["trait_skew"] > LIMIT,
            "Your control stops this generator: its traits are far above the limit. Your choice ships it. One of the two has to change.",
            case=lambda: (_portal()["biased"], _portal()["augmented"]),
        ),
    ),
    rubric=(
        "Are those named who read a text and do not apply?",
        "Does the residual risk say which axes nobody measured?",
        "Would the guard of exercise 4 have seen the traits?",
    ),
    examples=(
        ReasonedAnswer(
            "Fix",
            "Pronouns are mended, traits are not: drivers are to be decisive and nurses gentle. Twin the traits as well, then measure both axes again.",
        ),
        ReasonedAnswer(
            "Stop",
            "The portal cannot say which other axes its texts lean on. Until it can, humans write, with the detector beside them.",
        ),
    ),
    hints={
        "form": "Start from the form above, and replace every `...` by a sentence of your own.",
        "evidence": "Look at the numbers that you recorded, and say of each on which side of its limit it lies.",
        "control": "The control gets two dicts, `before` and `after`. Ask for both skews, whichever way they lean, and for what the repair cost.",
    },
    last_hints={
        "control": 'The control gets two dicts: `max(abs(after["pronoun_skew"]), abs(after["trait_skew"])) <= 0.1`, and a third condition on `faultless`.',
        "evidence": '`{"pronoun_skew": "<= 0.1", "trait_skew": "> 0.1"}`',
    },
)
