"""EfficientNet-Lite0, an ImageNet classifier small enough for one core, written out in plain PyTorch.

References
----------
M. Tan and Q. V. Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks (2019), arXiv:1905.11946,
table 1, without the squeeze-and-excitation blocks and with ReLU6 for swish, which makes it "Lite": it quantizes well.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# repeats, kernel, stride of the first, expansion, channels in, channels out
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
SIZE = 224
MEAN, SCALE = 127.0, 128.0  # of pixel values 0 to 255, as in training


class SameConv(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow's SAME does: the odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, c, h, w) to (n, c', ⌈h / stride⌉, ⌈w / stride⌉)."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        down, right = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[-2:])
        x = F.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        return F.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


def _layer(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = True
) -> nn.Sequential:
    conv = SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    layer = nn.Sequential(conv, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01))
    return layer.append(nn.ReLU6()) if active else layer


class InvertedResidual(nn.Module):
    """An inverted residual block: expand, filter each channel alone, project back; add the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = _layer(inputs, wide, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _layer(wide, wide, kernel, stride, groups=wide)
        self.project = _layer(wide, outputs, 1, active=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, ⌈h / stride⌉, ⌈w / stride⌉)."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """The network: 4.65 million parameters, 1,000 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _layer(3, 32, 3, 2)
        blocks = []
        for repeats, kernel, stride, expansion, inputs, outputs in STAGES:
            for i in range(repeats):
                blocks.append(
                    InvertedResidual(outputs if i else inputs, outputs, kernel, 1 if i else stride, expansion)
                )
        self.blocks = nn.Sequential(*blocks)
        self.head = _layer(320, 1280, 1)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, 3, 224, 224), as `preprocess` makes them, to logits (n, 1000)."""
        return self.classifier(self.head(self.blocks(self.stem(x))).mean(dim=(2, 3)))


def preprocess(image: Tensor) -> Tensor:
    """Make a picture what the network was trained on.

    Parameters
    ----------
    image : Tensor
        One RGB picture, uint8, of shape (height, width, 3).

    Returns
    -------
    Tensor
        float32 of shape (1, 3, 224, 224): the middle square without the outer eighth, resized, about -1 to 1.

    Raises
    ------
    ValueError
        If the picture has another shape or type.
    """
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != torch.uint8:
        raise ValueError(
            f"A picture is uint8 of shape (height, width, 3); this is {image.dtype} of shape {tuple(image.shape)}."
        )
    height, width, _ = image.shape
    side = max(1, round(min(height, width) * 0.875))
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side].permute(2, 0, 1)[None].float()
    resized = F.interpolate(square, (SIZE, SIZE), mode="bicubic", align_corners=False, antialias=True)
    return (resized.clamp(0, 255) - MEAN) / SCALE


def rename(name: str) -> str:
    """Return our name of a weight that the published file calls by its TensorFlow-like name."""
    for pattern, ours in {
        r"^_conv_stem\.": "stem.0.",
        r"^_bn0\.": "stem.1.",
        r"^_conv_head\.": "head.0.",
        r"^_bn1\.": "head.1.",
        r"^_fc\.": "classifier.",
        r"\._expand_conv\.": ".expand.0.",
        r"\._bn0\.": ".expand.1.",
        r"\._depthwise_conv\.": ".depthwise.0.",
        r"\._bn1\.": ".depthwise.1.",
        r"\._project_conv\.": ".project.0.",
        r"\._bn2\.": ".project.1.",
        r"^_blocks\.": "blocks.",
    }.items():
        name = re.sub(pattern, ours, name)
    return name
