"""The launcher of ranks: what returns, what fails, how soon, and that nothing is left of it."""

from __future__ import annotations

import faulthandler
import json
import os
import pickle
import pkgutil
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

import helix
from helix import distributed
from helix.checking import Outcome, exercise, expect, isolation
from helix.distributed import RankFailed, launch
from helix.distributed.launching import failure, warmth
from warmed import warmed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ranks are POSIX processes")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, or forks a check")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(distributed.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
# For a warm process whose ranks need nothing else: half the time.
LIGHT = ("cloudpickle", "numpy", "torch", "torch.distributed")


@pytest.fixture(scope="module", autouse=True)
def _warm():
    with warmed(__name__):
        yield


@pytest.fixture(autouse=True)
def _own_work(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))
    monkeypatch.chdir(tmp_path)


def processes(of_session: int) -> list[int]:
    """The processes that run in a session, supervisors and ranks included: they never leave the warm process's own."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if folder.name.isdigit() and fields[0] != "Z" and int(fields[3]) == of_session:
            found.append(int(folder.name))
    return found


def soon(condition, seconds=5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def server() -> int:
    assert warmth._warm is not None
    return warmth._warm.process.pid


def listening() -> set[str]:
    """Addresses on which a process of this network namespace listens, without those of tests that run beside this one."""
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path("/proc/net", name).read_text().splitlines()[1:]]
    others = held_by_other_workers()
    return {row[1] for row in rows if row[3] == "0A" and row[9] not in others}


def held_by_other_workers() -> set[str]:
    """Inodes of sockets held by the other children of whoever runs the tests, and by their children: another test's ``torchrun``."""
    parents, sockets = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                links = [os.readlink(link) for link in (folder / "fd").iterdir()]
            except OSError:
                continue
            sockets[int(folder.name)] = {link[8:-1] for link in links if link.startswith("socket:[")}

    def other(pid: int) -> bool:
        while pid in parents and parents[pid] != os.getppid():
            pid = parents[pid]
        return pid in parents and pid != os.getpid()

    return set().union(*(held for pid, held in sockets.items() if other(pid)))


def nothing_left() -> bool:
    """Only the warm process itself is there, and no rank."""
    return soon(lambda: processes(server()) == [server()])


def add(value):
    tensor = torch.full((2,), float(dist.get_rank() + value))
    dist.all_reduce(tensor)
    print("sum", tensor.tolist())
    print("on stderr", file=sys.stderr)
    return tensor


def test_no_public_name_hides_a_module():
    assert not {found.name for found in pkgutil.iter_modules(distributed.__path__)} & set(distributed.__all__)


# What returns


def test_results_and_output_come_in_rank_order(capsys):
    results = launch(add, 1, ranks=2)
    assert [result.tolist() for result in results] == [[3.0, 3.0]] * 2
    out, err = capsys.readouterr()
    assert out == "[rank 0] sum [3.0, 3.0]\n[rank 1] sum [3.0, 3.0]\n"
    assert err == "[rank 0] on stderr\n[rank 1] on stderr\n"
    assert results.printed == ["sum [3.0, 3.0]"] * 2


def speaks_like_the_libraries():
    print("[Gloo] Rank 0 is connected to 1 peer ranks. Expected number of connected peer ranks is : 1")
    print("[W1] [c10d] The hostname of the client socket cannot be retrieved. err=-3", file=sys.stderr)
    print("[Gloo] is mine")


def test_notices_of_a_good_start_are_left_out(capsys):
    launch(speaks_like_the_libraries, ranks=1)
    assert capsys.readouterr() == ("[rank 0] [Gloo] is mine\n", "")


def test_what_was_printed_can_be_kept_back(capsys):
    launch(add, 1, show=False)
    assert capsys.readouterr() == ("", "")


def slow_first():
    time.sleep(0.3 * (1 - dist.get_rank()))
    print("done")
    return dist.get_rank()


def test_order_is_the_ranks_even_if_the_first_ends_last(capsys):
    assert launch(slow_first) == [0, 1]
    assert capsys.readouterr().out == "[rank 0] done\n[rank 1] done\n"


def one_of_each():
    return {
        "threads": torch.get_num_threads(),
        "random": (torch.rand(1).item(), np.random.rand()),  # noqa: NPY002 - the global one
        "rank": os.environ["RANK"],
        "backend": dist.get_backend(),
        "place": os.getcwd(),
    }


def test_seeds_threads_and_surroundings(tmp_path):
    first, second, other = (
        launch(one_of_each),
        launch(one_of_each),
        launch(one_of_each, seed=7),
    )
    assert first == second
    assert first[0]["random"] != first[1]["random"] != other[1]["random"]
    assert [each["threads"] for each in first] == [1, 1]
    assert [each["rank"] for each in first] == ["0", "1"]
    assert {each["backend"] for each in first} == {"gloo"}
    assert {each["place"] for each in first} == {str(tmp_path)}


def test_one_rank_is_a_world():
    assert launch(add, 5, ranks=1, show=False)[0].tolist() == [5.0, 5.0]


def test_more_ranks_than_cores_work_and_are_said(capsys, monkeypatch):
    monkeypatch.setattr("helix.distributed.launching.launcher._cores", lambda: 2)
    results = launch(rank_number, ranks=3)
    assert results == [0, 1, 2]
    assert results.oversubscribed
    assert "3 ranks share 2 cores (oversubscribed)" in capsys.readouterr().out
    assert not launch(rank_number, ranks=2).oversubscribed
    launch(rank_number, ranks=3, note=False)
    assert capsys.readouterr().out == ""


def rank_number():
    return dist.get_rank()


def test_a_function_of_a_cell_goes_along_by_value():
    namespace = {"__name__": "__main__", "dist": dist, "step": 10}
    exec("def helper(x):\n    return x * step\ndef mine(x):\n    return helper(x) + dist.get_rank()\n", namespace)
    assert launch(namespace["mine"], 4) == [40, 41]
    assert launch(lambda: dist.get_world_size()) == [2, 2]


def test_a_written_script_is_read_afresh_each_time(tmp_path):
    module = distributed.written("my_answer", "def answer():\n    return 1\n")
    assert launch(module.answer) == [1, 1]
    module = distributed.written("my_answer", "def answer():\n    return 2\n")
    assert module.answer() == 2
    assert launch(module.answer) == [2, 2]
    assert launch(f"{module.__file__}:answer") == [2, 2]
    assert Path(module.__file__).is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "error", "says"),
    [
        ("torch", "", ValueError, "exists already"),
        ("json", "", ValueError, "exists already"),
        ("my-ring", "", ValueError, "no module name"),
        ("import", "", ValueError, "no module name"),
        ("my_broken", "def (", SyntaxError, "invalid syntax"),
    ],
)
def test_a_script_that_cannot_be_is_refused(tmp_path, name, text, error, says):
    with pytest.raises(error, match=says):
        distributed.written(name, text)
    assert not (tmp_path / "work" / "scripts" / f"{name}.py").exists()


def big():
    return torch.arange(3_000_000)


def test_large_arguments_and_results_pass():
    assert all(torch.equal(result, big()) for result in launch(big))
    assert launch(len, list(range(1_000_000))) == [1_000_000] * 2


def talks():
    for number in range(50_000):
        print("line", number)


def test_endless_output_is_cut(capsys):
    launch(talks, ranks=1)
    out = capsys.readouterr().out
    assert len(out) < 60_000
    assert out.endswith("[rank 0] (It printed more than is shown.)\n")


def test_a_launch_is_fast_once_warm():
    launch(rank_number)
    times = []
    for _ in range(7):
        began = time.perf_counter()
        launch(rank_number)
        times.append(time.perf_counter() - began)
    assert statistics.median(times) <= 2.0  # measured: 0.15


# What fails, and how soon


def raises():
    if dist.get_rank() == 1:
        raise ValueError("bad luck")
    dist.all_reduce(torch.ones(1))


def all_raise():
    raise KeyError(f"rank {dist.get_rank()}")


def is_killed():
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.all_reduce(torch.ones(1))


def leaves():
    if dist.get_rank() == 0:
        os._exit(3)
    dist.all_reduce(torch.ones(1))


def exits():
    sys.exit("enough")


def waits_for_each_other():
    dist.recv(torch.empty(1), src=1 - dist.get_rank())


def one_collective_short():
    if dist.get_rank() == 0:
        dist.all_reduce(torch.ones(1))


def waits_for_a_handle():
    if dist.get_rank() == 0:
        handle = dist.irecv(torch.empty(1), src=1)
        handle.wait()


def other_sizes():
    dist.all_reduce(torch.ones(5 if dist.get_rank() else 3))


def returns_a_generator():
    return (number for number in range(3))


def stops_itself():
    if dist.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGSTOP)


def is_silent():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass


@pytest.mark.parametrize(
    ("function", "kind", "rank", "says"),
    [
        (raises, "raised", 1, r"^Rank 1 of 2 raised ValueError: bad luck\. The other ranks were stopped\.\nTraceback"),
        (all_raise, "raised", 0, r"^Rank 0 of 2 raised KeyError: 'rank 0'\."),
        (is_killed, "killed", 1, r"^Rank 1 of 2 was killed by signal 9 \(SIGKILL\)\."),
        (leaves, "exited", 0, r"^Rank 0 of 2 ended with exit code 3 instead of returning\."),
        (exits, "raised", 0, r"^Rank 0 of 2 called sys\.exit\(enough\)"),
        (returns_a_generator, "raised", 0, r"^Rank 0 of 2 returned something that cannot be sent back"),
        (waits_for_each_other, "stuck", -1, r"rank 0 was at line \d+ of .*in waits_for_each_other: dist\.recv"),
        (
            one_collective_short,
            "stuck",
            -1,
            r"rank 0 was at .*in one_collective_short: dist\.all.*; rank 1 had returned",
        ),
        (
            waits_for_a_handle,
            "stuck",
            -1,
            r"rank 0 was at .*in waits_for_a_handle: handle\.wait\(\); rank 1 had returned",
        ),
    ],
)
def test_a_failure_ends_all_in_seconds(function, kind, rank, says):
    began = time.monotonic()
    with pytest.raises(RankFailed, match=says) as failed:
        launch(function, timeout=30)
    assert time.monotonic() - began < 10
    assert (failed.value.kind, failed.value.rank) == (kind, rank)
    assert nothing_left()
    assert launch(rank_number) == [0, 1]  # and the next one works at once


def test_frames_are_read_in_any_script(tmp_path):
    """`faulthandler` writes escapes: of a path, of a function's name, of one, two and four bytes, and of no letter at all."""
    file = str(tmp_path / "dh 课" / "ü" / "𝄞" / os.fsdecode(b"\xff") / "x.py")
    namespace = {"dump": faulthandler.dump_traceback}
    exec(compile("def 训练(into):\n    dump(into)\n", file, "exec"), namespace)
    with (tmp_path / "dump").open("w+b") as into:
        namespace["训练"](into)
        into.seek(0)
        dump = into.read().decode("ascii")
    assert r"dh \u8bfe/\xfc/\U0001d11e/\udcff" in dump
    assert failure.frames(dump, threading.get_ident())[0] == (file, 2, "训练")


def leaves_one_alone():
    if dist.get_rank():
        dist.all_reduce(torch.ones(2))


@pytest.mark.parametrize("careful", [False, True])
def test_a_rank_whose_calls_are_counted_is_found_waiting_too(careful):
    with pytest.raises(RankFailed) as caught:
        launch(leaves_one_alone, timeout=20, count=True, careful=careful)
    assert caught.value.kind == "stuck"
    assert "rank 1 was at line" in str(caught.value)


def test_a_machine_that_does_not_reach_itself_is_told_at_once():
    """Without the loopback interface the store would try for two minutes, and say that it was ended from outside."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    code = "from helix.distributed import launch; launch(int, timeout=60)"
    begin = time.monotonic()
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-c", code], capture_output=True, text=True, timeout=100, env=ENVIRONMENT
    )
    assert "does not reach itself at 127.0.0.1" in done.stderr
    assert "ip link set lo up" in done.stderr
    assert time.monotonic() - begin < 60


def test_ranks_that_still_meet_are_not_called_stuck():
    torchs = "/site-packages/torch/distributed/distributed_c10d.py"
    waiting = [(torchs, 2799, "all_reduce"), ("lesson.py", 3, "step")]
    assert failure.waits(waiting)
    assert not failure.waits([(torchs, 1800, "_new_process_group_helper"), (torchs, 1700, "init_process_group")])
    assert not failure.waits([("lesson.py", 3, "step")])
    assert not failure.waits([])


def test_names_beyond_ascii_hide_neither_the_learners_line_nor_a_deadlock(tmp_path):
    """The whole course in such a folder: Python's prefix, torch, helix and the learner's script."""
    place = tmp_path / "dh 课"
    (place / "utils").mkdir(parents=True)
    (place / "utils" / "helix").symlink_to(Path(helix.__file__).parent)
    (place / ".venv").symlink_to(sys.prefix)
    script = place / "work" / "训练.py"
    script.parent.mkdir()
    script.write_text(
        textwrap.dedent(
            """
            import json, sys, time
            import torch, torch.distributed as dist
            from helix.distributed import RankFailed, launch
            from helix.distributed.launching import warmth

            warmth.PRELOADED = {LIGHT}

            def 等待():
                if dist.get_rank() == 0:
                    handle = dist.irecv(torch.empty(1), src=1)
                    handle.wait()
                dist.recv(torch.empty(1), src=0)

            if __name__ == "__main__":
                launch(dist.get_rank)
                began = time.monotonic()
                try:
                    launch(等待, timeout=30)
                except RankFailed as failed:
                    seconds = time.monotonic() - began
                    print(json.dumps({"kind": failed.kind, "says": str(failed), "seconds": seconds, "prefix": sys.prefix}))
            """
        ).replace("{LIGHT}", repr(LIGHT)),
        encoding="utf-8",
    )
    environment = ENVIRONMENT | {"PYTHONPATH": str(place / "utils"), "HELIX_ROOT": str(place)}
    python = place / ".venv" / Path(sys.executable).relative_to(sys.prefix)
    ran = subprocess.run([python, "-P", script], capture_output=True, env=environment, timeout=60, check=True)
    told = json.loads(ran.stdout)
    assert told["prefix"] == str(place / ".venv")
    assert told["kind"] == "stuck"
    assert told["seconds"] < 10  # as in `test_a_failure_ends_all_in_seconds`
    assert "rank 0 was at line 12 of work/训练.py, in 等待: handle.wait()" in told["says"]
    assert "rank 1 was at line 13 of work/训练.py, in 等待: dist.recv(torch.empty(1), src=0)" in told["says"]


def test_only_the_failing_ranks_own_lines_are_shown():
    with pytest.raises(RankFailed) as failed:
        launch(raises)
    text = str(failed.value)
    assert 'raise ValueError("bad luck")' in text
    assert "rank.py" not in text
    assert "all_reduce" not in text  # rank 0's
    assert failed.value._render_traceback_() == text.splitlines()
    again = pickle.loads(pickle.dumps(failed.value))
    assert (str(again), again.kind, again.rank, again.error) == (text, "raised", 1, "ValueError")


@pytest.mark.parametrize("careful", [False, True])
def test_shapes_that_differ_are_told(capsys, careful):
    with pytest.raises(RankFailed, match="tensors of different sizes") as failed:
        launch(other_sizes, careful=careful, timeout=20)
    if careful:
        assert "rank 0 called allreduce with shape [3]; rank 1 called allreduce with shape [5]" in str(failed.value)
    assert "terminate called" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("function", "where"), [(is_silent, "in is_silent: time.sleep"), (stops_itself, "rank 0 had returned")]
)
def test_the_time_limit_ends_what_hangs(function, where):
    began = time.monotonic()
    with pytest.raises(RankFailed, match=r"^The time limit of 1 seconds? passed") as failed:
        launch(function, timeout=1)
    assert time.monotonic() - began < 5
    assert where in str(failed.value)
    assert failed.value.kind == "time"
    assert nothing_left()


def computes():
    end = time.monotonic() + 4  # ranks without work are asked after 3
    while time.monotonic() < end:
        if dist.get_rank() == 0:
            time.sleep(0.01)
    dist.all_reduce(torch.ones(1))
    return True


def test_waiting_for_a_rank_that_works_is_not_being_stuck():
    assert launch(computes, timeout=30) == [True, True]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "says"),
    [
        ((add, 1), {"ranks": 0}, ValueError, "ranks must be a whole number from 1 to 64, not 0"),
        ((add, 1), {"ranks": 2.0}, ValueError, "ranks must be"),
        ((add, 1), {"ranks": True}, ValueError, "ranks must be"),
        ((add, 1), {"ranks": 65}, ValueError, "ranks must be"),
        ((add, 1), {"timeout": 0}, ValueError, "timeout must be a number of seconds above 0"),
        ((add, 1), {"timeout": float("nan")}, ValueError, "timeout must be"),
        ((add, 1), {"timeout": "5"}, ValueError, "timeout must be"),
        ((add, 1), {"seed": -1}, ValueError, "seed must be"),
        ((add, 1), {"port": 70000}, ValueError, "port must be"),
        ((3,), {}, TypeError, r"needs a function, not int: pass `step`, not `step\(\)`"),
        (("nowhere.py:main",), {}, ValueError, r"no file nowhere\.py"),
        ((add, (n for n in "ab")), {}, TypeError, r"Argument 1 \(generator\) cannot be sent"),
        ((add, threading.Lock()), {}, TypeError, r"Argument 1 \(lock\) cannot be sent"),
    ],
)
def test_wrong_arguments_are_told_before_anything_starts(arguments, options, error, says):
    began = time.monotonic()
    with pytest.raises(error, match=says):
        launch(*arguments, **options)
    assert time.monotonic() - began < 1


def test_a_taken_port_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match=r"Port \d+ is taken by another program\. Leave `port` out"):
            launch(rank_number, port=taken.getsockname()[1])
    assert nothing_left()


# What there is meanwhile, and who ends with whom


@linux
def test_ports_are_open_while_ranks_run_and_on_loopback_only():
    """That none is left, the test above, can fail: during a launch there are listening sockets."""
    launch(rank_number)
    before, during = listening(), set()
    thread = threading.Thread(target=launch, args=(slow_first,))
    thread.start()
    while thread.is_alive():
        during |= listening() - before
        time.sleep(0.01)
    assert during
    assert all(address.startswith("0100007F:") for address in during), during


def test_an_interrupt_ends_the_ranks_and_the_notebook_goes_on():
    launch(rank_number)
    threading.Timer(0.8, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        launch(is_silent, timeout=60)
    assert processes(server()) == [server()] or nothing_left()
    assert launch(rank_number) == [0, 1]


@linux
def test_a_caller_that_dies_takes_its_ranks_with_it(tmp_path):
    script = tmp_path / "caller.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            from helix import distributed
            from helix.distributed.launching import warmth
            warmth.PRELOADED = {LIGHT}
            def hang():
                time.sleep(300)
            distributed.launch(len, "ab")
            print(warmth._warm.process.pid, flush=True)
            distributed.launch(hang, timeout=300)
            """
        ).replace("{LIGHT}", repr(LIGHT))
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=ENVIRONMENT) as caller:
        assert caller.stdout is not None
        session = int(caller.stdout.readline())
        assert soon(lambda: len(processes(session)) == 4)  # the warm process, a supervisor, two ranks
        caller.kill()
    assert soon(lambda: not processes(session))


@linux
@pytest.mark.parametrize("who", ["supervisor", "server"])
def test_ranks_end_with_whoever_watches_them(who):
    session, failed = server(), []

    def attempt():
        try:
            launch(is_silent, timeout=2)
        except RankFailed as error:
            failed.append(str(error))

    thread = threading.Thread(target=attempt)
    thread.start()
    assert soon(lambda: len(processes(session)) == 4)
    parent_of = {
        pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in processes(session)
    }
    victim = session if who == "server" else next(pid for pid, parent in parent_of.items() if parent == session)
    os.kill(victim, signal.SIGKILL)
    thread.join(20)
    assert failed
    assert ("ended from outside" in failed[0]) == (who == "supervisor")
    assert soon(lambda: set(processes(session)) <= {session})
    assert launch(rank_number) == [0, 1]  # a new one is started where it is gone


# From a check


@linux
def test_a_check_finds_it_warm_and_prints_to_the_card():
    launch(rank_number)
    began = time.monotonic()
    ran = isolation.run(lambda: {"sums": [r.tolist() for r in launch(add, 1)]}, 10, 2048 * isolation.MEGABYTE)
    assert ran.value == {"sums": [[3.0, 3.0]] * 2}
    assert ran.printed.startswith("[rank 0] sum [3.0, 3.0]\n")
    assert time.monotonic() - began < 2
    assert launch(rank_number) == [0, 1]


@linux
def test_a_check_that_is_stopped_leaves_no_rank():
    launch(rank_number)
    assert (
        isolation.run(lambda: {"never": launch(is_silent, timeout=60)}, 1.5, 2048 * isolation.MEGABYTE).stopped
        == "time"
    )
    assert nothing_left()


def asks_for_a_gigabyte():
    return len(bytearray(2**30))


@linux
def test_ranks_of_a_check_have_the_memory_of_the_check():
    def attempt():
        try:
            return {"got": launch(asks_for_a_gigabyte)}
        except RankFailed as failed:
            return {"error": failed.error}

    assert isolation.run(attempt, 10, 700 * isolation.MEGABYTE).value == {"error": "MemoryError"}
    assert launch(asks_for_a_gigabyte, ranks=1) == [2**30]


@pytest.fixture
def asked():
    """An exercise that asks for the rank, doubled, on two ranks; the answer's source is a notebook cell's."""

    ours = {"__name__": "__main__", "dist": dist}
    file = Path(distributed.__file__).parents[1] / "labs" / "toy_ranks.py"  # as if a module of checks defined it
    exec(compile("def on_rank(answer):\n    return answer(dist.get_rank()) + 1\n", str(file), "exec"), ours)

    @exercise(lab="toy_ranks", title="Twice", minutes=1, repeats=2)
    def twice(answer, rng):
        expect(
            launch(ours["on_rank"], answer, careful=True), equal_to=[1, 3], because="Not twice.", given="rank 0 and 1"
        )

    def verdict(source):
        namespace = {"__name__": "__main__", "os": os, "dist": dist, "torch": torch}
        exec(compile(source, "<cell>", "exec"), namespace)
        return twice.verdict(namespace["twice"])

    return verdict


@linux
@pytest.mark.parametrize(
    ("body", "outcome", "says"),
    [
        ("return 2 * rank", Outcome.CORRECT, "holds on 2 fresh cases"),
        ("return rank", Outcome.INCORRECT, "Not twice."),
        ("raise NotImplementedError", Outcome.NOT_ATTEMPTED, "`twice` still raises NotImplementedError"),
        ("return helper()", Outcome.NOT_ATTEMPTED, "`helper`, which this exercise uses, is still blank"),
        ("return 1 / rank", Outcome.RAISED, "ZeroDivisionError: division by zero (on rank 0)"),
        ("return None", Outcome.INCORRECT, "The check cannot use what your function returned (`TypeError"),
        ("os.kill(os.getpid(), 9)", Outcome.RAISED, "was killed by signal 9 (SIGKILL)"),
        ("dist.recv(torch.ones(1), 1 - rank)", Outcome.RAISED, "No rank could go on"),
        ("dist.all_reduce(torch.ones(2 + rank))", Outcome.RAISED, "tensors of different sizes"),
    ],
)
def test_a_check_says_of_ranks_what_it_says_of_functions(asked, body, outcome, says):
    launch(rank_number)
    verdict = asked(f"def helper():\n    raise NotImplementedError\ndef twice(rank):\n    {body}\n")
    assert verdict.outcome is outcome, verdict
    assert says in verdict.message
    assert "Traceback" not in verdict.message
    assert nothing_left()
    if "ZeroDivision" in says:
        assert verdict.where.startswith("line 4, in twice")


# The same script elsewhere

SCRIPT = """
import torch, torch.distributed as dist
from helix.distributed import context

def main():
    with context() as here:
        tensor = torch.ones(1) * here.rank
        dist.all_reduce(tensor)
        told = f"{here.rank} of {here.world_size} on {here.device} by {here.started_by}: {tensor.item():g}"
        print(told + chr(10), end="", flush=True)  # in one write: under torchrun the ranks share a pipe
    return dist.is_initialized()

if __name__ == "__main__":
    assert not main()
"""


def test_a_script_runs_unchanged_by_launch_torchrun_and_python(capsys):
    module = distributed.written("my_script", SCRIPT)
    assert launch(module.main) == [True, True]  # the group is the launcher's, and stays
    assert capsys.readouterr().out.splitlines() == [
        f"[rank {rank}] {rank} of 2 on cpu by launch: 1" for rank in range(2)
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for command, by, ranks in ((torchrun, "torchrun", 2), ([sys.executable], "python", 1)):
        ran = subprocess.run(
            [*command, module.__file__], capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert sorted(ran.stdout.splitlines()) == [f"{r} of {ranks} on cpu by {by}: {ranks - 1}" for r in range(ranks)]


# Counting


def communicates():
    rank, tensor = dist.get_rank(), torch.ones(6)
    dist.all_reduce(tensor)
    dist.all_gather([torch.empty(6), torch.empty(6)], tensor)
    dist.broadcast(tensor, src=1)
    dist.barrier()
    if rank == 0:
        dist.send(tensor[:2].clone(), dst=1)
    else:
        dist.recv(torch.empty(2), src=0)
    scattered = torch.empty(3)
    dist.reduce_scatter_single(scattered, tensor)


def test_calls_are_counted_with_their_bytes():
    for rank, calls in enumerate(launch(communicates, count=True).calls):
        assert [(call.name, call.bytes, call.ranks, call.peer) for call in calls] == [
            ("all_reduce", 24, 2, -1),
            ("all_gather", 24, 2, -1),
            ("broadcast", 24, 2, 1),
            ("barrier", 0, 2, -1),
            ("recv" if rank else "send", 8, 2, 0 if rank else 1),
            ("reduce_scatter", 24, 2, -1),
        ]
        assert [call.ring_bytes for call in calls] == [24, 24, 24, 0, 0 if rank else 8, 12]
        assert distributed.total(calls) == 24 * 4 + 8
        assert distributed.total(calls, "all_reduce") == 24


def counts_ddp():
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 2))
    with distributed.counted() as calls:
        model(torch.ones(4, 3)).sum().backward()
    return calls


def test_what_ddp_sends_in_the_backward_pass_is_counted():
    for calls in launch(counts_ddp):
        assert distributed.total(calls, "all_reduce") == (3 * 2 + 2) * 4


def test_nothing_is_counted_unless_asked():
    assert launch(communicates).calls == [[], []]


# What is left: nothing. These need a warm process of their own, so they come last.


def starts_another():
    return subprocess.Popen(["sleep", "300"]).pid


@linux
def test_no_process_no_socket_no_file_is_left(tmp_path, tmp_path_factory, monkeypatch):
    # Temporary files of its own place are all its own; in the machine's, another test's torchrun may leave some meanwhile.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv(
        "TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("cache"))
    )  # torch's, made by its import, for good
    monkeypatch.setattr(tempfile, "tempdir", None)
    distributed.close()
    before, files = listening(), set(Path("/tmp").iterdir()) | set(Path("/dev/shm").iterdir())
    sleeper = launch(starts_another, ranks=1)[0]
    for function in (rank_number, raises, is_killed):
        try:
            launch(function)
        except RankFailed:
            pass
    assert nothing_left()
    assert soon(lambda: not Path(f"/proc/{sleeper}").exists())
    assert soon(lambda: listening() <= before)
    new = (set(Path("/tmp").iterdir()) | set(Path("/dev/shm").iterdir())) - files
    new = {path for path in new if not path.name.startswith("torchelastic_")}  # ours would lie in tmp_path
    assert not [path for path in new if "helix" in path.name or "torch" in path.name]
    assert not list(tmp_path.iterdir())
    distributed.close()
    assert processes(os.getpid()) in ([], [os.getpid()])


@linux
def test_a_check_without_a_warm_process_starts_one_that_ends_with_it(monkeypatch):
    monkeypatch.setattr(warmth, "PRELOADED", LIGHT)
    distributed.close()

    def attempt():
        return {"ranks": list(launch(rank_number)), "server": server()}

    value = isolation.run(attempt, 60, 4096 * isolation.MEGABYTE).value
    assert value is not None
    assert value["ranks"] == [0, 1]
    assert soon(lambda: not processes(value["server"]))
    assert warmth._warm is None
