"""Why something is not there, and what would go without something."""

from __future__ import annotations

import pytest

from unikit.errors import UserError
from unikit.image.inventory import Inventory
from unikit.questions import absence, drop


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ssl", 'include = ["ssl"]'),
        ("_ssl", "_ssl is left out with ssl by rule"),
        ("winreg", "no such module. shop/__init__.py:9 would import it"),
        ("raw", "imports _socket"),
        ("network_raw", "imports _socket"),
        ("network", "imports _socket"),
        ("inotify_init1", "inotify_init1 (vfs/inotify)"),
        ("virtio_rng", "Nothing in the runtime of this image needs virtio_rng"),
        ("io_uring_setup", "answers ENOSYS"),
        ("numpy", 'include = ["numpy"]'),
        ("asyncoi", "Did you mean asyncio?"),
        ("pdb", "tool for people"),
        ("/x/shop/cart.py", "shipped compiled, as /x/shop/cart.pyc"),
        ("/x/shop/tests/test_cart.pyc", "tests"),
        ("/x/shop/cart.pyi", "stubs"),
        ("/x/other", "There is no /x/other"),
    ],
)
def test_why_not(inventory: Inventory, name: str, reason: str) -> None:
    assert reason in absence.explain(inventory, name)


def test_what_is_reached_through_a_module_alone_goes_with_it(inventory: Inventory) -> None:
    found = drop.without(inventory, ["shop"])
    assert set(found.gone) == {
        "module:shop", "module:shop.cart", "distribution:shop", "file:/x/shop/prices.csv", "library:/lib/libshop.so.3",
        "package:libshop3", "missing:winreg",
    }  # fmt: skip
    assert found.size == 4096 + 8192 + 4096 + 7000
    assert found.users == (("module:__main__", "module:shop"),)


def test_a_distribution_stands_for_its_modules(inventory: Inventory) -> None:
    assert drop.without(inventory, ["distribution:shop"]).gone == drop.without(inventory, ["shop"]).gone


def test_what_others_use_too_stays_until_all_of_them_go(inventory: Inventory) -> None:
    assert "module:socket" not in drop.without(inventory, ["asyncio"]).gone
    both = drop.without(inventory, ["asyncio", "shop"])
    assert {"module:socket", "lwip", "driver:virtio_net"} <= set(both.gone)
    assert "component:vfs/pipe" not in both.gone


def test_the_sums_of_dominators_are_what_goes(inventory: Inventory) -> None:
    sums = drop.dominated(inventory)
    assert sums["module:__main__"] == (sum(i.size for i in inventory.items()), len(inventory.graph))
    for node in ("module:shop.cart", "module:_socket", "component:network/tcp"):
        gone = drop.without(inventory, [node])
        assert sums[node] == (gone.size, len(gone.gone))
    # most of what goes with socket goes with _socket: it is not told twice
    listed = [weight.node for weight in drop.heaviest(inventory)]
    assert listed[0] == "module:shop" and "module:_socket" not in listed


def test_dropping_what_is_not_there(inventory: Inventory) -> None:
    with pytest.raises(UserError, match="numpy is not in the image"):
        drop.without(inventory, ["numpy"])
