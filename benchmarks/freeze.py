"""How soon a frozen image answers: beside a QEMU whose guest ends at once, and beside the Linux guest, in alternation.

    python benchmarks/freeze.py SYSTEM [--warm SYSTEM] [--linux SYSTEM] [--cold SYSTEM] [--apps web,flask] [--runs 9]
        [--memory 512] [--json FILE]

A SYSTEM is a folder as make_system.py writes it: `boot` starts the guest of $APP, whose port 8080 is $PORT of
127.0.0.1. Every round boots each of them once per application, one after the other. `empty` is the frozen system's own
QEMU, with the same options, whose guest does nothing but end it: what no guest can be faster than.

The client connects as soon as QEMU takes the connection and sends its request: the answer is what is waited for. Where
the answer does not come that way (Linux drops what arrives before it has an address) it asks once the application says
that it is ready. A system made with `--warm` said so when it was made, and is asked at once. Printed are medians of the
wall time and of QEMU's CPU time until the answer, and of the differences and ratios within each round. Accelerator:
TCG, one processor.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import select
import socket
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

READY = (b"READY", b"Running on http")
REQUEST = b"GET / HTTP/1.1\r\nHost: guest\r\n\r\n"
PATIENCE = 120.0
ENTRY = 0x100000


class Failed(Exception):
    """A guest did not answer."""


@dataclass(frozen=True)
class Took:
    """Seconds until the answer, QEMU's CPU time of them."""

    wall: float
    cpu: float


def empty_guest(*, stays: bool = False) -> bytes:
    """An ELF file with a PVH entry (xen/include/public/elfnote.h) that writes to isa-debug-exit: QEMU ends with 1.
    `stays`: it halts instead."""
    code = bytes.fromhex("f4ebfd" if stays else "31c0e6f4f4ebfd")  # [xor eax, eax; out 0xf4, al]; hlt; jmp to the hlt
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", ENTRY)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, ENTRY, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, 0x1000, ENTRY, ENTRY, len(code), len(code), 0x1000)
    notes = struct.pack("<IIQQQQQQ", 4, 4, 0x200, 0, 0, len(note), len(note), 4)
    return ((header + load + notes).ljust(0x200, b"\0") + note).ljust(0x1000, b"\0") + code


def boot(system: Path, app: str, memory: int, extra: str = "") -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = {"APP": app, "MEM": str(memory), "PORT": str(port), "EXTRA": extra}
    process = subprocess.Popen(
        [system / "boot"], env=os.environ | given, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    return process, port


def empty(system: Path, app: str, memory: int, image: Path) -> Took:
    """The same QEMU with a guest that ends at once."""
    start = time.monotonic()
    process, _ = boot(system, app, memory, f"-kernel {image}")
    assert process.stdout
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    took = Took(time.monotonic() - start, used.ru_utime + used.ru_stime)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 1:
        raise Failed(f"the empty guest: status {process.returncode}, {said[-300:]!r}")
    return took


@contextlib.contextmanager
def answered(
    system: Path, app: str, memory: int, extra: str = "", *, wait: bool = True, patience: float = PATIENCE
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A guest that has given its first answer, and its port; `wait`: not asked before the application says that it is
    ready. Raises Failed after `patience` seconds."""
    process, port = boot(system, app, memory, extra)
    assert process.stdout
    try:
        said, end = b"", time.monotonic() + patience
        while wait and not any(word in said for word in READY):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
            data = os.read(process.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise Failed(f"{system.name} {app}, {memory} MiB: not ready, {said[-300:]!r}")
            said += data
        while not asked(port):
            if time.monotonic() > end or process.poll() is not None:
                raise Failed(f"{system.name} {app}, {memory} MiB: no answer")
            time.sleep(0.001)
        yield process, port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def answer(system: Path, app: str, memory: int, *, wait: bool = True) -> Took:
    """A boot until the first answer."""
    start = time.monotonic()
    with answered(system, app, memory, wait=wait) as (process, _):
        return Took(time.monotonic() - start, _cpu(process.pid))


def asked(port: int) -> bool:
    """Whether GET / is answered with 200."""
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        try:
            client.connect(("127.0.0.1", port))
            client.sendall(REQUEST)
            return re.match(rb"HTTP/1\.[01] 200 ", client.recv(4096)) is not None
        except OSError:
            return False


def _cpu(pid: int) -> float:
    """Seconds that all its threads have run (proc(5), schedstat)."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", type=Path)
    parser.add_argument("--warm", type=Path)
    parser.add_argument("--linux", type=Path)
    parser.add_argument("--cold", type=Path)
    parser.add_argument("--apps", default="web,flask")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--memory", type=int, default=512)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    samples: dict[str, dict[str, list[Took]]] = {}
    with tempfile.NamedTemporaryFile(suffix=".elf") as file:
        file.write(empty_guest())
        file.flush()
        image = Path(file.name)
        for _ in range(options.runs):
            for app in options.apps.split(","):
                guests: dict[str, Callable[[], Took]] = {
                    "empty": lambda app=app: empty(options.system, app, options.memory, image),
                    "frozen": lambda app=app: answer(options.system, app, options.memory, wait=False),
                    "frozen, asked when ready": lambda app=app: answer(options.system, app, options.memory, wait=True),
                }
                if options.warm:
                    guests["frozen warm"] = lambda app=app: answer(options.warm, app, options.memory, wait=False)
                for name in ("cold", "linux"):
                    if folder := getattr(options, name):
                        guests[name] = lambda f=folder, app=app: answer(f, app, options.memory, wait=True)
                for name, measured in guests.items():
                    samples.setdefault(app, {}).setdefault(name, []).append(measured())
    for app, found in samples.items():
        _show(app, found)
    if options.json:
        seen = {app: {n: [vars(t) for t in took] for n, took in found.items()} for app, found in samples.items()}
        options.json.write_text(json.dumps(seen, indent=1))


def _show(app: str, found: dict[str, list[Took]]) -> None:
    middle = statistics.median
    print(f"{app}: milliseconds until the first answer, medians of {len(found['empty'])}")
    for name, took in found.items():
        walls = [t.wall for t in took]
        print(f"  {name:25} {1e3 * middle(walls):8.1f}  (CPU {1e3 * middle([t.cpu for t in took]):.0f})", end="")
        if name.startswith("frozen"):
            beyond = [t.wall - e.wall for t, e in zip(took, found["empty"], strict=True)]
            print(f"   {1e3 * middle(beyond):.1f} more than empty", end="")
            print(f" ({1e3 * min(beyond):.1f} to {1e3 * max(beyond):.1f})", end="")
        elif name != "empty":
            ratios = [t.wall / f.wall for t, f in zip(took, found["frozen"], strict=True)]
            print(f"   {middle(ratios):.1f} times frozen ({min(ratios):.1f} to {max(ratios):.1f})", end="")
        print()


if __name__ == "__main__":
    main()
