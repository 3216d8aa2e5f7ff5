"""The third stage: the ELF files behind the modules, and the shared libraries that those load."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from elftools.common.exceptions import ELFError

from unikit.analysis.finder import Finder
from unikit.analysis.walk import MAIN, Graph, hard
from unikit.errors import ExitCode, UserError
from unikit.model import Edge, EdgeKind, Imports, Interpreter, Layer, Library, Missing, Module, ModuleKind, Natives
from unikit.native import elf, holders
from unikit.native.libraries import Resolver

# what glibc loads by itself, with dlopen: before 2.34 its name services, and the unwinder that ends threads
NAME_SERVICES = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
UNWINDER = "libgcc_s.so.1"
Queue: TypeAlias = "deque[tuple[Library, tuple[Path, ...]]]"


def resolve(imports: Imports, resolver: Resolver | None = None) -> Natives:
    """Resolve what the program, the extension modules and the shared libraries need, and say where each file goes.

    System libraries stand where the dynamic linker looks without a cache (the folder of libc); so do libraries found
    elsewhere, by an absolute path of the build machine. What is found relative to its user ($ORIGIN) keeps its place.

    Raises `UserError`: INTERPRETER for a program that is not glibc's, MODULE_NOT_FOUND for a library that is missing or
    an extension module of another kind, if it is certain to be loaded."""
    return _Resolution(imports, resolver or Resolver.of_this_machine()).run()


@dataclass
class _Resolution:
    imports: Imports
    resolver: Resolver
    libraries: dict[str, Library] = field(default_factory=dict)  # by name, as the dynamic linker knows them
    graph: Graph = field(init=False)
    libdir: str = ""
    libc: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.graph = self.imports.graph.copy()
        self.python: Interpreter = self.imports.source.python
        self.finder = Finder(self.python, self.imports.source.search)
        self.certain = hard(self.graph, [f"module:{MAIN}"])

    def run(self) -> Natives:
        described = elf.read(self.python.executable)
        if described.loader is None or described.is_musl:
            raise UserError(f"{self.python.executable} is not linked with glibc.", code=ExitCode.INTERPRETER)
        libc = self.resolver.find("libc.so.6", (self.python.executable,))
        if libc is None:
            raise UserError("There is no libc.so.6 on this machine.", code=ExitCode.INTERPRETER)
        self.libdir, self.libc = _guest_folder(libc.path), _version(libc.path)
        program = self._library(self.python.executable, self.python.guest_program, "interpreter", "program")
        loader = self._library(Path(described.loader), described.loader, "runtime", "loader")
        self.libraries[loader.soname] = loader
        self._link(program.id, loader, ())
        queue: Queue = deque([(program, (program.host,))])
        extensions = []
        for module in self.imports.modules:
            if module.kind is ModuleKind.EXTENSION and module.path is not None:
                extension = self._extension(module, module.path)
                if extension is not None:
                    extensions.append((module.name, extension))
                    queue.append((extension, (extension.host, program.host)))
        queue.extend((item, (item.host, program.host)) for item in self._opened())
        self._follow(queue)
        # after the others, as most of what programs ask for is there anyway
        self._follow(deque((item, (item.host, program.host)) for item in self._by_ctypes()))
        libraries = sorted((v for v in self.libraries.values() if v is not loader), key=lambda v: v.guest)
        unique = {v.guest: v for v in libraries}
        version = f"glibc {'.'.join(map(str, self.libc))}"
        return Natives(self.imports, self.graph, program, loader, tuple(extensions), tuple(unique.values()), version)

    def _follow(self, queue: Queue) -> None:
        """What the files in the queue need, and what that needs: each with who loads it, up to the program."""
        while queue:
            user, chain = queue.popleft()
            for name in elf.read(chain[0]).needed:
                known = self.libraries.get(name)
                if known is not None:
                    self._link(user.id, known, ())
                    continue
                library = self._need(name, user, chain)
                if library is not None:
                    queue.append((library, (library.host, *chain)))

    def _library(
        self, host: Path, guest: str, layer: Layer, role: Literal["program", "loader", "extension", "library"]
    ) -> Library:
        described = elf.read(host)
        library = Library(described.soname or host.name, host, guest, layer, described.build_id, role)
        self.graph.add_node(library.id, node=library)
        return library

    def _extension(self, module: Module, path: Path) -> Library | None:
        place = self.finder.guest(path)
        try:
            described = elf.read(path)
            problem = "" if described.machine == "EM_X86_64" else f"is built for {described.machine}"
            problem = "is linked with musl" if described.is_musl else problem
        except (ELFError, OSError):
            problem = "is not an ELF file"
        if problem or place is None:
            self._fail(
                module.id, module.name, f"{path} {problem}", "install a build for x86-64 Linux with glibc (manylinux)"
            )
            return None
        library = self._library(path, place[0], place[1], "extension")
        self.graph.add_edge(module.id, library.id, edge=Edge(EdgeKind.LOADS))
        return library

    def _opened(self) -> list[Library]:
        """Libraries that are opened by name when the program runs: data files of packages that are libraries, and
        what glibc opens."""
        opened = []
        for data in self.imports.data:
            if ".so" in data.host.name and elf.is_elf(data.host):
                library = self._library(data.host, data.guest, data.layer, "library")
                self.libraries.setdefault(library.soname, library)
                opened.append(library)
        wanted: list[tuple[str, str]] = []
        if "module:threading" in self.graph:
            wanted.append((UNWINDER, "module:threading"))
        if self.libc < (2, 34) and ("module:_socket" in self.graph or "module:pwd" in self.graph):
            wanted += [(n, f"module:{MAIN}") for n in NAME_SERVICES]
        for name, user in wanted:
            found = self.resolver.find(name, (self.python.executable,))
            if found is not None and name not in self.libraries:
                library = self._library(found.path, f"{self.libdir}/{name}", "runtime", "library")
                self.libraries[name] = library
                self._link(user, library, ("glibc opens it by name",))
                opened.append(library)
        return opened

    def _by_ctypes(self) -> Iterator[Library]:
        """What is not on this machine is not in the image either: the program is told so as it would be here."""
        for item in self.imports.opened:
            if "/" in item.name and not item.name.startswith("/"):
                continue  # from wherever the program is then
            name = self.resolver.soname(item.name) if item.short else item.name
            found = self.resolver.find(name, (self.python.executable,)) if name else None
            if found is None or item.module not in self.graph:
                continue
            known = self.libraries.get(name)
            if known is None:
                guest = name if name.startswith("/") else f"{self.libdir}/{name}"
                known = self.libraries[name] = self._library(found.path, guest, "dependencies", "library")
                yield known
            self._link(item.module, known, (item.evidence,))

    def _need(self, name: str, user: Library, chain: tuple[Path, ...]) -> Library | None:
        found = self.resolver.find(name, chain)
        if found is None:
            missing = Missing(name, f"{user.host} needs it and it is not on this machine")
            self.graph.add_node(missing.id, node=missing)
            self.graph.add_edge(user.id, missing.id, edge=Edge(EdgeKind.LOADS, evidence=(str(user.host),)))
            module = next((p for p in self.graph.predecessors(user.id) if p.startswith("module:")), user.id)
            package = holders.package_of(name)
            hint = f"apt install {package}" if package else "install the package that holds it"
            self._fail(module, name, f"{user.host} needs {name}, which is not on this machine", hint)
            return None
        place = self.finder.guest(found.path) if found.relative or self._is_packaged(found.path) else None
        guest, layer = place or (f"{self.libdir}/{name}", "runtime" if user.layer == "runtime" else user.layer)
        library = self._library(found.path, guest, layer, "library")
        self.libraries[name] = library
        if found.elf.soname:
            self.libraries.setdefault(found.elf.soname, library)
        self._link(user.id, library, (str(user.host),))
        return library

    def _is_packaged(self, path: Path) -> bool:
        return any(path.is_relative_to(site) for site in self.python.site)

    def _link(self, user: str, library: Library, evidence: tuple[str, ...]) -> None:
        self.graph.add_edge(user, library.id, edge=Edge(EdgeKind.LOADS, evidence=evidence))

    def _fail(self, user: str, name: str, message: str, hint: str) -> None:
        """An error if what needs it is certain to be loaded; else the `Missing` node tells."""
        if user in self.certain or user.startswith("library:"):
            raise UserError(f"{message}.", code=ExitCode.MODULE_NOT_FOUND, hint=hint)
        missing = Missing(name, message)
        self.graph.add_node(missing.id, node=missing)
        self.graph.add_edge(user, missing.id, edge=Edge(EdgeKind.LOADS, conditional=True))


def _guest_folder(libc: Path) -> str:
    """The folder of libc as the dynamic linker names it: /usr/lib/... is /lib/... where the two are one."""
    folder = str(libc.parent)
    short = folder.removeprefix("/usr")
    return short if short != folder and os.path.realpath(short) == os.path.realpath(folder) else folder


def _version(libc: Path) -> tuple[int, ...]:
    """(2, 36), from the banner in the file."""
    match = re.search(rb"GNU C Library [^\n]*version (\d+)\.(\d+)", libc.read_bytes())
    return (int(match[1]), int(match[2])) if match else (0, 0)
