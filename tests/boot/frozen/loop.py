"""An asyncio service; its loop goes on when it was frozen in the midst of its work, and so do its signal handlers."""

import asyncio
import signal
import sys

ASKED = 0


async def serve(reader, writer):
    global ASKED
    while line := await reader.readline():
        ASKED += 1
        await asyncio.sleep(0.001)
        loop = asyncio.get_running_loop()
        assert loop.is_running()
        text = await loop.run_in_executor(None, line.decode) if line == b"thread\n" else line.decode()
        writer.write(f"{ASKED} {text}".encode())
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 8080)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()
    sys.exit(7)


asyncio.run(main())
