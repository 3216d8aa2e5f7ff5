"""The fourth stage: the root file system, of what the application reaches and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from unikit import cache, elf, known, layout
from unikit.bytecode import Compiled, Unit, compile_all
from unikit.finder import OWN, Finder
from unikit.hooks import optional
from unikit.model import (
    LAYERS,
    DataFile,
    FileKind,
    ImageFile,
    Layer,
    Module,
    ModuleKind,
    Natives,
    Pruned,
    digest,
    digest_file,
)
from unikit.source import MAIN
from unikit.target import freeze_point
from unikit.walk import MAIN as MAIN_MODULE

# What the standard library imports and can do without; packages that are left out need no stand-in.
STUBBED = frozenset(m for rule in optional.RULES for m in rule.modules if not m.startswith("_"))

# A module left out by rule: importing it says so, as the ImportError that its importers expect.
LEFT_OUT = """raise ModuleNotFoundError(
    "No module named {name!r} (left out of this image; to keep it, add {name!r} to `include` below [tool.unikit])",
    name={name!r},
)
"""


def prune(natives: Natives) -> Pruned:
    """Lay out the root file system.

    The standard library and the packages are there as compiled modules in place of their source, the application's own
    modules as source with the compiled ones beside it (`sources` in the settings says otherwise), ELF files without
    what nothing maps. The content of the files does not depend on when or where the image is built."""
    boot = layout.boot_settings(natives)
    files: dict[str, ImageFile] = {}
    for file in _everything(natives):
        files.setdefault(file.path, file)
    files["/.unikit/boot.conf"] = layout.boot_file(boot)
    for path in list(files):
        for parent in PurePosixPath(path).parents:
            if str(parent) not in files:
                files[str(parent)] = layout.folder(str(parent), layer=files[path].layer)
    files.pop("/", None)
    ordered = tuple(sorted(files.values(), key=lambda f: PurePosixPath(f.path).parts))
    sizes = tuple((layer, sum(f.size for f in ordered if f.layer == layer)) for layer in LAYERS)
    return Pruned(natives, ordered, boot, sizes)


def _everything(natives: Natives) -> Iterator[ImageFile]:
    yield from layout.fixed(natives)
    yield from _elves(natives)
    yield from _modules(natives)
    yield from _data(natives.imports.data)


def _elves(natives: Natives) -> Iterator[ImageFile]:
    for library in natives.files:
        path = cache.entry("elf", digest("slim 1", digest_file(library.host)))
        if not path.exists():
            cache.store(path, elf.slim(library.host.read_bytes()), 0o755)
        yield ImageFile(library.guest, FileKind.FILE, 0o755, library.layer, path)


def _modules(natives: Natives) -> Iterator[ImageFile]:
    imports = natives.imports
    source, python = imports.source, imports.source.python
    finder = Finder(python, source.search)
    shown = {"app": {"app"}, "all": {"app", "dependencies", "interpreter"}, "none": set()}[source.settings.sources]
    units: dict[Unit, Layer] = {}
    names: dict[Unit, str] = {}
    landmark = f"{python.guest_stdlib}/os.py"  # by it the interpreter knows its prefix
    for module in imports.modules:
        if module.path is None or module.kind is ModuleKind.EXTENSION or module.name == MAIN_MODULE:
            continue
        place = finder.guest(module.path)
        if place is None or (_is_in_program(module) and place[0] != landmark):
            continue
        if module.kind is ModuleKind.BYTECODE or module.path.suffix == ".pyc":
            yield ImageFile(place[0], FileKind.FILE, 0o644, place[1], module.path)
            continue
        units[Unit(module.path, place[0])] = place[1]
        names[Unit(module.path, place[0])] = module.name
    main = _main(natives, units)
    compiled = compile_all(python, [*units, main])
    found = {}
    for unit, layer in units.items():
        pair = list(_pair(unit, layer, compiled, python.cache_tag, layer in shown))
        found[names[unit]] = pair[0].path
        yield from pair
    found.update({name: library.guest for name, library in natives.extensions})
    yield known.table(python, found)
    yield ImageFile(MAIN, FileKind.FILE, 0o644, "app", compiled.files[main])
    if source.entry is not None and source.settings.sources != "none":
        yield ImageFile(source.start.guest, FileKind.FILE, 0o644, "app", source.entry)
    yield layout.folder(f"{python.guest_stdlib}/lib-dynload", layer="interpreter")  # the other landmark
    stubs = [n for n, _ in imports.dropped if f"module:{n}" not in imports.graph and n in STUBBED]
    for stub in _stubs(stubs, python.guest_stdlib):
        path = compile_all(python, [stub]).files[stub]
        yield ImageFile(f"{stub.guest}c", FileKind.FILE, 0o644, "interpreter", path)


def _main(natives: Natives, units: dict[Unit, Layer]) -> Unit:
    """The program: the entry with what `python` sets before it, or the launcher of a served application."""
    source = natives.imports.source
    start = replace(
        source.start,
        processes="module:_posixsubprocess" in natives.imports.graph,
        freeze=source.settings.freeze and not _freezes_itself(natives),
    )
    if source.entry is not None:
        return Unit(source.entry, source.start.guest, start)
    path = cache.entry("launcher", digest(source.launcher), ".py")
    cache.store(path, source.launcher.encode())
    return Unit(path, source.start.guest, start)


def _freezes_itself(natives: Natives) -> bool:
    """Does a module of the application call unikit.freeze()?"""
    graph = natives.imports.graph
    for name in graph.predecessors(f"module:{OWN}") if f"module:{OWN}" in graph else ():
        module = graph.nodes[name]["node"]
        if module.layer == "app" and module.path:
            try:
                if freeze_point.freezes_itself(ast.parse(module.path.read_bytes())):
                    return True
            except SyntaxError:  # of another Python than this one
                continue
    return False


def _pair(unit: Unit, layer: Layer, compiled: Compiled, tag: str, shown: bool) -> Iterator[ImageFile]:
    """The files of one module: compiled alone, or source and compiled."""
    if unit not in compiled.files:  # it does not compile: whoever imports it is to see the same SyntaxError
        yield ImageFile(unit.guest, FileKind.FILE, 0o644, layer, unit.source)
        return
    if not shown:
        yield ImageFile(f"{unit.guest}c", FileKind.FILE, 0o644, layer, compiled.files[unit])
        return
    folder, _, name = unit.guest.rpartition("/")
    yield ImageFile(unit.guest, FileKind.FILE, 0o644, layer, unit.source)
    cached = f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
    yield ImageFile(cached, FileKind.FILE, 0o644, layer, compiled.files[unit])


def _is_in_program(module: Module) -> bool:
    return module.kind in (ModuleKind.FROZEN, ModuleKind.BUILTIN)


def _stubs(names: Iterable[str], stdlib: str) -> Iterator[Unit]:
    for name in names:
        text = LEFT_OUT.format(name=name).encode()
        path = cache.entry("stub", digest(text), ".py")
        cache.store(path, text)
        yield Unit(path, f"{stdlib}/{name.replace('.', '/')}.py")


def _data(files: Iterable[DataFile]) -> Iterator[ImageFile]:
    for data in files:
        yield ImageFile(data.guest, FileKind.FILE, _mode(data.host), data.layer, data.host)


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o111 else 0o644


def only(pruned: Pruned, layer: Layer) -> Pruned:
    """The files of one layer."""
    return replace(pruned, files=tuple(f for f in pruned.files if f.layer == layer))
