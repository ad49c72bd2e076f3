"""Errors are pushed where they harm least: never worse than plain rounding where it counts, and equal to it where nothing is known."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from helix.engineering import compensation
from helix.engineering.grids import on_grid


def drawn(seed: int, outputs: int = 6, inputs: int = 24, tokens: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights, and inputs that hang together and differ in size."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(inputs, inputs, generator=generator)
    x = torch.randn(tokens, inputs, generator=generator) @ mix * torch.logspace(-1, 1, inputs)
    return torch.randn(outputs, inputs, generator=generator), x


def test_answer_error_is_that_of_the_answers():
    weight, x = drawn(0)
    rounded = on_grid(weight, 3)
    by_hand = ((x @ (weight - rounded).T).square().sum() / (x @ weight.T).square().sum()).sqrt()
    assert compensation.answer_error(weight, rounded, x.T @ x) == pytest.approx(float(by_hand), rel=1e-4)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([3, 4]), st.sampled_from([None, 8]))
def test_scaling_answers_no_worse_than_the_nearest(seed, bits, group):
    weight, x = drawn(seed)
    moment = x.T @ x
    plain, made = on_grid(weight, bits, group), compensation.scaled(weight, moment, bits, group)
    assert compensation.answer_error(weight, made, moment) <= compensation.answer_error(weight, plain, moment) * 1.0001


@pytest.mark.parametrize("bits", [3, 4])
def test_feeding_back_answers_better_where_inputs_have_much_in_common(bits):
    for seed in range(20):
        draw = torch.Generator().manual_seed(seed)
        x = torch.randn(200, 6, generator=draw) @ torch.randn(6, 24, generator=draw)
        x += 0.3 * torch.randn(x.shape, generator=draw)
        weight, moment = torch.randn(6, 24, generator=draw), x.T @ x
        fed_back, plain = compensation.fed_back(weight, moment, bits), on_grid(weight, bits)
        assert compensation.answer_error(weight, fed_back, moment) < 0.7 * compensation.answer_error(
            weight, plain, moment
        )


@pytest.mark.parametrize("group", [None, 8])
def test_without_correlation_feeding_back_is_rounding(group):
    weight, _ = drawn(1)
    made = compensation.fed_back(weight, torch.eye(24), 4, group)
    torch.testing.assert_close(made, on_grid(weight, 4, group), rtol=0, atol=1e-5)


def test_errors_are_pushed_as_the_paper_says():
    """Against the update of optimal brain surgery, column by column, with the inverse computed anew each time."""
    weight, x = drawn(2, outputs=3, inputs=7)
    moment = (x.T @ x).double()
    damped = moment + 0.01 * moment.diagonal().mean() * torch.eye(7)
    left, scale = weight.double().clone(), weight.double().abs().amax(dim=1) / 7
    made = torch.zeros_like(left)
    for column in range(7):
        inverse = torch.linalg.inv(damped[column:, column:])
        made[:, column] = (left[:, column] / scale).round().clamp(-7, 7) * scale
        error = (left[:, column] - made[:, column]) / inverse[0, 0]
        left[:, column:] -= torch.outer(error, inverse[0])
    torch.testing.assert_close(compensation.fed_back(weight, moment.float(), 4).double(), made, rtol=0, atol=1e-3)


def test_made_weights_lie_on_grids():
    weight, x = drawn(3)
    made = compensation.fed_back(weight, x.T @ x, 3)
    assert all(len(row.unique()) <= 7 for row in made)


def test_smoothing_leaves_the_answer_and_evens_the_inputs():
    weight, x = drawn(4)
    x[0, 5] = 2700.0
    for power in (0.0, 0.5, 1.0):
        divisor = compensation.smoothing(x.abs().amax(dim=0), weight, power)
        torch.testing.assert_close((x / divisor) @ (weight * divisor).T, x @ weight.T, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close((x / divisor).abs().amax(dim=0), torch.ones(24))
    assert torch.isfinite(compensation.smoothing(torch.zeros(24), torch.zeros(6, 24))).all()


def test_what_a_model_reads_is_watched_and_hooks_are_removed():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    x = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))

    def read() -> None:
        model(x[:6])
        model(x[None, 6:])  # with an axis more

    found = compensation.moments(model, read)
    assert list(found) == ["0", "2"]
    torch.testing.assert_close(found["0"], x.T @ x)
    torch.testing.assert_close(compensation.reaches(model, read)["0"], x.abs().amax(dim=0))

    def fail() -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        compensation.moments(model, fail)
    assert not any(layer._forward_pre_hooks for layer in model)


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (torch.eye(5), "has no moment of shape"),
        (torch.zeros(24, 24), "not all zero"),
        (torch.full((24, 24), torch.nan), "finite"),
    ],
)
def test_moments_that_are_none_are_refused(moment, said):
    weight, _ = drawn(0)
    for way in (compensation.fed_back, compensation.scaled):
        with pytest.raises(ValueError, match=said):
            way(weight, moment, 4)
