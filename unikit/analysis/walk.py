"""The walk over the imports, from the entry to everything it reaches: one graph of modules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import networkx as nx

from unikit.analysis import guesses
from unikit.analysis.choices import Choices
from unikit.analysis.finder import Finder
from unikit.analysis.guesses import TESTS
from unikit.analysis.installed import Environment
from unikit.analysis.live import Live, absolute
from unikit.analysis.scanner import Flag, Import, Scanned, Scanner, Scope
from unikit.hooks import packages, stdlib
from unikit.model import Edge, EdgeKind, Missing, Module, ModuleKind, Source

Graph: TypeAlias = "nx.DiGraph[str]"

MAIN = "__main__"


class Walk:
    """One analysis under way. `run()` follows whatever has been wanted so far; wanting more and running again goes
    on."""

    def __init__(self, source: Source, finder: Finder, scanner: Scanner, installed: Environment) -> None:
        self.source, self.finder, self.scanner, self.installed = source, finder, scanner, installed
        self.graph: Graph = nx.DiGraph()
        self.scanned: dict[str, Scanned] = {}
        self.live = Live(finder)
        self.warnings: list[str] = []
        self._queue: deque[Module] = deque()
        self.choices = Choices(self)
        self.tables: list[Module] = []  # import by names that other strings may hold
        self.decodes = False  # something computes the names of encodings
        self._stars: list[tuple[str, str, Edge]] = []
        self.star_words: dict[str, set[str]] = {}  # what modules get by `from x import *`
        self._excluded = frozenset(n for n in source.settings.exclude if _is_module(n))

    # -- asking for modules

    def add(self, module: Module) -> None:
        """Put a module into the graph, and its parents; what it imports is read in `run`."""
        if module.id in self.graph:
            return
        self.graph.add_node(module.id, node=module)
        self._queue.append(module)
        parent = module.name.rpartition(".")[0]
        if parent and module.name != MAIN and (above := self.finder.find(parent)):
            self.add(above)
            self._link(module.id, above.id, Edge(EdgeKind.CONTAINS))

    def want(self, importer: Module, name: str, edge: Edge) -> Module | None:
        """`importer` imports `name`, an absolute name. Returns the module, or None when it is not there (a `Missing`
        node takes its place) or is not followed."""
        if self._is_excluded(name):
            self._missing(importer, name, "left out by `exclude`", replace(edge, conditional=True))
            return None
        if name.startswith("six.moves."):
            return self._want_six(importer, name, edge)
        if self.choices.leave_out(importer, name, edge):
            return None
        module = None
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            part = ".".join(parts[:end])
            found = self.finder.find(part)
            if found is None:
                self._missing(importer, part, "no such module", edge)
                return None
            module = found
            self.add(module)
            self._link(importer.id, module.id, edge)
        return module

    def want_all(self, importer: Module, package: Module, edge: Edge) -> None:
        """Every submodule of a package, at any depth; tests apart."""
        for name in self.finder.submodules(package):
            if TESTS.search(name.rpartition(".")[2]) or name.endswith(".__main__") or self._is_excluded(name):
                continue
            module = self.want(importer, name, edge)
            if module is not None and module.folders:
                self.want_all(importer, module, edge)

    def loaded(self) -> Iterator[Module]:
        """The modules found so far."""
        for _, data in self.graph.nodes(data=True):
            if isinstance(data["node"], Module):
                yield data["node"]

    def calls(self) -> Iterator[tuple[Module, int, str, bool]]:
        """What is called by code that can run: the module, the line, the absolute name of the function, and whether it
        is called as soon as the module is imported. By module, sorted."""
        for name in sorted(self.live.scopes):
            module: Module = self.graph.nodes[f"module:{name}"]["node"]
            for scope in self.live.scopes[name]:
                for line, function, now in scope.calls:
                    yield module, line, absolute(module, function), now

    def has(self, name: str) -> bool:
        return f"module:{name}" in self.graph

    # -- the walk

    def run(self) -> None:
        while self._queue or self.live.has_news or self._stars or self.choices.wake():
            while self._queue or self.live.has_news:
                while self._queue:
                    self._follow(self._queue.popleft())
                for module, scope in self.live.ready():
                    self._follow_scope(module, scope)
            self._follow_stars()
            tables, self.tables = self.tables, []
            for module in tables:
                guesses.tables(self, module)

    def _follow(self, module: Module) -> None:
        guesses.from_c(self, module)
        if module.path is None:
            return
        if module.kind is ModuleKind.EXTENSION:
            self.use_words(module.path, own=module.layer == "interpreter")
            if module.layer != "interpreter":
                guesses.extension(self, module, module.path)
            return
        kind: Literal["main", "app", ""] = "main" if module.name == MAIN else "app" if module.layer == "app" else ""
        scanned = self.scanner.scan(module.path, kind)
        self.scanned[module.name] = scanned
        if scanned.error:
            return
        self.live.add(module, scanned)
        if module.layer != "interpreter":
            for word, name in stdlib.WORDS.items():
                if word in scanned.words:
                    self.want(module, name, Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),)))
        if module.layer == "app":
            guesses.application(self, module, scanned)

    def use_words(self, path: Path, *, own: bool) -> None:
        """Compiled code may look up any name that is among its constants."""
        self.live.use(f"'{word}" for word in sorted(self.scanner.native_names(path, own=own)))

    def _follow_scope(self, module: Module, scope: Scope) -> None:
        """Something of a module can run."""
        for item in scope.imports:
            self._follow_import(module, item)
        self._follow_chains(module, scope)
        guesses.computed(self, module, scope)
        guesses.codecs(self, module, scope)

    def _edge(self, module: Module, item: Import) -> Edge:
        conditional = bool(item.flags & (Flag.CONDITIONAL | Flag.GUARDED))
        evidence = (f"{module.path}:{item.line}" if item.line else "C",)
        return Edge(EdgeKind.IMPORTS, conditional, bool(item.flags & Flag.LAZY), "static", evidence)

    def _follow_import(self, module: Module, item: Import) -> None:
        if module.layer == "interpreter" and (item.function in stdlib.SCRIPT_FUNCTIONS or item.flags & Flag.MAIN):
            return
        name = self._absolute(module, item)
        if name is None or name == MAIN:
            return
        edge = self._edge(module, item)
        if name == "six.moves":
            for part in item.names or ():
                self._want_six(module, f"{name}.{part}", edge)
            return
        if item.flags & Flag.DYNAMIC and item.flags & Flag.GUARDED and self.finder.find(name) is None:
            return  # find_spec("x"): a question, and the answer is no
        found = self.want(module, name, edge)
        if found is None or item.names is None:
            return
        self.live.use(f"{found.name}:{part}" for part in item.names)
        for part in item.names:
            if part == "*":
                self._stars.append((module.name, found.name, edge))
            elif found.folders and self.finder.find(f"{found.name}.{part}"):
                self.want(module, f"{found.name}.{part}", edge)

    def _absolute(self, module: Module, item: Import) -> str | None:
        if not item.level:
            return item.module or None
        name = self.source.start.module or MAIN if module.name == MAIN else module.name
        package = name.split(".") if module.folders else name.split(".")[:-1]
        if len(package) < item.level:
            return None
        base = package[: len(package) - item.level + 1]
        return ".".join([*base, item.module] if item.module else base)

    def _follow_stars(self) -> None:
        stars, self._stars = self._stars, []
        for importer, name, edge in stars:
            scanned, package = self.scanned.get(name), self.finder.find(name)
            importing = self.graph.nodes[f"module:{importer}"]["node"]
            self.star_words.setdefault(importer, set()).update(scanned.exports if scanned else ())
            self.live.use(f"{name}:{export}" for export in (scanned.exports if scanned else ()))
            self.live.add_star(importer, name)
            for export in scanned.exports if scanned and package and package.folders else ():
                if self.finder.find(f"{name}.{export}"):
                    self.want(importing, f"{name}.{export}", edge)

    def _follow_chains(self, module: Module, scope: Scope) -> None:
        """`a.b.c` where `a` was imported: `b` may be a submodule that something else is trusted to import."""
        edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),))
        for chain in sorted(absolute(module, c) for c in scope.chains):
            parts = chain.split(".")
            for end in range(2, len(parts) + 1):
                name = ".".join(parts[:end])
                found = self.finder.find(name)
                if found is None or found.name != name or found.kind is ModuleKind.NAMESPACE:
                    break
                if not self.has(name) and not TESTS.search(name):
                    self.want(module, name, edge)

    def _is_excluded(self, name: str) -> bool:
        return any(name == n or name.startswith(n + ".") for n in self._excluded)

    def _want_six(self, importer: Module, name: str, edge: Edge) -> Module | None:
        wanted = name.removeprefix("six.moves.")
        self.want(importer, "six", edge)
        target = packages.SIX_MOVES.get(wanted) or packages.SIX_MOVES.get(wanted.partition(".")[0])
        return self.want(importer, target, edge) if target else None

    # -- edges

    def _link(self, start: str, end: str, edge: Edge) -> None:
        if start == end:
            return
        if self.graph.has_edge(start, end):
            old: Edge = self.graph.edges[start, end]["edge"]
            evidence = tuple(dict.fromkeys((*old.evidence, *edge.evidence)))
            first = old if (old.conditional, old.lazy) <= (edge.conditional, edge.lazy) else edge
            # the evidence of the strongest reason comes first
            if first is edge:
                evidence = tuple(dict.fromkeys((*edge.evidence, *old.evidence)))
            edge = replace(first, evidence=evidence)
        self.graph.add_edge(start, end, edge=edge)

    def _missing(self, importer: Module, name: str, why: str, edge: Edge) -> None:
        node = Missing(name, why)
        if node.id not in self.graph:
            self.graph.add_node(node.id, node=node)
        self._link(importer.id, node.id, edge)


def hard(graph: Graph, roots: Iterable[str]) -> set[str]:
    """The ids that are certain to be imported when the roots are: edges neither conditional nor lazy lead there."""
    seen, todo = set(roots), list(roots)
    while todo:
        here = todo.pop()
        for _, there, data in graph.out_edges(here, data=True):
            edge: Edge = data["edge"]
            if there not in seen and not edge.conditional and not edge.lazy:
                seen.add(there)
                todo.append(there)
    return seen


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
