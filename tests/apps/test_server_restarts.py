"""A server on the host goes away and comes back: its clients in a guest see what clients on Linux see.

Every step is taken by the same program in a guest and as a process of this machine, and their answers are compared.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guest import start
from tests.host import HOST
from tests.host.postgres import Postgres
from tests.host.redis import Redis

PROGRAM = Path(__file__).parent / "guests/database_clients.py"
REFUSED = {"error": "ConnectionRefusedError", "errno": 111, "words": ["Connection refused"]}
CLOSED = "closed the connection"
Both = Any  # a command, and its parameters -> the answer


class Listener:
    """A server that does nothing by itself."""

    def __init__(self, port: int = 0) -> None:
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self.socket.getsockname()[1]

    def accept(self) -> list[socket.socket]:
        return [self.socket.accept()[0] for _ in range(2)]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Redis, Postgres, Listener]]:
    with Redis() as redis, Postgres() as postgres:
        yield redis, postgres, Listener()


@pytest.fixture(scope="module")
def both(servers: tuple[Redis, Postgres, Listener]) -> Iterator[Both]:
    """Asks the guest and the process for the same; they must answer the same."""
    ports = dict(zip(("redis", "postgres", "plain"), (server.port for server in servers), strict=True))
    with contextlib.ExitStack() as stack:
        guest = stack.enter_context(start(PROGRAM, channel=True, memory=128, python=sys.executable))
        line = [sys.executable, str(PROGRAM)]
        here = stack.enter_context(subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0))
        stack.callback(here.kill)
        assert here.stdin and here.stdout
        guest.say(json.dumps({"host": HOST, "ports": ports}).encode() + b"\n")
        here.stdin.write(json.dumps({"host": "127.0.0.1", "ports": ports}).encode() + b"\n")

        def ask(command: str, **parameters: Any) -> Any:
            assert here.stdin and here.stdout
            text = json.dumps({"do": command, **parameters}).encode() + b"\n"
            guest.say(text)
            there = json.loads(guest.hear())
            here.stdin.write(text)
            linux = json.loads(here.stdout.readline())
            if command == "postgres_count" and isinstance(linux, int):  # each side adds a row
                return there, linux
            if command == "postgres_connect" and isinstance(linux, dict):
                # libpq sends before it has waited: over a network the refusal may come as that send's, in other words
                assert there["error"] == linux["error"] and there["words"][0] in ("Connection refused", CLOSED)
                return linux
            assert there == linux, f"{command}: {there} in the guest, {linux} on Linux"
            return there

        yield ask


def test_redis(both: Both, servers: tuple[Redis, Postgres, Listener]) -> None:
    redis = servers[0]
    assert both("redis_set", value="before") is True and both("redis_get") == "before"
    redis.stop(signal.SIGKILL)
    assert both("redis_get") == REFUSED
    assert both("redis_get") == REFUSED
    redis.start()
    assert both("redis_get") == "" and both("redis_set", value="after") is True
    assert both("redis_get") == "after"


def test_postgres(both: Both, servers: tuple[Redis, Postgres, Listener]) -> None:
    """What was committed is there after the restart, and a new connection finds it."""
    postgres = servers[1]
    assert both("postgres_connect") is False
    assert both("postgres_count") == (1, 2)
    postgres.stop(signal.SIGINT)
    assert both("postgres_count")["error"] in ("OperationalError", "AdminShutdown")
    assert both("postgres_closed") is True
    assert both("postgres_connect")["words"] == ["Connection refused"]
    postgres.start()
    assert both("postgres_connect") is False
    assert both("postgres_count") == (3, 4)


def test_refused_closed_and_reset(both: Both, servers: tuple[Redis, Postgres, Listener]) -> None:
    listener = servers[2]
    both("plain_connect")
    for connection in listener.accept():
        connection.sendall(b"last words")
        connection.close()
    assert both("plain_receive") == "last words" and both("plain_receive") == ""
    assert both("plain_send")["error"] in ("BrokenPipeError", "ConnectionResetError")

    both("plain_connect")
    for connection in listener.accept():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert both("plain_receive") == {"error": "ConnectionResetError", "errno": 104, "words": ["Connection reset"]}
    assert both("plain_receive") == "" and both("plain_error") == 0

    listener.socket.close()
    assert both("plain_connect") == REFUSED
    again = Listener(listener.port)
    assert both("plain_connect") is None
    for connection in again.accept():
        connection.close()
    assert both("plain_receive") == ""
    again.socket.close()
