"""A crash in C code: reads from an address that is not mapped."""

import ctypes


def deep() -> None:
    ctypes.string_at(0xDEAD0000)


deep()
