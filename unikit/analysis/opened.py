"""Shared libraries that a program opens by name: calls of `ctypes` with a constant."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from unikit.analysis.walk import Walk
from unikit.model import Opened

BY_NAME = ("ctypes.CDLL", "ctypes.PyDLL", "ctypes.cdll.LoadLibrary", "ctypes.pydll.LoadLibrary")
BY_SHORT_NAME = ("ctypes.util.find_library",)  # `ssl` for libssl.so.3


def libraries(walk: Walk) -> Iterator[Opened]:
    """What the application and its packages open, where the call can be reached."""
    for module, line, called, _ in walk.calls():
        if called in (*BY_NAME, *BY_SHORT_NAME) and module.layer != "interpreter" and module.path:
            function = called.rpartition(".")[2]
            for name in _constants(module.path).get((line, function), ()):
                yield Opened(module.id, name, called in BY_SHORT_NAME, f"{module.path}:{line}")


@functools.lru_cache(maxsize=8)
def _constants(file: Path) -> dict[tuple[int, str], list[str]]:
    """The constant first arguments of calls, by line and the last word of the function's name."""
    found: dict[tuple[int, str], list[str]] = {}
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            value, function = node.args[0].value, ast.unparse(node.func).rpartition(".")[2]
            if isinstance(value, str) and value:
                found.setdefault((node.lineno, function), []).append(value)
    return found
