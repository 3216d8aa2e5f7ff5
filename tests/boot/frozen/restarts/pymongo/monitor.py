"""Two threads at rest, each in its way; they begin anew after a fork."""

import os
import threading
import time

TOLD = []
EVENT = threading.Event()


def sleeps():
    TOLD.append(f"sleeps {os.getpid()}")
    time.sleep(3600)


def waits():
    TOLD.append(f"waits {os.getpid()}")
    EVENT.wait()
    TOLD.append("woken")


def begin():
    threads = [threading.Thread(target=each, daemon=True) for each in (sleeps, waits)]
    for thread in threads:
        thread.start()
    return threads
