"""`unikit drop`: what would go if the application did without something."""

from __future__ import annotations

import json
from collections import Counter

import click

from unikit import pipeline
from unikit.cli import options, reporting
from unikit.image.inventory import Inventory
from unikit.questions import drop, subject
from unikit.questions.ways import step


@click.command()
@click.argument("node", required=False)
@options.asked
@click.option("--also", multiple=True, metavar="NODE", help="Something else that goes with it (may be repeated).")
@click.option("-n", "most", default=12, show_default=True, help="How many lines to show of each kind.")
@click.option("--json", "machine", is_flag=True, help="The answer as JSON.")
def command(
    node: str | None,
    request: pipeline.Request,
    also: tuple[str, ...],
    most: int,
    machine: bool,
) -> None:
    """Show what would go from the image of APP if nothing used NODE any more: a module with all below it, or a
    distribution with all of its modules. NODE `-` lists what costs most.

    APP is an application or an image; without one, the project in the current folder.
    """
    with reporting(False, quiet=True) as progress:
        inventory = subject.find(request, progress).inventory
        if node in (None, "-"):
            _list(inventory, most, machine)
        else:
            _show(inventory, drop.without(inventory, (str(node), *also)), most, machine)


def _list(inventory: Inventory, most: int, machine: bool) -> None:
    found = drop.heaviest(inventory)
    if machine:
        click.echo(json.dumps([{"node": w.node, "size": w.size, "nodes": w.count} for w in found], indent=1))
        return
    for weight in found[:most]:
        click.echo(f"{weight.size / 1024:10,.0f} KiB  {weight.count:5} nodes  {weight.node}")


def _show(inventory: Inventory, dropped: drop.Dropped, most: int, machine: bool) -> None:
    if machine:
        users = [
            {"node": tail, "needs": head, "evidence": step(inventory, tail, head).evidence}
            for tail, head in dropped.users
        ]
        value = {"dropped": dropped.nodes, "gone": dropped.gone, "size": dropped.size, "users": users}
        click.echo(json.dumps(value, indent=1))
        return
    kinds = Counter(node.partition(":")[0] for node in dropped.gone)
    listed = ", ".join(f"{_counted(count, kind)}" for kind, count in kinds.most_common())
    click.echo(f"{dropped.size / 1024:,.0f} KiB would go: {listed or 'nothing'}.")
    largest = sorted((inventory[node] for node in dropped.gone), key=lambda item: (-item.size, item.id))
    for item in largest[:most]:
        click.echo(f"{item.size / 1024:10,.0f} KiB  {item.id}")
    if rest := largest[most:]:
        click.echo(f"{sum(item.size for item in rest) / 1024:10,.0f} KiB  ({len(rest)} more)")
    click.echo("What uses it now:" if dropped.users else "Nothing that would stay uses it.")
    for tail, head in dropped.users[:most]:
        edge = step(inventory, tail, head)
        click.echo(f"  {tail} {edge.how} {head}  [{', '.join(edge.evidence[:2])}]")
    if len(dropped.users) > most:
        click.echo(f"  ({len(dropped.users) - most} more)")


def _counted(count: int, kind: str) -> str:
    """`3 libraries`; of what is missing anyway, names."""
    words = {"library": "libraries", "missing": "missing names", "lwip": "lwIP"}
    return f"{count} {kind if count == 1 else words.get(kind, kind + 's')}"
