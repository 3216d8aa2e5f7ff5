"""A client and a pipeline against a small server in a thread that speaks the protocol."""

import socketserver
import threading

import redis

store: dict[bytes, bytes] = {}


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            self.wfile.write(self.answer(words[0].upper(), words[1:]))

    def answer(self, command: bytes, words: list[bytes]) -> bytes:
        if command == b"SET":
            store[words[0]] = words[1]
        elif command == b"GET":
            value = store.get(words[0])
            return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
        elif command == b"INCRBY":
            store[words[0]] = b"%d" % (int(store.get(words[0], 0)) + int(words[1]))
            return b":" + store[words[0]] + b"\r\n"
        elif command == b"HELLO":
            return b"-ERR unknown command\r\n"
        return b"+OK\r\n"


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 6379), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = redis.Redis(decode_responses=True, protocol=2)
assert client.set("name", "ada") and client.get("name") == "ada" and client.get("none") is None
with client.pipeline(transaction=False) as pipe:
    assert pipe.incr("n").incr("n").get("n").execute() == [1, 2, "2"]
client.close()
server.shutdown()
