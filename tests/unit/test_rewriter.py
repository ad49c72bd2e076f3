"""The rewriter changes the pronouns of the wanted person and their verbs, and not one other character."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helix.generative import job_corpus, quotations, rewriter, whose
from helix.generative.rewriter import changes, rewrite
from rewriter_cases import CHANGED, KEPT, WORDS


@pytest.mark.parametrize(("text", "wanted"), CHANGED, ids=[text for text, _ in CHANGED])
def test_is_rewritten(text, wanted):
    assert rewrite(text) == wanted


@pytest.mark.parametrize("text", KEPT)
def test_is_left_alone(text):
    assert rewrite(text) == text
    assert changes(text) == []


@pytest.mark.parametrize("text", [*(text for text, _ in CHANGED), *KEPT])
def test_a_second_time_changes_nothing(text):
    once = rewrite(text)
    assert rewrite(once) == once


def test_changes_are_places_in_the_text():
    text = "So he works, and we pay him."
    found = changes(text)
    assert [text[one.start : one.end] for one in found] == ["he", "works", "him"]
    assert [one.new for one in found] == ["they", "work", "them"]


@given(st.lists(st.sampled_from(WORDS), max_size=25), st.sampled_from((" ", "")))
def test_any_text_is_changed_at_its_pronouns_and_verbs_alone(words, between):
    text = between.join(words)
    found, at = changes(text), 0
    for one in found:
        assert at <= one.start < one.end <= len(text)  # in order, none over another
        at = one.end
        assert text[one.start : one.end] != one.new
    once = rewrite(text)
    assert rewrite(once) == once
    left = [
        token for tokens, owners in whose.read(once) for token, of in zip(tokens, owners, strict=True) if of == "wanted"
    ]
    before = [
        token for tokens, owners in whose.read(text) for token, of in zip(tokens, owners, strict=True) if of == "wanted"
    ]
    assert len(left) <= len(before)
    assert bool(found) <= bool(before)


def test_there_are_enough_cases_of_both_languages():
    chinese = [
        text for text in [*(text for text, _ in CHANGED), *KEPT] if any("\u4e00" <= one <= "\u9fff" for one in text)
    ]
    assert len(CHANGED) + len(KEPT) >= 100
    assert len(chinese) >= 20


@pytest.mark.parametrize("wrong", [None, 3, b"he", ["he"]])
def test_what_is_no_text_is_refused(wrong):
    with pytest.raises(TypeError, match="A job description is a text; got"):
        rewrite(wrong)


@pytest.mark.parametrize(
    "piece",
    ["he ", "he and ", "she works, ", "“", "“「", "”", "'", "a'", '"', "王", "王磊", "他/", "他", "(s)he/", "Dr. ", "Anna ", "\n", ". ",
     "-", "a-", "据", "his or ", "“他”", "\u0301", "\x00"],
)  # fmt: skip
def test_long_odd_texts_take_linear_time(piece):
    def seconds(n: int) -> float:
        text, start = piece * (n // len(piece)), time.process_time()
        assert rewrite(rewrite(text)) == rewrite(text)
        return time.process_time() - start

    assert seconds(50_000) < 5  # about 0.3; what is quadratic takes minutes


def test_each_pronoun_of_the_corpus_is_known_for_whose_it_is():
    for description in job_corpus.make("biased", 25, 7):
        text, found, at = description.text, changes(description.text), 0
        for sentence in description.sentences:
            start = text.index(sentence.text, at)
            at = start + len(sentence.text)
            inside = sum(start <= one.start < at for one in found)
            assert bool(inside) == (sentence.kind == "wanted"), text
        assert len(found) == len({one.start for one in found})


def test_cleaned_descriptions_stay():
    for description in job_corpus.make("cleaned", 10, 3):
        assert rewrite(description.text) == description.text


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a “b” c", "“b”"),
        ("a “b ‘c’ d” e", "“b ‘c’ d”"),
        ("a 'b' c", "'b'"),
        ("don't 'b' it's", "'b'"),
        ("a \"b", '"b'),
        ("a \"b\nc", '"b'),
        ("a “b\nc” d", "“b\nc”"),
        ("a “b\nc", "“b"),
        ("a ”b", ""),
        ("他说'好'吗", "'好'"),
        ("5' and 6\" of 'it", ""),
        ("「a『b』c」d", "「a『b』c」"),
        ("“a\n“b” c", "“a“b”"),
    ],
)  # fmt: skip
def test_quotations_are_found(text, quoted):
    marked = quotations.hidden(text)
    assert len(marked) == len(text)
    assert "".join(one for one, inside in zip(text, marked, strict=True) if inside) == quoted


def test_verbs_in_the_plural():
    for third, plural in {
        "passes": "pass", "washes": "wash", "watches": "watch", "boxes": "box", "carries": "carry", "dies": "die", "goes": "go",
        "manages": "manage", "is": "are", "doesn't": "don't", "always": "always", "must": "must", "pass": "pass", "has": "have",
    }.items():  # fmt: skip
        assert rewriter._base(third) == plural
