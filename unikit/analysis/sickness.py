"""What is wrong with installed packages: files that do not compile, files that two distributions installed, builds
for other systems."""

from __future__ import annotations

import re
from pathlib import Path

from unikit.analysis.installed import Environment, Installed
from unikit.analysis.walk import Walk
from unikit.model import Module

# cpython-311-x86_64-linux-gnu, in the names of extension modules (PEP 3149)
TAG = re.compile(r"\.(?:cpython-(?P<python>\d+)\w*-(?P<system>[\w-]+)|cp(?P<windows>\d+)-\w+)\.(?:so|pyd|dylib)$")


def broken(walk: Walk) -> list[str]:
    """A sentence for every kept module of a package that does not compile."""
    said = []
    for name, scanned in sorted(walk.scanned.items()):
        module: Module = walk.graph.nodes[f"module:{name}"]["node"]
        if scanned.error and module.layer == "dependencies":
            line, message, _ = scanned.error
            where = f"{module.path}:{line}" if line else str(module.path)
            said.append(f"{where}: {name} does not compile ({message}); importing it fails")
    return said


def twice(walk: Walk, installed: Environment) -> list[str]:
    """A sentence for every two distributions that both installed a kept module: the later one has overwritten it."""
    owners: dict[Path, list[Installed]] = {}
    for distribution in installed.all:
        for file in distribution.files:
            owners.setdefault(file, []).append(distribution)
    pairs: dict[tuple[str, ...], tuple[str, Path]] = {}
    for module in sorted(walk.loaded(), key=lambda m: m.name):
        names = tuple(d.distribution.name for d in owners.get(module.path, ())) if module.path else ()
        if len(names) > 1 and module.path:
            pairs.setdefault(names, (module.name, module.path))
    return [
        f"{' and '.join(names)} both install the module {module} ({path}): what was installed last counts; remove one"
        for names, (module, path) in pairs.items()
    ]


def foreign(walk: Walk, name: str) -> str:
    """Why a module is not there though a file of its name is: it is for another Python or another system."""
    parent, _, last = name.rpartition(".")
    package = walk.finder.find(parent) if parent else None
    folders = package.folders if package else tuple(folder for folder, _, _ in walk.finder.roots)
    for folder in () if parent and package is None else folders:
        for file in sorted(walk.finder.listing(folder)):
            match = TAG.search(file)
            if match is None or file[: match.start()] != last:
                continue
            if match["windows"] or not file.endswith(".so"):
                return f"{folder / file} is for another operating system"
            if "musl" in match["system"]:
                return f"{folder / file} is for musl, another C library"
            if not match["system"].startswith("x86_64-linux"):
                return f"{folder / file} is for {match['system']}"
            if match["python"] != "".join(map(str, walk.source.python.version[:2])):
                return f"{folder / file} is for Python {match['python'][0]}.{match['python'][1:]}"
    return ""
