"""The ways from the application's own line to a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import networkx as nx

from unikit.image.inventory import ROOT, Inventory
from unikit.model import Edge

MOST = 1000  # ways that are listed at all
# The shortest way counts; among equals the one that is more certain. What the interpreter does at every start is no
# line of the application's: such a way is shown only where there is no other.
DOUBT, STARTUP = 1 / 64, 8
THERE = 4  # for a component that is there for whoever may call it, rather than for one who does


@dataclass(frozen=True)
class Step:
    """One edge of a way: from, to, and why, as text."""

    tail: str
    head: str
    how: str
    evidence: tuple[str, ...]


def shortest(inventory: Inventory, node: str, most: int = 1) -> list[list[Step]]:
    """The `most` shortest ways from the application to a node, the shortest first."""
    return _steps(inventory, islice(_by_length(weighed(inventory), node), most))


def every(inventory: Inventory, node: str, longer: int, most: int = MOST) -> list[list[Step]]:
    """All ways (no node twice) that are at most `longer` steps longer than the shortest, but no more than `most`."""
    graph = inventory.graph
    ahead = nx.single_source_shortest_path_length(graph, ROOT)
    back = nx.single_source_shortest_path_length(graph.reverse(copy=False), node)
    if node not in ahead:
        return []
    limit = ahead[node] + longer
    near = graph.subgraph([n for n in graph if n in ahead and n in back and ahead[n] + back[n] <= limit])
    found = islice(nx.all_simple_paths(near, ROOT, node, limit), most)
    return _steps(inventory, sorted(found, key=lambda way: (len(way), way)))


def _by_length(graph: nx.DiGraph[str], node: str) -> Iterator[list[str]]:
    try:
        yield from nx.shortest_simple_paths(graph, ROOT, node, weight="weight")
    except nx.NetworkXNoPath:
        return


def weighed(inventory: Inventory) -> nx.DiGraph[str]:
    """The graph with the length of each edge: one, and a bit for what is less certain or less telling."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for tail, head, data in inventory.graph.edges(data=True):
        edge: Edge = data["edge"]
        startup = STARTUP if edge.origin == "runtime" and tail == ROOT else 0
        there = THERE if tail.startswith("library:") and head.startswith("component:") else 0
        graph.add_edge(tail, head, weight=1 + startup + there + DOUBT * (edge.conditional + edge.lazy))
    return graph


def _steps(inventory: Inventory, ways: Iterable[list[str]]) -> list[list[Step]]:
    return [[step(inventory, tail, head) for tail, head in pairwise(way)] for way in ways]


def step(inventory: Inventory, tail: str, head: str) -> Step:
    edge: Edge = inventory.graph.edges[tail, head]["edge"]
    words = [edge.kind.value]
    words += ["if it is there"] if edge.conditional else []
    words += ["when called"] if edge.lazy else []
    words += [f"({edge.origin})"] if edge.origin != "static" else []
    return Step(tail, head, " ".join(words), edge.evidence)
