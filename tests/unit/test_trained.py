"""What is stored of a network is enough, and no more than it needs; files and cards that are damaged are refused."""

from __future__ import annotations

import copy
import hashlib
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from helix import cards, paths
from helix.engineering import quantization, trained
from helix.engineering.resnet import resnet18

ALL, LATE, MIDDLE = (slice(0, 3),) * 2, (slice(1, 3),) * 2, (slice(1, 2),) * 2


@pytest.fixture(scope="module")
def net() -> nn.Module:
    """A ResNet18 for ten classes whose batch norms hold numbers, as after training."""
    torch.manual_seed(0)
    model = trained.silence(resnet18(10, 1))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def longer(net) -> nn.Module:
    """The network folded and trained further: its live weights and its biases moved a little."""
    torch.manual_seed(2)
    model = quantization.fold(net)
    with torch.no_grad():
        for layer in quantization.layers(model).values():
            layer.weight += 0.03 * layer.weight.abs().mean() * torch.randn_like(layer.weight)
            layer.bias += 0.01 * torch.randn_like(layer.bias)
    return trained.silence(model)


@pytest.fixture(scope="module")
def on_grids(net, pictures) -> nn.Module:
    return quantization.calibrate(quantization.quantize(net), pictures - 0.3)  # so that one zero point is not 0


def answers(model: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(pictures)


def close(model: nn.Module, other: nn.Module, pictures: torch.Tensor, share: float) -> bool:
    """Whether two networks answer alike, up to a share of the answers' length."""
    wanted = answers(other, pictures)
    return float((answers(model, pictures) - wanted).norm() / wanted.norm()) < share


def convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)}


# Taps ----------------------------------------------------------------------------------------------------


def test_live_taps_of_a_resnet18(net):
    taps = trained.live_taps(net)
    assert list(taps) == list(convolutions(net))
    small = {name: found for name, found in taps.items() if convolutions(net)[name].kernel_size == (3, 3)}
    late = {"layer4.0.conv1": LATE, **dict.fromkeys(("layer4.0.conv2", "layer4.1.conv1", "layer4.1.conv2"), MIDDLE)}
    assert small == dict.fromkeys(small, ALL) | late
    assert taps["conv1"] == (slice(0, 7),) * 2
    assert taps["layer4.0.downsample.0"] == (slice(0, 1),) * 2


def test_live_taps_depend_on_the_size_of_the_picture(net):
    whole = {name: (slice(0, layer.kernel_size[0]),) * 2 for name, layer in convolutions(net).items()}
    assert trained.live_taps(net, pixels=64) == whole
    tiny = trained.live_taps(net, pixels=1)
    assert tiny["conv1"] == (slice(3, 4),) * 2
    assert tiny["layer1.0.conv1"] == tiny["layer2.0.conv1"] == MIDDLE


def test_looking_for_taps_leaves_the_network_as_it_was(net):
    model = copy.deepcopy(net)
    for training in (True, False):
        model.train(training)
        trained.live_taps(model)
        assert all(module.training == training for module in model.modules())
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_taps_that_are_not_live_do_not_matter(net, pictures):
    model, taps = copy.deepcopy(net), trained.live_taps(net)
    torch.manual_seed(3)
    changed = 0
    with torch.no_grad():
        for name, layer in convolutions(model).items():
            noise = torch.randn_like(layer.weight)
            noise[:, :, *taps[name]] = layer.weight[:, :, *taps[name]]
            changed += int((noise != layer.weight).sum())
            layer.weight.copy_(noise)
    assert changed == 512 * (256 * 5 + 3 * 512 * 8)
    assert torch.equal(answers(model, pictures), answers(net, pictures))
    silenced = trained.silence(model)
    assert silenced is model
    for name, layer in convolutions(silenced).items():
        assert torch.equal(layer.weight, net.get_submodule(name).weight)


def test_live_taps_matter_each_of_them(net, pictures):
    model, taps = copy.deepcopy(net), trained.live_taps(net)
    model(pictures).pow(2).sum().backward()
    for name, layer in convolutions(model).items():
        met = layer.weight.grad.abs().sum((0, 1)) > 0
        live = torch.zeros_like(met)
        live[taps[name]] = True
        assert torch.equal(met, live), name


# What is stored ------------------------------------------------------------------------------------------


def test_packed_network_answers_as_before(net, pictures):
    packed = trained.pack(net)
    back = trained.unpack(packed)
    assert not any(module.training for module in back.modules())
    assert close(back, net, pictures, 1e-3)
    state = back.state_dict()
    for name, value in net.state_dict().items():
        if name.removesuffix(".weight") in convolutions(net):
            assert packed[name].dtype == torch.float16
            assert packed[name].is_contiguous()
            assert torch.equal(state[name], value.half().float())
        elif not name.endswith("num_batches_tracked"):
            assert packed[name].dtype == torch.float32
            assert torch.equal(state[name], value)
    assert not [name for name in packed if name.endswith("num_batches_tracked")]
    assert packed["layer4.1.conv1.weight"].shape == (512, 512, 1, 1)
    assert packed["layer4.0.conv1.weight"].shape == (512, 256, 2, 2)
    assert packed["layer1.0.conv1.weight"].shape == (64, 64, 3, 3)


def test_packing_shares_no_memory_with_the_network(net):
    model = copy.deepcopy(net)
    packed = trained.pack(model)
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            value.zero_()
    assert packed["bn1.running_var"].abs().sum() > 0
    assert packed["fc.weight"].abs().sum() > 0


def test_packed_change_is_held_finely(net, longer, pictures):
    packed = trained.pack_change(longer, net)
    assert set(packed) == {f"{n}.{part}" for n in quantization.layers(net) for part in ("change", "scale", "bias")}
    back, base = trained.unpack_change(packed, net), quantization.fold(net)
    found, before = quantization.layers(back), quantization.layers(base)
    for name, layer in quantization.layers(longer).items():
        change, scale = packed[f"{name}.change"], packed[f"{name}.scale"]
        assert change.dtype == torch.int8
        assert scale.shape == (len(layer.weight),)
        assert int(change.abs().amax()) == 127
        off = (found[name].weight - layer.weight).detach().abs().flatten(1).amax(1)
        assert (off <= 0.51 * scale + 1e-6).all()
        moved = (before[name].weight - layer.weight).detach().abs().flatten(1).amax(1)
        assert (off < moved / 100).all()
        assert torch.equal(found[name].bias, layer.bias)
    assert packed["layer4.1.conv2.change"].shape == (512, 512, 1, 1)
    assert close(back, longer, pictures, 1e-3)
    assert not close(base, longer, pictures, 0.05)  # the change is none that could be left out


def test_unpacking_a_change_leaves_the_base_alone(net, longer):
    before = copy.deepcopy(net.state_dict())
    trained.unpack_change(trained.pack_change(longer, net), net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_packed_integers_come_back_identical(on_grids, pictures):
    packed = trained.pack_int8(on_grids)
    back = trained.unpack_int8(packed)
    again = trained.pack_int8(back)
    assert set(again) == set(packed)
    for name, value in packed.items():
        if name.endswith(".q"):
            assert value.dtype == torch.int8
            assert value.is_contiguous()
        if name.endswith("_scale") or not name.endswith(".scale"):
            assert torch.equal(again[name], value), name
        else:  # 127 steps and back: the last place of a float
            torch.testing.assert_close(again[name], value, rtol=1e-6, atol=0)
    assert packed["layer4.1.conv1.q"].shape == (512, 512, 1, 1)
    assert packed["layer4.0.conv1.q"].shape == (512, 256, 2, 2)
    assert float(back.layer1[0].conv1.scale) != 1  # the grids of the activations are stored as well
    assert int(back.conv1.zero_point) != 0
    assert close(back, on_grids, pictures, 1e-3)


def test_packed_integers_are_those_of_the_weights(on_grids):
    packed = trained.pack_int8(on_grids)
    weight = on_grids.layer1[0].conv1.layer.weight.detach()
    step = weight.abs().flatten(1).amax(1) / 127
    assert torch.allclose(packed["layer1.0.conv1.scale"], step)
    held = packed["layer1.0.conv1.q"].float() * step[:, None, None, None]
    assert ((held - weight).abs().flatten(1).amax(1) <= 0.501 * step).all()


@pytest.mark.parametrize(("bits", "group"), [(8, None), (4, 9), ({"conv1": 3, "fc": 8}, None)])
def test_unwrapped_network_computes_with_the_same_weights(net, pictures, bits, group):
    model = quantization.quantize(net, bits, None, group)
    before = copy.deepcopy(model.state_dict())
    plain = trained.unwrapped(model)
    assert not any(isinstance(module, quantization.OnGrid) for module in plain.modules())
    assert isinstance(model.conv1, quantization.OnGrid)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(answers(plain, pictures), answers(model, pictures))
    assert not torch.equal(plain.conv1.weight, model.conv1.layer.weight)


def test_saving_makes_the_folder_and_keeps_types(tmp_path):
    packed = {"a": torch.tensor([1, -2], dtype=torch.int8), "b": torch.tensor([0.5]).half(), "c": torch.tensor(3.0)}
    trained.save(packed, tmp_path / "new" / "deep" / "net.safetensors")
    back = load_file(tmp_path / "new" / "deep" / "net.safetensors")
    assert set(back) == set(packed)
    assert all(back[name].dtype == value.dtype and torch.equal(back[name], value) for name, value in packed.items())


# Files and cards -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A repository whose weights folder holds one small file and its card."""
    made = tmp_path / trained.FOLDER
    made.mkdir(parents=True)
    (made / "fp32.safetensors").write_bytes(b"these are weights")
    write_card(made)
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    return made


def write_card(folder: Path) -> None:
    entries = [
        f'[files."{path.name}"]\nsha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n'
        for path in sorted(folder.glob("*.safetensors"))
    ]
    (folder / "CARD.md").write_text(
        "# Weights\n\n```toml\n" + "\n".join(entries) + "```\n\n```toml\nnot = facts\n```\n"
    )


def test_unknown_network_is_refused():
    with pytest.raises(ValueError, match="'fp32', 'fp32_longer' and 'qat'; got 'nonsense'"):
        trained.load("nonsense")


def test_all_three_networks_are_loaded_from_their_files(folder, net, longer, on_grids, pictures):
    packed = {
        "fp32": trained.pack(net),
        "fp32_longer": trained.pack_change(longer, trained.unpack(trained.pack(net))),
        "qat": trained.pack_int8(on_grids),
    }
    for name, tensors in packed.items():
        trained.save(tensors, folder / f"{name}.safetensors")
    write_card(folder)
    for name, wanted in (("fp32", net), ("fp32_longer", longer), ("qat", on_grids)):
        found = trained.load(name)
        assert not found.training
        assert close(found, wanted, pictures, 1e-3), name
    (folder / "fp32.safetensors").write_bytes(b"these are weights")
    with pytest.raises(ValueError, match="fp32.safetensors is damaged"):
        trained.load("fp32_longer")  # it is a change of the other one


def test_a_file_is_read_if_it_is_the_one_in_the_card(folder):
    assert cards.read(trained.FOLDER, "fp32.safetensors") == b"these are weights"
    assert set(cards.facts(trained.FOLDER)) == {"files"}


def test_damaged_and_missing_weights_are_refused(folder):
    mend = re.escape(paths.bring_back(trained.FOLDER))
    file = folder / "fp32.safetensors"
    for content in (b"these are weightz", b"these are weights\n", b""):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=rf"^{trained.FOLDER}/fp32.safetensors is damaged: .* {mend}$"):
            cards.read(trained.FOLDER, "fp32.safetensors")
        with pytest.raises(ValueError, match="is damaged"):
            trained.load("fp32")
    file.unlink()
    with pytest.raises(FileNotFoundError, match=rf"^{trained.FOLDER}/fp32.safetensors is missing. {mend}$"):
        trained.load("fp32")


@pytest.mark.parametrize(
    "text", ["", "```toml\nfiles = \n```\n", "```toml\nfiles = 1\n", "    ```toml\n    files = 1\n    ```\n"]
)
def test_unreadable_cards_are_refused(folder, text):
    (folder / "CARD.md").write_text(text)
    message = rf"{trained.FOLDER}/CARD.md cannot be read \(.*\). .*{re.escape(paths.bring_back(trained.FOLDER))}$"
    for call in (lambda: cards.facts(trained.FOLDER), lambda: trained.load("fp32")):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_folder_without_a_card_is_refused(folder):
    (folder / "CARD.md").unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"CARD.md is missing. .*{re.escape(paths.bring_back(trained.FOLDER))}$"
    ):
        trained.load("fp32")


def test_weights_that_would_be_lost_are_refused():
    torch.manual_seed(0)
    loud = quantization.quantize(resnet18(10, 1))  # not silenced
    with pytest.raises(ValueError, match="never meet a picture and are not 0"):
        trained.pack_int8(loud)


def test_a_file_that_no_card_lists_is_refused():
    with pytest.raises(ValueError, match="lists no other.safetensors; it lists fp32"):
        cards.read(trained.FOLDER, "other.safetensors")
