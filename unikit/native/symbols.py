"""Names for addresses: finds the ELF file with a build id on this machine and asks its symbol table.

An image holds stripped files; the ones they were made from are remembered in the cache when it is built.
"""

from __future__ import annotations

import bisect
import functools
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, SymbolTableSection

from unikit import cache

KINDS = ("STT_FUNC", "STT_GNU_IFUNC", "STT_NOTYPE")
DEBUG = Path("/usr/lib/debug/.build-id")


@dataclass(frozen=True)
class Table:
    """Functions of an ELF file by address, and its segments as (offset, size, address)."""

    starts: tuple[int, ...]
    functions: tuple[tuple[int, int, str], ...]
    segments: tuple[tuple[int, int, int], ...]

    def at(self, address: int) -> str | None:
        """`name+0x12` for a virtual address of the file."""
        index = bisect.bisect_right(self.starts, address) - 1
        if index >= 0:
            start, size, name = self.functions[index]
            if address < start + max(size, 1):
                return f"{name}+{address - start:#x}"
        return None

    def at_offset(self, offset: int) -> str | None:
        """The same for an offset into the file."""
        for start, size, address in self.segments:
            if start <= offset < start + size:
                return self.at(offset - start + address)
        return None


def remember(build_id: str, path: Path) -> None:
    """Note that `path` is the file with this build id."""
    if build_id:
        cache.store(cache.entry("build-ids", build_id), str(path).encode())


def table(build_id: str) -> Table | None:
    """The functions of the file with this build id; None if no file on this machine has it."""
    best: Table | None = None
    for path in _candidates(build_id):
        found = _read(path, build_id)
        if found and (best is None or len(found.functions) > len(best.functions)):
            best = found
    return best


def files_of(identity: str) -> list[Path]:
    """Where on this machine a file with a build id was when an image was built of it."""
    noted = cache.entry("build-ids", identity) if identity else None
    paths = [Path(noted.read_text())] if noted and noted.is_file() else []
    return [path for path in paths if path.is_file()]


def _candidates(build_id: str) -> list[Path]:
    if not build_id:
        return []
    debug = DEBUG / build_id[:2] / f"{build_id[2:]}.debug"
    return [*([debug] if debug.is_file() else []), *files_of(build_id)]


@functools.cache
def _read(path: Path, build_id: str) -> Table | None:
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if build_id_of(elf) != build_id:
                return None
            functions: dict[int, tuple[int, int, str]] = {}
            for section in elf.iter_sections():
                if isinstance(section, SymbolTableSection):
                    for symbol in section.iter_symbols():
                        start = int(symbol["st_value"])
                        if not (start and symbol.name) or symbol["st_shndx"] == "SHN_UNDEF":
                            continue
                        known = functions.get(start)
                        size = int(symbol["st_size"])
                        if symbol["st_info"]["type"] in KINDS and (known is None or size > known[1]):
                            functions[start] = (start, size, symbol.name)
            segments = tuple(
                (int(s["p_offset"]), int(s["p_filesz"]), int(s["p_vaddr"])) for s in elf.iter_segments("PT_LOAD")
            )
    except (OSError, ELFError):
        return None
    ordered = tuple(functions[start] for start in sorted(functions))
    return Table(tuple(start for start, _, _ in ordered), ordered, segments)


def build_id_of(elf: ELFFile) -> str:
    """The GNU build id of an open ELF file in hexadecimal, empty if it has none."""
    for section in elf.iter_sections():
        if isinstance(section, NoteSection):
            for note in section.iter_notes():
                if note["n_type"] == "NT_GNU_BUILD_ID":
                    return str(note["n_desc"])
    return ""
