"""`unikit why-not`: why something is not in an image."""

from __future__ import annotations

import json
from pathlib import Path

import click

from unikit import pipeline
from unikit.cli import options, reporting
from unikit.image import image
from unikit.questions import absence, names, subject


@click.command("why-not")
@click.argument("name")
@options.asked
@click.option("--json", "machine", is_flag=True, help="The answer as JSON.")
def command(name: str, request: pipeline.Request, machine: bool) -> None:
    """Say why NAME is not in the image of APP: a module, a library, a component of the runtime, a driver, a system
    call, a file.

    APP is an application or an image; without one, the project in the current folder.
    """
    with reporting(False, quiet=True) as progress:
        inventory = subject.find(request, progress).inventory
        found = [n for n in names.find(inventory, name) if not n.startswith("missing:")]
        reason = f"It is in the image, as {found[0]}: unikit why {name} {request.app}" if found else None
        if reason is None and not image.is_elf(Path(request.app)):
            known = absence.of_interpreter(request.load())
            reason = absence.explain(inventory, name, known)
        answer = reason or absence.explain(inventory, name)
        if machine:
            value = {"name": name, "there": bool(found), "answer": answer, "similar": names.similar(inventory, name)}
            click.echo(json.dumps(value, indent=1))
        else:
            click.echo(answer)
