"""Works on what its boot gives it: arguments, environment, input, a folder of the host; or fails, as it is told."""

import ctypes
import json
import os
import sqlite3
import sys

BEFORE = [os.path.exists("/data/given"), sys.stdin.read(), sys.argv[1:], os.environ.get("WORD")]


def inner(how):
    if how == "raise":
        raise ValueError("on purpose")
    ctypes.string_at(8)


def main():
    how, *rest = sys.argv[1:]
    if how in ("raise", "fault"):
        inner(how)
    with open("/data/given") as file:
        given = file.read()
    database = sqlite3.connect("/data/database")
    database.execute("create table words (word text)")
    database.execute("insert into words values (?)", (given,))
    database.commit()
    with open("/dev/unikit/report", "w") as report:
        json.dump({"before": BEFORE, "now": [given, sys.stdin.read(), rest, os.environ["WORD"]]}, report)


if __name__ == "__main__":
    main()
