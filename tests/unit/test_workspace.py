"""The learner's copies are never overwritten, and what cannot be done is said in a sentence."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from helix import paths
from helix.course import catalogue, cli, copies, portable, variables, workspace
from helix.record import progress

LAB = "00_start_here_lab.ipynb"


def blank(text="blank"):
    """Return a built lab of one cell."""
    cells = [{"cell_type": "raw", "source": text, "metadata": {}, "id": "a"}]
    metadata = {"helix": {"texts": copies.texts(cells)}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


BLANK = blank()
MINE = BLANK.replace(b'"source": "blank"', b'"source": "mine"')  # as it is saved after somebody wrote in it


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Make a repository of a catalogue, one written lesson and its lab."""
    root = tmp_path / "root"
    for folder in ("source/notebooks", "source/labs", "labs"):
        (root / folder).mkdir(parents=True)
    shutil.copyfile(Path(__file__).parents[2] / "source" / "course.toml", root / "source" / "course.toml")
    for name in ("source/notebooks/00_start_here.py", "source/labs/00_start_here.py"):
        (root / name).write_text("")
    (root / "labs" / LAB).write_bytes(BLANK)
    monkeypatch.setenv("HELIX_ROOT", str(root))
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))
    return root


def kept():
    """Return the learner's labs."""
    return {file.name: file.read_bytes() for file in (paths.work() / "labs").glob("*")}


# ------------------------------------------------------------------ kit.py start


@pytest.mark.parametrize("key", ["0", "00", "start_here", "00_start_here"])
def test_start_copies_the_lab(key):
    copy = workspace.start(key)
    assert copy == paths.work() / "labs" / LAB
    assert kept() == {LAB: BLANK}


def test_start_never_overwrites():
    copy = workspace.start("0")
    copy.write_bytes(MINE)
    (paths.root() / "labs" / LAB).write_bytes(blank("a newer edition"))
    assert workspace.start("0") == copy
    assert sorted(kept().values()) == sorted([MINE, blank("a newer edition")])
    assert kept()[LAB] == MINE


def test_a_fresh_copy_keeps_every_older_one():
    for number in range(4):
        workspace.start("0", fresh=True).write_bytes(f"attempt {number}".encode())
        (paths.work() / copies.OFFERED).write_text(json.dumps({f"labs/{LAB}": copies.texts([]), "x": "y"}))
    assert {name: content for name, content in kept().items() if ".new-" not in name} == {
        LAB: b"attempt 3",
        "00_start_here_lab-kept.ipynb": b"attempt 0",
        "00_start_here_lab-kept-2.ipynb": b"attempt 1",
        "00_start_here_lab-kept-3.ipynb": b"attempt 2",
    }


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
    workspace.start("0").write_bytes(MINE)

    def copyfile(source, target):
        Path(target).write_bytes(b"hal")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(SystemExit, match=r"00_start_here_lab.ipynb could not be made: No space left on device"):
        workspace.start("0", fresh=True)
    assert kept() == {LAB: MINE}


def test_the_command_says_what_it_did(capsys):
    said = []
    for words in (["0"], ["start_here"], ["0", "--fresh"]):
        assert workspace.start_main(words) == 0
        said.append(capsys.readouterr().out)
    copy = paths.work() / "labs" / LAB
    assert said == [
        f"{copy} is ready.\n",
        f"{copy} was there already; --fresh begins anew.\n",
        f"{copy} is ready.\n",
    ]
    assert workspace.start_main([]) == 0
    assert capsys.readouterr().out == f"Your copies of all pages are in {paths.work()}.\n"
    with pytest.raises(SystemExit):
        workspace.start_main(["--fresh"])


def test_a_relative_work_folder_is_the_same_one_wherever_a_process_stands(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_WORK", "mine")
    for folder in (tmp_path, paths.root(), paths.root() / "labs"):
        monkeypatch.chdir(folder)
        assert paths.work() == paths.root() / "mine"


@pytest.mark.parametrize("home", ["/", "/nonexistent", "/proc"])
def test_jupyter_has_a_home_wherever_there_is_none(tmp_path, monkeypatch, capsys, home):
    monkeypatch.setattr(variables.os, "access", lambda path, mode: tmp_path in (Path(path), *Path(path).parents))
    started = lab(monkeypatch, home)
    assert started["HOME"] == str(paths.work() / ".home")
    assert "Your home folder cannot be written to." in capsys.readouterr().out
    assert lab(monkeypatch, str(tmp_path))["HOME"] == str(tmp_path)
    assert "Your home folder" not in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--allow-root"], ["--port=9"]])
def test_root_is_let_in_and_told(monkeypatch, capsys, words):
    for user, expected in ((0, 1), (1000, words.count("--allow-root"))):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert lab(monkeypatch, words=words)["words"].count("--allow-root") == expected
        assert ("You are root" in capsys.readouterr().out) == (user == 0 and "--allow-root" not in words)


def lab(monkeypatch, home=None, words=()):
    """Return the environment and the words with which JupyterLab would be started."""
    for name in ("HOME", "HELIX_WORK", "JUPYTER_CONFIG_PATH", *variables.for_learner()):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that it is as before when the test ends
    monkeypatch.chdir(paths.root())
    if home:
        monkeypatch.setenv("HOME", home)
    started = {}
    monkeypatch.setattr(os, "execv", lambda program, command: started.update(os.environ, words=command))
    workspace.lab(list(words))
    assert f"--ServerApp.root_dir={paths.work()}" in started["words"]
    return started


# ------------------------------------------------------------------ kit.py export and import


def test_export_and_import_from_the_command_line(tmp_path, monkeypatch, capsys):
    for name in ("selection_rates", "parity_gap"):
        progress.attempted("start_here", name, "correct", "", 1)
    file = tmp_path / "record.json"
    assert portable.export_main([str(file), "--owner", "Li Wei"]) == 0
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "elsewhere"))
    capsys.readouterr()
    for says in (f"Taken in from the record of Li Wei: {number} attempts and 0 decisions" for number in (2, 0)):
        assert portable.import_main([str(file)]) == 0
        assert says in capsys.readouterr().out
    assert len(progress.standing("start_here").correct) == 2


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
