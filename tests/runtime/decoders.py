"""The decompression libraries of the unpacker, compiled for the host."""

from __future__ import annotations

import subprocess
from pathlib import Path

from unikit.kernel.runtime import DECODERS

from .conftest import ROOT


def includes(method: str) -> list[str]:
    decoder = DECODERS[method]
    source = decoder.package.find()
    return [f"-isystem{source / name}" for name in decoder.includes]


def compile_library(method: str, compiler: str, flags: list[str], folder: Path) -> list[str]:
    """The objects of a decoder's library."""
    decoder = DECODERS[method]
    source = decoder.package.find()
    objects = []
    for name in decoder.sources:
        out = folder / f"{method}-{Path(name).stem}.o"
        line = [compiler, *flags, *decoder.flags, *includes(method), "-w", "-fPIC", "-c", str(source / name)]
        line += ["-include", str(ROOT / "runtimes/unpack/library.h"), "-o", str(out)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        objects.append(str(out))
    return objects
