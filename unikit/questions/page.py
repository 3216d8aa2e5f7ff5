"""The report as a page: sizes as a treemap, the graph from the application's lines down to system calls and drivers.
One file without anything from elsewhere (templates/report.*)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jinja2
import networkx as nx
from markupsafe import Markup

from unikit import paths
from unikit.errors import ExitCode, UserError
from unikit.image.inventory import GROUPS, ROOT, Inventory, Item
from unikit.questions import drop, sizes, ways
from unikit.questions.sizes import Part
from unikit.questions.subject import Subject

# The bands of the graph, from top to bottom.
BANDS = ("Your code", "Packages", "Standard library", "Native files", "Kernel", "System calls and devices")
APP, PACKAGES, STDLIB, NATIVE, KERNEL, CALLS = range(len(BANDS))
UNSEEN = (*GROUPS, "missing")  # they are groups, or not there


def render(subject: Subject) -> str:
    """The page as HTML."""
    return fill("report", title=f"{subject.image.manifest.name} - unikit", data=embedded(data(subject)))


def write(path: Path, text: str) -> None:
    """Raises UserError (USAGE) if it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", code=ExitCode.USAGE) from error


def fill(name: str, **values: Any) -> str:
    """A page from `templates/NAME.html.j2`, with the style and the script beside it in it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(paths.TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip

    def text(file: str) -> Markup:
        return Markup((paths.TEMPLATES / file).read_text(encoding="utf-8"))

    return environment.get_template(f"{name}.html.j2").render(text=text, **values)


def embedded(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it ends that."""
    found = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Markup(found.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def data(subject: Subject) -> dict[str, Any]:
    """What the script gets. Nodes and groups are named by their place in the lists."""
    inventory, manifest = subject.inventory, subject.image.manifest
    shown: list[Item] = [item for item in inventory.items() if item.kind not in UNSEEN]
    number = {item.id: i for i, item in enumerate(shown)}
    groups: dict[tuple[int, str], int] = {}
    above, weights, crowd = _parents(inventory), drop.dominated(inventory), _crowd(shown)
    nodes = []
    for item in shown:
        band, name = _group(inventory, item, crowd)
        group = groups.setdefault((band, name), len(groups))
        size, count = weights.get(item.id, (item.size, 1))
        facts = {k: str(v) for k, v in item.detail.items() if v and k in FACTS}
        nodes.append([item.id, group, item.size, size, count, number.get(above.get(item.id, ""), -1), facts])
    hows: dict[str, int] = {}
    edges = []
    for tail, head in sorted(inventory.graph.edges):
        if tail in number and head in number:
            step = ways.step(inventory, tail, head)
            how = hows.setdefault(step.how, len(hows))
            edges.append([number[tail], number[head], how, *step.evidence[:3]])
    tree = sizes.measure(subject)
    return {
        "name": manifest.name,
        "interpreter": manifest.interpreter,
        "unikit": manifest.unikit,
        "entry": manifest.entry,
        "size": subject.size,
        "compression": manifest.compression,
        "counts": dict(Counter(item.kind for item in inventory.items())),
        "tree": _tree(tree, number),
        "bands": BANDS,
        "groups": [[band, name] for band, name in groups],
        "nodes": nodes,
        "edges": edges,
        "hows": list(hows),
    }


FACTS = ("version", "source", "type", "number", "device", "soname", "build_id")


def _parents(inventory: Inventory) -> dict[str, str]:
    """The node before each one on the shortest way from the application."""
    found: dict[str, list[str]] = nx.single_source_dijkstra_path(ways.weighed(inventory), ROOT)
    return {node: way[-2] for node, way in found.items() if len(way) > 1}


def _crowd(items: list[Item]) -> frozenset[str]:
    """Top-level names of the standard library that have several modules."""
    tops = Counter(i.name.partition(".")[0] for i in items if i.kind == "module" and i.layer == "interpreter")
    return frozenset(name for name, count in tops.items() if count > 1)


def _group(inventory: Inventory, item: Item, crowd: frozenset[str]) -> tuple[int, str]:
    owner = inventory[item.owner] if item.owner else None
    label = f"{owner.name} {owner.detail.get('version', '')}".strip() if owner else ""
    if item.kind == "component":
        return KERNEL, label or item.name.partition("/")[0]
    if item.kind == "driver":
        return CALLS, "drivers"
    if item.kind == "call":
        makers = [t.partition(":")[2] for t in inventory.graph.predecessors(item.id) if t.startswith("component:")]
        return CALLS, f"calls: {makers[0].partition('/')[0]}" if makers else "calls that are not offered"
    if item.kind == "library":
        if owner:
            return NATIVE, label
        return NATIVE, "extension modules of CPython" if item.detail.get("role") == "extension" else "CPython"
    if item.layer == "app":
        return APP, "the application"
    if item.layer == "dependencies" or owner:
        return PACKAGES, label or sizes.folder(item.name)
    if item.kind == "module":
        top = item.name.partition(".")[0]
        return STDLIB, top if top in crowd else "single modules"
    return NATIVE, sizes.folder(item.name)


def _tree(part: Part, number: dict[str, int]) -> list[Any]:
    """[name, bytes, node or -1, parts]"""
    return [part.name, part.size, number.get(part.node, -1), [_tree(member, number) for member in part.sorted()]]
