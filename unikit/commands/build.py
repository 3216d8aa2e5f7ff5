"""`unikit build`: make an image."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from unikit import pipeline, tracing
from unikit.cli import options, reporting
from unikit.errors import ExitCode, UserError
from unikit.model import Mode
from unikit.vm import boot, ports, words


@click.command(cls=options.Command)
@click.argument("app")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The image's file (default: NAME.img).")
@click.option("--trace", "traces", multiple=True, metavar="COMMAND",
              help="First run APP, drive it with COMMAND (or \"\"), and note in unikit.lock what it uses.")  # fmt: skip
@click.option("-p", "--publish", multiple=True, metavar="HOST:GUEST", help="With --trace: the ports to lead to APP.")
@click.option("-m", "--memory", metavar="SIZE", help="With --trace: memory of the guest (256, 256M, 1G).")
@click.option("--trace-timeout", "limit", type=click.FloatRange(min=0, min_open=True), default=300.0, show_default=True,
              help="Seconds that a COMMAND may take.")  # fmt: skip
@options.compress
@options.build
@options.freezing
@options.output
def command(
    app: str,
    output: Path | None,
    traces: tuple[str, ...],
    publish: tuple[str, ...],
    memory: str | None,
    limit: float,
    compress: str | None,
    python: str | None,
    lwip: Path | None,
    prune: Mode | None,
    freeze: bool | None,
    cpu_level: str | None,
    warm: str | None,
    machine: bool,
    quiet: bool,
) -> None:
    """Build the bootable image of APP.

    APP is a script, a folder with a __main__.py or a pyproject.toml, or module:attribute of a WSGI or ASGI application.
    """
    with reporting(machine, quiet) as progress:
        request = pipeline.Request(app, python, lwip, freeze, cpu_level, prune, compress=compress, warm=warm)
        if traces:
            forwards = tuple(ports.parse(text) for text in publish)
            guest = boot.Options(memory=words.memory(memory))
            file = tracing.trace(request, tracing.Plan(traces, forwards, limit, guest), progress)
            progress.event("lock", path=str(file))
            progress.note(f"{file}: what {app} uses; commit it beside the application")
        elif publish or memory:
            raise UserError("-p and -m are for --trace.", code=ExitCode.USAGE, hint="`unikit run` takes them as well")
        made = pipeline.image_of(request, progress)
        out = output or Path(f"{made.manifest.name}.img")
        try:
            shutil.copyfile(made.path, out)
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}.", code=ExitCode.USAGE) from error
        size = out.stat().st_size
        progress.event("image", path=str(out), size=size, name=made.manifest.name)
        progress.note(f"{out}: {size / (1 << 20):.1f} MiB, {made.manifest.interpreter}")
