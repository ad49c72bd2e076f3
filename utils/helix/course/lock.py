"""The lock: each package that the course may install, in one exact version, in ``requirements.lock``.

``python3 kit.py lock`` makes the file. It has one section a dependency group. A section lists what its group adds to
the sections above it, and a line ``# also:`` names the packages from those sections that the group needs too,
so that a group can be installed without the ones before it. ``requirements.hashes`` holds, a line a pin, the SHA-256 of
each file that may be installed for it. ``kit.py`` reads the two files with readers of its own: it runs before this package
is installed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from helix import paths

OLDEST = "3.11"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA = re.compile(r"(nvidia|cuda)-|triton$")
# The systems that PyTorch has wheels for, as far as the course runs there.
SYSTEM = re.compile(r"any$|(many)?linux.*_(x86_64|aarch64)$|macosx_.*_(arm64|universal2)$")

HEADER = """\
# Every package the course may install, in one exact version. Made by `python3 kit.py lock` from pyproject.toml:
# all groups are resolved together, so any of them can be installed beside any other.
# Install with `python3 kit.py setup`, or by hand with `pip install --no-deps`: pyproject.toml leaves out what
# some packages ask for, and a resolver would bring it back. requirements.hashes holds the hashes of the files.
# python: {pythons}
"""

HASHES = """\
# The SHA-256 of each file that set-up may install for a pin of requirements.lock. Made by `python3 kit.py lock`.
# PyTorch is not among them: its build differs by index. Left out are wheels for systems where the course does not run.
"""

ENVIRONMENT = """\
# Made by `python3 kit.py lock` from requirements.lock. It holds the core group; pip resolves these pins as they stand.
# The further groups need `--no-deps`, which this format cannot say. In the activated environment,
# `python kit.py setup` adds the ones that the chapters need, and `python kit.py setup --all-groups` adds all.
# It has been run neither by conda nor by Binder yet; docs/elsewhere.md tells what was tried.
name: double-helix
channels:
  - conda-forge
dependencies:
  - python={python}
  - pip
  - pip:
      - --extra-index-url {index}
{pins}
      - -e .
"""


class LockError(RuntimeError):
    """The packages cannot be resolved; the message is the resolver's."""


@dataclass(frozen=True)
class Lock:
    """What ``requirements.lock`` says.

    Parameters
    ----------
    pythons
        The Python versions (``3.11``) for which all groups resolve, oldest first.
    groups
        By group, in the order of the file: the requirement lines it adds, with their markers.
    shared
        By group: the packages from sections above that it needs too.
    """

    pythons: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    shared: dict[str, tuple[str, ...]]

    def lines(self, group: str) -> tuple[str, ...]:
        """Return all requirement lines that `group` needs beside ``core``: its own, then the shared ones."""
        shared = set(self.shared.get(group, ()))
        above = (line for lines in self.groups.values() for line in lines if _name(line) in shared)
        return (*self.groups[group], *above)


def _name(line: str) -> str:
    """Return the package that a requirement line pins."""
    return canonicalize_name(line.split("==")[0])


def parse(text: str) -> Lock:
    """Read the text of a lock.

    Raises
    ------
    ValueError
        If a requirement stands before the first section.
    """
    pythons: tuple[str, ...] = ()
    groups: dict[str, list[str]] = {}
    shared: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        word, _, rest = line.removeprefix("# ").partition(": ")
        if line.startswith("# python: "):
            pythons = tuple(rest.split(", "))
        elif line.startswith("# group: "):
            groups[rest] = []
        elif line.startswith("# also: "):
            shared[list(groups)[-1]] = tuple(rest.split())
        elif line and not line.startswith("#"):
            if not groups:
                raise ValueError(f"{word!r} stands before the first `# group:` of requirements.lock.")
            groups[list(groups)[-1]].append(line)
    return Lock(pythons, {group: tuple(lines) for group, lines in groups.items()}, shared)


def pins(lock: Lock, groups: Iterable[str], environment: dict[str, str] | None = None) -> dict[str, str]:
    """Return package → version for `groups`, where the markers hold.

    Parameters
    ----------
    lock
        The lock.
    groups
        Names of groups; ``core`` is not added by itself.
    environment
        Marker variables that differ from this interpreter's, such as ``{"python_full_version": "3.12.0"}``.
    """
    found: dict[str, str] = {}
    for group in groups:
        for requirement in map(Requirement, lock.lines(group)):
            if requirement.marker is None or requirement.marker.evaluate(environment):
                (pin,) = requirement.specifier
                found[canonicalize_name(requirement.name)] = pin.version
    return found


def environment_yml(lock_text: str) -> str:
    """Return the text of ``environment.yml`` (conda, Binder) for the lock `lock_text`."""
    lock = parse(lock_text)
    lines = "\n".join(f'      - "{line}"' for line in lock.groups["core"])
    return ENVIRONMENT.format(python=lock.pythons[0], index=CPU_INDEX, pins=lines)


def _compile(root: Path, output: Path, *arguments: str) -> list[str]:
    """Resolve pyproject.toml with uv into `output`, whose pins it prefers; return the requirement lines."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    command += ["pyproject.toml", "--output-file", str(output), *arguments]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if result.returncode:
        raise LockError(result.stderr.strip())
    return output.read_text("utf-8").splitlines()


def _resolves(root: Path, python: str, everything: Path, scratch: Path) -> bool:
    """Say whether all groups resolve for `python` with the pins in `everything`, from wheels alone."""
    arguments = ["--all-extras", "--constraints", str(everything), "--python-version", python]
    arguments += ["--python-platform", "x86_64-manylinux_2_28"]
    try:
        _compile(root, scratch / f"python-{python}.txt", *arguments)
    except LockError:
        if python == OLDEST:
            raise
        return False
    return True


def _text(pythons: Iterable[str], lines: list[str], needs: dict[str, set[str]]) -> str:
    """Lay out the lock: `lines` are all requirement lines, `needs` each group's packages, ``core`` first."""
    sections = [HEADER.format(pythons=", ".join(pythons))]
    core = {name for name in needs["core"] if not CUDA.match(name)}
    closures = {"core": core, "cuda": needs["core"] - core}
    closures |= {group: names - needs["core"] for group, names in needs.items() if group != "core"}
    above: set[str] = set()
    for group, names in closures.items():
        section = [f"# group: {group}"]
        if both := sorted(names & above):
            section.append(f"# also: {' '.join(both)}")
        section += [line for line in lines if _name(line) in names - above]
        sections.append("\n".join(section) + "\n")
        above |= names
    return "\n".join(sections)


def _fits(wheel: str, pythons: Iterable[str]) -> bool:
    """Say whether a wheel is for one of these Pythons, and for a system where the course runs."""
    minors = [int(python.split(".")[1]) for python in pythons]
    for tag in parse_wheel_filename(wheel)[3]:
        kind, digits = tag.interpreter[:3], re.sub(r"\D", "", tag.interpreter[3:])
        minor = int(digits or 0)
        stable = kind == "py3" or tag.abi == "abi3"
        python = minor <= max(minors) if stable else kind == "cp3" and minor in minors
        threads = tag.abi.endswith("t")  # built for a Python without a global lock, which the course is not tested on
        if python and not threads and SYSTEM.match(tag.platform) and "musl" not in tag.platform:
            return True
    return False


def _hashes(resolution: str, pythons: Iterable[str]) -> str:
    """Return the text of ``requirements.hashes`` for a resolution in the format of ``pylock.toml`` (PEP 751)."""
    rows = {}
    for package in tomllib.loads(resolution)["packages"]:
        name = canonicalize_name(package["name"])
        files = [one for one in package.get("wheels", []) if _fits(_file_name(one), pythons)]
        files += [] if package.get("wheels") else [package["sdist"]]
        if name != "torch":
            rows[f"{name}=={package['version']}"] = sorted(one["hashes"]["sha256"] for one in files)
    return HASHES + "".join(f"{pin} {' '.join(hashes)}\n" for pin, hashes in sorted(rows.items()) if hashes)


def _file_name(file: dict[str, str]) -> str:
    """Return the name of a wheel, of which a resolution may give only the address."""
    return file.get("name") or unquote(file["url"].rpartition("/")[2])


def remake(root: Path, upgrade: bool = False) -> None:
    """Write the lock, its hashes and ``environment.yml`` under `root`; pins stay unless they must move.

    Parameters
    ----------
    root
        The folder with ``pyproject.toml``.
    upgrade
        Take the newest versions instead of keeping the pins that the lock has.

    Raises
    ------
    LockError
        If the groups do not resolve together, or not for Python 3.11.
    """
    target = root / "requirements.lock"
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        everything = scratch / "everything.txt"
        if target.exists() and not upgrade:
            everything.write_text(target.read_text("utf-8"), "utf-8")
        universal = ["--universal", "--python-version", OLDEST]
        lines = _compile(root, everything, *universal, "--all-extras")
        needs = {}
        for group in ("core", *project["optional-dependencies"]):
            arguments = [*universal, "--constraints", str(everything)]
            arguments += [] if group == "core" else ["--extra", group]
            found = _compile(root, scratch / f"{group}.txt", *arguments)
            needs[group] = {_name(line) for line in found}
        allowed = SpecifierSet(project["requires-python"])
        candidates = [f"3.{minor}" for minor in range(8, 30) if f"3.{minor}" in allowed]
        pythons = [python for python in candidates if _resolves(root, python, everything, scratch)]
        resolution = scratch / "pylock.toml"
        _compile(root, resolution, *universal, "--all-extras", "--constraints", str(everything), "--format=pylock.toml")
        hashes = _hashes(resolution.read_text("utf-8"), pythons)
    text = _text(pythons, lines, needs)
    target.write_text(text, "utf-8")
    (root / "requirements.hashes").write_text(hashes, "utf-8")
    (root / "environment.yml").write_text(environment_yml(text), "utf-8")


def main(argv: list[str] | None = None) -> int:
    """Run ``python3 kit.py lock``; return the exit status."""
    parser = argparse.ArgumentParser(prog="helix lock", description="Remake the lock and environment.yml.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions; keep no pin")
    options = parser.parse_args(argv)
    try:
        remake(paths.root(), options.upgrade)
    except LockError as error:
        print(f"The packages do not resolve; requirements.lock is as it was.\n{error}", file=sys.stderr)
        return 1
    lock = parse((paths.root() / "requirements.lock").read_text("utf-8"))
    for group, lines in lock.groups.items():
        print(f"{group:12} {len(lines):4} packages")
    print(f"Python {', '.join(lock.pythons)}")
    return 0
