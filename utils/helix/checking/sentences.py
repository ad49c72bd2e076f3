"""Whether each sentence that a check can say has been seen by a wrong answer: what the gates ask of a lab's check module."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from helix import paths
from helix.checking.exercises import Exercise

LEAST = 3  # wrong answers to an exercise, those included that it brings itself
_TOLD = {"because", "bytes_because", "mistakes", "if_equals"}  # of a dictionary its keys
_ASKED = {"ask", "answer"}  # what stands between their brackets is the case
_NEVER_TOLD = {"title", "hints", "last_hint", "last_hints", "errors", "rubric", "examples", "given", "got"}

Rows = Mapping[str, Sequence[tuple[Any, str]]]


def lacks(checks: Path, exercises: Mapping[str, Exercise], wrong: Rows) -> list[str]:
    """Return what the wrong answers of a lab leave untried, a sentence each.

    Parameters
    ----------
    checks : Path
        The lab's check module.
    exercises : mapping of str to Exercise
        What it defines.
    wrong : mapping of str to sequence
        For each exercise the wrong answers that were typed by hand, each with a piece of its message.
    """
    return too_few(checks, exercises, wrong) + unreached(checks, exercises, wrong)


def too_few(checks: Path, exercises: Mapping[str, Exercise], wrong: Rows) -> list[str]:
    """Each exercise has a wrong answer typed as a learner would, and three with those that it brings."""
    found, file = [], f"tests/wrong_answers/{checks.name}"
    for name, one in exercises.items():
        typed, brought = len(wrong.get(name, ())), len(one.mistakes)
        if not typed:
            found.append(f"{file} has no wrong answer to {name}. Type one at least as a learner would.")
        elif typed + brought < LEAST and not one.is_decision:
            found.append(
                f"{file} has {typed} wrong answers to {name}, and its check names {brought} mistakes; {LEAST} together are the least."
            )
    return found


def unreached(checks: Path, exercises: Mapping[str, Exercise], wrong: Rows) -> list[str]:
    """Every sentence of a check is told to a wrong answer: nobody has seen the others work.

    Mistakes of an exercise are run as answers by the tests, so their sentences count as seen. The sentences of a helper
    belong to all exercises of the module.
    """
    found = []
    for name, nodes in _definitions(ast.parse(checks.read_text())):
        mine = [name] if name in exercises else list(exercises)
        told = [says for one in mine for _, says in wrong.get(one, ())]
        brought = {message for one in mine for message in exercises[one].mistakes}
        found += [
            f"{paths.display(checks)}, line {line}: no wrong answer to {name} is told “{' … '.join(parts)[:60]}…”."
            for line, parts in sentences(nodes)
            if "".join(parts) not in brought and not any(says in part for says in told for part in parts)
        ]
    return found


def _definitions(module: ast.Module) -> Iterator[tuple[str, list[ast.stmt] | list[ast.keyword]]]:
    """Yield what can tell sentences: the bodies of functions, and the rules of a decision."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.body
        elif (
            isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name)
        ):
            yield node.targets[0].id, [word for word in node.value.keywords if word.arg == "rules"]


def sentences(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield line and literal parts of each sentence that this code can tell a learner.

    A sentence is whatever text ends in a full stop, wherever it stands, and whatever is told as `because`; not a docstring, and
    not what describes the case.
    """

    def visit(node: ast.AST | None, told: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
        if node is None or (isinstance(node, ast.keyword) and node.arg in _NEVER_TOLD):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node, ast.Constant | ast.JoinedStr):
            parts = _parts(node)
            if parts and (told or parts[-1].rstrip().endswith((".", ".)"))):
                yield node.lineno, parts
        elif told and isinstance(node, ast.Dict):
            for key in node.keys:
                yield from visit(key, True)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ASKED:
            for keyword in node.keywords:
                yield from visit(keyword, False)
        else:
            told = isinstance(node, ast.keyword) and node.arg in _TOLD
            for child in ast.iter_child_nodes(node):
                yield from visit(child, told)

    for node in nodes:
        yield from visit(node, False)


def _parts(node: ast.Constant | ast.JoinedStr) -> tuple[str, ...]:
    """Return the literal parts of a text, and none of what is no text."""
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    return tuple(
        part.value for part in values if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value
    )
