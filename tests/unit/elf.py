"""Small ELF files for tests, made by hand."""

from __future__ import annotations

import struct
from pathlib import Path

from unikit.image.image import BOOT_MAGIC, KERNEL_VIRTUAL

TEXT = 0x101000
Symbol = tuple[str, int, int, int]  # name, address, size, type


def kernel(*, boot_image: bool = True, magic: int = BOOT_MAGIC, extra: tuple[Symbol, ...] = ()) -> bytes:
    """A kernel-shaped ELF64 file: one segment of a page with `boot_image` at its start, and a symbol table."""
    data = struct.pack("<QQQ", magic, 0, 0) + b"code" * 100
    symbols = [("kernel_end", KERNEL_VIRTUAL + TEXT + 0x1234, 0, 0), *extra]
    if boot_image:
        symbols.append(("boot_image", KERNEL_VIRTUAL + TEXT, 24, 1))
    strings, table = b"\0", struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    for name, value, size, kind in symbols:
        table += struct.pack("<IBBHQQ", len(strings), (1 << 4) | kind, 0, 1, value, size)
        strings += name.encode() + b"\0"
    names = b"\0.data\0.symtab\0.strtab\0.shstrtab\0"
    at = 0x1000
    body = bytearray(at) + data
    places = []
    for blob in (table, strings, names):
        body += bytes(-len(body) % 8)
        places.append((len(body), len(blob)))
        body += blob
    body += bytes(-len(body) % 8)
    shoff = len(body)

    def section(name: str, kind: int, flags: int, address: int, place: tuple[int, int], link: int = 0) -> bytes:
        entry = 24 if kind == 2 else 0
        at = names.index(name.encode())
        return struct.pack("<IIQQQQIIQQ", at, kind, flags, address, *place, link, link and 1, 8, entry)

    body += bytes(64)
    body += section(".data", 1, 3, KERNEL_VIRTUAL + TEXT, (at, len(data)))
    body += section(".symtab", 2, 0, 0, places[0], link=3)
    body += section(".strtab", 3, 0, 0, places[1])
    body += section(".shstrtab", 3, 0, 0, places[2])
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, TEXT, 64, shoff, 0, 64, 56, 2, 64, 5, 4)
    body[: len(header)] = header
    load = struct.pack("<IIQQQQQQ", 1, 6, at, KERNEL_VIRTUAL + TEXT, TEXT, len(data), len(data), 0x1000)
    load += struct.pack("<IIQQQQQQ", 4, 4, at + 24, KERNEL_VIRTUAL + TEXT + 24, TEXT + 24, 20, 20, 4)
    body[64 : 64 + len(load)] = load
    return bytes(body)


def write(path: Path, **options: object) -> Path:
    path.write_bytes(kernel(**options))  # type: ignore[arg-type]
    return path
