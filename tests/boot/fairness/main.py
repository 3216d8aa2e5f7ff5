"""A thread that computes without end does not starve the others, nor do many that poll starve it."""

import sys
import threading
import time

ROUNDS = 100
POLLERS = 24
stop = False


def compute() -> None:
    n = 1
    while not stop:
        n = n * 1103515245 + 12345 & 0x7FFFFFFF


def sleepers_are_on_time() -> bool:
    global stop
    thread = threading.Thread(target=compute)
    thread.start()
    late = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        time.sleep(0.01)
        late.append(time.monotonic() - began)
    stop = True
    thread.join()
    late.sort()
    worst = late[int(ROUNDS * 0.99) - 1]
    print(f"sleep(0.01): median {late[ROUNDS // 2] * 1e3:.1f} ms, 99 % below {worst * 1e3:.1f} ms")
    return worst < 0.020


def poll() -> None:
    while not stop:
        time.sleep(0)


def polling_costs_little() -> bool:
    """The part of the CPU's time that one thread gets which computes while the others look whether it is done."""
    global stop
    stop = False
    threads = [threading.Thread(target=poll) for _ in range(POLLERS)]
    for thread in threads:
        thread.start()
    all_before, own_before = time.process_time(), time.thread_time()
    n = 1
    for _ in range(100_000):
        n = n * 1103515245 + 12345 & 0x7FFFFFFF
    part = (time.thread_time() - own_before) / (time.process_time() - all_before)
    stop = True
    for thread in threads:
        thread.join()
    print(f"beside {POLLERS} threads that poll with sleep(0): {part * 100:.0f} % of the CPU")
    return part > 0.5


def main() -> int:
    return 0 if sleepers_are_on_time() & polling_costs_little() else 1


sys.exit(main())
