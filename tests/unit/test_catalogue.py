"""The catalogue refuses what does not hold together, and finds a lesson by each of its names."""

from __future__ import annotations

import pytest

from helix.course import catalogue

PART = '[[part]]\nid = "one"\nnumeral = "I"\ntitle = "One"\n'


def chapter(number, topic, /, **changes):
    """Write a chapter's table; None leaves a key out."""
    keys = {
        "number": number,
        "topic": topic,
        "title": topic.title(),
        "promise": "Do it.",
        "part": "one",
        "strand": "both",
        "minutes": 45,
        "lab_minutes": 45,
        "prerequisites": [],
        "group": "core",
        "package": "trust",
    } | changes
    lines = [f"{key} = {value!r}" for key, value in keys.items() if value is not None]
    return "[[chapter]]\n" + "\n".join(lines) + "\n"


def claim(id="quick", **changes):
    keys = {"id": id, "statement": "It is quick.", "origin": "a paper"} | changes
    return "[[chapter.claim]]\n" + "\n".join(f"{key} = {value!r}" for key, value in keys.items() if value) + "\n"


@pytest.fixture
def load(tmp_path):
    def read(*tables, head='title = "Toy"\n' + PART):
        path = tmp_path / "course.toml"
        path.write_text(head + "".join(tables))
        return catalogue.load(path)

    return read


def test_a_whole_catalogue_is_read(load):
    found = load(chapter(0, "start"), claim(), chapter(1, "pruning", prerequisites=["start"]))
    assert found.title == "Toy"
    assert [one.name for one in found.chapters] == ["00_start", "01_pruning"]
    assert found.chapters[0].claims == (catalogue.Claim("quick", "It is quick.", "a paper"),)
    assert found.chapters[1].prerequisites == ("start",)
    assert found.part("one").title == "One"


@pytest.mark.parametrize("key", ["1", "01", "pruning", "01_pruning", 1])
def test_a_lesson_is_found_by_each_of_its_names(load, key):
    assert load(chapter(0, "start"), chapter(1, "pruning")).chapter(key).topic == "pruning"


@pytest.mark.parametrize("key", ["2", "001", "-1", "", "Pruning", "pruning.py", "../01_pruning", "00_pruning", None])
def test_an_unknown_lesson_is_a_sentence(load, key):
    with pytest.raises(
        catalogue.UnknownLesson, match=r"There is no lesson .* from 00_start to 01_pruning; `python3 kit.py map`"
    ):
        load(chapter(0, "start"), chapter(1, "pruning")).chapter(key)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ([chapter(0, "a", colour="red")], "Chapter 0: unknown key colour"),
        ([chapter(0, "a", claims=[])], r"unknown key claims .*; it is \[\[chapter.claim\]\]"),
        ([chapter(0, "a", title=None)], "Chapter 0 in source/course.toml is incomplete: .*'title'"),
        ([chapter(0, "a", number=None)], "Chapter None .* incomplete: .*'number'"),
        ([chapter(0, "a"), claim(origin="")], "Chapter 0, claim quick .* incomplete: .*'origin'"),
        ([chapter(0, "a"), claim(verdict="holds")], "Chapter 0, claim quick: unknown key verdict"),
        ([chapter(1, "a")], "Chapter 1 stands where 0 belongs"),
        ([chapter(0, "a"), chapter(2, "b")], "Chapter 2 stands where 1 belongs"),
        ([chapter(0, "a"), chapter(0, "b")], "Chapter 0 stands where 1 belongs"),
        ([chapter("0", "a")], "Chapter 0 stands where 0 belongs"),
        ([chapter(0, "a"), chapter(1, "a")], "The topic a stands twice"),
        ([chapter(0, "a", part="two")], "00_a: there is no part 'two'"),
        ([chapter(0, "a", prerequisites=["a"])], "00_a: the prerequisite a does not come before it"),
        ([chapter(0, "a", prerequisites=["z"])], "00_a: the prerequisite z does not come before it"),
        (
            [chapter(0, "a", prerequisites=["b"]), chapter(1, "b", prerequisites=["a"])],
            "00_a: the prerequisite b does not come before it",
        ),
        ([chapter(0, "a"), claim(), chapter(1, "b"), claim()], "A claim id stands twice .*: quick"),
        ([chapter(0, "a"), claim(), claim()], "A claim id stands twice"),
    ],
)
def test_what_does_not_hold_together_is_refused(load, tables, says):
    with pytest.raises(ValueError, match=says):
        load(*tables)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (PART, "title is missing, or unknown"),
        ('title = "Toy"\n', "part is missing, or unknown"),
        ('title = "Toy"\ncolour = "red"\n' + PART, "colour is missing, or unknown"),
        ('title = "Toy"\n[[part]]\nid = "one"\n', "Part one in source/course.toml is incomplete"),
        ('title = "Toy"\n' + PART + 'colour = "red"\n', "Part one: unknown key colour"),
        ("title = Toy\n", "Invalid value"),
    ],
)
def test_a_malformed_head_is_refused(load, head, says):
    with pytest.raises(ValueError, match=says):
        load(chapter(0, "a"), head=head)


def test_a_catalogue_without_chapters_is_refused(load):
    with pytest.raises(ValueError, match="chapter is missing"):
        load()


def test_a_chapter_is_written_when_its_source_is_there(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    found = load(chapter(0, "start"), chapter(1, "pruning"))
    source = tmp_path / "source" / "notebooks" / "01_pruning.py"
    assert found.written() == []
    source.parent.mkdir(parents=True)
    source.write_text("")
    assert found.written() == [found.chapter("pruning")]
    assert found.chapter("pruning").lab_source == tmp_path / "source" / "labs" / "01_pruning.py"


def test_the_courses_own_catalogue_holds():
    found = catalogue.load()
    assert len(found.chapters) == 37
    assert found.chapter("3").topic == "pruning"
    assert found.chapters[0].written
