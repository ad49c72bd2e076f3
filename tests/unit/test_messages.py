"""Message times: known lines are found again, intervals cover, bad measurements are refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from helix.distributed.measured.messages import fit

ALPHA, BETA = 2e-5, 4e-10
SIZES = [2.0**k for k in range(3, 25, 3)]


def line(noise=0.0, seed=0, repeats=1, alpha=ALPHA):
    draw = np.random.default_rng(seed)
    return [
        (x, (alpha + BETA * x) * float(np.exp(noise * draw.standard_normal()))) for x in SIZES for _ in range(repeats)
    ]


@pytest.mark.parametrize("relative", [True, False])
def test_exact_line(relative):
    found = fit(line(), relative=relative)
    assert found.alpha == pytest.approx(ALPHA, rel=1e-6)
    assert found.beta == pytest.approx(BETA, rel=1e-9)
    assert found.largest == SIZES[-1]
    assert found.message(1e6).value == pytest.approx(ALPHA + BETA * 1e6)


def test_ring_all_reduce_is_its_messages():
    found = fit(line())
    for n in (2, 3, 1000):
        wanted = 2 * (n - 1) * (ALPHA + BETA * 1e8 / n)
        assert found.ring_all_reduce(1e8, n).value == pytest.approx(wanted)
    assert found.ring_all_reduce(1e8, 1).value == 0


def test_intervals_cover_as_often_as_they_say():
    covered = {"alpha": 0, "beta": 0, "ring": 0}
    for seed in range(300):
        found = fit(line(0.05, seed))
        covered["alpha"] += ALPHA in found.latency
        covered["beta"] += BETA in found.seconds_per_byte
        covered["ring"] += 2 * 63 * (ALPHA + BETA * 1e7 / 64) in found.ring_all_reduce(1e7, 64)
    assert all(270 <= times <= 297 for times in covered.values()), covered


def test_level_and_more_pairs_change_the_width():
    wide, narrow = fit(line(0.05), level=0.99), fit(line(0.05), level=0.8)
    assert wide.latency.width > narrow.latency.width
    assert fit(line(0.05, repeats=20)).latency.width < 0.6 * fit(line(0.05)).latency.width


def test_relative_fit_finds_alpha_in_noise_that_grows_with_size():
    errors = {True: [], False: []}
    for seed in range(40):
        for relative, into in errors.items():
            into.append(abs(fit(line(0.05, seed), relative=relative).alpha / ALPHA - 1))
    assert 5 * np.median(errors[True]) < np.median(errors[False])


def test_plain_fit_is_a_linear_regression():
    pairs = line(0.05, 3)
    wanted = stats.linregress(*zip(*pairs, strict=True))
    found = fit(pairs, relative=False)
    t = stats.t.ppf(0.975, len(pairs) - 2)
    assert found.alpha == pytest.approx(wanted.intercept)
    assert found.beta == pytest.approx(wanted.slope)
    assert found.seconds_per_byte.high - found.beta == pytest.approx(t * wanted.stderr)
    assert found.latency.high - found.alpha == pytest.approx(t * wanted.intercept_stderr)


def test_no_negative_latency():
    pairs = [(1e3, 0.9e-6), (1e6, 1.2e-3), (2e6, 2.4e-3), (4e6, 4.9e-3)]
    found = fit(pairs, relative=False)
    assert found.alpha == 0
    assert found.latency.low == found.latency.high == 0
    assert found.beta == pytest.approx(1.22e-9, rel=0.02)
    assert found.ring_all_reduce(10, 1000).value > 0


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "at least 3 pairs"),
        ([(1, 1), (2, 2)], "at least 3 pairs"),
        ([(8, 1), (8, 2), (8, 3)], "at least 2 sizes|of 1"),
        ([(1, 1), (2, 2), (3, float("nan"))], "finite"),
        ([(1, 1), (2, 2), (float("inf"), 3)], "finite"),
        ([(-1, 1), (2, 2), (3, 3)], "0 or more"),
        ([(1, 1), (2, 0), (3, 3)], "more than 0"),
        ([(1, 3), (2, 2), (3, 1)], "takes no longer"),
        ([(1, 1, 1), (2, 2, 2), (3, 3, 3)], "two numbers"),
        ([(1, "a"), (2, 2), (3, 3)], "two numbers"),
        ([1, 2, 3], "two numbers"),
    ],
)
def test_bad_pairs(pairs, words):
    with pytest.raises(ValueError, match=words):
        fit(pairs)


def test_bad_questions():
    found = fit(line())
    with pytest.raises(ValueError, match="0 or more bytes"):
        found.message(-1)
    for processes in (0, 2.5, True):
        with pytest.raises(ValueError, match="whole number of processes"):
            found.ring_all_reduce(1, processes)
    with pytest.raises(ValueError, match="within"):
        fit(line(), level=1.0)
