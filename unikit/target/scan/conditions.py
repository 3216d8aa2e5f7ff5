"""Conditions whose value is known on this interpreter."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable
from typing import Any


def decide(test: ast.AST, main: bool) -> bool | None:
    """True or False where the value of `test` is known on this interpreter, else None."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        value = decide(test.operand, main)
        return None if value is None else not value
    if isinstance(test, ast.BoolOp):
        values = [decide(v, main) for v in test.values]
        stop = isinstance(test.op, ast.Or)
        if stop in values:
            return stop
        return None if None in values else not stop
    if isinstance(test, (ast.Name, ast.Attribute)):
        name = test.id if isinstance(test, ast.Name) else test.attr
        return False if name == "TYPE_CHECKING" else None
    if isinstance(test, ast.Call):
        if ast.unparse(test.func) == "sys.platform.startswith" and test.args and isinstance(test.args[0], ast.Constant):
            return sys.platform.startswith(str(test.args[0].value))
        return None
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, right = known(test.left), known(test.comparators[0])
    if left is None and isinstance(test.left, ast.Name) and test.left.id == "__name__" and right == "__main__":
        return main if isinstance(test.ops[0], ast.Eq) else not main if isinstance(test.ops[0], ast.NotEq) else None
    if left is None or right is None:
        return None
    try:
        return bool(COMPARE[type(test.ops[0])](left, right))
    except (KeyError, TypeError):
        return None


COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def known(node: ast.expr) -> Any:
    """The value of a constant expression over facts of this interpreter, else None."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.version_info":
        try:
            return eval(compile(ast.Expression(node), "", "eval"), {"sys": sys})
        except (IndexError, TypeError, NameError):
            return None
    text = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
    facts = {
        "sys.version_info": tuple(sys.version_info),
        "sys.version_info.major": sys.version_info.major,
        "sys.version_info.minor": sys.version_info.minor,
        "sys.platform": sys.platform,
        "sys.hexversion": sys.hexversion,
        "sys.implementation.name": sys.implementation.name,
        "os.name": os.name,
    }
    if text in facts:
        return facts[text]
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
