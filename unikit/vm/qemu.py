"""QEMU as a process: where its program is, the sockets that it inherits, how it ends with us.

QEMU gets its character devices as connected sockets, so no path in the file system is shared and nothing is polled.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1
# QEMU keeps what it knows of translated code on its heap: in huge pages it faults a hundredth as often (malloc(3)'s
# glibc.malloc.hugetlb, from glibc 2.35; older ones pass over it). A short boot is some milliseconds sooner for it.
TUNABLES = "glibc.malloc.hugetlb=1"


def find_qemu() -> Path | None:
    """QEMU's program for x86-64 guests: UNIKIT_QEMU, else the one on PATH."""
    named = os.environ.get("UNIKIT_QEMU")
    found = shutil.which(named) if named else shutil.which("qemu-system-x86_64")
    return Path(found) if found else None


def environment() -> dict[str, str]:
    """The environment for QEMU's process: ours, and tunables of its own unless the user has set some."""
    return {"GLIBC_TUNABLES": TUNABLES, **os.environ}


class Channels:
    """The socket pairs for console, serial port, report channel and, if wanted, the application's own channel.

    QEMU's ends are inherited.
    """

    def __init__(self, *, app: bool = False) -> None:
        pairs = [socket.socketpair() for _ in range(4 if app else 3)]
        self.ours = [pair[0] for pair in pairs]
        self.theirs = [pair[1] for pair in pairs]
        for end in self.ours:
            end.setblocking(False)
        self.console, self.serial, self.report = self.ours[:3]
        self.app = self.ours[3] if app else None

    @property
    def inherited(self) -> tuple[int, ...]:
        """All of QEMU's ends."""
        return tuple(end.fileno() for end in self.theirs)

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """QEMU's ends: console, serial, report."""
        console, serial, report = self.inherited[:3]
        return console, serial, report

    @property
    def app_descriptor(self) -> int | None:
        """QEMU's end of the application's own channel."""
        return self.inherited[3] if self.app else None

    def close(self) -> None:
        for end in (*self.ours, *self.theirs):
            end.close()


def dying_with_us() -> Callable[[], None]:
    """For a child, before it becomes another program: it is killed when the thread that made it ends (prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the child is made: there it might wait for a lock

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return ask
