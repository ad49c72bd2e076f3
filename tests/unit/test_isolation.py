"""Whatever a learner's code does, it is stopped in time, leaves nothing behind, and the notebook stays as it was."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from helix.checking import Outcome, exercise, expect, isolation
from helix.texts import AT_MOST

MB = isolation.MEGABYTE
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks a child for each check")


@pytest.fixture(autouse=True)
def _own_work(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))


def gone(process: int) -> bool:
    """Say whether a process has ended, within two seconds; one that waits to be reaped has."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def loops():
    while True:
        pass


def loops_in_c():
    return {"sum": sum(range(10**12))}


def swallows_everything():
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722
            pass


def ignores_signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    loops()


def stops_itself():
    os.kill(os.getpid(), signal.SIGSTOP)


def prints_endlessly():
    while True:
        print("again " * 1000)


def waits_for_a_lock():
    lock = threading.Lock()
    with lock, lock:
        pass


def grows_a_list():
    held = []
    while True:
        held.append(bytearray(MB))


def fills_zeros():
    wanted = np.zeros(50 * 2**30 // 8)
    wanted += 1
    return {}


def doubles_a_text():
    text = "x" * MB
    while True:
        text += text


def leaves():
    os._exit(0)


def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def reads_address_zero():
    ctypes.string_at(0)


def aborts():
    os.abort()


def closes_every_file():
    os.closerange(0, 256)
    return {}


def exits():
    sys.exit("enough")


def interrupts():
    raise KeyboardInterrupt


def returns_no_json():
    return {"value": object()}


def recurses():
    return recurses()


# ------------------------------------------------------------------ it is stopped, and it is said why


@linux
@pytest.mark.parametrize(
    "function",
    [loops, loops_in_c, swallows_everything, ignores_signals, stops_itself, prints_endlessly, waits_for_a_lock],
)
def test_what_does_not_end_is_stopped_in_time(function):
    start = time.monotonic()
    ran = isolation.run(function, 0.4, 512 * MB)
    assert (ran.value, ran.stopped) == (None, "time")
    assert time.monotonic() - start < 3


@linux
@pytest.mark.parametrize("function", [grows_a_list, fills_zeros, doubles_a_text])
def test_what_takes_too_much_memory_is_stopped(function):
    ran = isolation.run(function, 20, 300 * MB)
    assert (ran.value, ran.stopped) == (None, "memory")


@linux
@pytest.mark.parametrize(
    "function",
    [
        leaves,
        kills_itself,
        reads_address_zero,
        aborts,
        closes_every_file,
        exits,
        interrupts,
        returns_no_json,
        recurses,
    ],
)
def test_what_ends_the_process_ends_only_the_child(function):
    ran = isolation.run(function, 20, 512 * MB)
    assert (ran.value, ran.stopped) == (None, "crash")
    assert isolation.run(lambda: {"still": "here"}, 20, 512 * MB).value == {"still": "here"}


@linux
def test_the_limit_is_on_top_of_what_the_process_holds():
    held = np.ones(200 * MB // 8)
    assert isolation.run(lambda: {"sum": float(np.ones(50 * MB // 8).sum())}, 20, 100 * MB).value
    assert isolation.run(lambda: {"sum": float((held + 1).sum())}, 20, 100 * MB).stopped == "memory"


# ------------------------------------------------------------------ what comes back


@linux
def test_value_and_print_come_back():
    def answer():
        print("to the one")
        print("to the other", file=sys.stderr)
        return {"number": 0.1, "text": "写一首诗\n", "none": None, "nan": float("nan")}

    ran = isolation.run(answer, 20, 512 * MB)
    assert (ran.stopped, ran.printed) == ("", "to the one\nto the other\n")
    assert ran.value is not None
    assert ran.value["number"] == 0.1
    assert ran.value["text"] == "写一首诗\n"
    assert ran.value["nan"] != ran.value["nan"]


@linux
def test_only_the_beginning_of_what_is_printed_is_kept():
    def answer():
        print("x" * 10**6)
        print("y" * 10**6)
        return {}

    printed = isolation.run(answer, 20, 512 * MB).printed
    assert printed
    assert set(printed) == {"x", "…"}
    assert len(printed) == AT_MOST
    assert len(printed) < 10_000


@linux
def test_a_large_value_does_not_block():
    ran = isolation.run(lambda: {"text": "x" * (2 * MB)}, 20, 512 * MB)
    assert ran.value is not None
    assert len(ran.value["text"]) == 2 * MB


@linux
def test_half_a_surrogate_pair_becomes_a_question_mark():
    def answer():
        print("\udcff")
        return {"text": "\ud800!"}

    ran = isolation.run(answer, 20, 512 * MB)
    assert ran.value == {"text": "?!"}
    assert ran.printed == "?\n"


@linux
def test_an_answer_that_forks_counts_once():
    def answer():
        os.fork()
        return {"value": 1}

    assert [isolation.run(answer, 20, 512 * MB).value for _ in range(10)] == [{"value": 1}] * 10


# ------------------------------------------------------------------ the notebook is as it was


@linux
def test_nothing_of_the_parent_changes():
    numbers, array, table = [1, 2], np.arange(3), {"a": 1}
    state, folder = random.getstate(), Path.cwd()

    def answer():
        numbers.append(3)
        array[:] = 9
        table.clear()
        random.seed(0)
        os.environ["HELIX_CHANGED"] = "1"
        os.chdir("/")
        os.close(1)
        print("closed, and still no error")
        sys.modules.pop("json")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return {"changed": len(numbers)}

    handler, out = signal.getsignal(signal.SIGINT), sys.stdout
    assert isolation.run(answer, 20, 512 * MB).value == {"changed": 3}
    assert (numbers, array.tolist(), table) == ([1, 2], [0, 1, 2], {"a": 1})
    assert random.getstate() == state
    assert "HELIX_CHANGED" not in os.environ
    assert Path.cwd() == folder
    assert os.fstat(1)
    assert "json" in sys.modules
    assert signal.getsignal(signal.SIGINT) is handler
    assert sys.stdout is out


@linux
def test_no_file_stays_open():
    before = len(os.listdir("/proc/self/fd"))
    for function in (dict, leaves, loops):
        isolation.run(function, 0.2, 512 * MB)
    assert len(os.listdir("/proc/self/fd")) == before


@linux
@pytest.mark.parametrize("then", ["return", "loop", "exit"])
def test_no_process_is_left_behind(then, tmp_path):
    note = tmp_path / "processes"

    def answer():
        sleeper = subprocess.Popen(["sleep", "60"])
        forked = os.fork()
        if not forked:
            time.sleep(60)
        threading.Thread(target=loops, daemon=True).start()
        threading.Thread(target=time.sleep, args=(60,)).start()  # no daemon: an ordinary exit would wait for it
        note.write_text(f"{os.getpid()} {sleeper.pid} {forked}")
        if then == "loop":
            loops()
        if then == "exit":
            sys.exit()
        return {}

    start = time.monotonic()
    isolation.run(answer, 1.5, 512 * MB)
    assert time.monotonic() - start < 12  # at most six times the limit on a busy machine, and some for the start
    assert all(gone(int(process)) for process in note.read_text().split())


@linux
def test_an_interrupt_while_waiting_ends_the_child(tmp_path):
    note = tmp_path / "process"

    def answer():
        note.write_text(str(os.getpid()))
        loops()

    def interrupt():
        while not (note.exists() and note.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        isolation.run(answer, 20, 512 * MB)
    thread.join()
    assert gone(int(note.read_text()))


# ------------------------------------------------------------------ libraries with threads of their own


@linux
def test_backward_works_after_the_parent_ran_it_with_several_threads():
    torch = pytest.importorskip("torch")

    def gradient(size):
        weight = torch.ones(size, size, requires_grad=True)
        (weight @ weight).relu().sum().backward()
        return {"gradient": float(weight.grad[0, 0])}

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert gradient(600)["gradient"] == 1200
        ran = isolation.run(lambda: gradient(600), 20, 1024 * MB)
        assert ran.value == {"gradient": 1200.0}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@linux
def test_scikit_learn_works_after_the_parent_ran_it_with_several_threads():
    pytest.importorskip("sklearn")
    code = """if True:
        import numpy as np
        from sklearn.cluster import KMeans
        from helix.checking import isolation

        def fit():
            points = np.random.default_rng(0).random((600, 8))
            return {"clusters": len(KMeans(4, n_init=1, random_state=0).fit(points).cluster_centers_)}

        fit()
        print(isolation.run(fit, 30, 2**31))
    """
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "2"}, capture_output=True, text=True
    )
    assert "Ran(value={'clusters': 4}, stopped=''" in done.stdout, done.stdout + done.stderr


@linux
def test_a_tensor_too_large_is_explained(capsys):
    torch = pytest.importorskip("torch")

    @exercise(lab="too_large", title="Ones", minutes=1, repeats=1, memory=300 * MB)
    def ones(answer, rng):
        expect(answer(), close_to=1.0, because="It is not one.")

    assert ones.verdict(lambda: torch.ones(2**33).sum()).outcome is Outcome.RAISED
    ones(lambda: torch.ones(2**33).sum())
    assert "more memory than a check may take" in capsys.readouterr().out


# ------------------------------------------------------------------ where nothing is forked


@pytest.fixture
def unforked(monkeypatch):
    monkeypatch.setattr(isolation, "_forked", lambda function, seconds, _: isolation._alarmed(function, seconds))


def test_the_alarm_stops_a_loop_and_puts_everything_back():
    handler, out = signal.getsignal(signal.SIGALRM), sys.stdout

    def answer():
        print("before")
        loops()

    assert isolation._alarmed(answer, 0.2) == isolation.Ran(None, "time", "before\n")
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert sys.stdout is out


def test_the_alarm_is_no_exception_that_except_exception_catches():
    def answer():
        while True:
            with contextlib.suppress(Exception):
                loops()

    assert isolation._alarmed(answer, 0.2).stopped == "time"


def test_the_alarm_leaves_a_value_alone():
    def answer():
        print("x" * 10**6)
        return {"a": 1}

    ran = isolation._alarmed(answer, 5)
    assert ran.value == {"a": 1}
    assert len(ran.printed) < 10_000


def test_a_memory_error_is_told_without_a_fork_too():
    def answer():
        raise MemoryError

    assert isolation._alarmed(answer, 5) == isolation.Ran(None, "memory")


def test_beside_the_main_thread_it_runs_without_an_alarm():
    answers = []
    thread = threading.Thread(target=lambda: answers.append(isolation._alarmed(lambda: {"a": 1}, 5)))
    thread.start()
    thread.join()
    assert answers == [isolation.Ran({"a": 1})]


@pytest.mark.usefixtures("unforked")
@pytest.mark.parametrize(
    ("answer", "outcome", "says"),
    [
        (lambda: 1, Outcome.CORRECT, "holds"),
        (lambda: 2, Outcome.INCORRECT, "not one"),
        (loops, Outcome.RAISED, "longer than 0.2 seconds"),
        (exits, Outcome.RAISED, "SystemExit: enough"),
        (interrupts, Outcome.RAISED, "KeyboardInterrupt"),
    ],
)
def test_the_outcomes_without_a_fork(answer, outcome, says):
    @exercise(lab="unforked", title="One", minutes=1, repeats=1, seconds=0.2)
    def one(answer, rng):
        expect(answer(), equal_to=1, because="It is not one.")

    verdict = one.verdict(answer)
    assert verdict.outcome is outcome
    assert says in verdict.message


def test_platforms_other_than_linux_do_not_fork(monkeypatch):
    def fork():
        raise AssertionError("forked")

    monkeypatch.setattr(os, "fork", fork)
    monkeypatch.setattr(isolation.sys, "platform", "darwin")
    assert isolation.run(lambda: {"a": 1}, 5, 512 * MB).value == {"a": 1}


def test_what_was_printed_before_the_stop_is_kept():
    def answer():
        print("in round", 3)
        while True:
            pass

    ran = isolation.run(answer, 0.3, 512 * MB)
    assert (ran.stopped, ran.printed) == ("time", "in round 3\n")


def test_programs_cannot_flood_the_notebook(capfd):
    def answer():
        os.system("echo loud; echo louder >&2")
        os.write(1, b"loudest")
        return {}

    assert isolation.run(answer, 10, 512 * MB).value == {}
    assert capfd.readouterr() == ("", "")
