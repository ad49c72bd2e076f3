"""Examining what the set-up has installed: the interpreter, the packages, the groups and the assets."""

from __future__ import annotations

import os
import platform
import site
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import Any

from helix import paths
from helix.course.doctor import child
from helix.course.doctor.item import GB, SETUP, Item

LISTED = 5
# Each stands for compiled code that much else needs; `matplotlib.path` is the part that draws nothing and is quick.
_UNSET = "Call again after: unset PYTHONPATH; export PYTHONNOUSERSITE=1"
IMPORTS = ("numpy", "scipy", "pandas", "matplotlib.path", "torch")


def _kit() -> ModuleType:
    """Return kit.py as a module: it knows the marker, the lock and what an installation cut short looks like."""
    return _kit_at(paths.root() / "kit.py")


@lru_cache
def _kit_at(file: Path) -> ModuleType:
    spec = util.spec_from_file_location("helix_kit", file)
    assert spec is not None
    assert spec.loader is not None
    kit = util.module_from_spec(spec)
    spec.loader.exec_module(kit)
    return kit


def _lock_text() -> str:
    return (paths.root() / "requirements.lock").read_text("utf-8")


def _marker(home: Path) -> dict[str, Any]:
    """Return what the set-up of the environment `home` noted when it had finished; empty if it did not."""
    kit = _kit()
    found: dict[str, Any] = kit.load(home / kit.MARKER)
    return found


def _is_venv(home: Path) -> bool:
    return home == paths.root() / ".venv"


def python(home: Path = Path(sys.prefix), version: str = platform.python_version()) -> Iterator[Item]:
    """Compare the interpreter with the lock, and with the one that the environment `home` was made with."""
    allowed, _ = _kit().read_lock(_lock_text())
    short = ".".join(version.split(".")[:2])
    made = _marker(home).get("python", short)
    if short not in allowed:
        text = f"This is Python {version}, and the lock allows {', '.join(allowed)}."
        yield Item("python", "FAIL", text, f"{SETUP}; it looks for Python {allowed[0]} and makes the environment anew.")
    elif short != made:
        text = f"This is Python {version}, and the environment was made with {made}."
        yield Item("python", "FAIL", text, f"{SETUP}; it makes the environment anew.")
    else:
        yield Item("python", "OK", f"Python {version}; the lock allows {', '.join(allowed)}.")


def set_up(home: Path = Path(sys.prefix)) -> Iterator[Item]:
    """Say whether the set-up of `home` has finished and is that of this lock, and whose environment it is."""
    marker, is_venv = _marker(home), _is_venv(home)
    if not is_venv:
        whose = "conda's" if (home / "conda-meta").is_dir() else "one that kit.py did not make"
        yield Item("set-up", "NOTE", f"This environment is not .venv but {whose}.")
    if not marker and is_venv:
        yield Item("set-up", "FAIL", "The set-up has not finished.", SETUP)
    elif not marker:
        yield Item("set-up", "NOTE", "It has no set-up marker: only the core of the lock is compared with it.")
    elif marker.get("stamp") != _kit().stamp():
        yield Item("set-up", "FAIL", "What the course needs has changed since the set-up.", SETUP)
    else:
        build, size = marker.get("torch", "unknown"), marker.get("bytes", 0) / GB
        yield Item("set-up", "OK", f"The set-up is current: PyTorch's {build} build, {size:.1f} GB in all.")


def packages(home: Path = Path(sys.prefix), path: Sequence[str] | None = None) -> Iterator[Item]:
    """Compare the packages of the installed groups with the lock, and look for installations that were cut short.

    Parameters
    ----------
    home : Path
        The environment whose marker names the groups.
    path : sequence of str
        Where packages are looked for; by default where this interpreter does. The first of a name counts.
    """
    from packaging.utils import canonicalize_name

    from helix.course import lock

    folders = [folder for folder in dict.fromkeys(sys.path if path is None else path) if Path(folder).is_dir()]
    read, marker = lock.parse(_lock_text()), _marker(home)
    groups = [*marker.get("groups", ["core"]), *(["cuda"] if marker.get("torch") == "cuda" else [])]
    pins = lock.pins(read, [group for group in groups if group in read.groups])
    halves = {canonicalize_name(info.name.split("-")[0]) for one in folders for info in _kit().broken(Path(one))}
    installed: dict[str, str] = {}
    for one in metadata.distributions(path=folders):
        try:
            known = one.metadata
            installed.setdefault(canonicalize_name(known["Name"]), known["Version"])
        except Exception:  # its metadata cannot be read: for us it is not there
            continue
    problems = []
    for name, pin in pins.items():
        if name in halves:
            problems.append(
                (f"{name} is not whole: files are missing or changed, or its installation was cut short.", name)
            )
        elif name not in installed:
            problems.append((f"{name} is missing; the lock says {pin}.", name))
        elif str(installed[name]).partition("+")[0] != pin:  # a build such as 2.13.0+cpu is 2.13.0
            problems.append((f"{name} is {installed[name]}; the lock says {pin}.", name))
    for text, name in problems[:LISTED]:
        # In an environment that is not its own, kit.py does not remove what is broken; pip has to be told.
        again = f"Run: python -m pip install --no-deps --force-reinstall {name}=={pins[name]}"
        yield Item("packages", "FAIL", text, SETUP if _is_venv(home) else again)
    if len(problems) > LISTED:
        more = f"{len(problems) - LISTED} more of the {len(pins)} packages are not as the lock says."
        yield Item("packages", "FAIL", more, SETUP)
    if not problems:
        yield Item("packages", "OK", f"All {len(pins)} packages are whole, in the versions of the lock.")


def imports(names: Sequence[str] = IMPORTS, python_path: str | None = None) -> Iterator[Item]:
    """Import what much else needs, in a child: a broken compiled library can end the interpreter.

    Parameters
    ----------
    names : sequence of str
        Modules, imported in this order until one ends the child.
    python_path : str
        The folders that ``PYTHONPATH`` names; by default those of this process.
    """
    told, end = child.call("import_each", *names, seconds=child.IMPORT_SECONDS)
    python_path = os.environ.get("PYTHONPATH", "") if python_path is None else python_path
    strangers = {"a folder that PYTHONPATH names": [one for one in python_path.split(os.pathsep) if one]}
    if site.ENABLE_USER_SITE:
        strangers["the user's own site-packages"] = [site.getusersitepackages()]
    # kit.py itself names the course's own folder, for the doctor alone.
    foreign = {one for some in strangers.values() for one in some if os.path.isdir(one)} - {str(paths.root() / "utils")}
    done = {one["name"]: one for one in told if "done" in one}
    bad = False
    for name in (one["name"] for one in told if "begun" in one):
        found = done.get(name, {"error": end})
        origin = Path(found.get("file") or "/").resolve()
        whose = [key for key, some in strangers.items() if any(Path(one).resolve() in origin.parents for one in some)]
        if found.get("error"):
            bad = True
            mend = f"{_UNSET} If that does not mend it: python3 kit.py setup" if foreign else SETUP
            yield Item("imports", "FAIL", f"{name} cannot be imported: {found['error']}.", mend)
        elif whose:
            bad = True
            text = f"{name} comes from {whose[0]}, not from this environment."
            yield Item("imports", "FAIL", text, _UNSET)
    if not told:
        yield Item("imports", "FAIL", f"The interpreter of this environment does not start a program: {end}.", SETUP)
    elif not bad:
        yield Item("imports", "OK", f"{', '.join(name.partition('.')[0] for name in names)} can be imported.")


def groups(home: Path = Path(sys.prefix)) -> Iterator[Item]:
    """Say for each group whether it is installed, and which written chapters it opens or closes."""
    from helix.course import catalogue

    marker, kit = _marker(home), _kit()
    if not marker:
        yield Item("groups", "NOTE", "Which groups are installed is not known: there is no set-up marker.")
        return
    written = catalogue.load().written()
    _, sections = kit.read_lock(_lock_text())
    for group in ("core", *kit.further_groups(sections)):
        chapters = ", ".join(chapter.name for chapter in written if chapter.group == group)
        if group in marker.get("groups", []):
            opens = f"it opens {chapters}" if chapters else "no chapter that is written needs it"
            yield Item("groups", "OK", f"The group {group} is installed; {opens}.")
            continue
        why = marker.get("failed", {}).get(group)
        reason = f" ({' '.join(why.split())[:200]})" if why else ""
        if chapters:
            text = f"The group {group} is not installed{reason}, which closes {chapters}."
            yield Item("groups", "FAIL", text, f"{SETUP} --group {group}")
        else:
            text = f"The group {group} is not installed{reason}; no chapter that is written needs it."
            yield Item("groups", "NOTE", text)


def assets() -> Iterator[Item]:
    """Read every byte of the assets that are here, and say which are missing or damaged and what they close."""
    from helix.assets import manifest, store
    from helix.course import catalogue

    chapters = catalogue.load().chapters
    absent = []
    ready = 0
    for name in manifest.load():
        state = store.state(name, thorough=True)
        readers = ", ".join(one.name for one in chapters if one.written and name in one.assets)
        mend = f"Run: {store.command(name)}"
        if state == "ready":
            ready += 1
        elif state == "unreadable":
            mend = "Ask the owner of .assets to make it readable for you."
            yield Item("assets", "FAIL", f"The asset {name} cannot be read.", mend)
        elif state in ("damaged", "outdated"):
            yield Item("assets", "FAIL", f"The asset {name} is {state}.", mend)
        elif readers:
            yield Item("assets", "FAIL", f"The asset {name} is missing, which {readers} needs.", mend)
        else:
            absent.append(name)
    if absent:
        text = f"Not here, and needed by no chapter that is written: {', '.join(absent)}."
        yield Item("assets", "NOTE", f"{text} To have them all the same: python3 kit.py assets --all")
    if ready:
        text = "1 asset is here and whole." if ready == 1 else f"{ready} assets are here and whole."
        yield Item("assets", "OK", text)
