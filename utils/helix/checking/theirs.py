"""Which code is the learner's, and what an error of it was."""

from __future__ import annotations

import builtins
import dis
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, TracebackType

import helix
from helix.texts import cut

_OURS = str(Path(str(helix.__file__)).parent)
_INSTALLED = (sys.prefix, sys.base_prefix, "<frozen")
_RAISE = dis.opmap["RAISE_VARARGS"]


def is_theirs(file: str) -> bool:
    """Whether code of this file is the learner's, and neither ours nor installed."""
    return not file.startswith((_OURS, *_INSTALLED))


def _steps(error: BaseException) -> Iterator[TracebackType]:
    step = error.__traceback__
    while step:
        yield step
        step = step.tb_next


def last_code(error: BaseException) -> CodeType | None:
    """Return the code in which an exception came up."""
    return next((step.tb_frame.f_code for step in reversed(list(_steps(error)))), None)


def deliberate(error: BaseException, ours: bool = False) -> bool:
    """Whether a `raise` of the learner's own gave this exception, and no accident: `min([])` refuses nothing.

    Parameters
    ----------
    error : BaseException
        As it was caught.
    ours : bool
        Whether a `raise` in this package counts as well, as of a gate that refuses.
    """
    steps = list(_steps(error))
    if isinstance(error, NotImplementedError | AssertionError) or not steps:
        return False
    code = steps[-1].tb_frame.f_code
    named = is_theirs(code.co_filename) or (ours and code.co_filename.startswith(_OURS))
    return named and code.co_code[steps[-1].tb_lasti] == _RAISE


def told(error: BaseException) -> str:
    """Return an exception as a piece of code in Markdown, with the learner's line that it came from."""
    mine = [step for step in _steps(error) if is_theirs(step.tb_frame.f_code.co_filename)]
    line = f", line {mine[-1].tb_lineno} in `{mine[-1].tb_frame.f_code.co_name}`" if mine else ""
    words = cut(f"{type(error).__name__}: {text_of(error)}".replace("`", "'"), 160)
    return f"`{words}`{line}"


def text_of(error: BaseException) -> str:
    """Return the message of any exception, whatever its own ``__str__`` does."""
    try:
        return cut(builtins.str(error))
    except Exception:
        return "(its message cannot be shown)"
