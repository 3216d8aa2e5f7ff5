"""A timer of timer_create(2) runs."""

import ctypes

libc = ctypes.CDLL("libc.so.6")
timer = ctypes.c_void_p()
assert libc.timer_create(1, None, ctypes.byref(timer)) == 0
assert libc.timer_settime(timer, 0, (ctypes.c_long * 4)(0, 0, 3600, 0), None) == 0


def main():
    pass


main()
