"""Uses of what cannot work in a guest, told when the image is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from unikit.analysis.walk import MAIN, Walk, hard
from unikit.hooks.impossible import CALLS, PACKAGES, WITHOUT
from unikit.model import Edge, Module

MOST = 8  # warnings; the rest is counted


def check(walk: Walk) -> list[str]:
    """A sentence for each call of a function that needs another process: in the application wherever it is, in packages
    where it is made as soon as they are imported."""
    return first([*_calls(walk), *_packages(walk)], "need another process, which a guest cannot start")


def first(found: Iterable[str], what: str) -> list[str]:
    """The first MOST different warnings, and how many more calls there are that do `what`."""
    told = list(dict.fromkeys(found))
    more = len(told) - MOST
    return [*told[:MOST], *([f"{more} more calls {what}"] if more > 0 else [])]


def _calls(walk: Walk) -> Iterator[str]:
    certain = hard(walk.graph, [f"module:{MAIN}"])
    for module, line, called, now in walk.calls():
        if called not in CALLS or module.layer == "interpreter":
            continue
        if module.layer == "app" or (now and module.id in certain):
            when = "" if now else " when a function runs"
            yield f"{module.path}:{line}: calls {called}{when}, which cannot work: {CALLS[called]}"


def _packages(walk: Walk) -> Iterator[str]:
    """Packages for nothing else, where the application itself imports them, and not the part that works alone."""
    found: dict[str, str] = {}
    imported = set()
    for start, end, data in walk.graph.edges(data=True):
        edge: Edge = data["edge"]
        importer, target = walk.graph.nodes[start]["node"], walk.graph.nodes[end]["node"]
        if not isinstance(importer, Module) or importer.layer != "app" or not isinstance(target, Module):
            continue
        imported.add(target.name)
        if target.layer == "dependencies" and target.name in PACKAGES and edge.evidence:
            found.setdefault(target.name, edge.evidence[0])
    for name, evidence in found.items():
        if WITHOUT.get(name) not in imported:
            yield f"{evidence}: imports {name}, which cannot work: {PACKAGES[name]}"
