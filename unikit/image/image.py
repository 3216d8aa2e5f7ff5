"""The bootable image: one ELF file made of the linked kernel, the root file system and the manifest.

The kernel's file is kept as it is, byte for byte, but for three things: the object `boot_image` learns where the root
is, one program header is added (the linker leaves room: the first segment starts a page into the file), and the section
headers move to the end, with `.unikit.root` and `.unikit.manifest` among them. A compressed image is made in the
same way of the unpacker and its package (pack.py). Layout: docs/architecture.md, "The image"; ELF: System V ABI,
chapters 4 and 5.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from unikit import cache
from unikit.errors import ExitCode, UserError
from unikit.image import erofs, pack
from unikit.image.manifest import Manifest
from unikit.model import digest
from unikit.native.elf import symbol_values

PAGE = 4096
BOOT_MAGIC = 0x3174696B696E75  # "unikit1"
KERNEL_VIRTUAL = 0xFFFFFFFF80000000
SMALLEST = 16  # MiB that a guest needs beside its image, at least
ROOT_SECTION, PACKAGE_SECTION, MANIFEST_SECTION = ".unikit.root", ".unikit.package", ".unikit.manifest"
EHDR_SIZE, PHDR_SIZE, SHDR_SIZE = 64, 56, 64
PT_LOAD, PF_R, SHT_PROGBITS = 1, 4, 1
SETTLED = 2.0  # seconds: a file that was just written may change again without another time in its inode


@dataclass(frozen=True)
class Image:
    """A bootable image."""

    path: Path
    manifest: Manifest


def make(
    kernel: bytes,
    root: Path,
    manifest: Manifest,
    out: Path,
    more: Mapping[str, bytes] | None = None,
    gap: int = 0,
) -> Image:
    """Write the image to `out`; the hashes in `manifest` are filled in. `kernel` is a linked kernel (ELF64), `more`
    are further sections that nothing loads, by name, `gap` bytes are left free between the kernel and the root.

    Raises UserError (LINK) if the kernel lacks what an image needs.
    """
    content = root.read_bytes()
    content += b"\0" * (-len(content) % PAGE)
    body = bytearray(kernel)
    physical = _patch(body, len(content), gap)
    manifest = dataclasses.replace(
        manifest,
        kernel_sha256=segments_hash(body, program_headers(body)),
        root_sha256=hashlib.sha256(content).hexdigest(),
    )
    return write(body, physical, {ROOT_SECTION: content, **(more or {})}, manifest, out)


def write(
    body: bytearray, physical: int, parts: Mapping[str, bytes], manifest: Manifest, out: Path, align: int = PAGE
) -> Image:
    """An ELF file with more sections: the first of `parts`, which is loaded at `physical`, the manifest, the others."""
    (name, content), *more = parts.items()
    phoff, shoff = struct.unpack_from("<QQ", body, 32)
    phnum, _, shnum, shstrndx = struct.unpack_from("<4H", body, 56)
    headers = program_headers(body)
    if phoff + (phnum + 1) * PHDR_SIZE > min(h[2] for h in headers if h[0] == PT_LOAD and h[5]):
        raise UserError("The kernel has no room for another program header.", code=ExitCode.LINK)
    sections = [list(struct.unpack_from("<IIQQQQIIQQ", body, shoff + i * SHDR_SIZE)) for i in range(shnum)]
    names_at, names_size = sections[shstrndx][4], sections[shstrndx][5]
    names = bytes(body[names_at : names_at + names_size])

    body += b"\0" * (-len(body) % align)
    at = len(body)
    struct.pack_into(
        *("<IIQQQQQQ", body, phoff + phnum * PHDR_SIZE, PT_LOAD, PF_R, at),
        *(physical, physical, len(content), len(content), align),
    )
    tail = bytearray()
    sections.append([len(names), SHT_PROGBITS, 0, 0, at, len(content), 0, 0, 1, 0])
    names += name.encode() + b"\0"
    for section, data in ((MANIFEST_SECTION, manifest.dump()), *more):
        sections.append([len(names), SHT_PROGBITS, 0, 0, at + len(content) + len(tail), len(data), 0, 0, 1, 0])
        names += section.encode() + b"\0"
        tail += data
    sections[shstrndx][4:6] = [at + len(content) + len(tail), len(names)]
    tail += names
    tail += b"\0" * (-(at + len(content) + len(tail)) % 8)
    struct.pack_into("<Q", body, 40, at + len(content) + len(tail))
    struct.pack_into("<H", body, 56, phnum + 1)
    struct.pack_into("<H", body, 60, len(sections))
    tail += b"".join(struct.pack("<IIQQQQIIQQ", *section) for section in sections)
    cache.store(out, bytes(body) + content + bytes(tail))
    return Image(out, manifest)


def program_headers(body: bytes | bytearray) -> list[tuple[int, ...]]:
    phoff, phnum = struct.unpack_from("<Q", body, 32)[0], struct.unpack_from("<H", body, 56)[0]
    return [struct.unpack_from("<IIQQQQQQ", body, phoff + i * PHDR_SIZE) for i in range(phnum)]


def segments(body: bytes | bytearray) -> list[pack.Segment]:
    """What a loader puts into memory, zeros included."""
    return [
        pack.Segment(physical, bytes(body[offset : offset + size]) + bytes(memory - size))
        for kind, _, offset, _, physical, size, memory, _ in program_headers(body)
        if kind == PT_LOAD
    ]


def _patch(body: bytearray, root_size: int, gap: int) -> int:
    """Tell the kernel where its root is; returns the physical address, the first page after the kernel's end and `gap`
    bytes."""
    found = symbol_values(body, ("boot_image", "kernel_end"))
    for kind, _, place, address, _, size, _, _ in program_headers(body):
        offset = found.get("boot_image", 0) - address
        if kind != PT_LOAD or len(found) != 2 or not 0 <= offset <= size - 24:
            continue
        if struct.unpack_from("<Q", body, place + offset)[0] == BOOT_MAGIC:
            physical = found["kernel_end"] - KERNEL_VIRTUAL + gap
            physical += -physical % PAGE
            struct.pack_into("<QQ", body, place + offset + 8, physical, root_size)
            return physical
    raise UserError("The kernel has no boot_image object for the root file system.", code=ExitCode.LINK)


def unloaded(body: bytes | bytearray) -> dict[str, bytes]:
    """What the image carries beside its manifest that nothing loads, by section."""
    return {
        section.name: bytes(section.data())
        for section in ELFFile(io.BytesIO(body)).iter_sections()
        if section.name.startswith(".unikit.") and section.name not in (ROOT_SECTION, MANIFEST_SECTION)
    }


def segments_hash(body: bytes | bytearray, headers: Sequence[tuple[int, ...]], more: bytes = b"") -> str:
    sha = hashlib.sha256()
    for kind, _, offset, _, _, size, _, _ in headers:
        if kind == PT_LOAD:
            sha.update(memoryview(body)[offset : offset + size])
    sha.update(more)
    return sha.hexdigest()


def read(path: Path) -> Image:
    """Open an image. Its content is compared with the hashes in its manifest, once for as long as the file stays as it
    is: a frozen image of 40 MiB would be hashed for longer than it takes to boot.

    Raises UserError: NO_SUCH_APP, IMAGE.
    """
    try:
        seen = path.stat()
        text = section(path, MANIFEST_SECTION)
    except OSError as error:
        raise UserError(f"The image {path} cannot be read: {error.strerror}.", code=ExitCode.NO_SUCH_APP) from error
    except (ELFError, struct.error, ValueError) as error:
        raise _damaged(path) if is_elf(path) else _not_ours(path) from error
    if text is None:
        raise _not_ours(path)
    manifest = Manifest.load(text)
    identity = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    mark = cache.entry("checked", digest(identity, text))
    if not mark.exists():
        _check(path, manifest)
        if time.time() - seen.st_ctime > SETTLED:
            cache.store(mark, b"")
    return Image(path, manifest)


def _check(path: Path, manifest: Manifest) -> None:
    body = path.read_bytes()
    try:
        headers = program_headers(body)
    except struct.error as error:
        raise _damaged(path) from error
    if manifest.compression:
        whole = segments_hash(body, headers) == manifest.loaded_sha256
    else:
        whole = segments_hash(body, headers[:-1]) == manifest.kernel_sha256
        whole = whole and segments_hash(body, headers[-1:]) == manifest.root_sha256
    if not whole:
        raise _damaged(path)


def is_elf(path: Path) -> bool:
    """Whether a file begins as an ELF file does, so that `run` takes it for an image."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"\x7fELF"
    except OSError:
        return False


def root(path: Path) -> bytes:
    """The root file system in an image. Raises UserError (IMAGE)."""
    try:
        content = section(path, ROOT_SECTION)
        if content is None:
            content = _packed_root(path)
    except (ELFError, struct.error, ValueError, OSError) as error:
        raise _not_ours(path) from error
    if content is None:
        raise _not_ours(path)
    return content


def _packed_root(path: Path) -> bytes | None:
    package, text = section(path, PACKAGE_SECTION), section(path, MANIFEST_SECTION)
    if package is None or text is None:
        return None
    manifest = Manifest.load(text)
    _, segments = pack.unpack(package, manifest.compression)
    for segment in segments:
        if hashlib.sha256(segment.content).hexdigest() == manifest.root_sha256:
            return segment.content
        if (found := _root_within(segment, manifest.root_sha256)) is not None:
            return found
    return None


def _root_within(segment: pack.Segment, sha256: str) -> bytes | None:
    """The root file system in a piece of memory that holds more, found by its superblock."""
    magic = erofs.MAGIC.to_bytes(4, "little")
    at = segment.content.find(magic)
    while at >= 0:
        start = at - erofs.SUPERBLOCK_AT
        if start >= 0 and (segment.address + start) % PAGE == 0 and at + erofs.SUPERBLOCK.size <= len(segment.content):
            blocks = erofs.SUPERBLOCK.unpack_from(segment.content, at)[9]
            content = segment.content[start : start + blocks * erofs.BLOCK]
            if hashlib.sha256(content).hexdigest() == sha256:
                return content
        at = segment.content.find(magic, at + 1)
    return None


def unpacked(found: Image) -> int:
    """Bytes of an image's file as it would be without compression, but for the sections that nothing loads."""
    package = section(found.path, PACKAGE_SECTION)
    if package is None:
        return found.path.stat().st_size
    _, segments = pack.unpack(package, found.manifest.compression)
    return sum(len(segment.content) for segment in segments)


def section(path: Path, name: str) -> bytes | None:
    """The content of a section of an ELF file, None if it has no such section."""
    with path.open("rb") as stream:
        found = ELFFile(stream).get_section_by_name(name)
        if found is None:
            return None
        data = bytes(found.data())
        if len(data) != found["sh_size"]:
            raise ValueError("section is cut off")
        return data


def _damaged(path: Path) -> UserError:
    return UserError(
        f"The image {path} is damaged.", code=ExitCode.IMAGE, hint="Build it again: unikit build APP -o IMAGE"
    )


def _not_ours(path: Path) -> UserError:
    return UserError(
        f"{path} is not an image that unikit made.", code=ExitCode.IMAGE, hint="Make one: unikit build APP -o IMAGE"
    )
