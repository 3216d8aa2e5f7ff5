"""Packages: ranges of physical memory, compressed.

Any set of segments can be packed: a kernel with its root file system, or the memory of a guest that was stopped.
Ranges that lie close together are compressed as one stream, the gaps as zeros. What unpacks it at boot: unpacker.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import lz4.block
import lz4.version
import xxhash
import zstandard

PAGE = 4096
MAGIC = 0x7A74696B696E75  # "unikitz"
HEADER = struct.Struct("<QQQII")  # magic, size, checksum, entry, number of segments
SEGMENT = struct.Struct("<QQQQ")  # address, length, offset, size
CHECKED_FROM = 24  # the checksum is over what follows it
LOWEST = 0x100000  # below is the firmware's memory
NEAR = 128 << 10  # a smaller gap is not worth a stream of its own
LONGEST = 0x7E000000  # of what is compressed at once: LZ4's limit
LEVEL = {"zstd": 19, "lz4": 12}
METHODS = tuple(LEVEL)


@dataclass(frozen=True)
class Segment:
    """Content of physical memory from `address` on."""

    address: int
    content: bytes

    @property
    def end(self) -> int:
        return self.address + len(self.content)


def package(segments: Iterable[Segment], entry: int, method: str) -> bytes:
    """The package alone. Raises ValueError if two segments overlap."""
    return compressed(merged(segments), entry, COMPRESSORS[method])


def unpack(package: bytes, method: str) -> tuple[int, list[Segment]]:
    """The entry and the segments of a package. Raises ValueError if it is damaged."""
    try:
        magic, size, checksum, entry, count = HEADER.unpack_from(package)
        if magic != MAGIC or size > len(package) or xxhash.xxh64_intdigest(package[CHECKED_FROM:size]) != checksum:
            raise ValueError("not a package, or a damaged one")
        segments = []
        for index in range(count):
            address, length, offset, packed = SEGMENT.unpack_from(package, HEADER.size + index * SEGMENT.size)
            data = package[offset : offset + packed]
            if method == "zstd":
                content = zstandard.ZstdDecompressor().decompress(data, max_output_size=length)
            else:
                content = lz4.block.decompress(data, uncompressed_size=length)
            segments.append(Segment(address, content))
    except (struct.error, zstandard.ZstdError, lz4.block.LZ4BlockError) as error:
        raise ValueError(str(error)) from error
    return entry, segments


def version(method: str) -> str:
    """The compressor and how it is used: what a package depends on beside its content."""
    library = {"zstd": zstandard.__version__, "lz4": lz4.version.version}[method]
    return f"{library} {LEVEL[method]}"


def place(segments: Sequence[Segment], size: int) -> int:
    """The lowest page from which `size` bytes meet none of the segments (sorted by address)."""
    here = LOWEST
    for segment in segments:
        if here + size <= segment.address:
            break
        here = max(here, up(segment.end))
    return here


def _zstd(content: bytes) -> bytes:
    window = min(max(len(content).bit_length(), 17), 27)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL["zstd"], source_size=len(content), window_log=window, enable_ldm=True, write_checksum=False
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(content)


def _lz4(content: bytes) -> bytes:
    return bytes(lz4.block.compress(content, mode="high_compression", compression=LEVEL["lz4"], store_size=False))


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "lz4": _lz4}


def merged(segments: Iterable[Segment]) -> list[Segment]:
    """Ranges that are near each other become one, sorted."""
    groups: list[list[Segment]] = []
    for segment in sorted((s for s in segments if s.content), key=lambda s: s.address):
        last = groups[-1] if groups else None
        if last and segment.address < last[-1].end:
            raise ValueError(f"two segments at {segment.address:#x}")
        if last and segment.address - last[-1].end < NEAR and segment.end - last[0].address <= LONGEST:
            last.append(segment)
        else:
            groups.append([segment])
    return [_joined(group) for group in groups]


def _joined(group: Sequence[Segment]) -> Segment:
    content = bytearray()
    for segment in group:
        content += bytes(segment.address - group[0].address - len(content)) + segment.content
    return Segment(group[0].address, bytes(content))


def compressed(segments: Sequence[Segment], entry: int, compress: Callable[[bytes], bytes]) -> bytes:
    """The package of segments as they are, a stream each."""
    streams = [compress(segment.content) for segment in segments]
    table, offset = b"", HEADER.size + SEGMENT.size * len(segments)
    for segment, stream in zip(segments, streams, strict=True):
        table += SEGMENT.pack(segment.address, len(segment.content), offset, len(stream))
        offset += len(stream)
    body = struct.pack("<II", entry, len(segments)) + table + b"".join(streams)
    return struct.pack("<QQQ", MAGIC, offset, xxhash.xxh64_intdigest(body)) + body


def up(address: int) -> int:
    """The next page's address."""
    return -(-address // PAGE) * PAGE
