"""A client against a server in a thread and an application in the same process; HTTP/1.1, streams, time-outs."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.path.encode() * 100
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"tea"})


async def main() -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:8080") as client:
        answers = await asyncio.gather(*(client.get(f"/{n}") for n in range(5)))
        assert [a.text[:2] for a in answers] == [f"/{n}" for n in range(5)]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        assert (await client.get("/")).status_code == 418


server = ThreadingHTTPServer(("127.0.0.1", 8080), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with httpx.Client(timeout=30) as client, client.stream("GET", "http://127.0.0.1:8080/a", params={"b": 1}) as answer:
    assert b"".join(answer.iter_bytes()) == b"/a?b=1" * 100
asyncio.run(main())
server.shutdown()
