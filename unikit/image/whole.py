"""The one graph of an image, put together from what the stages found: modules and their files, libraries, the
components of the runtime with their system calls and drivers (inventory.py says what the nodes are)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import networkx as nx

from unikit.analysis.installed import Installed, licence
from unikit.image.inventory import ROOT, UNCALLED, UNUSED, Absent, Inventory, Item, reached
from unikit.kernel import upstream
from unikit.kernel.component import Component
from unikit.kernel.select import ON_IMPORT, Selection, family_of, only_calls, providers, uses
from unikit.model import Distribution, Edge, EdgeKind, FileKind, Library, Missing, Module, Natives, Pruned
from unikit.native import debian
from unikit.places import Places

# Files that no module asks for by its own data: what looks them up in the guest.
READERS = (
    (re.compile(r"^/etc/ssl/|/cert\.pem$|/openssl\.cnf$"), "module:_ssl"),
    (re.compile(r"^/usr/share/zoneinfo/"), "module:zoneinfo"),
    (re.compile(r"^/etc/(resolv\.conf|hosts|services|protocols|nsswitch\.conf)$"), "module:_socket"),
    (re.compile(r"/terminfo/"), "module:_curses"),
    (re.compile(r"/terminfo/"), "module:readline"),
)
MOST_EVIDENCE = 5  # that an edge keeps
REASON = re.compile(r"^(?:data|hook) of (?P<module>[\w.]+)$|^metadata of (?P<distribution>\S+)$")


def inventory(
    pruned: Pruned, selection: Selection, sizes: Mapping[str, int], traced: Iterable[str] | None = None
) -> Inventory:
    """The whole graph of an image. `sizes` are the bytes of the kernel's components, by name, `traced` the system calls
    that a traced run of the application made."""
    found = _Whole(pruned, selection, sizes).run()
    calls = None if traced is None else tuple(sorted(traced))
    return dataclasses.replace(found, mode=pruned.natives.imports.mode, traced=calls)


class _Whole:
    def __init__(self, pruned: Pruned, selection: Selection, sizes: Mapping[str, int]) -> None:
        self.pruned, self.selection, self.sizes = pruned, selection, sizes
        self.natives: Natives = pruned.natives
        self.places = Places(pruned.source)
        self.graph: nx.DiGraph[str] = nx.DiGraph()
        self.program = self.natives.program.id
        self.files: dict[str, list[str]] = {}  # of nodes
        self.owners: dict[str, str] = {}

    def run(self) -> Inventory:
        self._stages()
        self._share_out()
        self._packages()
        self._runtime()
        for node, data in self.graph.nodes(data=True):
            item = data.get("item") or Item(node)
            data["item"] = replace(item, files=tuple(self.files.get(node, ())), owner=self.owners.get(node, ""))
        lost = self._unreached()
        for node in sorted(lost):  # whatever is there is there for the application: no node without a way to it
            if not any(tail in lost for tail in self.graph.predecessors(node)):
                traced = self.natives.imports.mode == "traced" and node.startswith("module:")
                why, origin = (("unikit.lock",), "recorded") if traced else ((), "runtime")
                self._edge(ROOT, node, EdgeKind.IMPORTS, *why, origin=origin)
        return Inventory(self.graph, tuple(self._absent()))

    def _unreached(self) -> set[str]:
        return set(self.graph) - set(reached(self.graph))

    def _add(self, item: Item) -> None:
        self.graph.add_node(item.id, item=item)

    def _edge(self, tail: str, head: str, kind: EdgeKind, *evidence: str, **more: Any) -> None:
        self.graph.add_edge(tail, head, edge=Edge(kind, evidence=evidence, **more))

    # -- modules, distributions and libraries, as the stages left them

    def _stages(self) -> None:
        source = self.natives.graph
        for node, data in source.nodes(data=True):
            self._add(self._item(node, data.get("node")))
        for tail, head, data in source.edges(data=True):
            edge = data.get("edge")
            if not isinstance(edge, Edge):
                edge = Edge(EdgeKind.CALLS)
            if tail.startswith("distribution:"):  # what is kept of a distribution is kept for its modules
                self.owners[head] = tail
                self._edge(head, tail, EdgeKind.PART)
                continue
            # sorted, since the order in which functions were found to be used differs from run to run
            evidence = tuple(sorted({self.places.evidence(t) for t in edge.evidence if t}, key=_line)[:MOST_EVIDENCE])
            if tail.startswith("library:") and edge.kind is EdgeKind.LOADS and not edge.conditional:
                evidence = ("DT_NEEDED",) if any(text.startswith("/") for text in edge.evidence) else evidence
            if edge.kind is EdgeKind.CONTAINS and tail.startswith("module:"):
                evidence = evidence or ("its package",)
            self.graph.add_edge(tail, head, edge=replace(edge, evidence=evidence))
        self._edge(ROOT, self.program, EdgeKind.LOADS, "the interpreter", origin="runtime")
        for module, library in self.natives.extensions:
            if (owner := self.owners.get(f"module:{module}")) is not None:
                self.owners[library.id] = owner

    def _item(self, node: str, value: Any) -> Item:
        if isinstance(value, Module):
            detail = {"type": value.kind.value}
            if value.path is not None:
                detail["source"] = self.places.short(value.path)
            return Item(node, value.layer, detail=detail)
        if isinstance(value, Library):
            return Item(node, value.layer, detail={"soname": value.soname, "role": value.role})
        if isinstance(value, Distribution):
            return Item(node, "dependencies", detail={"version": value.version, "licence": licence(value)})
        if isinstance(value, Missing):
            return Item(node, detail={"why": value.why})
        return Item(node)

    # -- the files of the root file system

    def _share_out(self) -> None:
        """Every file to the module, library or distribution that it is there for, or as a node of its own."""
        reasons = {file.guest: file.reason for file in self.natives.imports.data}
        libraries = {library.guest: library.id for library in self.natives.files}
        modules = {module.name for module in self.natives.imports.modules}
        for file in self.pruned.files:
            if file.kind is FileKind.DIRECTORY:
                continue
            name = self.places.module(file.path)
            if file.path in libraries:
                self.files.setdefault(libraries[file.path], []).append(file.path)
            elif file.path == self.pruned.source.start.guest or file.path == "/.unikit/main.pyc":
                self.files.setdefault(ROOT, []).append(file.path)
            elif name in modules:
                self.files.setdefault(f"module:{name}", []).append(file.path)
            else:
                node = f"file:{file.path}"
                self._add(Item(node, file.layer))
                self.files[node] = [file.path]
                reader, why = self._reader(file.path, name, reasons.get(file.path, ""))
                self._edge(reader, node, EdgeKind.READS, *([why] if why else []))
                if (owner := self.owners.get(reader) or reader).startswith("distribution:"):
                    self.owners[node] = owner
        self._bundled()

    def _reader(self, path: str, module: str | None, reason: str) -> tuple[str, str]:
        """Who needs a file, and why."""
        if match := REASON.match(reason):
            named = f"distribution:{match['distribution']}" if match["distribution"] else f"module:{match['module']}"
            if named in self.graph:
                return named, "" if reason.startswith("data") else reason
        if reason.startswith("named in "):
            return self._module_at(self.places.short_text(reason.removeprefix("named in "))), "named in it"
        if reason.startswith("include "):
            return ROOT, reason
        for pattern, node in READERS:
            if pattern.search(path) and node in self.graph:
                return node, "looks it up"
        if path.startswith("/.unikit/"):
            return self.program, reason or "how the program starts"
        if path.startswith("/app/"):
            return ROOT, "in the application's folder"
        return self.program, reason

    def _module_at(self, source: str) -> str:
        for node, data in self.graph.nodes(data=True):
            if node.startswith("module:") and data["item"].detail.get("source") == source:
                return node
        return ROOT

    def _bundled(self) -> None:
        """Libraries and files beside the modules of a distribution, that its list of files names."""
        site = self.pruned.source.python.guest_site + "/"
        free = {node for node in self.graph if node.startswith(("library:", "file:")) and node not in self.owners}
        free = {node for node in free if node.partition(":")[2].startswith(site)}
        if not free:
            return
        for node, data in self.natives.graph.nodes(data=True):
            value = data.get("node")
            if isinstance(value, Distribution):
                installed = Installed(value, value.folder.parent)
                named = {self.places.short(path) for path in installed.files}
                mine = {n for n in free if n.partition(":")[2].removeprefix(site) in named}
                self.owners.update(dict.fromkeys(mine, node))
                free -= mine

    def _packages(self) -> None:
        """Debian's packages behind the libraries of the system, and every owner as what its things are part of."""
        hosts = {lib.host: lib.id for lib in self.natives.files if lib.id not in self.owners}
        for host, package in debian.owners(hosts).items():
            node = f"package:{package.name}"
            self._add(Item(node, detail={k: v for k, v in dataclasses.asdict(package).items() if k != "name" and v}))
            self.owners[hosts[host]] = node
        for member, owner in sorted(self.owners.items()):
            if not self.graph.has_edge(owner, member):
                self._edge(member, owner, EdgeKind.PART)

    # -- the runtime

    def _runtime(self) -> None:
        chosen = self.selection.components
        symbols = providers(chosen)
        for component in chosen:
            self._component(component)
        for component in chosen:
            node = f"component:{component.name}"
            if component.root:
                self._edge(self._root(component), node, EdgeKind.CALLS, _work(component))
            for symbol in sorted(component.weak):  # a hook with a default: what replaces it is no need of this one
                for other in symbols.get(symbol, ()):
                    if other is not component:
                        self._edge(self._root(other), f"component:{other.name}", EdgeKind.CALLS, f"replaces {symbol}")
        for user, name, why in uses(chosen):
            self._edge(f"component:{user}", f"component:{name}", EdgeKind.CALLS, why)

    def _component(self, component: Component) -> None:
        node = f"component:{component.name}"
        self._add(Item(node, "kernel", size=self.sizes.get(component.name, 0)))
        for number, name in component.calls:
            self._add(Item(f"call:{name}", detail={"number": number}))
            self._edge(node, f"call:{name}", EdgeKind.PROVIDES)
        for name, device in component.drivers:
            self._add(Item(f"driver:{name}", detail={"device": device}))
            self._edge(node, f"driver:{name}", EdgeKind.PROVIDES)
        if component.name.startswith("lwip/"):
            self.owners[node] = "lwip"
            self._add(Item("lwip", detail=upstream.LWIP.detail))
            self._edge(node, "lwip", EdgeKind.PART)

    def _root(self, component: Component) -> str:
        """What a component that works by being there is there for."""
        family = family_of(component.name)
        node = f"module:{ON_IMPORT[family]}" if family else self.program
        return node if node in self.graph else self.program

    # -- what is not there

    def _absent(self) -> Iterator[Absent]:
        for name, why in self.natives.imports.dropped:
            if f"module:{name}" not in self.graph:
                yield Absent("module", name, why)
        for component in self.selection.absent:
            provides = (*(f"call:{n}" for _, n in component.calls), *(f"driver:{n}" for n, _ in component.drivers))
            uncalled = only_calls(component) and {n for _, n in component.calls} <= {*self.selection.uncalled}
            why = family_of(component.name) or (UNCALLED if uncalled else "")
            yield Absent("component", component.name, why, provides)
        for path in self.natives.imports.unseen:
            yield Absent("file", path, UNUSED)


def _line(evidence: str) -> tuple[str, int]:
    """Evidence in the order of the source: `main.py:9` before `main.py:10`."""
    path, _, line = evidence.rpartition(":")
    return (path, int(line)) if line.isdigit() else (evidence, 0)


def _work(component: Component) -> str:
    """What a root does by being there."""
    work: Iterable[tuple[object, str]] = (
        (component.calls, "its system calls"), (component.drivers, "its driver"), (component.init, "start-up work"),
        (component.boot, "the boot"),
    )  # fmt: skip
    return ", ".join(text for there, text in work if there) or "its tables"
