"""Bias in generation: a share beyond the neutral word, a twin, a slope, an association, a guard, and a decision."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from helix.checking import ReasonedAnswer, Rule, any_of, decision, exercise, expect, expect_raises
from helix.record import results

LIMIT, FAULTS = 0.1, 0.02


@exercise(
    lab="generation_bias",
    title="More than the neutral word",
    minutes=14,
    difficulty=2,
    hints=(
        "A text without a pronoun says neither “he” nor “she”: it belongs neither above nor below the line.",
        "Compute he / (he + she) for the word and for the neutral word.",
        "Return the first less the second, with its sign; raise a `ValueError` before you divide by 0.",
    ),
    errors={
        r"division by zero": "A word without any pronoun has no share: raise a ValueError that says so before you divide."
    },
)
def beyond_neutral(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the share of “he” beyond that of the neutral word."""
    names = ["cook", "nurse", "pilot"]
    for side in (1, -1):
        word = str(rng.choice(names))
        many, few = int(rng.integers(31, 40)), int(rng.integers(3, 9))
        counts: dict[str, Any] = {one: tuple(int(n) for n in rng.integers(5, 30, 3)) for one in names}
        counts[word] = (many, few, int(rng.integers(11, 20))) if side > 0 else (few, many, int(rng.integers(11, 20)))
        counts["person"] = (int(rng.integers(14, 19)), int(rng.integers(8, 12)), int(rng.integers(1, 9)))
        (he, she, none), (he0, she0, none0) = counts[word], counts["person"]
        share, zero = he / (he + she), he0 / (he0 + she0)
        all_he = sum(one[0] for one in counts.values())
        expect(
            answer(dict(counts), word),
            close_to=share - zero,
            because="This is not the share of “he” among the texts with a pronoun, beyond that of the neutral word.",
            given=f"{counts}, word {word!r}",
            if_equals={
                "Texts without a pronoun are counted below the line. They lean neither way.": he / (he + she + none)
                - he0 / (he0 + she0 + none0),
                "You compared with one half. The neutral word has a lean of its own, and the difference is from there.": share
                - 0.5,
                "The sign is lost: a word that leans to “she” must come out below 0.": abs(share - zero),
                "This is the neutral word less the word: the sign is turned round.": zero - share,
                "This is how much of all “he” stands with the word, which grows with how often it was asked for.": any_of(
                    he / all_he - he0 / all_he, he / (he + he0) - 0.5
                ),
            },
        )
    even = int(rng.integers(6, 20))
    expect(
        answer({"cook": (even, even, 3), "person": (even, 3 * even, 2)}, "cook"),
        close_to=0.25,
        because="As many “he” as “she” is a share of one half, and no reason to refuse.",
        given=f"cook: {even} “he” and {even} “she”; person: {even} and {3 * even}",
    )
    expect(
        answer({"cook": (7, 0, 2), "worker": (3, 1, 0), "person": (1, 3, 0), "nurse": (0, 0, 4)}, "cook", "worker"),
        close_to=0.25,
        because="The neutral word is the one that is given, a share may be 1, and other words do not matter.",
        given="cook: 7 “he” and no “she”; the neutral word “worker”: 3 and 1; nurse: no pronoun at all",
    )
    for empty in ("cook", "person"):
        counts = {"cook": (3, 4, 1), "person": (2, 5, 2)} | {empty: (0, 0, 7)}
        expect_raises(
            ValueError,
            lambda counts=counts: answer(dict(counts), "cook"),  # type: ignore[misc]
            because="Where no text has a pronoun there is no share. Raise a ValueError: 0 would look like balance.",
            given=f"{counts}, word 'cook'",
        )


FORMS = {
    "subject": ("he", "she"),
    "object": ("him", "her"),
    "possessive": ("his", "her"),
    "lone": ("his", "hers"),
    "reflexive": ("himself", "herself"),
}
_SENTENCES = (
    ("{subject} shows Paul his:other:possessive room and {possessive} desk", None),
    ("we give {object} time and Anna trusts her:other:object", None),
    ("the choice is {lone} and nobody helps {object}", None),
    ("{subject} asks {reflexive} what her:other:possessive guests want", None),
    ("{possessive} plan is good and {subject} knows it", None),
    ("we need help . ^{subject} starts in May", None),
)


def _tokens(sentence: str, gender: int) -> list[tuple[str, str, str]]:
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


@exercise(
    lab="generation_bias",
    title="The twin of a sentence",
    minutes=18,
    difficulty=3,
    hints=(
        "Look the pair up by the role, not by the word: `he, she = FORMS[role]`.",
        'Whichever of the pair the word is, in lower case, the other one takes its place. Leave it if `whose` is not `"wanted"`.',
        "`other.capitalize() if word[0].isupper() else other`",
    ),
    errors={r"KeyError": "A word that is no pronoun has an empty role: look into FORMS only if there is one."},
)
def counterfactual(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the twin of sentences in both directions."""
    flat = dict(FORMS.values()) | {she: he for he, she in reversed(FORMS.values())}
    for gender in (0, 1):
        for i in rng.permutation(len(_SENTENCES)):
            tokens = _tokens(_SENTENCES[i][0], gender)
            twin = [word for word, *_ in _tokens(_SENTENCES[i][0], 1 - gender)]
            words = [word for word, *_ in tokens]

            def swap(word: str, table: dict[str, str] = flat) -> str:
                new = table.get(word.lower(), word)
                return new.capitalize() if word[0].isupper() else new

            everybody = [
                word
                if not role
                else (FORMS[role][1 - FORMS[role].index(word.lower())]).capitalize()
                if word[0].isupper()
                else FORMS[role][1 - FORMS[role].index(word.lower())]
                for word, role, _ in tokens
            ]
            by_word = [swap(word) if whose == "wanted" else word for word, _, whose in tokens]
            to_his = {**flat, "her": "his"}
            to_him = {**flat, "her": "him"}
            to_her = [{**table, "his": "her"} for table in (flat, to_his, to_him)]
            messages = {
                "Somebody else's pronouns have changed too. Only those of the wanted person may.": everybody,
                "The capital at the beginning is lost.": [
                    word.lower() if i == 0 else word for i, word in enumerate(twin)
                ],
                "A capital within the text is lost: each pronoun keeps its own.": [
                    word.lower() if i and role else word
                    for i, (word, (_, role, _)) in enumerate(zip(twin, tokens, strict=True))
                ],
                "Nothing has changed here. A twin is needed in both directions, from “he” and from “she”.": words,
                "“Her” is “him” in one place and “his” in another, and “his” has two counterparts: look the pair up by the role.": any_of(
                    by_word,
                    *(
                        [swap(word, table) if whose == "wanted" else word for word, _, whose in tokens]
                        for table in (to_his, to_him, *to_her)
                    ),
                ),
            }
            expect(
                answer(list(tokens)),
                equal_to=twin,
                because="This is not the sentence with the other gender for the wanted person, and everything else as it was.",
                given=" ".join(words),
                if_equals={text: value for text, value in messages.items() if value != twin},
            )


@exercise(
    lab="generation_bias",
    title="How much of the skew arrives",
    minutes=12,
    difficulty=2,
    hints=(
        "Take the mean off the known leans: `x = known - known.mean()`.",
        "The slope is the sum of x times found over the sum of x squared.",
        "`float(x @ found / (x @ x))`",
    ),
)
def arrives(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the slope of least squares."""
    n = int(rng.integers(8, 14))
    known = rng.uniform(-0.9, 0.7, n)
    found = float(rng.uniform(0.5, 0.8)) * known + float(rng.uniform(0.2, 0.35)) + rng.normal(0, 0.08, n)
    x, y = known - known.mean(), found - found.mean()
    expect(
        answer(known.copy(), found.copy()),
        close_to=float(x @ y / (x @ x)),
        because="This is not the slope of the found lean over the known one.",
        given=f"{n} occupations",
        if_equals={
            "This is the correlation. It says how well the points lie on a line, and is 1 for a line that is nearly flat, too.": float(
                np.corrcoef(known, found)[0, 1]
            ),
            "This line goes through 0. A generator that says “he” of everybody equally would seem to carry the skew on.": float(
                known @ found / (known @ known)
            ),
            "The two have changed places: this is the slope of what went in over what came out.": float(
                x @ y / (y @ y)
            ),
            "This is how far the two lie apart on average. It grows with noise and with the level; a slope does not.": float(
                np.abs(found - known).mean()
            ),
            "This is a ratio of spreads. It has no sign, and counts noise as skew.": float(found.std() / known.std()),
        },
    )
    for factor, level, told in ((-0.4, 0.1, "turned round"), (1.3, 0.0, "amplified")):
        expect(
            answer(known.copy(), factor * known + level),
            close_to=factor,
            because=f"Here the skew comes out {told}: a slope may be below 0, and above 1.",
            given=f"found = {factor} · known + {level}",
        )
    flat = answer(known.copy(), np.full(n, 0.4))
    expect(
        flat,
        close_to=0.0,
        because="All occupations lean alike here, so nothing of the skew arrives: 0.",
        given="found leans of 0.4 everywhere",
    )


@exercise(
    lab="generation_bias",
    title="What vectors associate",
    minutes=14,
    difficulty=3,
    hints=(
        "The cosine is the scalar product of vectors of length 1: divide each row by its norm first.",
        "`s = (both @ a.T).mean(axis=1) - (both @ b.T).mean(axis=1)` for the targets of both sets, one above the other.",
        "Divide the difference of the two means by `s.std(ddof=1)`, over all targets.",
    ),
)
def effect_size(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the effect size of the association test."""
    n, m, d = int(rng.integers(5, 8)), int(rng.integers(3, 5)), 6
    centre = rng.normal(size=d)
    stretch = [rng.uniform(0.5, 3, (k, 1)) for k in (n, n, m, m)]
    x, y, a, b = (
        s * (rng.normal(size=(len(s), d)) + lean * centre)
        for s, lean in zip(stretch, (0.7, -0.2, 0.8, -0.4), strict=True)
    )

    def associations(unit: bool) -> np.ndarray:
        sets = [one / np.linalg.norm(one, axis=1, keepdims=True) if unit else one for one in (x, y, a, b)]
        both = np.concatenate(sets[:2])
        made: np.ndarray = (both @ sets[2].T).mean(axis=1) - (both @ sets[3].T).mean(axis=1)
        return made

    s, plain = associations(True), associations(False)
    difference = float(s[:n].mean() - s[n:].mean())
    right = difference / float(s.std(ddof=1))
    expect(
        answer(x.copy(), y.copy(), a.copy(), b.copy()),
        close_to=right,
        because="This is not the effect size.",
        given=f"{n} targets a set, {m} attributes a set, {d} dimensions",
        if_equals={
            "These are scalar products of vectors of different lengths. A frequent word has a long vector; the cosine takes that out.": float(
                (plain[:n].mean() - plain[n:].mean()) / plain.std(ddof=1)
            ),
            "This is the difference of the means. Without the standard deviation it cannot be compared with other tests.": difference,
            "The sign is turned round: above 0 means that the first targets lie nearer to the first attributes.": -right,
            "The standard deviation is that of a sample, over both sets of targets together: `s.std(ddof=1)`.": any_of(
                difference / float(s.std()),
                difference / float(s[:n].std(ddof=1)),
                difference / float(s[n:].std(ddof=1)),
                difference / float(np.sqrt((s[:n].var(ddof=1) + s[n:].var(ddof=1)) / 2)),
            ),
        },
    )
    expect(
        answer(y.copy(), x.copy(), a.copy(), b.copy()),
        close_to=-right,
        because="With the two sets of targets exchanged the sign turns.",
        given="the same vectors, x and y exchanged",
    )


@exercise(
    lab="generation_bias",
    title="A guard between the generator and the page",
    minutes=12,
    difficulty=2,
    hints=(
        "Three ways: nothing found; pronouns only; anything else.",
        '`set(found) == {"pronoun"}` is true for one pronoun and for five, and false beside any other code.',
        "Look again after the repair: publish it only if `find(repaired)` is empty; else hold the text as it was.",
    ),
)
def publish(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    """Ask for the way of five texts through the guard."""
    k = int(rng.integers(100, 999))
    codes = ["title", "requirement", "stereotype"]
    other = str(rng.choice(codes))
    found = {
        f"text {k}": [],
        f"he {k}": ["pronoun"] * int(rng.integers(1, 4)),
        f"they {k}": [],
        f"she {k}": ["pronoun", "pronoun"],
        f"she left {k}": [other],
        f"they left {k}": [],
        f"spoilt {k}": [],
        f"he man {k}": ["pronoun", other],
        f"man he {k}": [other, "pronoun"],
        f"they man {k}": [],
        f"man {k}": [other],
    }
    repaired = {
        f"text {k}": f"spoilt {k}",
        f"he {k}": f"they {k}",
        f"she {k}": f"she left {k}",
        f"she left {k}": f"they left {k}",
        f"he man {k}": f"they man {k}",
        f"man he {k}": f"they man {k}",
    }
    ways = {
        f"text {k}": ("publish", f"text {k}"),
        f"he {k}": ("publish", f"they {k}"),
        f"she {k}": ("hold", f"she {k}"),
        f"he man {k}": ("hold", f"he man {k}"),
        f"man he {k}": ("hold", f"man he {k}"),
        f"man {k}": ("hold", f"man {k}"),
    }
    for text in [list(ways)[i] for i in rng.permutation(len(ways))]:
        after = repaired.get(text, text)
        messages = {
            "This is published as it was written, with the finding.": ("publish", text),
            "It was rewritten, and something is still found in it. Look again before you publish.": (
                "publish",
                f"she left {k}",
            ),
            "Pronouns are not the only finding here: a repair of pronouns does not mend the rest, and the text was published.": (
                "publish",
                f"they man {k}",
            ),
            "Nothing was found in this text: publish it as it is.": any_of(
                ("hold", f"text {k}"), ("hold", f"spoilt {k}"), ("publish", f"spoilt {k}")
            ),
            "It is held, but the human gets the rewritten text. What was found can no longer be seen in it.": (
                "hold",
                f"she left {k}" if text == f"she {k}" else f"they man {k}",
            ),
            "Nothing but pronouns was found, and the rewriter mends them: this text need not wait for a human.": (
                "hold",
                f"he {k}",
            ),
        }
        expect(
            answer(text, lambda one: list(found.get(one, ["title"])), lambda one: repaired.get(one, one)),
            equal_to=ways[text],
            because="The guard sends this text another way.",
            given=f"{text!r}, in which {found[text] or 'nothing'} is found"
            + (
                f"; the rewriter makes {after!r}, in which {found[after] or 'nothing'} is found"
                if after != text
                else ""
            ),
            if_equals={message: value for message, value in messages.items() if value != ways[text]},
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
    minutes=20,
    evidence={
        "pronoun_skew": lambda: _portal()["augmented"]["pronoun_skew"],
        "trait_skew": lambda: _portal()["augmented"]["trait_skew"],
    },
    limits={"pronoun_skew": LIMIT, "trait_skew": LIMIT},
    stop=_cases_to_stop,
    stop_because="Your control lets a generator pass that is still skewed on one axis, or that paid for its repair with faulty sentences.",
    let_pass=_cases_to_pass,
    pass_because="Your control stops a generator that is within both limits and writes as well as before.",
    rules=(
        Rule(
            lambda made, values: made.verb == "ship" and values["trait_skew"] > LIMIT,
            "Your control stops this generator: its traits are far above the limit. Your choice ships it. One of the two has to change.",
        ),
    ),
    rubric=(
        "Are those named who read a text and do not apply?",
        "Does the residual risk say which axes nobody measured?",
        "Would the guard of exercise 5 have seen the traits?",
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
    hints=(
        "Start from the form above, and replace every `...` by a sentence of your own.",
        'The control gets two dicts: `max(abs(after["pronoun_skew"]), abs(after["trait_skew"])) <= 0.1`, and a third condition on `faultless`.',
        '`{"pronoun_skew": "<= 0.1", "trait_skew": "> 0.1"}`',
    ),
)
