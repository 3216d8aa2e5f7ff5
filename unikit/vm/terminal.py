"""The user's terminal while it belongs to the guest: raw, and put back whatever happens."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Iterator


@contextlib.contextmanager
def raw() -> Iterator[None]:
    """Hand every key to the guest, whose own line discipline does the editing and the signals."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def size() -> tuple[int, int]:
    """Rows and columns."""
    found = shutil.get_terminal_size()
    return found.lines, found.columns


def write(descriptor: int, data: bytes) -> None:
    """Write all of `data` to a descriptor that may be non-blocking; BrokenPipeError if nobody reads any more."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
