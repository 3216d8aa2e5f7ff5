"""Shared libraries that only a name in a call of ctypes leads to, and what ctypes.util says of names."""

import ctypes
import ctypes.util
from ctypes.util import find_library

assert find_library("c") == "libc.so.6" and find_library("m") == "libm.so.6"
assert find_library("there is none") is None and find_library("") is None
assert ctypes.CDLL(find_library("c")).getpid() > 0

found = ctypes.util.find_library("z")
assert found and found.startswith("libz.so."), found
version = ctypes.CDLL(found).zlibVersion
version.restype = ctypes.c_char_p
assert version()[:2] == b"1."
version = ctypes.cdll.LoadLibrary("libbz2.so.1.0").BZ2_bzlibVersion
version.restype = ctypes.c_char_p
assert version()[:2] == b"1."
try:
    ctypes.CDLL("libnone.so.1")
except OSError as error:
    assert "libnone.so.1" in str(error)
else:
    raise AssertionError("a library that is nowhere was opened")
