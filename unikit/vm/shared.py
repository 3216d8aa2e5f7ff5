"""The memory of a frozen image as a file that guests map: what none of them has written to, they share.

QEMU copies the segments of a -kernel file into each guest's own memory. As a memory-backend-file, mapped privately, the
same pages come from the host's page cache, one copy for all guests, and a guest has pages of its own only where it
wrote.
The file is sparse, named by its content, and long enough for any memory that was asked for so far. What is left for
-kernel is the entry point.
"""

from __future__ import annotations

import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from unikit import cache
from unikit.image.image import EHDR_SIZE, PAGE, PHDR_SIZE, PT_LOAD, Image
from unikit.model import digest

PT_NOTE = 4


@dataclass(frozen=True)
class Shared:
    """What takes the place of an image: the file of its memory, and an ELF file with its entry."""

    memory: Path
    entry: Path

    def options(self, size: int) -> tuple[str, ...]:
        """QEMU's, for a guest of so many MiB."""
        path = str(self.memory).replace(",", ",,")
        backend = f"memory-backend-file,id=ram,size={size}M,mem-path={path},share=off"
        return ("-object", backend, "-machine", "memory-backend=ram")


def prepare(image: Image, size: int) -> Shared:
    """The files of a frozen image, for a guest of `size` MiB. May raise OSError."""
    manifest = image.manifest
    key = digest("shared 1", manifest.kernel_sha256, manifest.root_sha256)
    memory, entry = cache.entry("shared", key, ".mem"), cache.entry("shared", key, ".elf")
    if not (memory.is_file() and entry.is_file()):
        with image.path.open("rb") as file:
            body = file.read()
        headers = _headers(body)
        cache.store(entry, _entry(body, headers))
        with tempfile.NamedTemporaryFile(dir=memory.parent, delete=False) as out:
            for _, _, offset, _, address, length, _, _ in (h for h in headers if h[0] == PT_LOAD):
                out.seek(address)
                out.write(memoryview(body)[offset : offset + length])
        os.replace(out.name, memory)
    if memory.stat().st_size < size << 20:
        os.truncate(memory, size << 20)  # only ever longer: others may have it mapped
    return Shared(memory, entry)


def _headers(body: bytes) -> list[tuple[int, ...]]:
    phoff, phnum = struct.unpack_from("<Q", body, 32)[0], struct.unpack_from("<H", body, 56)[0]
    return [struct.unpack_from("<IIQQQQQQ", body, phoff + i * PHDR_SIZE) for i in range(phnum)]


def _entry(body: bytes, headers: list[tuple[int, ...]]) -> bytes:
    """An ELF file that loads the page of the entry point, which is there already, and has the note that names it."""
    note = next(h for h in headers if h[0] == PT_NOTE)
    start = struct.unpack_from("<Q", body, 24)[0] & -PAGE
    inside = next(h for h in headers if h[0] == PT_LOAD and h[4] <= start < h[4] + h[5])
    page = body[inside[2] + start - inside[4] :][:PAGE]
    text = body[note[2] : note[2] + note[5]]
    header = bytearray(body[:EHDR_SIZE])
    struct.pack_into("<QQ", header, 32, EHDR_SIZE, 0)
    struct.pack_into("<6H", header, 52, EHDR_SIZE, PHDR_SIZE, 2, 0, 0, 0)
    loads = struct.pack("<IIQQQQQQ", PT_LOAD, 7, PAGE, start, start, len(page), len(page), PAGE)
    loads += struct.pack("<IIQQQQQQ", PT_NOTE, 4, 2 * PAGE, note[4], note[4], len(text), len(text), 4)
    return (bytes(header) + loads).ljust(PAGE, b"\0") + page.ljust(PAGE, b"\0") + text
