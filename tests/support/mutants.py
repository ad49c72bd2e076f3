"""Mutants: a solution with one thing changed (a sign, an axis, one off, a constant), each of which a check must refuse."""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Pow: ast.Mult,
}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
_NAMES = {
    "min": "max",
    "max": "min",
    "amin": "amax",
    "amax": "amin",
    "mean": "sum",
    "sum": "mean",
    "argmin": "argmax",
    "argmax": "argmin",
    "floor": "ceil",
    "ceil": "floor",
    "any": "all",
    "all": "any",
}


def mutants(function: Callable[..., Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield (what was changed, the mutant) for a plain function, in the namespace that it has."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    if isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Constant):
        tree.body = tree.body[1:]  # a docstring has no behaviour
    count = sum(1 for node in ast.walk(ast.Module(tree.body, [])))
    for index in range(count):
        for variant in range(3):
            mutated = copy.deepcopy(tree)
            module = ast.Module(mutated.body, [])
            node = list(ast.walk(module))[index]
            if not _change(node, variant):
                break
            mutated.decorator_list = []
            text = ast.unparse(ast.fix_missing_locations(mutated))
            if text != ast.unparse(tree):
                yield _difference(ast.unparse(tree), text), _compiled(text, function)
    for constant in ("0", "1.0", "True", "False"):
        mutated = copy.deepcopy(tree)
        mutated.body = ast.parse(f"return {constant}").body
        yield f"return {constant}", _compiled(ast.unparse(ast.fix_missing_locations(mutated)), function)
    if tree.args.args:
        mutated = copy.deepcopy(tree)
        mutated.body = ast.parse(f"return {tree.args.args[0].arg}").body
        yield "return the first argument", _compiled(ast.unparse(ast.fix_missing_locations(mutated)), function)


def _change(node: ast.AST, variant: int) -> bool:
    """Change a node in place by its variant-th mutation; False if it has none such."""
    if isinstance(node, ast.BinOp) and variant == 0 and type(node.op) in _OPERATORS:
        node.op = _OPERATORS[type(node.op)]()
        return True
    if isinstance(node, ast.UnaryOp) and variant == 0 and isinstance(node.op, ast.USub | ast.Not):
        node.op = ast.UAdd()  # `+x` for `-x`, and for `not x` its truth as a number
        return True
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        others = _COMPARISONS.get(type(node.ops[0]), ())
        if variant < len(others):
            node.ops = [others[variant]()]
            return True
        return False
    if isinstance(node, ast.Constant) and variant == 0 and type(node.value) in (int, float):
        node.value = (
            (1 - node.value if node.value in (0, 1) else node.value + 1)
            if type(node.value) is int
            else (node.value * 2 or 1.0)
        )
        return True
    if isinstance(node, ast.Constant) and variant == 0 and type(node.value) is bool:
        node.value = not node.value
        return True
    if isinstance(node, ast.Name) and variant == 0 and node.id in _NAMES and isinstance(node.ctx, ast.Load):
        node.id = _NAMES[node.id]
        return True
    if isinstance(node, ast.Attribute) and variant == 0 and node.attr in _NAMES:
        node.attr = _NAMES[node.attr]
        return True
    if isinstance(node, ast.Call) and variant == 0 and len(node.args) == 1:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name == "abs":
            node.func = ast.Name("float", ast.Load())
            return True
    return False


def _difference(before: str, after: str) -> str:
    changed = [line.strip() for line in after.splitlines() if line not in before.splitlines()]
    return changed[0] if changed else after


def _compiled(text: str, function: Callable[..., Any]) -> Callable[..., Any]:
    namespace = dict(function.__globals__)
    exec(compile(text, "<mutant>", "exec"), namespace)
    mutant: Callable[..., Any] = namespace[function.__name__]
    return mutant
