"""What the kernel and a program that is frozen say to each other (runtimes/freeze/freeze.c)."""

from __future__ import annotations

import os

DEVICE = "/dev/unikit/freeze"  # says this boot's environment, arguments and kind of console
HOW = "/proc/unikit/freeze"  # `1`, `explain`, `warm` or `watch`, and modules to import before, with commas
WARM_SIGNAL = 64  # the last of the real-time signals: freeze now, or tell what was imported


def how() -> tuple[str, list[str]]:
    with open(HOW) as file:
        how, _, modules = file.read().partition("\n")
    return how, [name for name in modules.split(",") if name]


def told(device: int) -> bytes:
    """By a plain system call: it is done in every boot of the frozen image."""
    size = 4096
    while True:
        try:
            return os.read(device, size)
        except OSError:  # it gives all or nothing
            size *= 2
            if size > 1 << 24:
                raise
