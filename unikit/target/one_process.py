"""Runs in the guest before the program's first line (compile.py puts it there): what starts a process says why not.

The kernel answers ENOSYS, and strerror(3) has no better words for that than "Function not implemented". So the few
functions that lead there give their OSError words of their own. Nothing else changes: arguments are checked as ever,
and the number stays. `processes`: whether the image holds `_posixsubprocess`, through which `subprocess` goes;
`uvloop`: whether it holds uvloop, whose processes libuv starts; `ctypes`: whether it holds `ctypes.util`, which starts
programs to find a library.
Annotations are not evaluated (compile.py compiles it so): a guest need not have `__future__`.
"""

import errno
import os
import posix
import sys

TYPE_CHECKING = False  # as in the module typing, which the guest need not have
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

processes: bool
uvloop: bool
ctypes: bool

# Where glibc's dynamic linker looks, by distribution.
FOLDERS = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib")
WORDS = "a unikernel is one process and starts no other: use threads or asyncio in it, or run more guests"


def worded(error: OSError, function: str) -> OSError:
    # posix_spawn(3) of glibc 2.35 and before says EPERM, whatever the kernel said
    spawned = function.startswith("posix_spawn") and error.errno == errno.EPERM
    if error.errno != errno.ENOSYS and not spawned:
        return error
    names = () if error.filename is None else (error.filename,)
    return OSError(errno.ENOSYS, WORDS, *names)


def spoken(call: Callable[..., Any]) -> Callable[..., Any]:
    def attempt(*arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except OSError as error:
            raise worded(error, call.__name__) from None

    attempt.__name__, attempt.__qualname__, attempt.__doc__ = call.__name__, call.__name__, call.__doc__
    attempt.__wrapped__ = call  # type: ignore[attr-defined]  # inspect.signature() goes by it
    return staticmethod(attempt)  # as an attribute of a class it is no method, as a builtin function is none


def system(command: Any) -> int:
    """A shell's way of saying it: status 127, and a line on standard error."""
    status = attempt(command)
    if status == 127 << 8:
        os.write(2, os.fsencode(command) + b": not run: " + WORDS.encode() + b"\n")
    return status


attempt: Callable[[Any], int] = os.system
system.__doc__ = attempt.__doc__
system.__wrapped__ = attempt  # type: ignore[attr-defined]
os.system = posix.system = staticmethod(system)

for name in ("fork", "forkpty", "execv", "execve", "posix_spawn", "posix_spawnp"):
    call = getattr(os, name)
    setattr(os, name, spoken(call))
    setattr(posix, name, getattr(os, name))
    if call in os.supports_fd:
        os.supports_fd.add(getattr(os, name))
if processes:  # noqa: F821 - declared above
    import _posixsubprocess as module

    module.fork_exec = spoken(module.fork_exec)


def awaited(call: Callable[..., Any]) -> Callable[..., Any]:
    """`spoken` for a method that is a coroutine."""

    async def attempt(*arguments: Any, **named: Any) -> Any:
        try:
            return await call(*arguments, **named)
        except OSError as error:
            raise worded(error, call.__name__) from None

    attempt.__name__, attempt.__qualname__, attempt.__doc__ = call.__name__, call.__qualname__, call.__doc__
    attempt.__wrapped__ = call  # type: ignore[attr-defined]
    return attempt


class Later:
    """Stands in front of the import system until a module is imported, and then sees to it."""

    def __init__(self, name: str, act: Callable[[Any], None]) -> None:
        self.name, self.act = name, act

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec: Any = next(filter(None, (finder.find_spec(name, path, target) for finder in sys.meta_path)), None)
        if spec is not None and spec.loader is not None:
            usual = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                del spec.loader.exec_module
                usual(module)
                self.act(module)

            spec.loader.exec_module = exec_module
        return spec


def see_to_uvloop(module: Any) -> None:
    for method in ("subprocess_exec", "subprocess_shell"):
        setattr(module.Loop, method, awaited(getattr(module.Loop, method)))


def see_to_ctypes(module: Any) -> None:
    """`ctypes.util.find_library` asks ldconfig, gcc and ld: here it looks where the dynamic linker does."""

    def soname(name: str) -> str | None:
        start = f"lib{name}.so"
        for folder in (*os.environ.get("LD_LIBRARY_PATH", "").split(":"), *FOLDERS):
            try:
                names = sorted(os.listdir(folder)) if folder else []
            except OSError:
                continue
            for file in names:
                if file == start or file.startswith(f"{start}."):
                    return file
        return None

    module._findSoname_ldconfig = soname
    module._findLib_gcc = module._findLib_ld = lambda name: None


if uvloop:  # noqa: F821 - declared above
    sys.meta_path.insert(0, Later("uvloop", see_to_uvloop))
if ctypes:  # noqa: F821 - declared above
    sys.meta_path.insert(0, Later("ctypes.util", see_to_ctypes))
