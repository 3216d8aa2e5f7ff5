"""Finds modules as the target interpreter's import system would (importlib: BuiltinImporter, FrozenImporter,
PathFinder), without running anything."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from unikit import paths
from unikit.model import Interpreter, Layer, Module, ModuleKind

# modules that stand under a second name in sys.modules
ALIASES = {"os.path": "posixpath"}
# what an application may say to unikit; where the tool itself is installed, its package has the same names
OWN = "unikit"
OWN_FOLDER = paths.TARGET / "guest"


class Finder:
    """The search path of the application: its own folders, the standard library, installed packages."""

    def __init__(self, python: Interpreter, app: tuple[tuple[Path, str], ...]) -> None:
        self.python = python
        self.roots: list[tuple[Path, str, Layer]] = [
            *((folder, guest, "app") for folder, guest in app),
            (python.stdlib, python.guest_stdlib, "interpreter"),
            (python.dynload, f"{python.guest_stdlib}/lib-dynload", "interpreter"),
            *((folder, python.guest_site, "dependencies") for folder in python.site),
        ]
        self._listings: dict[Path, frozenset[str]] = {}
        self._found: dict[str, Module | None] = {}
        self._extra: dict[str, tuple[Path, ...]] = {}

    @cached_property
    def _suffixes(self) -> tuple[tuple[str, ModuleKind], ...]:
        extensions = tuple((s, ModuleKind.EXTENSION) for s in self.python.suffixes)
        return (*extensions, (".py", ModuleKind.SOURCE), (".pyc", ModuleKind.BYTECODE))

    def find(self, name: str) -> Module | None:
        """The module of that absolute name, or None. Its parents are taken to be imported before it."""
        name = ALIASES.get(name, name)
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def add_folders(self, package: str, folders: tuple[Path, ...]) -> None:
        """What a package adds to its `__path__` when it runs."""
        self._extra[package] = folders
        self._found = {k: v for k, v in self._found.items() if k != package and not k.startswith(package + ".")}

    def _find(self, name: str) -> Module | None:
        parent, _, last = name.rpartition(".")
        if not last.isidentifier() and not self._is_odd(last):
            return None
        if not parent:
            if name in self.python.builtins:
                return Module(name, ModuleKind.BUILTIN, None, "interpreter")
            places = [(folder, layer) for folder, _, layer in self.roots]
        else:
            package = self.find(parent)
            if package is None:
                return None
            places = [(folder, package.layer) for folder in package.folders]
        found = self._search(name, last, places)
        if name == OWN and (found is None or found.layer != "app"):
            return Module(name, ModuleKind.SOURCE, OWN_FOLDER / "__init__.py", "interpreter", (OWN_FOLDER,))
        if name in self.python.frozen and (found is None or found.layer == "interpreter"):
            folders = found.folders if found else ()
            return Module(name, ModuleKind.FROZEN, found.path if found else None, "interpreter", folders)
        return found

    @staticmethod
    def _is_odd(name: str) -> bool:
        """Names such as `_sysconfigdata__x86_64-linux-gnu` and `0001_initial` are imported by `__import__` only."""
        return ("_" + name).replace("-", "_").isidentifier()

    def _search(self, name: str, last: str, places: list[tuple[Path, Layer]]) -> Module | None:
        portions: list[tuple[Path, Layer]] = []
        for folder, layer in places:
            listing = self.listing(folder)
            if last in listing:
                inside = self.listing(folder / last)
                for suffix, kind in self._suffixes:
                    if "__init__" + suffix in inside:
                        folders = (folder / last, *self._extra.get(name, ()))
                        kind = ModuleKind.PACKAGE if kind is ModuleKind.SOURCE else kind
                        return Module(name, kind, folder / last / ("__init__" + suffix), layer, folders)
            for suffix, kind in self._suffixes:
                if last + suffix in listing and (folder / (last + suffix)).is_file():
                    return Module(name, kind, folder / (last + suffix), layer)
            if last in listing and (folder / last).is_dir():
                portions.append((folder / last, layer))
        if portions:
            return Module(name, ModuleKind.NAMESPACE, None, portions[0][1], tuple(p for p, _ in portions))
        return None

    def listing(self, folder: Path) -> frozenset[str]:
        """The names in a folder; empty where it is none."""
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._listings[folder] = frozenset()
        return self._listings[folder]

    def submodules(self, package: Module) -> list[str]:
        """The full names of a package's modules that are files, sorted."""
        names = set()
        for folder in package.folders:
            for item in self.listing(folder):
                stem = item.partition(".")[0]
                if stem == "__init__" or not ("_" + stem).isidentifier():
                    continue
                if any(item == stem + suffix for suffix, _ in self._suffixes) or self.listing(folder / item) & {
                    "__init__" + suffix for suffix, _ in self._suffixes
                }:
                    names.add(f"{package.name}.{stem}")
        return sorted(names)

    def guest(self, path: Path) -> tuple[str, Layer] | None:
        """The guest path of a file below one of the roots (the innermost one), and its layer."""
        if path.parent == OWN_FOLDER:
            return f"{self.python.guest_stdlib}/{OWN}/{path.name}", "interpreter"
        best: tuple[int, str, Layer] | None = None
        for folder, guest, layer in self.roots:
            if path.is_relative_to(folder):
                depth = len(folder.parts)
                relative = path.relative_to(folder).as_posix()
                if best is None or depth > best[0]:
                    best = (depth, guest if relative == "." else f"{guest}/{relative}", layer)
        return (best[1], best[2]) if best else None
