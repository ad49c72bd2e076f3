"""Messages between the processes of one launch: eight bytes of length, then the message."""

from __future__ import annotations

import socket
import struct
import time

_LENGTH = struct.Struct("!Q")


def framed(message: bytes) -> bytes:
    """Return the message with its length before it."""
    return _LENGTH.pack(len(message)) + message


def unframed(received: bytes | bytearray) -> bytes | None:
    """Return the message once all of it has come, else None."""
    if len(received) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(received)
    return bytes(received[_LENGTH.size : _LENGTH.size + length]) if len(received) >= _LENGTH.size + length else None


def receive(connection: socket.socket, seconds: float) -> bytes | None:
    """Read one message.

    Returns
    -------
    bytes or None
        None if the other end closed before the message was whole.

    Raises
    ------
    TimeoutError
        If it has not come within `seconds`.
    """
    end, received = time.monotonic() + seconds, bytearray()
    while (message := unframed(received)) is None:
        connection.settimeout(max(0.001, end - time.monotonic()))
        try:
            piece = connection.recv(1 << 20)
        except ConnectionError:
            return None
        if not piece:
            return None
        received += piece
    return message
