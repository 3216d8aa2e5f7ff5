"""Threads of a package run that it starts again after a fork."""

import os
import threading
import time

from pymongo import monitor

BEFORE = os.getpid()
OLD = monitor.begin()
NEW = []
os.register_at_fork(after_in_child=lambda: NEW.extend(monitor.begin()))
while len(monitor.TOLD) < 2:
    time.sleep(0.001)


def main():
    now = os.getpid()
    assert now != BEFORE and not any(thread.is_alive() for thread in OLD)
    while len(monitor.TOLD) < 4:
        time.sleep(0.001)
    monitor.EVENT.set()
    NEW[1].join(60)
    assert monitor.TOLD[2:] == [f"sleeps {now}", f"waits {now}", "woken"], monitor.TOLD
    with open("/dev/unikit/report", "w") as report:
        report.write(f"{threading.active_count()} {len(os.listdir('/proc/self/task'))}")


if __name__ == "__main__":
    main()
