"""The page of a fairness audit in a browser: axe finds nothing serious in it, whatever the screen and the theme."""

import numpy as np
import pytest

from axe import faults
from helix.trust.fairness_audit import Page, audit


@pytest.fixture(scope="module")
def report():
    """A page with all that a page can hold: small groups, hidden ones, scores, limits that are kept and broken."""
    rng = np.random.default_rng(0)
    of = np.repeat(
        ["many", "as many", "a group with a long name of several words", "few", "two"], [900, 900, 200, 20, 2]
    )
    scores = rng.random(len(of)) * np.where(of == "few", 0.6, 1.0)
    y = (rng.random(len(of)) < scores).astype(int)
    limits = {"demographic_parity": 0.01, "accuracy": 0.9, "equal_opportunity": 0.2, "impact_ratio": 0.5}
    page = Page(
        title="Offers",
        about="Who gets an offer.",
        selected="gets the offer",
        label="earns over 50,000",
        owner="head of offers",
    )
    found = audit(lambda X: scores, of, y, of, limits=limits, page=page, unknown=["few", "two"])
    return found.to_html()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_axe_finds_nothing_serious(browser, report, theme, width):
    with browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme) as page:
        page.set_content(report)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page itself scrolls sideways"
        assert faults(page, ("moderate", "serious", "critical")) == []


def test_the_tables_are_reached_and_scrolled_by_keyboard(browser, report):
    with browser.new_page(viewport={"width": 390, "height": 900}) as page:
        page.set_content(report)
        region = page.get_by_role("region", name="Every group")
        region.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.activeElement.scrollLeft > 0")


@pytest.mark.parametrize(
    ("was", "broken", "rule"),
    [
        ('<html lang="en">', "<html>", "html-has-lang"),
        ("--soft:#57606a", "--soft:#c0c0c0", "color-contrast"),
        (' tabindex="0"', "", "scrollable-region-focusable"),
        ("<title>Offers</title>", "", "document-title"),
    ],
)
def test_axe_finds_a_barrier_that_is_put_there(browser, report, was, broken, rule):
    assert was in report
    with browser.new_page(viewport={"width": 390, "height": 900}, color_scheme="light") as page:
        page.set_content(report.replace(was, broken))
        assert any(line.startswith(rule) for line in faults(page))
