"""What would start another process says that there is none to be had, and what to do instead."""

import asyncio
import concurrent.futures.process
import errno
import inspect
import multiprocessing
import os
import posix
import pty
import subprocess
import sys


def refused(what, *arguments, **named):
    try:
        what(*arguments, **named)
    except OSError as error:
        assert error.errno == errno.ENOSYS and "one process" in str(error) and "threads" in str(error), error
        return error
    raise AssertionError(f"{what} went through")


def child():
    raise AssertionError("nobody runs this")


if __name__ == "__main__":
    refused(os.fork)
    refused(posix.fork)
    refused(pty.fork)
    refused(os.execv, sys.executable, ["python"])
    refused(os.execvp, "python3", ["python3"])
    assert refused(os.posix_spawn, "/bin/true", ["true"], {}).filename == "/bin/true"
    refused(subprocess.run, ["true"])
    refused(subprocess.Popen, "exit 1", shell=True)
    refused(subprocess.check_output, ["true"], close_fds=False)
    assert os.system("echo lost") == posix.system(b"true") == 127 << 8  # as a shell that does not find a program
    refused(os.spawnv, os.P_WAIT, "/bin/true", ["true"])
    refused(os.popen, "true")
    refused(asyncio.run, asyncio.create_subprocess_exec("true"))
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        refused(pool.submit, abs, -1)
    try:
        multiprocessing.Pool(1)
    except ModuleNotFoundError as error:  # nobody imports multiprocessing.pool here
        assert "one process" in str(error) and "threads" in str(error), error
    for method in ("fork", "spawn", "forkserver"):
        refused(multiprocessing.get_context(method).Process(target=child).start)
    assert not multiprocessing.active_children()

    try:
        os.execv("", [])
    except ValueError as error:  # arguments are checked as ever
        assert "one process" not in str(error)
    assert str(inspect.signature(os.fork)) == "()" and os.fork.__name__ == "fork"
    assert os.execve in os.supports_fd
    holder = type("Holder", (), {"start": posix.posix_spawn})
    refused(holder().start, "/bin/true", ["true"], {})
    imported = {"asyncio", "concurrent", "errno", "inspect", "multiprocessing"}
    imported |= {"os", "posix", "pty", "subprocess", "sys"}
    left = {name for name in globals() if not name.startswith("__")}
    assert left == {"child", "holder", "imported", "method", "pool", "refused"} | imported, left
