"""ResNets have the published sizes and torchvision's names, and answer as another library's ResNets do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from helix.engineering.resnet import BasicBlock, Bottleneck, ResNet, resnet18, resnet50
from helix.notices import without_notices


@pytest.mark.parametrize(("make", "parameters"), [(resnet18, 11_689_512), (resnet50, 25_557_032)])
def test_number_of_parameters_is_the_published_one(make, parameters):
    assert sum(parameter.numel() for parameter in make().parameters()) == parameters


# Names and shapes as they stand in the files that torchvision publishes.
@pytest.mark.parametrize(
    ("make", "length", "shapes"),
    [
        (
            resnet18,
            122,
            {
                "conv1.weight": (64, 3, 7, 7),
                "bn1.running_var": (64,),
                "layer1.0.conv1.weight": (64, 64, 3, 3),
                "layer1.1.bn2.bias": (64,),
                "layer2.0.conv1.weight": (128, 64, 3, 3),
                "layer2.0.downsample.0.weight": (128, 64, 1, 1),
                "layer2.0.downsample.1.running_mean": (128,),
                "layer4.1.conv2.weight": (512, 512, 3, 3),
                "fc.weight": (1000, 512),
                "fc.bias": (1000,),
            },
        ),
        (
            resnet50,
            320,
            {
                "layer1.0.conv1.weight": (64, 64, 1, 1),
                "layer1.0.conv2.weight": (64, 64, 3, 3),
                "layer1.0.conv3.weight": (256, 64, 1, 1),
                "layer1.0.downsample.0.weight": (256, 64, 1, 1),
                "layer3.5.bn3.num_batches_tracked": (),
                "layer4.0.conv1.weight": (512, 1024, 1, 1),
                "layer4.0.downsample.0.weight": (2048, 1024, 1, 1),
                "layer4.2.conv3.weight": (2048, 512, 1, 1),
                "fc.weight": (1000, 2048),
            },
        ),
    ],
)
def test_names_are_those_of_torchvision(make, length, shapes):
    state = make().state_dict()
    assert len(state) == length
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


def test_only_a_block_that_changes_the_shape_has_layers_in_its_shortcut():
    def with_layers(model):
        blocks = {name: block for name, block in model.named_modules() if isinstance(block, BasicBlock | Bottleneck)}
        return [name for name, block in blocks.items() if block.downsample is not None]

    assert with_layers(resnet18(2, 1)) == ["layer2.0", "layer3.0", "layer4.0"]
    assert with_layers(ResNet(Bottleneck, (1, 2))) == ["layer1.0", "layer2.0"]  # the first one widens


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_stride_stands_where_it_was_published(block):
    model = ResNet(block, (1, 2), classes=2, channels=1)
    strided = [name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2)]
    first = "layer2.0.conv1" if block is BasicBlock else "layer2.0.conv2"
    assert strided == ["conv1", first, "layer2.0.downsample.0"]


def test_a_picture_of_28_pixels_shrinks_to_one_place():
    model, sides = resnet18(10, 1).eval(), []
    for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        model.get_submodule(name).register_forward_hook(lambda module, given, made: sides.append(made.shape[-1]))
    with torch.no_grad():
        assert model(torch.zeros(3, 1, 28, 28)).shape == (3, 10)
    assert sides == [14, 7, 7, 4, 2, 1]


def test_weights_begin_as_he_and_others_proposed():
    torch.manual_seed(0)
    for name, layer in resnet18(2, 1).named_modules():
        if isinstance(layer, nn.Conv2d):
            outputs, _, height, width = layer.weight.shape
            wanted = math.sqrt(2 / (outputs * height * width))
            spread = 4 / math.sqrt(2 * layer.weight.numel())  # four standard deviations of a standard deviation
            assert float(layer.weight.detach().std()) == pytest.approx(wanted, rel=spread), name


def settled(model: nn.Module) -> nn.Module:
    """Give every batch norm numbers as training would, so that none of the four can be mistaken for another."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "block", "widths", "depths"),
    [
        ("basic", BasicBlock, [64, 128, 256, 512], (2, 2, 2, 2)),
        ("bottleneck", Bottleneck, [256, 512, 1024, 2048], (1, 2, 1, 1)),
    ],
)
def test_answers_are_those_of_transformers(kind, block, widths, depths):
    with without_notices():
        transformers = pytest.importorskip("transformers")
        config = transformers.ResNetConfig(
            num_channels=2, embedding_size=64, hidden_sizes=widths, depths=list(depths), layer_type=kind, num_labels=5
        )
        reference = transformers.ResNetForImageClassification(config).eval()
    torch.manual_seed(1)
    model = settled(ResNet(block, depths, classes=5, channels=2))

    def theirs(name: str) -> str:
        stem, _, rest = name.partition(".")
        if stem == "fc":
            return f"classifier.1.{rest}"
        if not stem.startswith("layer"):
            return f"resnet.embedder.embedder.{'convolution' if stem == 'conv1' else 'normalization'}.{rest}"
        number, part, rest = rest.split(".", 2)
        if part == "downsample":
            which, rest = rest.split(".", 1)
            inner = f"shortcut.{'normalization' if which == '1' else 'convolution'}"
        else:
            inner = f"layer.{int(part[-1]) - 1}.{'convolution' if part.startswith('conv') else 'normalization'}"
        return f"resnet.encoder.stages.{int(stem[5:]) - 1}.layers.{number}.{inner}.{rest}"

    reference.load_state_dict({theirs(name): value for name, value in model.state_dict().items()})
    pictures = torch.randn(2, 2, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(pictures), reference(pictures).logits, rtol=1e-4, atol=1e-4)
