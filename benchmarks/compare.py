"""Measures our image beside a Linux guest that runs the same Python and the same application, in alternation.

    python benchmarks/compare.py [APP] [--runs 5] [--seconds 5] [--python PYTHON] [--json FILE]

APP (default examples/web) listens on port 8080 and answers GET / and a large GET /blob. Printed are medians over the
runs and the ratio of each pair. Needs wrk, and for the Linux guest lz4 and apt. Accelerator: TCG, one processor.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import linux_guest

from unikit import pipeline, progress
from unikit.vm import machine
from unikit.vm.boot import TCG_ENVIRONMENT

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 90.0
TICK = os.sysconf("SC_CLK_TCK")
MORE_IS_BETTER = {"requests/s", "blob MB/s"}


@dataclass(frozen=True)
class System:
    """A guest: its name, its QEMU command for (memory in MiB, port), and what has to be shipped."""

    name: str
    command: Callable[[int, int], list[str]]
    shipped: tuple[Path, ...]


class Failed(Exception):
    """A guest did not answer."""


def answers_http(port: int) -> bool:
    return bool(fetch(port, "/", 2.0))


@contextlib.contextmanager
def booted(
    system: System,
    memory: int,
    patience: float = PATIENCE,
    answers: Callable[[int], bool] = answers_http,
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> Iterator[tuple[int, int, float, float]]:
    """A guest that answered once: (pid, port, seconds, CPU seconds) until then. kind: of the port's sockets."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = time.monotonic()
    with tempfile.TemporaryFile() as console:
        process = subprocess.Popen(
            system.command(memory, port), stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
        )

        def failed(why: object) -> Failed:
            status = process.poll()
            state = "runs" if status is None else f"ended with {status}"
            console.seek(max(console.seek(0, os.SEEK_END) - 2000, 0))
            text = console.read().decode(errors="replace")
            return Failed(f"{system.name} with {memory} MiB: {why}; QEMU {state}; its console ends:\n{text}")

        try:
            while True:
                if process.poll() is not None or time.monotonic() - start > patience:
                    raise failed("no answer")
                try:
                    if answers(port):
                        break
                except (OSError, http.client.HTTPException):
                    time.sleep(0.005)
            try:
                yield process.pid, port, time.monotonic() - start, cpu(process.pid)
            except OSError as error:
                raise failed(error) from error
        finally:
            process.kill()
            process.wait()


def fetch(port: int, path: str, timeout: float = 30.0) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(pid: int) -> float:
    """MiB."""
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def load(url: str, seconds: int, connections: int) -> float:
    """Requests a second, by wrk; raises Failed if any was answered wrongly."""
    line = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", url]
    text = subprocess.run(line, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
    match = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not match or "Non-2xx" in text:
        raise Failed(text)
    return float(match[1])


def measure(system: System, memory: int, seconds: int, big: str) -> dict[str, float]:
    with booted(system, memory) as (pid, port, wall, spent):
        values = {"first answer s": wall, "first answer CPU s": spent}
        size = len(fetch(port, big))
        values["resident MiB"] = resident(pid)
        before = cpu(pid)
        start = time.monotonic()
        values["requests/s"] = load(f"http://127.0.0.1:{port}/", seconds, 64)
        values["CPU us/request"] = (cpu(pid) - before) / (values["requests/s"] * (time.monotonic() - start)) * 1e6
        values["blob MB/s"] = load(f"http://127.0.0.1:{port}{big}", seconds, 4) * size / 1e6
    return values


def smallest(system: System) -> int:
    """The smallest memory in MiB, in steps of 4, with which the guest answers fifty requests."""

    def works(memory: int) -> bool:
        try:
            with booted(system, memory, patience=30.0) as (_, port, _, _):
                return all(fetch(port, "/") for _ in range(50))
        except (Failed, OSError, http.client.HTTPException):
            return False

    low, high = 8, 256
    while high - low > 4:
        middle = (low + high) // 8 * 4
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def systems(app: str, python: str | None, work: Path, port: int = 8080, protocol: str = "tcp") -> list[System]:
    """Both guests with the application, their files in `work`; port, protocol: what the application listens on."""
    build = pipeline.run(pipeline.Request(app, python), progress.choose())
    image = shutil.copyfile(build.values["image"].path, work / "app.img")
    profile = machine.load(machine.DEFAULT)
    append = machine.encode([("env", f"{key}={value}") for key, value in TCG_ENVIRONMENT.items()])

    def forward(host: int) -> str:
        return f"{protocol}:127.0.0.1:{host}-:{port}"

    def ours(memory: int, host: int) -> list[str]:
        return [
            *("qemu-system-x86_64", "-machine", profile.machine, "-accel", "tcg", "-cpu", "max", "-smp", "1"),
            *("-m", f"{memory}M", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-serial", "stdio", "-kernel", str(image), "-append", append),
            *("-netdev", f"user,id=net,hostfwd={forward(host)}"),
            *("-device", profile.virtio("net", "netdev=net")),
        ]

    shipped = linux_guest.make(build.values["prune"], work)
    return [
        System("unikit", ours, (image,)),
        System("linux", lambda memory, host: linux_guest.command(work, memory, forward(host)), tuple(shipped)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("app", nargs="?", default=str(ROOT / "examples/web"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="length of each load")
    parser.add_argument("--big", default="/blob", help="path of a large answer")
    parser.add_argument("--memory", type=int, default=256, help="MiB")
    parser.add_argument("--python")
    parser.add_argument("--json", type=Path, help="write all samples here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pair = systems(options.app, options.python, Path(folder))
        samples: dict[str, list[dict[str, float]]] = {system.name: [] for system in pair}
        for run in range(options.runs):
            for system in pair:
                samples[system.name].append(measure(system, options.memory, options.seconds, options.big))
                print(f"run {run + 1}: {system.name} done", flush=True)
        fixed = {
            s.name: {
                "smallest memory MiB": float(smallest(s)),
                "shipped MiB": sum(path.stat().st_size for path in s.shipped) / (1 << 20),
            }
            for s in pair
        }
    if options.json:
        options.json.write_text(json.dumps({"samples": samples, "fixed": fixed}, indent=1))
    print_table(samples, fixed)


def print_table(samples: dict[str, list[dict[str, float]]], fixed: dict[str, dict[str, float]]) -> None:
    ours, theirs = samples["unikit"], samples["linux"]
    print(f"\n{'median (TCG, 1 CPU)':<22}{'unikit':>10}{'linux':>10}{'ratio':>8}   ratio of each pair")
    for key in ours[0]:
        ratios = [a[key] / b[key] for a, b in zip(ours, theirs, strict=True)]
        one, two = (statistics.median(sample[key] for sample in values) for values in (ours, theirs))
        mark = "more is better" if key in MORE_IS_BETTER else ""
        each = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{key:<22}{one:>10.2f}{two:>10.2f}{statistics.median(ratios):>8.2f}   {each} {mark}")
    for key, one in fixed["unikit"].items():
        two = fixed["linux"][key]
        print(f"{key:<22}{one:>10.1f}{two:>10.1f}{one / two:>8.2f}")


if __name__ == "__main__":
    main()
