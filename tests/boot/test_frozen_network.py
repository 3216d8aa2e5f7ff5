"""Frozen services from outside: the first connection, what is random on the wire, what is imported before the freeze.

`UNIKIT_BOOTS=50` boots the image of the randomness test as many times.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.guest import DEADLINE, run, start
from unikit.vm import machine

HERE = Path(__file__).resolve().parent / "frozen"
BOOTS = int(os.environ.get("UNIKIT_BOOTS", "4"))
SYN, ACK = 0x02, 0x10
SERVER_HELLO, KEY_SHARE = 2, 0x33


def test_what_a_service_imports_when_it_starts_is_imported_before() -> None:
    """But not its own modules: what these do is for each boot."""
    result = run(images.build(HERE / "late", freeze=True))
    assert result.status == 0, result.console
    assert result.words == ["['http.server'] own"]


@dataclass(frozen=True)
class Segment:
    """A TCP segment: where it came from, its flags, sequence number and payload."""

    address: str
    port: int
    flags: int
    sequence: int
    data: bytes


def segments(dump: Path) -> Iterator[Segment]:
    """Those of a pcap file (https://ietf-opsawg-wg.github.io/draft-ietf-opsawg-pcap): Ethernet, IPv4."""
    content, at = dump.read_bytes(), 24
    while at < len(content):
        length = struct.unpack_from("<I", content, at + 8)[0]
        frame = content[at + 16 : at + 16 + length]
        at += 16 + length
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        packet = frame[14 : 14 + struct.unpack_from(">H", frame, 16)[0]]
        tcp = packet[(packet[0] & 15) * 4 :]
        port, _, sequence = struct.unpack_from(">HHI", tcp)
        yield Segment(socket.inet_ntoa(packet[12:16]), port, tcp[13], sequence, tcp[(tcp[12] >> 4) * 4 :])


@dataclass
class Seen:
    """What one boot showed."""

    random: dict[str, Any]
    port: int
    asked: int  # how often the first connection was asked for
    session: ssl.SSLSession | None  # to come back with
    resumed: bool | None  # the one of another boot was taken


def boot(made: images.Image, certificates: Path, work: Path, context: ssl.SSLContext, last: Seen | None) -> Seen:
    """One boot, spoken to from its first moment; all that should be random, by name."""
    dump, keys = work / "dump.pcap", work / "keys.log"
    for file in (dump, keys):
        file.unlink(missing_ok=True)
    context.keylog_filename = str(keys)
    session = last.session if last else None
    volume = machine.Volume(certificates, "/certs", True)
    extra = ("-object", f"filter-dump,id=dump,netdev=net,file={dump}")
    with socket.create_server(("127.0.0.1", 0)) as host:
        host.settimeout(DEADLINE)
        environment = {"HOST_PORT": str(host.getsockname()[1])}
        with start(made, ports=[8443], volumes=[volume], environment=environment, extra=extra) as guest:
            with connect(guest.port(8443)) as plain, context.wrap_socket(plain, session=session) as stream:
                text = b""
                while data := stream.recv(4096):
                    text += data
                host.accept()[0].close()
                session, resumed = stream.session, stream.session_reused
                stream.unwrap()  # else OpenSSL in the guest may call the connection cut off
            assert guest.wait().status == 0, guest.console()
    found = list(segments(dump))
    ours = [s for s in found if s.address == "10.0.2.15"]
    opened = next(s for s in ours if s.flags & (SYN | ACK) == SYN)
    answered = next(s for s in ours if s.flags & (SYN | ACK) == SYN | ACK)
    before, now = json.loads(text)
    random = {
        name: (old, new) for name, old, new in zip(["random", "secrets", "uuid4", "ssl"], before, now, strict=True)
    }
    random |= {"sequence number": opened.sequence, "answer's sequence number": answered.sequence}
    random |= hello(b"".join(s.data for s in ours if s.port == 8443))
    random |= {words[0]: words[2] for line in keys.read_text().splitlines() if len(words := line.split()) == 3}
    asked = sum(s.address == "10.0.2.2" and s.flags & (SYN | ACK) == SYN for s in found)
    return Seen(random, opened.port, asked, session, resumed)


def connect(port: int) -> socket.socket:
    """As soon as QEMU takes connections."""
    for _ in range(round(DEADLINE / 0.005)):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        except ConnectionRefusedError:
            time.sleep(0.005)
    raise AssertionError("QEMU takes no connections")


def hello(stream: bytes) -> dict[str, str]:
    """Random value and public key of a ServerHello (RFC 8446, 4.1.3)."""
    assert stream[0] == 22 and stream[5] == SERVER_HELLO, stream[:16]
    body = stream[9:]
    at = 34 + 1 + body[34] + 3
    end = at + 2 + struct.unpack_from(">H", body, at)[0]
    at += 2
    while at < end:
        kind, length = struct.unpack_from(">HH", body, at)
        if kind == KEY_SHARE:
            return {"server random": body[2:34].hex(), "key share": body[at + 4 : at + 4 + length].hex()}
        at += 4 + length
    raise AssertionError("a ServerHello without a key share")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", folder / "server.key", "-out", folder / "server.pem", "-subj", "/CN=guest"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_nothing_random_repeats(certificates: Path, tmp_path: Path) -> None:
    """Numbers of the program, keys of TLS and of its tickets, and what others see of TCP; the first connection is asked
    for once."""
    made = images.build(HERE / "tls.py", freeze=True)
    context = ssl.create_default_context(cafile=str(certificates / "server.pem"))
    context.check_hostname = False
    seen: list[Seen] = []
    for _ in range(BOOTS):
        seen.append(boot(made, certificates, tmp_path, context, seen[-1] if seen else None))
    assert all(one.session and one.session.has_ticket for one in seen) and not any(one.resumed for one in seen)
    assert {"SERVER_TRAFFIC_SECRET_0", "key share", "random"} <= seen[0].random.keys()
    for name in seen[0].random:
        values = [str(one.random[name]) for one in seen]
        if name in ("random", "secrets", "uuid4", "ssl"):
            assert len({value for one in seen for value in one.random[name]}) == BOOTS + 1, f"{name}: {values}"
        else:
            assert len(set(values)) == BOOTS, f"{name}: {values}"
    # of 28232 ports two boots may take the same
    assert len({one.port for one in seen}) > BOOTS * 0.9 - 1, [one.port for one in seen]
    # QEMU forgets one that the guest's address is not known for within a second: on a busy machine that happens
    assert min(one.asked for one in seen) == 1
    if BOOTS > 10:
        print({name: len({str(one.random[name]) for one in seen}) for name in seen[0].random})
        print("ports", len({one.port for one in seen}), "asked", [one.asked for one in seen])
