"""Pools have worked before the freeze: their threads wait for work, so they are not missed."""

import threading
from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(3)
BARRIER = threading.Barrier(3)
DONE = [list(POOL.map(lambda n: BARRIER.wait() * 0 + n, range(3)))]


def main():
    DONE.append(list(POOL.map(lambda n: BARRIER.wait() * 0 + n, range(3))))
    with open("/dev/unikit/report", "w") as report:
        report.write(f"{DONE} {threading.active_count()}")


main()
