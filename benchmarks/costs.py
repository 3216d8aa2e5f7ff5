"""What systems cost beside each other: bytes shipped, guest instructions and time until the first answer, memory.

    python benchmarks/costs.py SYSTEM ... [--apps web,flask] [--runs 9] [--memory 512] [--instances 20] [--json FILE]

A SYSTEM is a folder as make_system.py writes it. Time: in every round each system boots each application once, one
after the other; printed are medians, and of what is divided by the first system's time in the same round.
Instructions are counted by a plugin of QEMU's translator (instructions.c, compiled here), in one boot each, those that
were executed and those that were translated. An application is asked when it says that it is ready.

Of the first application also: the smallest memory, in steps of 1 MiB, with which it answers 50 requests, and what each
of --instances guests that have answered adds to a QEMU whose guest does nothing: the difference of their proportional
set sizes (PSS, proc(5)), with as many of either at once. Accelerator: TCG, one processor.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import struct
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import freeze

SETTLED = 1.0  # seconds after the answer: what is still to be done for it is done
REQUESTS = 50
FEW = 30.0  # seconds that a guest with little memory may take
LEAST = 8  # MiB, too little for any of them


@dataclass
class Cost:
    """Of one system. Seconds, MiB; instructions as (executed, translated)."""

    shipped: dict[str, float] = field(default_factory=dict)
    instructions: dict[str, tuple[int, int]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    smallest: int = 0
    each: float = 0.0


def instructions(plugin: Path, system: Path, app: str, memory: int) -> tuple[int, int]:
    """Executed and translated, from power-on to the first answer."""
    with tempfile.NamedTemporaryFile() as counter:
        with freeze.answered(system, app, memory, f"-plugin file={plugin},out={counter.name}"):
            executed, translated = struct.unpack("=QQ", Path(counter.name).read_bytes())
        return executed, translated


def serves(system: Path, app: str, memory: int) -> bool:
    try:
        with freeze.answered(system, app, memory, patience=FEW) as (_, port):
            return all(freeze.asked(port) for _ in range(REQUESTS))
    except freeze.Failed:
        return False


def smallest(system: Path, app: str, memory: int) -> int:
    """MiB: bisection between what is too little and what is enough."""
    bad, good = LEAST, memory
    while good - bad > 1:
        middle = (bad + good) // 2
        good, bad = (middle, bad) if serves(system, app, middle) else (good, middle)
    return good


def pss(process: subprocess.Popen[bytes]) -> float:
    """MiB."""
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def each(system: Path, app: str, memory: int, instances: int) -> float:
    """What one of many guests adds to an empty QEMU, on average, in MiB."""
    with contextlib.ExitStack() as guests:
        running = [guests.enter_context(freeze.answered(system, app, memory))[0] for _ in range(instances)]
        time.sleep(SETTLED)
        served = statistics.mean(map(pss, running))
    with contextlib.ExitStack() as guests, tempfile.NamedTemporaryFile(suffix=".elf") as file:
        file.write(freeze.empty_guest(stays=True))
        file.flush()
        running = []
        for _ in range(instances):
            process, _ = freeze.boot(system, app, memory, f"-kernel {file.name}")
            guests.callback(process.wait)
            guests.callback(process.kill)
            running.append(process)
        time.sleep(3 * SETTLED)
        return served - statistics.mean(map(pss, running))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="+", type=Path, metavar="SYSTEM")
    parser.add_argument("--apps", default="web,flask")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--memory", type=int, default=512)
    parser.add_argument("--instances", type=int, default=20, help="0: memory is not measured")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    apps = options.apps.split(",")
    costs = {system.resolve(): Cost() for system in options.systems}
    for system, cost in costs.items():
        cost.shipped = {app: (system / f"{app}.img").stat().st_size / (1 << 20) for app in apps}
    with tempfile.TemporaryDirectory() as folder:
        plugin = Path(folder) / "instructions.so"
        source = Path(__file__).with_name("instructions.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", plugin, source], check=True)
        for system, cost in costs.items():
            cost.instructions = {app: instructions(plugin, system, app, options.memory) for app in apps}
    for _ in range(options.runs):
        for app in apps:
            for system, cost in costs.items():
                cost.seconds.setdefault(app, []).append(freeze.answer(system, app, options.memory).wall)
    for system, cost in costs.items() if options.instances else ():
        cost.smallest = smallest(system, apps[0], options.memory)
        cost.each = each(system, apps[0], options.memory, options.instances)
    show(costs, apps)
    if options.json:
        options.json.write_text(json.dumps({system.name: asdict(cost) for system, cost in costs.items()}, indent=1))


def show(costs: dict[Path, Cost], apps: list[str]) -> None:
    first = next(iter(costs.values()))
    for app in apps:
        print(f"{app}: MiB shipped, thousands of instructions executed and translated, ms until the first answer")
        for system, cost in costs.items():
            executed, translated = cost.instructions[app]
            print(
                f"  {system.name:14} {cost.shipped[app]:6.1f} {executed / 1e3:10,.0f} {translated / 1e3:8,.0f}", end=""
            )
            if took := cost.seconds.get(app):
                ratios = [t / f for t, f in zip(took, first.seconds[app], strict=True)]
                print(f" {1e3 * statistics.median(took):8.0f}  {statistics.median(ratios):.2f} times", end="")
                print(f" ({min(ratios):.2f} to {max(ratios):.2f})", end="")
            print()
    if first.smallest:
        print(f"{apps[0]}: smallest memory, PSS of each guest beyond an empty QEMU, MiB")
        for system, cost in costs.items():
            print(f"  {system.name:14} {cost.smallest:6} {cost.each:8.1f}")


if __name__ == "__main__":
    main()
