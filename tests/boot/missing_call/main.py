"""Calls that are not there answer ENOSYS, and the report names them with how often and by whom."""

import ctypes
import errno

libc = ctypes.CDLL(None, use_errno=True)
for _ in range(3):
    assert libc.syscall(425, 8, None) == -1 and ctypes.get_errno() == errno.ENOSYS
assert libc.syscall(9999) == -1 and ctypes.get_errno() == errno.ENOSYS
