"""The frame of an experiment: a grid of seeded runs that can be interrupted, resumed, recorded and compared.

An experiment is a script ``experiments/NN_topic.py``::

    experiment = Experiment(__file__)

    @experiment.runs(size=(100, 1000), seed=range(200))
    def audit(size: int, seed: int) -> dict[str, float]:
        ...

    @experiment.conclude
    def conclude(runs: dict[str, pd.DataFrame]) -> dict[str, Any]:
        experiment.claim("small_audit_suffices", measured="…", verdict="does not hold")
        return {...}                                  # the figures that the chapter reads

    if __name__ == "__main__":
        experiment.main()

``python3 kit.py experiment NN`` reruns the first point of every grid (but for those with ``in_slice=False``) and shows it beside the record;
``--measure`` runs what is not done yet and writes ``results/NN_topic.json``. A run counts as done as long as its function,
and what that uses of the script, stay as they were: whoever edits the conclusion, or adds a grid, trains nothing again.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from helix import measure, paths
from helix.record import journal, results
from helix.record.claims import Measured, find
from helix.record.code_version import commit

Run = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True)
class _Grid:
    run: Run
    points: tuple[dict[str, Any], ...]
    timing: bool
    rtol: float
    in_slice: bool


class Experiment:
    """One experiment: its grids of runs, its conclusion, its record.

    Parameters
    ----------
    script : str
        ``__file__`` of the script in ``experiments/``.
    """

    def __init__(self, script: str) -> None:
        self.script = Path(script).resolve()
        self.name = self.script.stem
        self._grids: dict[str, _Grid] = {}
        self._conclude: Callable[[dict[str, pd.DataFrame]], Mapping[str, Any]] | None = None
        self._claims: dict[str, dict[str, str]] = {}

    def runs(
        self, *, timing: bool = False, rtol: float = 1e-6, in_slice: bool = True, **grid: Iterable[Any]
    ) -> Callable[[Run], Run]:
        """Register a function to be run once for each point of the grid.

        Parameters
        ----------
        timing : bool
            Whether it measures time, so that a rerun is not expected to give the same values.
        rtol : float
            The relative difference that another processor may make to a number.
        in_slice : bool
            False leaves the grid out of a slice: a run takes many minutes, or needs what learners may not have.
        **grid : iterable
            The values of each keyword argument, JSON-serialisable; the seed is one of them.
        """
        points = tuple(dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values()))
        if not points:
            raise ValueError("The grid is empty: give every argument at least one value.")

        def register(run: Run) -> Run:
            self._grids[run.__name__] = _Grid(run, points, timing, rtol, in_slice)
            return run

        return register

    def conclude(self, function: Callable[[dict[str, pd.DataFrame]], Mapping[str, Any]]) -> Any:
        """Register the function that turns the runs, a table for each grid, into the figures of the record."""
        self._conclude = function
        return function

    def claim(self, id: str, measured: str, verdict: str, conditions: str = "") -> None:
        """Set the reference of a claim of the catalogue; see `helix.record.claims.claim`."""
        find(id)
        self._claims[id] = Measured(measured, verdict, conditions).as_record()

    # ------------------------------------------------------------------ running

    @property
    def _partial(self) -> Path:
        return paths.work() / "experiments" / f"{self.name}.jsonl"

    def _key(self, grid: str, point: Mapping[str, Any]) -> str:
        text = json.dumps([definition_hash(self.script, grid), grid, point], sort_keys=True, default=results.plain)
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def measure(self) -> Path:
        """Run what has not been run with this version of the script, conclude, and write the record.

        The record holds the hash of the script and of each module behind it.
        """
        if self._conclude is None:
            raise ValueError(f"{self.script.name} has no function under @experiment.conclude.")
        partial = self._partial  # a run may set HELIX_WORK for itself
        modules = results.modules(self.script)  # as they are now, whatever is edited while it runs
        done = {entry["key"]: entry for entry in journal.read(partial) if "key" in entry}
        tables: dict[str, list[dict[str, Any]]] = {}
        seconds = 0.0
        for name, grid in self._grids.items():
            for point in tqdm(grid.points, desc=name, unit="run"):
                key = self._key(name, point)
                if key not in done:
                    start = time.perf_counter()
                    values = _plain(grid.run(**point))
                    done[key] = {"key": key, "values": values, "seconds": round(time.perf_counter() - start, 4)}
                    journal.append(partial, done[key])
                tables.setdefault(name, []).append({**point, **done[key]["values"]})
                seconds += done[key]["seconds"]
        self._claims = {}
        figures = dict(self._conclude({name: pd.DataFrame(rows) for name, rows in tables.items()}))
        record = {
            "experiment": self.name,
            "script_sha256": results.script_hash(self.script),
            "modules": modules,
            **commit(),
            "date": date.today().isoformat(),
            "seconds": round(seconds, 1),
            "hardware": measure.hardware(),
            "claims": self._claims,
            "figures": figures,
            "runs": {name: _columns(rows) for name, rows in tables.items()},
        }
        return results.save(self.name, record)

    def slice(self) -> pd.DataFrame:
        """Rerun the first point of every grid that belongs in a slice; return its values beside the recorded ones, one row a value."""
        record = results.load(self.name)
        rows = []
        for name, grid in self._grids.items():
            if not grid.in_slice:
                continue
            point = grid.points[0]
            recorded = _row(record["runs"].get(name, {}), _plain(point))
            if recorded is None:
                raise results.MissingRecord(
                    f"results/{self.name}.json has no run of {name} with {_plain(point)}. "
                    f"Measure it: python3 kit.py experiment {self.name[:2]} --measure"
                )
            for value, now in _plain(grid.run(**point)).items():
                rows.append(
                    {
                        "run": f"{name}({', '.join(f'{key}={item}' for key, item in point.items())})",
                        "value": value,
                        "recorded": recorded.get(value),
                        "now": now,
                        "same": "timing" if grid.timing else _same(recorded.get(value), now, grid.rtol),
                    }
                )
        return pd.DataFrame(rows)

    def main(self, words: list[str] | None = None) -> None:
        """Answer the command line: a slice, or with ``--measure`` the whole experiment and its record."""
        parser = argparse.ArgumentParser(
            prog=f"python3 kit.py experiment {self.name[:2]}", description=sys.modules["__main__"].__doc__
        )
        parser.add_argument("--measure", action="store_true", help="run everything and write the record")
        if parser.parse_args(words).measure:
            if self._partial.parent != paths.root() / "work" / "experiments":
                print(
                    f"HELIX_WORK is set, so the runs are kept in {paths.display(self._partial)}. "
                    "What was measured under another work folder is measured again."
                )
            print(f"Written: {paths.display(self.measure())}")
            return
        table = self.slice()
        if not table.empty:
            print(table.to_string(index=False, max_colwidth=40))
        if left_out := [name for name, grid in self._grids.items() if not grid.in_slice]:
            print(f"Left out, as too long for a slice: {', '.join(left_out)}. All of it: --measure")
        if said := results.changed_modules(results.load(self.name), self.script):
            print(said)
        if table.empty:
            return
        if (table["same"] == False).any():  # noqa: E712  (the column also holds the word "timing")
            raise SystemExit("A value differs from its record, though the script is seeded.")


def definition_hash(script: Path, name: str) -> str:
    """Return the SHA-256 of a function of a script and of all that it uses of the script, directly or through others.

    Comments, layout and the function's own decorators do not count. What it imports counts as a name only, as a script's
    hash does not know its modules either. Where the script does not define the function, the whole script counts.
    """
    defined: dict[str, list[ast.stmt]] = {}
    for statement in ast.parse(script.read_text("utf-8")).body:
        for bound, piece in _bound(statement):
            defined.setdefault(bound, []).append(piece)
    if name not in defined:
        return results.script_hash(script)
    for statement in defined[name]:
        if isinstance(statement, ast.FunctionDef):
            statement.decorator_list = []
    used: dict[int, ast.stmt] = {}
    queue = [name]
    while queue:
        for statement in defined.get(queue.pop(), []):
            if id(statement) not in used:
                used[id(statement)] = statement
                queue += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    texts = sorted(ast.unparse(statement) for statement in used.values())
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _bound(statement: ast.stmt) -> list[tuple[str, ast.stmt]]:
    """Return the names that a statement of a module binds, each with what binds it; of an import, only its own part."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [(statement.name, statement)]
    if isinstance(statement, ast.Import):
        return [((one.asname or one.name).partition(".")[0], ast.Import([one])) for one in statement.names]
    if isinstance(statement, ast.ImportFrom):
        parts = ((one, ast.ImportFrom(statement.module, [one], statement.level)) for one in statement.names)
        return [(one.asname or one.name, part) for one, part in parts]
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return [(name, statement) for name in sorted(names)]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as the record will hold them."""
    made: dict[str, Any] = json.loads(json.dumps(dict(values), default=results.plain))
    return made


def _same(recorded: Any, now: Any, rtol: float) -> bool:
    if isinstance(recorded, float) and isinstance(now, float):
        return math.isclose(recorded, now, rel_tol=rtol) or (math.isnan(recorded) and math.isnan(now))
    return json.dumps(recorded) == json.dumps(now)  # as text, where NaN is the same as NaN


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Turn rows into columns; None where a run did not return a value."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _row(columns: Mapping[str, list[Any]], point: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the recorded run of a point, None if there is none."""
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        if point.items() <= row.items():
            return row
    return None
