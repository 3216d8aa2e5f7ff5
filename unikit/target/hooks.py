"""Evaluates hooks written for PyInstaller: Python files that name, for one package, what no analysis finds.

Standard input: JSON list of [module, hook file]. Standard output, last line: JSON list of [module, hidden imports,
[data file, folder it goes to], distributions whose metadata is wanted]. The part of PyInstaller's hook API that
hooks use is given to them by stand-ins that look at files only; a hook that wants more is passed over."""

from __future__ import annotations

import fnmatch
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import logging
import os
import re
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

sys.path.pop(0)
METADATA = "metadata:"
SKIPPED_DATA = (".py", ".pyc", ".pyo", ".pyi")
logger = logging.getLogger("hooks")
logger.addHandler(logging.NullHandler())


def folders_of(package: str) -> list[str]:
    """The folders of a package, found without importing it or its parents."""
    path: list[str] | None = None
    for part in package.split("."):
        spec = importlib.machinery.PathFinder.find_spec(part, path)
        if spec is None or spec.submodule_search_locations is None:
            return []
        path = list(spec.submodule_search_locations)
    return path or []


def origin_of(module: str) -> str | None:
    parent, _, last = module.rpartition(".")
    spec = importlib.machinery.PathFinder.find_spec(last, folders_of(parent) if parent else None)
    return spec.origin if spec else None


def walk_modules(package: str) -> Iterator[str]:
    yield package
    for folder in folders_of(package):
        for name in sorted(os.listdir(folder)):
            stem = name.partition(".")[0]
            if os.path.isdir(os.path.join(folder, name)):
                if os.path.exists(os.path.join(folder, name, "__init__.py")):
                    yield from walk_modules(f"{package}.{name}")
            elif stem != "__init__" and name.endswith((".py", *importlib.machinery.EXTENSION_SUFFIXES)):
                yield f"{package}.{stem}"


def collect_submodules(package: str, filter: Callable[[str], bool] = lambda name: True, **_: Any) -> list[str]:
    if not folders_of(package):
        return [package] if origin_of(package) else []
    return [name for name in dict.fromkeys(walk_modules(package)) if filter(name) and not name.endswith(".__main__")]


def collect_data_files(
    package: str,
    include_py_files: bool = False,
    subdir: str | os.PathLike[str] | None = None,
    excludes: list[str] | None = None,
    includes: list[str] | None = None,
) -> list[tuple[str, str]]:
    found = []
    for top in folders_of(package):
        base = os.path.join(top, subdir) if subdir else top
        for folder, names, files in os.walk(base):
            names[:] = [n for n in names if n != "__pycache__"]
            for name in files:
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, top)
                suffixes = (*SKIPPED_DATA, *importlib.machinery.EXTENSION_SUFFIXES)
                if name.endswith(suffixes) and not include_py_files:
                    continue
                if includes and not any(fnmatch.fnmatch(relative, p.replace("**/", "*")) for p in includes):
                    continue
                if excludes and any(fnmatch.fnmatch(relative, p.replace("**/", "*")) for p in excludes):
                    continue
                target = os.path.join(*package.split("."), os.path.dirname(relative))
                found.append((path, os.path.normpath(target)))
    return found


def copy_metadata(name: str, recursive: bool = False) -> list[tuple[str, str]]:
    importlib.metadata.distribution(name)
    return [(METADATA + name, ".")]


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", text.partition("+")[0])[:4])


def is_module_satisfies(requirement: str, version: str | None = None, *_: Any) -> bool:
    name = re.match(r"[\w.-]+", requirement)
    if name is None:
        return False
    try:
        have = version_of(version or importlib.metadata.version(name[0]))
    except importlib.metadata.PackageNotFoundError:
        return False
    for operator, wanted in re.findall(r"(>=|<=|==|!=|~=|>|<)\s*([\w.]+)", requirement):
        want = version_of(wanted)
        mine = have[: len(want)] if operator in ("==", "!=") else have
        holds = {">=": mine >= want, "<=": mine <= want, "==": mine == want, "!=": mine != want, "~=": mine >= want}
        if not {**holds, ">": mine > want, "<": mine < want}[operator]:
            return False
    return True


def get_package_paths(package: str) -> tuple[str, str]:
    folder = folders_of(package)[0]
    return folder[: -len(package.replace(".", os.sep)) - 1], folder


def get_module_file_attribute(module: str) -> str:
    origin = origin_of(module)
    if origin is None:
        raise ImportError(module)
    return origin


def collect_entry_point(group: str) -> tuple[list[tuple[str, str]], list[str]]:
    points = importlib.metadata.entry_points(group=group)
    names = [p.dist.name for p in points if p.dist is not None]
    return [(METADATA + n, ".") for n in names], [p.module for p in points]


def collect_all(package: str, **_: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[str]]:
    return collect_data_files(package, include_py_files=True), [], collect_submodules(package)


class Module(types.ModuleType):
    """A stand-in: facts of a Linux build, and nothing for what it does not know."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("is_linux") or name == "is_unix":
            return True
        if name.startswith("is_py3"):
            return sys.version_info >= (3, int(name[5:] or 0))
        if name.startswith("is_"):
            return False
        if name.startswith("collect_"):
            return lambda *_, **__: []
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


def stand_in() -> None:
    api = (
        collect_submodules, collect_data_files, copy_metadata, get_package_paths, get_module_file_attribute,
        collect_entry_point, collect_all,
    )  # fmt: skip
    for name in (
        "",
        ".utils",
        ".utils.hooks",
        ".compat",
        ".log",
        ".isolated",
        ".depend",
        ".depend.utils",
        ".depend.bindepend",
    ):
        module = Module("PyInstaller" + name)
        module.__path__ = []
        sys.modules["PyInstaller" + name] = module
        parent, _, last = ("PyInstaller" + name).rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)
        module.__dict__.update(logger=logger, base_prefix=sys.base_prefix, version_info=sys.version_info)
        module.__dict__.update(EXTENSION_SUFFIXES=importlib.machinery.EXTENSION_SUFFIXES, __version__="6.0")
    hooks = sys.modules["PyInstaller.utils.hooks"]
    hooks.__dict__.update({f.__name__: f for f in api})
    hooks.__dict__.update(is_module_satisfies=is_module_satisfies, check_requirement=is_module_satisfies)
    hooks.__dict__["can_import_module"] = lambda name: origin_of(name) is not None or bool(folders_of(name))
    hooks.__dict__["package_base_path"] = lambda path, name: path[: -len(name.replace(".", os.sep)) - 1]


def main() -> None:
    request = json.load(sys.stdin)
    answer = os.dup(1)
    os.dup2(2, 1)
    stand_in()
    results = []
    for module, path in request:
        space: dict[str, Any] = {"__name__": f"hook-{module}", "__file__": path}
        try:
            with open(path, encoding="utf-8") as file:
                exec(compile(file.read(), path, "exec"), space)
            datas = [d for d in space.get("datas") or [] if isinstance(d, tuple) and len(d) == 2]
            hidden = [n for n in space.get("hiddenimports") or [] if isinstance(n, str)]
            wanted = [str(s)[len(METADATA) :] for s, _ in datas if str(s).startswith(METADATA)]
            files = [[str(s), str(t)] for s, t in datas if not str(s).startswith(METADATA)]
            results.append([module, hidden, files, wanted])
        except BaseException as error:  # a hook may say that its package is not usable here
            results.append([module, [], [], []])
            sys.stderr.write(f"{path}: {error}\n")
    with os.fdopen(answer, "w") as out:
        out.write("\n" + json.dumps(results))


main()
