"""The module `unikit` as the application sees it: in the guest it is this file, elsewhere `unikit` has its names.

    import unikit

    @unikit.before_freeze      # runs before the memory is frozen, the last registered first
    @unikit.after_thaw         # runs in each boot of the frozen image, the first registered first
    unikit.freeze()            # freeze here, rather than where `unikit build --freeze` would by itself

Outside a `unikit build --freeze` all of it does nothing: the functions are registered and never called.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # in every interpreter; `signal` may be left out
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

Hook = TypeVar("Hook", bound=Callable[[], Any])

DEVICE = "/dev/unikit/freeze"  # says this boot's environment, arguments and kind of console
HOW = "/proc/unikit/freeze"  # `1`, `explain`, `warm` or `watch`, and modules to import before, with commas
WARM_SIGNAL = 64  # the last of the real-time signals: freeze now, or tell what was imported
# Libraries that start their threads again in the child of a fork, and a part of their file's path.
FORKED = {"uvloop.loop": b"/uvloop/loop."}
# And packages that start their Python threads again (os.register_at_fork(), or by the number of the process).
RESTARTED = ("opentelemetry.", "pymongo.", "sentry_sdk.")
PATIENCE = 1.0  # seconds that a thread may take to end
REFUSED = 75  # EX_TEMPFAIL: the build says why

_before: list[Callable[[], Any]] = []
_after: list[Callable[[], Any]] = []
_frozen = False
_makers: dict[int | str, str] = {}  # who made a thread or a socket, by its id(), or started a timer


def before_freeze(function: Hook) -> Hook:
    """Call `function` before the memory is frozen: the place to close what cannot be frozen."""
    _before.append(function)
    return function


def after_thaw(function: Hook) -> Hook:
    """Call `function` when a frozen image has resumed: the place to open it again."""
    _after.append(function)
    return function


def freeze() -> bool:
    """Freeze the program here, once, if an image is being made; true in a boot of that image.

    The call returns as os.fork() does in the child: handlers of os.register_at_fork() have run, the process has
    another number, `os.environ` and `sys.argv` are those of this boot."""
    if _frozen:
        return True
    try:
        os.close(os.open(DEVICE, os.O_WRONLY | os.O_CLOEXEC))
    except OSError:
        return False  # no image is being made
    how, modules = _how()
    for name in modules:
        try:  # noqa: SIM105 - contextlib may not be there
            __import__(name)
        except Exception:  # it fails when the program does it as well
            pass
    if how == "warm":
        _signal.signal(WARM_SIGNAL, _warm)
        return False
    _prepare()
    try:
        told = _freeze()
    except OSError as error:
        _refused(error)
        os._exit(REFUSED)
    _thaw(*told)
    return True


def _how() -> tuple[str, list[str]]:
    with open(HOW) as file:
        how, _, modules = file.read().partition("\n")
    return how, [name for name in modules.split(",") if name]


def _begin() -> None:
    """Before the first line of the program. It was refused once, and the build wants to know whose fault it is."""
    try:
        if _how()[0] != "explain":
            return
    except OSError:
        return
    import _thread

    for name in ("setitimer", "alarm"):
        _note(_signal, name)
    for name in ("start_new_thread", "start_joinable_thread"):
        _note(_thread, name)
    sys.addaudithook(_see)


def _note(module: Any, name: str) -> None:
    """Who calls this function is noted from now on: under what it is a method of, or its own name."""
    function = getattr(module, name, None)
    if function is None:
        return

    def call(*given: Any, **named: Any) -> Any:
        owner = getattr(given[0], "__self__", None) if given else None
        _makers[name if owner is None else id(owner)] = _place()
        return function(*given, **named)

    setattr(module, name, call)


def _see(event: str, given: tuple[Any, ...]) -> None:
    if event == "socket.__new__":
        _makers[id(given[0])] = _place()


def _place() -> str:
    """The program's own line that leads here; where there is none, that of a package."""
    frame, folder, second = sys._getframe(2), sys.path[0] + "/", ""
    library = os.__file__.rpartition("/")[0] + "/"
    while frame:
        name = frame.f_code.co_filename
        here = f"{name}:{frame.f_lineno}"
        if name.startswith(folder):
            return here
        if not second and name.startswith("/") and (not name.startswith(library) or "-packages/" in name):
            second = here
        frame = frame.f_back  # type: ignore[assignment]
    return second


def _by(thing: Any, how: str) -> str:
    """Who made it, where that is known."""
    place = _makers.get(id(thing))
    return f", {how} by {place}" if place else ""


def _warm(number: int, frame: Any) -> None:
    """The program has served for a while, and now is the time: a signal in the midst of its work."""
    _signal.signal(number, _signal.SIG_IGN)  # before: what is done after the freeze is done in every boot
    _prepare()
    try:
        told = _freeze()
    except OSError as error:
        _signal.signal(number, _warm)
        _refused(error)  # the signal comes again: connections may be about to close
    else:
        _thaw(*told)


def _prepare() -> None:
    """What the program wants to be done before, and what is easier for a program that is at work."""
    while _before:
        _before.pop()()
    import gc

    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    _keep_no_ticket_keys(gc.get_objects())


def _keep_no_ticket_keys(objects: list[Any]) -> None:
    """OpenSSL makes the keys of session tickets with the context, and they would be known to whoever has the image.
    Servers keep their sessions instead, and clients come back by a number of no meaning."""
    own, other = sys.modules.get("_ssl"), sys.modules.get("OpenSSL.SSL")
    for thing in objects:
        kind = type(thing)
        if own and issubclass(kind, own._SSLContext) and thing.protocol != own.PROTOCOL_TLS_CLIENT:
            thing.options |= own.OP_NO_TICKET
        elif other and issubclass(kind, other.Context):
            thing.set_options(other.OP_NO_TICKET)


def _freeze() -> tuple[bytes, bytes]:
    """What the kernel tells before and after the freeze. Raises OSError if the memory cannot be frozen as it is."""
    global _frozen
    import gc

    again = _end_idle(gc.get_objects())
    device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        before = _told(device)
        for thing in _restarted():
            os.write(device, b"forget " + thing)
        _fork(device)
        _frozen = True
        return before, _told(device)
    finally:
        os.close(device)
        for pool, number in again:
            pool.set_thread_count(number)


def _fork(device: int) -> None:
    """asyncio forgets in the child of a fork, by the process's number, what it was about to do; this child goes on."""
    events = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events else None
    wakeup = _signal.set_wakeup_fd(-1) if loop is not None and _in_main_thread() else None
    try:
        os.write(device, b"renumber")
        _forget()
        os.write(device, b"freeze")
        os.fork()
    finally:
        if wakeup is not None:
            _signal.set_wakeup_fd(wakeup)
        if events is not None and loop is not None:
            events._set_running_loop(loop)


def _in_main_thread() -> bool:
    threading = sys.modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()


def _end_idle(objects: list[Any]) -> list[tuple[Any, int]]:
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


def _restarted() -> list[bytes]:
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


class _Boot:
    """What the kernel was told at a boot."""

    def __init__(self, told: bytes) -> None:
        self.environment: dict[str, str] = {}
        self.arguments: list[str] = []
        self.watched = False
        for item in told.split(b"\0"):
            if item[:1] == b"w":
                self.watched = True
            elif item[:1] == b"e":
                key, _, value = os.fsdecode(item[1:]).partition("=")
                self.environment[key] = value
            elif item[:1] == b"a":
                self.arguments.append(os.fsdecode(item[1:]))


def _told(device: int) -> bytes:
    """By a plain system call: it is done in every boot of the frozen image."""
    size = 4096
    while True:
        try:
            return os.read(device, size)
        except OSError:  # it gives all or nothing
            size *= 2
            if size > 1 << 24:
                raise


def _thaw(before: bytes, now: bytes) -> None:
    """What belongs to the boot, and not to the program, becomes this boot's."""
    if now != before:
        _adapt(_Boot(before), _Boot(now))
    _renew()
    for function in _after:
        function()


def _adapt(before: _Boot, now: _Boot) -> None:
    """To what is another than when the memory was frozen."""
    environment, arguments = now.environment, now.arguments
    old, given = before.environment, before.arguments
    for key in old:
        if key not in environment and os.environ.get(key) == old[key]:
            del os.environ[key]
    for key, value in environment.items():
        if old.get(key) != value:
            os.environ[key] = value
    if arguments != given:
        end = len(given)
        for argv in (sys.argv, sys.orig_argv):
            if not end or argv[-end:] == given:
                argv[len(argv) - end :] = arguments
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and stream.isatty():
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if old.get("TZ") != environment.get("TZ") and "time" in sys.modules:
        sys.modules["time"].tzset()
    if now.watched:
        _watch()


def _watch() -> None:
    """When asked, tell the build which modules were imported after the freeze. Not the program's own: what these do is
    for each boot."""
    known, folder = set(sys.modules), sys.path[0]

    def tell(number: int, frame: Any) -> None:
        found = []
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            own = folder and file.startswith(folder + "/")
            if name not in known and getattr(module, "__spec__", None) and not own:
                found.append(name)
        with open(DEVICE, "wb", buffering=0) as device:
            device.write(f"import {','.join(found)}".encode()[:16384])

    _signal.signal(WARM_SIGNAL, tell)


def _forget() -> None:
    """What modules keep that must not be the same in every boot, and make anew where it is missing. Before the freeze:
    it would cost each boot something. The process has another number already."""
    modules = sys.modules
    if "uuid" in modules:  # libuuid keeps its node and clock sequence; Python's own way makes them anew
        own = {"_node": None, "_last_timestamp": None, "_generate_time_safe": None, "_GETTERS": [_hardware_address]}
        modules["uuid"].__dict__.update(own)
    if "_sqlite3" in modules:  # its random() begins anew when a file is opened and the process is another
        modules["_sqlite3"].connect(os.devnull).close()
    if "platform" in modules:
        modules["platform"].__dict__["_uname_cache"] = None  # holds the host name


def _renew() -> None:
    """What modules made by random numbers, where a fork alone does not change it."""
    modules = sys.modules
    if "numpy.random" in modules:
        modules["numpy.random"].seed()  # the legacy global generator
    if "multiprocessing.process" in modules:
        modules["multiprocessing.process"].current_process().authkey = os.urandom(32)


def _hardware_address() -> int | None:
    """That of a network interface, for uuid.getnode(); None: there is none."""
    folder = "/sys/class/net"
    try:
        for name in os.listdir(folder):
            with open(f"{folder}/{name}/address") as file:
                if address := int(file.read().replace(":", ""), 16):
                    return address
    except (OSError, ValueError):
        pass
    return None


def _refused(error: OSError) -> None:
    """Tell the build what the kernel cannot know."""
    lines = []
    threading = sys.modules.get("threading")
    try:
        import traceback
    except ImportError:  # an image with the least in it
        threading = None
    if threading is not None:
        frames = sys._current_frames()
        alike: dict[str, list[str]] = {}
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                stack = traceback.format_stack(frames.get(thread.ident)) if thread.ident in frames else []
                told = f"thread {thread.name!r} ({thread.native_id}){_by(thread, 'started')}"
                alike.setdefault("".join(stack).rstrip(), []).append(told)
        for place, names in alike.items():
            lines += [f"{'; '.join(names)} {'is' if len(names) == 1 else 'are'} in", place]
    if "socket" in sys.modules:
        import gc

        kind = sys.modules["socket"].socket
        sockets = [thing for thing in gc.get_objects() if issubclass(type(thing), kind)]
        lines += [f"open: {thing!r}{_by(thing, 'made')}" for thing in sockets if thing.fileno() >= 0]
    lines += [f"{name}: called by {_makers[name]}" for name in ("setitimer", "alarm") if name in _makers]
    with open(DEVICE, "wb", buffering=0) as device:
        # EBUSY: the kernel has told why; this ends what there is to say about it
        device.write(os.fsencode("\n".join(lines or ["" if error.errno == 16 else str(error)]) or "\n")[:4096])
