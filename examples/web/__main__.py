"""A web service on asyncio alone.

GET / greets, /health says what the process is, /count counts, /blob is a mebibyte.
"""

import asyncio
import json
import os
import signal
import sys
import time

PORT = int(os.environ.get("PORT", "8080"))
STARTED = time.monotonic()
visits = 0


BLOB = bytes(range(256)) * 4096


def answer(method: str, path: str) -> tuple[int, object]:
    """Status and body for a request: bytes, or something for JSON."""
    global visits
    if method != "GET":
        return 405, {"error": "only GET"}
    if path == "/":
        return 200, {"hello": "from a unikernel", "python": sys.version.split()[0]}
    if path == "/health":
        return 200, {"pid": os.getpid(), "up": round(time.monotonic() - STARTED, 3), "time": time.time()}
    if path == "/blob":
        return 200, BLOB
    if path == "/count":
        visits += 1
        return 200, {"visits": visits}
    return 404, {"error": f"nothing at {path}"}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, kept alive until the client closes it."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            request, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = request.split(" ", 2)
            status, body = answer(method, path)
            text = body if isinstance(body, bytes) else json.dumps(body).encode() + b"\n"
            close = any(line.lower().replace(" ", "") == "connection:close" for line in lines)
            writer.write(
                b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (status, len(text))
                + (b"Connection: close\r\n\r\n" if close else b"\r\n")
                + text
            )
            await writer.drain()
            if close:
                break
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


async def main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with await asyncio.start_server(serve, "0.0.0.0", PORT, backlog=1024):
        print(f"listening on port {PORT}", flush=True)
        await stop.wait()
    print("good bye", flush=True)


asyncio.run(main())
