"""A thread that would be the only one to go on: the main thread would not."""

import threading

import unikit


def freeze_here():
    unikit.freeze()


worker = threading.Thread(target=freeze_here)
worker.start()
worker.join()
