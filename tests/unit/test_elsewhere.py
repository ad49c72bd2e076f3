"""Codespaces, Binder, Colab: what can be tried without them. docs/elsewhere.md says what that is, and what it is not."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from helix import paths
from helix.course import catalogue, colab, lock
from helix.course.doctor import installed, machine, running

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "elsewhere.md").read_text("utf-8")
LOCK = lock.parse((ROOT / "requirements.lock").read_text("utf-8"))
TESTED = LOCK.pythons[0]


def words(text: str) -> str:
    """Return `text` with all space between words alike, so that line breaks do not matter."""
    return " ".join(text.split())


@pytest.mark.parametrize("service", ["GitHub Codespaces", "Binder", "Google Colab"])
def test_the_page_says_for_each_what_was_not_tried(service: str) -> None:
    assert "**None of them has been run in its real service.**" in words(PAGE)
    (section,) = re.findall(rf"^## {service}.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert "| tried | not tried |" in section


def test_the_page_invents_no_address() -> None:
    assert set(re.findall(r"https?://[^\s)]+", PAGE)) == {"https://mybinder.org"}


# ------------------------------------------------------------------ Codespaces


def container() -> dict[str, Any]:
    """Read devcontainer.json, which may have comments on lines of their own."""
    lines = (ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8").splitlines()
    content: dict[str, Any] = json.loads("\n".join(line for line in lines if not line.lstrip().startswith("//")))
    return content


def test_the_container_is_that_of_the_course() -> None:
    found, kit = container(), installed._kit_at(ROOT / "kit.py")
    assert re.fullmatch(rf"mcr\.microsoft\.com/devcontainers/python:{re.escape(TESTED)}-\w+", found["image"])
    python, script, word, *rest = shlex.split(found["postCreateCommand"])
    assert (python, script, word) == ("python3", "kit.py", "setup")
    assert (ROOT / script).exists()
    kit.options_of(rest)  # raises for a word that kit.py does not know
    assert running.PORT in found["forwardPorts"]
    assert str(running.PORT) in found["portsAttributes"]
    settings = found["customizations"]["vscode"]["settings"]
    interpreter = kit.VENV.relative_to(kit.ROOT) / "bin" / "python"
    assert settings["python.defaultInterpreterPath"] == f"${{containerWorkspaceFolder}}/{interpreter}"
    assert "ms-toolsai.jupyter" in found["customizations"]["vscode"]["extensions"]


def test_the_container_asks_for_enough() -> None:
    asked, kit = container()["hostRequirements"], installed._kit_at(ROOT / "kit.py")
    needed = sum(size for group, size in kit.GIGABYTES.items() if group != "cuda")
    assert int(asked["memory"].removesuffix("gb")) * 1e9 >= 2 * machine.CHAPTER_NEEDS
    assert int(asked["storage"].removesuffix("gb")) > 2 * needed


def test_the_container_says_what_was_not_run_and_holds_no_secret() -> None:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8")
    assert "Not run: neither in Codespaces nor with Docker." in text
    assert not re.search(r"token|secret|password|remoteUser|runArgs|privileged", text, re.IGNORECASE)


# ------------------------------------------------------------------ Binder


def test_binder_finds_the_environment() -> None:
    found = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert found["name"] == "double-helix"
    (python,) = (one for one in found["dependencies"] if str(one).startswith("python"))
    assert python.removeprefix("python=") in LOCK.pythons
    (pip,) = (one["pip"] for one in found["dependencies"] if isinstance(one, dict))
    assert "-e ." in pip  # so that repo2docker copies the repository before it installs


@pytest.mark.parametrize(
    "name",
    # repo2docker reads one of the first two folders instead of the root; each of the files goes before environment.yml.
    ["binder", ".binder", "Dockerfile", "Project.toml", "JuliaProject.toml", "REQUIRE", "default.nix", "install.R"],
)
def test_binder_finds_nothing_that_goes_before_it(name: str) -> None:
    assert not (ROOT / name).exists()


def test_the_page_names_what_binder_opens() -> None:
    assert "`notebooks/00_start_here.ipynb`" in PAGE
    assert (ROOT / "notebooks" / "00_start_here.ipynb").exists()


# ------------------------------------------------------------------ Colab: the cell


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Play git and pip: return the list of the commands that were run; a clone makes its folder."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if command[0] == "git":
            Path(command[-1]).mkdir()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return commands


def cell(repository: str = "") -> str:
    (found,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert isinstance(found, str)
    assert 'REPOSITORY = ""' in found  # there is no address that would be right for every copy
    return found.replace('REPOSITORY = ""', f"REPOSITORY = {repository!r}")


def test_the_cell_clones_once_and_prepares(
    ran: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons: list[str] = []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(colab, "prepare", lessons.append)
    for _ in range(2):
        exec(compile(cell("somewhere"), "cell", "exec"), {})
    assert ran == [["git", "clone", "--quiet", "--depth=1", "somewhere", str(tmp_path / "double-helix")]]
    assert lessons == ["00", "00"]
    assert sys.path[0] == str(tmp_path / "double-helix" / "utils")


def test_the_cell_asks_for_the_address(ran: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    with pytest.raises(SystemExit, match="Fill in the address of the repository"):
        exec(cell(), {})
    assert not ran


def test_the_cell_does_nothing_elsewhere(ran: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert "google.colab" not in sys.modules
    exec(cell("somewhere"), {})
    assert capsys.readouterr().out.startswith("This is not Colab.")
    assert not ran


# ------------------------------------------------------------------ Colab: what it prepares


def test_only_what_is_missing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "absent-one==1.0",
        "Absent.Two==2.0 ; python_version >= '3'",
        "absent-three==3.0 ; sys_platform == 'nowhere'",
        "numpy==0.1",  # here in another version: kept
        "torch==9.9",
        "jupyterlab==9.9",
    ]
    assert colab.missing(lines) == ["absent-one==1.0", "absent-two==2.0"]

    def nothing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(colab.metadata, "version", nothing)
    assert colab.missing(lines) == ["absent-one==1.0", "absent-two==2.0", "numpy==0.1"]


def test_one_opencv_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(colab.metadata, "version", nothing)
    line = next(line for line in LOCK.lines("data") if line.startswith("opencv-python-headless"))
    for there, wanted in ((None, [line]), (object(), [])):
        monkeypatch.setattr(colab.util, "find_spec", lambda name, there=there: there)
        assert colab.missing([line]) == wanted


def test_tools_are_of_the_core_and_no_lesson_imports_them() -> None:
    assert set(lock.pins(LOCK, ["core"])) >= colab.TOOLS
    files = [*(ROOT / "source").glob("*/*.py"), *(ROOT / "utils" / "helix").rglob("*.py")]
    modules = "|".join(name.replace("-", "_") for name in colab.TOOLS)
    for file in files:
        if "course" not in file.relative_to(ROOT).parts:
            assert not re.search(rf"^\s*(import|from) ({modules})\b", file.read_text("utf-8"), re.MULTILINE), file


def test_install(ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(colab, "missing", lambda lines: [])
    colab.install("core")
    assert not ran
    monkeypatch.setattr(colab, "missing", lambda lines: ["absent==1.0"])
    colab.install("trust")
    (command,) = ran
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert "--no-deps" in command
    assert command[-1] == "absent==1.0"
    assert "1 packages of the group trust" in capsys.readouterr().out


def test_an_install_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: no wheel\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    monkeypatch.setattr(colab, "missing", lambda lines: ["absent==1.0"])
    with pytest.raises(SystemExit, match="The group trust could not be installed: ERROR: no wheel"):
        colab.install("trust")


def test_prepare(
    ran: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    groups: list[str] = []
    fetched: list[str] = []
    monkeypatch.setattr(colab, "install", groups.append)
    seen: list[str | None] = []

    def bring(names: list[str]) -> None:
        fetched.extend(names)
        seen.append(os.environ.get("PYTHONPATH"))  # what fetching starts must find helix

    monkeypatch.setattr(colab.assets, "bring", bring)
    monkeypatch.setenv("PYTHONPATH", "/other")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    try:
        for lesson in ("00", "12_fairness_audit"):
            colab.prepare(lesson)
        assert os.environ["OMP_NUM_THREADS"] == "1"
    finally:
        for key in colab.variables.OFFLINE:
            monkeypatch.delenv(key, raising=False)
    assert groups == ["core", "core", "fairness"]
    assert fetched == list(catalogue.load().chapter("12").assets)
    assert seen == [os.environ["PYTHONPATH"]]
    assert os.environ["PYTHONPATH"] == os.pathsep.join([str(paths.root() / "utils"), "/other"])
    assert Path.cwd() == ROOT / "notebooks"
    assert f"numpy {metadata.version('numpy')}" in capsys.readouterr().out


def test_prepare_refuses_a_python_that_the_lock_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colab.platform, "python_version", lambda: "3.10.12")
    with pytest.raises(SystemExit, match=r"This runtime is Python 3\.10\.12; the course needs 3\.11 or"):
        colab.prepare("00")


def test_versions_name_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    pins = lock.pins(LOCK, ["core"])
    here = {**pins, "torch": f"{pins['torch']}+cu126", "pandas": "2.2.2"}
    monkeypatch.setattr(colab.metadata, "version", here.__getitem__)
    rows = colab.versions()
    assert f"torch {pins['torch']}+cu126" in rows
    assert f"pandas 2.2.2 (the course was tested with {pins['pandas']})" in rows
    assert f"numpy {pins['numpy']}" in rows
