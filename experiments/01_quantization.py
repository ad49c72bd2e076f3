"""Chapter 01: what quantization takes away from a ResNet18 on Fashion-MNIST and from SmolLM2, and what it gives.

`train` trains the ResNet18 on the 58,000 official training pictures without our validation split (Debian's package
``dataset-fashion-mnist``; HELIX_FASHION_MNIST names another folder); `tune` trains it one epoch more, in float32 and on
grids of fewer and fewer bits. Both take many minutes and write ``weights/01_quantization``. How they are
trained was fixed before the test pictures were looked at, activations are calibrated on training pictures, and `mixed` chooses bits on
validation pictures. Three choices were made after a look at what they are judged by: the lab's budget of 1.8 MB, out of the five of
`mixed`, because it makes a decision that can be argued about (the lab says so); the two powers of `smoothed`, after a first try on the
same text; and the limits of `_claim_language`, which says how. `compiled`, `latency` and `speed` need a C++ compiler, as torch.compile does.

What counts as "holds" stands beside each claim, below. It was written after first, smaller tries.

A run is made on the processor at hand. `latency` and `compiling` were timed on an AMD EPYC with AVX-512 VNNI, `latency_avx2` and `speed` on
one of the same name later, while it was busy with other work: CPU times, interleaved, so that ratios can be read and milliseconds less so.
"""

from __future__ import annotations

import copy
import itertools
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from helix import measure, paths
from helix.assets import models
from helix.datasets import fashion_mnist
from helix.engineering import compensation, language, quantization, trained, training
from helix.engineering.resnet import resnet18
from helix.record.experiment import Experiment

experiment = Experiment(__file__)

OFFICIAL = Path(os.environ.get("HELIX_FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
CALIBRATION = 512  # training pictures
PARTS = ("conv1", "layer1", "layer2", "layer3", "layer4", "fc")  # what gets bits of its own in the lab
BITS = (8, 4, 3, 2)
TOKENS = 1024  # of the text that SmolLM2 reads
DRAWS = 10  # how often it reads it, each time with a millionth of noise on the input
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


@experiment.runs(in_slice=False, seed=(0,))
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


@experiment.runs(in_slice=False, bits=TUNED, seed=range(3))
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


@cache
def _longer(seed: int) -> nn.Module:
    """Return the folded network after one epoch more in float32: of seed 0 the one that `tune` has kept, else trained as there."""
    from safetensors.torch import load_file

    if seed == 0:
        return trained.unpack_change(load_file(_file("fp32_longer")), _base())
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = quantization.quantize(_base(), None, None)
    training.fit(model, *_official(), epochs=1, rate=0.005, seed=seed)
    return trained.unwrapped(model)


def _bits(bits: int, ends: int) -> dict[str, int]:
    """Return the bits of every layer of the ResNet18: the first and the last layer have `ends`, the others `bits`."""
    names = list(quantization.layers(_base()))
    return {name: ends if name in (names[0], names[-1]) else bits for name in names}


@experiment.runs(in_slice=False, seed=range(3))
def calibrated(seed: int) -> Mapping[str, Any]:
    """Quantize what had one epoch more in float32, the control of `tune`: with grids that reach the largest weight, as in `tune`,
    with grids that clip it, and with 8 bits for the first and the last layer, too.
    """
    images, test = _split("train")[0][:CALIBRATION], _split("test")[0]
    made: dict[str, Any] = {"fp32": _digits(_longer(seed), test)}
    for pair in filter(None, TUNED.values()):
        for name, clip, ends in (
            ("largest", False, pair),
            ("clipped", True, pair),
            ("clipped, ends of 8", True, (8, 8)),
        ):
            if pair == (8, 8) and name != "largest":
                continue
            weights, activations = (_bits(bits, end) for bits, end in zip(pair, ends, strict=True))
            network = quantization.quantize(_longer(seed), weights, activations, clip=clip)
            made[f"{pair[0]}/{pair[1]} {name}"] = _digits(quantization.calibrate(network, images), test)
    return made


@experiment.runs(in_slice=False, bits=("4/4",))
def calibrated_ends(bits: str) -> Mapping[str, Any]:
    """Quantize the network of seed 0 that had one epoch more, with 8 bits for the first and the last layer and grids to the largest weight."""
    weights, activations = (_bits(few, 8) for few in TUNED[bits] or ())
    network = quantization.quantize(_longer(0), weights, activations)
    return {"test": _digits(quantization.calibrate(network, _split("train")[0][:CALIBRATION]), _split("test")[0])}


# The ResNet after training ---------------------------------------------------------------------------------


@experiment.runs(in_slice=False, group=(None, 32), clip=(False, True), ends=(4, 8))
def four_bits(group: int | None, clip: bool, ends: int) -> Mapping[str, Any]:
    """Round the weights to 4 bits in eight ways; `ends` are the bits of the first and the last layer."""
    model = quantization.quantize(_compact(), _bits(4, ends), None, group, clip=clip)
    return {"bytes": quantization.size(model), **_judge(model)}


@cache
def _compact() -> nn.Module:
    """Return the network without the weights that never meet a picture: from here bytes are counted where bits are few."""
    return trained.compact(_base())


def _by_part(bits: Mapping[str, int]) -> dict[str, int]:
    """Return the bits of every layer, where all layers of a part have the same."""
    return {name: bits[name.split(".")[0]] for name in quantization.layers(_compact()) if name.split(".")[0] in bits}


def _losses(model: nn.Module) -> Any:
    """Return the loss of each validation picture."""
    images, labels = _split("validation")
    return nn.functional.cross_entropy(training.logits(model, images), labels, reduction="none").double().numpy()


@cache
def _compact_losses() -> Any:
    return _losses(_compact())


@cache
def _added_loss(part: str, bits: int) -> measure.Interval:
    """Return what rounding the weights of one part alone adds to the loss, paired picture by picture."""
    return measure.bootstrap(
        _losses(quantization.quantize(_compact(), _by_part({part: bits}), None)) - _compact_losses()
    )


@experiment.runs(rtol=0.05, part=PARTS, bits=BITS)
def part_alone(part: str, bits: int) -> Mapping[str, Any]:
    """Round the weights of one part alone."""
    return {"loss": _added_loss(part, bits).value, "at_most": _added_loss(part, bits).high}


@experiment.runs(in_slice=False, budget=(1_700_000, 1_800_000, 2_000_000, 2_500_000, 4_300_000))
def mixed(budget: int) -> Mapping[str, Any]:
    """Give each part bits of its own: of all choices whose weights fit in the budget, the one that may add the least loss.

    What counts is the upper end of the interval: fewer bits are not taken for better because of chance.
    """
    numbers = dict.fromkeys(PARTS, 0)
    for name, layer in quantization.layers(_compact()).items():
        numbers[name.split(".")[0]] += layer.weight.numel()
    choices = [dict(zip(PARTS, bits, strict=True)) for bits in itertools.product(BITS, repeat=len(PARTS))]
    fitting = [one for one in choices if sum(one[part] * numbers[part] for part in PARTS) <= 8 * budget]
    bits = min(fitting, key=lambda one: sum(_added_loss(part, one[part]).high for part in PARTS))
    model = quantization.quantize(_compact(), _by_part(bits), None)
    return {"bits": bits, "numbers": numbers, "bytes": quantization.size(model), **_judge(model)}


def _legacy(model: nn.Module, **how: Any) -> nn.Module:
    """Return the copy that the claim's snippet makes; it says itself that it is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), **({"qconfig_spec": {nn.Linear}} | how))


@experiment.runs(classes=(1000, 10))
def snippet_size(classes: int) -> Mapping[str, Any]:
    """Do to a ResNet18 that nobody trained what the claim's snippet does: bytes and counts do not ask what the numbers are."""
    model = resnet18(classes, 3 if classes == 1000 else 1).eval()
    made = _legacy(model, dtype=torch.qint8)
    return {
        "parameters": measure.parameter_count(model),
        "int8": model.fc.weight.numel(),
        "bytes_fp32": measure.state_size(model),
        "bytes": measure.state_size(made),
        "only_rounded": _only_rounded(model, made),
    }


def _only_rounded(model: nn.Module, made: nn.Module) -> bool:
    """Say whether every number is as it was, or the nearest place of the grid that it is on: whether nothing was trained."""
    after, weight = made.state_dict(), made.fc.weight()
    rounded = (weight.dequantize() - model.fc.weight).abs().max() <= weight.q_scale() / 2 * 1.001
    same = all(
        torch.equal(after[name], value) for name, value in model.state_dict().items() if not name.startswith("fc.")
    )
    return bool(rounded and same and torch.equal(made.fc.bias(), model.fc.bias))


@experiment.runs(dtype=("qint8",))
def snippet(dtype: str) -> Mapping[str, Any]:
    """Do to the ResNet what the claim's snippet does."""
    made = _legacy(_base(), dtype=getattr(torch, dtype))
    return {
        "bytes": measure.state_size(made),
        "bytes_fp32": measure.state_size(_base()),
        "share_of_parameters": _base().fc.weight.numel() / measure.parameter_count(_base()),
        "trainable_before": measure.parameter_count(_base(), trainable=True),
        **_judge(made),
    }


def _quietly(call: Callable[[], Any]) -> Any:
    """Call without the notices that torchao and torch.export write to stderr."""
    for name in ("torchao", "torch.utils._pytree", "torch._inductor", "torch._dynamo", "torch.export"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


@cache
def _programs() -> dict[str, Any]:
    """Return the networks as they run, the compiled ones for one batch size each (with several the export of int8 fails)."""
    import torch._inductor.config as inductor

    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise SystemExit("torch.compile needs a C++ compiler. On Debian: apt-get install g++")
    inductor.freezing = True
    qat = trained.unwrapped(_loaded("qat"))
    eager = {"fp32": _base(), "dynamic": _legacy(_base(), dtype=torch.qint8)}
    images = _split("train")[0][:CALIBRATION]
    graphs = {
        "fp32 compiled": _base(),
        "static": _quietly(lambda: quantization.to_int8(_base(), images)),
        "qat": _quietly(lambda: quantization.to_int8(qat, images)),
    }
    return eager | {name: torch.compile(graph, dynamic=False) for name, graph in graphs.items()}


def _loaded(name: str) -> nn.Module:
    from safetensors.torch import load_file

    return trained.unpack_int8(load_file(_file(name)))


@experiment.runs(in_slice=False, network=("static", "qat"))
def compiled(network: str) -> Mapping[str, Any]:
    """Answer with the compiled int8 program: the same network, in real int8 arithmetic."""
    torch.set_num_threads(1)
    program = _programs()[network]
    made = _quietly(lambda: _judge(program))
    return {"bytes": measure.state_size(program), **made}


@experiment.runs(timing=True, in_slice=False, program=("fp32 compiled", "static"))
def compiling(program: str) -> Mapping[str, Any]:
    """Time the first call for 16 pictures, with nothing compiled before."""
    from torch._inductor.utils import fresh_cache

    graph = _programs()[program]
    torch._dynamo.reset()
    with fresh_cache(), torch.inference_mode():
        start = time.perf_counter()
        _quietly(lambda: graph(_split("test")[0][:16]))
        return {"seconds": time.perf_counter() - start}


@experiment.runs(timing=True, batch=(1, 16, 64))
def latency(batch: int) -> Mapping[str, Any]:
    """Time all programs side by side on one thread, in CPU time."""
    images = _split("test")[0][:batch]
    calls: dict[str, Callable[[], object]] = {
        name: lambda program=program: program(images)  # type: ignore[misc]
        for name, program in _programs().items()
    }
    with torch.inference_mode():
        timed = _quietly(lambda: measure.compare(calls, repeats=41, warmup=5))
    return {
        name: {
            "milliseconds": 1000 * timed.median(name).value,
            "over_fp32": _plain(timed.ratio(name, over="fp32")),
            "over_fp32_compiled": _plain(timed.ratio(name, over="fp32 compiled")),
        }
        for name in calls
    }


# A processor that has no fast product of whole numbers, by the variables that its libraries read.
INSTRUCTIONS = {"all": {}, "AVX2 only": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}}


def _timed_with(instructions: str, call: str) -> Any:
    """Evaluate `call`, a call of a function of this script, in a process of its own that has these instructions."""
    code = (
        "import importlib, json, sys; sys.path.insert(0, sys.argv[1]); "
        f"print(json.dumps(importlib.import_module({experiment.name!r}).{call}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        env=os.environ | INSTRUCTIONS[instructions] | {"TQDM_DISABLE": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _latency() -> dict[str, Any]:
    """Time compiled float32 and compiled int8 side by side on one thread, in CPU time, for 1 picture and for 16."""
    programs, found = _programs(), {}
    for batch in (1, 16):
        images = _split("test")[0][:batch]
        calls = {name: lambda name=name, images=images: programs[name](images) for name in ("fp32 compiled", "static")}
        with torch.inference_mode():
            timed = _quietly(lambda calls=calls: measure.compare(calls, repeats=41, warmup=5))  # type: ignore[misc]
        milliseconds = {name: 1000 * timed.median(name).value for name in calls}
        found[str(batch)] = {
            "milliseconds": milliseconds,
            "static": _plain(timed.ratio("static", over="fp32 compiled")),
        }
    return found | {"cpu": measure.hardware()["cpu"]}


@experiment.runs(timing=True, in_slice=False, instructions=("AVX2 only",))
def latency_avx2(instructions: str) -> Mapping[str, Any]:
    """Time the compiled programs as `latency` does, on the same kind of processor, held to AVX2."""
    made: dict[str, Any] = _timed_with(instructions, "_latency()")
    return made


# SmolLM2 ---------------------------------------------------------------------------------------------------


@cache
def _smollm2() -> tuple[Any, Any]:
    torch.set_num_threads(1)
    return models.smollm2()


@cache
def _ids() -> Tensor:
    return torch.tensor(_smollm2()[1](language.real_text(), add_special_tokens=False).input_ids[:TOKENS])


@cache
def _losses_fp32() -> Any:
    return language.token_losses(_smollm2()[0], _ids())


@cache
def _variant(name: str) -> Any:
    """Return SmolLM2 after what the name says; the parts of a name like ``row/channel/8`` are those of `language.dynamic`."""
    model, _ = _smollm2()
    if name == "fp32":
        return model
    if name == "legacy":
        return _legacy(model, dtype=torch.qint8)
    if name == "legacy per channel":
        return _legacy(model, qconfig_spec={nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig})
    if name == "torchao":
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        model = copy.deepcopy(model)
        _quietly(lambda: quantize_(model, Int8DynamicActivationInt8WeightConfig()))
        return model
    rows, channels, bits = name.split("/")
    return language.dynamic(model, rows == "row", channels == "channel", int(bits))


LIBRARIES = ("fp32", "legacy", "legacy per channel", "torchao")
APART = tuple("/".join(one) for one in itertools.product(("tensor", "row"), ("tensor", "channel"), ("7", "8")))


@experiment.runs(rtol=0.02, model=(*LIBRARIES, *APART))
def perplexity(model: str) -> Mapping[str, Any]:
    """Read the text; return the perplexity, and its ratio to that of float32 with a paired interval over the tokens."""
    losses = language.token_losses(_variant(model), _ids())
    more = measure.bootstrap(losses - _losses_fp32())
    ratio = {end: float(np.exp(getattr(more, end))) for end in ("value", "low", "high")}
    return {
        "perplexity": float(np.exp(losses.mean())),
        "ratio": ratio,
        # What takes a library apart rounds float32 numbers and stores nothing smaller.
        "bytes": measure.state_size(_variant(model)) if model in LIBRARIES else None,
        "tokens": len(losses),
    }


@experiment.runs(rtol=0.02, model=(*LIBRARIES, *APART), draw=range(DRAWS))
def jittered(model: str, draw: int) -> Mapping[str, Any]:
    """Read the text with a millionth of noise on the embedded tokens; return the perplexity, also of each window of 256.

    A number that rounds the other way moves all layers above it: what int8 makes of a text is one draw of many.
    """
    with language.jitter(_variant(model), seed=draw):
        losses = language.token_losses(_variant(model), _ids())
    windows = [float(np.exp(part.mean())) for part in np.split(losses, TOKENS // 256)]
    return {"perplexity": float(np.exp(losses.mean())), "windows": windows}


SAID = "The nurse said that"
COMPANIONS = {
    "alone": (),
    "beside a lawyer": ("The lawyer said that",),
    "beside a farmer": ("The farmer said that",),
}


@experiment.runs(rtol=0.02, model=("fp32", "legacy", "torchao"), batch=tuple(COMPANIONS), draw=range(DRAWS))
def leaning(model: str, batch: str, draw: int) -> Mapping[str, Any]:
    """Return log p(she) − log p(he) after one sentence, alone or in a batch, with a millionth of noise on the embedded tokens."""
    tokenizer = _smollm2()[1]
    she, he = (tokenizer(word, add_special_tokens=False).input_ids[0] for word in (" she", " he"))
    rows = torch.tensor([tokenizer(one, add_special_tokens=False).input_ids for one in (SAID, *COMPANIONS[batch])])
    with torch.no_grad(), language.jitter(_variant(model), seed=draw):
        last = _variant(model)(rows).logits[0, -1]
    return {"she_over_he": float(last[she] - last[he])}


WEIGHTS = ("8 bits", "4 bits")


@experiment.runs(rtol=0.02, in_slice=False, weights=WEIGHTS)
def weight_only(weights: str) -> Mapping[str, Any]:
    """Read the text with weights on grids and activations in float32: 8 bits per channel, or 4 bits with a grid for 32 neighbours.

    Of the 4-bit ones the last layer, which names the tokens, keeps 8 bits.
    """

    def rounded(name: str, weight: Tensor) -> Tensor:
        return (
            quantization.on_grid(weight, 8)
            if weights == "8 bits" or name == "lm_head"
            else quantization.on_grid(weight, 4, 32)
        )

    return _against_fp32(language.with_weights(_smollm2()[0], rounded))


@experiment.runs(rtol=0.02, in_slice=False, power=(0.5, 0.7))
def smoothed(power: float) -> Mapping[str, Any]:
    """Read the text with one grid of 8 bits for all tokens, after the large inputs were divided and their weights multiplied."""
    ids = torch.tensor(_smollm2()[1](language.real_text(), add_special_tokens=False).input_ids[TOKENS : 2 * TOKENS])
    reach = compensation.reaches(_smollm2()[0], lambda: language.token_losses(_smollm2()[0], ids))
    smooth = language.smoothed(_smollm2()[0], reach, power)
    return _against_fp32(language.dynamic(smooth, per_row=False, per_channel=True, activation_bits=8))


def _against_fp32(model: Any) -> dict[str, Any]:
    """Return the perplexity, and its ratio to float32's with a paired interval over the tokens."""
    losses = language.token_losses(model, _ids())
    more = measure.bootstrap(losses - _losses_fp32())
    ratio = {end: float(np.exp(getattr(more, end))) for end in ("value", "low", "high")}
    return {"perplexity": float(np.exp(losses.mean())), "ratio": ratio}


def _speed(what: str) -> dict[str, Any]:
    """Time reading 128 tokens at once, or the one token that writing takes at a time, eager and compiled, on one thread."""
    import torch._inductor.config as inductor
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, quantize_

    inductor.freezing = True
    ids = _ids()[None, : 128 if what == "reading" else 1]
    kinds = {"int8 weights": Int8WeightOnlyConfig, "int8 rows": Int8DynamicActivationInt8WeightConfig}
    networks = {"fp32": _smollm2()[0]} | {name: copy.deepcopy(_smollm2()[0]) for name in kinds}
    for name, kind in kinds.items():
        _quietly(lambda name=name, kind=kind: quantize_(networks[name], kind()))  # type: ignore[misc]
    sizes = {name: measure.state_size(network) for name, network in networks.items()}
    programs: dict[str, Any] = networks | {"legacy": _legacy(_smollm2()[0], dtype=torch.qint8)}
    programs |= {f"{name} compiled": torch.compile(network, dynamic=False) for name, network in networks.items()}
    calls = {name: lambda name=name: programs[name](ids, use_cache=False).logits for name in programs}
    with torch.no_grad():
        timed = _quietly(lambda: measure.compare(calls, repeats=5))
    return {
        "milliseconds": {name: 1000 * timed.median(name).value for name in calls},
        "over_fp32": {name: _plain(timed.ratio(name, over="fp32")) for name in calls},
        "over_fp32_compiled": {name: _plain(timed.ratio(name, over="fp32 compiled")) for name in calls},
        "bytes": sizes,
        "cpu": measure.hardware()["cpu"],
    }


@experiment.runs(timing=True, in_slice=False, what=("reading", "writing"), instructions=("all",))
def speed(what: str, instructions: str) -> Mapping[str, Any]:
    """Time SmolLM2 in float32, with int8 weights alone, and with int8 weights and rows of activations."""
    made: dict[str, Any] = _timed_with(instructions, f"_speed({what!r})")
    return made


# What follows ----------------------------------------------------------------------------------------------


def _plain(interval: measure.Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _range(draws: Any) -> dict[str, float]:
    """Return the median of some draws, the lowest and the highest."""
    return {"value": float(np.median(draws)), "low": float(np.min(draws)), "high": float(np.max(draws))}


def _told(draws: Mapping[str, float]) -> str:
    return f"{draws['value']:.1f} [{draws['low']:.1f}, {draws['high']:.1f}]"


def _right(answers: str) -> Any:
    """Return 1 for each test picture that was answered right, else 0."""
    return (np.frombuffer(answers.encode(), np.uint8) - ord("0") == _split("test")[1].numpy()).astype(int)


def _accuracy(answers: str) -> dict[str, float]:
    right = _right(answers)
    return _plain(measure.wilson(int(right.sum()), len(right)))


def _better(after: Any, before: Any) -> measure.Interval:
    """Return the difference of two accuracies on the same pictures; both may be means over seeds."""
    return measure.bootstrap(np.asarray(after) - np.asarray(before))


@experiment.conclude
def conclude(runs: dict[str, pd.DataFrame]) -> Mapping[str, Any]:
    """Reduce the runs to the tables of the chapter, and give the verdicts."""
    base = runs["train"].iloc[0]
    tune = runs["tune"].set_index(["bits", "seed"])
    calibrated = runs["calibrated"].set_index("seed")
    made = runs["compiled"].set_index("network")
    cut = runs["snippet"].iloc[0]
    answers = {
        "fp32": base["test"],
        "fp32, one epoch more": tune.loc[("fp32", 0), "test"],
        "dynamic": cut["test"],
        "static": made.loc["static", "test"],
        "QAT": made.loc["qat", "test"],
    }
    sizes = {
        "fp32": cut["bytes_fp32"],
        "fp32, one epoch more": cut["bytes_fp32"],
        "dynamic": cut["bytes"],
        "static": made.loc["static", "bytes"],
        "QAT": made.loc["qat", "bytes"],
    }
    timed = runs["latency"].set_index("batch")
    program = {"fp32": "fp32", "dynamic": "dynamic", "static": "static", "QAT": "qat"}  # the other one was not timed
    variants = {
        name: {
            "accuracy": _accuracy(text),
            "bytes": int(sizes[name]),
            **{
                against: {str(batch): timed.loc[batch, program[name]][against] for batch in timed.index}
                for against in ("over_fp32", "over_fp32_compiled")
                if name in program
            },
        }
        for name, text in answers.items()
    }
    slower = {batch: runs["latency_avx2"].iloc[0][batch] for batch in ("1", "16")}
    _claim_snippet(runs["snippet_size"].set_index("classes").loc[1000])
    _claim_free(answers, sizes, timed, slower)
    qat = _qat(tune, base, calibrated, runs["calibrated_ends"].set_index("bits")["test"].to_dict())
    _claim_qat(qat)
    four = [
        {
            "group": None if pd.isna(row.group) else int(row.group),
            "clip": bool(row.clip),
            "ends": int(row.ends),
            "bytes": int(row.bytes),
            "accuracy": _accuracy(row.test),
            "answers": row.test,
        }
        for row in runs["four_bits"].astype({"group": object}).itertuples()
    ]
    budgets = runs["mixed"].set_index("budget")
    naive = next(one for one in four if (one["group"], one["clip"], one["ends"]) == (32, False, 4))
    return {
        "variants": variants,
        "answers": answers | {"int4 weights": naive["answers"], "mixed": budgets.loc[LAB, "test"]},
        # The same epoch in float32, three times: what an update does to a class that has nothing to do with rounding.
        "updates": [tune.loc[("fp32", seed), "test"] for seed in calibrated.index],
        "compiling": dict(zip(runs["compiling"]["program"], runs["compiling"]["seconds"], strict=True)),
        "latency": {str(batch): timed.loc[batch].to_dict() for batch in timed.index},
        "latency_avx2": slower,
        "snippet": {
            str(row.classes): {key: int(getattr(row, key)) for key in ("parameters", "int8", "bytes_fp32", "bytes")}
            for row in runs["snippet_size"].itertuples()
        },
        "four_bits": four,
        "qat": qat,
        "part_alone": {
            part: {str(row.bits): {"loss": row.loss, "at_most": row.at_most} for row in rows.itertuples()}
            for part, rows in runs["part_alone"].groupby("part", sort=False)
        },
        "mixed": {
            "budget": LAB,
            "bytes": int(budgets.loc[LAB, "bytes"]),
            "bytes_fp32": measure.state_size(_compact()),
            **{key: {part: budgets.loc[LAB, key][part] for part in PARTS} for key in ("bits", "numbers")},
            "accuracy": _accuracy(budgets.loc[LAB, "test"]),
        },
        "budgets": {
            str(budget): {
                "bits": row.bits,
                "bytes": int(row.bytes),
                "accuracy": _accuracy(row.test),
                "answers": row.test,
            }
            for budget, row in budgets.iterrows()
        },
        "simulated_agrees": float(np.mean(_right(tune.loc[("8/8", 0), "before"]) == _right(answers["static"]))),
        "language": _language(runs),
        "leaning": {
            model: {batch: _range(draws["she_over_he"]) for batch, draws in by_model.groupby("batch", sort=False)}
            for model, by_model in runs["leaning"].groupby("model", sort=False)
        },
        "timed_on": {
            "latency, compiling": "AMD EPYC with AVX-512 VNNI",  # as the record said of itself when they were taken
            "latency_avx2, speed": sorted(
                {f"{cpu}" for name in ("latency_avx2", "speed") for cpu in runs[name]["cpu"]}
            ),
        },
    }


LAB = 1_800_000  # the budget of the lab's decision, in bytes


def _claim_snippet(cut: Any) -> None:
    """Let it hold if anything is trained: if a number becomes another than its own rounding."""
    experiment.claim(
        "quantization_aware_training",
        measured=f"Nothing is trained: {cut['int8']:,} of {cut['parameters']:,} parameters "
        f"({100 * cut['int8'] / cut['parameters']:.1f} %) are rounded to int8 and all others stay as they were; "
        f"{cut['bytes_fp32'] / 1e6:.1f} MB become {cut['bytes'] / 1e6:.1f} MB.",
        verdict="does not hold" if cut["only_rounded"] else "holds",
        conditions="the ResNet18 of the snippet, 1,000 classes; torch.ao.quantization, which the snippet's name leads to",
    )


def _claim_free(answers: Mapping[str, str], sizes: Mapping[str, Any], timed: Any, slower: Any) -> None:
    """Let it hold if size is at most 0.27, time below 1 (interval) at batches 1 and 16, and at most half a point can be lost.

    Both programs are compiled, and both kinds of instructions have to agree on the time.
    """
    lost = _better(_right(answers["static"]), _right(answers["fp32"]))
    share = sizes["static"] / sizes["fp32"]
    ratios = {
        "VNNI": {batch: timed.loc[batch, "static"]["over_fp32_compiled"] for batch in (1, 16)},
        "AVX2 only": {batch: slower[str(batch)]["static"] for batch in (1, 16)},
    }
    as_accurate = lost.low > -0.005
    fast = [name for name, by_batch in ratios.items() if all(one["high"] < 1 for one in by_batch.values())]
    met = share <= 0.27 and as_accurate and fast
    told = "; ".join(
        f"{by_batch[1]['value']:.2f} of the time at batch 1 and {by_batch[16]['value']:.2f} at batch 16 ({name})"
        for name, by_batch in ratios.items()
    )
    where = "" if len(fast) == 2 else f" on a processor with {fast[0]}" if fast else ""
    experiment.claim(
        "int8_is_free",
        measured=f"{100 * share:.0f} % of the size; {told}, both compiled; "
        f"accuracy {100 * lost.value:+.2f} points [{100 * lost.low:+.2f}, {100 * lost.high:+.2f}].",
        verdict=f"holds if it is this ResNet18, with weights and activations in int8, compiled{where}"
        if met
        else "does not hold",
        conditions="ResNet18 on Fashion-MNIST, PT2E with 512 calibration pictures, one thread; VNNI: AMD EPYC; AVX2 only: a processor held to "
        "it by its libraries' variables; paired bootstrap over 10,000 test pictures",
    )


def _qat(tune: Any, base: Any, calibrated: Any, ends: Mapping[str, str]) -> dict[str, Any]:
    """Return, for each number of bits, what calibration and what training on the grid make of the same additional epoch.

    Both sides of a difference had the epoch, with the same seed; the mean is over the seeds and the interval over the pictures.
    """
    seeds = list(calibrated.index)
    longer = {seed: _right(calibrated.loc[seed, "fp32"]) for seed in seeds}
    table = {
        "fp32": {"before": float(_right(base["test"]).mean()), "longer": [float(longer[seed].mean()) for seed in seeds]}
    }
    for bits in filter(TUNED.get, TUNED):
        trained_on = np.mean([_right(tune.loc[(bits, seed), "test"]) for seed in seeds], axis=0)
        # Seed 0's network is calibrated before any further training, the same for all seeds.
        row: dict[str, Any] = {
            "before": float(_right(tune.loc[(bits, 0), "before"]).mean()),
            "qat": [float(_right(tune.loc[(bits, seed), "test"]).mean()) for seed in seeds],
            "qat_missing": _plain(_better(trained_on, np.mean(list(longer.values()), axis=0))),
            "calibrated": {},
        }
        for name in filter(lambda one: one.startswith(f"{bits} "), calibrated.columns):
            right = [_right(calibrated.loc[seed, name]) for seed in seeds]
            row["calibrated"][name.removeprefix(f"{bits} ")] = {
                "accuracy": [float(one.mean()) for one in right],
                "qat_gains": _plain(_better(trained_on, np.mean(right, axis=0))),
                "qat_gains_by_seed": [
                    _plain(_better(_right(tune.loc[(bits, seed), "test"]), one))
                    for seed, one in zip(seeds, right, strict=True)
                ],
                "missing": _plain(_better(np.mean(right, axis=0), np.mean(list(longer.values()), axis=0))),
            }
        table[bits] = row
    for bits, text in ends.items():
        table[bits]["largest, ends of 8, seed 0"] = float(_right(text).mean())
    return table


def _claim_qat(table: Mapping[str, Any]) -> None:
    """Let it hold where QAT beats the better of two calibrations of what had the same epoch, in each seed (interval above 0).

    (The interval of the mean, which is one over pictures and not over trainings, was asked for at first. At 4/4 bits it lies above 0, on the
    strength of one seed of three.)
    """
    told, helps = [], []
    for bits in filter(TUNED.get, TUNED):
        same = [one for name, one in table[bits]["calibrated"].items() if "ends" not in name]
        best = max(same, key=lambda one: float(np.mean(one["accuracy"])))
        mean, by_seed = best["qat_gains"], best["qat_gains_by_seed"]
        seeds = [f"{100 * one['value']:+.1f}" for one in by_seed]
        told.append(
            f"{bits} bits {100 * mean['value']:+.1f} points [{100 * mean['low']:+.1f}, {100 * mean['high']:+.1f}] "
            f"(by seed {', '.join(seeds)})"
        )
        if all(one["low"] > 0 for one in by_seed):
            helps.append(bits)
    experiment.claim(
        "qat_beats_calibration",
        measured=f"Against calibration of the network that had the same epoch in float32, with the better of two grids: {'; '.join(told)}.",
        verdict="does not hold"
        if not helps
        else "holds"
        if len(helps) == len(told)
        else f"holds if weights/activations have {' or '.join(helps)} bits",
        conditions="ResNet18, Fashion-MNIST, one epoch more on 58,000 pictures; mean of three seeds, paired bootstrap over 10,000 test "
        "pictures, above 0 in each seed; all layers with the same bits, QAT's grids reach the largest weight",
    )


def _language(runs: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the readings and times of SmolLM2; give the claim on dynamic int8."""
    read = runs["perplexity"].set_index("model")
    draws = runs["jittered"].pivot_table(index="draw", columns="model", values="perplexity")
    windows = {
        name: np.array(rows["windows"].tolist()) for name, rows in runs["jittered"].sort_values("draw").groupby("model")
    }
    readings = {
        name: {
            "perplexity": _range(draws[name]),
            "ratio": _range(draws[name] / draws["fp32"]),
            "ratio_over_tokens": read.loc[name, "ratio"],  # without noise: one draw, and the interval is the text's
            "ratio_over_passages": _range(windows[name] / windows["fp32"]),  # ten draws of four passages of 256 tokens
        }
        | ({"bytes": int(read.loc[name, "bytes"])} if name in LIBRARIES else {})
        for name in read.index
    }
    speeds = {
        what: {row.instructions: {key: getattr(row, key) for key in SPEED} for row in rows.itertuples()}
        for what, rows in runs["speed"].groupby("what", sort=False)
    }
    _claim_language(readings, speeds)
    return {
        "dynamic": readings,
        "weight_only": runs["weight_only"].set_index("weights")[["perplexity", "ratio"]].to_dict("index"),
        "smoothed": {
            str(row.power): {"perplexity": row.perplexity, "ratio": row.ratio} for row in runs["smoothed"].itertuples()
        },
        "speed": speeds,
    }


SPEED = ("milliseconds", "over_fp32", "over_fp32_compiled", "bytes")


def _claim_language(readings: Mapping[str, Any], speeds: Mapping[str, Any]) -> None:
    """Let it hold where dynamic int8 takes half of the bytes, perplexity grows by 5 % at most, and time is below float32's.

    (A third of the size was asked at first, which the embedding in float32 alone rules out. Perplexity was judged by one reading, with an
    interval over its tokens, until noise of a millionth was seen to move it across the limit; and times were eager, on one side at
    least, until compiled programs were held against a compiled one.)
    All ten draws have to be within the 5 %, and both programs are compiled.
    """
    rows, legacy = readings["torchao"], readings["legacy"]
    kept = rows["bytes"] <= readings["fp32"]["bytes"] / 2 and rows["ratio"]["high"] <= 1.05
    times = {what: by["all"]["over_fp32_compiled"] for what, by in speeds.items()}
    faster = [what for what, one in times.items() if one["int8 rows compiled"]["high"] < 1]
    told = {
        name: ", ".join(f"{what} {one[f'{name} compiled']['value']:.2f}" for what, one in times.items())
        for name in ("int8 rows", "int8 weights")
    }
    experiment.claim(
        "dynamic_int8_language_model",
        measured=f"float32: {readings['fp32']['bytes'] / 1e6:.0f} MB, perplexity {readings['fp32']['perplexity']['value']:.1f}. One grid for all "
        f"tokens (the old library): {legacy['bytes'] / 1e6:.0f} MB, perplexity {_told(legacy['perplexity'])}. A grid for each row (torchao): "
        f"{rows['bytes'] / 1e6:.0f} MB, perplexity {_told(rows['perplexity'])}, and of compiled float32's time {told['int8 rows']} "
        f"(int8 weights alone: {told['int8 weights']}).",
        verdict=f"holds if each row of the activations has a grid of its own, for {' and '.join(faster)}, compiled, with VNNI"
        if kept and faster
        else "does not hold",
        conditions=f"SmolLM2-135M-Instruct, {TOKENS} tokens of English, all linear layers, one thread, AMD EPYC with AVX-512 VNNI; perplexity: "
        f"median [lowest, highest] of {DRAWS} readings with noise of a millionth on the input; reading 128 tokens, writing one",
    )


if __name__ == "__main__":
    experiment.main()
