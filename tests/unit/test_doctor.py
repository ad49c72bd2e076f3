"""The doctor: every item is seen in order and out of order, and nothing that is broken makes it silent."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from helix import paths
from helix.assets import manifest, store
from helix.course import doctor
from helix.course.doctor import child, installed, running
from helix.course.doctor.item import Item, Status
from helix.record import decisions, progress

REPOSITORY = Path(__file__).parents[2]
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
LOCK = f"""\
# python: {HERE}, 3.99

# group: core
alpha==1.0
beta==2.0 ; sys_platform == 'nowhere'
Ga.mma==2.13.0

# group: cuda
nvidia-toy==1.0

# group: fairness
delta==4.0

# group: generative
# also: delta
epsilon==5.0
"""
INSTALLED = {"alpha": "1.0", "ga_mma": "2.13.0+cpu", "delta": "4.0"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a toy course, with the real kit.py, in the home folder of somebody called anna."""
    root = tmp_path / "home" / "anna" / "course"
    (root / "source" / "notebooks").mkdir(parents=True)
    for name in ("kit.py", "source/course.toml", "utils/helix/assets/assets.lock"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, root / name)
    (root / "requirements.lock").write_text(LOCK)
    (root / "pyproject.toml").write_text('[project]\nname = "toy"\n')
    (root / "source" / "notebooks" / "00_start_here.py").write_text("")
    (root / "source" / "notebooks" / "12_fairness_audit.py").write_text("")
    for key, value in {"HELIX_ROOT": root, "HOME": tmp_path / "home" / "anna", "LOGNAME": "anna"}.items():
        monkeypatch.setenv(key, str(value))
    monkeypatch.delenv("HELIX_WORK", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return root


@pytest.fixture
def home(root: Path) -> Path:
    """Make the toy's environment: a marker, and three packages that are whole."""
    home = root / ".venv"
    for name, version in INSTALLED.items():
        install(home, name, version)
    mark(home)
    return home


def mark(home: Path, **changes: Any) -> None:
    marker = {
        "stamp": installed._kit().stamp(),
        "python": HERE,
        "torch": "cpu",
        "groups": ["core", "fairness"],
        "failed": {},
    }
    (home / "helix.json").write_text(json.dumps(marker | {"seconds": 1, "bytes": 10**9} | changes))


def packages_of(home: Path) -> Path:
    return home / "lib" / f"python{HERE}" / "site-packages"


def install(home: Path, name: str, version: str, code: str = "") -> Path:
    """Put a package there as pip does, and return its RECORD."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/INSTALLER": "pip\n",
    }
    rows = []
    for path, text in files.items():
        file = packages_of(home) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(text)}")
    record = packages_of(home) / info / "RECORD"
    record.write_text("\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return record


def told(items: Iterable[Item]) -> list[str]:
    return [str(item) for item in items]


def one(items: Iterable[Item]) -> str:
    (line,) = told(items)
    return line


# ------------------------------------------------------------------ Python, set-up, packages, groups


def test_python(home: Path) -> None:
    assert one(doctor.python(home, f"{HERE}.7")) == f"[OK]   Python {HERE}.7; the lock allows {HERE}, 3.99."
    line = one(doctor.python(home, "3.9.2"))
    assert line.startswith(f"[FAIL] This is Python 3.9.2, and the lock allows {HERE}, 3.99 — Run: python3 kit.py setup")
    line = one(doctor.python(home, "3.99.0"))
    assert line.startswith(f"[FAIL] This is Python 3.99.0, and the environment was made with {HERE} — Run: python3")


def test_set_up(home: Path, root: Path) -> None:
    assert one(doctor.set_up(home)) == "[OK]   The set-up is current: PyTorch's cpu build, 1.0 GB in all."
    with open(root / "pyproject.toml", "a") as file:
        file.write("\n[tool.ruff]\nline-length = 1\n")
    assert one(doctor.set_up(home)).startswith("[OK]")  # the tools' settings install nothing
    with open(root / "requirements.lock", "a") as file:
        file.write("zeta==6.0\n")
    stale = "[FAIL] What the course needs has changed since the set-up — Run: python3 kit.py setup"
    assert one(doctor.set_up(home)) == stale
    (home / "helix.json").write_text('{"stamp"')
    assert one(doctor.set_up(home)) == "[FAIL] The set-up has not finished — Run: python3 kit.py setup"


def test_set_up_elsewhere(tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "conda-meta").mkdir(parents=True)
    assert told(doctor.set_up(other)) == [
        "[NOTE] This environment is not .venv but conda's.",
        "[NOTE] It has no set-up marker: only the core of the lock is compared with it.",
    ]
    mark(other)
    assert [item.status for item in doctor.set_up(other)] == ["NOTE", "OK"]
    (other / "conda-meta").rmdir()
    assert told(doctor.set_up(other))[0] == "[NOTE] This environment is not .venv but one that kit.py did not make."


def test_packages_in_order(home: Path) -> None:
    line = one(doctor.packages(home, [str(packages_of(home))]))
    assert line == "[OK]   All 3 packages are whole, in the versions of the lock."


def test_packages_of_the_installed_groups_only(home: Path) -> None:
    mark(home, groups=["core", "generative", "a group of old"])
    assert one(doctor.packages(home, [str(packages_of(home))])) == (
        "[FAIL] epsilon is missing; the lock says 5.0 — Run: python3 kit.py setup"
    )
    mark(home, torch="cuda")
    assert "nvidia-toy is missing" in one(doctor.packages(home, [str(packages_of(home))]))
    (home / "helix.json").unlink()
    shutil.rmtree(packages_of(home) / "delta-4.0.dist-info")
    assert one(doctor.packages(home, [str(packages_of(home))])).startswith("[OK]   All 2 packages")


def cut_record(record: Path) -> None:
    record.write_text(record.read_text()[:40])


def drop_file(record: Path) -> None:
    (record.parents[1] / "alpha" / "__init__.py").unlink()


def drop_metadata(record: Path) -> None:
    (record.parent / "METADATA").unlink()


def spoil_metadata(record: Path) -> None:
    (record.parent / "METADATA").write_bytes(b"\xff\xfe")


def cut_file(record: Path) -> None:
    (record.parent / "INSTALLER").write_text("p")


@pytest.mark.parametrize("harm", [cut_record, drop_file, drop_metadata, spoil_metadata, cut_file])
def test_packages_that_are_not_whole(home: Path, harm: Callable[[Path], None]) -> None:
    harm(install(home, "alpha", "1.0"))
    assert one(doctor.packages(home, [str(packages_of(home))])) == (
        "[FAIL] alpha is not whole: files are missing or changed, or its installation was cut short — Run: python3 kit.py setup"
    )


def test_packages_in_another_version(home: Path) -> None:
    shutil.rmtree(packages_of(home) / "ga_mma-2.13.0+cpu.dist-info")
    install(home, "ga_mma", "2.13.01")
    assert "ga-mma is 2.13.01; the lock says 2.13.0 —" in one(doctor.packages(home, [str(packages_of(home))]))


def test_the_first_of_two_packages_counts(home: Path, tmp_path: Path) -> None:
    install(tmp_path / "shadow", "alpha", "0.9")
    path = [str(packages_of(tmp_path / "shadow")), str(packages_of(home)), "", "/nowhere"]
    assert "alpha is 0.9; the lock says 1.0" in one(doctor.packages(home, path))


def test_only_some_packages_are_named(home: Path, root: Path) -> None:
    (root / "requirements.lock").write_text(LOCK.replace("alpha==1.0", "\n".join(f"n{i}==1" for i in range(9))))
    lines = told(doctor.packages(home, [str(packages_of(home))]))
    assert len(lines) == 6
    assert lines[0].startswith("[FAIL] n0 is missing; the lock says 1 —")
    assert lines[5] == "[FAIL] 4 more of the 11 packages are not as the lock says — Run: python3 kit.py setup"


def test_packages_of_another_environment_are_mended_by_pip(tmp_path: Path) -> None:
    other = tmp_path / "other"
    install(other, "ga_mma", "2.13.0")
    assert one(doctor.packages(other, [str(packages_of(other))])) == (
        "[FAIL] alpha is missing; the lock says 1.0 — Run: python -m pip install --no-deps --force-reinstall alpha==1.0"
    )


def test_groups(home: Path) -> None:
    assert told(doctor.groups(home)) == [
        "[OK]   The group core is installed; it opens 00_start_here.",
        "[OK]   The group fairness is installed; it opens 12_fairness_audit.",
        "[NOTE] The group generative is not installed; no chapter that is written needs it.",
    ]
    mark(home, groups=["core", "generative"], failed={"fairness": "no\nwheel"})
    assert told(doctor.groups(home))[1:] == [
        "[FAIL] The group fairness is not installed (no wheel), which closes 12_fairness_audit — "
        "Run: python3 kit.py setup --group fairness",
        "[OK]   The group generative is installed; no chapter that is written needs it.",
    ]
    (home / "helix.json").unlink()
    assert one(doctor.groups(home)).startswith("[NOTE] Which groups are installed is not known")


# ------------------------------------------------------------------ imports


def modules(folder: Path, **code: str) -> str:
    folder.mkdir(exist_ok=True)
    for name, text in code.items():
        (folder / f"{name}.py").write_text(text)
    return str(folder)


def test_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "import sys\nprint('noise', end='')\nraise ImportError('half of it\\nis gone.')"
    monkeypatch.setenv("PYTHONPATH", modules(tmp_path / "some", fine_one="", bad_one=bad, last_one=""))
    # PYTHONPATH is told to name nothing: then these modules count as the environment's own.
    assert told(doctor.imports(["fine_one", "bad_one", "last_one"], "")) == [
        "[FAIL] bad_one cannot be imported: ImportError: is gone — Run: python3 kit.py setup"
    ]
    assert one(doctor.imports(["fine_one", "last_one"], "")) == "[OK]   fine_one, last_one can be imported."


def test_an_import_that_kills_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)"
    monkeypatch.setenv("PYTHONPATH", modules(tmp_path / "some", fine_one="", deadly="", ends=code))
    line = one(doctor.imports(["fine_one", "ends"], ""))
    assert line == "[FAIL] ends cannot be imported: it ended the interpreter (SIGILL) — Run: python3 kit.py setup"


def test_an_import_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PYTHONPATH", modules(tmp_path / "some", shadow="", old="raise ImportError('of another Python')")
    )
    line = one(doctor.imports(["old"]))
    assert "ImportError: of another Python — Call again after: unset PYTHONPATH" in line
    line = one(doctor.imports(["json", "shadow"]))
    assert line.startswith("[FAIL] shadow comes from a folder that PYTHONPATH names, not from this environment —")
    monkeypatch.setattr(installed.site, "ENABLE_USER_SITE", True)
    monkeypatch.setattr(installed.site, "getusersitepackages", lambda: str(tmp_path / "some"))
    assert "shadow comes from the user's own site-packages" in one(doctor.imports(["shadow"], ""))


def test_an_import_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", modules(tmp_path / "some", slow="import time\ntime.sleep(60)"))
    monkeypatch.setattr(child, "IMPORT_SECONDS", 1.5)
    assert "slow cannot be imported: it took more than 2 seconds" in one(doctor.imports(["slow"], ""))


def test_an_interpreter_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "call", lambda *_, **__: ([], "no helix"))
    assert "does not start a program: no helix" in one(doctor.imports())


# ------------------------------------------------------------------ the machine


def machine(tmp_path: Path, total: float, free: float, cgroup: str = "", **files: str) -> tuple[Path, Path]:
    """Make a /proc with `total` and `free` GB of memory, and a tree of control groups."""
    proc, tree = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True, exist_ok=True)
    kib = [round(amount * 1e9 / 1024) for amount in (total, free)]
    (proc / "meminfo").write_text(f"MemTotal:  {kib[0]} kB\nMemFree: 1 kB\nMemAvailable:  {kib[1]} kB\n")
    (proc / "self" / "cgroup").write_text(cgroup)
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return proc, tree


def test_memory(tmp_path: Path) -> None:
    assert one(doctor.memory(*machine(tmp_path, 16, 9.5))) == (
        "[OK]   16.0 GB of memory, 9.5 GB free; a chapter needs 2."
    )
    assert one(doctor.memory(*machine(tmp_path, 16, 1.4))).startswith(
        "[FAIL] 16.0 GB of memory, 1.4 GB free; a chapter needs 2 — Close other programs"
    )
    assert one(doctor.memory(*machine(tmp_path, 1.5, 1.4))).startswith(
        "[FAIL] 1.5 GB of memory; a chapter needs 2 — Use a machine"
    )


GROUPS = {
    "version 2": ("0::/user/me\n", "user/memory.max", "user/memory.current", "user/memory.stat", "inactive_file"),
    "version 1": (
        "9:cpu,cpuacct:/x\n4:memory:/job/a\n0::/\n",
        "memory/job/memory.limit_in_bytes",
        "memory/job/memory.usage_in_bytes",
        "memory/job/memory.stat",
        "total_inactive_file",
    ),
    "a container": ("4:memory:/docker/0123\n", *(f"memory/memory.{end}" for end in ("limit_in_bytes", "usage_in_bytes", "stat")), "total_inactive_file"),
}  # fmt: skip


@pytest.mark.parametrize("kind", GROUPS)
def test_memory_within_a_limit(tmp_path: Path, kind: str) -> None:
    cgroup, most, used, stat, cache = GROUPS[kind]
    files = {most: "3000000000\n", used: "2500000000\n", stat: f"active_file 7\n{cache} 2000000000\n"}
    line = one(doctor.memory(*machine(tmp_path, 16, 9, cgroup, **files)))
    assert line == (
        "[OK]   3.0 GB of memory (of the machine's 16.0 GB, by a limit on this session), 2.5 GB free; a chapter needs 2."
    )
    files[stat] = f"{cache} 0\n"
    assert one(doctor.memory(*machine(tmp_path, 16, 9, cgroup, **files))).startswith("[FAIL] 3.0 GB")
    for unlimited in ("max\n", "9223372036854771712\n"):
        files[most] = unlimited
        assert "limit" not in one(doctor.memory(*machine(tmp_path, 16, 9, cgroup, **files)))


def test_memory_without_proc(tmp_path: Path) -> None:
    """As on macOS: what the system library knows has to do."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert f"{total / 1e9:.1f} GB of memory" in one(doctor.memory(tmp_path / "proc", tmp_path / "cgroup"))


def test_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=int(5e9)))
    assert told(doctor.disk()) == [
        "[OK]   5.0 GB are free where the course's folder lies, which can be written to.",
        "[OK]   5.0 GB are free where work lies, which can be written to.",
    ]
    assert not (root / "work").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=int(4e8)))
    assert told(doctor.disk())[0].startswith("[FAIL] Only 0.4 GB are free where the course's folder lies — Make room")


def test_disk_that_cannot_be_written_to(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "work").write_text("a file, not a folder")
    line = one(doctor.disk([root / "work"]))
    assert line.startswith("[FAIL] Work cannot be written to: Not a directory — Set HELIX_WORK to a folder")

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def read_only(dir: Path) -> io.BytesIO:
        if Path(dir) == root:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return io.BytesIO()

    with monkeypatch.context() as shared:  # an installation for many, each of whom works in a folder of their own
        shared.setattr(tempfile, "TemporaryFile", read_only)
        shared.setenv("HELIX_WORK", str(root.parent / "mine"))
        course, mine = told(doctor.disk())
        assert course.startswith(
            "[NOTE] The course's folder cannot be written to: Read-only file system. Lessons need only"
        )
        assert mine.startswith("[OK]")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: Full())
    assert "[FAIL] Only 0.0 GB are free where the course's folder lies" in one(doctor.disk([root]))


@pytest.mark.parametrize(
    ("affinity", "cgroup", "files", "line"),
    [
        (8, "", {}, "[OK]   8 cores may be used."),
        (1, "", {}, "[NOTE] Only 1 core may be used: chapters run on one, the tests use two and will take longer."),
        (8, "0::/a/b\n", {"a/cpu.max": "250000 100000\n", "a/b/cpu.max": "max 100000\n"}, "[OK]   2.5 cores"),
        (8, "0::/a\n", {"a/cpu.max": "50000 100000\n"}, "[NOTE] Only 0.5 cores"),
        (2, "0::/a\n", {"a/cpu.max": "800000 100000\n"}, "[OK]   2 cores"),
        (8, "3:cpu,cpuacct:/a\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}, "[OK]   2 cores"),
        (8, "3:cpu,cpuacct:/a\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "50000"}, "[OK]   8 cores"),
    ],
)  # fmt: skip
def test_cores(tmp_path: Path, affinity: int, cgroup: str, files: dict[str, str], line: str) -> None:
    assert one(doctor.cores(affinity, *machine(tmp_path, 8, 8, cgroup, **files))).startswith(line)


def cpuinfo(tmp_path: Path, line: str) -> Path:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor : 0\nmodel name : Toy\n{line}\n\nprocessor : 1\n")
    return file


def test_instructions(tmp_path: Path) -> None:
    every = doctor.instructions(cpuinfo(tmp_path, "flags\t\t: fpu avx2 avx512f avx_vnni amx_bf16"), "x86_64")
    assert [line.partition(":")[0] for line in told(every)] == [
        "[OK]   The processor has AVX2 (avx2)",
        "[OK]   The processor has AVX-512 (avx512f)",
        "[OK]   The processor has VNNI (avx_vnni)",
        "[OK]   The processor has bf16 (amx_bf16)",
    ]
    lines = told(doctor.instructions(cpuinfo(tmp_path, "flags : fpu avx avx512_vnni"), "x86_64"))
    assert lines[0].startswith("[NOTE] The processor lacks AVX2: expect longer times")
    assert lines[2].startswith("[OK]   The processor has VNNI (avx512_vnni): int8 products")
    assert lines[3].startswith("[NOTE] The processor lacks bf16: bf16 is emulated")


def test_instructions_on_arm(tmp_path: Path) -> None:
    file = cpuinfo(tmp_path, "Features\t: fp asimd asimddp i8mm")
    lines = told(doctor.instructions(file, "aarch64"))
    assert [line[:6] for line in lines] == ["[OK]  ", "[OK]  ", "[NOTE]"]
    assert "(asimddp)" in lines[0]


def test_instructions_on_a_mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "hw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_I8MM: 0\nhw.optional.arm.FEAT_BF16: 1\n"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, said, ""))
    items = list(doctor.instructions(tmp_path / "nowhere", "arm64"))
    assert [item.status for item in items] == ["OK", "NOTE", "OK"]


def test_instructions_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be read here" in one(doctor.instructions(cpuinfo(tmp_path, "nothing : known"), "x86_64"))
    monkeypatch.setenv("PATH", "")
    assert "cannot be read here" in one(doctor.instructions(tmp_path / "nowhere", "arm64"))


def test_records(tmp_path: Path) -> None:
    file = cpuinfo(tmp_path, "flags : avx2 avx512f")
    for number, names in enumerate((["avx2"], ["avx2", "avx512f"])):
        text = json.dumps({"hardware": {"instructions": names}})
        (tmp_path / f"{number}.json").write_text(text)
    assert one(doctor.records(tmp_path, file)).startswith("[OK]   The processor has every instruction set")
    (tmp_path / "2.json").write_text(json.dumps({"hardware": {"instructions": ["avx2", "amx_int8", "avx512_vnni"]}}))
    assert one(doctor.records(tmp_path, file)).startswith(
        "[NOTE] Some records in results/ were taken with amx_int8, avx512_vnni, which this processor lacks: expect other"
    )


@pytest.mark.parametrize("content", ['{"hardware": {"in', "[]", ""])
def test_a_damaged_record_is_named_with_what_brings_it_back(root: Path, tmp_path: Path, content: str) -> None:
    file = cpuinfo(tmp_path, "flags : avx2")
    (tmp_path / "3.json").write_text(content)
    line, _ = told(doctor.records(tmp_path, file))
    assert line.startswith("[FAIL] The record results/3.json is damaged — Bring it back from a fresh download")
    (root / ".git").mkdir()
    assert told(doctor.records(tmp_path, file))[0].endswith("Bring it back with: git checkout -- results/3.json")


def test_the_real_records_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIX_ROOT", str(REPOSITORY))
    assert [item.status for item in doctor.records()] in (["OK"], ["NOTE"])


# ------------------------------------------------------------------ kernel, port, git, work


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what Jupyter and IPython leave behind inside the test; return a folder that a kernel imports from."""
    for key in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(key, str(tmp_path / key))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "first"))
    return tmp_path / "first"


def test_the_kernel_answers_and_is_ended(jupyter: Path) -> None:
    pid = jupyter / "pid"
    code = f"import os\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\n"
    modules(jupyter, ipykernel_launcher=code + "from ipykernel import kernelapp\nkernelapp.launch_new_instance()")
    assert one(doctor.kernel()) == "[OK]   The kernel of the notebooks starts in this environment, and answers."
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_kernel_that_dies(jupyter: Path) -> None:
    modules(jupyter, ipykernel_launcher="raise ImportError('zmq is half here')")
    assert one(doctor.kernel()) == (
        "[FAIL] The kernel of the notebooks does not start: ImportError: zmq is half here — Run: python3 kit.py setup"
    )


def test_a_jupyter_that_cannot_be_imported(jupyter: Path) -> None:
    modules(jupyter, jupyter_client="raise ImportError('cut short')")
    assert "does not start: ImportError: cut short —" in one(doctor.kernel())


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (([{"answer": "2", "prefix": "/elsewhere"}], ""), "would start the kernel of another Python environment —"),
        (([{"answer": "3", "prefix": sys.prefix}], ""), "The kernel says that 1+1 is 3 —"),
        (([], "it took more than 50 seconds"), "does not start: it took more than 50 seconds —"),
    ],
)
def test_a_kernel_that_is_not_ours(monkeypatch: pytest.MonkeyPatch, answer: tuple[Any, str], line: str) -> None:
    monkeypatch.setattr(child, "call", lambda *_, **__: answer)
    said = one(doctor.kernel())
    assert said.startswith("[FAIL]")
    assert line in said


def test_a_kernel_that_cannot_be_reached_is_not_the_set_ups_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "call", lambda *_, **__: ([], "it took more than 50 seconds"))
    monkeypatch.setattr(running, "_cut_off", lambda: OSError(errno.ENETUNREACH, "Network is unreachable"))
    line = one(doctor.kernel())
    assert "Mend first what is said of 127.0.0.1" in line
    assert "setup" not in line


def test_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert one(doctor.home()) == "[OK]   JupyterLab can keep its settings in your home folder."
    (root.parent / ".jupyter").write_text("no folder")
    assert one(doctor.home()).startswith("[NOTE] Your home folder cannot be written to. `python3 kit.py lab` keeps")
    monkeypatch.setenv("HELIX_WORK", str(root / "kit.py" / "none"))
    assert "Neither your home folder nor your work folder" in one(doctor.home())
    (root.parent / ".jupyter").unlink()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert told(doctor.home())[1].startswith("[NOTE] You are root")


def test_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with running._listener(0) as taken:
        number = taken.getsockname()[1]
        assert one(doctor.port(number)).startswith(f"[NOTE] Port {number} is taken")
    assert one(doctor.port(number)) == f"[OK]   Port {number}, JupyterLab's default, is free."


def test_a_machine_that_cannot_talk_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    resolve = socket.getaddrinfo

    def unknown(host: str, *rest: Any) -> Any:
        if host == "localhost":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(socket, "create_connection", unreachable)
        assert "(localhost, 127.0.0.1): Network is unreachable — Let programs listen" in one(doctor.port())
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert one(doctor.port()).startswith("[FAIL] JupyterLab cannot be reached on this machine")


def test_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("git"):
        pytest.skip("git is not installed.")
    assert one(doctor.git()) == "[OK]   git is here; this copy of the course is no checkout."
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    assert one(doctor.git()) == "[OK]   git is here, and reads this repository."
    kit = (root / "kit.py").read_bytes()
    (root / "kit.py").write_bytes(kit.replace(b"\n", b"\r\n"))
    assert one(doctor.git()).startswith("[FAIL] git gave the files of this clone Windows's line ends (core.autocrlf)")
    (root / "kit.py").write_bytes(kit)
    (root / ".git" / "HEAD").write_text("nonsense")
    assert one(doctor.git()).startswith("[FAIL] git does not read this repository, which some tests need: fatal:")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert one(doctor.git()).startswith("[FAIL] git is missing: some tests need it, the lessons do not — Install git")
    shutil.rmtree(root / ".git")
    assert one(doctor.git()).startswith("[NOTE] git is missing")


def test_work(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert one(doctor.work()) == "[OK]   The folder work will be made by the first lab that you start."
    assert not (root / "work").exists()
    progress.attempted("start_here", "parity_gap", "correct", "", 1)
    decisions.register("start_here", {"choice": "stop"})
    before = {file: file.read_bytes() for file in (root / "work").iterdir()}
    assert one(doctor.work()) == "[OK]   Your progress and decisions in work can be read (2 entries)."
    with open(progress.path(), "ab") as file:
        file.write(b'[1]\n{"lab": "cut')
    before[progress.path()] += b'[1]\n{"lab": "cut'
    assert one(doctor.work()).startswith(
        "[NOTE] Damaged lines in your progress or decisions in work, which are passed over: 2. Read: 2."
    )
    assert {file: file.read_bytes() for file in (root / "work").iterdir()} == before
    decisions.path().unlink()
    decisions.path().mkdir()
    assert one(doctor.work()).startswith("[FAIL] What you did cannot be read (it is no file): work/decisions.jsonl —")


def test_the_work_folder_is_that_of_the_course(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.work_unmade().resolve() == paths.work().resolve()
    monkeypatch.setenv("HELIX_WORK", "~/mine")
    assert paths.work_unmade() == paths.work()
    (tmp_path / "home" / "anna" / "mine").rmdir()
    (tmp_path / "home" / "anna" / "mine").write_text("")
    assert one(doctor.work()).startswith("[FAIL] What you did cannot be read (Not a directory): mine/")


# ------------------------------------------------------------------ the whole


def raising(error: BaseException) -> Callable[[], Iterable[Item]]:
    def check() -> Iterable[Item]:
        yield Item("broken", "OK", "This came before.")
        raise error

    return check


@pytest.mark.parametrize(
    "error", [ValueError("first line\nlast line."), SystemExit("last line."), OSError(5, "last line")]
)
def test_what_a_check_raises_is_an_item(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    fine = lambda: [Item("fine", "OK", "Fine.")]  # noqa: E731
    monkeypatch.setattr(doctor, "CHECKS", {"broken": raising(error), "fine": fine})
    assert doctor.main([]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "[OK]   This came before."
    assert lines[1].startswith(f"[FAIL] Broken: this could not be examined ({type(error).__name__}: ")
    assert "last line) — Run: python3 kit.py setup" in lines[1]
    assert lines[2:] == ["[OK]   Fine.", "1 of 3 items need mending: each says how."]
    assert not said.err


def test_every_item_is_freed_of_what_is_personal(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = Item("x", "FAIL", f"{root}/work is full.", f"Empty {root.parent}/attic.")
    monkeypatch.setattr(doctor, "CHECKS", {"x": lambda: [item]})
    assert told(doctor.examine()) == ["[FAIL] work is full — Empty …/attic."]


@pytest.mark.parametrize(
    ("statuses", "exit_status", "last"),
    [
        (["OK", "OK"], 0, "All 2 items are in order."),
        (["OK", "NOTE"], 0, "All 2 items are in order, 1 with a note."),
        (["FAIL", "NOTE", "FAIL"], 1, "2 of 3 items need mending: each says how."),
    ],
)
def test_exit_status_and_summary(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    statuses: list[Status],
    exit_status: int,
    last: str,
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"x": lambda: [Item("x", status, "A sentence.") for status in statuses]})
    assert doctor.main([]) == exit_status
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_nothing_personal_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = root.parent
    for text, told_as in {
        f"{root}/work/progress.jsonl is cut": "work/progress.jsonl is cut",
        f"'{root}' is full": "'the course's folder' is full",
        f"{home}/secret/plans/x is full": "…/x is full",
        f"see {home}.": "see ~.",
        "/media/anna is read-only": "…/… is read-only",
        "File '/opt/site/lib/numpy/core.py', line 3": "File '…/core.py', line 3",
        "at https://anna:word@index.example/simple": "at (an address)",
        "HTTPSConnectionPool(host='index.example', port=443)": "HTTPSConnectionPool(host=…, port=443)",
        "Run: python3 kit.py setup --group fairness": "Run: python3 kit.py setup --group fairness",
        "3/4 of it, and/or 0.5 GB": "3/4 of it, and/or 0.5 GB",
    }.items():
        assert doctor._anonymous(text) == told_as


def real_environment(root: Path, **code: str) -> Path:
    """Make an environment whose own packages are broken by `code`, over those of the environment that runs the tests."""
    home = root / ".venv"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    base = os.path.realpath(sys.executable)
    (home / "bin" / "python").symlink_to(base)
    (home / "pyvenv.cfg").write_text(f"home = {os.path.dirname(base)}\nversion = {sys.version.split()[0]}\n")
    packages_of(home).mkdir(parents=True)
    own = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(REPOSITORY / "utils")))
    (packages_of(home) / "below.pth").write_text("\n".join(own) + "\n")
    for name, text in code.items():
        cut_record(install(home, name, "9.9", text))
    mark(home, groups=["core"])
    return home


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from helix.course import doctor; sys.exit(doctor.main(sys.argv[1:]))"
    command = [str(home / "bin" / "python"), "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=home)


BROKEN = ("numpy", "pandas", "matplotlib", "torch")


def test_broken_packages_do_not_silence_the_doctor(root: Path, jupyter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")
    (root / "requirements.lock").write_text(LOCK.replace("alpha==1.0", "\n".join(f"{name}==9.9" for name in BROKEN)))
    home = real_environment(root, **dict.fromkeys(BROKEN, "raise ImportError('files are gone')"))
    done = run(home)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert not done.stderr
    for name in BROKEN:
        assert any(line.startswith(f"[FAIL] {name} is not whole") for line in lines)
        assert any(
            line.startswith(f"[FAIL] {name}") and "cannot be imported: ImportError: files" in line for line in lines
        )
    assert "[OK]   The kernel of the notebooks starts in this environment, and answers." in lines
    assert lines[-1].endswith("items need mending: each says how.")


def test_the_doctor_needs_no_other_package(root: Path, jupyter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even packaging and Jupyter may be broken; and what is told for a program is whole, and holds nothing personal."""
    monkeypatch.delenv("PYTHONPATH")
    gone = "raise ImportError('gone')"
    home = real_environment(root, packaging=gone, jupyter_client=gone, numpy=gone, requests=gone, tqdm=gone)
    done = run(home, "--json")
    assert done.returncode == 1
    assert not done.stderr
    report = json.loads(done.stdout)
    assert set(report) == {"items", "versions", "hardware"}
    assert report["hardware"] == {}
    assert all(set(item) == {"item", "status", "text", "mend"} for item in report["items"])
    assert {item["item"] for item in report["items"]} == set(doctor.CHECKS)
    status = {item["item"]: item["status"] for item in report["items"]}
    assert [status[name] for name in ("python", "set-up", "packages", "imports", "kernel")] == ["OK", "OK"] + [
        "FAIL"
    ] * 3
    for personal in ("anna", str(root), str(home), str(REPOSITORY), os.path.expanduser("~")):
        assert personal not in done.stdout


def test_the_report_for_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"git": doctor.git})
    assert doctor.main(["--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["versions"]["numpy"] == report["hardware"]["numpy"]
    assert report["hardware"]["cores"] == os.cpu_count()


def test_versions_of_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "VERSIONS", ("numpy", "no-such-package", "helix"))
    assert list(doctor._versions()) == ["numpy", "helix"]


# ------------------------------------------------------------------ the assets


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Say how the assets are, instead of looking; 12_fairness_audit is written and reads compas."""
    found = dict.fromkeys(manifest.load(), "ready")
    monkeypatch.setattr(store, "state", lambda name, *, thorough: found[name] if thorough else "not read")
    return found


def test_assets_in_order(states: dict[str, str]) -> None:
    assert told(doctor.assets()) == [f"[OK]   {len(states)} assets are here and whole."]


def test_an_asset_that_a_written_chapter_needs_is_missing(states: dict[str, str]) -> None:
    states |= {"compas": "missing", "glove": "missing"}
    fail, note, fine = told(doctor.assets())
    assert fail == (
        "[FAIL] The asset compas is missing, which 12_fairness_audit needs — Run: python3 kit.py assets compas"
    )
    assert note.startswith("[NOTE] Not here, and needed by no chapter that is written: glove.")
    assert fine == f"[OK]   {len(states) - 2} assets are here and whole."


def test_an_asset_of_somebody_else(states: dict[str, str]) -> None:
    states["glove"] = "unreadable"
    said = "[FAIL] The asset glove cannot be read — Ask the owner of .assets to make it readable for you."
    assert said in told(doctor.assets())


@pytest.mark.parametrize("state", ["damaged", "outdated"])
def test_an_asset_that_is_not_whole(states: dict[str, str], state: str) -> None:
    states["glove"] = state
    assert f"[FAIL] The asset glove is {state} — Run: python3 kit.py assets glove" in told(doctor.assets())


def test_no_asset_at_all(root: Path, states: dict[str, str]) -> None:
    states |= dict.fromkeys(states, "missing")
    (root / "source" / "notebooks" / "12_fairness_audit.py").unlink()
    (only,) = told(doctor.assets())
    assert only.startswith("[NOTE] Not here")
