"""The network examples, asked by the clients that everybody has, and by some that nobody wants (malformed.py)."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.apps import malformed
from tests.apps.malformed import MIB, PATIENCE
from tests.guest import Guest, start, stopped_for
from unikit.vm.machine import Volume

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def said(*command: str, status: int | None = 0) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert status is None or done.returncode == status, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def datagrams(guest: Guest) -> int:
    """The host's UDP port that leads to the guest."""
    return next(f.host for f in guest.options.forwards if f.protocol == "udp")


def until(what: str, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE:g} s"
        time.sleep(0.1)


@pytest.fixture
def survives(record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Callable[..., None]:
    """survives(guest, attack, seeds, allowed): memory stays flat under malformed packets. What came of it is told."""

    def attacked(guest: Guest, attack: malformed.Attack, seeds: list[bytes], allowed: int = MIB) -> None:
        report = malformed.flat_under(guest, attack, seeds, allowed)
        record_property("malformed", report)
        print(f"\n{request.node.name}: {report}")

    return attacked


@pytest.fixture(scope="module")
def dns() -> Iterator[Guest]:
    with start(EXAMPLES / "dns", memory=64, ports=[53], udp=[53], python=sys.executable) as guest:
        guest.wait_console("on port 53")
        yield guest
        assert guest.stop() == 0 and "Traceback" not in guest.console(), guest.console()


def dig(guest: Guest, *question: str) -> str:
    port = guest.port(53) if "+tcp" in question else datagrams(guest)
    return said("dig", "@127.0.0.1", "-p", str(port), "+tries=5", "+timeout=10", *question)


def test_dns_answers_dig(dns: Guest) -> None:
    assert dig(dns, "+short", "web.example.test", "A") == "192.0.2.80\n"
    assert dig(dns, "+short", "WEB.Example.test", "AAAA") == "2001:db8::80\n"
    assert dig(dns, "+short", "www.example.test", "A") == "example.test.\n192.0.2.1\n"
    assert dig(dns, "+tcp", "+short", "example.test", "MX") == "10 mail.example.test.\n"
    for name, status in (
        ("nothing.example.test", "NXDOMAIN"),
        ("example.org", "REFUSED"),
        ("below.example.test", "NOERROR"),
    ):
        assert f"status: {status}" in dig(dns, name), name
    whole, cut = dig(dns, "large.example.test", "TXT"), dig(dns, "+noedns", "+ignore", "large.example.test", "TXT")
    assert whole.count("3600\tIN\tTXT") == 3 and "tc" not in flags(whole)
    assert "tc" in flags(cut) and "aa" in flags(cut)
    assert "status: NOTIMP" in dig(dns, "+opcode=notify", "example.test", "SOA")


def flags(answer: str) -> list[str]:
    found = re.search(r"^;; flags: ([a-z ]+);", answer, re.M)
    assert found, answer
    return found[1].split()


def test_dns_loses_no_query_of_dnsperf(dns: Guest, tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    questions = tmp_path / "questions"
    questions.write_text("web.example.test A\nwww.example.test A\nexample.test MX\nmissing.example.test A\n")
    text = said("dnsperf", "-s", "127.0.0.1", "-p", str(datagrams(dns)), "-d", str(questions), "-l", "2", "-q", "20",
                "-t", "30")  # fmt: skip
    lost, rate = re.search(r"Queries lost:\s+(\d+)", text), re.search(r"Queries per second:\s+([\d.]+)", text)
    assert lost and rate and int(lost[1]) == 0, text
    record_property("queries_per_second", float(rate[1]))


def test_dns_and_malformed_packets(dns: Guest, survives: Callable[..., None]) -> None:
    question = bytes.fromhex("1234 0100 0001 0000 0000 0000 03776562 076578616d706c65 0474657374 00 0001 0001")
    edns = question[:10] + b"\0\1" + question[12:] + bytes.fromhex("00 0029 04d0 0000 0000 0000")
    too_long = question[:12] + bytes([80]) + bytes(range(80)) + question[-5:]  # a label has 63 bytes at most
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.sendto(too_long, ("127.0.0.1", datagrams(dns)))
        assert sock.recv(512) == too_long[:2] + b"\x81\1" + bytes(8), "format error"
    survives(dns, malformed.datagrams(datagrams(dns)), [question, edns])
    survives(
        dns,
        malformed.connections(dns.port(53), lambda packet: struct.pack("!H", len(packet)) + packet),
        [question, edns],
    )
    for sent in (b"\0", b"\0\5hello", b"\xff\xff" + b"x" * 65535, struct.pack("!H", len(question)) + question[:-3]):
        with socket.create_connection(("127.0.0.1", dns.port(53)), timeout=PATIENCE) as sock:
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while sock.recv(4096):
                    pass
    assert dig(dns, "+short", "web.example.test", "A") == "192.0.2.80\n"


def test_dns_after_the_host_was_suspended(dns: Guest) -> None:
    stopped_for(dns.process, 2)
    assert dig(dns, "+short", "web.example.test", "A") == "192.0.2.80\n"


NTP_QUESTION = bytes([0x23]) + bytes(39) + b"question"


def test_ntp_and_malformed_packets(survives: Callable[..., None]) -> None:
    """chronyd measures the guest's clock; it is the host's, to what a busy machine lets be measured."""
    with start(EXAMPLES / "ntp/ntp.py", memory=48, udp=[123]) as guest:
        guest.wait_console("on port 123")
        port = datagrams(guest)
        text = said(
            "/usr/sbin/chronyd", "-Q", "-t", "60", f"server 127.0.0.1 port {port} iburst maxsamples 2 maxdelay 10"
        )
        wrong = re.search(r"System clock wrong by (-?[\d.]+) seconds", text)
        assert wrong and abs(float(wrong[1])) < 0.1, text
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", port))
            sock.settimeout(PATIENCE)
            sock.send(NTP_QUESTION)
            answer = sock.recv(100)
        assert answer[0] == 0x24 and answer[24:32] == b"question" and len(answer) == 48
        survives(guest, malformed.datagrams(port), [NTP_QUESTION, answer])
        assert "wrong by" in said(
            "/usr/sbin/chronyd", "-Q", "-t", "60", f"server 127.0.0.1 port {port} iburst maxsamples 1"
        )
        assert guest.stop() == 143 and "Traceback" not in guest.console(), guest.console()


def certificate(folder: Path, name: str) -> None:
    """A key and a certificate of its own for `name`, as the server reads them."""
    said("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", str(folder / "server.key"), "-out", str(folder / "server.pem"), "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}")  # fmt: skip


def fetch(port: int, authority: Path, name: str, *options: str, status: int | None = 0) -> str:
    where = ["--resolve", f"{name}:{port}:127.0.0.1", f"https://{name}:{port}/"]
    return said("curl", "-sS", "--max-time", "60", "--cacert", str(authority), *options, *where, status=status)


def test_tls_and_malformed_packets(tmp_path: Path, survives: Callable[..., None]) -> None:
    """The certificate lies on the host, and is renewed there; who does not trust it gets nothing."""
    served, old = tmp_path / "certs", tmp_path / "old.pem"
    served.mkdir()
    certificate(served, "one.test")
    old.write_bytes((served / "server.pem").read_bytes())
    with start(EXAMPLES / "tls", memory=96, ports=[443], volumes=[Volume(served, "/certs", read_only=True)]) as guest:
        guest.wait_listening(443)
        port = guest.port(443)
        assert "over TLS" in fetch(port, old, "one.test")
        assert "HTTP/1.1 404" in fetch(
            port, old, "one.test", "-I", "--path-as-is", "--request-target", "/../__main__.py"
        )
        assert "no alternative certificate subject name" in fetch(port, old, "other.test", status=60)
        assert "self-signed certificate" in said("curl", "-sS", f"https://127.0.0.1:{port}", status=60)
        said("curl", "-sS", f"http://127.0.0.1:{port}", status=None)
        with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            weak = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            weak.check_hostname, weak.verify_mode = False, ssl.CERT_NONE
            weak.set_ciphers("AES128-SHA:@SECLEVEL=0")
            weak.maximum_version = ssl.TLSVersion.TLSv1_2
            weak.wrap_socket(sock)
        text = said("wrk", "-c", "8", "-t", "1", "-d", "2", f"https://127.0.0.1:{port}/")
        assert re.search(r"^Requests/sec: +[1-9]", text, re.M) and "Non-2xx" not in text, text

        certificate(served, "two.test")
        guest.command(f"signal {int(signal.SIGHUP)}")
        guest.wait_console("was read again")
        assert "over TLS" in fetch(port, served / "server.pem", "two.test")
        assert fetch(port, old, "one.test", status=60)
        (served / "server.key").write_text("no key")
        guest.command(f"signal {int(signal.SIGHUP)}")
        guest.wait_console("stays as it was")

        hello = bytes.fromhex("16030100500100004c0303") + bytes(32) + bytes.fromhex("0000021301010000") + bytes(33)
        survives(guest, malformed.connections(port), [hello, b"GET / HTTP/1.1\r\n\r\n"])
        assert "over TLS" in fetch(port, served / "server.pem", "two.test")
        assert guest.stop() == 0 and "Traceback" not in guest.console(), guest.console()


@contextlib.contextmanager
def open_vswitch(folder: Path, port: int) -> Iterator[Callable[..., str]]:
    """Open vSwitch in this process's user space, with a bridge of two dummy ports that a controller directs.

    Gives its tools: ovs("ovs-vsctl", ...)."""
    database, control = folder / "db.sock", folder / "vswitchd.ctl"
    environment = os.environ | {"OVS_RUNDIR": str(folder), "OVS_LOGDIR": str(folder), "OVS_DBDIR": str(folder)}
    said("ovsdb-tool", "create", str(folder / "conf.db"), "/usr/share/openvswitch/vswitch.ovsschema")
    commands = [
        ["ovsdb-server", str(folder / "conf.db"), f"--remote=punix:{database}", "--no-chdir"],
        [
            "/usr/sbin/ovs-vswitchd",
            f"unix:{database}",
            "--enable-dummy=override",
            "--disable-system",
            f"--unixctl={control}",
        ],
    ]
    processes = []

    def ovs(tool: str, *arguments: str) -> str:
        target = {"ovs-vsctl": [f"--db=unix:{database}", "--timeout=60"], "ovs-appctl": ["-t", str(control)],
                  "ovs-ofctl": ["-O", "OpenFlow13"]}[tool]  # fmt: skip
        return said(tool, *target, *arguments)

    try:
        for command in commands:
            processes.append(
                subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            until("the database's socket", database.exists)
            if len(processes) == 1:
                ovs("ovs-vsctl", "--no-wait", "init")
        bridge = (
            "add-br br0 -- set bridge br0 datapath_type=dummy protocols=OpenFlow13 fail_mode=secure"
            " -- add-port br0 p1 -- set Interface p1 type=dummy ofport_request=1"
            " -- add-port br0 p2 -- set Interface p2 type=dummy ofport_request=2"
            f" -- set-controller br0 tcp:127.0.0.1:{port}"
        )
        ovs("ovs-vsctl", *bridge.split())
        yield ovs
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def test_openflow_directs_open_vswitch_and_malformed_packets(tmp_path: Path, survives: Callable[..., None]) -> None:
    with start(EXAMPLES / "openflow", memory=160, ports=[6653], python=sys.executable) as guest:
        guest.wait_listening(6653)
        with open_vswitch(tmp_path, guest.port(6653)) as ovs:

            def flows() -> str:
                return ovs("ovs-ofctl", "dump-flows", str(tmp_path / "br0.mgmt"))

            def frame(port: int, source: str, to: str) -> None:
                ovs("ovs-appctl", "netdev-dummy/receive", f"p{port}",
                    f"in_port({port}),eth(src={source},dst={to}),eth_type(0x1234)")  # fmt: skip

            until("the first flow", lambda: "actions=CONTROLLER" in flows())
            one, two = "02:00:00:00:00:01", "02:00:00:00:00:02"

            def learned() -> bool:
                frame(1, one, two)
                frame(2, two, one)
                return f"dl_src={two},dl_dst={one}" in flows() and f"dl_src={one},dl_dst={two}" in flows()

            until("a flow of the two stations", learned)
            hello = bytes.fromhex("0400000800000001")
            packet_in = bytes.fromhex("040a002a00000002ffffffff000000000000000000000000") + bytes(40)
            seeds = [hello, hello + packet_in, b"\4\2\0\x08\0\0\0\1"]
            before = malformed.used(guest)
            # a switch that is gone costs three threads until nothing answers the next question whether it is there
            survives(guest, malformed.connections(guest.port(6653)), seeds, allowed=24 * MIB)
            until("the memory of switches that are gone", lambda: malformed.used(guest) < before + 12 * MIB)
            three = "02:00:00:00:00:03"

            def learned_again() -> bool:
                frame(1, one, three)
                frame(2, three, one)
                return f"dl_src={three},dl_dst={one}" in flows()

            until("a flow after the attack", learned_again)
        assert guest.stop() is not None
