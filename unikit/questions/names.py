"""Which node a user means, and which ones have a similar name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from unikit.errors import ExitCode, UserError
from unikit.image.inventory import UPSTREAM, Inventory

ORDER = ("module", "distribution", "library", "call", "component", "driver", *UPSTREAM, "package", "file", "missing")
CLOSE = 5  # how many similar names are told


def forms(node: str) -> Iterator[str]:
    """The names of a node: its id, the part after the colon, of a path the last part and the whole with `_` for `/`
    (virtio_net), of a library also without its version (libssl.so.3, libssl)."""
    kind, _, rest = node.partition(":")
    rest = rest or node
    yield node
    yield rest
    if kind in ("library", "file", "component"):
        last = rest.rpartition("/")[2]
        yield last
        if kind == "component":
            yield rest.replace("/", "_")
        if kind == "library":
            yield last.partition(".so")[0]
    if kind == "distribution":
        yield rest.replace("-", "_")


def find(inventory: Inventory, name: str) -> list[str]:
    """The nodes that a user may mean by `name`, the likeliest first: a module before the distribution of its name."""
    if name in inventory.graph:
        return [name]
    exact = [node for node in inventory.graph if name in forms(node)]
    if not exact:
        exact = [node for node in inventory.graph if _normal(name) in map(_normal, forms(node))]
    return sorted(exact, key=lambda node: (ORDER.index(node.partition(":")[0]), len(node), node))


def one(inventory: Inventory, name: str) -> str:
    """The node that a user means. Raises UserError (CONFIGURATION) with similar names if there is none."""
    found = [node for node in find(inventory, name) if not node.startswith("missing:")]
    if found:
        return found[0]
    raise UserError(f"{name} is not in the image.", code=ExitCode.CONFIGURATION, hint=did_you_mean(inventory, name))


def did_you_mean(inventory: Inventory, name: str) -> str | None:
    """`Did you mean ...?`, None if nothing is similar."""
    close = similar(inventory, name)
    return f"Did you mean {' or '.join(close)}?" if close else None


def similar(inventory: Inventory, name: str) -> list[str]:
    """Names of nodes that are close to one that is none, the closest first."""
    known: dict[str, tuple[str, str]] = {}  # a name, as it is written, and the node
    for node in inventory.graph:
        if not node.startswith("missing:"):
            for form in forms(node):
                if form != node or ":" not in node:
                    known.setdefault(_normal(form), (form, node))
    wanted = _normal(name)
    close = difflib.get_close_matches(wanted, known, CLOSE, 0.75)
    if len(wanted) > 2:
        close += sorted((n for n in known if n.endswith(("." + wanted, "/" + wanted))), key=len)[:CLOSE]
    if len(wanted) > 3:
        close += sorted((n for n in known if wanted in n), key=len)[:CLOSE]
    found: dict[str, str] = {}
    for name in close:
        form, node = known[name]
        found.setdefault(node, form)
    return list(found.values())[:CLOSE]


def _normal(name: str) -> str:
    return re.sub(r"[-_]+", "_", name).lower()
