"""entropy/: ChaCha20 by RFC 8439's vectors, and what the generator promises."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from .conftest import Library

# The generator reads the time-stamp counter; cpu.h's structure stays the host's own.
EXTRA = """
#include "cpu.h"
struct cpu_features cpu;
"""


@pytest.fixture(scope="session")
def entropy(build: Callable[..., Library]) -> Library:
    return build(
        ["entropy/chacha", "entropy/random"],
        """
        void chacha20_block(const uint32_t state[16], uint8_t out[64]);
        void random_bytes(void *to, size_t n);
        uint64_t random_u64(void);
        void entropy_add(const void *data, size_t n, unsigned bits);
        bool entropy_enough(void);
        """,
        EXTRA,
    )


def test_the_block_function_of_the_rfc(entropy: Library) -> None:
    lib, ffi = entropy
    key = struct.unpack("<8I", bytes(range(32)))
    nonce = struct.unpack("<3I", bytes.fromhex("000000090000004a00000000"))
    state = ffi.new("uint32_t[16]", [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, 1, *nonce])
    out = ffi.new("uint8_t[64]")
    lib.chacha20_block(state, out)
    assert bytes(ffi.buffer(out)).hex() == (
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
    )


def test_the_zero_key_of_the_rfc(entropy: Library) -> None:
    lib, ffi = entropy
    state = ffi.new("uint32_t[16]", [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *[0] * 12])
    out = ffi.new("uint8_t[64]")
    lib.chacha20_block(state, out)
    assert bytes(ffi.buffer(out)).hex().startswith("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1a")


def test_sources_are_counted_until_there_is_enough(entropy: Library) -> None:
    lib, _ = entropy
    assert not lib.entropy_enough()
    lib.entropy_add(b"a" * 16, 16, 128)
    assert not lib.entropy_enough()
    lib.entropy_add(b"b" * 16, 16, 0)
    assert not lib.entropy_enough()
    lib.entropy_add(b"c" * 16, 16, 128)
    assert lib.entropy_enough()


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 64, 95, 96, 97, 4096])
def test_any_size_and_never_the_same(entropy: Library, size: int) -> None:
    lib, ffi = entropy
    room = ffi.new("uint8_t[]", size + 16)
    seen = set()
    for _ in range(20):
        ffi.memmove(room, b"\xaa" * (size + 16), size + 16)
        lib.random_bytes(room, size)
        data = bytes(ffi.buffer(room))
        assert data[size:] == b"\xaa" * 16
        seen.add(data[:size])
    assert len(seen) == 20 or size < 2


def test_bits_are_balanced(entropy: Library) -> None:
    lib, _ = entropy
    ones = [0] * 64
    for _ in range(4000):
        value = lib.random_u64()
        for bit in range(64):
            ones[bit] += value >> bit & 1
    # Six standard deviations of a fair coin: 6 * sqrt(4000) / 2.
    assert all(abs(count - 2000) < 190 for count in ones), ones
