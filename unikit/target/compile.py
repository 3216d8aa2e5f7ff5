"""Compiles Python files to .pyc files that are never checked against a source (PEP 552, unchecked hash).

Standard input: a JSON object a line: {"source": file, "output": file, "name": co_filename} and for the program's
main module "start": {"argv0", "paths", "module", "processes", "uvloop", "ctypes"}. Standard output: one line a file,
empty or the error.
Every file is compiled in a child of its own: what marshal writes depends on which strings other files have interned
before."""

from __future__ import annotations
import __future__

import ast
import importlib.util
import json
import marshal
import os
import sys
from typing import Any

import freeze_point  # type: ignore[import-not-found] # beside this file, which is run as a script

UNCHECKED = 0b01

# What `python FILE` and `python -m MODULE` set before the first line of the program runs. Only expressions and dunder
# names, so that nothing else is left in the program's namespace.
START = """
__file__ = {file!r}
__loader__ = __import__("_frozen_importlib_external").SourceFileLoader({name!r}, {file!r})
__import__("sys").argv.__setitem__(0, {argv0!r})
__import__("sys").path.__setitem__(slice(0, int(__import__("sys").path[:1] == [{folder!r}])), {paths!r})
exec(__import__("marshal").loads({one_process!r}), {{
    "__name__": "one_process", "processes": {processes!r}, "uvloop": {uvloop!r},
    "ctypes": {ctypes!r}}})
exec(__import__("marshal").loads({known_modules!r}), {{"__name__": "known_modules", "table": {table!r}}})
"""
EMBEDDED = ("one_process", "known_modules")
# At the end of the import system stands an object that says of a module that is not found whether it was left out of
# the image; what it takes for that is read at the first such import (left_out.py).
FINDER = """
__import__("sys").meta_path.append(type("LeftOut", (), {{"find_spec": property(lambda self: exec(
    __import__("_frozen_importlib_external").SourcelessFileLoader("left_out", {finder!r}).get_code("left_out"),
    {{"finder": self}}) or type(self).find_spec)}})())
"""
# A program that is frozen may be watched from its beginning (guest/culprits.py).
FROZEN = """
__import__("unikit").begin()
"""
MODULE = """
__import__({package!r})
__package__ = {package!r}
__spec__ = __import__("_frozen_importlib_external").spec_from_file_location({name!r}, {file!r}, loader=__loader__)
"""


def started(tree: ast.Module, name: str, start: dict[str, Any]) -> ast.Module:
    """The tree of the main module with the assignments in front, after its docstring and its `__future__` imports."""
    module = start["module"]
    values = dict(start, file=name, name=module or "__main__", package=(module or "").rpartition(".")[0])
    values.update({name: embedded(name) for name in EMBEDDED})
    text = START + (FINDER if values["finder"] else "") + (FROZEN if values["frozen"] else "")
    text += MODULE if values["package"] else ""
    first = 0
    for node in tree.body:
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        docstring = first == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not future and not docstring:
            break
        first += 1
    before = ast.parse(text.format(**values)).body
    for node in before:
        for part in ast.walk(node):
            if isinstance(part, (ast.stmt, ast.expr, ast.keyword, ast.arg)):
                part.lineno = part.end_lineno = 1
                part.col_offset = part.end_col_offset = 0
    tree.body[first:first] = before
    return tree


def embedded(name: str) -> bytes:
    """One of the programs beside this one that run in the guest, compiled."""
    with open(os.path.join(os.path.dirname(__file__), f"{name}.py"), "rb") as file:
        text = file.read()
    flags = __future__.annotations.compiler_flag
    return marshal.dumps(compile(text, f"/.unikit/{name}.py", "exec", flags, dont_inherit=True, optimize=2))


def compiled(job: dict[str, Any]) -> bytes:
    with open(job["source"], "rb") as file:
        content = file.read()
    tree: ast.Module | bytes = content
    if job.get("start"):
        parsed = ast.parse(content, job["name"])
        if job["start"]["freeze"]:
            parsed = freeze_point.insert(parsed)
        tree = started(parsed, job["name"], job["start"])
    code = compile(tree, job["name"], "exec", dont_inherit=True)
    header = importlib.util.MAGIC_NUMBER + UNCHECKED.to_bytes(4, "little") + importlib.util.source_hash(content)
    return header + marshal.dumps(code)


def run(job: dict[str, Any]) -> str:
    """Compile in a child; its exit status says how it went, a pipe what is wrong."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            data = compiled(job)
            temporary = f"{job['output']}.{os.getpid()}"
            with open(temporary, "wb") as file:
                file.write(data)
            os.replace(temporary, job["output"])
        except BaseException as error:
            os.write(writing, (type(error).__name__ + ": " + str(error)).encode()[:2000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said.decode(errors="replace").replace("\n", " ")


def main() -> None:
    sys.setrecursionlimit(10000)
    sys.warnoptions.append("ignore")
    import warnings

    warnings.simplefilter("ignore")
    for line in sys.stdin:
        sys.stdout.write(run(json.loads(line)) + "\n")
    sys.stdout.flush()


main()
