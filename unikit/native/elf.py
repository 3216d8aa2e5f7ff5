"""What the stages have to know of ELF files (System V gABI and its x86-64 supplement), read without running
anything."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

MAGIC = b"\x7fELF"
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # Elf64_Ehdr
PROGRAM = struct.Struct("<IIQQQQQQ")  # Elf64_Phdr
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_GNU_EH_FRAME = 1, 2, 3, 4, 0x6474E550
PF_X, PF_W = 1, 2
DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH, DT_RUNPATH = 0, 1, 5, 10, 14, 15, 29
SHT_SYMTAB = 2
MACHINES = {3: "EM_386", 40: "EM_ARM", 62: "EM_X86_64", 183: "EM_AARCH64", 243: "EM_RISCV"}
DT_IGNORED = 0x6000000D  # DT_LOOS: in the range of the operating system, and glibc gives it no meaning


@dataclass(frozen=True)
class Elf:
    """The dynamic linker's view of a file. `rpath` and `runpath` are as written, with $ORIGIN."""

    machine: str
    bits: int
    soname: str
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]
    loader: str | None
    build_id: str

    @property
    def is_musl(self) -> bool:
        names = (*self.needed, self.loader or "")
        return any(n.startswith("libc.musl-") or "ld-musl" in n for n in names)


def read(path: Path) -> Elf:
    """Raises `ELFError` for a file that is none, `OSError` for one that cannot be read."""
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _read(path: Path, size: int, changed: int) -> Elf:
    with path.open("rb") as file:
        return _Reader(file).read()


class _Reader:
    """Reads the dynamic linker's view from a file: its headers, the dynamic section, the notes; nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        fields = self._unpack(HEADER, 0)
        identity = fields[0]
        if identity[:4] != MAGIC or identity[5] != 1:
            raise ELFError("not a little-endian ELF file")
        self.bits = 64 if identity[4] == 2 else 32
        self.machine = MACHINES.get(fields[2], f"machine {fields[2]}")
        self.programs: list[tuple[int, ...]] = []
        if self.bits == 64 and fields[9] == PROGRAM.size:
            table = self._bytes(fields[5], fields[10] * PROGRAM.size)
            self.programs = list(PROGRAM.iter_unpack(table))

    def _bytes(self, offset: int, size: int) -> bytes:
        self.file.seek(offset)
        data = self.file.read(size)
        if len(data) != size:
            raise ELFError("the file is cut off")
        return data

    def _unpack(self, form: struct.Struct, offset: int) -> tuple[Any, ...]:
        return form.unpack(self._bytes(offset, form.size))

    def _offset(self, address: int) -> int:
        for kind, _, offset, start, _, size, _, _ in self.programs:
            if kind == PT_LOAD and start <= address < start + size:
                return offset + address - start
        raise ELFError(f"nothing is mapped at {address:#x}")

    def tags(self) -> list[tuple[int, int]]:
        """The entries of the dynamic section."""
        tags: list[tuple[int, int]] = []
        for kind, _, offset, _, _, size, _, _ in self.programs:
            if kind == PT_DYNAMIC:
                tags = list(struct.iter_unpack("<qQ", self._bytes(offset, size - size % 16)))
        end = next((i for i, (tag, _) in enumerate(tags) if tag == DT_NULL), len(tags))
        return tags[:end]

    def strings(self, tags: list[tuple[int, int]]) -> bytes:
        """The names that the dynamic section and the dynamic symbols have."""
        found = dict(tags)
        return self._bytes(self._offset(found[DT_STRTAB]), found.get(DT_STRSZ, 0)) if DT_STRTAB in found else b""

    def read(self) -> Elf:
        loader, build_id = None, ""
        for kind, _, offset, _, _, size, _, _ in self.programs:
            if kind == PT_INTERP:
                loader = self._bytes(offset, size).split(b"\0")[0].decode()
            elif kind == PT_NOTE:
                build_id = build_id or _build_id(self._bytes(offset, size))
        tags = self.tags()
        strings = self.strings(tags)

        def texts(wanted: int) -> list[str]:
            places = [value for tag, value in tags if tag == wanted]
            return [strings[p : strings.index(b"\0", p)].decode() for p in places]

        try:
            paths = [tuple(p for t in texts(tag) for p in t.split(":") if p) for tag in (DT_RPATH, DT_RUNPATH)]
            names = tuple(texts(DT_NEEDED))
            soname = (texts(DT_SONAME) or [""])[0]
        except ValueError as error:
            raise ELFError("a name ends nowhere") from error
        return Elf(self.machine, self.bits, soname, names, paths[0], paths[1], loader, build_id)


def _build_id(notes: bytes) -> str:
    """The GNU build id among notes (gABI, "Note Section": name size, content size, type, both padded to 4)."""
    at = 0
    while at + 12 <= len(notes):
        name, content, kind = struct.unpack_from("<III", notes, at)
        start = at + 12 + -(-name // 4) * 4
        if kind == 3 and notes[at + 12 : at + 12 + name] == b"GNU\0":
            return notes[start : start + content].hex()
        at = start + -(-content // 4) * 4
    return ""


def symbol_values(content: bytes | bytearray, names: Collection[str]) -> dict[str, int]:
    """The values of some symbols of a linked file's symbol table; those that it does not have are left out."""
    shoff, shnum = struct.unpack_from("<Q", content, 40)[0], struct.unpack_from("<H", content, 60)[0]
    found: dict[str, int] = {}
    wanted = {name.encode() + b"\0": name for name in names}
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, shoff + i * 64) for i in range(shnum)]
    for _, kind, _, _, offset, size, link, _, _, _ in sections:
        if kind != SHT_SYMTAB or link >= shnum:
            continue
        strings = bytes(content[sections[link][4] : sections[link][4] + sections[link][5]])
        places = {}
        for text, name in wanted.items():
            at = -1
            while (at := strings.find(text, at + 1)) >= 0:
                places[at] = name
        for at, _, _, _, value, _ in struct.iter_unpack("<IBBHQQ", content[offset : offset + size]):
            if at in places:
                found[places[at]] = value
    return found


@dataclass(frozen=True)
class Code:
    """Bytes of the segments that can be executed; whether one of them can be written as well, and whether the file
    asks for a stack that can be executed."""

    size: int
    writable: bool
    stack: bool


def executable(content: bytes | memoryview) -> Code:
    """What of an ELF file can be executed. Raises `ELFError` for a file that is none."""
    size, writable, stack = 0, False, False
    for segment in ELFFile(io.BytesIO(content)).iter_segments():
        runs = bool(segment["p_flags"] & PF_X)
        if segment["p_type"] == "PT_LOAD" and runs:
            size += int(segment["p_filesz"])
            writable = writable or bool(segment["p_flags"] & PF_W)
        stack = stack or (segment["p_type"] == "PT_GNU_STACK" and runs)
    return Code(size, writable, stack)


def is_elf(path: Path) -> bool:
    """Whether a file begins as an ELF file does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == MAGIC
    except OSError:
        return False


RELATIVE = 8  # R_X86_64_RELATIVE
RUNTIME = "_PyRuntime"  # CPython from 3.11 on keeps the names that its C code looks up in it


def constants(path: Path) -> bytes:
    """The sections of constant and initialised data, where strings are; the whole file if it has no sections."""
    with path.open("rb") as file:
        try:
            sections = [s for s in ELFFile(file).iter_sections() if s.name.startswith((".rodata", ".data"))]
            if sections:
                return b"\0".join(s.data() for s in sections)
        except ELFError:
            pass
        file.seek(0)
        return file.read()


def looked_up(path: Path) -> bytes:
    """The same of CPython itself and its own extension modules, without what is no look-up: the strings that tables
    point to (names of the methods that they define) and the names of frozen modules."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        text = elf.get_section_by_name(".rodata")
        if text is None or text["sh_type"] == "SHT_NOBITS":
            return constants(path)
        targets = {
            relocation["r_addend"]
            for section in elf.iter_sections()
            if isinstance(section, RelocationSection) and section.is_RELA()
            for relocation in section.iter_relocations()
            if relocation["r_info_type"] == RELATIVE
        }
        if elf["e_type"] == "ET_EXEC":  # it has no relocations: any word may be a pointer
            targets |= _words(elf)
        content, start = bytearray(text.data()), text["sh_addr"]
        for target in targets:
            if start <= target < start + len(content):
                end = content.find(0, target - start)
                content[target - start : end] = b" " * (end - (target - start))
        return b"\0" + bytes(content) + _runtime_names(elf)


def _words(elf: ELFFile) -> set[int]:
    """The aligned words of constant and initialised data."""
    found: set[int] = set()
    for section in elf.iter_sections():
        if section.name.startswith((".rodata", ".data")) and section["sh_type"] != "SHT_NOBITS":
            data = section.data()
            found.update(word for (word,) in struct.iter_unpack("<Q", data[: len(data) // 8 * 8]))
    return found


def _runtime_names(elf: ELFFile) -> bytes:
    table = elf.get_section_by_name(".dynsym")
    for symbol in (table.get_symbol_by_name(RUNTIME) or ()) if isinstance(table, SymbolTableSection) else ():
        section = elf.get_section(symbol["st_shndx"]) if isinstance(symbol["st_shndx"], int) else None
        if section is not None and section["sh_type"] != "SHT_NOBITS":
            at = symbol["st_value"] - section["sh_addr"]
            return b"\0" + bytes(section.data()[at : at + symbol["st_size"]])
    return b""


# What a file imports or exports that unwinds stacks by tables, or hands them to somebody who does.
UNWINDERS = re.compile(
    rb"\0(_Unwind_\w+|__cxa_(throw|rethrow|begin_catch|allocate_exception)|__gxx_personality_v0|__gcc_personality_v0"
    rb"|rust_eh_personality|dl_iterate_phdr|_dl_find_object|__register_frame(_info)?|backtrace)\0"
)


def unwinds(path: Path) -> bool:
    """Whether a file throws or catches exceptions, or walks stacks, by unwind tables; true where it cannot be known."""
    with path.open("rb") as file:
        try:
            reader = _Reader(file)
            names = reader.strings(reader.tags())
            return not names or UNWINDERS.search(names) is not None
        except ELFError:
            return True


def slim(content: bytes, *, unwind: bool = True) -> bytes:
    """An ELF file without what no segment holds: section headers, symbol table and debug information.

    Nothing that is mapped changes but the file header, so that no file is damaged by it, whatever tools made it. The
    build id and the dynamic symbols are in segments and stay. A search path that names folders of the build machine
    (no $ORIGIN in it) is taken out of the dynamic section: in the guest it only costs failed look-ups.

    `unwind` False: without unwind tables as well (.eh_frame), where they stand at the end of a segment."""
    fields = list(HEADER.unpack_from(content))
    offset, count, size = fields[5], fields[10], fields[9]
    if fields[0][:5] != MAGIC + b"\x02" or size != PROGRAM.size:
        raise ELFError("not a 64-bit ELF file")
    programs = [PROGRAM.unpack_from(content, offset + i * size) for i in range(count)]
    end = max([offset + count * size, HEADER.size, *(p[2] + p[5] for p in programs)])
    fields[6] = fields[11] = fields[12] = fields[13] = 0  # section headers: offset, entry size, number, names
    slimmed = bytearray(content[:end])
    HEADER.pack_into(slimmed, 0, *fields)
    for kind, _, start, _, _, length, _, _ in programs:
        if kind == PT_DYNAMIC:
            _drop_search_path(slimmed, start, length, programs)
    return bytes(slimmed) if unwind else _without_unwind_tables(content, bytes(slimmed), programs)


def _without_unwind_tables(original: bytes, slimmed: bytes, programs: list[tuple[int, ...]]) -> bytes:
    """Ends the segment that ends with the tables at their start, and moves up what follows; no address changes.

    A header of four zeros is left of them, of a version that no unwinder reads. What does not look as linkers lay it
    out stays as it is."""
    tables = [
        section
        for section in ELFFile(io.BytesIO(original)).iter_sections()
        if section.name in (".eh_frame", ".eh_frame_hdr") and section["sh_size"]
    ]
    if not tables:
        return slimmed
    first, last = min(s["sh_offset"] for s in tables), max(s["sh_offset"] + s["sh_size"] for s in tables)
    loads = [p for p in programs if p[0] == PT_LOAD]
    kept = first + 4
    holder = next((p for p in loads if p[2] <= first and last == p[2] + p[5] and p[5] == p[6]), None)
    if holder is None or last - first > sum(s["sh_size"] + 64 for s in tables):
        return slimmed
    step = max(p[7] for p in loads)
    behind = min((p[2] for p in loads if p[2] >= last), default=len(slimmed))
    moved = (behind - kept) // step * step if behind < len(slimmed) else behind - kept
    if moved <= 0 or any(first < p[2] < last for p in programs if p[0] not in (PT_LOAD, PT_GNU_EH_FRAME)):
        return slimmed
    result = bytearray(slimmed[: behind - moved] + slimmed[behind:])
    result[first:kept] = bytes(4)
    offset = HEADER.unpack_from(slimmed)[5]
    for index, (kind, flags, start, *rest, align) in enumerate(programs):
        address, physical, size, memory = rest
        if kind == PT_GNU_EH_FRAME:
            start, size, memory = first, 4, 4
            address = physical = holder[3] + first - holder[2]
        elif (kind, start, size) == (PT_LOAD, holder[2], holder[5]):
            size = memory = kept - start
        elif start >= behind:
            start -= moved
        PROGRAM.pack_into(
            result, offset + index * PROGRAM.size, kind, flags, start, address, physical, size, memory, align
        )
    return bytes(result)


def _drop_search_path(content: bytearray, start: int, length: int, programs: list[tuple[int, ...]]) -> None:
    entries = [struct.unpack_from("<qQ", content, at) for at in range(start, start + length - 15, 16)]
    table = next((value for tag, value in entries if tag == DT_STRTAB), None)
    for index, (tag, value) in enumerate(entries):
        if tag == DT_NULL:
            break
        if tag not in (DT_RPATH, DT_RUNPATH) or table is None:
            continue
        for kind, _, offset, address, _, size, _, _ in programs:
            if kind == PT_LOAD and address <= table < address + size:
                text = offset + table - address + value
                if b"$" not in content[text : content.index(0, text)]:
                    struct.pack_into("<q", content, start + index * 16, DT_IGNORED)
