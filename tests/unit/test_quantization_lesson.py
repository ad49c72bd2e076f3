"""Chapter 01: what it writes out equals what the package does; its networks are those of their card; its record is whole."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import torch

from helix import cards, paths
from helix.datasets import fashion_mnist
from helix.engineering import quantization, trained, training
from helix.labs import quantization as check
from helix.record import results
from lessons import from_chapter

CARD = cards.facts(trained.FOLDER)


@pytest.fixture(scope="module")
def weight():
    return torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 7).reshape(6, 1, 1, 1)


@pytest.mark.parametrize("bits", range(2, 9))
def test_quantize_by_hand_is_the_packages(weight, bits):
    by_hand = from_chapter("01", "quantize", np=np)
    scales = from_chapter("01", "channel_scales", np=np)
    rows = weight.reshape(6, -1)
    grid = quantization.symmetric(rows, bits, axis=0)
    s = scales(rows.numpy(), bits)
    np.testing.assert_allclose(s[:, 0], grid.scale, rtol=1e-6)
    np.testing.assert_array_equal(by_hand(rows.numpy(), s, bits), grid.quantize(rows))


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_straight_through_by_hand_is_the_packages(weight, bits):
    straight_through = from_chapter("01", "straight_through", torch=torch)
    mine, theirs = (weight.clone().requires_grad_() for _ in range(2))
    upstream = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    by_hand, packages = straight_through(mine, bits), quantization.on_grid(theirs, bits)
    torch.testing.assert_close(by_hand, packages)
    (by_hand * upstream).sum().backward()
    (packages * upstream).sum().backward()
    torch.testing.assert_close(mine.grad, theirs.grad)  # the scale leaves nothing beyond the grid to be clipped


@pytest.mark.parametrize("lost", [19, 20, 21])
def test_gate_by_hand_is_the_packages(lost):
    loses_nobody = from_chapter("01", "loses_nobody", np=np, pd=pd)
    labels = np.repeat([0, 1, 2], 1000)
    before = labels.copy()
    before[:300] = 1
    after = labels.copy()
    after[1000 : 1000 + lost] = 2  # the first class gains 300, the second loses a few
    assert loses_nobody(labels, before, after) == quantization.class_gate(labels, before, after) == (lost <= 20)


# ------------------------------------------------------------------ the networks of the card


@pytest.fixture(scope="module")
def test_split():
    return training.tensors(fashion_mnist.load("test"))


# The recorded program of the last one chose its grids for activations anew.
@pytest.mark.parametrize(
    ("name", "variant", "most"), [("fp32", "fp32", 3), ("fp32_longer", "fp32, one epoch more", 3), ("qat", "QAT", 20)]
)
def test_networks_are_those_of_the_card(test_split, name, variant, most):
    content = (paths.root() / trained.FOLDER / f"{name}.safetensors").read_bytes()
    assert CARD["files"][f"{name}.safetensors"] == {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    images, labels = test_split
    recorded = np.array([int(digit) for digit in results.load("01_quantization")["figures"]["answers"][variant]])
    right = int((recorded == labels.numpy()).sum())
    assert CARD["right_of_10000_test_pictures"][name] == pytest.approx(right, abs=most if name == "qat" else 0)
    # Picture by picture; another processor adds in another order, which turns a few close answers round.
    assert (training.predict(trained.load(name), images[:2000]) != recorded[:2000]).sum() <= most


def test_the_card_counts_parameters_and_stored_weights():
    network = trained.load("fp32")
    taps = trained.live_taps(network)
    stored = sum(
        layer.weight[:, :, *taps[name]].numel() for name, layer in quantization.layers(network).items() if name in taps
    )
    assert (sum(p.numel() for p in network.parameters()), stored) == (CARD["parameters"], CARD["stored_weights"])


# ------------------------------------------------------------------ the record


@pytest.fixture(scope="module")
def record():
    return results.load("01_quantization")["figures"]


def test_recorded_accuracies_follow_from_the_recorded_answers(record, test_split):
    labels = test_split[1].numpy()
    for name, one in record["variants"].items():
        answers = np.array([int(digit) for digit in record["answers"][name]])
        assert np.mean(answers == labels) == pytest.approx(one["accuracy"]["value"])
        assert one["accuracy"]["low"] < one["accuracy"]["value"] < one["accuracy"]["high"]


def test_float32_is_as_good_as_the_course_needs(record):
    assert record["variants"]["fp32"]["accuracy"]["value"] >= 0.90


def test_recorded_perplexities_are_medians_and_ranges_of_many_draws(record):
    runs = pd.DataFrame(results.load("01_quantization")["runs"]["jittered"])
    draws = runs.pivot_table(index="draw", columns="model", values="perplexity")
    assert len(draws) >= 10
    assert set(draws.columns) == set(record["language"])
    ratios = draws.div(draws["fp32"], axis=0)
    assert np.ptp(draws["fp32"]) < 1e-4 * draws["fp32"].min()  # noise of a millionth is nothing to float32
    for name, one in record["language"].items():
        expected = (ratios[name].median(), ratios[name].min(), ratios[name].max())
        assert tuple(one["ratio"][end] for end in ("value", "low", "high")) == pytest.approx(expected)


def test_chapter_asserts_less_than_what_the_draws_move(record):
    legacy, torchao = (record["language"][name]["ratio"] for name in ("legacy", "torchao"))
    assert legacy["low"] > 1.5 * 1.2 * torchao["high"]  # a fifth in reserve
    assert torchao["high"] < 1.15 < legacy["low"]


def test_company_changes_an_answer_only_where_the_batch_shares_a_grid(record):
    runs = pd.DataFrame(results.load("01_quantization")["runs"]["leaning"])
    spread = runs.groupby(["model", "draw"])["she_over_he"].agg(np.ptp)
    assert (spread["legacy"] > 0.05).all()
    assert (spread["torchao"] < 1e-3).all()
    assert (spread["fp32"] < 1e-3).all()
    assert (
        record["leaning"]["torchao"]["alone"]["high"] - record["leaning"]["torchao"]["alone"]["low"] > 0.1
    )  # the noise does


def test_recorded_network_under_the_budget_is_what_the_lab_builds(record, test_split):
    mixed = record["mixed"]
    assert sum(bits * mixed["numbers"][part] for part, bits in mixed["bits"].items()) <= 8 * mixed["budget"]
    network = trained.load("fp32")
    bits = {name: mixed["bits"][name.split(".")[0]] for name in quantization.layers(network)}
    images = test_split[0][:1000]
    now = training.predict(quantization.quantize(network, bits, None), images)
    recorded = np.array([int(digit) for digit in record["answers"]["mixed"][:1000]])
    assert np.mean(now == recorded) > 0.995


def test_the_decision_lies_where_the_lab_says(record):
    assert check._falls("value") <= check.LIMIT < check._falls("low")
    assert record["variants"]["int4 weights"]["bytes"] < record["variants"]["fp32"]["bytes"] / 6
