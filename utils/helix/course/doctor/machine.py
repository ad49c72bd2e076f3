"""Examining the machine: memory, disk, cores, and the instruction sets that decide about timings."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from helix import paths
from helix.course.doctor.item import GB, WORK_ELSEWHERE, Item

CHAPTER_NEEDS = 2 * GB  # of memory: the budget of every chapter
ROOM = 1 * GB  # less free disk than this is worth a warning; the set-up itself counts what it needs


def _control_groups(controller: str, proc: Path, tree: Path) -> list[Path]:
    """Return the folders of the control groups (1 and 2) that hold this process, the innermost first.

    A container sees its own group at the top of the tree, whatever its name outside: so every parent counts.
    """
    found = []
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controller in controllers.split(",") or not controllers:
            top = tree / controller if controllers else tree
            inside = top / name.strip("/")
            found += [folder for folder in (inside, *inside.parents) if folder == top or top in folder.parents]
    return [folder for folder in found if folder.is_dir()]


def _number(file: Path, key: str = "") -> int | None:
    """Return the number in a file, or the one behind `key`; None where there is none (``max``)."""
    try:
        match = re.search(rf"^{key}\s*(\d+)", file.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) if match else None


def bytes_here(proc: Path = Path("/proc"), tree: Path = Path("/sys/fs/cgroup")) -> tuple[int, int, int]:
    """Return the machine's memory in bytes; what of it, within the limits of the control groups, is ours; and is free."""
    total = (_number(proc / "meminfo", "MemTotal:") or 0) * 1024
    free = (_number(proc / "meminfo", "MemAvailable:") or 0) * 1024
    if not total:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        free = total  # macOS tells no such number in one place
    whole = total
    for folder in _control_groups("memory", proc, tree):
        for limit, used, cache in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            if (most := _number(folder / limit)) is not None:
                spare = most - (_number(folder / used) or 0) + (_number(folder / "memory.stat", cache) or 0)
                total, free = min(total, most), min(free, spare)
    return whole, total, free


def memory(proc: Path = Path("/proc"), tree: Path = Path("/sys/fs/cgroup")) -> Iterator[Item]:
    """Say how much memory there is and how much of it is free, within the limits of the control groups."""
    whole, total, free = bytes_here(proc, tree)
    limited = f" (of the machine's {whole / GB:.1f} GB, by a limit on this session)" if total < whole else ""
    text = f"{total / GB:.1f} GB of memory{limited}"
    needs = f"a chapter needs {CHAPTER_NEEDS / GB:.0f}"
    if total < CHAPTER_NEEDS:
        yield Item("memory", "FAIL", f"{text}; {needs}.", "Use a machine, or raise the limit to one, with more memory.")
    elif free < CHAPTER_NEEDS:
        mend = "Close other programs, and in JupyterLab shut down kernels that you no longer need."
        yield Item("memory", "FAIL", f"{text}, {max(free, 0) / GB:.1f} GB free; {needs}.", mend)
    else:
        yield Item("memory", "OK", f"{text}, {free / GB:.1f} GB free; {needs}.")


def disk(folders: Sequence[Path] | None = None) -> Iterator[Item]:
    """Say how much room there is where the course and the learner's work lie, and whether one can write there.

    Parameters
    ----------
    folders : sequence of Path
        By default the repository and the work folder. For one that does not exist yet, what is above it counts.
    """
    for folder in (paths.root(), paths.work_unmade()) if folders is None else folders:
        there = next(one for one in (folder, *folder.parents) if one.exists())
        name = "the course's folder" if folder == paths.root() else paths.display(folder)
        free = shutil.disk_usage(there).free
        try:
            with tempfile.TemporaryFile(dir=there) as file:
                file.write(b"x")
        except OSError as error:
            if error.errno != errno.ENOSPC:
                text = f"{name[0].upper()}{name[1:]} cannot be written to: {error.strerror}."
                if folder == paths.root():
                    yield Item(
                        "disk", "NOTE", f"{text} Lessons need only your own folder; set-up and updates are its owner's."
                    )
                else:
                    yield Item("disk", "FAIL", text, WORK_ELSEWHERE)
                continue
            free = 0
        if free < ROOM:
            text = f"Only {free / GB:.1f} GB are free where {name} lies."
            yield Item("disk", "FAIL", text, f"Make room; below {ROOM / GB:.0f} GB, saving and building may fail.")
        else:
            yield Item("disk", "OK", f"{free / GB:.1f} GB are free where {name} lies, which can be written to.")


def cores_here(affinity: int | None = None, proc: Path = Path("/proc"), tree: Path = Path("/sys/fs/cgroup")) -> float:
    """Return how many cores this process may use: by affinity, and by the quotas of the control groups."""
    if affinity is None:
        affinity = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    share = float(affinity)
    for folder in _control_groups("cpu", proc, tree):
        quota = _number(folder / "cpu.cfs_quota_us")
        period = _number(folder / "cpu.cfs_period_us")
        if (folder / "cpu.max").exists():  # version 2: "200000 100000", or "max 100000"
            quota, period = _number(folder / "cpu.max"), _number(folder / "cpu.max", r"\d+")
        if quota and period:
            share = min(share, quota / period)
    return share


def cores(
    affinity: int | None = None, proc: Path = Path("/proc"), tree: Path = Path("/sys/fs/cgroup")
) -> Iterator[Item]:
    """Say how many cores this process may use."""
    share = cores_here(affinity, proc, tree)
    if share >= 2:
        yield Item("cores", "OK", f"{share:g} cores may be used.")
    else:
        many = "1 core" if share == 1 else f"{share:.2g} cores"
        text = f"Only {many} may be used: chapters run on one, the tests use two and will take longer."
        yield Item("cores", "NOTE", text)


# For each instruction set: its name, the flags that show it (Linux; macOS), what it means if here, and if missing.
_X86 = (
    (
        "AVX2",
        ("avx2",),
        "arithmetic works on 8 float32 numbers at a time",
        "expect longer times than those that the course recorded",
    ),
    (
        "AVX-512",
        ("avx512f",),
        "arithmetic can work on 16 float32 numbers at a time",
        "expect other times and ratios than those that were recorded with it",
    ),
    (
        "VNNI",
        ("avx512_vnni", "avx_vnni"),
        "int8 products have instructions of their own, so int8 can be much faster than float32",
        "expect smaller int8 speed-ups than those that were recorded with it",
    ),
    (
        "bf16",
        ("avx512_bf16", "amx_bf16"),
        "bf16 has instructions of its own and can be faster than float32",
        "bf16 is emulated, so expect it to be slower than float32, not faster",
    ),
)
# Nothing of the course has been measured on ARM: these say what there is, and promise nothing.
_ARM = (
    (
        "the dot product of NEON",
        ("asimddp", "FEAT_DotProd"),
        "int8 products have instructions of their own",
        "int8 products have no instructions of their own, so expect smaller int8 speed-ups",
    ),
    (
        "i8mm",
        ("i8mm", "FEAT_I8MM"),
        "int8 matrices have instructions of their own",
        "int8 matrices have no instructions of their own",
    ),
    (
        "bf16",
        ("bf16", "FEAT_BF16"),
        "bf16 has instructions of its own",
        "bf16 is emulated, so do not expect it to be faster than float32",
    ),
)


def _features(cpuinfo: Path) -> set[str]:
    """Return the processor's flags as Linux or, on Apple silicon, ``sysctl`` spells them."""
    if cpuinfo.exists():
        flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
        return set(flags[1].split()) if flags else set()
    try:
        told = subprocess.run(["sysctl", "hw.optional.arm"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return set()
    return set(re.findall(r"^hw\.optional\.arm\.(\w+): 1$", told.stdout, re.MULTILINE))


def instructions(cpuinfo: Path = Path("/proc/cpuinfo"), machine: str = platform.machine()) -> Iterator[Item]:
    """Say which instruction sets the processor has that decide about the course's timings, and what that means."""
    features = _features(cpuinfo)
    if not features:
        text = "The processor's instruction sets cannot be read here; timings may differ from the recorded ones."
        yield Item("instructions", "NOTE", text)
        return
    for name, flags, here, missing in _ARM if machine in ("aarch64", "arm64") else _X86:
        if found := [flag for flag in flags if flag in features]:
            yield Item("instructions", "OK", f"The processor has {name} ({', '.join(found)}): {here}.")
        else:
            yield Item("instructions", "NOTE", f"The processor lacks {name}: {missing}.")


def records(folder: Path | None = None, cpuinfo: Path = Path("/proc/cpuinfo")) -> Iterator[Item]:
    """Say whether the records in ``results/`` were taken with instructions that this processor has."""
    files = sorted((paths.root() / "results" if folder is None else folder).glob("*.json"))
    features = _features(cpuinfo)
    lacking: list[str] = []
    for file in files:
        try:
            recorded = json.loads(file.read_text("utf-8")).get("hardware", {}).get("instructions", [])
        except (OSError, ValueError, AttributeError):
            name = f"results/{file.name}"
            yield Item("records", "FAIL", f"The record {name} is damaged.", paths.bring_back(name))
            continue
        lacking += [name for name in recorded if name not in features and name not in lacking]
    if lacking:
        text = f"Some records in results/ were taken with {', '.join(lacking)}, which this processor lacks:"
        yield Item("records", "NOTE", f"{text} expect other times and speed-ups than the recorded ones.")
    else:
        text = "The processor has every instruction set with which the records in results/ were taken."
        yield Item("records", "OK", text)
