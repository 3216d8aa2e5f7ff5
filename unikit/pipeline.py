"""The stages in order, each from the values before it, and the cache that makes a second build immediate.

A stage caches what is dear by the hash of its inputs (objects, kernels, compiled modules, images). On top of that a
whole build is remembered with the state of every file and folder that it looked at (inputs.py): if none has changed,
the image of last time is the answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from unikit import __version__, cache, inputs
from unikit.analysis import imports, lock, natives, scope, source
from unikit.errors import ExitCode, UserError
from unikit.image import compressed, erofs, image, inventory, prune, unpacker, whole
from unikit.image.image import Image
from unikit.image.manifest import Manifest
from unikit.kernel import link
from unikit.kernel.component import Component
from unikit.kernel.link import Kernel
from unikit.kernel.runtime import Runtime
from unikit.model import Imports, Mode, Natives, Pruned, Source, digest, digest_file
from unikit.native import elf, symbols
from unikit.progress import Progress
from unikit.vm import frozen

if TYPE_CHECKING:
    from unikit.native.calls import Calls

# What a guest gets beside its own image if neither the user nor the application says: room for CPython and a service.
ROOM = 192  # MiB
NETWORK = "_socket"
NOT_COMPRESSED = "none"
COMPILED = ("select", "link", "root", "image")  # stages that wait for the runtime's components


@dataclass(frozen=True)
class Request:
    """What is asked for: APP as the user wrote it, the interpreter, lwIP's sources, the compression (`none`, a method,
    or None: as the application's settings say)."""

    app: str
    python: str | None = None
    lwip: Path | None = None
    freeze: bool | None = None  # None: as the application's settings say
    cpu_level: str | None = None
    prune: Mode | None = None  # instead of what the settings say
    tracing: bool = False  # nothing is pruned, and the guest tells what it uses
    compress: str | None = None
    warm: str | None = None  # a command that drives the application before it is frozen

    def load(self) -> Source:
        """The source stage."""
        return source.load(self.app, self.python, freeze=self.freeze, cpu_level=self.cpu_level)


@dataclass(frozen=True)
class Root:
    """The root file system as a file."""

    path: Path
    size: int
    sha256: str


@dataclass
class Build:
    """The values of the stages so far, by the stage's name."""

    request: Request
    values: dict[str, Any] = field(default_factory=dict)
    components: Future[list[Component]] | None = None  # the runtime, compiled while other stages run
    date: int | None = None  # of all files of the image

    @property
    def source(self) -> Source:
        value: Source = self.values["source"]
        return value

    @property
    def pruned(self) -> Pruned:
        value: Pruned = self.values["prune"]
        return value

    @property
    def natives(self) -> Natives:
        value: Natives = self.values["natives"]
        return value

    @property
    def calls(self) -> Calls:
        """The system calls that the files can make: followed when first asked for, since no image depends on it."""
        if "calls" not in self.values:
            from unikit.native import calls  # the disassembler is of no use to a plain build

            self.values["calls"] = calls.analyse(self.natives)
        value: Calls = self.values["calls"]
        return value

    @property
    def compression(self) -> str | None:
        asked = self.request.compress or self.source.settings.compress
        return None if asked == NOT_COMPRESSED else asked

    @property
    def modules(self) -> frozenset[str]:
        value: Imports = self.values["imports"]
        return frozenset(module.name for module in value.modules)


@dataclass(frozen=True)
class Stage:
    name: str
    title: str
    run: Callable[[Build], Any]
    asked: bool = False  # run only if its output is asked for


def _source(build: Build) -> Source:
    return build.request.load()


def _imports(build: Build) -> Imports:
    """The walk's graph, cut or completed as `prune` says."""
    of, mode = build.source, build.request.prune or build.source.settings.prune
    if build.request.tracing:
        found = imports.analyse(of)
        return scope.whole(found, but=[name for name, _ in found.dropped])
    warnings: list[str] = []
    known = lock.require(of) if mode == "traced" else lock.usable(of, warnings)
    found = imports.analyse(of, known.modules if known else ())
    found = replace(found, warnings=(*found.warnings, *warnings))
    if mode == "none":
        return scope.whole(found)
    return scope.traced(found, known) if known and mode == "traced" else found


def _select(build: Build) -> link.Plan:
    components = build.components.result() if build.components else None
    found: Imports = build.values["imports"]
    return link.choose(
        build.modules, Runtime(lwip_folder=build.request.lwip), components, tracing=build.request.tracing,
        calls=found.calls, include=build.source.settings.calls,
    )  # fmt: skip


def _root(build: Build) -> Root:
    with tempfile.NamedTemporaryFile(dir=cache.folder("roots")) as file:
        out = _Hashed(cast(BinaryIO, file))
        size = erofs.write(build.pruned.files, cast(BinaryIO, out), build.date)
        file.flush()
        sha256 = out.sha256.hexdigest()
        path = cache.entry("roots", sha256, ".erofs")
        if not path.is_file():
            os.chmod(file.name, 0o644)
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return Root(path, size, sha256)


class _Hashed:
    """A file that is written from its beginning to its end, and the hash of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self.file.write(data)


def _image(build: Build) -> Image:
    kernel: Kernel = build.values["link"]
    root: Root = build.values["root"]
    libraries = []
    for library in build.natives.files:
        identity = library.build_id or f"sha256-{digest_file(library.host)}"
        symbols.remember(identity, library.host)
        libraries.append((library.guest, identity))
    symbols.remember(kernel.build_id, kernel.path)
    python, settings = build.source.python, build.source.settings
    manifest = Manifest(
        unikit=__version__,
        name=build.source.name,
        entry=build.source.app if build.source.entry is None else build.source.entry.name,
        interpreter=f"CPython {'.'.join(map(str, python.version))}, {build.natives.libc}",
        ports=settings.ports,
        memory=settings.memory or _memory(root.size),
        kernel_build_id=kernel.build_id,
        libraries=tuple(sorted(libraries)),
        components=tuple(component.name for component in kernel.selection.components),
        kernel_sha256="",
        root_sha256=root.sha256,
        network=NETWORK in build.modules,
        uncalled=kernel.selection.uncalled,
    )
    traced = lock.usable(build.source, [])
    known = whole.inventory(build.pruned, kernel.selection, kernel.sizes, traced.calls if traced else None)
    graph = replace(known, kernel_code=elf.executable(kernel.stripped.read_bytes()).size).dump()
    gap = unpacker.ROOM if build.compression else 0
    out = cache.entry("images", digest(manifest, digest_file(kernel.stripped), digest(graph), gap), ".img")
    if out.is_file():
        try:
            return image.read(out)
        except UserError:
            out.unlink()
    return image.make(kernel.stripped.read_bytes(), root.path, manifest, out, {inventory.SECTION: graph}, gap)


def _memory(root_size: int) -> int:
    """MiB for an application that names none: its root and ROOM, in steps of 64."""
    wanted = root_size // (1 << 20) + ROOM
    return -(-wanted // 64) * 64


STAGES = (
    Stage("source", "Reading the application", _source),
    Stage("imports", "Following its imports", _imports),
    Stage("natives", "Following its shared libraries", lambda build: natives.resolve(build.values["imports"])),
    Stage("calls", "Following its system calls", lambda build: build.calls, asked=True),
    Stage("prune", "Choosing the files", lambda build: prune.prune(build.natives)),
    Stage("select", "Compiling the runtime and choosing its components", _select),
    Stage("link", "Linking the kernel", lambda build: link.join(build.values["select"])),
    Stage("root", "Writing the root file system", _root),
    Stage("image", "Writing the image", _image),
)


def run(request: Request, progress: Progress, last: str = "image") -> Build:
    """Run the stages up to `last`. Raises UserError with whatever a stage found wrong."""
    if last not in [stage.name for stage in STAGES]:
        raise UserError(
            f"There is no stage '{last}'.",
            code=ExitCode.USAGE,
            hint="Stages: " + ", ".join(stage.name for stage in STAGES),
        )
    build = Build(request, date=inputs.source_date())
    runtime = Runtime(lwip_folder=request.lwip)
    with ThreadPoolExecutor(1) as pool:
        if last in COMPILED:
            build.components = pool.submit(link.compile_all, runtime)
        try:
            _run(build, progress, last)
        except BaseException:
            runtime.stop.set()
            raise
    return build


def _run(build: Build, progress: Progress, last: str) -> None:
    for stage in STAGES:
        if stage.asked and stage.name != last:
            continue
        with progress.step(stage.title):
            build.values[stage.name] = stage.run(build)
        if stage.name == "imports":
            for text in build.values["imports"].warnings:
                progress.warn(text)
        if stage.name == last:
            break
    if last == "image" and build.source.settings.freeze:
        with progress.step("Booting it and freezing its memory"):
            settings = build.source.settings
            warm = build.request.warm or settings.warm
            serves = not build.source.start.led
            made = frozen.make(build.values["image"], settings.cpu_level, progress, warm, serves=serves)
            build.values["image"] = made
        if text := frozen.advice(settings.cpu_level, build.modules):
            progress.note(text)
    if last == "image" and build.compression:
        with progress.step("Compressing it"):
            made = build.values["image"]
            in_use = (made.manifest.smallest - frozen.HEADROOM) << 20 if made.manifest.frozen else 0
            build.values["image"] = compressed.compress(made, build.compression, in_use=in_use)


def image_of(request: Request, progress: Progress) -> Image:
    """The image of an application: last time's if nothing that it was made from has changed, else a new one."""
    key = digest(__version__, request, str(Path.cwd()), inputs.surroundings())
    record = cache.entry("builds", key, ".json")
    known = inputs.unchanged(record)
    if known is not None:
        try:
            found = image.read(Path(known))
        except UserError:
            pass
        else:
            progress.note(f"{found.manifest.name}: nothing has changed since the last build")
            return found
    build = run(request, progress)
    made: Image = build.values["image"]
    cache.trim()
    inputs.remember(record, _looked_at(build), str(made.path))
    return made


def _looked_at(build: Build) -> set[Path]:
    """Every file and folder of this machine that the build depends on."""
    files = {file.content for file in build.pruned.files if isinstance(file.content, Path)}
    for module in build.values["imports"].modules:
        files.update(filter(None, [module.path, *module.folders]))
    files.update(library.host for library in build.natives.files)
    files.update(file.host for file in build.source.files)
    files.update(folder for folder, _ in build.source.search)
    python = build.source.python
    files.update([python.path, python.executable, *python.site])
    files.update([build.source.root / "pyproject.toml", lock.path(build.source)])
    if build.source.entry:
        files.add(build.source.entry)
    kept = cache.root()  # what is in there is named by its content
    return {path for file in files for path in (file, file.parent) if kept not in path.parents}
