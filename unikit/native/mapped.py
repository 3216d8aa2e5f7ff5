"""An ELF file as it is loaded: its segments, dynamic symbols, functions, and what its relocations point at.

Functions are the ranges of the unwind table (`.eh_frame_hdr`, Linux Standard Base, "Exception Frames"), which stripped
libraries keep too. Within them capstone decodes the instructions."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import capstone
from elftools.elf.elffile import ELFFile

SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym
RELOCATION = struct.Struct("<QQq")  # Elf64_Rela
R_64, R_GLOB_DAT, R_JUMP_SLOT, R_RELATIVE, R_IRELATIVE = 1, 6, 7, 8, 37  # R_X86_64_*
PF_X = 1


@dataclass(frozen=True)
class Symbols:
    """The dynamic symbols of a file: what it defines, and what it wants of others."""

    exports: dict[str, list[int]]
    imports: frozenset[str]


def symbols(path: Path) -> Symbols:
    """The dynamic symbols; none for a file without sections."""
    with path.open("rb") as file:
        return symbols_of(_dynamic(ELFFile(file)))


def _dynamic(elf: ELFFile) -> list[tuple[str, int, int, int, int]]:
    """The dynamic symbols in order: name, info, section, value, size."""
    section = elf.get_section_by_name(".dynsym")
    if section is None:
        return []
    names = bytes(elf.get_section(section["sh_link"]).data())
    found = []
    for name, info, _, index, value, size in SYMBOL.iter_unpack(bytes(section.data())):
        found.append((names[name : names.index(0, name)].decode(errors="replace"), info, index, value, size))
    return found


def symbols_of(dynamic: list[tuple[str, int, int, int, int]]) -> Symbols:
    """Entries of the dynamic symbol table, as `Mapped.dynamic` has them, sorted out."""
    exports: dict[str, list[int]] = {}
    for name, _, index, value, _ in dynamic:
        if name and index:
            exports.setdefault(name, []).append(value)
    return Symbols(exports, frozenset(name for name, _, index, _, _ in dynamic if name and not index))


class Mapped:
    """One file. Addresses are those in the file."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        with path.open("rb") as file:
            elf = ELFFile(file)
            self.entry = int(elf["e_entry"])
            segments = list(elf.iter_segments())
            self.loads = [
                (int(s["p_vaddr"]), int(s["p_filesz"]), int(s["p_offset"]), int(s["p_flags"]))
                for s in segments
                if s["p_type"] == "PT_LOAD"
            ]
            self.dynamic = _dynamic(elf)
            tags = [s for s in segments if s["p_type"] == "PT_DYNAMIC"]
            self.tags = {t.entry.d_tag: int(t.entry.d_val) for t in tags[0].iter_tags()} if tags else {}
            header = next((s for s in segments if s["p_type"] == "PT_GNU_EH_FRAME"), None)
            self.starts = self._functions(int(header["p_vaddr"]), int(header["p_offset"])) if header else []
        self.machine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self.machine.skipdata = True
        self.slots, self.pointers = self._relocations()

    def _functions(self, address: int, offset: int) -> list[int]:
        """The addresses of functions, sorted, from the search table; every executable range begins one as well."""
        starts = {vaddr for vaddr, _, _, flags in self.loads if flags & PF_X}
        version, _, count_form, table_form = self.content[offset : offset + 4]
        if version == 1 and count_form == 0x03 and table_form == 0x3B:  # udata4; datarel | sdata4
            count = struct.unpack_from("<I", self.content, offset + 8)[0]
            for index in range(count):
                start = address + struct.unpack_from("<i", self.content, offset + 12 + index * 8)[0]
                # what returns from signal handlers has its entry a byte before its code, for unwinders
                at = self.offset(start)
                early = at is not None and self.content[at + 1 : at + 5] == b"\x48\xc7\xc0\x0f"
                starts.add(start + early)
        return sorted(starts)

    def offset(self, address: int) -> int | None:
        """Where the byte at an address stands in the file; None if nowhere."""
        for vaddr, size, offset, _ in self.loads:
            if vaddr <= address < vaddr + size:
                return offset + address - vaddr
        return None

    def is_code(self, address: int) -> bool:
        return any(v <= address < v + size for v, size, _, flags in self.loads if flags & PF_X)

    def function(self, address: int) -> int:
        """The function that an address of the code is in."""
        return self.starts[max(bisect_right(self.starts, address) - 1, 0)]

    def _relocations(self) -> tuple[dict[int, str], dict[int, int]]:
        """Slots that hold addresses of other files' symbols, and pointers into the file itself, by where they stand."""
        slots: dict[int, str] = {}
        pointers: dict[int, int] = {}
        for table, size in (("DT_RELA", "DT_RELASZ"), ("DT_JMPREL", "DT_PLTRELSZ")):
            start = self.offset(self.tags.get(table, -1))
            if start is None:
                continue
            for place, info, addend in RELOCATION.iter_unpack(self.content[start : start + self.tags.get(size, 0)]):
                kind, index = info & 0xFFFFFFFF, info >> 32
                if kind in (R_RELATIVE, R_IRELATIVE):
                    pointers[place] = addend
                elif kind in (R_64, R_GLOB_DAT, R_JUMP_SLOT) and index < len(self.dynamic):
                    name, _, section, value, _ = self.dynamic[index]
                    if section:
                        pointers[place] = value + addend
                    else:
                        slots[place] = name
        pointers.update(self._packed())
        return slots, pointers

    def _packed(self) -> Iterator[tuple[int, int]]:
        """Relative relocations in the dense form (DT_RELR, gABI)."""
        start, size = self.offset(self.tags.get("DT_RELR", -1)), self.tags.get("DT_RELRSZ", 0)
        place = 0
        for (word,) in struct.iter_unpack("<Q", self.content[start : start + size] if start is not None else b""):
            if word & 1:
                places = [place + bit * 8 for bit in range(63) if word >> (bit + 1) & 1]
                place += 63 * 8
            else:
                places, place = [word], word + 8
            for each in places:
                if (offset := self.offset(each)) is not None:
                    yield each, struct.unpack_from("<Q", self.content, offset)[0]

    def instructions(self, start: int, end: int) -> Iterator[tuple[int, int, str, str]]:
        """Address, length, mnemonic and operands of each instruction between two addresses of the code."""
        offset = self.offset(start)
        assert offset is not None
        yield from self.machine.disasm_lite(self.content[offset : offset + end - start], start)

    def end(self, start: int) -> int:
        """Where the function that starts at `start` ends."""
        index = bisect_right(self.starts, start)
        limit = next(v + size for v, size, _, _ in self.loads if v <= start < v + size)
        return min(self.starts[index], limit) if index < len(self.starts) else limit
