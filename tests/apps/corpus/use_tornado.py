"""A server with a template and a WebSocket, asked by its own client."""

import asyncio

from tornado import httpclient, template, web, websocket


class Hello(web.RequestHandler):
    def get(self, name: str) -> None:
        self.write(template.Template("<b>{{ name }}</b>").generate(name=name))


class Echo(websocket.WebSocketHandler):
    def on_message(self, message: str) -> None:
        self.write_message(message[::-1])


async def main() -> None:
    app = web.Application([(r"/hello/(\w+)", Hello), (r"/echo", Echo)])
    server = app.listen(8888, "127.0.0.1")
    answer = await httpclient.AsyncHTTPClient().fetch("http://127.0.0.1:8888/hello/ada")
    assert answer.body == b"<b>ada</b>"
    socket = await websocket.websocket_connect("ws://127.0.0.1:8888/echo")
    await socket.write_message("abc")
    assert await socket.read_message() == "cba"
    socket.close()
    server.stop()


asyncio.run(main())
