"""requirements.lock, environment.yml, and the two readers of the lock."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helix.course import catalogue, lock

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "requirements.lock").read_text("utf-8")
LOCK = lock.parse(TEXT)
HASHES = (ROOT / "requirements.hashes").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PYLOCK = """\
[[packages]]
name = "a"
version = "1"
wheels = [{url = "https://somewhere.example/a-1-py3-none-any.whl", hashes = {sha256 = "11"}}]
"""
SMALL = """\
# A sentence.
# python: 3.11, 3.12

# group: core
b==2.0 ; python_full_version >= '3.12'
b==1.0 ; python_full_version < '3.12'
c.d==3

# group: trust
# also: b
a==1 ; sys_platform == 'nowhere'
e==5
"""


def names(group: str) -> list[str]:
    return [line.split("==")[0] for line in LOCK.groups[group]]


def test_parse() -> None:
    small = lock.parse(SMALL)
    assert small.pythons == ("3.11", "3.12")
    assert list(small.groups) == ["core", "trust"]
    assert small.groups["trust"] == ("a==1 ; sys_platform == 'nowhere'", "e==5")
    assert small.shared == {"trust": ("b",)}
    assert small.lines("trust")[2:] == small.groups["core"][:2]
    with pytest.raises(ValueError, match="before the first"):
        lock.parse("a==1\n")


def test_pins_honour_markers() -> None:
    small = lock.parse(SMALL)
    assert lock.pins(small, ["core"], {"python_full_version": "3.12.1"}) == {"b": "2.0", "c-d": "3"}
    assert lock.pins(small, ["trust"], {"python_full_version": "3.11.9"}) == {"e": "5", "b": "1.0"}


def test_every_line_is_one_exact_pin() -> None:
    for line in (line for lines in LOCK.groups.values() for line in lines):
        (pin,) = Requirement(line).specifier
        assert pin.operator == "=="
        assert "*" not in pin.version


def test_sections_are_those_of_the_project_sorted_and_disjoint() -> None:
    assert list(LOCK.groups) == ["core", "cuda", *PROJECT["optional-dependencies"]]
    everything = [line for lines in LOCK.groups.values() for line in lines]
    assert len(set(everything)) == len(everything)
    above: set[str] = set()
    for group in LOCK.groups:
        assert names(group) == sorted(names(group))
        others = {name for other in LOCK.groups if other != group for name in names(other)}
        assert not others & set(names(group))
        assert set(LOCK.shared.get(group, ())) <= above - set(names("core"))
        above |= set(names(group))


@pytest.mark.parametrize("group", ["core", *PROJECT["optional-dependencies"]])
def test_each_group_has_what_the_project_asks_for(group: str) -> None:
    wanted = PROJECT["dependencies"] if group == "core" else PROJECT["optional-dependencies"][group]
    found = lock.pins(LOCK, ["core", group])
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        assert requirement.specifier.contains(found[name]), f"{requirement}: run: python3 kit.py lock"


def test_pythons() -> None:
    assert LOCK.pythons[0] == "3.11"
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    assert set(LOCK.pythons) <= {"3.11", "3.12", "3.13"}


def test_no_address_and_no_path() -> None:
    assert not re.search(r"(?m)://|^-|file:|/(home|root|tmp|opt|usr)/|\.(org|com|net|io)\b", TEXT + HASHES)
    environment = (ROOT / "environment.yml").read_text("utf-8")
    assert re.findall(r"https?://[^/\s]+", environment) == ["https://download.pytorch.org"]


def test_every_pin_but_torch_has_hashes() -> None:
    rows = {words[0]: words[1:] for words in map(str.split, HASHES.splitlines()) if words[0] != "#"}
    assert list(rows) == sorted(rows)
    for pin, hashes in rows.items():
        assert hashes == sorted(set(hashes)), pin
        assert all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes), pin
    wanted = {line.split(" ")[0] for lines in LOCK.groups.values() for line in lines}
    unhashed = wanted - set(rows)
    assert not set(rows) - wanted, "run: python3 kit.py lock"
    windows = {line.split(" ")[0] for lines in LOCK.groups.values() for line in lines if "win" in line.split("==")[0]}
    assert unhashed - windows == {"torch==2.13.0"}, "run: python3 kit.py lock"


@pytest.mark.parametrize(
    ("wheel", "fits"),
    [
        ("a-1-py2.py3-none-any.whl", True),
        ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", True),
        ("a-1-cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64.whl", True),
        ("a-1-cp39-abi3-macosx_11_0_arm64.whl", True),
        ("a-1-cp312-cp312-macosx_10_9_universal2.whl", True),
        ("a-1-py3-none-manylinux1_x86_64.whl", True),
        ("a-1-cp310-cp310-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp314-abi3-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp313-cp313t-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp311-cp311-musllinux_1_2_x86_64.whl", False),
        ("a-1-cp311-cp311-win_amd64.whl", False),
        ("a-1-cp311-cp311-macosx_10_9_x86_64.whl", False),
        ("a-1-pp311-pypy311_pp73-manylinux_2_28_x86_64.whl", False),
    ],
)
def test_hashes_are_those_of_wheels_that_fit(wheel: str, fits: bool) -> None:
    packages = [("b", wheel, "22"), ("torch", "torch-2-py3-none-any.whl", "33")]
    text = "".join(
        f'[[packages]]\nname = "{name}"\nversion = "2"\n'
        f'[[packages.wheels]]\nurl = "https://x.example/{file}"\nhashes = {{sha256 = "{value}"}}\n'
        for name, file, value in packages
    )
    text += '[[packages]]\nname = "c"\nversion = "1"\n[packages.sdist]\nurl = "y"\nhashes = {sha256 = "44"}\n'
    rows = lock._hashes(text, ["3.11", "3.12", "3.13"]).removeprefix(lock.HASHES).splitlines()
    assert rows == (["b==2 22"] if fits else []) + ["c==1 44"]


def test_each_chapter_names_a_group_and_none_is_left_over() -> None:
    named = {chapter.group for chapter in catalogue.load().chapters}
    assert named == set(LOCK.groups) - {"cuda", "browser"}


def test_torch_is_pinned_and_brings_nothing_unwanted() -> None:
    assert lock.pins(LOCK, ["core"])["torch"] == "2.13.0"
    everything = {name for group in LOCK.groups for name in names(group)}
    assert not everything & {"torchvision", "torchaudio", "timm", "xgboost", "librosa"}
    cuda = [name for name in everything if re.match(r"(nvidia|cuda)-|triton$", name)]
    assert sorted(cuda) == names("cuda")
    assert len(cuda) > 10
    assert [name for name in everything if name.startswith("opencv")] == ["opencv-python-headless"]


def test_environment_yml_is_the_generated_one() -> None:
    text = lock.environment_yml(TEXT)
    assert (ROOT / "environment.yml").read_text("utf-8") == text
    assert '      - "torch==2.13.0"\n' in text
    assert not re.search("nvidia|triton|dice-ml", text)
    assert text.endswith("      - -e .\n")


def test_layout_of_the_sections() -> None:
    needs = {"core": {"torch", "triton", "a"}, "one": {"a", "b", "torch"}, "two": {"a", "b", "c"}}
    text = lock._text(["3.11"], ["a==1", "b==1 ; x", "c==1", "torch==2", "triton==3"], needs)
    assert text.split("\n\n", 1)[1] == (
        "# group: core\na==1\ntorch==2\n\n# group: cuda\ntriton==3\n\n"
        "# group: one\nb==1 ; x\n\n# group: two\n# also: b\nc==1\n"
    )


@pytest.mark.parametrize("upgrade", [False, True])
def test_remake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upgrade: bool) -> None:
    """The resolver is played by a function: it prefers the pins in its output file, as uv does."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nrequires-python = ">=3.11,<3.14"\n[project.optional-dependencies]\ntrust = ["b"]\n'
    )
    (tmp_path / "requirements.lock").write_text("# python: 3.11\n\n# group: core\na==1\n")

    def resolve(root: Path, output: Path, *arguments: str) -> list[str]:
        if "--python-version" in arguments and arguments[arguments.index("--python-version") + 1] == "3.13":
            raise lock.LockError("no wheel")
        old = output.read_text() if output.exists() else ""
        lines = ["a==1" if "a==1" in old else "a==2"]
        lines += ["b==1"] if "trust" in arguments or "--all-extras" in arguments else []
        output.write_text("\n".join(lines) if output.name != "pylock.toml" else PYLOCK)
        return lines

    monkeypatch.setattr(lock, "_compile", resolve)
    lock.remake(tmp_path, upgrade)
    made = lock.parse((tmp_path / "requirements.lock").read_text())
    assert made.pythons == ("3.11", "3.12")
    assert made.groups == {"core": ("a==2",) if upgrade else ("a==1",), "cuda": (), "trust": ("b==1",)}
    assert (tmp_path / "environment.yml").read_text().count("a==") == 1
    assert (tmp_path / "requirements.hashes").read_text() == lock.HASHES + "a==1 11\n"

    def refuse(root: Path, output: Path, *arguments: str) -> list[str]:
        if "--python-platform" in arguments:
            raise lock.LockError("no wheel")
        return resolve(root, output, *arguments)

    monkeypatch.setattr(lock, "_compile", refuse)
    with pytest.raises(lock.LockError):  # Python 3.11 may not be dropped
        lock.remake(tmp_path)


def _kit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kit_reader", ROOT / "kit.py")
    assert spec is not None
    assert spec.loader is not None
    kit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kit)
    return kit


@pytest.mark.parametrize("text", [TEXT, SMALL], ids=["requirements.lock", "small"])
def test_kit_reads_the_same(text: str) -> None:
    ours = lock.parse(text)
    pythons, groups = _kit().read_lock(text)
    assert tuple(pythons) == ours.pythons
    assert {group: tuple(lines) for group, lines in groups.items()} == {
        group: ours.lines(group) for group in ours.groups
    }


def test_kit_knows_the_size_of_each_group() -> None:
    assert set(_kit().GIGABYTES) == set(LOCK.groups)


def test_kit_reads_the_hashes() -> None:
    read = _kit().read_hashes()
    assert "".join(f"{pin} {' '.join(hashes)}\n" for pin, hashes in read.items()) == HASHES.removeprefix(lock.HASHES)
