"""ACPI tables: found through RSDT and XSDT, refused when they are damaged; devices and sleep types out of the DSDT."""

from __future__ import annotations

import struct
from typing import Any

import pytest

CDEF = """
struct acpi_resources { uint32_t base, size, line; bool level, low; };
extern struct { const unsigned char *bytes; size_t length; } memory;
void acpi_start(uint64_t rsdp);
const uint8_t *acpi_table(const char *signature, size_t *length);
bool acpi_device(const char *hid, size_t *cursor, struct acpi_resources *);
bool acpi_sleep_types(uint8_t *a, uint8_t *b);
"""
EXTRA = """
#include "bus.h"
#include "image.h"
struct boot_information boot_information;
struct { const unsigned char *bytes; size_t length; } memory;
const uint8_t *acpi_view(uint64_t at, size_t n)
{
    return at <= memory.length && n <= memory.length - at ? memory.bytes + at : NULL;
}
"""
ROOT, FADT, MADT, DSDT = 64, 256, 768, 1024


def table(signature: bytes, body: bytes) -> bytes:
    head = signature + struct.pack("<IBB6s8sI4sI", 36 + len(body), 1, 0, b"unikit", b"testing ", 1, b"test", 1)
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xFF
    return bytes(data)


def package(op: bytes, body: bytes) -> bytes:
    """AML PkgLength in two bytes."""
    length = len(body) + 2
    return op + bytes([0x40 | length & 15, length >> 4]) + body


def device(base: int, line: int, flags: int = 1, hid: bytes = b"LNRO0005") -> bytes:
    resources = b"\x86\x09\x00\x01" + struct.pack("<II", base, 512)
    resources += b"\x89\x06\x00" + struct.pack("<BBI", flags, 1, line) + b"\x79\x00"
    buffer = package(b"\x11", b"\x0a" + bytes([len(resources)]) + resources)
    return package(b"\x5b\x82", b"VR00\x08_HID\x0d" + hid + b"\0" + b"\x08_CRS" + buffer)


S5 = b"\x08_S5_" + b"\x12\x06\x04\x0a\x05\x00\x00\x00"


def image(dsdt: bytes, extended: bool = True) -> bytearray:
    memory = bytearray(DSDT) + table(b"DSDT", dsdt)

    def put(at: int, data: bytes) -> None:
        memory[at : at + len(data)] = data

    fadt = bytearray(276 - 36)
    struct.pack_into("<Q" if extended else "<I", fadt, (140 if extended else 40) - 36, DSDT)
    put(FADT, table(b"FACP", bytes(fadt)))
    put(MADT, table(b"APIC", bytes(8)))
    entries = (FADT, 0, MADT)
    put(ROOT, table(b"XSDT" if extended else b"RSDT", struct.pack("<3Q" if extended else "<3I", *entries)))
    rsdp = bytearray(b"RSD PTR \0unikit" + bytes([2 if extended else 0]) + struct.pack("<I", ROOT))
    rsdp[8] = -sum(rsdp) & 0xFF
    rsdp += struct.pack("<IQ4x", 36, ROOT if extended else 0)
    rsdp[32] = -sum(rsdp) & 0xFF
    put(16, bytes(rsdp))
    return memory


class Acpi:
    def __init__(self, build: Any, memory: bytes) -> None:
        self.c, self.ffi = build(["bus/acpi"], CDEF, EXTRA)
        self.memory = self.ffi.from_buffer("unsigned char[]", memory)
        self.c.memory.bytes, self.c.memory.length = self.memory, len(memory)
        self.c.acpi_start(16)

    def table(self, signature: bytes) -> int | None:
        length = self.ffi.new("size_t *")
        return length[0] if self.c.acpi_table(signature, length) else None

    def devices(self) -> list[tuple[int, int, int, bool, bool]]:
        cursor, r, found = self.ffi.new("size_t *"), self.ffi.new("struct acpi_resources *"), []
        while self.c.acpi_device(b"LNRO0005", cursor, r):
            found.append((r.base, r.size, r.line, r.level, r.low))
        return found

    def sleep(self) -> tuple[int, int] | None:
        a, b = self.ffi.new("uint8_t *"), self.ffi.new("uint8_t *")
        return (a[0], b[0]) if self.c.acpi_sleep_types(a, b) else None


@pytest.mark.parametrize("extended", [True, False])
def test_tables_devices_and_sleep_types(build: Any, extended: bool) -> None:
    dsdt = (
        device(0xFEB00000, 24) + device(1, 2, hid=b"LNRO0006") + S5 + device(0xFEB00200, 25, flags=7)
        + b"\x0dLNRO0005\0 and no resources"
    )  # fmt: skip
    acpi = Acpi(build, image(dsdt, extended))
    assert acpi.table(b"APIC") == 44
    assert acpi.table(b"MCFG") is None
    assert acpi.devices() == [(0xFEB00000, 512, 24, True, False), (0xFEB00200, 512, 25, False, True)]
    assert acpi.sleep() == (5, 0)


@pytest.mark.parametrize("extended", [True, False])
def test_any_damaged_byte_is_seen(build: Any, extended: bool) -> None:
    memory = image(device(0xFEB00000, 24) + S5, extended)
    for at in (17, ROOT + 12, FADT + 60, DSDT + 50):
        broken = bytearray(memory)
        broken[at] ^= 0x55
        acpi = Acpi(build, broken)
        assert acpi.devices() == [] and acpi.sleep() is None, at
    broken = bytearray(memory)
    broken[MADT + 40] ^= 1
    acpi = Acpi(build, broken)
    assert acpi.table(b"APIC") is None and acpi.sleep() == (5, 0)


def test_lengths_that_lie(build: Any) -> None:
    whole = device(0xFEB00000, 24)
    crs = whole.index(b"_CRS") + 5
    memory, interrupt = whole.index(b"\x86\x09"), whole.index(b"\x89")
    for at, value in ((crs, 0xFF), (crs + 3, 0x7F), (memory + 1, 0xFF), (interrupt + 2, 9)):
        lying = bytearray(whole)
        lying[at] = value
        acpi = Acpi(build, image(bytes(lying) + S5))
        assert acpi.devices() in ([], [(0xFEB00000, 512, 24, True, False)])
        assert acpi.sleep() == (5, 0)
    for cut in range(1, len(whole)):
        Acpi(build, image(whole[:cut])).devices()
    for cut in range(1, len(S5)):
        Acpi(build, image(S5[:cut])).sleep()
    assert Acpi(build, image(b"\x08_S5_\x12\x05\x01\x0a\x07")).sleep() is None  # the package ends beyond the table
    assert Acpi(build, image(b"\x08_S5_\x12\x04\x01\x0a\x07")).sleep() == (7, 7)


def test_no_tables(build: Any) -> None:
    acpi = Acpi(build, bytes(64))
    assert acpi.table(b"APIC") is None and acpi.devices() == [] and acpi.sleep() is None
