"""The detector of gendered wording gives each sentence its code, in English and Chinese, and says where it found it."""

from __future__ import annotations

import re
import time

import pytest

from gendered_cases import CASES, MISSED
from helix.generative import gendered_wording
from helix.generative.gendered_wording import CODES, Finding, code, find

SENTENCES = [(text, wanted) for wanted, block in CASES.items() for text in re.split(r" \| |\n", block.strip())]
WRONG = [(text, wanted) for wanted, texts in MISSED.items() for text in texts]


@pytest.mark.parametrize(("text", "wanted"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_each_sentence_gets_its_code(text, wanted):
    assert code(text) == wanted, find(text)


@pytest.mark.xfail(strict=True, reason="rules do not understand a sentence")
@pytest.mark.parametrize(("text", "wanted"), WRONG, ids=[text for text, _ in WRONG])
def test_what_the_rules_get_wrong(text, wanted):
    assert code(text) == wanted


def test_there_are_enough_cases_of_each_code_in_both_languages():
    for wanted in (*CODES, "none"):
        texts = [text for text, one in SENTENCES if one == wanted]
        chinese = sum(any("\u4e00" <= one <= "\u9fff" for one in text) for text in texts)
        assert chinese >= 20, wanted
        assert len(texts) - chinese >= 20, wanted


def test_findings_are_places_in_the_text_in_its_order():
    text = "Men only! The salesman keeps his van clean. 女士优先。"
    found = find(text)
    assert [(one.code, one.words) for one in found] == [
        ("requirement", "Men"), ("title", "salesman"), ("pronoun", "his"), ("requirement", "女士"),
    ]  # fmt: skip
    for one in found:
        assert text[one.start : one.end] == one.words
        assert one.why.endswith(".")


@pytest.mark.parametrize("text", [text for text, _ in SENTENCES[::7]])
def test_findings_of_one_code_do_not_overlap(text):
    until = dict.fromkeys(CODES, 0)
    for one in find(text):
        assert isinstance(one, Finding)
        assert text[one.start : one.end] == one.words != ""
        assert one.start >= until[one.code]
        until[one.code] = one.end


def test_the_first_code_in_their_order_counts():
    texts = ["Lipstick is a must.", "We need a salesman.", "The cook plans her menus.", "Women only."]
    for i, wanted in enumerate(reversed(CODES)):
        assert code(" ".join(texts[: i + 1])) == wanted


def test_a_pair_does_not_rescue_what_stands_beside_it():
    assert code("He or she will report to the head.") == "none"
    assert code("He or she will be our new salesman.") == "title"
    assert code("男女均可，需化淡妆上班。") == "stereotype"
    assert code("Men and women may apply, men preferred.") == "requirement"


def test_quotations_are_left_and_what_stands_outside_is_not():
    assert code("The sign read “men only”.") == "none"
    assert code("The sign read “welcome”; we hire men only.") == "requirement"
    assert code("纪录片《男司机》招摄影师。") == "none"


def test_a_text_in_both_languages():
    assert [one.code for one in find("Waitress wanted，限女性。")] == ["title", "requirement"]


def test_a_report_is_left_but_not_what_is_wanted_now():
    assert code("Some people think that men drive better.") == "none"
    assert code("The owner said that he would like a man.") == "requirement"
    assert code("有人说女的不会修车。") == "none"
    assert code("老板说了，想要个女的。") == "requirement"


@pytest.mark.parametrize("empty", ["", " \n\t", "。", "□□", "\x00", "123", "🙂"])
def test_nothing_is_found_in_nothing(empty):
    assert find(empty) == []
    assert code(empty) == "none"


@pytest.mark.parametrize("wrong", [None, 3, b"men only", ["men only"]])
def test_what_is_no_text_is_refused(wrong):
    for asked in (find, code):
        with pytest.raises(TypeError, match=r"A job advertisement is a text \(str\); got .*\. Give the words"):
            asked(wrong)


@pytest.mark.parametrize(
    "piece",
    ["he ", "women ", "women and ", "men, ", "男", "女", "男女", "招男", "要求", "只有", "only ", "share a room ", "no ", "not ", "“", "'", "a",
     "a-", " ", "□", "regardless of ", "whether ", "他/", "保姆与", "像妈妈", "孩子", "like a ", "男1", "one man and ", "单身", "Dear ", "manman", "mr and ",
     "client ", "last ", "\n", ". ", "穿", "不限", "a woman ", "the girls in "],
)  # fmt: skip
def test_long_odd_texts_take_linear_time(piece):
    def seconds(n: int) -> float:
        text, start = piece * (n // len(piece)), time.process_time()
        find(text)
        return time.process_time() - start

    assert seconds(10_000) < 8  # at most about 1.2; what is quadratic takes minutes


def test_every_kind_of_find_has_its_sentence():
    assert {kind for _, kind, _ in gendered_wording._RULES} | {"pronoun"} == set(gendered_wording._WHY)
