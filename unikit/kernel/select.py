"""Picks the components of the runtime that an image needs.

Roots are the components that work by being there: the entry, start-up work, system calls, drivers. From them the walk
follows undefined symbols and declared needs. Components of a family that the application cannot use are no roots: they
come in only if something else needs them. Nor are, where a traced run tells the system calls of the application, those
that offer others only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from unikit.errors import ExitCode, UserError
from unikit.kernel.component import Component

# Families (folders or single components) that are of use only to an application that imports the module.
ON_IMPORT = {"network/": "_socket", "virtio/net": "_socket", "lwip/": "_socket"}
# System calls that every image offers, whatever a traced run made: a run that succeeds sees little of how the C library
# and the interpreter start elsewhere, run short of memory, meet an error, and end. Of calls that the C library takes in
# turn (clone3 and clone, waits with and without a signal mask) one is in a run, and another may be in the next.
ALWAYS = frozenset(
    (
        *("brk", "mmap", "munmap", "mprotect", "mremap", "madvise"),
        *("open", "openat", "close", "read", "pread64", "readv", "write", "writev", "lseek", "fstat", "newfstatat"),
        *("stat", "lstat", "statx", "access", "faccessat", "faccessat2", "readlink", "getdents64", "getcwd"),
        *("fcntl", "ioctl", "dup", "dup2", "dup3", "poll", "ppoll", "select", "pselect6", "pipe", "pipe2"),
        *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack"),
        *("kill", "tkill", "tgkill", "restart_syscall", "exit", "exit_group", "wait4"),
        *("clone", "clone3", "futex", "set_tid_address", "set_robust_list", "sched_yield", "sched_getaffinity"),
        *("arch_prctl", "prctl", "prlimit64", "getrlimit", "uname", "sysinfo", "getrandom"),
        *("getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid"),
        *("clock_gettime", "clock_getres", "gettimeofday", "time", "nanosleep", "clock_nanosleep"),
    )
)
TABLE = "unikit_syscalls"  # what a component with system calls has, beside what it may work by otherwise


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
    uncalled: tuple[str, ...] = ()  # system calls that are left out because a traced run did not make them

    @property
    def components(self) -> tuple[Component, ...]:
        return tuple(choice.component for choice in self.choices)


def select(
    components: Sequence[Component],
    *,
    linker: Iterable[str] = (),
    imports: Iterable[str] | None = None,
    tracing: bool = False,
    calls: Iterable[str] | None = None,
    include: Iterable[str] = (),
) -> Selection:
    """Choose from `components`; `linker`: symbols that the linker script defines; `imports`: the application's modules;
    `tracing`: the image is to say what it uses; `calls`: the system calls that a traced run made; `include`: system
    calls that are wanted in any case.

    `imports` and `calls` None mean that all is wanted. Raises UserError (SELECT): a need that nothing meets, two
    providers of one thing; CONFIGURATION: nothing offers what `include` names.
    """
    known = frozenset(imports) if imports is not None else None
    given = frozenset(linker)
    components = [c for c in components if tracing or not c.name.startswith(TRACE)]
    names = {c.name: c for c in components}
    symbols = providers(components)
    defaults = {symbol: c for c in reversed(components) for symbol in c.weak}
    things: dict[str, list[Component]] = {}
    for each in components:
        for provided in each.provides:
            things.setdefault(provided, []).append(each)
    asked = frozenset(include)
    _check_included(asked, components)
    wanted = None if calls is None else ALWAYS | frozenset(calls) | asked
    chosen: dict[str, Choice] = {}
    unmet: list[tuple[str, str]] = []  # what, and the component that needs it
    queue: list[Choice] = [
        Choice(c, None, None)
        for c in components
        if c.root and (_offers(c, asked) or (_of_use(c, known) and _is_called(c, wanted)))
    ]
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
            found = symbols.get(symbol, [])
            if symbol in defaults and not any(_of_use(c, known) for c in found):
                found = [defaults[symbol]]
            queue += [Choice(other, component.name, symbol) for other in found]
        # A hook with a default of its own: what replaces the default comes along, if it is of use at all.
        for symbol in sorted(component.weak):
            others = [c for c in symbols[symbol] if symbol in c.defined and _of_use(c, known)]
            queue += [Choice(other, component.name, symbol) for other in others]
        for thing in sorted(component.needs):
            found = [names[thing]] if thing in names else things.get(thing, [])
            if not found:
                unmet.append((thing, component.name))
            queue += [Choice(other, component.name, thing) for other in found]
    if unmet:
        raise _unmet(unmet, chosen)
    selection = Selection(
        choices=tuple(chosen[name] for name in sorted(chosen)),
        left_out=tuple(sorted(names.keys() - chosen.keys())),
        absent=(absent := tuple(names[name] for name in sorted(names.keys() - chosen.keys()))),
        uncalled=tuple(sorted(n for c in absent if wanted is not None and only_calls(c) for _, n in c.calls)),
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


def uses(chosen: Sequence[Component]) -> Iterator[tuple[str, str, str]]:
    """Which component needs which other one, and what for: a symbol, or what its declaration names."""
    symbols = providers(chosen)
    for component in chosen:
        wanted: dict[str, str] = {}
        for symbol in sorted(component.undefined - component.defined - component.weak):
            for other in symbols.get(symbol, ()):
                wanted.setdefault(other.name, f"for {symbol}")
        for thing in sorted(component.needs):
            for other in (c for c in chosen if c.name == thing or thing in c.provides):
                wanted.setdefault(other.name, f"for {thing}")
        wanted.pop(component.name, None)
        yield from ((component.name, name, why) for name, why in wanted.items())


def family_of(name: str) -> str | None:
    """The key of ON_IMPORT that a component belongs to."""
    for family in ON_IMPORT:
        if name == family or (family.endswith("/") and name.startswith(family)):
            return family
    return None


def _of_use(component: Component, imports: frozenset[str] | None) -> bool:
    family = family_of(component.name)
    return imports is None or family is None or ON_IMPORT[family] in imports


def _offers(component: Component, calls: frozenset[str]) -> bool:
    return any(name in calls for _, name in component.calls)


def only_calls(component: Component) -> bool:
    """Whether nothing but its system calls makes a component a root."""
    others = component.boot or component.init or component.drivers or component.tables - {TABLE}
    return bool(component.calls) and not others


def _is_called(component: Component, wanted: frozenset[str] | None) -> bool:
    return wanted is None or not only_calls(component) or _offers(component, wanted)


def _check_included(asked: frozenset[str], components: Sequence[Component]) -> None:
    offered = {name for component in components for _, name in component.calls}
    if unknown := sorted(asked - offered):
        raise UserError(
            f"include: the runtime has no system call {unknown[0]}.",
            code=ExitCode.CONFIGURATION,
            hint="docs/limits.md says what there is instead of calls that are left out by design",
        )


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
