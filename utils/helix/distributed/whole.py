"""The one check of sizes that all of `helix.distributed` shares."""

from __future__ import annotations

from numbers import Integral


def whole(**numbers: int) -> None:
    """Refuse what is not a whole number of at least 1, Python's or NumPy's; the message names it.

    Raises
    ------
    ValueError
        If one is not.
    """
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more; got {value!r}.")
