"""A server and a client in one loop, with compression; a large message, a close code."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedError


async def handler(socket) -> None:
    async for message in socket:
        if message == "bye":
            await socket.close(4000, "as you wish")
        else:
            await socket.send(message[::-1])


async def main() -> None:
    async with serve(handler, "127.0.0.1", 8765), connect("ws://127.0.0.1:8765", max_size=None) as socket:
        await socket.send("abc" * 50_000)
        assert (await socket.recv())[:3] == "cba"
        await socket.send("bye")
        try:
            await socket.recv()
        except ConnectionClosedError as error:
            assert error.rcvd.code == 4000
        else:
            raise AssertionError("still open")


asyncio.run(main())
