"""The yardstick itself is measured: against published values, known counts and simulated coverage."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from helix import measure
from helix.measure import Interval, intervals, machine

# Intervals -----------------------------------------------------------------------------------------------


def test_interval_reads_well():
    interval = Interval(0.1234, 0.1014, 0.1466)
    assert str(interval) == "0.123 [0.101, 0.147]"
    assert f"{interval:.1%}" == "12.3% [10.1%, 14.7%]"
    assert 0.1014 in interval
    assert 0.1013 not in interval
    assert interval.width == pytest.approx(0.0452)


WHOLE = [int, float, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float32]


@pytest.mark.parametrize("kind", WHOLE, ids=lambda kind: kind.__name__)
def test_counts_of_any_type_give_the_same_interval(kind):
    """A count of a small type is squared and multiplied here; in its own type that would overflow in silence."""
    won, lost, n = (kind(count) for count in (3, 50, 120))
    assert measure.wilson(lost, n) == measure.wilson(50, 120)
    assert measure.difference_of_proportions(lost, n, won, n) == measure.difference_of_proportions(50, 120, 3, 120)
    assert measure.ratio_of_proportions(lost, n, won, n) == measure.ratio_of_proportions(50, 120, 3, 120)
    assert measure.paired_difference(won, lost, n) == measure.paired_difference(3, 50, 120)


def test_counts_near_the_end_of_their_type():
    assert str(measure.wilson(np.int32(10_000), np.int32(32_768))) == "0.305 [0.300, 0.310]"
    assert measure.wilson(np.int64(10**9), np.int64(2**31)) == measure.wilson(10**9, 2**31)
    assert measure.wilson(np.uint8(200), np.uint8(250)) == measure.wilson(200, 250)
    four = (640, 679, 100, 65_536)
    assert measure.difference_of_proportions(*map(np.int32, four)) == measure.difference_of_proportions(*four)
    assert measure.paired_difference(np.uint8(3), np.uint8(5), np.uint8(255)) == measure.paired_difference(3, 5, 255)


def test_the_ratio_solves_its_equation():
    """(a − R b)² is what the ends of both groups' intervals lie from their estimates, at either end R."""
    for counts in ((10, 100, 20, 100), (1, 30, 29, 30), (57, 60, 2, 300), (20, 20, 3, 9)):
        found = measure.ratio_of_proportions(*counts)
        a, b = measure.wilson(*counts[:2]), measure.wilson(*counts[2:])
        for ratio, end_a, end_b in ((found.low, a.low, b.high), (found.high, a.high, b.low)):
            left, right = (a.value - ratio * b.value) ** 2, (a.value - end_a) ** 2 + ratio**2 * (b.value - end_b) ** 2
            assert left == pytest.approx(right, rel=1e-9)
        assert found.low <= found.value <= found.high


def test_the_ratio_covers_what_it_promises():
    rng = np.random.default_rng(3)
    for a, b, n, m in ((0.1, 0.2, 100, 100), (0.5, 0.6, 300, 200), (0.02, 0.1, 200, 2000), (0.9, 0.95, 60, 60)):
        draws = [(i, j) for i, j in zip(rng.binomial(n, a, 1500), rng.binomial(m, b, 1500), strict=True) if j]
        inside = np.mean([a / b in measure.ratio_of_proportions(i, n, j, m) for i, j in draws])
        assert 0.93 < inside < 0.98, (a, b, inside)


def test_the_ratio_at_its_edges():
    none = measure.ratio_of_proportions(0, 40, 20, 100)
    assert none.value == none.low == 0 < none.high < 1
    wide = measure.ratio_of_proportions(1, 2, 1, 2)
    assert 0 < wide.low < 1 < wide.high
    with pytest.raises(ValueError, match="group b has 0 of 9"):
        measure.ratio_of_proportions(1, 9, 0, 9)


def test_a_sample_of_objects_is_read_as_numbers():
    assert measure.bootstrap(np.array([1, 2, 4], dtype=object)) == measure.bootstrap([1.0, 2.0, 4.0])
    for missing in (np.nan, None):
        with pytest.raises(ValueError, match="NaN"):
            measure.bootstrap(np.array([1, missing, 3], dtype=object))
    with pytest.raises(ValueError, match="A bootstrap needs numbers"):
        measure.bootstrap(["low", "high"])


def test_a_difference_of_unsigned_numbers_has_a_sign():
    found = measure.bootstrap_difference(np.array([1, 2, 3], np.uint8), np.array([5, 6, 7], np.uint8), np.max)
    assert (found.value, found.high) == (-4, -2)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_a_median_of_nothing_or_of_nan(values):
    with pytest.raises(ValueError, match="at least one value, and none that is NaN"):
        intervals.median(values)


# R. G. Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_published(successes, n, low, high):
    interval = measure.wilson(successes, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    assert interval.value in interval


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (3, 7), (500, 1000), (1000, 1000)])
def test_wilson_as_scipy(successes, n, level):
    reference = binomtest(successes, n).proportion_ci(level, method="wilson")
    interval = measure.wilson(successes, n, level)
    assert (interval.low, interval.high) == pytest.approx(tuple(reference), abs=1e-12)
    assert interval.level == level


# R. G. Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_published(counts, low, high):
    interval = measure.difference_of_proportions(*counts)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_paired_difference_by_hand():
    # Of 1,000 pictures 10 are newly right and 40 newly wrong; with half a picture more in each of four cells.
    interval = measure.paired_difference(10, 40, 1000)
    assert interval.value == pytest.approx(-0.03)
    spread = (51 - 30**2 / 1002) ** 0.5 / 1002
    assert (interval.low, interval.high) == pytest.approx(
        (-30 / 1002 - 1.959964 * spread, -30 / 1002 + 1.959964 * spread), abs=1e-7
    )


def test_paired_difference_knows_that_few_items_show_little():
    assert measure.paired_difference(0, 0, 20).low < -0.05
    assert measure.paired_difference(0, 0, 2000).low > -0.002
    assert measure.paired_difference(20, 0, 20).high == 1.0
    assert measure.paired_difference(0, 20, 20).low == -1.0


def test_paired_difference_is_narrower_than_for_independent_samples():
    paired, independent = measure.paired_difference(5, 5, 1000), measure.difference_of_proportions(900, 1000, 900, 1000)
    assert paired.width < independent.width / 3


def test_paired_difference_covers_what_it_promises():
    def interval_of(rng):
        lost, won, _ = rng.multinomial(300, [0.06, 0.02, 0.92])
        return measure.paired_difference(won, lost, 300)

    assert 0.95 - 4 * (0.95 * 0.05 / 200) ** 0.5 <= covered(interval_of, -0.04) <= 1.0


@pytest.mark.parametrize("bad", [(0, 0, 0), (-1, 0, 5), (0, -1, 5), (3, 3, 5)])
def test_impossible_pairs(bad):
    with pytest.raises(ValueError, match="cannot have been won"):
        measure.paired_difference(*bad)


@pytest.mark.parametrize("bad", [(1, 0), (-1, 5), (6, 5), (float("nan"), 5)])
def test_impossible_proportions(bad):
    with pytest.raises(ValueError, match="0 <= successes <= n"):
        measure.wilson(*bad)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_impossible_levels(level):
    for call in (lambda: measure.wilson(1, 2, level), lambda: measure.bootstrap([1, 2], level=level)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            call()


def covered(interval_of, truth, trials=200):
    rng = np.random.default_rng(0)
    return np.mean([truth in interval_of(rng) for _ in range(trials)])


def test_bootstrap_covers_what_it_promises():
    # Four standard deviations of 200 trials around 0.95 and 0.9, and a little lower for a small sample.
    mean = covered(lambda r: measure.bootstrap(r.normal(3, 2, 60), resamples=200), 3)
    assert 0.87 < mean < 1
    median = covered(lambda r: measure.bootstrap(r.normal(3, 2, 61), np.median, level=0.9, resamples=200), 3)
    assert 0.81 < median < 0.985


def test_bootstrap_difference_covers_and_pairing_narrows():
    def pair(r):
        person = r.normal(0, 5, 50)
        return person + r.normal(1, 1, 50), person + r.normal(0, 1, 50)

    for paired in (False, True):
        share = covered(
            lambda r, paired=paired: measure.bootstrap_difference(*pair(r), paired=paired, resamples=200), 1
        )
        assert share > 0.89
        assert share < 0.99 or not paired  # unpaired intervals of paired data are far too wide
    a, b = pair(np.random.default_rng(1))
    together = measure.bootstrap_difference(a, b, paired=True)
    apart = measure.bootstrap_difference(a, b)
    assert together.width < apart.width / 3
    assert together == measure.bootstrap(a - b) or together.low == pytest.approx(measure.bootstrap(a - b).low)


def test_bootstrap_keeps_rows_together_and_repeats_itself():
    x = np.arange(30.0)
    rows = np.column_stack([x, 2 * x])
    interval = measure.bootstrap(rows, lambda sample: np.corrcoef(sample.T)[0, 1])
    assert (interval.low, interval.high) == pytest.approx((1, 1))
    assert measure.bootstrap(x, seed=1) == measure.bootstrap(x, seed=1) != measure.bootstrap(x, seed=2)
    state = np.random.get_state()[1].copy()  # noqa: NPY002  the learner's own generator stays untouched
    measure.bootstrap(x)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_bootstrap_refuses_bad_samples():
    with pytest.raises(ValueError, match="at least two values"):
        measure.bootstrap([1.0])
    with pytest.raises(ValueError, match="contains NaN"):
        measure.bootstrap([1.0, np.nan])
    with pytest.raises(ValueError, match="same length; got 3 and 2"):
        measure.bootstrap_difference([1, 2, 3], [1, 2], paired=True)


def test_order_statistics_of_the_median():
    seven = intervals.median([5, 1, 4, 2, 3, 7, 6])
    assert (seven.value, seven.low, seven.high) == (4, 1, 7)
    assert seven.level == pytest.approx(126 / 128)
    twenty = intervals.median(range(1, 21))
    assert (twenty.value, twenty.low, twenty.high) == (10.5, 6, 15)
    assert twenty.level == pytest.approx(1 - 2 * binom.cdf(5, 20, 0.5))
    assert 1 - 2 * binom.cdf(6, 20, 0.5) < 0.95  # and the next narrower one is too narrow
    assert intervals.median([1, 2, 3]).level == pytest.approx(0.75)  # all that three values can give
    assert 0.94 < covered(lambda r: intervals.median(r.exponential(1, 20)), np.log(2), 2000) < 0.975


# Time ----------------------------------------------------------------------------------------------------


@pytest.fixture
def ticking(monkeypatch):
    """A clock that only moves when told to."""
    clock = {"now": 0.0}
    monkeypatch.setitem(measure.CLOCKS, "cpu", lambda: clock["now"])

    def work(seconds):
        clock["now"] += seconds

    return work


def test_compare_interleaves_and_warms_up(ticking):
    order = []
    functions = {name: (lambda name=name: (order.append(name), ticking(1))) for name in "abc"}
    timing = measure.compare(functions, repeats=4, warmup=2)
    assert "".join(order) == "abc" * 6
    assert timing.seconds == dict.fromkeys("abc", (1.0,) * 4)


def test_ratio_is_taken_round_by_round(ticking):
    weather = itertools.chain([99], [1, 10, 1, 5, 1, 1, 7])  # warm-up, then a machine with moods
    mood = {}

    def slow():
        mood["now"] = next(weather)
        ticking(4 * mood["now"])

    timing = measure.compare({"slow": slow, "fast": lambda: ticking(mood["now"])})
    ratio = timing.ratio("fast", over="slow")
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.25, 0.25, 0.25))
    assert ratio.level == pytest.approx(126 / 128)
    assert timing.ratio("slow", over="fast").value == pytest.approx(4)
    assert (timing.median("slow").value, timing.median("slow").high) == pytest.approx((4, 40))
    table = timing.table()
    assert list(table.index) == ["slow", "fast"]
    assert table.loc["fast", "median_ms"] == pytest.approx(1000)
    assert table.loc["fast", "ratio to slow"] == pytest.approx(0.25)
    assert "0.250" in str(timing)
    assert str(timing).startswith("Milliseconds of CPU time a call, median of 7 interleaved rounds, one thread.")


def test_clocks_differ():
    sleep = {"sleep": lambda: time.sleep(0.02)}
    assert measure.compare(sleep, repeats=3, clock="wall").median("sleep").value >= 0.02
    assert measure.compare(sleep, repeats=3).median("sleep").value < 0.01


def test_no_time_at_all_still_gives_a_ratio(ticking):
    assert measure.compare({"a": lambda: None, "b": lambda: None}).ratio("a", over="b").value == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "nothing to time"),
        (({"a": int}, 2), "at least 3 repeats"),
        (({"a": int}, 3, -1), "no negative warmup"),
        (({"a": int}, 3, 1, "moon"), "'cpu' or 'wall'; got 'moon'"),
    ],
)
def test_compare_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        measure.compare(*arguments)


def test_ratio_names_what_it_knows():
    timing = measure.compare({"plain": int, "fused": int}, repeats=3)
    with pytest.raises(ValueError, match="'fast' was not timed; the names are 'plain', 'fused'"):
        timing.ratio("fast", over="plain")


def test_threads_are_one_inside_and_restored_even_after_an_error():
    torch = pytest.importorskip("torch")
    before, inside = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        measure.compare({"a": lambda: inside.append(torch.get_num_threads())}, repeats=3)
        with pytest.raises(ZeroDivisionError):
            measure.compare({"a": lambda: 1 / 0})
        assert set(inside) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_timing_and_hardware_do_not_import_torch():
    code = (
        "import sys; from helix import measure; measure.compare({'a': int}); measure.hardware(); "
        "measure.peak_memory(int); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Memory --------------------------------------------------------------------------------------------------

MIB = 2**20
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="peak memory is measured in a forked process")


@needs_fork
def test_peak_memory_sees_the_peak_and_not_only_what_remains():
    assert measure.peak_memory(lambda: None).extra < 4 * MIB
    kept = measure.peak_memory(lambda: np.ones(8 * MIB)).extra
    passing = measure.peak_memory(lambda: float(np.ones(8 * MIB)[0])).extra
    for extra in (kept, passing):
        assert 64 * MIB <= extra < 80 * MIB
    assert measure.peak_memory(lambda: np.empty(8 * MIB)).extra < 4 * MIB  # asked for, but never touched


@needs_fork
def test_peak_memory_is_not_hidden_by_the_past():
    past = [bytes(2000) for _ in range(40_000)]
    del past
    np.ones(32 * MIB)
    assert measure.peak_memory(lambda: [bytes(2000) for _ in range(40_000)]).extra > 60 * MIB


@needs_fork
def test_peak_memory_leaves_no_trace_and_says_what_went_wrong():
    seen = []
    measure.peak_memory(lambda: seen.append(1))
    assert seen == []
    with pytest.raises(RuntimeError, match="The measured call raised ZeroDivisionError: division by zero"):
        measure.peak_memory(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="SystemExit"):
        measure.peak_memory(lambda: sys.exit(3))
    with pytest.raises(RuntimeError, match=r"ended early \(SIGKILL\)"):
        measure.peak_memory(lambda: os.kill(os.getpid(), 9))
    with pytest.raises(RuntimeError, match=r"ended early \(exit status 4\)"):
        measure.peak_memory(lambda: os._exit(4))
    with contextlib.suppress(ChildProcessError):
        assert os.waitpid(-1, os.WNOHANG)[0] == 0  # no zombie remains


def test_peak_memory_without_fork(monkeypatch):
    monkeypatch.delattr(os, "fork", raising=False)
    with pytest.raises(RuntimeError, match="WSL2"):
        measure.peak_memory(int)


@needs_fork
def test_peak_memory_of_torch_after_threads_ran():
    torch = pytest.importorskip("torch")
    x = torch.ones(600, 600)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        _ = x @ x  # the pool of threads exists now, and is lost in a fork
        extra = measure.peak_memory(lambda: torch.ones(16 * MIB) * 2).extra
    finally:
        torch.set_num_threads(before)
    assert 128 * MIB <= extra < 170 * MIB


def test_memory_reads_well():
    assert str(measure.MemoryUse(extra=3 * MIB // 2, baseline=20 * MIB)) == "1.5 MiB on top of 20.0 MiB"


# Size and operations -------------------------------------------------------------------------------------


def test_size_on_disk(tmp_path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "a").write_bytes(b"12345")
    (tmp_path / "folder" / "deep" / "b").write_bytes(b"123")
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "folder" / "a")
    assert measure.size_on_disk(tmp_path / "folder" / "a") == 5
    assert measure.size_on_disk(tmp_path / "folder") == 8
    with pytest.raises(FileNotFoundError, match="run the cell that writes it first"):
        measure.size_on_disk(tmp_path / "nothing")


def test_counts_of_a_module():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    net = nn.Sequential(nn.Linear(10, 20), nn.BatchNorm1d(20), nn.Linear(20, 20, bias=False))
    assert measure.parameter_count(net) == 10 * 20 + 20 + 2 * 20 + 400
    # batch norm keeps two float vectors and one int64 counter as well
    assert measure.state_size(net) == 4 * (660 + 2 * 20) + 8
    net[0].weight.requires_grad_(False)
    assert measure.parameter_count(net, trainable=True) == 460
    assert measure.state_size(net.half()) == 2 * 700 + 8

    tied = nn.Module()
    tied.first = tied.second = nn.Linear(5, 5)
    tied.third = nn.Linear(5, 5, bias=False)
    tied.third.weight = tied.first.weight
    assert measure.parameter_count(tied) == 30
    assert measure.state_size(tied) == 120
    assert measure.state_size(nn.Linear(5, 5, device="meta")) == 120


def test_state_size_is_what_safetensors_writes(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    net = torch.nn.Conv2d(3, 16, 3)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    header = int.from_bytes((tmp_path / "net.safetensors").read_bytes()[:8], "little")
    assert measure.size_on_disk(tmp_path / "net.safetensors") == measure.state_size(net) + header + 8


def test_state_size_finds_packed_tensors():
    torch = pytest.importorskip("torch")

    class Packed(torch.nn.Module):
        """Keeps its weights as torch's int8 layers do: in a tuple of the state, not as parameters."""

        def get_extra_state(self):
            return (torch.zeros(100, dtype=torch.int8), torch.zeros(5)), "linear"

    assert measure.parameter_count(Packed()) == 0
    assert measure.state_size(Packed()) == 120


def test_flops_follow_the_hand_formula():
    torch = pytest.importorskip("torch")
    b, m, n = 4, 10, 20
    assert measure.flops(torch.nn.Linear(m, n), torch.randn(b, m)) == 2 * b * m * n
    conv = torch.nn.Conv2d(3, 16, kernel_size=5, padding=2)
    assert measure.flops(conv, torch.randn(b, 3, 32, 28)) == 2 * b * 16 * 32 * 28 * 3 * 5 * 5
    x = torch.randn(m, n, requires_grad=True)
    forward = 2 * m * n * m
    assert measure.flops(lambda a: a @ a.T, x) == forward
    assert measure.flops(lambda a: (a @ a.T).sum().backward(), x) == 3 * forward


# The machine ---------------------------------------------------------------------------------------------


def test_hardware_describes_the_machine_and_nobody():
    import platform

    facts = measure.hardware()
    assert facts["cores"] == os.cpu_count()
    assert facts["numpy"] == np.__version__
    assert facts["python"] == platform.python_version()
    assert set(facts["instructions"]) <= set(machine._INSTRUCTIONS)
    text = json.dumps(facts)
    assert platform.node() not in facts.values()
    assert os.path.expanduser("~") not in text
    assert "/" not in text


def test_hardware_on_a_mac(monkeypatch):
    answers = {
        "machdep.cpu.brand_string": "Intel(R) Core(TM) i7",
        "machdep.cpu.leaf7_features": "AVX2 AVX512F AVX512VNNI",
    }
    real = machine.Path.read_text

    def read_text(path, *args, **kwargs):
        if str(path).startswith("/proc"):
            raise FileNotFoundError(path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(machine.Path, "read_text", read_text)
    monkeypatch.setattr(machine, "_sysctl", lambda name: answers.get(name, ""))
    facts = measure.hardware()
    assert facts["cpu"] == "Intel(R) Core(TM) i7"
    assert facts["instructions"] == ["avx2", "avx512f", "avx512_vnni"]

    monkeypatch.setattr(machine, "_sysctl", lambda name: "")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    assert measure.hardware()["cpu"] == "unknown"
    assert measure.hardware()["instructions"] == []


def test_sysctl_that_is_missing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert machine._sysctl("machdep.cpu.brand_string") == ""
