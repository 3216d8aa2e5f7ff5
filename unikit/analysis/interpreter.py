"""Finds the interpreter of the application and has it describe itself."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from unikit import paths
from unikit.errors import ExitCode, UserError
from unikit.model import Interpreter

OLDEST = (3, 10)
DEADLINE = 30  # seconds that an interpreter may take to describe itself

WANTED = "unikit needs CPython 3.10 or newer for x86-64 Linux with glibc; name one with --python"


def choose(python: str | None) -> Path:
    """The interpreter that is meant: `--python` (a program, or the folder of a virtual environment or of an
    installation), else the active virtual environment's, else the one that runs unikit."""
    if python is None:
        active = os.environ.get("VIRTUAL_ENV")
        if active and (found := Path(active, "bin", "python")).exists():
            return found
        return Path(sys.executable)
    named = Path(python).expanduser()
    if named.is_dir():
        for inside in ("bin/python", "bin/python3"):
            if (named / inside).exists():
                return (named / inside).absolute()
        raise _refuse(f"There is no bin/python in {named}")
    if named.exists():
        return named.absolute()
    if os.sep not in python and (program := shutil.which(python)):
        return Path(program)
    raise _refuse(f"There is no interpreter {python!r}")


@functools.cache
def probe(python: str | None = None) -> Interpreter:
    """Run the interpreter once and return what it says of itself.

    Raises `UserError` (INTERPRETER) when it is not there, does not run, or is of a kind that the guest cannot run."""
    path = choose(python)
    said = _ask(path)
    version = tuple(said["version"])
    if said["implementation"] != "cpython":
        raise _refuse(f"{path} is {said['implementation']}, not CPython")
    if said["platform"] != "linux" or said["machine"] != "x86_64":
        raise _refuse(f"{path} is built for {said['machine']} {said['platform']}")
    if version < OLDEST:
        raise _refuse(f"{path} is Python {said['version'][0]}.{said['version'][1]}")
    if said["free_threaded"]:
        raise _refuse(f"{path} is a free-threaded build")
    executable = Path(said["executable"])
    _check_program(executable)
    stdlib, dynload = Path(said["stdlib"]), Path(said["dynload"])
    own = {stdlib, dynload}
    site = tuple(p for p in map(Path, said["sys_path"]) if p.is_dir() and p.resolve() not in own)
    return Interpreter(
        path=path,
        executable=executable,
        version=(version[0], version[1], version[2]),
        prefix=Path(said["prefix"]),
        base_prefix=Path(said["base_prefix"]),
        stdlib=stdlib,
        dynload=dynload,
        site=tuple(dict.fromkeys(site)),
        guest_sites=tuple(said["guest_sites"]),
        cache_tag=said["cache_tag"],
        suffixes=tuple(said["suffixes"]),
        magic=bytes.fromhex(said["magic"]),
        builtins=frozenset(said["builtins"]),
        frozen=frozenset(said["frozen"]),
        stdlib_names=frozenset(said["stdlib_names"]),
        sysconfig_data=said["sysconfig_data"],
    )


def environment() -> dict[str, str]:
    """The environment for programs of ours that the target interpreter runs: without the PYTHON... variables, which
    speak of unikit's interpreter."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "__PYVENV_LAUNCHER__"}
    return {**clean, "PYTHONDONTWRITEBYTECODE": "1"}


def _ask(path: Path) -> dict[str, Any]:
    command = [str(path), str(paths.TARGET / "probe.py")]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DEADLINE, env=environment(), stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise _refuse(f"{path} did not answer within {DEADLINE} s") from error
    except OSError as error:
        raise _refuse(f"{path} does not run: {error.strerror}") from error
    if done.returncode == 0:
        try:
            # what a .pth file or sitecustomize prints comes first
            said: dict[str, Any] = json.loads(done.stdout[done.stdout.index('{"implementation"') :])
            return said
        except ValueError:
            pass
    last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
    raise _refuse(f"{path} cannot be used: {last[0]}")


def _check_program(executable: Path) -> None:
    """The program must be an x86-64 ELF file whose dynamic linker is glibc's."""
    try:
        with executable.open("rb") as file:
            elf = ELFFile(file)
            if elf["e_machine"] != "EM_X86_64":
                raise _refuse(f"{executable} is not an x86-64 program")
            loader = next((s.get_interp_name() for s in elf.iter_segments("PT_INTERP")), None)
    except (ELFError, OSError) as error:
        raise _refuse(f"{executable} is not an ELF program") from error
    if loader is None:
        raise _refuse(f"{executable} is linked statically: it cannot load extension modules")
    if "ld-musl" in loader:
        raise _refuse(f"{executable} is linked with musl, not glibc")


def _refuse(message: str) -> UserError:
    return UserError(f"{message}.", code=ExitCode.INTERPRETER, hint=WANTED)
