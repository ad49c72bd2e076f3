"""What guards the browser's tests must fail where it has to: here it does."""

import inspect
import subprocess
import sys
import time

import pytest
from learner import PATIENCE, Server, Watch, contrasts, end, end_with_parent, processes, sees, until

CARD = "<div id='card' style='{}'>Your answer holds</div>"
BAD = {
    "absent": "<p>Nothing</p>",
    "hidden": CARD.format("visibility: hidden"),
    "not displayed": CARD.format("display: none"),
    "transparent": CARD.format("opacity: 0"),
    "without a size": CARD.format("height: 0; overflow: hidden"),
    "outside": CARD.format("position: fixed; left: -9999px"),
    "covered": CARD.format("") + "<div style='position: fixed; inset: 0; background: white'></div>",
    "folded": f"<details><summary>Hint</summary>{CARD.format('')}</details>",
    "another text": "<div id='card'>Your answer</div>",
}


@pytest.mark.parametrize("html", BAD.values(), ids=BAD)
def test_what_nobody_can_see_is_not_seen(page, html):
    page.set_content(html)
    with pytest.raises(AssertionError, match="not seen: the card"):
        sees(page, page.locator("#card"), "the card", "Your answer holds", seconds=0.2)


@pytest.mark.parametrize("text", ["", "Your answer holds"])
def test_what_is_far_below_or_comes_late_is_seen(page, text):
    page.set_content("<div style='height: 9000px'></div>")
    page.evaluate("html => setTimeout(() => document.body.insertAdjacentHTML('beforeend', html), 200)", CARD.format(""))
    sees(page, page.locator("#card"), "the card", text, seconds=20)


def test_a_text_is_seen_across_its_marks(page):
    page.set_content("<div id='card'>Use <code>group</code>, not <code>people</code>.</div>")
    sees(page, page.locator("#card"), "the card", "group, not people.", seconds=20)


@pytest.mark.parametrize(
    ("style", "ratio"),
    [
        ("color: black; background: white", 21),
        ("color: #777; background: white", 4.48),
        ("color: rgb(0 0 0 / 0.5); background: white", 3.95),  # the same as #808080
        ("color: black; opacity: 0.5; background: white", 3.95),
        ("color: white; background: #ff000080", 2.43),  # on white: #ff8080
        ("color: color-mix(in srgb, black, white)", 3.95),
    ],
)
def test_contrast_is_that_of_what_is_painted(page, style, ratio):
    page.set_content(f"<body style='background: white'><div id='text' style='{style}'>Text</div></body>")
    assert contrasts(page.locator("#text")) == [("Text", pytest.approx(ratio, abs=0.1))]


@pytest.fixture(scope="module")
def made_up(browser):
    """A page of a server that does not exist, and what the watch notices of it."""
    context = browser.new_context()
    watch = Watch(context, host="course.test")
    context.route(
        "http://course.test/**",
        lambda route: route.fulfill(status=404 if "missing" in route.request.url else 200, content_type="text/html"),
    )
    page = context.new_page()
    page.goto("http://course.test/")
    return page, watch


@pytest.mark.parametrize(
    ("script", "noticed"),
    [
        ("fetch('http://elsewhere.test/a').catch(() => 0)", "request to elsewhere: http://elsewhere.test/a"),
        ("new Image().src = 'https://elsewhere.test/b.png'", "request to elsewhere: https://elsewhere.test/b.png"),
        ("new WebSocket('ws://elsewhere.test/c')", "request to elsewhere: ws://elsewhere.test/c"),
        ("fetch('http://course.test:81/d').catch(() => 0)", "request to elsewhere: http://course.test:81/d"),
        ("window.open('http://elsewhere.test/e')", "request to elsewhere: http://elsewhere.test/e"),
        ("fetch('/missing')", "404: http://course.test/missing"),
        ("console.error('an error')", "console error: an error"),
        ("setTimeout(() => { throw new Error('thrown') })", "uncaught error: thrown"),
        ("Promise.reject(new Error('rejected'))", "uncaught error: rejected"),
    ],
)
def test_what_goes_wrong_unseen_is_noticed(made_up, script, noticed):
    page, watch = made_up
    page.evaluate(f"() => {{ {script} }}")
    until(page, noticed, lambda: noticed in watch.noticed, seconds=20)


def test_what_is_in_order_is_not_noticed(made_up):
    page, watch = made_up
    watch.noticed.clear()
    page.evaluate("() => { fetch('/'); fetch('data:,'); console.log('a'); console.warn('b'); }")
    page.wait_for_timeout(500)
    assert watch.noticed == []


SLEEPS = "import time; time.sleep(120)"


def test_what_outlives_the_server_is_killed_and_reported(tmp_path):
    server = Server(tmp_path)
    starts = "subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
    command = [sys.executable, "-c", f"import subprocess, sys; {starts}; {SLEEPS}", SLEEPS]
    server.process = subprocess.Popen(command, env=server.settings)
    latest = time.monotonic() + PATIENCE
    while len(processes(tmp_path)) < 2 and time.monotonic() < latest:
        time.sleep(0.05)
    with pytest.raises(AssertionError, match="outlived JupyterLab"):
        server.stop(seconds=0.5)
    end(tmp_path, "being killed")


def test_the_browser_is_found_by_its_home(browser, tmp_path_factory):
    assert len(processes(tmp_path_factory.getbasetemp() / "browser0")) > 2


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux can be asked to do this.")
def test_the_server_ends_even_with_tests_that_are_killed():
    starts = "subprocess.Popen([sys.executable, '-c', sys.argv[1]], preexec_fn=end_with_parent)"
    code = f"import ctypes, os, signal, subprocess, sys\n{inspect.getsource(end_with_parent)}\n{starts}\nos._exit(1)"
    # While the one that sleeps lives, it holds the pipe open, and this does not return.
    subprocess.run([sys.executable, "-c", code, SLEEPS], stdout=subprocess.PIPE, timeout=PATIENCE)
