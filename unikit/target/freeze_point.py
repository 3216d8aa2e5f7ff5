"""Where a program is frozen that does not say so itself: a statement of its main module.

Imports and definitions run before, what the program does with them after: the point is before the trailing run of
statements that are neither. In it an application starts: `app.run()`, `asyncio.run(main())`, or a block
`if __name__ == "__main__"`, in which the imports at its start are run too. Whatever looks at the arguments or the
environment in that run sees those of each boot."""

from __future__ import annotations

import ast

CALL = "__import__('unikit').freeze()"


def insert(tree: ast.Module) -> ast.Module:
    """The tree with the call that freezes in it."""
    body = tree.body
    at = _start_of_tail(body)
    if at < len(body) and _is_main_block(body[at]):
        block = body[at]
        assert isinstance(block, ast.If)
        body, at = block.body, 0
        while at < len(body) and isinstance(body[at], (ast.Import, ast.ImportFrom)):
            at += 1
    line = body[min(at, len(body) - 1)].lineno if body else 1
    call = ast.parse(CALL).body[0]
    for part in ast.walk(call):
        if isinstance(part, (ast.stmt, ast.expr)):
            part.lineno = part.end_lineno = line
            part.col_offset = part.end_col_offset = 0
    body.insert(at, call)
    return tree


def freezes_itself(tree: ast.AST) -> bool:
    """Does this module call `unikit.freeze()`, under whatever name?"""
    names = {"unikit"}
    functions: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.asname for alias in node.names if alias.name == "unikit" and alias.asname)
        elif isinstance(node, ast.ImportFrom) and node.module == "unikit":
            functions.update(alias.asname or alias.name for alias in node.names if alias.name == "freeze")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in functions:
                return True
            if isinstance(called, ast.Attribute) and called.attr == "freeze":
                found = called.value
                if isinstance(found, ast.Name) and found.id in names:
                    return True
    return False


def _start_of_tail(body: list[ast.stmt]) -> int:
    """The index of the first statement after the last one that defines something."""
    at = len(body)
    while at and not _defines(body[at - 1]):
        at -= 1
        if _is_main_block(body[at]):
            return at
    while at < len(body) and _is_constant(body[at]):
        at += 1
    return at


def _defines(node: ast.stmt) -> bool:
    """Imports, functions, classes, and what only chooses between some."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    if isinstance(node, ast.If) and not _is_main_block(node):
        return _some_define([*node.body, *node.orelse])
    if isinstance(node, ast.Try):
        return _some_define([*node.body, *(s for h in node.handlers for s in h.body), *node.orelse, *node.finalbody])
    return False


def _some_define(body: list[ast.stmt]) -> bool:
    """At least one definition, and nothing beside them that could be the program at work."""
    plain = (ast.Assign, ast.AnnAssign, ast.Pass, ast.Raise)
    return any(_defines(s) for s in body) and all(_defines(s) or isinstance(s, plain) for s in body)


def _is_constant(node: ast.stmt) -> bool:
    """An assignment of literals, a docstring: it matters not on which side of the freeze it runs."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr)) and node.value is not None:
        literals = (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.expr_context)
        sums = (ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
        return all(isinstance(part, (*literals, *sums)) for part in ast.walk(node.value))
    return isinstance(node, ast.Pass)


def _is_main_block(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`"""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare):
        return False
    test = node.test
    sides = [test.left, *test.comparators]
    return (
        len(sides) == 2
        and isinstance(test.ops[0], ast.Eq)
        and any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
        and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
    )
