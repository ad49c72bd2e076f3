"""Does a model train on one device? The bytes of its training states, the time it would take, and offloading as a way out.

The claim of the source is that beyond a trillion parameters distributed training is the only choice. Two walls stand there: memory,
which offloading to host memory and NVMe moves (S. Rajbhandari et al., 2021, ZeRO-Infinity, arXiv:2104.07857, abstract: a trillion
parameters fine-tuned on one node of 16 GPUs), and time, which it does not: "thousands of years" on few GPUs, says section 6 of
arXiv:2104.04473.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from helix.distributed.paper.costs import BYTES_PER_PARAMETER

YEAR = 365.25 * 24 * 3600
MLPERF = "mlcommons/inference_results"


@dataclass(frozen=True)
class Device:
    """A device whose memory was looked up.

    Parameters
    ----------
    memory : float
        Bytes.
    memory_source : str
    achieved : float, optional
        Operations a second that published training runs reached on it.
    per_token : int
        Operations for each parameter and token in that count: 6, or 8 where re-materialisation is counted.
    achieved_source : str
    """

    memory: float
    memory_source: str
    achieved: float | None = None
    per_token: int = 6
    achieved_source: str = ""


DEVICES = {
    "V100": Device(32e9, "arXiv:1910.02054, Table 1", 24.6e12, 6, "arXiv:2104.10350, Table 4: GPT-3, 10,000 V100s"),
    "A100": Device(80e9, "arXiv:2104.04473, section 5", 163e12, 8, "arXiv:2104.04473, Table 1: 1,008e9 parameters, 3,072 A100s"),
    "H100": Device(80e9, "Llama 3.1 model card (H100-80GB)", 430e12, 6, "arXiv:2407.21783, Table 4: 405e9 parameters, 8,192 H100s"),
    "H200": Device(141e9, f"{MLPERF}_v4.1, closed/NVIDIA/systems/H200-SXM-141GBx8_TRT_MaxQ.json"),
    "MI300X": Device(192e9, f"{MLPERF}_v4.1, closed/AMD/systems/8xMI300X_2xEPYC-9374F.json"),
    "B200": Device(180e9, f"{MLPERF}_v6.0, closed/Nebius/systems/nebius_b200_n1.json"),
    "MI355X": Device(288e9, f"{MLPERF}_v6.0, closed/AMD/results/87xMI355X_22xEPYC_9575F/summary.html"),
    "MI455X": Device(432e9, "huggingface.co/blog/badaoui/transformers-on-amd-mi455, 23 July 2026"),
}  # fmt: skip


@dataclass(frozen=True)
class OneDevice:
    """What one device means for a model.

    Parameters
    ----------
    needed : float
        Bytes of parameters, gradients and Adam's states, without activations.
    devices : int
        How many such devices hold them.
    fits, fits_offloaded : bool
        On the device alone; on it with the host memory and NVMe that was named.
    years : float, optional
        Of training on one device at the published throughput; None where none was found.
    """

    needed: float
    devices: int
    fits: bool
    fits_offloaded: bool
    years: float | None


def on_one_device(parameters: float, device: Device, *, tokens: float | None = None, offload: float = 0.0) -> OneDevice:
    """Hold a model's training against one device.

    Parameters
    ----------
    parameters : float
        Number of parameters.
    device : Device
        Such as ``DEVICES["A100"]``.
    tokens : float, optional
        Tokens of the whole training; None asks for no time.
    offload : float
        Bytes of host memory and NVMe that states may be moved to. The states must fit into both together; a device
        must still hold the layer it works on, and time grows by what is moved.

    Returns
    -------
    OneDevice
        With 16 bytes a parameter (mixed precision, Adam: arXiv:1910.02054, section 3.1) and 6 or 8 operations for each
        parameter and token (arXiv:2104.04473, equation 4, has 8).

    Raises
    ------
    ValueError
        If a number is not positive and finite (`offload`: negative).
    """
    for name, value in {"parameters": parameters, "tokens": 1.0 if tokens is None else tokens}.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite; got {value!r}.")
    if not 0 <= offload < math.inf:
        raise ValueError(f"offload must be 0 or more bytes; got {offload!r}.")
    needed = BYTES_PER_PARAMETER * parameters
    years = None
    if tokens is not None and device.achieved:
        years = device.per_token * parameters * tokens / device.achieved / YEAR
    return OneDevice(
        needed,
        math.ceil(needed / device.memory),
        needed <= device.memory,
        needed <= device.memory + offload,
        years,
    )


def largest_model(device: Device) -> float:
    """Parameters whose training states alone fill the device, memory/16; activations make it fewer."""
    return device.memory / BYTES_PER_PARAMETER
