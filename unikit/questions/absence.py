"""Why something is not in an image."""

from __future__ import annotations

import re
from collections.abc import Callable

from unikit.analysis.choices import rule_of
from unikit.analysis.finder import Finder
from unikit.analysis.installed import Environment
from unikit.errors import UserError
from unikit.hooks import stdlib
from unikit.image.inventory import UNCALLED, UNUSED, Inventory
from unikit.kernel.runtime import call_names
from unikit.kernel.select import ON_IMPORT
from unikit.model import Source
from unikit.questions import names
from unikit.questions.ways import step
from unikit.vm.absent import included


def explain(inventory: Inventory, name: str, installed: Callable[[str], str | None] = lambda _: None) -> str:
    """A sentence or two: why `name` is not there, and what would bring it in. A name may carry a kind (`call:fork`).
    `installed` knows, of an application whose interpreter is here, whether there is such a module at all."""
    kind, _, plain = name.rpartition(":")
    for answer in (_left_out, _missing, _unfit, _component, _call, _path):
        if found := answer(inventory, kind, plain):
            return found
    sentence = f"Nothing that the application reaches imports or loads {plain}."
    if inventory.mode == "traced" and plain.replace(".", "_").isidentifier() and kind in ("", "module"):
        return (
            f"{plain} is not in the image: prune is `traced`, and the traced run did not use it (unikit.lock). "
            f'Trace again with what uses it, or name it: include = ["{plain}"] in [tool.unikit].'
        )
    if kind in ("", "module", "distribution") and (found := installed(plain)):
        return f"{sentence} {found}"
    if close := names.did_you_mean(inventory, plain):
        return f"{sentence} {close}"
    if plain.replace(".", "_").isidentifier():
        return f'{sentence} If it is installed and needed all the same: include = ["{plain}"] in [tool.unikit].'
    return sentence


def _left_out(inventory: Inventory, kind: str, name: str) -> str | None:
    """A module that a rule leaves out, or one that is part of it."""
    rule = rule_of(name)
    for absent in inventory.absent:
        if absent.kind != "module" or kind not in ("", "module"):
            continue
        if name == absent.name or name.startswith(f"{absent.name}.") or (rule and absent.name in rule.modules):
            own = "" if name == absent.name else f" with {absent.name}"
            return (
                f"{name} is left out{own} by rule ({absent.why}): its importers handle its absence, and nothing in the "
                f'application or its packages can use it. Keep it with include = ["{absent.name}"] in [tool.unikit].'
            )
    return None


def _missing(inventory: Inventory, kind: str, name: str) -> str | None:
    node = f"missing:{name}"
    if node not in inventory.graph or kind not in ("", "module", "library", "missing"):
        return None
    lines = [e for tail in inventory.graph.predecessors(node) for e in step(inventory, tail, node).evidence]
    asked = f" {', '.join(lines[:3])} would import it." if lines else ""
    return f"{name} is not there: {inventory[node].detail.get('why', 'it was not found')}.{asked}"


def _unfit(inventory: Inventory, kind: str, name: str) -> str | None:
    """Tools for people, which the standard library imports only when asked to."""
    top = name.partition(".")[0]
    if top in stdlib.TOOLS and kind in ("", "module"):
        return (
            f"{name} is a tool for people; what the standard library imports of it inside functions is not followed. "
            f'Keep it with include = ["{name}"] in [tool.unikit].'
        )
    return None


def _component(inventory: Inventory, kind: str, name: str) -> str | None:
    """A component, driver, system call or family of the runtime that was not chosen."""
    for absent in inventory.absent:
        if absent.kind != "component":
            continue
        offers = [offer for offer in absent.provides if name == offer.partition(":")[2]]
        itself = name in (absent.name, absent.name.rpartition("/")[2], absent.name.replace("/", "_"))
        if not (offers or itself or absent.name.startswith(f"{name}/")) or (kind == "call" and not offers):
            continue
        what = f"{name} ({absent.name})" if offers and name != absent.name else name
        if absent.why == UNCALLED:
            keep = f"call:{(offers or absent.provides)[0].partition(':')[2]}"
            return (
                f"{what} is left out: prune is `traced`, and {UNCALLED} (unikit.lock). Trace again with what makes "
                f'them, or keep it: include = ["{keep}"] in [tool.unikit].'
            )
        if absent.why:
            return (
                f"{what} is of use only to an application that imports {ON_IMPORT.get(absent.why, absent.why)}; this "
                "one does not."
            )
        return f"Nothing in the runtime of this image needs {what}."
    return None


def _call(inventory: Inventory, kind: str, name: str) -> str | None:
    """A system call that no component provides."""
    try:
        known = {call: number for number, call in call_names().items()}
    except UserError:  # an image can be asked where no compiler is
        return None
    if name not in known or kind not in ("", "call"):
        return None
    return (
        f"The system call {name} ({known[name]}) is not offered by the runtime: it answers ENOSYS, and a program that "
        "tries it is told at the end of the run. docs/limits.md says what is there by design and what instead."
    )


def _path(inventory: Inventory, kind: str, name: str) -> str | None:
    """A file of the guest."""
    if not name.startswith("/"):
        return None
    if any(absent.kind == "file" and absent.name == name for absent in inventory.absent):
        return (
            f"{name} is left out: prune is `traced`, and {UNUSED} (unikit.lock). Trace again with what uses it, or "
            f'keep it: include = ["{included(name)}"] in [tool.unikit].'
        )
    if name.endswith((".pyi", ".h", ".c", ".pyx", ".pxd")):
        return f"{name} is not shipped: stubs, headers and sources of C code are of no use when the program runs."
    if re.search(r"/tests?/", name):
        return f"{name} is not shipped: tests of the standard library and of packages are left out."
    compiled = f"{name}c" if name.endswith(".py") else None
    if compiled and any(compiled in item.files for item in inventory.items()):
        return f'{name} is shipped compiled, as {compiled}; sources = "all" in [tool.unikit] ships the source as well.'
    return f"There is no {name} in the image: nothing that is kept reads it, as far as unikit can see."


def of_interpreter(source: Source) -> Callable[[str], str | None]:
    """What the interpreter of an application could bring in: its modules and its distributions."""
    finder = Finder(source.python, source.search)

    def look(name: str) -> str | None:
        module = finder.find(name)
        if module is not None:
            place = f" ({module.path or module.folders[0]})" if module.path or module.folders else ""
            return f'It is installed{place}; include = ["{name}"] in [tool.unikit] takes it in.'
        for found in Environment(source.python.site).all:
            if found.distribution.name == name.lower().replace("_", "-"):
                tops = ", ".join(sorted(found.tops)) or "none"
                return f"The distribution {name} {found.distribution.version} is installed; its modules: {tops}."
        return None

    return look
