"""A thread that waits is running when the program would be frozen."""

import threading

waiting = threading.Event()


def wait_for_work():
    waiting.wait()


threading.Thread(target=wait_for_work, name="worker", daemon=True).start()


def main():
    waiting.set()


main()
