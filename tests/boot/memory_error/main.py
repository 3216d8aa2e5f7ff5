"""Running out of memory is a MemoryError, and the program goes on after it. Large mappings that are hardly used cost
what is used of them, as numeric libraries expect it of their work areas."""

import mmap
import os

blocks = []
try:
    while True:
        blocks.append(bytearray(1 << 20))
except MemoryError:
    held = len(blocks)
    blocks.clear()
assert held > 8, held
again = [bytearray(1 << 20) for _ in range(held // 2)]
assert len(again) == held // 2
try:
    bytearray(1 << 40)
    raise AssertionError
except MemoryError:
    pass

half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
sparse = [mmap.mmap(-1, half // 2, private) for _ in range(6)]
for area in sparse:
    area[half // 3] = 1
assert [area[half // 3] for area in sparse] == [1] * 6

refused = 0
for _ in range(200):  # who cannot stop asking is told to the host
    try:
        mmap.mmap(-1, 4 * half, private)
    except OSError:
        refused += 1
assert refused == 200, refused
