"""`unikit why`: how something comes into an image."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from unikit import pipeline, whole
from unikit.cli import options, reporting
from unikit.errors import ExitCode, UserError


@click.command()
@click.argument("node")
@click.argument("app")
@options.build
@click.option("-n", "most", default=1, show_default=True, help="How many ways to show, the shortest first.")
@click.option("--json", "machine", is_flag=True, help="The ways as JSON.")
def command(node: str, app: str, python: str | None, lwip: Path | None, most: int, machine: bool) -> None:
    """Show the way from APP's own lines to NODE: a module, a shared library, a component, a system call, `lwip`."""
    with reporting(False, quiet=True) as progress:
        build = pipeline.run(pipeline.Request(app, python, lwip), progress, "select")
        selection = build.values["select"].selection
        graph = whole.graph(build.natives, selection, build.calls)
        found = [n for n in whole.find(graph, node) if not n.startswith("missing:")]
        if not found:
            reason = whole.why_not(build.values["imports"], selection, node)
            raise UserError(f"{node} is not in the image.", code=ExitCode.CONFIGURATION, hint=reason)
        ways = whole.paths(graph, found[0], most)
        if machine:
            click.echo(json.dumps([[asdict(step) for step in way] for way in ways], indent=1))
            return
        for way in ways:
            for depth, step in enumerate(way):
                evidence = f"  [{', '.join(step.evidence[:2])}]" if step.evidence else ""
                if depth == 0:
                    click.echo(step.tail)
                click.echo(f"{'  ' * (depth + 1)}{step.how} {step.head}{evidence}")
