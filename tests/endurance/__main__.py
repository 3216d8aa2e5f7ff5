"""`python -m tests.endurance [APP ...] [--seconds 600]`: services with two databases under full load, memory watched.

Each application of tests/endurance/apps writes, reads, changes and removes notes in sqlite (a folder of the host)
and in PostgreSQL (on the host), asked by clients that check every answer. A run fails if an answer is wrong or late, if
a connection breaks, or if the guest's memory grows after the warm-up. Prints a row of a table for each. Accelerator:
TCG.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.endurance import measure
from tests.host import postgres

ALLOWED = 2.0  # MiB that the memory in use may be larger at the end
COLUMNS = ("application", "seconds", "answers", "answers/s", "errors", "longest, s", "MiB after warm-up", "at the end",
           "most", "flat")  # fmt: skip


def main() -> int:
    names = sorted(p.name for p in measure.APPS.iterdir())
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("apps", nargs="*", default=names, help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=600.0, help="of full load after the warm-up (600)")
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds before memory counts (60)")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds between looks at the memory (5)")
    parser.add_argument("--memory", type=int, default=256, help="of the guest, in MiB (256)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter whose packages are used")
    parser.add_argument("--samples", type=Path, help="a file for all samples, JSON")
    options = parser.parse_args()
    print("| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|", sep="\n", flush=True)
    bad = 0
    kept = {}
    with postgres.server() as database:
        for name in options.apps:
            with (
                tempfile.TemporaryDirectory() as folder,
                measure.service(name, options.python, database, Path(folder), options.memory) as guest,
            ):
                result = measure.run(guest, options.seconds, options.interval, options.warm_up)
                status = guest.stop()
            outcome = result.outcome
            flat = result.growth <= ALLOWED
            third = max(1, (len(result.samples) - result.warm) // 3)
            row = [
                name, f"{outcome.seconds:.0f}", f"{outcome.answers:,}", f"{outcome.answers / outcome.seconds:.0f}",
                len(outcome.errors), f"{outcome.longest:.1f}", f"{result.used(slice(0, third)):.1f}",
                f"{result.used(slice(-third, None)):.1f}", f"{max(s.high for s in result.samples) / measure.MIB:.1f}",
                "yes" if flat else "NO",
            ]  # fmt: skip
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
            kept[name] = [vars(s) for s in result.samples]
            if outcome.errors or not flat or status not in (0, 143):
                bad += 1
                print(*outcome.errors[:5], f"status {status}", guest.console()[-4000:], sep="\n", file=sys.stderr)
    if options.samples:
        options.samples.write_text(json.dumps(kept))
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
