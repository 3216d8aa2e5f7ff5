"""`unikit show`: what a stage of the build puts out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from unikit import pipeline
from unikit.cli import options, reporting
from unikit.model import Mode, jsonable

WIDTH = 200  # characters of a value; --json has them all


@click.command()
@click.argument("stage", type=click.Choice([stage.name for stage in pipeline.STAGES]))
@click.argument("app")
@options.build
@click.option("--json", "machine", is_flag=True, help="The whole output as JSON.")
def command(stage: str, app: str, python: str | None, lwip: Path | None, prune: Mode | None, machine: bool) -> None:
    """Show the output of STAGE for APP."""
    with reporting(False, quiet=machine) as progress:
        build = pipeline.run(pipeline.Request(app, python, lwip, prune=prune), progress, stage)
        value = jsonable(build.values[stage])
        if machine:
            click.echo(json.dumps(value, indent=1, sort_keys=True))
        else:
            for line in summary(value):
                click.echo(line)


def summary(value: Any, indent: int = 0) -> list[str]:
    """A value's own members, a line each; of long lists only the length."""
    lines = []
    for key, member in value.items():
        if isinstance(member, dict) and "nodes" in member:
            text = f"{len(member['nodes'])} nodes, {len(member['edges'])} edges"
        elif isinstance(member, list) and (len(member) > 8 or any(isinstance(item, dict) for item in member)):
            text = f"{len(member)} entries"
        elif isinstance(member, dict) and "type" in member:
            text = str(member.get("name") or member["type"])
        elif isinstance(member, dict) and indent == 0:
            lines.append(f"{key}:")
            lines += summary(member, 2)
            continue
        else:
            text = json.dumps(member) if not isinstance(member, str) else member
        if len(text) > WIDTH:
            text = text[:WIDTH] + " ..."
        lines.append(f"{' ' * indent}{key}: {text}")
    return lines
