"""The constants in registers, followed instruction by instruction."""

from __future__ import annotations

import re

NUMBERS = 512  # system calls have numbers below
CONSTANT = re.compile(r"^(\w+), (0x[0-9a-f]+|\d+)$")
# 32-bit names of the registers, so that `mov r8d, 5` and `mov rax, r8` meet
WIDE = {f"r{n}": f"e{n}" for n in ("ax", "bx", "cx", "dx", "si", "di", "bp")}
WIDE |= {f"r{n}": f"r{n}d" for n in range(8, 16)}
CLOBBERED = ("eax", "ecx", "edx", "esi", "edi", "r8d", "r9d", "r10d", "r11d")  # by a call: System V ABI, 3.2.1


class Registers:
    """What is known of each register at the instruction that was stepped over last, and of all before."""

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
