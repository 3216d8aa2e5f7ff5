"""`unikit diff`: what differs between two images, or two lock files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from unikit import pipeline
from unikit.cli import options, reporting
from unikit.errors import ExitCode, UserError
from unikit.model import Mode
from unikit.questions import diff, subject


@click.command()
@click.argument("old")
@click.argument("new")
@options.build
@click.option("-n", "most", default=12, show_default=True, help="How many members of each list to show.")
@click.option("--json", "machine", is_flag=True, help="Everything as JSON.")
def command(
    old: str, new: str, python: str | None, lwip: Path | None, prune: Mode | None, most: int, machine: bool
) -> None:
    """Show what came, went and changed between OLD and NEW, two images, two applications or two lock files:
    distributions and their versions, modules, libraries and their build ids, the kernel's components, drivers, system
    calls, settings, sizes.

    Ends with 1 if there is a difference, as diff(1) does.
    """
    with reporting(False, quiet=True) as progress:
        files = [diff.is_lock(Path(name)) for name in (old, new)]
        if all(files):
            found = diff.locks(Path(old), Path(new))
        elif any(files):
            raise UserError("A lock file can only be compared with another one.", code=ExitCode.USAGE)
        else:
            sides = [subject.find(pipeline.Request(app, python, lwip, prune=prune), progress) for app in (old, new)]
            found = diff.images(*sides)
        if machine:
            click.echo(json.dumps(diff.jsonable(found), indent=1))
        else:
            for line in _lines(found, most):
                click.echo(line)
        if not found.nothing:
            raise SystemExit(1)


def _lines(found: diff.Difference, most: int) -> Iterator[str]:
    if found.nothing:
        yield "There is no difference."
        return
    for name, before, after in found.totals:
        if before != after or name == "image":
            yield f"{name:14} {_size(before):>12} -> {_size(after):>12}  {_growth(after - before)}"
    for name, old, new in found.settings:
        yield f"{name:14} {old} -> {new}"
    kinds = dict.fromkeys((*diff.KINDS, *found.came, *found.went))
    for kind in kinds:
        title = diff.KINDS.get(kind, kind)
        sides = (("+", found.came), ("-", found.went), ("~", found.changed))
        parts = [(sign, side.get(kind, ())) for sign, side in sides]
        if not any(changes for _, changes in parts):
            continue
        yield f"{title}: " + ", ".join(f"{sign}{len(changes)}" for sign, changes in parts if changes)
        for sign, changes in parts:
            for change in changes[:most]:
                size = _growth(change.growth) if change.growth else ""
                yield f"  {sign} {change.name}  {'; '.join((*filter(None, [size]), *change.what))}".rstrip()
            if len(changes) > most:
                growth = sum(change.growth for change in changes[most:])
                yield f"  {sign} ({len(changes) - most} more{f', {_growth(growth)}' if growth else ''})"


def _size(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"


def _growth(size: int) -> str:
    return f"{size / 1024:+,.1f} KiB"
