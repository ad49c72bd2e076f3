"""A browser, JupyterLab, and a learner; and a picture of the screen when a test fails."""

import os
import shutil

import pytest
from learner import LAB, Server, Watch, end, environment

WHAT_TO_INSTALL = (
    "To drive a browser, run `python3 kit.py setup --group browser` and, on Debian, `apt-get install chromium`."
)
SCREEN, FAILED = pytest.StashKey(), pytest.StashKey()


@pytest.fixture(scope="module")  # not longer: while Playwright runs, no other test of this process can use asyncio
def browser(tmp_path_factory):
    """Chromium without a window. Where something for it is missing, the test is skipped."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip(WHAT_TO_INSTALL)
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip(WHAT_TO_INSTALL)
    home = tmp_path_factory.mktemp("browser")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program,
            env=environment(home),
            # Chromium refuses to run its sandbox as root, which containers often are.
            chromium_sandbox=os.geteuid() != 0,
            # Outside of `python3 kit.py test` there may be a network: no name but this machine's is found.
            args=["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost"],
        )
        yield chromium
        chromium.close()
    end(home, "the browser")


@pytest.fixture(scope="module")
def context(browser):
    """One browser profile, with what it keeps of pages and scripts."""
    return browser.new_context(viewport={"width": 1300, "height": 1000})


@pytest.fixture(scope="module")
def watch(context):
    return Watch(context)


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("learner"))
    try:
        started.start()
        assert (started.work / LAB).exists(), "`python3 kit.py lab` has to put the labs into the learner's folder."
        yield started
    finally:
        started.stop()


@pytest.fixture
def page(request, context, watch, tmp_path):
    """The browser's tab. Tests share it, for JupyterLab takes seconds to load; one in which a test failed is closed."""
    tab = context.pages[0] if context.pages else context.new_page()
    request.node.stash[SCREEN] = tab, tmp_path / "screen.png"
    yield tab
    if FAILED in request.node.stash:
        tab.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep a picture of what the browser showed when a test failed, and say where it is."""
    report = yield
    if report.failed and SCREEN in item.stash:
        item.stash[FAILED] = True
        tab, picture = item.stash[SCREEN]
        if not tab.is_closed():
            tab.screenshot(path=picture)
            report.sections.append(("What the browser showed", str(picture)))
    return report
