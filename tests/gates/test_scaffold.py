"""`kit.py new` makes a lesson that builds, runs and is checked; the gates refuse it only for what is honestly missing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from helix.course import catalogue, scaffold

GATES = """
import json
from helix.course import gates
print(json.dumps({name: [one for one in gate() if "03" in one or "pruning" in one] for name, gate in gates.GATES.items()}))
"""


@pytest.fixture
def helix(copied):
    """Run Python in the copy, with the copy's own helix."""
    environment = {**os.environ, "PYTHONPATH": f"{copied / 'utils'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

    def run(*words):
        return subprocess.run([sys.executable, *words], cwd=copied, env=environment, capture_output=True, text=True)

    return run


def command(*words):
    return ["-m", "helix.course.cli", *words]


def test_new_lesson_builds_and_says_what_it_lacks(helix, copied):
    made = helix(*command("new", "03", "pruning"))
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("made ") == 7

    built = helix(*command("build", "03"))
    assert built.returncode == 0, built.stdout + built.stderr
    assert (copied / "solutions" / "03_pruning_solution.ipynb").exists()
    assert helix(*command("build", "01", "09")).returncode == 0  # its neighbours lead to it now
    assert helix(*command("readme")).returncode == 0

    honest = {
        "chapters have what a chapter needs": [
            "1 cells tagged nbval-check-output",
            "the quiz has 1 questions",
            "names no primary source",
            "source/notebooks/03_pruning.py, line ",
            "03_pruning.py: 60 minutes are stated",
            "does not show the claim l1_channel_pruning",
        ],
        "labs have what a lab needs": [
            "has 2 exercises",
            "1 wrong answers to first_step, and its check names 1 mistakes",
            "has no wrong answer to decide",
            "no wrong answer to decide is told “TODO: your control stops",
            "pruning.py, reading (75 of source/course.toml − 20 of its exercises): 55 minutes are stated",
            "source/labs/03_pruning.py, line ",
            "utils/helix/labs/pruning.py, line ",
        ],
        "claims are measured": ["The claim l1_channel_pruning of 03_pruning has no record"],
        "records belong to their scripts": ["experiments/03_pruning.py has no record"],
    }
    for gate, complaints in json.loads(helix("-c", GATES).stdout).items():
        pieces = honest.get(gate, [])
        assert len(complaints) == len(pieces), complaints
        for piece in pieces:
            assert any(piece in sentence for sentence in complaints), (piece, complaints)

    unit = helix("-m", "pytest", "-q", "tests/unit/test_pruning.py")
    assert unit.returncode == 0, unit.stdout
    exercises = helix("-m", "pytest", "-q", "-k", "pruning or first_step", "tests/test_exercises.py")
    assert exercises.returncode == 0, exercises.stdout
    paths = [line.removeprefix("made ") for line in made.stdout.splitlines() if line.startswith("made ")]
    typed = [path for path in paths if path.startswith(("utils", "experiments"))]
    for style in (["ruff", "check", *paths], ["ruff", "format", "--check", *paths], ["mypy", *typed]):
        assert helix("-m", *style).returncode == 0, helix("-m", *style).stdout


def test_the_first_lesson_of_a_package_makes_the_package(helix, copied):
    marker = copied / "utils" / "helix" / "datawork" / "__init__.py"
    assert not marker.exists()  # once a chapter of datawork is written, ask for deployment's
    assert helix(*command("new", "05", "data_capture")).returncode == 0
    assert marker.read_text().startswith('"""Capturing, choosing')
    assert (marker.parent / "data_capture.py").exists()


def test_new_lesson_overwrites_nothing(helix, copied):
    (copied / "utils/helix/labs/pruning.py").write_text("# mine\n")
    made = helix(*command("new", "03", "pruning"))
    assert made.returncode == 1
    assert "Nothing was written" in made.stderr
    assert not (copied / "source/notebooks/03_pruning.py").exists()
    assert (copied / "utils/helix/labs/pruning.py").read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [(("03", "prunning"), "is pruning in source/course.toml"), (("77", "x"), "There is no lesson '77'")],
)
def test_lesson_that_is_not_in_the_catalogue_is_refused(helix, words, says):
    made = helix(*command("new", *words))
    assert made.returncode != 0
    assert says in made.stderr


def test_watch_builds_what_changes_until_it_is_interrupted(copied):
    source = copied / "source" / "labs" / "00_start_here.py"
    environment = {**os.environ, "PYTHONPATH": f"{copied / 'utils'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    watching = subprocess.Popen(
        [sys.executable, "-u", *command("build", "00", "--watch")],
        cwd=copied, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "current" in watching.stdout.readline()
        time.sleep(1)
        source.write_text(source.read_text().replace("# ### How a check answers", "# ### What a check answers"))
        built = {watching.stdout.readline().split()[1] for _ in range(2)}
        assert built == {"labs/00_start_here_lab.ipynb", "solutions/00_start_here_solution.ipynb"}
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
        assert "Traceback" not in watching.stderr.read()
    finally:
        watching.kill()
        watching.communicate()


def test_the_files_of_every_planned_lesson_are_clean(copied):
    made = [scaffold.files(chapter) for chapter in catalogue.load().chapters if not chapter.written]
    for path, text in [item for files in made for item in files.items()]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for words in (["check", "."], ["format", "--check", "."]):
        done = subprocess.run([sys.executable, "-m", "ruff", *words], cwd=copied, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
