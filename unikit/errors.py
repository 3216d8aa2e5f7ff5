"""Errors that a user can cause, and the exit codes of the command line.

Raise `UserError` with one clear sentence, the exit code and, where there is something to do, a hint. The command line
prints both and ends with the code; nothing else of ours ends a command. `unikit run` passes the application's own
status on, so our codes stay in a range that applications and shells (126 and up) seldom use.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What a status of the `unikit` command means; the one place where the numbers are."""

    OK = 0, "done; after `run`: the application ended with status 0"
    USAGE = 2, "the command line makes no sense"
    INTERNAL = 100, "a bug in unikit"
    NO_SUCH_APP = 101, "the application or image is not there"
    SYNTAX = 102, "a Python file of the application does not compile"
    MODULE_NOT_FOUND = 103, "an import leads nowhere"
    INTERPRETER = 104, "the interpreter is not there, or not CPython 3.10+ for glibc on x86-64"
    CONFIGURATION = 105, "[tool.unikit] or an option has a wrong value"
    IMAGE = 106, "the image is damaged, too new, or was not made by unikit"
    PORT_TAKEN = 107, "a port of the host is in use"
    NO_QEMU = 108, "QEMU is missing or does not start"
    TOOLCHAIN = 109, "a tool or a source that the build needs is missing"
    COMPILE = 110, "a component of the runtime does not compile"
    SELECT = 111, "components conflict, or a need is not met"
    LINK = 112, "the kernel does not link"
    DEADLINE = 113, "the boot or the run took longer than allowed"
    MEMORY = 114, "the guest ran out of memory"
    FREEZE = 116, "the application cannot be frozen"
    GUEST = 115, "the guest could not boot, or its kernel failed"
    TRACE = 117, "the traced run or the command that drove it failed"
    LOCK = 118, "the lock file is missing, damaged, or belongs to something else"

    meaning: str

    def __new__(cls, value: int, meaning: str = "") -> ExitCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class UserError(Exception):
    """Something the user can mend: `message` is one sentence, `hint` says what to do, `details` are lines to show."""

    def __init__(
        self,
        message: str,
        *,
        code: ExitCode = ExitCode.INTERNAL,
        hint: str | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.details = details
