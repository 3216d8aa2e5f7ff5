"""The unpacker of compressed images on the host: packages as unikit writes them, whole and damaged."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
import xxhash
import zstandard

from unikit.image import pack
from unikit.image.pack import Segment

from .conftest import FLAGS, Library
from .decoders import compile_library, includes

CDEF = """
const char *packed_check(const void *p, size_t room);
bool packed_unpack(const void *p);
bool decode(void *to, size_t length, const void *from, size_t size);
uint64_t checksum(const void *bytes, size_t size);
extern uint8_t memory[];
"""
# 4 MiB of "physical memory" from 1 MiB on; what does not fit there is none.
MEMORY = """
#include "../unpack/unpack.h"
uint8_t memory[4 << 20];
void *packed_memory(uint64_t address, uint64_t length)
{
    const uint64_t low = 1 << 20;
    if (address < low || address - low > sizeof(memory) || length > sizeof(memory) - (address - low))
        return NULL;
    return memory + (address - low);
}
"""
LOW = 1 << 20
RANDOM = random.Random(3)
TEXT = b"".join(b"line %d of %d\n" % (i, RANDOM.randrange(1000)) for i in range(20000))


class Unpacker:
    def __init__(self, library: Library, method: str) -> None:
        (self.lib, self.ffi), self.method = library, method

    def buffer(self, data: bytes) -> Any:
        """A copy on the heap, so that reading past it is seen."""
        copy = self.ffi.new("uint64_t[]", -(-len(data) // 8) or 1)
        self.ffi.memmove(copy, data, len(data))
        return copy

    def check(self, package: bytes) -> str | None:
        found = self.lib.packed_check(self.buffer(package), len(package))
        return None if found == self.ffi.NULL else self.ffi.string(found).decode()

    def unpack(self, package: bytes) -> bool:
        assert self.check(package) is None
        return bool(self.lib.packed_unpack(self.buffer(package)))

    def memory(self, address: int, length: int) -> bytes:
        return bytes(self.ffi.buffer(self.lib.memory + (address - LOW), length))


@pytest.fixture(scope="module", params=pack.METHODS)
def unpacker(
    request: pytest.FixtureRequest, build: Callable[..., Library], tmp_path_factory: pytest.TempPathFactory
) -> Unpacker:
    method: str = request.param
    folder = tmp_path_factory.mktemp(method)
    flags = [f for f in FLAGS if f not in ("-shared", "-Wall", "-Wextra", "-Werror")]
    objects = compile_library(method, "gcc", flags, folder)
    components = ["unpack/package", f"unpack/{method}"]
    return Unpacker(build(components, CDEF, MEMORY, (*includes(method), *objects)), method)


def resealed(package: bytearray) -> bytes:
    """With a checksum that fits, as a stranger could write it."""
    struct.pack_into("<Q", package, 16, xxhash.xxh64_intdigest(bytes(package[24:])))
    return bytes(package)


def test_a_package_is_unpacked(unpacker: Unpacker) -> None:
    noise = RANDOM.randbytes(100_000)
    segments = [Segment(LOW, TEXT), Segment(3 * LOW, noise + bytes(1000))]
    assert unpacker.unpack(pack.package(segments, LOW, unpacker.method))
    for segment in segments:
        assert unpacker.memory(segment.address, len(segment.content)) == segment.content


def test_the_checksum_is_xxh64(unpacker: Unpacker) -> None:
    for size in (0, 1, 7, 31, 32, 33, 1000):
        data = RANDOM.randbytes(size)
        assert unpacker.lib.checksum(unpacker.buffer(data), size) == xxhash.xxh64_intdigest(data)


def test_every_damaged_byte_is_found(unpacker: Unpacker) -> None:
    package = pack.package([Segment(LOW, TEXT[:3000]), Segment(3 * LOW, b"x" * 100)], LOW, unpacker.method)
    for where in range(len(package)):
        damaged = bytearray(package)
        damaged[where] ^= 1 << RANDOM.randrange(8)
        assert unpacker.check(bytes(damaged)), f"byte {where}"
    for length in (*range(0, 100, 7), len(package) - 1):
        assert unpacker.check(package[:length])
    assert unpacker.check(package) is None
    assert unpacker.check(package + b"more") is None  # the rest of the last page


@pytest.mark.parametrize(
    ("at", "value"),
    [(36, 1 << 20), (56, 1 << 62), (64, 1 << 62), (64, 0), (48, 5), (40, 5), (40, 1 << 63), (48, (1 << 64) - 1)],
)
def test_a_wrong_table_is_refused(unpacker: Unpacker, at: int, value: int) -> None:
    """Count, offset, size, length and address that do not fit, under a checksum that does."""
    package = bytearray(pack.package([Segment(LOW, TEXT)], LOW, unpacker.method))
    struct.pack_into("<I" if at == 36 else "<Q", package, at, value)
    sealed = resealed(package)
    assert unpacker.check(sealed) or not unpacker.unpack(sealed)


def test_damaged_streams_are_refused_or_end(unpacker: Unpacker) -> None:
    """With a checksum that fits, the decoder itself has to stay inside its buffers (ASan looks on)."""
    package = pack.package([Segment(LOW, TEXT)], LOW, unpacker.method)
    start = pack.HEADER.size + pack.SEGMENT.size
    refused = 0
    for _ in range(300):
        damaged = bytearray(package)
        for _ in range(RANDOM.randint(1, 3)):
            damaged[RANDOM.randrange(start, len(package))] = RANDOM.randrange(256)
        refused += not unpacker.unpack(resealed(damaged))
    assert refused > 30


def test_a_stream_of_another_length_is_refused(unpacker: Unpacker) -> None:
    stream = pack.COMPRESSORS[unpacker.method](TEXT)
    for length, good in ((len(TEXT), True), (len(TEXT) - 1, False), (len(TEXT) + 1, False), (0, False)):
        room = unpacker.ffi.new("uint8_t[]", length or 1)
        assert unpacker.lib.decode(room, length, unpacker.buffer(stream), len(stream)) is good
        assert not unpacker.lib.decode(room, length, unpacker.buffer(stream), len(stream) // 2)


def test_a_large_window_takes_no_more_memory(unpacker: Unpacker) -> None:
    """What repeats 3 MiB later is found there: the output is its own window."""
    block = RANDOM.randbytes(1 << 20)
    content = block + bytes(2 << 20) + block[:-1]
    packed = pack.package([Segment(LOW, content)], LOW, unpacker.method)
    assert unpacker.unpack(packed) and unpacker.memory(LOW, len(content)) == content
    if unpacker.method == "zstd":
        assert len(packed) < 1.1 * len(block)
        assert zstandard.get_frame_parameters(packed[pack.HEADER.size + pack.SEGMENT.size :]).window_size >= 3 << 20
