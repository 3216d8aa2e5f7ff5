"""Which system calls each ELF file of an image can make, found without running anything.

Only the C library and the dynamic linker make system calls as a rule. So for every file the functions that it imports
are followed through libc (disassembly.py) to the `syscall` instructions that they reach; to that come the file's own
instructions and its uses of `syscall(2)`. What a pointer of another file leads to is not followed: a callback is code
of the file that made it, whose imports count anyway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import networkx as nx

from unikit.kernel import runtime
from unikit.model import Edge, EdgeKind, Library
from unikit.native import disassembly, mapped
from unikit.native.disassembly import Code
from unikit.native.mapped import Symbols

# Files whose functions are followed one by one; before glibc 2.34 some of them were apart from libc.
CORE = frozenset({"libc.so.6", "libpthread.so.0", "librt.so.1", "libresolv.so.2", "libdl.so.2"})
WRAPPER = "syscall"
ANY_NAME = ("_ctypes", "_cffi_backend")  # modules that look up any function by a name made at run time
MOST_SYMBOLS = 5  # that an edge shows as evidence
LOOKED_UP = Edge(EdgeKind.LOADS)  # a symbol found in the program or in what others have loaded


@dataclass(frozen=True)
class Call:
    """A system call that a file can make, and the function by which it comes to it."""

    library: str  # id of the file's node
    name: str
    number: int
    by: str  # an imported symbol, or "its own code", "start"


@dataclass(frozen=True)
class Use:
    """The symbols of `provider` that `user` imports; both are ids of nodes."""

    user: str
    provider: str
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Calls:
    """All of it, sorted. `unknown` are files that make a call whose number is not a constant: it may be any."""

    calls: tuple[Call, ...]
    uses: tuple[Use, ...]
    unknown: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(call.name for call in self.calls)

    def add_to(self, graph: nx.DiGraph[str]) -> None:
        """`call:NAME` nodes below the files that reach them, and the symbols on the edges between files."""
        for call in self.calls:
            graph.add_edge(call.library, f"call:{call.name}", edge=Edge(EdgeKind.CALLS, evidence=(call.by,)))
        for use in self.uses:
            edge = graph.edges[use.user, use.provider]["edge"] if graph.has_edge(use.user, use.provider) else LOOKED_UP
            more = " ..." if len(use.symbols) > MOST_SYMBOLS else ""
            text = f"{len(use.symbols)} symbols: {', '.join(use.symbols[:MOST_SYMBOLS])}{more}"
            graph.add_edge(use.user, use.provider, edge=replace(edge, evidence=(*edge.evidence, text)))


class Loaded(Protocol):
    """The ELF files of an image, as in `Natives`."""

    @property
    def program(self) -> Library: ...

    @property
    def loader(self) -> Library: ...

    @property
    def extensions(self) -> tuple[tuple[str, Library], ...]: ...

    @property
    def files(self) -> tuple[Library, ...]: ...


def analyse(natives: Loaded) -> Calls:
    """Follow every file's imports to system calls."""
    files = list({file.guest: file for file in natives.files}.values())
    symbols = {file.guest: mapped.symbols(file.host) for file in files}
    core = _Core({f.guest: disassembly.code(f.host) for f in files if f.soname in CORE or f is natives.loader})
    names = runtime.call_names()
    any_name = {library.guest for name, library in natives.extensions if name in ANY_NAME}
    calls: dict[tuple[str, int], str] = {}
    unknown = []
    for file in files:
        if file.guest in core.codes:
            continue
        imported = symbols[file.guest].imports
        starts = {s: s for s in sorted(imported)}
        if file.guest in any_name:
            starts |= {s: "any function, by its name" for code in core.codes.values() for s in code.exports}
        for number, by in core.reached(starts, roots=file is natives.program).items():
            calls.setdefault((file.id, number), by)
        numbers, whole = disassembly.direct(file.host, WRAPPER in imported)
        for number in numbers:
            calls[(file.id, number)] = "its own code"
        unknown += [] if whole else [file.guest]
    for guest, code in core.codes.items():
        strange = [f for f in code.unknown if f not in code.exports.get(WRAPPER, ())]
        unknown += [guest] if strange else []
    found = sorted(
        (Call(library, names[number], number, by) for (library, number), by in calls.items() if number in names),
        key=lambda call: (call.library, call.number),
    )
    return Calls(tuple(found), tuple(_uses(files, symbols)), tuple(sorted(unknown)))


def _uses(files: Iterable[Library], symbols: dict[str, Symbols]) -> Iterator[Use]:
    """Who uses which symbols of whom: of several providers the first in the dynamic linker's order, the program first.
    Extension modules are opened for themselves and provide nothing."""
    providers: dict[str, Library] = {}
    for file in files:
        for name in symbols[file.guest].exports if file.role != "extension" else ():
            providers.setdefault(name, file)
    for file in files:
        used: dict[str, list[str]] = {}
        for name in sorted(symbols[file.guest].imports):
            if (provider := providers.get(name)) and provider is not file:
                used.setdefault(provider.id, []).append(name)
        for provider_id in sorted(used):
            yield Use(file.id, provider_id, tuple(used[provider_id]))


@dataclass
class _Core:
    """The functions of the files that make system calls, as one graph: nodes are (file, address)."""

    codes: dict[str, Code]
    exports: dict[str, list[tuple[str, int]]] = field(init=False)

    def __post_init__(self) -> None:
        self.exports = {}
        for guest, code in self.codes.items():
            for name, addresses in code.exports.items():
                self.exports.setdefault(name, []).extend((guest, a) for a in addresses)

    def reached(self, starts: dict[str, str], roots: bool) -> dict[int, str]:
        """The numbers of the calls reached from exported symbols (symbol -> how it is called in the answer), and, with
        `roots`, from what runs by itself; and by which of them each is reached first."""
        queue: list[tuple[tuple[str, int], str]] = []
        if roots:
            queue += [((guest, a), "start") for guest, code in self.codes.items() for a in code.roots]
        queue += [(node, by) for name, by in starts.items() for node in self.exports.get(name, ())]
        seen = {node for node, _ in queue}
        numbers: dict[int, str] = {}
        for (guest, address), by in queue:
            code = self.codes[guest]
            for number in code.calls.get(address, ()):
                numbers.setdefault(number, by)
            following = [(guest, a) for a in code.edges.get(address, ())]
            following += [node for name in code.outside.get(address, ()) for node in self.exports.get(name, ())]
            for node in following:
                if node not in seen:
                    seen.add(node)
                    queue.append((node, by))
        return numbers
