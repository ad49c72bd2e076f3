"""Invented job descriptions in English and Chinese whose skew is known, because it was put in.

**`OCCUPATIONS` is a property of this corpus and no statistic of the world.** The numbers were made up so that a model trained on the
text has something to learn, and so that what it learned can be compared with what was there. The corpus is written for this
course (CC0); no advertisement of anybody is in it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from helix.generative import job_sentences as written

Language = Literal["en", "zh"]
Variant = Literal["biased", "cleaned", "augmented"]
Kind = Literal["opener", "wanted", "trait", "neutral", "other"]
VARIANTS: tuple[Variant, ...] = ("biased", "cleaned", "augmented")
LANGUAGES: tuple[Language, ...] = ("en", "zh")
OTHER_SHARE = 0.2  # of the descriptions have a sentence about somebody else


@dataclass(frozen=True)
class Occupation:
    """What the corpus says of an occupation.

    Attributes
    ----------
    en, zh : str
        Its name.
    he : float
        The probability that a description says “he” or 他 of the wanted person, and not “she” or 她.
    firm : float
        The probability that its trait is a firm one (“decisive”) and not a soft one (“gentle”): the second axis.
    """

    en: str
    zh: str
    he: float
    firm: float

    def name(self, language: Language) -> str:
        """Return its name in a language."""
        return self.en if language == "en" else self.zh


# Invented. See above.
OCCUPATIONS = (
    Occupation("software engineer", "软件工程师", 0.95, 0.80),
    Occupation("driver", "司机", 0.95, 0.85),
    Occupation("electrician", "电工", 0.95, 0.80),
    Occupation("pilot", "飞行员", 0.95, 0.90),
    Occupation("surgeon", "外科医生", 0.90, 0.80),
    Occupation("manager", "经理", 0.90, 0.90),
    Occupation("police officer", "警察", 0.90, 0.90),
    Occupation("architect", "建筑师", 0.85, 0.70),
    Occupation("farmer", "农民", 0.85, 0.80),
    Occupation("lawyer", "律师", 0.80, 0.90),
    Occupation("cook", "厨师", 0.80, 0.60),
    Occupation("scientist", "研究员", 0.80, 0.60),
    Occupation("journalist", "记者", 0.50, 0.60),
    Occupation("pharmacist", "药剂师", 0.50, 0.40),
    Occupation("baker", "面包师", 0.50, 0.40),
    Occupation("translator", "翻译", 0.30, 0.30),
    Occupation("accountant", "会计", 0.30, 0.40),
    Occupation("social worker", "社工", 0.15, 0.15),
    Occupation("cleaner", "保洁员", 0.15, 0.30),
    Occupation("cashier", "收银员", 0.15, 0.30),
    Occupation("teacher", "教师", 0.10, 0.20),
    Occupation("librarian", "图书管理员", 0.10, 0.20),
    Occupation("hairdresser", "美发师", 0.10, 0.25),
    Occupation("nurse", "护士", 0.05, 0.10),
    Occupation("secretary", "秘书", 0.05, 0.20),
    Occupation("receptionist", "前台", 0.05, 0.20),
)
NEUTRAL = Occupation("person", "人员", 0.50, 0.50)  # the word that says nothing of the work


@dataclass(frozen=True)
class Sentence:
    """A sentence, and what is known of it.

    Attributes
    ----------
    text : str
    kind : "opener", "wanted", "trait", "neutral" or "other"
        What it is about; “wanted” may have a pronoun of the wanted person, “other” has one of somebody else.
    pronoun : "he", "she" or None
        The gender that its pronouns have, in either language.
    """

    text: str
    kind: Kind
    pronoun: Literal["he", "she"] | None = None


@dataclass(frozen=True)
class Description:
    """A job description.

    Attributes
    ----------
    occupation : Occupation
    language : "en" or "zh"
    sentences : tuple of Sentence
    """

    occupation: Occupation
    language: Language
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """Return it as one line."""
        return (" " if self.language == "en" else "").join(sentence.text for sentence in self.sentences)

    @property
    def pronoun(self) -> Literal["he", "she"] | None:
        """Return the gender of the pronouns about the wanted person, None if there are none."""
        return next((one.pronoun for one in self.sentences if one.kind == "wanted" and one.pronoun), None)


def about(occupation: Occupation, language: Language, template: str, **words: str) -> str:
    """Fill a sentence that names the job: the article is “an” before a vowel."""
    job = occupation.name(language)
    article = "an" if job[0] in "aeiou" else "a"
    return template.format(job=job, a=article, A=article.capitalize(), **words)


def gendered(template: str, language: Language, pronoun: Literal["he", "she"], name: str = "") -> str:
    """Fill the pronouns of a template for one gender."""
    forms = dict(written.FORMS[language][pronoun])
    if template.endswith("{his}."):
        forms["his"] = written.THEIRS[pronoun]
    return template.format(name=name, **forms, He=forms["he"].capitalize(), His=forms["his"].capitalize())


def describe(occupation: Occupation, language: Language, variant: Variant, rng: random.Random) -> list[Description]:
    """Write one description; two if the variant is “augmented”, which differ in the pronoun alone.

    Parameters
    ----------
    occupation : Occupation
    language : "en" or "zh"
    variant : "biased", "cleaned" or "augmented"
        With the skew of the table; with the sentences about the wanted person put neutrally, or dropped; with a twin for every
        description whose pronouns are swapped, agreement kept (counterfactual data augmentation).
    rng : random.Random
        The same draws are made in every variant, so that the three corpora tell of the same jobs.

    References
    ----------
    K. Lu et al. (2018), Gender Bias in Neural Natural Language Processing, arXiv:1807.11714.
    """
    start = Sentence(about(occupation, language, rng.choice(written.OPENERS[language])), "opener")
    template, neutral = rng.choice(written.WANTED[language])
    pronoun: Literal["he", "she"] = "he" if rng.random() < occupation.he else "she"
    further = _further(occupation, language, rng)
    twins: list[Sentence | None]
    if variant == "cleaned":
        twins = [Sentence(neutral, "wanted") if neutral else None]
    else:
        twins = [Sentence(gendered(template, language, pronoun), "wanted", pronoun)]
    if variant == "augmented":
        swapped: Literal["he", "she"] = "she" if pronoun == "he" else "he"
        twins.append(Sentence(gendered(template, language, swapped), "wanted", swapped))
    return [Description(occupation, language, (start, *([twin] if twin else []), *further)) for twin in twins]


def _further(occupation: Occupation, language: Language, rng: random.Random) -> list[Sentence]:
    """Draw what stands after the sentence about the wanted person: a trait or something neutral, and now and then somebody else."""
    if rng.random() < 0.6:
        side = "firm" if rng.random() < occupation.firm else "soft"
        trait = rng.choice(written.TRAITS[language][side])
        text = about(occupation, language, rng.choice(written.TRAIT_SENTENCES[language]), trait=trait)
        found = [Sentence(text, "trait")]
    else:
        found = [Sentence(rng.choice(written.NEUTRAL_SENTENCES[language]), "neutral")]
    if rng.random() < OTHER_SHARE:
        whose = rng.choice(("he", "she"))
        name = rng.choice(written.NAMES[language][whose])
        text = gendered(rng.choice(written.OTHERS[language]), language, whose, name)  # type: ignore[arg-type]
        found.append(Sentence(text, "other", whose))  # type: ignore[arg-type]
    return found


def make(
    variant: Variant,
    each: int,
    seed: int,
    languages: Sequence[Language] = LANGUAGES,
    occupations: Sequence[Occupation] = (*OCCUPATIONS, NEUTRAL),
) -> list[Description]:
    """Write a corpus; the same arguments always give the same text.

    Parameters
    ----------
    variant : "biased", "cleaned" or "augmented"
    each : int
        Descriptions of an occupation in a language, at least 1; the augmented corpus has twice as many.
    seed : int
    languages, occupations : sequences
        What to write about, and how; in this order.

    Raises
    ------
    ValueError
        If there is no such variant or language, or nothing to write.
    """
    if variant not in VARIANTS:
        raise ValueError(f"The variants are 'biased', 'cleaned' and 'augmented'; got {variant!r}.")
    if isinstance(languages, str) or not set(languages) <= set(LANGUAGES):
        raise ValueError(f"The languages are a list of 'en' and 'zh'; got {languages!r}.")
    if each < 1 or not languages or not occupations:
        raise ValueError("A corpus needs at least one description, one language and one occupation.")
    rng = random.Random(seed)
    return [
        made
        for language in languages
        for occupation in occupations
        for _ in range(each)
        for made in describe(occupation, language, variant, rng)
    ]
