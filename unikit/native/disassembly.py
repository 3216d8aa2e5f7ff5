"""Which functions of an ELF file lead to which system calls, read from its code without running it.

The instructions of a function (mapped.py) give the direct calls and jumps, the addresses that are taken, and the number
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

from unikit import cache
from unikit.model import digest, digest_file
from unikit.native.mapped import PF_X, Mapped, symbols_of
from unikit.native.registers import NUMBERS, Registers

SYSCALL = b"\x0f\x05"
ABSOLUTE = re.compile(r"^0x([0-9a-f]+)$")
RELATIVE = re.compile(r"\[rip ([+-]) 0x([0-9a-f]+)\]")
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


class _Reader(Mapped):
    """One file under the knife."""

    def read(self) -> Code:
        found = Code(exports=symbols_of(self.dynamic).exports)
        taken: dict[int, set[int]] = {}  # function -> addresses of data
        for start, end in self._ranges():
            self._function(start, end, found, taken)
        data = {address for addresses in taken.values() for address in addresses}
        data |= {address for addresses in found.exports.values() for address in addresses}
        data |= set(self.pointers.values())
        loose = self._blocks(sorted(a for a in data if not self.is_code(a)), found)
        for function, addresses in taken.items():
            found.edges[function] = sorted({*found.edges.get(function, ()), *addresses})
        found.roots.extend(sorted(loose | ({self.function(self.entry)} if self.is_code(self.entry) else set())))
        return found

    def _ranges(self) -> Iterator[tuple[int, int]]:
        for vaddr, size, _, flags in self.loads:
            if flags & PF_X:
                inside = [s for s in self.starts if vaddr <= s < vaddr + size]
                yield from zip(inside, [*inside[1:], vaddr + size], strict=True)

    def _function(self, start: int, end: int, found: Code, taken: dict[int, set[int]]) -> None:
        edges: set[int] = set()
        outside: set[str] = set()
        for address, size, mnemonic, operands in self.instructions(start, end):
            if match := ABSOLUTE.match(operands):
                if mnemonic == "call" or mnemonic[0] == "j":
                    edges.add(self.function(int(match[1], 16)))
            elif "rip" in operands and (match := RELATIVE.search(operands)):
                target = address + size + int(match[1] + match[2], 16)
                if target in self.slots:
                    outside.add(self.slots[target])
                elif self.is_code(target):
                    edges.add(self.function(target))
                else:
                    taken.setdefault(start, set()).add(target)
        offset = self.offset(start) or 0
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
        registers = Registers()
        numbers: set[int] = set()
        unsure: list[tuple[int, int, int | None]] = []
        jumps: set[int] = set()
        for address, _, name, operands in self.instructions(start, end):
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
            node = self.function(target) if self.is_code(target) else target
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
                    yield start, self.end(start), "syscall", "eax", 0
            for match in re.finditer(rb"[\xe8\xe9]", text) if stubs else ():
                at = match.start()
                if at + 5 > len(text):
                    continue
                target = vaddr + at + 5 + struct.unpack_from("<i", text, at + 1)[0]
                start = self.function(vaddr + at)
                if target in stubs and (start, target) not in seen:
                    seen.add((start, target))
                    yield start, self.end(start), "call" if text[at] == 0xE8 else "jmp", "edi", target
        slots = {place for place, name in self.slots.items() if wrapper and name == "syscall"}
        for start in self._callers_through(slots):
            yield start, self.end(start), "call", "edi", 0

    def _decodes(self, start: int, address: int) -> bool:
        """Whether the bytes at an address are an instruction of its own, not the middle of one."""
        return any(a == address and name == "syscall" for a, _, name, _ in self.instructions(start, self.end(start)))

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
