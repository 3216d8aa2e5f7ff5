"""The fourth stage: the root file system, of what the application reaches and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from unikit import cache, paths
from unikit.analysis.finder import OWN, Finder
from unikit.analysis.source import MAIN
from unikit.analysis.walk import MAIN as MAIN_MODULE
from unikit.image import known, layout, leftout
from unikit.image.bytecode import Compiled, Unit, compile_all
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
from unikit.native import elf
from unikit.target import freeze_point

# How tracebacks name the finder in the guest: as a part of the import system, which they leave out.
IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
# Large sets of which a program uses a few: a traced image has those that the run has used.
COLLECTIONS = ("/usr/share/zoneinfo/", *(f"{folder}/" for folder in map(str, layout.TERMINFO)))
# They unwind by nature; whether the tables of the other files are needed depends on these.
UNWINDERS = ("libgcc_s.so.1", "libc.so.6", "ld-linux-x86-64.so.2")


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
    imports = natives.imports
    for file in layout.fixed(natives):
        asked = file.path.startswith(f"{layout.ZONES}/") and "zoneinfo" in imports.source.settings.include
        if imports.mode != "traced" or asked or file.path in imports.seen or not file.path.startswith(COLLECTIONS):
            yield file
    yield from _elves(natives)
    yield from _modules(natives)
    yield from _data(natives.imports.data)


def _elves(natives: Natives) -> Iterator[ImageFile]:
    """The C library and libgcc unwind where a thread ends, and do without the tables of others there. So these are in
    the image only if another file unwinds as well: one that throws exceptions, or prints its own stack."""
    unwind = any(elf.unwinds(file.host) for file in natives.files if file.soname not in UNWINDERS)
    for library in natives.files:
        keep = unwind or library.soname in UNWINDERS
        path = cache.entry("elf", digest("slim 2", keep, digest_file(library.host)))
        if not path.exists():
            cache.store(path, elf.slim(library.host.read_bytes(), unwind=keep), 0o755)
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
        readable = place[1] in shown or (bool(shown) and module.name in imports.with_text)
        unit = Unit(module.path, place[0], columns=readable)
        units[unit], names[unit] = place[1], module.name
    text = leftout.table(imports) if imports.mode != "none" else ""
    main = _main(natives, leftout.FINDER if text else "")
    compiled = compile_all(python, [*units, main])
    found = {}
    for unit, layer in units.items():
        pair = list(_pair(unit, layer, compiled, python.cache_tag))
        found[names[unit]] = pair[0].path
        yield from pair
    found.update({name: library.guest for name, library in natives.extensions})
    yield known.table(python, found)
    yield ImageFile(MAIN, FileKind.FILE, 0o644, "app", compiled.files[main])
    if source.entry is not None and source.settings.sources != "none":
        yield ImageFile(source.start.guest, FileKind.FILE, 0o644, "app", source.entry)
    yield layout.folder(f"{python.guest_stdlib}/lib-dynload", layer="interpreter")  # the other landmark
    if text:
        telling = Unit(paths.TARGET / "left_out.py", IMPORT_SYSTEM, columns=False)
        yield layout.text(leftout.TABLE, text, "app")
        yield ImageFile(leftout.FINDER, FileKind.FILE, 0o644, "app", compile_all(python, [telling]).files[telling])


def _main(natives: Natives, finder: str) -> Unit:
    """The program: the entry with what `python` sets before it, or the launcher of a served application."""
    source = natives.imports.source
    start = replace(
        source.start,
        processes="module:_posixsubprocess" in natives.imports.graph,
        uvloop="module:uvloop" in natives.imports.graph,
        ctypes="module:ctypes.util" in natives.imports.graph,
        freeze=source.settings.freeze and not _freezes_itself(natives),
        frozen=source.settings.freeze,
    )
    if source.entry is not None:
        return Unit(source.entry, source.start.guest, start, finder, columns=source.settings.sources != "none")
    path = cache.entry("launcher", digest(source.launcher), ".py")
    cache.store(path, source.launcher.encode())
    return Unit(path, source.start.guest, start, finder)


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


def _pair(unit: Unit, layer: Layer, compiled: Compiled, tag: str) -> Iterator[ImageFile]:
    """The files of one module: compiled alone, or, where it has columns to mark in it, with its source."""
    if unit not in compiled.files:  # it does not compile: whoever imports it is to see the same SyntaxError
        yield ImageFile(unit.guest, FileKind.FILE, 0o644, layer, unit.source)
        return
    if not unit.columns:
        yield ImageFile(f"{unit.guest}c", FileKind.FILE, 0o644, layer, compiled.files[unit])
        return
    folder, _, name = unit.guest.rpartition("/")
    yield ImageFile(unit.guest, FileKind.FILE, 0o644, layer, unit.source)
    cached = f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
    yield ImageFile(cached, FileKind.FILE, 0o644, layer, compiled.files[unit])


def _is_in_program(module: Module) -> bool:
    return module.kind in (ModuleKind.FROZEN, ModuleKind.BUILTIN)


def _data(files: Iterable[DataFile]) -> Iterator[ImageFile]:
    for file in files:
        own = file.layer != "interpreter"
        yield ImageFile(file.guest, FileKind.FILE, _mode(file.host), file.layer, file.host, data=own)


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o111 else 0o644


def only(pruned: Pruned, layer: Layer) -> Pruned:
    """The files of one layer."""
    return replace(pruned, files=tuple(f for f in pruned.files if f.layer == layer))
