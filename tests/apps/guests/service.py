"""The service under load: answers, takes uploads, gives downloads, and says what it has seen. Stdlib only."""

import asyncio
import hashlib
import json

CHUNK = bytes(range(256)) * 256


async def body_of(reader: asyncio.StreamReader, length: int) -> str:
    digest = hashlib.sha256()
    while length:
        data = await reader.read(min(length, 65536))
        if not data:
            raise ConnectionError("the client went away")
        digest.update(data)
        length -= len(data)
    return digest.hexdigest()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            line, _, fields = head.partition(b"\r\n")
            method, target, _ = line.split()
            headers = dict(f.lower().split(b": ", 1) for f in fields.split(b"\r\n") if b": " in f)
            if method == b"PUT":
                answer = json.dumps({"sha256": await body_of(reader, int(headers[b"content-length"]))}).encode()
            elif target.startswith(b"/download/"):
                size, digest = int(target.rpartition(b"/")[2]), hashlib.sha256()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                while size:
                    part = CHUNK[:size]
                    writer.write(part)
                    digest.update(part)
                    await writer.drain()
                    size -= len(part)
                continue
            else:
                answer = b'{"hello": "world"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "0.0.0.0", 8080, backlog=1024)
    print("READY", flush=True)
    await server.serve_forever()


asyncio.run(main())
