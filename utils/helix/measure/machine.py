"""The machine that a measurement ran on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")
_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "torchao", "transformers", "onnxruntime")


def hardware() -> dict[str, str | int | list[str]]:
    """Describe what a measurement ran on, without the names of machine, user or folder.

    Returns
    -------
    dict
        ``cpu`` (model), ``cores`` (logical), ``memory_gib`` (rounded), ``instructions`` (those present among
        AVX2, AVX-512, VNNI, bfloat16 and AMX int8), ``system``, ``python``, and the version of each library
        of interest that is installed. What cannot be found out is "unknown" or 0.
    """
    cpu, flags = _cpu()
    try:
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (AttributeError, OSError, ValueError):
        memory = 0
    facts: dict[str, str | int | list[str]] = {
        "cpu": cpu,
        "cores": os.cpu_count() or 0,
        "memory_gib": memory,
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "system": f"{platform.system()} {platform.machine()}".strip() or "unknown",
        "python": platform.python_version(),
    }
    for library in _LIBRARIES:
        try:
            facts[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return facts


def _cpu() -> tuple[str, set[str]]:
    """CPU model and its flags, spelled as in Linux's /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    if model:
        return model[1], set(flags[1].split()) if flags else set()
    brand = _sysctl("machdep.cpu.brand_string") or platform.processor() or "unknown"
    return brand, set(_sysctl("machdep.cpu.leaf7_features").lower().replace("512vnni", "512_vnni").split())


def _sysctl(name: str) -> str:
    try:
        done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
