"""Fills memory after the thaw: all of it is there, whatever it was when the image was made."""

import os

KEPT = {i: bytes([i]) * 5000 for i in range(256)}  # some of it is frozen, with gaps
for i in range(0, 256, 3):
    del KEPT[i]


def free():
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable")) >> 10


def main():
    assert all(value == bytes([i]) * 5000 for i, value in KEPT.items())
    wanted = int(os.environ["FREE"])
    assert free() >= wanted, f"{free()} MiB are free, {wanted} should be"
    pages = [bytes([i % 256]) * (1 << 20) for i in range(min(wanted - 2, 64))]
    assert all(page.count(i % 256) == 1 << 20 for i, page in enumerate(pages))
    assert all(value == bytes([i]) * 5000 for i, value in KEPT.items())


main()
