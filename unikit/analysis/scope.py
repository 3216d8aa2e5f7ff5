"""How much of what the walk found is kept (`prune` in the settings): `safe` is the walk's own graph, `none` adds the
rest of the standard library and of the distributions, `traced` takes away what a traced run did not use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from unikit.analysis.finder import OWN, Finder
from unikit.analysis.installed import Environment, Installed
from unikit.analysis.lock import Lock, module_of
from unikit.analysis.walk import MAIN, Graph
from unikit.model import DataFile, Distribution, Edge, EdgeKind, Imports, Missing, Module, ModuleKind

UNSEEN = frozenset({ModuleKind.FROZEN, ModuleKind.BUILTIN, ModuleKind.NAMESPACE})  # no file tells of their use


def traced(imports: Imports, lock: Lock) -> Imports:
    """Only what the lock saw, and what the settings include with the imports that makes."""
    graph = imports.graph
    main = f"module:{MAIN}"
    kept = {main, *(f"module:{name}" for name in lock.modules)}
    included = {n for n in graph.successors(main) if graph.edges[main, n]["edge"].origin == "setting"}
    included |= {module.id for module in imports.source.loaded}  # by their path, which is no module's in a lock
    if imports.source.python.version >= (3, 13):
        included.add("module:traceback")  # uncaught exceptions are shown with it
    if imports.source.settings.freeze:  # the trace was of a guest that is not frozen
        included |= {f"module:{OWN}", "module:signal"}
    kept |= _closure(graph, included)
    kept = {node for node in kept if node in graph}
    queue = list(kept)
    for node in queue:
        for following in graph.successors(node):
            value, edge = graph.nodes[following]["node"], graph.edges[node, following]["edge"]
            unseen = isinstance(value, Module) and value.kind in UNSEEN
            if following not in kept and (unseen or edge.kind is EdgeKind.CONTAINS or isinstance(value, Missing)):
                kept.add(following)
                queue.append(following)
    kept |= {
        node
        for node, value in graph.nodes(data=True)
        if isinstance(value["node"], Distribution) and any(n in kept for n in graph.successors(node))
    }
    seen = frozenset(lock.files)
    data = tuple(d for d in imports.data if d.guest in seen or d.reason.startswith("include "))
    out = tuple(sorted({d.guest for d in imports.data} - {d.guest for d in data}))
    return replace(
        imports, graph=graph.subgraph(kept).copy(), data=data, mode="traced", seen=seen, unseen=out, calls=lock.calls
    )


def _closure(graph: Graph, start: Iterable[str]) -> set[str]:
    """What is imported with some modules: what functions import when they run is left to the trace."""
    queue = [node for node in start if node in graph]
    reached = set(queue)
    for node in queue:
        for following in graph.successors(node):
            if not graph.edges[node, following]["edge"].lazy and following not in reached:
                reached.add(following)
                queue.append(following)
    return reached


def whole(imports: Imports, but: Iterable[str] = ()) -> Imports:
    """With the rest of the standard library and of every distribution that the application uses or that those require;
    `but`: modules that stay out all the same."""
    graph: Graph = imports.graph.copy()
    python = imports.source.python
    finder = Finder(python, imports.source.search)
    out = frozenset(but)
    data = {d.guest: d for d in imports.data}
    main = f"module:{MAIN}"
    edge = Edge(EdgeKind.IMPORTS, True, True, "setting", ("prune = none",))

    def add(module: Module) -> None:
        if module.id not in graph:
            graph.add_node(module.id, node=module)
            graph.add_edge(main, module.id, edge=edge)
            parent = module.name.rpartition(".")[0]
            if parent and (above := finder.find(parent)):
                add(above)
                graph.add_edge(module.id, above.id, edge=Edge(EdgeKind.CONTAINS))

    for each in _stdlib(finder):
        if each not in out and (module := finder.find(each)) and module.layer == "interpreter":
            add(module)
    for file in _files(python.stdlib):
        place = finder.guest(file)
        if place and file.suffix not in (".py", ".pyc") and ".so" not in file.suffixes:
            data.setdefault(place[0], DataFile(file, place[0], place[1], "the standard library"))
    for installed in _used(imports, Environment(python.site)):
        node = installed.distribution
        graph.add_node(node.id, node=node)
        for file in sorted(installed.files):
            place = finder.guest(file)
            if place is None or ".." in file.parts or "__pycache__" in file.parts or not file.is_file():
                continue
            name = module_of(place[0], finder)
            module = finder.find(name) if name else None
            if module is not None and module.path == file:
                if name not in out:
                    add(module)
                    graph.add_edge(node.id, module.id, edge=Edge(EdgeKind.CONTAINS))
            elif file.suffix not in (".py", ".pyc"):
                data.setdefault(place[0], DataFile(file, place[0], place[1], f"all of {node.name}"))
    return replace(imports, graph=graph, data=tuple(data.values()), mode="none")


def _stdlib(finder: Finder) -> Iterator[str]:
    queue = []
    for folder in (finder.python.stdlib, finder.python.dynload):
        queue += [stem for item in finder.listing(folder) if (stem := item.partition(".")[0]).isidentifier()]
    for name in queue:
        yield name
        module = finder.find(name)
        if module is not None and module.folders and module.layer == "interpreter":
            queue += finder.submodules(module)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in ("__pycache__", "site-packages", "dist-packages", "lib-dynload") or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _used(imports: Imports, environment: Environment) -> list[Installed]:
    """The distributions in the graph, and what they require if it is installed."""
    known = {i.distribution.name: i for i in environment.all}
    names = [d["node"].name for _, d in imports.graph.nodes(data=True) if isinstance(d["node"], Distribution)]
    for name in names:
        if name in known:
            names += sorted(known[name].needed - set(names))
    return [known[name] for name in dict.fromkeys(names) if name in known]
