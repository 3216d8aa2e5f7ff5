"""A server and a client in one loop: JSON, streams, a WebSocket."""

import asyncio

from aiohttp import ClientSession, WSMsgType, web


async def double(request: web.Request) -> web.Response:
    return web.json_response({"twice": 2 * (await request.json())["n"]})


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
    return socket


async def main() -> None:
    app = web.Application()
    app.add_routes([web.post("/double", double), web.get("/ws", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8080).start()
    async with ClientSession("http://127.0.0.1:8080") as session:
        async with session.post("/double", json={"n": 21}) as answer:
            assert answer.status == 200 and await answer.json() == {"twice": 42}
        async with session.ws_connect("/ws") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "HELLO"
        async with session.get("/none") as answer:
            assert answer.status == 404
    await runner.cleanup()


asyncio.run(main())
