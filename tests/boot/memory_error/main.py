"""Running out of memory is a MemoryError, and the program goes on after it."""

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
