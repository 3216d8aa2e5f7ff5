"""Shared libraries: found as the dynamic linker finds them, placed where the guest's will look."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from elftools.common.exceptions import ELFError

from tests.unit.elf import kernel
from tests.unit.stages import elves
from tests.unit.stages.conftest import Workshop
from unikit.analysis import natives
from unikit.errors import ExitCode, UserError
from unikit.model import Natives
from unikit.native import elf
from unikit.native.libraries import MAGIC, Resolver, read_cache


@pytest.fixture
def found(workshop: Workshop) -> Natives:
    return natives.resolve(workshop.analyse(workshop.app(main="import threading, socket, json")))


def test_the_closure_of_a_real_interpreter(found: Natives, workshop: Workshop) -> None:
    python = workshop.interpreter
    assert found.program.guest == python.guest_program
    assert found.program.host == python.executable
    assert found.loader.guest == "/lib64/ld-linux-x86-64.so.2"
    guests = {lib.soname: lib.guest for lib in found.libraries}
    assert {"libc.so.6", "libm.so.6"} <= set(guests)
    assert found.libc.startswith("glibc 2.")
    libdir = guests["libc.so.6"].rpartition("/")[0]
    # whatever the program needs is beside libc, wherever this machine has it
    assert all(guests[n].rpartition("/")[0] == libdir for n in elf.read(python.executable).needed)
    needed = {n for lib in found.files for n in elf.read(lib.host).needed}
    assert needed <= {*guests, found.loader.soname}


CTYPES = """import ctypes
import ctypes.util
from ctypes.util import find_library
import p
def later():
    return ctypes.CDLL(find_library("shop")), ctypes.cdll.LoadLibrary("libtill.so.1")
ctypes.CDLL("libc.so.6"), ctypes.CDLL("./libshop.so.3")
ctypes.CDLL("libnone.so.9"), ctypes.CDLL(None), find_library(p.NAME), ctypes.util.find_library("shoplifter")
"""


def test_calls_of_ctypes_lead_to_libraries(workshop: Workshop, tmp_path: Path) -> None:
    workshop.packages({"p/__init__.py": "import ctypes\nNAME = 'shop'\ndef unused(): ctypes.CDLL('libunused.so.1')\n"})
    cache = {}
    for name in ("libshop.so.3", "libtill.so.1", "libunused.so.1"):
        cache[name] = tmp_path / name
        cache[name].write_bytes(elves.shared(soname=name))
    found = natives.resolve(workshop.analyse(workshop.app(main=CTYPES)), Resolver(cache))
    names = {lib.soname: lib for lib in found.libraries}
    assert {"libshop.so.3", "libtill.so.1"} <= names.keys() and "libunused.so.1" not in names
    folder = names["libc.so.6"].guest.rpartition("/")[0]
    assert names["libshop.so.3"].guest == f"{folder}/libshop.so.3"
    assert found.graph.has_edge("module:__main__", names["libc.so.6"].id) and names["libc.so.6"].layer != "dependencies"
    edge = found.graph.edges["module:__main__", names["libshop.so.3"].id]["edge"]
    assert edge.evidence[0].endswith("main.py:6")


def test_every_file_is_there_once(found: Natives) -> None:
    guests = [lib.guest for lib in found.files]
    assert len(guests) == len(set(guests))


def test_the_unwinder_comes_with_threads(found: Natives) -> None:
    unwinder = next(lib for lib in found.libraries if lib.soname == "libgcc_s.so.1")
    assert found.graph.has_edge("module:threading", unwinder.id)


def test_edges_say_who_loads_what(found: Natives) -> None:
    libc = next(lib for lib in found.libraries if lib.soname == "libc.so.6")
    assert found.graph.has_edge(found.program.id, libc.id) or any(
        found.graph.has_edge(lib.id, libc.id) for lib in found.libraries
    )
    for name, extension in found.extensions:
        assert found.graph.has_edge(f"module:{name}", extension.id)


def extension_name(workshop: Workshop) -> str:
    return f"fast{workshop.interpreter.suffixes[0]}"


def test_libraries_found_by_origin_keep_their_place(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "from . import fast"})
    (workshop.site / "p.libs").mkdir()
    elves.write(workshop.site / "p" / extension_name(workshop), needed=["libinner.so.1"], runpath="$ORIGIN/../p.libs")
    elves.write(workshop.site / "p.libs" / "libinner.so.1", soname="libinner.so.1")
    found = natives.resolve(workshop.analyse(workshop.app(main="import p")))
    guests = {lib.soname: lib.guest for lib in found.libraries}
    assert guests["libinner.so.1"] == f"{workshop.interpreter.guest_site}/p.libs/libinner.so.1"


def test_libraries_found_by_an_absolute_path_go_beside_libc(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "from . import fast"})
    (workshop.folder / "opt").mkdir()
    elves.write(
        workshop.site / "p" / extension_name(workshop), needed=["libopt.so.1"], runpath=str(workshop.folder / "opt")
    )
    elves.write(workshop.folder / "opt" / "libopt.so.1", soname="libopt.so.1")
    found = natives.resolve(workshop.analyse(workshop.app(main="import p")))
    guests = {lib.soname: lib.guest for lib in found.libraries}
    assert guests["libopt.so.1"] == guests["libc.so.6"].replace("libc.so.6", "libopt.so.1")


def refused(workshop: Workshop) -> UserError:
    with pytest.raises(UserError) as caught:
        natives.resolve(workshop.analyse(workshop.app(main="import p")))
    return caught.value


def test_a_missing_library_is_named(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "from . import fast"})
    elves.write(workshop.site / "p" / extension_name(workshop), needed=["libnowhere.so.9"])
    error = refused(workshop)
    assert error.code is ExitCode.MODULE_NOT_FOUND
    assert "libnowhere.so.9" in error.message and extension_name(workshop) in error.message


def test_an_optional_extension_may_lack_its_library(workshop: Workshop) -> None:
    workshop.packages({"p/__init__.py": "try:\n    from . import fast\nexcept ImportError: pass"})
    elves.write(workshop.site / "p" / extension_name(workshop), needed=["libnowhere.so.9"])
    found = natives.resolve(workshop.analyse(workshop.app(main="import p")))
    assert "missing:libnowhere.so.9" in found.graph


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"machine": 183}, "AARCH64"), ({"needed": ["libc.musl-x86_64.so.1"]}, "musl")],
)
def test_extensions_of_another_kind_are_refused(workshop: Workshop, options: dict[str, object], complaint: str) -> None:
    workshop.packages({"p/__init__.py": "from . import fast"})
    elves.write(workshop.site / "p" / extension_name(workshop), **options)  # type: ignore[arg-type]
    assert complaint in refused(workshop).message


def test_the_cache_of_the_dynamic_linker() -> None:
    strings, entries = b"", b""
    rows = [
        ("liba.so.1", "/lib/hwcaps/liba.so.1", 0x0303, 1 << 62),
        ("liba.so.1", "/lib/liba.so.1", 0x0303, 0),
        ("libb.so.1", "/lib32/libb.so.1", 0x0003, 0),
    ]
    base = 48 + 24 * len(rows)
    for name, path, flags, capabilities in rows:
        at = base + len(strings)
        strings += name.encode() + b"\0" + path.encode() + b"\0"
        entries += struct.pack("<iIIIQ", flags, at, at + len(name) + 1, 0, capabilities)
    content = (
        MAGIC + struct.pack("<IIIIII", len(rows), len(strings), 0, 0, 0, 0)[:28].ljust(28, b"\0") + entries + strings
    )
    assert read_cache(b"old part" + content) == {"liba.so.1": Path("/lib/liba.so.1")}
    assert read_cache(b"something else") == {}


def test_search_order(tmp_path: Path) -> None:
    for folder in ("rpath", "runpath", "cache", "default"):
        (tmp_path / folder).mkdir()
        elves.write(tmp_path / folder / "libx.so", soname="libx.so")
    resolver = Resolver({"libx.so": tmp_path / "cache" / "libx.so"}, (tmp_path / "default",))

    def place(**options: str) -> str:
        user = tmp_path / "-".join(("user", *options))
        elves.write(user, needed=["libx.so"], **{k: str(tmp_path / v) for k, v in options.items()})  # type: ignore[arg-type]
        found = resolver.find("libx.so", (user,))
        assert found is not None
        return found.path.parent.name

    assert place(rpath="rpath") == "rpath"
    assert place(runpath="runpath", rpath="rpath") == "runpath"
    assert place(runpath="nothing") == "cache"
    (tmp_path / "cache" / "libx.so").unlink()
    assert place() == "default"


EH_FRAME = 0x6474E550


def test_slimming_keeps_what_is_mapped(found: Natives) -> None:
    for library in found.files:
        before = library.host.read_bytes()
        after = elf.slim(before)
        assert len(after) <= len(before)
        for kind, _, offset, _, _, size, _, _ in elves.segments(before):
            if kind == elf.PT_LOAD and offset:
                differing = sum(
                    a != b for a, b in zip(before[offset : offset + size], after[offset : offset + size], strict=True)
                )
                assert differing <= 8 * 2  # at most the tags of two search paths
        assert elves.segments(before) == elves.segments(after)


def test_without_unwind_tables_all_else_stays_at_its_address(found: Natives) -> None:
    smaller = 0
    for library in found.files:
        before = elf.slim(library.host.read_bytes())
        after = elf.slim(library.host.read_bytes(), unwind=False)
        smaller += len(after) < len(before)
        for old, new in zip(elves.segments(before), elves.segments(after), strict=True):
            kind, _, offset, address, _, size, memory, align = new
            if kind == EH_FRAME and new != old:
                assert after[offset : offset + size] == bytes(4)
                continue
            assert (kind, address, align) == (old[0], old[3], old[7]) and size <= old[5]
            assert size == old[5] or (kind == elf.PT_LOAD and memory == size == old[5] - (old[6] - memory))
            assert kind != elf.PT_LOAD or (address - offset) % align == 0
            end = size - 4 if size < old[5] else size
            if kind == elf.PT_LOAD and offset:  # the first one holds the program headers
                assert after[offset : offset + end] == before[old[2] : old[2] + end]
    assert smaller >= 5


def test_who_unwinds_is_known_by_its_symbols(found: Natives, tmp_path: Path) -> None:
    files = {library.soname: elf.unwinds(library.host) for library in found.files}
    assert files["libc.so.6"] and not files["libm.so.6"] and not files[found.program.soname]
    assert not elf.unwinds(elves.write(tmp_path / "lib.so")), "a file without section headers says what it imports"
    (tmp_path / "static").write_bytes(kernel())
    assert elf.unwinds(tmp_path / "static"), "a file that says nothing may"


def test_slimming_takes_search_paths_of_the_build_machine_out(tmp_path: Path) -> None:
    for text, kept in (("/home/somebody/lib", ()), ("$ORIGIN/../lib", ("$ORIGIN/../lib",))):
        path = elves.write(tmp_path / "lib.so", runpath=text, needed=["libc.so.6"])
        assert elf.read(path).runpath == (text,)
        other = tmp_path / f"slim-{len(kept)}.so"
        other.write_bytes(elf.slim(path.read_bytes() + b"debug information"))
        assert elf.read(other).runpath == kept
        assert elf.read(other).needed == ("libc.so.6",)
        assert b"debug information" not in other.read_bytes()


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n" * 20, b"\x7fELF\x01" + bytes(80)])
def test_what_is_no_elf_file_is_not_slimmed(content: bytes) -> None:
    with pytest.raises((ELFError, struct.error)):
        elf.slim(content)
