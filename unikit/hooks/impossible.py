"""Calls that need a second process, which a guest does not have, and what to do instead (docs/limits.md)."""

from __future__ import annotations

PROGRAMS = "a guest has no other programs to run: call a library, or ask a service over the network"
PROCESSES = "a guest is one process: use threads or asyncio, and more guests for more processors"
SERVERS = "its workers are processes: build MODULE:ATTRIBUTE of the application, and gunicorn's threads serve it"

# full name of a function -> what to do instead
CALLS: dict[str, str] = {
    **{f"os.{name}": PROCESSES for name in ("fork", "forkpty")},
    "pty.fork": PROCESSES,
    **{f"os.exec{form}": PROGRAMS for form in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")},
    **{f"os.spawn{form}": PROGRAMS for form in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")},
    **{f"os.{name}": PROGRAMS for name in ("system", "popen", "posix_spawn", "posix_spawnp")},
    "pty.spawn": PROGRAMS,
    **{
        f"subprocess.{name}": PROGRAMS
        for name in ("run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput")
    },
    **{
        f"asyncio.{module}{name}": PROGRAMS
        for module in ("", "subprocess.")
        for name in ("create_subprocess_exec", "create_subprocess_shell")
    },
    **{
        f"multiprocessing.{name}": PROCESSES
        for name in ("Process", "Pool", "Manager", "pool.Pool", "context.Process", "managers.BaseManager")
    },
    "concurrent.futures.ProcessPoolExecutor": PROCESSES,
    "concurrent.futures.process.ProcessPoolExecutor": PROCESSES,
}

# packages whose only work is to start processes
PACKAGES: dict[str, str] = {"gunicorn": SERVERS, "billiard": PROCESSES}
# what an application imports as well that uses such a package without its processes
WITHOUT: dict[str, str] = {"gunicorn": "gunicorn.workers.gthread"}
