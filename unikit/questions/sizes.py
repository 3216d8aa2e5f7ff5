"""How large the parts of an image are: layers, in each the distributions and packages, in these modules, libraries and
files, and the kernel's components. Everything together is the image's file, byte for byte; of a compressed image, what
it unpacks to, and the unpacker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from unikit.image.inventory import UNPACKER, Inventory, Item
from unikit.questions.subject import Subject


@dataclass
class Part:
    """A name and its bytes, what it is made of, and the node of the graph that it stands for, if it is one."""

    name: str
    size: int = 0
    node: str = ""
    parts: dict[str, Part] = field(default_factory=dict)

    def add(self, way: Iterable[str], size: int, node: str = "") -> None:
        """Adds `size` bytes to this part and to each part on the way down; the last one is `node`."""
        self.size += size
        here = self
        for name in way:
            here = here.parts.setdefault(name, Part(name))
            here.size += size
        here.node = node or here.node

    def sorted(self) -> list[Part]:
        return sorted(self.parts.values(), key=lambda part: (-part.size, part.name))


def measure(subject: Subject) -> Part:
    """The whole image as a tree. Files count in whole blocks, the first of those with the same content; components by
    what the linker placed in the file."""
    whole = Part("image")
    inventory = subject.inventory
    python = subject.image.manifest.interpreter.partition(",")[0]
    for item in inventory.items():
        if item.size:
            whole.add(_way(inventory, item, python), item.size, item.id)
    _rest(subject, whole)
    return whole


def _rest(subject: Subject, whole: Part) -> None:
    """What is no node's own: the tables of the file system, the ELF file around it all, the sections that nothing
    loads."""
    files = sum(entry.taken for entry in subject.files.values())
    known = {name for item in subject.inventory.items() for name in item.files}
    other = sum(entry.taken for path, entry in subject.files.items() if path not in known)
    places = subject.sections
    kernel = whole.parts["kernel"].size if "kernel" in whole.parts else 0
    tables = places.root - files + other
    sections = places.manifest + places.graph
    frozen = bool(subject.image.manifest.frozen)
    rest = ("memory", "what was in use when it was frozen") if frozen else ("kernel", "headers, symbols, padding")
    for way, size in (
        (("file system", "inodes and folders"), tables),
        (("description", "manifest"), places.manifest),
        (("description", "graph"), places.graph),
        (rest, places.whole - kernel - places.root - sections),
    ):
        if size:
            whole.add(way, size)


def _way(inventory: Inventory, item: Item, python: str) -> tuple[str, ...]:
    if item.layer in ("kernel", UNPACKER):
        return (item.layer, *_split(item.name.removeprefix("unpack/")))
    leaf = _leaf(inventory, item)
    if item.owner:
        owner = inventory[item.owner]
        version = owner.detail.get("version", "")
        if len(leaf) > 1 and leaf[0] == owner.name.replace("-", "_"):  # the package of the distribution's own name
            leaf = leaf[1:]
        return (item.layer, f"{owner.name} {version}".strip(), *leaf)
    if item.layer == "interpreter":
        if item.kind == "library":
            return (item.layer, "extension modules" if item.detail.get("role") == "extension" else python, leaf[-1])
        return (item.layer, "standard library", *leaf)
    if item.kind == "file":
        head = folder(item.name)
        return (item.layer, head, *item.name[len(head) :].strip("/").split("/"))
    return (item.layer, *leaf)


def folder(path: str) -> str:
    """What a file that belongs to nobody is shown under: `/usr/share/zoneinfo`, `/etc`."""
    return "/".join(path.split("/")[:-1][:4]) or "/"


def _leaf(inventory: Inventory, item: Item) -> tuple[str, ...]:
    """The way below the owner: packages, then the module or file."""
    if item.kind == "module":
        parts = tuple(item.name.split("."))
        # a package's own file stands beside its modules
        inside = str(item.detail.get("source", "")).endswith("__init__.py")
        return (*parts, "__init__") if inside else parts
    last = item.name.rpartition("/")[2]
    if item.kind == "library" and item.detail.get("role") == "extension":
        modules = [tail for tail in inventory.graph.predecessors(item.id) if tail.startswith("module:")]
        name = modules[0].partition(":")[2] if modules else last
        *above, final = name.split(".")
        return (*above, f"{final}.so")
    if item.kind == "file":
        site = item.name.rpartition("-packages/")[2] if "-packages/" in item.name else item.name.strip("/")
        return tuple(site.split("/"))
    return (last,)


def _split(component: str) -> tuple[str, ...]:
    family, _, member = component.partition("/")
    return (family, member) if member else (component,)
