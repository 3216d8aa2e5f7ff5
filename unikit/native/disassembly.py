"""Which functions of an ELF file lead to which system calls, read from its code without running it.

Functions are the ranges of the unwind table (`.eh_frame_hdr`, Linux Standard Base, "Exception Frames"), which stripped
libraries keep too. Within them capstone gives the direct calls and jumps, the addresses that are taken, and the number
in eax at each `syscall` instruction. What is reached through pointers is found by where the pointers stand: a function
that takes the address of a table reaches what the table's relocations point at."""

from __future__ import annotations

import json
import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import capstone
from elftools.elf.elffile import ELFFile

from unikit import cache
from unikit.model import digest, digest_file

SYSCALL = b"\x0f\x05"
SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym
RELOCATION = struct.Struct("<QQq")  # Elf64_Rela
R_64, R_GLOB_DAT, R_JUMP_SLOT, R_RELATIVE, R_IRELATIVE = 1, 6, 7, 8, 37  # R_X86_64_*
PF_X = 1
NUMBERS = 512  # system calls have numbers below
ABSOLUTE = re.compile(r"^0x([0-9a-f]+)$")
RELATIVE = re.compile(r"\[rip ([+-]) 0x([0-9a-f]+)\]")
CONSTANT = re.compile(r"^(\w+), (0x[0-9a-f]+|\d+)$")
# 32-bit names of the registers, so that `mov r8d, 5` and `mov rax, r8` meet
WIDE = {f"r{n}": f"e{n}" for n in ("ax", "bx", "cx", "dx", "si", "di", "bp")}
WIDE |= {f"r{n}": f"r{n}d" for n in range(8, 16)}
CLOBBERED = ("eax", "ecx", "edx", "esi", "edi", "r8d", "r9d", "r10d", "r11d")  # by a call: System V ABI, 3.2.1
_REVISION = "code 1"


@dataclass(frozen=True)
class Code:
    """What an ELF file's code does. Functions are named by their address in the file.

    `edges` lead from a function to functions, `outside` to symbols of other files, `calls` to the numbers of system
    calls; `unknown` are functions with a call whose number is not a constant there. `roots` run or may be reached
    without anybody's asking: initialisers and what writable tables point at that no instruction names."""

    exports: dict[str, list[int]] = field(default_factory=dict)
    edges: dict[int, list[int]] = field(default_factory=dict)
    outside: dict[int, list[str]] = field(default_factory=dict)
    calls: dict[int, list[int]] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Symbols:
    """The dynamic symbols of a file: what it defines, and what it wants of others."""

    exports: dict[str, list[int]]
    imports: frozenset[str]


def symbols(path: Path) -> Symbols:
    """The dynamic symbols; none for a file without sections."""
    with path.open("rb") as file:
        return _symbols(_dynamic(ELFFile(file)))


def code(path: Path) -> Code:
    """All of a file's code: half a second for a libc, remembered by content."""
    note = cache.entry("code", digest(_REVISION, digest_file(path)), ".json")
    try:
        return _thawed(json.loads(note.read_text()))
    except (OSError, ValueError, TypeError):
        pass
    found = _Reader(path).read()
    cache.store(note, json.dumps(asdict(found)).encode())
    return found


def direct(path: Path, wrapper: bool) -> tuple[frozenset[int], bool]:
    """The numbers of the system calls that a file makes without libc's functions: by instructions of its own, and, if
    `wrapper`, through `syscall(2)`; and whether all numbers are known. Remembered by content."""
    note = cache.entry("code", digest(_REVISION, "direct", wrapper, digest_file(path)), ".json")
    try:
        numbers, whole = json.loads(note.read_text())
        return frozenset(numbers), bool(whole)
    except (OSError, ValueError, TypeError):
        pass
    numbers, whole = _Reader(path).direct(wrapper)
    cache.store(note, json.dumps([sorted(numbers), whole]).encode())
    return numbers, whole


def _thawed(value: dict[str, Any]) -> Code:
    """JSON has no integers as keys."""
    numbered = {k: {int(f): v for f, v in value[k].items()} for k in ("edges", "outside", "calls")}
    return Code(value["exports"], **numbered, unknown=value["unknown"], roots=value["roots"])


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


def _symbols(dynamic: list[tuple[str, int, int, int, int]]) -> Symbols:
    exports: dict[str, list[int]] = {}
    for name, _, index, value, _ in dynamic:
        if name and index:
            exports.setdefault(name, []).append(value)
    return Symbols(exports, frozenset(name for name, _, index, _, _ in dynamic if name and not index))


class _Reader:
    """One file under the knife."""

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

    # -- tables

    def _functions(self, address: int, offset: int) -> list[int]:
        """The addresses of functions, sorted, from the search table; every executable range begins one as well."""
        starts = {vaddr for vaddr, _, _, flags in self.loads if flags & PF_X}
        version, _, count_form, table_form = self.content[offset : offset + 4]
        if version == 1 and count_form == 0x03 and table_form == 0x3B:  # udata4; datarel | sdata4
            count = struct.unpack_from("<I", self.content, offset + 8)[0]
            for index in range(count):
                start = address + struct.unpack_from("<i", self.content, offset + 12 + index * 8)[0]
                # what returns from signal handlers has its entry a byte before its code, for unwinders
                at = self._offset(start)
                early = at is not None and self.content[at + 1 : at + 5] == b"\x48\xc7\xc0\x0f"
                starts.add(start + early)
        return sorted(starts)

    def _offset(self, address: int) -> int | None:
        for vaddr, size, offset, _ in self.loads:
            if vaddr <= address < vaddr + size:
                return offset + address - vaddr
        return None

    def _is_code(self, address: int) -> bool:
        return any(v <= address < v + size for v, size, _, flags in self.loads if flags & PF_X)

    def function(self, address: int) -> int:
        """The function that an address of the code is in."""
        return self.starts[max(bisect_right(self.starts, address) - 1, 0)]

    def _relocations(self) -> tuple[dict[int, str], dict[int, int]]:
        """Slots that hold addresses of other files' symbols, and pointers into the file itself, by where they stand."""
        slots: dict[int, str] = {}
        pointers: dict[int, int] = {}
        for table, size in (("DT_RELA", "DT_RELASZ"), ("DT_JMPREL", "DT_PLTRELSZ")):
            start = self._offset(self.tags.get(table, -1))
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
        start, size = self._offset(self.tags.get("DT_RELR", -1)), self.tags.get("DT_RELRSZ", 0)
        place = 0
        for (word,) in struct.iter_unpack("<Q", self.content[start : start + size] if start is not None else b""):
            if word & 1:
                places = [place + bit * 8 for bit in range(63) if word >> (bit + 1) & 1]
                place += 63 * 8
            else:
                places, place = [word], word + 8
            for each in places:
                if (offset := self._offset(each)) is not None:
                    yield each, struct.unpack_from("<Q", self.content, offset)[0]

    # -- code

    def read(self) -> Code:
        found = Code(exports=_symbols(self.dynamic).exports)
        taken: dict[int, set[int]] = {}  # function -> addresses of data
        for start, end in self._ranges():
            self._function(start, end, found, taken)
        data = {address for addresses in taken.values() for address in addresses}
        data |= {address for addresses in found.exports.values() for address in addresses}
        data |= set(self.pointers.values())
        loose = self._blocks(sorted(a for a in data if not self._is_code(a)), found)
        for function, addresses in taken.items():
            found.edges[function] = sorted({*found.edges.get(function, ()), *addresses})
        found.roots.extend(sorted(loose | ({self.function(self.entry)} if self._is_code(self.entry) else set())))
        return found

    def _ranges(self) -> Iterator[tuple[int, int]]:
        for vaddr, size, _, flags in self.loads:
            if flags & PF_X:
                inside = [s for s in self.starts if vaddr <= s < vaddr + size]
                yield from zip(inside, [*inside[1:], vaddr + size], strict=True)

    def _instructions(self, start: int, end: int) -> Iterator[tuple[int, int, str, str]]:
        offset = self._offset(start)
        assert offset is not None
        yield from self.machine.disasm_lite(self.content[offset : offset + end - start], start)

    def _function(self, start: int, end: int, found: Code, taken: dict[int, set[int]]) -> None:
        edges: set[int] = set()
        outside: set[str] = set()
        for address, size, mnemonic, operands in self._instructions(start, end):
            if match := ABSOLUTE.match(operands):
                if mnemonic == "call" or mnemonic[0] == "j":
                    edges.add(self.function(int(match[1], 16)))
            elif "rip" in operands and (match := RELATIVE.search(operands)):
                target = address + size + int(match[1] + match[2], 16)
                if target in self.slots:
                    outside.add(self.slots[target])
                elif self._is_code(target):
                    edges.add(self.function(target))
                else:
                    taken.setdefault(start, set()).add(target)
        offset = self._offset(start) or 0
        if SYSCALL in self.content[offset : offset + end - start]:
            numbers, whole = self._numbers(start, end, "syscall", "eax")
            if numbers:
                found.calls[start] = sorted(numbers)
            if not whole:
                found.unknown.append(start)
        if edges - {start}:
            found.edges[start] = sorted(edges - {start})
        if outside:
            found.outside[start] = sorted(outside)

    def _numbers(self, start: int, end: int, mnemonic: str, register: str, target: int = 0) -> tuple[set[int], bool]:
        """The constants in a register at each instruction `mnemonic` (of `target`, for calls) of a function, and
        whether that is all. Where another way leads to the instruction, all constants that the function puts there
        count."""
        registers = _Registers()
        numbers: set[int] = set()
        unsure: list[tuple[int, int, int | None]] = []
        jumps: set[int] = set()
        for address, _, name, operands in self._instructions(start, end):
            match = ABSOLUTE.match(operands)
            if match and name[0] == "j":
                jumps.add(int(match[1], 16))
            if name == mnemonic and (not target or (match and int(match[1], 16) == target)):
                unsure.append((registers.written.get(register, start), address, registers.now.get(register)))
            registers.step(address, name, operands)
        whole = True
        for before, address, value in unsure:
            if value is not None:
                numbers.add(value)
            if value is None or any(before < jump <= address for jump in jumps):
                every = registers.every(register)
                numbers |= every
                whole = whole and (value is not None or bool(every))
        return {n for n in numbers if 0 <= n < NUMBERS}, whole

    # -- data

    def _blocks(self, named: list[int], found: Code) -> set[int]:
        """Data as nodes of the graph: from each address that something names, up to the next one in its segment, it
        leads where its pointers lead. Returns what pointers lead to that no name covers."""
        loose = set()
        edges: dict[int, set[int]] = {}
        for place, target in self.pointers.items():
            node = self.function(target) if self._is_code(target) else target
            index = bisect_right(named, place) - 1
            if index >= 0 and self._same(named[index], place):
                edges.setdefault(named[index], set()).add(node)
            else:
                loose.add(node)
        found.edges.update({address: sorted(nodes) for address, nodes in edges.items()})
        return loose

    def _same(self, first: int, second: int) -> bool:
        """Whether two addresses of data are in one segment."""
        return any(v <= first < v + size and v <= second < v + size for v, size, _, _ in self.loads)

    # -- calls that go past libc

    def direct(self, wrapper: bool) -> tuple[frozenset[int], bool]:
        numbers: set[int] = set()
        whole = True
        for start, end, name, register, target in self._sites(wrapper):
            more, known = self._numbers(start, end, name, register, target)
            numbers |= more
            whole = whole and known
        return frozenset(numbers), whole

    def _sites(self, wrapper: bool) -> Iterator[tuple[int, int, str, str, int]]:
        """Functions to look at: start, end, the instruction, the register with the number, what it calls."""
        stubs = self._stubs("syscall") if wrapper else set()
        seen = set()
        for vaddr, size, offset, flags in self.loads:
            if not flags & PF_X:
                continue
            text = self.content[offset : offset + size]
            for match in re.finditer(re.escape(SYSCALL), text):
                start = self.function(vaddr + match.start())
                if (start, 0) not in seen and self._decodes(start, vaddr + match.start()):
                    seen.add((start, 0))
                    yield start, self._end(start), "syscall", "eax", 0
            for match in re.finditer(rb"[\xe8\xe9]", text) if stubs else ():
                at = match.start()
                if at + 5 > len(text):
                    continue
                target = vaddr + at + 5 + struct.unpack_from("<i", text, at + 1)[0]
                start = self.function(vaddr + at)
                if target in stubs and (start, target) not in seen:
                    seen.add((start, target))
                    yield start, self._end(start), "call" if text[at] == 0xE8 else "jmp", "edi", target
        slots = {place for place, name in self.slots.items() if wrapper and name == "syscall"}
        for start in self._callers_through(slots):
            yield start, self._end(start), "call", "edi", 0

    def _end(self, start: int) -> int:
        index = bisect_right(self.starts, start)
        limit = next(v + size for v, size, _, _ in self.loads if v <= start < v + size)
        return min(self.starts[index], limit) if index < len(self.starts) else limit

    def _decodes(self, start: int, address: int) -> bool:
        """Whether the bytes at an address are an instruction of its own, not the middle of one."""
        return any(a == address and name == "syscall" for a, _, name, _ in self._instructions(start, self._end(start)))

    def _stubs(self, name: str) -> set[int]:
        """Where the procedure linkage table jumps to a symbol: the addresses that calls have as their target."""
        places = {place for place, symbol in self.slots.items() if symbol == name}
        stubs = set()
        for site in self._through(places, rb"\xff\x25"):
            stubs |= {site, site - 1, site - 4, site - 5}  # behind `bnd`, `endbr64`, or both
        return stubs

    def _callers_through(self, places: set[int]) -> set[int]:
        return {self.function(site) for site in self._through(places, rb"\xff\x15")}

    def _through(self, places: set[int], opcode: bytes) -> Iterator[int]:
        """Addresses of indirect jumps or calls through slots."""
        for vaddr, size, offset, flags in self.loads if places else ():
            if flags & PF_X:
                text = self.content[offset : offset + size]
                for match in re.finditer(opcode, text):
                    at = match.start()
                    if at + 6 <= len(text):
                        target = vaddr + at + 6 + struct.unpack_from("<i", text, at + 2)[0]
                        if target in places:
                            yield vaddr + at


class _Registers:
    """The constants in registers, instruction by instruction."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.written: dict[str, int] = {}  # where the present constant was put there
        self._constants: dict[str, set[int]] = {}
        self._sources: dict[str, set[str]] = {}

    def step(self, address: int, name: str, operands: str) -> None:
        first, _, second = operands.partition(", ")
        first, second = WIDE.get(first, first), WIDE.get(second, second)
        if name in ("call", "syscall"):
            for each in CLOBBERED if name == "call" else ("eax", "ecx", "r11d"):
                self.now.pop(each, None)
        elif name == "xor" and first == second:
            self._put(address, first, 0)
        elif name in ("mov", "movabs") and (match := CONSTANT.match(operands)):
            self._put(address, first, int(match[2], 0))
        elif name == "mov" and second in self.now:
            self._put(address, first, self.now[second])
        elif name not in ("cmp", "test", "push", "nop", "endbr64") and name[0] != "j":
            self.now.pop(first, None)
            if name == "mov":
                self._sources.setdefault(first, set()).add(second)

    def _put(self, address: int, register: str, value: int) -> None:
        self.now[register], self.written[register] = value, address
        self._constants.setdefault(register, set()).add(value)

    def every(self, register: str) -> set[int]:
        """All numbers of system calls that were put there, also by way of other registers."""
        seen, queue = {register}, [register]
        for each in queue:
            new = self._sources.get(each, set()) - seen
            seen |= new
            queue += new
        return {n for each in seen for n in self._constants.get(each, ()) if n < NUMBERS}
