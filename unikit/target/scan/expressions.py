"""What the form of an expression says."""

from __future__ import annotations

import ast
from collections.abc import Mapping


def last_name(node: ast.expr) -> str:
    """`c` of a.b.c and of a.b.c(...)."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_table(value: ast.expr) -> bool:
    """Whether an expression only puts names and constants together: nothing in it runs before somebody uses it."""
    if isinstance(value, ast.Constant):
        return False
    parts = (ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.BinOp, ast.Starred)
    return all(isinstance(n, (*parts, ast.expr_context, ast.operator)) for n in ast.walk(value))


def start_of(node: ast.expr, values: Mapping[str, str]) -> tuple[str, bool]:
    """The constant beginning of a string, and whether that is all of it; `.` for the module's own package."""
    if (text := folded(node, values)) is not None:
        return text, True
    if isinstance(node, ast.Name) and node.id in ("__name__", "__package__"):
        return "", True  # what follows begins with a dot
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [node.left, node.right]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return (folded(node.left, values) or "").partition("%")[0], False
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return (folded(node.func.value, values) or "").partition("{")[0], False
    elif isinstance(node, ast.JoinedStr):
        parts = [v.value if isinstance(v, ast.FormattedValue) else v for v in node.values]
    found = ""
    for part in parts:
        text, whole = start_of(part, values)
        found += text
        if not whole:
            break
    return found, False


def folded(node: ast.expr, values: Mapping[str, str]) -> str | None:
    """The value of a string that is put together from constants, and of names that `values` knows."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return values.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        texts = [folded(node.left, values), folded(node.right, values)]
    elif isinstance(node, ast.JoinedStr):
        texts = [folded(v.value if isinstance(v, ast.FormattedValue) else v, values) for v in node.values]
    else:
        return None
    return None if None in texts else "".join(t for t in texts if t)
