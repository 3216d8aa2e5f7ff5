"""Components of the runtime as host libraries: built with ASan and UBSan, driven through cffi."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cffi
import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
FLAGS = [
    "-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-DUNIKIT_HOST",
    "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
    "-fno-strict-aliasing", f"-I{ROOT / 'runtimes/include'}",
]  # fmt: skip

Library = tuple[Any, cffi.FFI]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Library]:
    """build(components, cdef, extra="", flags=()) -> (library, ffi).

    components  paths below runtimes/ without `.c`, e.g. "vfs/pipe"
    cdef        what to declare to cffi, in C
    extra       C source compiled along, for what cffi cannot say (macros, inline functions)
    """
    folder = tmp_path_factory.mktemp("libraries")
    built: dict[str, Library] = {}

    def make(components: list[str], cdef: str, extra: str = "", flags: tuple[str, ...] = ()) -> Library:
        key = hashlib.sha256(repr((components, cdef, extra, flags)).encode()).hexdigest()[:16]
        if key in built:
            return built[key]
        sources = [str(ROOT / "runtimes" / f"{c}.c") for c in components]
        sources.append(str(HERE / "host/host.c"))
        if extra:
            (folder / f"{key}.c").write_text(extra)
            sources.append(str(folder / f"{key}.c"))
        library = folder / f"{key}.so"
        done = subprocess.run(
            ["gcc", *FLAGS, *flags, *sources, "-o", str(library)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        ffi = cffi.FFI()
        ffi.cdef(cdef)
        built[key] = (ffi.dlopen(str(library)), ffi)
        return built[key]

    return make
