"""KVM or TCG: whether KVM works is found out by a real boot with a deadline, and the answer is remembered.

/dev/kvm may be there and be useless: on some nested machines QEMU hangs or aborts, or runs far slower than without it.
The payload is a PVH ELF file of a few bytes that counts a loop and writes to the exit port.
"""

from __future__ import annotations

import json
import os
import platform
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from unikit import cache
from unikit.vm.machine import EXIT_PORT

DEVICE = Path("/dev/kvm")
DEADLINE = 10.0  # seconds
# A loop of a hundred million turns takes about 0.05 s on a processor and 0.5 s under TCG.
TURNS = 100_000_000
SLOW = 2.0
STATUS = 7


@dataclass(frozen=True)
class Probe:
    """`usable`, why not if it is not, and the seconds that the boot took."""

    usable: bool
    reason: str
    seconds: float


def choose(qemu: str) -> str:
    """`kvm` if a probe on this machine found it to work, else `tcg`. UNIKIT_ACCEL overrides."""
    named = os.environ.get("UNIKIT_ACCEL")
    if named in ("kvm", "tcg"):
        return named
    return "kvm" if probe_kvm(qemu).usable else "tcg"


def probe_kvm(qemu: str, *, fresh: bool = False) -> Probe:
    """Whether KVM works here; remembered for this kernel, QEMU and user's right to the device."""
    if not DEVICE.exists():
        return Probe(False, "there is no /dev/kvm", 0.0)
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return Probe(False, "you may not use /dev/kvm (join the group kvm)", 0.0)
    path = Path(qemu)
    stamp = [platform.release(), path.resolve().stat().st_mtime_ns, _boot_id()]
    entry = cache.folder("probes") / "kvm.json"
    if not fresh:
        try:
            known = json.loads(entry.read_text())
            if known["stamp"] == stamp:
                return Probe(known["usable"], known["reason"], known["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
    probe = _boot(qemu, "kvm")
    value = {"stamp": stamp, "usable": probe.usable, "reason": probe.reason, "seconds": probe.seconds}
    cache.store(entry, json.dumps(value).encode())
    return probe


def probe_tcg(qemu: str) -> Probe:
    """Whether QEMU boots anything at all."""
    return _boot(qemu, "tcg")


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _boot(qemu: str, accelerator: str) -> Probe:
    with tempfile.TemporaryDirectory() as work:
        payload = Path(work, "probe.elf")
        payload.write_bytes(_payload())
        line = [qemu, "-machine", "microvm", "-accel", accelerator, "-cpu", "max", "-m", "32M", "-nodefaults"]
        line += ["-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(payload)]
        line += ["-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=0x4"]
        start = time.monotonic()
        try:
            done = subprocess.run(
                line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE, check=False
            )
        except subprocess.TimeoutExpired:
            return Probe(False, f"a tiny guest did not end within {DEADLINE:.0f} s", DEADLINE)
        except OSError as error:
            return Probe(False, f"QEMU does not start: {error.strerror}", 0.0)
        seconds = time.monotonic() - start
    if done.returncode != 2 * STATUS + 1:
        said = (done.stderr.strip().splitlines() or [f"QEMU ended with status {done.returncode}"])[-1]
        return Probe(False, said, seconds)
    if accelerator == "kvm" and seconds > SLOW:
        return Probe(False, f"a tiny guest took {seconds:.1f} s, longer than without it", seconds)
    return Probe(True, "", seconds)


def _payload() -> bytes:
    """A PVH ELF file: 32-bit code that counts down from TURNS and then writes STATUS to the exit port."""
    code = b"\xb9" + struct.pack("<I", TURNS)  # mov ecx, TURNS
    code += b"\x49\x75\xfd"  # 1: dec ecx; jnz 1b
    code += b"\xb8" + struct.pack("<I", STATUS)  # mov eax, STATUS
    code += b"\x66\xba" + struct.pack("<H", EXIT_PORT)  # mov dx, port
    code += b"\xef\xf4\xeb\xfd"  # out dx, eax; 2: hlt; jmp 2b
    address, phoff = 0x100000, 64
    note = struct.pack("<III", 4, 4, 18) + b"Xen\0" + struct.pack("<I", address)
    note_at, code_at = 64 + 2 * 56, 0x1000
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, address, phoff, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, code_at, address, address, len(code), len(code), 0x1000)
    notes = struct.pack("<IIQQQQQQ", 4, 4, note_at, 0, 0, len(note), len(note), 4)
    body = header + load + notes + note
    return body + bytes(code_at - len(body)) + code
