"""The program: files in, one JSON object each out."""

from __future__ import annotations

import ast
import json
import re
import sys
from types import CodeType
from typing import Any

from .flow import LAZY
from .visitor import Scan


def scan(name: str, words: re.Pattern[str], kind: str) -> dict[str, Any]:
    try:
        with open(name, "rb") as file:
            content = file.read()
        tree = ast.parse(content, name)
        if kind:
            compile(tree, name, "exec", dont_inherit=True)  # some errors only the compiler sees
    except SyntaxError as error:
        return {"error": [error.lineno or 0, error.msg, (error.text or "").rstrip()]}
    except (ValueError, RecursionError, OSError, LookupError, MemoryError) as error:
        return {"error": [0, str(error), ""]}
    try:
        visitor = Scan(words, kind)
        visitor.visit(tree)
        return visitor.result()
    except RecursionError:
        return {"error": [0, "nested too deeply", ""]}


def bytecode(name: str, words: re.Pattern[str]) -> dict[str, Any]:
    """The same of a .pyc without source; less is known of it."""
    import dis
    import marshal

    visitor = Scan(words, "")

    def walk(code: CodeType, lazy: bool) -> None:
        stack: list[Any] = []
        for op in dis.get_instructions(code):
            if op.opname == "LOAD_CONST":
                stack.append(op.argval)
            elif op.opname == "IMPORT_NAME":
                names, level = (stack[-1], stack[-2]) if len(stack) > 1 else (None, 0)
                level = level if isinstance(level, int) else 0
                flags = LAZY if lazy else 0
                visitor.scope.imports.append([0, level, op.argval, list(names) if names else None, flags, ""])
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                walk(constant, lazy or bool(constant.co_flags & 2))

    try:
        with open(name, "rb") as file:
            walk(marshal.loads(file.read()[16:]), False)
    except (OSError, ValueError, EOFError, TypeError) as error:
        return {"error": [0, str(error), ""]}
    return visitor.result()


def main() -> None:
    sys.setrecursionlimit(10000)
    settings = json.loads(sys.stdin.readline())
    words = re.compile(settings["words"], re.I)
    for line in sys.stdin:
        kind, name = json.loads(line)
        result = bytecode(name, words) if name.endswith(".pyc") else scan(name, words, kind)
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
