"""The learner's side: copies of all pages in ``work/``, the portable record, and JupyterLab."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import sys
from pathlib import Path

from helix import measure, paths
from helix.course import catalogue, copies, variables

START = "00_start_here"
_SETTINGS = Path(__file__).parent / "jupyter"


def start(key: str, *, fresh: bool = False) -> Path:
    """Put the copies of all pages in the learner's folder, as `copies.place` does; return the one of a lab.

    Parameters
    ----------
    key : str
        The lesson's number, topic or name.
    fresh : bool
        Begin the lab anew: the copy that is there is kept under a new name.

    Raises
    ------
    SystemExit
        If the lab is not written yet, or a copy cannot be made.
    """
    chapter = catalogue.load().chapter(key)
    blank = paths.root() / "labs" / f"{chapter.name}_lab.ipynb"
    if not blank.exists():
        raise SystemExit(
            f"The lab {chapter.name} is planned, but not written yet. `python3 kit.py map` shows which are open."
        )
    copy = paths.work() / "labs" / blank.name
    old = fresh and copy.exists()
    _place()
    if old:
        kept = paths.free(copy.with_name(f"{copy.stem}-kept.ipynb"))
        try:
            copy.rename(kept)
            copies.write(blank, copy)
        except OSError as error:
            if kept.exists():
                kept.rename(copy)
            raise SystemExit(f"{paths.told(copy)} could not be made: {error.strerror}. Nothing was lost.") from None
    return copy


def _place() -> None:
    for sentence in copies.place():
        print(sentence, flush=True)


def lab(words: list[str]) -> int:
    """``python3 kit.py lab``: open JupyterLab on the learner's copy of the start page; what follows goes to JupyterLab."""
    _place()
    work = paths.work()
    os.environ.update(variables.for_learner())
    os.environ["HELIX_WORK"] = str(work)
    # JupyterLab's settings for this course: no news, no look for updates, none of the tools for graders.
    others = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(_SETTINGS), *([others] if others else [])])
    os.chdir(work)
    if not variables.home_is_writable():
        os.environ["HOME"] = str(work / ".home")
        print(
            f"Your home folder cannot be written to. JupyterLab keeps its settings in {paths.told(work)}/.home.",
            flush=True,
        )
    if os.geteuid() == 0 and "--allow-root" not in words:
        words = ["--allow-root", *words]
        print(
            "You are root, which JupyterLab starts with only when told to (--allow-root). In a container that is usual.",
            flush=True,
        )
    command = [
        sys.executable,
        "-P",
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={work}",
        f"--LabApp.default_url=/lab/tree/notebooks/{START}.ipynb",
        *words,
    ]
    os.execv(command[0], command)


def about() -> str:
    """Return what a bug report needs, as JSON: machine, versions, what is installed. No names, no paths."""
    marker = Path(sys.prefix) / "helix.json"
    state = json.loads(marker.read_text()) if marker.exists() else {}
    versions = {name: importlib.metadata.version(name) for name in ("jupyterlab", "ipykernel", "pandas", "matplotlib")}
    return json.dumps({"hardware": measure.hardware(), "versions": versions, "environment": state}, indent=1)


def about_main(words: list[str]) -> int:
    """``python3 kit.py about``."""
    argparse.ArgumentParser(prog="python3 kit.py about", description="Machine, versions and set-up.").parse_args(words)
    print(about())
    return 0


def start_main(words: list[str]) -> int:
    """``python3 kit.py start [NN] [--fresh]``."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py start",
        description="Put your copies of chapters, labs and worked labs in your folder, where they are missing or outdated.",
    )
    parser.add_argument("lesson", nargs="?", help="its lab is named")
    parser.add_argument(
        "--fresh", action="store_true", help="begin the lab anew; the old copy is kept under a new name"
    )
    options = parser.parse_args(words)
    if not options.lesson:
        if options.fresh:
            parser.error("--fresh needs the lesson whose lab begins anew")
        _place()
        print(f"Your copies of all pages are in {paths.told(paths.work())}.")
        return 0
    name = catalogue.load().chapter(options.lesson).name
    there = (paths.work() / "labs" / f"{name}_lab.ipynb").exists()
    copy = start(options.lesson, fresh=options.fresh)
    print(
        f"{paths.told(copy)} "
        + ("was there already; --fresh begins anew." if there and not options.fresh else "is ready.")
    )
    return 0
