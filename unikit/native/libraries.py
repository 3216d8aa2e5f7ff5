"""Finds shared libraries as glibc's dynamic linker would (ld.so(8)), without running it."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

from elftools.common.exceptions import ELFError

from unikit.native import elf
from unikit.native.elf import Elf

CACHE = Path("/etc/ld.so.cache")
MAGIC = b"glibc-ld.so.cache1.1"
X86_64_LIBC6 = 0x0303
# what glibc's dynamic linker has compiled in, by distribution
DEFAULT = tuple(
    map(Path, ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"))
)


def read_cache(content: bytes) -> dict[str, Path]:
    """soname -> path out of the content of ld.so.cache (glibc, sysdeps/generic/dl-cache.h); of several builds of a
    library the one for any x86-64 processor."""
    start = content.find(MAGIC)
    if start < 0:
        return {}
    count = struct.unpack_from("<I", content, start + 20)[0]
    found: dict[str, Path] = {}
    for index in range(count):
        flags, key, value, _, capabilities = struct.unpack_from("<iIIIQ", content, start + 48 + index * 24)
        if flags == X86_64_LIBC6 and not capabilities:
            name, path = (content[start + at : content.index(0, start + at)].decode() for at in (key, value))
            found.setdefault(name, Path(path))
    return found


@dataclass(frozen=True)
class Found:
    """A library on the build machine. `relative`: it was found by a $ORIGIN path, so it keeps its place."""

    path: Path
    relative: bool
    elf: Elf


@dataclass
class Resolver:
    """Resolves the needs of files that end up in one process."""

    cache: dict[str, Path] = field(default_factory=dict)
    default: tuple[Path, ...] = DEFAULT

    @classmethod
    def of_this_machine(cls) -> Resolver:
        try:
            return cls(read_cache(CACHE.read_bytes()))
        except OSError:
            return cls()

    def soname(self, short: str) -> str:
        """The name of the library that `ldconfig -p` shows first for `-lSHORT`; empty if it knows none."""
        start = f"lib{short}.so"
        return next((name for name in self.cache if name == start or name.startswith(f"{start}.")), "")

    def find(self, name: str, chain: tuple[Path, ...]) -> Found | None:
        """`name` as needed by `chain[0]`, which `chain[1]` loaded, and so on up to the program."""
        if "/" in name:
            return self._usable(Path(name), False)
        described = [(p, elf.read(p)) for p in chain]
        first = described[0][1]
        searched: list[tuple[Path, str]] = []
        if not first.runpath:
            searched += [(p, d) for p, e in described if not e.runpath for d in e.rpath]
        searched += [(chain[0], d) for d in first.runpath]
        for origin, folder in searched:
            expanded = folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", str(origin.parent))
            if "$" not in expanded and (found := self._usable(Path(expanded, name), "ORIGIN" in folder)):
                return found
        if name in self.cache and (found := self._usable(self.cache[name], False)):
            return found
        for place in self.default:
            if found := self._usable(place / name, False):
                return found
        return None

    @staticmethod
    def _usable(path: Path, relative: bool) -> Found | None:
        """Files of another architecture are passed over, as the dynamic linker does."""
        try:
            described = elf.read(path)
        except (OSError, ELFError):
            return None
        if described.machine != "EM_X86_64" or described.bits != 64:
            return None
        return Found(Path(os.path.normpath(path)), relative, described)
