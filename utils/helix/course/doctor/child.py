"""What the doctor tries in a child process: code that may end its interpreter in a way that no ``except`` catches."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import tempfile
from typing import Any

from helix.course import variables

KERNEL_SECONDS = 20
IMPORT_SECONDS = 60
_TOLD = "helix-doctor:"  # begins the lines of a child that are meant for us


def call(function: str, *words: str, seconds: float) -> tuple[list[dict[str, Any]], str]:
    """Run a function of this module in a fresh interpreter; return what it told, and how it ended."""
    code = f"import sys; from helix.course.doctor import child; child.{function}(*sys.argv[1:])"
    command = [sys.executable, "-P", "-c", code, *words]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=variables.for_learner(),
            check=False,
        )
        output, status = done.stdout, done.returncode
        end = last(done.stderr) or f"exit status {status}"
        if status < 0:
            end = f"it ended the interpreter ({signal.Signals(-status).name})"
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode(errors="replace")  # bytes, even where text was asked for
        end = f"it took more than {seconds:.0f} seconds"
    lines = [line.removeprefix(_TOLD) for line in output.splitlines() if line.startswith(_TOLD)]
    return [json.loads(line) for line in lines], end


def _tell(**facts: Any) -> None:
    """Tell the parent something, on a line of its own whatever an imported library printed before."""
    print(f"\n{_TOLD}{json.dumps(facts)}", flush=True)


def import_each(*names: str) -> None:
    """Import `names`, telling before and after each, so that the parent knows which one ended the child."""
    for name in names:
        _tell(name=name, begun=True)
        try:
            module = importlib.import_module(name)
            _tell(name=name, done=True, file=getattr(module, "__file__", None))
        except BaseException as error:
            _tell(name=name, done=True, error=reason(error))


def ask_kernel() -> None:
    """Start the kernel ``python3`` as JupyterLab does, tell its answers, and end it whatever happens."""
    try:
        from jupyter_client.manager import KernelManager

        with tempfile.TemporaryFile("w+", errors="replace") as words:
            manager = KernelManager(kernel_name="python3")
            client = None
            try:
                manager.start_kernel(stdout=words, stderr=words)
                client = manager.blocking_client()
                client.start_channels()
                client.wait_for_ready(timeout=KERNEL_SECONDS)
                asked = {"answer": "1+1", "prefix": "__import__('sys').prefix"}
                reply: Any = client.execute("", silent=True, user_expressions=asked, reply=True, timeout=KERNEL_SECONDS)
                said = reply["content"]["user_expressions"]
                _tell(**{key: said[key]["data"]["text/plain"].strip("'") for key in asked})
            except Exception as error:
                words.seek(0)
                # A kernel that died left its own last words; they say more than that it died.
                died = not manager.has_kernel or not manager.is_alive()
                _tell(error=(died and last(words.read())) or reason(error))
            finally:
                if client is not None:
                    client.stop_channels()
                if manager.has_kernel:
                    manager.shutdown_kernel(now=True)
    except Exception as error:
        _tell(error=reason(error))


def tell_hardware() -> None:
    """Tell what a record would say of this machine."""
    from helix import measure  # needs numpy, which may be what is broken

    _tell(hardware=measure.hardware())


def reason(error: BaseException) -> str:
    """Return an error's type and the last line of its message, without a full stop."""
    return f"{type(error).__name__}: {last(str(error))}".removesuffix(": ")


def last(text: str) -> str:
    """Return the last line that is not empty, without a full stop."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""
