"""The image made of a guest's memory: what is written, where, and what is left out."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.unit.test_image import make
from unikit import settings
from unikit.errors import UserError
from unikit.image import image
from unikit.progress import Progress
from unikit.vm import frozen, shared
from unikit.vm.report import Log
from unikit.vm.supervisor import Ended

PAGE = image.PAGE
RECORD = 0x101200  # in the kernel's pages, which stay as they are


def memory(ranges: list[tuple[int, int]], pages: dict[int, bytes], magic: int = image.BOOT_MAGIC) -> bytes:
    """A guest's memory: its record, and some pages that are not zero."""
    content = bytearray(0x400000)
    for at, data in pages.items():
        content[at : at + len(data)] = data
    struct.pack_into("<QQ", content, RECORD, magic, len(ranges))
    for i, pair in enumerate(ranges):
        struct.pack_into("<QQ", content, RECORD + 16 + 16 * i, *pair)
    return bytes(content)


def test_pages_that_are_zero_are_left_out() -> None:
    far = 0x200000 + (frozen.GAP + 5) * PAGE
    content = memory([(0x101000, 0x102000), (0x200000, 0x300000)], {0x200000: b"a", 0x203000: b"b", far: b"c"})
    segments, end = frozen.read(content, RECORD)
    assert [(s.address, len(s.data)) for s in segments] == [(0x101000, PAGE), (0x200000, 4 * PAGE), (far, PAGE)]
    assert end == 0x300000


def test_an_image_says_how_much_memory_it_wants(tmp_path: Path) -> None:
    cold = dataclasses.replace(make(tmp_path).manifest, memory=128)
    small = frozen.sized(cold, "x86-64-v2", (20 << 20) + 1)
    assert (small.frozen, small.smallest, small.memory) == ("x86-64-v2", 27, 128)
    large = frozen.sized(cold, "x86-64-v2", 300 << 20)
    assert large.smallest == 306 and large.memory == 384


@pytest.mark.parametrize(
    ("ranges", "magic"),
    [
        ([], image.BOOT_MAGIC),
        ([(0x1000, 0x2000)], 1),
        ([(0x2000, 0x1000)], image.BOOT_MAGIC),
        ([(0, 1 << 40)], image.BOOT_MAGIC),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(ranges: list[tuple[int, int]], magic: int) -> None:
    with pytest.raises(UserError, match="could not be read"):
        frozen.read(memory(ranges, {}, magic), RECORD)
    with pytest.raises(UserError, match="could not be read"):
        frozen.read(memory(ranges, {}, magic), 0x3FFFFC)


def test_the_image_is_read_back_and_has_its_parts_in_place(tmp_path: Path) -> None:
    cold = make(tmp_path, more={".unikit.other": b"more"})
    content = memory([(0x101000, 0x102000), (0x200000, 0x300000)], {0x200000: b"a" * 5000})
    segments, _ = frozen.read(content, RECORD)
    out = tmp_path / "frozen.img"
    manifest = cold.manifest
    out.write_bytes(frozen.assemble(cold.path.read_bytes(), segments, manifest))
    made = image.read(out)
    assert made.manifest.name == manifest.name and made.manifest.root_sha256 == manifest.root_sha256
    with out.open("rb") as stream:
        file = ELFFile(stream)
        loads = list(file.iter_segments("PT_LOAD"))
        assert [part["p_paddr"] for part in loads] == [0x101000, 0x200000, 0x103000]
        assert all(part["p_offset"] % PAGE == 0 for part in loads)
        assert loads[1].data() == content[0x200000:0x202000]
        assert loads[-1].data() == file.get_section_by_name(".unikit.root").data()
        assert file.get_section_by_name(".unikit.other").data() == b"more"
        note = next(file.iter_segments("PT_NOTE"))
        assert note["p_paddr"] == 0x101018 and note.data() == content[0x101018 : 0x101018 + 20]
        assert file["e_entry"] == 0x101000


def test_a_damaged_image_is_found(tmp_path: Path) -> None:
    cold = make(tmp_path)
    segments, _ = frozen.read(memory([(0x101000, 0x102000)], {}), RECORD)
    body = bytearray(frozen.assemble(cold.path.read_bytes(), segments, cold.manifest))
    body[0x1000 + 0x200] ^= 1
    out = tmp_path / "frozen.img"
    out.write_bytes(body)
    with pytest.raises(UserError, match="damaged"):
        image.read(out)


def test_guests_share_the_memory_as_a_sparse_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIKIT_CACHE", str(tmp_path / "cache"))
    cold = make(tmp_path)
    content = memory([(0x101000, 0x102000), (0x200000, 0x300000)], {0x200000: b"a" * 5000})
    segments, _ = frozen.read(content, RECORD)
    out = tmp_path / "frozen.img"
    out.write_bytes(frozen.assemble(cold.path.read_bytes(), segments, cold.manifest))
    made = image.read(out)
    found = shared.prepare(made, 16)
    with found.memory.open("rb") as stream:
        assert stream.read(0x103000) == bytes(0x101000) + content[0x101000:0x103000]
        stream.seek(0x200000)
        assert stream.read(5000) == b"a" * 5000
    assert found.memory.stat().st_size == 16 << 20 and found.memory.stat().st_blocks * 512 < 1 << 20
    with found.entry.open("rb") as stream:
        file = ELFFile(stream)
        (load,) = file.iter_segments("PT_LOAD")
        assert load["p_paddr"] == file["e_entry"] == 0x101000 and load.data() == content[0x101000:0x102000]
        note = struct.pack("<III4sI", 4, 4, 18, b"Xen", 0x101000)
        assert next(file.iter_segments("PT_NOTE")).data() == note
    assert shared.prepare(made, 8) == found and found.memory.stat().st_size == 16 << 20
    assert shared.prepare(made, 32) == found and found.memory.stat().st_size == 32 << 20


def test_an_instruction_that_the_level_lacks() -> None:
    ended = Ended(None, "", Log(status=132), None)
    error = frozen.failure(ended, [], "Illegal instruction", "x86-64-v2")
    assert "x86-64-v2 lacks" in error.message and "--cpu-level x86-64-v2-AES or x86-64-v3" in str(error.hint)
    assert "ended with status 132" in frozen.failure(ended, [], "", "x86-64-v3").message  # no level is higher


def test_levels_and_what_they_have() -> None:
    assert tuple(frozen.CPUS) == settings.CPU_LEVELS
    said = frozen.advice("x86-64-v2", {"_ssl", "ssl"})
    assert said and "AES-GCM" in said and "--cpu-level x86-64-v2-AES" in said
    assert frozen.advice("x86-64-v2", {"hashlib"}) is None  # nothing encrypts
    assert frozen.advice("x86-64-v2-AES", {"_ssl"}) is None and frozen.advice("x86-64-v3", {"_ssl"}) is None


@pytest.mark.parametrize(("serves", "network", "watched"), [(True, True, 1), (True, False, 0), (False, True, 0)])
def test_only_what_may_serve_is_watched(
    serves: bool, network: bool, watched: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test-suite that waits for the host, a program without sockets: nobody boots them to see what they import."""
    cold = make(tmp_path)
    cold = dataclasses.replace(cold, manifest=dataclasses.replace(cold.manifest, network=network))
    seen: list[bytes] = []
    monkeypatch.setattr(frozen, "_boot", lambda cold, *_, **__: cold.path.read_bytes())
    monkeypatch.setattr(frozen, "_late_imports", lambda body: seen.append(body) or ())
    frozen.make(cold, "x86-64-v2", Progress(), serves=serves)
    assert len(seen) == watched
