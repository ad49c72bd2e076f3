"""A build that cannot be done says where, in one sentence; a watch misses nothing that is saved."""

import pytest

from helix.course import build, notebooks
from helix.course.notebooks import Target

NAME = "00_start_here"


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (f"source/labs/{NAME}.py", "    ### END SOLUTION\n", "", f"source/labs/{NAME}.py, line "),
        (f"source/labs/{NAME}.py", "import pandas as pd\n", "def f((\n", f"source/labs/{NAME}.py, line "),
        (f"source/notebooks/{NAME}.py", "import numpy as np\n", "def f((\n", f"source/notebooks/{NAME}.py, line "),
        (
            "utils/helix/start_here.py",
            "from __future__ import annotations\n",
            "def f((\n",
            "utils/helix/start_here.py, line ",
        ),
    ],
    ids=["unpaired mark", "lab", "chapter", "helper"],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_read_is_a_sentence_with_file_and_line(copied, monkeypatch, file, old, new, says, force):
    """Nothing is executed here: a notebook is built before its kernel would start, or not at all."""
    monkeypatch.setattr(build, "_execute", lambda target, notebook: 0.0)
    path = copied / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    line = text.replace(old, new, 1)[: text.index(old)].count("\n") + 1
    said = []
    failed = build.run([Target(NAME, kind) for kind in ("chapter", "lab", "solution")], force=force, say=said.append)
    assert failed
    assert any(says in one for one in said), said
    if new:
        assert any(f"{says}{line}: " in one for one in said), said


def test_a_broken_catalogue_is_a_sentence(copied, capsys):
    toml = copied / "source" / "course.toml"
    toml.write_text(toml.read_text() + "\nnumber = = 3\n")
    assert build.main(["00"]) == 1
    assert "source/course.toml: " in capsys.readouterr().out


class _Enough(Exception):
    pass


def watch(monkeypatch, during, runs):
    """Watch with a build that only calls `during(number)`; return how many builds were started."""
    started = []

    def run(chosen, *, force):
        started.append(force)
        during(len(started))
        if len(started) == runs:
            raise _Enough
        return 0

    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) > 3:
            raise _Enough

    monkeypatch.setattr(build, "run", run)
    monkeypatch.setattr(build.time, "sleep", sleep)
    with pytest.raises(_Enough):
        build.main(["00", "--watch"])
    return len(started)


def test_what_is_saved_while_a_build_runs_is_built_next(copied, monkeypatch):
    source = copied / "source" / "labs" / f"{NAME}.py"

    def during(number):
        if number == 1:
            source.write_text(source.read_text() + "\n")

    assert watch(monkeypatch, during, runs=2) == 2


def test_a_watch_without_a_change_builds_once(copied, monkeypatch):
    assert watch(monkeypatch, lambda number: None, runs=2) == 1


@pytest.mark.parametrize(
    "file",
    [
        f"source/notebooks/{NAME}.py",
        "utils/helix/start_here.py",
        "utils/helix/assets/assets.lock",
        "requirements.lock",
        "data/adult/adult.csv.gz",
        "weights/01_quantization/qat.safetensors",
        f"results/{NAME}.json",
    ],
)
@pytest.mark.parametrize("deleted", [False, True])
def test_a_watch_sees_each_file_that_a_build_reads(copied, file, deleted):
    before = build._stamp()
    if deleted:
        (copied / file).unlink()
    else:
        with open(copied / file, "ab") as opened:
            opened.write(b"\n")
    assert build._stamp() != before


def test_a_watch_sees_all_inputs_of_a_lesson(copied):
    seen = {path for path, _ in build._stamp()}
    for kind in ("chapter", "solution"):
        inputs = {file for file in notebooks.inputs(Target("01_quantization", kind)) if file.is_file()}
        assert {str(file) for file in inputs} <= seen
