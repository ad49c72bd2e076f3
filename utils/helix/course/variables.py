"""The environment variables under which lessons run: one thread, no telemetry, no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Every library that would look up a server at import or at the end of a run is told not to.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "DVC_NO_ANALYTICS": "1",
    "WANDB_MODE": "offline",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}
# Two OpenMP threads on busy cores were seen ten times slower than one; one thread also makes timings comparable.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
# What would make two builds differ: hash order, progress bars with times, a learner's own settings.
REPEATABLE = {"PYTHONHASHSEED": "0", "TQDM_DISABLE": "1", "HELIX_SEED": "20"}


def for_learner() -> dict[str, str]:
    """Return this process's environment with what a learner's JupyterLab needs; own settings win."""
    return {**OFFLINE, "OMP_NUM_THREADS": "1", **os.environ}


def home_is_writable() -> bool:
    """Say whether Jupyter and IPython can write where they keep settings, kernels' connections and history."""
    home = Path(os.path.expanduser("~"))
    data = home / ("Library/Jupyter" if sys.platform == "darwin" else ".local/share/jupyter")
    for folder in (home / ".jupyter", home / ".ipython", data / "runtime"):
        there = next(one for one in (folder, *folder.parents) if one.exists())
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            return False
    return True


def for_build(work: str, *, grading: bool, lesson: str) -> dict[str, str]:
    """Return the environment of a notebook that is built or tested.

    Parameters
    ----------
    work : str
        A temporary folder that takes the place of the learner's ``work/``.
    grading : bool
        Whether an answer that is not correct raises.
    lesson : str
        Its name: it may read no asset but those that the catalogue names for it, which set-up fetches.
    """
    return {**os.environ, **lesson_settings(work, grading=grading), **only_its_assets(lesson)}


def only_its_assets(lesson: str) -> dict[str, str]:
    """Return the setting that makes `helix.assets.store` refuse assets which the catalogue does not name for a lesson."""
    from helix.course import catalogue

    return {"HELIX_LESSON_ASSETS": " ".join(catalogue.load().assets_of(lesson))}


def lesson_settings(work: str, *, grading: bool) -> Mapping[str, str]:
    """Return only what a built or tested notebook's environment adds."""
    return {
        **OFFLINE,
        **ONE_THREAD,
        **REPEATABLE,
        "HELIX_WORK": work,
        "HELIX_GRADING": "1" if grading else "0",
        "IPYTHONDIR": f"{work}/.ipython",
        "MPLCONFIGDIR": f"{work}/.matplotlib",
    }
