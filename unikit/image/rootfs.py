"""Reads the root file system of an image (erofs.py says how it is laid out; Documentation/filesystems/erofs.rst)."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from unikit.errors import ExitCode, UserError
from unikit.image.erofs import (
    BLOCK,
    CHUNKS,
    COMPACT,
    DIRENT,
    EXTENDED,
    FLAT_INLINE,
    FLAT_PLAIN,
    HOLE,
    MAGIC,
    SLOT,
    SUPERBLOCK,
    SUPERBLOCK_AT,
)
from unikit.model import FileKind

KINDS = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.DIRECTORY, stat.S_IFLNK: FileKind.SYMLINK}
DEEPEST = 64  # folders in each other: more is damage


@dataclass(frozen=True)
class Entry:
    """A file, folder or link. `taken` are the bytes that it takes: whole blocks, without its holes, and the end that
    stands behind the inode; 0 where a file before it has the same content and so the same blocks."""

    path: str  # absolute
    kind: FileKind
    mode: int  # permission bits
    content: memoryview  # of a link: its target
    taken: int

    @property
    def size(self) -> int:
        return len(self.content)


def read(root: bytes) -> list[Entry]:
    """Everything in a root file system, sorted by path. Raises UserError (IMAGE) if it is not one of ours."""
    try:
        return list(_Reader(memoryview(root)).run())
    except (struct.error, ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise UserError("The image's root file system is damaged.", code=ExitCode.IMAGE) from error


class _Reader:
    def __init__(self, data: memoryview) -> None:
        self.data = data
        fields = SUPERBLOCK.unpack_from(data, SUPERBLOCK_AT)
        if fields[0] != MAGIC or fields[3] != BLOCK.bit_length() - 1:
            raise ValueError("no EROFS of our kind")
        self.root = fields[5]
        self.seen: set[int | None] = set()

    def run(self) -> Iterator[Entry]:
        yield from sorted(self._below(self.root, "", 0), key=lambda entry: entry.path)

    def _below(self, number: int, path: str, depth: int) -> Iterator[Entry]:
        mode, content, address, taken = self._inode(number)
        kind = KINDS[stat.S_IFMT(mode)]
        if address in self.seen:
            taken = 0
        elif address is not None:
            self.seen.add(address)
        yield Entry(path or "/", kind, stat.S_IMODE(mode), content, taken)
        if kind is FileKind.DIRECTORY:
            if depth > DEEPEST:
                raise ValueError("folders in a circle")
            for child, name in self._names(content):
                if name not in (".", ".."):
                    yield from self._below(child, f"{path}/{name}", depth + 1)

    def _inode(self, number: int) -> tuple[int, memoryview, int | None, int]:
        """Mode, content, the first block of content that does not stand behind the inode, and the bytes taken."""
        at = number * SLOT
        layout = int.from_bytes(self.data[at : at + 2], "little")
        if layout & 1:
            fields = EXTENDED.unpack_from(self.data, at)
            mode, size, address, end = fields[2], fields[4], fields[5], at + EXTENDED.size
        else:
            fields = COMPACT.unpack_from(self.data, at)
            mode, size, address, end = fields[2], fields[4], fields[6], at + COMPACT.size
        place = layout >> 1 & 7
        if place == CHUNKS:
            content, addresses = self._chunks(size, end)
            return mode, content, min(addresses, default=None), len(addresses) * BLOCK
        if place not in (FLAT_PLAIN, FLAT_INLINE):
            raise ValueError("a layout that we do not write")
        behind = size % BLOCK if place == FLAT_INLINE else 0
        blocks = self.data[address * BLOCK : address * BLOCK + size - behind] if size > behind else self.data[:0]
        tail = self.data[end : end + behind]
        if len(blocks) + len(tail) != size:
            raise ValueError("content beyond the end")
        content = memoryview(bytes(blocks) + bytes(tail)) if blocks and tail else blocks or tail
        is_file = stat.S_IFMT(mode) == stat.S_IFREG
        return mode, content, address if blocks else None, -(-len(blocks) // BLOCK) * BLOCK + (behind if is_file else 0)

    def _chunks(self, size: int, at: int) -> tuple[memoryview, list[int]]:
        """The content of a file whose blocks are listed at `at`, and those that are not holes."""
        addresses = struct.unpack_from(f"<{-(-size // BLOCK)}I", self.data, at)
        if any(a != HOLE and (a + 1) * BLOCK > len(self.data) for a in addresses):
            raise ValueError("content beyond the end")
        parts = (b"" if a == HOLE else self.data[a * BLOCK : (a + 1) * BLOCK] for a in addresses)
        content = b"".join(bytes(part).ljust(BLOCK, b"\0") for part in parts)[:size]
        return memoryview(content), [a for a in addresses if a != HOLE]

    @staticmethod
    def _names(content: memoryview) -> Iterator[tuple[int, str]]:
        for start in range(0, len(content), BLOCK):
            block = content[start : start + BLOCK]
            count = DIRENT.unpack_from(block)[1] // DIRENT.size
            heads = [DIRENT.unpack_from(block, i * DIRENT.size) for i in range(count)]
            ends = [head[1] for head in heads[1:]] + [len(block)]
            for (child, offset, _, _), end in zip(heads, ends, strict=True):
                yield child, bytes(block[offset:end]).rstrip(b"\0").decode()
