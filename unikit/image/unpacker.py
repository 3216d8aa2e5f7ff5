"""The program that unpacks a compressed image at boot (runtimes/unpack/), linked for the package that it unpacks.

It lies in the lowest gap between the ranges that it fits in, so that it is there even where memory ends early and can
say so; the package lies behind everything. Both are free memory once the content runs.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unikit.errors import ExitCode, UserError
from unikit.image import image, pack
from unikit.image.pack import PAGE, Segment, up
from unikit.kernel import link, select
from unikit.kernel.compiler import libgcc, linker, require
from unikit.kernel.component import Component, read
from unikit.kernel.runtime import Runtime

ALIGNED = 512  # in the file: no page of it is mapped. Leaves room for a program header
# Room for the unpacker that whoever lays out segments can leave between two of them.
ROOM = 512 << 10


@dataclass(frozen=True)
class Packed:
    """A package, where it has to be loaded, and the unpacker: a linked program (ELF64), with room for one more program
    header, made of `components`, with their bytes in it. `end` is the end of the memory that unpacking takes."""

    package: bytes
    address: int
    unpacker: bytes
    components: tuple[Component, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        return self.address + len(self.package)


def make(segments: Iterable[Segment], entry: int, method: str, *, in_use: int = 0) -> Packed:
    """Compress `segments`; `entry` is the PVH entry of their content (physical). Below `in_use` nothing else is
    touched, not even between the segments.

    Raises UserError: TOOLCHAIN, COMPILE, SELECT or LINK.
    """
    merged = pack.merged(segments)
    content = pack.compressed(merged, entry, pack.COMPRESSORS[method])
    components = _compile(Runtime(), method)
    highest = max(in_use, *(s.end for s in merged))
    draft, _ = _link(components, up(highest), up(highest) + PAGE, len(content))
    size = _span(draft)
    base = up(in_use) if in_use else pack.place(merged, size)
    address = up(max(highest, base + size))
    # behind what is in use there may be no memory; where the first segment will be there is
    unpacker, listing = _link(components, base, address, len(content), merged[0].address if in_use else None)
    return Packed(content, address, unpacker, components, link.sizes(listing, components))


def identity(method: str) -> str:
    """What a packed image depends on beside its content: the compressor, and the program that unpacks it."""
    components = _compile(Runtime(), method)
    return " ".join([pack.version(method), *(str(c.path.name) for c in components)])


def _compile(runtime: Runtime, method: str) -> tuple[Component, ...]:
    units, objects = runtime.unpacker(method)
    compiled, failures = objects.compile(units)
    require(failures)
    given = re.findall(r"^\s*(\w+) = ", _script(0, 0, 0, None), re.MULTILINE)
    found = select.select([read(o.name, o.path) for o in compiled], linker=[*given, *link.LIBGCC])
    return found.components


def _script(base: int, package: int, size: int, low: int | None) -> str:
    least = str(((package + size) >> 20) + 1 + image.SMALLEST).encode()  # as unpack/start.c has it
    return link.template("unpack.ld.j2", base=base, package=package, size=size, low=low, least=least)


def _link(
    components: Sequence[Component], base: int, package: int, size: int, low: int | None = None
) -> tuple[bytes, str]:
    """The unpacker, linked at `base` for a package of `size` bytes at `package`, with its first steps at `low` if not
    there as well; and the linker's map of it."""
    with tempfile.TemporaryDirectory() as work:
        layout, out, listing = (Path(work, f"unpack.{end}") for end in ("ld", "elf", "map"))
        layout.write_text(_script(base, package, size, low))
        line = [*linker(), "--build-id=none", "--strip-all", "-z", f"max-page-size={ALIGNED}", "-T", str(layout)]
        line += [*(str(c.path) for c in components), libgcc(), "-Map", str(listing), "-o", str(out)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise UserError(
                "The unpacker does not link.", code=ExitCode.LINK, details=tuple(done.stderr.strip().splitlines())
            )
        return out.read_bytes(), listing.read_text()


def _span(unpacker: bytes) -> int:
    """How much memory the linked unpacker takes, in whole pages."""
    return up(max(h[6] + h[3] % PAGE for h in image.program_headers(unpacker) if h[0] == image.PT_LOAD))
