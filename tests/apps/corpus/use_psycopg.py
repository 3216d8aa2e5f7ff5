"""A connection over the binary client library to a small server in a thread: parameters, types, composed SQL."""

import socketserver
import struct
import threading

import psycopg
from psycopg import sql
from psycopg.types.json import Json


class Server(socketserver.StreamRequestHandler):
    """Answers any query with one row: the text of the parameters."""

    def send(self, kind: bytes, body: bytes = b"") -> None:
        self.wfile.write(kind + struct.pack(">I", len(body) + 4) + body)

    def handle(self) -> None:
        while True:
            body = self.rfile.read(struct.unpack(">I", self.rfile.read(4))[0] - 4)
            if body[:4] not in (struct.pack(">I", 80877103), struct.pack(">I", 80877104)):
                break
            self.wfile.write(b"N")  # neither TLS nor GSSAPI
        self.send(b"R", struct.pack(">I", 0))
        for name, value in ((b"server_version", b"16.0"), (b"client_encoding", b"UTF8"), (b"TimeZone", b"UTC")):
            self.send(b"S", name + b"\0" + value + b"\0")
        self.send(b"Z", b"I")
        values: list[bytes] = []
        while kind := self.rfile.read(1):
            body = self.rfile.read(struct.unpack(">I", self.rfile.read(4))[0] - 4)
            if kind == b"X":
                return
            if kind == b"P":
                self.send(b"1")
            elif kind == b"B":
                values = self.parameters(body)
                self.send(b"2")
            elif kind == b"D":
                column = struct.pack(">IHIhih", 0, 0, 25, -1, -1, 0)
                columns = b"".join(b"c%d\0" % i + column for i in range(len(values)))
                self.send(b"T", struct.pack(">H", len(values)) + columns)
            elif kind == b"E":
                row = b"".join(struct.pack(">i", len(v)) + v for v in values)
                self.send(b"D", struct.pack(">H", len(values)) + row)
                self.send(b"C", b"SELECT 1\0")
            elif kind == b"Q":
                self.send(b"C", b"BEGIN\0")
                self.send(b"Z", b"I")
            elif kind == b"S":
                self.send(b"Z", b"I")

    @staticmethod
    def parameters(body: bytes) -> list[bytes]:
        at = body.index(b"\0", body.index(b"\0") + 1) + 1
        formats = struct.unpack_from(">H", body, at)[0]
        at += 2 + 2 * formats
        found = []
        count = struct.unpack_from(">H", body, at)[0]
        at += 2
        for _ in range(count):
            size = struct.unpack_from(">i", body, at)[0]
            found.append(body[at + 4 : at + 4 + size])
            at += 4 + size
        return found


server = socketserver.ThreadingTCPServer(("127.0.0.1", 5432), Server)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
assert psycopg.pq.__impl__ == "binary"
query = sql.SQL("select {} from {}").format(sql.Identifier("a b"), sql.Identifier("t"))
with psycopg.connect("host=127.0.0.1 user=me dbname=db sslmode=disable", autocommit=True) as connection:
    assert query.as_string(connection) == 'select "a b" from "t"'
    row = connection.execute("select %s, %s, %t", ["x", Json({"a": 1}), "ä"]).fetchone()
    assert row == ("x", '{"a": 1}', "ä"), row
server.shutdown()
