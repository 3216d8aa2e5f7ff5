"""Threads that are no reason not to freeze: those that wait for work, and those that are started again."""

from __future__ import annotations

import os
import sys
from typing import Any

# Libraries that start their threads again in the child of a fork, and a part of their file's path.
FORKED = {"uvloop.loop": b"/uvloop/loop."}
# And packages that start their Python threads again (os.register_at_fork(), or by the number of the process).
RESTARTED = ("opentelemetry.", "pymongo.", "sentry_sdk.")
PATIENCE = 1.0  # seconds that a thread may take to end


def in_main_thread() -> bool:
    threading = sys.modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()


def end_idle(objects: list[Any]) -> list[tuple[Any, int]]:
    """Threads of pools that wait for work end. A pool starts others when there is work; those that do not are returned,
    with the number of threads that they had."""
    threading = sys.modules.get("threading")
    again: list[tuple[Any, int]] = []
    asked: list[Any] = []
    if threading is None or threading.active_count() < 2:
        return again
    pools = sys.modules.get("concurrent.futures.thread")
    workers = sys.modules.get("anyio._backends._asyncio")
    dispatchers = sys.modules.get("waitress.task")
    for thing in objects:
        kind = type(thing)  # `isinstance` would ask proxies what they stand for
        if pools and issubclass(kind, pools.ThreadPoolExecutor):
            _end_workers(thing)
        elif workers and kind is workers.WorkerThread and thing in thing.idle_workers:
            thing.stop()
            asked.append(thing)
        elif dispatchers and kind is dispatchers.ThreadedTaskDispatcher and thing.threads:
            if thing.active_count or thing.queue or not thing.lock.acquire(timeout=PATIENCE):
                continue
            thing.lock.release()
            asked += [t for t in threading.enumerate() if getattr(t, "_target", None) == thing.handler_thread]
            again.append((thing, len(thing.threads)))
            thing.set_thread_count(0)
    for thread in asked:
        thread.join(PATIENCE)
    _wait_for_ends(threading)
    return again


def restarted() -> list[bytes]:
    """Threads that need not be there after the freeze, as after a fork: by parts of their libraries' paths, or their
    numbers."""
    found = [part for module, part in FORKED.items() if module in sys.modules]
    threading = sys.modules.get("threading")
    for thread in threading.enumerate() if threading else ():
        module = getattr(getattr(thread, "_target", None), "__module__", None) or type(thread).__module__
        if module.startswith(RESTARTED) and thread is not threading.current_thread():  # type: ignore[union-attr]
            found.append(b"%d" % thread.native_id)
    return found


def _end_workers(pool: Any) -> None:
    """The threads of a ThreadPoolExecutor, if all of them wait; it is as before its first work then."""
    semaphore, threads = pool._idle_semaphore, list(pool._threads)
    if pool._shutdown or not threads or semaphore._value < len(threads) or pool._work_queue.qsize():
        return
    if not pool._shutdown_lock.acquire(timeout=PATIENCE):
        return
    try:
        pool._shutdown = True
        pool._work_queue.put(None)  # each hands it on to the next
        for thread in threads:
            thread.join(PATIENCE)
        pool._shutdown = False
        while pool._work_queue.qsize():
            pool._work_queue.get_nowait()
        pool._threads = {thread for thread in threads if thread.is_alive()}
        pool._idle_semaphore = type(semaphore)(len(pool._threads))
    finally:
        pool._shutdown_lock.release()


def _wait_for_ends(threading: Any) -> None:
    """Threads that ended for Python take a moment more to be gone."""
    import time

    end = time.monotonic() + PATIENCE
    while len(os.listdir("/proc/self/task")) > threading.active_count() and time.monotonic() < end:
        time.sleep(0.001)
