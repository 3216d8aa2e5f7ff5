"""One image on every machine and memory size, again and again: a boot that fails once in a hundred times is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import images
from tests.guest import run
from unikit.vm import machine

HERE = Path(__file__).resolve().parent
HELLO = HERE / "hello/main.py"
MEMORY = (64, 512, 6144)  # MiB; the last lies above and below the hole under 4 GiB
BOOTS = 100


@pytest.mark.parametrize("profile", machine.names())
@pytest.mark.parametrize("memory", MEMORY)
def test_boots_every_time(profile: str, memory: int) -> None:
    for i in range(-(-BOOTS // (len(MEMORY) * len(machine.names())))):
        result = run(HELLO, profile=profile, memory=memory, timeout=30)
        assert result.status == 0 and result.console == "hello\n", f"boot {i + 1}: {result}"
        # The report channel says the status; the machine went off by itself, with the same one.
        assert result.qemu_status == 1
        said = result.log.memory
        assert said and 0.7 * memory < said["total"] / 2**20 <= memory


@pytest.mark.parametrize("size", [16, 20, 24, 32])
def test_too_little_memory_is_said(size: int) -> None:
    """Never a silent reset: the guest says how much would do, or it just works."""
    result = run(HELLO, memory=size, timeout=30)
    if result.status == 0:
        assert result.console == "hello\n"
        return
    said = result.log.oom or result.log.error
    assert said or "memory" in result.console.lower(), result
    if result.log.oom:
        enough = -(-int(str(result.log.oom["enough"]), 0) // 2**20)
        assert size < enough <= 64
        assert run(HELLO, memory=enough, timeout=30).status == 0, f"{enough} MiB were said to be enough"


@pytest.mark.parametrize("method", ["none", "zstd"])
def test_a_cpu_without_64_bit_mode_is_told(method: str) -> None:
    made = images.build(HERE / "memory_maps", compression=None if method == "none" else method)
    result = run(made, memory=64, extra=["-cpu", "qemu32"])
    assert result.status is None and result.qemu_status == 2 * 78 + 1, result.console
    assert "this CPU has no 64-bit mode" in result.console
