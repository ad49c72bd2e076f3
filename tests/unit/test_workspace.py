"""The learner's copies are never overwritten, and what cannot be done is said in a sentence."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

import pytest

from helix import paths
from helix.course import catalogue, cli, portable, workspace
from helix.record import decisions, progress

CORE = ("selection_rates", "parity_gap", "release_gate", "decide")
BLANK = b'{"cells": ["blank"]}\n'


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Make a repository of a catalogue, one written lesson and its lab."""
    root = tmp_path / "root"
    for folder in ("source/notebooks", "source/labs", "labs"):
        (root / folder).mkdir(parents=True)
    shutil.copyfile(Path(__file__).parents[2] / "source" / "course.toml", root / "source" / "course.toml")
    for name in ("source/notebooks/00_start_here.py", "source/labs/00_start_here.py"):
        (root / name).write_text("")
    (root / "labs" / "00_start_here.ipynb").write_bytes(BLANK)
    monkeypatch.setenv("HELIX_ROOT", str(root))
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))
    return root


def kept():
    """Return what stands in the work folder."""
    return {file.name: file.read_bytes() for file in paths.work().iterdir()}


# ------------------------------------------------------------------ kit.py start


@pytest.mark.parametrize("key", ["0", "00", "start_here", "00_start_here"])
def test_start_copies_the_lab(key):
    copy = workspace.start(key)
    assert copy == paths.work() / "00_start_here.ipynb"
    assert kept() == {"00_start_here.ipynb": BLANK}


def test_start_never_overwrites():
    copy = workspace.start("0")
    copy.write_bytes(b"mine")
    (paths.root() / "labs" / "00_start_here.ipynb").write_bytes(b"a newer edition")
    assert workspace.start("0") == copy
    assert kept() == {"00_start_here.ipynb": b"mine"}


def test_a_fresh_copy_keeps_every_older_one():
    for number in range(4):
        workspace.start("0", fresh=True).write_bytes(f"attempt {number}".encode())
    assert kept() == {
        "00_start_here.ipynb": b"attempt 3",
        "00_start_here-kept.ipynb": b"attempt 0",
        "00_start_here-kept-2.ipynb": b"attempt 1",
        "00_start_here-kept-3.ipynb": b"attempt 2",
    }


def test_a_copy_is_the_learners_to_write_even_if_the_lab_is_read_only():
    (paths.root() / "labs" / "00_start_here.ipynb").chmod(0o444)
    assert workspace.start("0").stat().st_mode & 0o200


@pytest.mark.parametrize("fresh", [False, True])
def test_a_planned_lesson_is_a_sentence(fresh):
    with pytest.raises(SystemExit, match="The lab 03_pruning is planned, but not written yet"):
        workspace.start("3", fresh=fresh)
    assert not paths.work().exists() or kept() == {}


def test_an_unknown_lesson_is_a_sentence():
    with pytest.raises(catalogue.UnknownLesson, match="no lesson '99'"):
        workspace.start("99")


def test_a_work_folder_that_cannot_be_made_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for folder in ("file", "file/work"):
        monkeypatch.setenv("HELIX_WORK", str(tmp_path / folder))
        with pytest.raises(SystemExit, match=r"cannot be made .* Set HELIX_WORK to a folder that you can write to"):
            workspace.start("0")


def test_a_full_disk_loses_nothing(monkeypatch):
    workspace.start("0").write_bytes(b"mine")

    def copyfile(source, target):
        Path(target).write_bytes(b"hal")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(SystemExit, match=r"00_start_here.ipynb could not be made: No space left on device"):
        workspace.start("0", fresh=True)
    assert kept()["00_start_here.ipynb"] == b"mine"


def test_the_command_says_what_it_did(capsys):
    said = []
    for words in (["0"], ["start_here"], ["0", "--fresh"]):
        assert workspace.start_main(words) == 0
        said.append(capsys.readouterr().out)
    assert said == [
        "00_start_here.ipynb is ready.\n",
        "00_start_here.ipynb was there already; --fresh begins anew.\n",
        "00_start_here.ipynb is ready.\n",
    ]


# ------------------------------------------------------------------ status and progress


def solve(*names, outcome="correct"):
    for name in names:
        progress.attempted("start_here", name, outcome, "", 1)


def test_status_is_planned_open_and_done():
    first, second = catalogue.load().chapters[:2]
    assert workspace.status(second) == "planned"
    assert workspace.status(first) == "open"
    solve(*CORE[:-1])
    solve(CORE[-1], outcome="incorrect")
    assert workspace.status(first) == "open"
    solve(CORE[-1])
    assert workspace.status(first) == "done"
    solve(*CORE, outcome="incorrect")
    assert workspace.status(first) == "done"


def test_a_chapter_without_a_lab_is_open():
    (paths.root() / "source" / "notebooks" / "01_quantization.py").write_text("")
    assert workspace.status(catalogue.load().chapter("1")) == "open"


def test_the_progress_table():
    solve("selection_rates")
    solve("parity_gap", outcome="your code raised")
    solve("release_gate", outcome="not attempted")
    decisions.register("start_here", {"choice": "stop"})
    assert workspace.progress_table().splitlines() == [
        "00_start_here            1/4  ✓ selection_rates ✗ parity_gap ○ release_gate ○ decide",
        "Decisions in your register: 1 (start_here)",
    ]


def test_the_progress_table_of_a_beginner():
    assert workspace.progress_table().splitlines() == [
        "00_start_here            0/4  ○ selection_rates ○ parity_gap ○ release_gate ○ decide",
        "Decisions in your register: 0",
    ]


def test_foreign_lines_in_the_progress_do_no_harm():
    solve("selection_rates")
    with open(progress.path(), "ab") as file:
        file.write(b'no json\n{}\n[1]\n{"lab": "start_here", "exercise": 3, "outcome": null}\n\xff\xfe\n{"lab')
    assert "1/4" in workspace.progress_table()
    solve("parity_gap")
    assert "2/4" in workspace.progress_table()


def test_the_map_shows_every_chapter():
    solve(*CORE)
    lines = workspace.map_table().splitlines()
    assert len([line for line in lines if line.startswith("  ")]) == 37
    assert any(line.startswith("  00 start_here") and " done " in line for line in lines)
    assert any(line.startswith("  03 pruning") and " planned " in line for line in lines)
    assert [rung.status for rung in workspace.rungs()] == ["done"] + ["planned"] * 36


# ------------------------------------------------------------------ kit.py export and import


def test_export_and_import_from_the_command_line(tmp_path, monkeypatch, capsys):
    solve("selection_rates", "parity_gap")
    file = tmp_path / "record.json"
    assert portable.export_main([str(file), "--owner", "Li Wei"]) == 0
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "elsewhere"))
    capsys.readouterr()
    for says in (f"Taken in from the record of Li Wei: {number} attempts and 0 decisions" for number in (2, 0)):
        assert portable.import_main([str(file)]) == 0
        assert says in capsys.readouterr().out
    assert "2/4" in workspace.progress_table()


# ------------------------------------------------------------------ what learners are told to type


def test_every_sentence_names_the_command_that_works_without_an_active_environment():
    words = "|".join(cli.COMMANDS)
    root = Path(__file__).parents[2]
    files = [
        *root.glob("utils/helix/**/*.py"),
        *root.glob("source/**/*.py"),
        *root.glob("docs/*.md"),
        root / "README.md",
    ]
    # The head of a lock is part of what set-up compares; it is no sentence for learners.
    told = {
        f"{file.name}: {line.strip()}"
        for file in files
        if file.name != "lock.py"
        for line in file.read_text("utf-8").splitlines()
        if re.search(rf"[`\"“]helix (?:{words})\b", line)
    }
    assert not told
