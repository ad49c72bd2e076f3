"""Chapter 00: how many people an audit needs to see Adult's gap, and how long the warm-up's checks take.

`audit` draws audits of several sizes from Adult's training split, 200 for each size and seed, and counts how many of them
see the gap (their 95 % interval excludes zero) and how many would pass a limit of 0.1 on their point estimate alone.
`check` times each check of the warm-up on its worked answer, wall clock, with torch imported, as in most labs.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from helix import measure
from helix.course import notebooks
from helix.datasets import adult
from helix.record.experiment import Experiment
from helix.start_here import sample_gap as one_audit

experiment = Experiment(__file__)

SIZES = (50, 100, 200, 300, 500, 1000, 2000)
AUDITS = 200
LIMIT = 0.1
ENOUGH = 0.95  # an audit size is enough if at least this share of audits see the gap, interval included
EXERCISES = ("selection_rates", "parity_gap", "release_gate", "decide")


@experiment.runs(size=SIZES, seed=range(20))
def audit(size: int, seed: int) -> Mapping[str, Any]:
    """Draw audits of one size; return the share that see the gap, the share below the limit, the median width."""
    rng = np.random.default_rng([size, seed])
    people = adult.load("train")
    drawn = [one_audit(people, size, rng) for _ in range(AUDITS)]
    valid = [one for one in drawn if one is not None]
    return {
        "sees": sum(one.sees for one in valid) / AUDITS,
        "below_limit": sum(one.gap.value <= LIMIT for one in valid) / AUDITS,
        "width": float(np.median([one.gap.width for one in valid])),
    }


@cache
def _worked() -> dict[str, Any]:
    import torch  # noqa: F401  (in most labs it is loaded, and a fork of the process is larger for it)

    with tempfile.TemporaryDirectory(prefix="helix-experiment-") as work, patch.dict(os.environ, HELIX_WORK=work):
        return notebooks.solved("00_start_here")


@experiment.runs(timing=True, seed=range(30), exercise=EXERCISES)
def check(seed: int, exercise: str) -> Mapping[str, Any]:
    """Time one check of a worked answer."""
    names = _worked()
    judge = getattr(names["check"], exercise)
    start = time.perf_counter()
    verdict = judge.verdict(names[exercise], seed)
    seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 4), "outcome": str(verdict.outcome)}


@experiment.conclude
def conclude(runs: dict[str, pd.DataFrame]) -> Mapping[str, Any]:
    """Reduce the runs to a table by size and a table by exercise, and give the two verdicts."""
    people = adult.load("train")
    rates = people.groupby(people["sex"].astype(str))["income_over_50k"].mean()
    gap = float(rates["Male"] - rates["Female"])
    by_size: dict[str, dict[str, Any]] = {}
    for size, group in runs["audit"].groupby("size"):
        trials = AUDITS * len(group)
        by_size[str(size)] = {
            name: _plain(measure.wilson(round(group[name].sum() * AUDITS), trials)) for name in ("sees", "below_limit")
        } | {"width": float(group["width"].median()), "sees_by_seed": group["sees"].tolist()}
    enough = next((size for size in SIZES if by_size[str(size)]["sees"]["low"] >= ENOUGH), None)
    at_100 = by_size["100"]
    experiment.claim(
        "small_audit_suffices",
        measured=f"{100 * at_100['sees']['value']:.0f} % of audits of 100 people see the gap of {gap:.3f}; "
        f"{100 * at_100['below_limit']['value']:.0f} % measure at most 0.1. From {enough} people on, at least 95 % see it.",
        verdict="holds" if at_100["sees"]["low"] >= ENOUGH else "does not hold",
        conditions=f"Adult, training split, men − women; {AUDITS * 20:,} audits of each size; seen = Newcombe 95 % excludes 0, enough = at least 95 % see it",
    )
    checks = runs["check"]
    if set(checks["outcome"]) != {"correct"}:
        raise SystemExit("A worked answer was not found correct; timings of anything else mean nothing.")
    by_exercise = {name: float(group["seconds"].median()) for name, group in checks.groupby("exercise", sort=False)}
    slowest, median = max(by_exercise.values()), float(checks["seconds"].median())
    experiment.claim(
        "check_under_a_second",
        measured=f"Median {median:.2f} s over {len(checks)} checks; slowest exercise {slowest:.2f} s (median).",
        verdict="holds" if median < 1 else "does not hold",
        conditions="the four checks of the warm-up, wall clock, one process, torch imported",
    )
    return {
        "gap": gap,
        "audits_per_size": AUDITS * 20,
        "by_size": by_size,
        "enough": enough,
        "check_seconds": by_exercise,
    }


def _plain(interval: measure.Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


if __name__ == "__main__":
    experiment.main()
