"""Compressed images: they boot on every machine, give their memory back, and say what is wrong with them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests import images
from tests.guest import run
from unikit.image import pack
from unikit.image.image import Image
from unikit.vm import machine

HERE = Path(__file__).resolve().parent
PROGRAM = HERE / "memory_maps"  # a small one, that looks at pages of its own files


@pytest.mark.parametrize("method", pack.METHODS)
@pytest.mark.parametrize("profile", machine.names())
def test_boots_on_every_machine(profile: str, method: str) -> None:
    made = images.build(PROGRAM, compression=method)
    result = run(made, profile=profile, memory=64)
    assert result.status == 0, result.console


def test_a_python_application() -> None:
    plain, packed = (images.build(HERE / "hello/main.py", compression=method) for method in ("none", "zstd"))
    assert packed.path.stat().st_size < 0.45 * plain.path.stat().st_size
    results = [run(made, memory=48) for made in (plain, packed)]
    assert [(r.status, r.console) for r in results] == [(0, "hello\n")] * 2
    before, after = (r.log.memory for r in results)
    # what the unpacker and the compressed bytes took is free again
    assert before and after and abs(after["total"] - before["total"]) <= 2 * 4096
    assert abs(after["high"] - before["high"]) < 1 << 20


def least(made: Image) -> int:
    """MiB in which unpacking just fits."""
    with made.path.open("rb") as stream:
        return max(-(-(s["p_paddr"] + s["p_memsz"]) // (1 << 20)) for s in ELFFile(stream).iter_segments("PT_LOAD"))


@pytest.mark.parametrize("method", pack.METHODS)
def test_too_little_memory_is_said(method: str) -> None:
    made = images.build(PROGRAM, compression=method)
    for memory in (5, least(made) - 1):
        result = run(made, memory=memory)
        assert result.status is None and result.qemu_status == 2 * 78 + 1
        assert "The memory ends before the unpacked image does" in result.console
        assert f"unpacking takes {least(made)} MiB" in result.console
        assert f"at least {least(made) + 16} MiB" in result.console
    assert run(made, memory=least(made) + 16).status == 0


def test_a_damaged_image_is_told(tmp_path: Path) -> None:
    made = images.build(PROGRAM, compression="lz4")
    body = bytearray(made.path.read_bytes())
    with made.path.open("rb") as stream:
        package = list(ELFFile(stream).iter_segments("PT_LOAD"))[-1]
    body[package["p_offset"] + package["p_filesz"] // 2] ^= 1
    path = tmp_path / "damaged.img"
    path.write_bytes(body)
    result = run(dataclasses.replace(made, path=path), memory=64)
    assert result.status is None and result.qemu_status == 2 * 78 + 1
    assert "The compressed image is damaged (its checksum is wrong)" in result.console
