"""What an object says about itself: its symbols, and its declarations (`.unikit.decl`, see component.h)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from unikit import cache
from unikit.errors import ExitCode, UserError

INIT_LEVELS = ("early", "memory", "time", "threads", "bus", "filesystems", "devices", "network", "services")


@dataclass(frozen=True)
class Component:
    """A component of the runtime. `name` is its path below runtimes/ without the suffix; `calls` are (number, name)."""

    name: str
    path: Path
    needs: frozenset[str]
    provides: frozenset[str]
    calls: tuple[tuple[int, str], ...]
    drivers: tuple[tuple[str, str], ...]
    init: frozenset[str]
    others: tuple[tuple[str, ...], ...]  # declarations of further kinds, word by word
    defined: frozenset[str]
    weak: frozenset[str]
    undefined: frozenset[str]
    tables: frozenset[str]
    boot: bool

    @property
    def root(self) -> bool:
        """It works by being there: others reach it through a table or as the entry, not by name."""
        return bool(self.boot or self.init or self.calls or self.drivers or self.tables)


def read(name: str, path: Path) -> Component:
    """What an object file says; remembered beside it, because its name is the hash of its content.

    Raises UserError (SELECT) on a declaration that is not understood.
    """
    note = path.with_suffix(f".{_REVISION}.json")
    try:
        value = json.loads(note.read_text())
    except (OSError, ValueError):
        pass
    else:
        return Component(name=name, path=path, **{key: _frozen(member) for key, member in value.items()})
    component = _read(name, path)
    value = {f.name: getattr(component, f.name) for f in dataclasses.fields(Component)}
    del value["name"], value["path"]
    cache.store(note, json.dumps(value, default=lambda members: {"set": sorted(members)}).encode())
    return component


def _frozen(value: Any) -> Any:
    """JSON as the members of a component: objects are sets, lists tuples."""
    if isinstance(value, dict):
        return frozenset(value["set"])
    return tuple(_frozen(member) for member in value) if isinstance(value, list) else value


_REVISION = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]


def _read(name: str, path: Path) -> Component:
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        section = elf.get_section_by_name(".unikit.decl")
        lines = section.data().decode().split("\0") if section else []
        tables, boot = set(), False
        for part in elf.iter_sections():
            if part["sh_flags"] & SH_FLAGS.SHF_ALLOC and part["sh_size"]:
                if re.fullmatch(r"[A-Za-z_]\w*", part.name):
                    tables.add(part.name)
                boot = boot or part.name.startswith(".boot.")
        defined, weak, undefined = _symbols(elf)
    needs, provides, init = set(), set(), set()
    calls, drivers, others = [], [], []
    for line in filter(None, lines):
        match line.split():
            case ["needs", thing]:
                needs.add(thing)
            case ["provides", thing]:
                provides.add(thing)
            case ["syscall", call, number] if number.isdigit():
                calls.append((int(number), call))
            case ["driver", driver, device]:
                drivers.append((driver, device))
            case ["device", _]:
                pass  # its record is in a table
            case ["init", level] if level in INIT_LEVELS:
                init.add(level)
            case [word, _, *_] if word not in ("syscall", "driver", "init"):
                others.append(tuple(line.split()))  # other tables' own, e.g. `device null`
            case _:
                raise UserError(f"Component {name} declares '{line}', which means nothing.", code=ExitCode.SELECT)
    return Component(
        name=name,
        path=path,
        needs=frozenset(needs),
        provides=frozenset(provides),
        calls=tuple(sorted(calls)),
        drivers=tuple(sorted(drivers)),
        init=frozenset(init),
        others=tuple(sorted(others)),
        defined=defined,
        weak=weak,
        undefined=undefined,
        tables=frozenset(tables),
        boot=boot,
    )


def _symbols(elf: ELFFile) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Global symbols: strong definitions, weak definitions, strong references."""
    defined, weak, undefined = set(), set(), set()
    table = elf.get_section_by_name(".symtab")
    if isinstance(table, SymbolTableSection):
        for symbol in table.iter_symbols():
            bind = symbol["st_info"]["bind"]
            if not symbol.name or bind == "STB_LOCAL":
                continue
            if symbol["st_shndx"] == "SHN_UNDEF":
                if bind != "STB_WEAK":
                    undefined.add(symbol.name)
            elif bind == "STB_WEAK":
                weak.add(symbol.name)
            else:
                defined.add(symbol.name)
    return frozenset(defined), frozenset(weak), frozenset(undefined)
