"""`unikit audit`: the attack surface of an image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from unikit import pipeline
from unikit.analysis import lock
from unikit.cli import options, reporting
from unikit.image import image
from unikit.questions import audit, page, subject
from unikit.vm import volumes


@click.command()
@options.asked
@click.option("-v", "--volume", "volume", multiple=True, metavar="HOSTDIR:GUESTDIR[:ro]",
              help="A folder of this host that the guest will be shown.")  # fmt: skip
@click.option("-n", "most", default=8, show_default=True, help="How many members of each list to show.")
@click.option("--html", "out", type=click.Path(path_type=Path), help="Write a page.")
@click.option("--json", "machine", is_flag=True, help="Everything as JSON.")
def command(
    request: pipeline.Request,
    volume: tuple[str, ...],
    most: int,
    out: Path | None,
    machine: bool,
) -> None:
    """Show what can run in an image, what can be reached from outside, what can be written, and what looks wrong: code,
    ports, system calls, devices, environment, certificates, secrets.

    APP is an application or an image; without one, the project in the current folder.
    """
    with reporting(False, quiet=True) as progress:
        shown = volumes.check(map(volumes.parse, volume))
        asked, complaints = subject.find(request, progress), list[str]()
        if not image.is_elf(Path(request.app)):
            lock.usable(request.load(), complaints)
        found = audit.make(asked, shown, complaints)
        if out is not None:
            page.write(out, page.fill("audit", title=f"Audit of {found.name}", audit=found))
            click.echo(f"{out}: open it in a browser", err=True)
        elif machine:
            click.echo(json.dumps(audit.jsonable(found), indent=1))
        else:
            for line in _lines(found, most):
                click.echo(line)


def _lines(found: audit.Audit, most: int) -> Iterator[str]:
    calls = found.calls
    yield f"Program     {' '.join(found.program)}"
    yield f"Code        {_size(found.code)} can be executed: the kernel {_size(found.kernel_code)}, and"
    files = sorted(found.executables, key=lambda file: (-file.size, file.path))
    for file in files[:most]:
        yield f"            {_size(file.size):>10}  {file.path}"
    if rest := files[most:]:
        yield f"            {_size(sum(file.size for file in rest)):>10}  ({len(rest)} more files)"
    yield f"W^X         {'memory is writable or executable, never both' if found.write_xor_execute else 'OFF'}"
    yield f"Network     {_network(found)}"
    yield f"Calls       {len(calls.offered)} system calls are offered"
    if calls.reachable is None:
        yield "            (what the files can reach is known on the machine that built the image)"
    else:
        yield f"            {len(calls.reachable)} can be reached from the image's files"
        unreached, refused = calls.unreached or (), calls.refused or ()
        yield f"            {len(unreached)} are offered though no file leads there: {_some(unreached, most)}"
        yield f"            {len(refused)} would be refused (ENOSYS): {_some(refused, most)}"
    if calls.traced is not None:
        yield f"            {len(calls.traced)} were made in a traced run (unikit.lock)"
    yield f"Drivers     {', '.join(f'{name} ({device})' for name, device in found.drivers) or 'none'}"
    yield f"Writable    {', '.join(found.writable)}; for anybody: {', '.join(found.folders) or 'nothing'}"
    if found.volumes:
        yield "            (whoever starts the guest can show it folders of the host: run -v, and audit -v as well)"
    yield f"Environment {' '.join(f'{key}={value}' for key, value in found.environment)}"
    yield f"Trust       {found.certificates} certificates of authorities"
    yield f"Findings    {len(found.findings) or 'none'}"
    for finding in found.findings:
        yield f"  {finding.level:6} {finding.what}{f'  [{finding.where}]' if finding.where else ''}"
        if finding.instead:
            yield f"         {finding.instead}"


def _network(found: audit.Audit) -> str:
    if not found.network:
        return "none: no network device, no TCP/IP in the kernel"
    ports = ", ".join(map(str, found.ports))
    return f"declared ports: {ports}" if ports else "no ports are declared; the application may listen on any"


def _some(names: tuple[str, ...], most: int) -> str:
    return (", ".join(names[:most]) + (" ..." if len(names) > most else "")) or "none"


def _size(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"
