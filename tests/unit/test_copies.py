"""The learner's copies: made, renewed, kept, and never written over once somebody wrote in them."""

import errno
import json
import os
import shutil
from datetime import date
from pathlib import Path

import nbformat
import pytest

from helix import paths
from helix.course import copies

LAB = "labs/00_start_here_lab.ipynb"
PAGES = ("notebooks/00_start_here.ipynb", LAB, "solutions/00_start_here_solution.ipynb")
TODAY = date.today().isoformat()


def page(*texts, inputs="1"):
    """Return a built page: its cells have these texts."""
    cells = [nbformat.v4.new_code_cell(text, id=f"cell-{number}") for number, text in enumerate(texts)]
    metadata = {"helix": {"texts": copies.texts(cells), "inputs": inputs}}
    return nbformat.v4.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata)) + "\n"


def ship(*texts, where=PAGES, **more):
    for name in where:
        (paths.root() / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.root() / name).write_text(page(*texts, **more))


def edit(file, change):
    """Change a copy as JupyterLab does: read, change, save."""
    notebook = nbformat.read(file, as_version=4)
    change(notebook)
    nbformat.write(notebook, file)


def write(notebook):
    notebook.cells[0].source += "\n# my note"


def run(notebook):
    for number, cell in enumerate(notebook.cells):
        cell.execution_count = number + 1
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="42\n")]
        cell.metadata["collapsed"] = True
    notebook.metadata["language_info"] = {"name": "python", "version": "3.13.0"}


def files():
    work = paths.work()
    return sorted(file.relative_to(work).as_posix() for file in work.rglob("*") if file.is_file())


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path / "course"))
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "mine"))
    ship("a = 1", "b = 2")
    return tmp_path / "mine"


def test_every_page_has_its_place(work):
    assert copies.place() == []
    assert files() == sorted(PAGES)
    for name in PAGES:
        assert (work / name).read_bytes() == (paths.root() / name).read_bytes()


def test_an_own_notebook_beside_the_pages_is_no_page(work):
    nbformat.write(nbformat.v4.new_notebook(), paths.root() / "notebooks" / "Untitled.ipynb")
    copies.place()
    assert files() == sorted(PAGES)


def test_a_copy_is_the_learners_to_write_whatever_the_page_is(work):
    (paths.root() / LAB).chmod(0o444)
    copies.place()
    assert (work / LAB).stat().st_mode & 0o200


def test_nothing_new_changes_nothing(work):
    copies.place()
    edit(work / LAB, write)
    before = {name: ((work / name).read_bytes(), (work / name).stat().st_mtime_ns) for name in PAGES}
    assert copies.place() == []
    assert {name: ((work / name).read_bytes(), (work / name).stat().st_mtime_ns) for name in PAGES} == before


@pytest.mark.parametrize("change", [lambda notebook: None, run])
def test_a_copy_in_which_nothing_was_written_is_renewed(work, change):
    copies.place()
    edit(work / LAB, change)
    ship("a = 1", "b = 3", where=[LAB])
    assert copies.place() == [f"{work / LAB} is a newer version now; you had not changed it."]
    assert (work / LAB).read_bytes() == (paths.root() / LAB).read_bytes()
    assert files() == sorted(PAGES)


def test_a_new_figure_under_the_same_texts_renews_too(work):
    copies.place()
    ship("a = 1", "b = 2", inputs="2")
    assert len(copies.place()) == 3
    assert json.loads((work / LAB).read_text())["metadata"]["helix"]["inputs"] == "2"
    assert copies.place() == []


def drop(notebook):
    del notebook.cells[0]


def turn(notebook):
    notebook.cells.reverse()


def add(notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("A thought."))


def retype(notebook):
    notebook.cells[0].cell_type = "markdown"
    for key in ("outputs", "execution_count"):
        del notebook.cells[0][key]


def lose_our_mark(notebook):
    del notebook.metadata["helix"]


@pytest.mark.parametrize("change", [write, drop, turn, add, retype, lose_our_mark])
def test_a_copy_in_which_somebody_wrote_stays_and_the_new_one_comes_beside_it_once(work, change):
    copies.place()
    edit(work / LAB, change)
    mine = (work / LAB).read_bytes()
    new = work / "labs" / f"00_start_here_lab.new-{TODAY}.ipynb"
    ship("a = 1", "b = 3", where=[LAB])
    assert copies.place() == [f"{work / LAB}, in which you wrote, has a newer version: {new.name}, beside it."]
    assert (work / LAB).read_bytes() == mine
    assert new.read_bytes() == (paths.root() / LAB).read_bytes()
    new.unlink()
    assert copies.place() == []  # who removed it has seen it
    ship("a = 1", "b = 4", where=[LAB])
    assert len(copies.place()) == 1
    ship("a = 1", "b = 5", where=[LAB])
    assert "new-" + TODAY + "-2.ipynb" in copies.place()[0]  # nothing that was offered is written over
    assert (work / LAB).read_bytes() == mine


def test_who_takes_the_new_one_has_no_more_changes(work):
    copies.place()
    edit(work / LAB, write)
    ship("a = 1", "b = 3", where=[LAB])
    copies.place()
    (work / "labs" / f"00_start_here_lab.new-{TODAY}.ipynb").rename(work / LAB)
    ship("a = 1", "b = 4", where=[LAB])
    assert "you had not changed it" in copies.place()[0]


def test_new_outputs_alone_are_no_news_for_who_wrote(work):
    copies.place()
    edit(work / LAB, write)
    ship("a = 1", "b = 2", inputs="2", where=[LAB])
    assert copies.place() == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": [{}], "metadata": {}}', b"\xff"])
def test_a_copy_that_cannot_be_read_is_kept(work, content):
    copies.place()
    (work / LAB).write_bytes(content)
    assert len(copies.place()) == 1
    assert (work / LAB).read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a": {}}'])
def test_a_damaged_note_of_what_was_offered_does_no_harm(work, content):
    copies.place()
    edit(work / LAB, write)
    ship("b = 3", where=[LAB])
    (work / copies.OFFERED).write_bytes(content)
    assert len(copies.place()) == 1
    assert copies.place() == []


def test_labs_from_where_earlier_versions_put_them(work):
    work.mkdir()
    for name, text in {
        "00_start_here": "mine",
        "00_start_here-kept": "older",
        "00_start_here-kept-2": "oldest",
    }.items():
        (work / f"{name}.ipynb").write_text(page(text))
    (work / "99_other.ipynb").write_text("not ours")
    told = copies.place()
    assert len(told) == 4
    assert told[2].startswith("Your lab 00_start_here.ipynb is now ")
    kept = ["labs/00_start_here_lab-kept.ipynb", "labs/00_start_here_lab-kept-2.ipynb"]
    assert files() == sorted(["99_other.ipynb", *kept, *PAGES])
    assert "older" in (work / kept[0]).read_text()
    assert (work / "labs/00_start_here_lab.ipynb").read_bytes() == (
        paths.root() / LAB
    ).read_bytes()  # nothing was written


def test_an_answered_lab_from_the_earlier_place_stays_answered(work):
    work.mkdir()
    (work / "00_start_here.ipynb").write_text(page("x"))
    edit(work / "00_start_here.ipynb", write)
    answered = (work / "00_start_here.ipynb").read_bytes()
    copies.place()
    assert (work / LAB).read_bytes() == answered
    (work / "00_start_here.ipynb").write_text("one more, from an old terminal")
    copies.place()
    assert (work / LAB).read_bytes() == answered
    assert (work / "labs/00_start_here_lab-kept.ipynb").read_text() == "one more, from an old terminal"


def test_a_full_disk_loses_nothing(work, monkeypatch):
    copies.place()
    before = (work / LAB).read_bytes()

    def copyfile(source, target):
        Path(target).write_bytes(b"hal")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    ship("b = 3")
    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(SystemExit, match=r"No space left on device\. Make room and call again\. Nothing was lost"):
        copies.place()
    assert (work / LAB).read_bytes() == before
    assert files() == sorted(PAGES)


@pytest.mark.parametrize("folder", [".", "utils"])
def test_the_courses_own_folder_is_no_place_for_copies(monkeypatch, folder):
    before = {name: (paths.root() / name).read_bytes() for name in PAGES}
    monkeypatch.setenv("HELIX_WORK", str(paths.root() / folder))
    with pytest.raises(SystemExit, match="HELIX_WORK names the course's own folder"):
        copies.place()
    assert {name: (paths.root() / name).read_bytes() for name in PAGES} == before


def test_a_folder_where_a_file_should_be_is_a_sentence(work):
    (work / LAB).mkdir(parents=True)
    with pytest.raises(SystemExit, match="Is a directory"):
        copies.place()
