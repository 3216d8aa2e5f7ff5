"""Boots one frozen image again and again, on every machine profile and with little and much memory.

    python benchmarks/boots.py IMAGE [--boots 200] [--memory 48,512,6144] [--port 8080]

IMAGE answers GET / on its port. Each boot is asked once, from its first moment; then the guest is ended. Whatever does
not answer with 200 within a minute is a failure and is told with its console. Printed are the medians of the wall time
until the answer. Ends with 1 if a boot failed.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import statistics
import sys
import time
from pathlib import Path

from unikit.image import image
from unikit.testing import guest
from unikit.vm import machine

PATIENCE = 60.0


def answer(port: int) -> int:
    """The status of GET /, as soon as there is one."""
    end = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            if time.monotonic() > end:
                raise
            time.sleep(0.002)
        finally:
            connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--boots", type=int, default=200)
    parser.add_argument("--memory", default="48,512,6144", help="MiB")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    made = image.read(options.image)
    kinds = list(itertools.product(machine.names(), [int(size) for size in options.memory.split(",")]))
    times: dict[tuple[str, int], list[float]] = {kind: [] for kind in kinds}
    failed = 0
    for number, (profile, memory) in zip(range(options.boots), itertools.cycle(kinds), strict=False):
        start = time.monotonic()
        with guest.boot(made, memory=memory, profile=profile, ports=[options.port]) as running:
            try:
                status = answer(running.port(options.port))
            except (OSError, http.client.HTTPException) as error:
                status = 0
                print(f"boot {number}, {profile}, {memory} MiB: {error}\n{running.console()}", file=sys.stderr)
            times[profile, memory].append(time.monotonic() - start)
        failed += status != 200
    for (profile, memory), took in times.items():
        if took:
            print(f"{profile:8} {memory:5} MiB: {len(took)} boots, {1e3 * statistics.median(took):.0f} ms")
    print(f"{options.boots - failed} of {options.boots} answered")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
