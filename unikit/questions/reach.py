"""The system calls that an image's files can make, added to its graph. The files in the image are too bare to be
followed; the ones that they were made from are known on the machine that built it."""

from __future__ import annotations

from dataclasses import dataclass

from elftools.common.exceptions import ELFError

from unikit.errors import UserError
from unikit.image.inventory import Inventory, Item
from unikit.model import Library
from unikit.native import calls, elf, symbols
from unikit.native.calls import Calls
from unikit.questions.subject import Subject


@dataclass(frozen=True)
class Files:
    """The ELF files of an image with their originals (what calls.py asks for)."""

    program: Library
    loader: Library
    extensions: tuple[tuple[str, Library], ...]
    libraries: tuple[Library, ...]

    @property
    def files(self) -> tuple[Library, ...]:
        return (self.program, self.loader, *(lib for _, lib in self.extensions), *self.libraries)


def follow(subject: Subject) -> Calls | None:
    """The calls that files lead to; None if one of the originals is not on this machine any more."""
    files = _originals(subject.inventory)
    if files is None:
        return None
    try:
        return calls.analyse(files)
    except (UserError, ELFError, OSError):
        return None


def overlay(subject: Subject) -> Calls | None:
    """Put the calls into the subject's graph, below the files that lead to them."""
    found = follow(subject)
    if found is not None:
        graph = subject.inventory.graph
        found.add_to(graph)
        numbers = {f"call:{call.name}": call.number for call in found.calls}
        for node, data in graph.nodes(data=True):
            if "item" not in data:
                data["item"] = Item(node, detail={"number": numbers[node]})
    return found


def _originals(inventory: Inventory) -> Files | None:
    found: dict[str, Library] = {}
    for item in inventory.items("library"):
        identity = str(item.detail.get("build_id", ""))
        for path in symbols.files_of(identity):
            if identity.startswith("sha256-") or elf.read(path).build_id == identity:
                role = item.detail["role"]
                build_id = "" if identity.startswith("sha256-") else identity
                found[item.id] = Library(str(item.detail["soname"]), path, item.name, "runtime", build_id, role)
        if item.id not in found:
            return None
    graph, roles = inventory.graph, {role: [lib for lib in found.values() if lib.role == role] for role in ROLES}
    modules = {lib.id: [t for t in graph.predecessors(lib.id) if t.startswith("module:")] for lib in roles["extension"]}
    extensions = tuple((modules[lib.id][0].partition(":")[2], lib) for lib in roles["extension"] if modules[lib.id])
    if len(roles["program"]) != 1 or len(roles["loader"]) != 1:
        return None
    return Files(roles["program"][0], roles["loader"][0], extensions, tuple(roles["library"]))


ROLES = ("program", "loader", "extension", "library")
