"""A signal for the process ends the wait of the first thread, whatever the thread that sent it does next."""

import os
import select
import signal
import threading
import time

main = threading.main_thread()


class Enough(Exception):
    pass


def handler(number, frame):
    raise Enough


signal.signal(signal.SIGUSR1, handler)


def send(errors, waits):
    """Sends, and is in a wait of its own before anybody else had the processor."""
    time.sleep(0.05)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        waits()
    except OSError as error:
        errors.append(error)


lock = threading.Lock()
lock.acquire()
receiving, sending = os.pipe()
WAITS = {
    "lock": lambda: lock.acquire(),
    "event": lambda: threading.Event().wait(),
    "read": lambda: os.read(receiving, 1),
    "poll": lambda: select.poll().poll(),
    "sleep": lambda: time.sleep(1000),
}
OTHERS = (lambda: time.sleep(0.2), lambda: select.select([], [], [], 0.2), lambda: threading.Event().wait(0.2))
for name, wait in WAITS.items():
    for other in OTHERS:
        errors = []
        sender = threading.Thread(target=send, args=(errors, other))
        sender.start()
        begun = time.monotonic()
        try:
            wait()
        except Enough:
            pass
        else:
            raise AssertionError(f"{name} ended without the signal")
        sender.join()
        assert not errors, (name, errors)

# One that the first thread blocks is for a thread that does not.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
taken = []
waiter = threading.Thread(target=lambda: taken.append(signal.sigwait([signal.SIGUSR2])))
waiter.start()
os.kill(os.getpid(), signal.SIGUSR2)
waiter.join(20)
assert taken == [signal.SIGUSR2]
