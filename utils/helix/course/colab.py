"""Lessons in Google Colab, whose kernel is not ours: what it lacks is added, what it has is left alone.

``docs/elsewhere.md`` holds the cell that calls `prepare`. Not run in Colab itself; what was tried in its place stands there.
"""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata, util

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helix import paths
from helix.course import assets, catalogue, lock, variables

# What only JupyterLab, the tests and the authors need. Colab has its own server, which is better not touched.
TOOLS = {
    "codespell",
    "hypothesis",
    "jupyterlab",
    "jupytext",
    "mypy",
    "nbval",
    "pytest",
    "pytest-xdist",
    "ruff",
    "setuptools",
    "uv",
}
# Four packages bring the module cv2, and only one of them may be installed.
MODULES = {"opencv-python-headless": "cv2"}
SHOWN = ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "torch")


def missing(lines: Iterable[str]) -> list[str]:
    """Return the requirement lines of the lock whose package is not here in any version, without their markers.

    PyTorch is never among them: a runtime's own build fits its processor and its GPU.
    """
    found = []
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate()
        if not wanted or name == "torch" or name in TOOLS or (name in MODULES and util.find_spec(MODULES[name])):
            continue
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(f"{name}{requirement.specifier}")
    return found


def install(group: str) -> None:
    """Install what this runtime lacks of a group of the lock, in the lock's versions and without dependencies.

    Raises
    ------
    SystemExit
        If pip cannot install it; the message holds pip's last words.
    """
    absent = missing(lock.parse((paths.root() / "requirements.lock").read_text("utf-8")).lines(group))
    if not absent:
        return
    print(f"Installing {len(absent)} packages of the group {group} that are missing here.", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--disable-pip-version-check", *absent]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip() or "pip gave no reason").splitlines()[-1]
        raise SystemExit(f"The group {group} could not be installed: {words}")
    importlib.invalidate_caches()


def prepare(lesson: str) -> None:
    """Make this kernel ready for a lesson: packages, assets, settings and folder; then print the versions.

    Parameters
    ----------
    lesson : str
        The lesson's number, topic or name.

    Raises
    ------
    SystemExit
        If the lock does not know this Python, or a package that is missing cannot be installed.
    """
    pythons = lock.parse((paths.root() / "requirements.lock").read_text("utf-8")).pythons
    version = platform.python_version()
    if ".".join(version.split(".")[:2]) not in pythons:
        raise SystemExit(
            f"This runtime is Python {version}; the course needs {' or '.join(pythons)}. Run it on your own machine."
        )
    os.environ.update(variables.for_learner())
    ours = str(paths.root() / "utils")  # processes that are started from here must find helix too
    others = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one not in ("", ours)]
    os.environ["PYTHONPATH"] = os.pathsep.join([ours, *others])
    chapter = catalogue.load().chapter(lesson)
    for group in dict.fromkeys(("core", chapter.group)):
        install(group)
    if chapter.assets:
        assets.bring(list(chapter.assets))
    os.chdir(paths.root() / "notebooks")
    print("\n".join(versions()))


def versions() -> list[str]:
    """Return, a line each, the versions of this runtime, and the lock's where it differs."""
    pins = lock.pins(lock.parse((paths.root() / "requirements.lock").read_text("utf-8")), ["core"])
    rows = [f"python {platform.python_version()}"]
    for name in SHOWN:
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            here = "missing"
        same = here.partition("+")[0] == pins[name]
        rows.append(f"{name} {here}" + ("" if same else f" (the course was tested with {pins[name]})"))
    return rows
