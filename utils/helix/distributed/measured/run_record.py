"""What has to be written down about a distributed run, so that somebody else can repeat it and hold it to account.

The sum of floats depends on their order, and the order on how many ranks there are, and on how many threads share the work of one. So seed
and code are not enough: the record names the world and its settings too. `missing` is the gate: what a record lacks, in sentences. `differences` says why two runs may have ended at different weights.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from helix import measure
from helix.record.code_version import commit

RunRecord = dict[str, Any]

# What fixes every bit of the result, and why.
NEEDED = {
    "seed": "the first weights and the order of the samples",
    "world_size": "the order in which gradients are summed, and each rank's share of the data",
    "batch_per_rank": "with the world size, how many samples a step sees",
    "steps": "how long it was trained",
    "sampler": "which rank sees which sample in which epoch",
    "commit": "the code",
    "clean": "whether the code was that commit",
    "data_sha256": "the data",
    "backend": "the collectives, and their order of summation",
    "versions": "the libraries, whose kernels sum in their own order",
    "hardware": "the instructions that the kernels use",
    "settings": "threads of a rank, its device, and which algorithms the libraries may choose",
    "weights_sha256": "the result, to compare a repetition with",
}
# Environment variables by which a library takes other kernels, or sums in another order.
ENVIRONMENT = (
    "ATEN_CPU_CAPABILITY", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "OPENBLAS_CORETYPE",
    "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "NCCL_ALGO", "NCCL_PROTO", "NCCL_NTHREADS", "NCCL_MIN_NCHANNELS", "NCCL_MAX_NCHANNELS",
)  # fmt: skip
SETTINGS = ("device", "threads", "deterministic", "benchmark", "matmul precision", "environment")
_HEX = {"commit": 40, "data_sha256": 64, "weights_sha256": 64}
_NUMBERS = {"seed": 0, "world_size": 1, "batch_per_rank": 1, "steps": 1}


def sha256(arrays: Iterable[Any]) -> str:
    """Return one hash of tensors or arrays: of their types, shapes and bytes, in their order."""
    digest = hashlib.sha256()
    for one in arrays:
        array = np.ascontiguousarray(one.detach().cpu().numpy() if isinstance(one, torch.Tensor) else one)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def settings() -> dict[str, Any]:
    """Return what this process lets its libraries do, as far as it moves bits; to be called *on every rank*, in the run.

    Returns
    -------
    dict
        Of `SETTINGS`: the name of the device (``cpu`` or the GPU's), the threads that share an operation on the CPU, whether deterministic
        algorithms are forced, whether cuDNN may choose the fastest one by trying, the precision of float32 products, and those variables of
        `ENVIRONMENT` that are set.

    Raises
    ------
    ValueError
        If the ranks differ, as one record then cannot tell of all; on every rank.

    Notes
    -----
    On GPUs this names the choices, not their effect: some operations have no deterministic algorithm
    (`torch.use_deterministic_algorithms` raises at them), and NCCL also chooses by the cluster's wiring.
    """
    gpu = torch.cuda.is_available() and dist.is_initialized() and dist.get_backend() == "nccl"
    own = {
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "benchmark": torch.backends.cudnn.benchmark,
        "matmul precision": torch.get_float32_matmul_precision(),
        "environment": {name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
    }
    if dist.is_initialized():
        told: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(told, own)
        for rank, other in enumerate(told):
            if other != told[0]:
                raise ValueError(
                    f"Rank 0 and rank {rank} have other settings, {told[0]} and {other}. Give all the same."
                )
    return own


def record(
    *,
    seed: int,
    world_size: int,
    batch_per_rank: int,
    steps: int,
    sampler: str,
    data: Iterable[Any],
    weights: Iterable[Any],
    settings: Mapping[str, Any],
    backend: str = "gloo",
) -> RunRecord:
    """Make the record of a run; what can be found out is found out.

    Parameters
    ----------
    seed, world_size, batch_per_rank, steps : int
    sampler : str
        In words: how indices are drawn and dealt out.
    data, weights : iterable of arrays or tensors
        What was trained on, and what came out; only their hashes are kept.
    settings : mapping
        What `settings` returned on the ranks. This process may have others: a notebook has more threads than a rank that it started.
    backend : str

    Returns
    -------
    dict
        The keys of `NEEDED`. Commit and ``clean`` are those of the repository that holds this course's code.
    """
    facts = measure.hardware()
    libraries = {name: facts[name] for name in ("python", "torch", "numpy") if name in facts} | _gpu_libraries()
    return {
        "seed": seed,
        "world_size": world_size,
        "batch_per_rank": batch_per_rank,
        "steps": steps,
        "sampler": sampler,
        **commit(),
        "data_sha256": sha256(data),
        "backend": backend,
        "versions": libraries,
        "hardware": {name: facts[name] for name in ("cpu", "instructions", "system")},
        "settings": dict(settings),
        "weights_sha256": sha256(weights),
    }


def missing(kept: Mapping[str, Any]) -> list[str]:
    """Say what a record lacks for somebody else to repeat the run: the gate before a result is published.

    Parameters
    ----------
    kept : mapping
        A record, perhaps read from a file that others wrote.

    Returns
    -------
    list of str
        A sentence for each fault; empty where the record is complete. A value that is there but says nothing is a fault too: an empty text,
        "unknown", a shortened hash, code that was changed after the commit.
    """
    if not isinstance(kept, Mapping):
        return [f"A record is a mapping of names to values, not {type(kept).__name__}."]
    faults = []
    for name, why in NEEDED.items():
        value = kept.get(name)
        if value is None or (isinstance(value, str) and value.strip().lower() in ("", "unknown", "n/a", "none", "?")):
            faults.append(f"{name} is missing: {why}.")
        elif name in _NUMBERS and not _whole(value, _NUMBERS[name]):
            faults.append(f"{name} must be a whole number of at least {_NUMBERS[name]}, not {value!r}.")
        elif name in _HEX and not re.fullmatch(f"[0-9a-f]{{{_HEX[name]}}}", str(value)):
            faults.append(f"{name} must have all its {_HEX[name]} hexadecimal digits.")
        elif name == "clean" and value is not True:
            faults.append("The code was changed after the commit, so the commit does not tell what ran.")
        elif name in ("versions", "hardware") and not (isinstance(value, Mapping) and value and all(value.values())):
            faults.append(f"{name} must name each part: {why}.")
        elif name == "settings" and (unsaid := _unsaid(value)):
            faults.append(f"settings must name {', '.join(unsaid)}: {why}.")
        elif name in ("sampler", "backend") and not isinstance(value, str):
            faults.append(f"{name} must be said in words: {why}.")
    return faults


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Name the inputs in which two records differ, each with what it decides; the result itself is not among them."""
    inputs = [name for name in NEEDED if name not in ("weights_sha256", "clean")]
    return [
        f"{name} ({why}): {' and '.join(_apart(one.get(name), other.get(name)))}"
        for name, why in NEEDED.items()
        if name in inputs and one.get(name) != other.get(name)
    ]


def _apart(one: Any, other: Any) -> list[str]:
    """Show two values; of two mappings only the entries that differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
        return [", ".join(f"{name} {_shown(each.get(name))}" for name in names) for each in (one, other)]
    return [_shown(one), _shown(other)]


def _gpu_libraries() -> dict[str, str]:
    if torch.version.cuda is None or not torch.cuda.is_available():
        return {}
    nccl = ".".join(map(str, torch.cuda.nccl.version()))
    return {"cuda": torch.version.cuda, "cudnn": str(torch.backends.cudnn.version()), "nccl": nccl}


def _unsaid(value: Any) -> list[str]:
    """Return the settings that a record does not tell."""
    if not isinstance(value, Mapping):
        return list(SETTINGS)
    told = {
        "threads": _whole(value.get("threads"), 1),
        "environment": isinstance(value.get("environment"), Mapping),
        **{name: isinstance(value.get(name), bool) for name in ("deterministic", "benchmark")},
        **{
            name: isinstance(text := value.get(name), str) and bool(text.strip())
            for name in ("device", "matmul precision")
        },
    }
    return [name for name in SETTINGS if not told[name]]


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else f"{text[:16]}…"


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
