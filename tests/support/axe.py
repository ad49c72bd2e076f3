"""axe-core in a page of the browser: that part of accessibility which a program can see.

The script comes with the pip package ``axe-playwright-python`` of the group *browser*; nothing is loaded from elsewhere. It finds
missing names, captions, labels, contrast, what no keyboard reaches. Whether a text alternative says the right thing it cannot know.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest

SERIOUS = ("serious", "critical")


def faults(page: Any, impacts: tuple[str, ...] = SERIOUS, within: str | None = None) -> list[str]:
    """Return what axe finds in an open page of Playwright, a line each: the rule, what it wants, and where.

    Parameters
    ----------
    page : playwright.sync_api.Page
        With its final theme and width: contrast is that of what is shown.
    impacts : tuple of str
        Which of axe's ``minor``, ``moderate``, ``serious`` and ``critical`` count.
    within : str, optional
        A CSS selector: only what lies inside is looked at, as in a page that somebody else's program draws around it.
    """
    try:
        script = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    except ImportError:
        pytest.skip("To look for barriers with axe, run `python3 kit.py setup --group browser`.")
    page.evaluate(script)
    found = page.evaluate("where => axe.run(where || document, {resultTypes: ['violations']})", within)
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {' '.join(node['target'])}: {node['html'][:200]}"
        for rule in found["violations"]
        if rule["impact"] in impacts
        for node in rule["nodes"]
    ]
