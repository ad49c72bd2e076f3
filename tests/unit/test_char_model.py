"""The small GPT-2: its alphabet, what it learns from tiny texts, its probabilities, its file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helix.generative import char_model, job_corpus
from helix.generative import generation_bias as bias

TINY = {"width": 32, "layers": 2, "heads": 2}


@pytest.fixture(scope="module")
def trained():
    torch.set_num_threads(1)
    model = char_model.build(0, **TINY)
    losses = char_model.train(model, ["Lunch is free.", "他工作认真。"], 25_000, 0, batch=64)
    return model, losses


@pytest.mark.parametrize("variant", job_corpus.VARIANTS)
def test_the_alphabet_is_that_of_the_corpora(variant):
    for one in job_corpus.make(variant, 15, 2):
        assert char_model.decode(char_model.encode(one.text)) == one.text
        assert len(one.text) <= char_model.POSITIONS - 2
    assert len(set(char_model.VOCABULARY)) == len(char_model.VOCABULARY)
    assert char_model.END not in char_model.encode(char_model.VOCABULARY)


def test_what_the_alphabet_lacks_is_named():
    with pytest.raises(ValueError, match="'€' is not among them"):
        char_model.encode("Pay in €")


def test_it_learns(trained):
    model, losses = trained
    assert losses[0] > 4
    assert np.mean(losses[-10:]) < 0.5
    assert not model.training
    made = char_model.sample(model, ["Lunch", "他工", "Lunch"], 3)
    assert made == ["Lunch is free.", "他工作认真。", "Lunch is free."]
    assert made == char_model.sample(model, ["Lunch", "他工", "Lunch"], 3)


def test_surprise_and_probabilities_agree(trained):
    model, _ = trained
    text = "Lunch is free."
    nats = char_model.surprise(model, text)
    assert nats.shape == (len(text),)
    (given,) = char_model.log_probabilities(model, "Lunch", [" is free."])
    assert given == pytest.approx(-nats[5:].sum(), abs=1e-4)
    low, high = char_model.log_probabilities(model, "Lunch ", ["认真。", "is fr"])
    assert low < high


def test_probabilities_of_all_characters_sum_to_one(trained):
    model, _ = trained
    found = char_model.log_probabilities(model, "Lun", list(char_model.VOCABULARY))
    assert np.exp(found).sum() == pytest.approx(1, abs=0.01)  # less the chance that the text ends here
    assert np.exp(found).sum() <= 1 + 1e-5


def test_padding_changes_nothing(trained):
    model, _ = trained
    with torch.no_grad():
        alone = char_model._losses(model, char_model._rows(["他工作"]))[0]
        beside = char_model._losses(model, char_model._rows(["他工作", "Lunch is free."]))[0]
    assert torch.allclose(alone, beside[: len(alone)], atol=1e-5)
    assert not beside[len(alone) :].any()


@pytest.mark.parametrize(("texts", "characters"), [([], 10), (["Lunch"], 0)])
def test_nothing_to_read_is_refused(texts, characters):
    with pytest.raises(ValueError, match="nothing to train on"):
        char_model.train(char_model.build(0, **TINY), texts, characters, 0)


def test_too_long_a_text_is_refused():
    with pytest.raises(ValueError, match="has 400 characters; the model reads 222"):
        char_model.train(char_model.build(0, **TINY), ["a" * 400], 400, 0)


def test_the_same_seed_builds_the_same_model():
    first, second, other = (char_model.build(seed, **TINY).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


def test_a_file_gives_the_model_back(tmp_path):
    model = char_model.build(3).eval()
    char_model.save(model, tmp_path / "deep" / "one.safetensors")
    back = char_model.from_file(tmp_path / "deep" / "one.safetensors")
    assert not back.training
    text = "He works with care."
    assert np.allclose(char_model.surprise(model, text), char_model.surprise(back, text), atol=0.02)  # float16
    assert (tmp_path / "deep" / "one.safetensors").stat().st_size < 2_000_000


def test_common_surprise_counts_the_common_sentences_alone(trained, monkeypatch):
    model, _ = trained
    made = job_corpus.make("biased", 2, 4, ["en"], job_corpus.OCCUPATIONS[:2])
    monkeypatch.setattr(
        bias, "surprise", lambda _, text: np.where(np.arange(len(text)) < text.index(".") + 1, 1.0, 0.0)
    )
    common = [sum(len(s.text) for s in one.sentences if s.kind in ("opener", "trait", "neutral")) for one in made]
    openers = [len(one.sentences[0].text) for one in made]
    assert bias.common_surprise(model, made) == pytest.approx(sum(openers) / sum(common))


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="'biased', 'cleaned' and 'augmented'; got 'fair'"):
        char_model.load("fair")
