"""Files that are not modules and that kept modules need: package data, and what the application names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from unikit.analysis import source as sources
from unikit.analysis.finder import Finder
from unikit.analysis.walk import Walk
from unikit.hooks import packages
from unikit.model import AppKind, DataFile, Module, ModuleKind

# sources of compiled modules, types, documentation: nothing reads them when the program runs
SKIPPED = {
    ".py", ".pyc", ".pyo", ".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".cuh", ".f",
    ".f90",
    ".o", ".a", ".la", ".rst", ".md", ".orig", ".in", ".am",
}  # fmt: skip
SKIPPED_NAMES = {"py.typed", "Makefile", "CMakeLists.txt", "meson.build", "LICENSE", "LICENSE.txt", "COPYING"}
SKIPPED_FOLDERS = {
    "tests",
    "test",
    "testing",
    "docs",
    "doc",
    "examples",
    "__pycache__",
    "include",
    ".git",
    "benchmarks",
}


def collect(walk: Walk) -> list[DataFile]:
    """The data files of every kept package, and of the application what its strings and its frameworks name."""
    found: list[DataFile] = []
    for module in sorted(walk.loaded(), key=lambda m: m.name):
        if module.layer == "interpreter":
            continue
        if module.kind in (ModuleKind.PACKAGE, ModuleKind.BYTECODE, ModuleKind.NAMESPACE) or module.folders:
            for folder in module.folders:
                found += _of_folder(walk.finder, folder, module)
        if module.layer == "app" and module.path is not None:
            found += _named(walk, module, module.path)
    whole = [f for f in walk.source.files if ".so" not in f.host.suffixes or wanted(f.host)]
    found += [DataFile(f.host, f.guest, "app", "the application's folder") for f in whole]
    return found


def matching(root: Path, pattern: str) -> list[tuple[Path, str]]:
    """The files that a pattern of the settings means (a folder means all below it), and their guest paths."""
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        return []
    files: list[Path] = []
    for path in sorted(root.glob(pattern)):
        files += list(sources.walk(path)) if path.is_dir() else [path]
    return [(f, f"{sources.GUEST_APP}/{f.relative_to(root).as_posix()}") for f in files]


def _of_folder(finder: Finder, folder: Path, module: Module) -> Iterator[DataFile]:
    for name in sorted(finder.listing(folder)):
        path = folder / name
        if path.is_dir():
            package = any(n.startswith("__init__.") for n in finder.listing(path))
            skipped = name in SKIPPED_FOLDERS or name.endswith((".dist-info", ".egg-info", ".libs"))
            if not skipped and not package and module.kind is not ModuleKind.NAMESPACE:
                yield from _of_folder(finder, path, module)
        elif path.is_file() and wanted(path):
            place = finder.guest(path)
            if place:
                yield DataFile(path, place[0], place[1], f"data of {module.name}")


def wanted(path: Path) -> bool:
    """Whether a file of a package can matter when the program runs. A shared library does, an extension module that
    nothing imports does not."""
    if path.suffix in SKIPPED or path.name in SKIPPED_NAMES or path.name.startswith("."):
        return False
    if ".so" in path.suffixes:
        with path.open("rb") as file:
            return b"PyInit_" not in file.read()
    return True


def _named(walk: Walk, module: Module, path: Path) -> Iterator[DataFile]:
    """Relative names of files and folders in the strings of an application's module, and the folders that its framework
    looks for beside it."""
    if walk.source.kind in (AppKind.PROJECT, AppKind.PACKAGE) and not walk.source.served:
        return  # the whole folder is there already
    scanned = walk.scanned.get(module.name)
    if scanned is None:
        return
    tops = {i.module.partition(".")[0] for i in scanned.imports if not i.level}
    names = {n for n in scanned.constants if re.fullmatch(r"[\w][\w .@+-]*(/[\w .@+-]+)*/?", n)}
    names |= {f for top in tops for f in packages.FOLDERS.get(top, ())}
    for name in sorted(names):
        for base in dict.fromkeys((path.parent, walk.source.root)):
            target = base / name
            files = list(sources.walk(target)) if target.is_dir() and _is_data_folder(target) else [target]
            for file in files:
                if file.is_file() and file.suffix not in SKIPPED and (place := walk.finder.guest(file)):
                    yield DataFile(file, place[0], "app", f"named in {path}")


def _is_data_folder(folder: Path) -> bool:
    return not (folder / "__init__.py").exists() and folder.name not in sources.SKIPPED_FOLDERS
