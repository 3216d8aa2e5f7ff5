"""`unikit why`: how something comes into an image."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from unikit import pipeline
from unikit.cli import options, reporting
from unikit.errors import ExitCode, UserError
from unikit.image.inventory import ROOT
from unikit.questions import absence, names, reach, subject, ways

COUNT = click.IntRange(min=1)


@click.command()
@click.argument("node")
@options.asked
@click.option("-n", "most", type=COUNT, default=1, show_default=True, help="How many ways, the shortest first.")
@click.option("--all", "every", is_flag=True, help="All ways that are not much longer than the shortest.")
@click.option("--longer", type=COUNT, default=1, show_default=True, help="With --all: how many steps longer.")
@click.option("--json", "machine", is_flag=True, help="The ways as JSON.")
def command(
    node: str,
    request: pipeline.Request,
    most: int,
    every: bool,
    longer: int,
    machine: bool,
) -> None:
    """Show the way from APP's own lines to NODE.

    NODE is a module, a distribution, a shared library, a component of the runtime, a driver, a system call, a file, or
    `lwip`. APP is an application or an image; without one, the project in the current folder.
    """
    with reporting(False, quiet=True) as progress:
        asked = subject.find(request, progress)
        inventory = asked.inventory
        if any(n.startswith("call:") for n in names.find(inventory, node)) or not names.find(inventory, node):
            reach.overlay(asked)
        found = [n for n in names.find(inventory, node) if not n.startswith("missing:")]
        if not found:
            reason = absence.explain(inventory, node)
            raise UserError(f"{node} is not in the image.", code=ExitCode.CONFIGURATION, hint=reason)
        limit = min(most, ways.MOST) if most > 1 or not every else ways.MOST
        shown = ways.every(inventory, found[0], longer, limit) if every else ways.shortest(inventory, found[0], limit)
        if machine:
            value = {"node": found[0], "others": found[1:], "ways": [[asdict(s) for s in way] for way in shown]}
            click.echo(json.dumps(value, indent=1))
            return
        if found[0] == ROOT:
            click.echo(f"{ROOT} is the application itself.")
        for way in shown:
            _show(way)
        if every and len(shown) == limit:
            click.echo(f"({limit} ways shown; there may be more: -n)")
        if others := [other for other in found[1:] if other not in inventory.graph[found[0]]]:
            click.echo(f"The name also fits {', '.join(others)}.", err=True)


def _show(way: list[ways.Step]) -> None:
    for depth, step in enumerate(way):
        evidence = f"  [{', '.join(step.evidence[:2])}]" if step.evidence else ""
        if depth == 0:
            click.echo(step.tail)
        click.echo(f"{'  ' * (depth + 1)}{step.how} {step.head}{evidence}")
