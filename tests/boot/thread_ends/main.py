"""A thread that ends in the middle of C code: the C library unwinds its stack, through the interpreter's frames."""

import ctypes
import os
import threading
import time

libc = ctypes.CDLL(None)
entered = threading.Event()
reached = []


def leave() -> None:
    entered.set()
    libc.pthread_exit(None)
    reached.append("after pthread_exit")


for _ in range(3):
    entered.clear()
    threading.Thread(target=leave, daemon=True).start()
    assert entered.wait(60)
    deadline = time.monotonic() + 60
    while len(os.listdir("/proc/self/task")) > 1:
        assert time.monotonic() < deadline, "the thread is still there"
        time.sleep(0.01)
    assert not reached
