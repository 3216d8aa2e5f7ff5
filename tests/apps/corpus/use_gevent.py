"""Green threads over a patched standard library: a server and clients, events, a pool."""

from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402

import gevent  # noqa: E402
from gevent.pool import Pool  # noqa: E402
from gevent.server import StreamServer  # noqa: E402


def echo(client: socket.socket, address: object) -> None:
    client.sendall(client.recv(100).upper())
    client.close()


def ask(number: int) -> bytes:
    with socket.create_connection(("127.0.0.1", 9999)) as client:
        client.sendall(b"n%d" % number)
        return client.recv(100)


server = StreamServer(("127.0.0.1", 9999), echo)
server.start()
assert Pool(4).map(ask, range(8)) == [b"N%d" % n for n in range(8)]
with gevent.Timeout(60):
    gevent.joinall([gevent.spawn(gevent.sleep, 0.01) for _ in range(20)])
server.stop()
