"""Distributions in the graph: the ones that kept modules belong to, their entry points and their metadata."""

from __future__ import annotations

from unikit.analysis.installed import Environment
from unikit.analysis.walk import Walk
from unikit.model import DataFile, Distribution, Edge, EdgeKind, Module


def add(walk: Walk, environment: Environment) -> None:
    """Add the distributions of kept modules to the graph, and the modules behind entry points that kept code asks
    for."""
    for name, scopes in list(walk.live.scopes.items()):
        module: Module = walk.graph.nodes[f"module:{name}"]["node"]
        groups = {g for s in scopes for g in s.groups} if module.layer != "interpreter" else set()
        for group in sorted(groups):
            for installed, modules in environment.providers(group).items():
                evidence = (f"{installed.distribution.folder}/entry_points.txt",)
                edge = Edge(EdgeKind.IMPORTS, True, True, "hook", evidence)
                for target in modules:
                    if walk.finder.find(target):
                        walk.want(module, target, edge)
    walk.run()
    for module in list(walk.loaded()):
        if module.layer == "dependencies" and (owner := environment.owner(module)):
            node = owner.distribution
            if node.id not in walk.graph:
                walk.graph.add_node(node.id, node=node)
            walk.graph.add_edge(node.id, module.id, edge=Edge(EdgeKind.CONTAINS))


def metadata(walk: Walk, wanted: set[str]) -> list[DataFile]:
    """The metadata of the kept distributions, if anything kept reads such or a hook wants it."""
    nodes = walk.graph.nodes
    readers = [n for n, s in walk.scanned.items() if s.metadata]
    if not wanted and not any(nodes[f"module:{n}"]["node"].layer != "interpreter" for n in readers):
        return []
    found = []
    for name in sorted(nodes):
        node = nodes[name]["node"]
        if isinstance(node, Distribution):
            files = [node.folder / n for n in ("METADATA", "PKG-INFO", "entry_points.txt", "top_level.txt")]
            for file in [f for f in files if f.is_file()] or [node.folder]:
                if file.is_file():
                    name = node.folder.name if file == node.folder else f"{node.folder.name}/{file.name}"
                    guest = f"{walk.source.python.guest_site}/{name}"
                    found.append(DataFile(file, guest, "dependencies", f"metadata of {node.name}"))
    return found
