"""The bootable image: one ELF file made of the linked kernel, the root file system and the manifest.

The kernel's file is kept as it is, byte for byte, but for three things: the object `boot_image` learns where the root
is, one program header is added (the linker leaves room: the first segment starts a page into the file), and the section
headers move to the end, with `.unikit.root` and `.unikit.manifest` among them. Layout: docs/architecture.md, "The
image"; ELF: System V ABI, chapters 4 and 5.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from unikit import cache
from unikit.errors import ExitCode, UserError
from unikit.manifest import Manifest

PAGE = 4096
BOOT_MAGIC = 0x3174696B696E75  # "unikit1"
KERNEL_VIRTUAL = 0xFFFFFFFF80000000
ROOT_SECTION, MANIFEST_SECTION = ".unikit.root", ".unikit.manifest"
EHDR_SIZE, PHDR_SIZE, SHDR_SIZE = 64, 56, 64
PT_LOAD, PF_R, SHT_PROGBITS = 1, 4, 1


@dataclass(frozen=True)
class Image:
    """A bootable image."""

    path: Path
    manifest: Manifest


def make(kernel: bytes, root: Path, manifest: Manifest, out: Path, more: Mapping[str, bytes] | None = None) -> Image:
    """Write the image to `out`; the hashes in `manifest` are filled in. `kernel` is a linked kernel (ELF64), `more`
    are further sections that nothing loads, by name.

    Raises UserError (LINK) if the kernel lacks what an image needs.
    """
    content = root.read_bytes()
    content += b"\0" * (-len(content) % PAGE)
    body = bytearray(kernel)
    physical = _patch(body, len(content))
    elf_header = bytearray(body[:EHDR_SIZE])
    phoff, shoff = struct.unpack_from("<QQ", elf_header, 32)
    phnum, _, shnum, shstrndx = struct.unpack_from("<4H", elf_header, 56)
    headers = [struct.unpack_from("<IIQQQQQQ", body, phoff + i * PHDR_SIZE) for i in range(phnum)]
    if phoff + (phnum + 1) * PHDR_SIZE > min(h[2] for h in headers if h[0] == PT_LOAD and h[5]):
        raise UserError("The kernel has no room for another program header.", code=ExitCode.LINK)
    sections = [list(struct.unpack_from("<IIQQQQIIQQ", body, shoff + i * SHDR_SIZE)) for i in range(shnum)]
    names_at, names_size = sections[shstrndx][4], sections[shstrndx][5]
    names = bytes(body[names_at : names_at + names_size])

    body += b"\0" * (-len(body) % PAGE)
    root_at = len(body)
    struct.pack_into(
        *("<IIQQQQQQ", body, phoff + phnum * PHDR_SIZE, PT_LOAD, PF_R, root_at),
        *(physical, physical, len(content), len(content), PAGE),
    )
    manifest = dataclasses.replace(
        manifest, kernel_sha256=_segments_hash(body, headers), root_sha256=hashlib.sha256(content).hexdigest()
    )
    tail = bytearray()
    sections.append([len(names), SHT_PROGBITS, 0, 0, root_at, len(content), 0, 0, 1, 0])
    names += ROOT_SECTION.encode() + b"\0"
    for name, data in ((MANIFEST_SECTION, manifest.dump()), *(more or {}).items()):
        sections.append([len(names), SHT_PROGBITS, 0, 0, root_at + len(content) + len(tail), len(data), 0, 0, 1, 0])
        names += name.encode() + b"\0"
        tail += data
    sections[shstrndx][4:6] = [root_at + len(content) + len(tail), len(names)]
    tail += names + b"\0" * (-(len(tail) + len(names)) % 8)
    struct.pack_into("<Q", body, 40, root_at + len(content) + len(tail))
    struct.pack_into("<H", body, 56, phnum + 1)
    struct.pack_into("<H", body, 60, len(sections))
    tail += b"".join(struct.pack("<IIQQQQIIQQ", *section) for section in sections)
    cache.store(out, bytes(body) + content + bytes(tail))
    return Image(out, manifest)


def _patch(body: bytearray, root_size: int) -> int:
    """Tell the kernel where its root is; returns the physical address, the first page after the kernel's end."""
    elf = ELFFile(io.BytesIO(bytes(body)))
    table = elf.get_section_by_name(".symtab")
    found = {}
    if isinstance(table, SymbolTableSection):
        for name in ("boot_image", "kernel_end"):
            for symbol in table.get_symbol_by_name(name) or ():
                found[name] = int(symbol["st_value"])
    if len(found) == 2:
        for segment in elf.iter_segments("PT_LOAD"):
            offset = found["boot_image"] - segment["p_vaddr"]
            if 0 <= offset <= segment["p_filesz"] - 24:
                at = segment["p_offset"] + offset
                if struct.unpack_from("<Q", body, at)[0] == BOOT_MAGIC:
                    physical = found["kernel_end"] - KERNEL_VIRTUAL
                    physical += -physical % PAGE
                    struct.pack_into("<QQ", body, at + 8, physical, root_size)
                    return physical
    raise UserError("The kernel has no boot_image object for the root file system.", code=ExitCode.LINK)


def _segments_hash(body: bytes | bytearray, headers: Sequence[tuple[int, ...]]) -> str:
    digest = hashlib.sha256()
    for kind, _, offset, _, _, size, _, _ in headers:
        if kind == PT_LOAD:
            digest.update(memoryview(body)[offset : offset + size])
    return digest.hexdigest()


def read(path: Path, *, check: bool = True) -> Image:
    """Open an image; with `check`, compare its content with the hashes in its manifest.

    Raises UserError: NO_SUCH_APP, IMAGE.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise UserError(f"The image {path} cannot be read: {error.strerror}.", code=ExitCode.NO_SUCH_APP) from error
    damaged = UserError(
        f"The image {path} is damaged.", code=ExitCode.IMAGE, hint="Build it again: unikit build APP -o IMAGE"
    )
    try:
        text = section(path, MANIFEST_SECTION)
    except (ELFError, struct.error, ValueError) as error:
        if body[:4] == b"\x7fELF":
            raise damaged from error
        raise _not_ours(path) from error
    if text is None:
        raise _not_ours(path)
    manifest = Manifest.load(text)
    if check:
        try:
            phoff = struct.unpack_from("<Q", body, 32)[0]
            phnum = struct.unpack_from("<H", body, 56)[0]
            headers = [struct.unpack_from("<IIQQQQQQ", body, phoff + i * PHDR_SIZE) for i in range(phnum)]
        except struct.error as error:
            raise damaged from error
        if (
            _segments_hash(body, headers[:-1]) != manifest.kernel_sha256
            or _segments_hash(body, headers[-1:]) != manifest.root_sha256
        ):
            raise damaged
    return Image(path, manifest)


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
    except (ELFError, struct.error, ValueError, OSError) as error:
        raise _not_ours(path) from error
    if content is None:
        raise _not_ours(path)
    return content


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


def _not_ours(path: Path) -> UserError:
    return UserError(
        f"{path} is not an image that unikit made.", code=ExitCode.IMAGE, hint="Make one: unikit build APP -o IMAGE"
    )
