"""`unikit doctor`: whether this machine has what unikit needs, and how to mend what is missing."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from unikit import __version__
from unikit.cli import reporting
from unikit.errors import ExitCode, UserError
from unikit.kernel import upstream
from unikit.vm import accelerator
from unikit.vm.qemu import find_qemu


@dataclass(frozen=True)
class Finding:
    """One check: `fine`, what was found, how to mend it. `needed` is False for what is only good to have."""

    what: str
    fine: bool
    found: str
    mend: str = ""
    needed: bool = True


@click.command()
@click.option("--json", "machine", is_flag=True, help="Speak JSON, an object a line.")
def command(machine: bool) -> None:
    """Check QEMU, KVM (by a real boot), the tool chain and lwIP, and say how to mend what is missing."""
    with reporting(machine) as progress:
        missing = None
        for finding in findings():
            if machine:
                progress.event("check", **vars(finding))
            else:
                mark = "ok  " if finding.fine else ("FAIL" if finding.needed else "no  ")
                click.echo(f"{mark}  {finding.what:<12} {finding.found}")
                if not finding.fine and finding.mend:
                    click.echo(f"      {'':<12} -> {finding.mend}")
            if finding.needed and not finding.fine and missing is None:
                missing = finding
        if missing is not None:
            code = ExitCode.NO_QEMU if missing.what == "QEMU" else ExitCode.TOOLCHAIN
            sys.exit(int(code))


def findings() -> Iterator[Finding]:
    """Every check, as it is made."""
    yield Finding("unikit", True, f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    yield Finding(
        "machine",
        platform.machine() == "x86_64" and sys.platform == "linux",
        f"{sys.platform} on {platform.machine()}",
        "images are built and run on Linux on x86-64",
    )
    yield from _qemu()
    for name, package in (("gcc", "gcc"), ("ld", "binutils"), ("objcopy", "binutils"), ("strip", "binutils")):
        path = shutil.which(name)
        yield Finding(name, path is not None, _version(path) if path else "missing", f"apt install {package}")
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    found = header if header.is_file() else Path("/usr/include/asm/unistd_64.h")
    yield Finding("headers", found.is_file(), str(found) if found.is_file() else "missing", "apt install libc6-dev")
    try:
        yield Finding("lwIP", True, str(upstream.LWIP.find()))
    except UserError as error:
        yield Finding("lwIP", False, error.message, error.hint or "")


def _qemu() -> Iterator[Finding]:
    qemu = find_qemu()
    mend = "apt install qemu-system-x86"
    if qemu is None:
        yield Finding("QEMU", False, "qemu-system-x86_64 is missing", mend)
        return
    probe = accelerator.probe_tcg(str(qemu))
    found = _version(str(qemu)) + (
        f"; a tiny guest took {probe.seconds:.2f} s" if probe.usable else f"; {probe.reason}"
    )
    yield Finding("QEMU", probe.usable, found, mend)
    kvm = accelerator.probe_kvm(str(qemu), fresh=True)
    yield Finding(
        "KVM",
        kvm.usable,
        f"a tiny guest took {kvm.seconds:.2f} s" if kvm.usable else kvm.reason,
        "guests run without it, translated by QEMU, several times slower",
        needed=False,
    )


def _version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout.strip().splitlines() or [path])[0]
