"""A run of the tests takes the words as meant, keeps groups together, leaks nothing, and says what it cost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from helix import paths
from helix.course import changed, costs, notebooks, testing
from helix.course.notebooks import Target

NAME = "00_start_here"
TOML = """
[pytest]
addopts = ["--disable-plugin-autoload", "-p", "xdist", "-p", "nbval", "-p", "helix.course.plugin"]
testpaths = ["notebooks", "solutions", "tests"]
"""


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def notebook(*cells):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return nbformat.writes(made)


@pytest.fixture
def toy(tmp_path):
    """Make a repository of one lesson."""
    root = tmp_path / "toy"
    write(root, {"pytest.toml": TOML, f"source/notebooks/{NAME}.py": "", f"source/labs/{NAME}.py": ""})
    (root / "source" / "course.toml").write_bytes((paths.root() / "source" / "course.toml").read_bytes())
    return root


def run(root, *words):
    """Type `helix test` in a repository."""
    command = [sys.executable, "-m", "helix.course.cli", "test", *words]
    environment = {**os.environ, "HELIX_ROOT": str(root)}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def alone(root, *words):
    """Run pytest itself in a repository: one process, and so in a tenth of the time."""
    command = [sys.executable, "-m", "pytest", "--disable-plugin-autoload", "-p", "helix.course.plugin", *words]
    environment = {**os.environ, "HELIX_ROOT": str(root)}
    return subprocess.run(
        [*command, "-c", "/dev/null", "--rootdir=."], cwd=root, env=environment, capture_output=True, text=True
    )


# ------------------------------------------------------------------ words, groups, order


def test_the_value_of_an_option_is_no_path(toy):
    write(
        toy,
        {
            "start_here/x.txt": "",
            "tests/test_start_here.py": "def test_it(): pass",
            "tests/test_other.py": "def test_it(): 1 / 0",
            f"notebooks/{NAME}.ipynb": notebook("1 + 1"),
        },
    )
    done = run(toy, "-n0", "-k", "start_here")
    assert "2 passed" in done.stdout, done.stdout
    assert done.returncode == 0


def test_a_path_is_all_that_runs(toy):
    write(toy, {"tests/test_one.py": "def test_it(): pass", "tests/test_two.py": "def test_it(): 1 / 0"})
    assert "1 passed" in run(toy, "-n0", "tests/test_one.py").stdout


SEES = """
import os
def test_it():
    assert os.environ["HELIX_GRADING"] == "0"
    assert "HELIX_LESSON_ASSETS" not in os.environ
    assert os.path.isdir(os.environ["HELIX_WORK"])
"""


def test_the_settings_of_a_notebook_end_with_it(toy):
    cell = "import os\nassert os.environ['HELIX_GRADING'] == '1' and 'HELIX_LESSON_ASSETS' in os.environ"
    write(toy, {f"solutions/{NAME}_solution.ipynb": notebook(cell), "tests/test_after.py": SEES})
    done = run(toy, "-n1", "-v", "-k", f"Cell or after or {'x' * 300}")  # no path either
    assert "2 passed" in done.stdout, done.stdout
    assert done.stdout.index("solutions/") < done.stdout.index("tests/test_after.py")


def test_groups_stay_together_and_the_longest_begins(toy):
    mark = "@pytest.mark.parametrize('which', ['00_start_here-a', 'pruning-a', 'start_here-b-c'])\n"
    exercises = f"import pytest\n{mark}def test_one(which): pass\n{mark}def test_two(which): pass\n"
    write(
        toy,
        {
            "tests/test_exercises.py": exercises,
            "tests/test_short.py": "def test_it(): pass",
            "tests/test_long.py": "def test_it(): pass",
            ".pytest_cache/v/helix/cpu_seconds": json.dumps(
                {
                    "tests/test_long.py": 90,
                    "tests/test_exercises.py[pruning]": 40,
                    "tests/test_exercises.py[start_here]": 30,
                }
            ),
        },
    )
    done = run(toy, "-n1", "-v")
    order = re.findall(r"\[gw0\] .*PASSED tests/test_(\S+)", done.stdout)
    assert [name.partition(".")[0] for name in order] == ["long"] + ["exercises"] * 6 + ["short"]
    assert [name for name in order if "pruning" in name] == order[1:3]
    kept = json.loads((toy / ".pytest_cache/v/helix/cpu_seconds").read_text())
    assert kept["tests/test_long.py"] == 90  # a part says nothing of the whole


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("notebooks/00_start_here.ipynb::Cell 3", "notebooks/00_start_here.ipynb"),
        ("tests/test_exercises.py::test_x[00_start_here-rates]", "tests/test_exercises.py[start_here]"),
        ("tests/test_exercises.py::test_x[start_here-rates-a_b]", "tests/test_exercises.py[start_here]"),
        ("tests/test_exercises.py::test_there_are_labs", "tests/test_exercises.py"),
        ("tests/gates/test_red.py::test_a[x]", "tests/gates/test_red.py::test_a[x]"),
        ("tests/unit/test_a.py::test_a[00_x]", "tests/unit/test_a.py"),
    ],
)
def test_groups(nodeid, name):
    assert costs.group(nodeid) == name


@pytest.mark.parametrize(
    ("cores", "gigabytes", "wanted"), [(2, 16, 2), (1, 16, 2), (0.5, 16, 2), (4, 5, 2), (1, 1, 1), (64, 500, 8)]
)
def test_workers_have_a_core_and_memory(cores, gigabytes, wanted):
    assert testing.workers(cores, gigabytes * 1e9) == wanted


# ------------------------------------------------------------------ what it costs

BURN = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass\n"
CHILD = f"import subprocess, sys, time\nchild = subprocess.Popen([sys.executable, '-c', {BURN + 'time.sleep(60)'!r}])\ntime.sleep(1.5)"
SMALL = "from helix.course import costs\ncosts.LESSON_AT_MOST, costs.WHOLE_AT_MOST = {lesson}, {whole}\n"


def test_the_table_counts_children_that_die_with_their_kernel(toy):
    write(
        toy,
        {
            f"notebooks/{NAME}.ipynb": notebook(CHILD),
            "tests/unit/test_start_here.py": f"def test_it(): exec({BURN!r})",
            "tests/test_exercises.py": f"import pytest\n@pytest.mark.parametrize('a', ['start_here-x'])\ndef test_it(a): exec({BURN!r})",
            "tests/test_house.py": f"def test_it(): exec({BURN!r})",
        },
    )
    done = run(toy)
    assert done.returncode == 0, done.stdout
    [row] = re.findall(rf"^{NAME}\s+(.*)$", done.stdout, re.MULTILINE)
    chapter, solution, exercises, unit, together = map(float, row.split())
    assert chapter >= 0.6
    assert solution == 0
    assert 0.6 <= exercises < 1.5
    assert 0.6 <= unit < 1.5
    assert together == pytest.approx(chapter + exercises + unit, abs=0.2)
    [rest] = re.findall(r"^gates, house, start\s+([\d.]+)", done.stdout, re.MULTILINE)
    assert float(rest) >= 0.6
    assert "lessons at this price" in done.stdout
    kept = json.loads((toy / ".pytest_cache/v/helix/cpu_seconds").read_text())
    assert kept["tests/test_house.py"] >= 0.6  # the next run goes by it


@pytest.mark.parametrize(
    ("lesson", "whole", "words", "fails"),
    [
        (0.1, 1e6, ["--costs=whole"], False),  # a learner's slow machine is no fault
        (0.1, 1e6, ["--costs=whole", "--require-all"], True),
        (1e6, 0.1, ["--costs=whole", "--require-all"], True),
        (1e6, 1e6, ["--costs=whole", "--require-all"], False),
        (0.1, 0.1, ["--costs=part", "--require-all"], False),  # a part is not judged
    ],
)
def test_a_budget_that_is_broken(toy, lesson, whole, words, fails):
    write(
        toy,
        {
            "tests/unit/test_start_here.py": f"def test_it(): exec({BURN!r})",
            "conftest.py": SMALL.format(lesson=lesson, whole=whole),
        },
    )
    done = alone(toy, *words, "tests")
    assert done.returncode == int(fails), done.stdout
    judged = "--costs=whole" in words
    assert (f"Over budget: {NAME} takes" in done.stdout) is (judged and lesson < 1)
    assert ("lessons would take" in done.stdout) is (judged and whole < 1)
    assert ("times over budget" in done.stdout) is fails


def test_the_whole_is_the_rest_once_and_a_mean_lesson_each():
    bill = costs.Bill(["00_a", "01_b"], planned=36)
    bill.add("notebooks/00_a.ipynb::Cell 0", 50)
    bill.add("tests/test_exercises.py::test_x[b-one]", 100)
    bill.add("tests/unit/test_b_lesson.py::test_x", 10)
    bill.add("tests/unit/test_bc.py::test_x", 30)
    bill.total = 250  # 60 of it are no test's
    assert bill.rest == 90
    assert bill.whole == pytest.approx((90 + 36 * 80) / 2)
    assert bill.over() == ["01_b takes 110 CPU seconds, 35 more than the 75 of a lesson."]
    assert bill.over(1.5) == []
    bill.total += 3000
    assert "All 36 lessons would take 50 minutes on 2 cores, 20 more than the 30" in bill.over(1.5)[0]


# ------------------------------------------------------------------ another processor


def test_another_processor_is_asked_for_and_differences_are_named(toy):
    cell = "import os\nassert os.environ['ATEN_CPU_CAPABILITY'] == 'default' and os.environ['ONEDNN_MAX_CPU_ISA'] == 'SSE41'"
    write(toy, {f"notebooks/{NAME}.ipynb": notebook(cell, "1 / 0"), "solutions/x": "", "tests/test_x.py": "1 / 0"})
    done = run(toy, "--processor", "default")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert f"{NAME}.ipynb differs on the processor “default” in: Cell 1." in done.stdout


def test_a_processor_that_is_not_known_is_refused(capsys):
    with pytest.raises(SystemExit):
        testing.main(["--processor", "abacus"])
    assert "abacus" in capsys.readouterr().err


# ------------------------------------------------------------------ what a change can touch

LESSON = "# %%\nfrom helix.trust import groups\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Make a repository of three lessons, built and committed on its main branch."""
    root = tmp_path / "repository"
    files = {
        "README.md": "",
        "pyproject.toml": "",
        "data/adult/adult.csv": "",
        "utils/helix/trust/groups.py": "from helix import measure\n",
        "utils/helix/measure.py": "",
        "utils/helix/cards.py": "",
        "utils/helix/labs/fairness_audit.py": "",
        "utils/helix/labs/debiasing.py": "",
        "tests/test_gates.py": "",
        "tests/test_exercises.py": "from helix import cards\n",
        "tests/wrong_answers/debiasing.py": "",
        "tests/unit/test_groups.py": "from helix.trust import groups\n",
        "tests/unit/test_cards.py": "from tests_help import x\n",
        "tests/tests_help.py": "import helix.cards\n",
        "tests/unit/test_debiasing.py": "",
        "tests/unit/test_kit.py": "command = [sys.executable]\n",
        "source/notebooks/00_start_here.py": "# %%\nimport math\n",
        "source/notebooks/12_fairness_audit.py": LESSON,
        "source/labs/12_fairness_audit.py": LESSON + "from helix.labs import fairness_audit\n",
        "source/labs/13_debiasing.py": "# %%\nfrom helix.labs import debiasing\n",
    }
    write(root, files)
    (root / "source" / "course.toml").write_bytes((paths.root() / "source" / "course.toml").read_bytes())
    monkeypatch.setenv("HELIX_ROOT", str(root))
    for target in notebooks.targets():
        made = notebooks.make(target)
        if target.executed:
            made.metadata["helix"]["inputs"] = notebooks.fingerprint(target)
        write(root, {paths.display(target.path): notebooks.serialise(made)})
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        [*identity, "commit", "-qm", "x"],
        ["switch", "-qc", "a"],
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


CHAPTERS = ["notebooks/12_fairness_audit.ipynb", "solutions/12_fairness_audit_solution.ipynb"]


@pytest.mark.parametrize(
    ("file", "run", "topics"),
    [
        ("README.md", [], []),
        ("source/notebooks/12_fairness_audit.py", ["notebooks/12_fairness_audit.ipynb"], []),
        (
            "source/labs/13_debiasing.py",
            ["solutions/13_debiasing_solution.ipynb", "tests/unit/test_debiasing.py"],
            ["debiasing"],
        ),
        ("tests/wrong_answers/debiasing.py", ["tests/unit/test_debiasing.py"], ["debiasing"]),
        (
            "utils/helix/labs/debiasing.py",
            ["solutions/13_debiasing_solution.ipynb", "tests/unit/test_debiasing.py"],
            ["debiasing"],
        ),
        (
            "utils/helix/measure.py",  # through another module
            [*CHAPTERS, "tests/unit/test_groups.py", "tests/unit/test_kit.py"],
            ["fairness_audit"],
        ),
        (
            "utils/helix/cards.py",  # through another file of the tests, and what judges all exercises
            ["tests/unit/test_cards.py", "tests/unit/test_kit.py"],
            ["fairness_audit", "debiasing"],
        ),
        ("utils/helix/new.py", ["tests/unit/test_kit.py"], []),
        ("notebooks/00_start_here.ipynb", ["notebooks/00_start_here.ipynb", "ALL UNITS"], []),
        ("data/adult/adult.csv", ["ALL UNITS"], []),
    ],
)
def test_changed_runs_what_a_change_can_touch(repository, file, run, topics):
    with open(repository / file, "a") as end:
        end.write("\n# 1\n")
    selection = changed.select()
    if run[-1:] == ["ALL UNITS"]:
        run = run[:-1] + [f"tests/unit/test_{name}.py" for name in ("cards", "debiasing", "groups", "kit")]
    assert selection.everything == ""
    assert list(selection.paths) == ["tests/test_gates.py", *run]
    assert list(selection.topics) == topics
    left_out = {f"exercises of {topic}" for topic in ("fairness_audit", "debiasing") if topic not in topics}
    assert left_out <= set(selection.left_out)
    assert not set(selection.left_out) & set(selection.paths)
    assert ("--labs=" in " ".join(selection.words())) is bool(topics)


def test_a_change_that_is_committed_counts_and_one_on_main_does_not(repository):
    assert changed.select().paths == ("tests/test_gates.py",)
    write(repository, {"source/notebooks/12_fairness_audit.py": LESSON + "2\n"})
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", *identity, "commit", "-qam", "x"], cwd=repository, check=True)
    assert "notebooks/12_fairness_audit.ipynb" in changed.select().paths
    subprocess.run(["git", "branch", "-qf", "main"], cwd=repository, check=True)
    # What was merged without a build is not as it was built.
    assert "notebooks/12_fairness_audit.ipynb" in changed.select().paths
    target = Target("12_fairness_audit", "chapter")
    made = notebooks.make(target)
    made.metadata["helix"]["inputs"] = notebooks.fingerprint(target)
    write(repository, {paths.display(target.path): notebooks.serialise(made)})
    subprocess.run(["git", *identity, "commit", "-qam", "x"], cwd=repository, check=True)
    subprocess.run(["git", "branch", "-qf", "main"], cwd=repository, check=True)
    assert changed.select().paths == ("tests/test_gates.py",)


@pytest.mark.parametrize(
    "file", ["pyproject.toml", "kit.py", "requirements.lock", "tests/conftest.py", "utils/helix/course/plugin.py"]
)
def test_what_nobody_can_judge_means_everything(repository, file):
    write(repository, {file: "# 1\n"})
    selection = changed.select()
    assert selection.words() == []
    assert selection.told() == [f"Everything runs: {file} has changed."]


def test_without_git_everything_runs(repository):
    (repository / ".git").rename(repository / "git")
    assert changed.select().everything == "git knows no main branch to compare with."


def test_only_the_exercises_asked_for_run(toy):
    exercise = "import pytest\n@pytest.mark.parametrize('a', ['00_start_here-x', 'pruning-x'])\ndef test_it(a): pass\ndef test_any(): pass"
    write(toy, {"tests/test_exercises.py": exercise})
    done = alone(toy, "tests/test_exercises.py", "--labs=pruning")
    assert "2 passed" in done.stdout, done.stdout
