"""The stored generators are those of their card, and what the card says of them can be had from them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from helix import cards
from helix.generative import char_model, job_corpus
from helix.generative import generation_bias as bias

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def facts() -> dict:
    return cards.facts(char_model.FOLDER)


def test_files_are_those_of_the_card(facts):
    assert set(facts["files"]) == {f"{name}.safetensors" for name in job_corpus.VARIANTS}
    for name, file in facts["files"].items():
        content = (ROOT / char_model.FOLDER / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"]), name
    assert sum(file["bytes"] for file in facts["files"].values()) <= 8_000_000


def test_parameters_are_those_of_the_card(facts):
    assert sum(one.numel() for one in char_model.load("biased").parameters()) == facts["parameters"]


@pytest.mark.parametrize("name", job_corpus.VARIANTS)
def test_surprise_is_that_of_the_card(facts, name):
    torch.set_num_threads(1)
    unseen = job_corpus.make(name, 1, 1000)
    assert bias.common_surprise(char_model.load(name), unseen) == pytest.approx(facts["surprise"][name], abs=0.002)


def test_the_biased_one_leans_and_the_others_do_not():
    texts = {
        name: char_model.sample(char_model.load(name), ["本公司诚聘护士。"] * 80, 5) for name in job_corpus.VARIANTS
    }
    leans = {name: bias.lean(some, "zh") for name, some in texts.items()}
    assert leans["biased"].value < -0.2
    assert leans["cleaned"].first + leans["cleaned"].second <= 4
    assert abs(leans["augmented"].value) < 0.4


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / char_model.FOLDER
    folder.mkdir(parents=True)
    for file in (ROOT / char_model.FOLDER).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    damaged = folder / "biased.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\x7f")
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    with pytest.raises(ValueError, match="damaged"):
        char_model.load("biased")
