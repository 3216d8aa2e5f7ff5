"""Frozen images: a cold image is booted, up to where its application's work begins, and its memory becomes the image.

The guest says where in its memory the record of what is in use lies (runtimes/freeze/freeze.c), and goes off. Its
memory is a file without a name, so nothing is copied until the pages that are not zero are written as the segments of
a new ELF file. What resumes is in docs/freeze.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import mmap
import os
import signal
import struct
import tempfile
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unikit import cache
from unikit.errors import ExitCode, UserError
from unikit.image import image
from unikit.image.image import BOOT_MAGIC, EHDR_SIZE, MANIFEST_SECTION, PAGE, PHDR_SIZE, PT_LOAD, ROOT_SECTION, Image
from unikit.image.manifest import Manifest
from unikit.model import digest, digest_file
from unikit.progress import Progress
from unikit.vm import accelerator, boot, machine, report, watch
from unikit.vm.qemu import Channels, find_qemu
from unikit.vm.supervisor import Ended, Limits, Supervisor
from unikit.vm.warm import Warming

# MiB of the guest that is frozen, or its image and ROOM; below the hole under 4 GiB, so offsets are addresses.
MEMORY, ROOM, MOST = 512, 448, 3072
DEADLINE = 300.0  # seconds until the freeze
GAP = 16  # pages: runs of zeros shorter than this are written, so that there are not too many segments
ROOM_TO_WORK = 32  # MiB that a frozen program has where nothing says how much
HEADROOM = 6  # MiB that a guest needs beside the frozen program: its network buffers, stacks, tables
PT_NOTE = 4

# What a CPU has at each level (x86-64 psABI, "Micro-Architecture Levels"), as options of QEMU's -cpu; the psABI has no
# level with AES and PCLMULQDQ, and no CPU has AVX2 without them. QEMU 7.2 takes CR4.OSXSAVE for a reserved bit where
# the CPU has XSAVE and none of what came after it.
_V2 = "qemu64,-svm,+ssse3,+sse4.1,+sse4.2,+popcnt"
_AES = f"{_V2},+aes,+pclmulqdq"
CPUS = {
    "x86-64": "qemu64,-svm,-sse3,-cx16,-lahf_lm",
    "x86-64-v2": _V2,
    "x86-64-v2-AES": _AES,
    "x86-64-v3": f"{_AES},+xsave,+xsaveopt,+avx,+avx2,+bmi1,+bmi2,+f16c,+fma,+movbe,+abm",
}


class Refused(UserError):
    """Something is there that cannot be frozen."""


@dataclass(frozen=True)
class Segment:
    """A part of the memory: its physical address, its bytes."""

    address: int
    data: bytes | memoryview


def make(cold: Image, level: str, progress: Progress, warm: str | None = None, *, serves: bool = True) -> Image:
    """The frozen image of a cold one, remembered like every other; `warm`: the command that drives it before;
    `serves`: it may be a service, which imports more until it listens.

    Raises UserError: NO_QEMU, FREEZE (the application cannot be frozen, or ended before it could be), DEADLINE."""
    code = [digest_file(Path(file)) for file in (__file__, watch.__file__)]
    key = digest("frozen 3", digest_file(cold.path), level, warm, serves, code)
    out = cache.entry("frozen", key, ".img")
    if out.is_file():
        with contextlib.suppress(UserError):
            return image.read(out)
    body = _boot(cold, level, progress, warm)
    if serves and not warm and cold.manifest.network and (late := _late_imports(body)):
        with contextlib.suppress(UserError):  # what cannot be imported before is not
            body = _boot(cold, level, progress, late=late)
    cache.store(out, body)
    return image.read(out)


def _boot(cold: Image, level: str, progress: Progress, warm: str | None = None, late: tuple[str, ...] = ()) -> bytes:
    """The cold image is booted; the bytes of the frozen one. `late`: modules that are imported before the freeze."""
    with _memory(_wanted(cold.path)) as (file, memory):
        try:
            record = _run(cold, level, file, progress, Warming(warm, DEADLINE) if warm else None, late)
        except Refused:
            if not warm and not late:
                _explain(cold, level, progress)
            raise
        segments, end = read(memory, record)
        return assemble(cold.path.read_bytes(), segments, sized(cold.manifest, level, end))


def sized(cold: Manifest, level: str, end: int) -> Manifest:
    """The manifest of an image whose program takes the first `end` bytes of memory: a program that has filled much of
    it before the freeze wants more than is usual."""
    smallest = -(-end // (1 << 20)) + HEADROOM
    usual = -(-(smallest + ROOM_TO_WORK) // 64) * 64
    memory = cold.memory if smallest + ROOM_TO_WORK <= cold.memory else usual
    return dataclasses.replace(cold, frozen=level, smallest=smallest, memory=memory)


def _explain(cold: Image, level: str, progress: Progress) -> None:
    """It was refused: booted once more, it remembers who starts threads and makes sockets. Raises Refused again."""
    with _memory(_wanted(cold.path)) as (file, _):
        _run(cold, level, file, progress, None, (), how="explain")


def _late_imports(body: bytes) -> tuple[str, ...]:
    """Modules that the frozen image imports when it starts to serve."""
    with tempfile.NamedTemporaryFile(dir=cache.folder("frozen"), suffix=".img") as file:
        file.write(body)
        file.flush()
        return watch.imports(_qemu(), Path(file.name), _wanted(Path(file.name)))


def _qemu() -> str:
    qemu = find_qemu()
    if qemu is None:
        raise boot.no_qemu()
    return str(qemu)


def _wanted(image: Path) -> int:
    """MiB of the guest: whole test-suites are larger than applications."""
    return min(MOST, max(MEMORY, report.mebibytes(image.stat().st_size) + ROOM))


@contextlib.contextmanager
def _memory(size: int) -> Iterator[tuple[str, mmap.mmap]]:
    """Memory for a guest: a path that QEMU can open, and the bytes."""
    descriptor = os.memfd_create("unikit-freeze", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, size << 20)
        with mmap.mmap(descriptor, size << 20, prot=mmap.PROT_READ) as view:
            yield f"/proc/{os.getpid()}/fd/{descriptor}", view
    finally:
        os.close(descriptor)


def _run(
    cold: Image,
    level: str,
    memory: str,
    progress: Progress,
    warming: Warming | None,
    late: tuple[str, ...],
    how: str = "1",
) -> int:
    """Boot the image until it is frozen; the address of the guest's record."""
    qemu = _qemu()
    accel = accelerator.choose(qemu)
    tokens = [("freeze", "warm" if warming else how)]
    if late:
        tokens.append(("freeze_import", ",".join(late)))
    channels = Channels()
    console, serial, channel = channels.descriptors
    backend = f"memory-backend-file,id=ram,size={_wanted(cold.path)}M,mem-path={memory},share=on"
    options = ("-object", backend, "-machine", "memory-backend=ram", "-cpu", CPUS[level])
    guest = machine.Guest(
        image=cold.path,
        machine=machine.load(machine.DEFAULT),
        memory=_wanted(cold.path),
        accelerator=accel,
        append=boot.tokens(boot.Options(tokens=tuple(tokens)), accel),
        console=console,
        serial=serial,
        report=channel,
        network=warming is not None,
        extra=(*options, *(warming.options if warming else ())),
    )
    said = bytearray()
    found: list[int] = []
    reasons: list[str] = []

    def see(event: dict[str, Any]) -> str | None:
        progress.event("guest", report=event)
        if event["event"] == "frozen":
            found.append(report.number(event.get("record")))
        elif event["event"] == "refused":
            reasons.extend(_reason(event))
            if warming and event.get("text") and warming.refused():  # its text is the last of an attempt
                reasons.clear()
        elif event["event"] == "listen" and warming:
            warming.listening(report.number(event.get("port")))
        return None

    supervisor = Supervisor(
        machine.command(qemu, guest),
        channels,
        Limits(DEADLINE, DEADLINE),
        output=said.extend,
        on_event=see,
        descriptors=(warming.theirs.fileno(),) if warming else (),
    )
    if warming:
        warming.signal = supervisor.signal
    try:
        ended = supervisor.run()
    finally:
        if warming:
            warming.close()
    if warming and warming.error:
        raise warming.failure(said.decode(errors="replace"))
    if found and ended.qemu_status == 1 and not reasons:
        return found[0]
    raise failure(ended, reasons, said.decode(errors="replace"), level, warming)


def advice(level: str, modules: Container[str]) -> str | None:
    """What a user may want to know of an image's level: OpenSSL chose its code when the image was made."""
    if "_ssl" not in modules or "+aes" in CPUS[level]:
        return None
    return (
        f"TLS does without the CPU's instructions for AES-GCM, as {level} has none; every server's CPU since 2010 runs "
        "images of --cpu-level x86-64-v2-AES, which use them"
    )


def _reason(event: dict[str, Any]) -> list[str]:
    """A `refused` event as lines."""
    if event.get("text"):
        return [f"  {line}" for line in str(event["text"]).splitlines() if line]
    kind, number, name = event.get("kind"), event.get("number"), event.get("name")
    match kind:
        case "thread":
            whose = f", in {event['module']}" if event.get("module") else ""
            return [f"thread {number} ({name}) is running{whose}"]
        case "socket":
            return [f"file descriptor {number} is connected to {name}"]
        case "timer":
            return [f"a timer is running ({name})"]
    return [f"{kind} {name} {number}"]


def failure(ended: Ended, reasons: list[str], console: str, level: str, warming: Warming | None = None) -> UserError:
    """Why a guest was not frozen: what its kernel refused (`reasons`), or how else it ended."""
    hint = (
        'Open connections and start threads below `if __name__ == "__main__"`, in a function registered with '
        "@unikit.after_thaw, or say unikit.freeze() before that. docs/freeze.md has more."
    )
    if warming:
        hint = (
            f"Connections must be closed, and threads ended or idle in a pool, {warming.patience:.0f} s after the "
            "command of --warm; functions registered with @unikit.before_freeze and @unikit.after_thaw can stop others "
            "and start them again. docs/freeze.md has more."
        )
    said = tuple(console.splitlines()[-20:])
    log = ended.log
    if reasons:
        return Refused(
            f"The application cannot be frozen where it is: {reasons[0].strip()}.",
            code=ExitCode.FREEZE,
            hint=hint,
            details=tuple(reasons[1:]),
        )
    if log.error:
        return UserError(str(log.error.get("message")), code=ExitCode.FREEZE)
    if log.status == 128 + signal.SIGILL and (higher := report.higher_levels(level)):
        return UserError(
            f"The application has an instruction that a CPU of {level} lacks.",
            code=ExitCode.FREEZE,
            hint=f"Freeze it for a later one, as it runs on no other anyway: --cpu-level {higher}.",
            details=said,
        )
    if warming and not warming.thread and (log.status is not None or ended.late):
        how = f"ended with status {log.status}" if log.status is not None else f"ran for {DEADLINE:g} s"
        return UserError(
            f"The application {how} and did not listen on a port, so the command of --warm had nothing to drive.",
            code=ExitCode.FREEZE,
            hint="--warm is for services; without it, the image is frozen after the application's imports.",
            details=said,
        )
    if log.status is not None:
        return UserError(
            f"The application ended with status {log.status} before it was frozen.",
            code=ExitCode.FREEZE,
            hint="While an image is frozen there are no arguments and no input"
            + ("" if warming else " and no network")
            + "; where the application calls unikit.freeze() itself, it has to come there.",
            details=said,
        )
    if ended.late:
        return UserError(
            f"The application was not ready to be frozen after {DEADLINE:g} s.",
            code=ExitCode.DEADLINE,
            hint="It may wait for something that is not there while an image is made: the network, input.",
            details=said,
        )
    return UserError("The guest that was to be frozen failed.", code=ExitCode.FREEZE, details=(ended.qemu_text, *said))


def read(memory: mmap.mmap | bytes, record: int) -> tuple[list[Segment], int]:
    """What is in use of a guest's memory, and where the last of it ends. Raises UserError (FREEZE)."""
    try:
        magic, count = struct.unpack_from("<QQ", memory, record)
        ranges = [struct.unpack_from("<QQ", memory, record + 16 + 16 * i) for i in range(count)] if count <= 64 else []
    except struct.error:
        magic, ranges = 0, []
    if magic != BOOT_MAGIC or not ranges or any(not s < e <= len(memory) for s, e in ranges):
        raise UserError("The guest's memory could not be read.", code=ExitCode.FREEZE)
    segments = [segment for start, end in ranges for segment in _runs(memory, start, end)]
    return segments, max(end for _, end in ranges)


def _runs(memory: mmap.mmap | bytes, start: int, end: int) -> Iterator[Segment]:
    """The parts of a range that are not zero."""
    zero = bytes(PAGE)
    first = last = None
    for at in range(start, end, PAGE):
        if memory[at : at + PAGE] == zero[: min(PAGE, end - at)]:
            continue
        if first is None or last is None:
            first = at
        elif at - last > GAP * PAGE:
            yield Segment(first, memory[first:last])
            first = at
        last = min(at + PAGE, end)
    if first is not None and last is not None:
        yield Segment(first, memory[first:last])


def assemble(cold: bytes, segments: Iterable[Segment], manifest: Manifest) -> bytes:
    """An image like `cold` whose memory is `segments`; the root file system stays the last segment."""
    headers = image.program_headers(cold)
    root = headers[-1]
    note = next(h for h in headers if h[0] == PT_NOTE)
    parts = [*sorted(segments, key=lambda s: s.address), Segment(root[4], cold[root[2] : root[2] + root[5]])]
    at = EHDR_SIZE + (len(parts) + 1) * PHDR_SIZE
    at += -at % PAGE
    body = bytearray(at)
    table = []
    hashes = hashlib.sha256(), hashlib.sha256()
    for part in parts:
        flags = 4 if part is parts[-1] else 7
        table.append((PT_LOAD, flags, len(body), part.address, part.address, len(part.data), len(part.data), PAGE))
        hashes[part is parts[-1]].update(part.data)
        body += part.data
        body += bytes(-len(body) % PAGE)
    inside = next(h for h in table if h[4] <= note[4] and note[4] + note[5] <= h[4] + h[5])
    table.insert(0, (PT_NOTE, 4, inside[2] + note[4] - inside[4], note[4], note[4], note[5], note[5], 4))
    manifest = dataclasses.replace(manifest, kernel_sha256=hashes[0].hexdigest(), root_sha256=hashes[1].hexdigest())
    sections = [(ROOT_SECTION, table[-1][2], table[-1][5])]
    for name, data in ((MANIFEST_SECTION, manifest.dump()), *image.unloaded(cold).items()):
        sections.append((name, len(body), len(data)))
        body += data
    names = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in sections) + b".shstrtab\0"
    sections.append((".shstrtab", len(body), len(names)))
    body += names
    body += bytes(-len(body) % 8)
    shoff = len(body)
    body += bytes(64)
    for name, offset, size in sections:
        kind = 3 if name == ".shstrtab" else 1
        body += struct.pack("<IIQQQQIIQQ", names.index(name.encode() + b"\0"), kind, 0, 0, offset, size, 0, 0, 1, 0)
    body[:EHDR_SIZE] = cold[:EHDR_SIZE]
    struct.pack_into("<QQ", body, 32, EHDR_SIZE, shoff)
    struct.pack_into("<6H", body, 52, EHDR_SIZE, PHDR_SIZE, len(table), 64, len(sections) + 1, len(sections))
    for i, header in enumerate(table):
        struct.pack_into("<IIQQQQQQ", body, EHDR_SIZE + i * PHDR_SIZE, *header)
    return bytes(body)
