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
from typing import IO

from unikit import cache
from unikit.image import image, pack
from unikit.image.image import EHDR_SIZE, PACKAGE_SECTION, PAGE, PHDR_SIZE, PT_LOAD, Image
from unikit.image.pack import Segment
from unikit.model import digest

PT_NOTE = 4
BLOCK = 16 * PAGE


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


def prepare(found: Image, size: int) -> Shared:
    """The files of a frozen image, for a guest of `size` MiB. A compressed image is unpacked, once.

    May raise OSError, ValueError (damaged)."""
    manifest = found.manifest
    key = digest("shared 2", manifest.kernel_sha256, manifest.root_sha256)
    memory, entry = cache.entry("shared", key, ".mem"), cache.entry("shared", key, ".elf")
    if not (memory.is_file() and entry.is_file()):
        start, segments = _content(found)
        cache.store(entry, _entry(start, segments))
        with tempfile.NamedTemporaryFile(dir=memory.parent, delete=False) as out:
            for segment in segments:
                _write_sparsely(out, segment)
        os.replace(out.name, memory)
    if memory.stat().st_size < size << 20:
        os.truncate(memory, size << 20)  # only ever longer: others may have it mapped
    return Shared(memory, entry)


def _content(found: Image) -> tuple[int, list[Segment]]:
    """The entry point and what the memory holds, by physical address."""
    if found.manifest.compression:
        return pack.unpack(image.section(found.path, PACKAGE_SECTION) or b"", found.manifest.compression)
    body = found.path.read_bytes()
    return struct.unpack_from("<Q", body, 24)[0], image.segments(body)


def _write_sparsely(out: IO[bytes], segment: Segment) -> None:
    """Blocks of zeros are left out."""
    for at in range(0, len(segment.content), BLOCK):
        part = segment.content[at : at + BLOCK]
        if part.count(0) != len(part):
            out.seek(segment.address + at)
            out.write(part)


def _entry(start: int, segments: list[Segment]) -> bytes:
    """An ELF file that loads the page of the entry point, which is there already, and has the note that names it
    (xen/include/public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY)."""
    first = start & -PAGE
    inside = next(s for s in segments if s.address <= start < s.end)
    page = inside.content[first - inside.address :][:PAGE]
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen", start)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, start, EHDR_SIZE, 0, 0,
                         EHDR_SIZE, PHDR_SIZE, 2, 0, 0, 0)  # fmt: skip
    loads = struct.pack("<IIQQQQQQ", PT_LOAD, 7, PAGE, first, first, len(page), len(page), PAGE)
    loads += struct.pack("<IIQQQQQQ", PT_NOTE, 4, 2 * PAGE, 0, 0, len(note), len(note), 4)
    return (header + loads).ljust(PAGE, b"\0") + page.ljust(PAGE, b"\0") + note
