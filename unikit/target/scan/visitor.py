"""Names, constants and calls: what is used."""

from __future__ import annotations

import ast
import re

from .expressions import is_table
from .flow import MAIN
from .imports import Imports

DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?::[A-Za-z_]\w*)?\Z")
# calls whose first argument names a module
IMPORTERS = {"__import__", "import_module", "import_string", "resolve_name", "find_spec", "lazy_import", "load_module"}
# calls that find modules by themselves
DISCOVERERS = {"iter_modules", "walk_packages", "spec_from_file_location", "run_path", "run_module", "SourceFileLoader"}
IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z")
COMPUTED = re.compile(r"([A-Za-z]\w*_)(?:%s|%r|\{\w*\})\Z|(?:%s|%r|\{\w*\})(_\w+)\Z")
# functions without arguments that hand out all names of their module
REFLECTIVE = {"globals", "locals", "vars", "dir"}
# functions of inspect that need the source of what they are asked about
TEXTS = {"getsource", "getsourcelines", "findsource"}
# calls one of whose arguments names an encoding
CODED = {
    "encode", "decode", "open", "lookup", "getreader", "getwriter", "getencoder", "getdecoder", "TextIOWrapper", "str",
    "bytes", "read_text", "write_text", "getincrementaldecoder", "getincrementalencoder", "register_charset",
    "add_charset",
}  # fmt: skip


class Scan(Imports):
    """Everything that a file says; `result` is what standard output tells of it."""

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

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self.app and isinstance(node.ctx, ast.Load):
            self.call_of(node.value, "__getitem__")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if self.app and isinstance(operator, (ast.In, ast.NotIn)):
                self.call_of(right, "__contains__")
        self.generic_visit(node)

    def call_of(self, base: ast.expr, *method: str) -> None:
        """Note the call of a function, or of a method of what an expression names."""
        parts, line = [*method], base.lineno
        while isinstance(base, ast.Attribute):
            parts.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            now = not self.flags & ~MAIN
            self.scope.calls.add((line, base.id, ".".join(reversed(parts)), now))

    def called(self, node: ast.Call, name: str) -> None:
        """What a call says about names: whose function it is, and which names are computed."""
        self.call_of(node.func)
        if ((name in REFLECTIVE and not node.args) or name == "getmembers") and self.function != "__dir__":
            self.scope.names.add("*")
        if name in TEXTS and not self.does_without:
            self.scope.text = True
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
