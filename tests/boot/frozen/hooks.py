"""Freezes itself, where a connection is open for a while; the hooks close and open it."""

import os
import socket

import unikit

WORDS = []


@unikit.before_freeze
def first_registered():
    WORDS.append("before 1")
    DATABASE.close()


@unikit.before_freeze
def last_registered():
    WORDS.append("before 2")


@unikit.after_thaw
def opened():
    WORDS.append("after 1")


unikit.after_thaw(lambda: WORDS.append("after 2"))

DATABASE = socket.socket()
DATABASE.bind(("127.0.0.1", 0))
DATABASE.listen()
frozen = unikit.freeze()
if os.path.exists("/dev/unikit/report"):
    with open("/dev/unikit/report", "w") as report:
        report.write(f"{frozen} {unikit.freeze()} {', '.join(WORDS)}")
