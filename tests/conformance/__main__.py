"""`python -m tests.conformance run`: CPython's own tests in a guest and on this machine; `report` writes the document.

A series takes hours under emulation. It goes on where it was stopped: what a run finds is kept in the cache, module by
module, and `--minutes` ends a slice.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time
from pathlib import Path

from tests.conformance import document, image, modules
from tests.conformance.results import Results, run
from tests.conformance.sides import GuestSide, HostSide, Side
from tests.images import SYSTEM_PYTHON
from unikit import cache
from unikit.analysis import interpreter

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("what", choices=["run", "report", "list"])
    parser.add_argument("modules", nargs="*", help="patterns; default: all that have no result yet")
    parser.add_argument("--python", default=SYSTEM_PYTHON)
    parser.add_argument("--side", choices=["host", "guest", "frozen", "both"], default="both")
    parser.add_argument("--again", action="store_true", help="run also what has a result")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no run after this time")
    parser.add_argument("--deadline", type=float, default=90.0, help="seconds that a case may take")
    chosen = parser.parse_intermixed_args()
    python = interpreter.probe(chosen.python)
    names, left = modules.known(image.testsuite(python))
    if chosen.modules:
        names = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in chosen.modules)]
    if chosen.what == "list":
        print("\n".join(names))
        return 0
    version = ".".join(map(str, python.version))
    found = {side: Results(cache.folder("conformance") / f"{side}-{version}.json") for side in SIDES}
    if chosen.what == "report":
        DOCUMENT.write_text(document.write(version, found["host"], found["guest"], found["frozen"], left))
        return 0
    end = time.monotonic() + chosen.minutes * 60
    for side in sides(chosen.side, chosen.python, chosen.deadline):
        results = found[side.name]
        todo = [name for name in names if chosen.again or name not in results.modules]
        while todo and time.monotonic() < end:
            run(side, todo[:SLICE], results, lambda text: print(text, flush=True))
            todo = todo[SLICE:]
    return 0


SIDES = ("host", "guest", "frozen")
SLICE = 8


def sides(which: str, python: str, deadline: float) -> list[Side]:
    logs = cache.folder("conformance")
    chosen: list[Side] = []
    if which in ("host", "both"):
        chosen.append(HostSide("host", deadline, 3600, logs / "host.log", python))
    if which in ("guest", "both"):
        chosen.append(GuestSide("guest", deadline, 3600, logs / "guest.log", image.build(python)))
    if which == "frozen":
        chosen.append(GuestSide("frozen", deadline, 3600, logs / "frozen.log", image.build(python, freeze=True)))
    return chosen


if __name__ == "__main__":
    sys.exit(main())
