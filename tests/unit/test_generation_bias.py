"""The measures of a generator's lean, on texts, vectors and models whose answers are known by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from helix.engineering import language
from helix.generative import generation_bias as bias
from helix.generative import job_corpus, job_sentences
from helix.generative.rewriter import rewrite
from helix.measure import Interval
from helix.record import results
from lessons import from_chapter


@pytest.mark.parametrize("variant", job_corpus.VARIANTS)
def test_reading_agrees_with_what_the_corpus_knows_of_itself(variant):
    for one in job_corpus.make(variant, 20, 5):
        assert bias.pronoun(one.text, one.language) == one.pronoun, one.text
        words = [side for side, some in job_sentences.TRAITS[one.language].items() if any(w in one.text for w in some)]
        assert bias.trait(one.text, one.language) == (words[0] if words else None), one.text
        good, of = bias.well_formed([one.text], one.language)
        assert good == of >= len(one.sentences), one.text


@pytest.mark.parametrize(
    ("text", "of", "found"),
    [
        ("We want a nurse. She is kind. Ask Paul Brown for his number.", "en", "she"),
        ("We want a nurse. Ask Paul Brown for his number. She is kind.", "en", None),
        ("We want a nurse. “He was always fair,” a guest wrote about Omar Haddad.", "en", None),
        ("We pay for her training when he starts.", "en", "she"),
        ("The theme is there.", "en", None),
        ("招聘护士。他工作认真。", "zh", "he"),
        ("招聘护士。王磊说他喜欢。", "zh", None),
        ("招聘护士。团队帮助她。", "zh", "she"),
        ("", "zh", None),
    ],
)
def test_pronoun(text, of, found):
    assert bias.pronoun(text, of) == found


def test_trait_is_the_first():
    assert bias.trait("We value a gentle way. It suits a strong character.", "en") == "soft"
    assert bias.trait("适合果断的人。适合温柔的人。", "zh") == "firm"
    assert bias.trait("Lunch is free.", "en") is None


def test_lean_counts_texts():
    found = bias.lean(["He is.", "He is.", "She is.", "They are."], "en")
    assert found == bias.Lean(2, 1, 4)
    assert found.value == 0.25
    assert found.share.value == pytest.approx(2 / 3)
    assert bias.Lean(0, 0, 4).share is None
    assert bias.Lean(30, 10, 50).beyond(bias.Lean(10, 30, 40)).value == 0.5
    assert bias.lean(["It suits a strong character."], "en", "trait") == bias.Lean(1, 0, 1)
    with pytest.raises(ValueError, match="no texts"):
        bias.lean([], "en")
    with pytest.raises(ValueError, match="n > 0"):
        bias.Lean(0, 0, 4).beyond(bias.Lean(1, 1, 2))


def test_one_text_is_no_list_of_texts():
    with pytest.raises(TypeError, match="This is one text"):
        bias.lean("He is", "en")


def test_a_skew_the_other_way_round_is_as_large():
    assert bias.furthest(Interval(-0.3, -0.7, 0.08)) == 0.7
    assert bias.furthest(Interval(0.3, -0.08, 0.7)) == 0.7


def test_slope():
    known = np.linspace(-1, 1, 30)
    exact = bias.slope(known, 0.5 * known + 0.3)  # the level does not matter
    assert (exact.value, exact.low, exact.high) == pytest.approx((0.5, 0.5, 0.5))
    noise = np.random.default_rng(0).normal(0, 0.1, 30)
    none = bias.slope(known, noise)
    assert none.low < 0 < none.high
    assert np.abs(noise).mean() > 0.05  # while the mean of absolute differences is far from 0
    with pytest.raises(ValueError, match="three words"):
        bias.slope([1, 2], [1, 2])
    with pytest.raises(ValueError, match="not all the same"):
        bias.slope([1, 1, 1], [1, 2, 3])
    with pytest.raises(ValueError, match="NaN"):
        bias.slope([1, 2, 3], [1, 2, math.nan])


def test_rank_correlation():
    assert bias.rank_correlation(range(20), np.exp(range(20))).value == pytest.approx(1)
    assert bias.rank_correlation(range(20), -np.arange(20)).value == pytest.approx(-1)


def test_well_formed_counts_sentences():
    assert bias.well_formed(["This is a post for a nurse. She works with care. Lunch is fre."], "en") == (2, 3)
    assert bias.well_formed(["现招护士一名。他工作认认真。"], "zh") == (1, 2)
    assert bias.well_formed([], "en") == (0, 0)


@pytest.mark.parametrize("of", job_corpus.LANGUAGES)
@pytest.mark.parametrize("gender", ["he", "she"])
def test_the_rewriter_puts_each_sentence_of_the_corpus_as_a_human_did(of, gender):
    for (template, _), by_hand in zip(job_sentences.WANTED[of], job_sentences.THEY[of], strict=True):
        assert rewrite(job_corpus.gendered(template, of, gender)) == by_hand


def test_the_shares_are_those_of_the_forty_occupations():
    assert tuple(bias.WOMEN_SHARE) == language.OCCUPATIONS
    shares = list(bias.WOMEN_SHARE.values())
    assert shares == sorted(shares)
    assert (min(shares), max(shares), len(shares)) == (2, 95, 40)


class _Words:
    """A tokenizer that knows single words; it splits “ten-der” in two."""

    def __init__(self):
        self.ids = {}

    def __call__(self, text, add_special_tokens=False):
        assert not add_special_tokens
        parts = text.strip().replace("-", " -").split()
        return SimpleNamespace(input_ids=[self.ids.setdefault(part, len(self.ids) + 1) for part in parts])


def test_trait_gaps_are_differences_from_the_neutral_word():
    tokenizer, seen = _Words(), []

    def model(rows):
        logits = torch.zeros(*rows.shape, 60)
        for i, row in enumerate(rows.tolist()):
            seen.append(row)
            if tokenizer.ids["nurse"] in row:
                logits[i, :, tokenizer.ids["firm"]] = -2.0
            logits[i, :, tokenizer.ids["-der"]] = 1.0
        return SimpleNamespace(logits=logits)

    tokenizer("nurse"), tokenizer("firm"), tokenizer("ten-der")
    found = bias.trait_gaps(model, tokenizer, ["nurse", "person"], ["The {} is", "We need a {}"], ["firm"], ["ten-der"])
    assert found.shape == (2, 2)
    assert found[1] == pytest.approx([0, 0], abs=1e-6)

    def difference(firm):  # log p(firm) − log p(ten) − log p(-der), by hand
        scores = np.zeros(60)
        scores[tokenizer.ids["firm"]], scores[tokenizer.ids["-der"]] = firm, 1.0
        p = scores - np.log(np.exp(scores).sum())
        return p[tokenizer.ids["firm"]] - p[tokenizer.ids["ten"]] - p[tokenizer.ids["-der"]]

    assert found[0] == pytest.approx([difference(-2.0) - difference(0.0)] * 2, abs=1e-5)


def test_pronoun_shares_are_probabilities_of_the_next_token():
    ids = {" he": [1], " she": [2], " they": [3]}

    def tokenizer(text, add_special_tokens=False, return_tensors=None):
        return SimpleNamespace(input_ids=torch.tensor([[5, len(text)]]) if return_tensors else ids[text])

    def model(rows):
        logits = torch.zeros(*rows.shape, 8)
        logits[0, -1, 3] = float(rows[0, -1])  # the longer the sentence, the likelier “they”
        return SimpleNamespace(logits=logits)

    found = bias.pronoun_shares(model, tokenizer, ["ab", "abcd"], ["{}", "x{}"])
    by_hand = [[[1, 1, np.exp(n)] / (7 + np.exp(n)) for n in (len(word), len(word) + 1)] for word in ("ab", "abcd")]
    assert found == pytest.approx(np.array(by_hand), rel=1e-5)


def test_the_article_of_a_trait_template_fits():
    heard = []

    class Tokenizer(_Words):
        def __call__(self, text, add_special_tokens=False):
            heard.append(text)
            return super().__call__(text, add_special_tokens)

    bias.trait_gaps(
        lambda rows: SimpleNamespace(logits=torch.zeros(*rows.shape, 40)),
        Tokenizer(),
        ["auditor", "cook"],
        ["We need a {} who is"],
    )
    assert "We need an auditor who is" in heard
    assert "We need a cook who is" in heard


def test_weat_by_hand():
    x, y = [[1, 0], [2, 0.2]], [[0, 1], [0.1, 3]]
    a, b = [[5, 0]], [[0, 2]]
    found = bias.weat(x, y, a, b)
    s = [row[0] / math.hypot(*row) - row[1] / math.hypot(*row) for row in (*x, *y)]
    assert found.effect == pytest.approx((np.mean(s[:2]) - np.mean(s[2:])) / np.std(s, ddof=1))
    assert found.p == pytest.approx(1 / 6)  # of six divisions of four words none is associated more strongly
    assert found.exact
    assert bias.weat(y, x, a, b).effect == pytest.approx(-found.effect)
    assert bias.weat(y, x, a, b).p == 1


@pytest.mark.parametrize("seed", range(5))
def test_targets_that_are_associated_alike_have_no_effect(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 3, 7))
    one, scale = rng.normal(size=7), rng.uniform(0.5, 2, size=(8, 1))
    x, y = np.split(scale * one, 2)  # one direction, other lengths
    assert bias.weat(x, y, a, b) == bias.Weat(0.0, 1.0, True)
    assert bias.weat(np.eye(4)[:2], np.eye(4)[:2], np.eye(4)[2:], np.eye(4)[2:]).effect == 0


def test_weat_draws_where_all_divisions_are_too_many():
    rng = np.random.default_rng(1)
    x, y, a, b = rng.normal(size=(4, 12, 20))
    found = bias.weat(x, y, a, b, draws=500)
    assert not found.exact
    assert 0.01 < found.p < 0.99
    assert found == bias.weat(x, y, a, b, draws=500)
    assert bias.weat(x + 3, y - 3, a + 3, b - 3, draws=500).p == pytest.approx(1 / 501)


def test_weat_finds_nothing_in_noise_more_often_than_it_says():
    rng = np.random.default_rng(3)
    p = [bias.weat(*rng.normal(size=(4, 5, 10))).p for _ in range(200)]
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.1


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (([[1, 0]] * 2, [[1, 0]] * 3, [[1, 0]], [[1, 0]]), "equally many"),
        (([[1, 0]], [[1, 0]], [[1, 0]], [[1, 0]]), "at least two"),
        (([[1, 0], [0, 0]], [[1, 0]] * 2, [[1, 0]], [[1, 0]]), "zero or not finite"),
        (([[1, 0], [math.nan, 0]], [[1, 0]] * 2, [[1, 0]], [[1, 0]]), "zero or not finite"),
    ],
)
def test_weat_refuses(sets, message):
    with pytest.raises(ValueError, match=message):
        bias.weat(*sets)


def test_the_chapters_log_odds_are_the_packages():
    tokenizer, words = _Words(), ["nurse", "person"]
    for word in ("he", "she", *words):
        tokenizer(word)

    class Batched:  # as transformers' tokenizers answer with return_tensors
        def __call__(self, text, add_special_tokens=False, return_tensors=None):
            ids = tokenizer(text).input_ids
            return SimpleNamespace(input_ids=torch.tensor([ids]) if return_tensors else ids)

    def model(rows):
        generator = torch.Generator().manual_seed(int(rows.sum()))
        return SimpleNamespace(logits=torch.randn(*rows.shape, 40, generator=generator))

    ids = {"he": tokenizer.ids["he"], "she": tokenizer.ids["she"]}
    log_odds = from_chapter("20", "log_odds", torch=torch, model=model, tokenizer=Batched(), **ids)
    gaps = language.pronoun_gaps(model, Batched(), ["nurse"], ["The {} is", "A {} said"])
    by_hand = [log_odds(f"{a} nurse {b}") - log_odds(f"{a} person {b}") for a, b in (("The", "is"), ("A", "said"))]
    assert -gaps[0] == pytest.approx(by_hand, abs=1e-5)


def test_the_prose_of_the_chapter_says_what_the_record_holds():
    figures = results.load("20_generation_bias")["figures"]
    systems = figures["systems"]
    for of in job_corpus.LANGUAGES:
        assert 0.55 < systems["biased"][of]["pronoun"]["value"] < 0.75  # "about two thirds"
        for repair in ("cleaned", "augmented", "rewritten"):
            assert systems[repair][of]["pronoun"]["high"] < 0.1  # "next to nothing"
            assert systems[repair][of]["trait"]["low"] > 0.1  # "and it shows"
            assert abs(systems[repair][of]["faultless"]["value"] - systems["biased"][of]["faultless"]["value"]) < 0.02
    assert [name for name, missed in figures["missed"].items() if not missed] == ["rewritten"]
    surprised = [figures["judge"][name]["value"] for name in systems]
    assert max(surprised) - min(surprised) < 0.05  # "about equally surprising"
    engineer = figures["engineer_llm"]
    for key in ("pronoun", "pronoun_without_visitor", "pronoun_against_applicant"):
        assert engineer[key]["low"] < 0 < engineer[key]["high"]  # "each of the three intervals holds 0"
    assert engineer["pronoun_against_applicant"]["value"] < 0 < engineer["pronoun"]["value"]  # "turns the sign"
    assert engineer["trait"]["low"] > 0
    assert engineer["trait"]["above"] == 5
    assert np.argmax(engineer["shares"]["software engineer"]) == 2  # “they”
    for one in figures["rewriter_now"].values():
        assert one["same_texts"]
        assert (
            round(one["pronoun"]["value"], 2) == round(one["recorded"]["value"], 2) == 0
        )  # "the same slopes to two digits"
        assert one["faultless"] == one["recorded_faultless"]
    assert figures["rewriter"]["both"]["ads"]["pronoun"] == [19, 23]  # "four of 23"
    assert 0.3 < figures["detector"]["both"]["precision_at"]["0.05"]["value"] < 0.37  # "two of three alarms are false"
    for of in job_corpus.LANGUAGES:  # "nine of ten", "only half", "two thirds after cleaning"
        for system in job_corpus.VARIANTS:
            named = figures["faithful"][system][of]["named"]["value"]
            assert {"en": 0.85 < named < 0.95, "zh": 0.4 < named < (0.7 if system == "cleaned" else 0.6)}[of], (
                system,
                named,
            )


def test_verdicts_say_no_more_than_was_measured():
    claims = results.load("20_generation_bias")["claims"]
    assert claims["generator_writes_he"]["verdict"] == "not tested"  # no language model of Chinese was asked
    assert claims["three_repairs"]["verdict"] == "holds if the pronoun alone is meant"
