"""Reads the root file system of an image (erofs.py says how it is laid out; Documentation/filesystems/erofs.rst)."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from unikit.erofs import (
    BLOCK,
    COMPACT,
    DIRENT,
    EXTENDED,
    FLAT_INLINE,
    FLAT_PLAIN,
    MAGIC,
    SLOT,
    SUPERBLOCK,
    SUPERBLOCK_AT,
)
from unikit.errors import ExitCode, UserError
from unikit.model import FileKind

KINDS = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.DIRECTORY, stat.S_IFLNK: FileKind.SYMLINK}
DEEPEST = 64  # folders in each other: more is damage


@dataclass(frozen=True)
class Entry:
    """A file, folder or link. `taken` are the bytes that it takes: whole blocks, 0 where a file before it has the same
    content and so the same blocks."""

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
        self.seen: set[int] = set()

    def run(self) -> Iterator[Entry]:
        yield from sorted(self._below(self.root, "", 0), key=lambda entry: entry.path)

    def _below(self, number: int, path: str, depth: int) -> Iterator[Entry]:
        mode, content, address = self._inode(number)
        kind = KINDS[stat.S_IFMT(mode)]
        taken = 0
        if address and address not in self.seen and content:
            self.seen.add(address)
            taken = -(-len(content) // BLOCK) * BLOCK
        yield Entry(path or "/", kind, stat.S_IMODE(mode), content, taken)
        if kind is FileKind.DIRECTORY:
            if depth > DEEPEST:
                raise ValueError("folders in a circle")
            for child, name in self._names(content):
                if name not in (".", ".."):
                    yield from self._below(child, f"{path}/{name}", depth + 1)

    def _inode(self, number: int) -> tuple[int, memoryview, int]:
        """Mode, content, and the first block of content that does not stand behind the inode."""
        at = number * SLOT
        layout = int.from_bytes(self.data[at : at + 2], "little")
        if layout & 1:
            fields = EXTENDED.unpack_from(self.data, at)
            mode, size, address, end = fields[2], fields[4], fields[5], at + EXTENDED.size
        else:
            fields = COMPACT.unpack_from(self.data, at)
            mode, size, address, end = fields[2], fields[4], fields[6], at + COMPACT.size
        place = layout >> 1 & 7
        if place not in (FLAT_PLAIN, FLAT_INLINE):
            raise ValueError("a layout that we do not write")
        start = end if place == FLAT_INLINE else address * BLOCK
        content = self.data[start : start + size]
        if len(content) != size:
            raise ValueError("content beyond the end")
        return mode, content, 0 if place == FLAT_INLINE else address

    @staticmethod
    def _names(content: memoryview) -> Iterator[tuple[int, str]]:
        for start in range(0, len(content), BLOCK):
            block = content[start : start + BLOCK]
            count = DIRENT.unpack_from(block)[1] // DIRENT.size
            heads = [DIRENT.unpack_from(block, i * DIRENT.size) for i in range(count)]
            ends = [head[1] for head in heads[1:]] + [len(block)]
            for (child, offset, _, _), end in zip(heads, ends, strict=True):
                yield child, bytes(block[offset:end]).rstrip(b"\0").decode()
