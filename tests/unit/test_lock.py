"""requirements.lock, environment.yml, and the two readers of the lock."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helix.course import lock

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "requirements.lock").read_text("utf-8")
LOCK = lock.parse(TEXT)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
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
        assert requirement.specifier.contains(found[name]), f"{requirement}: run `python3 kit.py lock`"


def test_pythons() -> None:
    assert LOCK.pythons[0] == "3.11"
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    assert set(LOCK.pythons) <= {"3.11", "3.12", "3.13"}


def test_no_address_and_no_path() -> None:
    assert not re.search(r"(?m)://|^-|file:|/(home|root|tmp|opt|usr)/|\.(org|com|net|io)\b", TEXT)
    environment = (ROOT / "environment.yml").read_text("utf-8")
    assert re.findall(r"https?://[^/\s]+", environment) == ["https://download.pytorch.org"]


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
        output.write_text("\n".join(lines))
        return lines

    monkeypatch.setattr(lock, "_compile", resolve)
    lock.remake(tmp_path, upgrade)
    made = lock.parse((tmp_path / "requirements.lock").read_text())
    assert made.pythons == ("3.11", "3.12")
    assert made.groups == {"core": ("a==2",) if upgrade else ("a==1",), "cuda": (), "trust": ("b==1",)}
    assert (tmp_path / "environment.yml").read_text().count("a==") == 1

    def refuse(root: Path, output: Path, *arguments: str) -> list[str]:
        if "--python-platform" in arguments:
            raise lock.LockError("no wheel")
        return resolve(root, output, *arguments)

    monkeypatch.setattr(lock, "_compile", refuse)
    with pytest.raises(lock.LockError):  # Python 3.11 may not be dropped
        lock.remake(tmp_path)


@pytest.mark.parametrize("text", [TEXT, SMALL], ids=["requirements.lock", "small"])
def test_kit_reads_the_same(text: str) -> None:
    spec = importlib.util.spec_from_file_location("kit_reader", ROOT / "kit.py")
    assert spec is not None
    assert spec.loader is not None
    kit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kit)
    ours = lock.parse(text)
    pythons, groups = kit.read_lock(text)
    assert tuple(pythons) == ours.pythons
    assert {group: tuple(lines) for group, lines in groups.items()} == {
        group: ours.lines(group) for group in ours.groups
    }
    assert set(kit.GIGABYTES) == set(LOCK.groups)
