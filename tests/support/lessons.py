"""Functions that a chapter writes out, taken from its source, so that a test can hold them against the production version."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from helix.course import catalogue


def from_chapter(key: str, function: str, **names: Any) -> Callable[..., Any]:
    """Return a function, or a class, as the chapter defines it.

    Parameters
    ----------
    key : str
        The chapter's number, topic or name.
    function : str
        The name of the function or class.
    **names
        The global names that it uses.
    """
    tree = ast.parse(catalogue.load().chapter(key).source.read_text())
    kinds = (ast.FunctionDef, ast.ClassDef)
    found = [node for node in ast.walk(tree) if isinstance(node, kinds) and node.name == function]
    assert len(found) == 1, f"chapter {key} defines {function} {len(found)} times"
    exec(compile(ast.Module(found, []), f"<chapter {key}>", "exec"), names)
    made: Callable[..., Any] = names[function]
    return made
