"""The training loop learns, repeats itself, and does with order, mirroring and rate what it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from helix.datasets import fashion_mnist
from helix.engineering import training


def toy(n: int = 200, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of 4 × 4, the upper or the lower half brighter: a mirror leaves the class as it is."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    pictures = torch.rand(n, 1, 4, 4, generator=draw)
    pictures[labels == 0, :, :2] += 0.6
    pictures[labels == 1, :, 2:] += 0.6
    return pictures, labels


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


def trained(seed: int, *, start: int = 0, **options) -> nn.Module:
    model = linear(start)
    training.fit(model, *toy(), **{"epochs": 2, "rate": 0.1, "seed": seed, "batch": 20} | options)
    return model


def weights(model: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


class Watched(nn.Module):
    """A linear classifier that keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.shown = linear(), []

    def forward(self, x):
        self.shown.append(x.detach().clone())
        return self.inner(x)


def test_it_learns_what_can_be_learnt():
    pictures, labels = toy()
    model = linear()
    before = float(nn.functional.cross_entropy(model(pictures), labels).detach())
    loss = training.fit(model, pictures, labels, epochs=10, rate=0.2, seed=0, batch=20)
    assert loss < before / 2
    held_out, truth = toy(seed=1)
    assert (training.predict(model, held_out) == truth.numpy()).mean() > 0.95
    assert not model.training


def test_evaluation_mode_is_left_even_where_it_began():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 2)).eval()
    training.fit(model, *toy(), epochs=1, rate=0.1, seed=0, batch=20)
    assert int(model[1].num_batches_tracked) == 10  # it was trained in training mode nevertheless
    assert not any(module.training for module in model.modules())


def test_one_seed_gives_one_network_whatever_else_was_drawn():
    first = weights(trained(3))
    assert torch.equal(weights(trained(3)), first)
    assert not torch.equal(weights(trained(4)), first)
    model = linear()
    torch.manual_seed(99)
    training.fit(model, *toy(), epochs=2, rate=0.1, seed=3, batch=20)
    assert torch.equal(weights(model), first)


@pytest.mark.parametrize(("pictures", "labels", "batch"), [(10, 10, 11), (10, 9, 5), (9, 10, 5), (0, 0, 1)])
def test_sizes_that_do_not_fit_are_refused(pictures, labels, batch):
    images, classes = torch.zeros(pictures, 1, 4, 4), torch.zeros(labels, dtype=torch.int64)
    message = f"{pictures} pictures, {labels} labels and batches of {batch} do not fit together"
    with pytest.raises(ValueError, match=message):
        training.fit(linear(), images, classes, epochs=1, rate=0.1, seed=0, batch=batch)


def test_each_pass_shows_every_picture_once_and_leaves_the_last_small_batch_out():
    pictures, labels = toy(23)
    untouched = pictures.clone()
    model, steps = Watched(), []
    training.fit(model, pictures, labels, epochs=3, rate=0.1, seed=0, batch=5, after_step=lambda: steps.append(1))
    assert len(steps) == len(model.shown) == 3 * 4
    assert {len(part) for part in model.shown} == {5}
    # The sum of a picture is its fingerprint, mirrored or not.
    sums = untouched.sum((1, 2, 3))
    seen = torch.stack(model.shown).reshape(3, 20, -1).sum(-1)
    order = (seen[..., None] - sums).abs().argmin(-1)
    assert all(len(set(one.tolist())) == 20 for one in order)
    assert not torch.equal(order[0], order[1])
    assert torch.equal(pictures, untouched)


def test_half_of_the_pictures_are_mirrored_left_to_right():
    pictures, labels = toy(200)
    model = Watched()
    training.fit(model, pictures, labels, epochs=5, rate=0.1, seed=0, batch=20)
    shown = torch.cat(model.shown)
    plain = [bool((pictures == one).flatten(1).all(1).any()) for one in shown]
    mirrored = [bool((pictures.flip(-1) == one).flatten(1).all(1).any()) for one in shown]
    assert all(a != b for a, b in zip(plain, mirrored, strict=True))
    assert 0.44 < np.mean(mirrored) < 0.56  # four standard deviations of 1,000 coins


def test_after_step_sees_each_step_when_it_is_done():
    model, seen = linear(), []
    start = weights(model)
    training.fit(
        model, *toy(), epochs=2, rate=0.1, seed=0, batch=20, after_step=lambda: seen.append(weights(model).clone())
    )
    assert len(seen) == 20
    assert not torch.equal(seen[0], start)
    assert all(not torch.equal(a, b) for a, b in itertools.pairwise(seen))
    assert torch.equal(seen[-1], weights(model))


@pytest.fixture
def optimisers(monkeypatch):
    """The optimisers that are made, each with the learning rates of its steps."""
    made = []

    class Noted(torch.optim.SGD):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.rates = []
            made.append(self)

        def step(self, closure=None):
            self.rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "SGD", Noted)
    return made


def test_rate_rises_over_a_tenth_and_falls_along_a_cosine(optimisers):
    trained(0, epochs=4, rate=0.5)  # 40 steps
    (optimiser,) = optimisers
    rates = np.array(optimiser.rates)
    assert rates[:4] == pytest.approx(0.5 * np.arange(1, 5) / 4)
    assert rates[4:] == pytest.approx(0.25 * (1 + np.cos(np.pi * np.arange(36) / 36)))
    assert 0 < rates[-1] < 0.005 * 0.5
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)
    assert {name: optimiser.defaults[name] for name in ("momentum", "nesterov", "weight_decay")} == {
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
    }


def test_weight_decay_pulls_weights_to_zero():
    assert weights(trained(0, decay=0.5)).norm() < weights(trained(0, decay=0.0)).norm()


def test_loss_is_the_mean_of_the_last_50_steps(monkeypatch):
    losses, cross_entropy = [], nn.functional.cross_entropy

    def noted(*arguments):
        loss = cross_entropy(*arguments)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(nn.functional, "cross_entropy", noted)
    model = linear()
    told = training.fit(model, *toy(), epochs=6, rate=0.2, seed=0, batch=20)
    assert len(losses) == 60
    assert told == pytest.approx(np.mean(losses[10:]))
    assert told != pytest.approx(np.mean(losses), rel=1e-3)


@pytest.mark.parametrize("batch", [1, 7, 200, 1000])
def test_predictions_do_not_depend_on_the_batch(batch):
    pictures, _ = toy()
    model = linear()
    with torch.no_grad():
        whole = model(pictures)
    found = training.logits(model, pictures, batch)
    assert not found.requires_grad
    torch.testing.assert_close(found.clone(), whole)
    classes = training.predict(model, pictures, batch)
    assert classes.dtype == np.int64
    assert classes.tolist() == whole.argmax(1).tolist()


def test_pictures_become_tensors():
    images = np.zeros((2, 28, 28), np.uint8)
    images[1, 3, 4] = 255
    pictures, labels = training.tensors(fashion_mnist.Images(images, np.array([7, 2])))
    assert pictures.shape == (2, 1, 28, 28)
    assert pictures.dtype == torch.float32
    assert float(pictures.sum()) == float(pictures[1, 0, 3, 4]) == 1
    assert labels.dtype == torch.int64
    assert labels.tolist() == [7, 2]


def test_one_step_is_a_training_too():
    model = torch.nn.Linear(4, 2)
    before = model.weight.detach().clone()
    training.fit(model, torch.ones(5, 4), torch.zeros(5, dtype=torch.long), epochs=1, rate=0.1, seed=0, batch=4)
    assert not torch.equal(model.weight, before)


def test_no_epoch_is_refused():
    with pytest.raises(ValueError, match="at least one epoch"):
        training.fit(
            torch.nn.Linear(4, 2),
            torch.ones(5, 4),
            torch.zeros(5, dtype=torch.long),
            epochs=0,
            rate=0.1,
            seed=0,
            batch=4,
        )
