"""The way to a node, names of nodes, and what an inventory says of itself."""

from __future__ import annotations

import pytest

from unikit.errors import UserError
from unikit.image.inventory import Inventory
from unikit.questions import names, ways


def way(inventory: Inventory, name: str) -> list[str]:
    steps = ways.shortest(inventory, names.one(inventory, name))[0]
    return [steps[0].tail, *(step.head for step in steps)]


def test_a_driver_is_reached_from_the_applications_own_line(inventory: Inventory) -> None:
    assert way(inventory, "virtio_net") == [
        "module:__main__", "module:asyncio", "module:asyncio.events", "module:socket", "module:_socket",
        "component:virtio/net",
    ] or way(inventory, "virtio_net")[1:3] == ["module:asyncio", "module:socket"]  # fmt: skip
    first = ways.shortest(inventory, "component:virtio/net")[0][0]
    assert first.how == "imports" and first.evidence == ("app.py:2",)


def test_lwip_is_a_node_of_its_own(inventory: Inventory) -> None:
    assert way(inventory, "lwip")[-3:] == ["component:network/tcp", "component:lwip/core/tcp", "lwip"]


def test_a_system_call_hangs_on_its_component(inventory: Inventory) -> None:
    expected = ["module:__main__", "library:/usr/bin/python3.11", "component:vfs/pipe", "call:pipe2"]
    assert way(inventory, "pipe2") == expected


def test_the_ways_are_as_many_as_wanted_the_shortest_first(inventory: Inventory) -> None:
    lengths = [len(found) for found in ways.shortest(inventory, "module:_socket", 3)]
    assert lengths == [3, 4, 4]
    assert len(ways.every(inventory, "module:_socket", 0)) == 1
    found = ways.every(inventory, "module:_socket", 1)
    assert [len(steps) for steps in found] == [3, 4, 4]
    assert len(ways.every(inventory, "module:_socket", 1, most=2)) == 2


def test_doubt_decides_among_ways_of_one_length(inventory: Inventory) -> None:
    edge = inventory.graph.edges["module:shop.cart", "module:socket"]["edge"]
    inventory.graph.add_edge("module:shop", "module:socket", edge=edge)
    # by asyncio: conditional and when called; by shop: when called
    assert [s.tail for s in ways.shortest(inventory, "module:socket")[0]] == ["module:__main__", "module:shop"]


def test_steps_say_how_certain_they_are(inventory: Inventory) -> None:
    assert ways.step(inventory, "module:asyncio", "module:socket").how == "imports if it is there when called"
    assert ways.step(inventory, "module:__main__", "library:/usr/bin/python3.11").how == "loads (runtime)"


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("_socket", "module:_socket"),
        ("module:_socket", "module:_socket"),
        ("shop", "module:shop"),
        ("distribution:shop", "distribution:shop"),
        ("libshop.so.3", "library:/lib/libshop.so.3"),
        ("libshop", "library:/lib/libshop.so.3"),
        ("libshop3", "package:libshop3"),
        ("virtio_net", "component:virtio/net"),
        ("prices.csv", "file:/x/shop/prices.csv"),
        ("Shop.Cart", "module:shop.cart"),
    ],
)
def test_names_are_found_as_people_write_them(inventory: Inventory, name: str, node: str) -> None:
    assert names.one(inventory, name) == node


def test_an_unknown_name_gets_similar_ones(inventory: Inventory) -> None:
    with pytest.raises(UserError, match="sopket is not in the image") as error:
        names.one(inventory, "sopket")
    assert error.value.hint is not None and "socket" in error.value.hint
    assert names.similar(inventory, "cart") == ["shop.cart"]
    with pytest.raises(UserError) as error:
        names.one(inventory, "winreg")  # known to be missing
    assert error.value.hint is None


def test_an_inventory_survives_the_image(inventory: Inventory) -> None:
    content = inventory.dump()
    again = Inventory.load(content)
    assert again.dump() == content
    assert again.items() == inventory.items() and again.absent == inventory.absent
    edges = {(a, b): d["edge"] for a, b, d in inventory.graph.edges(data=True)}
    assert {(a, b): d["edge"] for a, b, d in again.graph.edges(data=True)} == edges


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x5d\0\0\x80\0"])
def test_a_damaged_inventory_is_an_error(content: bytes) -> None:
    with pytest.raises(UserError, match="damaged"):
        Inventory.load(content)
