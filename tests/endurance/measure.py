"""One service under load, with its memory looked at meanwhile."""

from __future__ import annotations

import contextlib
import statistics
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.endurance import client
from tests.guest import Guest, start
from unikit.vm.machine import Volume

APPS = Path(__file__).parent / "apps"
DATABASES = ("sqlite", "postgres")
MIB = 1 << 20
AUTHORS = 8  # clients for each database


@dataclass(frozen=True)
class Sample:
    """Bytes: memory that the guest uses, the most that it ever used, the resident size of QEMU."""

    used: int
    high: int
    resident: int


@dataclass(frozen=True)
class Result:
    """What a run showed; sizes in MiB."""

    outcome: client.Outcome
    samples: list[Sample]
    warm: int  # samples of the warm-up

    def used(self, part: slice) -> float:
        """The median over some of the samples after the warm-up; over all samples where the load broke off before."""
        return statistics.median(s.used for s in (self.samples[self.warm :] or self.samples)[part]) / MIB

    @property
    def growth(self) -> float:
        """Between the medians of the first and the last third of what follows the warm-up."""
        third = max(1, (len(self.samples) - self.warm) // 3)
        return self.used(slice(-third, None)) - self.used(slice(0, third))


@contextlib.contextmanager
def service(name: str, python: str, postgres: str, folder: Path, memory: int = 256) -> Iterator[Guest]:
    """The image of an application, booted, with `folder` of the host as /data."""
    guests = start(
        APPS / name,
        memory=memory,
        ports=[8080],
        python=python,
        environment={"POSTGRES": postgres},
        volumes=[Volume(folder, "/data")],
    )
    with guests as guest:
        guest.wait_listening(8080)
        yield guest


def sample(guest: Guest) -> Sample:
    memory = guest.memory()
    status = Path(f"/proc/{guest.process.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return Sample(memory["total"] - memory["free"], memory["high"], resident << 10)


def run(guest: Guest, seconds: float, interval: float, warm_up: float) -> Result:
    """Full load for some seconds after the warm-up, sampled at an interval (seconds)."""
    samples: list[Sample] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(interval):
            samples.append(sample(guest))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        outcome = client.load(guest.port(8080), DATABASES, AUTHORS, warm_up + seconds)
    finally:
        over.set()
        watcher.join()
        samples.append(sample(guest))
    return Result(outcome, samples, round(warm_up / interval))
