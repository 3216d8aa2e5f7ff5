"""The service under load: answers, takes uploads, gives downloads, and says what it has seen. Stdlib only.

Its own work is kept small, a protocol's callbacks and no streams: under emulation it would be most of what a test of
the network waits for."""

import asyncio
import hashlib
import json

CHUNK = bytes(range(256)) * 256
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
BODY = b'{"hello": "world"}'
ANSWER = HEAD % len(BODY) + BODY


class Client(asyncio.Protocol):
    """One connection: requests one after the other; what belongs to an upload is hashed as it comes."""

    def connection_made(self, transport):
        self.transport = transport
        self.received = bytearray()
        self.digest = None  # of an upload that is under way
        self.coming = self.going = 0  # bytes of the upload, of the download

    def data_received(self, data):
        if self.digest is not None:
            data = self.take(data)
        self.received += data
        while not self.going and self.digest is None and (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end])
            del self.received[: end + 4]
            self.answer(head)

    def answer(self, head):
        line, _, fields = head.partition(b"\r\n")
        method, target, _ = line.split()
        if method == b"PUT":
            headers = dict(field.lower().split(b": ", 1) for field in fields.split(b"\r\n"))
            self.digest, self.coming = hashlib.md5(usedforsecurity=False), int(headers[b"content-length"])
            early = bytes(self.received)
            self.received[:] = self.take(early)
        elif target.startswith(b"/download/"):
            self.going = int(target.rpartition(b"/")[2])
            self.transport.write(HEAD % self.going)
            self.send()
        else:
            self.transport.write(ANSWER)

    def take(self, data):
        """Bytes of the upload; what is left of them belongs to the next request."""
        self.digest.update(data[: self.coming])
        rest = data[self.coming :]
        self.coming -= len(data) - len(rest)
        if not self.coming:
            answer = json.dumps({"md5": self.digest.hexdigest()}).encode()
            self.transport.write(HEAD % len(answer) + answer)
            self.digest = None
        return rest

    def send(self):
        """As much of the download as the connection takes."""
        self.writable = True
        while self.going and self.writable:
            part = CHUNK[: self.going]
            self.going -= len(part)
            self.transport.write(part)

    def pause_writing(self):
        self.writable = False

    def resume_writing(self):
        self.send()


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Client, "0.0.0.0", 8080, backlog=1024)
    print("READY", flush=True)
    await server.serve_forever()


asyncio.run(main())
