"""An experiment resumes, knows its script, records what it needs, and notices a value that no longer comes out."""

from __future__ import annotations

import json
import os
from datetime import date

import numpy as np
import pandas as pd
import pytest

from helix import paths
from helix.record import journal, results
from helix.record.experiment import Experiment, definition_hash

NAME = "00_start_here"


@pytest.fixture(autouse=True)
def script(tmp_path, monkeypatch):
    """Make a repository with one script; what it does, the tests write."""
    root = tmp_path / "root"
    for folder in ("source", "experiments"):
        (root / folder).mkdir(parents=True)
    (root / "source" / "course.toml").write_bytes((paths.root() / "source" / "course.toml").read_bytes())
    monkeypatch.setenv("HELIX_ROOT", str(root))
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    script = root / "experiments" / f"{NAME}.py"
    script.write_text("# one\n")
    return script


@pytest.fixture
def made(script):
    """Make an experiment of one grid; `ran` lists its runs."""

    def make(run=lambda size, seed: {"value": size + seed}, *, timing=False, size=(10, 20), seed=(0, 1)):
        experiment = Experiment(str(script))
        experiment.ran = []

        @experiment.runs(timing=timing, size=size, seed=seed)
        def audit(size, seed):
            experiment.ran.append((size, seed))
            return run(size, seed)

        @experiment.conclude
        def conclude(runs):
            experiment.claim("small_audit_suffices", "0 of 4", "does not hold", "a toy")
            return {"mean": runs["audit"]["value"].mean(), "runs": len(runs["audit"])}

        return experiment

    return make


# ------------------------------------------------------------------ measuring


def test_the_record_holds_what_it_needs(made, script):
    assert made().measure() == results.path(NAME)
    record = results.load(NAME)
    assert record["experiment"] == NAME
    assert record["script_sha256"] == results.script_hash(script)
    assert record["date"] == date.today().isoformat()
    assert (record["commit"], record["clean"]) == ("unknown", False)  # the toy repository is none
    assert record["seconds"] >= 0
    assert record["hardware"]
    assert record["figures"] == {"mean": 15.5, "runs": 4}
    assert record["runs"] == {"audit": {"size": [10, 10, 20, 20], "seed": [0, 1, 0, 1], "value": [10, 11, 20, 21]}}
    assert record["claims"] == {
        "small_audit_suffices": {"measured": "0 of 4", "verdict": "does not hold", "conditions": "a toy"}
    }
    assert results.stale() == []


def test_an_interrupted_experiment_goes_on_where_it_stopped(made):
    def fails(size, seed):
        if (size, seed) == (20, 0):
            raise KeyboardInterrupt
        return {"value": size + seed}

    with pytest.raises(KeyboardInterrupt):
        made(fails).measure()
    assert not results.path(NAME).exists()
    again = made()
    again.measure()
    assert again.ran == [(20, 0), (20, 1)]
    assert results.load(NAME)["figures"]["runs"] == 4


def test_a_conclusion_that_fails_loses_no_run(made):
    first = made()
    first.conclude(lambda runs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        first.measure()
    again = made()
    again.measure()
    assert again.ran == []


def test_a_larger_grid_runs_only_what_is_new(made):
    made().measure()
    larger = made(size=(10, 20, 30))
    larger.measure()
    assert larger.ran == [(30, 0), (30, 1)]
    assert results.load(NAME)["runs"]["audit"]["size"] == [10, 10, 20, 20, 30, 30]


def test_a_changed_script_runs_everything_again(made, script):
    made().measure()
    script.write_text("TWO = 2\n")
    again = made()
    again.measure()
    assert len(again.ran) == 4
    assert results.load(NAME)["script_sha256"] == results.script_hash(script)


def test_a_cut_line_in_the_partial_results_is_run_again(made):
    made().measure()
    [partial] = (paths.work() / "experiments").iterdir()
    partial.write_bytes(partial.read_bytes()[:-10] + b"\nnoise\n{}\n")
    again = made()
    again.measure()
    assert again.ran == [(20, 1)]


def test_a_run_that_moves_the_work_folder_is_still_resumed(made, tmp_path, monkeypatch):
    def moves(size, seed):
        monkeypatch.setenv("HELIX_WORK", str(tmp_path / f"moved-{size}-{seed}"))
        return {"value": 1}

    work = os.environ["HELIX_WORK"]
    made(moves).measure()
    monkeypatch.setenv("HELIX_WORK", work)
    assert len(journal.read(paths.work() / "experiments" / f"{NAME}.jsonl")) == 4
    again = made()
    again.measure()
    assert again.ran == []


def test_what_numpy_made_can_be_a_point_a_value_and_a_figure(made):
    experiment = made(
        lambda size, seed: {"value": np.int64(3), "share": np.float64(0.25), "sees": np.bool_(True), "all": np.ones(2)},
        size=np.array([10, 20]),
    )
    experiment.conclude(lambda runs: {"most": runs["audit"]["value"].max(), "any": runs["audit"]["sees"].any()})
    experiment.measure()
    record = results.load(NAME)
    assert record["figures"] == {"most": 3, "any": True}
    assert record["runs"]["audit"]["size"] == [10, 10, 20, 20]
    assert record["runs"]["audit"]["all"][0] == [1.0, 1.0]
    assert experiment.slice()["same"].all()


def test_what_no_record_can_hold_is_refused_clearly(made):
    with pytest.raises(TypeError, match="A record holds numbers, texts, lists and tables of them, and no DataFrame"):
        made(lambda size, seed: {"value": pd.DataFrame()}).measure()


def test_a_value_that_only_some_runs_have_is_none_elsewhere(made):
    made(lambda size, seed: {"value": seed, "note": None} | ({"first": 1} if size == 10 else {})).measure()
    runs = results.load(NAME)["runs"]["audit"]
    assert runs["first"] == [1, 1, None, None]
    assert runs["value"] == [0, 1, 0, 1]
    assert runs["note"] == [None] * 4


@pytest.mark.parametrize(("id", "verdict"), [("no_such_claim", "holds"), ("small_audit_suffices", "perhaps")])
def test_a_claim_is_one_of_the_catalogues(made, id, verdict):
    experiment = made()
    experiment.conclude(lambda runs: experiment.claim(id, "1", verdict))
    with pytest.raises(ValueError, match=r"no claim|verdict"):
        experiment.measure()
    assert not results.path(NAME).exists()


def test_an_experiment_needs_a_grid_and_a_conclusion(script):
    experiment = Experiment(str(script))
    with pytest.raises(ValueError, match="grid is empty"):
        experiment.runs(seed=())
    with pytest.raises(ValueError, match=r"00_start_here.py has no function under @experiment.conclude"):
        experiment.measure()


# ------------------------------------------------------------------ the slice


def test_a_slice_reruns_the_first_point_only(made):
    made().measure()
    again = made()
    table = again.slice()
    assert again.ran == [(10, 0)]
    assert table.to_dict("records") == [
        {"run": "audit(size=10, seed=0)", "value": "value", "recorded": 10, "now": 10, "same": True}
    ]


@pytest.mark.parametrize(
    ("recorded", "now", "same"),
    [
        (1, 2, False),
        (0.1, 0.1, True),
        (0.1, 0.1 + 1e-15, True),
        (0.1, 0.1001, False),
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (None, None, True),
        (None, 0, False),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ("a", "a", True),
        (True, False, False),
    ],
)
def test_a_slice_notices_a_difference(made, recorded, now, same, capsys):
    first = made(lambda size, seed: {"value": recorded})
    first.conclude(lambda runs: {})
    first.measure()
    again = made(lambda size, seed: {"value": now})
    assert again.slice()["same"].tolist() == [same]
    if same:
        again.main([])
    else:
        with pytest.raises(SystemExit, match="differs from its record, though the script is seeded"):
            again.main([])
    assert "recorded" in capsys.readouterr().out


def test_timings_are_shown_and_not_compared(made, capsys):
    made(lambda size, seed: {"value": 1}, timing=True).measure()
    again = made(lambda size, seed: {"value": 2}, timing=True)
    assert again.slice()["same"].tolist() == ["timing"]
    again.main([])
    assert "timing" in capsys.readouterr().out


@pytest.mark.parametrize("point", [None, "int8", (1, 2), 0.1, True], ids=str)
def test_points_of_every_kind_are_found_again(made, point):
    made(lambda size, seed: {"value": seed}, size=(point, "other")).measure()
    assert made(lambda size, seed: {"value": seed}, size=(point, "other")).slice()["same"].tolist() == [True]


def test_a_point_that_was_never_run_is_a_sentence(made):
    with pytest.raises(results.MissingRecord, match="experiment 00 --measure"):
        made().slice()
    made().measure()
    with pytest.raises(results.MissingRecord, match=r"has no run of audit with .*99.* experiment 00 --measure"):
        made(size=(99,)).slice()


def test_main_measures(made, capsys):
    experiment = made()
    experiment.main(["--measure"])
    assert capsys.readouterr().out.endswith(f"Written: results/{NAME}.json\n")
    assert json.loads(results.path(NAME).read_text("utf-8"))["figures"]["runs"] == 4


def test_a_grid_outside_the_slice_is_not_rerun_and_named(made, script, capsys):
    def two_grids():
        experiment = made()

        @experiment.runs(in_slice=False, seed=(0,))
        def training(seed):
            experiment.ran.append("training")
            return {"value": seed}

        return experiment

    two_grids().measure()
    again = two_grids()
    again.main([])
    assert again.ran == [(10, 0)]
    assert "too long for a slice: training" in capsys.readouterr().out


def test_a_slice_of_nothing_says_what_it_leaves_out(script, capsys):
    experiment = Experiment(str(script))

    @experiment.runs(in_slice=False, seed=(0,))
    def training(seed):
        return {"value": seed}

    experiment.conclude(lambda runs: {})
    experiment.measure()
    experiment.main([])
    assert "too long for a slice: training" in capsys.readouterr().out


def test_where_the_runs_are_kept_is_said_if_it_is_elsewhere(made, monkeypatch, capsys):
    made().main(["--measure"])
    assert "HELIX_WORK is set, so the runs are kept in 00_start_here.jsonl" in capsys.readouterr().out
    monkeypatch.delenv("HELIX_WORK")
    made().main(["--measure"])
    assert capsys.readouterr().out == f"Written: results/{NAME}.json\n"


# ------------------------------------------------------------------ the modules behind it


def test_modules_that_changed_are_told_and_nothing_fails(made, script, capsys):
    package = paths.root() / "utils" / "helix"
    (package / "trust").mkdir(parents=True)
    (package / "trust" / "__init__.py").write_text("")
    (package / "trust" / "groups.py").write_text("from helix import measure\n")
    (package / "measure.py").write_text("A = 1\n")
    script.write_text("from helix.trust import groups\n")
    made().measure()
    assert sorted(results.load(NAME)["modules"]) == ["helix.measure", "helix.trust", "helix.trust.groups"]
    made().main([])
    assert results.notes() == []
    assert "Changed since" not in capsys.readouterr().out

    (package / "measure.py").write_text('"""In other words."""\nA = 1  # one\n')
    assert results.notes() == []
    (package / "measure.py").write_text("A = 2\n")
    (package / "trust" / "groups.py").write_text("from helix import measure, cards\n")
    (package / "cards.py").write_text("")
    made().main([])
    assert "Changed since the record was made: helix.cards, helix.measure.\n" in capsys.readouterr().out
    assert results.stale() == []
    assert results.notes() == [f"results/{NAME}.json: Changed since the record was made: helix.cards, helix.measure."]


def test_a_record_without_modules_says_that_it_does_not_know(made, capsys):
    made().measure()
    record = results.load(NAME)
    del record["modules"]
    results.save(NAME, record)
    made().main([])
    assert "does not say with which modules of helix it was made" in capsys.readouterr().out
    assert results.notes() == []  # it would be said at the end of every run of the tests


# ------------------------------------------------------------------ what a run depends on

SCRIPT = """
import numpy as np
from helix import measure, paths
SIZES = (1, 2)
RATE = 0.1
def helper(x):
    return RATE * x
@experiment.runs(size=SIZES)
def audit(size):
    return {"value": helper(size) + np.pi}
def conclude(runs):
    return measure.wilson(1, 2)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("measure.wilson(1, 2)", "measure.wilson(1, 3)"),
        ("SIZES = (1, 2)", "SIZES = (1, 2, 3)"),  # the points themselves are part of what names a run
        ("RATE * x", "RATE * x  # a comment"),
        ("measure, paths", "measure, cards, paths"),
        ("import numpy as np", "import numpy as np\nimport os"),
    ],
)
def test_an_edit_elsewhere_keeps_a_run(script, old, new):
    assert hash_after(script, old, new) == hash_after(script)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("helper(size)", "helper(size + 1)"),
        ("RATE * x", "RATE * x * x"),  # through another function
        ("RATE = 0.1", "RATE = 0.2"),  # through another function's constant
        ("import numpy as np", "import math as np"),
        ("RATE = 0.1", "RATE = 0.1\nRATE = 0.1"),
    ],
)
def test_an_edit_of_what_a_run_uses_runs_it_again(script, old, new):
    assert hash_after(script, old, new) != hash_after(script)


def hash_after(script, old="", new=""):
    assert old in SCRIPT
    script.write_text(SCRIPT.replace(old, new, 1))
    return definition_hash(script, "audit")
