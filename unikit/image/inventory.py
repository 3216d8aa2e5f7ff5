"""What an image knows of itself: the one graph, from the application's first line to the last driver, with the files
and sizes behind its nodes. It travels in the image, in a section that is not loaded, so every question can be asked of
an image as well as of an application.

Node ids: `module:NAME`, `library:GUEST` (an ELF file), `file:GUEST`, `distribution:NAME`, `package:NAME` (Debian's,
that brought a library), `component:NAME`, `driver:NAME`, `call:NAME` (a system call), `missing:NAME`, and `lwip`,
`zstd`, `lz4`, whose sources are compiled in. An edge leads from what needs to what is needed; what a thing is part of
(distribution, package, lwIP) hangs on the thing.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import networkx as nx

from unikit.errors import ExitCode, UserError
from unikit.image import image
from unikit.model import Edge, EdgeKind

SECTION = ".unikit.graph"
FORMAT = 1
ROOT = "module:__main__"
UPSTREAM = ("lwip", "zstd", "lz4")  # others' sources that are compiled into images
GROUPS = ("distribution", "package", *UPSTREAM)  # kinds of what things are part of
UNPACKER = "unpacker"  # the layer of the program that unpacks a compressed image
NUMBERS = {kind: number for number, kind in enumerate(EdgeKind)}
ORIGINS = ("static", "hook", "recorded", "runtime", "setting")


@dataclass(frozen=True)
class Item:
    """A node. `owner` is the distribution, package or stack that it belongs to, `files` are guest paths; `detail` says
    what else is known of its kind: version, licence, build_id, soname, number, device, source (of a module) ..."""

    id: str
    layer: str = ""  # runtime, interpreter, dependencies, app, kernel, unpacker
    owner: str = ""
    size: int = 0  # bytes in the image
    files: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.id.partition(":")[0]

    @property
    def name(self) -> str:
        return self.id.partition(":")[2] or self.id


@dataclass(frozen=True)
class Absent:
    """Something that is not in the image although it could be. `kind`: module (left out by rule), component, file.
    `why`: the rule of a module; of a component, its family, or UNCALLED; of a file, UNUSED."""

    kind: str
    name: str
    why: str
    provides: tuple[str, ...] = ()  # a component's system calls and drivers


UNCALLED = "the traced run made none of its system calls"
UNUSED = "the traced run did not use it"


@dataclass(frozen=True, eq=False)
class Inventory:
    """The graph (node attribute `item`, edge attribute `edge`), what was left out, how much was kept (`prune`), and
    the system calls that a traced run made, by name, where there was one."""

    graph: nx.DiGraph[str]
    absent: tuple[Absent, ...]
    mode: str = "safe"
    traced: tuple[str, ...] | None = None
    kernel_code: int = 0  # bytes of the kernel that can be executed

    def __getitem__(self, node: str) -> Item:
        item: Item = self.graph.nodes[node]["item"]
        return item

    def items(self, *kinds: str) -> list[Item]:
        """The nodes of some kinds (default: all), sorted by id."""
        found = (self[node] for node in sorted(self.graph))
        return [item for item in found if not kinds or item.kind in kinds]

    def dump(self) -> bytes:
        """The same bytes for the same values: compressed JSON, nodes by number, evidence without what repeats."""
        nodes = sorted(self.graph)
        number = {node: i for i, node in enumerate(nodes)}
        value = {
            "format": FORMAT,
            "mode": self.mode,
            "traced": self.traced,
            "kernel_code": self.kernel_code,
            "kinds": [kind.value for kind in EdgeKind],
            "nodes": [_packed(self[node]) for node in nodes],
            "edges": [
                [number[a], number[b], *self._packed_edge(a, data["edge"])]
                for a, b, data in sorted(self.graph.edges(data=True), key=lambda e: e[:2])
            ],
            "absent": [[a.kind, a.name, a.why, *a.provides] for a in self.absent],
        }
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        return lzma.compress(text.encode(), lzma.FORMAT_ALONE, preset=6)

    def _packed_edge(self, tail: str, edge: Edge) -> list[Any]:
        flags = NUMBERS[edge.kind] << 5 | ORIGINS.index(edge.origin) << 2 | edge.lazy << 1 | edge.conditional
        source = self[tail].detail.get("source")
        return [flags, *(_short(text, source) for text in edge.evidence)]

    @staticmethod
    def load(content: bytes) -> Inventory:
        """Raises UserError (IMAGE) if it cannot be read."""
        try:
            value = json.loads(lzma.decompress(content))
            if value["format"] != FORMAT:
                raise UserError(
                    f"The image's graph has format {value['format']}; this unikit reads {FORMAT}.",
                    code=ExitCode.IMAGE,
                    hint="Build the image again, or ask with the unikit that made it.",
                )
            graph: nx.DiGraph[str] = nx.DiGraph()
            kinds = value["kinds"]
            items = [_unpacked(packed) for packed in value["nodes"]]
            for item in items:
                graph.add_node(item.id, item=item)
            for tail, head, flags, *evidence in value["edges"]:
                source = items[tail].detail.get("source")
                edge = Edge(
                    EdgeKind(kinds[flags >> 5]),
                    bool(flags & 1),
                    bool(flags & 2),
                    ORIGINS[flags >> 2 & 7],  # type: ignore[arg-type]
                    tuple(_long(text, source) for text in evidence),
                )
                graph.add_edge(items[tail].id, items[head].id, edge=edge)
            absent = tuple(Absent(kind, name, why, tuple(rest)) for kind, name, why, *rest in value["absent"])
            mode, traced, code = str(value["mode"]), value["traced"], int(value["kernel_code"])
        except (ValueError, EOFError, KeyError, TypeError, IndexError, lzma.LZMAError) as error:
            raise UserError("The image's graph is damaged.", code=ExitCode.IMAGE) from error
        return Inventory(graph, absent, mode, None if traced is None else tuple(traced), code)


def _packed(item: Item) -> list[Any]:
    files = [] if item.files == (item.name,) else [list(item.files)]
    return [item.id, item.layer, item.owner, item.size, dict(item.detail), *files]


def _unpacked(packed: list[Any]) -> Item:
    node, layer, owner, size, detail, *files = packed
    item = Item(node, layer, owner, size, detail=detail)
    return replace(item, files=tuple(files[0]) if files else (item.name,))


def _short(text: str, source: str | None) -> Any:
    """Evidence is mostly a line of the importer itself: its number will do."""
    path, colon, line = text.rpartition(":")
    return int(line) if colon and path == source and line.isdigit() and str(int(line)) == line else text


def _long(packed: Any, source: str | None) -> str:
    return f"{source}:{packed}" if isinstance(packed, int) else str(packed)


def of_image(path: Path) -> Inventory:
    """The inventory that an image carries. Raises UserError (IMAGE) if it has none."""
    content = image.section(path, SECTION)
    if content is None:
        raise UserError(
            f"The image {path} does not carry its graph.", code=ExitCode.IMAGE, hint="Build it again: unikit build APP"
        )
    return Inventory.load(content)


def unused(path: Path) -> frozenset[str]:
    """The files that a traced image could have had. None for an image that does not say."""
    try:
        return frozenset(absent.name for absent in of_image(path).absent if absent.kind == "file")
    except UserError:
        return frozenset()


def reached(graph: nx.DiGraph[str]) -> set[str]:
    """The nodes that the application reaches, itself among them."""
    seen, todo = {ROOT}, [ROOT]
    while todo:
        fresh = set(graph.successors(todo.pop())) - seen
        seen |= fresh
        todo += fresh
    return seen
