"""Evidence: the values that a decision rests on, as this run computed them."""

from __future__ import annotations

import math
import re

_VALUES: dict[str, float] = {}


def evidence(id: str, value: float) -> float:
    """Record a value under an id, so that a decision can rest on it; return it as a float.

    Parameters
    ----------
    id : str
        A name in snake_case, as the lab states it.
    value : float
        A finite number, computed in this run. A later value under the same id takes the place of the earlier one.

    Raises
    ------
    ValueError
        If the id is not snake_case or the value is not a finite number.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", id):
        raise ValueError(f"The evidence id {id!r} is not in snake_case: use small letters, digits and underscores.")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"The evidence {id} is {value!r}; evidence is one number.") from None
    if not math.isfinite(number):
        raise ValueError(f"The evidence {id} is {number}; a decision needs a finite number.")
    _VALUES[id] = number
    return number


def recorded() -> dict[str, float]:
    """Return what this run recorded so far."""
    return dict(_VALUES)


def forget() -> None:
    """Drop everything recorded; a new run begins."""
    _VALUES.clear()
