"""A course that its learner cannot write to, and a folder elsewhere: opened, waited for, written in, saved, updated; nothing meets."""

import os
import subprocess
import sys
from datetime import date

import nbformat
import pytest
from learner import LAB, NAME, START_PAGE, Learner, Server

from helix.course import copies

AUTOSAVED = 25  # seconds; JupyterLab saves by itself after 20


def git(*words, where):
    person = [
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.org",
        "-c",
        "core.compression=0",
        "-c",
        "commit.gpgsign=false",
    ]
    return subprocess.run(["git", *person, *words], cwd=where, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    """JupyterLab over a clone that is read-only, at least for who is not root, with the learner's folder outside of it."""
    home = tmp_path_factory.mktemp("learner")
    server = Server(home, work=home / "mine")
    git("init", "-q", "-b", "main", where=server.course)
    git("add", "-A", where=server.course)
    git("commit", "-qm", "first", where=server.course)
    git("clone", "-q", "--bare", str(server.course), str(home / "upstream"), where=home)
    git("remote", "add", "origin", str(home / "upstream"), where=server.course)
    git("fetch", "-q", "origin", where=server.course)
    git("branch", "-q", "-u", "origin/main", where=server.course)
    write_protect(server.course)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        write_protect(server.course, off=True)


def write_protect(folder, *, off=False):
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200 if off else path.stat().st_mode & ~0o222)


@pytest.fixture
def learner(server, page, watch):
    watch.noticed.clear()
    learner = Learner(page, server, watch)
    yield learner
    assert watch.noticed == []


def changes(server):
    return git("-c", "core.fileMode=false", "status", "--porcelain", where=server.course)


def saved(learner, text, index):
    """Write into a cell of the open notebook, save, and wait until it is saved."""
    learner.asks(
        "([text, index]) => { const {sharedModel} = jupyterapp.shell.currentWidget.content.widgets[index].model;"
        " sharedModel.setSource(sharedModel.getSource() + text); }",
        [text, index],
    )
    learner.page.keyboard.press("ControlOrMeta+S")
    learner.until("the page, saved", "() => !jupyterapp.shell.currentWidget.context.model.dirty")


def renew(file):
    """Give a built page one more cell, as a build from a longer source would."""
    notebook = nbformat.read(file, as_version=4)
    notebook.cells.append(nbformat.v4.new_markdown_cell("A new paragraph.", id="new"))
    notebook.metadata["helix"]["texts"] = copies.texts(notebook.cells)
    nbformat.write(notebook, file)


def test_nothing_that_a_learner_does_changes_the_course_and_an_update_keeps_it(learner, server, tmp_path):
    learner.arrives()
    learner.page.wait_for_timeout(1000 * AUTOSAVED)
    saved(learner, "\nMy note.", 1)
    learner.asks(f"() => jupyterapp.commands.execute('docmanager:open', {{path: '{LAB}'}}).then(() => true)")
    learner.waits_for(LAB)
    tabs = learner.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel").all_inner_texts()
    assert len(tabs) == len(set(tabs)) == 2
    saved(learner, "\n# my answer", 2)
    assert changes(server) == ""
    written = {name: (server.work / name).read_bytes() for name in (START_PAGE, LAB)}
    assert b"My note." in written[START_PAGE]
    assert b"# my answer" in written[LAB]

    git("clone", "-q", str(server.home / "upstream"), "dev", where=tmp_path)
    for name in (START_PAGE, LAB, f"solutions/{NAME}_solution.ipynb"):
        renew(tmp_path / "dev" / name)
    git("commit", "-qam", "second", where=tmp_path / "dev")
    git("push", "-q", where=tmp_path / "dev")
    write_protect(server.course, off=True)  # its keeper updates it
    done = subprocess.run(
        [sys.executable, "-m", "helix.course.cli", "update"], env=server.settings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {name: (server.work / name).read_bytes() for name in written} == written
    new = LAB.replace(".ipynb", f".new-{date.today().isoformat()}.ipynb")
    assert os.path.basename(new) in done.stdout
    learner.opens(new)
    fresh = learner.cell("A new paragraph.").locator(".jp-RenderedMarkdown")
    learner.sees(fresh, "what is new, beside the answered lab", "A new paragraph.")
    assert changes(server) == ""


def test_links_lead_to_the_lab_in_the_folder_elsewhere(learner, server):
    learner.opens(START_PAGE)
    link = learner.cell("Lab: [").get_by_role("link", name="00 Start here")
    learner.sees(link, "the link to the lab")
    link.click()
    learner.waits_for(LAB)
    assert str(server.work) in learner.asks_kernel("import os", "os.getcwd()")
