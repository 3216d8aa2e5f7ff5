"""Writes the root file system: EROFS, uncompressed, 4 KiB blocks (Linux, Documentation/filesystems/erofs.rst and
fs/erofs/erofs_fs.h), so that the guest maps file data in place and any Linux can mount the same image.

The order on disk is: the superblock with all inodes and directories, then the data of regular files. ELF files, which
are mapped, are "flat plain": their data begins on a block of its own and the last block is filled up with zeros; or,
where blocks of zeros can be spared, in chunks of a block, whose addresses stand behind the inode. Other files are
"flat inline", as are directories and symbolic links that fit: what does not fill a block stands right behind the inode,
and such ends are packed together in blocks. Files with the same content share their data, and have no such ends.
Nothing in the image depends on time, user or the order of the input."""

from __future__ import annotations

import bisect
import hashlib
import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from unikit.model import FileKind, ImageFile

BLOCK = 4096
SLOT = 32  # inodes stand on multiples of this; their number (nid) counts it
MAGIC = 0xE0F5E1E2
SUPERBLOCK_AT = 1024
SUPERBLOCK = struct.Struct("<IIIBBHQQIIII16s16sIHHHB5x32x")  # 128 bytes
COMPACT = struct.Struct("<HHHHIIIIHHI")  # 32 bytes
EXTENDED = struct.Struct("<HHHHQIIIIQII16x")  # 64 bytes
DIRENT = struct.Struct("<QHBB")
HAS_CHECKSUM = 0x1
HAS_CHUNKS = 0x4  # among the incompatible features
FLAT_PLAIN, FLAT_INLINE, CHUNKS = 0, 2, 4
HOLE = 0xFFFFFFFF
TYPES = {FileKind.FILE: (0o100000, 1), FileKind.DIRECTORY: (0o040000, 2), FileKind.SYMLINK: (0o120000, 7)}
NAME_MAX = 255
MAPPED = b"\x7fELF"  # how files begin that are mapped rather than read
# No image tells when it was built. All files are from 2 January 1980 (ZIP archives know no earlier time, wherever the
# clock is set to), but data: web servers make ETags of time and size, so these files' times come from their content,
# between 2000 and 2020. Seconds since 1970.
DATED = 315_619_200
EARLIEST, SPAN = 946_684_800, 631_152_000


def write(files: Iterable[ImageFile], out: BinaryIO, date: int | None = None) -> int:
    """Write the image of `files` (absolute paths; missing parents are made) to `out`, from where it stands. All of them
    are from `date` (seconds since 1970) if there is one. Returns the image's size in bytes, a multiple of 4096.

    Raises `ValueError` for two entries of one path, an entry below something that is no directory, or a name that is
    too long."""
    root = _tree(files)
    nodes = list(root.walk())
    for number, node in enumerate(nodes, 1):
        node.number = number
    shared = _share(nodes, date)
    # where an inode stands depends on its size alone, so places come first and contents of directories after
    end = _place(nodes)
    metadata_blocks = _blocks(end)
    address = metadata_blocks
    for node in nodes:
        if node.kind is not FileKind.FILE and not node.inline and node.length:
            node.address, address = address, address + _blocks(node.length)
    for content in shared:
        content.address, address = address, address + content.blocks
    metadata = bytearray(metadata_blocks * BLOCK)
    for node in nodes:
        packed = node.pack()
        metadata[node.place : node.place + len(packed)] = packed
    metadata[SUPERBLOCK_AT : SUPERBLOCK_AT + SUPERBLOCK.size] = _superblock(root, nodes, address, shared)
    checksum = crc32c(bytes(metadata[SUPERBLOCK_AT:BLOCK]))
    struct.pack_into("<I", metadata, SUPERBLOCK_AT + 4, checksum)
    out.write(metadata)
    for node in nodes:
        if node.kind is not FileKind.FILE and not node.inline and node.length:
            out.write(_padded(node.listing() if node.kind is FileKind.DIRECTORY else node.target.encode()))
    for content in shared:
        content.copy(out)
    return address * BLOCK


@dataclass
class _Content:
    """The data of one or more regular files."""

    size: int
    digest: bytes
    source: Path | bytes
    holes: frozenset[int]  # the blocks that are not stored, as they are zeros
    address: int = 0
    tail: bytes = b""  # the end that stands behind the inode

    @property
    def blocks(self) -> int:
        return _blocks(self.size - len(self.tail)) - len(self.holes)

    @property
    def map(self) -> bytes:
        """The address of each block, of a file in chunks; without holes it is none, and this empty."""
        if not self.holes:
            return b""
        addresses, address = [], self.address
        for number in range(_blocks(self.size)):
            addresses.append(HOLE if number in self.holes else address)
            address += number not in self.holes
        return struct.pack(f"<{len(addresses)}I", *addresses)

    def copy(self, out: BinaryIO) -> None:
        data = self.source.read_bytes() if isinstance(self.source, Path) else self.source
        if len(data) != self.size:
            raise ValueError(f"{self.source!s} changed while it was written")
        if not self.holes:
            out.write(_padded(data[: self.size - len(self.tail)]))
            return
        for number in range(_blocks(self.size)):
            if number not in self.holes:
                out.write(_padded(data[number * BLOCK : (number + 1) * BLOCK]))


def _holes(data: bytes) -> frozenset[int]:
    """The blocks of zeros, if leaving them out saves more than the map of the others costs."""
    count = _blocks(len(data))
    zeros = bytes(BLOCK)
    found = frozenset(n for n in range(count) if _padded(data[n * BLOCK : (n + 1) * BLOCK]) == zeros)
    return found if len(found) * BLOCK > BLOCK + 4 * count else frozenset()


@dataclass
class _Node:
    kind: FileKind
    mode: int
    target: str = ""
    source: Path | bytes = b""
    children: dict[str, _Node] = field(default_factory=dict)
    parent: _Node | None = None
    content: _Content | None = None
    number: int = 0
    data: bool = False
    time: int = DATED
    own_time: bool = False  # another than the image's
    place: int = 0  # of the inode, in bytes from the start of the image
    address: int = 0  # block of what does not stand inline
    inline: bool = False
    length: int = 0

    def walk(self) -> Iterable[_Node]:
        """This node and all below it: a directory's entries stand near each other."""
        yield self
        for name in sorted(self.children, key=str.encode):
            yield from self.children[name].walk()

    @property
    def entries(self) -> list[tuple[bytes, _Node]]:
        """The names of a directory in the order of their bytes, `.` and `..` among them."""
        named = [(b".", self), (b"..", self.parent or self)]
        named += [(name.encode(), child) for name, child in self.children.items()]
        return sorted(named, key=lambda e: e[0])

    def blocks(self) -> list[list[tuple[bytes, _Node]]]:
        """A directory's entries as they are shared out over its blocks."""
        shares: list[list[tuple[bytes, _Node]]] = [[]]
        used = 0
        for entry in self.entries:
            size = DIRENT.size + len(entry[0])
            if used + size > BLOCK:
                shares.append([])
                used = 0
            shares[-1].append(entry)
            used += size
        return shares

    def listing(self) -> bytes:
        """A directory's content: in each block the entries, then the names."""
        shares = self.blocks()
        packed = []
        for share in shares:
            offset = DIRENT.size * len(share)
            heads, names = b"", b""
            for name, child in share:
                heads += DIRENT.pack(child.place // SLOT, offset + len(names), TYPES[child.kind][1], 0)
                names += name
            packed.append(heads + names)
        return b"".join(p.ljust(BLOCK, b"\0") for p in packed[:-1]) + packed[-1]

    def measure(self) -> None:
        """Set the length of the content, which does not depend on where inodes stand."""
        if self.kind is FileKind.DIRECTORY:
            shares = self.blocks()
            last = sum(DIRENT.size + len(name) for name, _ in shares[-1])
            self.length = (len(shares) - 1) * BLOCK + last
        elif self.kind is FileKind.SYMLINK:
            self.length = len(self.target.encode())
        else:
            assert self.content is not None
            self.length = self.content.size
        # a tail of a longer directory could be inline as well; one block more costs less than the second case
        self.inline = self.kind is not FileKind.FILE and self.length <= BLOCK // 2 - EXTENDED.size
        self.inline = self.inline or bool(self.content and self.content.tail)

    @property
    def is_compact(self) -> bool:
        return self.length < 1 << 32 and self.links < 1 << 16 and not self.own_time

    @property
    def links(self) -> int:
        if self.kind is FileKind.DIRECTORY:
            return 2 + sum(c.kind is FileKind.DIRECTORY for c in self.children.values())
        return 1

    @property
    def head(self) -> int:
        return COMPACT.size if self.is_compact else EXTENDED.size

    @property
    def size(self) -> int:
        """Bytes of the inode and what is inline behind it."""
        return self.head + (len(self.content.tail) if self.content else self.length if self.inline else 0)

    @property
    def map_size(self) -> int:
        """Bytes of the map behind the inode, which may go on in the next blocks."""
        return 4 * _blocks(self.length) if self.content and self.content.holes else 0

    def pack(self) -> bytes:
        layout = FLAT_INLINE if self.inline else CHUNKS if self.map_size else FLAT_PLAIN
        mode = TYPES[self.kind][0] | self.mode
        address = self.content.address if self.content else self.address
        whole = self.inline and (not self.content or not self.content.blocks)
        if whole or not self.length or self.map_size:
            address = 0xFFFFFFFF if whole else 0  # of a file in chunks: their format, a block each
        if self.is_compact:
            head = COMPACT.pack(layout << 1, 0, mode, self.links, self.length, 0, address, self.number, 0, 0, 0)
        else:
            where = (self.length, address, self.number)
            head = EXTENDED.pack(layout << 1 | 1, 0, mode, 0, *where, 0, 0, self.time, 0, self.links)
        if not self.inline:
            return head + (self.content.map if self.content else b"")
        if self.content:
            return head + self.content.tail
        return head + (self.listing() if self.kind is FileKind.DIRECTORY else self.target.encode())


def _tree(files: Iterable[ImageFile]) -> _Node:
    root = _Node(FileKind.DIRECTORY, 0o755)
    named: set[str] = set()
    for file in sorted(files, key=lambda f: PurePosixPath(f.path).parts):
        parts = PurePosixPath(file.path).parts
        if not file.path.startswith("/") or ".." in parts:
            raise ValueError(f"{file.path!r} is not an absolute path")
        if file.path in named:
            raise ValueError(f"{file.path} is there twice")
        named.add(file.path)
        if len(parts) == 1:
            root.mode = file.mode
            continue
        here = root
        for part in parts[1:-1]:
            here = here.children.setdefault(part, _Node(FileKind.DIRECTORY, 0o755, parent=here))
            if here.kind is not FileKind.DIRECTORY:
                raise ValueError(f"{file.path} is below something that is no directory")
        name = parts[-1]
        if len(name.encode()) > NAME_MAX:
            raise ValueError(f"the name of {file.path} is longer than {NAME_MAX} bytes")
        if name in here.children:  # made as a parent before: the same directory
            here.children[name].mode = file.mode
            continue
        here.children[name] = _Node(file.kind, file.mode, file.target, file.content, parent=here, data=file.data)
    return root


def _share(nodes: list[_Node], date: int | None) -> list[_Content]:
    """The different contents of regular files, in order; equal ones are one. All nodes get their times."""
    known: dict[bytes, _Content] = {}
    users: dict[bytes, int] = {}
    for node in nodes:
        node.time = DATED if date is None else date
        if node.kind is FileKind.FILE:
            data = node.source.read_bytes() if isinstance(node.source, Path) else node.source
            digest = hashlib.sha256(data).digest()
            users[digest] = users.get(digest, 0) + 1
            if date is None and node.data:
                node.own_time, node.time = True, EARLIEST + int.from_bytes(digest[:8], "big") % SPAN
            if digest not in known:
                known[digest] = content = _Content(len(data), digest, node.source, _holes(data))
                end = len(data) % BLOCK
                if end and end <= BLOCK - node.head and not data.startswith(MAPPED) and not content.holes:
                    content.tail = data[-end:]
            node.content = known[digest]
    for digest, content in known.items():
        if users[digest] > 1 or content.size >= 1 << 32:
            content.tail = b""
    for node in nodes:
        node.measure()
    return list(known.values())


def _place(nodes: list[_Node]) -> int:
    """Give every inode its place behind the superblock; no inode, and no inline content, crosses a block. Those of
    files with ends go where these fit best, the longest first, behind all others. Returns where the last one ends."""
    position = SUPERBLOCK_AT + SUPERBLOCK.size
    ends: list[_Node] = []
    for node in nodes:
        if node.content and node.content.tail:
            ends.append(node)
            continue
        position = -(-position // SLOT) * SLOT
        if position // BLOCK != (position + node.size - 1) // BLOCK:
            position = _blocks(position) * BLOCK
        node.place = position
        position += node.size + node.map_size
    position = -(-position // SLOT) * SLOT
    last = _blocks(position) * BLOCK
    gaps = [(last - position, position)] if last > position else []  # what is free in blocks: bytes, where
    for node in sorted(ends, key=lambda n: -n.size):
        size = -(-node.size // SLOT) * SLOT
        at = bisect.bisect_left(gaps, (size, 0))
        if at == len(gaps):
            gaps.append((BLOCK, last))
            last += BLOCK
        free, node.place = gaps.pop(at)
        if free > size:
            bisect.insort(gaps, (free - size, node.place + size))
    return max((node.place + node.size + node.map_size for node in nodes), default=position)


def _superblock(root: _Node, nodes: list[_Node], blocks: int, contents: list[_Content]) -> bytes:
    identity = hashlib.sha256(str(root.time).encode())
    for node in nodes:
        identity.update(repr((node.kind.value, node.mode, node.target, sorted(node.children))).encode())
    for content in contents:
        identity.update(content.digest)
    name = uuid.UUID(bytes=identity.digest()[:16], version=4).bytes
    features = HAS_CHUNKS if any(content.holes for content in contents) else 0
    return SUPERBLOCK.pack(
        MAGIC, 0, HAS_CHECKSUM, BLOCK.bit_length() - 1, 0, root.place // SLOT, len(nodes), root.time, 0, blocks, 0, 0,
        name, b"unikit".ljust(16, b"\0"), features, 0, 0, 0, 0,
    )  # fmt: skip


def _blocks(size: int) -> int:
    return -(-size // BLOCK)


def _padded(data: bytes) -> bytes:
    return data.ljust(_blocks(len(data)) * BLOCK, b"\0")


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) with all ones to begin with and no inversion at the end, as the superblock has it."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ CRC_TABLE[(value ^ byte) & 0xFF]
    return value
