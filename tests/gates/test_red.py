"""Each gate is shown what it must refuse, on a copy of the repository, and what it must let pass."""

import json
import os
import re
import subprocess
import sys

import pytest

import exercise_assertions as assertions
from helix import paths
from helix.checking import Exercise, exercises_of
from helix.course import build, catalogue, copies, gates, glossary, minutes, notebooks, readme
from helix.course.gates import lesson, repository
from helix.course.notebooks import Target
from helix.record import results

NAME = "00_start_here"
BUILD = "python3 kit.py build 00"
THIS = [Target(NAME, "chapter"), Target(NAME, "lab"), Target(NAME, "solution")]  # so that no test grows with the course


def edit(path, old, new, count=1):
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, count))


def edit_cells(path, change):
    """Change the cells of a stored notebook in place."""
    notebook = json.loads(path.read_text())
    change(notebook["cells"])
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def code_cells(cells):
    return [cell for cell in cells if cell["cell_type"] == "code"]


def chapter_lacks():
    return lesson.chapter_lacks(catalogue.load().chapter(NAME))


def lab_lacks():
    return lesson.lab_lacks(catalogue.load().chapter(NAME))


def test_copy_is_green(copied):
    assert {name: gate() for name, gate in gates.GATES.items()} == {name: [] for name in gates.GATES}


# ------------------------------------------------------------------ built notebooks


@pytest.mark.parametrize("kind", notebooks.FOLDER)
def test_edited_notebook_is_refused(copied, kind):
    edit(Target(NAME, kind).path, "Adult", "Adults")
    assert [notebooks.FOLDER[kind] in sentence and BUILD in sentence for sentence in gates.drift(THIS)] == [True]


def test_missing_notebook_is_refused(copied):
    (copied / "labs" / f"{NAME}_lab.ipynb").unlink()
    assert "is not built" in gates.drift(THIS)[0]
    assert BUILD in gates.drift(THIS)[0]


def test_orphan_is_refused(copied):
    (copied / "notebooks" / "77_orphan.ipynb").write_text((copied / "notebooks" / f"{NAME}.ipynb").read_text())
    assert "notebooks/77_orphan.ipynb has no source. Remove it (git rm)" in gates.drift()[-1]


@pytest.mark.parametrize(
    "changed",
    [
        "utils/helix/start_here.py",
        "utils/helix/measure/intervals.py",
        "data/adult/adult.csv.gz",
        "results/00_start_here.json",
        "requirements.lock",
        "source/course.toml",
    ],
)
def test_outputs_older_than_what_they_depend_on_are_refused(copied, changed):
    with open(copied / changed, "ab") as file:
        file.write(b"\n")
    assert any("was built before" in sentence and BUILD in sentence for sentence in gates.drift(THIS))


def test_unrelated_change_asks_for_no_build(copied):
    (copied / "utils/helix/unrelated.py").write_text("A = 1\n")
    (copied / "data/other").mkdir()
    (copied / "data/other/file.csv").write_text("1")
    assert gates.drift(THIS) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda cells: cells[0].update(execution_count=None), "not every cell has run"),
        (lambda cells: cells[0].update(execution_count=7), "not every cell has run"),
        (
            lambda cells: cells[0]["outputs"].append(
                {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
            ),
            "holds an error",
        ),
        (
            lambda cells: cells[0]["outputs"].append(
                {"output_type": "stream", "name": "stdout", "text": "<A at 0x7f00aa12>"}
            ),
            "memory address",
        ),
        (
            lambda cells: cells[0]["outputs"].append({"output_type": "stream", "name": "stderr", "text": "Warning"}),
            "wrote to stderr",
        ),
        (
            lambda cells: cells[0]["outputs"].append(
                {"output_type": "stream", "name": "stdout", "text": "read " + "/".join(["", "home", "ada", "x.csv"])}
            ),
            "path of this machine",
        ),
    ],
    ids=["unrun", "run out of order", "error", "address", "stderr", "path"],
)
def test_bad_outputs_are_refused(copied, change, says):
    edit_cells(copied / "notebooks" / f"{NAME}.ipynb", lambda cells: change(code_cells(cells)))
    assert says in gates.outputs(THIS)[0]
    assert BUILD in gates.outputs(THIS)[0]


@pytest.mark.parametrize(
    "data", [{"text/markdown": "A report\n\n## Findings\n"}, {"text/html": "<p>A</p><h2 id='x'>Findings</h2>"}]
)
def test_output_that_takes_over_the_table_of_contents_is_refused(copied, data):
    def show(cells):
        code_cells(cells)[0]["outputs"].append({"output_type": "display_data", "data": data, "metadata": {}})

    edit_cells(copied / "notebooks" / f"{NAME}.ipynb", show)
    assert ["Findings" in sentence and "begin with ###" in sentence for sentence in gates.outputs(THIS)] == [True]
    edit(copied / "notebooks" / f"{NAME}.ipynb", *(("## F", "### F") if "text/markdown" in data else ("h2", "h3", 2)))
    assert gates.outputs(THIS) == []


def test_letters_of_a_picture_are_no_address(copied):
    picture = '<img alt="A" src="data:image/png;base64,AA0xdeadbeef/tmp/A=">'

    def show(cells, page=picture):
        data = {"output_type": "display_data", "data": {"text/html": page}, "metadata": {}}
        code_cells(cells)[0]["outputs"].append(data)

    edit_cells(copied / "notebooks" / f"{NAME}.ipynb", show)
    assert gates.outputs(THIS) == []
    edit_cells(copied / "notebooks" / f"{NAME}.ipynb", lambda cells: show(cells, picture + " 0xdeadbeef"))
    assert "memory address" in gates.outputs(THIS)[0]


@pytest.mark.parametrize("folder", ["notebooks", "labs", "solutions"])
@pytest.mark.parametrize(("place", "says"), [(0, "on top"), (-2, "at its end")])
def test_page_that_leads_nowhere_is_refused(copied, folder, place, says):
    [path] = (copied / folder).glob(f"{NAME}*.ipynb")
    edit_cells(path, lambda cells: cells[place].update(source="A page."))
    [sentence] = gates.pages(THIS)
    assert folder in sentence
    assert f"glossary.ipynb {says}. Run: {BUILD}" in sentence


def test_link_that_a_copy_would_not_find_is_refused(copied):
    path = copied / "notebooks" / f"{NAME}.ipynb"
    edit_cells(path, lambda cells: cells[3].update(source="[card](../data/adult/CARD.md) [lab](../labs/README.md)"))
    assert [sentence for sentence in gates.links() if "copy" in sentence] == [
        f"notebooks/{NAME}.ipynb links to {goal}, which a learner's copy of it will not find beside it."
        for goal in ("../data/adult/CARD.md", "../labs/README.md")
    ]


def test_page_that_passes_over_its_lab_is_refused(copied):
    path = copied / "notebooks" / f"{NAME}.ipynb"
    edit_cells(path, lambda cells: cells[0].update(source="".join(cells[0]["source"]).replace("_lab.ipynb", ".html")))
    assert gates.pages(THIS) == [
        f"notebooks/{NAME}.ipynb does not lead to ../labs/{NAME}_lab.ipynb on top. Run: {BUILD}"
    ]


def test_lab_without_its_count_is_refused(copied):
    edit(copied / "labs" / f"{NAME}_lab.ipynb", "finish(", "print(")
    assert gates.pages(THIS) == [
        f"labs/{NAME}_lab.ipynb does not end in the cell that counts what is solved. Run: {BUILD}"
    ]


def test_leaked_solution_is_refused(copied):
    secret = "return max(rates.values()) - min(rates.values())"
    edit(copied / "labs" / f"{NAME}_lab.ipynb", "raise NotImplementedError", secret)
    assert secret in gates.leaks(THIS)[0]


def test_leaked_mark_is_refused(copied):
    edit(copied / "labs" / f"{NAME}_lab.ipynb", "raise NotImplementedError", notebooks.BEGIN)
    assert notebooks.BEGIN in gates.leaks(THIS)[0]


def test_leaked_output_is_refused(copied):
    stream = {"output_type": "stream", "name": "stdout", "text": "0.19"}
    edit_cells(copied / "labs" / f"{NAME}_lab.ipynb", lambda cells: code_cells(cells)[0]["outputs"].append(stream))
    assert "(an output)" in gates.leaks(THIS)[0]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("    ### END SOLUTION\n", "", "does not end in its cell"),
        ("    ### BEGIN SOLUTION\n", "    ### BEGIN SOLUTION\n    ### BEGIN SOLUTION\n", "begins inside"),
        ("    ### BEGIN SOLUTION\n", "", "never began"),
    ],
)
def test_marks_that_do_not_pair_are_refused(copied, old, new, line):
    edit(copied / "source" / "labs" / f"{NAME}.py", old, new)
    with pytest.raises(notebooks.SourceError, match=rf"source/labs/{NAME}.py, line \d+: .*{line}"):
        notebooks.make(Target(NAME, "lab"))


# ------------------------------------------------------------------ what runs them


def nbval(folder, *words):
    """Run pytest with nbval over a copy's notebook, as the whole run does; return the finished process."""
    environment = {**os.environ, "HELIX_ROOT": str(paths.root())}
    command = [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "-p", "no:cacheprovider", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


def one_notebook(copied, change):
    """Leave a single small notebook in the copy: the first cells of the chapter, changed."""
    path = copied / "notebooks" / f"{NAME}.ipynb"
    notebook = json.loads(path.read_text())
    checked = [
        cell for cell in code_cells(notebook["cells"]) if "nbval-check-output" in cell["metadata"].get("tags", [])
    ]
    notebook["cells"] = [checked[2] | {"source": "print('4 of 33')", "outputs": [stream("4 of 33\n")]}]
    change(notebook["cells"][0])
    folder = copied / "small"
    folder.mkdir()
    (folder / path.name).write_text(json.dumps(notebook))
    return folder


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def test_true_output_passes(copied):
    done = nbval(one_notebook(copied, lambda cell: None))
    assert done.returncode == 0, done.stdout


def test_corrupted_output_turns_the_run_red(copied):
    done = nbval(one_notebook(copied, lambda cell: cell.update(outputs=[stream("5 of 33\n")])))
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert BUILD in done.stdout


def test_failing_cell_turns_the_run_red(copied):
    assert nbval(one_notebook(copied, lambda cell: cell.update(source="1 / 0", outputs=[]))).returncode == 1


@pytest.mark.skipif("HELIX_OFFLINE" not in os.environ, reason="started by pytest itself: use `python3 kit.py test`")
def test_opened_socket_turns_the_run_red(copied):
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    done = nbval(one_notebook(copied, lambda cell: cell.update(source=code, outputs=[])))
    assert done.returncode == 1
    assert "unreachable" in done.stdout or "offline" in done.stdout


def test_wrong_answer_in_a_solution_stops_the_build(copied):
    edit(
        copied / "source" / "labs" / f"{NAME}.py",
        "return max(rates.values()) - min",
        "return min(rates.values()) - max",
    )
    source = (copied / "source" / "labs" / f"{NAME}.py").read_text().splitlines()
    line = source.index("check.parity_gap(parity_gap)") + 1
    before = (copied / "solutions" / f"{NAME}_solution.ipynb").read_bytes()
    with pytest.raises(build.BuildError, match=rf"source/labs/{NAME}.py, line {line}: NotCorrect.*signed difference"):
        build.build(Target(NAME, "solution"))
    assert (copied / "solutions" / f"{NAME}_solution.ipynb").read_bytes() == before  # the old file stands


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = 1\nx / 0", "ZeroDivisionError"),
        ("x = 1\nobject()", "memory address"),
        ("import os\nos._exit(1)", "[Dd]ied"),
    ],
    ids=["raises", "unstable", "kernel dies"],
)
def test_error_points_to_the_line_of_the_source(copied, code, says):
    source = copied / "source" / "notebooks" / "03_pruning.py"
    source.write_text(f"# %% [markdown]\n# # Small\n\n# %%\nx = 0\n\n# %%\n{code}\n")
    with pytest.raises(build.BuildError, match=rf"source/notebooks/03_pruning.py, line [89]: .*{says}"):
        build.build(Target("03_pruning", "chapter"))


def test_two_builds_give_the_same_bytes(copied):
    target = Target(NAME, "solution")
    build.build(target)
    assert target.path.read_bytes() == (copied / "solutions" / f"{NAME}_solution.ipynb").read_bytes()
    first = target.path.read_bytes()
    assert not build.why_stale(target)
    build.build(target)
    assert target.path.read_bytes() == first


def test_a_new_neighbour_changes_links_and_runs_nothing_again(copied, monkeypatch):
    targets = [Target("01_quantization", kind) for kind in ("chapter", "lab", "solution")]
    monkeypatch.setattr(build, "_execute", lambda target, notebook: pytest.fail(f"{target} ran"))
    before = {target: notebooks.read(target.path).cells for target in targets}
    (copied / "source" / "notebooks" / "02_mixed_precision.py").write_text("# %% [markdown]\n# # A title\n")
    assert len(gates.drift(targets)) == len(gates.pages(targets)) / 2 == 3
    assert build.run(targets, force=False) == 0
    assert gates.drift(targets) == gates.pages(targets) == gates.outputs(targets) == []
    for target in targets:
        after = notebooks.read(target.path).cells
        assert "02_mixed_precision.ipynb" in after[0].source
        assert after[1:-2] == before[target][1:-2]


@pytest.mark.parametrize(
    "change",
    [
        lambda cells: code_cells(cells)[0].update(source="1"),
        lambda cells: code_cells(cells)[0].update(execution_count=7),
        lambda cells: code_cells(cells)[0]["outputs"].append(
            {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
        ),
    ],
    ids=["other code", "run out of order", "error"],
)
def test_outputs_that_no_build_left_are_not_kept(copied, monkeypatch, change):
    ran = []
    monkeypatch.setattr(build, "_execute", lambda target, notebook: ran.append(target) or 0.0)
    edit_cells(copied / "notebooks" / f"{NAME}.ipynb", lambda cells: (cells[0].update(source="x"), change(cells)))
    assert build.run([THIS[0]], force=False) == 0
    assert ran == [THIS[0]]


# ------------------------------------------------------------------ checks and wrong answers


def weakened(name):
    """The same exercise with a check that has lost its teeth."""
    real = exercises_of("start_here")[name]
    return Exercise(
        lambda answer, rng: None,
        lab="weakened", title="", core=True, minutes=1, difficulty=1, hints=(), errors={}, repeats=1, seconds=10,
        memory=2**31, is_decision=real.is_decision,
    )  # fmt: skip


def _gap(rates: dict[str, float]) -> float:
    return max(rates.values()) - min(rates.values())


def test_weakened_check_is_refused():
    wrong, says = gates.wrong_answers("start_here")["parity_gap"][0]
    with pytest.raises(AssertionError, match="a wrong answer is correct"):
        assertions.is_refused(weakened("parity_gap"), wrong(_gap), says)
    with pytest.raises(AssertionError, match="a mutant passes"):
        assertions.mutants_are_refused(weakened("parity_gap"), _gap, {})


def test_message_that_is_not_the_one_meant_is_refused():
    wrong, _ = gates.wrong_answers("start_here")["parity_gap"][0]
    with pytest.raises(AssertionError, match="it is told"):
        assertions.is_refused(exercises_of("start_here")["parity_gap"], wrong(_gap), "ratio of two rates")


def test_too_strict_check_is_refused():
    with pytest.raises(AssertionError, match="the solution is refused"):
        assertions.passes(exercises_of("start_here")["parity_gap"], lambda rates: -_gap(rates))


def test_blank_that_runs_is_refused():
    with pytest.raises(AssertionError, match="the blank is not recognised"):
        assertions.blank_is_not_attempted(exercises_of("start_here")["parity_gap"], lambda rates: 0)


# ------------------------------------------------------------------ what a lesson must have

PROSE = "Markdown has one sentence a line"
CHAPTER = f"source/notebooks/{NAME}.py"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("# ## The claim", "# ## A thought", "no section “The claim”"),
        ("# ## Check yourself", "# ## Or not", "the quiz has 0 questions"),
        ("# Right.\n# Everything", "# Everything", "just one option"),
        ("# Not quite.\n# That zero", "# Right.\n# That zero", "just one option"),
        ("# Not quite.\n# That zero", "# That zero", "every option gives its reason"),
        ("# **2.\n# You audit", "# You audit", "the quiz has 2 questions"),
        ('"small_audit_suffices"', '"another"', "does not show the claim small_audit_suffices"),
        ("So what does one do", "TODO what does one do", "still holds a TODO"),
        ("**45 minutes", "**50 minutes", "does not state its 45 minutes"),
        ("# ## Go on", "# %%\n1\n\n" * 30 + "# %% [markdown]\n# ## Go on", "code cells; 45 are the most"),
        ("# ## The claim", f"# {'word ' * 6000}\n#\n# ## The claim", "45 minutes are stated; what is there takes 7"),
        ("import numpy as np\n", "import numpy as np\n!pip install numpy\n", "installs something"),
        ("import numpy as np\n", "import warnings\nwarnings.filterwarnings('ignore')\n", "silences every warning"),
        ("import numpy as np\n", "import numpy as np\nplt.show()\n", "draws past helix.plots"),
        ("# %%\nfrom helix", '# %% tags=["hide-input"]\nfrom helix', "tagged hide-input shows no figure"),
    ],
)
def test_chapter_that_lacks_something_is_refused(copied, old, new, says):
    edit(copied / CHAPTER, old, new)
    assert any(says in sentence for sentence in chapter_lacks()), chapter_lacks()


def test_too_few_checked_cells_are_refused(copied):
    text = (copied / CHAPTER).read_text()
    (copied / CHAPTER).write_text(re.sub(r' tags=\["nbval-check-output"\]', "", text, count=4))
    assert any("cells tagged nbval-check-output" in sentence for sentence in chapter_lacks())


def test_another_asset_asks_for_a_new_build(copied):
    target = Target(NAME, "chapter")
    before = notebooks.fingerprint(target)
    edit(copied / "source" / "course.toml", 'group = "core"\n', 'group = "core"\nassets = ["compas"]\n')
    named = notebooks.fingerprint(target)
    lock = copied / "utils" / "helix" / "assets" / "assets.lock"
    lock.write_text(lock.read_text().replace('name = "raw.csv"', 'name = "table.csv"'))
    assert len({before, named, notebooks.fingerprint(target)}) == 3


def test_chapter_without_sources_is_refused(copied):
    text = (copied / CHAPTER).read_text()
    (copied / CHAPTER).write_text(text[: text.index("# Primary sources:")])
    assert any("no primary source" in sentence for sentence in chapter_lacks())


def test_two_sentences_on_a_line_are_refused_and_mended(copied):
    before = (copied / CHAPTER).read_text()
    edit(copied / CHAPTER, "# ## The claim\n", "# ## The claim\n#\n# One thought. Another one.\n")
    assert [CHAPTER in sentence and "build --format" in sentence for sentence in gates.GATES[PROSE]()] == [True]
    assert build.main(["--format"]) == 0
    assert "# One thought.\n# Another one.\n" in (copied / CHAPTER).read_text() != before
    assert gates.GATES[PROSE]() == []


WIDTH = "code fits a small window"


@pytest.mark.parametrize("file", [CHAPTER, f"source/labs/{NAME}.py"])
@pytest.mark.parametrize("code", ["long = max(" + "1, " * 34 + "1)", "# " + "word " * 22, "# " + "字" * 55])
def test_code_wider_than_a_small_window_is_refused(copied, file, code):
    edit(copied / file, "# %%\n", f"# %%\n{code}\n")
    refused = gates.GATES[WIDTH]()
    assert [file in sentence and "build --format" in sentence for sentence in refused] == [True], refused


def test_code_as_wide_as_a_small_window_passes(copied):
    wide = "#" * 110 + "\n" + "# " + "字" * 54 + "\n"
    edit(copied / CHAPTER, "# %%\n", f"# %%\n{wide}# %% [markdown]\n# {'word ' * 40}\n\n# %%\n")
    assert gates.GATES[WIDTH]() == []


def test_wide_code_is_mended_by_the_formatter(copied):
    edit(copied / CHAPTER, "# %%\n", "# %%\nlong = max(" + "1, " * 34 + "1)\n")
    assert build.main(["--format"]) == 0
    assert gates.GATES[WIDTH]() == []


def test_wide_code_that_is_folded_away_passes(copied):
    edit(copied / CHAPTER, "# %%\n", '# %% tags=["hide-input"]\n# plots.show(' + "word " * 22 + "\n\n# %%\n")
    assert gates.GATES[WIDTH]() == []
    assert "tagged" not in "".join(chapter_lacks())


def test_folded_cell_is_stored_folded_and_takes_no_minutes(copied):
    target = Target(NAME, "chapter")
    before = minutes.content(target).code_cells
    edit(copied / CHAPTER, "# %%\n", '# %% tags=["hide-input"]\nplots.show()\n\n# %%\n')
    first = next(cell for cell in notebooks.make(target).cells if cell.cell_type == "code")
    assert first.metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}
    assert minutes.content(target).code_cells == before


GLOSSARY = "terms are defined once, in two languages"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title="控制措施"', 'title="control"', "'control' has no Chinese name"),
        ('title="控制措施"', 'title=""', "'control' has no Chinese name"),
        ('<dfn title="控制措施">', "<dfn>", "is marked as"),
        ("control</dfn>", "control", "is marked as"),
        ("control</dfn>", "Audit</dfn>", "defines 'Audit', as"),
        ("and refuses what must not happen", "and says no", "Run: python3 kit.py build"),
    ],
)
def test_glossary_that_is_not_right_is_refused(copied, old, new, says):
    glossary.write()
    assert gates.GATES[GLOSSARY]() == []
    edit(copied / CHAPTER, old, new)
    refused = gates.GATES[GLOSSARY]()
    assert any(says in sentence for sentence in refused), refused


def test_build_writes_the_glossary(copied):
    glossary.path().write_text("{}")
    build.run([], force=False)
    assert gates.GATES[GLOSSARY]() == []
    page = notebooks.read(glossary.path())
    assert {cell.cell_type for cell in page.cells} == {"markdown"}
    assert copies.version(glossary.path()), "learners get a copy of it"
    text = "\n".join(cell.source for cell in page.cells)
    assert (
        '**control** · <span lang="zh">控制措施</span> · [00 Start here](00_start_here.ipynb)<br>\nA control is a function'
        in text
    )
    assert "dfn" not in text
    assert re.findall(r"(?m)^## (.)$", text) == sorted(re.findall(r"(?m)^## (.)$", text))


def test_lab_that_never_checks_is_refused(copied):
    edit(copied / "source" / "labs" / f"{NAME}.py", "check.parity_gap(parity_gap)", "parity_gap")
    assert any("never checks parity_gap" in sentence for sentence in lab_lacks())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("# ## 2. The parity gap", "# ## 2. The gap", "no line “The parity gap”, as the check of parity_gap"),
        ("# *7 minutes", "# *6 minutes", "no line “*7 minutes · difficulty 1 of 5 · core*”"),
        ("**60 minutes", "**45 minutes", "does not state its 60 minutes"),
        (
            "You will measure",
            f"{'Read this. ' * 2000}You will measure",
            "reading (60 of source/course.toml − 45 of its",
        ),
        (
            "### BEGIN SOLUTION\n",
            "### BEGIN SOLUTION\n" + "    1\n" * 40,
            "its exercises together: 45 minutes are stated",
        ),
    ],
)
def test_lab_that_says_other_than_its_checks_is_refused(copied, old, new, says):
    edit(copied / "source" / "labs" / f"{NAME}.py", old, new)
    assert any(says in sentence for sentence in lab_lacks()), lab_lacks()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("minutes = 45\n", "minutes = 61\n", "takes 61 minutes; 60 are the most"),
        ("lab_minutes = 60\n", "lab_minutes = 76\n", "takes 76 minutes; 75 are the most"),
        ("minutes = 45\n", "minutes = 20\n", "20 minutes are stated; what is there takes 3"),
        ("minutes = 45\n", "minutes = 58\n", "58 minutes are stated; what is there takes 3"),
        ("lab_minutes = 60\n", "lab_minutes = 45\n", "0 minutes are stated"),
    ],
)
def test_minutes_that_are_not_true_are_refused(copied, old, new, says):
    edit(copied / "source" / "course.toml", old, new)
    assert any(says in sentence for sentence in chapter_lacks() + lab_lacks()), chapter_lacks() + lab_lacks()


def test_chapter_without_its_unit_test_is_refused(copied):
    (copied / "tests" / "unit" / "test_start_here.py").unlink()
    assert any("has no tests/unit/test_start_here.py" in sentence for sentence in chapter_lacks())


def test_misconception_that_nobody_saw_work_is_refused(copied):
    path = copied / "tests" / "wrong_answers" / "start_here.py"
    edit(path, '        (parity_gap_spread, "not the parity gap"),\n', "")
    assert any("no wrong answer to parity_gap is told “This is not the parity gap" in one for one in lab_lacks())


def test_too_few_wrong_answers_are_refused(copied):
    path = copied / "tests" / "wrong_answers" / "start_here.py"
    path.write_text(path.read_text() + '\nWRONG["parity_gap"] = []\n')
    assert any("has no wrong answer to parity_gap. Type one" in sentence for sentence in lab_lacks())


def test_unmeasured_claim_is_refused(copied):
    path = copied / "results" / f"{NAME}.json"
    record = json.loads(path.read_text())
    del record["claims"]["small_audit_suffices"]
    path.write_text(json.dumps(record))
    assert "python3 kit.py experiment 00 --measure" in gates.claims()[0]


# ------------------------------------------------------------------ records and the repository


def test_touched_experiment_script_is_refused(copied):
    edit(copied / "experiments" / f"{NAME}.py", "AUDITS = 200", "AUDITS = 201")
    assert "python3 kit.py experiment 00 --measure" in results.stale()[0]


def test_record_without_script_and_script_without_record_are_refused(copied):
    (copied / "experiments" / f"{NAME}.py").rename(copied / "experiments" / "77_orphan.py")
    script, record = results.stale()
    assert "experiments/77_orphan.py has no record" in script
    assert f"git rm results/{NAME}.json" in record


def test_dead_link_is_refused(copied):
    with open(copied / "README.md", "a") as file:
        file.write("\n[gone](docs/gone.md)\n")
    assert gates.links() == ["README.md links to docs/gone.md, which does not exist."]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('01_quantization.ipynb\\">', '01_pruning.ipynb\\">', "links to 01_pruning.ipynb, which does not exist"),
        ("#1.-Selection-rates", "#1.-Rates", "links to ../labs/00_start_here_lab.ipynb#1.-Rates, and there is no such"),
        ("ipynb#The-map", "ipynb#A-map", "links to 00_start_here.ipynb#A-map, and there is no such heading"),
    ],
    ids=["in an output", "exercise", "heading"],
)
def test_dead_link_of_a_notebook_is_refused(copied, old, new, says):
    edit(copied / "notebooks" / f"{NAME}.ipynb", old, new)
    assert any(says in sentence for sentence in gates.links()), gates.links()


def test_large_file_is_refused(copied):
    (copied / "data" / "adult" / "big.bin").write_bytes(b"\0" * (repository.FILE_AT_MOST + 1))
    assert "data/adult/big.bin has 25 MB; 25 are the most" in gates.sizes()[0]
    for number in range(2):
        (copied / "data" / "adult" / f"{number}.bin").write_bytes(b"\0" * (repository.FILE_AT_MOST - 1))
    assert any("data/ and weights/" in sentence for sentence in gates.sizes())


def test_outside_a_checkout_what_git_ignores_is_left_alone(copied):
    before = gates.tracked()
    for name in (
        ".venv-tensorflow/lib/README.md",
        "utils/x.egg-info/PKG.md",
        "labs/.ipynb_checkpoints/a.ipynb",
        "a.whl",
    ):
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        (copied / name).write_text("[gone](gone.md)")
    assert not (copied / ".git").exists()
    assert gates.tracked() == before
    (copied / "docs" / "new.md").write_text("[gone](gone.md)")
    assert gates.tracked() == sorted([*before, copied / "docs" / "new.md"])


def test_data_without_card_is_refused(copied):
    (copied / "data" / "adult" / "CARD.md").unlink()
    assert "data/adult has no CARD.md" in gates.cards()[0]


def test_weights_without_card_are_refused(copied):
    (copied / "weights" / "01_quantization" / "CARD.md").unlink()
    assert "weights/01_quantization has no CARD.md" in gates.cards()[0]


@pytest.mark.parametrize("file", ["CARD.md", "qat.safetensors"])
def test_other_weights_ask_for_a_new_build_of_what_reads_them(copied, file):
    with open(copied / "weights" / "01_quantization" / file, "ab") as weights:
        weights.write(b"\n")
    targets = [Target("01_quantization", "chapter"), Target("01_quantization", "solution"), *THIS]
    assert {sentence[:12] for sentence in gates.drift(targets)} == {"notebooks/01", "solutions/01"}


def test_stale_readme_is_refused(copied):
    edit(copied / "source" / "course.toml", 'title = "Pruning"', 'title = "Cutting"')
    assert len(readme.lacks()) == 2
    assert all("python3 kit.py readme" in sentence for sentence in readme.lacks())


def test_stale_chinese_is_named(copied):
    edit(copied / "source" / "course.toml", 'title = "Pruning"', 'title = "Cutting"')
    found = readme.chinese_lacks()
    assert any('has no Chinese for "Cutting"' in sentence for sentence in found)
    assert any("has changed or is gone" in sentence for sentence in found)
    edit(copied / "README.md", "## Begin", "## Start")
    assert any('has no Chinese for "## Start"' in sentence for sentence in readme.chinese_lacks())


def test_catalogue_of_the_copy_is_the_copy(copied):
    edit(copied / "source" / "course.toml", 'title = "Pruning"', 'title = "Cutting"')
    assert catalogue.load().chapter("03").title == "Cutting"


@pytest.mark.parametrize(
    ("file", "text", "command"),
    [
        ("utils/helix/bad.py", "import os\n", ["ruff", "check", "utils"]),
        (
            "utils/helix/bad.py",
            '"""Bad."""\n\n\ndef f(x: int) -> str:\n    """Add."""\n    return x + 1\n',
            ["mypy", "--follow-imports=skip", "utils/helix/bad.py"],
        ),
        ("utils/helix/bad.py", '"""Bad."""\nx  =  1\n', ["ruff", "format", "--check", "utils"]),
        ("utils/helix/bad.py", '"""A sentance."""\n', ["codespell_lib", "utils"]),  # codespell:ignore sentance
    ],
    ids=["ruff check", "mypy", "ruff format", "codespell"],
)
def test_style_is_enforced(copied, file, text, command):
    (copied / file).write_text(text)
    done = subprocess.run([sys.executable, "-m", *command], cwd=copied, capture_output=True, text=True)
    assert done.returncode != 0
    assert "bad.py" in done.stdout + done.stderr


def test_skip_counts_where_everything_is_required(tmp_path):
    (tmp_path / "test_skipped.py").write_text("import pytest\n\ndef test_it():\n    pytest.skip('no such program')\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "helix.course.plugin",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    assert subprocess.run([*command, "--require-all"], cwd=tmp_path, capture_output=True).returncode == 1
