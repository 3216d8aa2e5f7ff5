"""The application's own channel to the host: nothing is lost in either direction, and nobody waits for ever."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest import Guest, run, start
from unikit.vm import machine

APP = Path(__file__).resolve().parent / "app_channel/main.py"


def greet(guest: Guest) -> None:
    assert guest.hear() == b"ready" and guest.hear() == b"polled"
    guest.say(b"echo first\n")
    assert guest.hear() == b"first"


@pytest.fixture(params=machine.names())
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    with start(APP, profile=request.param, channel=True, network=False) as guest:
        greet(guest)
        yield guest


def test_both_ways(guest: Guest) -> None:
    size = 300_000  # many times what the port and the sockets on the way hold
    guest.say(b"take %d\n" % size + bytes(i * 7 % 251 for i in range(size)))
    assert guest.hear() == b"took %d" % size
    guest.say(b"give %d\n" % size)
    assert guest.hear() == bytes(i % 10 + 48 for i in range(size))
    guest.say(b"again\n")
    assert guest.hear() == b"anew"
    guest.say(b"echo second\nlast\n")
    assert guest.hear() == b"second"
    assert guest.hear() == b"z" * 100000
    assert guest.wait().status == 7


def test_a_host_that_does_not_read_makes_the_writer_wait() -> None:
    with start(APP, channel=True, network=False) as guest:
        greet(guest)
        guest.say(b"fill\n")
        guest.wait_console("]\n")
        assert " []\n" in guest.console(), "written until there was no room"
        assert set(guest.hear()) == {ord("x")}
        assert guest.hear().startswith(b"filled ")


def test_a_host_that_leaves() -> None:
    with start(APP, channel=True, network=False) as guest:
        greet(guest)
        guest.leave()
        assert guest.wait().status == 9


def test_a_host_that_comes_late(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    late = [
        "-chardev", f"socket,id=late,path={path},server=on,wait=off",
        "-device", f"virtserialport,chardev=late,name={machine.APP_PORT}",
    ]  # fmt: skip
    with start(APP, network=False, extra=late) as guest:
        guest.wait_for(lambda: "exec" in guest.log.phases, "start the application")
        time.sleep(0.5)  # it waits in its first write
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(path))
            stream = connection.makefile("rwb")
            assert [stream.readline() for _ in range(2)] == [b"ready\n", b"polled\n"]
            stream.write(b"echo first\necho late\n")
            stream.flush()


def test_without_the_port() -> None:
    result = run(APP, network=False)
    assert result.status == 3, result.console
