"""How large the parts of an image are: by layer, and in each by distribution, package, library or component family."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from unikit.model import Distribution, FileKind, ImageFile, Pruned
from unikit.select import Selection

BLOCK = 4096  # what a file takes at least


@dataclass
class Part:
    """A name and its bytes, and what it is made of."""

    name: str
    size: int = 0
    parts: dict[str, Part] = field(default_factory=dict)

    def add(self, way: Iterable[str], size: int) -> None:
        """Adds `size` bytes to this part and to each part on the way down."""
        self.size += size
        head, *rest = [*way, ""]
        if head:
            self.parts.setdefault(head, Part(head)).add(rest[:-1], size)

    def sorted(self) -> list[Part]:
        return sorted(self.parts.values(), key=lambda part: (-part.size, part.name))


def measure(pruned: Pruned, selection: Selection) -> Part:
    """The whole image as a tree: layers, groups, members. Files count in whole blocks, components by what is loaded."""
    whole = Part("image")
    owners = _owners(pruned)
    for file in pruned.files:
        if file.kind is FileKind.FILE:
            size = -(-file.size // BLOCK) * BLOCK
            whole.add((file.layer, *_group(file, owners), file.path.rpartition("/")[2]), size)
    for component in selection.components:
        family, _, member = component.name.rpartition("/")
        whole.add(("kernel", family or member, member), loaded(component.path))
    return whole


def _owners(pruned: Pruned) -> dict[str, str]:
    """Top-level names below site-packages, and the distribution that they belong to."""
    graph = pruned.natives.imports.graph
    owners = {}
    for node, value in graph.nodes(data=True):
        distribution = value.get("node")
        if isinstance(distribution, Distribution):
            owners[distribution.folder.name] = distribution.name
            for module in graph.successors(node):
                owners[module.partition(":")[2].partition(".")[0]] = distribution.name
    return owners


def _group(file: ImageFile, owners: dict[str, str]) -> tuple[str, ...]:
    """The distribution, the package of the standard library, or the folder that a file belongs to."""
    path = file.path.strip("/").split("/")
    for folder in ("site-packages", "dist-packages"):
        if folder in path[:-1]:
            top = path[path.index(folder) + 1]
            return (owners.get(top.partition(".")[0], owners.get(top, top)),)
    if path[:2] == ["usr", "lib"] and path[2].startswith("python") and len(path) > 4:
        return (path[3],)
    return ("/".join(path[:-1]) or "/",)


def loaded(path: Path) -> int:
    """Bytes of an object file that end up in memory."""
    with path.open("rb") as file:
        sections = ELFFile(file).iter_sections()
        return sum(int(s["sh_size"]) for s in sections if s["sh_flags"] & SH_FLAGS.SHF_ALLOC)
