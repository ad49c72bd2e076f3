"""The tests themselves run where no network is: shown, not assumed."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from helix.course import offline

# An address reserved for documentation (RFC 5737): no host has it.
ELSEWHERE = ("192.0.2.1", 80)
CONNECT = f"import socket; socket.create_connection({ELSEWHERE!r}, timeout=5)"

inside = pytest.mark.skipif(
    "HELIX_OFFLINE" not in os.environ, reason="started by pytest itself: use `python3 kit.py test`"
)


@inside
def test_no_address_outside_is_reached():
    with pytest.raises(OSError, match=r"unreachable|offline"):
        socket.create_connection(ELSEWHERE, timeout=5)


@inside
def test_children_are_inside_too():
    done = subprocess.run([sys.executable, "-c", CONNECT], capture_output=True, text=True)
    assert done.returncode == 1
    assert "unreachable" in done.stderr or "offline" in done.stderr


@inside
def test_loopback_works():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].sendall(b"yes"), daemon=True).start()
        with socket.create_connection(server.getsockname(), timeout=5) as client:
            assert client.recv(3) == b"yes"


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        (CONNECT, True),
        ("import socket; socket.socket().connect_ex(('192.0.2.1', 80))", True),
        ("import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 80))", True),
        ("import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())", False),
        (
            "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', "
            + repr(CONNECT)
            + "]).returncode)",
            True,
        ),
    ],
    ids=["connect", "connect_ex", "sendto", "loopback", "a child"],
)
def test_guard_where_there_is_no_namespace(code, refused):
    environment = {**os.environ, "PYTHONPATH": str(offline.GUARD)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode != 0) is refused, done.stderr
    assert ("runs offline" in done.stderr) is refused
