"""`unikit size`: what the image of an application is made of, the largest first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from unikit import pipeline, sizes
from unikit.cli import options, reporting


@click.command()
@click.argument("app")
@options.build
@click.option("-n", "most", default=8, show_default=True, help="How many members of each group to show.")
@click.option("-d", "depth", default=2, show_default=True, help="How deep: 1 layers, 2 groups, 3 files and components.")
@click.option("--json", "machine", is_flag=True, help="The whole tree as JSON.")
def command(app: str, python: str | None, lwip: Path | None, most: int, depth: int, machine: bool) -> None:
    """Show how large the parts of APP's image are."""
    with reporting(False, quiet=True) as progress:
        build = pipeline.run(pipeline.Request(app, python, lwip), progress, "select")
        whole = sizes.measure(build.pruned, build.values["select"].selection)
        if machine:
            click.echo(json.dumps(_value(whole), indent=1))
        else:
            _show(whole, depth, most)


def _show(part: sizes.Part, depth: int, most: int, indent: int = 0) -> None:
    click.echo(f"{part.size / 1024:10,.0f} KiB  {'  ' * indent}{part.name}")
    if indent == depth:
        return
    found = part.sorted()
    for member in found[:most]:
        _show(member, depth, most, indent + 1)
    rest = found[most:]
    if rest:
        size = sum(member.size for member in rest)
        click.echo(f"{size / 1024:10,.0f} KiB  {'  ' * (indent + 1)}({len(rest)} more)")


def _value(part: sizes.Part) -> dict[str, Any]:
    value: dict[str, Any] = {"name": part.name, "size": part.size}
    if part.parts:
        value["parts"] = [_value(member) for member in part.sorted()]
    return value
