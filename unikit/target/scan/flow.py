"""The walk over statements: which of them run, and as part of what."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

from .conditions import decide
from .expressions import last_name
from .scope import Scope

# how an import is reached
CONDITIONAL, GUARDED, LAZY, DYNAMIC, MAIN = 1, 2, 4, 8, 16
TEXT_ERRORS = {"OSError", "IOError", "EnvironmentError", "Exception", "BaseException"}  # inspect.getsource's
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
WORD = re.compile(r"[A-Za-z_]\w*")
# decorators that change a function and keep it nowhere else; any other one may register it for others to call
INERT = re.compile(
    r"staticmethod|classmethod|\w*property|abstractmethod|setter|getter|deleter|wraps|\w*cache|overload|override|final"
    r"|(async)?contextmanager|\w*deprecat\w*|memoized?\w*|set_module|array_function_dispatch|(_copy_|_)?doc\w*|Appender"
    r"|Substitution|interpd|validate_params|_preprocess_data|no_type_check|total_ordering|coroutine|set_array_function_\w+"
)


class Flow(ast.NodeVisitor):
    """`kind`: "main" is the file that is run, "app" another one of the application."""

    def __init__(self, words: re.Pattern[str], kind: str) -> None:
        self.pattern, self.main, self.app = words, kind == "main", bool(kind)
        self.flags, self.function, self.attribute = 0, "", ""
        self.inside_class, self.class_name = False, ""
        self.does_without = False  # an exception for missing text is caught
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
        before, self.does_without = self.does_without, self.does_without or bool(caught & TEXT_ERRORS)
        self.inside(node.body, GUARDED if guarded else 0)
        self.does_without = before
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

    def word(self, text: str) -> None:
        if self.pattern.search(text):
            self.words.update(w for w in WORD.findall(text) if self.pattern.search(w))

    def is_outside(self) -> bool:
        """Whether this is a statement of the module itself."""
        return not self.function and not self.inside_class
