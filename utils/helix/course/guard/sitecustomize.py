"""Loaded by every Python that has this folder on its path: sockets reach loopback and nothing else."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import Any


def _refuse_remote(address: object) -> None:
    if not isinstance(address, tuple):
        return  # a Unix socket's path
    host = address[0]
    try:
        inside = host in ("", "localhost") or ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise OSError(errno.ENETUNREACH, f"The course runs offline; this address is not on this machine: {host}")


def _guarded(name: str, position: int) -> Callable[..., Any]:
    original = getattr(socket.socket, name)

    def method(self: socket.socket, *args: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_remote(args[position])
        return original(self, *args)

    return method


for _name, _position in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
    setattr(socket.socket, _name, _guarded(_name, _position))
