"""Chapter 00: what it writes out equals what the package does; its audit counts right and refuses bad input."""

import numpy as np
import pandas as pd
import pytest

from helix import measure
from helix.start_here import sample_gap
from lessons import from_chapter


@pytest.mark.parametrize("n", [1, 7, 33, 1000])
def test_wilson_by_hand_is_the_yardstick(n):
    by_hand = from_chapter("00", "wilson_by_hand", np=np)
    for k in range(0, n + 1, max(1, n // 7)):
        interval = measure.wilson(k, n)
        assert by_hand(k, n) == pytest.approx((interval.low, interval.high), abs=1e-6)


@pytest.fixture
def people():
    """Ten men of whom eight are selected, ten women of whom two are."""
    sex = pd.Categorical(["Male"] * 10 + ["Female"] * 10)
    return pd.DataFrame({"sex": sex, "income_over_50k": [1] * 8 + [0] * 2 + [1] * 2 + [0] * 8})


def test_audit_of_everybody_is_the_truth(people):
    found = sample_gap(people, size=20, rng=np.random.default_rng(0))
    assert found.gap.value == pytest.approx(0.6)
    assert (found.gap.low, found.gap.high) == pytest.approx(
        (measure.difference_of_proportions(8, 10, 2, 10).low, measure.difference_of_proportions(8, 10, 2, 10).high)
    )
    assert found.sees


def test_audit_that_measures_no_gap_sees_none(people):
    found = sample_gap(people.assign(income_over_50k=[1, 0] * 10), size=20, rng=np.random.default_rng(0))
    assert found.gap.value == 0
    assert not found.sees


def test_audit_without_one_of_the_groups_is_none(people):
    assert sample_gap(people.iloc[:10], size=5, rng=np.random.default_rng(0)) is None
    assert sample_gap(people.iloc[10:], size=5, rng=np.random.default_rng(0)) is None


def test_audit_is_repeatable_and_draws_without_replacement(people):
    first, second = (sample_gap(people, size=12, rng=np.random.default_rng(5)) for _ in range(2))
    assert first == second
    everybody = {sample_gap(people, size=20, rng=np.random.default_rng(seed)).gap.value for seed in range(5)}
    assert len({round(value, 12) for value in everybody}) == 1


@pytest.mark.parametrize("size", [0, -1, 21])
def test_impossible_size_is_refused(people, size):
    with pytest.raises(ValueError, match="take 1 to 20"):
        sample_gap(people, size=size, rng=np.random.default_rng(0))
