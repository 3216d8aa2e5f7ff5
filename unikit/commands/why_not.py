"""`unikit why-not`: why something is not in an image."""

from __future__ import annotations

from pathlib import Path

import click

from unikit import pipeline, whole
from unikit.cli import options, reporting


@click.command("why-not")
@click.argument("name")
@click.argument("app")
@options.build
def command(name: str, app: str, python: str | None, lwip: Path | None) -> None:
    """Say why NAME, a module or a component of the runtime, is not in the image of APP."""
    with reporting(False, quiet=True) as progress:
        build = pipeline.run(pipeline.Request(app, python, lwip), progress, "select")
        selection = build.values["select"].selection
        graph = whole.graph(build.natives, selection, build.calls)
        found = [n for n in whole.find(graph, name) if not n.startswith("missing:")]
        if found:
            click.echo(f"It is in the image, as {found[0]}: unikit why {name} {app}")
        else:
            click.echo(whole.why_not(build.values["imports"], selection, name))
