"""Energy as this machine counts it: RAPL for the processor, NVML for NVIDIA's GPUs; where it cannot be read, why not.

References
----------
The Linux kernel's power capping framework, Documentation/power/powercap/powercap.rst: ``energy_uj`` counts microjoules and starts
again at ``max_energy_range_uj``. NVML: nvmlDeviceGetTotalEnergyConsumption, millijoules since the driver was loaded (Volta and later).
"""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
JOULES_PER_KWH = 3.6e6


@dataclass
class Reading:
    """What was used while a ``with metered()`` block ran.

    Attributes
    ----------
    joules : dict of str to float
        By meter, such as ``package-0`` or ``gpu-0``; the whole machine's, not this process's alone.
    seconds : float
        How long.
    unreadable : list of str
        A sentence for each meter that is not there or not readable.
    """

    joules: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    unreadable: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = [f"{name}: {value:.1f} J, {value / self.seconds:.1f} W" for name, value in self.joules.items()]
        return "\n".join(told + self.unreadable)


@dataclass(frozen=True)
class _Meter:
    name: str
    read: Callable[[], float]  # joules, since some moment
    turns_at: float = 0.0  # joules at which it starts again from 0


def rapl(folder: Path = POWERCAP) -> tuple[list[_Meter], str]:
    """Return a meter for each processor package, or none and a sentence that says why.

    Parameters
    ----------
    folder : Path
        Where Linux shows the zones ``intel-rapl:0`` and so on (AMD's processors are there too). Parts of a package
        (``intel-rapl:0:0``) are left out: they are in its count already.
    """
    if not folder.is_dir():
        return (
            [],
            f"RAPL: there is no {folder}. It exists on Linux only, and mostly not in containers or virtual machines.",
        )
    zones = sorted(zone for zone in folder.glob("intel-rapl:*") if zone.name.count(":") == 1)
    if not zones:
        return [], f"RAPL: {folder} has no zone intel-rapl:*. The processor or the hypervisor does not show its energy."
    meters = []
    for zone in zones:
        try:
            name, turns_at = (zone / "name").read_text().strip(), int((zone / "max_energy_range_uj").read_text()) / 1e6
            counter = zone / "energy_uj"
            int(counter.read_text())
        except PermissionError:
            return [], f"RAPL: {zone.name}/energy_uj may be read by root only (since 2020, for CVE-2020-8694)."
        except (OSError, ValueError) as error:
            return [], f"RAPL: {zone.name} cannot be read ({type(error).__name__})."
        meters.append(_Meter(name, _microjoules(counter), turns_at))
    return meters, ""


def _microjoules(counter: Path) -> Callable[[], float]:
    return lambda: int(counter.read_text()) / 1e6


def nvml(library: str = "libnvidia-ml.so.1") -> tuple[list[_Meter], str]:
    """Return a meter for each NVIDIA GPU, or none and a sentence that says why."""
    try:
        lib = ctypes.CDLL(library)
    except OSError:
        return [], "NVML: this machine has no NVIDIA driver."
    count = ctypes.c_uint()
    if lib.nvmlInit_v2() or lib.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return [], "NVML: the driver does not answer."
    meters = []
    for number in range(count.value):
        device = ctypes.c_void_p()
        millijoules = ctypes.c_ulonglong()
        if lib.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(device)) or lib.nvmlDeviceGetTotalEnergyConsumption(
            device, ctypes.byref(millijoules)
        ):
            return [], f"NVML: GPU {number} does not count its energy (Volta and later do)."
        meters.append(_Meter(f"gpu-{number}", _millijoules(lib, device)))
    return meters, "" if meters else "NVML: there is no GPU."


def _millijoules(lib: ctypes.CDLL, device: ctypes.c_void_p) -> Callable[[], float]:
    def read() -> float:
        value = ctypes.c_ulonglong()
        lib.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(value))
        return value.value / 1000

    return read


@contextlib.contextmanager
def metered(folder: Path = POWERCAP) -> Iterator[Reading]:
    """Measure the energy of a ``with`` block on all meters that can be read.

    Yields
    ------
    Reading
        Filled in when the block ends. A counter that has turned once is corrected; RAPL's turn after minutes to hours.
    """
    (packages, why), (gpus, why_not) = rapl(folder), nvml()
    reading = Reading(unreadable=[each for each in (why, why_not) if each])
    meters = [*packages, *gpus]
    before = [meter.read() for meter in meters]
    start = time.perf_counter()
    try:
        yield reading
    finally:
        reading.seconds = time.perf_counter() - start
        for meter, first in zip(meters, before, strict=True):
            used = meter.read() - first
            reading.joules[meter.name] = used + meter.turns_at if used < 0 else used
