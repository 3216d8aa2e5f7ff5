"""`unikit sbom`: the bill of materials of an image."""

from __future__ import annotations

from pathlib import Path

import click

from unikit import pipeline
from unikit.cli import options, reporting
from unikit.questions import page, sbom, subject


@click.command()
@options.asked
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to a file.")
@click.option("--json", "machine", is_flag=True, help="JSON, as always.")
def command(request: pipeline.Request, output: Path | None, machine: bool) -> None:
    """Print what an image is made of as CycloneDX 1.6 (JSON): distributions, Debian's packages with their libraries,
    CPython, the runtime, lwIP; with package URLs, hashes, licences and dependencies.

    APP is an application or an image; without one, the project in the current folder.
    """
    with reporting(False, quiet=True) as progress:
        text = sbom.make(subject.find(request, progress))
        if output is None:
            click.echo(text, nl=False)
        else:
            page.write(output, text)
