"""Links the kernel: compiles the runtime, selects components, runs the linker with templates/kernel.ld.j2.

Whoever works on the runtime needs nothing of the rest of the tool:

    python -m unikit.kernel.link [--out FILE] [--only PREFIX ...] [--runtimes FOLDER] [--lwip FOLDER] [--why NAME]

compiles what changed (below a second if nothing did), prints the compiler's messages by component, and writes the
kernel with its debug information. `--only vfs/ --only threads/clone` compiles those components and does not link.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection

from unikit import cache, paths
from unikit.errors import ExitCode, UserError
from unikit.kernel import select
from unikit.kernel.compiler import libgcc, linker, require, tool, version
from unikit.kernel.component import Component, read
from unikit.kernel.runtime import Runtime

PHYSICAL = 0x100000
VIRTUAL = 0xFFFFFFFF80000000
ENTRY = "boot_entry"
# What the compiler calls for arithmetic that the processor does not have, from its own library.
LIBGCC = (
    *("__divti3", "__modti3", "__udivti3", "__umodti3", "__divmodti4", "__udivmodti4", "__multi3"),
    *("__popcountdi2", "__popcountti2", "__clzti2", "__ctzti2", "__ffsdi2", "__ffsti2", "__paritydi2"),
)


@dataclass(frozen=True)
class Kernel:
    """A linked kernel: `path` has its debug information, `stripped` only its symbol table."""

    path: Path
    stripped: Path
    build_id: str
    selection: select.Selection
    sizes: dict[str, int] = field(default_factory=dict)  # bytes of its file that a component takes, by name


def link(imports: Iterable[str] | None = None, runtime: Runtime | None = None) -> Kernel:
    """Compile, select for an application that imports `imports` (None: everything), and link.

    Raises UserError: TOOLCHAIN, COMPILE, SELECT or LINK.
    """
    return join(choose(imports, runtime or Runtime()))


@dataclass(frozen=True)
class Plan:
    """What the linker gets: the selection and its script."""

    selection: select.Selection
    script: str


def choose(
    imports: Iterable[str] | None,
    runtime: Runtime,
    components: list[Component] | None = None,
    *,
    tracing: bool = False,
    calls: Iterable[str] | None = None,
    include: Iterable[str] = (),
) -> Plan:
    """Compile (unless `components` are there already) and select, as `select.select` says. Raises UserError as
    `link`."""
    if components is None:
        components = compile_all(runtime)
    script = _script(sorted({table for component in components for table in component.tables}))
    given = [*re.findall(r"^\s*(\w+) = ", script, re.MULTILINE), *LIBGCC]
    chosen = select.select(components, linker=given, imports=imports, tracing=tracing, calls=calls, include=include)
    return Plan(chosen, script)


def compile_all(runtime: Runtime, only: tuple[str, ...] = ()) -> list[Component]:
    """The runtime's components (or those whose names start with one of `only`), compiled."""
    units, objects = runtime.units()
    compiled, failures = objects.compile([u for u in units if not only or u.name.startswith(only)])
    require(failures)
    return [read(o.name, o.path) for o in compiled]


def _script(tables: list[str]) -> str:
    return template("kernel.ld.j2", physical=PHYSICAL, virtual=VIRTUAL, entry=ENTRY, tables=tables)


def template(name: str, **values: object) -> str:
    """A linker script of templates/."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(paths.TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template(name).render(**values)


def join(plan: Plan) -> Kernel:
    """Run the linker, unless it did the same before. Raises UserError (LINK)."""
    selection, script = plan.selection, plan.script
    objects = [str(component.path) for component in selection.components]
    key = hashlib.sha256("\0".join([version(), script, *objects]).encode()).hexdigest()
    path, stripped = cache.entry("kernels", key, ".elf"), cache.entry("kernels", key, ".stripped.elf")
    listing = cache.entry("kernels", key, ".map")
    if not (path.is_file() and stripped.is_file() and listing.is_file()):
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            layout, out, small = (Path(work, f"kernel.{end}") for end in ("ld", "elf", "stripped.elf"))
            layout.write_text(script)
            line = [*linker(), "--build-id=sha1", "-z", "max-page-size=4096"]
            line += ["-T", str(layout), *objects, libgcc(), "-Map", str(Path(work, "map")), "-o", str(out)]
            done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
            if done.returncode:
                text = done.stderr.strip()
                for component in selection.components:
                    text = text.replace(str(component.path), component.name)
                raise UserError("The kernel does not link.", code=ExitCode.LINK, details=tuple(text.splitlines()))
            strip = [tool("objcopy"), "--strip-debug", "--discard-all", str(out), str(small)]
            subprocess.run(strip, check=True, timeout=60)
            small.replace(stripped)
            Path(work, "map").replace(listing)
            out.replace(path)
    return Kernel(path, stripped, build_id(path), selection, sizes(listing.read_text(), selection.components))


# A piece of an object in the linker's map, and the output section that it is in (ld, -Map). Long names have a line of
# their own.
OUTPUT = re.compile(r"^(\S+)")
PIECE = re.compile(r"^ +(?:\S+\s+)?0x[0-9a-f]+\s+0x([0-9a-f]+) (\S.*)$")
NOT_IN_FILE = ("/DISCARD/", ".bss", ".boot.bss", ".comment", ".debug", ".note", ".symtab", ".strtab", ".shstrtab")


def sizes(listing: str, components: Iterable[Component]) -> dict[str, int]:
    """How many bytes each component has in a linked program's file, after what nothing uses was dropped, from the
    linker's map."""
    names = {str(component.path): component.name for component in components}
    found = dict.fromkeys(names.values(), 0)
    _, _, memory = listing.partition("Linker script and memory map")
    output = ""
    for line in memory.splitlines():
        if match := OUTPUT.match(line):
            output = match[1]
        elif (match := PIECE.match(line)) and match[2] in names and not output.startswith(NOT_IN_FILE):
            found[names[match[2]]] += int(match[1], 16)
    return found


def build_id(path: Path) -> str:
    """The GNU build id of an ELF file in hexadecimal, empty if it has none."""
    with path.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".note.gnu.build-id")
        if isinstance(section, NoteSection):
            for note in section.iter_notes():
                return str(note["n_desc"])
    return ""


def main(arguments: list[str] | None = None) -> int:
    """The developer's command; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m unikit.kernel.link", description="Compile and link the runtime.")
    parser.add_argument("--out", type=Path, help="write the kernel here")
    parser.add_argument("--only", action="append", default=[], metavar="PREFIX", help="compile these, do not link")
    parser.add_argument("--runtimes", type=Path, help="the folder with the components")
    parser.add_argument("--lwip", type=Path, help="the folder with lwIP's sources")
    parser.add_argument("--why", metavar="NAME", help="say why a component is in")
    options = parser.parse_args(arguments)
    runtime = Runtime(options.runtimes, options.lwip)
    try:
        if options.only:
            compiled = compile_all(runtime, tuple(options.only))
            print(f"{len(compiled)} components compile")
            return 0
        kernel = link(runtime=runtime)
    except UserError as error:
        print(*error.details, error.message, *([error.hint] if error.hint else []), sep="\n", file=sys.stderr)
        return int(error.code)
    if options.why:
        for choice in kernel.selection.choices:
            if choice.component.name == options.why:
                print(f"needed by {choice.needed_by} for {choice.for_what}" if choice.needed_by else "a root")
    if options.out:
        options.out.write_bytes(kernel.path.read_bytes())
    count, left = len(kernel.selection.choices), len(kernel.selection.left_out)
    print(f"{kernel.path}: {count} components, {left} left out, {kernel.stripped.stat().st_size} bytes stripped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
