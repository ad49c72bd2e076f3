"""A terminal that cannot write our signs gets plain ones in their place; those of tables one for one, so that columns stay."""

from __future__ import annotations

import codecs
import io
import sys

_PLAIN = str.maketrans("✓✗○■□▲·–−—×→←≤≥±“”‘’Δλ", "+xo#-^----x><<>~\"\"''Dl") | {ord("…"): "..."}


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(sign if sign.isascii() else "?" for sign in plain), error.end


def prepare() -> None:
    """Let standard output and standard errors write every text, whatever their encoding.

    Where the encoding has a sign, it is written as it is; where not, its plain one, or ``?``.
    """
    codecs.register_error("helix.plain", _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="helix.plain")
