"""Loaded by every Python that has this folder on its path: sockets reach loopback and nothing else."""

import errno
import ipaddress
import socket


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


def _guarded(name: str, position: int):
    original = getattr(socket.socket, name)

    def method(self, *args):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_remote(args[position] if len(args) > abs(position) - 1 else None)
        return original(self, *args)

    return method


socket.socket.connect = _guarded("connect", 0)
socket.socket.connect_ex = _guarded("connect_ex", 0)
socket.socket.sendto = _guarded("sendto", -1)
