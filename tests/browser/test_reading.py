"""A page as it is read: figures with words in both themes, code that fits, a quiz for the keyboard, a table of contents."""

import json

import pytest
from learner import START_PAGE, Learner, contrasts

from helix.display import columns

FIGURES = """() => [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .hx-figure img')].map(image => [
    image.alt, image.naturalWidth > 0, getComputedStyle(image).filter, image.closest('figure').textContent.trim()])"""
# Code cells in which a line does not fit, by their first line.
TOO_WIDE = """async () => {
    const notebook = jupyterapp.shell.currentWidget.content;
    const found = [];
    for (const [index, cell] of notebook.widgets.entries()) {
        if (cell.model.type !== 'code' || cell.inputHidden) continue;
        await notebook.scrollToItem(index);
        const code = cell.node.querySelector('.cm-scroller');
        if (code.scrollWidth > code.clientWidth) found.push(cell.model.sharedModel.getSource().split('\\n')[0]);
    }
    return found;
}"""
HEADINGS = """async () => {
    await jupyterapp.commands.execute('toc:show-panel');
    return [...document.querySelectorAll('.jp-TableOfContents-content .jp-tocItem-content')].map(item => item.innerText);
}"""
UNTRUSTED = """() => [...jupyterapp.shell.currentWidget.content.model.cells]
    .every(cell => cell.type !== 'code' || !cell.trusted)"""


@pytest.fixture
def reader(server, page, watch):
    """A person with a small window, before the pages as they were built, whose outputs JupyterLab does not trust."""
    server.tidy()
    watch.noticed.clear()
    before = page.viewport_size
    page.set_viewport_size({"width": 1366, "height": 768})
    reader = Learner(page, server, watch)
    yield reader
    reader.wears("JupyterLab Light")
    noticed = list(watch.noticed)  # what closing tells is nothing that a reader meets
    reader.closes_everything()
    page.set_viewport_size(before)
    assert noticed == []


def test_figures_have_words_and_are_no_slabs_in_the_dark(reader):
    reader.opens(START_PAGE)
    assert reader.asks(UNTRUSTED)
    for theme, turned in (("JupyterLab Light", False), ("JupyterLab Dark", True)):
        reader.wears(theme)
        figure = reader.cell("ax.hist(").locator(".hx-figure")
        reader.sees(figure.locator("figcaption"), "the words below the figure", "Two histograms")
        found = reader.asks(FIGURES)
        assert found
        for alt, loaded, style, words in found:
            assert (bool(alt), loaded, "invert" in style) == (True, True, turned)
            assert words
            assert alt != words
        assert all(contrast >= 4.5 for _, contrast in contrasts(figure))
        reader.photographs(f"figure-{theme.split()[1].lower()}")
    figure.evaluate("figure => figure.classList.add('hx-photo')")
    assert figure.locator("img").evaluate("image => getComputedStyle(image).filter") == "none"


def test_no_code_scrolls_sideways(reader):
    reader.opens(START_PAGE)
    assert reader.asks(TOO_WIDE) == []
    widest = "x" * 110
    reader.cell("from helix.course import progress_page")
    source = "source => jupyterapp.shell.currentWidget.content.widgets.find(cell => cell.model.type === 'code')"
    reader.asks(f"{source}.model.sharedModel.setSource(source)", widest)
    assert reader.asks(TOO_WIDE) == []
    reader.asks(f"{source}.model.sharedModel.setSource(source)", widest + "x" * 20)
    assert reader.asks(TOO_WIDE) == [widest + "x" * 20]
    assert columns(widest) == 110
    reader.asks("() => jupyterapp.shell.currentWidget.context.revert().then(() => true)")


def test_drawing_code_is_folded_away(reader):
    reader.opens(START_PAGE)
    folded = "() => jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.inputHidden).length"
    assert reader.asks(folded) >= 3


def test_quiz_is_answered_with_the_keyboard(reader):
    reader.opens(START_PAGE)
    cell = reader.cell("## Check yourself")
    for number, sign in ((0, "✗ Not quite."), (2, "✓ Right.")):
        option = cell.locator("details").nth(number)
        option.locator("summary").focus()
        reader.page.keyboard.press("Enter")
        reader.sees(option, f"the reason, with {sign}", sign)
        assert option.locator("p").first.bounding_box()["x"] > option.locator("summary").bounding_box()["x"]
    lines = [cell.locator("details").nth(n).evaluate("one => getComputedStyle(one).borderLeftColor") for n in (0, 2)]
    assert lines[0] != lines[1]
    second = cell.get_by_text("2. You audit").bounding_box()
    last = cell.locator("details").nth(2).bounding_box()
    assert second["y"] - (last["y"] + last["height"]) >= 20
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        reader.wears(theme)
        assert all(contrast >= 4.5 for _, contrast in contrasts(cell))
        reader.photographs(f"quiz-{theme.split()[1].lower()}")


def test_definition_shows_its_chinese_name(reader):
    reader.opens(START_PAGE)
    term = reader.cell("</dfn> is a function that runs").locator("dfn").first
    assert term.get_attribute("title") == "控制措施"
    assert term.evaluate("term => getComputedStyle(term).fontStyle") == "normal"


def test_report_inside_a_page_stays_out_of_the_table_of_contents(reader):
    path = reader.server.work / START_PAGE
    notebook = json.loads(path.read_text())
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    report = {"text/markdown": "# A report\n\n## Its part", "text/plain": "A report"}
    code["outputs"] = [{"output_type": "display_data", "data": report, "metadata": {}}]
    path.write_text(json.dumps(notebook))
    reader.opens(START_PAGE)
    reader.sees(reader.cell("progress_page").get_by_role("heading", name="A report"), "the report")
    reader.until("the table of contents", f"async () => (await ({HEADINGS})()).includes('The claim')")
    headings = reader.asks(HEADINGS)
    assert "A report" not in headings
    assert "Its part" not in headings
