"""The probe that decides between KVM and TCG, with programs in QEMU's place."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from unikit.vm import accelerator


def program(folder: Path, body: str) -> str:
    path = folder / "qemu"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /dev/kvm that is there and may be used."""
    monkeypatch.setattr(accelerator, "DEVICE", tmp_path)
    monkeypatch.delenv("UNIKIT_ACCEL", raising=False)


def test_a_guest_that_ends_as_it_should(tmp_path: Path) -> None:
    qemu = program(tmp_path, f"exit {2 * accelerator.STATUS + 1}")
    assert accelerator.probe_kvm(qemu).usable and accelerator.choose(qemu) == "kvm"


def test_a_qemu_that_aborts(tmp_path: Path) -> None:
    qemu = program(tmp_path, "echo 'failed to set MSR 0x10a' >&2; kill -ABRT $$")
    probe = accelerator.probe_kvm(qemu)
    assert not probe.usable and probe.reason == "failed to set MSR 0x10a" and accelerator.choose(qemu) == "tcg"


def test_a_guest_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "DEADLINE", 0.2)
    probe = accelerator.probe_kvm(program(tmp_path, "exec sleep 60"))
    assert not probe.usable and "did not end within" in probe.reason


def test_a_guest_that_is_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "SLOW", 0.0)
    qemu = program(tmp_path, f"exit {2 * accelerator.STATUS + 1}")
    assert not accelerator.probe_kvm(qemu).usable and accelerator.probe_tcg(qemu).usable


def test_the_answer_is_remembered(tmp_path: Path) -> None:
    qemu = program(tmp_path, f"echo x >> {tmp_path}/calls; exit {2 * accelerator.STATUS + 1}")
    for _ in range(3):
        assert accelerator.probe_kvm(qemu).usable
    assert (tmp_path / "calls").read_text() == "x\n"
    accelerator.probe_kvm(qemu, fresh=True)
    assert (tmp_path / "calls").read_text() == "x\nx\n"


def test_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "DEVICE", tmp_path / "none")
    assert not accelerator.probe_kvm(program(tmp_path, "exit 15")).usable


def test_a_named_accelerator_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIKIT_ACCEL", "tcg")
    assert accelerator.choose(program(tmp_path, "exit 15")) == "tcg"


def test_the_payload_is_a_pvh_file() -> None:
    elf = ELFFile(io.BytesIO(accelerator._payload()))
    load, notes = elf.iter_segments()
    assert load["p_paddr"] == elf["e_entry"] == 0x100000 and load["p_offset"] % 4096 == 0
    assert notes["p_type"] == "PT_NOTE" and b"Xen\0" in notes.data()
