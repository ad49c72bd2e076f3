"""Proof that nothing needs a network: run a command where there is none but loopback."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

GUARD = Path(__file__).parent / "guard"
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41


def enter() -> str:
    """Move this process, and all that it will start, to where no network is; return ``namespace`` or ``guard``.

    On Linux that is a network namespace with loopback only: not Python, not C code, no child gets out. Where the system
    does not allow one, a guard is put on the path that makes Python's sockets refuse every other address, in children
    too. Must be called before the process has threads.
    """
    if sys.platform == "linux" and _namespace():
        os.environ["HELIX_OFFLINE"] = "namespace"
    else:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(GUARD), *filter(None, [os.environ.get("PYTHONPATH")])])
        os.environ["HELIX_OFFLINE"] = "guard"
    return os.environ["HELIX_OFFLINE"]


def _namespace() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWNET) != 0:
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            return False
        for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", file).write_text(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING))
    return True
