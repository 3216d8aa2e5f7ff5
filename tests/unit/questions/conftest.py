"""A small image's graph: an application that imports asyncio and shop, with the runtime below."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest

from tests.unit import elf
from tests.unit.test_image import MANIFEST
from unikit.image import erofs, image
from unikit.image.inventory import SECTION, Absent, Inventory, Item
from unikit.model import Edge, EdgeKind, FileKind, ImageFile
from unikit.questions.subject import Subject, of_image

PROGRAM = "library:/usr/bin/python3.11"
ITEMS = (
    Item("module:__main__", "app", size=100, files=("/app/app.py",), detail={"source": "app.py"}),
    Item("module:asyncio", "interpreter", size=1000, detail={"source": "asyncio/__init__.py"}),
    Item("module:asyncio.events", "interpreter", size=500, detail={"source": "asyncio/events.py"}),
    Item("module:socket", "interpreter", size=200, detail={"source": "socket.py"}),
    Item("module:_socket", "interpreter", detail={"type": "extension"}),
    Item("module:shop", "dependencies", "distribution:shop", 4096, ("/x/shop/__init__.pyc",),
         {"source": "shop/__init__.py"}),
    Item("module:shop.cart", "dependencies", "distribution:shop", 8192, ("/x/shop/cart.pyc",),
         {"source": "shop/cart.py"}),
    Item("file:/x/shop/prices.csv", "dependencies", "distribution:shop", 4096, ("/x/shop/prices.csv",)),
    Item("distribution:shop", "dependencies", detail={"version": "2.0", "licence": "MIT"}),
    Item(PROGRAM, "interpreter", "", 5000, ("/usr/bin/python3.11",), {"role": "program", "soname": "python3.11"}),
    Item("library:/lib/libshop.so.3", "dependencies", "package:libshop3", 7000, ("/lib/libshop.so.3",),
         {"role": "library", "soname": "libshop.so.3"}),
    Item("package:libshop3", detail={"version": "3.1-1", "architecture": "amd64", "source": "shoplib"}),
    Item("component:vfs/pipe", "kernel", size=300),
    Item("component:virtio/net", "kernel", size=900),
    Item("component:network/tcp", "kernel", size=800),
    Item("component:lwip/core/tcp", "kernel", "lwip", 2000),
    Item("lwip", detail={"version": "2.1.3"}),
    Item("driver:virtio_net", detail={"device": "virtio:1"}),
    Item("call:pipe2", detail={"number": 293}),
    Item("missing:winreg", detail={"why": "no such module"}),
)  # fmt: skip
IM, LO, CA, PR, RE, PA = (
    EdgeKind.IMPORTS, EdgeKind.LOADS, EdgeKind.CALLS, EdgeKind.PROVIDES, EdgeKind.READS, EdgeKind.PART,
)  # fmt: skip
EDGES = (
    ("module:__main__", "module:asyncio", Edge(IM, evidence=("app.py:2",))),
    ("module:__main__", "module:shop", Edge(IM, evidence=("app.py:3",))),
    ("module:__main__", PROGRAM, Edge(LO, origin="runtime", evidence=("the interpreter",))),
    ("module:asyncio", "module:asyncio.events", Edge(IM, evidence=("asyncio/__init__.py:8",))),
    ("module:asyncio.events", "module:socket", Edge(IM, evidence=("asyncio/events.py:20",))),
    ("module:asyncio", "module:socket", Edge(IM, conditional=True, lazy=True, evidence=("asyncio/__init__.py:30",))),
    ("module:shop", "module:shop.cart", Edge(IM, evidence=("shop/__init__.py:1",))),
    ("module:shop", "missing:winreg", Edge(IM, conditional=True, evidence=("shop/__init__.py:9",))),
    ("module:shop.cart", "module:socket", Edge(IM, lazy=True, evidence=("shop/cart.py:44",))),
    ("module:shop.cart", "file:/x/shop/prices.csv", Edge(RE)),
    ("module:shop.cart", "library:/lib/libshop.so.3", Edge(LO, evidence=("DT_NEEDED",))),
    ("library:/lib/libshop.so.3", "package:libshop3", Edge(PA)),
    ("module:socket", "module:_socket", Edge(IM, evidence=("socket.py:51",))),
    ("module:_socket", "component:virtio/net", Edge(CA, evidence=("its driver",))),
    ("module:_socket", "component:network/tcp", Edge(CA)),
    ("component:network/tcp", "component:lwip/core/tcp", Edge(CA, evidence=("for tcp_write",))),
    ("component:lwip/core/tcp", "lwip", Edge(PA)),
    ("component:virtio/net", "driver:virtio_net", Edge(PR)),
    (PROGRAM, "component:vfs/pipe", Edge(CA, evidence=("its system calls",))),
    ("component:vfs/pipe", "call:pipe2", Edge(PR)),
    *((n, "distribution:shop", Edge(PA)) for n in ("module:shop", "module:shop.cart", "file:/x/shop/prices.csv")),
)
ABSENT = (
    Absent("module", "ssl", "TLS (OpenSSL)"),
    Absent("component", "network/raw", "network/"),
    Absent("component", "vfs/inotify", "", ("call:inotify_init1",)),
    Absent("component", "virtio/rng", "", ("driver:virtio_rng",)),
)


def build(items: tuple[Item, ...] = ITEMS, edges: tuple[tuple[str, str, Edge], ...] = EDGES) -> Inventory:
    graph: nx.DiGraph[str] = nx.DiGraph()
    for item in items:
        graph.add_node(item.id, item=item)
    for tail, head, edge in edges:
        graph.add_edge(tail, head, edge=edge)
    return Inventory(graph, ABSENT)


@pytest.fixture
def inventory() -> Inventory:
    return build()


BOOT_CONF = "exec=/usr/bin/python3.11\nargv=python3\nargv=/.unikit/main.pyc\nenv=HOME=/root\nenv=API_TOKEN=abc%20def\n"


def image_of(
    folder: Path, inventory: Inventory, files: dict[str, bytes], boot: str = BOOT_CONF, gap: int = 0
) -> Subject:
    """An image whose root holds these files and every file of the inventory, as a subject of questions."""
    content = {name: name.encode() for item in inventory.items() for name in item.files} | files
    content["/.unikit/boot.conf"] = boot.encode()
    folder.mkdir(exist_ok=True)
    root = folder / "root"
    with root.open("wb") as out:
        files_ = [ImageFile(path, FileKind.FILE, 0o644, "app", data) for path, data in content.items()]
        erofs.write([*files_, ImageFile("/tmp", FileKind.DIRECTORY, 0o1777, "runtime")], out)
    graph = {SECTION: inventory.dump()}
    manifest = replace(MANIFEST, libraries=((PROGRAM.partition(":")[2], "abcd"),))
    made = image.make(elf.kernel(), root, manifest, folder / "app.img", graph, gap)
    return of_image(image.read(made.path), str(made.path))


@pytest.fixture
def subject(inventory: Inventory, tmp_path: Path) -> Subject:
    return image_of(tmp_path / "image", inventory, {})
