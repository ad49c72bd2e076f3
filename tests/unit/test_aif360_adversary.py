"""AIF360's adversary: what goes to its environment, and, where that was made, what comes back."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helix import own_venv
from helix.record import results
from helix.trust import adversarial_tf, aif360_adversary
from helix.trust.aif360_adversary import aif360_adversarial


def ready() -> bool:
    """Say whether the environment was made."""
    try:
        own_venv.python("tensorflow")
    except own_venv.Missing:
        return False
    return True


with_tensorflow = pytest.mark.skipif(not ready(), reason="it needs: python3 kit.py env tensorflow")


def drawn(n: int = 1200) -> tuple[Any, Any, Any]:
    """Return people of two groups: one column tells much of the group, and the group much of the label."""
    rng = np.random.default_rng(5)
    first = rng.random(n) < 0.5
    skill = rng.normal(size=n)
    proxy = np.where(first, 1, -1) + 0.5 * rng.normal(size=n)
    y = (skill + np.where(first, 0.8, -0.8) + rng.normal(size=n) > 0).astype(int)
    return np.column_stack([skill, proxy]), y, np.where(first, "North", "South")


def odds_gap(p: Any, y: Any, groups: Any) -> float:
    chosen = p > 0.5
    rates = [[chosen[(groups == group) & (y == label)].mean() for group in ("North", "South")] for label in (0, 1)]
    return float(max(abs(one - other) for one, other in rates))


# Without TensorFlow ----------------------------------------------------------------------------------------


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What would go to the environment."""
    found: dict[str, Any] = {}

    def call(name: str, script: str, arrays: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        found.update(arrays, name=name, script=script, timeout=timeout)
        return {}

    monkeypatch.setattr(own_venv, "call", call)
    return found


def test_the_group_goes_beside_the_features(sent: dict[str, Any]) -> None:
    X, y, groups = drawn()
    aif360_adversarial(X, y, groups, {"test": X[:9]}, seed=3, debias=False, weight=0.4, epochs=2, batch=64, timeout=7)
    np.testing.assert_array_equal(sent["X"], X)
    np.testing.assert_array_equal(sent["groups"], groups == "South")
    np.testing.assert_array_equal(sent["X_test"], X[:9])
    settings = {"seed": 3, "debias": False, "weight": 0.4, "epochs": 2, "batch": 64}
    assert {name: sent[name] for name in settings} == settings
    assert (sent["name"], sent["timeout"]) == ("tensorflow", 7)
    assert (Path(own_venv.__file__).parent / sent["script"]) == Path(adversarial_tf.__file__)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros(1200)}, r"X needs people as rows and features columns; its shape is \(1200,\)"),
        ({"X": np.full((1200, 2), np.nan)}, "A number of X is NaN"),
        ({"X": np.zeros((7, 2))}, "X has 7 rows and y 1200"),
        ({"y": np.full(1200, 2)}, "y"),
        ({"groups": np.full(1200, "North")}, "Two groups are wanted"),
        ({"asked": {"test": np.zeros((3, 5))}}, "test needs people as rows and 2 columns"),
        ({"asked": {"test": np.full((3, 2), np.inf)}}, "A number of test is NaN or infinite"),
        ({"seed": -1}, "The seed lies"),
        ({"seed": 2**31}, "The seed lies"),
        ({"batch": 1201}, "50 epochs in batches of 1201 train nothing on 1200 people"),
        ({"batch": 0}, "train nothing"),
        ({"epochs": 0}, "train nothing"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(change: dict[str, Any], message: str, sent: dict[str, Any]) -> None:
    X, y, groups = drawn()
    given: dict[str, Any] = {"X": X, "y": y, "groups": groups, "asked": {}, "seed": 0}
    with pytest.raises(ValueError, match=message):
        aif360_adversarial(**given | change)
    assert not sent


def test_missing_environment_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "tensorflow.lock").touch()
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    X, y, groups = drawn()
    with pytest.raises(own_venv.Missing, match=r"run: python3 kit\.py env tensorflow"):
        aif360_adversarial(X, y, groups, {}, seed=0)


def test_script_imports_only_what_its_environment_has() -> None:
    tree = ast.parse(Path(adversarial_tf.__file__).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert tops == {"numpy", "pandas", "aif360", "tensorflow"}


def test_aif360_would_keep_the_group_among_the_features_and_the_script_does_not() -> None:
    import pandas as pd
    from aif360.datasets import BinaryLabelDataset

    X, y, groups = drawn(40)
    code = (groups == "South").astype(int)
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(group=code, y=y)
    theirs = BinaryLabelDataset(df=frame, label_names=["y"], protected_attribute_names=["group"])
    assert theirs.feature_names == ["a", "b", "group"]
    ours = adversarial_tf.dataset(X, y, code)
    np.testing.assert_array_equal(ours.features, X)
    np.testing.assert_array_equal(ours.protected_attributes.ravel(), code)
    np.testing.assert_array_equal(ours.labels.ravel(), y)


def test_defaults_are_those_of_aif360() -> None:
    from aif360.algorithms.inprocessing import AdversarialDebiasing

    theirs = {name: one.default for name, one in inspect.signature(AdversarialDebiasing.__init__).parameters.items()}
    assert theirs["classifier_num_hidden_units"] == 200
    assert theirs["adversary_loss_weight"] == aif360_adversary.WEIGHT
    assert theirs["num_epochs"] == aif360_adversary.EPOCHS
    assert theirs["batch_size"] == aif360_adversary.BATCH


# With TensorFlow -------------------------------------------------------------------------------------------


@with_tensorflow
def test_answers_repeat_and_the_group_is_no_feature() -> None:
    X, y, groups = drawn()
    asked = {"test": X[:200], "validation": X[200:]}
    how: dict[str, Any] = {"epochs": 2, "batch": 100}
    made = {debias: aif360_adversarial(X, y, groups, asked, seed=1, debias=debias, **how) for debias in (False, True)}
    again = aif360_adversarial(X, y, groups, asked, seed=1, **how)
    for split, one in asked.items():
        assert made[True][split].shape == (len(one),)
        assert ((made[True][split] > 0) & (made[True][split] < 1)).all()
        np.testing.assert_array_equal(made[True][split], again[split])
    assert not np.array_equal(made[True]["test"], made[False]["test"])
    # Without the adversary nothing depends on who belongs to which group.
    shuffled = np.random.default_rng(0).permutation(groups)
    blind = aif360_adversarial(X, y, shuffled, asked, seed=1, debias=False, **how)
    np.testing.assert_array_equal(blind["test"], made[False]["test"])
    other = aif360_adversarial(X, y, shuffled, asked, seed=2, debias=False, **how)
    assert not np.array_equal(other["test"], made[False]["test"])


@with_tensorflow
def test_adversary_narrows_the_gap() -> None:
    X, y, groups = drawn()
    gaps, right = {}, {}
    for debias in (False, True):
        p = aif360_adversarial(X, y, groups, {"all": X}, seed=1, debias=debias, weight=0.3, epochs=20, batch=50)["all"]
        gaps[debias], right[debias] = odds_gap(p, y, groups), float(((p > 0.5) == y).mean())
    assert right[False] > 0.75
    assert right[True] > 0.65  # it has learnt something still
    assert gaps[True] < gaps[False] - 0.1


@with_tensorflow
def test_a_run_of_the_record_can_be_had_again() -> None:
    from helix.assets import store
    from helix.trust.people import People, load

    if store.state("compas") != "ready":
        pytest.skip("the asset compas is not here")
    runs = results.load("13_debiasing")["runs"]["aif360"]
    where = list(zip(runs["table"], runs["debias"], runs["seed"], strict=True)).index(("compas", True, 0))
    people, test = load("compas")["train"], load("compas")["test"]
    rows = np.random.default_rng([0, 13]).integers(len(people.y), size=len(people.y))
    one = People(people.X[rows], people.y[rows], people.groups[rows], people.features)
    p = aif360_adversarial(one.X, one.y, one.groups, {"test": test.X}, seed=0)["test"]
    for group, (tp, fn, fp, tn) in zip(sorted(set(test.groups)), runs["test"][where], strict=True):
        inside = test.groups == group
        assert inside.sum() == tp + fn + fp + tn
        # Another processor may round otherwise; the same one gives the same.
        assert abs((p[inside] > 0.5).mean() - (tp + fp) / inside.sum()) < 0.03
        assert abs(((p > 0.5) == test.y)[inside].mean() - (tp + tn) / inside.sum()) < 0.03
