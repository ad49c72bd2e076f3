"""The corpora hold the skew that the table states, and the variants differ in what they say they do."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from helix.generative import job_corpus, job_sentences
from helix.generative.job_corpus import NEUTRAL, OCCUPATIONS, VARIANTS, make
from helix.measure import wilson

GENDERED = {
    "en": re.compile(r"\b(he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE),
    "zh": re.compile("[他她]"),
}


def test_occupations():
    assert len(OCCUPATIONS) >= 20
    for language in job_corpus.LANGUAGES:
        assert len({one.name(language) for one in (*OCCUPATIONS, NEUTRAL)}) == len(OCCUPATIONS) + 1
    assert all(0 < one.he < 1 and 0 < one.firm < 1 for one in OCCUPATIONS)
    assert NEUTRAL.he == NEUTRAL.firm == 0.5
    assert sum(one.he > 0.5 for one in OCCUPATIONS) >= 10
    assert sum(one.he < 0.5 for one in OCCUPATIONS) >= 10
    assert next(one.he for one in OCCUPATIONS if one.zh == "软件工程师") > 0.9


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_seed_gives_the_same_text(variant):
    assert make(variant, 3, 1) == make(variant, 3, 1)
    assert make(variant, 3, 1) != make(variant, 3, 2)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("occupation", OCCUPATIONS[::5], ids=lambda one: one.en)
def test_pronouns_and_traits_have_the_stated_shares(occupation, language):
    found = make("biased", 800, 5, [language], [occupation])
    he = sum(one.pronoun == "he" for one in found)
    assert occupation.he in wilson(he, len(found), 0.999)
    traits = [part.text for one in found for part in one.sentences if part.kind == "trait"]
    firm = sum(any(word in text for word in job_sentences.TRAITS[language]["firm"]) for text in traits)
    assert occupation.firm in wilson(firm, len(traits), 0.999)


def test_somebody_else_has_no_skew():
    found = [part for one in make("biased", 100, 2) for part in one.sentences if part.kind == "other"]
    assert 0.5 in wilson(sum(one.pronoun == "he" for one in found), len(found), 0.999)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_sentence_holds_the_gender_it_says(language):
    she = re.compile(r"\b(she|her|hers|herself)\b|她", re.IGNORECASE)
    he = re.compile(r"\b(he|him|his|himself)\b|他", re.IGNORECASE)
    for description in make("augmented", 20, 4, [language]):
        for part in description.sentences:
            assert bool(she.search(part.text)) == (part.pronoun == "she"), part
            assert bool(he.search(part.text)) == (part.pronoun == "he"), part


def test_cleaned_text_has_no_pronoun_but_somebody_elses():
    for description in make("cleaned", 30, 3):
        assert description.pronoun is None
        for part in description.sentences:
            if part.kind != "other":
                assert not GENDERED[description.language].search(part.text)


def test_cleaned_text_tells_of_the_same_jobs():
    for biased, cleaned in zip(make("biased", 20, 6), make("cleaned", 20, 6), strict=True):
        rest = [[part for part in one.sentences if part.kind != "wanted"] for one in (biased, cleaned)]
        assert rest[0] == rest[1]
        assert biased.occupation == cleaned.occupation


def test_augmented_text_is_the_biased_one_and_its_twins():
    augmented = make("augmented", 20, 6)
    assert augmented[::2] == make("biased", 20, 6)
    for one, twin in zip(augmented[::2], augmented[1::2], strict=True):
        assert {one.pronoun, twin.pronoun} == {"he", "she"}
        differ = [(a, b) for a, b in zip(one.sentences, twin.sentences, strict=True) if a != b]
        assert len(differ) == 1
        assert differ[0][0].kind == "wanted"
        bare = [GENDERED[one.language].sub("_", part.text) for part in differ[0]]
        assert bare[0] == bare[1]  # nothing but the pronouns differs, verbs agree as before
    for occupation, shares in _shares(augmented).items():
        assert shares["he"] == shares["she"], occupation


def _shares(descriptions):
    found = {one.occupation.en: Counter() for one in descriptions}
    for one in descriptions:
        found[one.occupation.en][one.pronoun] += 1
    return found


@pytest.mark.parametrize(
    ("template", "pronoun", "text"),
    [
        ("{He} plans {his} own week.", "she", "She plans her own week."),
        ("The good results are {his}.", "she", "The good results are hers."),
        ("The good results are {his}.", "he", "The good results are his."),
        ("The team helps {him}.", "she", "The team helps her."),
        ("{He} helps {himself}.", "she", "She helps herself."),
    ],
)
def test_pronouns_agree(template, pronoun, text):
    assert job_corpus.gendered(template, "en", pronoun) == text


def test_article_before_a_vowel():
    electrician = next(one for one in OCCUPATIONS if one.en == "electrician")
    assert job_corpus.about(electrician, "en", "{A} {job}, {a} {job}.") == "An electrician, an electrician."
    assert job_corpus.about(NEUTRAL, "en", "{A} {job}, {a} {job}.") == "A person, a person."


def test_traits_stand_in_no_sentence_with_a_pronoun():
    for language, sides in job_sentences.TRAITS.items():
        words = [word for side in sides.values() for word in side]
        told = [text for pair in job_sentences.WANTED[language] for text in pair if text] + list(
            job_sentences.OTHERS[language]
        )
        assert not any(word in text for word in words for text in told)


def test_text_is_one_line():
    english, chinese = (make("biased", 1, 0, [language])[0].text for language in ("en", "zh"))
    assert ". " in english
    assert " " not in chinese
    assert "\n" not in english + chinese


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("clean", 1, 0), "The variants are 'biased', 'cleaned' and 'augmented'; got 'clean'"),
        (("biased", 0, 0), "at least one description"),
        (("biased", 1, 0, []), "at least one description, one language"),
        (("biased", 1, 0, ["en"], []), "one occupation"),
        (("biased", 1, 0, ["fr"]), "The languages are a list"),
        (("biased", 1, 0, "en"), "The languages are a list"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(*arguments)


def test_what_is_written_by_chance_is_written_by_the_generator_given():
    rng = random.Random(3)
    first = job_corpus.describe(OCCUPATIONS[0], "en", "biased", rng)
    assert first == job_corpus.describe(OCCUPATIONS[0], "en", "biased", random.Random(3))
    assert len(job_corpus.describe(OCCUPATIONS[0], "en", "augmented", rng)) == 2
