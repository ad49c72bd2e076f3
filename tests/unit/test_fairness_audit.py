"""Any classifier is asked alike, the gate refuses what it should, and a report says it and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
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

from helix import paths
from helix.course import catalogue
from helix.measure import difference_of_proportions
from helix.record import results
from helix.trust import audit_report
from helix.trust.fairness_audit import (
    Audit,
    Refused,
    audit,
    calibration,
    counts,
    gate,
    main,
    scores_of,
)
from helix.trust.groups import COMPARED, SMALL, widest

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


def audited(table: dict[str, tuple[int, int, int, int]] = FAIRLY, **options) -> Audit:
    y, p, of = people(table)
    return audit(says, p, y, of, **options)


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
    found = audited(title="Loans", limits={"demographic_parity": 0.25, "equal_opportunity": 0.1})
    assert (found.title, found.threshold, found.at_least) == ("Loans", 0.5, SMALL)
    assert found.cells.T.to_dict("list") == {group: list(cells) for group, cells in FAIRLY.items()}
    assert [line.name for line in found.lines] == list(COMPARED)
    assert verdicts(found) == {
        "demographic_parity": "within",
        "equal_opportunity": "too wide",
        "equalised_odds": "no limit",
        "predictive_parity": "no limit",
        "accuracy": "no limit",
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
    assert verdicts(audited(table, limits={"demographic_parity": 0.1}))["demographic_parity"] == "within"
    assert verdicts(audited(table, limits={"demographic_parity": 0.0999}))["demographic_parity"] == "too wide"


def test_certain_asks_for_the_whole_interval():
    upper = difference_of_proportions(60, 100, 40, 100).high  # 0.328
    for limit, plain, certain in (
        (0.19, "too wide", "too wide"),
        (0.21, "within", "not certain"),
        (upper - 0.001, "within", "not certain"),
        (upper + 0.001, "within", "within"),
    ):
        limits = {"demographic_parity": limit}
        assert verdicts(audited(limits=limits))["demographic_parity"] == plain
        found = audited(limits=limits, certain=True)
        assert verdicts(found)["demographic_parity"] == certain
        assert found.passed == (certain == "within")
        assert verdicts(found)["accuracy"] == "no limit"


SPARSE = {"a": (5, 5, 40, 50), "b": (40, 20, 20, 40)}  # ten people of a have the label 1


def test_what_is_not_known_is_refused_if_it_has_a_limit():
    free = audited(SPARSE)
    assert verdicts(free)["equal_opportunity"] == verdicts(free)["equalised_odds"] == "not known"
    assert free.passed
    assert audited(SPARSE, limits={"demographic_parity": 0.5}).passed
    limited = audited(SPARSE, limits={"equal_opportunity": 1})
    assert not limited.passed
    assert [line.name for line in limited.lines if line.refused] == ["equal_opportunity"]
    assert limited.lines[1].gap is None
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
    assert audited({"a": (1, 1, 1, 1), "b": (0, 0, 1, 1)}, at_least=1).left_out == {"b": ("tpr",)}


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
        ({"limits": {"impact_ratio": 0.8}}, "There is no gap 'impact_ratio' to limit"),
        ({"limits": {"accuracy": 10}}, "The limit of accuracy must lie from 0 to 1; got 10"),
        ({"limits": {"accuracy": -0.1}}, r"must lie from 0 to 1; got -0\.1"),
        ({"limits": {"accuracy": float("nan")}}, "must lie from 0 to 1; got nan"),
        ({"threshold": 1}, "The threshold must lie from 0 to below 1; got 1"),
        ({"threshold": -0.1}, r"The threshold must lie from 0 to below 1; got -0\.1"),
        ({"threshold": float("nan")}, "The threshold .* got nan"),
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
    found = gate(says, p, y, of, limits={"demographic_parity": 0.25}, title="T", at_least=7, threshold=0.3)
    assert isinstance(found, Audit)
    assert found.passed
    assert (found.title, found.at_least, found.threshold) == ("T", 7, 0.3)


def test_the_gate_refuses_and_hands_the_audit_over():
    y, p, of = people(FAIRLY)
    with pytest.raises(Refused) as caught:
        gate(says, p, y, of, limits={"demographic_parity": 0.1, "equal_opportunity": 0.5, "equalised_odds": 0.12})
    assert not caught.value.audit.passed
    assert verdicts(caught.value.audit)["demographic_parity"] == "too wide"
    wanted = (
        "Refused. Demographic parity: of 100 people, 20.0 more are selected in the group a than in the group b "
        "(95 % interval 6.1 to 32.8); the limit is 10.0. Equalised odds: of 100 people whose label is 1, 20.0 more"
    )
    assert str(caught.value).startswith(wanted)
    assert "Equal opportunity" not in str(caught.value)


def test_the_gate_passes_certainty_on():
    y, p, of = people(FAIRLY)
    gate(says, p, y, of, limits={"demographic_parity": 0.25})
    with pytest.raises(Refused, match="Demographic parity"):
        gate(says, p, y, of, limits={"demographic_parity": 0.25}, certain=True)


def test_the_gate_refuses_what_is_not_known():
    y, p, of = people(SPARSE)
    with pytest.raises(
        Refused, match=r"^Refused\. Equal opportunity: not known, since too few people stand behind a rate\.$"
    ):
        gate(says, p, y, of, limits={"equal_opportunity": 1})


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


class Page(HTMLParser):
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


def from_markdown(text: str) -> Page:
    return Page(markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def nasty() -> Audit:
    rng = np.random.default_rng(0)
    of = np.array(list(NASTY) * 60, dtype=object)
    scores = rng.random(len(of))
    y = (rng.random(len(of)) < scores).astype(int)
    return audit(lambda X: scores, of, y, of, title=next(iter(NASTY)), at_least=80, limits={"accuracy": 0.5})


def test_names_stay_text_in_html():
    found = nasty()
    page = Page(found.to_html())
    assert page.tags["script"] == page.tags["a"] == page.tags["img"] == 0
    assert not any(name.startswith("on") or name in ("href", "src") for name, _ in page.attributes)
    assert page.of("title") == page.of("h1") == ["<script>alert(1)</script>"]
    headings = [one for one in page.of("th") if one in NASTY.values()]
    assert Counter(headings) == dict.fromkeys(NASTY.values(), 2)  # one table across, one down
    assert sum(one.startswith("Not compared for") for one in page.of("li")) == len(NASTY)


def test_names_stay_text_in_markdown():
    found = nasty()
    page = from_markdown(found.to_markdown())
    assert page.of("h1") == ["<script>alert(1)</script>"]
    allowed = {"h1", "h2", "p", "strong", "em", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert set(page.tags) == allowed
    assert page.tags["strong"] == 1
    assert page.tags["em"] == len(COMPARED)
    cells = [one for one in page.of("td") if one in NASTY.values()]
    ranges = Counter(str(group) for group, _ in found.ranges.index)
    assert Counter(cells) == {shown: 1 + ranges[group] for group, shown in NASTY.items()}
    assert page.tags["table"] == 2
    assert page.tags["td"] == len(NASTY) * 8 + len(found.ranges) * 4  # no name became a column


@pytest.mark.parametrize("group", list(NASTY))
def test_a_name_in_a_sentence_stays_text(group):
    table = {group: (40, 10, 20, 30), "zzz": (30, 20, 10, 40)}
    found = audited(table, limits={"demographic_parity": 0.1})
    wanted = f"20.0 more are selected in the group {NASTY[group]} than in the group zzz"
    for page in (Page(found.to_html()), from_markdown(found.to_markdown())):
        (line,) = [one for one in page.of("li") if one.startswith("Demographic parity")]
        assert wanted in line
        assert page.tags["script"] == page.tags["a"] == page.tags["s"] == 0


def test_dollars_are_no_formula():
    r"""CommonMark knows no formulas, GitHub and Jupyter do."""
    assert audit_report._plain("$x$ & y") == r"\$x\$ \& y"


def test_the_page_needs_no_network():
    text = nasty().to_html()
    page = Page(text)
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
    backwards = audit(says, p[::-1], y[::-1], of[::-1])
    assert backwards.to_html() == audited().to_html()
    assert backwards.to_markdown() == audited().to_markdown()


def pages(found: Audit) -> dict[str, Page]:
    return {"html": Page(found.to_html()), "markdown": from_markdown(found.to_markdown())}


def everything(page: Page) -> str:
    return " ".join(" ".join(text for _, text in page.texts).split())


def test_the_figures_of_a_report_by_hand():
    for page in pages(audited()).values():
        text = everything(page)
        assert "200 people in 2 groups; whoever scores above 0.5 is selected" in text
        assert "Shown, not judged: no limit was set." in text
        for shown in ("60.0 [50.2, 69.1]", "40.0 [30.9, 49.8]", "80.0 [67.0, 88.8]", "70.0"):
            assert shown in text, shown
        assert "What a score means" not in text


def test_a_row_of_the_markdown_table_by_hand():
    text = audited({"a": (40, 10, 20, 30), "b": (0, 0, 10, 90)}).to_markdown()
    assert (
        "| group | people | label 1 | selected | selected, of label 1 | selected, of label 0 | label 1, of selected |"
        in text
    )
    (row,) = re.findall(r"^\| b \|.*$", text, flags=re.M)
    cells = [one.strip() for one in row.strip("|").split("|")]
    assert cells[:2] == ["b", "100"]
    assert [one.split()[0] for one in cells[2:]] == ["0.0", "10.0", "nobody", "10.0", "0.0", "90.0"]
    assert cells[4] == "nobody to count"
    html = audited({"a": (40, 10, 20, 30), "b": (0, 0, 10, 90)}).to_html()
    assert html.count("nobody to count") == 1
    assert "width:10.0%" in html


@pytest.mark.parametrize(
    ("sign", "tone", "table", "options"),
    [
        ("within the limit", "good", FAIRLY, {"limits": {"demographic_parity": 0.25}}),
        ("TOO WIDE", "bad", FAIRLY, {"limits": {"demographic_parity": 0.1}}),
        ("NOT CERTAIN", "bad", FAIRLY, {"limits": {"demographic_parity": 0.25}, "certain": True}),
        ("no limit set", "soft", FAIRLY, {}),
        ("not known", "soft", {"a": (9, 9, 5, 5), "b": (40, 10, 20, 30)}, {}),
        ("not known", "bad", {"a": (9, 9, 5, 5), "b": (40, 10, 20, 30)}, {"limits": {"demographic_parity": 1}}),
    ],
)
def test_every_verdict_is_shown(sign, tone, table, options):
    found = audited(table, **options)
    html, text = found.to_html(), found.to_markdown()
    assert re.findall(r"<li>Demographic parity: [^<]* <span class=\"(\w+)\">(.*?)</span></li>", html) == [(tone, sign)]
    ((line, shown),) = re.findall(r"^- (Demographic parity: .*) \*(.*)\*$", text, flags=re.M)
    assert shown == sign
    if sign == "not known":
        assert line == "Demographic parity: not known, since too few people stand behind a rate."
    else:
        assert ("the limit is" in line) == ("limits" in options)
    assert f'class="verdict {"good" if found.passed else "bad"}"' in html


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"limits": {"demographic_parity": 0.1, "equal_opportunity": 0.1, "accuracy": 0.1}}, "Refused: Demographic parity, Equal opportunity."),
        ({"limits": {"demographic_parity": 0.3, "accuracy": 0.1}}, "Passed: Demographic parity, Equal accuracy within the limit that was set."),
        ({}, "Shown, not judged: no limit was set."),
    ],
)  # fmt: skip
def test_the_verdict_of_a_report(options, wanted):
    found = audited(**options)
    assert audit_report.verdict(found) == wanted
    assert f"**{wanted}**" in found.to_markdown()
    assert wanted in everything(Page(found.to_html()))


@pytest.mark.parametrize(
    ("gap", "wanted"),
    [
        ("demographic_parity", "of 100 people, 20.0 more are selected in the group a than in the group b"),
        ("equal_opportunity", "of 100 people whose label is 1, 20.0 more are selected in the group a"),
        ("equalised_odds", "of 100 people whose label is 1, 20.0 more are selected in the group a"),
        (
            "predictive_parity",
            "of 100 people who are selected, 8.3 more have the label 1 in the group b than in the group a",
        ),
        ("accuracy", "of 100 people, 0.0 more are judged rightly in the group"),
    ],
)
def test_sentences_speak_of_people(gap, wanted):
    (line,) = [line for line in audited().lines if line.name == gap]
    assert wanted in audit_report.sentence(line)


def test_a_sentence_about_false_alarms():
    table = {"a": (30, 10, 40, 10), "b": (20, 20, 10, 40)}
    (line,) = [line for line in audited(table).lines if line.name == "equalised_odds"]
    assert "of 100 people whose label is 0, 60.0 more are selected in the group a" in audit_report.sentence(line)


def test_who_is_left_out_is_named_in_the_report():
    found = audited(FAIRLY | {"c": (10, 10, 5, 4), "d": (10, 19, 0, 50)})
    for page in pages(found).values():
        text = everything(page)
        assert "Rates of fewer than 30 people are shown and not compared." in text
        assert "Not compared for c, too few people: “selected”, “selected, of label 1”, " in text
        assert (
            "Not compared for d, too few people: “selected, of label 1”, “label 1, of selected”. "
            "This does not mean that all is well for them." in text
        )
        assert "Not compared for a" not in text
        for limit in audit_report.LIMITS_OF_IT:
            assert limit in text


def test_what_a_score_means_by_hand():
    scores = np.array([0.0, 0.1, 0.2, 0.9, 0.95, 0.3, 0.9])
    found = audit(lambda X: scores, np.zeros(7), [0, 1, 0, 1, 1, 0, 0], list("aaaaabb"), at_least=1)
    assert [row for row in found.to_markdown().splitlines() if "–" in row] == [
        "| a | 0.0–0.2 | 3 | 33.3 % |",
        "| a | 0.8–1.0 | 2 | 100.0 % |",
        "| b | 0.2–0.4 | 1 | 0.0 % |",
        "| b | 0.8–1.0 | 1 | 0.0 % |",
    ]
    html = found.to_html()
    rows = re.findall(r'<tr><th scope="row">([^<]*–[^<]*)</th>(.*?)</tr>', html)
    assert [(title, re.sub(r"<[^>]*>", " ", cells).replace("&nbsp;", " ").split()) for title, cells in rows] == [
        ("0.0–0.2", ["33.3", "%", "of", "3", "nobody"]),
        ("0.2–0.4", ["nobody", "0.0", "%", "of", "1"]),
        ("0.8–1.0", ["100.0", "%", "of", "2", "0.0", "%", "of", "1"]),
    ]
    assert "What a score means" in html


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


@pytest.mark.parametrize(("limit", "code", "said"), [("0.25", 0, "Passed"), ("0.1", 1, "Refused")])
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
        "demographic_parity, equal_opportunity, equalised_odds, predictive_parity, accuracy.\n"
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
        assert "Refused: Demographic parity." in capsys.readouterr().out
    assert main(arguments("--groups", "race", "--limit", "accuracy=1")) == 0
    assert "| a × x |" in capsys.readouterr().out


def test_main_passes_threshold_and_certainty_on(inside, capsys):
    assert main(arguments("--limit", "demographic_parity=0.25", "--certain")) == 1
    assert "NOT CERTAIN" in capsys.readouterr().out
    assert main(arguments("--limit", "demographic_parity=0.25", "--threshold", "0.7")) == 0
    assert "above 0.7 is selected" in capsys.readouterr().out


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


def test_what_the_prose_says_of_the_record_is_the_records():
    prose = " ".join(catalogue.load().chapter("12").source.read_text().replace("\n#", " ").split())
    record = results.load("12_fairness_audit")
    broken, points = record["figures"]["broken"], pd.DataFrame(record["figures"]["points"])
    assert broken["impact ratio below 0.8"] == (points["ratio"] < 0.8).sum()
    surely = broken["impact ratio below 0.8, whole interval"]
    assert f"Of the {broken['impact ratio below 0.8']} that break the rule {surely} break it so surely" in prose
    empty = points[points["ratio"] == 0]
    assert "Three points of German credit lie at a ratio of 0" in prose
    assert (len(empty), set(empty["source"])) == (3, {"German credit, age"})
    cells = [by[share] for by, source in zip(record["runs"]["models"]["cells"], record["runs"]["models"]["source"], strict=True) if source == "German credit, age" for share in by]  # fmt: skip
    young = [cell["25 or younger"] for cell in cells]
    assert {sum(four) for four in young} == {40}
    assert sum(four[0] + four[2] == 0 for four in young) == 3


def test_the_gaps_that_chance_makes_are_counted_without_rounding():
    """Of two groups of ten with a rate of 0.6, 49 % lie more than 0.1 apart; comparing shares in floating point says 55 %."""
    counts = np.arange(11)
    chance = stats.binom.pmf(counts, 10, 0.6)
    apart = 10 * np.abs(counts[:, None] - counts) > 10
    exact = float(chance @ apart @ chance)
    book = json.loads((paths.root() / "notebooks" / "12_fairness_audit.ipynb").read_text())
    printed = json.dumps(book["cells"])
    assert f"   10 people in each group: gap above 0.1 in  {exact:.0%} of draws" in printed
