"""The runtime as compilation units: our own components, lwIP's sources, the vDSO and the generated tables."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unikit import cache, paths
from unikit.errors import ExitCode, UserError
from unikit.kernel import upstream
from unikit.kernel.compiler import KERNEL_FLAGS, WARNINGS, ObjectCache, Unit, require, tool, version
from unikit.model import digest, digest_file

# Folders below runtimes/ that hold no components of kernels: headers, the host's side of the tests, and what is linked
# into programs of its own, the vDSO and the unpacker of compressed images.
NOT_COMPONENTS = ("include", "host", "vdso", "unpack")
VDSO_FLAGS = (
    *("-std=gnu17", "-O2", "-fPIC", "-ffreestanding", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    *("-fcf-protection=none", "-mgeneral-regs-only", "-fvisibility=hidden", *WARNINGS),
)
# A program below 2 GiB that runs on its own, before any kernel, and is never debugged by frames.
UNPACK_FLAGS = (
    *(flag for flag in KERNEL_FLAGS if flag not in ("-mcmodel=kernel", "-fno-omit-frame-pointer", "-g")),
    "-mcmodel=small",
)
# What the unpacker shares with the kernel.
UNPACK_SHARED = ("memory/string", "memory/format")


@dataclass(frozen=True)
class Decoder:
    """A decompression library: Debian's package, the sources that unpacking takes, folders with headers, flags."""

    package: upstream.SourcePackage
    sources: tuple[str, ...]
    includes: tuple[str, ...]
    flags: tuple[str, ...]


DECODERS = {
    "zstd": Decoder(
        upstream.ZSTD,
        (
            *("lib/common/entropy_common.c", "lib/common/error_private.c", "lib/common/fse_decompress.c"),
            *("lib/common/xxhash.c", "lib/common/zstd_common.c", "lib/decompress/huf_decompress.c"),
            *("lib/decompress/zstd_ddict.c", "lib/decompress/zstd_decompress.c"),
            "lib/decompress/zstd_decompress_block.c",
        ),
        ("lib",),
        # one variant of each decoder, the smaller one: the other is no faster for what images hold
        (
            *("-DHUF_FORCE_DECOMPRESS_X1", "-DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT", "-DZSTD_DISABLE_ASM"),
            *("-DDYNAMIC_BMI2=0", "-DZSTD_TRACE=0", "-DZSTD_STRIP_ERROR_STRINGS"),
        ),
    ),
    "lz4": Decoder(upstream.LZ4, ("lib/lz4.c", "lib/xxhash.c"), ("lib",), ("-DLZ4_HEAPMODE=0", "-DXXH_NAMESPACE=LZ4_")),
}


class Runtime:
    """The sources below `folder` (default: the project's own), with lwIP from `lwip_folder`."""

    def __init__(self, folder: Path | None = None, lwip_folder: Path | None = None) -> None:
        self.folder = (folder or paths.RUNTIMES).resolve()
        self._lwip = lwip_folder.absolute() if lwip_folder else None
        self.generated = cache.folder("generated").resolve()
        self.stop = threading.Event()  # set it to have a compilation end early, with CancelledError

    def units(self) -> tuple[list[Unit], ObjectCache]:
        """Everything to compile but the vDSO, and the cache to compile it with."""
        maps = {self.folder: "runtimes", self.generated: "generated"}
        includes = ["-I" + str(self.folder / "include"), "-isystem", str(self.generated)]
        units = []
        network = self.folder / "network/include"
        if network.is_dir():
            source = upstream.LWIP.find(self._lwip) / "src"
            maps[source] = "lwip"
            includes += ["-I" + str(network), "-isystem", str(source / "include")]
            units += [
                Unit(f"lwip/{file.relative_to(source).with_suffix('')}", file, (*KERNEL_FLAGS, "-w", *includes))
                for file in _lwip_sources(source)
            ]
        flags = (*KERNEL_FLAGS, *WARNINGS, *includes)
        for file in sorted([*self.folder.rglob("*.c"), *self.folder.rglob("*.S")]):
            relative = file.relative_to(self.folder)
            if relative.parts[0] not in NOT_COMPONENTS:
                units.append(Unit(str(relative.with_suffix("")), file, flags))
        names = self._generate("syscall_names.c", _call_names())
        units.append(Unit("generated/syscall_names", names, flags))
        objects = ObjectCache(maps)
        objects.stop = self.stop
        vdso = self._vdso(objects)
        if vdso is not None:
            # by its name alone: the path of the cache is not to be in what is compiled
            text = _EMBED.format(name=vdso.name)
            embed = (*flags, "-I" + str(self.generated))
            units.append(Unit("generated/vdso", self._generate("vdso.S", text), embed))
        return units, objects

    def unpacker(self, method: str) -> tuple[list[Unit], ObjectCache]:
        """The program that unpacks what was compressed with `method`, a key of DECODERS."""
        decoder, folder = DECODERS[method], self.folder / "unpack"
        source = decoder.package.find()
        objects = ObjectCache({self.folder: "runtimes", source: method})
        includes = [f"-isystem{source / name}" for name in decoder.includes]
        flags = (*UNPACK_FLAGS, "-I" + str(self.folder / "include"), *includes)
        others = {folder / f"{name}.c" for name in DECODERS if name != method}
        own = [f for f in sorted([*folder.glob("*.c"), *folder.glob("*.S")]) if f not in others]
        own += [self.folder / f"{name}.c" for name in UNPACK_SHARED]
        units = [Unit(str(file.relative_to(self.folder).with_suffix("")), file, (*flags, *WARNINGS)) for file in own]
        library = (*flags, *decoder.flags, "-w", "-include", str(folder / "library.h"))
        units += [Unit(f"{method}/{name.removesuffix('.c')}", source / name, library) for name in decoder.sources]
        return units, objects

    def _generate(self, name: str, text: str) -> Path:
        """A generated source; the folder is named by its content, so two builds at once do not meet."""
        folder = self.generated / hashlib.sha256(text.encode()).hexdigest()[:16]
        folder.mkdir(exist_ok=True)
        if not (folder / name).is_file():
            cache.store(folder / name, text.encode())
        return folder / name

    def _vdso(self, objects: ObjectCache) -> Path | None:
        """The vDSO, a shared object of its own; None if the runtime has none."""
        sources = sorted([*(self.folder / "vdso").glob("*.c"), *(self.folder / "vdso").glob("*.S")])
        if not sources:
            return None
        flags = (*VDSO_FLAGS, "-I" + str(self.folder / "include"))
        compiled, failures = objects.compile([Unit(f"vdso/{file.stem}", file, flags) for file in sources])
        require(failures)
        script = self.folder / "vdso/vdso.lds"
        layout = script.is_file() and "SECTIONS" in script.read_text()
        line = [tool("ld"), "-shared", "-nostdlib", "-soname", "linux-vdso.so.1", "--hash-style=both", "-Bsymbolic"]
        line += ["-z", "max-page-size=4096", "-z", "noexecstack", "--gc-sections", "--no-undefined", "--build-id=none"]
        if script.is_file():
            line += ["-T" if layout else "--version-script", str(script)]
        parts = [digest_file(path) for path in (*(o.path for o in compiled), script) if path.is_file()]
        made = cache.entry("vdso", digest(version(), line, parts), ".name")
        with contextlib.suppress(OSError):
            target = self.generated / made.read_text()
            if target.is_file():
                return target
        with tempfile.TemporaryDirectory(dir=self.generated) as work:
            out = Path(work, "vdso.so")
            line += [*(str(o.path) for o in compiled), "-o", str(out)]
            done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode:
                raise UserError(
                    "The vDSO does not link.",
                    code=ExitCode.LINK,
                    details=tuple(done.stderr.strip().splitlines()),
                )
            subprocess.run([tool("strip"), "--strip-debug", str(out)], check=True, timeout=60)
            content = out.read_bytes()
        target = self.generated / f"vdso-{hashlib.sha256(content).hexdigest()[:16]}.so"
        cache.store(made, target.name.encode())
        return target if target.is_file() else cache.store(target, content)


_EMBED = """    .section .rodata.vdso, "a", @progbits
    .balign 4096
    .globl vdso_start, vdso_end
vdso_start:
    .incbin "{name}"
vdso_end:
    .balign 4096
    .section .note.GNU-stack, "", @progbits
"""


def _lwip_sources(source: Path) -> Iterator[Path]:
    for folder in ("core", "core/ipv4", "core/ipv6"):
        yield from sorted((source / folder).glob("*.c"))
    yield source / "netif/ethernet.c"


@functools.cache
def call_names() -> dict[int, str]:
    """The names of Linux's system calls on x86-64 by number, from the build machine's asm/unistd_64.h."""
    line = [tool("gcc"), "-E", "-dM", "-include", "asm/unistd_64.h", "-x", "c", "/dev/null"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise UserError(
            "The C library's headers are missing (asm/unistd_64.h).",
            code=ExitCode.TOOLCHAIN,
            hint="Install them: apt install libc6-dev linux-libc-dev",
        )
    names: dict[int, str] = {}
    for text in done.stdout.splitlines():
        words = text.split()
        if len(words) == 3 and words[1].startswith("__NR_") and words[2].isdigit():
            names[int(words[2])] = words[1].removeprefix("__NR_")
    return names


def _call_names() -> str:
    """C source for runtimes/include/syscall_names.h."""
    names = call_names()
    offsets, text = [], ""
    for number in range(max(names) + 1):
        offsets.append(len(text) if number in names else 0xFFFF)
        text += names[number] + "\0" if number in names else ""
    literal = "\n".join(f'    "{name}\\0"' for _, name in sorted(names.items()))
    return (
        '#include "syscall_names.h"\n'
        f"const uint32_t syscall_names_count = {len(offsets)};\n"
        f"const uint16_t syscall_name_offsets[] = {{{', '.join(map(str, offsets))}}};\n"
        f"const char syscall_name_text[] =\n{literal};\n"
    )
