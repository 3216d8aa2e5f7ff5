"""component.h: what a component declares about itself, as the linker reads it and as the running kernel walks it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from elftools.elf.elffile import ELFFile

from .conftest import ROOT

SOURCE = """
#include "kernel.h"
NEEDS(entropy);
PROVIDES(testing);
SYSCALL(getpid, void) { return 7; }
SYSCALL(dup2, int from, int to) { return from * 100 + to; }
static int probe(struct virtio_device *device) { return device ? -ENODEV : 5; }
DRIVER(virtio_rng, VIRTIO_ID(4)) { .probe = probe };
static int started;
INIT(devices) { started += 1; }
INIT(devices) { started += 10; }
"""

WALK = """
long call(unsigned long number, long a, long b)
{
    for_each_record (unikit_syscalls, r)
        if (r->number == number)
            return ((long (*)(long, long))r->handler)(a, b);
    return -ENOSYS;
}
int start(void)
{
    for_each_record (unikit_init_devices, f)
        (*f)();
    return started;
}
int levels_without_entries(void)
{
    int n = 0;
    for_each_record (unikit_init_network, f)
        n++;
    return n;
}
int probe_driver(void)
{
    for_each_record (unikit_drivers, d)
        if (d->bus == BUS_VIRTIO && d->id == 4)
            return d->driver->probe(NULL);
    return -1;
}
"""


def test_declarations_are_text_in_a_section_that_is_not_loaded(tmp_path: Path) -> None:
    source, target = tmp_path / "c.c", tmp_path / "c.o"
    source.write_text(SOURCE)
    subprocess.run(
        ["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-c",
         f"-I{ROOT / 'runtimes/include'}", str(source), "-o", str(target)],
        check=True,
    )  # fmt: skip
    with target.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".unikit.decl")
        assert section["sh_flags"] == 0
        lines = section.data().decode().rstrip("\0").split("\0")
    assert lines == [
        "needs entropy", "provides testing", "syscall getpid 39", "syscall dup2 33", "driver virtio_rng virtio:4",
        "init devices", "init devices",
    ]  # fmt: skip


def test_tables_are_walked(build) -> None:  # type: ignore[no-untyped-def]
    library, _ = build(
        [],
        "long call(unsigned long, long, long); int start(void);"
        "int levels_without_entries(void); int probe_driver(void);",
        SOURCE + WALK,
    )
    assert library.call(39, 0, 0) == 7
    assert library.call(33, 3, 4) == 304
    assert library.call(0, 0, 0) == -38
    assert library.start() == 11
    assert library.levels_without_entries() == 0
    assert library.probe_driver() == 5
