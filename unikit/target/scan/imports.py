"""Imports: statements, and calls that import by name."""

from __future__ import annotations

import ast
import re

from .expressions import folded, start_of
from .flow import CONDITIONAL, DYNAMIC, GUARDED, Flow


class Imports(Flow):
    """What is imported."""

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

    def called_import(self, name: str, node: ast.Call) -> None:
        first, level = node.args[0], 0
        if (text := folded(first, self.values)) is not None:
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
            start, _ = start_of(node.args[0], self.values)
            package = folded(node.args[1], self.values) if start.startswith(".") and len(node.args) > 1 else None
            if not self.attribute:  # what a module's __getattr__ imports, somebody asks for
                self.scope.computed_imports.add(f"{package}{start}" if package else start)
