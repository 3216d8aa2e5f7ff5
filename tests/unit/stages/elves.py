"""Small shared libraries, made by hand: one readable segment with a dynamic section in it."""

from __future__ import annotations

import struct
from pathlib import Path

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
PROGRAM = struct.Struct("<IIQQQQQQ")
LOAD, DYNAMIC = 1, 2
NEEDED, STRTAB, SYMTAB, STRSZ, SYMENT, SONAME, RPATH, RUNPATH = 1, 5, 6, 10, 11, 14, 15, 29


def shared(
    *, soname: str = "", needed: list[str] | None = None, rpath: str = "", runpath: str = "", machine: int = 62
) -> bytes:
    """A shared library of that machine (62: x86-64)."""
    strings = b"\0"
    entries: list[tuple[int, int]] = []
    wanted = [(NEEDED, n) for n in needed or []]
    wanted += [(t, v) for t, v in ((SONAME, soname), (RPATH, rpath), (RUNPATH, runpath)) if v]
    for tag, text in wanted:
        entries.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    start = HEADER.size + 2 * PROGRAM.size
    symbols = start + 16 * (len(entries) + 5)
    table = symbols + 24
    entries += [(STRTAB, table), (SYMTAB, symbols), (STRSZ, len(strings)), (SYMENT, 24), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *e) for e in entries)
    size = table + len(strings)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = HEADER.pack(ident, 3, machine, 1, 0, HEADER.size, 0, 0, HEADER.size, PROGRAM.size, 2, 64, 0, 0)
    programs = PROGRAM.pack(LOAD, 4, 0, 0, 0, size, size, 4096)
    programs += PROGRAM.pack(DYNAMIC, 4, start, start, start, len(dynamic), len(dynamic), 8)
    return header + programs + dynamic + bytes(24) + strings


def write(path: Path, **options: object) -> Path:
    path.write_bytes(shared(**options))  # type: ignore[arg-type]
    return path


def segments(content: bytes) -> list[tuple[int, ...]]:
    """The program headers."""
    fields = HEADER.unpack_from(content)
    return [PROGRAM.unpack_from(content, fields[5] + i * PROGRAM.size) for i in range(fields[10])]
