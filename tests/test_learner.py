"""A learner's first hour, as a person would have it: blank, wrong, raised, right, decided; then the record taken along."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from helix import paths
from helix.course import notebooks, variables
from helix.course.notebooks import Target

NAME = "00_start_here"


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    """Give a function that types a `helix` command as a learner with an empty work folder does."""
    work = tmp_path_factory.mktemp("work")
    settings = {**os.environ, "HELIX_WORK": str(work), "HELIX_GRADING": "0", "HELIX_SEED": ""}

    def types(*words, check=True):
        command = [sys.executable, "-m", "helix.course.cli", *words]
        done = subprocess.run(command, env=settings, capture_output=True, text=True)
        assert done.returncode == 0 or not check, done.stderr
        return done

    types.work = work
    types.settings = settings
    return types


def run(learner, answers):
    """Fill blanks of the learner's copy, run it from top to bottom in a kernel, return the cards as text."""
    copy = learner.work / "labs" / f"{NAME}_lab.ipynb"
    notebook = nbformat.read(copy, as_version=4)
    blanks = defining(notebooks.make(Target(NAME, "lab")).cells)
    solved = defining(notebooks.make(Target(NAME, "solution")).cells)
    cells = defining(notebook.cells)
    assert cells.keys() == blanks.keys() == solved.keys()
    for name, answer in answers.items():
        blank = blanks[name].source
        cells[name].source = (
            solved[name].source if answer is None else blank.replace("raise NotImplementedError", answer)
        )
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True)
    client.execute(env={**variables.for_learner(), **learner.settings})
    nbformat.write(notebook, copy)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    learner.finish = code[-1].outputs[0].data["text/plain"]
    return [
        output.data["text/plain"].splitlines()[0]
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.startswith("check.")
        for output in cell.outputs
        if output.output_type == "display_data"
    ]


def defining(cells):
    """Return the cells of a lab that define a function, by its name."""
    found = {name: cell for cell in cells for name in re.findall(r"(?m)^def (\w+)\(", cell.source)}
    assert set(found) >= {"selection_rates", "parity_gap", "release_gate", "decide"}
    return found


def first_line(text, beginning):
    return next(line for line in text.splitlines() if line.startswith(beginning))


def test_first_hour(learner):
    assert " open " in first_line(learner("map").stdout, "○ 00 Start here ")
    assert "is ready" in learner("start", "00").stdout
    assert "□□□□ 0 of 4" in learner("progress").stdout

    assert run(learner, {}) == [
        "○ Not attempted: Selection rates",
        "○ Not attempted: The parity gap",
        "○ Not attempted: A control: the release gate",
        "○ Not attempted: A decision: may this table choose?",
    ]
    assert "○ 0 of 4 exercises are correct." in learner.finish

    wrong = {
        "selection_rates": "return selected.groupby(group).sum() / selected.sum()",
        "parity_gap": 'return rates["Male"] - rates["Female"]',
        "release_gate": "while True: pass",
    }
    cards = run(learner, wrong)
    assert cards[:3] == [
        "✗ Incorrect: Selection rates",
        "! Your code raised an error: The parity gap",
        "! Your code raised an error: A control: the release gate",
    ]
    assert first_line(learner("progress").stdout, "00 Start here ").endswith("Selection rates")
    assert "Next: exercise 1, Selection rates." in learner.finish

    right = dict.fromkeys(("selection_rates", "parity_gap", "release_gate", "decide"))
    assert [card.split(":")[0] for card in run(learner, right)] == [*["✓ Correct"] * 3, "✓ Recorded"]
    shown = learner("progress").stdout
    assert "■■■■ 4 of 4" in shown
    assert "Your decision in 00 Start here: fix, " in shown
    assert " done " in first_line(learner("map").stdout, "✓ 00 Start here ")
    assert "✓ The lab is finished: 4 of 4 exercises are correct." in learner.finish
    assert "Your decision is recorded: fix, " in learner.finish
    assert f"solutions/{NAME}_solution.ipynb" in learner.finish

    entries = [json.loads(line) for line in (learner.work / "decisions.jsonl").read_text().splitlines()]
    assert entries[0]["choice"] == "fix"
    assert entries[0]["values"]["parity_gap"] == pytest.approx(0.1963, abs=1e-4)
    assert entries[0]["control"]["source"].startswith("def release_gate(")

    written = (learner.work / "labs" / f"{NAME}_lab.ipynb").read_bytes()
    assert "was there already" in learner("start", "00").stdout
    assert (learner.work / "labs" / f"{NAME}_lab.ipynb").read_bytes() == written

    record = learner.work / "record.json"
    learner("export", str(record))
    assert learner("export", str(record), check=False).returncode == 1  # never overwritten
    assert "0 attempts and 0 decisions" in learner("import", str(record)).stdout

    learner("start", "00", "--fresh")
    kept = learner.work / "labs" / f"{NAME}_lab-kept.ipynb"
    assert kept.read_bytes() == written
    assert (learner.work / "labs" / f"{NAME}_lab.ipynb").read_bytes() == (
        paths.root() / "labs" / f"{NAME}_lab.ipynb"
    ).read_bytes()
    assert "4 of 4" in learner("progress").stdout


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["start", "77"], 2, "There is no lesson '77'"),
        (["start", "36"], 1, "planned, but not written yet"),
        (["nonsense"], 2, "There is no command 'nonsense'"),
        (["experiment", "36"], 1, "There is no experiments/36_capstone.py"),
        (["build", "77"], 2, "There is no lesson '77'"),
        (["import", "no-such-file.json"], 2, "Nothing was taken in"),
    ],
)
def test_mistakes_get_one_sentence(learner, words, status, says):
    done = learner(*words, check=False)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr
