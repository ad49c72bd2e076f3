"""What a check expects of an answer. A check function calls these; the first one that is not met ends its case."""

from __future__ import annotations

import itertools
import numbers
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from helix.checking import theirs
from helix.texts import cut, kind

ROUNDED = "This is the right value, rounded. Return what you computed, in full, and round only what you print."
RTOL, ATOL = 1e-6, 1e-9  # within these values are equal, unless a check says otherwise
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
    details : mapping
        Plain data for the verdict.
    """

    def __init__(
        self,
        because: str,
        given: str = "",
        got: str = "",
        explains: tuple[str, ...] | Mapping[str, Callable[[], bool]] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(because)
        self.details = details or {}
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
    rtol: float = RTOL,
    atol: float = ATOL,
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
    rounded = not exact and max(rtol / RTOL, atol / ATOL) <= 1 and is_rounded(value, wanted)
    if matches(value, wanted, *tolerance) and not rounded:
        return
    explains = tuple(
        message
        for message, mistaken in (if_equals or {}).items()
        if any(
            matches(value, one, *((1e-12, 1e-15) if rounded else tolerance))
            for one in (mistaken.values if isinstance(mistaken, any_of) else (mistaken,))
        )
    )
    explains += (ROUNDED,) * rounded
    raise Unmet(of_type(value, wanted) or because, given, shorten(value, unlike=wanted), explains)


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
        if not theirs.deliberate(raised):
            name = type(raised).__name__
            shown = f"{name}: {theirs.text_of(raised)}"
            raise Unmet(
                f"{because} A `{name}` came up here by accident. Look at the case first, and `raise` one of your own.",
                given,
                shown,
            ) from None
        return
    raise Unmet(because, given, shorten(value))


def matches(value: Any, wanted: Any, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Whether two values are the same in kind and, within the tolerance, in value. Raises only where the mistake is ours."""
    try:
        return _matches(value, wanted, rtol, atol)
    except TypeError as error:
        code = theirs.last_code(error)
        if code is None or not theirs.is_theirs(code.co_filename):
            raise
        return False
    except Exception:
        # A learner's object can raise from any method; it is then simply not the value we wanted.
        return False


def is_rounded(value: Any, wanted: Any) -> bool:
    """Whether a value is the right one rounded to at most six digits, so that it is not the right one any more."""
    try:
        pairs = list(itertools.islice(_floats(value, wanted), 10_000))
    except Exception:  # a learner's object can raise from any method
        return False
    if not any(abs(one - right) > 1e-9 * max(1.0, abs(right)) for one, right in pairs):
        return False
    for digits in range(1, 7):
        for spelled in (f".{digits}f", f".{digits}g"):
            to = [float(format(right, spelled)) for _, right in pairs]
            same = all(
                abs(one - other) <= 1e-12 * max(1.0, abs(other)) for (one, _), other in zip(pairs, to, strict=True)
            )
            if same and any(other % 1 for other in to):  # 0 and 1 are too often something else
                return True
    return False


def _floats(value: Any, wanted: Any) -> Iterator[tuple[float, float]]:
    """Yield the numbers with digits behind the point that stand at the same place in both, finite ones only."""
    wanted = _plain(wanted)
    value = _like(value, wanted)
    if isinstance(wanted, Mapping):
        for key in wanted:
            yield from _floats(value[key], wanted[key])
    elif isinstance(wanted, list | tuple | np.ndarray):
        if len(value) == len(wanted):
            for one, other in zip(value, wanted, strict=True):
                yield from _floats(one, other)
    elif isinstance(wanted, float) and np.isfinite(wanted) and isinstance(value, numbers.Number):
        yield float(value), wanted  # type: ignore[arg-type]


def _matches(value: Any, wanted: Any, rtol: float, atol: float) -> bool:
    wanted = _plain(wanted)
    value = _like(value, wanted)
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
        if value.dtype.kind == "O" and wanted.dtype.kind != "O":  # exact numbers, which NumPy does not know
            return _matches(value.tolist(), wanted.tolist(), rtol, atol)
        return bool(value.dtype.kind == wanted.dtype.kind and np.array_equal(value, wanted))
    if isinstance(wanted, Mapping):
        return (
            isinstance(value, Mapping)
            and set(value) == set(wanted)
            and all(_matches(value[key], wanted[key], rtol, atol) for key in wanted)
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str | bytes):
        value = value.tolist() if isinstance(value, np.ndarray) else value
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str | bytes)
            and len(value) == len(wanted)
            and all(_matches(a, b, rtol, atol) for a, b in zip(value, wanted, strict=True))
        )
    return type(value) is type(wanted) and bool(value == wanted)


def _same_number(value: Any, wanted: Any, rtol: float, atol: float) -> bool:
    """Whether two numbers are the same: whole ones exactly, at any size, and no tolerance makes one of what is none."""
    whole = [isinstance(one, numbers.Integral) for one in (value, wanted)]
    if all(whole) or not (rtol or atol):
        return bool(value == wanted) or bool(value != value and wanted != wanted)
    value, wanted = _python(value), _python(wanted)
    return (not any(whole) or _close(value, wanted, *reversed(_SLIP))) and _close(value, wanted, rtol, atol)


def _python(value: Any) -> Any:
    """Return any number as Python's own: exact ones (fractions, decimals, those of other libraries) as what they are."""
    if isinstance(value, int | float | complex):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return (
        complex(value) if isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real) else float(value)
    )


def _close(value: Any, wanted: Any, rtol: float, atol: float) -> bool:
    if value == wanted or (value != value and wanted != wanted):
        return True
    try:
        far = abs(value - wanted)
        return bool(far <= atol + rtol * abs(wanted) and far < float("inf"))
    except OverflowError:  # a whole number beyond all floats
        return False


def _like(value: Any, wanted: Any) -> Any:
    """Return a value in plain Python and NumPy; a table as what it is held against: a mapping, or an array."""
    if type(value).__module__.partition(".")[0] == "pandas" and not isinstance(wanted, Mapping | str):
        return value.to_numpy() if hasattr(value, "to_numpy") else value
    return _plain(value)


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
    returned, wanted = f"Your function returned {kind(value)};", _plain(wanted)
    value = _like(value, wanted)
    if isinstance(wanted, bool) and not isinstance(value, bool):
        return f"{returned} `True` or `False` is expected."
    if isinstance(wanted, numbers.Number) and not isinstance(value, numbers.Number):
        return f"{returned} a single number is expected."
    if isinstance(wanted, str) and not isinstance(value, str):
        return f"{returned} a text is expected."
    if isinstance(wanted, np.ndarray) and not isinstance(value, np.ndarray):
        return f"{returned} {array} of the shape {wanted.shape} is expected."
    if isinstance(wanted, np.ndarray) and value.shape != wanted.shape:
        return f"Your array has the shape {value.shape}; {wanted.shape} is expected."
    if isinstance(wanted, list | tuple) and (
        isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray)
    ):
        return f"{returned} {_CONTAINERS[type(wanted) is tuple]} is expected."
    if isinstance(wanted, Mapping) and not isinstance(value, Mapping):
        return f"{returned} a value for each key is expected (a `dict` will do)."
    return ""


def shorten(value: Any, at_most: int = 240, unlike: Any = _NOTHING) -> str:
    """Return a short text of any value, whatever its own ``__repr__`` does.

    Parameters
    ----------
    value : object
        Any value.
    at_most : int
        How many characters it may have.
    unlike : object, optional
        What the value should have been: numbers get digits enough to look different.
    """
    text = _written(value, 6)
    if unlike is not _NOTHING:
        digits = itertools.chain((6, 9, 12), [17])
        text = next((wide for n in digits if (wide := _written(value, n)) != _written(unlike, n)), text)
    return cut(text, at_most)


def _written(value: Any, digits: int) -> str:
    try:
        with np.printoptions(precision=digits - 2, threshold=20, edgeitems=3, suppress=digits == 6):
            return _text(value, digits)
    except Exception:
        return f"<{type(value).__name__}>"


def _text(value: Any, digits: int) -> str:
    """Write numbers to six digits, inside of containers too: 0.1 + 0.2 is no lesson here. No `np.int64(…)` around them."""
    plain = _plain(value)
    if isinstance(plain, float):
        return f"{plain:.{digits}g}"
    if isinstance(plain, dict):
        pairs = itertools.islice(plain.items(), 20)
        return "{" + ", ".join(f"{cut(_text(key, digits), 60)}: {_text(item, digits)}" for key, item in pairs) + "}"
    if type(plain) in (list, tuple, set):
        inner = ", ".join(_text(item, digits) for item in itertools.islice(plain, 20))
        around: dict[type, str] = {
            list: "[{}]",
            tuple: "({},)" if len(plain) == 1 else "({})",
            set: "{{{}}}" if plain else "set()",
        }
        return around[type(plain)].format(inner)
    return without_numpy(repr(plain))


_NUMPY = re.compile(r"np\.(?:str_|bool_?|u?int\d+|float\d+|longlong)\(('(?:[^'\\]|\\.)*'|[^()']*)\)")


def without_numpy(text: str) -> str:
    """Return a text with `np.int64(3)` written as 3: how NumPy's numbers and texts write themselves is no lesson either."""
    return _NUMPY.sub(r"\1", text)
