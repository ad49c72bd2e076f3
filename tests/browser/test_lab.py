"""The first hour in JupyterLab itself, as a person has it: opened, typed, run, seen, closed, and found again."""

import ast
from pathlib import Path

import nbformat
import pytest
from learner import LAB, NAME, Learner, contrasts

import helix
from helix.course import notebooks
from helix.course.notebooks import Target
from helix.labs.start_here import selection_rates
from support import axe

WRONG = "return (selected.groupby(group).sum() / selected.sum()).to_dict()"
NAMED = "The selection rate conditions the other way"
RAISES = "return selected.groupby('sex').mean().to_dict()"
RIGHT = "return selected.groupby(group).mean().to_dict()"
# What we draw; JupyterLab's own frame around it is not ours to mend.
OURS = ".jp-Notebook :is(.jp-RenderedMarkdown, .jp-RenderedHTML)"
READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3: what text of this size needs


@pytest.fixture
def learner(server, page, watch):
    """A learner at the door. Whatever nobody sees must not have gone wrong either."""
    server.tidy()
    watch.noticed.clear()
    learner = Learner(page, server, watch)
    yield learner
    page.evaluate("0")  # what has happened in the browser until now is heard
    noticed = list(watch.noticed)
    learner.closes_everything()
    assert noticed == []


@pytest.fixture
def lab(learner):
    """A learner at a fresh copy of the lab, of which the first cell has run."""
    learner.opens(LAB)
    learner.cell("import pandas as pd").locator(".cm-content").click()
    learner.runs()
    return learner


def test_start_page_opens_by_itself_and_leads_to_the_lab(learner):
    learner.arrives()
    figure = learner.cell("map_picture.double_helix(").locator("img")
    learner.sees(figure, "the map of the course")
    assert figure.evaluate("image => image.naturalWidth") > 500
    assert learner.errors() == []
    assert axe.faults(learner.page, within=OURS) == []
    learner.photographs("start-page")
    table = learner.cell("progress_page.overview()").get_by_role("table", name="Where you stand")
    learner.sees(table.get_by_role("row", name="00 Start here"), "the row of the first lab", "0 of 4")

    link = table.get_by_role("link", name="Selection rates")
    learner.sees(link, "the link to the first exercise")
    link.click()
    learner.waits_for(LAB)
    title = learner.cell("# Warm-up").get_by_role("heading", name="Warm-up")
    learner.sees(title, "the title of the lab")
    learner.photographs("lab")


def test_blanks_are_not_attempted(learner):
    learner.opens(LAB)
    learner.runs_all()
    learner.card("selection_rates", "○ Not attempted")
    stopped = learner.cell("rates = selection_rates(").locator(".jp-OutputArea")
    learner.sees(stopped, "the error at the first line that uses an answer", "NotImplementedError")
    for exercise in ("parity_gap", "release_gate", "decide"):
        learner.cell(f"def {exercise}(").locator(".cm-content").click()
        learner.runs(2)
        learner.card(exercise, "○ Not attempted")
    learner.photographs("not-attempted")


def test_an_answer_is_typed_and_judged(lab):
    lab.types("selection_rates", WRONG)
    card = lab.card("selection_rates", "✗ Incorrect")
    lab.reads(card, NAMED)
    hint = selection_rates.hints["1"]
    assert hint not in card.inner_text()
    card.get_by_text("Hint 1").click()
    lab.reads(card, hint)
    lab.photographs("incorrect")

    lab.types("selection_rates", RAISES)
    card = lab.card("selection_rates", "! Your code raised an error")
    lab.reads(card, "KeyError: 'sex'")
    lab.reads(card, "What helps.")
    lab.photographs("raised")

    lab.types("selection_rates", RIGHT)
    card = lab.card("selection_rates", "✓ Correct")
    lab.reads(card, "1 of 4 core exercises of this lab are done.")
    lab.photographs("correct")


def test_cards_are_readable_in_both_themes(learner):
    answers = {"selection_rates": WRONG, "parity_gap": None, "release_gate": RAISES}
    notebook = nbformat.read(learner.server.work / LAB, as_version=4)
    solved = notebooks.make(Target(NAME, "solution")).cells
    for cell in notebook.cells:
        for exercise, answer in answers.items():
            if f"def {exercise}(" in cell.source:
                [solution] = [one.source for one in solved if f"def {exercise}(" in one.source]
                cell.source = cell.source.replace("raise NotImplementedError", answer) if answer else solution
    nbformat.write(notebook, learner.server.work / LAB)
    learner.opens(LAB)
    learner.runs_all()
    cards = {
        "selection_rates": learner.card("selection_rates", "✗ Incorrect"),
        "parity_gap": learner.card("parity_gap", "✓ Correct"),
        "release_gate": learner.card("release_gate", "! Your code raised an error"),
        "decide": learner.card("decide", "○ Not attempted"),
    }
    pale = []
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        learner.wears(theme)
        for exercise, card in cards.items():
            learner.sees(card, f"the card of {exercise} in {theme}")
            learner.photographs(f"{theme.split()[1].lower()}-{exercise}")
            pale += [
                f"{theme}, {exercise}: {text!r} has a contrast of {ratio:.1f}"
                for text, ratio in contrasts(card)
                if ratio < READABLE
            ]
        assert axe.faults(learner.page, within=OURS) == [], theme
    assert not pale, f"These texts need a contrast of {READABLE}:\n" + "\n".join(pale)


def test_nothing_is_lost(lab):
    lab.types("selection_rates", RIGHT)
    lab.card("selection_rates", "✓ Correct")
    lab.page.keyboard.press("ControlOrMeta+S")
    lab.until("the lab, saved", "() => !jupyterapp.shell.currentWidget.context.model.dirty")
    lab.page.goto("about:blank")
    lab.server.stop()
    lab.server.start()

    lab.arrives()
    lab.cell("progress_page.overview()").locator(".cm-content").click()
    lab.runs()
    lab.sees(lab.cell("progress_page.overview()"), "the progress on the start page", "1 of 4")
    lab.photographs("progress")
    lab.opens(LAB)
    lab.sees(lab.cell("def selection_rates("), "the answer that was typed", RIGHT)
    lab.card("selection_rates", "✓ Correct")


def test_a_check_that_shows_no_card_is_noticed(lab):
    lab.asks_kernel("from helix.checking import card; card.show = lambda card: None")
    lab.types("selection_rates", RIGHT)
    lab.asks_kernel("")  # answered when the check has run
    assert '"outcome": "correct"' in (lab.server.work / "progress.jsonl").read_text()
    with pytest.raises(AssertionError, match="a card under `check.selection_rates`"):
        lab.card("selection_rates", "✓ Correct", seconds=1)


def test_nothing_of_the_real_learner_is_used(learner):
    learner.opens(LAB)
    code = "import os, helix, jupyter_core.paths as jupyter; from helix import paths"
    used = "helix.__file__, paths.root(), paths.work(), jupyter.jupyter_config_dir(), jupyter.jupyter_data_dir()"
    module, *places = ast.literal_eval(learner.asks_kernel(code, f"[str(place) for place in ({used})]"))
    assert module == helix.__file__  # the code under test, for the copied course
    assert [place for place in places if not Path(place).is_relative_to(learner.server.home)] == []
    assert learner.asks_kernel("", "[name for name in ('HELIX_GRADING', 'HELIX_SEED') if name in os.environ]") == "[]"
