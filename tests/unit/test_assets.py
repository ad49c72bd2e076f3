"""Assets arrive whole or not at all: tried on toy wheels.

Where pip itself matters it asks a small server that can be made to misbehave. Elsewhere a stand-in takes its place.
"""

from __future__ import annotations

import dataclasses
import errno
import http.server
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from helix.assets import fetch, manifest, pin, prepare, store
from helix.assets.manifest import AssetError
from helix.assets.store import folder, state
from helix.course import assets, catalogue, cli, variables

ROOT = Path(__file__).parents[2]
BIG = np.random.default_rng(20).bytes(3_000_000)  # does not compress, so a cut can be aimed at
FILES = {"toy_big/model.bin": BIG, "toy_big/readme.txt": b"words " * 500}
BIG_WHEEL = "toy_big-1.0-py3-none-any.whl"
COURSE = """\
title = "Toy"
[[part]]
id = "door"
numeral = "0"
title = "The door"
[[chapter]]
number = 0
topic = "start_here"
title = "Start here"
promise = "…"
part = "door"
strand = "both"
minutes = 1
lab_minutes = 1
prerequisites = []
group = "core"
package = ""
assets = ["big"]
"""


class Server(http.server.ThreadingHTTPServer):
    """A package index, a file's origin and a proxy in one; it notes what it is asked for and misbehaves when told to."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.requests: list[str] = []
        self.sent = 0  # bytes of files
        self.cuts = 0  # so many connections are closed in the middle of a file
        self.pause_at: int | None = None  # hold the line at so many bytes, until `go_on`
        self.go_on = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address) -> None:
        pass  # clients are killed on purpose


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.removeprefix("http://assets.invalid")  # as a proxy it is asked for whole addresses
        self.server.requests.append(path)
        if path.startswith("/simple/"):
            wheels = sorted(self.server.folder.glob(f"{path.split('/')[2].replace('-', '_')}-*.whl"))
            links = "".join(f'<a href="/files/{wheel.name}">{wheel.name}</a>\n' for wheel in wheels)
            return self.answer(200 if wheels else 404, f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
        file = self.server.folder / path.rpartition("/")[2]
        if not file.is_file():
            return self.answer(404, b"")
        return self.answer(200, file.read_bytes(), "application/octet-stream")

    def answer(self, status: int, content: bytes, kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = kind != "text/html" and self.server.cuts > 0
        self.server.cuts -= cut
        for start in range(0, len(content) // (2 if cut else 1), 1 << 16):
            block = content[start : start + (1 << 16)]
            self.wfile.write(block)
            self.server.sent += len(block)
            if self.server.pause_at is not None and self.server.sent >= self.server.pause_at:
                self.wfile.flush()
                self.server.go_on.wait(60)
        self.close_connection = cut


def make_wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        info = f"{name}-1.0.dist-info"
        files = files | {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
        for path, content in files.items():
            archive.writestr(path, content)
    return wheel


def write_lock(root: Path, text: str, heads: dict[str, str]) -> None:
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    tables = [
        f'[asset.{name}]\ntitle = "{name}"\nlicence = "CC0-1.0"\norigin = "here"\n{more}'
        for name, more in heads.items()
    ]
    lock.write_text("\n".join([*tables, text]))


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """The wheels that the package index has."""
    folder = tmp_path / "index"
    folder.mkdir()
    make_wheel(folder, "toy_big", FILES)
    return folder


class Pip:
    """A stand-in for pip, which takes most of a second: it brings wheels from the shelf and checks their hash."""

    def __init__(self, shelf: Path) -> None:
        self.shelf, self.asked, self.dead = shelf, [], False

    def __call__(self, order: str, folder: Path, size: int = 0, progress=lambda count: None) -> Path:
        name, _, expected = order.partition(" --hash=sha256:")
        wheel = self.shelf / f"{name.replace('-', '_').replace('==', '-')}-py3-none-any.whl"
        self.asked.append(name)
        if self.dead:
            raise fetch.Unreachable("pip cannot reach it: is there a network?")
        if not wheel.exists():
            raise fetch.Unreachable(f"pip finds no {name} there")
        if fetch.sha256(wheel) != expected:
            raise fetch.WrongHash(name)
        progress(size)
        return Path(shutil.copy(wheel, folder))


@pytest.fixture
def root(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course with one asset."""
    top = tmp_path / "course"
    write_lock(top, pin.of_wheel(shelf / BIG_WHEEL, "big", ["toy_big/*"]), {"big": ""})
    (top / "source" / "notebooks").mkdir(parents=True)
    (top / "source" / "notebooks" / "00_start_here.py").touch()
    (top / "source" / "course.toml").write_text(COURSE)
    for name in [name for name in os.environ if name.startswith(("PIP_", "HELIX_ASSETS")) or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("HELIX_ROOT", str(top))
    return top


@pytest.fixture
def pip(root: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Pip:
    standing_in = Pip(shelf)
    monkeypatch.setattr(fetch, "pip", standing_in)
    return standing_in


@pytest.fixture
def server(root: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch):
    """A server for the real pip, which knows only this one."""
    serving = Server(shelf)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{serving.url}/simple")
    yield serving
    serving.shutdown()
    serving.server_close()


def content(root: Path) -> dict[str, bytes]:
    there = root / ".assets" / "big"
    return (
        {path.name: path.read_bytes() for path in there.iterdir() if path.name != store.RECORD}
        if there.exists()
        else {}
    )


WHOLE = {Path(path).name: data for path, data in FILES.items()}


def leftovers(root: Path) -> list[str]:
    """Return what lies in .assets besides whole assets and the lock: wheels too."""
    inside = [path.name for path in (root / ".assets").iterdir() if path.name not in ("big", ".lock", ".wheels")]
    return inside + wheels(root)


def wheels(root: Path) -> list[str]:
    folder = root / ".assets" / ".wheels"
    return [path.name for path in folder.iterdir()] if folder.exists() else []


# ------------------------------------------------------------------ arriving


def test_arrives_whole_and_once(root, pip):
    assert state("big") == "missing"
    seen = []
    assert store.install("big", progress=seen.append)
    assert state("big") == state("big", thorough=True) == "ready"
    assert content(root) == WHOLE
    assert leftovers(root) == []
    assert sum(seen) == manifest.get("big").download
    assert not store.install("big")
    assert pip.asked == ["toy-big==1.0"]  # what is there is kept


def test_only_the_pinned_files_are_taken(root, pip):
    odd = {"../out.txt": b"out", "/tmp/out.txt": b"out", "a/rows.bin": b"row\n" * 1_000, "a/other.bin": b"other"}
    text = pin.of_wheel(make_wheel(pip.shelf, "toy_odd", odd), "big", ["a/rows.bin"])
    write_lock(root, text.replace('member = "a/rows.bin"', 'member = "../out.txt"'), {"big": ""})
    with pytest.raises(fetch.WrongHash, match=r"rows\.bin in toy_odd-1\.0-py3-none-any\.whl is not the file"):
        store.install("big")
    write_lock(root, text, {"big": ""})
    store.install("big")
    assert content(root) == {"rows.bin": b"row\n" * 1_000}
    assert not list(root.rglob("out.txt"))


def test_a_file_is_never_written_far_beyond_its_size(root, pip, monkeypatch):
    """As a wheel with a zip bomb would have it; its own hash is right, that of the file is not."""
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    lock.write_text(lock.read_text().replace("bytes = 3000000", "bytes = 1000"))
    sizes = []
    monkeypatch.setattr(store, "_remove", lambda path: sizes.extend(one.stat().st_size for one in path.rglob("*.bin")))
    with pytest.raises(fetch.WrongHash):
        store.install("big")
    assert sizes == [1001]


def test_a_wheel_of_two_assets_comes_once(root, pip, capsys):
    write_lock(
        root,
        pin.of_wheel(pip.shelf / BIG_WHEEL, "big", ["*.bin"])
        + pin.of_wheel(pip.shelf / BIG_WHEEL, "small", ["*.txt"]).partition("\n\n")[2],
        {"big": "", "small": ""},
    )
    assert assets.main(["big", "small"]) == 0
    assert pip.asked == ["toy-big==1.0"]
    assert wheels(root) == []
    assert assets.main(["--list"]) == 0
    assert "2 assets, 3 MB to download in all." in capsys.readouterr().out
    spoil(root / ".assets" / "big" / "model.bin")
    assert assets.main(["big", "small"]) == 0
    assert wheels(root) == []  # the other one is whole: nothing waits for it


def command(*words: str, **extra: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "helix.course.cli", "assets", *words]
    return subprocess.Popen(
        line, env={**os.environ, **extra}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_until(true, what: str) -> None:
    for _ in range(1200):
        if true():
            return
        threading.Event().wait(0.025)
    pytest.fail(f"{what} did not happen within 30 s.")


def test_pip_brings_it_from_the_index_and_its_bytes_are_counted(root, server):
    server.pause_at = 1_000_000
    counted = []

    def count(fresh: int) -> None:
        counted.append(fresh)
        if sum(counted) > 0:  # told while it comes: without that the server would wait for long
            server.go_on.set()

    store.install("big", progress=count)
    assert content(root) == WHOLE
    assert server.requests == ["/simple/toy-big/", f"/files/{BIG_WHEEL}"]
    assert any(0 < sum(counted[:end]) < sum(counted) for end in range(len(counted)))
    assert sum(counted) == manifest.get("big").download
    assert leftovers(root) == []


def test_a_connection_that_is_cut_is_made_again(root, server):
    server.cuts = 1
    store.install("big")
    assert content(root) == WHOLE
    assert server.sent < 2 * len(BIG)


def test_a_connection_that_is_always_cut_is_told(root, server):
    server.cuts = 1_000
    with pytest.raises(AssetError):
        store.install("big")
    assert 2 < server.requests.count(f"/files/{BIG_WHEEL}") < 50
    assert (state("big"), content(root), leftovers(root)) == ("missing", {}, [])


def test_a_killed_process_leaves_nothing_half_written_and_the_next_brings_it(root, server):
    server.pause_at = 1_000_000
    coming = root / ".assets" / ".wheels" / ".coming"
    with command("big") as process:
        wait_until(
            lambda: sum(one.stat().st_size for one in coming.rglob("*.whl")) > 500_000 if coming.exists() else False,
            "half a megabyte",
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert state("big") == "missing"
        assert coming.exists()
        server.go_on.set()
    with command("big") as process:
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "big: fetched (3.0 MB).\n")
    assert content(root) == WHOLE
    assert leftovers(root) == []


def test_an_interrupted_call_ends_pip_too(root, server):
    server.pause_at = 1_000_000
    with command("big") as process:
        wait_until(lambda: server.sent >= 1_000_000, "the download")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    server.go_on.set()
    assert (process.returncode, told) == (130, "\nInterrupted.\n")
    assert (state("big"), leftovers(root)) == ("missing", [])


def test_two_processes_at_once_fetch_it_once(root, server):
    server.pause_at = 1_000_000
    with command("big") as one:
        wait_until(lambda: server.sent >= 1_000_000, "the first download")
        with command("big") as other:
            assert other.stderr.readline() == "Another call is fetching assets; waiting for it.\n"
            server.go_on.set()
            told = other.communicate(timeout=60)[1]
        first = one.communicate(timeout=60)[1]
    assert (one.returncode, first) == (0, "big: fetched (3.0 MB).\n")
    assert (other.returncode, told) == (0, "big: ready.\n")
    assert server.requests.count(f"/files/{BIG_WHEEL}") == 1
    assert content(root) == WHOLE


# ------------------------------------------------------------------ refused


def spoil(file: Path, place: int = -100_000) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def test_wrong_bytes_are_refused_and_nothing_is_kept(root, pip, shelf):
    good = (shelf / BIG_WHEEL).read_bytes()
    store.install("big")
    spoil(shelf / BIG_WHEEL, 1_000_000)
    spoil(root / ".assets" / "big" / "model.bin")
    damaged = content(root)
    with pytest.raises(fetch.WrongHash, match=r"toy-big==1\.0 is not the file that assets\.lock pins"):
        store.install("big")
    assert content(root) == damaged  # not replaced by something else that is wrong
    assert leftovers(root) == []
    (shelf / BIG_WHEEL).write_bytes(good)
    store.install("big")
    assert content(root) == WHOLE


def test_our_own_hash_stands_should_pip_check_none(root, pip, shelf, monkeypatch):
    spoil(shelf / BIG_WHEEL, 1_000_000)
    monkeypatch.setattr(fetch, "pip", lambda order, folder, *rest: Path(shutil.copy(shelf / BIG_WHEEL, folder)))
    with pytest.raises(fetch.WrongHash, match=r"toy_big-1\.0-py3-none-any\.whl is not the file"):
        store.install("big")
    assert leftovers(root) == []


def test_a_page_instead_of_the_file_is_refused(root, server, shelf):
    """As a network that wants a log-in gives it."""
    (shelf / BIG_WHEEL).write_bytes(b"<html>Please log in</html>" * 200_000)
    with pytest.raises(fetch.WrongHash, match=r"toy-big==1\.0 is not the file that assets\.lock pins"):
        store.install("big")
    assert leftovers(root) == []


def test_a_package_without_a_wheel_is_not_built(root, server, shelf):
    """A source archive says what it is by running its code."""
    (shelf / BIG_WHEEL).rename(shelf / "toy_big-1.0.tar.gz")
    with pytest.raises(fetch.Unreachable, match=r"pip finds no toy-big==1\.0 there"):
        store.install("big")


def test_what_is_left_of_other_versions_is_cleared_away(root, pip):
    for old in (".partial/0123.partial", ".locks/big", ".wheels/old-1.0-py3-none-any.whl", ".wheels/.coming/half.whl"):
        put(root / ".assets" / old, "file")
    assets.main(["big"])
    assert leftovers(root) == []


# ------------------------------------------------------------------ on the disk


def test_a_flipped_byte_is_told_and_mended(root, pip, capsys):
    store.install("big")
    assert folder("big") == root / ".assets" / "big"
    spoil(root / ".assets" / "big" / "model.bin")
    with pytest.raises(
        AssetError, match=r"big \(big\) is damaged: a file of it has changed\. Mend it: python3 kit\.py assets big"
    ):
        folder("big")
    assert assets.main(["big"]) == 0
    assert capsys.readouterr().err == "big: fetched (3.0 MB).\n"
    assert content(root) == WHOLE
    assert folder("big")


def test_a_byte_that_flips_by_itself_is_found_by_reading_all(root, pip, capsys):
    store.install("big")
    file = root / ".assets" / "big" / "model.bin"
    before = file.stat()
    spoil(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (state("big"), state("big", thorough=True)) == ("ready", "damaged")
    assert assets.main(["--verify"]) == 0
    assert content(root) == WHOLE


def test_a_copy_with_other_times_is_as_good(root, pip):
    store.install("big")
    os.utime(root / ".assets" / "big" / "model.bin", (1, 1))
    assert state("big") == "ready"


@pytest.mark.parametrize(
    "record", ["", "[]", "{}", '{"digest": 1}', '{"digest": "IT"}', '{"digest": "IT", "files": []}', "deleted", "folder",
               '{"digest": "IT", "files": {}}', '{"digest": "IT", "files": {"model.bin": 1}}'],
)  # fmt: skip
def test_a_broken_record_is_damage(root, pip, record):
    store.install("big")
    file = root / ".assets" / "big" / store.RECORD
    file.unlink()
    if record == "folder":
        file.mkdir()
    elif record != "deleted":
        file.write_text(record.replace("IT", manifest.get("big").digest))
    assert state("big") in ("damaged", "outdated")
    store.install("big")
    assert state("big") == "ready"


def test_a_record_that_lists_fewer_files_hides_no_damage(root, pip):
    store.install("big")
    spoil(root / ".assets" / "big" / "model.bin")
    record = root / ".assets" / "big" / store.RECORD
    text = json.loads(record.read_text())
    del text["files"]["model.bin"]
    record.write_text(json.dumps(text))
    assert state("big") == "damaged"


def test_a_file_that_no_record_lists_is_damage_but_for_hidden_ones(root, pip, monkeypatch):
    """Of what is prepared the lock knows no file: the folder has to hold what the record lists, and nothing else."""
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    lock.write_text(lock.read_text().replace('origin = "here"', 'origin = "here"\nrecipe = 1'))
    monkeypatch.setattr(store, "_prepare", lambda asset, draft: None)
    store.install("big")
    (root / ".assets" / "big" / ".DS_Store").write_bytes(b"a file manager was here")
    assert state("big", thorough=True) == "ready"
    record = root / ".assets" / "big" / store.RECORD
    text = json.loads(record.read_text())
    del text["files"]["model.bin"]
    record.write_text(json.dumps(text))
    assert (state("big"), state("big", thorough=True)) == ("ready", "damaged")


def test_another_lock_makes_it_outdated(root, pip):
    store.install("big")
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    lock.write_text(lock.read_text().replace('name = "readme.txt"', 'name = "words.txt"'))
    assert state("big") == "outdated"
    with pytest.raises(AssetError, match=r"is of an older version of the course\. Run: python3 kit\.py assets big"):
        folder("big")
    store.install("big")
    assert set(content(root)) == {"model.bin", "words.txt"}


def put(place: Path, what: str) -> None:
    """Put something of the wrong kind where the store wants to write."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if what == "file":
        place.write_text("")
    elif what == "folder":
        (place / "inside").mkdir(parents=True)
    else:
        place.symlink_to(place.parent.parent if what == "link" else "nowhere")


@pytest.mark.parametrize("what", ["file", "folder", "link", "dangling link"])
@pytest.mark.parametrize("place", ["big", ".big.new", ".big.old"])
def test_what_is_in_the_place_of_an_asset_is_replaced(root, pip, place, what):
    put(root / ".assets" / place, what)
    for _ in range(2):
        store.install("big")
        assert content(root) == WHOLE
        assert leftovers(root) == []
        spoil(root / ".assets" / "big" / "model.bin")
    assert (root / "source").exists()  # a link was removed, not what it led to


@pytest.mark.parametrize(
    ("place", "what"),
    [(".wheels", "file"), (".lock", "folder"), ("", "file"), ("", "dangling link")],
)
def test_what_is_in_the_way_is_named(root, pip, capsys, place, what):
    put(root / ".assets" / place, what)
    assert assets.main(["big"]) == 1
    told = capsys.readouterr().err
    assert f"big: {'/'.join(filter(None, ['.assets', place]))}" in told
    assert "Remove or rename it, then: python3 kit.py assets big" in told


def test_a_ready_asset_needs_no_writing(root, pip, monkeypatch):
    store.install("big")
    monkeypatch.setattr(store, "_alone", None)  # a folder that is shared and closed has no place for a lock
    assert not store.install("big")


def test_all_may_read_what_one_has_fetched(root, pip):
    before = os.umask(0o077)
    try:
        store.install("big")
    finally:
        os.umask(before)
    there = root / ".assets" / "big"
    assert {path.stat().st_mode & 0o777 for path in there.iterdir()} == {0o644}
    assert there.stat().st_mode & 0o777 == 0o755


def test_what_somebody_else_keeps_to_himself_is_told(root, pip, monkeypatch):
    store.install("big")
    monkeypatch.setattr(os, "access", lambda *args: False)
    assert state("big") == "unreadable"
    with pytest.raises(AssetError, match=r"cannot be read: ask its owner to make \.assets readable for you"):
        folder("big")


def test_too_little_space_is_told_before_anything_comes(root, pip, monkeypatch):
    usage = (10**9, 10**9 - 5_000_000, 5_000_000)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: store.shutil._ntuple_diskusage(*usage))
    with pytest.raises(
        AssetError, match=r"needs 6 MB to unpack, and 5 MB are free where \.assets lies\. Make room, then"
    ):
        store.install("big")
    assert (pip.asked, state("big")) == ([], "missing")


def test_a_disk_that_fills_up_is_told_and_the_next_succeeds(root, server):
    """A limit on the size of files stands for a full disk: writing fails in the same place, with EFBIG for ENOSPC."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000));"
        "from helix.course import assets; sys.exit(assets.main(['big']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "The disk is full: big was not finished, and nothing that you have was changed. Free 6 MB" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.requests.count(f"/files/{BIG_WHEEL}") == 1  # no second try could help
    assert (state("big"), leftovers(root)) == ("missing", [])
    store.install("big")
    assert content(root) == WHOLE


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_to_is_told(root, monkeypatch, capsys, number):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number), "somewhere")

    monkeypatch.setattr(store, "_install", refuse)
    assert assets.main(["big"]) == 1
    told = capsys.readouterr().err
    assert f".assets cannot be written to ({os.strerror(number)})." in told
    assert "in the way" not in told


# ------------------------------------------------------------------ where it comes from


def test_a_folder_of_wheels_needs_no_network(root, pip, tmp_path, monkeypatch, capsys):
    assert assets.main(["--save", str(tmp_path / "my stick")]) == 0
    assert f"HELIX_ASSETS='{tmp_path / 'my stick'}' python3 kit.py setup" in capsys.readouterr().err
    (wheel,) = (tmp_path / "my stick").iterdir()
    assert wheel.read_bytes() == (pip.shelf / wheel.name).read_bytes()
    pip.dead, pip.asked = True, []
    monkeypatch.setenv("HELIX_ASSETS", str(tmp_path / "my stick"))
    assert assets.main([]) == 0
    assert content(root) == WHOLE
    assert pip.asked == []
    assert wheels(root) == []
    assert assets.main(["--save", str(tmp_path / "my stick")]) == 0  # nothing to fetch: it is there
    assert pip.asked == []


def test_a_damaged_wheel_on_the_stick_leaves_the_network(root, pip, tmp_path, monkeypatch, capsys):
    assets.main(["--save", str(tmp_path)])
    spoil(tmp_path / "toy_big-1.0-py3-none-any.whl", 1_000_000)
    monkeypatch.setenv("HELIX_ASSETS", str(tmp_path))
    pip.dead = True
    assert assets.main(["big"]) == 1
    told = capsys.readouterr().err
    damaged = "toy_big-1.0-py3-none-any.whl is damaged there: its SHA-256 differs"
    assert f"could not be had from the folder {tmp_path} ({damaged}), nor from the package index (pip cannot" in told
    assert (
        "To try again, where there is a network or a folder of wheels (HELIX_ASSETS): python3 kit.py assets big" in told
    )
    assert (state("big"), leftovers(root)) == ("missing", [])
    pip.dead = False
    store.install("big")
    assert content(root) == WHOLE


def test_a_stick_that_cannot_be_read_leaves_the_network(root, pip, tmp_path, monkeypatch):
    def broken(self, *args, **kwargs):
        if self.suffix == ".whl":
            raise OSError(errno.EIO, "Input/output error")
        return real(self, *args, **kwargs)

    real = Path.open
    assets.main(["--save", str(tmp_path)])
    monkeypatch.setenv("HELIX_ASSETS", str(tmp_path))
    monkeypatch.setattr(Path, "open", broken)
    pip.dead = True
    with pytest.raises(fetch.Unreachable, match=r"toy_big-1\.0-py3-none-any\.whl cannot be read: Input/output error"):
        store.install("big")


def test_a_wrong_wheel_is_not_saved(root, pip, tmp_path, capsys):
    spoil(pip.shelf / BIG_WHEEL, 1_000_000)
    assert assets.main(["--save", str(tmp_path / "stick")]) == 1
    assert "toy-big==1.0 is not the file that assets.lock pins" in capsys.readouterr().err
    assert list((tmp_path / "stick").iterdir()) == []


def test_a_stick_without_the_wheel_leaves_the_network(root, pip, tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_ASSETS", str(tmp_path))
    store.install("big")
    assert content(root) == WHOLE


def with_mirror(root: Path, server: Server, data: bytes = BIG) -> None:
    """Let the model alone be of the package, and have an origin; the index has lost the package."""
    write_lock(root, pin.of_wheel(server.folder / BIG_WHEEL, "big", ["*.bin"]), {"big": ""})
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    lock.write_text(lock.read_text() + f'mirror = "{server.url}/origin/model.bin"\n')
    (server.folder / BIG_WHEEL).unlink()
    (server.folder / "model.bin").write_bytes(data)


def test_the_origin_stands_in_for_a_package_that_is_gone(root, server):
    with_mirror(root, server)
    store.install("big")
    assert content(root) == {"model.bin": BIG}
    (server.folder / "model.bin").unlink()
    (root / ".assets" / "big" / "model.bin").unlink()
    gone = r"from the package index \(pip finds no toy-big==1\.0 there\), nor from its origin \(127\.0\.0\.1 answered 404\)\."
    with pytest.raises(fetch.Unreachable, match=gone):
        store.install("big")


@pytest.mark.parametrize("other", [BIG[:-1] + b"!", BIG + b"!", BIG[:-1]])
def test_an_origin_with_another_file_is_refused(root, server, pip, other):
    with_mirror(root, server, other)
    with pytest.raises(fetch.WrongHash, match=r"model\.bin from its origin 127\.0\.0\.1"):
        store.install("big")
    assert (state("big"), leftovers(root)) == ("missing", [])


def test_pip_finds_the_wheel_and_a_proxy_carries_it(root, server):
    settings = {
        "PIP_INDEX_URL": "http://assets.invalid/simple",  # no such host: only the proxy answers for it
        "PIP_TRUSTED_HOST": "assets.invalid",
        "HTTP_PROXY": server.url,
        "http_proxy": server.url,
    }
    with command("big", **settings) as process:
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "big: fetched (3.0 MB).\n")
    assert server.requests == ["/simple/toy-big/", f"/files/{BIG_WHEEL}"]
    assert content(root) == WHOLE


def test_the_proxy_of_pips_own_settings_is_used_too(root, server):
    settings = {
        "PIP_INDEX_URL": "http://assets.invalid/simple",
        "PIP_TRUSTED_HOST": "assets.invalid",
        "PIP_PROXY": server.url,
    }
    with command("big", **settings) as process:
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "big: fetched (3.0 MB).\n")


def test_without_a_network_it_says_which_asset_is_missing_and_the_one_command(root, server):
    with pytest.raises(
        AssetError,
        match=r"The asset big \(big\) is not here yet\. Where there is a network, run: python3 kit\.py assets big",
    ):
        folder("big")
    server.shutdown()
    server.server_close()
    with command("big") as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert (
        f"big: {BIG_WHEEL} could not be had from the package index (pip cannot reach it: is there a network?).\n"
        in told
    )
    assert "python3 kit.py assets big" in told
    assert "Traceback" not in told


def test_a_package_that_the_index_lost_is_named(root, server):
    (server.folder / BIG_WHEEL).unlink()
    with command("big") as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "from the package index (pip finds no toy-big==1.0 there)." in told
    assert "network?" not in told


# ------------------------------------------------------------------ preparing


def test_what_cannot_be_prepared_leaves_nothing(root, pip):
    wheel = make_wheel(pip.shelf, "toy_text", {"toy/tokenizer.json": b"no JSON"})
    write_lock(root, pin.of_wheel(wheel, "minilm", ["*.json"]), {"minilm": "recipe = 1"})
    with pytest.raises(
        AssetError, match=r"minilm came whole, but could not be prepared: json\.decoder\.JSONDecodeError"
    ):
        store.install("minilm")
    assert state("minilm") == "missing"
    assert leftovers(root) == [wheel.name]


def test_a_download_outlives_a_preparation_that_fails(root, pip, monkeypatch):
    wheel = make_wheel(pip.shelf, "toy_text", {"toy/tokenizer.json": b"no JSON"})
    write_lock(root, pin.of_wheel(wheel, "minilm", ["*.json"]), {"minilm": "recipe = 1"})
    for _ in range(2):
        with pytest.raises(AssetError, match=r"What came is kept\."):
            store.install("minilm")
        assert wheels(root) == [wheel.name]
    assert pip.asked == ["toy-text==1.0"]
    monkeypatch.setattr(store, "_prepare", lambda *args: None)
    store.install("minilm")
    assert (pip.asked, wheels(root)) == (["toy-text==1.0"], [])


def test_a_download_outlives_a_preparation_that_fails_beside_one_that_does_not(root, pip, capsys):
    wheel = make_wheel(pip.shelf, "toy_text", {"toy/tokenizer.json": b"no JSON"})
    lock = (root / "utils" / "helix" / "assets" / "assets.lock").read_text()
    head = '[asset.minilm]\ntitle = ""\nlicence = ""\norigin = ""\nrecipe = 1\n'
    (root / "utils" / "helix" / "assets" / "assets.lock").write_text(
        lock + head + pin.of_wheel(wheel, "minilm", ["*.json"])
    )
    assert assets.main(["minilm", "big"]) == 1
    assert "minilm came whole, but could not be prepared" in capsys.readouterr().err
    assert (content(root), wheels(root)) == (WHOLE, [wheel.name])


def test_no_file_where_one_stands_is_taken_for_a_module(root, pip, tmp_path, monkeypatch):
    (tmp_path / "csv.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    wheel = make_wheel(pip.shelf, "toy_table", {"toy/raw.csv": b"id,name\n1,Anna\n"})
    write_lock(root, pin.of_wheel(wheel, "compas", ["*.csv"]), {"compas": "recipe = 1"})
    store.install("compas")
    assert (root / ".assets" / "compas" / "compas.csv").read_text() == "id\n1\n"


def test_a_library_that_is_missing_is_told_before_anything_comes(root, pip):
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    lock.write_text(
        lock.read_text().replace('origin = "here"', 'origin = "here"\nrequires = ["json", "no_such"]\ngroup = "trust"')
    )
    with pytest.raises(
        AssetError, match=r"needs no_such, of the group trust, .* Run: python3 kit\.py setup --group trust"
    ):
        store.install("big")
    assert pip.asked == []


# ------------------------------------------------------------------ the lock and the command


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('licence = "CC0-1.0"', "", "incomplete: .*licence"),
        ("member =", "place =", "incomplete: somewhere it lacks 'member'"),
        ("bytes =", "size =", "unknown key size"),
        (
            "[asset.big]",
            "[asset.big",
            r"utils/helix/assets/assets\.lock is damaged .* Bring it back",
        ),
        ('name = "model.bin"', 'name = "../model.bin"', r"big would write outside its folder: \.\./model\.bin"),
        ('name = "model.bin"', 'name = "/model.bin"', "would write outside"),
        ('name = "model.bin"', 'name = "readme.txt"', "big has two files of the name readme.txt"),
        ("[[asset.big.file]]", "[[asset.big.part]]", "incomplete: somewhere it lacks 'file'"),
        ('package = "toy-big"', 'package = "other"', "takes a file from other, which has no .package. entry"),
    ],
)
def test_a_lock_that_does_not_hold_together_is_refused(root, capsys, old, new, says):
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    assert old in lock.read_text()
    lock.write_text(lock.read_text().replace(old, new))
    with pytest.raises(ValueError, match=says):
        manifest.load()
    for words in (["assets", "--list"], ["map"]):
        assert cli.main(words) > 0
        assert re.search(says, capsys.readouterr().err)


def test_the_catalogue_refuses_an_unknown_asset(root):
    assert catalogue.load().chapters[0].assets == ("big",)
    course = root / "source" / "course.toml"
    course.write_text(course.read_text().replace('["big"]', '["bigg"]'))
    with pytest.raises(ValueError, match=r"00_start_here: assets\.lock has no asset bigg"):
        catalogue.load()


def test_the_command_fetches_what_written_chapters_read(root, pip, capsys):
    chapter = root / "source" / "notebooks" / "00_start_here.py"
    chapter.unlink()
    for words in ([], ["--verify"], ["--save", str(root)]):
        assert assets.main(words) == 0
        assert "need no asset" in capsys.readouterr().err
    chapter.touch()
    pip.dead = True
    assert assets.main([]) == 1
    assert "Without big, 00_start_here cannot run from top to bottom. Everything else works." in capsys.readouterr().err
    pip.dead = False
    assert assets.main([]) == 0
    assert content(root) == WHOLE


def test_a_mistyped_name_stops_everything(root, pip, capsys):
    assert assets.main(["big", "bigg"]) == 1
    assert capsys.readouterr().err == "There is no asset 'bigg'. There are: big.\n"
    assert pip.asked == []


def test_list_shows_licence_and_origin(root, pip, capsys):
    assert assets.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert "big  [missing]  3.0 MB to download\n" in text
    assert "    Licence: CC0-1.0\n    Origin: here\n    Packages: toy-big 1.0\n    Read by: 00_start_here\n" in text
    store.install("big")
    assets.main(["--list"])
    assert "big  [ready]  3.0 MB to download, 3.0 MB here\n" in capsys.readouterr().out
    assert pip.asked == ["toy-big==1.0"]  # listing asks nobody


def test_a_list_that_nobody_reads_to_its_end_is_no_trouble(root):
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -u -m helix.course.cli assets --list | true",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_pinning_gives_entries_that_work(root, shelf, monkeypatch, capsys):
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    assert assets.main(["other", "--pin", "toy-big==1.0", "--member", "*.bin"]) == 0
    entry = capsys.readouterr().out
    data = tomllib.loads(entry)
    assert data["package"]["toy-big"]["version"] == "1.0"
    assert [file["name"] for file in data["asset"]["other"]["file"]] == ["model.bin"]
    assert assets.main(["other", "--pin", "toy-big==1.0", "--member", "*.none"]) == 1
    assert "has no file that matches *.none" in capsys.readouterr().err
    assert assets.main(["other", "--pin", "nowhere==1.0"]) == 1
    assert "pip cannot download nowhere==1.0: pip finds no nowhere==1.0 there." in capsys.readouterr().err


def test_pinning_keeps_folders_apart(root, pip):
    wheel = make_wheel(pip.shelf, "toy_deep", {"deep/ner/cfg": b"1", "deep/parser/cfg": b"2", "deep/meta": b"3"})
    data = tomllib.loads(pin.of_wheel(wheel, "deep", ["deep/*"]))
    assert [file["name"] for file in data["asset"]["deep"]["file"]] == ["ner/cfg", "parser/cfg", "meta"]


def test_a_package_for_one_platform_is_not_pinned(root, shelf):
    """Its one hash would refuse the wheel of everybody else."""
    wheel = (shelf / BIG_WHEEL).rename(shelf / "toy_big-1.0-cp311-cp311-manylinux_2_28_x86_64.whl")
    with pytest.raises(AssetError, match=r"manylinux_2_28_x86_64\.whl is for one platform only"):
        pin.of_wheel(wheel, "big", ["*"])


@pytest.mark.parametrize("words", [["a", "b", "--pin", "x==1"], ["--member", "*"]])
def test_words_that_do_not_go_together_are_refused(root, words, capsys):
    with pytest.raises(SystemExit):
        assets.main(words)
    assert "--pin takes one NAME, and --member goes with it." in capsys.readouterr().err


def test_a_stick_without_room_is_told(root, pip, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(assets.shutil, "disk_usage", lambda path: store.shutil._ntuple_diskusage(9, 9, 9))
    assert assets.main(["--save", str(tmp_path)]) == 1
    assert f"{tmp_path} has not enough room: 3 MB are still to come." in capsys.readouterr().err


def test_a_lesson_reads_only_the_assets_that_the_catalogue_names(root, pip, monkeypatch):
    store.install("big")
    settings = variables.for_build("work", grading=False, lesson="00_start_here")
    monkeypatch.setenv("HELIX_LESSON_ASSETS", settings["HELIX_LESSON_ASSETS"])
    assert folder("big")
    course = root / "source" / "course.toml"
    course.write_text(course.read_text().replace('["big"]', "[]"))
    monkeypatch.setenv("HELIX_LESSON_ASSETS", variables.only_its_assets("00_start_here")["HELIX_LESSON_ASSETS"])
    with pytest.raises(AssetError, match=r'reads the asset big, which its entry .* does not name: assets = \["big"\]'):
        folder("big")


# ------------------------------------------------------------------ the real lock


def test_the_real_lock():
    every = manifest.load()
    assert {"smollm2", "minilm", "glove", "efficientnet_lite0", "spacy_english", "compas"} <= set(every)
    packages = {package for asset in every.values() for package in asset.packages}
    download = sum(package.bytes for package in packages)
    assert download <= 350e6  # the budget for a set-up
    carried = round(download / 1e7) * 10
    assert f"on a stick ({carried} MB)" in (ROOT / "README.md").read_text()
    for asset in every.values():
        assert asset.licence
        assert asset.origin
        assert bool(asset.recipe) == hasattr(prepare, asset.name)
        for piece in asset.pieces:
            assert len(bytes.fromhex(piece.sha256)) == len(bytes.fromhex(piece.package.sha256)) == 32
            assert piece.package.wheel.startswith(f"{piece.package.name.replace('-', '_')}-{piece.package.version}-")
            assert piece.package.wheel.endswith("-none-any.whl")  # one hash is that of every platform
            assert piece.mirror == "" or piece.mirror.startswith("https://")


def test_a_changed_recipe_or_file_makes_another_digest():
    asset = manifest.get("compas")
    changed = json.loads(json.dumps([asset.recipe + 1]))[0]
    assert manifest.Asset(**{**vars(asset), "recipe": changed}).digest != asset.digest
    assert manifest.Asset(**{**vars(asset), "note": "another"}).digest == asset.digest


def test_an_asset_stays_what_it_is_when_only_its_way_changes():
    """Another package, member or origin of the same bytes: what is on somebody's disk need not come again."""
    asset = manifest.get("fico")
    assert asset.digest == "871a7b1fc981b6de7f913e100c90cd69d8bac5e5e45845c11cabf3c83bcb9bf8"
    (piece, *others) = asset.pieces
    package = dataclasses.replace(piece.package, version="9", bytes=1, sha256="0")
    moved = dataclasses.replace(
        piece, package=package, member="elsewhere.csv", mirror="https://origin.invalid/totals.csv"
    )
    assert dataclasses.replace(asset, pieces=(moved, *others)).digest == asset.digest
