"""Many servers in one process, each with its own port, until gunicorn's, which has the main thread, is told to end."""

import asyncio
import hashlib
import os
import threading
from concurrent import futures

import django_site
import grpc
import gunicorn.sock
import hypercorn.asyncio
import hypercorn.config
import uvicorn
import waitress
from aiohttp import WSMsgType, web
from asgi import app as asgi_app
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker
from wsgi import app as wsgi_app

threads = []


def start(what, *arguments):
    thread = threading.Thread(target=what, args=arguments)
    thread.start()
    threads.append(thread)


# 8001, 8002: uvicorn on either loop with either parser
def uvicorn_on(port, loop, http):
    config = uvicorn.Config(asgi_app, host="0.0.0.0", port=port, loop=loop, http=http, log_level="warning")
    return uvicorn.Server(config)


uvicorns = [uvicorn_on(8001, "asyncio", "h11"), uvicorn_on(8002, "uvloop", "httptools")]
for server in uvicorns:
    start(server.run)

# 8003: hypercorn, TLS with HTTP/2
hypercorn_config = hypercorn.config.Config.from_mapping(
    bind=["0.0.0.0:8003"], certfile="/data/server.pem", keyfile="/data/server.key", loglevel="WARNING"
)
over = threading.Event()


async def until_over():
    while not over.is_set():
        await asyncio.sleep(0.1)


def serve_hypercorn():
    asyncio.run(hypercorn.asyncio.serve(asgi_app, hypercorn_config, shutdown_trigger=until_over))


start(serve_hypercorn)

# 8004: aiohttp
routes = web.RouteTableDef()


@routes.post("/")
async def digest(request):
    sha = hashlib.sha256()
    async for part in request.content.iter_any():
        sha.update(part)
    return web.json_response({"sha256": sha.hexdigest()})


@routes.get("/echo")
async def echo(request):
    socket = web.WebSocketResponse(protocols=["echo"])
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def aiohttp_until_over():
    application = web.Application(client_max_size=1 << 30)
    application.add_routes(routes)
    runner = web.AppRunner(application, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 8004).start()
    await until_over()
    await runner.cleanup()


start(lambda: asyncio.run(aiohttp_until_over()))

# 8005: waitress with Django
threading.Thread(
    target=lambda: waitress.serve(django_site.app, host="0.0.0.0", port=8005, _quiet=True),
    daemon=True,  # it ends by a signal alone, which is gunicorn's here
).start()

# 8006: gRPC, bytes without a schema
calls = {
    "Digest": grpc.unary_unary_rpc_method_handler(lambda body, _: hashlib.sha256(body).digest()),
    "Count": grpc.unary_stream_rpc_method_handler(lambda n, _: (b"%d" % i for i in range(int(n)))),
    "Join": grpc.stream_unary_rpc_method_handler(lambda parts, _: b"".join(parts)),
    "Echo": grpc.stream_stream_rpc_method_handler(lambda parts, _: parts),
    "Refuse": grpc.unary_unary_rpc_method_handler(
        lambda body, context: context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more of this")
    ),
}
grpc_server = grpc.server(futures.ThreadPoolExecutor(4))
grpc_server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Test", calls)])
grpc_server.add_insecure_port("0.0.0.0:8006")
grpc_server.start()


# 8007: gunicorn's worker with threads, without the master that forks
class Application(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", "0.0.0.0:8007")
        self.cfg.set("threads", 4)
        self.cfg.set("loglevel", "warning")

    def load(self):
        return wsgi_app


application = Application()
log = Logger(application.cfg)
sockets = gunicorn.sock.create_sockets(application.cfg, log)
print("READY", flush=True)
worker = ThreadWorker(1, os.getppid(), sockets, application, application.cfg.timeout, application.cfg, log)
worker.init_process()

over.set()
for server in uvicorns:
    server.should_exit = True
grpc_server.stop(5).wait()
for thread in threads:
    thread.join()
print("all servers ended", flush=True)
