"""Threads of several libraries wait for work when it is frozen: those of anyio, libuv, waitress and an executor."""

import asyncio
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from waitress.task import ThreadedTaskDispatcher

DISPATCHER = ThreadedTaskDispatcher()
DISPATCHER.set_thread_count(2)
ASKED = []


class Task:
    def __init__(self):
        self.done = threading.Event()

    def service(self):
        ASKED.append(threading.current_thread().name)
        self.done.set()

    def defer(self):
        pass


def dispatched():
    task = Task()
    DISPATCHER.add_task(task)
    assert task.done.wait(60)
    return len(ASKED), len(DISPATCHER.threads)


async def ask(request):
    loop = asyncio.get_running_loop()
    (_, _, _, _, address), *_ = await loop.getaddrinfo("127.0.0.1", 80)
    text = await loop.run_in_executor(None, str, type(loop).__module__)
    return PlainTextResponse(f"{await run_in_threadpool(dispatched)} {address} {text}")


uvicorn.run(Starlette(routes=[Route("/", ask)]), host="0.0.0.0", port=8080)
