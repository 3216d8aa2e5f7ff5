"""Packages: what is compressed is what comes out, where the unpacker goes, and images made of both."""

from __future__ import annotations

import dataclasses
import random
import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.unit import elf
from tests.unit.test_image import MANIFEST
from tests.unit.test_select import component
from unikit.errors import ExitCode, UserError
from unikit.image import compressed, image, pack, unpacker
from unikit.image.pack import Segment

TEXT = b"similar bytes again and again, " * 5000


def package(segments: list[Segment], method: str, entry: int = 0x1234) -> bytes:
    return pack.package(segments, entry, method)


@pytest.mark.parametrize("method", pack.METHODS)
def test_what_was_packed_comes_out(method: str) -> None:
    segments = [Segment(0x100000, TEXT), Segment(0x4000000, random.Random(7).randbytes(70000))]
    packed = package(segments, method)
    assert pack.unpack(packed, method) == (0x1234, segments)
    assert len(packed) < len(TEXT) // 10 + 70000 + 1000


@pytest.mark.parametrize("method", pack.METHODS)
def test_near_segments_are_one_with_zeros_between(method: str) -> None:
    near, far = Segment(0x102000, b"b" * 100), Segment(0x300000, b"c")
    packed = package([far, near, Segment(0x100000, b"a" * 4096), Segment(0x200000, b"")], method)
    _, (first, second) = pack.unpack(packed, method)
    assert first == Segment(0x100000, b"a" * 4096 + bytes(4096) + b"b" * 100) and second == far


def test_segments_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="0x100010"):
        package([Segment(0x100000, b"a" * 17), Segment(0x100010, b"b")], "lz4")


@pytest.mark.parametrize("method", pack.METHODS)
@pytest.mark.parametrize("where", [0, 8, 16, 30, -1])
def test_a_damaged_package_is_refused(method: str, where: int) -> None:
    packed = bytearray(package([Segment(0x100000, TEXT)], method))
    packed[where] ^= 0x40
    with pytest.raises(ValueError):
        pack.unpack(bytes(packed), method)


@pytest.mark.parametrize("method", pack.METHODS)
def test_the_same_content_gives_the_same_package(method: str) -> None:
    assert package([Segment(0x100000, TEXT)], method) == package([Segment(0x100000, TEXT)], method)


@pytest.mark.parametrize(
    ("taken", "size", "place"),
    [
        ([(0x100000, 0x200000)], 0x1000, 0x200000),  # behind it
        ([(0x100000, 0x180001), (0x200000, 0x300000)], 0x7F000, 0x181000),  # in the gap, on a page of its own
        ([(0x100000, 0x180001), (0x200000, 0x300000)], 0x80000, 0x300000),  # the gap is too small
        ([(0x200000, 0x300000)], 0x100000, 0x100000),  # before it
        ([(0x100000, 0x101000), (0x102000, 0x103000), (0x105000, 0x106000)], 0x2000, 0x103000),
    ],
)
def test_the_unpacker_goes_into_the_lowest_gap(taken: list[tuple[int, int]], size: int, place: int) -> None:
    segments = [Segment(start, bytes(end - start)) for start, end in taken]
    assert pack.place(segments, size) == place


def packed_image(folder: Path) -> image.Image:
    content = package([Segment(0x100000, TEXT)], "zstd")
    packed = unpacker.Packed(content, 0x5000000, elf.kernel(), (component("unpack/start"),))
    return compressed.write(packed, "zstd", MANIFEST, folder / "app.img", {".more": b"more"})


def test_a_compressed_image_is_read_back(tmp_path: Path) -> None:
    made = packed_image(tmp_path)
    assert image.read(made.path) == made
    assert made.manifest.compression == "zstd" and "unpack/start" in made.manifest.components
    with made.path.open("rb") as stream:
        last = list(ELFFile(stream).iter_segments("PT_LOAD"))[-1]
        assert last["p_paddr"] == 0x5000000
        assert pack.unpack(last.data(), "zstd")[1] == [Segment(0x100000, TEXT)]
    assert image.section(made.path, ".more") == b"more"
    assert made.path.stat().st_size < len(TEXT) // 4


@pytest.mark.parametrize("part", ["unpacker", "package"])
def test_damage_in_a_compressed_image_is_found(tmp_path: Path, part: str) -> None:
    path = packed_image(tmp_path).path
    body = bytearray(path.read_bytes())
    with path.open("rb") as stream:
        first, *_, last = ELFFile(stream).iter_segments("PT_LOAD")
        body[(first if part == "unpacker" else last)["p_offset"] + 40] ^= 1
    path.write_bytes(body)
    with pytest.raises(UserError, match="damaged") as error:
        image.read(path)
    assert error.value.code == ExitCode.IMAGE


def test_an_image_from_before_compression_is_read(tmp_path: Path) -> None:
    text = MANIFEST.dump()
    for field in ("compression", "loaded_sha256"):
        start = text.index(b'\n "%s"' % field.encode())
        text = text[:start] + text[text.index(b"\n", start + 1) :]
    assert b"compression" not in text
    assert type(MANIFEST).load(text) == dataclasses.replace(MANIFEST)


def test_the_header_is_as_the_unpacker_reads_it() -> None:
    packed = package([Segment(0x100000, TEXT)], "lz4", entry=0x100ABC)
    magic, size, _, entry, count, address, length, offset, packed_size = struct.unpack_from("<QQQIIQQQQ", packed)
    assert magic == int.from_bytes(b"unikitz\0", "little") and size == len(packed)
    assert (entry, count, address, length) == (0x100ABC, 1, 0x100000, len(TEXT))
    assert offset + packed_size == size
