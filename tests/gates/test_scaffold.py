"""`helix new` makes a lesson that builds, runs and is checked; the gates refuse it only for what is honestly missing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

GATES = """
import json
from helix.course import gates
from helix.record import results
names = ("drift", "outputs", "leaks", "chapters", "labs", "claims", "links", "sizes", "cards")
print(json.dumps({name: getattr(gates, name)() for name in names} | {"stale": results.stale()}))
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
    package = copied / "utils" / "helix" / "engineering" / "__init__.py"
    files = 5 + (not package.exists())  # the first lesson of a part also makes the package that holds the helper
    made = helix(*command("new", "03", "pruning"))
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("made ") == files

    built = helix(*command("build"))
    assert built.returncode == 0, built.stdout + built.stderr
    assert (copied / "solutions" / "03_pruning.ipynb").exists()
    assert helix(*command("readme")).returncode == 0

    gates = json.loads(helix("-c", GATES).stdout)
    for whole in ("drift", "outputs", "leaks", "links", "sizes", "cards", "stale"):
        assert gates[whole] == [], whole
    honest = {
        "chapters": [
            "1 cells tagged nbval-check-output",
            "the quiz has 1 questions",
            "names no primary source",
            "source/notebooks/03_pruning.py, line ",
            "does not show the claim l1_channel_pruning",
        ],
        "labs": [
            "has 2 exercises",
            "1 wrong answers to first_step, and its check names 1 mistakes",
            "has no wrong answer to decide",
            "no wrong answer to decide is told “TODO: a contradiction",
            "its exercises take 20 minutes together, source/course.toml says 75",
            "source/labs/03_pruning.py, line ",
            "utils/helix/labs/pruning.py, line ",
        ],
        "claims": ["The claim l1_channel_pruning of 03_pruning has no record"],
    }
    for gate, pieces in honest.items():
        assert len(gates[gate]) == len(pieces), gates[gate]
        for piece in pieces:
            assert any(piece in sentence for sentence in gates[gate]), (piece, gates[gate])

    exercises = helix("-m", "pytest", "-q", "-k", "pruning or first_step", "tests/test_exercises.py")
    assert exercises.returncode == 0, exercises.stdout
    for style in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        assert helix("-m", *style).returncode == 0, helix("-m", *style).stdout


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
        source.write_text(source.read_text().replace("# ## You are done", "# ## Done"))
        built = {watching.stdout.readline().split()[1] for _ in range(2)}
        assert built == {"labs/00_start_here.ipynb", "solutions/00_start_here.ipynb"}
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
        assert "Traceback" not in watching.stderr.read()
    finally:
        watching.kill()
        watching.communicate()
