"""``python3 kit.py build``: sources in, executed notebooks out, only what changed, two at a time."""

from __future__ import annotations

import argparse
import contextlib
import re
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from helix import paths
from helix.course import catalogue, glossary, notebooks, prose, variables
from helix.course.catalogue import CatalogueError
from helix.course.notebooks import SourceError, Target

CELL_SECONDS = 120
BUDGET_SECONDS = {"chapter": 45, "solution": 20, "lab": 1}  # CPU seconds, of all processes of the notebook
# All that the inputs of a lesson lie in (`notebooks.inputs`); the lock beside them.
_WATCHED = ("source", "utils/helix", "data", "weights", "results")
_UNSTABLE = {
    r"0x[0-9a-f]{6,}": "a memory address",
    r"<Figure size|<Axes|<matplotlib\.": "a figure's repr: end the line with a semicolon, or use helix.plots.show",
    r"(?<![\w.])/(?:tmp|home|root|Users|var/folders)/\S+": "a path of this machine",
}


class BuildError(Exception):
    """A notebook could not be built; the message points to the line of its source."""


def why_stale(target: Target) -> str:
    """Return, in a sentence with the command, why a notebook has to be built; nothing if it is what its source gives."""
    where, command = paths.display(target.path), f"Run: {target.command}"
    if not target.path.exists():
        return f"{where} is not built. {command}"
    stored, made = notebooks.read(target.path), notebooks.make(target)
    if [notebooks.identity(cell) for cell in stored.cells] != [notebooks.identity(cell) for cell in made.cells]:
        return f"{where} is not what {paths.display(target.source)} gives. {command}"
    if target.executed and notebooks.built_from(stored) != notebooks.fingerprint(target):
        return f"{where} was built before its modules, data, record or the lock changed. {command}"
    if not target.executed and stored != made:
        return f"{where} holds more than its source gives. {command}"
    return ""


def build(target: Target, *, afresh: bool = True) -> float:
    """Build one notebook and return the CPU seconds of its kernel; the old file stands until the new one is complete.

    Parameters
    ----------
    target : Target
        What to build.
    afresh : bool
        False keeps the outputs that are there if all that they depend on is as it was: then only links have changed.

    Raises
    ------
    BuildError
        If a cell fails, does not run, or leaves an output that would differ elsewhere.
    SourceError
        If the source, or a module that it imports, cannot be read.
    """
    notebook = notebooks.make(target)
    seconds = 0.0
    if target.executed:
        notebook.metadata["helix"]["inputs"] = notebooks.fingerprint(target)
        if afresh or not _keeps_outputs(target, notebook):
            seconds = _execute(target, notebook)
    draft = target.path.with_suffix(".ipynb.part")
    draft.parent.mkdir(exist_ok=True)
    draft.write_text(notebooks.serialise(notebook), "utf-8")
    draft.replace(target.path)
    return seconds


def _keeps_outputs(target: Target, notebook: NotebookNode) -> bool:
    """Give a notebook the outputs of the one that is there, if they are a build's, of the same code and the same inputs."""
    stored = notebooks.read(target.path) if target.path.exists() else nbformat.v4.new_notebook()
    old, new = ([cell for cell in one.cells if cell.cell_type == "code"] for one in (stored, notebook))
    if (
        notebooks.built_from(stored) != notebook.metadata["helix"]["inputs"]
        or [notebooks.identity(cell) for cell in old] != [notebooks.identity(cell) for cell in new]
        or [cell.execution_count for cell in old if cell.source.strip()] != list(range(1, len(old) + 1))
        or any(unstable(cell) or any(one.output_type == "error" for one in cell.outputs) for cell in old)
    ):
        return False
    for kept, cell in zip(old, new, strict=True):
        cell.outputs, cell.execution_count = kept.outputs, kept.execution_count
    return True


def _execute(target: Target, notebook: NotebookNode) -> float:
    started = 0  # the cell that runs now
    seconds = 0.0  # after the last cell the kernel is gone, so they are read after each

    def note(cell: NotebookNode, cell_index: int) -> None:
        nonlocal started
        started = cell_index

    def read(cell: NotebookNode, cell_index: int, execute_reply: Any) -> None:
        nonlocal seconds
        kernel: Any = client.km
        seconds = _cpu_seconds(kernel.provisioner.pid)

    with tempfile.TemporaryDirectory(prefix="helix-") as work:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": str(target.path.parent)}},
            coalesce_streams=True,
            record_timing=False,
            on_cell_start=note,
            on_cell_executed=read,
            extra_arguments=["--IPKernelApp.log_level=40"],  # its warning about loopback TCP is no news here
        )
        try:
            client.execute(env=variables.for_build(work, grading=target.kind == "solution", lesson=target.name))
        except CellExecutionError as error:
            line = _last_line(str(error.traceback))
            raise BuildError(f"{_where(target, notebook, started, line)}: {error.ename}: {error.evalue}") from None
        except (CellTimeoutError, DeadKernelError) as error:
            raise BuildError(f"{_where(target, notebook, started)}: {str(error).strip().splitlines()[0]}") from None
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if counts != list(range(1, len(counts) + 1)):
        raise BuildError(f"{paths.display(target.source)}: not every cell ran: {counts}. Build it again.")
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            if complaint := unstable(cell):
                raise BuildError(f"{_where(target, notebook, index)}: {complaint}")
    notebook.metadata["language_info"] = {"name": "python"}
    return seconds


def _cpu_seconds(kernel: int) -> float:
    """Return the CPU seconds of a kernel and of all processes that it started."""
    total = 0.0
    process = psutil.Process(kernel)
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):  # it ended meanwhile: its parent has its seconds
            total += sum(one.cpu_times()[:4])
    return total


def unstable(cell: NotebookNode) -> str:
    """Return what in a cell's outputs would differ on another machine or run, or nothing."""
    for output in cell.outputs:
        if (
            output.output_type == "stream"
            and output.name == "stderr"
            and "stderr-ok" not in cell.metadata.get("tags", [])
        ):
            return f"the cell wrote to stderr: {output.text.strip()[:200]!r}. Mend the cause of the warning."
        data = output.get("data", {})
        text = output.get("text", "") + "".join(data.get(kind, "") for kind in ("text/plain", "text/html"))
        text = re.sub(r"data:image/png;base64,[\w+/=]+", "", text)  # any letters may follow each other in a picture
        for pattern, what in _UNSTABLE.items():
            if found := re.search(pattern, text):
                return f"the output holds {what} ({found[0][:60]!r})."
    return ""


def _last_line(traceback: str) -> int:
    """Return the line in the cell at which its traceback points, 1 if it does not say."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", traceback)
    numbers = re.findall(r"Cell In\[\d+\], line (\d+)", plain)
    return int(numbers[0]) if numbers else 1


def _where(target: Target, notebook: NotebookNode, index: int, line: int = 1) -> str:
    """Return ``source/…, line N`` of a cell's line, found by looking the cells up in the source one after the other."""
    text = target.source.read_text().splitlines()
    position = 0
    for number, cell in enumerate(notebook.cells[: index + 1]):
        first = next((part for part in cell.source.splitlines() if part.strip()), None)
        if cell.cell_type != "code" or first is None:
            continue
        while position < len(text) and text[position] != first:
            position += 1
        if number == index:
            # In a built solution the marks are gone, so that lines after one stand further down in the source.
            for _ in range(line - 1):
                position += 1
                while position < len(text) and text[position].strip() in (notebooks.BEGIN, notebooks.END):
                    position += 1
        else:
            position += 1
    return f"{paths.display(target.source)}, line {min(position + 1, len(text))}"


# ---------------------------------------------------------------------- the command


def select(keys: Iterable[str]) -> list[Target]:
    """Return the targets of the named lessons, or all."""
    wanted = {catalogue.load().chapter(key).name for key in keys}
    return [target for target in notebooks.targets() if not wanted or target.name in wanted]


def run(chosen: list[Target], *, force: bool, say: Callable[[str], None] = print) -> int:
    """Build what is not current, two at a time; return how many failed."""
    todo, failed = [], 0
    for target in chosen:
        try:
            if force or why_stale(target):
                todo.append(target)
        except SourceError as error:
            failed += 1
            say(f"{paths.display(target.path)}  failed\n  {error}")
    if not todo and not failed:
        say(f"All {len(chosen)} notebooks are current.")
    with ThreadPoolExecutor(max_workers=2) as pool:
        jobs = {pool.submit(build, target, afresh=force): target for target in todo}
        for number, job in enumerate(as_completed(jobs), 1):
            target = jobs[job]
            label = f"[{number}/{len(todo)}] {paths.display(target.path)}"
            try:
                seconds = job.result()
            except (BuildError, SourceError) as error:
                failed += 1
                say(f"{label}  failed\n  {error}")
                continue
            over = "" if seconds <= BUDGET_SECONDS[target.kind] else f"  over its {BUDGET_SECONDS[target.kind]} s"
            say(f"{label}  {seconds:.1f} CPU-s{over}")
    with contextlib.suppress(SourceError):  # it has been told, or another lesson is only half written
        if glossary.write():
            say(paths.display(glossary.path()))
    orphans = sorted(
        path
        for folder in set(notebooks.FOLDER.values())
        for path in (paths.root() / folder).glob("[0-9][0-9]_*.ipynb")
        if path not in {target.path for target in notebooks.targets()}
    )
    for path in orphans:
        say(f"{paths.display(path)} has no source. Remove it: git rm {paths.display(path)}")
    return failed


def main(words: list[str]) -> int:
    """``python3 kit.py build [NN …] [--force] [--watch] [--format]``."""
    parser = argparse.ArgumentParser(
        prog="python3 kit.py build", description="Build the notebooks whose sources changed."
    )
    parser.add_argument("lesson", nargs="*", help="number, topic or name; all if none is given")
    parser.add_argument("--force", action="store_true", help="build even what is current")
    parser.add_argument("--watch", action="store_true", help="go on building whenever a file changes; Ctrl-C ends it")
    parser.add_argument(
        "--format", action="store_true", help="only format all sources: one sentence a line, code as wide as a window"
    )
    options = parser.parse_args(words)
    if options.format:
        changed = prose.write()
        print("\n".join(f"formatted {paths.display(file)}" for file in changed) or "All sources are formatted.")
        return 0
    force = options.force
    while True:
        stamp = _stamp()  # before the run: what is saved while it lasts starts another
        try:
            failed = run(select(options.lesson), force=force)
        except CatalogueError as error:
            print(error)
            failed = 1
        if not options.watch:
            return 1 if failed else 0
        force = False
        while _stamp() == stamp:
            time.sleep(0.5)


def _stamp() -> set[tuple[str, int]]:
    """Return the files that a build can read, each with the time of its last change."""
    root = paths.root()
    files = [root / "requirements.lock"]
    for folder in _WATCHED:
        files += (root / folder).rglob("*")
    found = set()
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # an editor replaces a file by another
            if file.is_file() and "__pycache__" not in file.parts:
                found.add((str(file), file.stat().st_mtime_ns))
    return found
