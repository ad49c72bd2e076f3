"""ResNet18 and ResNet50, layer by layer as they were published and under torchvision's names.

torchvision itself is not installed: its wheels are linked against CUDA. A state dict of torchvision's fits these modules.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

BatchNorm = nn.BatchNorm2d


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut: the block of ResNet18."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = BatchNorm(width)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, width, h / stride, w / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + shortcut)


class Bottleneck(nn.Module):
    """A 1×1, a 3×3 and a 1×1 convolution and a shortcut: the block of ResNet50, its stride in the 3×3."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = BatchNorm(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = BatchNorm(4 * width)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, 4 · width, h / stride, w / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + shortcut)


class ResNet(nn.Module):
    """A residual network with the stem that was made for ImageNet: 7×7 with stride 2, then a pooling with stride 2.

    Parameters
    ----------
    block : BasicBlock or Bottleneck
    blocks : sequence of int
        How many blocks each of the four stages has.
    classes, channels : int
        Of the answer, and of the pictures.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun (2016), Deep Residual Learning for Image Recognition, arXiv:1512.03385.
    """

    def __init__(
        self, block: type[BasicBlock | Bottleneck], blocks: Sequence[int], classes: int = 1000, channels: int = 3
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = BatchNorm(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for stage, count in enumerate(blocks):
            width, layers = 64 * 2**stage, []
            for number in range(count):
                stride = 2 if stage and not number else 1
                outputs = width * block.expansion
                shortcut = None
                if stride != 1 or inputs != outputs:
                    shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm(outputs))
                layers.append(block(inputs, width, stride, shortcut))
                inputs = outputs
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures, shape (n, channels, h, w), to logits, shape (n, classes)."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def resnet18(classes: int = 1000, channels: int = 3) -> ResNet:
    """Make a ResNet18 with random weights: 11,689,512 parameters with 1,000 classes and 3 channels."""
    return ResNet(BasicBlock, (2, 2, 2, 2), classes, channels)


def resnet50(classes: int = 1000, channels: int = 3) -> ResNet:
    """Make a ResNet50 with random weights: 25,557,032 parameters with 1,000 classes and 3 channels."""
    return ResNet(Bottleneck, (3, 4, 6, 3), classes, channels)
