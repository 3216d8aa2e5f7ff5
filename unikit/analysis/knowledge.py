"""What others have found out about packages: the hooks that packages ship for PyInstaller (entry point `pyinstaller40`)
and those of `pyinstaller-hooks-contrib`, evaluated by the target interpreter; and a few facts of our own, where neither
has any."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from unikit import paths
from unikit.analysis import guesses
from unikit.analysis.installed import Environment
from unikit.analysis.interpreter import environment
from unikit.analysis.walk import Walk
from unikit.hooks import packages
from unikit.model import DataFile, Edge, EdgeKind, Module

GROUP = "pyinstaller40"
DEADLINE = 60


@dataclass
class Known:
    """What the hooks of the kept modules say beside imports."""

    data: list[DataFile] = field(default_factory=list)
    metadata: set[str] = field(default_factory=set)


def apply(walk: Walk, installed: Environment) -> Known:
    """Follow what hooks say of the modules in the graph, until nothing new comes."""
    known, done = Known(), set[str]()
    folders = _folders(walk, installed)
    while True:
        new = [m for m in walk.loaded() if m.layer in ("app", "dependencies") and m.name not in done]
        if not new:
            return known
        done.update(m.name for m in new)
        fresh = [m for m in new if m.layer == "dependencies"]
        for framework, convention in packages.CONVENTIONS.items():
            for module in (m for m in new if m.layer == "app" and walk.has(framework)):
                _conventional(walk, module, framework, convention)
        for module in fresh:
            for name in packages.HIDDEN.get(module.name, ()):
                _hidden(walk, module, name, "unikit")
        found = {m.name: (m, path) for m in fresh if (path := _hook(folders, m.name))}
        if found:
            _evaluate(walk, found, known)
        walk.run()


def _conventional(walk: Walk, module: Module, framework: str, convention: packages.Convention) -> None:
    """What a framework takes from a module of the application without an import that names it."""
    evidence = f"convention of {framework}"
    if module.folders:
        for name in convention.beside:
            _hidden(walk, module, f"{module.name}.{name}", evidence)
    if module.path and module.name in walk.scanned and convention.table.encode() in module.path.read_bytes():
        edge = Edge(EdgeKind.IMPORTS, True, True, "hook", (str(module.path), evidence))
        for text in sorted(walk.scanned[module.name].constants):
            if text.isidentifier():
                guesses.named(walk, module, text, edge)


def _folders(walk: Walk, installed: Environment) -> list[Path]:
    """The folders of hooks; those that packages bring come first."""
    folders = []
    for modules in installed.providers(GROUP).values():
        for name in modules:
            module = walk.finder.find(name)
            if module is not None:
                folders += list(module.folders) or ([module.path.parent] if module.path else [])
    contributed = importlib.util.find_spec("_pyinstaller_hooks_contrib")
    if contributed is not None and contributed.submodule_search_locations:
        folders += [Path(f) / "stdhooks" for f in contributed.submodule_search_locations]
    return folders


def _hook(folders: list[Path], name: str) -> Path | None:
    return next((f for folder in folders if (f := folder / f"hook-{name}.py").is_file()), None)


def _evaluate(walk: Walk, found: dict[str, tuple[Module, Path]], known: Known) -> None:
    request = json.dumps([[name, str(path)] for name, (_, path) in found.items()])
    try:
        done = subprocess.run(
            [str(walk.source.python.path), str(paths.TARGET / "hooks.py")], input=request, capture_output=True,
            text=True, timeout=DEADLINE, env=environment(),
        )  # fmt: skip
        answer = json.loads(done.stdout.rpartition("\n")[2])
    except (subprocess.TimeoutExpired, ValueError):
        walk.warnings.append(f"the hooks of {', '.join(found)} could not be read: computed imports may be missed")
        return
    for name, hidden, datas, metadata in answer:
        module, path = found[name]
        for target in hidden:
            _hidden(walk, module, target, str(path))
        for source, target in datas:
            _data(walk, known, Path(source), target, name)
        known.metadata.update(metadata)


def _hidden(walk: Walk, module: Module, name: str, evidence: str) -> None:
    edge = Edge(EdgeKind.IMPORTS, True, True, "hook", (evidence,))
    wanted = walk.finder.find(name.removesuffix(".*"))
    if wanted is None:
        return
    walk.want(module, wanted.name, edge)
    if name.endswith(".*"):
        walk.want_all(module, wanted, edge)


def _data(walk: Walk, known: Known, path: Path, target: str, name: str) -> None:
    """A data file stays where it is among the packages; what a hook puts elsewhere goes where it says."""
    files = [p for p in sorted(path.rglob("*")) if p.is_file()] if path.is_dir() else [path]
    for file in files:
        place = walk.finder.guest(file)
        below = file.relative_to(path) if path.is_dir() else Path(file.name)
        guest = place[0] if place else f"{walk.source.python.guest_site}/{Path(target, below).as_posix()}"
        if file.suffix not in (".py", ".pyc", ".pyi") and file.is_file():
            known.data.append(DataFile(file, guest, "dependencies", f"hook of {name}"))
