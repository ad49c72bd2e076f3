"""What a check expects of an answer. A check function calls these; the first one that is not met ends its case."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

_NOTHING = object()
_SLIP = (1e-6, 1e-12)  # so far, absolutely and relatively, arithmetic may carry a whole number from itself


_CONTAINERS = ("a list", "a tuple (a list will do)")


class any_of:
    """Several values that one misconception can give."""

    def __init__(self, *values: Any) -> None:
        self.values = values


class Unmet(Exception):
    """An expectation was not met.

    Parameters
    ----------
    because : str
        The reason that stands if no misconception explains the answer.
    given, got : str
        The case, and what the answer returned.
    explains : tuple of str, or mapping of str to callable
        The misconceptions that would give just this answer on this case, the likeliest first; of a mapping those whose function
        returns True, which is called only if it matters.
    """

    def __init__(
        self,
        because: str,
        given: str = "",
        got: str = "",
        explains: tuple[str, ...] | Mapping[str, Callable[[], bool]] = (),
    ) -> None:
        super().__init__(because)
        self.because, self.given, self.got, self.explains = because, given, got, explains

    def is_explained_by(self, message: str) -> bool:
        """Whether this misconception would give just this answer."""
        if isinstance(self.explains, Mapping):
            return message in self.explains and self.explains[message]()
        return message in self.explains


def expect(
    value: Any,
    *,
    equal_to: Any = _NOTHING,
    close_to: Any = _NOTHING,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    because: str,
    given: str = "",
    if_equals: Mapping[str, Any] | None = None,
) -> None:
    """Expect a value, exactly or within a tolerance.

    Parameters
    ----------
    value : object
        What the answer returned: a number, string, array, tensor, table, or a mapping or sequence of these.
    equal_to, close_to : object
        What it should be; one of the two.
    rtol, atol : float
        Relative and absolute tolerance of `close_to`.
    because : str
        The reason to show if it is not met.
    given : str, optional
        The case in words.
    if_equals : mapping of str to object, optional
        Misconceptions, the likeliest first: the message for each, and the value (or `any_of` several) that whoever has it
        returns on this case.

    Raises
    ------
    Unmet
        If the value is another one.
    """
    exact = close_to is _NOTHING
    wanted = equal_to if exact else close_to
    if wanted is _NOTHING:
        raise TypeError("expect() needs equal_to=… or close_to=….")
    tolerance = (0.0, 0.0) if exact else (rtol, atol)
    if matches(value, wanted, *tolerance):
        return
    explains = tuple(
        message
        for message, mistaken in (if_equals or {}).items()
        if any(
            matches(value, one, *tolerance)
            for one in (mistaken.values if isinstance(mistaken, any_of) else (mistaken,))
        )
    )
    raise Unmet(of_type(value, wanted) or because, given, shorten(value), explains)


def expect_that(condition: object, *, because: str, given: str = "", got: Any = _NOTHING) -> None:
    """Expect a condition that no single value expresses."""
    if not bool(condition):
        raise Unmet(because, given, "" if got is _NOTHING else shorten(got))


def expect_raises(error: type[Exception], call: Callable[[], Any], *, because: str, given: str = "") -> None:
    """Expect that a call refuses its input with this error."""
    try:
        value = call()
    except error as raised:
        if type(raised) is NotImplementedError:
            raise
        return
    raise Unmet(because, given, shorten(value))


def matches(value: Any, wanted: Any, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Whether two values are the same in kind and, within the tolerance, in value. Never raises."""
    try:
        return _matches(_plain(value), _plain(wanted), rtol, atol)
    except Exception:
        # A learner's object can raise from any method; it is then simply not the value we wanted.
        return False


def _matches(value: Any, wanted: Any, rtol: float, atol: float) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return isinstance(wanted, bool) and isinstance(value, bool) and value is wanted
    if isinstance(wanted, numbers.Number):
        return isinstance(value, numbers.Number) and _same_number(value, wanted, rtol, atol)
    if isinstance(wanted, np.ndarray):
        if not isinstance(value, np.ndarray) or value.shape != wanted.shape:
            return False
        if wanted.dtype.kind in "fciu" and value.dtype.kind in "fciu":
            whole = (value.dtype.kind in "iu") + (wanted.dtype.kind in "iu")
            if whole == 2 or not (rtol or atol):
                return np.array_equal(value, wanted, equal_nan=whole == 0)
            within = np.isclose(value, wanted, rtol=rtol, atol=atol, equal_nan=True)
            if whole:
                within &= np.isclose(value, wanted, rtol=_SLIP[1], atol=_SLIP[0])
            return bool(within.all())
        return bool(value.dtype.kind == wanted.dtype.kind and np.array_equal(value, wanted))
    if isinstance(wanted, Mapping):
        return (
            isinstance(value, Mapping)
            and set(value) == set(wanted)
            and all(_matches(_plain(value[key]), _plain(wanted[key]), rtol, atol) for key in wanted)
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str | bytes):
        value = value.tolist() if isinstance(value, np.ndarray) else value
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str | bytes)
            and len(value) == len(wanted)
            and all(_matches(_plain(a), _plain(b), rtol, atol) for a, b in zip(value, wanted, strict=True))
        )
    return type(value) is type(wanted) and bool(value == wanted)


def _same_number(value: Any, wanted: Any, rtol: float, atol: float) -> bool:
    """Whether two numbers are the same: whole ones exactly, at any size, and no tolerance makes one of what is none."""
    whole = [isinstance(one, int) for one in (value, wanted)]
    if all(whole) or not (rtol or atol):
        return bool(value == wanted) or (value != value and wanted != wanted)
    value, wanted = (float(one) if isinstance(one, Fraction | Decimal) else one for one in (value, wanted))
    if any(whole) and not np.isclose(value, wanted, rtol=_SLIP[1], atol=_SLIP[0]):
        return False
    return bool(np.isclose(value, wanted, rtol=rtol, atol=atol, equal_nan=True))


def _plain(value: Any) -> Any:
    """Turn tensors, tables and NumPy scalars into arrays, mappings and Python numbers."""
    kind = type(value).__module__.partition(".")[0]
    if kind == "torch" and hasattr(value, "detach"):
        if value.is_floating_point() and value.itemsize < 4:  # NumPy has neither bfloat16 nor 8-bit floats
            value = value.float()
        value = value.numpy(force=True)
    elif kind == "pandas" and hasattr(value, "to_dict") and value.index.is_unique:
        return value.to_dict()
    if isinstance(value, int | float) and type(value) not in (int, float, bool):
        # A subclass can bend its arithmetic; this is what it holds.
        return int.__pos__(value) if isinstance(value, int) else float.__pos__(value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


def of_type(value: Any, wanted: Any) -> str:
    """Return a sentence if the value is of the wrong kind altogether, else nothing."""
    if value is None and wanted is not None:
        return "Your function returned nothing (`None`). Is the `return` missing?"
    array = "a tensor" if type(wanted).__module__.partition(".")[0] == "torch" else "an array"
    value, wanted = _plain(value), _plain(wanted)
    if isinstance(wanted, bool) and not isinstance(value, bool):
        return f"Your function returned a `{type(value).__name__}`; `True` or `False` is expected."
    if isinstance(wanted, numbers.Number) and not isinstance(value, numbers.Number):
        return f"Your function returned a `{type(value).__name__}`; a single number is expected."
    if isinstance(wanted, str) and not isinstance(value, str):
        return f"Your function returned a `{type(value).__name__}`; a text is expected."
    if isinstance(wanted, np.ndarray) and not isinstance(value, np.ndarray):
        return f"Your function returned a `{type(value).__name__}`; {array} of the shape {wanted.shape} is expected."
    if isinstance(wanted, np.ndarray) and value.shape != wanted.shape:
        return f"Your array has the shape {value.shape}; {wanted.shape} is expected."
    if isinstance(wanted, list | tuple) and (
        isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray)
    ):
        return f"Your function returned a `{type(value).__name__}`; {_CONTAINERS[type(wanted) is tuple]} is expected."
    if isinstance(wanted, Mapping) and not isinstance(value, Mapping):
        return (
            f"Your function returned a `{type(value).__name__}`; a value for each key is expected (a `dict` will do)."
        )
    return ""


def shorten(value: Any, at_most: int = 240) -> str:
    """Return a short text of any value, whatever its own ``__repr__`` does."""
    try:
        with np.printoptions(precision=4, threshold=20, edgeitems=3, suppress=True):
            text = _text(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= at_most else text[: at_most - 1] + "…"


def _text(value: Any) -> str:
    """Write numbers to six digits, inside of containers too: 0.1 + 0.2 is no lesson here."""
    plain = _plain(value)
    if isinstance(plain, float):
        return f"{plain:.6g}"
    if isinstance(plain, dict):
        return "{" + ", ".join(f"{key!r}: {_text(item)}" for key, item in itertools.islice(plain.items(), 20)) + "}"
    if type(plain) in (list, tuple):
        inner = ", ".join(_text(item) for item in plain[:20])
        return f"[{inner}]" if type(plain) is list else f"({inner})"
    return repr(value)
