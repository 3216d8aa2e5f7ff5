"""The whole graph, from the stages' values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_select import component
from unikit.analysis import natives
from unikit.image import prune, whole
from unikit.image.inventory import Inventory, reached
from unikit.kernel.select import select

from .conftest import Workshop

SIZES = {"vfs/pipe": 300, "virtio/net": 900, "lwip/core/tcp": 2000}
PARTS = (
    component("boot/entry", boot=True, undefined={"start"}, weak={"goodbye"}),
    component("boot/start", defined={"start"}),
    component("vfs/pipe", calls=((22, "pipe"), (293, "pipe2"))),
    component("virtio/net", drivers=(("virtio_net", "virtio:1"),), undefined={"start"}),
    component("network/tcp", calls=((41, "socket"),), undefined={"tcp_write"}),
    component("network/goodbye", defined={"goodbye"}),
    component("lwip/core/tcp", defined={"tcp_write"}),
    component("vfs/unused", defined={"unused"}),
)


@pytest.fixture
def inventory(workshop: Workshop) -> Inventory:
    workshop.distribution("shop", "2.0", METADATA="Name: shop\nVersion: 2.0\nLicense-Expression: MIT\n\n")
    workshop.packages({"shop/__init__.py": "from shop import cart", "shop/cart.py": "import socket", "shop/a.csv": "1"})
    return make(workshop, workshop.app(main="import os\nimport shop\n", other=""))


def make(workshop: Workshop, app: Path) -> Inventory:
    found = natives.resolve(workshop.analyse(app))
    imports = [module.name for module in found.imports.modules]
    return whole.inventory(prune.prune(found), select(PARTS, imports=imports), SIZES)


def test_every_node_is_reached_from_the_application(inventory: Inventory) -> None:
    assert reached(inventory.graph) == set(inventory.graph)
    assert all(data["item"].id == node for node, data in inventory.graph.nodes(data=True))


def test_evidence_does_not_name_folders_of_the_build_machine(inventory: Inventory) -> None:
    assert inventory.graph.edges["module:__main__", "module:shop"]["edge"].evidence == ("main.py:2",)
    assert inventory.graph.edges["module:shop", "module:shop.cart"]["edge"].evidence == ("shop/__init__.py:1",)
    for _, _, data in inventory.graph.edges(data=True):
        assert not [text for text in data["edge"].evidence if text.startswith("/")]


def test_evidence_is_in_the_order_of_the_source(workshop: Workshop) -> None:
    body = "".join(f"def f{i}():\n    import shlex\nf{i}()\n" for i in range(9))
    edge = make(workshop, workshop.app(main=body)).graph.edges["module:__main__", "module:shlex"]["edge"]
    assert edge.evidence == tuple(f"main.py:{line}" for line in (2, 5, 8, 11, 14))


def test_what_hangs_on_the_network_hangs_on_its_module(inventory: Inventory) -> None:
    heads = set(inventory.graph.successors("module:_socket"))
    assert {"component:virtio/net", "component:network/tcp", "component:network/goodbye"} <= heads
    assert not inventory.graph.has_edge("component:boot/entry", "component:network/goodbye")
    assert inventory.graph.has_edge("component:network/tcp", "component:lwip/core/tcp")
    assert inventory["component:lwip/core/tcp"].owner == "lwip" and inventory["lwip"].detail["version"]
    assert inventory["driver:virtio_net"].detail == {"device": "virtio:1"}
    assert inventory["component:vfs/pipe"].size == 300


def test_files_belong_to_modules_libraries_and_distributions(inventory: Inventory) -> None:
    shop = inventory["module:shop"]
    assert shop.owner == "distribution:shop" and [f.rpartition("/")[2] for f in shop.files] == ["__init__.pyc"]
    assert inventory["distribution:shop"].detail == {"version": "2.0", "licence": "MIT"}
    (data,) = [item for item in inventory.items("file") if item.name.endswith("/a.csv")]
    assert data.owner == "distribution:shop" and inventory.graph.has_edge("module:shop", data.id)
    assert "/app/main.py" in inventory["module:__main__"].files
    (program,) = [item for item in inventory.items("library") if item.detail["role"] == "program"]
    assert program.files == (program.name,)
    owned = [file for item in inventory.items() for file in item.files]
    assert len(owned) == len(set(owned))


def test_what_was_left_out_is_told(workshop: Workshop) -> None:
    inventory = make(workshop, workshop.app(main="print(1)"))
    absent = {(a.kind, a.name): a for a in inventory.absent}
    assert absent["component", "virtio/net"].why == "virtio/net"
    assert absent["component", "virtio/net"].provides == ("driver:virtio_net",)
    assert absent["component", "vfs/unused"].why == ""


def test_the_folder_and_the_day_do_not_matter(workshop: Workshop, tmp_path: Path) -> None:
    one = make(workshop, workshop.app(main="import json\n"))
    elsewhere = tmp_path / "elsewhere" / "main.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text("import json\n")
    assert make(workshop, elsewhere).dump() == one.dump()
