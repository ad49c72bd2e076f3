"""What somebody saved over a built notebook is told, with what an author does and what a learner does."""

import os
import subprocess
import sys

import nbformat
import pytest

from helix import paths
from helix.course import build, copies, gates, notebooks
from helix.course.notebooks import Target

NAME = "00_start_here"
KINDS = ("chapter", "lab", "solution")
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3}, "file_extension": ".py", "mimetype": "text/x-python",
    "name": "python", "nbconvert_exporter": "python", "pygments_lexer": "ipython3", "version": "3.12.4",
}  # fmt: skip


@pytest.fixture
def built(copied):
    """Store the notebooks of a lesson as a build does, but for their outputs."""
    for kind in KINDS:
        target = Target(NAME, kind)
        made = notebooks.make(target)
        if target.executed:
            made.metadata["helix"]["inputs"] = notebooks.fingerprint(target)
        target.path.write_text(notebooks.serialise(made))
    return copied


def save(kind, change=lambda notebook: None):
    """Save a notebook as JupyterLab does: through nbformat, with what a kernel says of itself and what cells remember."""
    target = Target(NAME, kind)
    notebook = nbformat.read(target.path, as_version=4)
    notebook.metadata["language_info"] = LANGUAGE
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2}}
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.execution_count = 2 * number + 5
        cell.metadata.update(trusted=True, execution={"iopub.status.busy": "2026-01-01T00:00:00Z"})
        cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="a warning from " + "/home" + "/me\n")]
    change(notebook)
    nbformat.write(notebook, target.path)


def add_note(notebook):
    notebook.cells.insert(2, nbformat.v4.new_markdown_cell("My [note](nowhere.md): why 0.8?"))
    notebook.cells.insert(4, nbformat.v4.new_code_cell("1 / 0"))


def type_over(notebook):
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.source = "raise NotImplementedError\n" + cell.source


def delete_half(notebook):
    del notebook.cells[5:]


def solve(notebook):
    for cell in notebook.cells:
        cell.source = cell.source.replace(
            "raise NotImplementedError", "return max(rates.values()) - min(rates.values())"
        )


def complaints():
    targets = [Target(NAME, kind) for kind in KINDS]
    return gates.drift(targets) + gates.outputs(targets) + gates.leaks(targets)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [add_note, type_over, delete_half, solve])
def test_what_was_saved_in_an_editor_is_told_with_both_remedies(built, kind, change):
    save(kind, change)
    path = paths.display(Target(NAME, kind).path)
    told = [sentence for sentence in gates.drift([Target(NAME, kind)]) if sentence.startswith(path)]
    assert len(told) == 1
    assert "python3 kit.py build 00" in told[0]
    assert ("python3 kit.py update" in told[0]) == copies.written_in(Target(NAME, kind).path)
    assert copies.written_in(Target(NAME, kind).path) == (change is not solve or kind == "lab")


@pytest.mark.parametrize("kind", KINDS)
def test_to_open_and_save_changes_nothing(built, kind):
    path = Target(NAME, kind).path
    before = path.read_bytes()
    nbformat.write(nbformat.read(path, as_version=4), path)  # what JupyterLab's server does
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"cells": 3}', b'{"cells": [{}], "metadata": 1}', b"\xff", b'{"nbformat": 3}'],
)
def test_a_damaged_notebook_is_told_and_stops_no_gate(built, content):
    for kind in KINDS:
        Target(NAME, kind).path.write_bytes(content)
    assert (
        len([sentence for sentence in gates.drift([Target(NAME, kind) for kind in KINDS]) if "00 " in sentence + " "])
        == 3
    )
    complaints(), gates.links()


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_notebook_excuses_no_forgotten_build(built, kind):
    save(kind, add_note)
    folder = "notebooks" if kind == "chapter" else "labs"
    source = built / "source" / folder / f"{NAME}.py"
    source.write_text(source.read_text() + "\n# %% [markdown]\n# Another thought.\n")
    path = paths.display(Target(NAME, kind).path)
    assert any(
        sentence.startswith(f"{path} is not what") and "kit.py build 00" in sentence for sentence in complaints()
    )


def test_a_build_brings_the_built_one_back(built):
    target = Target(NAME, "lab")
    before = target.path.read_bytes()
    save("lab", solve)
    assert build.run([target], force=False, say=lambda line: None) == 0
    assert target.path.read_bytes() == before


def test_a_notebook_of_ones_own_beside_the_built_ones_is_told(built):
    own = built / "notebooks" / "Untitled.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), own)
    assert any("notebooks/Untitled.ipynb has no source" in sentence for sentence in gates.drift())


def test_pytest_says_what_mends_a_saved_notebook(built):
    small = '# %% [markdown]\n# # Small\n\n# %% tags=["nbval-check-output"]\nprint(6 * 7)\n'
    (built / "source" / "notebooks" / "03_pruning.py").write_text(small)
    target = Target("03_pruning", "chapter")
    made = notebooks.make(target)
    made.cells.append(nbformat.v4.new_code_cell("1 / 0"))
    nbformat.write(made, target.path)
    command = [sys.executable, "-P", "-m", "pytest", "-q", "--nbval-lax", "-p", "no:cacheprovider", str(target.path)]
    done = subprocess.run(
        command, cwd=built, env={**os.environ, "HELIX_ROOT": str(built)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout
    assert "python3 kit.py build 03. Or, if you wrote in it: python3 kit.py update" in done.stdout
