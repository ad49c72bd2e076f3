#!/usr/bin/env python3
"""The one door: ``python3 kit.py WORD …`` sets up what is missing, then hands all words to ``helix``.

Standard library only, and nothing newer than Python 3.8, so that an old interpreter answers with a sentence
instead of a SyntaxError. The set-up lives in ``.venv``. Its marker ``helix.json`` is written last: while it
is absent or outdated, every call sets up again and goes on from where the last one stopped. What cannot be
installed beside the rest has an environment of its own, ``.venv-NAME``, made in the same way from ``envs/NAME.lock``.

pip brings PyTorch (it finds the CPU build where an index offers one) and uv, and uv installs the rest in a fraction of
pip's time. Where uv cannot be had or fails, pip goes on. Both read the same list, with the hash of each file.
"""

from __future__ import annotations

import argparse
import ast
import csv
import errno
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
MARKER = "helix.json"  # what is installed; `helix about` shows it, so it holds no path
PLAN = "helix-plan.json"  # what was asked for, and where this environment belongs; survives an interruption
AUTHORS = "browser"  # the one group that no chapter needs: only a test does
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
BOTH: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
FOREIGN = ["PYTHONPATH", "PYTHONHOME"]  # they bring another Python's packages, which this one may not survive
ASTRAY = [*FOREIGN, "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT"]
ASTRAY += ["UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE"]
SELDOM = r"/(tests|transformers/models)/"  # what is compiled when it is first imported, if ever: a third of everything
UV_CACHE = "uv-cache"  # beside the packages, so that uv links its files instead of copying them; gone at the end
# What pip was told about its indexes, and what uv calls it.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY HTTP_PROXY HTTPS_PROXY http_proxy https_proxy",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
# What each group takes when it comes alone, measured on Linux and rounded up; cuda is an estimate.
GIGABYTES = {
    "core": 1.7,
    "cuda": 6.0,
    "models": 0.4,
    "fairness": 0.1,
    "compilation": 0.3,
    "data": 0.5,
    "trust": 0.5,
    "generative": 0.8,
    "deployment": 1.1,
    "browser": 0.2,
}
USAGE = """usage: python3 kit.py WORD …

  lab        open JupyterLab on the start page (the first call sets everything up)
  map        list the chapters
  test       run every test
  setup      only set up [--group NAME …] [--all-groups] [--torch cpu|cuda]
  update     bring a new version of the course; what you wrote stays [--from FOLDER]
  env        list the frameworks that need an environment of their own; `env NAME` makes one
  help       all words
"""


class Stop(Exception):
    """The call ends here; the message is the sentence that says what to do."""


class InstallFailed(Exception):
    """pip or uv ended with an error; the message is its reason, `tail` its last lines."""

    def __init__(self, reason: str, tail: str) -> None:
        super().__init__(reason)
        self.tail = tail


def say(text: str, end: str = "\n") -> None:
    """Print on stderr: stdout belongs to the word that follows."""
    print(text, end=end, file=sys.stderr, flush=True)


@contextmanager
def step(label: str) -> Iterator[None]:
    """Show one line for what happens inside, with its seconds."""
    started = time.monotonic()
    say(f"{label} … ", end="")
    try:
        yield
    except BaseException:
        say("stopped.")
        raise
    live = f"\r\033[K{label} … " if sys.stderr.isatty() else ""
    say(f"{live}{time.monotonic() - started:.0f} s")


def ask(question: str) -> bool:
    """Ask on a terminal; without one the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    say(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def read_lock(text: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the Python versions that the lock allows and, by group, all the requirement lines it needs."""
    pythons: list[str] = []
    groups: dict[str, list[str]] = {}
    shared: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("# python: "):
            pythons = line[len("# python: ") :].split(", ")
        elif line.startswith("# group: "):
            groups[line[len("# group: ") :]] = []
        elif line.startswith("# also: "):
            shared[list(groups)[-1]] = line[len("# also: ") :].split()
        elif line and not line.startswith("#"):
            groups[list(groups)[-1]].append(line)
    every = [line for lines in groups.values() for line in lines]
    for group, names in shared.items():
        groups[group] = groups[group] + [line for line in every if line.split("==")[0] in names]
    return pythons, groups


def read_hashes() -> dict[str, list[str]]:
    """Return, by pin, the hashes of the files that may be installed for it; nothing where no hash was recorded."""
    try:
        lines = (ROOT / "requirements.hashes").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {words[0]: words[1:] for words in map(str.split, lines) if words and words[0] != "#"}


def own_environments() -> dict[str, str]:
    """Return the text of the lock of each framework that needs an environment of its own, by name."""
    return {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "envs").glob("*.lock"))}


def header(lock: str, word: str) -> str:
    """Return what a lock says after ``# word: ``."""
    return next((line[len(word) + 4 :] for line in lock.splitlines() if line.startswith(f"# {word}: ")), "")


def further_groups(sections: dict[str, list[str]]) -> list[str]:
    """Return the groups that only some chapters, or only some tests, need."""
    return [group for group in sections if group not in ("core", "cuda")]


def project_text() -> str:
    """Return pyproject.toml above its tool settings."""
    return (ROOT / "pyproject.toml").read_text("utf-8").split("\n[tool.")[0]


def stamp() -> str:
    """Return the hash of what decides the set-up: the two locks, and pyproject.toml above its tool settings."""
    locks = [(ROOT / lock).read_text("utf-8") for lock in ("requirements.lock", "utils/helix/assets/assets.lock")]
    return digest("".join([*locks, project_text()]))


def digest(text: str) -> str:
    """Return the hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path) -> dict[str, Any]:
    """Return the JSON file's content; an absent or half-written one is empty."""
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file in one stroke."""
    path.with_suffix(".tmp").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    os.replace(path.with_suffix(".tmp"), path)


def written_chapters(python: Path, needs: str = "group") -> dict[str, list[str]]:
    """Return, by what each `needs` (its group, or its assets), the chapters of the catalogue that exist."""
    catalogue = ROOT / "source" / "course.toml"
    try:
        import tomllib

        data = tomllib.loads(catalogue.read_text("utf-8"))
    except ImportError:  # this interpreter is older than 3.11, the environment's is not
        code = "import json, sys, tomllib; print(json.dumps(tomllib.load(open(sys.argv[1], 'rb'))))"
        data = json.loads(subprocess.check_output([str(python), "-c", code, str(catalogue)]))
    found: dict[str, list[str]] = {}
    for chapter in data["chapter"]:
        name = f"{chapter['number']:02d}_{chapter['topic']}"
        if (ROOT / "source" / "notebooks" / f"{name}.py").exists():
            things = chapter.get(needs, [])
            for thing in [things] if isinstance(things, str) else things:
                found.setdefault(thing, []).append(name)
    return found


def version_of(python: str) -> str:
    """Return the X.Y of an interpreter, or "" where it does not start (as pyenv's stand-ins do)."""
    status, output = run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return "" if status else output.strip()


def clean() -> dict[str, str]:
    """Return the environment without what makes pip install, or look, elsewhere; its indexes stay."""
    kept = {key: value for key, value in os.environ.items() if key not in ASTRAY}
    return {**kept, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}


def find_python(allowed: list[str], home: Path = VENV) -> str:
    """Return an interpreter of an allowed version for `home`: this one, one on the PATH, or one that uv provides."""
    if ".".join(platform.python_version_tuple()[:2]) in allowed:
        return str(getattr(sys, "_base_executable", sys.executable))  # not that of a .venv about to be remade
    for version in allowed:
        path = shutil.which(f"python{version}")
        if path and version_of(path) == version:
            return path
    uv = shutil.which("uv") or shutil.which(str(VENV / "bin" / "uv"))
    for command in (["find", "--system"], ["install"], ["find", "--system"]) if uv else ():
        answer = subprocess.run([str(uv), "python", *command, allowed[0]], capture_output=True, text=True)
        if command[0] == "find" and version_of(answer.stdout.strip()) == allowed[0]:
            return answer.stdout.strip()
    conda = ", or use conda: conda env create -f environment.yml && conda activate double-helix && python kit.py lab"
    raise Stop(
        f"{'The course' if home == VENV else f'The environment {home.name}'} needs Python {' or '.join(allowed)}; "
        f"this is {platform.python_version()}, and no other was found. Install Python {allowed[0]} and call again"
        f"{conda if home == VENV else '.'}"
    )


def in_conda() -> bool:
    """Say whether this interpreter is that of an active conda environment with this course installed."""
    if os.environ.get("CONDA_PREFIX") != sys.prefix:
        return False
    helix = importlib.util.find_spec("helix")
    return helix is not None and ROOT in Path(helix.origin or "/").resolve().parents


def site(home: Path) -> Path:
    """Return the folder of the installed packages."""
    return next(iter(sorted(home.glob("lib/python3*/site-packages"))), home / "lib")


def broken(packages: Path) -> list[Path]:
    """Return the ``.dist-info`` folders of the packages whose installation was cut short."""
    found = []
    for info in sorted(packages.glob("*.dist-info")):
        try:
            with open(info / "RECORD", newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))
            # The wheel's own RECORD is unpacked first; that of pip or uv, written last, names the INSTALLER.
            whole = any(row[0].endswith(".dist-info/INSTALLER") for row in rows)
            # A .pyc may be made anew, and uv notes the size that RECORD had before it.
            sized = [row for row in rows if row[2] and not row[0].endswith((".pyc", ".dist-info/RECORD"))]
            whole = whole and all(os.path.getsize(f"{packages}/{row[0]}") == int(row[2]) for row in sized)
        except (OSError, IndexError, ValueError):
            whole = False
        if not whole:
            found.append(info)
    return found


def mend(home: Path) -> None:
    """Make pip forget the packages that are not whole, so that the next install brings them back."""
    remains = {*broken(site(home)), *site(home).glob("~*")}  # pip renames to ~ what it is removing
    for path in remains:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if remains:
        say(f"Mending {len(remains)} packages whose installation had been cut short.")


def prepare(home: Path, allowed: list[str], plan: dict[str, Any]) -> None:
    """Make `home` a working environment, or keep it if it is one and did not move."""
    python = str(home / "bin" / "python")
    home.mkdir(exist_ok=True)
    pips = set(site(home).glob("pip-*.dist-info"))
    works = version_of(python) in allowed and pips and not pips & set(broken(site(home)))
    moved = plan.get("root", str(ROOT)) != str(ROOT)  # its scripts name the old folder
    if not works or moved:
        base = find_python(allowed, home)
        with step(f"Making {home.name}"):
            for path in home.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            save(home / PLAN, {**plan, "root": str(ROOT)})
            status, output = run([base, "-m", "venv", str(home)])
        if status:
            raise Stop(venv_failed(output, version_of(base)))
    save(home / PLAN, {**plan, "root": str(ROOT), "executable": os.path.realpath(python)})


def venv_failed(output: str, version: str) -> str:
    """Return the sentence for a failed ``python -m venv``."""
    if "ensurepip" in output or "No module named venv" in output:
        return f"Python lacks its venv module. On Debian and Ubuntu: sudo apt install python{version}-venv"
    return f"The environment could not be made: {reason(output.splitlines())}"


def run(command: list[str]) -> tuple[int, str]:
    """Run a command in the clean environment; return its exit status and all it printed."""
    try:
        done = subprocess.run(command, text=True, env=clean(), **BOTH)
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout


def reason(lines: list[str]) -> str:
    """Return in one line why a command failed."""
    text = "\n".join(lines)
    if os.strerror(errno.ENOSPC) in text:
        raise Stop("The disk is full. Free some space and call again: the set-up goes on from here.")
    errors = [line[len("ERROR: ") :] for line in lines if line.startswith("ERROR: ")] or lines or ["no word"]
    offline = re.search("NewConnection|NameResolution|unreachable|Connection refused|ConnectTimeout", text)
    return errors[-1] + (" (A package index could not be reached: is there a network?)" if offline else "")


def without_addresses(text: str) -> str:
    """Return `text` without the addresses of indexes, which may hold a password."""
    return re.sub(r"[a-z+]+://\S+", "…", text)


def execute(command: list[str], environment: dict[str, str], guard: int, folder: Path | None = None) -> None:
    """Run pip or uv and show on a terminal what it does; it keeps the `guard` if we are killed."""
    lines: deque[str] = deque(maxlen=400)
    count = 0
    with subprocess.Popen(command, text=True, env=environment, cwd=folder, pass_fds=(guard,), **BOTH) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(without_addresses(line.rstrip()))
            count += line.lstrip().startswith(("Collecting", "Requirement already", "Downloaded"))
            if sys.stderr.isatty():
                say(f"\r\033[K{count:4} {lines[-1].strip()[:90]}", end="")
    if process.returncode:
        raise InstallFailed(reason(list(lines)), "\n".join(list(lines)[-8:]))


def pip(home: Path, guard: int, *arguments: str) -> None:
    """Run pip in `home`."""
    command = [str(home / "bin" / "python"), "-m", "pip", *arguments]
    execute([*command, "--no-input", "--disable-pip-version-check"], clean(), guard)


def pip_settings(home: Path) -> dict[str, str]:
    """Return what the configuration of pip says, by option: its files, overruled by its environment variables."""
    output = run([str(home / "bin" / "python"), "-m", "pip", "config", "list"])[1]
    found: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):
        for line in output.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section):
                found[name[len(section) :]] = str(ast.literal_eval(value))
    return found


def uv_environment(home: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return the environment for uv, which reads nothing of pip's `settings`: a class with a mirror depends on them."""
    own = {"UV_CACHE_DIR": str(home / UV_CACHE), "UV_INDEX_STRATEGY": "unsafe-best-match"}  # pip ranks no index either
    own = {**own, **clean(), "UV_LINK_MODE": "hardlink"}  # a symbolic link would point into a cache that is gone
    told = {}
    for option, value in settings.items():
        joint = "," if option == "find-links" else " "
        for name in UV_NAMES.get(option, "").split():
            if name not in own or not name.startswith("UV_"):  # what was set for uv itself stays
                told[name] = joint.join(value.split())
    return {**own, **told}


class Installer:
    """What installs into `home`: uv, and pip where there is no uv or where it fails."""

    def __init__(self, home: Path, guard: int, hashes: dict[str, list[str]]) -> None:
        self.home, self.guard, self.hashes = home, guard, hashes
        self.uv: list[str] = []  # the command, as far as it is the same for all; empty: pip does the work
        self.environment: dict[str, str] = {}

    def bring_uv(self, pin: str) -> None:
        """Let pip install uv in the version `pin`, if it is not there, and use it from now on; "" means none."""
        if pin and not (site(self.home) / f"{pin.replace('==', '-')}.dist-info").exists():
            try:
                self.packages([pin])
            except InstallFailed as failure:
                say(f"pip does the work of uv, which could not be installed ({failure}) … ", end="")
                return
        if pin:
            self.use_uv(self.home / "bin" / "uv")

    def use_uv(self, uv: Path) -> None:
        """Use the command `uv`, if it is there."""
        if os.access(uv, os.X_OK):
            settings = pip_settings(self.home)
            self.uv = [str(uv), "pip", "install", "--python", str(self.home / "bin" / "python")]
            self.uv += (
                ["--no-index"] if settings.get("no-index", "").lower() in ("1", "y", "yes", "t", "true", "on") else []
            )
            self.environment = uv_environment(self.home, settings)

    def packages(self, lines: list[str]) -> None:
        """Install the requirement lines of a lock; where hashes were recorded, a file with another one is refused."""
        file = self.home / "helix-requirements.txt"
        hashed = [" --hash=sha256:".join([line, *self.hashes.get(line.split(" ")[0], [])]) for line in lines]
        file.write_text("\n".join(hashed) + "\n", "utf-8")
        self.install("--no-deps", *(["--require-hashes"] if self.hashes else []), "--requirement", str(file))

    def install(self, *arguments: str) -> None:
        """Install with uv or, if it fails, with pip; where pip succeeds it goes on alone."""
        if self.uv:
            try:
                execute([*self.uv, *arguments], self.environment, self.guard, ROOT)  # where uv's own settings stand
                return
            except InstallFailed:
                say("uv failed, pip tries … ", end="")
        pip(self.home, self.guard, "install", "--no-compile", *arguments)
        self.uv = []

    def course(self) -> None:
        """Install the course itself, which stays in its folder, unless it is there as its project file says."""
        project = digest(project_text())
        origins = site(self.home).glob("*.dist-info/direct_url.json")
        here = any(ROOT.as_uri() in origin.read_text("utf-8") for origin in origins)
        if not here or load(self.home / PLAN).get("project") != project:
            self.install("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
            save(self.home / PLAN, {**load(self.home / PLAN), "project": project})

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Compile what was installed, on all cores, while the body runs; then drop the cache."""
        packages = site(self.home)
        now = digest(str(sorted((info.name, info.stat().st_mtime_ns) for info in packages.glob("*.dist-info"))))
        if load(self.home / PLAN).get("compiled") == now:
            yield
        else:
            command = [str(self.home / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", "-x", SELDOM]
            silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with subprocess.Popen([*command, str(packages)], env=clean(), **silent) as process:
                try:
                    yield
                    with step("Compiling"):
                        process.wait()  # some files are no Python of today: its status tells nothing
                finally:
                    process.kill()
            save(self.home / PLAN, {**load(self.home / PLAN), "compiled": now})
        shutil.rmtree(self.home / UV_CACHE, ignore_errors=True)


def has_gpu() -> bool:
    """Say whether a working NVIDIA GPU is here (WSL2 has only the command)."""
    return Path("/proc/driver/nvidia/version").exists() or run(["nvidia-smi"])[0] == 0


def torch_here(home: Path) -> tuple[str, str]:
    """Return version and build (cpu, cuda) of the installed torch, or two empty strings.

    A CPU build calls itself ``+cpu``; one that does not is told by requiring no CUDA package (wheels for
    macOS may list the ones that Linux needs).
    """
    for info in site(home).glob("torch-*.dist-info"):
        text = (info / "METADATA").read_text("utf-8")
        version = text.split("\nVersion: ")[1].split("\n")[0]
        cuda = re.search(r"^Requires-Dist: (nvidia|cuda|triton)", text, re.M) and sys.platform != "darwin"
        return version.split("+")[0], "cuda" if cuda and not version.endswith("+cpu") else "cpu"
    return "", ""


def choose_torch(plan: dict[str, Any]) -> str:
    """Return the build to install: as asked for, now or before; else cpu, unless a GPU's owner says cuda."""
    if sys.platform == "darwin":
        return "cpu"
    if plan["torch"]:
        return str(plan["torch"])
    if has_gpu():
        if ask("An NVIDIA GPU is here. Fetch PyTorch's CUDA build (several GB) instead of the CPU build?"):
            return "cuda"
        say("An NVIDIA GPU is here; the CPU build is taken. For CUDA: python3 kit.py setup --torch cuda")
    return "cpu"


def install_torch(installer: Installer, build: str, pin: str, cuda: list[str]) -> str:
    """Let pip install torch alone, in the build asked for, and return the build; CUDA never comes by accident."""
    home, guard = installer.home, installer.guard
    here = torch_here(home)
    install = ("install", "--no-deps", "--no-compile", "--force-reinstall")
    if build == "cpu" and here != (pin, build):
        if here[1] == "cuda":
            pip(home, guard, "uninstall", "--yes", "torch", *(line.split("==")[0] for line in cuda))
        linux = sys.platform != "darwin"
        for source in ((), ("--index-url", CPU_INDEX)) if linux else ((),):
            try:
                pip(home, guard, *install, *source, f"torch=={pin}{'+cpu' if linux else ''}")
                return build
            except InstallFailed as failure:
                why = failure
        if not linux:
            raise why
        if not ask("PyTorch's CPU build was not found. Fetch the CUDA build (several GB)?"):
            raise Stop(
                f"PyTorch's CPU build was found neither by pip nor at {CPU_INDEX}. Call again where one of "
                "them can be reached, or take the CUDA build (several GB): "
                f"python3 kit.py setup --torch cuda\npip said: {why}"
            )
        build = "cuda"
    if build == "cuda":
        if here != (pin, build):
            pip(home, guard, *install, f"torch==={pin}")  # three signs: 2.13.0 itself, not 2.13.0+cpu
        installer.packages(cuda)
    return build


def check_space(home: Path, gigabytes: float) -> None:
    """Stop before the disk is full: compare the free space with what is still to come."""
    free = shutil.disk_usage(ROOT).free / 1e9
    missing = gigabytes - (size(home) / 1e9 if gigabytes > free else 0)  # to count all files takes a second
    if missing > free:
        raise Stop(f"Set-up needs {missing:.1f} GB more; {free:.1f} GB are free. Make room and call again.")


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    files = (os.lstat(os.path.join(top, name)) for top, _, names in os.walk(folder) for name in names)
    return sum({(file.st_dev, file.st_ino): file.st_size for file in files}.values())  # a linked file counts once


def install_further(
    installer: Installer, groups: dict[str, list[str]], chapters: dict[str, list[str]]
) -> dict[str, str]:
    """Install `groups`, and return why each one that fails does; the next has its turn all the same."""
    failed = {}
    for group, lines in groups.items():
        try:
            with step(f"Installing {group} ({len(lines)} packages)"):
                installer.packages(lines)
        except InstallFailed as failure:
            failed[group] = str(failure)
            closed = ", ".join(chapters.get(group, [])) or "no chapter that is written yet"
            say(f"The group {group} could not be installed: {failure}")
            say(f"That closes: {closed}. Everything else works; `python3 kit.py setup` tries again.")
    return failed


def fetch_assets(home: Path, options: argparse.Namespace) -> None:
    """Let `helix` fetch the models and data that the written chapters read; what fails is told, and ends nothing."""
    command = [
        str(home / "bin" / "python"),
        "-P",
        "-m",
        "helix.course.cli",
        "assets",
        *(["--all"] if options.all_groups else []),
    ]
    if subprocess.run(command, env=clean(), cwd=ROOT, stdout=sys.stderr).returncode:
        say("Some assets are missing; everything else works. `python3 kit.py assets` tries again.")


def set_up(home: Path, guard: int, options: argparse.Namespace) -> int:
    """Install what the lock says and write the marker; return the exit status."""
    started = time.monotonic()
    allowed, sections = read_lock((ROOT / "requirements.lock").read_text("utf-8"))
    old = load(home / PLAN)
    further = further_groups(sections)
    every = {group for group in further if group != AUTHORS} if options.all_groups else set()
    asked = every | set(options.group) | set(old.get("asked", []))
    plan = {**old, "asked": sorted(asked), "torch": options.torch or old.get("torch")}
    (home / MARKER).unlink(missing_ok=True)
    if home == VENV:
        prepare(home, allowed, plan)
        mend(home)
    chapters = written_chapters(home / "bin" / "python")
    wanted = [group for group in further if group in asked or group in chapters]
    build = choose_torch(plan)
    groups = ["core", *wanted, *(["cuda"] if build == "cuda" else [])]
    check_space(home, sum(GIGABYTES.get(group, 0) for group in groups))
    pin = next(line.split("==")[1] for line in sections["core"] if line.startswith("torch=="))
    core = [line for line in sections["core"] if not line.startswith("torch==")]
    installer = Installer(home, guard, read_hashes())
    try:
        with step("Installing uv"):
            installer.bring_uv(next((line for line in core if line.startswith("uv==")), ""))
        with step("Installing PyTorch"):
            build = install_torch(installer, build, pin, sections["cuda"])
        save(home / PLAN, {**load(home / PLAN), "torch": build})
        with step(f"Installing core ({len(core)} packages)"):
            installer.packages(core)
        with step("Installing the course itself"):
            installer.course()
    except InstallFailed as failure:
        raise Stop(f"{failure.tail}\nThe core of the course could not be installed: {failure}") from None
    failed = install_further(installer, {group: sections[group] for group in wanted}, chapters)
    if torch_here(home) != (pin, build):
        raise Stop(f"PyTorch should be {pin} ({build}), not {' '.join(torch_here(home))}. Call setup again.")
    assets = sorted(written_chapters(home / "bin" / "python", "assets"))
    with installer.compiling():
        if assets or options.all_groups:
            fetch_assets(home, options)
    seconds, bytes_ = time.monotonic() - started, size(home)
    marker = {
        "stamp": stamp(),
        "python": version_of(str(home / "bin" / "python")),
        "torch": build,
        "groups": ["core", *(group for group in wanted if group not in failed)],
        "failed": failed,
        "assets": assets,
        "seconds": round(seconds),
        "bytes": bytes_,
    }
    save(home / MARKER, marker)
    say(f"Ready: {bytes_ / 1e9:.2f} GB in {seconds:.0f} s.")
    return 1 if set(options.group) & set(failed) else 0


def whole(home: Path, stamp: str) -> bool:
    """Say in milliseconds whether a set-up with this stamp was ended here, and has its interpreter still."""
    plan, python = load(home / PLAN), home / "bin" / "python"
    if load(home / MARKER).get("stamp") != stamp or plan.get("root") != str(ROOT) or not os.access(python, os.X_OK):
        return False
    return plan.get("executable") == os.path.realpath(python)


def complete(home: Path) -> bool:
    """Say in milliseconds whether the set-up is what the lock, the project and the chapters ask for."""
    if not whole(home, stamp()):
        return False
    marker, python = load(home / MARKER), home / "bin" / "python"
    there = {*marker["groups"], *marker["failed"]}
    tried = set(marker["assets"]) >= set(written_chapters(python, "assets"))
    return tried and there >= set(written_chapters(python))


def set_up_own(home: Path, guard: int, name: str, lock: str) -> None:
    """Make the environment of one framework; only what is missing is installed, and the marker comes last."""
    started = time.monotonic()
    allowed, sections = read_lock(lock)
    (home / MARKER).unlink(missing_ok=True)
    prepare(home, allowed, load(home / PLAN))
    mend(home)
    check_space(home, float(header(lock, "gigabytes")))
    installer = Installer(home, guard, {})
    installer.use_uv(VENV / "bin" / "uv")  # a package more would not be what the lock says
    try:
        with step(f"Installing {name} ({len(sections[name])} packages)"):
            installer.packages(sections[name])
        with installer.compiling():
            pass
    except InstallFailed as failure:
        raise Stop(f"{failure.tail}\nThe environment {name} could not be made: {failure}") from None
    python, bytes_ = version_of(str(home / "bin" / "python")), size(home)
    seconds = time.monotonic() - started
    save(home / MARKER, {"stamp": digest(lock), "python": python, "seconds": round(seconds), "bytes": bytes_})
    say(f"Ready: {home.name}, {bytes_ / 1e9:.2f} GB in {seconds:.0f} s.")


def env(words: list[str]) -> int:
    """List the environments of frameworks that need one of their own, or make the one that is named."""
    locks = own_environments()
    options = argparse.ArgumentParser(prog="kit.py env", description="Make one, or without NAME list them.")
    options.add_argument("name", nargs="?", metavar="NAME", help=", ".join(locks))
    name = options.parse_args(words).name
    if name is None:
        for one, lock in locks.items():
            home = ROOT / f".venv-{one}"
            state = "ready" if whole(home, digest(lock)) else "outdated or unfinished" if home.exists() else "absent"
            print(
                f"{one}: {state}. {header(lock, 'for')} ({header(lock, 'gigabytes')} GB; made in {header(lock, 'seconds')} s where it was measured)."
            )
        return 0
    if name not in locks:
        say(f"kit.py: There is no environment {name}. There are: {', '.join(locks) or 'none'}.")
        return 2
    home = ROOT / f".venv-{name}"
    if not whole(home, digest(locks[name])):
        with alone() as guard:
            if not whole(home, digest(locks[name])):  # the call that we waited for may have done it
                set_up_own(home, guard, name, locks[name])
    return 0


@contextmanager
def alone() -> Iterator[int]:
    """Hold this folder's set-up lock (it vanishes with the processes that hold it)."""
    import fcntl

    guard = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another call is setting up; waiting for it.")
            fcntl.flock(guard, fcntl.LOCK_EX)
        yield guard
    finally:
        os.close(guard)


def options_of(words: list[str]) -> argparse.Namespace:
    """Read the words after ``setup``."""
    further = further_groups(read_lock((ROOT / "requirements.lock").read_text("utf-8"))[1])
    parser = argparse.ArgumentParser(prog="kit.py setup", description="Set up; what is there is kept.")
    parser.add_argument("--group", nargs="+", action="extend", default=[], choices=further, metavar="NAME")
    every = ", ".join(group for group in further if group != AUTHORS)
    parser.add_argument("--all-groups", action="store_true", help=f"{every}, and all assets")
    parser.add_argument("--torch", choices=("cpu", "cuda"), help="PyTorch's build")
    return parser.parse_args(words)


def main(words: list[str]) -> None:
    """Set up if needed, then become the ``helix`` command."""
    if os.name != "posix":
        raise Stop("On Windows the course runs inside WSL2: https://learn.microsoft.com/windows/wsl/install")
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise Stop("PyTorch has no build for Intel Macs, nor for an Intel Python on an Apple one.")
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, end="")
        return
    for name in ("HELIX_ASSETS", "HELIX_WORK"):  # they mean the same wherever they are looked at from
        if os.environ.get(name):
            os.environ[name] = os.path.abspath(os.path.expanduser(os.environ[name]))
    foreign = [name for name in FOREIGN if os.environ.pop(name, None)]
    if foreign:
        say(f"{' and '.join(foreign)} would bring the packages of another Python: left out for the course.")
    if words[0] == "env":
        sys.exit(env(words[1:]))
    conda = in_conda()
    home = Path(sys.prefix) if conda else VENV
    if words[0] == "update":  # it needs no package, so that an environment that is broken does not keep a remedy out
        python = str(home / "bin" / "python")
        python = python if version_of(python) else sys.executable
        code = f"import sys; sys.path[0] = {str(ROOT / 'utils')!r}; from helix.course import update; "
        os.execv(python, [python, "-c", f"{code}sys.exit(update.main(sys.argv[1:]))", *words[1:]])
    if words[0] == "setup":
        options = options_of(words[1:])
        with alone() as guard:
            sys.exit(set_up(home, guard, options))
    examined = words[0] == "doctor" and (home / "bin" / "python").exists()
    if examined:  # the doctor tells what is broken, and has to start where the course is not installed yet
        os.environ["PYTHONPATH"] = str(ROOT / "utils")
    elif not conda and not complete(home):
        with alone() as guard:
            if not complete(home):  # the call that we waited for may have done it
                set_up(home, guard, options_of([]))
    os.environ["PATH"] = os.pathsep.join([str(home / "bin"), os.environ.get("PATH", os.defpath)])
    python = str(home / "bin" / "python")
    os.execv(python, [python, "-P", "-m", "helix.course.cli", *words])  # -P: no file here stands in for a module


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # a terminal without ✓ or … gets a question mark, not an error
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        main(sys.argv[1:])
    except Stop as sentence:
        sys.exit(f"kit.py: {sentence}")
    except KeyboardInterrupt:
        say("\nInterrupted. The next call goes on from here.")
        sys.exit(130)
    except OSError as error:
        hint = {
            errno.ENOSPC: " Free some space and call again.",
            errno.EACCES: " Make this folder writable, or copy the course to one that is.",
            errno.EROFS: " Copy the course to a folder that can be written to.",
        }
        sys.exit(f"kit.py: {error.strerror}: {error.filename or ROOT}.{hint.get(error.errno or 0, '')}")
