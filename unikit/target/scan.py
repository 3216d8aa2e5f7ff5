"""Reads Python files and says what they import, without running them.

Standard input: a JSON object `{"words": REGEX}`, then a file name a line. Standard output: one JSON object a file:

  imports   [line, level, module, names or null, flags, function]   null: `import module`; names: `from module import
  names` chains    dotted names that are reached through imported names: `import a` and `a.b.c` give "a.b.c"
  strings   constants that look like dotted names (or module:attribute)
  codecs    names of text encodings
  computed  whether the name of an encoding is computed
  constants every short string, of the application's own files
  dynamic   lines of imports whose name is computed
  groups    entry point groups that are asked for
  metadata  whether importlib.metadata is used
  exports   the constants of `__all__`
  words     identifiers and words of strings that match REGEX
  error     [line, message, text] in place of all this: the file does not compile

What can be decided for this interpreter (sys.version_info, sys.platform, TYPE_CHECKING, __name__) is decided, and
what is then dead is left out.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any

CONDITIONAL, GUARDED, LAZY, DYNAMIC, MAIN = 1, 2, 4, 8, 16
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?::[A-Za-z_]\w*)?\Z")
WORD = re.compile(r"[A-Za-z_]\w*")
# calls whose first argument names a module
IMPORTERS = {"__import__", "import_module", "import_string", "resolve_name", "find_spec", "lazy_import", "load_module"}
# calls that find modules by themselves
DISCOVERERS = {"iter_modules", "walk_packages", "spec_from_file_location", "run_path", "run_module", "SourceFileLoader"}
# calls one of whose arguments names an encoding
CODED = {
    "encode",
    "decode",
    "open",
    "lookup",
    "getreader",
    "getwriter",
    "getencoder",
    "getdecoder",
    "TextIOWrapper",
    "str",
    "bytes",
}
CODED |= {
    "read_text",
    "write_text",
    "getincrementaldecoder",
    "getincrementalencoder",
    "register_charset",
    "add_charset",
}


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


class Scan(ast.NodeVisitor):
    def __init__(self, words: re.Pattern[str], kind: str) -> None:
        self.pattern, self.main, self.app = words, kind == "main", bool(kind)
        self.flags, self.function = 0, ""
        self.bound: dict[str, set[str]] = {}
        self.imports: list[list[Any]] = []
        self.dynamic: list[int] = []
        self.chains: set[tuple[str, str]] = set()
        self.strings: set[str] = set()
        self.codecs: set[str] = set()
        self.constants: set[str] = set()
        self.groups: set[str] = set()
        self.words: set[str] = set()
        self.exports: list[str] = []
        self.computed = self.metadata = False

    def result(self) -> dict[str, Any]:
        return {
            "imports": self.imports,
            "chains": sorted(self.resolved_chains()),
            "strings": sorted(self.strings),
            "codecs": sorted(self.codecs),
            "computed": self.computed,
            "constants": sorted(self.constants),
            "dynamic": self.dynamic,
            "groups": sorted(self.groups),
            "metadata": self.metadata,
            "exports": self.exports,
            "words": sorted(self.words),
        }

    def resolved_chains(self) -> Iterator[str]:
        for name, rest in self.chains:
            if name in self.bound:
                for origin in self.bound[name]:
                    yield origin + "." + rest

    # -- statements that decide whether what is below them runs

    def inside(self, nodes: Iterable[ast.AST], flags: int) -> None:
        before, self.flags = self.flags, self.flags | flags
        for node in nodes:
            self.visit(node)
        self.flags = before

    def visit_body(self, node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for child in node.body:
            # a docstring or a bare string says nothing
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
                self.visit(child)

    visit_Module = visit_body

    def visit_If(self, node: ast.If) -> None:
        value = decide(node.test, self.main)
        self.visit(node.test)
        if value is not False:
            main = MAIN if value and "__main__" in ast.unparse(node.test) else 0
            self.inside(node.body, main if value else CONDITIONAL)
        if value is not True:
            self.inside(node.orelse, 0 if value is False else CONDITIONAL)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        value = decide(node.test, self.main)
        self.visit(node.test)
        if value is not False:
            self.visit(node.body)
        if value is not True:
            self.visit(node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        caught: set[str] = set()
        for handler in node.handlers:
            kinds: list[ast.expr] | list[ast.expr | None] = (
                handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            )
            caught |= {"Exception" if k is None else ast.unparse(k).rpartition(".")[2] for k in kinds}
        guarded = bool(caught & IMPORT_ERRORS)
        self.inside(node.body, GUARDED if guarded else 0)
        self.inside(node.handlers, CONDITIONAL)
        self.inside(node.orelse, CONDITIONAL if guarded else 0)
        self.inside(node.finalbody, 0)

    visit_TryStar = visit_Try

    def visit_With(self, node: ast.With) -> None:
        guarded = False
        for item in node.items:
            self.visit(item)
            call = item.context_expr
            if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == "suppress":
                guarded |= bool({ast.unparse(a).rpartition(".")[2] for a in call.args} & IMPORT_ERRORS)
        self.inside(node.body, GUARDED if guarded else 0)

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args, node.returns):
            if part is not None:
                self.visit(part)
        before, self.function = self.function, self.function or node.name
        flags, self.flags = self.flags, self.flags | LAZY
        self.visit_body(node)
        self.function, self.flags = before, flags

    visit_FunctionDef = visit_AsyncFunctionDef = visit_function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self.word(node.name)
        self.visit_body(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self.inside([node.body], LAZY)

    # -- imports

    def add(self, node: ast.stmt | ast.expr, level: int, module: str, names: list[str] | None, flags: int = 0) -> None:
        self.imports.append([node.lineno, level, module, names, self.flags | flags, self.function])

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(node, 0, alias.name, None)
            name = alias.asname or alias.name.partition(".")[0]
            self.bound.setdefault(name, set()).add(alias.name if alias.asname else name)
            self.word(alias.name)
            if alias.name in ("importlib.metadata", "importlib_metadata", "pkg_resources"):
                self.metadata = True

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        self.add(node, node.level, module, [a.name for a in node.names])
        for alias in node.names:
            self.word(alias.name)
            if not node.level and module:
                self.bound.setdefault(alias.asname or alias.name, set()).add(module + "." + alias.name)
        self.word(module)
        from_importlib = module == "importlib" and any(a.name == "metadata" for a in node.names)
        if "metadata" in module or module == "pkg_resources" or from_importlib:
            self.metadata = True

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in IMPORTERS and node.args:
            self.called_import(name, node)
        if name in DISCOVERERS:
            self.dynamic.append(node.lineno)
        if name in ("encode", "decode") and node.args and not isinstance(node.args[0], ast.Constant):
            self.computed = True
        if name in CODED:
            for value in (*node.args, *(k.value for k in node.keywords)):
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and len(value.value) < 24:
                    self.codecs.add(value.value)
        for keyword in node.keywords:
            if keyword.arg in ("encoding", "charset"):
                if not isinstance(keyword.value, ast.Constant):
                    self.computed = True
                elif isinstance(keyword.value.value, str):
                    self.codecs.add(keyword.value.value)
        if name in ("entry_points", "iter_entry_points", "select"):
            for value in (*node.args[:1], *(k.value for k in node.keywords if k.arg == "group")):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    self.groups.add(value.value)
        self.generic_visit(node)

    def called_import(self, name: str, node: ast.Call) -> None:
        first, level = node.args[0], 0
        head: ast.expr | None = None
        if isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add):
            head, tail = first.left, first.right
        elif isinstance(first, ast.JoinedStr) and len(first.values) == 2:
            formatted, tail = first.values
            head = formatted.value if isinstance(formatted, ast.FormattedValue) else None
        if isinstance(head, ast.Name) and head.id in ("__name__", "__package__") and isinstance(tail, ast.Constant):
            first, level = tail, 1
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value:
            module = re.split("[:]", first.value)[0]
            if level:
                module = module.lstrip(".")
            elif module.startswith("."):
                level = len(module) - len(module.lstrip("."))
                module = module.lstrip(".")
            flags = DYNAMIC | (GUARDED | CONDITIONAL if name == "find_spec" else 0)
            if module and all(part.isidentifier() for part in module.split(".")):
                self.add(node, level, module, None, flags)
        elif name not in ("find_spec", "resolve_name"):
            self.dynamic.append(node.lineno)

    # -- names and constants

    def word(self, text: str) -> None:
        if self.pattern.search(text):
            self.words.update(w for w in WORD.findall(text) if self.pattern.search(w))

    def visit_Name(self, node: ast.Name) -> None:
        self.word(node.id)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg:
            self.word(node.arg)
        self.visit(node.value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.word(node.attr)
        parts, base = [node.attr], node.value
        while isinstance(base, ast.Attribute):
            self.word(base.attr)
            parts.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            self.word(base.id)
            self.chains.add((base.id, ".".join(reversed(parts))))
        else:
            self.visit(base)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.word(node.value)
            if self.app and 0 < len(node.value) < 200 and "\n" not in node.value:
                self.constants.add(node.value)
            if len(node.value) < 200 and DOTTED.match(node.value):
                self.strings.add(node.value)
        elif isinstance(node.value, bytes) and len(node.value) < 200:
            self.word(node.value.decode("latin-1"))

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            self.exported(node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target.id == "__all__":
            self.exported(node.value)
        self.generic_visit(node)

    def exported(self, value: ast.expr) -> None:
        if isinstance(value, (ast.List, ast.Tuple)):
            self.exports += [e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]


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
                visitor.imports.append([0, level, op.argval, list(names) if names else None, LAZY if lazy else 0, ""])
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


if __name__ == "__main__":
    main()
