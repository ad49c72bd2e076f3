"""kit.py, tried on a toy course whose wheels are made here: no network, a few seconds a set-up, real pip and uv."""

from __future__ import annotations

import ast
import base64
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest

from helix import own_venv

KIT = Path(__file__).parents[2] / "kit.py"
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
MANY = {f"beta/part_{number}.txt": f"{number}\n" for number in range(3000)}  # long enough to be killed in it
UV = Path(sys.executable).with_name("uv")  # the toy's wheel of uv holds a script that calls it

LOCK = """\
# python: {python}

# group: core
alpha==1.0
beta==1.0
torch==2.13.0
uv==0.1

# group: cuda
nvidia-toy==1.0 ; sys_platform == 'linux'

# group: trust
gamma==1.0

# group: generative
# also: gamma
nowhere==1.0

# group: deployment
delta==1.0

# group: browser
nowhere==1.0
"""
OWN = """\
# for: a toy framework, in chapter 12
# python: {python}
# gigabytes: 0.1
# seconds: 5

# group: toy
alpha==1.0
gamma==1.0
"""
COURSE = """\
[[chapter]]
number = 0
topic = "start_here"
group = "core"

[[chapter]]
number = 12
topic = "fairness_audit"
group = "trust"
assets = ["table", "model"]

[[chapter]]
number = 20
topic = "generation_bias"
group = "generative"

[[chapter]]
number = 21
topic = "unwritten"
group = "deployment"
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "toy"
version = "1.0"

[tool.anything]
key = 1
"""
# setuptools cannot be made by hand: the toy brings its own build backend, and pip goes the same way.
BACKEND = """\
import os, sys, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(os.path.join(folder, "toy-1.0-py3-none-any.whl"), "w") as wheel:
        path = (os.path.abspath("utils") + "\\n").encode()
        wheel.writestr("toy.pth", path)
        metadata, tags = "Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\n", "Tag: py3-none-any\\n"
        wheel.writestr("toy-1.0.dist-info/METADATA", metadata)
        wheel.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n" + tags)
        wheel.writestr("toy-1.0.dist-info/RECORD", f"toy.pth,,{len(path)}\\n")
    return "toy-1.0-py3-none-any.whl"
"""
CLI = """\
import os, sys
import alpha.inner, beta, torch
print(sys.argv[1:])
if sys.argv[1] == "assets":
    sys.exit(1 if "TOY_CUT" in os.environ else 0)
sys.exit(int(sys.argv[2]) if sys.argv[1] == "exit" else 0)
"""


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str], requires: tuple[str, ...] = ()) -> None:
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {line}" for line in requires]
    content = {
        **files,
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = []
    for path, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(text.encode())}")
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{info.removesuffix('.dist-info')}-py3-none-any.whl", "w") as wheel:
        for path, text in content.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o100755 if "/scripts/" in path else 0o100644) << 16
            wheel.writestr(entry, text)
        wheel.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")


class Toy:
    """A small course in a folder, with its wheels beside it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.wheels = folder / "dh 课", folder / "wheels"  # a space, and a letter beyond ASCII
        self.venv = self.root / ".venv"
        self.site = self.venv / "lib" / f"python{HERE}" / "site-packages"
        notebooks = self.root / "source" / "notebooks"
        notebooks.mkdir(parents=True)
        (notebooks / "00_start_here.py").touch()
        (self.root / "source" / "course.toml").write_text(COURSE)
        (self.root / "requirements.lock").write_text(LOCK.format(python=HERE))
        (self.root / "pyproject.toml").write_text(PROJECT)
        (self.root / "backend.py").write_text(BACKEND)
        (self.root / "utils" / "helix" / "course").mkdir(parents=True)
        (self.root / "utils" / "helix" / "assets").mkdir()
        (self.root / "utils" / "helix" / "assets" / "assets.lock").write_text("# nothing pinned\n")
        (self.root / "utils" / "helix" / "__init__.py").touch()
        (self.root / "utils" / "helix" / "course" / "cli.py").write_text(CLI)
        shutil.copy(KIT, self.root)
        make_wheel(self.wheels, "alpha", "1.0", {"alpha/__init__.py": "", "alpha/inner.py": "X = 'whole'\n"})
        make_wheel(self.wheels, "beta", "1.0", {"beta/__init__.py": "", **MANY})
        make_wheel(self.wheels, "gamma", "1.0", {"gamma.py": ""})
        make_wheel(self.wheels, "delta", "1.0", {"delta.py": ""})
        make_wheel(self.wheels, "torch", "2.13.0+cpu", {"torch.py": ""}, ("alpha",))
        self.make_uv(f'exec "{UV}" "$@"')

    def make_uv(self, script: str) -> None:
        make_wheel(self.wheels, "uv", "0.1", {"uv-0.1.data/scripts/uv": f"#!/bin/sh\n{script}\n"})

    def installers(self) -> dict[str, str]:
        """Return which program installed each package."""
        files = self.site.glob("*.dist-info/INSTALLER")
        return {file.parent.name.split("-")[0]: file.read_text().strip() for file in files}

    def environment(self, **extra: str) -> dict[str, str]:
        ours = ("PIP_", "UV_", "CONDA", "HELIX", "PYTHONPATH")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        offline["HOME"] = "/dev/null/nowhere"  # no cache can be written there
        return {**kept, **offline, **extra}

    def start(self, *words: str, python: str = sys.executable, **extra: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [python, str(self.root / "kit.py"), *words]
        environment = self.environment(**extra)
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            env=environment,
            start_new_session=True,
        )

    def run(self, *words: str, python: str = sys.executable, **extra: str) -> tuple[int, str, str]:
        """Run kit.py to its end; return exit status, stdout and stderr. No run may show a traceback."""
        process = self.start(*words, python=python, **extra)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        return process.returncode, out, err

    def marker(self) -> dict[str, object]:
        path = self.venv / "helix.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}


First = tuple[Toy, tuple[int, str, str], dict[str, object]]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    """Set a toy up by its first call; the tests share it, and each call mends what the one before left.

    After that call its chapters beyond core are gone again: a set-up costs a second a group.
    """
    toy = Toy(tmp_path_factory.mktemp("kit"))
    notebooks = toy.root / "source" / "notebooks"
    further = [notebooks / "12_fairness_audit.py", notebooks / "20_generation_bias.py"]
    for chapter in further:
        chapter.touch()
    strange = toy.root.parent / "strange"
    strange.mkdir()
    (strange / "pip.py").write_text("raise SystemExit('this is not pip')\n")
    result = toy.run("say", "two words", PYTHONPATH=str(strange))
    first_marker = toy.marker()
    for chapter in further:
        chapter.unlink()
    return toy, result, first_marker


@pytest.fixture
def made(first: First) -> Toy:
    return first[0]


@pytest.fixture
def own(made: Toy) -> Toy:
    lock = made.root / "envs" / "toy.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(OWN.format(python=HERE))
    return made


@pytest.fixture(scope="module")
def kit() -> ModuleType:
    return import_kit(KIT)


def import_kit(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("kit_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_first_call_makes_everything_and_runs_the_word(first: First) -> None:
    toy, (status, out, err), marker = first
    assert status == 0, err
    assert out == "['say', 'two words']\n"  # stdout belongs to the word
    assert "Installing core (3 packages)" in err
    assert toy.installers().items() >= {"alpha": "uv", "gamma": "uv", "toy": "uv", "torch": "pip", "uv": "pip"}.items()
    assert not (toy.venv / "uv-cache").exists()
    assert list(toy.site.glob("alpha/__pycache__/inner.*.pyc"))
    assert marker["groups"] == ["core", "trust"]
    assert "['assets']" in err
    assert marker["assets"] == ["model", "table"]
    assert (marker["python"], marker["torch"]) == (HERE, "cpu")
    assert str(toy.root.parent) not in json.dumps(marker)  # `python3 kit.py about` shows it: no path


def test_missing_wheel_closes_a_group_and_names_its_chapters(first: First) -> None:
    _, (status, _, err), marker = first
    assert status == 0
    assert "group generative could not be installed: No matching distribution found for nowhere==1.0" in err
    assert "closes: 20_generation_bias." in err
    assert marker["failed"] == {"generative": "No matching distribution found for nowhere==1.0"}


def test_group_asked_for_by_name_is_remembered_and_its_failure_is_one(made: Toy) -> None:
    status, _, err = made.run("setup", "--group", "generative")
    assert status == 1
    assert "closes: no chapter that is written yet" in err
    plan = json.loads((made.venv / "helix-plan.json").read_text())
    assert plan["asked"] == ["generative"]
    (made.venv / "helix-plan.json").write_text(json.dumps({**plan, "asked": []}))


def test_second_call_is_fast_and_installs_nothing(made: Toy) -> None:
    before = made.site.stat().st_mtime_ns, made.marker()
    started = time.monotonic()
    status, _, err = made.run("say", PIP_FIND_LINKS="/nonexistent")
    assert (status, err) == (0, "")
    assert time.monotonic() - started < 2
    assert (made.site.stat().st_mtime_ns, made.marker()) == before


def test_an_older_interpreter_reads_the_catalogue_through_the_environment(
    made: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_kit(made.root / "kit.py")
    expected = module.written_chapters(made.venv / "bin" / "python")
    monkeypatch.setitem(sys.modules, "tomllib", None)
    assert module.written_chapters(made.venv / "bin" / "python") == expected
    assert expected == {"core": ["00_start_here"]}
    assert module.complete(made.venv)


@pytest.mark.parametrize("status", [0, 3, 77])
def test_exit_status_of_the_word_is_passed_on(made: Toy, status: int) -> None:
    assert made.run("exit", str(status))[0] == status


def test_no_word_prints_the_usage(made: Toy) -> None:
    status, out, _ = made.run()
    assert status == 0
    assert out.startswith("usage: python3 kit.py WORD")
    assert made.run("setup", "--group", "unknown")[0] == 2


def test_changed_lock_or_dependencies_set_up_again(made: Toy) -> None:
    make_wheel(made.wheels, "alpha", "1.1", {"alpha/__init__.py": "", "alpha/inner.py": "X = 'new'\n"})
    lock, project = made.root / "requirements.lock", made.root / "pyproject.toml"
    lock.write_text(lock.read_text().replace("alpha==1.0", "alpha==1.1"))
    assert "Ready" in made.run("say")[2]
    assert (made.site / "alpha" / "inner.py").read_text() == "X = 'new'\n"
    module = import_kit(made.root / "kit.py")
    assert module.complete(made.venv)
    project.write_text(PROJECT.replace("key = 1", "key = 2"))
    assert module.complete(made.venv)  # tool settings decide nothing here
    project.write_text(PROJECT.replace('version = "1.0"', 'version = "1.0"\ndependencies = ["alpha"]'))
    assert not module.complete(made.venv)
    project.write_text(PROJECT)


def test_new_chapter_brings_its_group(made: Toy) -> None:
    assert not (made.site / "delta.py").exists()
    chapter = made.root / "source" / "notebooks" / "21_unwritten.py"
    chapter.touch()
    assert made.run("say")[0] == 0
    assert (made.site / "delta.py").exists()
    chapter.unlink()


def test_new_chapter_brings_its_assets_and_missing_ones_end_nothing(made: Toy) -> None:
    chapter = made.root / "source" / "notebooks" / "12_fairness_audit.py"
    status, out, err = made.run("setup")
    assert (status, "assets" in err) == (0, False)  # nothing is asked for where no chapter reads any
    chapter.touch()
    status, out, err = made.run("say", TOY_CUT="1")
    assert (status, out) == (0, "['say']\n")
    assert "Some assets are missing; everything else works. `python3 kit.py assets` tries again." in err
    assert made.marker()["assets"] == ["model", "table"]
    assert made.run("say")[2] == ""  # told once, not at every call
    lock = made.root / "utils" / "helix" / "assets" / "assets.lock"
    lock.write_text("# another version\n")
    assert "['assets']" in made.run("say")[2]
    chapter.unlink()


def test_all_groups_are_those_of_chapters(kit: ModuleType) -> None:
    groups = kit.read_lock((KIT.parent / "requirements.lock").read_text())[1]
    assert {kit.AUTHORS, "trust", "deployment"} < set(kit.further_groups(groups))
    with open(KIT.parent / "source" / "course.toml", "rb") as file:
        chapters = tomllib.load(file)["chapter"]
    assert set(kit.further_groups(groups)) - {kit.AUTHORS} == {one["group"] for one in chapters} - {"core"}


def test_the_doctor_looks_before_anything_is_mended(made: Toy) -> None:
    marker = made.venv / "helix.json"
    before = marker.read_text()
    marker.unlink()
    status, out, err = made.run("doctor")
    assert (status, out, err) == (0, "['doctor']\n", "")
    assert not marker.exists()
    (made.site / "toy.pth").unlink()  # the course itself is not installed any more
    assert made.run("doctor")[1] == "['doctor']\n"
    assert "Ready" in made.run("say")[2]
    assert json.loads(before)["stamp"] == made.marker()["stamp"]


def test_half_written_packages_are_installed_anew(made: Toy, kit: ModuleType) -> None:
    record = next(made.site.glob("beta-*.dist-info/RECORD"))
    record.write_text(
        record.read_text() + "beta/__pycache__/__init__.cpython-39.pyc,sha256=aa,14202\n"
    )  # as numpy 1.26 does
    assert kit.broken(made.site) == []
    next(made.site.glob("alpha-*.dist-info/RECORD")).unlink()
    (made.site / "alpha" / "inner.py").unlink()
    (made.site / "beta" / "part_7.txt").unlink()
    (made.site / "beta" / "part_8.txt").write_text("not what it was")
    # Before pip writes its RECORD, the wheel's own one is there, and commands may be missing.
    record = made.site / "torch-2.13.0+cpu.dist-info" / "RECORD"
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(line for line in lines if "INSTALLER" not in line))
    names = [info.name.split("-")[0] for info in kit.broken(made.site)]
    assert names == ["alpha", "beta", "torch"]
    (made.site / "~lpha").mkdir()  # pip was killed while it removed a package
    (made.site / "~lpha-0.9.dist-info").mkdir()
    (made.venv / "helix.json").unlink()
    status, _, err = made.run("say")
    assert status == 0
    assert "Mending 5 packages" in err
    assert kit.broken(made.site) == []
    assert (made.site / "alpha" / "inner.py").exists()
    assert (made.site / "beta" / "part_7.txt").exists()
    assert (made.site / "beta" / "part_8.txt").read_text() == "8\n"
    assert "INSTALLER" in record.read_text()
    assert not any(made.site.glob("~*"))


def test_missing_wheel_in_core_stops_with_a_sentence(made: Toy) -> None:
    lock = made.root / "requirements.lock"
    text = lock.read_text()
    lock.write_text(text.replace("beta==1.0", "beta==9.9"))
    status, out, err = made.run("say")
    assert (status, out) == (1, "")
    assert "core of the course could not be installed: No matching distribution found for beta==9.9" in err
    assert made.marker() == {}
    lock.write_text(text)


def test_cuda_never_comes_by_accident(made: Toy, kit: ModuleType, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    shutil.copytree(made.wheels, wheels)
    (wheels / "torch-2.13.0+cpu-py3-none-any.whl").unlink()
    make_wheel(wheels, "torch", "2.13.0", {"torch.py": ""}, ("nvidia-toy ; platform_system == 'Linux'",))
    make_wheel(wheels, "nvidia-toy", "1.0", {"nvidia_toy.py": ""})
    shutil.rmtree(made.site / "torch-2.13.0+cpu.dist-info")
    status, out, err = made.run("setup", PIP_FIND_LINKS=str(wheels))
    assert (status, out) == (1, "")
    assert "kit.py: PyTorch's CPU build was found neither by pip nor at" in err
    assert "python3 kit.py setup --torch cuda" in err
    assert kit.torch_here(made.venv) == ("", "")

    status, _, err = made.run("setup", "--torch", "cuda", PIP_FIND_LINKS=f"{wheels} {made.wheels}")
    assert status == 0, err
    assert kit.torch_here(made.venv) == ("2.13.0", "cuda")  # though a CPU build was to be had too
    assert made.marker()["torch"] == "cuda"
    assert (made.site / "nvidia_toy.py").exists()

    assert made.run("setup", "--torch", "cpu")[0] == 0
    assert kit.torch_here(made.venv) == ("2.13.0", "cpu")
    assert not (made.site / "nvidia_toy.py").exists()


def test_full_disk_stops_before_anything_is_fetched(made: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_kit(made.root / "kit.py")
    usage = namedtuple("usage", "total used free")(10**12, 10**12, 10**9)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(module.Stop, match=r"needs \d\.\d GB more; 1\.0 GB are free"):
        module.set_up(made.venv, os.open(made.root, os.O_RDONLY), module.options_of([]))
    with pytest.raises(module.Stop, match="disk is full"):
        module.reason(["ERROR: Could not install: [Errno 28] No space left on device"])
    assert made.marker() == {}


def test_second_call_at_once_waits(made: Toy) -> None:
    (made.venv / "helix.json").unlink(missing_ok=True)
    guard = os.open(made.root, os.O_RDONLY)
    fcntl.flock(guard, fcntl.LOCK_EX)
    process = made.start("say")
    assert process.stderr is not None
    assert process.stderr.readline() == "Another call is setting up; waiting for it.\n"
    assert made.marker() == {}
    os.close(guard)
    assert process.communicate(timeout=60)[1].endswith("s.\n")
    assert process.returncode == 0
    assert made.marker()["groups"]


def test_an_active_conda_environment_is_used_as_it_is(made: Toy) -> None:
    marker = (made.venv / "helix.json").read_text()
    (made.venv / "helix.json").unlink()
    python = str(made.venv / "bin" / "python")
    status, out, err = made.run("say", python=python, CONDA_PREFIX=str(made.venv))
    assert (status, out, err) == (0, "['say']\n", "")
    (made.venv / "helix.json").write_text(marker)


def test_environment_that_moved_is_made_anew(made: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_kit(made.root / "kit.py")

    def remake(allowed: list[str], home: Path) -> str:
        raise module.Stop(f"made anew with {allowed}")

    monkeypatch.setattr(module, "find_python", remake)
    plan = module.load(made.venv / "helix-plan.json")
    module.prepare(made.venv, [HERE], plan)  # kept
    with pytest.raises(module.Stop, match="made anew"):
        module.prepare(made.venv, [HERE], {**plan, "root": "/elsewhere"})
    with pytest.raises(module.Stop, match="made anew"):
        module.prepare(made.venv, ["3.99"], plan)


def test_framework_gets_an_environment_of_its_own(own: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    home, lock = own.root / ".venv-toy", own.root / "envs" / "toy.lock"
    site = home / "lib" / f"python{HERE}" / "site-packages"
    told = "toy: {}. a toy framework, in chapter 12 (0.1 GB; made in 5 s where it was measured).\n"
    assert own.run("env") == (0, told.format("absent"), "")
    before = own.site.stat().st_mtime_ns, own.marker()
    status, out, err = own.run("env", "toy")
    assert (status, out) == (0, ""), err
    assert "Making .venv-toy" in err
    assert "Installing toy (2 packages)" in err
    assert {path.name for path in site.glob("*.dist-info")} >= {"alpha-1.0.dist-info", "gamma-1.0.dist-info"}
    assert not any(site.glob("beta*"))
    assert (own.site.stat().st_mtime_ns, own.marker()) == before  # the course's own is left alone
    assert own.run("env") == (0, told.format("ready"), "")
    assert own.run("env", "toy", PIP_FIND_LINKS="/nonexistent") == (0, "", "")  # nothing is asked for twice

    monkeypatch.setenv("HELIX_ROOT", str(own.root))
    assert own_venv.python("toy") == home / "bin" / "python"  # the two agree on when it is ready
    lock.write_text(lock.read_text() + "delta==1.0\n")
    assert own.run("env")[1] == told.format("outdated or unfinished")
    with pytest.raises(own_venv.Missing, match="has changed since"):
        own_venv.python("toy")
    (site / "gamma.py").unlink()  # and a package was cut short
    status, _, err = own.run("env", "toy")
    assert status == 0, err
    assert "Mending 1 packages" in err
    assert "Making" not in err  # it goes on from what is there
    assert (site / "gamma.py").exists()
    assert (site / "delta.py").exists()


def test_environment_of_its_own_that_cannot_be_made_gets_a_sentence(own: Toy) -> None:
    lock = own.root / "envs" / "toy.lock"
    status, out, err = own.run("env", "flow")
    assert (status, out, err) == (2, "", "kit.py: There is no environment flow. There are: toy.\n")
    lock.write_text(OWN.format(python=HERE) + "nowhere==1.0\n")
    status, _, err = own.run("env", "toy")
    assert status == 1
    assert "kit.py: " in err
    assert "The environment toy could not be made: No matching distribution found for nowhere==1.0" in err
    assert not (own.root / ".venv-toy" / "helix.json").exists()
    lock.write_text(OWN.format(python="3.99"))
    status, _, err = own.run("env", "toy", PATH=str(own.root))
    assert status == 1
    assert "kit.py: The environment .venv-toy needs Python 3.99; this is " in err
    assert "conda" not in err


def test_locks_of_environments_of_their_own_are_whole(kit: ModuleType) -> None:
    locks = kit.own_environments()
    assert "tensorflow" in locks
    for name, text in locks.items():
        pythons, sections = kit.read_lock(text)
        assert pythons
        assert list(sections) == [name]
        assert sections[name] == sorted(sections[name], key=lambda line: line.split("==")[0])
        assert all(re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", line) for line in sections[name])
        assert kit.header(text, "for")
        assert 0 < float(kit.header(text, "gigabytes")) < 10
        assert 0 < int(kit.header(text, "seconds")) < 3600


def wait_for(condition: object, process: subprocess.Popen[str]) -> None:
    """Wait until `condition` holds while the process runs."""
    while not condition():  # type: ignore[operator]
        assert process.poll() is None, "the set-up ended before it could be interrupted"
        time.sleep(0.005)


def test_killed_at_any_moment_the_next_call_mends(tmp_path: Path, kit: ModuleType) -> None:
    toy = Toy(tmp_path)
    moments = {
        "pip is being unpacked": lambda: (toy.site / "pip" / "_internal").exists(),
        "torch is there": lambda: any(toy.site.glob("torch-*.dist-info")),
        "a package is being unpacked": lambda: (toy.site / "beta" / "part_100.txt").exists(),
        "core is there": lambda: any(toy.site.glob("beta-*.dist-info/RECORD")),
    }
    for moment, condition in moments.items():
        process = toy.start("setup", "--group", "trust")
        wait_for(condition, process)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        assert toy.marker() == {}, moment
    status, out, err = toy.run("say")
    assert (status, out) == (0, "['say']\n"), err
    assert kit.broken(toy.site) == []
    assert toy.marker()["groups"] == ["core", "trust"]

    shutil.rmtree(toy.site / "beta")  # once more, now by Ctrl-C
    next(toy.site.glob("beta-*.dist-info/RECORD")).unlink()
    process = toy.start("setup")
    wait_for((toy.site / "beta" / "part_100.txt").exists, process)
    os.killpg(process.pid, signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Interrupted. The next call goes on from here." in err
    assert "Traceback" not in err
    assert toy.marker() == {}


def test_uv_killed_in_the_middle_of_a_package_is_mended(made: Toy, kit: ModuleType) -> None:
    many = {f"beta/part_{number:05}.txt": "" for number in range(15_000)}
    lock, text = made.root / "requirements.lock", (made.root / "requirements.lock").read_text()
    make_wheel(made.wheels, "beta", "1.5", {"beta/__init__.py": "", **many})
    lock.write_text(text.replace("beta==1.0", "beta==1.5"))
    process = made.start("setup")
    some = [made.site / "beta" / f"part_{number:05}.txt" for number in range(0, 15_000, 1_500)]
    wait_for(lambda: any(file.exists() for file in some), process)  # uv takes them in no order
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert 0 < len(list((made.site / "beta").glob("part_?????.txt"))) < len(many)  # it was cut short
    assert made.marker() == {}
    lock.write_text(text)  # and the lock changes before the next call
    status, _, err = made.run("say")
    assert status == 0, err
    assert "uv failed" not in err
    assert made.installers()["beta"] == "uv"
    assert kit.broken(made.site) == []
    assert (made.site / "beta" / "part_7.txt").read_text() == "7\n"
    assert len(list(made.site.glob("beta-*.dist-info"))) == 1


def test_uv_that_cannot_be_had_or_fails_leaves_the_work_to_pip(tmp_path: Path, kit: ModuleType) -> None:
    toy = Toy(tmp_path)
    (toy.root / "requirements.lock").write_text(LOCK.format(python=HERE).replace("uv==0.1", "uv==0.2"))
    status, _, err = toy.run("setup", "--group", "trust")
    assert status == 1  # the lock wants a uv that no index has
    assert "pip does the work of uv, which could not be installed (No matching distribution found for uv==0.2)" in err

    toy.make_uv("echo cannot reach http://name:secret@mirror.example/simple; exit 2")
    (toy.root / "requirements.lock").write_text(LOCK.format(python=HERE))
    status, _, err = toy.run("setup", "--group", "trust")
    assert status == 0, err
    assert err.count("uv failed, pip tries … ") == 1  # then pip goes on alone
    assert "secret" not in err
    assert set(toy.installers().values()) == {"pip"}
    assert toy.marker()["groups"] == ["core", "trust"]
    assert kit.broken(toy.site) == []


def test_uv_asks_the_indexes_that_pip_is_configured_for(
    kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in [key for key in os.environ if key.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(key)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://one.example/simple\nproxy = http://proxy.example:3128\ncert = /tmp/ca.pem\n"
        "extra-index-url =\n    https://two.example/simple\n    https://name:word@three.example/simple\n"
        "trusted-host = two.example three.example\nfind-links = /wheels https://four.example/w\ntimeout = 99\n"
        "[install]\nindex-url = https://mirror.example/simple\n[download]\nindex-url = https://not.example/simple\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_TIMEOUT", "7")
    monkeypatch.setattr(kit, "site", lambda home: tmp_path)
    home = Path(sys.prefix)
    told = kit.uv_environment(home, kit.pip_settings(home))
    assert told["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert told["UV_INDEX"] == "https://two.example/simple https://name:word@three.example/simple"
    assert told["UV_FIND_LINKS"] == "/wheels,https://four.example/w"
    assert told["UV_INSECURE_HOST"] == "two.example three.example"
    assert told["HTTPS_PROXY"] == told["https_proxy"] == "http://proxy.example:3128"
    assert (told["SSL_CERT_FILE"], told["UV_HTTP_TIMEOUT"]) == ("/tmp/ca.pem", "7")
    assert told["UV_CACHE_DIR"] == str(home / "uv-cache")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    monkeypatch.setenv("UV_CACHE_DIR", "/cache")
    told = kit.uv_environment(home, kit.pip_settings(home))
    assert (told["UV_DEFAULT_INDEX"], told["UV_CACHE_DIR"]) == ("https://own.example/simple", "/cache")


@pytest.mark.parametrize("program", ["uv", "pip"])
def test_file_with_another_hash_is_refused(made: Toy, program: str) -> None:
    lock, text = made.root / "requirements.lock", (made.root / "requirements.lock").read_text()
    hashes = made.root / "requirements.hashes"
    rows = {}
    for line in ("alpha==1.0", "beta==1.0", "uv==0.1"):
        wheel = next(made.wheels.glob(f"{line.replace('==', '-')}-*.whl"))
        rows[line] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock.write_text(LOCK.format(python=HERE))
    hashes.write_text("# a sentence\n" + "".join(f"{pin} {'0' * 64} {one}\n" for pin, one in rows.items()))
    try:
        for path in made.site.glob("alpha*"):
            shutil.rmtree(path)
        if program == "pip":
            lock.write_text(lock.read_text().replace("uv==0.1\n", ""))
        assert made.run("setup")[0] == 0  # the right one is taken
        assert made.installers()["alpha"] == program
        for path in made.site.glob("alpha*"):
            shutil.rmtree(path)
        for forged in ("0" * 64, ""):
            hashes.write_text(hashes.read_text().replace(rows["alpha==1.0"], forged))
            status, _, err = made.run("setup")
            assert status == 1
            assert "The core of the course could not be installed: " in err
            assert "hash" in err.lower()
            assert not (made.site / "alpha").exists()
            assert made.marker() == {}
    finally:
        hashes.unlink()
        lock.write_text(text)


def test_addresses_are_left_out(kit: ModuleType) -> None:
    said = "Looking in indexes: https://name:word@one.example/simple, file:///wheels and C:/x"
    assert kit.without_addresses(said) == "Looking in indexes: … … and C:/x"


def test_wrong_python_gets_a_sentence(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    (toy.root / "requirements.lock").write_text(LOCK.format(python="3.99"))
    status, _, err = toy.run("say", PATH=str(tmp_path))
    assert status == 1
    assert err.startswith("kit.py: The course needs Python 3.99; this is ")
    assert "conda env create -f environment.yml" in err


def test_incomplete_python_gets_a_sentence(kit: ModuleType) -> None:
    said = "The virtual environment was not created successfully because ensurepip is not available."
    assert "sudo apt install python3.12-venv" in kit.venv_failed(said, "3.12")
    assert "Error: [Errno 5] odd" in kit.venv_failed("Error: [Errno 5] odd", "3.12")


def test_failure_without_network_says_so(kit: ModuleType) -> None:
    lines = ["WARNING: Retrying after NewConnectionError(...)", "ERROR: No matching distribution found for x"]
    assert kit.reason(lines).startswith("No matching distribution found for x (A package index could not")


def test_python_38_can_read_kit() -> None:
    ast.parse(KIT.read_text(), feature_version=(3, 8))


def test_a_terminal_without_our_signs_gets_the_usage_all_the_same() -> None:
    done = subprocess.run(
        [sys.executable, str(KIT)], capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0, done.stderr
    assert "python3 kit.py WORD ?" in done.stdout


def test_what_is_started_gets_whole_paths_and_no_foreign_packages(
    kit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def execv(program: str, command: list[str]) -> None:
        raise SystemExit(repr(command[1:2]))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execv", execv)
    for name, value in {"HELIX_WORK": "mine", "HELIX_ASSETS": "~/a", "PYTHONPATH": "x", "PYTHONHOME": "y"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="-c"):
        kit.main(["update"])
    assert os.environ["HELIX_WORK"] == str(tmp_path / "mine")
    assert os.environ["HELIX_ASSETS"] == os.path.expanduser("~/a")
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(os.environ)
    assert "PYTHONPATH and PYTHONHOME would bring the packages of another Python" in capsys.readouterr().err
