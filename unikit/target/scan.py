"""Reads Python files and says what they import, without running them.

Standard input: a JSON object `{"words": REGEX}`, then a file name a line. Standard output: one JSON object a file:

  scopes    the module's own statements first, then its functions, methods and plain tables: what can run or not
  strings   constants that look like dotted names (or module:attribute)
  constants every short string, of the application's own files
  dynamic   lines of imports whose name is computed
  metadata  whether importlib.metadata is used
  exports   the constants of `__all__`
  aliases   [name, what was imported under it], as in chains
  words     identifiers and words of strings that match REGEX
  error     [line, message, text] in place of all this: the file does not compile

and of every scope

  keys      by what it comes to life: `NAME`: a function, class or table of the module; `@NAME`: a method; `.NAME`: a
            branch of the module's __getattr__ for that attribute; none: it always is
  imports   [line, level, module, names or null, flags, function]   null: `import module`; names: `from module import
            names`
  chains    what is used through imported names: `import a` and `a.b.c` give "a.b.c"; relative ones have dots first
  codecs    names of text encodings
  computed  whether the name of an encoding is computed
  groups    entry point groups that are asked for
  computed_imports   the constant beginnings of names of modules that are computed: "pkg.sub.prefix_", ".", or ""
  names     what else it uses: `~NAME`: a name of the module; `.NAME`: an attribute of something unknown; `'NAME`: a
            word in a string; `NAME*`, `*NAME`: how names begin or end that it computes; `*`: all names of the module;
            `=CHAIN`: what a table takes from elsewhere at once, even if nobody uses the table
  calls     [line, name, whether it is made as soon as the module is imported] of calls through imported names

What can be decided for this interpreter (sys.version_info, sys.platform, TYPE_CHECKING, __name__) is decided, and
what is then dead is left out.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Callable, Iterable
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
# decorators that change a function and keep it nowhere else; any other one may register it for others to call
INERT = re.compile(
    r"staticmethod|classmethod|\w*property|abstractmethod|setter|getter|deleter|wraps|\w*cache|overload|override|final"
    r"|(async)?contextmanager|\w*deprecat\w*|memoized?\w*|set_module|array_function_dispatch|(_copy_|_)?doc\w*|Appender"
    r"|Substitution|interpd|validate_params|_preprocess_data|no_type_check|total_ordering|coroutine|set_array_function_\w+"
)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z")
COMPUTED = re.compile(r"([A-Za-z]\w*_)(?:%s|%r|\{\w*\})\Z|(?:%s|%r|\{\w*\})(_\w+)\Z")
# functions without arguments that hand out all names of their module
REFLECTIVE = {"globals", "locals", "vars", "dir"}
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


class Scope:
    """What runs together: the statements of the module itself, a function, a plain table."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self.keys = list(keys)
        self.imports: list[list[Any]] = []
        self.chains: set[tuple[str, str]] = set()
        self.taken: set[tuple[str, str]] = set()
        self.codecs: set[str] = set()
        self.groups: set[str] = set()
        self.names: set[str] = set()
        self.calls: set[tuple[int, str, str, bool]] = set()
        self.computed = False
        self.computed_imports: set[str] = set()

    def result(self, bound: dict[str, set[str]]) -> dict[str, Any]:
        names, chains = set(self.names), set[str]()
        for name, rest in self.chains:
            for origin in bound.get(name, ()):
                chains.add(f"{origin}.{rest}" if rest else origin)
            if name not in bound:
                names.add(f"~{name}")
                names.update(f".{part}" for part in rest.split(".") if part)
        names.update(f"={origin}.{rest}" for name, rest in self.taken if rest for origin in bound.get(name, ()))
        calls = {
            (line, f"{origin}.{rest}" if rest else origin, now)
            for line, name, rest, now in self.calls
            for origin in bound.get(name, ())
        }
        return {
            "keys": self.keys,
            "imports": self.imports,
            "chains": sorted(chains),
            "codecs": sorted(self.codecs),
            "computed": self.computed,
            "groups": sorted(self.groups),
            "computed_imports": sorted(self.computed_imports),
            "names": " ".join(sorted(names)),
            "calls": sorted(calls),
        }


class Scan(ast.NodeVisitor):
    def __init__(self, words: re.Pattern[str], kind: str) -> None:
        self.pattern, self.main, self.app = words, kind == "main", bool(kind)
        self.flags, self.function, self.attribute = 0, "", ""
        self.inside_class, self.class_name = False, ""
        self.bound: dict[str, set[str]] = {}
        self.scope = Scope()
        self.scopes = [self.scope]
        self.dynamic: list[int] = []
        self.strings: set[str] = set()
        self.constants: set[str] = set()
        self.words: set[str] = set()
        self.exports: list[str] = []
        self.metadata = False
        self.values: dict[str, str] = {}  # constant strings of the module

    def result(self) -> dict[str, Any]:
        return {
            "scopes": [scope.result(self.bound) for scope in self.scopes],
            "strings": sorted(self.strings),
            "constants": sorted(self.constants),
            "dynamic": self.dynamic,
            "metadata": self.metadata,
            "exports": self.exports,
            "aliases": sorted([name, origin] for name, origins in self.bound.items() for origin in origins),
            "words": sorted(self.words),
        }

    def within(self, scope: Scope, nodes: Iterable[ast.AST]) -> None:
        """Visit nodes as part of a scope of their own."""
        self.scopes.append(scope)
        before, self.scope = self.scope, scope
        for node in nodes:
            self.visit(node)
        self.scope = before

    def table(self, name: str, values: Iterable[ast.AST]) -> None:
        """A plain table is alive when somebody uses it; but its attributes of modules are looked up at once."""
        scope = Scope([name])
        self.within(scope, values)
        self.scope.taken |= scope.chains

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
        asked = self.asked(node.test) if self.attribute else []
        if asked:
            scope = Scope("." + name for name in asked)
            before, self.flags = self.flags, self.flags | CONDITIONAL
            self.within(scope, node.body)
            self.flags = before
            self.inside(node.orelse, CONDITIONAL)
            return
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

    def asked(self, test: ast.expr) -> list[str]:
        """The attributes for which a branch of a module's __getattr__ is there: `name == "x"`, `name in ("x", "y")`."""
        if not isinstance(test, ast.Compare) or not isinstance(test.left, ast.Name) or len(test.ops) != 1:
            return []
        if test.left.id != self.attribute or not isinstance(test.ops[0], (ast.Eq, ast.In)):
            return []
        other = test.comparators[0]
        if isinstance(test.ops[0], ast.In) and not isinstance(other, (ast.Tuple, ast.List, ast.Set)):
            return []
        values = other.elts if isinstance(other, (ast.Tuple, ast.List, ast.Set)) else [other]
        names = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
        return names if len(names) == len(values) else []

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args, node.returns):
            if part is not None:
                self.visit(part)
        flags, self.flags = self.flags, self.flags | LAZY
        if self.function:
            self.visit_body(node)
        else:
            self.function = node.name
            hidden = node.name.startswith("__") and node.name.endswith("__")
            registered = any(not INERT.fullmatch(last_name(d)) for d in node.decorator_list)
            if node.name == "__getattr__" and not self.inside_class and node.args.args:
                self.attribute = node.args.args[0].arg
            body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
            if hidden and self.class_name and not registered:  # who makes an instance has named the class
                self.within(Scope([self.class_name]), body)
            elif hidden or registered:  # a scope that is always alive is the module's own
                for child in body:
                    self.visit(child)
            else:
                self.within(Scope([f"@{node.name}" if self.inside_class else node.name]), body)
            self.function = self.attribute = ""
        self.flags = flags

    visit_FunctionDef = visit_AsyncFunctionDef = visit_function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self.word(node.name)
        before = self.inside_class, self.class_name
        bare = not node.bases and not node.keywords and not node.decorator_list  # nobody else learns of it
        self.inside_class, self.class_name = True, node.name if bare and self.is_outside() else ""
        self.visit_body(node)
        self.inside_class, self.class_name = before

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self.inside([node.body], LAZY)

    # -- imports

    def add(self, node: ast.stmt | ast.expr, level: int, module: str, names: list[str] | None, flags: int = 0) -> None:
        self.scope.imports.append([node.lineno, level, module, names, self.flags | flags, self.function])

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
            if node.level or module:
                origin = f"{'.' * node.level}{module}.{alias.name}" if module else "." * node.level + alias.name
                self.bound.setdefault(alias.asname or alias.name, set()).add(origin)
        self.word(module)
        from_importlib = module == "importlib" and any(a.name == "metadata" for a in node.names)
        if "metadata" in module or module == "pkg_resources" or from_importlib:
            self.metadata = True

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        self.called(node, name)
        if name in IMPORTERS and node.args:
            self.called_import(name, node)
        if name in DISCOVERERS:
            self.dynamic.append(node.lineno)
        if name in ("encode", "decode") and node.args and not isinstance(node.args[0], ast.Constant):
            self.scope.computed = True
        if name in CODED:
            for value in (*node.args, *(k.value for k in node.keywords)):
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and len(value.value) < 24:
                    self.scope.codecs.add(value.value)
        for keyword in node.keywords:
            if keyword.arg in ("encoding", "charset"):
                if not isinstance(keyword.value, ast.Constant):
                    self.scope.computed = True
                elif isinstance(keyword.value.value, str):
                    self.scope.codecs.add(keyword.value.value)
        if name in ("entry_points", "iter_entry_points", "select"):
            for value in (*node.args[:1], *(k.value for k in node.keywords if k.arg == "group")):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    self.scope.groups.add(value.value)
        self.generic_visit(node)

    def called(self, node: ast.Call, name: str) -> None:
        """What a call says about names: whose function it is, and which names are computed."""
        parts, base = list[str](), node.func
        while isinstance(base, ast.Attribute):
            parts.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            now = not self.flags & ~MAIN
            self.scope.calls.add((node.lineno, base.id, ".".join(reversed(parts)), now))
        if ((name in REFLECTIVE and not node.args) or name == "getmembers") and self.function != "__dir__":
            self.scope.names.add("*")
        if name == "getattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            self.scope.names.add(f".{node.args[1].value!s}")
        if name == "format" and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Constant):
            text = node.func.value.value
            if isinstance(text, str):
                self.computed_name(text)

    def computed_name(self, text: str) -> None:
        if match := COMPUTED.match(text):
            self.scope.names.add(f"{match[1]}*" if match[1] else f"*{match[2]}")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        left, right = node.left, node.right
        if isinstance(node.op, ast.Mod) and isinstance(left, ast.Constant) and isinstance(left.value, str):
            self.computed_name(left.value)
        if isinstance(node.op, ast.Add):
            self.parts(left, right)
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        if len(node.values) > 1:
            self.parts(node.values[0], node.values[-1])
        self.generic_visit(node)

    def parts(self, first: ast.expr, last: ast.expr) -> None:
        """`"visit_" + name`, `f"{name}_handler"`."""
        for part, form in ((first, "{}*"), (last, "*{}")):
            text = part.value if isinstance(part, ast.Constant) else None
            if isinstance(text, str) and len(text) > 2 and IDENTIFIER.match(text):
                is_part = text.endswith("_") if part is first else text.startswith("_")
                if is_part:
                    self.scope.names.add(form.format(text))

    def start_of(self, node: ast.expr) -> tuple[str, bool]:
        """The constant beginning of a string, and whether that is all of it; `.` for the module's own package."""
        if (text := self.folded(node)) is not None:
            return text, True
        if isinstance(node, ast.Name) and node.id in ("__name__", "__package__"):
            return "", True  # what follows begins with a dot
        parts: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [node.left, node.right]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return (self.folded(node.left) or "").partition("%")[0], False
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            return (self.folded(node.func.value) or "").partition("{")[0], False
        elif isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.FormattedValue) else v for v in node.values]
        found = ""
        for part in parts:
            text, whole = self.start_of(part)
            found += text
            if not whole:
                break
        return found, False

    def folded(self, node: ast.expr) -> str | None:
        """The value of a string that is put together from constants."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            return self.values.get(node.id)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            texts = [self.folded(node.left), self.folded(node.right)]
        elif isinstance(node, ast.JoinedStr):
            texts = [self.folded(v.value if isinstance(v, ast.FormattedValue) else v) for v in node.values]
        else:
            return None
        return None if None in texts else "".join(t for t in texts if t)

    def called_import(self, name: str, node: ast.Call) -> None:
        first, level = node.args[0], 0
        if (text := self.folded(first)) is not None:
            first = ast.Constant(text)
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
            start, _ = self.start_of(node.args[0])
            package = self.folded(node.args[1]) if start.startswith(".") and len(node.args) > 1 else None
            if not self.attribute:  # what a module's __getattr__ imports, somebody asks for
                self.scope.computed_imports.add(f"{package}{start}" if package else start)

    # -- names and constants

    def word(self, text: str) -> None:
        if self.pattern.search(text):
            self.words.update(w for w in WORD.findall(text) if self.pattern.search(w))

    def visit_Name(self, node: ast.Name) -> None:
        self.word(node.id)
        if isinstance(node.ctx, ast.Load):
            self.scope.chains.add((node.id, ""))

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
            self.visit_Name(base)
            self.scope.chains.add((base.id, ".".join(reversed(parts))))
        else:
            self.scope.names.update("." + part for part in parts)
            self.visit(base)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.word(node.value)
            if self.app and 0 < len(node.value) < 200 and "\n" not in node.value:
                self.constants.add(node.value)
            if len(node.value) < 200 and DOTTED.match(node.value):
                self.strings.add(node.value)
                self.scope.names.update("'" + part for part in re.split("[.:]", node.value))
            elif len(node.value) < 80 and IDENTIFIER.match(node.value):
                self.scope.names.add("'" + node.value)
        elif isinstance(node.value, bytes) and len(node.value) < 200:
            self.word(node.value.decode("latin-1"))

    def visit_Assign(self, node: ast.Assign) -> None:
        match node.targets:
            case [ast.Subscript(value=ast.Name(id=name), slice=ast.Constant())]:  # an entry of a table
                if self.is_outside() and is_table(node.value):
                    self.table(name, [node.value])
                    return
        self.assigned(node, [t.id if isinstance(t, ast.Name) else "" for t in node.targets], node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.assigned(node, [node.target.id if isinstance(node.target, ast.Name) else ""], node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target.id == "__all__" and self.exported(node.value):
            return
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        """`TABLE.update({...})` adds to a table."""
        match node.value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="__all__"), attr=how), args=[added]):
                if self.exported(added if how == "extend" else ast.List([added], ast.Load())):
                    return
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=how), args=args, keywords=[]):
                changes = how in ("append", "extend", "update", "setdefault", "add", "insert")
                if changes and self.is_outside() and all(is_table(a) for a in args):
                    self.table(name, args)
                    return
        self.generic_visit(node)

    def is_outside(self) -> bool:
        """Whether this is a statement of the module itself."""
        return not self.function and not self.inside_class

    def assigned(self, node: ast.Assign | ast.AnnAssign, targets: list[str], value: ast.expr | None) -> None:
        if "__all__" in targets and value is not None and self.exported(value):
            return
        own = self.is_outside() and len(targets) == 1 and targets[0]
        if own and isinstance(value, ast.Constant) and isinstance(value.value, str) and not self.flags:
            self.values[targets[0]] = value.value
        if own and value is not None and not targets[0].startswith("__") and is_table(value):
            self.table(targets[0], [value])
            return
        self.generic_visit(node)

    def exported(self, value: ast.expr) -> bool:
        """Note the names of `__all__`; whether they are all constants. To be exported is not to be used."""
        if not isinstance(value, (ast.List, ast.Tuple)):
            return False
        names = [e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        self.exports += names
        return len(names) == len(value.elts)


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


if __name__ == "__main__":
    main()
