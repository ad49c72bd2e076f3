"""A learner with a browser: the JupyterLab that `python3 kit.py lab` starts for them, what they do in it, and what they see."""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from helix import paths
from helix.course import copies, gates

NAME = "00_start_here"
START_PAGE = f"notebooks/{NAME}.ipynb"
LAB = f"labs/{NAME}_lab.ipynb"  # both from the learner's folder, which is all that JupyterLab shows
PATIENCE = 60  # seconds until something counts as not coming: a busy machine may need many, no wait is endless

# Whether a person can see an element, or a text in it: scrolled to, of some size, not transparent, nothing in front.
_SEEN = """(element, text) => {
    const range = document.createRange();
    range.selectNode(element);
    if (text) {
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        const nodes = [];
        while (walker.nextNode()) nodes.push(walker.currentNode);
        const start = nodes.map(node => node.data).join('').indexOf(text);
        if (start < 0) return false;
        const place = offset => {
            const node = nodes.find(node => offset < node.length || (offset -= node.length, false));
            return [node, offset];
        };
        range.setStart(...place(start));
        const [last, offset] = place(start + text.length - 1);
        range.setEnd(last, offset + 1);
        const holder = range.commonAncestorContainer;
        element = holder.nodeType === Node.TEXT_NODE ? holder.parentElement : holder;
    }
    element.scrollIntoView({block: 'nearest'});
    const box = range.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    return element.checkVisibility({opacityProperty: true, visibilityProperty: true})
        && box.width > 0 && box.height > 0 && element.contains(document.elementFromPoint(x, y));
}"""
# The contrast of each text inside an element with what lies behind it (WCAG 2.2, success criterion 1.4.3).
_CONTRASTS = """root => {
    const pen = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const read = css => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = css;
        pen.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
        return [[red, green, blue], alpha / 255];
    };
    const over = (below, css, opacity) => {
        const [colour, alpha] = read(css);
        return below.map((part, i) => part + (colour[i] - part) * alpha * opacity);
    };
    const luminance = colour => {
        const [red, green, blue] = colour.map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const found = [];
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const holder = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !holder.checkVisibility()) continue;
        const around = [];
        for (let element = holder; element; element = element.parentElement) around.unshift(getComputedStyle(element));
        let [behind, opacity] = [[255, 255, 255], 1];
        for (const style of around) {
            opacity *= style.opacity;
            behind = over(behind, style.backgroundColor, opacity);
        }
        const [low, high] = [behind, over(behind, around.at(-1).color, opacity)].map(luminance).sort((a, b) => a - b);
        found.push([texts.currentNode.data.trim(), (high + 0.05) / (low + 0.05)]);
    }
    return found;
}"""

# What JupyterLab itself is asked, through `window.jupyterapp`.
_IS_OPEN = """path => {
    const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.context?.path === path && panel.context.isReady && panel.content.model
        && panel.sessionContext.session?.kernel?.status === 'idle';
}"""
_CLOSE = """async () => {
    for (const widget of [...window.jupyterapp?.shell.widgets('main') ?? []]) widget.dispose();
    await window.jupyterapp?.serviceManager.sessions.shutdownAll();
}"""
_SCROLL = """async text => {
    const notebook = jupyterapp.shell.currentWidget.content;
    const index = notebook.widgets.findIndex(cell => cell.model.sharedModel.getSource().includes(text));
    if (index >= 0) await notebook.scrollToItem(index);
    return index;
}"""
_ERRORS = """() => [...jupyterapp.shell.currentWidget.content.model.cells]
    .flatMap(cell => cell.toJSON().outputs ?? [])
    .filter(output => output.output_type === 'error' || output.name === 'stderr')"""
_RUN = """async ([code, expression]) => {
    const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
    const {content} = await kernel.requestExecute({code, user_expressions: {expression}}).done;
    return content.user_expressions.expression.data['text/plain'];
}"""


def until(page, expected, condition, seconds=PATIENCE):
    """Return the condition's first true value; after some seconds without one, say what was expected."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"Within {seconds} s this was not seen: {expected}"
        page.wait_for_timeout(50)
    return value


def sees(page, locator, expected, text="", seconds=PATIENCE):
    """Scroll to an element, or to a text in it, and wait until a person can see it."""
    until(page, expected, lambda: locator.count() and locator.first.evaluate(_SEEN, text), seconds)


def contrasts(locator):
    """Return each text in an element with its contrast, from 1 (invisible) to 21 (black on white)."""
    return [tuple(pair) for pair in locator.evaluate(_CONTRASTS)]


def environment(home):
    """Return what a program needs to run, with this home; of the settings of tests and of the real learner, nothing."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(home)}


def processes(home):
    """Return every process with this home, wherever it hangs: what a server or a browser started, and what that did."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(home):
                found.append(process)
        except (psutil.Error, OSError):  # it has just ended, or is somebody else's
            pass
    return found


def end(home, what, seconds=PATIENCE):
    """Wait until no process with this home is left. What does not end by itself is killed, and that is an error."""
    latest = time.monotonic() + seconds
    while (left := processes(home)) and time.monotonic() < latest:
        time.sleep(0.05)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert not left, f"This outlived {what}: {left}"


class Watch:
    """What goes wrong in a browser without anybody seeing it: errors, refused requests, requests to elsewhere."""

    def __init__(self, context, host=""):
        self.host = host  # with its port: the only one that a page may ask
        self.noticed = []
        context.on("console", lambda message: message.type == "error" and self.notice("console error", message.text))
        context.on("weberror", lambda error: self.notice("uncaught error", error.error.message))
        context.on("response", lambda answer: answer.status >= 400 and self.notice(answer.status, answer.url))
        context.on("request", lambda request: self.asked(request.url))
        context.on("page", lambda page: page.on("websocket", lambda opened: self.asked(opened.url)))

    def notice(self, what, where):
        self.noticed.append(f"{what}: {where}")

    def asked(self, url):
        address = urlsplit(url)
        if address.scheme not in ("data", "blob", "about") and address.netloc != self.host:
            self.notice("request to elsewhere", url)


class Server:
    """JupyterLab for a learner with a home and a copy of the course of their own; nothing of the real one is touched.

    With `work`, the learner's folder is that one, outside of the course.
    """

    def __init__(self, home, work=None):
        self.home, self.course, self.runtime = home, home / "course", home / "runtime"
        self.work = work or self.course / "work"
        for file in gates.tracked():
            goal = self.course / file.relative_to(paths.root())
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, goal)
        self.settings = {
            **environment(home),
            "HELIX_ROOT": str(self.course),
            "JUPYTER_RUNTIME_DIR": str(self.runtime),
            **({"HELIX_WORK": str(work)} if work else {}),
        }
        self.process = None

    def start(self):
        """Start it, as `kit.py lab` does, and wait until it answers."""
        words = ["--no-browser", "--expose-app-in-browser"]
        with (self.home / "jupyter.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "helix.course.cli", "lab", *words],
                cwd=self.course,
                env=self.settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent if sys.platform == "linux" else None,
            )
        # The server finds a free port itself, and writes it down under the process's number.
        info, end = self.runtime / f"jpserver-{self.process.pid}.json", time.monotonic() + PATIENCE
        while True:
            try:
                known = json.loads(info.read_text())
                socket.create_connection((known["hostname"], known["port"]), timeout=1).close()
                break
            except (OSError, ValueError):
                log = (self.home / "jupyter.log").read_text()
                assert self.process.poll() is None, f"JupyterLab ended at once:\n{log}"
                assert time.monotonic() < end, f"JupyterLab did not start within {PATIENCE} s:\n{log}"
                time.sleep(0.1)
        self.url, self.token, self.host = known["url"], known["token"], urlsplit(known["url"]).netloc

    def tidy(self):
        """Give the learner an empty folder with fresh copies of the pages; JupyterLab stands in it, so it stays itself."""
        for path in self.work.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for folder in copies.FOLDERS:
            shutil.copytree(self.course / folder, self.work / folder)

    def stop(self, seconds=PATIENCE):
        """End it, with its kernels."""
        if self.process is not None:
            self.process.terminate()
            try:
                end(self.home, "JupyterLab", seconds)
            finally:
                self.process.wait(PATIENCE)
                self.process = None


class Learner:
    """A person at a page of JupyterLab: opens, types, runs, clicks, looks."""

    def __init__(self, page, server, watch):
        self.page, self.server, self.watch = page, server, watch

    def arrives(self):
        """Open the address that JupyterLab prints: the start page comes by itself."""
        self.watch.host = self.server.host
        self.page.goto(f"{self.server.url}?token={self.server.token}")
        self.waits_for(START_PAGE)

    def opens(self, path):
        """Open a file."""
        if not self.asks("() => 'jupyterapp' in window"):
            self.arrives()
        self.asks("path => jupyterapp.commands.execute('docmanager:open', {path}).then(() => true)", path)
        self.waits_for(path)

    def closes_everything(self):
        """Leave JupyterLab with nothing open, nothing asked about saving, and no kernel running."""
        self.asks(_CLOSE)

    def waits_for(self, path):
        self.until(f"{path}, open and with a kernel that is idle", _IS_OPEN, path)

    def asks(self, script, argument=None):
        """Return what a function of the page gives: at once, or when its promise is kept."""
        # Playwright itself waits for a promise without any limit.
        late = f"setTimeout(() => fail(new Error('no answer within {PATIENCE} s')), {1000 * PATIENCE})"
        race = f"argument => Promise.race([({script})(argument), new Promise((_, fail) => {late})])"
        return self.page.evaluate(race, argument)

    def until(self, expected, script, argument=None):
        until(self.page, expected, lambda: self.asks(script, argument))

    def sees(self, locator, expected, text=""):
        sees(self.page, locator, expected, text)

    def reads(self, card, text):
        self.sees(card, f"{text!r} on the card", text)

    def cell(self, text):
        """Return the first cell of the open notebook whose source has this text."""
        index = self.asks(_SCROLL, text)
        assert index >= 0, f"The open notebook has no cell with {text!r}."
        return self.page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) [data-windowed-list-index='{index}']")

    def types(self, exercise, answer):
        """Type an answer in the place of the last line of an exercise's function; run the function and its check."""
        line = self.cell(f"def {exercise}(").locator(".cm-line").last
        line.click()
        for key in ("End", "Shift+Home"):  # Home goes to the indentation
            self.page.keyboard.press(key)
        self.page.keyboard.type(answer)
        until(self.page, f"{answer!r} on the line where it was typed", lambda: line.inner_text() == f"    {answer}")
        self.runs(2)

    def runs(self, times=1):
        """Press Shift+Enter, which runs a cell and goes on to the next one."""
        for _ in range(times):
            self.page.keyboard.press("Shift+Enter")

    def runs_all(self):
        """Choose "Run All Cells" in the menu."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()

    def card(self, exercise, heading, seconds=PATIENCE):
        """Return the card that is seen under the check of an exercise, once it has this heading."""
        card = self.cell(f"check.{exercise}(").locator(".jp-OutputArea section.hx-card")
        sees(self.page, card, f"a card under `check.{exercise}` that says {heading!r}", heading, seconds)
        return card

    def asks_kernel(self, code, expression="None"):
        """Run code in the open notebook's kernel, after all that was run before, and return a value as Python writes it."""
        return self.asks(_RUN, [code, expression])

    def errors(self):
        """Return what the open notebook shows of errors and warnings."""
        return self.asks(_ERRORS)

    def wears(self, theme):
        """Choose a theme, as in the menu of settings."""
        self.asks("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        self.until(f"the theme {theme}", "theme => document.body.dataset.jpThemeName === theme", theme)

    def photographs(self, name):
        """Keep what the screen shows, where `HELIX_SCREENSHOTS` names a folder."""
        if folder := os.environ.get("HELIX_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder, f"{name}.png"))


def end_with_parent():
    """Ask Linux to kill this process when the one that started it is gone; kernels notice that and end by themselves."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
