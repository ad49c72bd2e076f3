"""Any classifier is asked alike, the gate refuses what it should, and a report says it and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import markdown_it
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse, stats
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from helix.course import catalogue
from helix.measure import difference_of_proportions, ratio_of_proportions, wilson
from helix.record import results
from helix.trust import audit_report
from helix.trust.fairness_audit import (
    LIMITED,
    Audit,
    Page,
    Refused,
    audit,
    calibration,
    counts,
    gate,
    scores_of,
)
from helix.trust.fairness_cli import main
from helix.trust.findings import HIDDEN
from helix.trust.groups import COMPARED, SMALL, keeps, widest

UTILS = Path(__file__).parents[2] / "utils"


def people(table: dict[str, tuple[int, int, int, int]]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return labels, predictions and groups of people, from (tp, fn, fp, tn) of every group."""
    rows = [
        (true, said, group)
        for group, cells in table.items()
        for n, (true, said) in zip(cells, ((1, 1), (1, 0), (0, 1), (0, 0)), strict=True)
        for _ in range(n)
    ]
    y, p, of = zip(*rows, strict=True)
    return np.array(y), np.array(p), list(of)


def says(X):
    """The classifier of most tests: who is selected stands in the data already."""
    return np.asarray(X, dtype=float).reshape(-1)


# Selected: 60 and 40 of 100. Label 1 selected: 40 of 50, and 30 of 50; label 0: 20 of 50, and 10 of 50.
FAIRLY = {"a": (40, 10, 20, 30), "b": (30, 20, 10, 40)}


def audited(table: dict[str, tuple[int, int, int, int]] = FAIRLY, *, certain: bool = False, **options) -> Audit:
    """Audit these people; by the estimate alone, unless a test is about certainty."""
    y, p, of = people(table)
    return audit(says, p, y, of, certain=certain, **options)


def verdicts(found: Audit) -> dict[str, str]:
    return {line.name: line.verdict for line in found.lines}


# Asking a classifier -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data() -> SimpleNamespace:
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 3))
    y = (X[:, 0] + 0.5 * X[:, 1] + rng.normal(size=300) > 0).astype(int)
    return SimpleNamespace(X=X, y=y, of=rng.choice(["u", "v"], 300))


class Scores(nn.Module):
    """Gives the first columns of its input as logits, in the shape that is asked for, and tells in which mode it was."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.modes, self.dtypes, self.grads = shape, [], [], []
        self.drop = nn.Dropout(0.5)
        self.frozen = nn.BatchNorm1d(1)
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.modes.append((self.training, self.drop.training))
        self.dtypes.append(x.dtype)
        self.grads.append(torch.is_grad_enabled())
        x = self.weight * self.drop(x)
        return x[:, :2] if self.shape == (2,) else x[:, :1].reshape(-1, *self.shape)


@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_a_torch_module_is_asked_for_logits(data, shape):
    scores, graded = scores_of(Scores(shape), data.X)
    x = data.X.astype(np.float32).astype(float)
    logit = x[:, 1] - x[:, 0] if shape == (2,) else x[:, 0]
    assert graded
    assert scores.shape == (300,)
    assert scores.dtype == np.float64
    assert np.allclose(scores, 1 / (1 + np.exp(-logit)), rtol=0, atol=1e-6)
    if shape == (2,):  # which is what softmax says of label 1
        softmax = torch.softmax(torch.as_tensor(x[:, :2]), dim=1)[:, 1].numpy()
        assert np.allclose(scores, softmax, rtol=0, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_a_module_is_asked_without_dropout_and_left_as_it_was(data, training):
    model = Scores(()).train(training)
    model.frozen.eval()  # as is done with pretrained layers
    scores_of(model, data.X)
    assert model.modes == [(False, False)]
    assert model.dtypes == [torch.float32]
    assert model.grads == [False]
    assert (model.training, model.drop.training, model.frozen.training) == (training, training, False)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_module_is_given_the_type_of_its_own_parameters(data, dtype):
    model = nn.Linear(3, 1).to(dtype)
    scores, graded = scores_of(model, data.X)
    with torch.no_grad():
        wanted = model(torch.as_tensor(data.X).to(dtype))[:, 0].double().sigmoid().numpy()
    assert graded
    assert np.array_equal(scores, wanted)
    assert np.array_equal(scores_of(model, torch.as_tensor(data.X))[0], wanted)


def test_a_module_that_fails_is_left_as_it_was(data):
    model = nn.Sequential(nn.Dropout(), nn.Linear(99, 1)).train()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        scores_of(model, data.X)
    assert model.training
    assert model[0].training


def test_a_module_reads_tables_and_tensors_alike(data):
    model = Scores(())
    wanted, _ = scores_of(model, data.X)
    for X in (pd.DataFrame(data.X), torch.as_tensor(data.X), data.X.tolist()):
        assert np.array_equal(scores_of(model, X)[0], wanted)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (nn.Linear(3, 3), ValueError, r"must give 300 logits, or pairs; it gave shape \(300, 3\)"),
        (nn.Flatten(0), ValueError, r"it gave shape \(900,\)"),
        (nn.LSTM(3, 1), TypeError, "must give a tensor of logits; this one gave a tuple"),
    ],
)
def test_modules_that_give_something_else(data, model, error, message):
    with pytest.raises(error, match=message):
        scores_of(model, data.X)


def test_a_module_whose_logits_are_not_numbers(data):
    model = nn.Linear(3, 1)
    nn.init.constant_(model.bias, float("nan"))
    with pytest.raises(ValueError, match="300 of 300 scores are NaN or infinite"):
        scores_of(model, data.X)


def test_sklearn_gives_the_probability_of_label_1(data):
    model = LogisticRegression().fit(data.X, data.y)
    scores, graded = scores_of(model, data.X)
    assert graded
    assert np.array_equal(scores, model.predict_proba(data.X)[:, 1])
    assert scores[data.y == 1].mean() > scores[data.y == 0].mean() + 0.1


def test_the_column_of_label_1_is_looked_up(data):
    """Classes are sorted, so that of the labels 1 and 2 the first column belongs to label 1."""
    model = LogisticRegression().fit(data.X, 2 - data.y)
    assert list(model.classes_) == [1, 2]
    assert np.array_equal(scores_of(model, data.X)[0], model.predict_proba(data.X)[:, 0])
    booleans = LogisticRegression().fit(data.X, data.y == 1)
    assert np.array_equal(scores_of(booleans, data.X)[0], booleans.predict_proba(data.X)[:, 1])


def test_a_sparse_matrix_will_do(data):
    model = LogisticRegression().fit(data.X, data.y)
    assert np.allclose(scores_of(model, sparse.csr_matrix(data.X))[0], scores_of(model, data.X)[0], atol=1e-12)


def test_models_without_probabilities_give_labels(data):
    for model in (RidgeClassifier().fit(data.X, data.y), DecisionTreeClassifier(random_state=0).fit(data.X, data.y)):
        scores, graded = scores_of(model, data.X)  # a full tree is certain of everything
        assert not graded
        assert np.array_equal(scores, model.predict(data.X))


def test_a_function_is_a_classifier(data):
    assert scores_of(lambda X: X[:, 0] > 0, data.X)[1] is False
    scores, graded = scores_of(lambda X: np.abs(X[:, 0]) / 10, data.X)
    assert graded is True
    assert np.array_equal(scores, np.abs(data.X[:, 0]) / 10)
    assert scores_of(lambda X: [0, 0.5], [[1], [2]])[0].tolist() == [0, 0.5]


def test_predict_proba_comes_before_predict_and_predict_before_calling(data):
    class Both:
        def predict_proba(self, X):
            return np.column_stack([np.full(len(X), 0.75), np.full(len(X), 0.25)])

        def predict(self, X):
            return np.ones(len(X))

    class Called:
        def predict(self, X):
            return np.ones(len(X))

        def __call__(self, X):
            raise AssertionError

    assert set(scores_of(Both(), data.X)[0]) == {0.25}
    assert set(scores_of(Called(), data.X)[0]) == {1.0}


def test_rounding_is_no_score_outside_0_to_1():
    scores, _ = scores_of(lambda X: np.array([1 + 1e-7, -1e-7, 0.5]), [0, 0, 0])
    assert scores.tolist() == [1, 0, 0.5]
    assert not scores_of(lambda X: np.array([1 + 1e-7, 0.0]), [0, 0])[1]


def proba(*shape: int, classes=None) -> SimpleNamespace:
    given = {} if classes is None else {"classes_": np.array(classes)}
    return SimpleNamespace(predict_proba=lambda X: np.full(shape, 0.5), **given)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (proba(4, 2, classes=["no", "yes"]), r"tells the classes \['no', 'yes'\] apart; an audit needs two, one of them 1"),
        (proba(4, 2, classes=[2, 3]), r"tells the classes \[2, 3\] apart"),
        (proba(4, 1, classes=[1]), r"tells the classes \[1\] apart"),
        (proba(4, 3, classes=[0, 1, 2]), r"tells the classes \[0, 1, 2\] apart"),
        (proba(4, 3), r"must give shape \(4, 2\), a column for each class; it gave \(4, 3\)"),
        (proba(4), r"it gave \(4,\)"),
        (proba(5, 2), r"it gave \(5, 2\)"),
        (lambda X: [0, 1, 0], r"4 people, and scores of the shape \(3,\); each person needs one score"),
        (lambda X: [[0], [1], [0], [1]], r"scores of the shape \(4, 1\)"),
        (lambda X: [0, 1, float("nan"), 0], r"1 of 4 scores are NaN or infinite\. Whoever got one has not been judged"),
        (lambda X: [0, 1, float("inf"), float("nan")], "2 of 4 scores are NaN or infinite"),
        (lambda X: ["no", "yes", "no", "no"], "Scores must be numbers, one for each person; these hold 'no', 'yes'"),
        (lambda X: [0, 1, 1.2, 0], r"Scores must lie from 0 to 1; these run from 0 to 1\.2"),
        (lambda X: [-1, 1, 1, -1], "Scores must lie from 0 to 1; these run from -1 to 1"),
    ],
)  # fmt: skip
def test_bad_answers_are_named(model, message):
    X, y, of = np.zeros((4, 1)), [0, 1, 0, 1], ["a", "a", "b", "b"]
    for ask in (lambda: scores_of(model, X), lambda: audit(model, X, y, of)):
        with pytest.raises(ValueError, match=message):
            ask()


@pytest.mark.parametrize(("model", "name"), [("a model", "str"), (None, "NoneType"), (3, "int")])
def test_what_is_no_classifier(model, name):
    with pytest.raises(TypeError, match=f"A {name} is no classifier: it has neither predict_proba nor predict"):
        scores_of(model, [[1]])
    with pytest.raises(TypeError, match="is no classifier"):
        audit(model, [[1]], [1], ["a"])


# The audit -----------------------------------------------------------------------------------------------


def test_an_audit_by_hand():
    found = audited(page=Page(title="Loans"), limits={"demographic_parity": 0.25, "equal_opportunity": 0.1})
    assert (found.page.title, found.threshold, found.at_least) == ("Loans", 0.5, SMALL)
    assert found.cells.T.to_dict("list") == {group: list(cells) for group, cells in FAIRLY.items()}
    assert [line.name for line in found.lines] == list(LIMITED) == [*COMPARED, "impact_ratio"]
    assert verdicts(found) == {
        "demographic_parity": "not certain",
        "equal_opportunity": "too wide",
        "equalised_odds": "no limit",
        "predictive_parity": "no limit",
        "accuracy": "no limit",
        "impact_ratio": "no limit",
    }
    by_name = {line.name: line for line in found.lines}
    assert by_name["demographic_parity"].gap == widest(found.cells, "demographic_parity")
    assert by_name["demographic_parity"].gap.interval == difference_of_proportions(60, 100, 40, 100)
    assert by_name["demographic_parity"].limit == 0.25
    assert by_name["accuracy"].limit is None
    assert [line.name for line in found.lines if line.refused] == ["equal_opportunity"]
    assert not found.passed
    assert found.ranges is None
    assert found.left_out == {}


def test_an_audit_without_limits_refuses_nothing():
    for limits in (None, {}):
        found = audited(limits=limits)
        assert found.passed
        assert set(verdicts(found).values()) == {"no limit"}


def test_a_gap_of_exactly_the_limit_is_within():
    """40 of 100 less 30 of 100 is 0.10000000000000003 to a float."""
    table = {"a": (20, 20, 20, 40), "b": (15, 25, 15, 45)}
    assert audited(table, limits={"demographic_parity": 0.1}).passed
    assert verdicts(audited(table, limits={"demographic_parity": 0.0999}))["demographic_parity"] == "too wide"
    # 12 of 50 over 15 of 50 is 0.7999999999999999 to a float.
    ratio = {"a": (10, 20, 2, 18), "b": (10, 20, 5, 15)}
    assert audited(ratio, limits={"impact_ratio": 0.8}).passed
    assert not audited(ratio, limits={"impact_ratio": 0.801}).passed


def test_the_whole_interval_must_keep_the_limit_unless_the_estimate_is_asked_for():
    upper = difference_of_proportions(60, 100, 40, 100).high  # 0.328
    for limit, verdict, by_estimate in (
        (0.19, "too wide", False),
        (0.21, "not certain", True),
        (upper - 0.001, "not certain", True),
        (upper + 0.001, "within", True),
    ):
        limits = {"demographic_parity": limit}
        y, p, of = people(FAIRLY)
        found = audit(says, p, y, of, limits=limits)  # which is the default
        assert verdicts(found) == verdicts(audited(limits=limits)) | {"demographic_parity": verdict}
        assert found.passed == (verdict == "within")
        assert audited(limits=limits).passed is by_estimate
        assert verdicts(found)["accuracy"] == "no limit"


def test_a_narrower_gap_between_few_people_is_the_less_certain_one():
    """The large groups lie 0.05 apart, and that is known; of thirty people in c hardly anything is."""
    table = {"a": (0, 0, 2500, 2500), "b": (0, 0, 2250, 2750), "c": (0, 0, 14, 16)}
    (line, *_) = audited(table, limits={"demographic_parity": 0.1}, certain=True).lines
    assert (line.verdict, line.refused) == ("not certain", True)
    assert "c" in (line.gap.low, line.gap.high)
    assert line.gap.worst > 0.1
    del table["c"]
    assert audited(table, limits={"demographic_parity": 0.1}, certain=True).passed


def test_both_rates_of_equalised_odds_must_be_certain():
    """False positive rates differ more, true ones less and among fewer people."""
    table = {"a": (24, 16, 840, 4160), "b": (23, 17, 600, 4400)}
    found = audited(table, limits={"equalised_odds": 0.1}, certain=True)
    (line,) = [line for line in found.lines if line.name == "equalised_odds"]
    assert widest(found.cells, "equalised_odds").rate == "fpr"
    assert (line.verdict, line.gap.rate, found.passed) == ("not certain", "tpr", False)


@pytest.mark.parametrize("burden", [False, True])
def test_the_impact_ratio_is_limited_from_below(burden):
    """Selected: 60 and 40 of 100, so the ratio is two thirds of the wanted outcome, whichever that is."""
    wanted = ratio_of_proportions(40, 100, 60, 100)
    for limit, verdict in ((0.67, "too wide"), (0.66, "not certain"), (wanted.low - 0.01, "within")):
        found = audited(limits={"impact_ratio": limit}, burden=burden)
        line = found.lines[-1]
        assert (line.name, line.verdict, line.gap.interval) == ("impact_ratio", verdict, wanted)
        assert (line.gap.low, line.gap.high) == (("a", "b") if burden else ("b", "a"))
        assert found.passed is (verdict != "too wide")
    assert audited(limits={"impact_ratio": 0}, certain=True).passed


def test_a_ratio_that_does_not_exist_is_not_known():
    table = {"a": (0, 40, 0, 40), "b": (0, 40, 0, 40), "c": (5, 0, 0, 0)}
    found = audited(table, limits={"impact_ratio": 0.1}, unknown=["c"])
    assert (found.lines[-1].verdict, found.passed) == ("not known", False)


SPARSE = {"a": (5, 5, 40, 50), "b": (40, 20, 20, 40)}  # ten people of a have the label 1
# Everybody of c has the label 1, and nobody is selected: a gap of 0.5 that nobody sees.
HIDES = {"a": (250, 0, 0, 250), "b": (250, 0, 0, 250), "c": (0, 29, 0, 0)}


def test_a_group_that_is_not_known_is_refused():
    for name in ("demographic_parity", "equal_opportunity", "impact_ratio"):
        found = audited(HIDES, limits={name: 0.1})
        (line,) = [line for line in found.lines if line.limit is not None]
        assert (line.verdict, line.refused, line.unknown) == ("not known", True, ("c",))
        assert not found.passed
        assert "(not known for c)" in audit_report.verdict(found)
        assert "Not known for c: fewer than 30 people" in audit_report.sentence(found, line)
    assert not audited(HIDES, limits={"demographic_parity": 0.1}, at_least=29).passed  # then it is known, and too wide


def test_a_group_may_pass_unknown_by_its_name_and_the_headline_says_so():
    found = audited(HIDES, limits={"demographic_parity": 0.2}, certain=True, unknown=["c"])
    assert found.passed
    assert audit_report.verdict(found).endswith("Not known for c, let pass by name.")
    assert "Not known for c: fewer than 30 people" in audit_report.sentence(found, found.lines[0])
    assert audited(HIDES, limits={"demographic_parity": 0.2}, unknown="c").passed
    assert not audited(HIDES | {"d": (1, 1, 1, 1)}, limits={"demographic_parity": 0.2}, unknown=["c"]).passed
    with pytest.raises(ValueError, match="There is no group 'C' that could pass unknown; there are a, b, c"):
        audited(HIDES, unknown=["C"])


def test_a_category_without_people_is_not_known():
    y, p, of = people(FAIRLY)
    groups = pd.Categorical(of, categories=["a", "b", "never"])
    limits = {"demographic_parity": 0.25}
    found = audit(says, p, y, groups, limits=limits, certain=False)
    assert not found.passed
    assert "(not known for never)" in audit_report.verdict(found)
    assert "never: nobody in these data." in everything(Reader(found.to_html()))
    assert audit(says, p, y, groups, limits=limits, certain=False, unknown=["never"]).passed
    assert audit(says, p, y, pd.Series(groups).cat.remove_unused_categories(), limits=limits, certain=False).passed


def test_what_is_not_known_is_refused_if_it_has_a_limit():
    free = audited(SPARSE)
    assert verdicts(free)["equal_opportunity"] == verdicts(free)["equalised_odds"] == "not known"
    assert free.passed
    assert audited(SPARSE, limits={"demographic_parity": 0.5}).passed
    limited = audited(SPARSE, limits={"equal_opportunity": 1})
    assert not limited.passed
    assert [line.name for line in limited.lines if line.refused] == ["equal_opportunity"]
    assert limited.lines[1].gap is None
    assert limited.lines[1].unknown == ("a",)
    assert audited(SPARSE, limits={"equal_opportunity": 1}, at_least=10).passed


def test_who_is_left_out_is_named():
    table = FAIRLY | {"c": (10, 10, 5, 4), "d": (10, 19, 0, 50)}
    found = audited(table)
    assert found.left_out == {
        "c": ("selection_rate", "tpr", "fpr", "ppv", "accuracy"),
        "d": ("tpr", "ppv"),
    }
    assert audited(table, at_least=30).left_out == found.left_out
    assert audited(table, at_least=29).left_out == {"c": ("tpr", "fpr", "ppv"), "d": ("ppv",)}
    assert {line.gap.high for line in found.lines} | {line.gap.low for line in found.lines} <= {"a", "b", "d"}


def test_nobody_below_a_line_is_left_out_too():
    table = {"a": (1, 1, 1, 1), "b": (0, 0, 1, 1)}
    assert audited(table, at_least=1, hide_below=1).left_out == {"b": ("tpr",)}


def test_whoever_scores_above_the_threshold_is_selected():
    scores, y, of = np.array([0.2, 0.5, 0.6, 0.9] * 2), [0, 1, 0, 1, 1, 1, 0, 0], list("aaaabbbb")
    for threshold, selected in ((0.5, scores > 0.5), (0.6, scores > 0.6), (0.2, scores > 0.2)):
        found = audit(lambda X: scores, np.zeros((8, 1)), y, of, threshold=threshold)
        assert found.threshold == threshold
        assert found.cells.equals(counts(y, selected, of))


def test_graded_scores_are_compared_with_what_happened(data):
    model = LogisticRegression().fit(data.X, data.y)
    found = audit(model, data.X, data.y, data.of)
    scores = model.predict_proba(data.X)[:, 1]
    assert found.ranges.equals(calibration(data.y, scores, data.of, [0, 0.2, 0.4, 0.6, 0.8, 1]))
    assert found.ranges["n"].sum() == 300
    assert audit(RidgeClassifier().fit(data.X, data.y), data.X, data.y, data.of).ranges is None


def test_a_table_of_groups_is_crossed():
    y, p, _ = people(FAIRLY)
    table = pd.DataFrame({"race": ["x", "y"] * 100, "sex": ["f", "f", "m", "m"] * 50})
    assert list(audit(says, p, y, table).cells.index) == ["x × f", "x × m", "y × f", "y × m"]


def test_the_module_and_the_table_agree(data):
    """The same linear model, as scikit-learn's and as torch's."""
    model = LogisticRegression().fit(data.X, data.y)
    linear = nn.Linear(3, 1)
    linear.load_state_dict(
        {key: torch.as_tensor(value).float() for key, value in (("weight", model.coef_), ("bias", model.intercept_))}
    )
    mine, theirs = (audit(one, data.X, data.y, data.of) for one in (linear, model))
    assert mine.cells.equals(theirs.cells)
    assert mine.lines == theirs.lines


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": {"fairness": 0.1}}, "There is no gap 'fairness' to limit; there are demographic_parity, equal_opp"),
        ({"limits": {"impact_ratio": 1.2}}, "The limit of impact_ratio must lie from 0 to 1; got 1.2"),
        ({"limits": {"accuracy": 10}}, "The limit of accuracy must lie from 0 to 1; got 10"),
        ({"limits": {"accuracy": -0.1}}, r"must lie from 0 to 1; got -0\.1"),
        ({"limits": {"accuracy": float("nan")}}, "must lie from 0 to 1; got nan"),
        ({"threshold": 1}, "The threshold must lie from 0 to below 1; got 1"),
        ({"threshold": -0.1}, r"The threshold must lie from 0 to below 1; got -0\.1"),
        ({"threshold": float("nan")}, "The threshold .* got nan"),
        ({"at_least": 5}, "hide_below lies from 1 to at_least, which is 5; got 10"),
        ({"hide_below": 0}, "hide_below lies from 1 to at_least, which is 30; got 0"),
        ({"at_least": 0}, "A rate needs at least 1 person behind it to be compared; got 0"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        audited(**options)


def test_limits_and_thresholds_may_reach_their_ends():
    assert audited(limits={"accuracy": 1}, threshold=0).passed
    assert not audited(limits={"demographic_parity": 0}, threshold=0.999).passed


@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        (["no", "yes"] * 2, list("aabb"), "^y must hold 0 and 1; it holds 'no', 'yes'"),
        ([1, 2, 1, 2], list("aabb"), "^y must hold 0 and 1; it holds 1, 2"),
        ([0, 1, float("nan"), 1], list("aabb"), r"^y has 1 missing values \(NaN\)"),
        ([0, 1, 1], list("aab"), "There are 4 rows of data and 3 labels"),
        ([[0], [1], [0], [1]], list("aabb"), r"^y must be one value for each person; its shape is \(4, 1\)"),
        ([0, 1, 0, 1], list("aab"), r"4 people, and groups of the shape \(3,\)"),
        ([0, 1, 0, 1], list("aaaa"), "There is only the group 'a': a comparison needs two"),
        ([0, 1, 0, 1], ["a", 1, "b", "b"], "The group column mixes text and whole numbers"),
        ([0, 1, 0, 1], ["a", None, "b", "b"], "The group is missing for 1 of 4 people"),
    ],
)
def test_bad_data_are_named(y, groups, message):
    with pytest.raises(ValueError, match=message):
        audit(says, [0, 1, 1, 0], y, groups)


@pytest.mark.parametrize(("score", "answer"), [(0.4, 0), (0.5, 0), (0.6, 1), (0.0, 0), (1.0, 1)])
def test_constant_predictions_are_no_fairness(score, answer):
    message = rf"Everybody gets the answer {answer} at the threshold 0\.5: nothing to audit"
    for ask in (audit, gate):
        with pytest.raises(ValueError, match=message):
            ask(lambda X: np.full(4, score), np.zeros(4), [0, 1, 0, 1], list("aabb"), limits={"accuracy": 1})


# The gate ------------------------------------------------------------------------------------------------


def test_the_gate_lets_through_and_returns_the_audit():
    y, p, of = people(FAIRLY)
    options = {"page": Page(title="T"), "at_least": 12, "threshold": 0.3, "certain": False}
    found = gate(says, p, y, of, limits={"demographic_parity": 0.25}, **options)
    assert isinstance(found, Audit)
    assert found.passed
    assert (found.page.title, found.at_least, found.threshold) == ("T", 12, 0.3)


def test_the_gate_refuses_and_hands_the_audit_over():
    y, p, of = people(FAIRLY)
    with pytest.raises(Refused) as caught:
        gate(says, p, y, of, limits={"demographic_parity": 0.1, "equal_opportunity": 0.5, "equalised_odds": 0.12})
    assert not caught.value.audit.passed
    assert verdicts(caught.value.audit)["demographic_parity"] == "too wide"
    wanted = (
        "Refused: Demographic parity (too wide), Equalised odds (too wide). Demographic parity: a person is selected in 60.0 of 100 "
        "cases in the group a, and in 40.0 in the group b, a difference of 20.0 (95 % interval 6.1 to 32.8); the limit is 10.0. "
        "In people: 20 of the 100 counted in the group b. Equalised odds: a person who has the label 1 is selected in 80.0"
    )
    assert str(caught.value).startswith(wanted)
    assert "Equal opportunity" not in str(caught.value)


def test_the_gate_passes_certainty_on():
    y, p, of = people(FAIRLY)
    gate(says, p, y, of, limits={"demographic_parity": 0.25}, certain=False)
    with pytest.raises(Refused, match=r"^Refused: Demographic parity \(within the limit, not certainly\)\."):
        gate(says, p, y, of, limits={"demographic_parity": 0.25})


def test_the_gate_refuses_what_is_not_known():
    y, p, of = people(SPARSE)
    wanted = r"\(not known for a\)\. Equal opportunity: not known, since too few people stand behind a rate\.$"
    with pytest.raises(Refused, match=wanted):
        gate(says, p, y, of, limits={"equal_opportunity": 1})
    y, p, of = people(HIDES)
    with pytest.raises(
        Refused, match=r"^Refused: Demographic parity \(not known for c\), Equal opportunity \(not known for c\)\."
    ):
        gate(says, p, y, of, limits={"demographic_parity": 0.1, "equal_opportunity": 0.1})


@pytest.mark.parametrize("limits", [{}, None])
def test_a_gate_without_limits_is_none(limits):
    y, p, of = people(FAIRLY)
    with pytest.raises(ValueError, match=r"A gate needs at least one limit, such as \{'equalised_odds': 0\.1\}"):
        gate(says, p, y, of, limits=limits)


# Reports -------------------------------------------------------------------------------------------------

NASTY = {
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "a|b": "a|b",
    "`code` *bold* _it_ ~~gone~~ $x$": "`code` *bold* _it_ ~~gone~~ $x$",
    "two\nlines\n\n# heading": "two lines # heading",
    "[link](http://example.org) ![](x.png)": "[link](http://example.org) ![](x.png)",
    "R&amp;D \\| 'q' \"q\"": "R&amp;D \\| 'q' \"q\"",
}


class Reader(HTMLParser):
    """Reads a page: that tags are balanced, and what stands in its cells."""

    VOID = ("meta", "br", "hr", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], Counter(), [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += attributes
        if tag not in self.VOID:
            self.open.append(tag)
        self.texts.append((tag, ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.texts:
            tag, before = self.texts[-1]
            self.texts[-1] = (tag, before + text)

    def of(self, tag: str) -> list[str]:
        return [" ".join(text.split()) for name, text in self.texts if name == tag]


def from_markdown(text: str) -> Reader:
    return Reader(markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def nasty() -> Audit:
    rng = np.random.default_rng(0)
    of = np.array(list(NASTY) * 60, dtype=object)
    scores = rng.random(len(of))
    y = (rng.random(len(of)) < scores).astype(int)
    words = dict.fromkeys(
        ("about", "selected", "label", "model", "data", "threshold", "owner", "next_step"), next(iter(NASTY))
    )
    page = Page(title=next(iter(NASTY)), date="2026-11-28", **words)
    return audit(lambda X: scores, of, y, of, page=page, at_least=80, limits={"accuracy": 0.5})


def test_names_stay_text_in_html():
    found = nasty()
    page = Reader(found.to_html())
    assert page.tags["script"] == page.tags["a"] == page.tags["img"] == 0
    assert not any(name.startswith("on") or name in ("href", "src") for name, _ in page.attributes)
    assert page.of("title") == page.of("h1") == ["<script>alert(1)</script>"]
    headings = [one for one in page.of("th") if one in NASTY.values()]
    # Three tables down; the first name stands in the columns' titles too.
    assert Counter(headings) == dict.fromkeys(NASTY.values(), 3) | {next(iter(NASTY)): 8}
    assert sum(one.startswith("Not compared for") for one in page.of("li")) == len(NASTY)


def test_names_stay_text_in_markdown():
    found = nasty()
    page = from_markdown(found.to_markdown())
    assert page.of("h1") == ["<script>alert(1)</script>"]
    allowed = {"h1", "h2", "p", "strong", "em", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert set(page.tags) == allowed
    assert page.tags["strong"] == 1
    assert page.tags["em"] == len(LIMITED)
    assert Counter(one for one in page.of("td") if one in NASTY.values()) == dict.fromkeys(NASTY.values(), 3)
    assert page.tags["table"] == 3
    # No name became a column: every group, the errors, the scores.
    assert page.tags["td"] == len(NASTY) * 8 + len(NASTY) * 3 + (1 + 5) * (len(NASTY) + 1)


@pytest.mark.parametrize("group", list(NASTY))
def test_a_name_in_a_sentence_stays_text(group):
    table = {group: (40, 10, 20, 30), "zzz": (30, 20, 10, 40)}
    found = audited(table, limits={"demographic_parity": 0.1})
    wanted = f"in the group {NASTY[group]}, and in 40.0 in the group zzz"
    for page in (Reader(found.to_html()), from_markdown(found.to_markdown())):
        (line,) = [one for one in page.of("li") + page.of("p") if "person is selected in 60.0 of 100 cases" in one]
        assert wanted in line
        assert page.tags["script"] == page.tags["a"] == page.tags["s"] == 0


def test_dollars_are_no_formula():
    r"""CommonMark knows no formulas, GitHub and Jupyter do."""
    assert audit_report._plain("$x$ & y") == r"\$x\$ \& y"


def test_the_page_needs_no_network():
    text = nasty().to_html()
    page = Reader(text)
    assert text.startswith("<!doctype html>")
    assert text.count("http") == text.count("http://example.org")  # a name of a group, and no link
    assert not re.search(r"https?:|url\(|@import|src=|href=", audited().to_html())
    assert "doi:10.1089/big.2016.0047" in text
    assert not {"script", "link", "img", "iframe", "a", "object"} & set(page.tags)
    assert ("charset", "utf-8") in page.attributes
    assert page.tags["html"] == page.tags["head"] == page.tags["body"] == page.tags["style"] == 1


def test_the_same_audit_makes_the_same_report():
    assert nasty().to_html() == nasty().to_html()
    assert nasty().to_markdown() == nasty().to_markdown()
    y, p, of = people(FAIRLY)
    backwards = audit(says, p[::-1], y[::-1], of[::-1], certain=False)
    assert backwards.fingerprint != audited().fingerprint  # other people in the same numbers
    assert replace(backwards, fingerprint=audited().fingerprint).to_html() == audited().to_html()
    assert backwards.fingerprint == audit(says, p[::-1], pd.Series(y[::-1]), pd.Series(of[::-1])).fingerprint


def pages(found: Audit) -> dict[str, Reader]:
    return {"html": Reader(found.to_html()), "markdown": from_markdown(found.to_markdown())}


def everything(page: Reader) -> str:
    return " ".join(" ".join(text for _, text in page.texts).split())


def everything_of(found: Audit) -> list[str]:
    return [everything(page) for page in pages(found).values()]


def test_the_figures_of_a_report_by_hand():
    for text in everything_of(audited()):
        assert "200 people in 2 groups" in text
        assert "whoever scores above 0.5" in text
        assert "Shown, not judged: no limit was set." in text
        for shown in ("60.0 [50.2, 69.1] of 100", "40.0 [30.9, 49.8] of 100", "80.0 [67.0, 88.8] of 50", "70.0"):
            assert shown in text, shown
        assert "What a score means" not in text


def test_a_page_tells_whom_to_ask():
    told = {
        "about": "Who gets an offer.", "model": "ranker 3.1", "data": "March customers", "date": "2026-03-31",
        "threshold": "chosen on validation, one in ten", "owner": "head of offers", "next_step": "asks the works council",
    }  # fmt: skip
    for text in everything_of(audited(page=Page(**told))):
        for said in told.values():
            assert said in text
        assert audited().fingerprint[:16] in text
    for text in everything_of(audited()):
        assert "not stated; 200 people in 2 groups" in text
        assert f"date {date.today().isoformat()}" in text.replace("date:", "date")
        assert "function, version not stated" in text
        assert text.count("not stated") == 5  # model, data, threshold, owner, next step


def test_a_page_speaks_in_the_words_it_is_given():
    page = Page(selected="gets the offer", label="earns over 50,000")
    found = audited(page=page, limits={"demographic_parity": 0.1})
    for text in everything_of(found):
        assert "person gets the offer in 60.0 of 100 cases in the group a, and in 40.0 in the group b" in text
        assert "person who earns over 50,000 gets the offer in 80.0 of 100 cases" in text
        assert (
            "person of whom “earns over 50,000” is not true gets the offer in 40.0" not in text
        )  # 20 of 50, less far apart
        assert "person who gets the offer earns over 50,000 in" in text
        assert (
            "a person of the group b gets the offer 0.67 times as often as one of the group a".lower() in text.lower()
        )
        assert "label 1" not in text
        assert "is selected" not in text
        assert "treated differently" not in text


def test_how_many_people_stand_behind_a_gap():
    """Twenty points of the hundred people of b, and of the fifty of them with the label."""
    lines = {line.name: audit_report.sentence(audited(), line) for line in audited().lines}
    assert lines["demographic_parity"].endswith("In people: 20 of the 100 counted in the group b.")
    assert lines["equal_opportunity"].endswith("In people: 10 of the 50 counted in the group b.")
    assert "In people" not in lines["impact_ratio"]


def test_a_row_of_the_markdown_table_by_hand():
    found = audited({"a": (40, 10, 20, 30), "b": (0, 0, 10, 90)})
    text = found.to_markdown()
    heads = "has the label 1 (of all) | is selected (of all) | is selected (of those: has the label 1) | is selected (of the others)"
    assert f"| group | people | {heads} |" in text
    (row,) = re.findall(r"^\| b \| 100 \|.*$", text, flags=re.M)
    cells = [one.strip() for one in row.strip("|").split("|")]
    assert [one.split()[0] for one in cells[2:]] == ["0.0", "10.0", "nobody", "10.0", "0.0", "90.0"]
    assert cells[4] == "nobody to count"
    html = found.to_html()
    assert html.count("nobody to count") == 1
    interval = wilson(10, 100)
    drawn = 'y="3" width="10.0" height="6"/><line class="span" x1="{:.1f}" x2="{:.1f}"'
    assert drawn.format(100 * interval.low, 100 * interval.high) in html


@pytest.mark.parametrize(
    ("sign", "tone", "table", "options"),
    [
        ("within the limit", "good", FAIRLY, {"limits": {"demographic_parity": 0.4}}),
        ("within the limit, not certainly", "soft", FAIRLY, {"limits": {"demographic_parity": 0.25}}),
        ("TOO WIDE", "bad", FAIRLY, {"limits": {"demographic_parity": 0.1}}),
        ("NOT CERTAINLY within the limit", "bad", FAIRLY, {"limits": {"demographic_parity": 0.25}, "certain": True}),
        ("no limit set", "soft", FAIRLY, {}),
        ("not known", "soft", {"a": (9, 9, 5, 5), "b": (40, 10, 20, 30)}, {}),
        ("NOT KNOWN for everybody", "bad", {"a": (9, 9, 5, 5), "b": (40, 10, 20, 30)}, {"limits": {"demographic_parity": 1}}),
        ("NOT KNOWN for everybody", "bad", HIDES, {"limits": {"demographic_parity": 1}}),
    ],
)  # fmt: skip
def test_every_verdict_is_shown(sign, tone, table, options):
    found = audited(table, **options)
    html, text = found.to_html(), found.to_markdown()
    assert re.findall(r"<strong>Demographic parity</strong> <span class=\"(\w+)\">(.*?)</span>", html) == [(tone, sign)]
    ((line, shown),) = re.findall(r"^- (Demographic parity: .*) \*(.*)\*$", text, flags=re.M)
    assert shown == sign
    if found.lines[0].gap is None:
        assert line == "Demographic parity: not known, since too few people stand behind a rate."
    else:
        assert ("the limit is" in line) == ("limits" in options)
    assert f'class="verdict {"good" if found.passed else "bad"}"' in html


def test_a_ratio_below_its_limit_is_too_low():
    found = audited(limits={"impact_ratio": 0.8})
    assert audit_report.verdict(found) == "Refused: Impact ratio (too low)."
    assert "TOO LOW" in found.to_html()
    assert (
        "0.67 times as often as one of the group a (95 % interval 0.50 to 0.88); the limit is 0.80"
        in found.to_markdown()
    )
    assert "a person of the group a is spared 0.67 times" in audited(burden=True).to_markdown()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (
            {"limits": {"demographic_parity": 0.1, "equal_opportunity": 0.1, "accuracy": 0.1}},
            "Refused: Demographic parity (too wide), Equal opportunity (too wide).",
        ),
        (
            {"limits": {"demographic_parity": 0.4, "accuracy": 0.2}},
            "Passed: Demographic parity, Equal accuracy within the limit that was set.",
        ),
        (
            {"limits": {"demographic_parity": 0.25, "accuracy": 0.2}},
            "Passed: Equal accuracy within the limit that was set. Passed on the estimate alone, not certainly within the limit: Demographic parity.",
        ),
        (
            {"limits": {"demographic_parity": 0.25}, "certain": True},
            "Refused: Demographic parity (within the limit, not certainly).",
        ),
        ({}, "Shown, not judged: no limit was set."),
    ],
)
def test_the_verdict_of_a_report(options, wanted):
    found = audited(**options)
    assert audit_report.verdict(found) == wanted
    assert f"**{wanted}**" in found.to_markdown()
    assert wanted in everything(Reader(found.to_html()))


def test_a_sentence_about_false_alarms():
    table = {"a": (30, 10, 40, 10), "b": (20, 20, 10, 40)}
    found = audited(table)
    (line,) = [line for line in found.lines if line.name == "equalised_odds"]
    wanted = (
        "a person of whom “has the label 1” is not true is selected in 80.0 of 100 cases in the group a, and in 20.0"
    )
    assert wanted in audit_report.sentence(found, line)


def test_who_is_left_out_is_named_in_the_report_and_marked_in_the_cell():
    found = audited(FAIRLY | {"c": (10, 10, 5, 4), "d": (10, 19, 0, 50)})
    for text in everything_of(found):
        assert "Rates of fewer than 30 people are not compared; of fewer than 10 they are not shown." in text
        assert (
            "Not compared for c, too few people: “is selected” of all, “is selected” of those: has the label 1, "
            in text
        )
        assert (
            "Not compared for d, too few people: “is selected” of those: has the label 1, "
            "“has the label 1” of those: is selected. This does not mean that all is well for them." in text
        )
        assert "Not compared for a" not in text
        assert "50.0 [29.9, 70.1] of 20, not compared" in text  # label 1, selected, in c
        assert "fewer than 10, not shown" in text  # of nine people in c with label 0
        for limit in audit_report.LIMITS_OF_IT:
            assert limit in text
    html = found.to_html()
    assert html.count('class="thin"') == html.count(", not compared</small>") == 5 + 2


@pytest.mark.parametrize("few", [1, 5, HIDDEN - 1])
def test_of_a_few_people_nothing_is_printed(few):
    """Neither a rate of them, nor how many they are, nor how many of them met an error."""
    scores = np.r_[np.tile([0.1, 0.7], 100), np.full(few, 0.9)]
    y, of = np.r_[np.tile([0, 1, 1, 0], 50), np.full(few, 0)], np.r_[np.repeat(["a", "b"], 100), np.full(few, "c")]
    found = audit(lambda X: scores, np.zeros(len(y)), y, of)
    hidden = f"fewer than {HIDDEN}"
    rates, errors, by_score = re.findall(r"^\| c \|.*$", found.to_markdown(), flags=re.M)
    assert set(map(str.strip, by_score.strip("|").split("|"))) == {"c", f"{hidden}, not shown"}
    # Not even that nobody of them has the label.
    assert [one.strip() for one in rates.strip("|").split("|")][1:] == [hidden, *[f"{hidden}, not shown"] * 6]
    assert [one.strip() for one in errors.strip("|").split("|")][1:] == [hidden, hidden]
    for text in everything_of(found):
        assert "200 people in 2 groups, and 1 of fewer than 10" in text
        assert not re.search(rf"\bof {few}\b|\b{200 + few}\b", text)


def test_a_few_errors_are_not_counted_out():
    found = audited({"a": (40, 3, 20, 30), "b": (30, 20, 9, 40)})
    text = found.to_markdown()
    assert "| group | passed over, although: has the label 1 | is selected, although not: has the label 1 |" in text
    assert "| a | fewer than 10 | 20 |" in text
    assert "| b | 20 | fewer than 10 |" in text
    assert "spared, although: has the label 1" in audited(burden=True).to_markdown()


def test_what_a_score_means_by_hand():
    scores = np.array([0.0, 0.1, 0.2, 0.9, 0.95, 0.3, 0.9])
    found = audit(lambda X: scores, np.zeros(7), [0, 1, 0, 1, 1, 0, 0], list("aaaaabb"), at_least=1, hide_below=1)
    table = found.to_markdown().partition("## What a score means")[2].partition("##")[0]
    assert [line for line in table.splitlines() if line.startswith("|")] == [
        "| group | score 0.0–0.2 | score 0.2–0.4 | score 0.8–1.0 |",
        "|---|---|---|---|",
        "| a | 33.3 \\[6.1, 79.2\\] of 3 | nobody to count | 100.0 \\[34.2, 100.0\\] of 2 |",
        "| b | nobody to count | 0.0 \\[0.0, 79.3\\] of 1 | 0.0 \\[0.0, 79.3\\] of 1 |",
        "| widest difference | not known | not known | 100.0 \\[−3.1, 100.0\\] |",
    ]
    page = Reader(found.to_html())
    assert page.of("h2").count("What a score means") == 1
    assert [one for one in page.of("th") if "–" in one] == ["score 0.0–0.2", "score 0.2–0.4", "score 0.8–1.0"]
    assert page.of("td")[-3:] == ["not known", "not known", "100.0 [−3.1, 100.0]"]


def test_a_difference_of_scores_that_is_no_chance_is_said_in_every_range():
    """Of 400 people a range, 30 and 50 of 100 have the label in the first, and as many in the last."""
    scores, of = np.repeat([0.1, 0.9], 400), np.tile(np.repeat(["a", "b"], 200), 2)
    y = np.concatenate([np.arange(200) < some for some in (60, 100, 180, 178)]).astype(int)
    text = audit(lambda X: scores, np.zeros(800), y, of).to_markdown()
    (row,) = re.findall(r"^\| widest difference \| (.*) \|$", text, flags=re.M)
    first, last = row.split(" | ")
    assert first == "20.0 \\[10.4, 29.1\\], more than chance"
    assert "more than chance" not in last


def test_a_report_inside_a_chapter_has_deeper_headings():
    text = audited().to_markdown(level=3)
    assert re.findall(r"^#+", text, flags=re.M)[:2] == ["###", "####"]
    assert not re.search(r"^##? ", text, flags=re.M)


def test_tables_of_the_page_have_captions_and_scopes_and_can_be_scrolled_by_keyboard():
    html = nasty().to_html()
    page = Reader(html)
    assert page.tags["table"] == page.tags["caption"] == 3
    assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", html))
    regions = re.findall(r'<div class="wide" role="region" aria-labelledby="(\w+)" tabindex="0"><table>', html)
    assert regions == re.findall(r'<h2 id="(\w+)"', html) == ["groups", "errors", "scores"]
    assert page.tags["main"] == page.tags["h1"] == 1
    assert html.count("<svg") == html.count('aria-hidden="true"') > 0  # what is drawn stands there as text


def test_a_report_is_saved_by_its_ending(tmp_path):
    found = audited({"Zoë": (40, 10, 20, 30), "b": (30, 20, 10, 40)})
    assert found.save(tmp_path / "a.html") == tmp_path / "a.html"
    assert found.save(str(tmp_path / "a.md")) == tmp_path / "a.md"
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == found.to_html()
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == found.to_markdown()
    for name in ("a.pdf", "a", "html"):
        with pytest.raises(ValueError, match=rf"A report is a page \(\.html\) or Markdown \(\.md\); got '{name}'"):
            found.save(tmp_path / name)
        assert not (tmp_path / name).exists()


# The command line ----------------------------------------------------------------------------------------

MODELS = '''
import sys

import numpy as np

class Model:
    """Selects whoever has a high mark; tells which columns it saw."""
    def predict(self, X):
        print("saw", *X.columns, file=sys.stderr)
        return X["mark"].to_numpy() > 5

def load():
    return Model()

def constant():
    return lambda X: np.zeros(len(X))

def broken():
    raise KeyError("weights")

def failing():
    def model(X):
        raise RuntimeError("out of memory")
    return model

def leaving():
    sys.exit(0)
'''


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop_model.py").write_text(MODELS, encoding="utf-8")
    y, p, of = people(FAIRLY)
    table = pd.DataFrame({"mark": np.where(p == 1, 9, 2), "hired": y, "sex": of, "race": ["x", "y"] * 100})
    table.to_csv(folder / "people.csv", index=False)
    table.assign(hired=table["hired"].map({0: "no", 1: "yes"})).to_csv(folder / "text.csv", index=False)
    table.assign(sex=table["sex"].where(table.index > 1)).to_csv(folder / "missing.csv", index=False)
    return folder


def arguments(
    *more: str, model: str = "shop_model:load", data: str = "people.csv", groups: tuple = ("sex",)
) -> list[str]:
    return ["--model", model, "--data", data, "--label", "hired", "--groups", *groups, *more]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "helix.trust.fairness_audit", *words]
    environment = os.environ | {"PYTHONPATH": str(UTILS), "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("limit", "code", "said"), [("0.4", 0, "Passed"), ("0.1", 1, "Refused")])
def test_the_command_answers_by_its_exit_code_and_report(shop, limit, code, said):
    for name in (f"{code}.html", f"{code}.md"):
        done = run(shop, *arguments("--limit", f"demographic_parity={limit}", "--report", name))
        assert done.returncode == code, done.stderr
        assert "saw mark race\n" in done.stderr  # neither the label nor the group
        assert f"**{said}: Demographic parity" in done.stdout
        assert "# Fairness audit of shop\\_model:load" in done.stdout
        report = (shop / name).read_text(encoding="utf-8")
        assert said in report
        assert report.startswith("<!doctype" if name.endswith("html") else "# ")
        if name.endswith(".md"):
            assert done.stdout == report + "\n"


def test_the_command_that_could_not_ask_exits_with_2(shop):
    done = run(shop, *arguments("--limit", "fairness=0.1", "--report", "never.html"))
    assert done.returncode == 2
    assert done.stderr == (
        "The model could not be audited: There is no gap 'fairness' to limit; there are "
        "demographic_parity, equal_opportunity, equalised_odds, predictive_parity, accuracy, impact_ratio.\n"
    )
    assert not (shop / "never.html").exists()
    assert not done.stdout
    assert run(shop, "--model", "shop_model:load").returncode == 2  # what argparse says itself


@pytest.fixture
def inside(shop, monkeypatch):
    """Run `main` itself where the shop's files stand: quicker than a process for each case."""
    monkeypatch.chdir(shop)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield shop
    sys.modules.pop("shop_model", None)


def test_main_sees_what_the_groups_are_only_if_asked(inside, capsys):
    assert main(arguments("--limit", "accuracy=1", "--keep-groups")) == 0
    assert "saw mark sex race\n" in capsys.readouterr().err
    assert main(arguments("--limit", "accuracy=1", groups=("sex", "race"))) == 0
    said = capsys.readouterr()
    assert "saw mark\n" in said.err
    assert "| a × x |" in said.out


def test_main_keeps_every_limit(inside, capsys):
    for words in (
        ("--limit", "demographic_parity=0.1", "accuracy=0.5"),
        ("--limit", "demographic_parity=0.1", "--limit", "accuracy=0.5"),
        ("--limit", "accuracy=0.5", "--limit", "demographic_parity=0.1"),
    ):
        assert main(arguments(*words)) == 1
        assert "Refused: Demographic parity (too wide)." in capsys.readouterr().out
    assert main(arguments("--groups", "race", "--limit", "accuracy=1")) == 0
    assert "| a × x |" in capsys.readouterr().out


def test_main_passes_threshold_and_certainty_on(inside, capsys):
    assert main(arguments("--limit", "demographic_parity=0.25")) == 1
    assert "NOT CERTAIN" in capsys.readouterr().out
    assert main(arguments("--limit", "demographic_parity=0.25", "--threshold", "0.7", "--estimate")) == 0
    said = capsys.readouterr().out
    assert "whoever scores above 0.7" in said
    assert "Passed on the estimate alone" in said


def test_main_limits_the_ratio_of_what_is_wanted(inside, capsys):
    assert main(arguments("--limit", "impact_ratio=0.8")) == 1
    assert "a person of the group b is selected 0.67 times" in capsys.readouterr().out
    assert main(arguments("--limit", "impact_ratio=0.8", "--burden")) == 1
    assert "a person of the group a is spared 0.67 times" in capsys.readouterr().out
    assert main(arguments("--limit", "impact_ratio=0.4")) == 0


def test_main_hands_the_words_on_and_names_the_data_by_its_hash(inside, capsys):
    words = ("--title", "Hiring", "--about", "Who is invited.", "--selected", "is invited", "--label-means", "was hired",
             "--threshold-from", "validation", "--owner", "head of hiring", "--next-step", "calls the council")  # fmt: skip
    assert main(arguments("--limit", "accuracy=1", *words)) == 0
    said = capsys.readouterr().out
    for word in words[1::2]:
        assert word in said
    assert said.startswith("# Hiring\n")
    digest = hashlib.sha256((inside / "people.csv").read_bytes()).hexdigest()
    assert f"people.csv, SHA-256 {digest[:16]}" in said
    assert "- model: shop\\_model:load" in said


def codes(folder: Path, **columns: list[str]) -> None:
    """Write people of whom every second has label 1 and half are selected; of the first third all, of the second nobody."""
    n = len(next(iter(columns.values())))
    mark = np.repeat([9, 2, 5.5], n // 3)
    mark[-n // 3 :: 2] = 2
    pd.DataFrame({"mark": mark, "hired": np.arange(n) % 2, **columns}).to_csv(folder / "codes.csv", index=False)


def test_main_reads_groups_as_they_are_written(inside, capsys):
    """As numbers 01 and 1 would be one group, and as missing values None and NA none."""
    codes(inside, code=["01"] * 40 + ["1"] * 40 + ["2"] * 40, need=["None", "NA", "null"] * 40)
    assert main(arguments("--limit", "demographic_parity=0.1", data="codes.csv", groups=("code",))) == 1
    assert "of 100 cases in the group 01, and in 0.0 in the group 1, a difference of 100.0" in capsys.readouterr().out
    assert main(arguments("--limit", "accuracy=1", data="codes.csv", groups=("need",))) == 0
    said = capsys.readouterr().out
    assert all(f"| {name} | 40 |" in said for name in ("None", "NA", "null"))


def test_main_lets_a_group_pass_by_name_only(inside, capsys):
    codes(inside, code=["x"] * 49 + ["y"] * 49 + ["few"] * 22)
    words = ("--limit", "accuracy=1")
    assert main(arguments(*words, data="codes.csv", groups=("code",))) == 1
    assert "(not known for few)" in capsys.readouterr().out
    assert main(arguments(*words, "--unknown", "few", data="codes.csv", groups=("code",))) == 0
    assert "let pass by name" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("encoding", "code"), [("utf-8", 0), ("utf-8-sig", 0), ("gbk", 2), ("utf-16", 2), ("latin-1", 2)]
)
def test_main_reads_utf_8_and_says_so(inside, capsys, encoding, code):
    names = ["é", "ü"] if encoding == "latin-1" else ["男", "女"]
    y, p, of = people(dict(zip(names, FAIRLY.values(), strict=True)))
    table = pd.DataFrame({"mark": np.where(p == 1, 9, 2), "hired": y, "sex": of})
    table.to_csv(inside / "encoded.csv", index=False, encoding=encoding)
    assert main(arguments("--limit", "accuracy=1", data="encoded.csv")) == code
    said = capsys.readouterr()
    if code:
        assert said.err.endswith("encoded.csv is not in UTF-8. Save it as CSV UTF-8, as spreadsheets call it.\n")
    else:
        assert "in the group 男" in said.out


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "gbk"])
def test_a_terminal_that_lacks_a_sign_still_gets_the_answer(shop, encoding):
    """The answer is the exit code; a sign that cannot be printed is no reason to say that nobody was asked."""
    command = [
        sys.executable,
        "-m",
        "helix.trust.fairness_audit",
        *arguments("--limit", "accuracy=1", "--groups", "race"),
    ]
    environment = os.environ | {"PYTHONPATH": str(UTILS), "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, cwd=shop, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode(encoding)
    assert "Passed" in said
    assert "a x x" in said


def test_nobody_reads_on(shop):
    words = " ".join(
        map(shlex.quote, [sys.executable, "-m", "helix.trust.fairness_audit", *arguments("--limit", "accuracy=1")])
    )
    environment = os.environ | {"PYTHONPATH": str(UTILS), "PYTHONUTF8": "1"}
    done = subprocess.run(
        ["bash", "-c", f"{words} | true; exit ${{PIPESTATUS[0]}}"], cwd=shop, env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (done.returncode, "BrokenPipe" in done.stderr) == (0, False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (arguments("--limit", "accuracy"), "A limit is written GAP=NUMBER, such as equalised_odds=0.1; got 'accuracy'"),
        (arguments("--limit", "accuracy=low"), "A limit is written GAP=NUMBER, such as equalised_odds=0.1; got 'accuracy=low'"),
        (arguments("--limit", "accuracy=2"), "The limit of accuracy must lie from 0 to 1; got 2.0"),
        (arguments("--limit", "accuracy=nan"), "The limit of accuracy must lie from 0 to 1; got nan"),
        (arguments("--limit", "accuracy=0.1", "accuracy=0.9"), "There are two limits for accuracy; give one"),
        (arguments("--limit", "accuracy=1", "--threshold", "1"), "The threshold must lie from 0 to below 1"),
        (arguments("--limit", "accuracy=1", "--report", "a.pdf"), "A report is a page (.html) or Markdown (.md); got 'a.pdf'"),
        (arguments("--limit", "accuracy=1", "--report", "no/where.md"), "No such file or directory"),
        (arguments("--limit", "accuracy=1", data="none.csv"), "No such file or directory: 'none.csv'"),
        (arguments("--limit", "accuracy=1", data="text.csv"), "y must hold 0 and 1; it holds 'yes', 'no'"),
        (arguments("--limit", "accuracy=1", data="missing.csv"), "The group is missing for 2 of 200 people"),
        (arguments("--limit", "accuracy=1", groups=("gender",)), "people.csv has no column 'gender'; it has mark, hired, sex, race"),
        (arguments("--limit", "accuracy=1", groups=("sex", "sex")), "The table of groups has a column twice: sex, sex"),
        (arguments("--limit", "accuracy=1", model="shop_model"), "A model is named MODULE:FUNCTION, such as shop.model:load; got 'shop_model'"),
        (arguments("--limit", "accuracy=1", model=":load"), "A model is named MODULE:FUNCTION"),
        (arguments("--limit", "accuracy=1", model="no_such:load"), "ModuleNotFoundError: No module named 'no_such'"),
        (arguments("--limit", "accuracy=1", model="shop_model:no"), "AttributeError: module 'shop_model' has no attribute 'no'"),
        (arguments("--limit", "accuracy=1", model="shop_model:np"), "TypeError: 'module' object is not callable"),
        (arguments("--limit", "accuracy=1", model="shop_model:constant"), "Everybody gets the answer 0"),
        (arguments("--limit", "accuracy=1", model="shop_model:broken"), "KeyError: 'weights'"),
        (arguments("--limit", "accuracy=1", model="shop_model:failing"), "RuntimeError: out of memory"),
        (arguments("--limit", "accuracy=1", model="shop_model:leaving"), "SystemExit: 0"),
    ],
)  # fmt: skip
def test_main_says_why_it_could_not_ask(inside, capsys, words, message):
    assert main(words) == 2
    said = capsys.readouterr()
    assert "The model could not be audited: " in said.err
    assert message in said.err
    assert "Traceback" not in said.err
    assert not said.out
    assert not (inside / "a.pdf").exists()


# ------------------------------------------------------------------ the record, and what the chapter says of it


def prose() -> str:
    return " ".join(catalogue.load().chapter("12").source.read_text().replace("\n#", " ").split())


def test_what_the_prose_says_of_the_record_is_the_records():
    said, figures = prose(), results.load("12_fairness_audit")["figures"]
    points = pd.DataFrame(figures["points"])
    rules = pd.DataFrame(figures["rules"]).T
    assert rules.loc["ΔDP at most 0.1", "lets through"] == len(points)
    surely = points[points["ratio_high"] < 0.8]
    assert rules.loc["ΔDP at most 0.1", "ratio surely below 0.8"] == len(surely)
    of_adult = points[points["source"].str.startswith("Adult")]
    assert f"in {len(surely)} of these {len(of_adult)} cases, less than four fifths for sure" in said
    assert set(surely["source"]) == {"Adult, sex", "Adult, race"}
    assert "a fifth to two fifths of another's chance" in said
    assert (of_adult["ratio"].min(), of_adult["ratio"].max()) == pytest.approx((0.2, 0.4), abs=0.025)
    assert "The equalised-odds limit alone lets even more of that through, 40." in said
    assert rules.loc["equalised-odds gap at most 0.1", "ratio surely below 0.8"] == 40 > len(surely)
    assert "Ten classifiers keep all three limits, all of them on COMPAS" in said
    assert rules.loc["impact ratio at least 0.8", "either"] == 0
    assert rules.loc["all three", "lets through"] == 10
    assert points[points["source"] == "COMPAS, race"]["ratio"].min() > 0.9
    assert round(figures["perfect"]["Adult, sex"], 2) == 0.19
    assert "a classifier without error has 0.19 on these people" in said


def test_a_gap_within_a_tenth_keeps_four_fifths_just_where_half_are_selected():
    """What the chapter says of r, the rate of the group that is selected most often."""
    assert r"only if $r \ge 0.5$, since only then $1 - 0.1/r \ge 0.8$" in prose()
    for hundredths in range(11, 101):
        r = hundredths / 100
        assert keeps((r - 0.1) / r, 0.8, least=True) == (r >= 0.5)
    points = pd.DataFrame(results.load("12_fairness_audit")["figures"]["points"])
    half = points[(points["highest"] >= 0.5) & (points["source"] != "COMPAS, race")]
    assert (half["ratio"] >= 0.8 - 1e-4).all()
    assert len(half)


def test_ten_of_ten_on_one_side_is_no_coin():
    assert "all ten would lie on one side about twice in a thousand times" in prose()
    assert stats.binomtest(10, 10).pvalue == pytest.approx(0.002, abs=5e-5)


def test_the_gaps_that_chance_makes_are_counted_without_rounding():
    """Of two groups of ten with a rate of 0.6, 49 % lie more than 0.1 apart; comparing shares in floating point says 56 %."""
    ten = np.arange(11)
    chance = stats.binom.pmf(ten, 10, 0.6)
    counted, rounded = 10 * np.abs(ten[:, None] - ten) > 10, np.abs(ten[:, None] / 10 - ten / 10) > 0.1
    assert float(chance @ counted @ chance) == pytest.approx(0.49, abs=0.005)
    assert float(chance @ rounded @ chance) == pytest.approx(0.56, abs=0.005)
    assert "np.mean(10 * np.abs(a - b) > size)" in prose()
