"""What would go if something went: what can be reached through it alone (it dominates that, in the words of graphs)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from unikit.image.inventory import GROUPS, ROOT, Inventory, reached
from unikit.questions import names

SAME = 0.9  # this part of something's bytes is as good as all


@dataclass(frozen=True)
class Dropped:
    """What goes with some nodes: their ids, bytes, and who needs them now (edges to take out)."""

    nodes: tuple[str, ...]
    gone: tuple[str, ...]  # sorted by id, the nodes themselves included
    size: int
    users: tuple[tuple[str, str], ...]  # (node that stays, node of `nodes` that it needs)


def without(inventory: Inventory, wanted: Iterable[str]) -> Dropped:
    """What is not reached any more without the named things. A distribution stands for all of its modules."""
    chosen: set[str] = set()
    for name in wanted:
        node = names.one(inventory, name)
        chosen.add(node)
        if inventory[node].kind in GROUPS:
            chosen |= {item.id for item in inventory.items() if item.owner == node}
        if node.startswith("module:"):
            chosen |= {other for other in inventory.graph if other.startswith(node + ".")}
    chosen.discard(ROOT)
    graph = inventory.graph
    rest = graph.subgraph(set(graph) - chosen)
    gone = set(graph) - reached(rest)
    users = sorted(
        (tail, node)
        for node in chosen
        for tail in graph.predecessors(node)
        if tail not in gone and not node.startswith("distribution:")
    )
    return Dropped(tuple(sorted(chosen)), tuple(sorted(gone)), sum(inventory[node].size for node in gone), tuple(users))


@dataclass(frozen=True)
class Weight:
    """What a node alone is responsible for: bytes and nodes that would go with it."""

    node: str
    size: int
    count: int


def heaviest(inventory: Inventory, kind: str = "module") -> list[Weight]:
    """The nodes of a kind by what would go with them, the largest first. What makes up most of something that it goes
    with anyway is not listed again."""
    weights = dominated(inventory)
    above = nx.immediate_dominators(inventory.graph, ROOT)
    found = []
    for node, (size, count) in weights.items():
        over = above[node] if node != ROOT else None
        if over is None or not node.startswith(f"{kind}:"):
            continue
        if over == ROOT or size < SAME * weights[over][0]:
            found.append(Weight(node, size, count))
    return sorted(found, key=lambda w: (-w.size, w.node))


def dominated(inventory: Inventory) -> dict[str, tuple[int, int]]:
    """Bytes and number of nodes that are reached through a node alone, itself included, for every node."""
    graph = inventory.graph
    above = nx.immediate_dominators(graph, ROOT)
    tree: nx.DiGraph[str] = nx.DiGraph()
    tree.add_nodes_from(above)
    tree.add_edges_from((over, node) for node, over in above.items() if over is not None and over != node)
    sums: dict[str, tuple[int, int]] = {}
    for node in reversed(list(nx.topological_sort(tree))):
        below = [sums[child] for child in tree.successors(node)]
        sums[node] = (inventory[node].size + sum(s for s, _ in below), 1 + sum(c for _, c in below))
    return sums
