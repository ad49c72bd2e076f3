"""Where pages stand, and that each leads to those before, beside and after it, and to nothing that is not written."""

import re
import shutil
from pathlib import Path

import pytest

from helix.course import catalogue, navigation, notebooks
from helix.course.notebooks import SourceError, Target


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Make a course of which chapters 0, 1 and 9 are written; 9 has no lab yet."""
    for folder in ("source/notebooks", "source/labs"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copyfile(Path(__file__).parents[2] / "source" / "course.toml", tmp_path / "source" / "course.toml")
    for name in ("00_start_here", "01_quantization", "09_data_parallel"):
        (tmp_path / "source" / "notebooks" / f"{name}.py").write_text("# %% [markdown]\n# # A title\n\n# %%\n1\n")
    for name in ("00_start_here", "01_quantization"):
        (tmp_path / "source" / "labs" / f"{name}.py").write_text("# %% [markdown]\n# # A lab\n\n# %%\n1\n")
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    return tmp_path


def leads(name, kind):
    """Return the words and places of a page's links, as a reader follows them."""
    return [
        (words, (Path("/", navigation.FOLDER[kind]) / goal).resolve().as_posix())
        for words, goal in re.findall(r"\[(.+?)\]\((.+?)\)", navigation.links(name, kind))
    ]


MAP = ("Map", "/notebooks/00_start_here.ipynb#The-map")
GLOSSARY = ("Glossary", "/notebooks/glossary.ipynb")


def test_a_chapter_leads_to_its_lab_and_its_written_neighbours():
    assert leads("01_quantization", "chapter") == [
        ("00 Start here", "/notebooks/00_start_here.ipynb"),
        ("01 Quantization", "/labs/01_quantization_lab.ipynb"),
        ("09 Data parallelism", "/notebooks/09_data_parallel.ipynb"),  # 02 to 08 are planned
        MAP,
        GLOSSARY,
    ]
    assert navigation.links("01_quantization", "chapter").startswith(
        "Previous: [00 Start here](00_start_here.ipynb) · Lab: "
    )


def test_a_lab_leads_to_its_chapter_and_never_to_its_solution():
    goals = [goal for _, goal in leads("01_quantization", "lab")]
    assert goals[:3] == [
        "/notebooks/00_start_here.ipynb",
        "/notebooks/01_quantization.ipynb",
        "/notebooks/09_data_parallel.ipynb",
    ]
    assert not any("solution" in goal for goal in goals)


def test_a_solution_leads_to_its_chapter_and_its_lab():
    goals = [goal for _, goal in leads("01_quantization", "solution")]
    assert "/notebooks/01_quantization.ipynb" in goals
    assert "/labs/01_quantization_lab.ipynb" in goals


def test_the_first_has_no_previous_and_a_lab_that_is_not_written_no_link():
    assert "Previous" not in navigation.links("00_start_here", "chapter")
    assert "Lab" not in navigation.links("09_data_parallel", "chapter")


def test_what_is_planned_is_named_without_a_link():
    assert "Next: 10 Pipeline parallelism (planned) · " in navigation.links("09_data_parallel", "chapter")
    found = catalogue.load()
    assert found.after(found.chapters[-1]) is None
    assert found.before(found.chapters[0]) is None
    assert "Next" not in navigation.links(found.chapters[-1].name, "chapter")


@pytest.mark.parametrize("kind", ["chapter", "lab", "solution"])
def test_the_builder_puts_the_links_on_top_and_at_the_end(kind):
    cells = notebooks.make(Target("01_quantization", kind)).cells
    links = navigation.links("01_quantization", kind)
    assert cells[0].source.startswith(links)
    assert cells[-2].source == f"---\n\n{links}"
    assert "For authors" in cells[-1].source
    assert ("worked version" in cells[0].source) == (kind == "solution")
    own = [cell for cell in cells if not notebooks.is_framing(cell)]
    assert [cell.cell_type for cell in own] == ["markdown", "code"]


def test_a_lab_alone_ends_in_its_count():
    for kind in ("chapter", "lab", "solution"):
        code = [
            cell.source for cell in notebooks.make(Target("01_quantization", kind)).cells if cell.cell_type == "code"
        ]
        assert ('finish("01")' in code[-1]) == (kind == "lab")


def test_the_source_is_named_where_authors_look():
    made = notebooks.make(Target("01_quantization", "lab"))
    assert made.metadata["helix"]["source"] == "source/labs/01_quantization.py"
    assert "`source/labs/01_quantization.py`" in made.cells[-1].source
    assert "source/" not in made.cells[0].source


def test_a_source_without_a_place_in_the_catalogue_is_a_sentence(root):
    (root / "source" / "labs" / "77_odd.py").write_text("# %%\n1\n")
    with pytest.raises(SourceError, match=r"source/labs/77_odd\.py: There is no lesson '77_odd'"):
        notebooks.make(Target("77_odd", "lab"))
