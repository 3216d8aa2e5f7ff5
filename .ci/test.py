"""All checks and tests, in two lanes at once: most tests wait for one emulated processor, and machines have two.

    python .ci/test.py              the checks and the tests that need no emulator | the boots and whole services
    python .ci/test.py PATH ...     the checks, then these tests

The second lane's output follows when it has ended. Every part runs even where one before it fails; the last line counts
the tests of both. Tests that mount and make network namespaces are marked `root`: for anybody else they run by sudo.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
QUICK = ("tests/unit", "tests/runtime")
BOOTS = ("tests/boot", "tests/apps")
NOTHING_SELECTED = 5  # pytest's status
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)")


def main() -> int:
    chosen = tuple(sys.argv[1:])
    counts: Counter[str] = Counter()
    failed = threading.Event()

    def tests(paths: tuple[str, ...], out: Callable[[str], object]) -> None:
        if os.geteuid() == 0 or paths == QUICK:
            session([sys.executable, "-m", "pytest", *paths], out)
            return
        session([sys.executable, "-m", "pytest", *paths, "-m", "not root"], out, may_be_empty=True)
        # of root's own: neither caches nor bytecode of the user's may be root's afterwards
        python = ["sudo", "-H", sys.executable, "-B"]
        session([*python, "-m", "pytest", "-p", "no:cacheprovider", *paths, "-m", "root"], out, may_be_empty=True)

    def session(command: list[str], out: Callable[[str], object], may_be_empty: bool = False) -> None:
        last = ""
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            out(line)
            last = line if COUNT.search(line) and line.startswith("=") else last
        for number, kind in COUNT.findall(last):
            counts["failed" if kind.startswith("error") else kind] += int(number)
        if process.wait() not in ((0, NOTHING_SELECTED) if may_be_empty else (0,)):
            failed.set()
            counts["failed"] += not COUNT.search(last)  # it did not get as far as counting

    with tempfile.TemporaryFile("w+") as kept:
        second = threading.Thread(target=tests, args=(BOOTS, kept.write))
        if not chosen:
            second.start()
        if subprocess.run(["make", "--no-print-directory", "-k", "check"], cwd=ROOT).returncode:
            failed.set()
        tests(chosen or QUICK, show)
        if not chosen:
            second.join()
            replay(kept)
    sys.stdout.flush()
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    if failed.is_set() and not counts["failed"]:
        print("the tests pass, but a check above complains")
    print(f"{counts['passed'] + counts['xfailed']} passed, {counts['failed']} failed{skipped}")
    return int(failed.is_set())


def show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def replay(kept: IO[str]) -> None:
    kept.seek(0)
    for line in kept:
        sys.stdout.write(line)


if __name__ == "__main__":
    sys.exit(main())
