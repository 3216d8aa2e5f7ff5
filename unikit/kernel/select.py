"""Picks the components of the runtime that an image needs.

Roots are the components that work by being there: the entry, start-up work, system calls, drivers. From them the walk
follows undefined symbols and declared needs. Components of a family that the application cannot use are no roots: they
come in only if something else needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unikit.errors import ExitCode, UserError
from unikit.kernel.component import Component

# Families (folders or single components) that are of use only to an application that imports the module.
ON_IMPORT = {"network/": "_socket", "virtio/net": "_socket", "lwip/": "_socket"}
# The family that records what a run uses: in images that are built to be traced, and in no others.
TRACE = "trace/"


@dataclass(frozen=True)
class Choice:
    """A component that is in, and why: the component that needs it and what it needs, or None for a root."""

    component: Component
    needed_by: str | None
    for_what: str | None


@dataclass(frozen=True)
class Selection:
    """The components of an image, sorted by name."""

    choices: tuple[Choice, ...]
    left_out: tuple[str, ...]
    absent: tuple[Component, ...] = ()  # what is left out, as components

    @property
    def components(self) -> tuple[Component, ...]:
        return tuple(choice.component for choice in self.choices)


def select(
    components: Sequence[Component],
    *,
    linker: Iterable[str] = (),
    imports: Iterable[str] | None = None,
    tracing: bool = False,
) -> Selection:
    """Choose from `components`; `linker`: symbols that the linker script defines; `imports`: the application's modules;
    `tracing`: the image is to say what it uses.

    `imports` None means that all is wanted. Raises UserError (SELECT): a need that nothing meets, two providers of
    one thing.
    """
    known = frozenset(imports) if imports is not None else None
    given = frozenset(linker)
    components = [c for c in components if tracing or not c.name.startswith(TRACE)]
    names = {c.name: c for c in components}
    symbols = providers(components)
    chosen: dict[str, Choice] = {}
    unmet: list[tuple[str, str]] = []  # what, and the component that needs it
    queue: list[Choice] = [Choice(c, None, None) for c in components if c.root and _of_use(c, known)]
    for choice in queue:
        component = choice.component
        if component.name in chosen:
            continue
        chosen[component.name] = choice
        for symbol in sorted(component.undefined - component.defined - component.weak):
            if symbol in given or symbol.startswith(("__start_", "__stop_")):
                continue
            if symbol not in symbols:
                unmet.append((f"the symbol {symbol}", component.name))
            queue += [Choice(other, component.name, symbol) for other in symbols.get(symbol, ())]
        # A hook with a default of its own: what replaces the default comes along, if it is of use at all.
        for symbol in sorted(component.weak):
            others = [c for c in symbols[symbol] if symbol in c.defined and _of_use(c, known)]
            queue += [Choice(other, component.name, symbol) for other in others]
        for thing in sorted(component.needs):
            found = [names[thing]] if thing in names else [c for c in components if thing in c.provides]
            if not found:
                unmet.append((thing, component.name))
            queue += [Choice(other, component.name, thing) for other in found]
    if unmet:
        raise _unmet(unmet, chosen)
    selection = Selection(
        choices=tuple(chosen[name] for name in sorted(chosen)),
        left_out=tuple(sorted(names.keys() - chosen.keys())),
        absent=tuple(names[name] for name in sorted(names.keys() - chosen.keys())),
    )
    _check_conflicts(selection.components)
    return selection


def providers(components: Sequence[Component]) -> dict[str, list[Component]]:
    """Who defines a symbol: all strong definitions (two are a conflict, found later), else the first weak one."""
    strong: dict[str, list[Component]] = {}
    for component in components:
        for symbol in component.defined:
            strong.setdefault(symbol, []).append(component)
    for component in sorted(components, key=lambda c: c.name):
        for symbol in component.weak:
            strong.setdefault(symbol, [component])
    return strong


def family_of(name: str) -> str | None:
    """The key of ON_IMPORT that a component belongs to."""
    for family in ON_IMPORT:
        if name == family or (family.endswith("/") and name.startswith(family)):
            return family
    return None


def _of_use(component: Component, imports: frozenset[str] | None) -> bool:
    family = family_of(component.name)
    return imports is None or family is None or ON_IMPORT[family] in imports


def _check_conflicts(components: Sequence[Component]) -> None:
    owners: dict[str, str] = {}
    clashes: list[str] = []
    for component in components:
        things = [f"the symbol {symbol}" for symbol in sorted(component.defined)]
        things += [f"'{thing}'" for thing in sorted(component.provides)]
        things += [f"the system call {call} ({number})" for number, call in component.calls]
        for thing in things:
            if thing in owners:
                clashes.append(f"Components {owners[thing]} and {component.name} both provide {thing}.")
            owners.setdefault(thing, component.name)
    if clashes:
        raise UserError(
            clashes[0],
            code=ExitCode.SELECT,
            hint="Remove one of the two, or make one definition weak (WEAK).",
            details=tuple(clashes[1:]),
        )


def _unmet(unmet: Sequence[tuple[str, str]], chosen: dict[str, Choice]) -> UserError:
    """All needs that nothing meets, each with the way that led to it."""
    lines = []
    for thing, name in unmet:
        chain = [name]
        while (before := chosen[chain[-1]].needed_by) is not None:
            chain.append(before)
        lines.append(f"{thing}: needed by {' -> '.join(reversed(chain))}")
    thing, name = unmet[0]
    more = f" ({len(unmet) - 1} more)" if len(unmet) > 1 else ""
    return UserError(
        f"No component provides {thing}, which {name} needs{more}.", code=ExitCode.SELECT, details=tuple(lines)
    )
