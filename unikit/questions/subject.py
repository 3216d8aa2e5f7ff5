"""What a question is asked of: an image, or the image of an application, built if there is none yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from unikit import pipeline
from unikit.image import image, inventory, rootfs
from unikit.image.image import Image
from unikit.image.inventory import Inventory
from unikit.image.rootfs import Entry
from unikit.progress import Progress


@dataclass(frozen=True)
class Sections:
    """Bytes of the image's file, as it is without compression, and of what in it is no kernel."""

    whole: int
    root: int
    manifest: int
    graph: int


@dataclass(frozen=True)
class Subject:
    """An image with its graph (sizes filled in) and its files by path."""

    image: Image
    inventory: Inventory
    files: dict[str, Entry]
    sections: Sections
    name: str  # as the user wrote it

    @cached_property
    def size(self) -> int:
        """Bytes of the image's file."""
        return self.image.path.stat().st_size


def find(request: pipeline.Request, progress: Progress) -> Subject:
    """The image at `request.app`, or the application's. Raises UserError as the build does, IMAGE for a file that is
    no image of ours."""
    path = Path(request.app)
    found = image.read(path) if image.is_elf(path) else pipeline.image_of(request, progress)
    return of_image(found, request.app)


def of_image(found: Image, name: str) -> Subject:
    """Fill in how many bytes of the root file system are there for each node, and the libraries' build ids."""
    known = inventory.of_image(found.path)
    root = image.root(found.path)
    files = {entry.path: entry for entry in rootfs.read(root)}
    described = [len(image.section(found.path, name) or b"") for name in (image.MANIFEST_SECTION, inventory.SECTION)]
    identities = dict(found.manifest.libraries)
    for _, data in known.graph.nodes(data=True):
        item: inventory.Item = data["item"]
        if item.kind == "library":
            data["item"] = item = replace(item, detail={**item.detail, "build_id": identities.get(item.name, "")})
        if item.kind != "component":  # the linker said how large these are
            data["item"] = replace(item, size=sum(files[f].taken for f in item.files if f in files))
    whole = image.unpacked(found) + (sum(described) if found.manifest.compression else 0)
    return Subject(found, known, files, Sections(whole, len(root), *described), name)
