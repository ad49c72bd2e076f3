"""The job advertisements are what their card says, and the card's agreement is that of the two labellers."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from helix import datasets
from helix.datasets import job_ads
from helix.record import results

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data" / "job_ads"


@pytest.fixture(scope="module")
def facts() -> dict:
    return datasets.card("job_ads")


@pytest.fixture(scope="module")
def everything() -> pd.DataFrame:
    return job_ads.load()


def test_files_are_those_of_the_card(facts):
    for name, file in facts["files"].items():
        content = (FOLDER / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"]), name
    assert set(facts["files"]) == {"items.csv", "labels.csv", "GUIDE.md", "rewriting.csv", "REWRITING.md"}


def test_rows(facts, everything):
    assert everything["language"].value_counts().to_dict() == facts["rows"]
    assert len(everything) >= 200
    assert everything["id"].is_unique
    assert everything["text"].str.strip().str.len().min() >= 4
    assert everything["text"].str.lower().is_unique


def test_codes(facts, everything):
    assert set(everything[["a", "b", "code"]].to_numpy().ravel()) <= set(job_ads.CODES)
    for language, codes in facts["codes"].items():
        assert job_ads.load(language)["code"].value_counts().to_dict() == codes


def test_agreement(facts, everything):
    for part in (*job_ads.LANGUAGES, "both"):
        frame = everything if part == "both" else job_ads.load(part)
        stated = facts["agreement"][part]
        a, b = frame["a"] != "none", frame["b"] != "none"
        assert int((a != b).sum()) == stated["gendered_or_not_differs"]
        assert int((frame["a"] != frame["b"]).sum()) == stated["code_differs"]
        assert cohen_kappa_score(a, b) == pytest.approx(stated["kappa_gendered_or_not"], abs=5e-4)
        assert cohen_kappa_score(frame["a"], frame["b"]) == pytest.approx(stated["kappa_code"], abs=5e-4)


def test_the_code_is_theirs_where_they_agree_and_one_of_theirs_elsewhere(everything):
    agree = everything["a"] == everything["b"]
    assert (everything.loc[agree, "code"] == everything.loc[agree, "a"]).all()
    rest = everything[~agree]
    assert ((rest["code"] == rest["a"]) | (rest["code"] == rest["b"])).all()
    assert (everything["gendered"] == (everything["code"] != "none")).all()


def test_languages(everything):
    chinese = everything["text"].str.contains("[\u4e00-\u9fff]")
    assert (chinese == (everything["language"] == "zh")).all()
    assert len(job_ads.load("zh")) + len(job_ads.load("en")) == len(everything)
    assert job_ads.load("en").index.tolist() == list(range(len(job_ads.load("en"))))


def test_no_item_is_an_example_of_the_guide(everything):
    guide = (FOLDER / "GUIDE.md").read_text(encoding="utf-8")
    assert not [text for text in everything["text"] if text in guide]


def test_refuses_another_language():
    with pytest.raises(ValueError, match="are in 'zh' and 'en'; got 'fr'"):
        job_ads.load("fr")


def test_refuses_a_damaged_file(tmp_path, monkeypatch):
    for file in FOLDER.iterdir():
        (tmp_path / "data" / "job_ads").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "job_ads" / file.name).write_bytes(file.read_bytes())
    damaged = tmp_path / "data" / "job_ads" / "labels.csv"
    damaged.write_bytes(damaged.read_bytes().replace(b"none", b"title", 1))
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    with pytest.raises(ValueError, match="is damaged"):
        job_ads.load()


def test_sentences_for_a_rewriter(facts):
    frame = job_ads.rewriting()
    assert len(frame) >= 120
    assert frame["language"].value_counts().to_dict() == {"zh": 66, "en": 66}
    assert frame["kind"].value_counts().to_dict() == facts["rewriting"]
    assert set(frame["kind"]) == set(job_ads.KINDS)
    assert frame["id"].is_unique
    assert frame["text"].is_unique
    for one in frame.itertuples():
        assert (one.text in one.right) == (one.kind != "wanted"), one.text
        assert bool(re.search("[\u4e00-\u9fff]", one.text)) == (one.language == "zh"), one.text


def test_no_sentence_for_a_rewriter_is_an_example_elsewhere():
    """What stands in the code, in its tests or in the labels' guide was seen when the rules were written."""
    seen = [FOLDER / "GUIDE.md", *(ROOT / "utils/helix/generative").glob("*.py"), *(ROOT / "tests").rglob("*.py")]
    everything = "\n".join(file.read_text(encoding="utf-8") for file in seen)
    assert not [text for text in job_ads.rewriting()["text"] if text in everything]
    assert not set(job_ads.rewriting()["text"]) & set(job_ads.load()["text"])


@pytest.mark.parametrize(
    ("made", "wanted"),
    [("They work.", "right"), ("Those work.", "right"), ("He works.", "left"), ("They works.", "wrong"), ("", "wrong")],
)
def test_outcome(made, wanted):
    assert job_ads.outcome("He works.", ("They work.", "Those work."), made) == wanted


def test_what_must_stay_is_right_only_as_it_was():
    assert job_ads.outcome("She is.", ("She is.",), "She is.") == "right"
    assert job_ads.outcome("She is.", ("She is.",), "They are.") == "wrong"


def test_the_card_says_what_was_measured():
    figures = results.load("20_generation_bias")["figures"]["rewriter"]["both"]
    card = (FOLDER / "CARD.md").read_text(encoding="utf-8")
    n, share, touched = len(job_ads.rewriting()), figures["wrong_share"], figures["ads_touched"]
    changed, of = figures["ads"]["none"]
    assert (
        f"makes {figures['wrong']} of {n} sentences wrong (95 % interval {share['low']:.1%} to {share['high']:.1%})".replace(
            "%)", " %)"
        ).replace("% to", " % to")
        in card
    )
    assert f"leaves {figures['left']} that should have changed" in card
    assert (
        f"of the {of} sentences there in which no wording is gendered the rewriter\nchanges {changed} ({touched['value']:.1%}, {touched['low']:.1%} to {touched['high']:.1%};".replace(
            "%", " %"
        )
        in card
    )
    assert "of the {1} with a pronoun of the wanted person it changes {0}".format(*figures["ads"]["pronoun"]) in card
