"""What is counted is what the record holds; the table, the map and the card say it in a notebook and in any terminal."""

import html.parser
import io
import shutil
import sys
from pathlib import Path

import pytest

from helix.course import catalogue, cli, progress_page, standing
from helix.course.progress_page import Overview, finish
from helix.course.standing import Course
from helix.record import decisions, progress

CORE = ("selection_rates", "parity_gap", "release_gate", "decide")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Make a repository of the catalogue and one written lesson."""
    root = tmp_path / "root"
    for folder in ("source/notebooks", "source/labs"):
        (root / folder).mkdir(parents=True)
    shutil.copyfile(Path(__file__).parents[2] / "source" / "course.toml", root / "source" / "course.toml")
    for name in ("source/notebooks/00_start_here.py", "source/labs/00_start_here.py"):
        (root / name).write_text("")
    monkeypatch.setenv("HELIX_ROOT", str(root))
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "work"))
    return root


def solve(*names, outcome="correct"):
    for name in names:
        progress.attempted("start_here", name, outcome, "", 1)


def write(name):
    """Write a further chapter, without a lab."""
    chapter = catalogue.load().chapter(name)
    chapter.source.write_text("")
    return chapter


class Page(html.parser.HTMLParser):
    """What stands in a piece of HTML: each element with its attributes, and the text; elements must pair."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


# ------------------------------------------------------------------ counting


def test_status_is_planned_open_and_done():
    def status(number):
        return Course().rows[number].status

    assert (status(0), status(1)) == ("open", "planned")
    solve(*CORE[:-1])
    solve(CORE[-1], outcome="incorrect")
    assert status(0) == "open"
    solve(CORE[-1])
    assert status(0) == "done"
    solve(*CORE, outcome="incorrect")  # what was correct once stays so
    assert status(0) == "done"
    assert [rung.status for rung in progress_page.rungs()] == ["done"] + ["planned"] * 36


def test_a_chapter_without_a_lab_is_open():
    write("1")
    row = Course().rows[1]
    assert (row.status, row.correct, row.next, row.minutes_left) == ("open", 0, None, 60 + 75)
    assert "its lab is not written yet" in repr(Overview())
    assert "0 of 0" in Page(Overview()._repr_html_()).text


def test_minutes_left_are_all_until_something_is_tried_and_then_those_of_the_exercises_left():
    def left():
        return Course().rows[0].minutes_left

    assert left() == 45 + 60
    solve("parity_gap", outcome="not attempted")
    assert left() == 45 + 60
    solve("parity_gap", outcome="incorrect")
    exercises = {one.name: one.minutes for one in Course().rows[0].exercises}
    assert left() == sum(exercises.values())
    solve("parity_gap")
    assert left() == sum(exercises.values()) - exercises["parity_gap"]
    solve(*CORE)
    assert left() == 0


def test_the_next_exercise_is_the_first_that_was_never_correct():
    solve("parity_gap")
    assert Course().rows[0].next.name == "selection_rates"
    solve("selection_rates")
    assert Course().rows[0].next.name == "release_gate"


def test_what_was_begun_comes_before_what_was_not():
    write("1")
    assert Course().current.chapter.number == 0
    progress.attempted("quantization", "anything", "incorrect", "", 1)
    assert Course().current.chapter.number == 1
    solve(*CORE[:1])
    assert Course().current.chapter.number == 0


def test_foreign_lines_in_the_record_do_no_harm():
    solve("selection_rates")
    with open(progress.path(), "ab") as file:
        file.write(b'no json\n{}\n[1]\n{"lab": "start_here", "exercise": 3, "outcome": null}\n\xff\xfe\n{"lab')
    assert "1 of 4" in repr(Overview())
    solve("parity_gap")
    assert "2 of 4" in repr(Overview())


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "0 min"), (45, "45 min"), (60, "1 h"), (135, "2 h 15 min"), (1205, "20 h 5 min")]
)
def test_a_duration_in_words(minutes, words):
    assert standing.duration(minutes) == words


# ------------------------------------------------------------------ the table


def test_the_table_of_a_terminal():
    solve("selection_rates")
    solve("parity_gap", outcome="your code raised")
    decisions.register("start_here", {"choice": "stop"})
    lines = repr(Overview()).splitlines()
    assert lines[0] == "Where you stand: 1 of 4 exercises correct, 1 of 1 decisions recorded, about 37 min left."
    [row] = [line for line in lines if line.startswith("00 Start here")]
    assert row.split("  ")[0] == "00 Start here"
    assert "■□□□ 1 of 4" in row
    assert row.endswith("The parity gap")
    assert any(line.startswith("Your decision in 00 Start here: stop, 20") for line in lines)
    assert lines[-1].endswith("labs/00_start_here_lab.ipynb")


def test_the_table_of_a_notebook_is_one_and_every_bar_has_its_number():
    solve("selection_rates")
    page = Page(Overview()._repr_html_())
    assert len(page.all("table")) == len(page.all("caption")) == 1
    assert {cell["scope"] for cell in page.all("th")} == {"col", "row", "rowgroup"}
    [bar] = page.all("progress")
    assert (bar["value"], bar["max"], bar["title"]) == ("1", "4", "1 of 4 correct")
    assert "1 of 4" in page.text
    goals = [link["href"] for link in page.all("a")]
    assert "00_start_here.ipynb" in goals
    assert "../labs/00_start_here_lab.ipynb#2.-The-parity-gap" in goals
    assert "36 more chapters are planned" in page.text
    assert "36 Capstone" in page.text
    assert not any("capstone" in goal for goal in goals)


def test_a_beginner_is_sent_to_the_chapter_and_who_has_begun_to_the_exercise():
    assert "Go on here: 00 Start here (45 minutes), then its lab" in Page(Overview()._repr_html_()).text
    solve("selection_rates")
    assert "exercise 2 of 00 Start here: The parity gap" in Page(Overview()._repr_html_()).text


def test_when_all_is_done_nothing_is_sent_anywhere():
    solve(*CORE)
    for text in (repr(Overview()), Page(Overview()._repr_html_()).text):
        assert "Go on" not in text
        assert "done" in text


def test_titles_are_escaped(root):
    toml = root / "source" / "course.toml"
    toml.write_text(toml.read_text().replace('title = "Start here"', 'title = "Start <b>& here"'))
    assert "Start <b>& here" in Page(Overview()._repr_html_()).text


def test_the_map_of_a_terminal_names_every_chapter():
    solve(*CORE)
    lines = progress_page.map_text(Course()).splitlines()
    assert sum(" planned " in line for line in lines) == 36
    assert any(line.startswith("✓ 00 Start here ") and " done " in line for line in lines)
    assert max(map(len, lines)) <= 100


# ------------------------------------------------------------------ the end of a lab


def test_the_card_tells_what_is_left_and_what_comes_next():
    solve("selection_rates")
    for text in (repr(finish("00")), Page(finish("00")._repr_html_()).text):
        assert "1 of 4 exercises are correct" in text
        assert "finished" not in text
        for title in ("2. The parity gap", "3. A control: the release gate", "4. A decision: may this table choose?"):
            assert title in text
        assert "1. Selection rates" not in text
        assert "No decision is recorded yet." in text
        assert "Next: exercise 2, The parity gap." in text
        assert "Hints" in text
        assert "worked lab" not in text


def test_the_card_of_a_finished_lab_leads_on():
    write("1")
    solve(*CORE)
    decisions.register("start_here", {"choice": "fix", "time": "2026-11-28T08:00:00+00:00"})
    page = Page(finish("00")._repr_html_())
    assert "The lab is finished: 4 of 4 exercises are correct." in page.text
    assert "Your decision is recorded: fix, 2026-11-28." in page.text
    assert [link["href"] for link in page.all("a")] == [
        "../solutions/00_start_here_solution.ipynb",
        "../notebooks/01_quantization.ipynb",
        "../notebooks/00_start_here.ipynb#The-map",
    ]
    assert "01 Quantization (60 minutes, and 75 for its lab)" in repr(finish("00"))


def test_a_lab_that_was_solved_but_whose_decision_was_lost_says_so():
    solve(*CORE)
    assert "No decision is recorded yet." in repr(finish("00"))


def test_the_card_has_a_name_and_no_heading_that_enters_the_contents():
    page = Page(finish("00")._repr_html_())
    assert [section["aria-label"] for section in page.all("section")] == ["What you have done in this lab"]
    assert not any(tag in ("h1", "h2", "h3", "h4", "h5", "h6") for tag, _ in page.elements)


def test_a_choice_is_shown_as_text():
    solve("selection_rates")
    decisions.register("start_here", {"choice": "fix: <img src=x>" + "a" * 1000})
    page = Page(finish("00")._repr_html_())
    assert "fix: <img src=x>" in page.text
    assert not page.all("img")
    assert len(page.text) < 1000


# ------------------------------------------------------------------ records that cannot be read


def test_a_record_that_cannot_be_read_is_a_sentence(tmp_path, monkeypatch):
    progress.path().mkdir()
    for shown in (Overview(), finish("00")):
        for text in (repr(shown), Page(shown._repr_html_()).text):
            assert "0 of 4" in text
            assert "progress.jsonl" in text or "Your record cannot be read: Is a directory." in text


def test_a_work_folder_that_cannot_be_made_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HELIX_WORK", str(tmp_path / "file" / "work"))
    assert "Set HELIX_WORK to a folder that you can write to." in repr(finish("00"))
    assert "Set HELIX_WORK to a folder that you can write to." in repr(Overview())


# ------------------------------------------------------------------ the words of the command line


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("word", ["progress", "map", "help"])
def test_any_terminal_can_show_them(monkeypatch, encoding, word):
    solve("selection_rates")
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    assert cli.main([word]) == 0
    screen.flush()
    shown = screen.buffer.getvalue().decode(encoding)
    assert "?" not in shown.replace("may this table choose?", "")
    if word == "progress":
        assert ("■□□□ 1 of 4" if encoding == "utf-8" else "#--- 1 of 4") in shown


def test_a_sign_that_has_no_plain_form_is_a_question_mark(monkeypatch):
    from helix.course import terminal

    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    terminal.prepare()
    print("✓ 课 …")
    screen.flush()
    assert screen.buffer.getvalue() == b"+ ? ...\n"
