"""`unikit size`: what an image is made of, the largest first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from unikit import pipeline
from unikit.cli import options, reporting
from unikit.questions import page as pages
from unikit.questions import reach, sizes, subject


@click.command()
@options.asked
@click.option("-n", "most", default=8, show_default=True, help="How many members of each group to show.")
@click.option("-d", "depth", default=2, show_default=True, help="How deep: 1 layers, 2 distributions, 3 members ...")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write a page: a treemap, and the whole graph.")
@click.option("--json", "machine", is_flag=True, help="The whole tree as JSON.")
def command(
    request: pipeline.Request,
    most: int,
    depth: int,
    page: Path | None,
    machine: bool,
) -> None:
    """Show how large the parts of an image are.

    APP is an application or an image; without one, the project in the current folder.
    """
    with reporting(False, quiet=True) as progress:
        asked = subject.find(request, progress)
        if page is not None:
            reach.overlay(asked)
            pages.write(page, pages.render(asked))
            click.echo(f"{page}: open it in a browser", err=True)
            return
        whole = sizes.measure(asked)
        compression = asked.image.manifest.compression
        if machine:
            more = {"compression": compression, "compressed": asked.size} if compression else {}
            click.echo(json.dumps({**value(whole), **more}, indent=1))
        else:
            if compression:
                click.echo(f"{asked.size / 1024:10,.0f} KiB  compressed ({compression}); unpacked:")
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


def value(part: sizes.Part) -> dict[str, Any]:
    """A part and all below it as JSON data."""
    found: dict[str, Any] = {"name": part.name, "size": part.size}
    if part.node:
        found["node"] = part.node
    if part.parts:
        found["parts"] = [value(member) for member in part.sorted()]
    return found
