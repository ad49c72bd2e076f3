"""Rates and gaps are those counted by hand, and those of fairlearn, AIF360 and Aequitas; bad input is named."""

from __future__ import annotations

import logging
import math
import warnings
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helix.datasets import adult
from helix.measure import difference_of_proportions, ratio_of_proportions, wilson
from helix.trust.groups import (
    COMPARED,
    RATES,
    SMALL,
    binary,
    calibration,
    compared,
    counts,
    finite,
    gaps,
    group_metrics,
    keeps,
    names,
    pairs,
    rate_of,
    widest,
    without_people,
)

# a: 4 tp, 1 fn, 2 fp, 3 tn; b: 1 tp, 3 fn, 1 fp, 5 tn.
BY_HAND = {"a": (4, 1, 2, 3), "b": (1, 3, 1, 5)}


def people(table: dict[str, tuple[int, int, int, int]]) -> tuple[list[int], list[int], list[str]]:
    """One person after the other, from (tp, fn, fp, tn) of every group."""
    y, p, of = [], [], []
    for group, cells in table.items():
        for n, (true, said) in zip(cells, ((1, 1), (1, 0), (0, 1), (0, 0)), strict=True):
            y, p, of = y + [true] * n, p + [said] * n, of + [group] * n
    return y, p, of


def cells_of(table: dict[str, tuple[int, int, int, int]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(table, orient="index", columns=["tp", "fn", "fp", "tn"])


# By hand -------------------------------------------------------------------------------------------------


def test_counts_by_hand():
    y, p, of = people(BY_HAND)
    shuffled = np.random.default_rng(0).permutation(len(y))
    cells = counts(np.array(y)[shuffled], np.array(p)[shuffled], np.array(of)[shuffled])
    assert list(cells.columns) == ["tp", "fn", "fp", "tn"]
    assert cells.T.to_dict("list") == {group: list(row) for group, row in BY_HAND.items()}


def test_groups_come_in_alphabetical_order():
    y, p, of = people({"zeta": (1, 1, 1, 1), "alpha": (2, 0, 0, 2)})
    assert list(counts(y, p, of).index) == list(group_metrics(y, p, of).index) == ["alpha", "zeta"]


def test_every_rate_by_hand():
    rates = group_metrics(*people(BY_HAND))
    wanted = {
        "n": (10, 10),
        "base_rate": (5 / 10, 4 / 10),
        "selection_rate": (6 / 10, 2 / 10),
        "tpr": (4 / 5, 1 / 4),
        "fpr": (2 / 5, 1 / 6),
        "ppv": (4 / 6, 1 / 2),
        "npv": (3 / 4, 5 / 8),
        "accuracy": (7 / 10, 6 / 10),
    }
    assert list(rates.columns) == list(wanted) == ["n", *RATES]
    for rate, values in wanted.items():
        assert rates[rate].tolist() == pytest.approx(values, abs=1e-12), rate


def test_every_gap_by_hand():
    found = gaps(*people(BY_HAND))
    assert found == pytest.approx(
        {
            "demographic_parity": 0.4,
            "equal_opportunity": 0.55,
            "equalised_odds": 0.55,  # of true positive rates; of false ones 7 / 30
            "predictive_parity": 1 / 6,
            "accuracy": 0.1,
            "impact_ratio": 1 / 3,
        },
        abs=1e-12,
    )
    assert list(found) == [*COMPARED, "impact_ratio"]


def test_equalised_odds_takes_the_false_positive_rate_where_that_is_wider():
    table = {"a": (3, 1, 4, 1), "b": (2, 2, 1, 4)}  # tpr 3/4 and 2/4; fpr 4/5 and 1/5
    found = gaps(*people(table))
    assert found["equal_opportunity"] == pytest.approx(0.25)
    assert found["equalised_odds"] == pytest.approx(0.6)


def test_a_gap_has_no_sign_and_spans_all_groups():
    table = {"a": (2, 0, 0, 8), "b": (5, 0, 0, 5), "c": (9, 0, 0, 1)}
    for renamed in (
        table,
        dict(zip("cba", table.values(), strict=True)),
        dict(zip("bca", table.values(), strict=True)),
    ):
        found = gaps(*people(renamed))
        assert found["demographic_parity"] == pytest.approx(0.7)
        assert found["impact_ratio"] == pytest.approx(2 / 9)
        assert found["equal_opportunity"] == found["accuracy"] == 0


def test_rates_are_not_a_number_where_nobody_stands_below_the_line():
    y, p, of = people({"no one is 1": (0, 0, 2, 3), "no one is 0": (2, 3, 0, 0), "nobody selected": (0, 2, 0, 2)})
    rates = group_metrics(y, p, of)
    undefined = {group: set(row.index[row.isna()]) for group, row in rates.iterrows()}
    assert undefined == {"no one is 1": {"tpr"}, "no one is 0": {"fpr"}, "nobody selected": {"ppv"}}
    assert group_metrics(*people({"all": (1, 0, 2, 0), "b": (1, 1, 1, 1)})).loc["all"].isna().to_dict() == {
        **dict.fromkeys(["n", *RATES], False),
        "npv": True,
    }


@pytest.mark.parametrize(
    ("table", "undefined"),
    [
        ({"a": (0, 0, 2, 3), "b": (2, 1, 1, 2)}, {"equal_opportunity", "equalised_odds"}),
        ({"a": (2, 3, 0, 0), "b": (2, 1, 1, 2)}, {"equalised_odds"}),
        ({"a": (0, 2, 0, 2), "b": (2, 1, 1, 2)}, {"predictive_parity"}),
        ({"a": (0, 2, 0, 2), "b": (0, 1, 0, 2)}, {"predictive_parity", "impact_ratio"}),
    ],
)
def test_gaps_are_not_a_number_where_a_rate_is_not(table, undefined):
    assert {gap for gap, value in gaps(*people(table)).items() if math.isnan(value)} == undefined


def test_impact_ratio_is_zero_if_one_group_is_never_selected():
    assert gaps(*people({"a": (0, 2, 0, 2), "b": (2, 1, 1, 2)}))["impact_ratio"] == 0


def test_undefined_rates_bring_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gaps(*people({"a": (0, 0, 0, 3), "b": (0, 1, 0, 2)}))


@pytest.mark.parametrize(
    "turn",
    [
        list, tuple, np.array, pd.Series, lambda x: np.array(x, dtype=bool), lambda x: np.array(x, dtype=float),
        lambda x: pd.Series(x, dtype="Int64"), lambda x: pd.Series(x, index=range(100, 100 + len(x))),
    ],
)  # fmt: skip
def test_every_row_of_zeros_and_ones_is_read_alike(turn):
    y, p, of = people(BY_HAND)
    assert counts(turn(y), turn(p), of).equals(counts(y, p, of))
    assert binary(turn(y)).dtype == np.int64


def test_indices_are_not_aligned():
    """People are matched by position: an index that was shuffled before would pair strangers."""
    y, p, of = people(BY_HAND)
    odd = pd.Series(p, index=range(len(p))[::-1])
    assert counts(pd.Series(y), odd, pd.Series(of, index=range(7, 7 + len(of)))).equals(counts(y, p, of))


# Other libraries -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def libraries() -> SimpleNamespace:
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # AIF360 misses TensorFlow and others, and says so at import
    try:
        from aequitas.group import Group
        from aif360.sklearn import metrics as aif360
        from fairlearn import metrics as fairlearn
    finally:
        logging.getLogger().setLevel(level)
    return SimpleNamespace(aequitas=Group, aif360=aif360, fairlearn=fairlearn)


def at_random(seed: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60 * k, 300 * k))
    of = rng.choice(list("abcdef")[:k], size=n, p=rng.dirichlet(np.full(k, 8.0)))
    y = rng.random(n) < 0.5
    p = rng.random(n) < rng.uniform(0.2, 0.8, size=k)[np.unique(of, return_inverse=True)[1]] * np.where(y, 1, 0.7)
    return y.astype(int), p.astype(int), of


@pytest.fixture(scope="module")
def earners() -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """A logistic regression on five columns of Adult, and what it says of the people in the test split."""
    columns = ["age", "education_num", "hours_per_week", "capital_gain", "capital_loss"]
    train, test = adult.load("train"), adult.load("test")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train[columns], train[adult.LABEL])
    return test[adult.LABEL].to_numpy(), model.predict(test[columns]), test[["sex", "race"]].astype(str)


def predictions(case: object, earners) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if isinstance(case, tuple):
        return at_random(*case)
    y, p, people_of = earners
    return y, p, people_of[case].to_numpy()


CASES = [(0, 2), (1, 2), (2, 3), (3, 5), "sex", "race"]


@pytest.mark.parametrize("case", CASES)
def test_fairlearn_agrees(libraries, earners, case):
    y, p, of = predictions(case, earners)
    ours, found, fairlearn = group_metrics(y, p, of), gaps(y, p, of), libraries.fairlearn
    from sklearn.metrics import accuracy_score, precision_score

    measures = {
        "n": fairlearn.count, "selection_rate": fairlearn.selection_rate, "tpr": fairlearn.true_positive_rate,
        "fpr": fairlearn.false_positive_rate, "ppv": precision_score, "accuracy": accuracy_score,
    }  # fmt: skip
    theirs = fairlearn.MetricFrame(metrics=measures, y_true=y, y_pred=p, sensitive_features=of)
    assert list(theirs.by_group.index) == list(ours.index)
    for rate in measures:
        assert np.allclose(ours[rate], theirs.by_group[rate].astype(float), rtol=0, atol=1e-9), rate
    spread = theirs.difference()
    wanted = {
        "demographic_parity": fairlearn.demographic_parity_difference(y, p, sensitive_features=of),
        "equal_opportunity": fairlearn.equal_opportunity_difference(y, p, sensitive_features=of),
        "equalised_odds": fairlearn.equalized_odds_difference(y, p, sensitive_features=of),
        "impact_ratio": fairlearn.demographic_parity_ratio(y, p, sensitive_features=of),
        "predictive_parity": spread["ppv"],
        "accuracy": spread["accuracy"],
    }
    assert found == pytest.approx(wanted, abs=1e-9)
    # agg="mean" averages the two differences: smaller, unless they are equal.
    mean = fairlearn.equalized_odds_difference(y, p, sensitive_features=of, agg="mean")
    assert mean == pytest.approx((np.ptp(ours["tpr"]) + np.ptp(ours["fpr"])) / 2, abs=1e-9)
    assert mean < found["equalised_odds"]


def test_fairlearn_calls_an_undefined_rate_zero(libraries):
    """So its gap is a number, where ours is NaN: a group without a true 1 has no true positive rate."""
    y, p, of = people({"a": (0, 0, 2, 3), "b": (3, 1, 1, 2)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = libraries.fairlearn.equal_opportunity_difference(y, p, sensitive_features=of)
    assert theirs == pytest.approx(0.75)
    assert math.isnan(gaps(y, p, of)["equal_opportunity"])


@pytest.mark.parametrize("case", CASES)
def test_aif360_agrees_group_by_group(libraries, earners, case):
    y, p, of = predictions(case, earners)
    from sklearn.metrics import recall_score

    theirs = {
        "base_rate": libraries.aif360.base_rate, "selection_rate": libraries.aif360.selection_rate, "tpr": recall_score,
        "fpr": libraries.aif360.false_positive_rate_error,
    }  # fmt: skip
    ours = group_metrics(y, p, of)
    for group, row in ours.iterrows():
        for rate, measure in theirs.items():
            assert row[rate] == pytest.approx(measure(y[of == group], p[of == group]), abs=1e-9)
        assert 1 - row["npv"] == pytest.approx(
            libraries.aif360.false_omission_rate_error(y[of == group], p[of == group]), abs=1e-9
        )


@pytest.mark.parametrize("case", [(0, 2), (1, 2), (7, 2), "sex"])
def test_aif360_agrees_but_for_sign_and_average(libraries, earners, case):
    y, p, of = predictions(case, earners)
    ours, found = group_metrics(y, p, of), gaps(y, p, of)
    low, high = ours.index
    truth = pd.Series(y, index=pd.Index(of, name="group"))
    aif360, options = libraries.aif360, {"prot_attr": "group", "priv_group": high}
    # AIF360 subtracts the privileged group from the other one, and keeps the sign.
    signed = {
        "demographic_parity": ("selection_rate", aif360.statistical_parity_difference),
        "equal_opportunity": ("tpr", aif360.equal_opportunity_difference),
    }
    for gap, (rate, measure) in signed.items():
        theirs = measure(truth, p, **options)
        assert theirs == pytest.approx(ours[rate][low] - ours[rate][high], abs=1e-9)
        assert abs(theirs) == pytest.approx(found[gap], abs=1e-9)
    # Its equalised odds are means: of the signed differences, which may cancel, or of the absolute ones. Ours is the larger.
    tpr, fpr = (ours[rate][low] - ours[rate][high] for rate in ("tpr", "fpr"))
    assert aif360.average_odds_difference(truth, p, **options) == pytest.approx((tpr + fpr) / 2, abs=1e-9)
    assert aif360.average_odds_error(truth, p, **options) == pytest.approx((abs(tpr) + abs(fpr)) / 2, abs=1e-9)
    assert found["equalised_odds"] == pytest.approx(max(abs(tpr), abs(fpr)), abs=1e-9)
    # And its ratio is the other group's rate over the privileged one's: above 1 if "privileged" was named wrongly.
    ratio = aif360.disparate_impact_ratio(truth, p, **options)
    assert min(ratio, 1 / ratio) == pytest.approx(found["impact_ratio"], abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_aequitas_agrees(libraries, earners, case):
    y, p, of = predictions(case, earners)
    table = pd.DataFrame({"score": p, "label_value": y, "group": of})
    theirs, _ = libraries.aequitas().get_crosstabs(table, attr_cols=["group"])
    theirs = theirs.set_index("attribute_value")
    ours, cells = group_metrics(y, p, of), counts(y, p, of)
    assert sorted(theirs.index) == list(ours.index)
    theirs = theirs.loc[ours.index]
    same = {
        "n": "group_size", "base_rate": "prev", "selection_rate": "pprev", "tpr": "tpr", "fpr": "fpr",
        "ppv": "precision", "npv": "npv", "accuracy": "accuracy",
    }  # fmt: skip
    assert set(same) == set(ours.columns)
    for mine, yours in same.items():
        assert np.allclose(ours[mine], theirs[yours].astype(float), rtol=0, atol=1e-9), mine
    for cell in ("tp", "fn", "fp", "tn"):
        assert cells[cell].tolist() == theirs[cell].astype(int).tolist()
    # Its "ppr" is no rate within the group: it divides by all selected people of all groups.
    share = (cells["tp"] + cells["fp"]) / p.sum()
    assert np.allclose(share, theirs["ppr"].astype(float), rtol=0, atol=1e-9)
    assert not np.allclose(share, ours["selection_rate"], atol=1e-3)


def test_men_are_selected_more_often_on_adult(earners):
    """What the comparison ran on is a model that errs and differs, not a constant."""
    y, p, people_of = earners
    rates = group_metrics(y, p, people_of["sex"])
    assert rates["selection_rate"]["Male"] > rates["selection_rate"]["Female"] > 0.01
    assert ((rates["tpr"] > 0.1) & (rates["tpr"] < 0.9)).all()


# Groups --------------------------------------------------------------------------------------------------


def test_a_table_makes_intersectional_groups():
    table = pd.DataFrame(
        {"race": ["Black", "White", "Black", "White"], "sex": ["F", "F", "M", "F"]}, index=[9, 3, 9, 1]
    )
    assert names(table, 4).tolist() == ["Black × F", "White × F", "Black × M", "White × F"]
    assert names(table[["sex"]], 4).tolist() == names(table["sex"], 4).tolist() == ["F", "F", "M", "F"]
    cells = counts([1, 1, 0, 0], [1, 0, 1, 0], table)
    assert cells.T.to_dict("list") == {
        "Black × F": [1, 0, 0, 0],
        "Black × M": [0, 0, 1, 0],
        "White × F": [0, 1, 0, 1],
    }


def test_intersections_show_what_single_attributes_hide():
    """Selected are black men and white women only: by one attribute alone all is equal."""
    race, sex = np.repeat(["black", "white"], 20), np.tile(["f", "m"], 20)
    p = ((race == "black") == (sex == "m")).astype(int)
    y = np.tile([0, 0, 1, 1], 10)
    assert gaps(y, p, race)["demographic_parity"] == gaps(y, p, sex)["demographic_parity"] == 0
    assert gaps(y, p, pd.DataFrame({"race": race, "sex": sex}))["demographic_parity"] == 1


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([1, 2], ["1", "2"]),
        (np.array([1.5, 2.0]), ["1.5", "2.0"]),
        ([True, False], ["True", "False"]),
        (np.array([True, False]), ["True", "False"]),
        (pd.Series(["x", "y"], dtype="category"), ["x", "y"]),
        (pd.Series(["x", "y"], dtype="string"), ["x", "y"]),
        (pd.Categorical(["x", "y"], categories=["x", "y", "never"]), ["x", "y"]),
        ([np.str_("x"), "y"], ["x", "y"]),
        ([1, np.int64(2)], ["1", "2"]),
        (["None", "NA"], ["None", "NA"]),  # a need that is called None, and a country
        (["Nan", "Null"], ["Nan", "Null"]),
        ([" a", "b"], [" a", "b"]),
    ],
)
def test_groups_of_any_one_type_become_text(given, wanted):
    found = names(given, 2)
    assert found.tolist() == wanted
    assert found.dtype == object
    assert all(type(one) is str or isinstance(one, np.str_) for one in found)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["1", 1, "1"], r"mixes text and whole numbers\. Make it one type: \.astype\(str\)"),
        ([1, 1.0, 2], "mixes numbers and whole numbers"),
        ([True, 1, 0], "mixes booleans and whole numbers"),
        (["a", ("b",), "c"], "mixes text and tuple"),
        (["a", None, "b"], r"missing for 1 of 3 people\. Name it \('not stated'\) or leave them out"),
        (["a", float("nan"), None], "missing for 2 of 3 people"),
        ([1.0, float("nan"), 2.0], "missing for 1 of 3 people"),
        (pd.Series(["a", None, pd.NA], dtype="string"), "missing for 2 of 3 people"),
        (pd.Series([pd.NA, 1, 2], dtype="Int64"), "missing for 1 of 3 people"),
        (pd.Series(["a", None, "b"], dtype="category"), "missing for 1 of 3 people"),
        (pd.to_datetime(["2020-01-01", None, "2021-01-01"]), "missing for 1 of 3 people"),
        (["a", "b"], r"3 people, and groups of the shape \(2,\); each person needs one group"),
        (["a", "b", "c", "d"], r"groups of the shape \(4,\)"),
        ([["a", "b"]] * 3, r"groups of the shape \(3, 2\)"),
        ("aba", r"groups of the shape \(\)"),
        (pd.DataFrame({"x": ["a", "b"]}), r"groups of the shape \(2,\)"),
        (pd.DataFrame({"x": ["a", "b", "c"], "y": [1, "1", 2]}), "mixes text and whole numbers"),
        (pd.DataFrame({"x": ["a", "b", "c"], "y": ["a", None, "b"]}), "missing for 1 of 3"),
        (pd.DataFrame(index=range(3)), "table of groups has no columns"),
        (pd.DataFrame([["a", "b"]] * 3, columns=["sex", "sex"]), "has a column twice: sex, sex"),
        (["a", "", "b"], "The group of 1 of 3 people is called '', as a missing value is. Name it"),
        (["a", "  ", "b"], "is called '  ', as a missing value is"),
        (["a", "nan", "b"], "The group of 1 of 3 people is called 'nan'"),
        (pd.Series(["a", None, "b"], dtype="string").astype(object).astype(str), "is called '(nan|<NA>|None)'"),
        (["a", " a", "b"], "The group ' a' differs from another in blanks only"),
        (["a b", "a  b", "b"], "The group 'a  b' differs from another in blanks only"),
        (
            pd.DataFrame({"x": ["x × y", "x", "x"], "y": ["z", "y × z", "z"]}),
            "Two different groups would both be called “… × …”: a name holds",
        ),
    ],
)
def test_bad_groups_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        names(given, 3)
    with pytest.raises(ValueError, match=message):
        counts([0, 1, 1], [1, 0, 1], given)


def test_crossed_names_that_hold_the_sign_may_stay_if_they_stay_apart():
    assert names(pd.DataFrame({"x": ["x × y", "x"], "y": ["z", "z"]}), 2).tolist() == ["x × y × z", "x × z"]


def test_categories_without_people_are_named():
    groups = pd.Categorical(["a", "b"], categories=["a", "never", "b"])
    assert without_people(groups) == without_people(pd.Series(groups)) == ("never",)
    assert without_people(pd.DataFrame({"x": ["a", "b"], "y": groups})) == ("never",)
    assert without_people(["a", "b"]) == without_people(pd.Series(["a", "b"])) == ()


# Labels, predictions, scores -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["yes", "no", "yes"], r"must hold 0 and 1; it holds 'yes', 'no'\. Map your labels first"),
        (["<=50K", ">50K", ">50K"], "it holds '<=50K', '>50K'"),
        ([1, 2, 1], r"must hold 0 and 1; it holds 1, 2\. Map labels; cut scores at a threshold"),
        ([-1, 1, 1], "it holds -1, 1"),
        ([0.2, 0.7, 1.0], r"it holds 0\.2, 0\.7, 1\.0"),
        ([0, 1, float("inf")], "must hold 0 and 1"),
        ([0, 1, 2, 3, 4], "it holds 0, 1, 2, 3 …"),
        ([0, 1, float("nan")], r"has 1 missing values \(NaN\)\. Find out why before you audit"),
        ([None, 1, None], "has 2 missing values"),
        (pd.Series([0, 1, None], dtype="Int64"), "has 1 missing values"),
        (pd.Series(["yes", None, "no"], dtype="string"), "has 1 missing values"),
        ([], r"one value for each person; its shape is \(0,\)"),
        (1, r"its shape is \(\)"),
        ([[0, 1], [1, 0]], r"its shape is \(2, 2\)"),
        (pd.DataFrame({"y": [0, 1, 1]}), r"its shape is \(3, 1\)"),
        ([object(), 1], "must hold 0 and 1"),
    ],
)
def test_bad_labels_and_predictions_are_named(given, message):
    with pytest.raises(ValueError, match=f"^y_true .*{message}"):
        binary(given)
    good, of = [0, 1] * 4, ["a", "b"] * 4
    with pytest.raises(ValueError, match=f"^y_true .*{message}"):
        counts(given, good, of)
    with pytest.raises(ValueError, match=f"^y_pred .*{message}"):
        counts(good, given, of)


def test_lengths_that_differ():
    with pytest.raises(ValueError, match="There are 3 labels and 2 predictions; each person needs both"):
        counts([0, 1, 1], [0, 1], ["a", "b", "a"])


@pytest.mark.parametrize("function", [counts, group_metrics])
def test_an_expected_group_that_is_empty(function):
    y, p, of = people(BY_HAND)
    message = r"The group 'c' is empty: nothing can be said about it\. There are a, b\."
    with pytest.raises(ValueError, match=message):
        function(y, p, of, expected=["a", "c", "d"])
    assert list(function(y, p, of, expected=["b", "a"]).index) == ["a", "b"]
    with pytest.raises(ValueError, match="'c' is empty"):  # also where one group alone remains
        function([0, 1], [0, 1], ["a", "a"], expected=["a", "c"])


@pytest.mark.parametrize("function", [counts, group_metrics, gaps])
def test_one_group_only(function):
    with pytest.raises(ValueError, match="There is only the group 'a': a comparison needs two"):
        function([0, 1, 1], [0, 1, 0], ["a"] * 3)


# Calibration ---------------------------------------------------------------------------------------------


def test_calibration_by_hand():
    scores = [0.0, 0.1, 0.5, 0.51, 1.0, 0.2, 0.9, 0.9]
    found = calibration([0, 1, 1, 0, 1, 0, 1, 1], scores, list("aaaaabbb"), [0, 0.5, 1])
    assert found.columns.tolist() == ["n", "score", "positive"]
    assert found.index.names == ["group", "range"]
    table = [(group, (max(0, cut.left), cut.right), *row) for (group, cut), *row in found.itertuples()]
    wanted = [
        ("a", (0, 0.5), 3, 0.2, 2 / 3),  # a range holds its upper end, and the first one its lower end
        ("a", (0.5, 1), 2, 0.755, 1 / 2),
        ("b", (0, 0.5), 1, 0.2, 0),
        ("b", (0.5, 1), 2, 0.9, 1),
    ]
    assert len(table) == len(wanted)
    for row, hand in zip(table, wanted, strict=True):
        assert row[:2] == hand[:2]
        assert row[2:] == pytest.approx(hand[2:], abs=1e-12)


def test_calibration_is_what_pandas_counts():
    rng = np.random.default_rng(4)
    scores, of = rng.random(500), rng.choice(["x", "y", "z"], 500)
    y = (rng.random(500) < scores).astype(int)
    edges = [0, 0.2, 0.4, 0.6, 0.8, 1]
    found = calibration(y, scores, of, edges)
    assert found["n"].sum() == 500
    assert len(found) == 15
    for (group, cut), row in found.iterrows():
        here = (of == group) & (scores > cut.left) & (scores <= cut.right)
        assert row["n"] == here.sum() > 0
        assert row["score"] == pytest.approx(scores[here].mean(), abs=1e-12)
        assert row["positive"] == pytest.approx(y[here].mean(), abs=1e-12)


def test_calibration_leaves_empty_ranges_out():
    found = calibration([0, 1, 1], [0.1, 0.9, 0.9], ["a", "a", "b"], [0, 0.5, 1])
    assert [(group, cut.right) for group, cut in found.index] == [("a", 0.5), ("a", 1), ("b", 1)]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.1, float("nan"), 0.3], r"1 of 3 scores are NaN or infinite\. Whoever got one has not been judged"),
        ([0.1, float("inf"), float("nan")], "2 of 3 scores are NaN or infinite"),
        ([0.1, None, 0.3], "1 of 3 scores are NaN"),
        (pd.array([0.1, pd.NA, 0.3], dtype=object), "Scores must be numbers, one for each person"),
        ([0.1, 0.2], r"3 people, and scores of the shape \(2,\); each person needs one score"),
        ([[0.1], [0.2], [0.3]], r"scores of the shape \(3, 1\)"),
        (["low", "high", "low"], "Scores must be numbers, one for each person; these hold 'low', 'high'"),
        ([0.1, 0.2, 1.2], r"The scores run from 0\.1 to 1\.2, the edges only from 0 to 1"),
        ([-0.1, 0.2, 0.2], r"The scores run from -0\.1 to 0\.2"),
    ],
)
def test_bad_scores_are_named(scores, message):
    with pytest.raises(ValueError, match=message):
        calibration([0, 1, 1], scores, ["a", "b", "a"], [0, 0.5, 1])


def test_calibration_checks_labels_and_groups_too():
    with pytest.raises(ValueError, match="y_true must hold 0 and 1"):
        calibration([0, 2], [0.1, 0.2], ["a", "b"], [0, 1])
    with pytest.raises(ValueError, match="missing for 1 of 2"):
        calibration([0, 1], [0.1, 0.2], ["a", None], [0, 1])


def test_finite_returns_floats():
    found = finite(np.array([0, 1], dtype=np.float32), 2)
    assert found.dtype == np.float64
    assert finite([True, False], 2).tolist() == [1.0, 0.0]


# The widest gap ------------------------------------------------------------------------------------------


def test_widest_by_hand():
    cells = cells_of({"a": (40, 10, 20, 30), "b": (10, 30, 10, 50), "c": (30, 20, 20, 30)})
    found = widest(cells, "demographic_parity")
    assert (found.name, found.rate, found.low, found.high) == ("demographic_parity", "selection_rate", "b", "a")
    assert found.interval == difference_of_proportions(60, 100, 20, 100)
    assert found.interval.value == pytest.approx(0.4)
    assert 0 < found.interval.low < 0.4 < found.interval.high < 1
    assert found.behind == 100
    opportunity = widest(cells, "equal_opportunity")
    assert (opportunity.low, opportunity.high) == ("b", "a")
    assert opportunity.interval == difference_of_proportions(40, 50, 10, 40)
    assert opportunity.behind == 40
    precision = widest(cells, "predictive_parity", 20)
    assert (precision.rate, precision.low, precision.high) == ("ppv", "b", "a")
    assert precision.interval == difference_of_proportions(40, 60, 10, 20)
    assert precision.behind == 20


@pytest.mark.parametrize("seed", range(6))
def test_widest_is_the_gap_where_everybody_counts(seed):
    y, p, of = at_random(seed, 2 + seed % 3)
    cells, all_of_them = counts(y, p, of), gaps(y, p, of)
    rates = group_metrics(y, p, of)
    for gap in COMPARED:
        found = widest(cells, gap, 1)
        assert found.interval.value == pytest.approx(all_of_them[gap], abs=1e-12)
        assert found.interval.value == pytest.approx(rates[found.rate][found.high] - rates[found.rate][found.low])


def test_widest_names_the_rate_of_equalised_odds_that_differs_most():
    assert widest(cells_of({"a": (30, 10, 40, 10), "b": (20, 20, 10, 40)}), "equalised_odds").rate == "fpr"
    assert widest(cells_of({"a": (40, 10, 10, 40), "b": (10, 40, 20, 30)}), "equalised_odds").rate == "tpr"


def test_widest_leaves_small_groups_out():
    table = {"a": (20, 0, 0, 20), "b": (10, 10, 10, 10), "tiny": (29, 0, 0, 0)}
    cells = cells_of(table)
    assert SMALL == 30
    found = widest(cells, "demographic_parity")
    assert {found.low, found.high} == {"a", "b"}
    assert found.interval.value == 0
    with_all = widest(cells, "demographic_parity", 29)  # as many as are asked for are enough
    assert (with_all.high, with_all.behind) == ("tiny", 29)
    assert with_all.interval.value == pytest.approx(0.5)


def test_a_rate_is_small_by_the_people_below_its_own_line():
    cells = cells_of({"a": (5, 5, 50, 40), "b": (10, 20, 50, 20)})
    assert widest(cells, "demographic_parity") is not None
    assert widest(cells, "equal_opportunity") is None  # ten people of a have the label 1
    assert widest(cells, "equalised_odds") is None  # one of its two rates is not known
    assert widest(cells, "equal_opportunity", 10).behind == 10
    assert widest(cells, "equal_opportunity", 11) is None


@pytest.mark.parametrize("at_least", [0, 1])
def test_nobody_is_never_enough(at_least):
    cells = cells_of({"a": (0, 0, 5, 5), "b": (1, 1, 5, 5), "c": (2, 0, 0, 5)})
    found = widest(cells, "equal_opportunity", at_least)
    assert (found.low, found.high) == ("b", "c")
    assert widest(cells.loc[["a", "b"]], "equal_opportunity", at_least) is None


def test_a_gap_that_does_not_exist():
    with pytest.raises(ValueError, match="There is no gap 'fairness'; there are demographic_parity, .* impact_ratio"):
        widest(cells_of(BY_HAND), "fairness")


def test_rate_of_one_group():
    cells = cells_of(BY_HAND)
    assert rate_of(cells.loc["a"], "tpr") == wilson(4, 5)
    assert rate_of(cells.loc["b"], "fpr") == wilson(1, 6)
    assert rate_of(cells.loc["b"], "npv") == wilson(5, 8)
    assert rate_of(cells_of({"a": (0, 0, 2, 3)}).loc["a"], "tpr") is None


# The edge of a limit -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "limit", "least", "wanted"),
    [
        (0.4 - 0.3, 0.1, False, True),
        (0.1001, 0.1, False, False),
        (0.8 - 0.7, 0.1, False, True),
        (0.24 / 0.3, 0.8, True, True),
        (0.7999, 0.8, True, False),
        (float("nan"), 1.0, False, False),
        (float("nan"), 0.0, True, False),
        (float("inf"), 1.0, False, False),
    ],
)
def test_one_rule_at_the_edge_of_a_limit(value, limit, least, wanted):
    assert keeps(value, limit, least) is wanted


@settings(max_examples=300)
@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_the_rule_at_the_edge_is_that_of_fractions(n, m, data):
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(1, m))
    gap, ratio = Fraction(a, n) - Fraction(b, m), Fraction(a, n) / Fraction(b, m)
    for tenths in range(11):
        limit = Fraction(tenths, 10)
        assert keeps(a / n - b / m, tenths / 10) == (gap <= limit)
        assert keeps((a / n) / (b / m), tenths / 10, least=True) == (ratio >= limit)


# The impact ratio, and every pair of groups --------------------------------------------------------------


def test_the_impact_ratio_has_an_interval_and_two_groups():
    cells = cells_of({"a": (40, 10, 20, 30), "b": (10, 30, 10, 50), "c": (30, 20, 20, 30)})
    found = widest(cells, "impact_ratio")
    assert (found.rate, found.low, found.high, found.behind) == ("selection_rate", "b", "a", 100)
    assert found.interval == ratio_of_proportions(20, 100, 60, 100)
    assert found.worst == found.interval.low
    spared = widest(cells, "impact_ratio", burden=True)
    assert (spared.rate, spared.low, spared.high) == ("spared_rate", "a", "b")
    assert spared.interval == ratio_of_proportions(40, 100, 80, 100)


def test_there_is_no_ratio_where_nobody_is_selected():
    nobody = cells_of({"a": (0, 20, 0, 30), "b": (0, 20, 0, 30), "few": (5, 0, 0, 0)})
    assert widest(nobody, "impact_ratio") is None
    assert widest(cells_of({"a": (0, 20, 0, 30), "b": (9, 20, 0, 30)}), "impact_ratio").interval.value == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_widest_gap_is_that_of_a_pair(seed):
    cells = counts(*at_random(seed, 4))
    for gap in (*COMPARED, "impact_ratio"):
        found, every = widest(cells, gap), pairs(cells, gap)
        assert len(every) == 6 * len(compared(gap))
        assert found in every
        edge = min if gap == "impact_ratio" else max
        assert found.interval.value == edge(one.interval.value for one in every)
        for one in every:
            ends = (one.interval.low, one.interval.high)
            assert one.worst == (min(ends[0], 1 / ends[1]) if gap == "impact_ratio" else max(ends[1], -ends[0]))


def test_a_reversed_gap_is_seen():
    """Between few people the group that is ahead in the sample may be far behind."""
    found = widest(cells_of({"a": (0, 0, 16, 16), "b": (0, 0, 1560, 1640)}), "demographic_parity")
    assert found.interval.value == pytest.approx(0.0125)
    assert found.worst == max(found.interval.high, -found.interval.low) > 0.15


def test_every_comparison_is_of_a_rate_that_exists():
    assert {rate for rates in COMPARED.values() for rate in rates} <= set(RATES)
