"""``python3 kit.py test``: one pytest over everything, where there is no network."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

from helix import paths
from helix.course import offline, variables
from helix.course.doctor import machine

WORKERS_AT_MOST = 8  # then the longest lesson decides, and each worker spends its seconds on imports

# What makes libraries take other instructions than this machine's best, and so round otherwise.
PROCESSORS = {
    "default": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
}


def main(words: list[str]) -> int:
    """Run all tests and gates; words that are not known here go to pytest.

    ``--require-all`` turns a skip, and a budget that is far exceeded, into a failure. ``--changed`` runs what the changes
    since the main branch can touch. ``--processor default`` (or ``avx2``) runs chapters and worked labs as another
    processor would. With paths or ``-k`` among the words only those tests run.
    """
    parser = argparse.ArgumentParser(prog="python3 kit.py test", add_help=False, allow_abbrev=False)
    parser.add_argument("--require-all", action="store_true")
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--processor", choices=sorted(PROCESSORS))
    options, others = parser.parse_known_args(words)
    chosen: list[str] = []
    if options.changed:
        from helix.course import changed  # reads notebooks, which takes seconds to import

        selection = changed.select()
        print("\n".join(selection.told()), flush=True)
        chosen = selection.words()
    elif options.processor and not others:
        chosen = ["notebooks", "solutions"]
    whole = not (others or chosen or options.processor)
    how = offline.enter()
    print(
        f"No network: {'a namespace with loopback only' if how == 'namespace' else 'a guard on sockets'}.", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="helix-test-") as work:
        command = [
            sys.executable,
            "-m",
            "pytest",
            f"--numprocesses={workers()}",
            "--dist=loadscope",  # by the groups of helix.course.costs, in the order of the plugin
            "--no-loadscope-reorder",
            "--nbval-lax",
            "--nbval-cell-timeout=120",
            "--durations=10",
            "--durations-min=1",
            f"--costs={'whole' if whole else 'part'}",
            *(["--require-all"] if options.require_all else []),
            *([f"--processor={options.processor}"] if options.processor else []),
            *others,
            *chosen,
        ]
        settings = {**variables.lesson_settings(work, grading=False), **PROCESSORS.get(options.processor, {})}
        return subprocess.run(command, cwd=paths.root(), env={**os.environ, **settings}).returncode


def workers(cores: float | None = None, free: float | None = None) -> int:
    """Return how many tests run at once: one a core, as far as there is memory for as many chapters.

    Two at the least, because tests that wait for processes leave a single core idle; one where memory is for one only.
    """
    cores = machine.cores_here() if cores is None else cores
    free = machine.bytes_here()[2] if free is None else free
    return max(1, min(max(2, int(cores)), int(free // machine.CHAPTER_NEEDS), WORKERS_AT_MOST))
