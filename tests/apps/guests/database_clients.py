"""Clients of servers elsewhere, told what to do a line a time: {"do": NAME, ...} in, a JSON value or the error out.

In a guest over /dev/virtio-ports/unikit.app, else over standard input and output, so that both can be compared.
"""

import json
import os
import socket

import psycopg
import redis

PORT = "/dev/virtio-ports/unikit.app"
SECONDS = 60  # for an answer; what waits longer hangs


class Clients:
    def __init__(self, host: str, ports: dict[str, int]) -> None:
        self.host, self.ports = host, ports
        self.redis = redis.Redis(host, ports["redis"], socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
        self.postgres = f"host={host} port={ports['postgres']} user=unikit dbname=postgres connect_timeout={SECONDS}"
        self.connection: psycopg.Connection | None = None
        self.plain: socket.socket | None = None

    def redis_set(self, value: str) -> object:
        return self.redis.set("key", value)

    def redis_get(self) -> object:
        return (self.redis.get("key") or b"").decode()

    def postgres_connect(self) -> object:
        self.connection = psycopg.connect(self.postgres)
        return self.connection.closed

    def postgres_count(self) -> object:
        """A row more, and how many there are."""
        with self.connection.transaction():
            self.connection.execute("create table if not exists notes (id serial)")
            self.connection.execute("insert into notes default values")
            return self.connection.execute("select count(*) from notes").fetchone()[0]

    def postgres_closed(self) -> object:
        return self.connection.closed

    def plain_connect(self) -> object:
        self.plain = socket.create_connection((self.host, self.ports["plain"]), SECONDS)
        return None

    def plain_receive(self) -> object:
        return self.plain.recv(100).decode()

    def plain_error(self) -> object:
        return self.plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def plain_send(self) -> object:
        """Until it fails: the first bytes to a closed end are what makes it say so."""
        for _ in range(100_000):
            self.plain.send(b"x" * 1000)
        return "sent"


def told(error: BaseException) -> object:
    """The error and what is below it, but for addresses."""
    while error.__context__ is not None and not isinstance(error, OSError):
        error = error.__context__
    words = [word for word in ("Connection refused", "closed the connection", "Connection reset", "terminating")
             if word in str(error)]  # fmt: skip
    return {"error": type(error).__name__, "errno": getattr(error, "errno", None), "words": words}


def main() -> None:
    if os.path.exists(PORT):
        reader = writer = os.open(PORT, os.O_RDWR)
    else:
        reader, writer = 0, 1
    with os.fdopen(reader, "rb") as lines:
        setup = json.loads(lines.readline())
        clients = Clients(setup["host"], setup["ports"])
        for line in lines:
            command = json.loads(line)
            try:
                answer = getattr(clients, command.pop("do"))(**command)
            except Exception as error:
                answer = told(error)
            os.write(writer, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
