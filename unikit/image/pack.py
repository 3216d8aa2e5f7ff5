"""Compressed images: ranges of physical memory as one package, and the program that unpacks it at boot.

Any set of segments can be packed: a kernel with its root file system, or the memory of a guest that was stopped.
Ranges that lie close together are compressed as one stream, the gaps as zeros. The unpacker (runtimes/unpack/) is
linked for the lowest gap between the ranges that it fits in, so that it is there even where memory ends early and can
say so; the package lies behind everything. Both are free memory once the content runs.
"""

from __future__ import annotations

import re
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lz4.block
import lz4.version
import xxhash
import zstandard

from unikit.errors import ExitCode, UserError
from unikit.kernel import link, select
from unikit.kernel.compiler import libgcc, require, tool
from unikit.kernel.component import Component, read
from unikit.kernel.runtime import Runtime

PAGE = 4096
MAGIC = 0x7A74696B696E75  # "unikitz"
HEADER = struct.Struct("<QQQII")  # magic, size, checksum, entry, number of segments
SEGMENT = struct.Struct("<QQQQ")  # address, length, offset, size
CHECKED_FROM = 24  # the checksum is over what follows it
ALIGNED = 512  # in the file: no page of it is mapped. Leaves room for a program header
LOWEST = 0x100000  # below is the firmware's memory
# Room for the unpacker that whoever lays out segments can leave between two of them.
ROOM = 512 << 10
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


@dataclass(frozen=True)
class Packed:
    """A package, where it has to be loaded, and the unpacker: a linked program (ELF64), with room for one more program
    header, made of `components`, with their bytes in it. `end` is the end of the memory that unpacking takes."""

    package: bytes
    address: int
    unpacker: bytes
    components: tuple[Component, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        return self.address + len(self.package)


def pack(segments: Iterable[Segment], entry: int, method: str, *, in_use: int = 0) -> Packed:
    """Compress `segments`; `entry` is the PVH entry of their content (physical). Below `in_use` nothing else is
    touched, not even between the segments.

    Raises UserError: TOOLCHAIN, COMPILE, SELECT or LINK.
    """
    merged = _merge(segments)
    content = _package(merged, entry, COMPRESSORS[method])
    components = _compile(Runtime(), method)
    highest = max(in_use, *(s.end for s in merged))
    draft, _ = _link(components, _up(highest), _up(highest) + PAGE, len(content))
    size = _span(draft)
    base = _up(in_use) if in_use else place(merged, size)
    address = _up(max(highest, base + size))
    unpacker, listing = _link(components, base, address, len(content))
    return Packed(content, address, unpacker, components, link.sizes(listing, components))


def package(segments: Iterable[Segment], entry: int, method: str) -> bytes:
    """The package alone. Raises ValueError if two segments overlap."""
    return _package(_merge(segments), entry, COMPRESSORS[method])


def identity(method: str) -> str:
    """What a package depends on beside its content: the compressor, and the program that unpacks it."""
    components = _compile(Runtime(), method)
    version = {"zstd": zstandard.__version__, "lz4": lz4.version.version}[method]
    return " ".join([version, str(LEVEL[method]), *(str(c.path.name) for c in components)])


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


def place(segments: Sequence[Segment], size: int) -> int:
    """The lowest page from which `size` bytes meet none of the segments (sorted by address)."""
    here = LOWEST
    for segment in segments:
        if here + size <= segment.address:
            break
        here = max(here, _up(segment.end))
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


def _merge(segments: Iterable[Segment]) -> list[Segment]:
    """Ranges that are near each other become one, sorted."""
    merged: list[list[Segment]] = []
    for segment in sorted((s for s in segments if s.content), key=lambda s: s.address):
        last = merged[-1] if merged else None
        if last and segment.address < last[-1].end:
            raise ValueError(f"two segments at {segment.address:#x}")
        if last and segment.address - last[-1].end < NEAR and segment.end - last[0].address <= LONGEST:
            last.append(segment)
        else:
            merged.append([segment])
    return [_joined(group) for group in merged]


def _joined(group: Sequence[Segment]) -> Segment:
    content = bytearray()
    for segment in group:
        content += bytes(segment.address - group[0].address - len(content)) + segment.content
    return Segment(group[0].address, bytes(content))


def _package(segments: Sequence[Segment], entry: int, compress: Callable[[bytes], bytes]) -> bytes:
    streams = [compress(segment.content) for segment in segments]
    table, offset = b"", HEADER.size + SEGMENT.size * len(segments)
    for segment, stream in zip(segments, streams, strict=True):
        table += SEGMENT.pack(segment.address, len(segment.content), offset, len(stream))
        offset += len(stream)
    body = struct.pack("<II", entry, len(segments)) + table + b"".join(streams)
    return struct.pack("<QQQ", MAGIC, offset, xxhash.xxh64_intdigest(body)) + body


def _compile(runtime: Runtime, method: str) -> tuple[Component, ...]:
    units, objects = runtime.unpacker(method)
    compiled, failures = objects.compile(units)
    require(failures)
    given = re.findall(r"^\s*(\w+) = ", _script(0, 0, 0), re.MULTILINE)
    found = select.select([read(o.name, o.path) for o in compiled], linker=[*given, *link.LIBGCC])
    return found.components


def _script(base: int, package: int, size: int) -> str:
    return link.template("unpack.ld.j2", base=base, package=package, size=size)


def _link(components: Sequence[Component], base: int, package: int, size: int) -> tuple[bytes, str]:
    """The unpacker, linked at `base` for a package of `size` bytes at `package`, and the linker's map of it."""
    with tempfile.TemporaryDirectory() as work:
        layout, out, listing = (Path(work, f"unpack.{end}") for end in ("ld", "elf", "map"))
        layout.write_text(_script(base, package, size))
        line = [tool("ld"), "-nostdlib", "-static", "--gc-sections", "--build-id=none", "--strip-all"]
        line += ["--no-warn-rwx-segments"]
        line += ["-z", f"max-page-size={ALIGNED}", "-z", "noexecstack", "--fatal-warnings", "-T", str(layout)]
        line += [*(str(c.path) for c in components), libgcc(), "-Map", str(listing), "-o", str(out)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise UserError(
                "The unpacker does not link.", code=ExitCode.LINK, details=tuple(done.stderr.strip().splitlines())
            )
        return out.read_bytes(), listing.read_text()


def _span(unpacker: bytes) -> int:
    """How much memory the linked unpacker takes, in whole pages."""
    phoff, phnum = struct.unpack_from("<Q", unpacker, 32)[0], struct.unpack_from("<H", unpacker, 56)[0]
    headers = [struct.unpack_from("<IIQQQQQQ", unpacker, phoff + i * 56) for i in range(phnum)]
    return _up(max(h[6] + h[3] % PAGE for h in headers if h[0] == 1))


def _up(address: int) -> int:
    return -(-address // PAGE) * PAGE
