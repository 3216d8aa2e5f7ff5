"""Compressed images: the unpacker and its package (unpacker.py, pack.py), and what the plain image says of itself."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path

from unikit import cache
from unikit.errors import UserError
from unikit.image import image, inventory, unpacker
from unikit.image.image import Image
from unikit.image.inventory import UNPACKER, Inventory, Item
from unikit.image.manifest import Manifest
from unikit.kernel.runtime import DECODERS
from unikit.kernel.select import uses
from unikit.model import Edge, EdgeKind

_REVISION = "2"


def compress(plain: Image, method: str, *, in_use: int = 0) -> Image:
    """The image that unpacks itself to `plain` when it boots, remembered like every other. `method` is one of pack.py;
    up to the address `in_use` memory that `plain` does not mention has to stay zero.

    Raises UserError: what unpacker.make raises.
    """
    body = plain.path.read_bytes()
    made_of = " ".join([_REVISION, method, unpacker.identity(method), str(in_use)])
    key = hashlib.sha256(made_of.encode() + body).hexdigest()
    out = cache.entry("packed", key, ".img")
    if out.is_file():
        with contextlib.suppress(UserError):
            return image.read(out)
    segments = image.segments(body)
    packed = unpacker.make(segments, struct.unpack_from("<Q", body, 24)[0], method, in_use=in_use)
    left = plain.manifest.smallest or -(-max(s.end for s in segments) // (1 << 20)) + image.SMALLEST
    manifest = dataclasses.replace(plain.manifest, smallest=max(left, -(-packed.end // (1 << 20))))
    more = image.unloaded(body)
    if inventory.SECTION in more:
        more[inventory.SECTION] = with_unpacker(Inventory.load(more[inventory.SECTION]), packed, method).dump()
    return write(packed, method, manifest, out, more)


def write(
    packed: unpacker.Packed, method: str, manifest: Manifest, out: Path, more: Mapping[str, bytes] | None = None
) -> Image:
    """Write an image that unpacks `packed` at boot; `manifest` says what is in it."""
    body = bytearray(packed.unpacker)
    manifest = dataclasses.replace(
        manifest,
        compression=method,
        components=tuple(sorted({*manifest.components, *(_name(c.name, method) for c in packed.components)})),
        loaded_sha256=image.segments_hash(body, image.program_headers(body), packed.package),
    )
    parts = {image.PACKAGE_SECTION: packed.package, **(more or {})}
    return image.write(body, packed.address, parts, manifest, out, unpacker.ALIGNED)


def with_unpacker(known: Inventory, packed: unpacker.Packed, method: str) -> Inventory:
    """The graph with the unpacker's components, and the library that it decodes with."""
    graph = known.graph.copy()
    names = {component.name: f"component:{_name(component.name, method)}" for component in packed.components}
    programs = [item.id for item in known.items("library") if item.detail.get("role") == "program"]
    graph.add_node(method, item=Item(method, detail=DECODERS[method].package.detail))
    for component in packed.components:
        node, owner = names[component.name], method if component.name.startswith(f"{method}/") else ""
        graph.add_node(node, item=Item(node, UNPACKER, owner, packed.sizes.get(component.name, 0)))
        if owner:
            graph.add_edge(node, owner, edge=Edge(EdgeKind.PART))
        for program in programs if component.root else ():
            reason = (f"the image is compressed ({method})",)
            graph.add_edge(program, node, edge=Edge(EdgeKind.CALLS, origin="setting", evidence=reason))
    for user, name, why in uses(packed.components):
        graph.add_edge(names[user], names[name], edge=Edge(EdgeKind.CALLS, evidence=(why,)))
    return dataclasses.replace(known, graph=graph)


def _name(component: str, method: str) -> str:
    """What the unpacker has of the kernel's own components is there for a second time."""
    return component if component.startswith(("unpack/", f"{method}/")) else f"unpack/{component}"
