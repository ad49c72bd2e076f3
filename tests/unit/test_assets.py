"""Assets arrive whole or not at all: tried on toy wheels, behind a small server that can be made to misbehave."""

from __future__ import annotations

import errno
import functools
import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from helix.assets import fetch, manifest, pin, prepare, store
from helix.assets.manifest import AssetError
from helix.assets.store import folder, state
from helix.course import assets, catalogue, variables

ROOT = Path(__file__).parents[2]
BIG = np.random.default_rng(20).bytes(3_000_000)  # does not compress, so a cut can be aimed at
FILES = {"toy_big/model.bin": BIG, "toy_big/readme.txt": b"words " * 500}
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
assets = ["big"]
"""


class Server(http.server.ThreadingHTTPServer):
    """A package index, a file's origin and a proxy in one; it counts what it sends and misbehaves when told to."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.requests: list[tuple[str, str | None]] = []  # path and range
        self.sent = 0  # bytes of files
        self.ranges = True
        self.cut_after: int | None = None  # close each connection after so many bytes
        self.dead = False  # answer nothing but errors
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
        self.server.requests.append((path, self.headers["Range"]))
        if self.server.dead:
            self.close_connection = True
            self.connection.close()
            return None
        if path.startswith("/simple/"):
            wheels = sorted(self.server.folder.glob(f"{path.split('/')[2].replace('-', '_')}-*.whl"))
            links = "".join(f'<a href="/files/{wheel.name}">{wheel.name}</a>\n' for wheel in wheels)
            return self.answer(200 if wheels else 404, f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
        file = self.server.folder / path.rpartition("/")[2]
        if not file.is_file():
            return self.answer(404, b"")
        content, status, extra = file.read_bytes(), 200, {}
        if self.headers["Range"] and self.server.ranges:
            first, last = (int(end) for end in self.headers["Range"].removeprefix("bytes=").split("-"))
            extra = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            content, status = content[first : last + 1], 206
        return self.answer(status, content, "application/octet-stream", extra)

    def answer(self, status: int, content: bytes, kind: str = "text/html", extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if kind == "text/html":
            self.wfile.write(content)
            return
        stop = len(content) if self.server.cut_after is None else min(self.server.cut_after, len(content))
        for start in range(0, stop, 1 << 16):
            block = content[start : min(start + (1 << 16), stop)]
            self.wfile.write(block)
            self.server.sent += len(block)
            if self.server.pause_at is not None and self.server.sent >= self.server.pause_at:
                self.wfile.flush()
                self.server.go_on.wait(60)
        if stop < len(content):
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()


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
            archive.writestr(path, content, zipfile.ZIP_STORED if path.endswith(".stored") else zipfile.ZIP_DEFLATED)
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
def server(tmp_path: Path):
    (tmp_path / "index").mkdir()
    serving = Server(tmp_path / "index")
    yield serving
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def root(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course with one asset, whose wheel is on the server; pip, where it is asked, knows only that server."""
    wheel = make_wheel(server.folder, "toy_big", FILES)
    top = tmp_path / "course"
    write_lock(top, pin.of_wheel(wheel, "big", ["toy_big/*"]), {"big": ""})
    (top / "source" / "notebooks").mkdir(parents=True)
    (top / "source" / "notebooks" / "00_start_here.py").touch()
    (top / "source" / "course.toml").write_text(COURSE)
    for name in [name for name in os.environ if name.startswith(("PIP_", "HELIX_ASSETS")) or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("HELIX_ROOT", str(top))
    fetch._session.cache_clear()
    monkeypatch.setattr(fetch, "_settings", dict)  # asking pip takes most of a second; commands below do ask it
    monkeypatch.setattr(fetch, "address", lambda package: f"{server.url}/files/{package.wheel}")
    monkeypatch.setattr(time, "sleep", functools.partial(lambda real, seconds: real(min(seconds, 0.01)), time.sleep))
    return top


def content(root: Path) -> dict[str, bytes]:
    there = root / ".assets" / "big"
    return (
        {path.name: path.read_bytes() for path in there.iterdir() if path.name != store.RECORD}
        if there.exists()
        else {}
    )


WHOLE = {Path(path).name: data for path, data in FILES.items()}


def leftovers(root: Path) -> list[str]:
    """Return what lies in .assets besides whole assets, locks and downloads to go on with."""
    return [path.name for path in (root / ".assets").iterdir() if path.name not in ("big", ".locks", ".partial")]


def partials(root: Path) -> list[int]:
    return [path.stat().st_size for path in (root / ".assets" / ".partial").iterdir()]


# ------------------------------------------------------------------ arriving


@pytest.mark.parametrize("ranges", [True, False])
def test_arrives_whole_and_once(root, server, ranges):
    server.ranges = ranges
    assert state("big") == "missing"
    seen = []
    assert store.install("big", progress=seen.append)
    assert state("big") == state("big", thorough=True) == "ready"
    assert content(root) == WHOLE
    assert leftovers(root) == partials(root) == []
    assert sum(seen) == manifest.get("big").download
    before = server.sent
    assert not store.install("big")
    assert server.sent == before  # what is there is kept


def test_only_the_wanted_bytes_are_asked_for(root, server):
    wheel = make_wheel(
        server.folder, "toy_parts", {"a/huge.bin": BIG, "a/rows.bin": b"row\n" * 1_000, "a/small.stored": b"as it is"}
    )
    text = pin.of_wheel(wheel, "big", ["*/rows.bin"]) + pin.of_wheel(wheel, "big", ["*.stored"]).partition("\n\n")[2]
    write_lock(root, text, {"big": ""})
    store.install("big")
    assert content(root) == {"rows.bin": b"row\n" * 1_000, "small.stored": b"as it is"}
    assert server.sent == manifest.get("big").download < 5_000


def test_a_connection_cut_again_and_again_goes_on_where_it_was(root, server):
    server.cut_after = 400_000
    store.install("big")
    assert content(root) == WHOLE
    assert server.sent < 1.4 * len(BIG)  # what was in flight at a cut may be asked for twice, nothing else
    begins = [int(wanted.partition("=")[2].partition("-")[0]) for _, wanted in server.requests]
    assert len(begins) > 5
    assert begins == sorted(begins)


def test_a_download_that_dies_is_told_and_the_next_goes_on(root, server, capsys):
    server.cut_after, server.dead = 1_000_000, False
    real, calls = Handler.do_GET, []

    def die_later(self):
        calls.append(1)
        self.server.dead = len(calls) > 1
        real(self)

    Handler.do_GET = die_later
    try:
        assert assets.main([]) == 1
    finally:
        Handler.do_GET = real
    told = capsys.readouterr().err
    (kept,) = partials(root)
    assert 0 < kept <= 1_000_000
    assert f"it stopped after {kept / 1e6:.1f} of 3.0 MB, which are kept" in told
    assert (
        "To try again, where there is a network or a folder of wheels (HELIX_ASSETS): python3 kit.py assets big" in told
    )
    assert (state("big"), content(root), leftovers(root)) == ("missing", {}, [])

    server.dead, server.cut_after, server.sent = False, None, 0
    assert assets.main([]) == 0
    assert content(root) == WHOLE
    assert server.sent == manifest.get("big").download - kept


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


def test_a_server_that_is_busy_is_asked_again(root, server):
    real, calls = Handler.do_GET, []

    def busy(self):
        calls.append(1)
        if len(calls) in (1, 2):
            return self.answer((503, 429)[len(calls) - 1], b"")
        return real(self)

    Handler.do_GET = busy
    try:
        store.install("big")
    finally:
        Handler.do_GET = real
    assert content(root) == WHOLE


def test_a_killed_process_leaves_nothing_half_written_and_the_next_goes_on(root, server):
    server.pause_at = 1_000_000
    with command("big") as process:
        wait_until(
            lambda: (root / ".assets" / ".partial").exists() and sum(partials(root)) > 500_000, "half a megabyte"
        )
        process.send_signal(signal.SIGKILL)
    server.go_on.set()
    assert state("big") == "missing"
    (kept,) = partials(root)
    server.requests.clear()
    with command("big") as process:
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, "big: fetched (3.0 MB).\n")
    assert content(root) == WHOLE
    offset = manifest.get("big").pieces[0].offset
    assert f"bytes={offset + kept}-" in next(wanted for _, wanted in server.requests if wanted)
    assert leftovers(root) == partials(root) == []


def test_two_processes_at_once_fetch_it_once(root, server):
    server.pause_at = 1_000_000
    with command("big") as one:
        wait_until(lambda: server.sent >= 1_000_000, "the first download")
        with command("big") as other:
            assert other.stderr.readline() == "Another call is fetching big; waiting for it.\n"
            server.go_on.set()
            told = other.communicate(timeout=60)[1]
        first = one.communicate(timeout=60)[1]
    assert (one.returncode, first) == (0, "big: fetched (3.0 MB).\n")
    assert (other.returncode, told) == (0, "big: ready.\n")
    assert server.sent == manifest.get("big").download
    assert content(root) == WHOLE


# ------------------------------------------------------------------ refused


def spoil(file: Path, place: int = -100_000) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def test_wrong_bytes_are_refused_and_nothing_is_kept(root, server):
    (wheel,) = server.folder.glob("*.whl")
    good = wheel.read_bytes()
    store.install("big")
    spoil(wheel, 1_000_000)
    spoil(root / ".assets" / "big" / "model.bin")
    damaged = content(root)
    with pytest.raises(
        fetch.WrongHash, match=r"model\.bin from the package index is not the file that assets\.lock pins"
    ):
        store.install("big")
    assert content(root) == damaged  # not replaced by something else that is wrong
    assert leftovers(root) == partials(root) == []
    wheel.write_bytes(good)
    store.install("big")
    assert content(root) == WHOLE


def test_a_page_instead_of_the_file_is_refused(root, server):
    """As a network that wants a log-in gives it."""
    (wheel,) = server.folder.glob("*.whl")
    wheel.write_bytes(b"<html>Please log in</html>" * 200_000)
    with pytest.raises(fetch.WrongHash):
        store.install("big")
    assert leftovers(root) == partials(root) == []


def test_rubbish_from_an_earlier_attempt_is_thrown_away(root, server):
    rubbish = root / ".assets" / ".partial" / f"{hashlib.sha256(BIG).hexdigest()}.partial"
    rubbish.parent.mkdir(parents=True)
    rubbish.write_bytes(b"\0" * 1_234_567)
    counted = []
    store.install("big", progress=counted.append)
    assert content(root) == WHOLE
    assert sum(counted) == manifest.get("big").download
    rubbish.write_bytes(b"\0" * 9_000_000)  # longer than the file
    (root / ".assets" / "big" / "model.bin").unlink()
    store.install("big")
    assert content(root) == WHOLE


def test_an_unpinned_rest_is_cleared_away(root, server):
    old = root / ".assets" / ".partial" / "0123.partial"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of an older lock")
    assets.main(["big"])
    assert not old.exists()


# ------------------------------------------------------------------ on the disk


def test_a_flipped_byte_is_told_and_mended(root, server, capsys):
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


def test_a_byte_that_flips_by_itself_is_found_by_reading_all(root, server, capsys):
    store.install("big")
    file = root / ".assets" / "big" / "model.bin"
    before = file.stat()
    spoil(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (state("big"), state("big", thorough=True)) == ("ready", "damaged")
    assert assets.main(["--verify"]) == 0
    assert content(root) == WHOLE


def test_a_copy_with_other_times_is_as_good(root, server):
    store.install("big")
    os.utime(root / ".assets" / "big" / "model.bin", (1, 1))
    assert state("big") == "ready"


@pytest.mark.parametrize(
    "record", ["", "[]", "{}", '{"digest": 1}', '{"digest": "IT"}', '{"digest": "IT", "files": []}', "deleted", "folder",
               '{"digest": "IT", "files": {}}', '{"digest": "IT", "files": {"model.bin": 1}}'],
)  # fmt: skip
def test_a_broken_record_is_damage(root, server, record):
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


def test_another_lock_makes_it_outdated(root, server):
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
def test_what_is_in_the_place_of_an_asset_is_replaced(root, server, place, what):
    put(root / ".assets" / place, what)
    for _ in range(2):
        store.install("big")
        assert content(root) == WHOLE
        assert leftovers(root) == []
        spoil(root / ".assets" / "big" / "model.bin")
    assert (root / "source").exists()  # a link was removed, not what it led to


@pytest.mark.parametrize(
    ("place", "what"),
    [(".partial", "file"), (".locks", "file"), (".locks/big", "folder"), ("", "file"), ("", "dangling link")],
)
def test_what_is_in_the_way_is_named(root, server, capsys, place, what):
    put(root / ".assets" / place, what)
    assert assets.main(["big"]) == 1
    told = capsys.readouterr().err
    assert f"big: {'/'.join(filter(None, ['.assets', place]))}" in told
    assert "Remove or rename it, then: python3 kit.py assets big" in told


def test_a_ready_asset_needs_no_writing(root, server, monkeypatch):
    store.install("big")
    monkeypatch.setattr(store, "_alone", None)  # a folder that is shared and closed has no place for a lock
    assert not store.install("big")


def test_all_may_read_what_one_has_fetched(root, server):
    before = os.umask(0o077)
    try:
        store.install("big")
    finally:
        os.umask(before)
    there = root / ".assets" / "big"
    assert {path.stat().st_mode & 0o777 for path in there.iterdir()} == {0o644}
    assert there.stat().st_mode & 0o777 == 0o755


def test_what_somebody_else_keeps_to_himself_is_told(root, server, monkeypatch):
    store.install("big")
    monkeypatch.setattr(os, "access", lambda *args: False)
    assert state("big") == "unreadable"
    with pytest.raises(AssetError, match=r"cannot be read: ask its owner to make \.assets readable for you"):
        folder("big")


def test_too_little_space_is_told_before_anything_comes(root, server, monkeypatch):
    usage = (10**9, 10**9 - 5_000_000, 5_000_000)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: store.shutil._ntuple_diskusage(*usage))
    with pytest.raises(
        AssetError, match=r"needs 6 MB to unpack, and 5 MB are free where \.assets lies\. Make room, then"
    ):
        store.install("big")
    assert (server.sent, state("big")) == (0, "missing")


def test_a_disk_that_fills_up_is_told_and_the_next_goes_on(root, server):
    """A limit on the size of files stands for a full disk: writing fails in the same place, with EFBIG for ENOSPC."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000));"
        "from helix.assets import fetch; fetch.address = lambda package: sys.argv[1] + package.wheel;"
        "from helix.course import assets; sys.exit(assets.main(['big']))"
    )
    line = [sys.executable, "-c", program, f"{server.url}/files/"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 1
    assert "The disk is full: big was not finished, and nothing that you have was changed. Free 6 MB" in done.stderr
    assert "Traceback" not in done.stderr
    assert (state("big"), leftovers(root), partials(root)) == ("missing", [], [2_000_000])
    store.install("big")
    assert content(root) == WHOLE


def test_other_troubles_of_the_disk_are_a_sentence(root, server, monkeypatch, capsys):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", "somewhere")

    monkeypatch.setattr(store, "_install", refuse)
    assert assets.main(["big"]) == 1
    assert ".assets cannot be written to (Permission denied)." in capsys.readouterr().err


# ------------------------------------------------------------------ where it comes from


def test_a_folder_of_wheels_needs_no_network(root, server, tmp_path, monkeypatch, capsys):
    assert assets.main(["--save", str(tmp_path / "stick")]) == 0
    assert f"HELIX_ASSETS={tmp_path / 'stick'} python3 kit.py setup" in capsys.readouterr().err
    (wheel,) = (tmp_path / "stick").iterdir()
    assert wheel.read_bytes() == (server.folder / wheel.name).read_bytes()
    server.dead, server.requests = True, []
    monkeypatch.setenv("HELIX_ASSETS", str(tmp_path / "stick"))
    assert assets.main([]) == 0
    assert content(root) == WHOLE
    assert server.requests == []
    assert assets.main(["--save", str(tmp_path / "stick")]) == 0  # nothing to fetch: it is there
    assert server.requests == []


def test_a_damaged_wheel_on_the_stick_leaves_the_network(root, server, tmp_path, monkeypatch, capsys):
    assets.main(["--save", str(tmp_path)])
    spoil(tmp_path / "toy_big-1.0-py3-none-any.whl", 1_000_000)
    monkeypatch.setenv("HELIX_ASSETS", str(tmp_path))
    server.dead = True
    assert assets.main(["big"]) == 1
    told = capsys.readouterr().err
    damaged = "toy_big-1.0-py3-none-any.whl is damaged there: its SHA-256 differs"
    assert f"model.bin could not be had from the folder {tmp_path} ({damaged}), nor from the package index" in told
    assert (state("big"), leftovers(root)) == ("missing", [])
    server.dead = False
    store.install("big")
    assert content(root) == WHOLE


def test_a_stick_that_cannot_be_read_leaves_the_network(root, server, tmp_path, monkeypatch):
    def broken(self, *args, **kwargs):
        if self.suffix == ".whl":
            raise OSError(errno.EIO, "Input/output error")
        return real(self, *args, **kwargs)

    real = Path.open
    assets.main(["--save", str(tmp_path)])
    monkeypatch.setenv("HELIX_ASSETS", str(tmp_path))
    monkeypatch.setattr(Path, "open", broken)
    monkeypatch.setattr(fetch, "address", lambda package: (_ for _ in ()).throw(fetch.Unreachable("it is gone")))
    with pytest.raises(fetch.Unreachable, match=r"toy_big-1\.0-py3-none-any\.whl cannot be read: Input/output error"):
        store.install("big")


def test_a_wrong_wheel_is_not_saved(root, server, tmp_path, capsys):
    spoil(next(server.folder.glob("*.whl")), 1_000_000)
    assert assets.main(["--save", str(tmp_path / "stick")]) == 1
    assert "toy_big-1.0-py3-none-any.whl is not the file that assets.lock pins" in capsys.readouterr().err
    assert list((tmp_path / "stick").iterdir()) == []


def test_a_stick_without_the_wheel_leaves_the_network(root, server, tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_ASSETS", str(tmp_path))
    store.install("big")
    assert content(root) == WHOLE


def with_mirror(root: Path, server: Server, data: bytes = BIG) -> None:
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    pinned = f'sha256 = "{hashlib.sha256(BIG).hexdigest()}"'
    lock.write_text(lock.read_text().replace(pinned, f'{pinned}\nmirror = "{server.url}/origin/model.bin"'))
    (server.folder / "model.bin").write_bytes(data)


def test_the_origin_stands_in_for_a_package_that_is_gone(root, server):
    make_wheel(
        server.folder, "toy_big", {"toy_big/readme.txt": FILES["toy_big/readme.txt"]}
    )  # the model is gone from it
    write_lock(root, pin.of_wheel(server.folder / "toy_big-1.0-py3-none-any.whl", "big", ["toy_big/*"]), {"big": ""})
    text = (root / "utils" / "helix" / "assets" / "assets.lock").read_text()
    gone = f"""
[package.gone]
version = "1.0"
wheel = "gone-1.0-py3-none-any.whl"
bytes = 1
sha256 = "0"

[[asset.big.file]]
package = "gone"
member = "gone/model.bin"
offset = 0
packed = {len(BIG)}
bytes = {len(BIG)}
sha256 = "{hashlib.sha256(BIG).hexdigest()}"
"""
    (root / "utils" / "helix" / "assets" / "assets.lock").write_text(text + gone)
    with pytest.raises(
        AssetError, match=r"model\.bin could not be had from the package index \(the server answered 404\)\."
    ):
        store.install("big")
    with_mirror(root, server)
    store.install("big")
    assert content(root) == WHOLE
    assert ("/origin/model.bin", f"bytes=0-{len(BIG) - 1}") in server.requests


def test_an_origin_with_another_file_is_refused(root, server, monkeypatch):
    with_mirror(root, server, BIG[:-1] + b"!")
    monkeypatch.setattr(fetch, "address", lambda package: (_ for _ in ()).throw(fetch.Unreachable("it is gone")))
    with pytest.raises(fetch.WrongHash, match=r"model\.bin from its origin 127\.0\.0\.1"):
        store.install("big")
    assert (state("big"), leftovers(root), partials(root)) == ("missing", [], [])


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
    assert [path for path, _ in server.requests[:2]] == ["/simple/toy-big/", "/files/toy_big-1.0-py3-none-any.whl"]
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
        "big: model.bin could not be had from the package index (pip cannot reach it: is there a network?).\n" in told
    )
    assert "python3 kit.py assets big" in told
    assert "Traceback" not in told


def test_a_package_that_the_index_lost_is_named(root, server):
    for wheel in server.folder.glob("*.whl"):
        wheel.unlink()
    with command("big") as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "from the package index (pip finds no toy-big there)." in told


# ------------------------------------------------------------------ preparing


def test_what_cannot_be_prepared_leaves_nothing(root, server):
    wheel = make_wheel(server.folder, "toy_text", {"toy/tokenizer.json": b"no JSON"})
    write_lock(root, pin.of_wheel(wheel, "minilm", ["*.json"]), {"minilm": "recipe = 1"})
    with pytest.raises(
        AssetError, match=r"minilm came whole, but could not be prepared: json\.decoder\.JSONDecodeError"
    ):
        store.install("minilm")
    assert leftovers(root) == []


def test_a_download_outlives_a_preparation_that_fails(root, server, monkeypatch):
    wheel = make_wheel(server.folder, "toy_text", {"toy/tokenizer.json": b"no JSON"})
    write_lock(root, pin.of_wheel(wheel, "minilm", ["*.json"]), {"minilm": "recipe = 1"})
    for sent in (True, False):
        server.sent = 0
        with pytest.raises(AssetError, match=r"What came is kept\."):
            store.install("minilm")
        assert (server.sent > 0) == sent
    monkeypatch.setattr(store, "_prepare", lambda *args: None)
    store.install("minilm")
    assert (server.sent, partials(root)) == (0, [])


def test_no_file_where_one_stands_is_taken_for_a_module(root, server, tmp_path, monkeypatch):
    (tmp_path / "csv.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    wheel = make_wheel(server.folder, "toy_table", {"toy/raw.csv": b"id,name\n1,Anna\n"})
    write_lock(root, pin.of_wheel(wheel, "compas", ["*.csv"]), {"compas": "recipe = 1"})
    store.install("compas")
    assert (root / ".assets" / "compas" / "compas.csv").read_text() == "id\n1\n"


def test_a_library_that_is_missing_is_told_before_anything_comes(root, server):
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    lock.write_text(
        lock.read_text().replace('origin = "here"', 'origin = "here"\nrequires = ["json", "no_such"]\ngroup = "trust"')
    )
    with pytest.raises(
        AssetError, match=r"needs no_such, of the group trust, .* Run: python3 kit\.py setup --group trust"
    ):
        store.install("big")
    assert server.sent == 0


# ------------------------------------------------------------------ the lock and the command


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('licence = "CC0-1.0"', "", "incomplete: .*licence"),
        ("offset =", "place =", "unknown key place"),
        ('name = "model.bin"', 'name = "../model.bin"', r"big would write outside its folder: \.\./model\.bin"),
        ('name = "model.bin"', 'name = "/model.bin"', "would write outside"),
        ('name = "model.bin"', 'name = "readme.txt"', "big has two files of the name readme.txt"),
        ("[[asset.big.file]]", "[[asset.big.part]]", "incomplete: somewhere it lacks 'file'"),
        ('package = "toy-big"', 'package = "other"', "takes a file from other, which has no .package. entry"),
    ],
)
def test_a_lock_that_does_not_hold_together_is_refused(root, old, new, says):
    lock = root / "utils" / "helix" / "assets" / "assets.lock"
    assert old in lock.read_text()
    lock.write_text(lock.read_text().replace(old, new))
    with pytest.raises(ValueError, match=says):
        manifest.load()


def test_the_catalogue_refuses_an_unknown_asset(root):
    assert catalogue.load().chapters[0].assets == ("big",)
    course = root / "source" / "course.toml"
    course.write_text(course.read_text().replace('["big"]', '["bigg"]'))
    with pytest.raises(ValueError, match=r"00_start_here: assets\.lock has no asset bigg"):
        catalogue.load()


def test_the_command_fetches_what_written_chapters_read(root, server, capsys):
    chapter = root / "source" / "notebooks" / "00_start_here.py"
    chapter.unlink()
    for words in ([], ["--verify"], ["--save", str(root)]):
        assert assets.main(words) == 0
        assert "need no asset" in capsys.readouterr().err
    chapter.touch()
    server.dead = True
    assert assets.main([]) == 1
    assert "Without big, 00_start_here cannot run from top to bottom. Everything else works." in capsys.readouterr().err
    server.dead = False
    assert assets.main([]) == 0
    assert content(root) == WHOLE


def test_a_mistyped_name_stops_everything(root, server, capsys):
    assert assets.main(["big", "bigg"]) == 1
    assert capsys.readouterr().err == "There is no asset 'bigg'. There are: big.\n"
    assert server.requests == []


def test_list_shows_licence_and_origin(root, server, capsys):
    assert assets.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert "big  [missing]  3.0 MB to download\n" in text
    assert "    Licence: CC0-1.0\n    Origin: here\n    Packages: toy-big 1.0\n    Read by: 00_start_here\n" in text
    store.install("big")
    assets.main(["--list"])
    assert "big  [ready]  3.0 MB to download, 3.0 MB here\n" in capsys.readouterr().out
    assert server.folder  # listing asks nobody: the only requests are the two of the install
    assert len(server.requests) == 2


def test_pinning_gives_entries_that_work(root, server, monkeypatch, capsys):
    monkeypatch.setenv("PIP_FIND_LINKS", str(server.folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert assets.main(["other", "--pin", "toy-big==1.0", "--member", "*.bin"]) == 0
    entry = capsys.readouterr().out
    data = tomllib.loads(entry)
    assert data["package"]["toy-big"]["version"] == "1.0"
    assert [file["name"] for file in data["asset"]["other"]["file"]] == ["model.bin"]
    assert assets.main(["other", "--pin", "toy-big==1.0", "--member", "*.none"]) == 1
    assert "has no file that matches *.none" in capsys.readouterr().err
    assert assets.main(["other", "--pin", "nowhere==1.0"]) == 1
    assert "pip cannot download nowhere==1.0" in capsys.readouterr().err


def test_pinning_keeps_folders_apart(root, server):
    wheel = make_wheel(server.folder, "toy_deep", {"deep/ner/cfg": b"1", "deep/parser/cfg": b"2", "deep/meta": b"3"})
    data = tomllib.loads(pin.of_wheel(wheel, "deep", ["deep/*"]))
    assert [file["name"] for file in data["asset"]["deep"]["file"]] == ["ner/cfg", "parser/cfg", "meta"]
    with zipfile.ZipFile(wheel, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("deep/odd", b"4")
    with pytest.raises(AssetError, match="deep/odd in .* is packed in a way that the course cannot read"):
        pin.of_wheel(wheel, "deep", ["deep/*"])


@pytest.mark.parametrize("words", [["a", "b", "--pin", "x==1"], ["--member", "*"]])
def test_words_that_do_not_go_together_are_refused(root, words, capsys):
    with pytest.raises(SystemExit):
        assets.main(words)
    assert "--pin takes one NAME, and --member goes with it." in capsys.readouterr().err


def test_a_stick_without_room_is_told(root, server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(assets.shutil, "disk_usage", lambda path: store.shutil._ntuple_diskusage(9, 9, 9))
    assert assets.main(["--save", str(tmp_path)]) == 1
    assert f"{tmp_path} has not enough room: 3 MB are still to come." in capsys.readouterr().err


def test_a_lesson_reads_only_the_assets_that_the_catalogue_names(root, server, monkeypatch):
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
    assert sum(asset.download for asset in every.values()) <= 350e6  # the budget for a set-up
    wheels = {piece.package for asset in every.values() for piece in asset.pieces}
    carried = round(sum(wheel.bytes for wheel in wheels) / 1e7) * 10
    assert f"on a stick ({carried} MB)" in (ROOT / "README.md").read_text()
    for asset in every.values():
        assert asset.licence
        assert asset.origin
        assert bool(asset.recipe) == hasattr(prepare, asset.name)
        for piece in asset.pieces:
            assert len(bytes.fromhex(piece.sha256)) == len(bytes.fromhex(piece.package.sha256)) == 32
            assert piece.package.wheel.startswith(f"{piece.package.name.replace('-', '_')}-{piece.package.version}-")
            assert 0 < piece.offset + piece.packed < piece.package.bytes
            assert piece.mirror == "" or piece.mirror.startswith("https://")


def test_a_changed_recipe_or_file_makes_another_digest():
    asset = manifest.get("compas")
    changed = json.loads(json.dumps([asset.recipe + 1]))[0]
    assert manifest.Asset(**{**vars(asset), "recipe": changed}).digest != asset.digest
    assert manifest.Asset(**{**vars(asset), "note": "another"}).digest == asset.digest
