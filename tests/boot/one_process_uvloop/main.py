"""uvloop, which starts processes without `subprocess`, says as well that there is none to be had."""

import asyncio
import contextlib
import errno
import inspect

import uvloop


def refused(loop, what):
    try:
        loop.run_until_complete(what)
    except OSError as error:
        assert error.errno == errno.ENOSYS and "one process" in str(error) and "threads" in str(error), error
        return
    raise AssertionError(f"{what} went through")


if __name__ == "__main__":
    with contextlib.closing(uvloop.new_event_loop()) as loop:
        refused(loop, asyncio.create_subprocess_exec("true"))
        refused(loop, asyncio.create_subprocess_shell("exit 1"))
        refused(loop, loop.subprocess_exec(asyncio.SubprocessProtocol, "true"))
        assert inspect.iscoroutinefunction(loop.subprocess_exec) and loop.subprocess_exec.__name__ == "subprocess_exec"
        try:
            loop.run_until_complete(loop.subprocess_exec(asyncio.SubprocessProtocol))
        except TypeError as error:  # arguments are checked as ever
            assert "positional" in str(error), error
    assert "exec_module" not in vars(uvloop.__spec__.loader)
