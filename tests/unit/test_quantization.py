"""Grids agree with numbers by hand and with torch's own; networks on them compute what integers would; the gate stops."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from helix.engineering import quantization
from helix.engineering.quantization import Grid, OnGrid, asymmetric, clipped, on_grid, symmetric
from helix.notices import without_notices


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def grid_of(scale, zero_point, low, high, axis=None) -> Grid:
    return Grid(torch.tensor(scale), torch.tensor(zero_point, dtype=torch.int32), low, high, axis)


# Grids ---------------------------------------------------------------------------------------------------


def test_unsigned_grid_by_hand():
    grid = grid_of(0.5, 3, 0, 7)  # holds -1.5, -1, ..., 2
    x = torch.tensor([-9.0, -1.5, -0.6, 0.0, 0.2, 0.3, 1.1, 2.0, 2.3, 99.0])
    q = grid.quantize(x)
    assert q.dtype == torch.uint8
    assert q.tolist() == [0, 0, 2, 3, 3, 4, 5, 7, 7, 7]
    wanted = [-1.5, -1.5, -0.5, 0.0, 0.0, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert grid.dequantize(q).tolist() == wanted
    assert grid.dequantize(q).dtype == torch.float32
    assert grid.round_trip(x).tolist() == wanted


def test_signed_grid_by_hand():
    grid = grid_of(0.25, 0, -3, 3)
    x = torch.tensor([-9.0, -0.7, -0.3, 0.0, 0.13, 0.49, 0.8])
    q = grid.quantize(x)
    assert q.dtype == torch.int8
    assert q.tolist() == [-3, -3, -1, 0, 1, 2, 3]
    assert grid.round_trip(x).tolist() == [-0.75, -0.75, -0.25, 0.0, 0.25, 0.5, 0.75]


def test_ties_go_to_the_even_neighbour():
    ties = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert grid_of(1.0, 0, -7, 7).quantize(ties).tolist() == [-2, -2, 0, 0, 2, 2]
    # An odd zero point changes nothing: x is rounded, and only then shifted.
    odd = grid_of(1.0, 3, 0, 255)
    assert (odd.quantize(ties).int() - 3).tolist() == [-2, -2, 0, 0, 2, 2]
    assert odd.round_trip(ties).tolist() == [-2, -2, 0, 0, 2, 2]


def integers_of_torch(make, *arguments) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch.quantize_* are to go
        return make(*arguments).int_repr()


@pytest.mark.parametrize("seed", range(3))
def test_integers_are_those_of_torch_per_tensor(seed):
    x = 3 * normal(5000, seed=seed) + 0.7
    unsigned, signed = asymmetric(x.min() * 0.8, x.max() * 0.8), symmetric(x)
    for grid, kind in ((unsigned, torch.quint8), (signed, torch.qint8)):
        wanted = integers_of_torch(torch.quantize_per_tensor, x, float(grid.scale), int(grid.zero_point), kind)
        q = grid.quantize(x)
        assert q.dtype == wanted.dtype
        # torch multiplies by 1 / scale, which may decide a tie in the last place of a float otherwise.
        tie = ((x / grid.scale) % 1 - 0.5).abs() < 1e-4
        assert torch.equal(q[~tie], wanted[~tie])
        assert (q.int() - wanted.int()).abs().max() <= 1
        assert tie.sum() < 10


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_integers_are_those_of_torch_per_channel(axis):
    x = normal(4, 5, 6) * torch.logspace(-2, 1, 6)
    grid = symmetric(x, axis=axis)
    places = x.shape[axis]
    assert grid.scale.shape == grid.zero_point.shape == (places,)
    scales, zeros = grid.scale.double(), torch.zeros(places, dtype=torch.int64)
    wanted = integers_of_torch(torch.quantize_per_channel, x, scales, zeros, axis % 3, torch.qint8)
    assert torch.equal(grid.quantize(x), wanted)
    torch.testing.assert_close(grid.dequantize(wanted), grid.round_trip(x))
    for place in range(places):  # a channel's grid is the one it would have alone
        alone = symmetric(x.select(axis, place))
        assert grid.scale[place] == alone.scale
        assert torch.equal(grid.quantize(x).select(axis, place), alone.quantize(x.select(axis, place)))


@pytest.mark.parametrize("bits", range(2, 9))
def test_error_is_at_most_half_a_step_inside_the_range(bits):
    x = normal(4000) + 0.3
    for grid in (symmetric(x, bits), asymmetric(x.min(), x.max(), bits)):
        assert grid.high - grid.low == 2**bits - (2 if grid.low < 0 else 1)
        off = (grid.round_trip(x) - x).abs()
        assert off.max() <= grid.scale / 2 * (1 + 1e-4)
        assert off.max() > grid.scale / 2 * 0.9  # and no finer grid was used than these bits have
        torch.testing.assert_close(grid.dequantize(grid.quantize(x)), grid.round_trip(x))
        assert len(grid.quantize(x).unique()) <= 2**bits


def test_what_is_outside_goes_to_the_ends():
    grid = asymmetric(-1.0, 2.0, 4)
    q = grid.quantize(torch.tensor([-50.0, 50.0]))
    assert q.tolist() == [0, 15]
    torch.testing.assert_close(grid.round_trip(torch.tensor([-50.0, 50.0])), torch.tensor([-1.0, 2.0]))
    even = symmetric(torch.tensor([-1.0, 0.5]), 3)
    assert even.quantize(torch.tensor([-50.0, 50.0])).tolist() == [-3, 3]


def test_symmetric_grid_reaches_the_largest_magnitude():
    grid = symmetric(torch.tensor([0.1, -2.54, 1.0]))
    assert (grid.low, grid.high, int(grid.zero_point), grid.axis) == (-127, 127, 0, None)
    assert float(grid.scale) == pytest.approx(0.02)
    assert grid.quantize(torch.tensor([-2.54, 0.0, 2.54])).tolist() == [-127, 0, 127]
    assert float(symmetric(torch.tensor([7.0]), 4).scale) == 1


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero_point"),
    [
        (-1.0, 2.0, 3 / 255, 85),
        (0.0, 5.1, 0.02, 0),
        (1.0, 5.1, 0.02, 0),  # widened to hold 0
        (-5.1, 0.0, 0.02, 255),
        (-5.1, -1.0, 0.02, 255),
        (0.0, 0.0, 1.0, 0),
        (torch.tensor(-0.3), torch.tensor(0.7), 1 / 255, 76),  # 76.5, to the even one
    ],
)
def test_asymmetric_grid_by_hand(low, high, scale, zero_point):
    grid = asymmetric(low, high)
    assert (grid.low, grid.high, grid.axis) == (0, 255, None)
    assert float(grid.scale) == pytest.approx(scale)
    assert int(grid.zero_point) == zero_point
    assert grid.zero_point.dtype == torch.int32


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_zero_lies_exactly_on_an_asymmetric_grid(bits):
    for low, high in np.random.default_rng(0).uniform(-3, 3, (50, 2)):
        grid = asymmetric(min(low, high), max(low, high), bits)
        assert float(grid.round_trip(torch.zeros(1))) == 0
        assert int(grid.quantize(torch.zeros(1))) == int(grid.zero_point)


def test_gradient_goes_straight_through_inside_and_stops_outside():
    x = torch.tensor([-1.4, -1.0, 0.1, 0.0, 1.9, 2.0, 2.4], requires_grad=True)
    asymmetric(-1.0, 2.0).round_trip(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 1, 0]
    rows = torch.tensor([[-1.5, 0.3, 1.5], [-1.5, 0.3, 1.5]], requires_grad=True)
    grid_of([1 / 127, 2 / 127], [0, 0], -127, 127, axis=0).round_trip(rows).sum().backward()
    assert rows.grad.tolist() == [[0, 1, 0], [1, 1, 1]]


def test_a_grid_is_chosen_without_gradients():
    x = normal(3, 4).requires_grad_()
    for axis in (None, 0):
        grid = symmetric(x, axis=axis)
        assert not grid.scale.requires_grad
        x.grad = None
        grid.round_trip(x).sum().backward()
        assert (x.grad == 1).all()


def test_a_channel_of_zeros_stays_zero_and_spoils_nothing():
    x = normal(3, 6)
    x[1] = 0
    grid = symmetric(x, axis=0)
    assert torch.isfinite(grid.scale).all()
    assert (grid.scale > 0).all()
    assert (grid.round_trip(x)[1] == 0).all()
    assert (grid.quantize(x)[1] == 0).all()
    assert (symmetric(torch.zeros(4)).round_trip(torch.zeros(4)) == 0).all()


@pytest.mark.parametrize("bits", [1, 0, 9, -8])
def test_impossible_numbers_of_bits_are_refused(bits):
    for call in (lambda: symmetric(torch.ones(2), bits), lambda: asymmetric(0, 1, bits)):
        with pytest.raises(ValueError, match=f"2 to 8 bits; got {bits}"):
            call()
    with pytest.raises(ValueError, match=f"2 to 8 bits; got {bits}"):
        clipped(torch.ones(2), bits)
    with pytest.raises(ValueError, match=f"2 to 8 bits; got {bits}"):
        on_grid(torch.ones(2, 2), bits)


@pytest.mark.parametrize("bad", [[], [1.0, float("nan")], [float("inf")], [-float("inf"), 0.0]])
def test_numbers_that_are_none_are_refused(bad):
    for call in (lambda: symmetric(torch.tensor(bad)), lambda: clipped(torch.tensor(bad))):
        with pytest.raises(ValueError, match="all of them finite"):
            call()


def test_impossible_ranges_are_refused():
    for ends in ((float("nan"), 1), (0, float("inf")), (-float("inf"), 0)):
        with pytest.raises(ValueError, match="all of them finite"):
            asymmetric(*ends)
    with pytest.raises(ValueError, match="range from 2 to 1 is upside down"):
        asymmetric(2, 1)


# Clipping ------------------------------------------------------------------------------------------------


def error(grid: Grid, x: torch.Tensor) -> float:
    return float((grid.round_trip(x) - x).pow(2).mean())


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_clipping_never_costs_and_gains_with_an_outlier(bits):
    for seed in range(3):
        for x in (normal(2000, seed=seed), normal(2000, seed=seed).relu(), normal(2000, seed=seed).abs() + 1):
            assert error(clipped(x, bits), x) <= error(asymmetric(x.min(), x.max(), bits), x)
    x = torch.cat([normal(2000).relu(), torch.tensor([12.0])])
    if bits < 8:
        assert error(clipped(x, bits), x) < 0.8 * error(asymmetric(x.min(), x.max(), bits), x)
        assert clipped(x, bits).scale < asymmetric(x.min(), x.max(), bits).scale


@pytest.mark.parametrize(("n", "low", "high"), [(500, -4.0, 4.0), (500, -4.0, 9.0), (5000, -14.0, 14.0)])
def test_clipping_chooses_the_best_of_36_lengths(n, low, high):
    x = torch.cat([normal(n), torch.tensor([low, high])])
    lengths = np.linspace(1, 0.3, 36)
    errors = [error(asymmetric(x.min() * float(share), x.max() * float(share), 4), x) for share in lengths]
    found, best = clipped(x, 4), float(lengths[np.argmin(errors)])
    assert error(found, x) == pytest.approx(min(errors), rel=1e-5)
    assert float(found.scale) == pytest.approx(float(asymmetric(x.min() * best, x.max() * best, 4).scale), rel=1e-5)
    assert found.high == 15
    if n > 500:
        assert best == pytest.approx(0.3)  # the shortest of all


def test_what_lies_on_the_whole_grid_is_not_clipped():
    x = torch.arange(-85, 171) / 64
    grid = clipped(x)
    assert (float(grid.scale), int(grid.zero_point)) == (1 / 64, 85)
    assert torch.equal(grid.round_trip(x), x)


# Weights -------------------------------------------------------------------------------------------------


def rounded(rows: np.ndarray, bits: int) -> np.ndarray:
    """Each row on its own symmetric grid, in numpy."""
    step = np.abs(rows).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    return np.round(rows / step) * step


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize(("shape", "group", "length"), [((3, 8), 4, 4), ((4, 2, 3, 3), 6, 6), ((4, 2, 3, 3), None, 18)])
def test_weights_lie_on_grids_of_their_groups(bits, shape, group, length):
    weight = normal(*shape) * torch.logspace(-1, 1, shape[-1])
    wanted = rounded(weight.double().numpy().reshape(-1, length), bits).reshape(shape)
    found = on_grid(weight, bits, group)
    assert found.shape == shape
    assert found.numpy() == pytest.approx(wanted, rel=1e-5, abs=1e-6)


def test_a_group_that_does_not_divide_a_channel_is_a_whole_channel():
    weight = normal(3, 10)
    assert torch.equal(on_grid(weight, 4, 4), on_grid(weight, 4))
    assert torch.equal(on_grid(weight, 4, 15), on_grid(weight, 4))  # never across channels
    assert not torch.equal(on_grid(weight, 4, 5), on_grid(weight, 4))


def test_rounded_weights_are_trained_straight_through():
    weight = normal(3, 8).requires_grad_()
    for group in (None, 4):
        weight.grad = None
        on_grid(weight, 4, group).sum().backward()
        assert (weight.grad == 1).all()


# Layers --------------------------------------------------------------------------------------------------


def test_integer_product_is_what_a_layer_on_grids_computes():
    layer, x = nn.Linear(40, 6), normal(9, 40) * 2 + 1
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(3))
    nn.init.normal_(layer.bias, generator=torch.Generator().manual_seed(4))
    module, inputs, weights = OnGrid(layer, 8, 8), asymmetric(-3.0, 5.0), symmetric(layer.weight, axis=0)
    module.scale, module.zero_point = inputs.scale, inputs.zero_point
    qx, qw = inputs.quantize(x), weights.quantize(layer.weight)
    assert (qx.dtype, qw.dtype) == (torch.uint8, torch.int8)
    assert 0 in qx  # some inputs are clipped, as in practice
    product = qx.int() @ qw.int().T - inputs.zero_point * qw.sum(1, dtype=torch.int32)
    assert product.dtype == torch.int32
    wanted = product.double() * inputs.scale.double() * weights.scale.double() + layer.bias.detach().double()
    with torch.no_grad():
        found = module(x)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_integer_convolution_is_what_a_layer_on_grids_computes():
    torch.manual_seed(0)
    layer, x = nn.Conv2d(3, 4, 3, stride=2, padding=1), normal(2, 3, 7, 7)
    module, inputs, weights = OnGrid(layer, 4, 8), asymmetric(x.min(), x.max()), symmetric(layer.weight, 4, axis=0)
    module.scale, module.zero_point = inputs.scale, inputs.zero_point
    shifted = inputs.quantize(x).double() - inputs.zero_point  # the padding is an exact 0
    product = functional.conv2d(shifted, weights.quantize(layer.weight).double(), stride=2, padding=1)
    scale = inputs.scale.double() * weights.scale.double()
    wanted = product * scale[:, None, None] + layer.bias.detach().double()[:, None, None]
    with torch.no_grad():
        found = module(x)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_activations_of_few_bits_are_clipped_at_their_own_end():
    module = OnGrid(nn.Linear(1, 1, bias=False), None, 3)
    nn.init.ones_(module.layer.weight)
    with torch.no_grad():
        assert module(torch.tensor([[3.2], [7.0], [8.0], [99.0]])).flatten().tolist() == [3, 7, 7, 7]


def test_a_layer_without_bits_is_the_layer():
    torch.manual_seed(0)
    for layer, x in ((nn.Conv2d(2, 3, 3, 2, 1, bias=False), normal(1, 2, 5, 5)), (nn.Linear(4, 3), normal(2, 4))):
        with torch.no_grad():
            assert torch.equal(OnGrid(layer, None, None)(x), layer(x))
            assert not torch.equal(OnGrid(layer, 4, None)(x), layer(x))
            assert not torch.equal(OnGrid(layer, None, 8)(x), layer(x))  # its grid is still 0, 1, 2, ...


def test_a_layer_on_grids_can_be_trained():
    torch.manual_seed(0)
    module = OnGrid(nn.Linear(4, 3), 8, 8)
    grid = asymmetric(-1, 1)
    module.scale, module.zero_point = grid.scale, grid.zero_point
    x = torch.tensor([[0.5, -0.5, 0.2, 30.0]], requires_grad=True)
    module(x).sum().backward()
    torch.testing.assert_close(module.layer.weight.grad, grid.round_trip(x.detach()).expand(3, 4))
    assert (x.grad[0, :3] != 0).all()
    assert x.grad[0, 3] == 0  # it was clipped


# Networks ------------------------------------------------------------------------------------------------


class Net(nn.Module):
    """Two convolutions with batch norms, one of them in a shortcut, and a linear layer with ten inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.downsample = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4))
        self.conv2 = nn.Conv2d(4, 10, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(10)
        self.fc = nn.Linear(10, 5)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)) + self.downsample(x))
        return self.fc(torch.relu(self.bn2(self.conv2(y))).mean((2, 3)))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    model = Net()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.3, 3)
            module.eps = 0.1  # large enough to be missed
    return model.eval()


@pytest.fixture
def pictures() -> torch.Tensor:
    brightness = torch.linspace(0.2, 2, 70)[:, None, None, None]
    return brightness * torch.rand(70, 3, 6, 6, generator=torch.Generator().manual_seed(7))


def test_folding_keeps_the_answers_and_the_original(net, pictures):
    before = copy.deepcopy(net.state_dict())
    folded = quantization.fold(net.train())
    assert net.training
    assert not folded.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        torch.testing.assert_close(folded(pictures), net.eval()(pictures), rtol=0, atol=1e-4)


def test_layers_are_named_in_order(net):
    assert list(quantization.layers(net)) == ["conv1", "downsample.0", "conv2", "fc"]


def test_every_layer_goes_onto_grids(net):
    model = quantization.quantize(net, 4, 6, group=3)
    assert not model.training
    assert isinstance(net.conv1, nn.Conv2d)
    found = {name: module for name, module in model.named_modules() if isinstance(module, OnGrid)}
    assert list(found) == ["conv1", "downsample.0", "conv2", "fc"]
    assert {(module.weight_bits, module.activation_bits, module.group) for module in found.values()} == {(4, 6, 3)}
    defaults = [module for module in quantization.quantize(net).modules() if isinstance(module, OnGrid)]
    assert {(module.weight_bits, module.activation_bits, module.group) for module in defaults} == {(8, 8, None)}


def test_bits_may_differ_between_layers(net, pictures):
    model = quantization.quantize(net, {"conv1": 8, "downsample.0": 3}, {"fc": 5})
    bits = {n: (m.weight_bits, m.activation_bits) for n, m in model.named_modules() if isinstance(m, OnGrid)}
    assert bits == {"conv1": (8, None), "downsample.0": (3, None), "conv2": (None, None), "fc": (None, 5)}
    with torch.no_grad():
        plain = quantization.quantize(net, None, None)
        torch.testing.assert_close(plain(pictures), net(pictures), rtol=0, atol=1e-4)


@pytest.mark.parametrize("which", ["weight_bits", "activation_bits"])
def test_unknown_layers_are_refused(net, which):
    message = "There is no layer bn1, head; there are conv1, downsample.0, conv2, fc"
    with pytest.raises(ValueError, match=message):
        quantization.quantize(net, **{which: {"head": 8, "conv1": 8, "bn1": 8}})


def test_calibration_sets_the_grids_of_activations_and_nothing_else(net, pictures):
    pictures = pictures - 0.4  # so that 0 lies inside of the range
    pictures[-1] *= 3  # the last part counts as well
    model = quantization.quantize(net, 4, {"conv1": 8, "conv2": 6})
    before = copy.deepcopy(model.state_dict())
    assert quantization.calibrate(model, pictures) is model
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"conv1.scale", "conv1.zero_point", "conv2.scale"}  # conv2 follows a ReLU
    # What each layer is shown while no activation is rounded, though weights are.
    seen = {}
    watched = quantization.quantize(net, 4, None)
    for name in ("conv1", "conv2"):
        watched.get_submodule(name).register_forward_pre_hook(
            lambda module, given, name=name: seen.__setitem__(name, given[0])
        )
    with torch.no_grad():
        watched(pictures)
    for name, bits in (("conv1", 8), ("conv2", 6)):
        wanted, module = clipped(seen[name].flatten(), bits), model.get_submodule(name)
        assert float(module.scale) == pytest.approx(float(wanted.scale), rel=1e-5)
        assert int(module.zero_point) == int(wanted.zero_point)
        assert module.sample is None


def test_calibration_depends_on_its_pictures_only(net, pictures):
    first, second = (quantization.calibrate(quantization.quantize(net), pictures) for _ in range(2))
    with torch.no_grad():
        second(5 * pictures)  # answering changes no grid
    quantization.calibrate(second, pictures)
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    brighter = quantization.calibrate(quantization.quantize(net), 2 * pictures)
    assert float(brighter.conv1.scale) == pytest.approx(2 * float(first.conv1.scale), rel=1e-5)


def test_calibration_samples_large_activations_sparsely():
    model = quantization.quantize(nn.Sequential(nn.Conv2d(1, 1, 1)))
    x = torch.rand(2, 1, 300, 300, generator=torch.Generator().manual_seed(0))
    kept = []
    model[0].sample = kept
    with torch.no_grad():
        model(x)
    assert torch.equal(kept[0], x.flatten()[::9])


def test_eight_bits_answer_almost_as_float_does_and_two_do_not(net, pictures):
    with torch.no_grad():
        wanted = net(pictures)
        off = {}
        for bits in (8, 4, 2):
            model = quantization.calibrate(quantization.quantize(net, bits, bits), pictures)
            off[bits] = float((model(pictures) - wanted).norm() / wanted.norm())
    assert off[8] < 0.02
    assert off[8] < off[4] / 4 < off[2] / 4


def test_size_by_hand(net):
    # Weights 4·27, 4·3, 10·36 and 5·10; biases 4, 4 (from the batch norm), 10 (likewise) and 5.
    whole = quantization.quantize(net, None, None)
    assert quantization.size(whole) == 4 * (108 + 12 + 360 + 50 + 23)
    even = quantization.quantize(net)
    assert quantization.size(even) == (108 + 12 + 360 + 50) + 4 * (4 + 4 + 10 + 5) + 4 * 23 + 4 * 8
    # Groups of 9 divide 27 and 36, but neither 3 nor 10: those have one scale for each channel.
    mixed = quantization.quantize(net, {"conv1": 8, "downsample.0": 3, "conv2": 4}, {"conv1": 8}, group=9)
    conv1 = 108 + 4 * 12 + 4 * 4 + 8
    shortcut = 12 * 3 / 8 + 4 * 4 + 4 * 4
    conv2 = 360 / 2 + 4 * 40 + 4 * 10
    fc = 4 * (50 + 5)
    assert quantization.size(mixed) == np.ceil(conv1 + shortcut + conv2 + fc)
    assert (conv1 + shortcut + conv2 + fc) % 1 == 0.5  # a half byte is stored as one
    assert quantization.size(quantization.quantize(nn.Sequential(nn.Linear(3, 2, bias=False)), 8, None)) == 6 + 8


def test_program_in_int8_answers_as_float_does():
    with without_notices():
        pytest.importorskip("torchao")
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    ).eval()
    x = torch.rand(70, 3, 8, 8)
    program = quantization.to_int8(model, x)
    with torch.no_grad():
        wanted = model(x)
        assert float((program(x) - wanted).norm() / (wanted - wanted.mean(0)).norm()) < 0.1
        assert program(x[:5]).shape == (5, 4)
        torch.testing.assert_close(program(x[:1]), program(x)[:1])
    state = program.state_dict().values()
    shapes = {value.shape for value in state if value.dtype == torch.int8}
    assert shapes == {(8, 3, 3, 3), (4, 8, 3, 3)}
    assert not [value.shape for value in state if value.is_floating_point() and value.ndim > 1]


# Whom it costs -------------------------------------------------------------------------------------------


def test_changes_of_classes_by_hand():
    labels = np.repeat([0, 4, 7], 10)
    before, after = labels.copy(), labels.copy()
    after[:3] = 4  # class 0 loses 3 of 10
    before[10:14] = 7  # class 4 gains 4 and loses 1
    after[19] = 0
    changes = quantization.class_changes(labels, before, after)
    assert list(changes) == [0, 4, 7]
    assert all(type(label) is int for label in changes)
    assert [change.value for change in changes.values()] == pytest.approx([-0.3, 0.3, 0])
    # Agresti and Min: half a picture more in each of the four cells.
    half = 1.959964 * np.sqrt(3 + 1 - 9 / 12) / 12
    assert (changes[0].low, changes[0].high) == pytest.approx((-3 / 12 - half, -3 / 12 + half))
    half = 1.959964 * np.sqrt(5 + 1 - 9 / 12) / 12
    assert (changes[4].low, changes[4].high) == pytest.approx((3 / 12 - half, 3 / 12 + half))
    assert (changes[7].low, changes[7].high) == pytest.approx((-1.959964 / 12, 1.959964 / 12))
    assert all(change.value in change for change in changes.values())


def test_changes_are_paired_picture_by_picture():
    labels = np.zeros(40, int)
    half = np.arange(40) % 2
    same = quantization.class_changes(labels, half, half)[0]
    swapped = quantization.class_changes(labels, half, 1 - half)[0]
    assert same.value == swapped.value == 0
    assert same.width < swapped.width / 5  # two samples of 50 % each would not tell these apart
    assert same == quantization.class_changes(labels, labels, labels)[0]
    assert same == quantization.class_changes(labels, half, 3 * half)[0]  # wrong before, and wrong otherwise after


@pytest.mark.parametrize(("before", "after"), [(9, 10), (10, 9), (11, 11)])
def test_pictures_that_do_not_match_are_refused(before, after):
    call = (np.zeros(10, int), np.zeros(before, int), np.zeros(after, int))
    for judge in (quantization.class_changes, quantization.class_gate):
        with pytest.raises(ValueError, match=f"10 labels, {before} and {after} predictions"):
            judge(*call)


def test_a_class_with_one_picture_tells_little():
    labels = np.array([0, 0, 1])
    assert quantization.class_changes(labels, labels, labels)[1].width > 1
    assert quantization.class_gate(labels, labels, labels)
    assert not quantization.class_gate(labels, labels, np.zeros(3, int))


def test_gate_passes_exactly_at_the_limit_and_stops_one_picture_beyond():
    labels = np.repeat([0, 1], 100)
    before, after = labels.copy(), labels.copy()
    assert quantization.class_gate(labels, before, after)
    after[:2] = 1
    assert quantization.class_gate(labels, before, after)  # 2 of 100, and 0.02 may pass
    after[2] = 1
    assert not quantization.class_gate(labels, before, after)
    assert quantization.class_gate(labels, before, after, limit=0.03)
    assert not quantization.class_gate(labels, before, after, limit=0)


def test_gate_stops_for_one_class_although_the_mean_improves():
    labels = np.repeat([0, 1, 2], 50)
    before, after = labels.copy(), labels.copy()
    before[:20] = 1  # class 0 gains 20
    after[-2:] = 1  # the last class loses 2 of 50
    assert (after == labels).mean() > (before == labels).mean()
    assert not quantization.class_gate(labels, before, after)


# ------------------------------------------------------------------ what was found wrong once


def test_a_vector_may_have_a_grid_for_each_number():
    grid = quantization.symmetric(torch.tensor([1.0, -2.0, 0.0]), bits=3, axis=0)
    assert grid.scale.tolist() == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_a_range_that_overflows_is_refused():
    with pytest.raises(ValueError, match="finite"):
        quantization.asymmetric(-3e38, 3e38)


def test_clipped_takes_numbers_that_are_being_trained():
    x = torch.randn(50, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert quantization.clipped(x, 4).scale == quantization.clipped(x.detach(), 4).scale


@pytest.mark.parametrize("how", [{"dilation": 2}, {"groups": 2}])
def test_convolutions_of_every_kind_are_computed(how):
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(4, 6, 3, padding=1, **how)
    x = torch.randn(2, 4, 9, 9)
    made = quantization.OnGrid(layer, 8, None)(x)
    assert made.shape == layer(x).shape
    torch.testing.assert_close(made, layer(x), atol=0.02, rtol=0.02)


def test_other_padding_is_refused():
    with pytest.raises(ValueError, match="padding with zeros"):
        quantization.OnGrid(torch.nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), 8, 8)


def test_a_bare_layer_is_refused():
    with pytest.raises(ValueError, match="target"):
        quantization.quantize(torch.nn.Linear(3, 2))


def test_quantize_and_round_trip_agree_on_ties():
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        scale = torch.rand((), generator=generator) + 0.01
        grid = quantization.Grid(scale, torch.tensor(0, dtype=torch.int32), -127, 127)
        ties = scale * (torch.arange(-126, 126) + 0.5)
        torch.testing.assert_close(grid.dequantize(grid.quantize(ties)), grid.round_trip(ties), rtol=0, atol=0)


class Mixed(nn.Module):
    """An embedding, a norm and a linear layer: what a count of convolutions and linear layers alone would miss."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm, self.head = nn.Embedding(50, 8), nn.LayerNorm(8), nn.Linear(8, 50)

    def forward(self, ids):
        return self.head(self.norm(self.embedding(ids)))


def test_size_counts_every_number_and_shared_ones_once():
    model = Mixed()
    assert quantization.size(quantization.quantize(model, None, None)) == 4 * (400 + 16 + 400 + 50)
    assert quantization.size(quantization.quantize(model, 4, None)) == 4 * (400 + 16 + 50) + 200 + 4 * 50
    model.head.weight = model.embedding.weight
    assert quantization.size(quantization.quantize(model, None, None)) == 4 * (400 + 16 + 50)
    # On a grid the head needs its own whole numbers, and the embedding its float32 ones.
    assert quantization.size(quantization.quantize(model, 4, None)) == 4 * (400 + 16 + 50) + 200 + 4 * 50


def test_a_layer_under_two_names_is_on_its_grid_under_both():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = self.a

        def forward(self, x):
            return self.b(self.a(x))

    made = quantization.quantize(Twice(), 2, None)
    assert made.a is made.b
    assert isinstance(made.b, OnGrid)
    x, grid = normal(3, 4), on_grid(made.a.layer.weight, 2)
    wanted = functional.linear(functional.linear(x, grid, made.a.layer.bias), grid, made.a.layer.bias)
    torch.testing.assert_close(made(x), wanted)


def test_batch_norms_elsewhere_are_left_in_place(pictures):
    class Before(nn.Module):
        """A batch norm before its convolution, with the names of one after it; and a convolution that two things use."""

        def __init__(self) -> None:
            super().__init__()
            self.bn1, self.conv1 = nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1, bias=False)
            self.conv2, self.bn2 = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
            self.other, self.norm_of_other = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            x = self.conv2(self.conv1(torch.relu(self.bn1(x))))
            return self.norm_of_other(self.other(x + self.bn2(x)))

    torch.manual_seed(0)
    model = Before()
    for norm in (model.bn1, model.bn2, model.norm_of_other):
        norm.running_mean.fill_(3.0)
        norm.running_var.fill_(2.0)
    model.eval()
    folded = quantization.fold(model)
    kinds = [type(module).__name__ for module in (folded.bn1, folded.bn2, folded.norm_of_other)]
    assert kinds == ["BatchNorm2d", "BatchNorm2d", "Identity"]
    with torch.no_grad():
        torch.testing.assert_close(folded(pictures), model(pictures), rtol=0, atol=1e-5)


def test_a_network_that_cannot_be_followed_is_refused_only_if_it_must_be():
    class Asks(nn.Module):
        def __init__(self, norm: bool) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1) if norm else nn.Identity()

        def forward(self, x):
            return self.bn(self.conv(x)) if x.sum() > 0 else x

    with pytest.raises(ValueError, match="cannot follow its forward"):
        quantization.quantize(Asks(norm=True))
    assert isinstance(quantization.quantize(Asks(norm=False)).conv, OnGrid)


def test_what_cannot_be_rounded_is_refused_in_a_sentence(net):
    attention = nn.TransformerEncoderLayer(8, 2, batch_first=True)
    for model in (attention, nn.Sequential(nn.MultiheadAttention(8, 2))):
        with pytest.raises(ValueError, match="without calling them"):
            quantization.quantize(model)
    with pytest.raises(ValueError, match="on grids already"):
        quantization.quantize(quantization.quantize(net))
    for bits in (0, 1, 9):
        with pytest.raises(ValueError, match=f"2 to 8 bits; got {bits}"):
            quantization.quantize(net, bits, None)
        with pytest.raises(ValueError, match=f"2 to 8 bits; got {bits}"):
            quantization.quantize(net, None, bits)
    with pytest.raises(ValueError, match="at least one weight"):
        on_grid(torch.ones(2, 4), 4, group=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16, torch.int32])
def test_other_types_than_float32_are_refused(dtype):
    weight = torch.ones(2, 4, dtype=dtype)
    for call in (
        lambda: on_grid(weight, 8),
        lambda: symmetric(weight),
        lambda: clipped(weight),
        lambda: symmetric(weight.float()).round_trip(weight),
    ):
        with pytest.raises(ValueError, match=r"call \.float\(\) first"):
            call()
    if dtype.is_floating_point:
        with pytest.raises(ValueError, match=r"call \.float\(\) first"):
            quantization.quantize(nn.Sequential(nn.Linear(4, 2)).to(dtype))


def test_a_layer_that_no_number_reaches_is_named():
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.aux = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.a(x)

    with pytest.raises(ValueError, match="No number came to aux"):
        quantization.calibrate(quantization.quantize(Unused()), normal(8, 4))
    left_out = quantization.quantize(Unused(), 8, {"a": 8})
    assert quantization.calibrate(left_out, normal(8, 4)) is left_out
    with pytest.raises(ValueError, match="No number came to a, aux: no pictures"):
        quantization.calibrate(quantization.quantize(Unused()), normal(0, 4))


@pytest.mark.parametrize(("bits", "group"), [(2, None), (3, None), (4, 8), (8, None)])
def test_clipped_weights_have_the_least_error_of_41_lengths(bits, group):
    weight = normal(6, 16, seed=bits) ** 3
    made = quantization.clip_weights(weight, bits, group)
    rows, cut = weight.reshape(-1, group or 16), on_grid(made, bits, group).reshape(-1, group or 16)
    for row, got in zip(rows.numpy(), cut.numpy(), strict=True):
        tops = [share * np.abs(row).max() for share in np.linspace(1, 0.2, 41)]
        q_max = 2 ** (bits - 1) - 1
        tried = [np.clip(np.round(row / (top / q_max)), -q_max, q_max) * top / q_max for top in tops]
        least = min(((one - row) ** 2).sum() for one in tried)
        assert ((got - row) ** 2).sum() == pytest.approx(least, rel=1e-4)
    assert (made.abs() <= weight.abs()).all()
    assert ((on_grid(made, bits, group) - weight) ** 2).sum() <= ((on_grid(weight, bits, group) - weight) ** 2).sum()


def test_a_network_with_clipped_weights_is_on_the_clipped_grids(net):
    plain, cut = (quantization.quantize(net, 3, None, clip=clip) for clip in (False, True))
    for one, other in zip(plain.modules(), cut.modules(), strict=True):
        if isinstance(one, OnGrid):
            assert torch.equal(other.layer.weight, quantization.clip_weights(one.layer.weight, 3))


def test_no_pictures_tell_nothing():
    for judge in (quantization.class_changes, quantization.class_gate):
        with pytest.raises(ValueError, match="no pictures"):
            judge(*[np.array([], int)] * 3)


def test_a_limit_that_stops_every_update_is_refused():
    labels = np.repeat([0, 1], 100)
    update, after = labels.copy(), labels.copy()
    update[:3] = 1
    with pytest.raises(ValueError, match=r"costs a class 0\.030, more than the limit of 0\.02"):
        quantization.class_gate(labels, labels, after, updates=[labels, update])
    assert quantization.class_gate(labels, labels, after, limit=0.03, updates=[labels, update])
    after[:4] = 1
    assert not quantization.class_gate(labels, labels, after, limit=0.03, updates=[update])
