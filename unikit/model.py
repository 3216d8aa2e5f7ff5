"""The values that travel between the stages, and the nodes and edges of the one graph.

Every stage takes frozen values and returns one; nothing is changed in place once it left its stage. Host paths are
`pathlib.Path`, guest paths are absolute POSIX strings. The graph is a `networkx.DiGraph` whose nodes are the string
ids below; the attribute `node` of a graph node holds its value (`Module`, `Missing`, `Library`, `Distribution`), the
attribute `edge` of a graph edge an `Edge`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import networkx as nx

Layer = Literal["runtime", "interpreter", "dependencies", "app"]
Mode = Literal["none", "safe", "traced"]
LAYERS: tuple[Layer, ...] = ("runtime", "interpreter", "dependencies", "app")


@dataclass(frozen=True)
class Interpreter:
    """A CPython on the build machine, as it describes itself (see `interpreter.probe`)."""

    path: Path  # as named: a virtual environment's bin/python stays that
    executable: Path  # the program itself, symlinks resolved
    version: tuple[int, int, int]
    prefix: Path
    base_prefix: Path
    stdlib: Path
    dynload: Path  # the stdlib's extension modules
    site: tuple[Path, ...]  # folders of installed packages, and what their .pth files add, in order of search
    guest_sites: tuple[str, ...]  # where its `site` module looks when its prefix is /usr
    cache_tag: str  # cpython-311
    suffixes: tuple[str, ...]  # of extension modules, longest first
    magic: bytes  # first four bytes of its .pyc files
    builtins: frozenset[str]
    frozen: frozenset[str]  # modules frozen into the program: their files are never read
    stdlib_names: frozenset[str]
    sysconfig_data: str  # the module that `sysconfig` imports by a computed name

    @property
    def short(self) -> str:
        """`3.11`."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def guest_program(self) -> str:
        return f"/usr/bin/python{self.short}"

    @property
    def guest_stdlib(self) -> str:
        return f"/usr/lib/python{self.short}"

    @property
    def guest_site(self) -> str:
        return f"{self.guest_stdlib}/site-packages"


class AppKind(str, Enum):
    """What APP names."""

    SCRIPT = "script"
    PACKAGE = "package"  # a folder with __main__.py
    PROJECT = "project"  # a folder whose pyproject.toml names the entry
    WSGI = "wsgi"
    ASGI = "asgi"
    FUNCTION = "function"  # called without arguments, as a console script is


CALL = "call:"  # before the name of a system call, among modules and files


@dataclass(frozen=True)
class Settings:
    """`[tool.unikit]` of the app's pyproject.toml."""

    entry: str | None = None  # a script, a module, or module:attribute
    include: tuple[str, ...] = ()  # modules, `call:NAME`, or glob patterns of data files below the app
    exclude: tuple[str, ...] = ()  # modules, or glob patterns of files below the app
    environment: tuple[tuple[str, str], ...] = ()
    memory: int | None = None  # MiB
    ports: tuple[int, ...] = ()
    interface: Literal["wsgi", "asgi"] | None = None  # of a served object, where its source does not show it
    server: str | None = None  # that serves it; else the first installed of those that unikit knows
    sources: Literal["app", "all", "none"] = "app"  # whose .py files are shipped beside the compiled ones
    record: bool = True  # run the app's imports once, to learn of dynamic ones
    freeze: bool = False  # the image is the memory of the started program
    warm: str | None = None  # a command that drives the application before it is frozen
    cpu_level: str = "x86-64-v2"  # what the CPU of a frozen image must have at least
    prune: Mode = "safe"
    writable_code: bool = False  # memory may be writable and executable at once, as some JIT compilers want it
    compress: str | None = None  # how the image is compressed (runtime.DECODERS); None: not at all

    @property
    def calls(self) -> tuple[str, ...]:
        """The system calls that `include` names."""
        return tuple(item.removeprefix(CALL) for item in self.include if item.startswith(CALL))


@dataclass(frozen=True)
class AppFile:
    """A file of the app and its place in the guest."""

    host: Path
    guest: str


@dataclass(frozen=True)
class Start:
    """How the guest's `__main__` begins: what `python FILE`, `python FOLDER` or `python -m MODULE` would have set."""

    guest: str  # __file__ and the name in tracebacks
    argv0: str
    paths: tuple[str, ...]  # what takes the place of sys.path[0]
    module: str | None = None  # `-m`: the full name of the module, PACKAGE.__main__ for a package
    processes: bool = False  # whether the image holds what `subprocess` goes through
    uvloop: bool = False  # whether it holds uvloop, whose processes do not go there
    ctypes: bool = False  # whether it holds `ctypes.util`, which starts programs to find a library
    freeze: bool = False  # the main module is frozen where it begins its work (target/freeze_point.py)
    frozen: bool = False  # it is frozen there, or where it says so
    led: bool = False  # the host tells it what to do, over a channel (target/pytest_worker.py)


@dataclass(frozen=True)
class Source:
    """What is built: the app, its interpreter and its settings."""

    app: str  # as the user wrote it
    name: str  # for file names and titles: lower case, digits, dashes
    kind: AppKind
    root: Path  # the folder that becomes /app
    entry: Path | None  # the file that is run; None: `launcher`
    launcher: str  # the program that serves an application, else empty
    served: str | None  # module:attribute
    needs: tuple[str, ...]  # modules that the launcher imports
    start: Start
    files: tuple[AppFile, ...]  # data files of the app
    search: tuple[tuple[Path, str], ...]  # the app's part of sys.path: host folder, guest folder
    argv: tuple[str, ...]  # of the guest, from argv[0]; the app's own arguments follow
    environment: tuple[tuple[str, str], ...]
    python: Interpreter
    settings: Settings
    loaded: tuple[Module, ...] = ()  # modules that are loaded by their path, as tests are: walked from the start


class ModuleKind(str, Enum):
    SOURCE = "source"
    PACKAGE = "package"
    NAMESPACE = "namespace"
    EXTENSION = "extension"
    BUILTIN = "builtin"
    FROZEN = "frozen"
    BYTECODE = "bytecode"  # a .pyc without its source


@dataclass(frozen=True)
class Module:
    """A module that can be imported. Its id is `module:NAME`."""

    name: str
    kind: ModuleKind
    path: Path | None  # of a package: its __init__.py; None: builtin, frozen, namespace
    layer: Layer
    folders: tuple[Path, ...] = ()  # where a package's submodules are looked for

    @property
    def id(self) -> str:
        return f"module:{self.name}"


@dataclass(frozen=True)
class Missing:
    """Something that is wanted and was not found. Its id is `missing:NAME`."""

    name: str
    why: str  # one sentence

    @property
    def id(self) -> str:
        return f"missing:{self.name}"


@dataclass(frozen=True)
class Distribution:
    """An installed distribution whose modules are kept. Its id is `distribution:NAME`."""

    name: str
    version: str
    folder: Path  # NAME-VERSION.dist-info (or .egg-info)

    @property
    def id(self) -> str:
        return f"distribution:{self.name}"


@dataclass(frozen=True)
class Library:
    """An ELF file: the interpreter, an extension module or a shared library. Its id is `library:GUEST`."""

    soname: str  # or the file's name
    host: Path
    guest: str
    layer: Layer
    build_id: str  # hexadecimal, empty where the file has none
    role: Literal["program", "loader", "extension", "library"]

    @property
    def id(self) -> str:
        return f"library:{self.guest}"


class EdgeKind(str, Enum):
    IMPORTS = "imports"
    LOADS = "loads"
    CALLS = "calls"
    PROVIDES = "provides"
    CONTAINS = "contains"  # distribution -> module; module -> parent package
    READS = "reads"  # a file that is no module
    PART = "is part of"  # module -> distribution, library -> package


@dataclass(frozen=True)
class Edge:
    """Why one node needs another."""

    kind: EdgeKind
    conditional: bool = False  # below an `if`, or its failure is caught
    lazy: bool = False  # only when a function runs
    origin: Literal["static", "hook", "recorded", "runtime", "setting"] = "static"
    evidence: tuple[str, ...] = ()  # FILE:LINE


@dataclass(frozen=True)
class DataFile:
    """A file that is not a module and that something kept needs."""

    host: Path
    guest: str
    layer: Layer
    reason: str


@dataclass(frozen=True)
class Opened:
    """A shared library that a module opens by its name, or, `short`, by what stands between `lib` and `.so`."""

    module: str  # the node's id
    name: str
    short: bool
    evidence: str


@dataclass(frozen=True, eq=False)
class Imports:
    """The modules that the app reaches."""

    source: Source
    graph: nx.DiGraph[str]
    data: tuple[DataFile, ...]
    warnings: tuple[str, ...]  # a sentence each: optional modules that are missing, dynamic imports not understood
    dropped: tuple[tuple[str, str], ...] = ()  # optional modules left out by rule: name, why
    mode: Mode = "safe"  # how much is kept: all, what can be reached, or what a traced run used
    seen: frozenset[str] = frozenset()  # `traced`: the files that the run used
    unseen: tuple[str, ...] = ()  # `traced`: data files of the guest that it did not use, and that are left out
    calls: tuple[str, ...] | None = None  # `traced`: the system calls that the run made
    with_text: frozenset[str] = frozenset()  # modules of packages that read the source of their own code
    opened: tuple[Opened, ...] = ()  # shared libraries that are opened by name when the program runs

    @property
    def modules(self) -> tuple[Module, ...]:
        """Sorted by name."""
        found = (value["node"] for _, value in self.graph.nodes(data=True))
        return tuple(sorted((m for m in found if isinstance(m, Module)), key=lambda m: m.name))

    @property
    def missing(self) -> tuple[Missing, ...]:
        found = (value["node"] for _, value in self.graph.nodes(data=True))
        return tuple(sorted((m for m in found if isinstance(m, Missing)), key=lambda m: m.name))


@dataclass(frozen=True, eq=False)
class Natives:
    """The ELF files that the modules load, on top of `Imports`; the same graph with libraries in it."""

    imports: Imports
    graph: nx.DiGraph[str]
    program: Library
    loader: Library
    extensions: tuple[tuple[str, Library], ...]  # module name, file
    libraries: tuple[Library, ...]
    libc: str  # `glibc 2.36`

    @property
    def files(self) -> tuple[Library, ...]:
        """Every ELF file once, the program first."""
        return (self.program, self.loader, *(lib for _, lib in self.extensions), *self.libraries)


class FileKind(str, Enum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


@dataclass(frozen=True)
class ImageFile:
    """One entry of the root file system."""

    path: str  # in the guest, absolute, without a trailing slash
    kind: FileKind
    mode: int  # permission bits
    layer: Layer
    content: Path | bytes = b""  # a regular file's: a host file to copy, or the bytes
    target: str = ""  # a symlink's
    data: bool = False  # the application's or a package's, and no code: it may be served

    @property
    def size(self) -> int:
        """Bytes of content."""
        if self.kind is FileKind.SYMLINK:
            return len(self.target.encode())
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    def read(self) -> bytes:
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


@dataclass(frozen=True)
class BootSettings:
    """What `/.unikit/boot.conf` says; see docs/architecture.md, boot configuration."""

    exec: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    cwd: str = "/"
    hostname: str = "unikit"
    extra: tuple[tuple[str, str], ...] = ()  # further tokens: key, value


@dataclass(frozen=True, eq=False)
class Pruned:
    """The root file system: what is shipped, and what was left out."""

    natives: Natives
    files: tuple[ImageFile, ...]  # sorted by path, parents before children
    boot: BootSettings
    sizes: tuple[tuple[Layer, int], ...] = field(default=())  # bytes of content of each layer

    @property
    def source(self) -> Source:
        return self.natives.imports.source


def jsonable(value: Any) -> Any:
    """`value` as JSON data: dataclasses and mappings become objects, a graph its lists of nodes and edges."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.hex() if len(value) <= 64 else {"sha256": hashlib.sha256(value).hexdigest(), "size": len(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__.lower(), **fields}
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((jsonable(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if hasattr(value, "nodes") and hasattr(value, "edges"):
        return {
            "nodes": [{"id": n, **jsonable(d.get("node"))} for n, d in sorted(value.nodes(data=True))],
            "edges": [
                {"from": a, "to": b, **jsonable(d.get("edge"))}
                for a, b, d in sorted(value.edges(data=True), key=lambda e: e[:2])
            ],
        }
    raise TypeError(f"no JSON form for {type(value).__name__}")


def digest(*parts: Any) -> str:
    """The identity of some inputs: SHA-256 (hexadecimal) of their canonical JSON. `bytes` count with their content;
    a host path counts by name only, so pass `digest_file(path)` where content matters."""
    text = json.dumps([jsonable(p) for p in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's content."""
    with path.open("rb") as file:
        sha = hashlib.sha256()
        while chunk := file.read(1 << 20):
            sha.update(chunk)
        return sha.hexdigest()
