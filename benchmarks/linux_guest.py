"""The Linux guest that we measure ourselves against: Debian's cloud kernel, and the very files of our own image.

The kernel is taken out of its bzImage, so that nothing is decompressed at boot, and started over PVH on microvm, as
ours. The initramfs holds the root file system that unikit wrote for the application, the virtio modules and init.c:
both run the same interpreter, modules and application, and what our image leaves out Linux does not have either.
"""

from __future__ import annotations

import gzip
import json
import lzma
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from unikit import cache
from unikit.errors import ExitCode, UserError
from unikit.model import FileKind, ImageFile, Pruned

PACKAGE = "linux-image-cloud-amd64"
MODULES = (
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_mmio.ko",
    "net/core/failover.ko",
    "drivers/net/net_failover.ko",
    "drivers/net/virtio_net.ko",
)


def make(pruned: Pruned, out: Path) -> list[Path]:
    """Write `out/vmlinux` and `out/initramfs`; returns what has to be shipped."""
    package = _package()
    (image,) = (package / "boot").glob("vmlinuz-*")
    (out / "vmlinux").write_bytes(_kernel(image.read_bytes()))
    (modules,) = (package / "lib/modules").iterdir()
    files = [(f"lib/modules/{Path(name).name}", modules / "kernel" / name) for name in MODULES]
    missing = [str(path) for _, path in files if not path.is_file()]
    if missing:
        raise UserError(f"{PACKAGE} has no {missing[0]}.", code=ExitCode.TOOLCHAIN)
    _initramfs(pruned, [(name, path.read_bytes()) for name, path in files], out / "initramfs")
    return [out / "vmlinux", out / "initramfs"]


def command(out: Path, memory: int, forward: str) -> list[str]:
    """The QEMU command; memory in MiB; `forward` as QEMU's hostfwd=."""
    # What a tuned guest sets: no console chatter, no work for devices that microvm does not have.
    # Under TCG it sees the host's time stamp counter and has nothing on microvm to calibrate it by: hand the rate over.
    rate = re.search(r"^cpu MHz\s*: (\d+)\.(\d{3})", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    append = f"tsc_early_khz={rate[1]}{rate[2]} " if rate else ""
    append += "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off audit=0 ipv6.disable=1 cryptomgr.notests"
    return [
        *("qemu-system-x86_64", "-machine", "microvm,acpi=on", "-accel", "tcg", "-cpu", "max", "-smp", "1"),
        *("-m", f"{memory}M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"),
        *("-kernel", str(out / "vmlinux"), "-initrd", str(out / "initramfs"), "-append", append),
        *("-netdev", f"user,id=net,hostfwd={forward}", "-device", "virtio-net-device,netdev=net"),
    ]


def _package() -> Path:
    """The unpacked kernel package."""
    line = ["apt-cache", "depends", PACKAGE]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    names = [text.split()[-1] for text in done.stdout.splitlines() if "Depends: linux-image-" in text]
    if not names:
        raise UserError(
            f"apt knows no {PACKAGE}.", code=ExitCode.TOOLCHAIN, hint="The Linux guest is built from Debian's packages."
        )
    target = cache.folder("linux") / names[0]
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            subprocess.run(["apt-get", "-qq", "download", names[0]], cwd=work, timeout=600, check=True)
            (file,) = Path(work).glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", str(file), f"{work}/tree"], timeout=300, check=True)
            Path(work, "tree").rename(target)
    return target


def _kernel(image: bytes) -> bytes:
    """The ELF file inside a bzImage (Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length)."""
    sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    payload = image[start : start + length]
    if payload[:2] == b"\x1f\x8b":
        return gzip.decompress(payload[:-4])
    if payload[:6] == b"\xfd7zXZ\0":
        return lzma.decompress(payload[:-4])
    for magic, program in ((b"\x02\x21\x4c\x18", "lz4"), (b"\x28\xb5\x2f\xfd", "zstd")):
        if payload.startswith(magic):
            if shutil.which(program) is None:
                raise UserError(f"{program} is missing.", code=ExitCode.TOOLCHAIN, hint=f"apt install {program}")
            return subprocess.run([program, "-dc"], input=payload[:-4], capture_output=True, check=True).stdout
    raise UserError("The Linux kernel is compressed in an unknown way.", code=ExitCode.TOOLCHAIN)


def _initramfs(pruned: Pruned, modules: list[tuple[str, bytes]], out: Path) -> None:
    """A cpio archive (newc: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    boot = pruned.boot

    def strings(values: list[str]) -> str:
        return "{" + ", ".join([*(json.dumps(value, ensure_ascii=False) for value in values), "NULL"]) + "}"

    with tempfile.TemporaryDirectory() as work:
        Path(work, "guest.h").write_text(
            f"#define MODULES {strings(['/' + name for name, _ in modules])}\n"
            f"#define ARGUMENTS {strings(list(boot.argv))}\n"
            f"#define ENVIRONMENT {strings([f'{key}={value}' for key, value in boot.environment])}\n"
            f"#define PROGRAM {json.dumps(boot.exec)}\n#define FOLDER {json.dumps(boot.cwd)}\n"
        )
        source = Path(__file__).with_name("init.c")
        line = ["gcc", "-Os", "-static", "-s", f"-I{work}", str(source), "-o", f"{work}/init"]
        subprocess.run(line, timeout=120, check=True)
        init = Path(work, "init").read_bytes()
    with out.open("wb") as archive:
        number = 1
        for name, mode, content in _entries(pruned, [("init", init), *modules]):
            number += 1
            archive.write(_record(name, mode, content, number))
        archive.write(_record("TRAILER!!!", 0, b"", 0))


def _entries(pruned: Pruned, added: list[tuple[str, bytes]]) -> Iterator[tuple[str, int, bytes]]:
    kinds = {FileKind.FILE: 0o100000, FileKind.DIRECTORY: 0o040000, FileKind.SYMLINK: 0o120000}
    there = set()
    for file in pruned.files:
        name = file.path.lstrip("/")
        if name:
            there.add(name)
            yield name, kinds[file.kind] | (file.mode or 0o777), _content(file)
    folders = {"dev", "proc", "sys", "tmp", "lib", "lib/modules"}
    yield from ((name, 0o040755, b"") for name in sorted(folders - there))
    yield from ((name, 0o100755, content) for name, content in added)


def _content(file: ImageFile) -> bytes:
    if file.kind is FileKind.FILE:
        return file.read()
    return file.target.encode() if file.kind is FileKind.SYMLINK else b""


def _record(name: str, mode: int, content: bytes, number: int) -> bytes:
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name.encode()) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    head += bytes(-len(head) % 4)
    return head + content + bytes(-len(content) % 4)
