"""The module `unikit` as the application sees it: in the guest it is this package, elsewhere `unikit` has its
names.

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

from . import boot, culprits, kernel, threads
from .culprits import begin

__all__ = ["after_thaw", "before_freeze", "begin", "freeze"]

Hook = TypeVar("Hook", bound=Callable[[], Any])

REFUSED = 75  # EX_TEMPFAIL: the build says why

_before: list[Callable[[], Any]] = []
_after: list[Callable[[], Any]] = []
_frozen = False


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
        os.close(os.open(kernel.DEVICE, os.O_WRONLY | os.O_CLOEXEC))
    except OSError:
        return False  # no image is being made
    how, modules = kernel.how()
    for name in modules:
        try:  # noqa: SIM105 - contextlib may not be there
            __import__(name)
        except Exception:  # it fails when the program does it as well
            pass
    if how == "warm":
        _signal.signal(kernel.WARM_SIGNAL, _warm)
        return False
    _prepare()
    try:
        told = _freeze()
    except OSError as error:
        culprits.refused(error)
        os._exit(REFUSED)
    _thaw(*told)
    return True


def _warm(number: int, frame: Any) -> None:
    """The program has served for a while, and now is the time: a signal in the midst of its work."""
    _signal.signal(number, _signal.SIG_IGN)  # before: what is done after the freeze is done in every boot
    _prepare()
    try:
        told = _freeze()
    except OSError as error:
        _signal.signal(number, _warm)
        culprits.refused(error)  # the signal comes again: connections may be about to close
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
    boot.keep_no_ticket_keys(gc.get_objects())


def _freeze() -> tuple[bytes, bytes]:
    """What the kernel tells before and after the freeze. Raises OSError if the memory cannot be frozen as it is."""
    global _frozen
    import gc

    again = threads.end_idle(gc.get_objects())
    device = os.open(kernel.DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        before = kernel.told(device)
        for thing in threads.restarted():
            os.write(device, b"forget " + thing)
        _fork(device)
        _frozen = True
        return before, kernel.told(device)
    finally:
        os.close(device)
        for pool, number in again:
            pool.set_thread_count(number)


def _fork(device: int) -> None:
    """asyncio forgets in the child of a fork, by the process's number, what it was about to do; this child goes on."""
    events = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events else None
    wakeup = _signal.set_wakeup_fd(-1) if loop is not None and threads.in_main_thread() else None
    try:
        os.write(device, b"renumber")
        boot.forget()
        os.write(device, b"freeze")
        os.fork()
    finally:
        if wakeup is not None:
            _signal.set_wakeup_fd(wakeup)
        if events is not None and loop is not None:
            events._set_running_loop(loop)


def _thaw(before: bytes, now: bytes) -> None:
    """What belongs to the boot, and not to the program, becomes this boot's."""
    if now != before:
        boot.adapt(boot.Boot(before), boot.Boot(now))
    boot.renew()
    for function in _after:
        function()
