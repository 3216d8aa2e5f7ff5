"""The one graph of an image, from the application's first line to the last driver, and the questions about it.

Node ids: `module:NAME`, `library:PATH`, `missing:NAME`, `component:NAME`, `call:NAME` (a system call) and `lwip`. A
component that is in the image because the application imports a module hangs on that module; the rest of the runtime
hangs on the interpreter's program, without which there would be none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import networkx as nx

from unikit.calls import Calls
from unikit.model import Edge, EdgeKind, Imports, Natives
from unikit.select import ON_IMPORT, Selection, family_of

ROOT = "module:__main__"
PATHS = 5  # how many ways of being reached are shown


@dataclass(frozen=True)
class Step:
    """One edge of a path: from, to, and why, as text."""

    tail: str
    head: str
    how: str
    evidence: tuple[str, ...]


def graph(natives: Natives, selection: Selection, calls: Calls | None = None) -> nx.DiGraph[str]:
    """Modules and libraries with the runtime below them; with `calls`, which file leads to which system call."""
    whole: nx.DiGraph[str] = natives.graph.copy()
    if calls is not None:
        calls.add_to(whole)
    program = natives.program.id
    whole.add_edge(ROOT, program, edge=Edge(EdgeKind.LOADS, evidence=("the interpreter",)))
    for choice in selection.choices:
        node = f"component:{choice.component.name}"
        family = family_of(choice.component.name)
        if choice.needed_by:
            tail, why = f"component:{choice.needed_by}", f"for {choice.for_what}"
        elif family:
            tail, why = f"module:{ON_IMPORT[family]}", f"the family {family} is of use to it"
        else:
            tail, why = program, "start-up work, a system call or a driver"
        whole.add_edge(tail, node, edge=Edge(EdgeKind.CALLS, evidence=(why,)))
        for _, name in choice.component.calls:
            whole.add_edge(node, f"call:{name}", edge=Edge(EdgeKind.PROVIDES))
        if choice.component.name.startswith("lwip/"):
            whole.add_edge(node, "lwip", edge=Edge(EdgeKind.CONTAINS))
    return whole


def find(whole: nx.DiGraph[str], name: str) -> list[str]:
    """The nodes that a user may mean by `name`: an id, or its part after the colon, a library's or component's last
    part; `_` stands for `/` as well (virtio_net)."""
    if name in whole:
        return [name]

    def tails(node: str) -> Iterator[str]:
        rest = node.partition(":")[2] or node
        yield rest
        yield rest.rpartition("/")[2]
        yield rest.replace("/", "_")

    exact = [node for node in whole if name in tails(node)]
    order = ("module", "component", "call", "library", "missing")
    return sorted(exact, key=lambda node: (order.index(node.partition(":")[0]), node))


def paths(whole: nx.DiGraph[str], node: str, most: int = PATHS) -> list[list[Step]]:
    """The ways from the application to a node, the shortest first; each differs in the last edge but one or more."""
    try:
        found = islice(nx.shortest_simple_paths(whole, ROOT, node), most)
        return [[_step(whole, a, b) for a, b in pairwise(path)] for path in found]
    except nx.NetworkXNoPath:
        return []


def _step(whole: nx.DiGraph[str], tail: str, head: str) -> Step:
    edge = whole.edges[tail, head].get("edge")
    if not isinstance(edge, Edge):
        return Step(tail, head, "needs", ())
    words = [edge.kind.value]
    words += ["if it is there"] if edge.conditional else []
    words += ["when called"] if edge.lazy else []
    words += [f"({edge.origin})"] if edge.origin != "static" else []
    return Step(tail, head, " ".join(words), edge.evidence)


def why_not(imports: Imports, selection: Selection, name: str) -> str:
    """One sentence: why something is not in the image."""
    dropped = dict(imports.dropped)
    if name in dropped:
        return (
            f"{name} is left out by rule ({dropped[name]}): its importers handle its absence, and nothing in the "
            f'application or its packages can use it. Keep it with include = ["{name}"] in [tool.unikit].'
        )
    missing = {m.name: m.why for m in imports.missing}
    if name in missing:
        return f"{name} is not there: {missing[name]}."
    for left in selection.left_out:
        if name in (left, left.rpartition("/")[2], left.replace("/", "_")) or left.startswith(f"{name}/"):
            if family := family_of(left):
                return f"{name} is of use only to an application that imports {ON_IMPORT[family]}; this one does not."
            return f"Nothing in the runtime of this image needs {name}."
    return f"Nothing that the application reaches imports {name}."

