"""Images for tests: of Python applications as users build them, and of small C programs over the whole runtime."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache as remembered
from pathlib import Path
from typing import BinaryIO, cast

from elftools.elf.elffile import ELFFile

from unikit import __version__, cache, pipeline, progress
from unikit.image import compressed, erofs, image, layout
from unikit.image.image import Image
from unikit.image.manifest import Manifest
from unikit.kernel import link
from unikit.model import BootSettings, FileKind, ImageFile, digest, digest_file

LIBRARIES = (Path("/lib/x86_64-linux-gnu"), Path("/lib64"), Path("/usr/lib/x86_64-linux-gnu"))
# Debian's own interpreter where there is one: the machine's python3 may be anybody's.
SYSTEM_PYTHON = "/usr/bin/python3"


def build(
    app: Path | str,
    python: str | None = None,
    *,
    freeze: bool = False,
    cpu_level: str | None = None,
    warm: str | None = None,
    compression: str | None = None,
) -> Image:
    """A Python application as `unikit build` makes it, or a folder with main.c as a program of its own."""
    if isinstance(app, Path) and (app / "main.c").exists():
        return build_program(app, compression)
    request = pipeline.Request(
        str(app), python or SYSTEM_PYTHON, freeze=freeze, cpu_level=cpu_level, warm=warm, compress=compression
    )
    return pipeline.image_of(request, progress.choose(quiet=True))


@remembered
def kernel() -> link.Kernel:
    """The runtime with all of its components."""
    return link.link()


def build_program(folder: Path, compression: str | None = None) -> Image:
    """main.c, compiled by the host's gcc against its glibc, as the only program of an image."""
    source = folder / "main.c"
    program = cache.folder("tests") / f"{folder.name}-{digest(digest_file(source))[:16]}"
    command = ["gcc", "-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-infinite-recursion", "-pthread"]
    subprocess.run([*command, str(source), "-o", str(program)], check=True)
    return assemble(folder.name, program, compression=compression)


def assemble(name: str, program: Path, arguments: tuple[str, ...] = (), compression: str | None = None) -> Image:
    """An image that runs one ELF program of the host."""
    files = [ImageFile("/app/main", FileKind.FILE, 0o755, "app", program)]
    files += [ImageFile(g, FileKind.FILE, 0o755, "runtime", h) for g, h in sorted(needed(program).items())]
    files += [layout.folder(path, mode) for path, mode in layout.FOLDERS.items()]
    files += [layout.text(f"/etc/{n}", content) for n, content in layout.ETC.items()]
    boot = BootSettings("/app/main", ("/app/main", *arguments), (("PATH", "/usr/bin"),), hostname="test")
    files.append(layout.boot_file(boot))
    built = kernel()
    key = digest(built.build_id, [(f.path, digest(f.read())) for f in files])
    out = cache.entry("tests", key, ".img")
    if not out.is_file():
        with tempfile.NamedTemporaryFile() as root:
            erofs.write(sorted(files, key=lambda f: f.path), cast(BinaryIO, root))
            root.flush()
            manifest = Manifest(
                unikit=__version__, name=name, entry="main.c", interpreter="none", ports=(), memory=64,
                kernel_build_id=built.build_id, libraries=(),
                components=tuple(c.name for c in built.selection.components), kernel_sha256="",
                root_sha256=digest_file(Path(root.name)), network=True,
            )  # fmt: skip
            image.make(built.stripped.read_bytes(), Path(root.name), manifest, out)
    plain = image.read(out)
    return compressed.compress(plain, compression) if compression else plain


def needed(program: Path) -> dict[str, Path]:
    """What a program loads: guest path to host path, the dynamic linker included."""
    found: dict[str, Path] = {}
    waiting = [program]
    while waiting:
        with waiting.pop().open("rb") as file:
            elf = ELFFile(file)
            for segment in elf.iter_segments("PT_INTERP"):
                found[segment.get_interp_name()] = Path(segment.get_interp_name()).resolve()
            dynamic = elf.get_section_by_name(".dynamic")
            names = [t.needed for t in dynamic.iter_tags("DT_NEEDED")] if dynamic else []
        for name in names:
            guest = f"/lib/x86_64-linux-gnu/{name}"
            if guest not in found and not any(g.endswith(f"/{name}") for g in found):
                found[guest] = next(d / name for d in LIBRARIES if (d / name).exists()).resolve()
                waiting.append(found[guest])
    return found
