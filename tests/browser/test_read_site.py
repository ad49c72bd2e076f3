"""The site in a browser: nothing leaves the machine, search and theme work, and axe finds no barrier."""

import pytest

from helix.course import site
from support import axe

PAGES = (
    "index.html",
    "claims.html",
    "notebooks/00_start_here.html",
    "notebooks/12_fairness_audit.html",
    "labs/12_fairness_audit_lab.html",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("web") / "site"
    site.write(made)
    return made


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_have_no_barrier_and_ask_nobody(browser, folder, theme):
    context = browser.new_context(viewport={"width": 1366, "height": 768}, color_scheme=theme)
    asked, told = [], []
    context.on("request", lambda request: asked.append(request.url))
    tab = context.new_page()
    tab.on("console", lambda message: told.append(message.text))
    found = {}
    for name in PAGES:
        tab.goto((folder / name).as_uri())
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert told == [], name
        found |= {name: faults} if (faults := axe.faults(tab)) else {}
        told.clear()  # axe wants to read the style sheets once more, which the page's own policy refuses
    context.close()
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert found == {}


def test_a_telephone_shows_no_page_wider_than_itself(browser, folder):
    context = browser.new_context(viewport={"width": 390, "height": 800})
    tab = context.new_page()
    for name in PAGES:
        tab.goto((folder / name).as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, name
    context.close()


def test_a_reader_searches_and_changes_the_theme(browser, folder):
    context = browser.new_context(color_scheme="light")
    tab = context.new_page()
    tab.goto((folder / "notebooks/12_fairness_audit.html").as_uri())
    tab.get_by_label("Search the course").fill("equalised odds")
    results = tab.get_by_label("Search results")
    results.get_by_role("link").first.wait_for()
    assert "equalised odds" in results.inner_text().lower()
    tab.get_by_label("Search the course").fill("zzzz")
    assert "Nothing found" in results.inner_text()
    tab.get_by_label("Search the course").press("Escape")
    assert tab.locator("#main").is_visible()
    tab.get_by_role("button", name="Dark theme").click()
    tab.goto((folder / "index.html").as_uri())
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    context.close()
