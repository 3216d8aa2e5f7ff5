"""`unikit build`: make an image."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from unikit import pipeline
from unikit.cli import options, reporting
from unikit.errors import ExitCode, UserError


@click.command()
@click.argument("app")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The image's file (default: NAME.img).")
@options.build
@options.freezing
@options.output
def command(
    app: str,
    output: Path | None,
    python: str | None,
    lwip: Path | None,
    freeze: bool | None,
    cpu_level: str | None,
    machine: bool,
    quiet: bool,
) -> None:
    """Build the bootable image of APP.

    APP is a script, a folder with a __main__.py or a pyproject.toml, or module:attribute of a WSGI or ASGI application.
    """
    with reporting(machine, quiet) as progress:
        made = pipeline.image_of(pipeline.Request(app, python, lwip, freeze, cpu_level), progress)
        out = output or Path(f"{made.manifest.name}.img")
        try:
            shutil.copyfile(made.path, out)
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}.", code=ExitCode.USAGE) from error
        size = out.stat().st_size
        progress.event("image", path=str(out), size=size, name=made.manifest.name)
        progress.note(f"{out}: {size / (1 << 20):.1f} MiB, {made.manifest.interpreter}")
