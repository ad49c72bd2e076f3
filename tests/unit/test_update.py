"""A new version of the course arrives, by git or from a folder: nothing that a learner wrote is lost, no failure leaves halves."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import nbformat
import pytest

from helix import paths
from helix.course import copies, update

CHAPTER, LAB = "notebooks/00_start_here.ipynb", "labs/00_start_here_lab.ipynb"
REPOSITORY = Path(__file__).parents[2]
TODAY = date.today().isoformat()

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed.")


def git(*words, where):
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(where)}
    person = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *person, *words], cwd=where, capture_output=True, text=True, env={**os.environ, **settings}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def page(*texts):
    cells = [nbformat.v4.new_code_cell(text, id=f"cell-{number}") for number, text in enumerate(texts)]
    return (
        nbformat.v4.writes(nbformat.v4.new_notebook(cells=cells, metadata={"helix": {"texts": copies.texts(cells)}}))
        + "\n"
    )


def write_in(file, text="# my note"):
    notebook = nbformat.read(file, as_version=4)
    notebook.cells[0].source += f"\n{text}"
    nbformat.write(notebook, file)
    return file.read_bytes()


def make(root, version, *, lock="numpy==1\n"):
    """Write a small course in some version."""
    for name, text in {
        "kit.py": f"print({version!r})\n",
        "requirements.lock": lock,
        "source/course.toml": "",
        ".gitignore": "work/\n__pycache__/\n.before-update-*/\n",
        CHAPTER: page(f"chapter {version}", "more"),
        LAB: page(f"lab {version}", "more"),
        "labs/01_other_lab.ipynb": page("never changes"),
        f"docs/only_{version}.md": version,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in ("__init__.py", "paths.py", "course/__init__.py", "course/copies.py", "course/update.py"):
        (root / "utils/helix" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / "utils" / "helix" / name, root / "utils" / "helix" / name)


def publish(upstream, version, **more):
    shutil.rmtree(upstream / "docs", ignore_errors=True)
    make(upstream, version, **more)
    git("add", "-A", where=upstream)
    git("commit", "-qm", version, where=upstream)


@pytest.fixture
def upstream(tmp_path):
    folder = tmp_path / "upstream"
    folder.mkdir()
    git("init", "-q", where=folder)
    publish(folder, "1")
    return folder


@pytest.fixture
def clone(tmp_path, upstream, monkeypatch):
    """A learner's clone, with copies in its work folder."""
    folder = tmp_path / "clone 课"
    git("clone", "-q", str(upstream), str(folder), where=tmp_path)
    monkeypatch.setenv("HELIX_ROOT", str(folder))
    monkeypatch.delenv("HELIX_WORK", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    copies.place()
    return folder


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """A learner's copy that is no clone."""
    folder = tmp_path / "course"
    make(folder, "1")
    monkeypatch.setenv("HELIX_ROOT", str(folder))
    monkeypatch.delenv("HELIX_WORK", raising=False)
    copies.place()
    return folder


def call(*words, capfd):
    status = update.main(list(words))
    said = capfd.readouterr()
    assert "Traceback" not in said.err
    return status, said.out + said.err


def state(folder):
    """Return all files of a course but the learner's and git's, and their contents."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
        and file.relative_to(folder).parts[0] not in (".git", "work")
        and "__pycache__" not in file.parts
    }


def clean(clone):
    return git("status", "--porcelain", where=clone) == ""


# ------------------------------------------------------------------ by git


def test_rehearsal_notes_and_answers_stay_and_the_new_comes_beside(clone, upstream, capfd):
    note, answer = write_in(clone / "work" / CHAPTER), write_in(clone / "work" / LAB, "answer = 42")
    publish(upstream, "2")
    status, said = call(capfd=capfd)
    assert status == 0
    assert "Updated from " in said
    for name, mine in {CHAPTER: note, LAB: answer}.items():
        copy = clone / "work" / name
        beside = copy.with_name(f"{copy.stem}.new-{TODAY}.ipynb")
        assert copy.read_bytes() == mine
        assert beside.read_bytes() == (upstream / name).read_bytes()
        assert f"work/{name}, in which you wrote, has a newer version: {beside.name}" in said
    assert "01_other" not in said
    assert state(clone) == state(upstream)
    assert clean(clone)
    assert "setup" not in said
    assert call(capfd=capfd) == (0, "This is the newest version.\n")


def test_copies_without_notes_are_renewed(clone, upstream, capfd):
    publish(upstream, "2")
    assert "is a newer version now; you had not changed it" in call(capfd=capfd)[1]
    assert (clone / "work" / LAB).read_bytes() == (upstream / LAB).read_bytes()
    assert not list((clone / "work").rglob("*.new-*"))


def test_a_changed_lock_is_told(clone, upstream, capfd):
    publish(upstream, "2", lock="numpy==2\n")
    assert "Next: python3 kit.py setup" in call(capfd=capfd)[1]


@pytest.mark.parametrize("placed", [True, False])
def test_what_an_editor_wrote_into_the_courses_own_page_is_moved(clone, upstream, capfd, placed):
    if not placed:
        shutil.rmtree(clone / "work")
    mine = write_in(clone / CHAPTER)
    publish(upstream, "2")
    status, said = call(capfd=capfd)
    assert status == 0
    moved = clone / "work" / (f"notebooks/00_start_here.saved-{TODAY}.ipynb" if placed else CHAPTER)
    assert moved.read_bytes() == mine
    assert f"You had written in {CHAPTER}: your version is now " in said
    assert clean(clone)


def test_a_page_that_was_only_run_or_removed_comes_back(clone, upstream, capfd):
    notebook = nbformat.read(clone / CHAPTER, as_version=4)
    notebook.cells[0].execution_count = 7
    nbformat.write(notebook, clone / CHAPTER)
    (clone / LAB).unlink()
    publish(upstream, "2")
    assert call(capfd=capfd)[0] == 0
    assert not list((clone / "work").rglob("*.saved-*"))
    assert state(clone) == state(upstream)


def test_other_changes_are_refused_and_nothing_moves(clone, upstream, capfd):
    publish(upstream, "2")
    (clone / "kit.py").write_text("mine")
    write_in(clone / CHAPTER)
    before = state(clone)
    status, said = call(capfd=capfd)
    assert status == 1
    assert "1 files of the course were changed here: kit.py." in said
    assert state(clone) == before


def test_own_commits_are_refused(clone, upstream, capfd):
    publish(upstream, "2")
    (clone / "kit.py").write_text("mine")
    git("commit", "-qam", "mine", where=clone)
    before = state(clone)
    status, said = call(capfd=capfd)
    assert (status, state(clone)) == (1, before)
    assert "There are commits here that origin/main does not have" in said


def test_a_rewritten_history_is_refused(clone, upstream, capfd):
    git("commit", "-q", "--amend", "-m", "again", where=upstream)
    before = state(clone)
    status, said = call(capfd=capfd)
    assert (status, state(clone)) == (1, before)
    assert "Clone the course anew" in said


def test_a_remote_that_is_away_is_a_sentence(clone, upstream, capfd):
    upstream.rename(upstream.with_name("away"))
    before = state(clone)
    status, said = call(capfd=capfd)
    assert (status, state(clone)) == (1, before)
    assert said.startswith("Not updated: git fetch says: fatal:")


def test_a_branch_that_follows_nothing_is_a_sentence(clone, capfd):
    git("checkout", "-q", "--detach", where=clone)
    assert "follows none of a remote" in call(capfd=capfd)[1]


def test_a_file_in_the_way_of_a_new_one_is_kept(clone, upstream, capfd):
    (clone / "docs" / "only_2.md").write_text("mine")
    publish(upstream, "2")
    before = state(clone)
    status, said = call(capfd=capfd)
    assert (status, state(clone)) == (1, before)
    assert "docs/only_2.md" in said


def test_from_another_clone_without_a_remote(clone, upstream, tmp_path, capfd):
    publish(upstream, "2")
    git("remote", "remove", "origin", where=clone)
    status, said = call("--from", str(upstream), capfd=capfd)
    assert status == 0, said
    assert state(clone) == state(upstream)
    assert clean(clone)


def test_a_merge_cut_short_is_undone(clone, upstream, capfd, monkeypatch):
    publish(upstream, "2")
    before, true = state(clone), update._git

    def cut(*words):
        if words[0] == "merge":
            (clone / "kit.py").write_text("half")
            raise update.Refused("git merge says: No space left on device")
        return true(*words)

    monkeypatch.setattr(update, "_git", cut)
    assert call(capfd=capfd) == (1, "Not updated: git merge says: No space left on device\n")
    assert state(clone) == before


# ------------------------------------------------------------------ from a folder


def zipped(folder, goal):
    with zipfile.ZipFile(goal, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, Path("course-main") / file.relative_to(folder))
    return goal


@pytest.mark.parametrize("how", ["folder", "zip"])
def test_from_a_folder_or_an_archive(plain, tmp_path, capfd, how):
    make(tmp_path / "new", "2", lock="numpy==2\n")
    answer = write_in(plain / "work" / LAB)
    noted = write_in(plain / CHAPTER)
    (plain / "notebooks" / "Untitled.ipynb").write_text("my own")
    (plain / ".venv").mkdir()
    (plain / ".venv" / "python").write_text("")
    (tmp_path / "new" / ".venv").mkdir()
    (tmp_path / "new" / ".venv" / "stranger").write_text("")
    source = tmp_path / "new" if how == "folder" else zipped(tmp_path / "new", tmp_path / "new.zip")
    status, said = call("--from", str(source), capfd=capfd)
    assert status == 0, said
    assert (plain / LAB).read_text() == page("lab 2", "more")
    assert (plain / "work" / LAB).read_bytes() == answer
    assert (plain / "work" / "labs" / f"00_start_here_lab.new-{TODAY}.ipynb").exists()
    assert (plain / "work" / "notebooks" / f"00_start_here.saved-{TODAY}.ipynb").read_bytes() == noted
    kept = plain / f".before-update-{TODAY}"
    assert (kept / "notebooks" / "Untitled.ipynb").read_text() == "my own"
    assert not (plain / "docs" / "only_1.md").exists()
    assert [file.name for file in (plain / ".venv").iterdir()] == ["python"]
    assert not (plain / ".update-new").exists()
    assert "Next: python3 kit.py setup" in said
    assert f"kept in {kept.name}/" in said


def test_what_is_not_the_course_is_refused(plain, tmp_path, capfd):
    make(tmp_path / "new", "2")
    (tmp_path / "new" / CHAPTER).unlink()
    (tmp_path / "no.zip").write_bytes(b"PK\x03\x04 cut")
    before = state(plain)
    for source, says in {
        tmp_path / "new": f"it has no {CHAPTER}",
        tmp_path / "no.zip": "neither a folder nor a whole .zip",
        tmp_path / "nowhere": "There is no ",
        plain: "the course's own folder",
    }.items():
        status, said = call("--from", str(source), capfd=capfd)
        assert (status, says in said) == (1, True), said
    assert call(capfd=capfd)[1].startswith("Not updated: This copy is no clone.")
    assert state(plain) == before


def test_a_failure_at_any_point_leaves_the_old_version(plain, tmp_path, capfd):
    """The disk fails at the n-th copy or renaming: all is as before. When there is no such point any more, the new version is there."""
    make(tmp_path / "new", "2")
    before = state(plain)
    for number in range(1, 100):
        left = [number]

        def failing(function, left=left):
            def fails(*words, **more):
                left[0] -= 1
                if left[0] == 0:
                    raise OSError(28, "No space left on device", "x")
                return function(*words, **more)

            return fails

        with pytest.MonkeyPatch.context() as disk:
            disk.setattr(shutil, "copy2", failing(shutil.copy2))
            disk.setattr(Path, "rename", failing(Path.rename))
            status, said = call("--from", str(tmp_path / "new"), capfd=capfd)
        if left[0] > 0:
            break
        assert (status, state(plain)) == (1, before), (number, said)
        assert "No space left on device: x. The course is as it was.\n" in said
    assert number > 10
    assert status == 0
    assert {name: text for name, text in state(plain).items() if not name.startswith(".before")} == state(
        tmp_path / "new"
    )


# ------------------------------------------------------------------ where the environment is broken


def test_the_door_updates_without_any_package(clone, upstream):
    """kit.py of the course itself, beside an environment that is not there, and called with foreign settings."""
    shutil.copyfile(REPOSITORY / "kit.py", clone / "kit.py")
    git("commit", "-qam", "the true kit.py", where=clone)
    git("push", "-q", "origin", "HEAD:refs/heads/other", where=clone)
    git("branch", "-q", "--set-upstream-to=origin/other", where=clone)
    git("checkout", "-q", "other", where=upstream)
    (upstream / "docs" / "new.md").write_text("new")
    git("add", "-A", where=upstream)
    git("commit", "-qm", "new", where=upstream)
    settings = {key: value for key, value in os.environ.items() if key not in ("HELIX_ROOT", "PYTHONPATH")}
    (clone / "numpy.py").write_text("1 / 0")
    done = subprocess.run(
        [sys.executable, "-S", "-E", "kit.py", "update"], cwd=clone, capture_output=True, text=True,
        env={**settings, "PYTHONPATH": str(clone), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "PYTHONPATH would bring the packages of another Python" in done.stderr
    assert (clone / "docs" / "new.md").exists()


def test_an_old_python_reads_what_the_door_needs():
    for module in (copies, update, paths):
        text = Path(module.__file__).read_text("utf-8")
        ast.parse(text, feature_version=(3, 8))
        assert not any(
            word in text for word in ("removeprefix", "removesuffix", "is_relative_to", "strict=", "tomllib")
        ), module
