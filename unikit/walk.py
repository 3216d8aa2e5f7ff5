"""The walk over the imports, from the entry to everything it reaches: one graph of modules."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import networkx as nx

from unikit.finder import Finder
from unikit.hooks import optional, packages, stdlib
from unikit.installed import Environment
from unikit.model import AppKind, Edge, EdgeKind, Missing, Module, ModuleKind, Source
from unikit.scanner import Flag, Import, Scanned, Scanner

Graph: TypeAlias = "nx.DiGraph[str]"

MAIN = "__main__"
TESTS = re.compile(r"(^|\.)(tests?|testing|conftest|test_[^.]*|[^.]*_test)(\.|$)")
MOST_EVIDENCE = 5


class Walk:
    """One analysis under way. `run()` follows whatever has been wanted so far; wanting more and running again goes
    on."""

    def __init__(self, source: Source, finder: Finder, scanner: Scanner, installed: Environment) -> None:
        self.source, self.finder, self.scanner, self.installed = source, finder, scanner, installed
        self.graph: Graph = nx.DiGraph()
        self.scanned: dict[str, Scanned] = {}
        self.warnings: list[str] = []
        self._queue: deque[Module] = deque()
        self._deferred: list[tuple[optional.Optional, Module, str, Edge]] = []
        self._undeclared: list[tuple[Module, str, Edge]] = []
        self._active: set[str] = set()
        self._stars: list[tuple[str, str, Edge]] = []
        self._star_words: dict[str, set[str]] = {}  # what modules get by `from x import *`
        self._excluded = frozenset(n for n in source.settings.exclude if _is_module(n))
        self._computed = False

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
        if importer.layer == "interpreter" and self._is_cut(importer, name, edge):
            return None
        if name.startswith("six.moves."):
            return self._want_six(importer, name, edge)
        if rule := self._optional(importer, name, edge):
            self._deferred.append((rule, importer, name, edge))
            return None
        if self._is_undeclared(importer, name, edge):
            self._undeclared.append((importer, name, edge))
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

    def has(self, name: str) -> bool:
        return f"module:{name}" in self.graph

    # -- the walk

    def run(self) -> None:
        while self._queue or self._wake():
            while self._queue:
                self._follow(self._queue.popleft())
            self._follow_stars()

    def dropped(self) -> list[tuple[str, str]]:
        """The optional modules that were left out, and what they are for."""
        heavy = {(n, r.why) for r, _, n, _ in self._deferred if not self.has(n)}
        others = {(n.partition(".")[0], f"an option of {m.name.partition('.')[0]}") for m, n, _ in self._undeclared}
        return sorted(heavy | others)

    def _follow(self, module: Module) -> None:
        self._from_c(module)
        if module.path is None:
            return
        if module.kind is ModuleKind.EXTENSION:
            if module.layer != "interpreter":
                self._follow_extension(module, module.path)
            return
        kind: Literal["main", "app", ""] = "main" if module.name == MAIN else "app" if module.layer == "app" else ""
        scanned = self.scanner.scan(module.path, kind)
        self.scanned[module.name] = scanned
        if scanned.error:
            return
        for item in scanned.imports:
            self._follow_import(module, item)
        self._follow_chains(module, scanned)
        if module.layer != "interpreter":
            self._follow_codecs(module, scanned)
            for word, name in stdlib.WORDS.items():
                if word in scanned.words:
                    self.want(module, name, Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),)))
        else:
            for codec in scanned.codecs & {"idna", "punycode"}:
                self._want_codec(module, codec)
        if module.layer == "app":
            self._follow_app(module, scanned)

    def _edge(self, module: Module, item: Import) -> Edge:
        conditional = bool(item.flags & (Flag.CONDITIONAL | Flag.GUARDED))
        evidence = (f"{module.path}:{item.line}",)
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
            self._star_words.setdefault(importer, set()).update(scanned.exports if scanned else ())
            for export in scanned.exports if scanned and package and package.folders else ():
                if self.finder.find(f"{name}.{export}"):
                    self.want(importing, f"{name}.{export}", edge)

    def _follow_chains(self, module: Module, scanned: Scanned) -> None:
        """`a.b.c` where `a` was imported: `b` may be a submodule that something else is trusted to import."""
        edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),))
        for chain in sorted(scanned.chains):
            parts = chain.split(".")
            for end in range(2, len(parts) + 1):
                name = ".".join(parts[:end])
                found = self.finder.find(name)
                if found is None or found.name != name or found.kind is ModuleKind.NAMESPACE:
                    break
                if not self.has(name) and not TESTS.search(name):
                    self.want(module, name, edge)

    def _follow_codecs(self, module: Module, scanned: Scanned) -> None:
        for codec in sorted(scanned.codecs):
            self._want_codec(module, codec)
        if scanned.computed and not self._computed:
            self._computed = True
            for codec in stdlib.COMMON_CODECS:
                self._want_codec(module, codec)

    def _want_codec(self, module: Module, codec: str) -> None:
        from encodings import aliases, normalize_encoding

        name = normalize_encoding(codec).lower()
        name = aliases.aliases.get(name, name)
        if name.isidentifier() and self.finder.find(f"encodings.{name}"):
            edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),))
            self.want(module, f"encodings.{name}", edge)

    def _follow_app(self, module: Module, scanned: Scanned) -> None:
        """The application's own files say more: names of modules in strings, computed imports, tools."""
        edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(module.path),))
        for text in sorted(scanned.strings):
            self._want_string(module, text.replace(":", "."), edge)
        for word, tool in stdlib.APP_WORDS.items():
            if word in scanned.words:
                self.want(module, tool, edge)
        if {i.module.partition(".")[0] for i in scanned.imports} & stdlib.PROMPTS:
            self._want_stdlib(module, edge)
        if not scanned.dynamic:
            return
        before = len(self.graph)
        owner = module if module.folders else self.finder.find(module.name.rpartition(".")[0])
        if owner is not None and owner.layer == "app":
            self.want_all(module, owner, edge)
        for text in sorted(scanned.constants):
            package = self.finder.find(text.rstrip(".")) if re.fullmatch(r"[A-Za-z_][\w.]*", text) else None
            if package is None or not package.folders:
                continue
            if package.layer == "app" or (text.endswith(".") and package.layer == "dependencies"):
                self.want_all(module, package, edge)
        if len(self.graph) == before and self.source.kind is not AppKind.SCRIPT:
            self.warnings.append(
                f"{module.path}:{scanned.dynamic[0]}: the name of an import is computed; "
                "name what it can be in `include` below [tool.unikit]"
            )

    def _want_stdlib(self, module: Module, edge: Edge) -> None:
        for name in sorted(self.source.python.stdlib_names):
            found = self.finder.find(name)
            if found is None or found.layer != "interpreter" or stdlib.NOT_AT_A_PROMPT.fullmatch(name):
                continue
            self.want(module, name, edge)
            if found.folders:
                self.want_all(module, found, edge)

    def _want_string(self, module: Module, text: str, edge: Edge) -> None:
        """A string such as "shop.urls" or "logging.handlers.SysLogHandler" may name a module or something in one."""
        parts = text.split(".")
        best = None
        for end in range(1, len(parts) + 1):
            found = self.finder.find(".".join(parts[:end]))
            if found is None:
                break
            best = found if found.kind is not ModuleKind.NAMESPACE else best
        if best is None or best.name.partition(".")[0] in stdlib.TOOLS:
            return
        if "." not in best.name and best.layer == "interpreter":
            return
        self.want(module, best.name, edge)
        if best.layer == "dependencies" and best.folders and best.name == text:
            self.want_all(module, best, edge)

    def _follow_extension(self, module: Module, path: Path) -> None:
        """What a compiled module imports is not written in Python: names of modules in its constants are taken for
        imports, those of its own package and of the standard library."""
        top = module.name.partition(".")[0]
        edge = Edge(EdgeKind.IMPORTS, True, True, "static", (str(path),))
        content = path.read_bytes()
        for match in set(re.findall(rb"\b" + re.escape(top.encode()) + rb"(?:\.[A-Za-z_]\w{0,60}){1,8}", content)):
            name = match.decode()
            while name and not self.has(name):
                found = self.finder.find(name)
                if found and found.kind is not ModuleKind.NAMESPACE and not TESTS.search(name):
                    self.want(module, name, edge)
                    break
                name = name.rpartition(".")[0]
        for match in set(re.findall(rb"\x00([a-z_][a-z_0-9]{2,30}(?:\.[a-z_][a-z_0-9]{1,30})?)(?=\x00)", content)):
            name = match.decode()
            if name.partition(".")[0] in self.source.python.stdlib_names and name.partition(".")[0] not in stdlib.TOOLS:
                found = self.finder.find(name)
                if found is not None and found.layer == "interpreter" and not self._rule(name):
                    self.want(module, name, edge)

    def _from_c(self, module: Module) -> None:
        edge = Edge(EdgeKind.IMPORTS, True, True, "runtime", ("C",))
        if module.layer == "interpreter":
            for name in (*stdlib.FROM_C.get(module.name, ()), *stdlib.WITH.get(module.name, ())):
                if self.finder.find(name):
                    self.want(module, name, edge)
            if module.name == "sysconfig" and self.finder.find(self.source.python.sysconfig_data):
                self.want(module, self.source.python.sysconfig_data, edge)
            if module.name in stdlib.DECODERS:
                for codec in stdlib.COMMON_CODECS:
                    self._want_codec(module, codec)

    # -- what is not followed

    def _is_excluded(self, name: str) -> bool:
        return any(name == n or name.startswith(n + ".") for n in self._excluded)

    def _is_cut(self, importer: Module, name: str, edge: Edge) -> bool:
        own, top = importer.name.partition(".")[0], name.partition(".")[0]
        if {(importer.name, top), (importer.name, name)} & stdlib.CUT:
            return True
        if name in stdlib.FALLBACKS and (edge.conditional or edge.lazy):
            return self.finder.find(stdlib.FALLBACKS[name]) is not None
        return edge.lazy and top in stdlib.TOOLS and own != top and edge.origin == "static"

    @staticmethod
    def _rule(name: str) -> optional.Optional | None:
        return next((r for r in optional.RULES if name in r.modules), None)

    def _optional(self, importer: Module, name: str, edge: Edge) -> optional.Optional | None:
        """The rule by which this import is not followed for now."""
        rule = self._rule(name)
        if rule is None or rule.why in self._active or edge.origin == "setting":
            return None
        if importer.layer == "interpreter" and importer.name not in rule.modules:
            return rule if edge.conditional or edge.lazy else None
        return rule if edge.conditional and any(importer.name == m for m, _ in rule.options) else None

    def _is_undeclared(self, importer: Module, name: str, edge: Edge) -> bool:
        """Whether a package can make use of another one that it does not require, not even for an extra, and that
        nothing else uses: it is there for somebody else, and the importer does without."""
        top = name.partition(".")[0]
        if importer.layer != "dependencies" or edge.origin != "static" or not (edge.conditional or edge.lazy):
            return False
        if top == importer.name.partition(".")[0] or self.has(top):
            return False
        target = self.finder.find(top)
        if target is None or target.layer != "dependencies":
            return False
        return top in packages.DEVELOPMENT or not self.installed.declares(importer, target)

    def _wake(self) -> bool:
        """Follow the deferred imports of rules whose condition has come true; whether there were any."""
        woken = False
        for rule in optional.RULES:
            if rule.why in self._active or not self._is_used(rule):
                continue
            self._active.add(rule.why)
            mine = [d for d in self._deferred if d[0] is rule]
            self._deferred = [d for d in self._deferred if d[0] is not rule]
            for _, importer, name, edge in mine:
                self.want(importer, name, edge)
                woken = True
        undeclared, self._undeclared = self._undeclared, []
        for importer, name, edge in undeclared:
            if self.has(name.partition(".")[0]):
                self.want(importer, name, edge)
                woken = True
            else:
                self._undeclared.append((importer, name, edge))
        return woken

    def _is_used(self, rule: optional.Optional) -> bool:
        if any(self.has(m) for m in rule.modules) or (rule.modules == ("_hashlib",) and self.has("ssl")):
            return True
        options = dict(rule.options)
        for name, scanned in self.scanned.items():
            module: Module = self.graph.nodes[f"module:{name}"]["node"]
            if module.layer == "interpreter":
                continue
            wanted = rule.app_words if module.layer == "app" else rule.package_words
            words = scanned.words | self._star_words.get(name, set())
            if name not in options and any(wanted.search(w) for w in words):
                return True
            if module.layer != "app" and name.partition(".")[0] in {o.partition(".")[0] for o in options}:
                continue  # these offer the option to others
            for owner, pattern in options.items():
                if self.has(owner) and any(pattern.search(w) for w in scanned.words):
                    return True
        return any(self._importers_outside_stdlib(user) for user in rule.users if self.has(user))

    def _importers_outside_stdlib(self, name: str) -> bool:
        nodes = (self.graph.nodes[n]["node"] for n in self.graph.predecessors(f"module:{name}"))
        return any(isinstance(n, Module) and n.layer != "interpreter" for n in nodes)

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
            evidence = tuple(dict.fromkeys((*old.evidence, *edge.evidence)))[:MOST_EVIDENCE]
            first = old if (old.conditional, old.lazy) <= (edge.conditional, edge.lazy) else edge
            # the evidence of the strongest reason comes first
            if first is edge:
                evidence = tuple(dict.fromkeys((*edge.evidence, *old.evidence)))[:MOST_EVIDENCE]
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
