"""The network examples in our guest and in a Linux guest with the same Python and files, in alternation.

    python benchmarks/network.py [dns ntp openflow tls] [--runs 3] [--seconds 5] [--python PYTHON] [--limit 1.2]

Printed are what each answers a second and the ratio of each pair, the CPU time for an answer beside it; the status is 1
if the median ratio of one is below the limit. Needs dnsperf, wrk, openssl, what compare.py needs, and a Python with the
examples' packages. Accelerator: TCG, one processor.
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import compare
import openflow_peer

EXAMPLES = compare.ROOT / "examples"
UNDER_WAY = 20  # questions that wait for their answers, of DNS and NTP
QUESTIONS = "web.example.test A\nwww.example.test A\nexample.test MX\nmissing.example.test A\n"
DNS_QUESTION = bytes.fromhex("12340100000100000000000003776562076578616d706c6504746573740000010001")
NTP_QUESTION = bytes([0x23]) + bytes(47)  # version 4, client (RFC 5905, section 7.3)


def answers_to(question: bytes) -> Callable[[int], bool]:
    def answers(port: int) -> bool:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(1.0)
            sock.connect(("127.0.0.1", port))
            sock.send(question)
            return bool(sock.recv(2000))

    return answers


def answers_switch(port: int) -> bool:
    openflow_peer.Switch(port, 2.0).close()
    return True


def answers_tls(port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 2.0) as sock, context.wrap_socket(sock):
        return True


def dns(port: int, seconds: int) -> float:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(QUESTIONS)
        file.flush()
        line = [
            "dnsperf",
            "-s",
            "127.0.0.1",
            "-p",
            str(port),
            "-d",
            file.name,
            "-l",
            str(seconds),
            "-q",
            str(UNDER_WAY),
        ]
        text = subprocess.run(line, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
    rate, lost = re.search(r"Queries per second:\s+([\d.]+)", text), re.search(r"Queries lost:\s+(\d+)", text)
    if not rate or not lost or int(lost[1]):
        raise compare.Failed(text)
    return float(rate[1])


def ntp(port: int, seconds: int) -> float:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(5.0)
        for _ in range(UNDER_WAY):
            sock.send(NTP_QUESTION)
        start, count = time.monotonic(), 0
        while (passed := time.monotonic() - start) < seconds:
            sock.recv(100)
            count += 1
            sock.send(NTP_QUESTION)
    return count / passed


def certified(work: Path) -> Path:
    """The TLS example with a certificate among its files: the Linux guest has no folder of the host."""
    app = work / "tls"
    shutil.copytree(EXAMPLES / "tls", app)
    (app / "pyproject.toml").write_text(
        '[project]\nname = "tls"\nversion = "1"\n[tool.unikit]\ninclude = ["site/*", "server.*"]\nports = [443]\n'
        'environment = { CERTIFICATE = "server.pem", KEY = "server.key" }\n'
    )
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-keyout", str(app / "server.key"), "-out", str(app / "server.pem"), "-subj", "/CN=tls.test"]
    subprocess.run([*line, *names], capture_output=True, timeout=60, check=True)
    return app


@dataclass(frozen=True)
class Service:
    """port: the guest's; answers(port) and load(port, seconds) -> answers a second: of the host's."""

    counted: str
    protocol: str
    port: int
    answers: Callable[[int], bool]
    load: Callable[[int, int], float]


SERVICES = {
    "dns": Service("queries", "udp", 53, answers_to(DNS_QUESTION), dns),
    "ntp": Service("replies", "udp", 123, answers_to(NTP_QUESTION), ntp),
    "openflow": Service(
        "flow-mods", "tcp", 6653, answers_switch, lambda port, seconds: openflow_peer.flow_mods(port, seconds, 64)
    ),
    "tls": Service(
        "requests",
        "tcp",
        443,
        answers_tls,
        lambda port, seconds: compare.load(f"https://127.0.0.1:{port}/", seconds, 16),
    ),
}


def measure(service: Service, system: compare.System, memory: int, seconds: int) -> tuple[float, float]:
    """Answers a second, and microseconds of CPU time for each."""
    kind = socket.SOCK_DGRAM if service.protocol == "udp" else socket.SOCK_STREAM
    with compare.booted(system, memory, answers=service.answers, kind=kind) as (pid, port, _, _):
        service.load(port, 1)  # what is translated once is translated
        spent, start = compare.cpu(pid), time.monotonic()
        rate = service.load(port, seconds)
        return rate, (compare.cpu(pid) - spent) / (rate * (time.monotonic() - start)) * 1e6


def pairs(name: str, options: argparse.Namespace) -> float:
    """Measures and prints one service; the median ratio."""
    service = SERVICES[name]
    ratios, costs = [], []
    with tempfile.TemporaryDirectory() as folder:
        app = certified(Path(folder)) if name == "tls" else EXAMPLES / name
        ours, theirs = compare.systems(str(app), options.python, Path(folder), service.port, service.protocol)
        sizes = [sum(path.stat().st_size for path in system.shipped) / 1e6 for system in (ours, theirs)]
        print(f"\n{name}: {sizes[0]:.1f} MB, Linux {sizes[1]:.1f} MB; {service.counted}/s, us of CPU time for each")
        for _ in range(options.runs):
            (rate, cost), (linux, linux_cost) = (
                measure(service, system, options.memory, options.seconds) for system in (ours, theirs)
            )
            ratios.append(rate / linux)
            costs.append(cost / linux_cost)
            print(
                f"  unikit {rate:8.0f} {cost:6.0f}   linux {linux:8.0f} {linux_cost:6.0f}"
                f"   ratio {ratios[-1]:.2f} {costs[-1]:.2f}",
                flush=True,
            )
    print(
        f"{name}: median ratio {statistics.median(ratios):.2f}, of CPU time {statistics.median(costs):.2f}", flush=True
    )
    return statistics.median(ratios)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=" ".join(SERVICES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="length of each load")
    parser.add_argument("--memory", type=int, default=256, help="MiB")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--limit", type=float, default=1.2)
    options = parser.parse_args()
    if unknown := set(options.services) - set(SERVICES):
        parser.error(f"no service {', '.join(sorted(unknown))}: there are {', '.join(SERVICES)}")
    low = [name for name in options.services or SERVICES if pairs(name, options) < options.limit]
    if low:
        print(f"below {options.limit}: {', '.join(low)}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
