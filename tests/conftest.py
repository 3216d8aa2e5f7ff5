"""Starts pytest anew under the address sanitizer where components of the runtime are among the tests.

A sanitized library loads only into a program that has libasan before everything else. The new process takes
LD_PRELOAD back, so that the compilers and emulators that tests start are not slowed down by it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MARK = "UNIKIT_SANITIZED"
RUNTIME = Path(__file__).resolve().parent / "runtime"

if os.environ.pop(MARK, None):
    os.environ.pop("LD_PRELOAD", None)
    del os.RTLD_DEEPBIND  # libasan ends a program that loads a library so; capstone does without where there is none
    SANITIZED = True
else:
    SANITIZED = False


def reaches_runtime(arguments: list[str], base: Path) -> bool:
    """Whether one of pytest's path arguments is, holds, or lies in tests/runtime."""
    for argument in arguments:
        path = (base / argument.partition("::")[0]).resolve()
        if path == RUNTIME or RUNTIME in path.parents or path in RUNTIME.parents:
            return True
    return False


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    compiler = shutil.which("gcc")
    if SANITIZED or not compiler or not reaches_runtime(config.args, config.invocation_params.dir):
        return
    library = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = os.environ | {
        MARK: "1",
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    arguments = [str(a) for a in config.invocation_params.args]
    os.execve(sys.executable, [sys.executable, "-m", "pytest", *arguments], environment)
