"""Scripts in another environment: here this Python stands in for it, behind a command of its own."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from helix import own_venv

LOCK = "# python: 3.11\n\n# group: toy\nalpha==1.0\n"
START = "import os, sys, time\nimport numpy as np\ngiven = dict(np.load(sys.argv[1], allow_pickle=False))\n"


class Stand:
    """A root with one environment, whose python is this one."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / ".venv-toy"
        (root / "envs").mkdir()
        (root / "envs" / "toy.lock").write_text(LOCK)
        (self.home / "bin").mkdir(parents=True)
        python = self.home / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        python.chmod(0o755)
        self.mark(LOCK)

    def mark(self, lock: str) -> None:
        (self.home / "helix.json").write_text(json.dumps({"stamp": hashlib.sha256(lock.encode()).hexdigest()}))

    def script(self, body: str) -> Path:
        path = self.root / "script.py"
        path.write_text(START + body)
        return path


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    return Stand(tmp_path)


def test_arrays_go_there_and_come_back(stand: Stand) -> None:
    given = {
        "numbers": np.linspace(0, 1, 7),
        "table": np.arange(6, dtype=np.int16).reshape(2, 3),
        "truths": [True, False],
        "texts": ["männlich", "w"],
        "alone": 3,
        "empty": np.zeros((0, 4), np.float32),
    }
    made = own_venv.call("toy", stand.script("print('much')\nnp.savez(sys.argv[2], **given)"), given)
    assert list(made) == list(given)
    for name, value in given.items():
        assert made[name].dtype == np.asarray(value).dtype
        np.testing.assert_array_equal(made[name], value)


def test_script_sees_neither_our_packages_nor_its_neighbours_and_leaves_nothing(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = "raise RuntimeError('taken from elsewhere')\n"
    (stand.root / "fractions.py").write_text(trap)
    astray = stand.root / "astray"
    astray.mkdir()
    (astray / "numpy.py").write_text(trap)
    monkeypatch.setenv("PYTHONPATH", str(astray))
    body = "import fractions\nnp.savez(sys.argv[2], here=os.getcwd(), home=os.environ['HOME'])"
    made = own_venv.call("toy", stand.script(body), {})
    assert made["here"] == made["home"]
    assert not Path(str(made["here"])).exists()


def test_script_that_takes_too_long_is_stopped_with_its_children(stand: Stand) -> None:
    beats = stand.root / "beats"
    body = (
        "if os.fork() == 0:\n"
        "    while True:\n"
        "        open(str(given['beats']), 'a').write('.')\n"
        "        time.sleep(0.02)\n"
        "time.sleep(60)\n"
    )
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"script\.py was stopped after 1\.5 s in the environment toy"):
        own_venv.call("toy", stand.script(body), {"beats": str(beats)}, timeout=1.5)
    assert time.monotonic() - started < 10
    there = beats.read_text()
    assert there
    time.sleep(0.2)
    assert beats.read_text() == there


def test_failure_ends_with_the_last_lines_of_stderr(stand: Stand) -> None:
    body = "for line in range(100):\n    print('line', line, file=sys.stderr)\nsys.exit(7)"
    with pytest.raises(own_venv.Failed, match="with status 7") as caught:
        own_venv.call("toy", stand.script(body), {})
    assert str(caught.value).endswith("line 98\nline 99")
    assert "line 80\n" in str(caught.value)
    assert "line 79\n" not in str(caught.value)
    with pytest.raises(own_venv.Failed, match=r"ValueError: odd\Z"):
        own_venv.call("toy", stand.script("raise ValueError('odd')"), {})


def test_no_answer_and_an_answer_of_objects_are_failures(stand: Stand) -> None:
    with pytest.raises(own_venv.Failed, match="without an answer"):
        own_venv.call("toy", stand.script("pass"), {})
    with pytest.raises(own_venv.Failed, match="cannot be read: Object arrays"):
        own_venv.call("toy", stand.script("np.savez(sys.argv[2], x=np.array([{}]))"), {})


def test_objects_are_not_sent(stand: Stand) -> None:
    ran = stand.root / "ran"
    script = stand.script(f"open({str(ran)!r}, 'w')")
    for objects in ([{"a": 1}], np.array(["Female", "Male"], dtype=object), [None, 1]):
        with pytest.raises(TypeError, match=r"objects do not go to another environment: groups\."):
            own_venv.call("toy", script, {"numbers": [1], "groups": objects})
    assert not ran.exists()


def test_missing_environment_names_its_command(stand: Stand) -> None:
    how = r"run: python3 kit\.py env toy\Z"
    script = stand.script("np.savez(sys.argv[2])")
    assert own_venv.call("toy", script, {}) == {}
    stand.mark(LOCK + "beta==1.0\n")
    with pytest.raises(own_venv.Missing, match=r"envs/toy\.lock has changed .*" + how):
        own_venv.call("toy", script, {})
    for unfinished in ("", "{}", "[]"):
        (stand.home / "helix.json").write_text(unfinished)
        with pytest.raises(own_venv.Missing, match="is not set up here; " + how):
            own_venv.call("toy", script, {})
    stand.mark(LOCK)
    (stand.home / "bin" / "python").unlink()
    with pytest.raises(own_venv.Missing, match="is not set up here; " + how):
        own_venv.call("toy", script, {})
    assert issubclass(own_venv.Missing, RuntimeError)
    with pytest.raises(ValueError, match=r"no environment 'flow'\. There are: toy\."):
        own_venv.python("flow")
