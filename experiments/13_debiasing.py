"""Chapter 13: what it costs to narrow a selection gap in five ways, on Adult (sex) and COMPAS (race).

A run has a seed. It draws the network's first weights and the order of the batches, **and** a bootstrap sample of the training
rows, so that methods without chance of their own vary too. The validation and the test people stay the same: the intervals say
how much a result depends on training, not on who was asked. `surely` counts the runs in which the interval over the test people,
too, keeps the limit.

Grids, epochs and rules were fixed after one look at a single seed on the test people of both tables (it showed that COMPAS needs a
larger λ and α than Adult). For the penalty, which the claim is about, that choice was undone: its grid was made finer and longer, the
same for both tables (`FURTHER`), from a λ that changes hardly anything to one with which nearly everybody gets the same answer, so that
no look can have picked its ends. The other grids stay as they are; they are there to compare.

One rule chooses a setting, for each run on its own: the most accurate one whose ΔDP on validation is at most 0.1 (`LIMIT`). A model
that gives everybody the same answer has no gap and decides nothing, so that only settings more accurate than the better of the two
constant answers, on validation, can be chosen. Thresholds are computed from validation people too. Where no setting is left, the
method has failed in this run, and the run is counted.

AIF360's adversary runs beside them with AIF360's own defaults (weight 0.1, 50 epochs, batches of 128, a network of 200 hidden units), with
which nothing was tried out: not on test people, and not on validation people either. It needs `python3 kit.py env tensorflow`; runs that
are kept need no environment.

What counts as "reached" stands at `_claim`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch

from helix.measure import difference_of_proportions
from helix.record.experiment import Experiment
from helix.trust import aif360_adversary, debiasing
from helix.trust.groups import RATES, binary, keeps
from helix.trust.people import People, load

experiment = Experiment(__file__)

TABLES = ("adult", "compas")
SEEDS = range(20)
LIMIT = 0.1
LAMBDAS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0)
FURTHER = (1.5, 3.0, 6.0, 12.0, 16.0, 32.0)  # between the larger λ, and beyond
ALPHAS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
EPS = (0.0, 0.02, 0.05, 0.08, 0.1)
BOUNDS = (0.005, 0.02, 0.05, 0.08)
TRAINING = {"adult": {"epochs": 8, "batch": 512}, "compas": {"epochs": 25, "batch": 128}}
# Left out of the features for the row "proxies dropped"; it is only one group of proxies.
DROPPED = {"adult": ("relationship", "marital_status"), "compas": ("priors_count",)}
METHODS = ("regulariser", "adversary", "reweighing", "thresholds", "threshold optimiser", "exponentiated gradient")
BASE = dict.fromkeys(METHODS, "baseline") | {"exponentiated gradient": "logistic regression"}
CELLS = ("tp", "fn", "fp", "tn")


@cache
def _drawn(table: Any, seed: int) -> People:
    """Return a bootstrap sample of the training people."""
    people = load(table)["train"]
    rows = np.random.default_rng([seed, 13]).integers(len(people.y), size=len(people.y))
    return People(people.X[rows], people.y[rows], people.groups[rows], people.features)


def _network(table: str, seed: int, **how: Any) -> Any:
    torch.set_num_threads(1)
    people = _drawn(table, seed)
    X = how.pop("X", people.X)
    return debiasing.fit(X, people.y, people.groups, seed=seed, **(TRAINING[table] | how))


def _counts(people: People, selected: Any) -> list[list[int]]:
    """Return tp, fn, fp and tn of the two groups, in alphabetical order."""
    p, y = binary(np.asarray(selected).astype(int), "selected"), people.y
    code = debiasing.codes(people.groups, len(y))[1]
    cells = (p & y, (1 - p) & y, p & (1 - y), (1 - p) & (1 - y))
    return [[int(cell[code == group].sum()) for cell in cells] for group in (0, 1)]


def _asked(table: Any, select: Any) -> dict[str, Any]:
    """Return the counts on validation and on test people; `select` says who of some people is selected."""
    return {split: _counts(people, select(people)) for split, people in load(table).items() if split != "train"}


def _networks(table: str, seed: int) -> Iterator[tuple[str, Any]]:
    """Train every network of a run; a name is the method and its strength."""
    people = _drawn(table, seed)
    yield "baseline", _network(table, seed)
    weights = debiasing.reweighing(people.y, people.groups)
    yield "reweighing", _network(table, seed, weights=weights)
    for strength in LAMBDAS:
        yield f"regulariser {strength:g}", _network(table, seed, gap=strength)
    for strength in ALPHAS:
        yield f"adversary {strength:g}", _network(table, seed, adversary=strength)


@experiment.runs(table=TABLES, seed=SEEDS)
def mitigate(table: Any, seed: int) -> Mapping[str, Any]:
    """Train and judge every method and strength on one bootstrap sample."""
    found, validation = {}, load(table)["validation"]
    for name, network in _networks(table, seed):
        found[name] = _asked(table, lambda people, one=network: debiasing.probabilities(one, people.X) > 0.5)
        if name == "baseline":
            base = network
    scores = debiasing.probabilities(base, validation.X)
    for eps in EPS:
        thresholds = debiasing.parity_thresholds(scores, validation.y, validation.groups, eps)
        found[f"thresholds {eps:g}"] = _asked(
            table,
            lambda people, one=thresholds: debiasing.select(
                debiasing.probabilities(base, people.X), people.groups, one
            ),
        )
    return found | _with_fairlearn(table, seed, base) | _controls(table, seed)


def _controls(table: Any, seed: int) -> dict[str, Any]:
    """Train without mitigation, but with the group among the features, and without some of its proxies."""
    people = _drawn(table, seed)

    def joined(one: People) -> Any:
        code = debiasing.codes(one.groups, len(one.y))[1]
        return np.column_stack([one.X, 2 * code - 1]).astype(np.float32)

    kept = [not name.startswith(DROPPED[table]) for name in people.features]
    informed = _network(table, seed, X=joined(people))
    blind = _network(table, seed, X=people.X[:, kept])
    return {
        "group among the features": _asked(table, lambda one: debiasing.probabilities(informed, joined(one)) > 0.5),
        "proxies dropped": _asked(table, lambda one: debiasing.probabilities(blind, one.X[:, kept]) > 0.5),
    }


def _with_fairlearn(table: Any, seed: int, base: Any) -> dict[str, Any]:
    from fairlearn.postprocessing import ThresholdOptimizer
    from fairlearn.reductions import DemographicParity, ExponentiatedGradient
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.linear_model import LogisticRegression

    class Trained(ClassifierMixin, BaseEstimator):
        """The baseline, as scikit-learn wants it; in float64, since float32 makes the optimiser fail."""

        classes_ = np.array([0, 1])

        def fit(self, X: Any, y: Any) -> Any:
            return self

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict_proba(self, X: Any) -> Any:
            p = debiasing.probabilities(base, np.asarray(X))
            return np.column_stack([1 - p, p])

    people, validation = _drawn(table, seed), load(table)["validation"]
    X = people.X.astype(float)
    plain = LogisticRegression(max_iter=200).fit(X, people.y)
    found = {"logistic regression": _asked(table, lambda one: plain.predict(one.X.astype(float)))}
    optimiser = ThresholdOptimizer(
        estimator=Trained(), constraints="demographic_parity", prefit=True, predict_method="predict_proba"
    ).fit(validation.X.astype(float), validation.y, sensitive_features=validation.groups)
    found["threshold optimiser"] = _asked(
        table,
        lambda one: optimiser.predict(one.X.astype(float), sensitive_features=one.groups, random_state=seed),
    )
    for bound in BOUNDS:
        reduced = ExponentiatedGradient(
            LogisticRegression(max_iter=200), DemographicParity(difference_bound=bound), max_iter=30
        ).fit(X, people.y, sensitive_features=people.groups)
        found[f"exponentiated gradient {bound:g}"] = _asked(
            table, lambda one, made=reduced: made.predict(one.X.astype(float), random_state=seed)
        )
    return found


@experiment.runs(table=TABLES, seed=SEEDS)
def further(table: Any, seed: int) -> Mapping[str, Any]:
    """Train and judge the penalty on the same bootstrap sample with the strengths between and beyond."""
    networks = {f"regulariser {strength:g}": _network(table, seed, gap=strength) for strength in FURTHER}
    return {
        name: _asked(table, lambda people, one=network: debiasing.probabilities(one, people.X) > 0.5)
        for name, network in networks.items()
    }


# The noise of batches --------------------------------------------------------------------------------------


@experiment.runs(batch=(8, 16, 32, 64, 128, 256, 512, 1024))
def noise(batch: int) -> Mapping[str, Any]:
    """Estimate the gap of fixed scores from 4,000 batches: of the baseline, and of scores that are shuffled, with a gap of 0."""
    people = load("adult")["train"]
    p = debiasing.probabilities(_network("adult", 0), people.X)
    code = debiasing.codes(people.groups, len(people.y))[1]
    rng = np.random.default_rng(batch)
    made: dict[str, Any] = {}
    for name, scores in {"baseline": p, "no gap": rng.permutation(p)}.items():
        drawn = []
        for _ in range(4000):
            rows = rng.integers(len(p), size=batch)
            first = code[rows] == 0
            if first.any() and not first.all():
                drawn.append(scores[rows][first].mean() - scores[rows][~first].mean())
        signed = np.array(drawn)
        made[name] = {
            "true": float(abs(scores[code == 0].mean() - scores[code == 1].mean())),
            "absolute": float(np.abs(signed).mean()),
            "signed": float(abs(signed.mean())),
            "wrong_sign": float(
                np.mean(np.sign(signed) != np.sign(scores[code == 0].mean() - scores[code == 1].mean()))
            ),
            "empty": 1 - len(signed) / 4000,
        }
    return made


@experiment.runs(penalty=("plain", "safe"), batch=(16, 64, 512), seed=range(5))
def small_batches(penalty: str, batch: int, seed: int) -> Mapping[str, Any]:
    """Train on Adult with λ = 0.2 and small batches; plain is the formula of the batch alone, which skips empty ones only."""
    steps = {"epochs": {16: 2, 64: 4, 512: 8}[batch], "batch": batch, "rate": {16: 5e-4, 64: 1e-3, 512: 2e-3}[batch]}
    made = debiasing.GapRegulariser(momentum=0.0 if penalty == "plain" else 0.9)
    network = _network("adult", seed, gap=0.2, penalty=made, **steps)
    found = _asked("adult", lambda people: debiasing.probabilities(network, people.X) > 0.5)
    test = load("adult")["test"]
    p, code = debiasing.probabilities(network, test.X), debiasing.codes(test.groups, len(test.y))[1]
    means = float(abs(p[code == 0].mean() - p[code == 1].mean()))  # the gap that is penalised
    return found | {"skipped": made.skipped, "gap_of_means": means}


@experiment.runs(table=TABLES)
def answers(table: Any) -> Mapping[str, Any]:
    """Return the answers to the test people, a digit each, of the first seed: baseline, and the regulariser that the rule chose."""
    validation, test = load(table)["validation"], load(table)["test"]
    baseline = _network(table, 0)
    networks = {strength: _network(table, 0, gap=strength) for strength in (*LAMBDAS, *FURTHER)}
    chosen = _choose(
        {
            strength: _counts(validation, debiasing.probabilities(network, validation.X) > 0.5)
            for strength, network in networks.items()
        }
    )
    digits = {
        name: "".join(map(str, (debiasing.probabilities(network, test.X) > 0.5).astype(int)))
        for name, network in {"baseline": baseline, "regulariser": networks[chosen]}.items()
    }
    return {"strength": chosen} | digits


# With AIF360 and TensorFlow --------------------------------------------------------------------------------


@experiment.runs(in_slice=False, table=TABLES, debias=(False, True), seed=SEEDS)
def aif360(table: Any, debias: bool, seed: int) -> Mapping[str, Any]:
    """Train AIF360's network on the bootstrap sample of this seed, with its adversary or without, and judge it."""
    people = _drawn(table, seed)
    others = {split: one for split, one in load(table).items() if split != "train"}
    asked = {split: one.X for split, one in others.items()}
    p = aif360_adversary.aif360_adversarial(people.X, people.y, people.groups, asked, seed=seed, debias=debias)
    return {split: _counts(one, p[split] > 0.5) for split, one in others.items()}


# What follows ----------------------------------------------------------------------------------------------


def _judge(counts: Any) -> dict[str, float]:
    """Return accuracy and the gaps of two groups' counts; a rate of nobody counts as 0, which only a model that selects none has."""
    cells = dict(zip(CELLS, np.array(counts).T, strict=True))
    rate = {
        name: sum(cells[one] for one in over) / np.maximum(sum(cells[one] for one in under), 1)
        for name, (over, under) in RATES.items()
    }
    gap = {name: float(np.ptp(values)) for name, values in rate.items()}
    return {
        "accuracy": float((cells["tp"] + cells["tn"]).sum() / np.array(counts).sum()),
        "demographic_parity": gap["selection_rate"],
        "equal_opportunity": gap["tpr"],
        "equalised_odds": max(gap["tpr"], gap["fpr"]),
        "accuracy_gap": gap["accuracy"],
        "selected": float((cells["tp"] + cells["fp"]).sum() / np.array(counts).sum()),
    }


def _mean(values: Any) -> dict[str, float]:
    """Return the mean over seeds with Student's 95 % interval, and the interval in which one more run is expected."""
    from scipy.stats import t

    numbers = np.asarray(values, dtype=float)
    mean, spread = float(numbers.mean()), float(numbers.std(ddof=1))
    reach = float(t.ppf(0.975, len(numbers) - 1)) * spread
    half, one = reach / np.sqrt(len(numbers)), reach * np.sqrt(1 + 1 / len(numbers))
    return {"value": mean, "low": mean - half, "high": mean + half, "one_low": mean - one, "one_high": mean + one}


def _summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    return {name: _mean([one[name] for one in runs]) for name in runs[0]}


def _of_method(name: str, method: str) -> bool:
    return name == method or (name.startswith(f"{method} ") and name.split()[-1].replace(".", "").isdigit())


def _constant(counts: Any) -> float:
    """Return the accuracy of the better of the two constant answers on these people."""
    tp, fn, fp, tn = np.array(counts).sum(axis=0)
    return float(max(tp + fn, fp + tn) / np.array(counts).sum())


def _choose(validation: Mapping[Any, Any]) -> Any:
    """Let the rule choose, from the counts of each setting; a ValueError if none is left."""
    judged = {name: _judge(counts) for name, counts in validation.items()}
    deciding = {name for name, counts in validation.items() if judged[name]["accuracy"] > _constant(counts)}
    return debiasing.choose(
        {name: (judged[name]["accuracy"], judged[name]["demographic_parity"]) for name in judged if name in deciding},
        LIMIT,
    )


def _surely(counts: Any) -> bool:
    """Whether the 95 % interval of ΔDP over these people keeps the limit altogether."""
    (tp, fp), n = np.array(counts)[:, [0, 2]].T, np.sum(counts, axis=1)
    selected = (tp + fp).tolist()
    gap = difference_of_proportions(selected[0], int(n[0]), selected[1], int(n[1]))
    return keeps(max(abs(gap.low), abs(gap.high)), LIMIT)


def _chosen(rows: list[dict[str, Any]], method: str) -> dict[str, Any]:
    """Let the rule choose in every run, and compare what was chosen with the method's baseline of the same run."""
    after, change, names, reached, surely, failed = [], [], [], [], [], 0
    for row in rows:
        try:
            name = _choose({name: row[name]["validation"] for name in row if _of_method(name, method)})
        except ValueError:
            failed += 1
            continue
        counts = row[name]["test"]
        now, was = _judge(counts), _judge(row[BASE[method]]["test"])
        names.append(name)
        after.append(now)
        change.append({key: now[key] - was[key] for key in now})
        reached.append(keeps(now["demographic_parity"], LIMIT) and now["accuracy"] > _constant(counts))
        surely.append(reached[-1] and _surely(counts))
    found = {"failed": failed, "of": len(rows), "chosen": names, "reached": sum(reached), "surely": sum(surely)}
    if len(after) < 5:  # the rule has no answer too often for a mean
        return found
    return found | {"test": _summary(after), "change": _summary(change)}


@experiment.conclude
def conclude(runs: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Turn counts into accuracies and gaps, and give the claim with its price."""
    table = {}
    trained_on = runs["mitigate"].merge(runs["further"], on=["table", "seed"], validate="one_to_one")
    for name in TABLES:
        rows = trained_on[trained_on["table"] == name].drop(columns=["table", "seed"]).to_dict("records")
        settings = {one: _summary([_judge(row[one]["test"]) for row in rows]) for one in rows[0]}
        table[name] = {
            "settings": settings,
            "chosen": {method: _chosen(rows, method) for method in METHODS},
            "constant": _constant(rows[0]["baseline"]["test"]),
        }
    _claim(table)
    small = runs["small_batches"]
    trained = {
        f"{penalty} {batch}": _summary([_judge(one) for one in rows["test"]])
        | {"gap_of_means": _mean(rows["gap_of_means"]), "skipped": float(rows["skipped"].mean())}
        for (penalty, batch), rows in small.groupby(["penalty", "batch"], sort=False)
    }
    return {
        "tables": table,
        "odds": _odds(table),
        "noise": {
            str(row["batch"]): {key: row[key] for key in ("baseline", "no gap")} for _, row in runs["noise"].iterrows()
        },
        "small_batches": trained,
        "answers": {
            row["table"]: {key: row[key] for key in ("strength", "baseline", "regulariser")}
            for _, row in runs["answers"].iterrows()
        },
        "aif360": {name: _with_aif360(runs["aif360"], name) for name in TABLES},
    }


def _with_aif360(runs: pd.DataFrame, table: str) -> dict[str, Any]:
    """Return what AIF360's network does without its adversary, with it, and the change in the same bootstrap sample."""
    judged = {}
    for debias in (False, True):
        rows = runs[(runs["table"] == table) & (runs["debias"] == debias)].sort_values("seed")
        judged[debias] = [_judge(counts) for counts in rows["test"]]
    pairs = zip(judged[False], judged[True], strict=True)
    return {
        "settings": {
            "weight": aif360_adversary.WEIGHT,
            "epochs": aif360_adversary.EPOCHS,
            "batch": aif360_adversary.BATCH,
        },
        "without": _summary(judged[False]),
        "with": _summary(judged[True]),
        "change": _summary([{key: now[key] - was[key] for key in now} for was, now in pairs]),
        "within": int(sum(one["demographic_parity"] <= LIMIT for one in judged[True])),
        "of": len(judged[True]),
    }


def _odds(table: Mapping[str, Any]) -> dict[str, list[str]]:
    """Say with which methods and tables the equalised-odds gap rises, falls, or neither, by the interval over the seeds.

    They are no sample of anything: two tables, and methods that share their baseline. So they are named, and no share is given.
    """
    found: dict[str, list[str]] = {"rises": [], "falls": [], "neither": []}
    for name in TABLES:
        for method, one in table[name]["chosen"].items():
            if "change" in one:
                change = one["change"]["equalised_odds"]
                way = "rises" if change["low"] > 0 else "falls" if change["high"] < 0 else "neither"
                found[way].append(f"{name}: {method}")
    return found


def _claim(table: Mapping[str, Any]) -> None:
    """Let it hold where, in both tables, most runs reach the limit; say if not all do, and what it costs.

    A run reaches it if the rule finds a λ on validation, and on the test people the chosen one keeps ΔDP ≤ 0.1 and is more
    accurate than a constant answer. "Reachable" says that it can be done, so most runs are enough, and the verdict says where
    some do not. (The first record asked it of every run of both tables, which is more than the claim says; the runs of that
    record are among these.) The price belongs to the verdict: accuracy that is lost, or an equalised-odds gap that rises, in
    any table, if the interval of the change excludes 0.
    """
    told, paid, most, every = [], False, True, True
    for name, place in {"adult": "Adult", "compas": "COMPAS"}.items():
        one = table[name]["chosen"]["regulariser"]
        most &= 2 * one["reached"] > one["of"]
        every &= one["reached"] == one["of"]
        said = f"{place}: reached in {one['reached']} of {one['of']} runs"
        if one["failed"]:
            said += f" (no λ keeps the limit on validation in {one['failed']})"
        if "test" in one:
            gap, change = one["test"]["demographic_parity"], one["change"]
            accuracy, odds = change["accuracy"], change["equalised_odds"]
            paid |= accuracy["high"] < 0 or odds["low"] > 0
            said += (
                f", ΔDP on test people {gap['value']:.3f} [{gap['low']:.3f}, {gap['high']:.3f}] at "
                f"{100 * accuracy['value']:+.1f} points of accuracy [{100 * accuracy['low']:+.1f}, {100 * accuracy['high']:+.1f}]; "
                f"equalised-odds gap {odds['value']:+.3f} [{odds['low']:+.3f}, {odds['high']:+.3f}]"
            )
        told.append(said)
    verdict = "does not hold" if not most else "holds if the price is accepted" if paid else "holds"
    if most and not every:
        verdict = f"{verdict}; not in every run" if paid else "holds if most runs are enough"
    experiment.claim(
        "dp_gap_reachable",
        measured="; ".join(told) + ".",
        verdict=verdict,
        conditions=f"{len(SEEDS)} bootstrap samples of the training rows, a network with 64 hidden units, λ from {min(LAMBDAS):g} to "
        f"{max(FURTHER):g} chosen on validation with ΔDP ≤ {LIMIT:g}; mean with Student's 95 % interval over the runs with a λ, changes "
        "against the same run without penalty",
    )


if __name__ == "__main__":
    experiment.main()
