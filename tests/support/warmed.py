"""Ranks that find the test's module imported: `launch` sends a function of a module by name, and each rank would import it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import pytest

from helix import distributed


@contextlib.contextmanager
def warmed(*modules: str) -> Iterator[None]:
    """Hold a warm process that has these modules of tests, pytest and all else that they import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        distributed.warm(*modules)
        yield
        distributed.close()
