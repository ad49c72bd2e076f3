"""Chapter 01: what quantization takes away from a ResNet18 on Fashion-MNIST and from SmolLM2, and what it gives.

`train` trains the ResNet18 on the 58,000 official training pictures without our validation split (Debian's package
``dataset-fashion-mnist``; HELIX_FASHION_MNIST names another folder); `tune` trains it one epoch more, in float32 and on
grids of fewer and fewer bits. Both take many minutes and write ``weights/01_quantization``. All that is fixed here was fixed before
the test pictures were looked at; activations are calibrated on training pictures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helix import paths
from helix.datasets import fashion_mnist
from helix.engineering import quantization, trained, training
from helix.engineering.resnet import resnet18
from helix.record.experiment import Experiment

experiment = Experiment(__file__)

OFFICIAL = Path(os.environ.get("HELIX_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
CALIBRATION = 512  # training pictures
# Weight bits and activation bits of the networks that are trained one epoch more; fp32 is their control.
TUNED: dict[str, tuple[int, int] | None] = {"fp32": None, "8/8": (8, 8), "4/4": (4, 4), "2/4": (2, 4)}


def _digits(model: Any, images: Tensor) -> str:
    """Return the predicted classes as one text, a digit a picture."""
    return "".join(map(str, training.predict(model, images)))


@cache
def _official() -> tuple[Tensor, Tensor]:
    return training.tensors(fashion_mnist.load_official(OFFICIAL))


@cache
def _split(name: Any) -> tuple[Tensor, Tensor]:
    return training.tensors(fashion_mnist.load(name))


def _judge(model: nn.Module) -> dict[str, Any]:
    """Return accuracy on the validation split, and every answer to the test split."""
    images, labels = _split("validation")
    right = training.predict(model, images) == labels.numpy()
    return {"validation": float(np.mean(right)), "test": _digits(model, _split("test")[0])}


def _file(name: str) -> Path:
    return paths.root() / trained.FOLDER / f"{name}.safetensors"


@experiment.runs(long=True, seed=(0,))
def train(seed: int) -> Mapping[str, Any]:
    """Train the ResNet18 in float32; what is kept of it, live weights in float16, is the network from then on."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = trained.silence(resnet18(10, 1))
    loss = training.fit(model, *_official(), epochs=6, rate=0.05, seed=seed)
    before = _judge(model)["validation"]
    trained.save(trained.pack(model), _file("fp32"))
    return {"loss": loss, "validation_before_float16": before, **_judge(trained.unpack(trained.pack(model)))}


@cache
def _base() -> nn.Module:
    from safetensors.torch import load_file

    return trained.unpack(load_file(_file("fp32")))


@experiment.runs(long=True, bits=TUNED, seed=range(3))
def tune(bits: str, seed: int) -> Mapping[str, Any]:
    """Train one epoch more: the folded network in float32, or on grids, with the gradient straight through."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    pair = TUNED[bits]
    model = quantization.quantize(_base(), *(pair or (None, None)))
    if pair:
        quantization.calibrate(model, _split("train")[0][:CALIBRATION])
    start = _judge(model)
    loss = training.fit(model, *_official(), epochs=1, rate=0.005, seed=seed)
    made = _judge(model)
    if seed == 0 and bits == "fp32":
        packed = trained.pack_change(trained.unwrapped(model), _base())
        trained.save(packed, _file("fp32_longer"))
        made = _judge(trained.unpack_change(packed, _base()))
    if seed == 0 and bits == "8/8":
        trained.save(trained.pack_int8(model), _file("qat"))
        # A scale that is computed again differs in its last bit now and then, and an activation half-way between two
        # numbers of its grid then goes the other way. What is stored is what is judged.
        made = _judge(trained.unpack_int8(trained.pack_int8(model)))
    return {"loss": loss, "before": start["test"], "validation_before": start["validation"], **made}


if __name__ == "__main__":
    experiment.main()
