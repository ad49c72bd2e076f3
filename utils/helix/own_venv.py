"""Scripts of this package that run in another environment: that of a framework which cannot be installed beside the rest.

``python3 kit.py env NAME`` makes ``.venv-NAME`` from ``envs/NAME.lock``. What runs there is a process of its own; arrays go to
it and come back in files, and never as pickles, which could hold code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helix import paths

TAIL = 20  # lines of what a script said before it failed


class Missing(RuntimeError):
    """The environment is not there, unfinished or outdated; the message names the command that makes it."""


class Failed(RuntimeError):
    """The script ended with an error, or without an answer; the message ends with the last lines of its stderr."""


def python(name: str) -> Path:
    """Return the interpreter of an environment that is ready.

    Parameters
    ----------
    name : str
        That of a lock in ``envs/``.

    Raises
    ------
    ValueError
        If no lock has this name.
    Missing
        If the environment was not made here, or not to its end, or from another version of its lock.
    """
    locks = {file.stem: file for file in sorted((paths.root() / "envs").glob("*.lock"))}
    if name not in locks:
        raise ValueError(f"There is no environment {name!r}. There are: {', '.join(locks) or 'none'}.")
    home = paths.root() / f".venv-{name}"
    interpreter = home / "bin" / "python"
    try:
        stamp = json.loads((home / "helix.json").read_text("utf-8"))["stamp"]  # kit.py writes it last
    except (OSError, ValueError, KeyError, TypeError):
        stamp = None
    if stamp is None or not os.access(interpreter, os.X_OK):
        raise Missing(f"The environment {name} is not set up here; run: python3 kit.py env {name}")
    if stamp != hashlib.sha256(locks[name].read_text("utf-8").encode()).hexdigest():
        raise Missing(f"envs/{name}.lock has changed since its environment was made; run: python3 kit.py env {name}")
    return interpreter


def call(
    name: str, script: str | Path, arrays: Mapping[str, ArrayLike], *, timeout: float = 600.0
) -> dict[str, NDArray[Any]]:
    """Run a script in an environment of its own, with arrays as its input and its answer.

    The script gets two words: the .npz file to read and the one to write. It is run in a temporary folder, which is its HOME
    too, and sees neither this environment's packages nor the script's neighbours (``python -I``). What it prints on stdout is
    dropped. Whatever happens, no process of it is left.

    Parameters
    ----------
    name : str
        The environment, such as ``tensorflow``.
    script : str or Path
        The file, relative to this package's folder.
    arrays : mapping of str to array_like
        Numbers, truth values, or texts of fixed width; a number alone is an array of shape ().
    timeout : float
        Seconds after which the script is stopped.

    Returns
    -------
    dict of str to ndarray
        What the script wrote.

    Raises
    ------
    ValueError
        If there is no such environment.
    TypeError
        If an array holds Python objects: they would travel as a pickle.
    Missing
        If the environment is not ready; the message names the command that makes it.
    TimeoutError
        If the script took too long.
    Failed
        If it ended with an error, wrote nothing, or wrote objects.
    """
    interpreter, file = python(name), Path(__file__).parent / script
    given = {key: np.asarray(value) for key, value in arrays.items()}
    if objects := [key for key, array in given.items() if array.dtype.hasobject]:
        raise TypeError(
            f"Python objects do not go to another environment: {', '.join(objects)}. Give numbers, or texts of fixed width."
        )
    with tempfile.TemporaryDirectory(prefix="helix-") as folder:
        given_file, made_file, said = (Path(folder) / one for one in ("given.npz", "made.npz", "stderr"))
        np.savez(given_file, allow_pickle=False, **given)
        with open(said, "wb") as log:
            process = subprocess.Popen(
                [interpreter, "-I", file, given_file, made_file],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=folder,
                env=os.environ | {"HOME": folder},  # Keras and matplotlib write there
                start_new_session=True,
            )
            try:
                status = process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise TimeoutError(f"{file.name} was stopped after {timeout:g} s in the environment {name}.") from None
            finally:
                with contextlib.suppress(OSError):  # nobody is left
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        tail = "\n".join(said.read_text("utf-8", errors="replace").splitlines()[-TAIL:])
        if status:
            raise Failed(f"{file.name} failed in the environment {name} with status {status}:\n{tail}")
        try:
            with np.load(made_file, allow_pickle=False) as made:
                return {key: made[key] for key in made.files}
        except FileNotFoundError:
            raise Failed(f"{file.name} ended in the environment {name} without an answer:\n{tail}") from None
        except ValueError as error:
            raise Failed(f"The answer of {file.name} cannot be read: {error}") from None
