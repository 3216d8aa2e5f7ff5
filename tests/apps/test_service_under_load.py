"""One service, loaded as the world loads services: many requests, many clients, slow ones, idle ones, hostile ones."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.apps import load
from tests.guest import Guest, start

SERVICE = Path(__file__).parent / "guests/service.py"
BODY = b'{"hello": "world"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
MIB = 1 << 20


@pytest.fixture(scope="module")
def service():  # type: ignore[no-untyped-def]
    with start(SERVICE, memory=128, ports=[8080]) as guest:
        guest.wait_listening(8080)
        yield guest
        assert guest.stop() == 143, guest.console()


def used(guest: Guest) -> int:
    return guest.memory()["total"] - guest.memory()["free"]


def test_memory_stays_flat_over_200000_requests(service: Guest, record_property: pytest.RecordProperty) -> None:
    warm = load.requests("127.0.0.1", service.port(8080), 20_000, 64, ANSWER)
    assert not warm.errors
    before = service.memory()
    outcome = load.requests("127.0.0.1", service.port(8080), 200_000, 64, ANSWER)
    after = service.memory()
    assert outcome.errors == [] and outcome.answers == 200_000
    record_property("requests_per_second", round(outcome.answers / outcome.seconds))
    print(f"high-water mark before {before['high'] / MIB:.1f} MiB, after {after['high'] / MIB:.1f} MiB")
    assert after["high"] - before["high"] <= 1 * MIB
    assert after["total"] - after["free"] <= before["total"] - before["free"] + MIB // 2


def test_20000_short_connections(service: Guest) -> None:
    port = service.port(8080)
    assert not load.requests("127.0.0.1", port, 2_000, 16, ANSWER, per_connection=1).errors
    before = used(service)
    outcome = load.requests("127.0.0.1", port, 20_000, 16, ANSWER, per_connection=1)
    assert outcome.errors == [] and outcome.answers == 20_000
    time_waits_over = time.monotonic() + 30
    while used(service) > before + MIB and time.monotonic() < time_waits_over:
        time.sleep(1)
    assert used(service) <= before + MIB, "connections that ended still hold memory"


def test_serves_beside_512_idle_connections(service: Guest) -> None:
    idle: list[socket.socket] = []
    try:
        for _ in range(512):  # each is answered before the next is opened: load.requests() says why
            idle.append(socket.create_connection(("127.0.0.1", service.port(8080)), timeout=30))
            idle[-1].sendall(load.REQUEST)
            assert idle[-1].recv(1000) == ANSWER
        outcome = load.requests("127.0.0.1", service.port(8080), 5_000, 16, ANSWER)
        assert outcome.errors == [] and outcome.answers == 5_000
        for connection in idle:
            connection.sendall(load.REQUEST)
        for connection in idle:
            assert connection.recv(1000) == ANSWER
    finally:
        for connection in idle:
            connection.close()


def test_200_mb_up_and_down(service: Guest) -> None:
    size = 200_000_000
    chunk = os.urandom(1_000_000)
    digest = hashlib.md5(usedforsecurity=False)
    connection = http.client.HTTPConnection("127.0.0.1", service.port(8080), timeout=120)
    connection.putrequest("PUT", "/upload")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for _ in range(size // len(chunk)):
        connection.send(chunk)
        digest.update(chunk)
    assert json.loads(connection.getresponse().read()) == {"md5": digest.hexdigest()}

    connection.request("GET", f"/download/{size}")
    answer = connection.getresponse()
    pattern, got = bytes(range(256)) * 8192, 0
    while data := answer.read(1 << 20):
        start = got % 256
        assert data == pattern[start : start + len(data)]
        got += len(data)
    assert got == size
    connection.close()


def test_a_slow_reader_does_not_slow_the_others(service: Guest) -> None:
    port = service.port(8080)
    alone = load.requests("127.0.0.1", port, 3_000, 4, ANSWER)
    slow = socket.create_connection(("127.0.0.1", port), timeout=30)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(b"GET /download/50000000 HTTP/1.1\r\nHost: guest\r\n\r\n")
    stop = threading.Event()
    taken = []

    def sip() -> None:
        while not stop.wait(1.0):
            taken.append(slow.recv(1))

    reader = threading.Thread(target=sip)
    reader.start()
    try:
        beside = [load.requests("127.0.0.1", port, 3_000, 4, ANSWER) for _ in range(3)]
    finally:
        time.sleep(1.5)
        stop.set()
        reader.join()
        slow.close()
    assert taken and all(taken)
    for outcome in beside:
        assert outcome.errors == [] and outcome.answers == 3_000
    assert min(o.seconds for o in beside) < alone.seconds * 1.5
