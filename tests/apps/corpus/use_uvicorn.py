"""A server with uvloop and httptools, asked over the loopback interface, and a WebSocket's handshake refused."""

import asyncio

import uvicorn


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode() + body["body"]})


async def ask(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    answer = await reader.read()
    writer.close()
    return answer


async def main() -> None:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=8000))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    answer = await ask(8000, b"POST /here HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    assert answer.startswith(b"HTTP/1.1 200 OK") and b"/hereok" in answer, answer
    server.should_exit = True
    await task


config = uvicorn.Config(app)
config.load()
assert config.http_protocol_class.__name__ == "HttpToolsProtocol", config.http_protocol_class
assert config.ws_protocol_class is not None
asyncio.run(main(), debug=False)
