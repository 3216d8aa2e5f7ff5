"""`unikit run`: boot an image, or an application's image, built first."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from pathlib import Path

import click

from unikit.cli import options, reporting
from unikit.errors import ExitCode, UserError
from unikit.image import image
from unikit.model import Mode
from unikit.progress import Progress
from unikit.vm import boot, machine, ports, volumes, words


@click.command(cls=options.Command, context_settings={"ignore_unknown_options": False})
@click.argument("app")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("-p", "--publish", multiple=True, metavar="HOST:GUEST", help="Lead a port of this host into the guest.")
@click.option("-v", "--volume", "volume", multiple=True, metavar="HOSTDIR:GUESTDIR[:ro]",
              help="Show a folder of this host in the guest.")  # fmt: skip
@click.option("-m", "--memory", metavar="SIZE", help="Memory of the guest: MiB, or with a unit (64M, 1G).")
@click.option("-e", "--env", "environment", multiple=True, metavar="KEY=VALUE", help="Set an environment variable.")
@click.option("-i", "--interactive", "feed", is_flag=True, help="Pass standard input on to the application.")
@click.option("-t", "--tty", "tty", is_flag=True, help="Give it the terminal (-it: for a REPL).")
@click.option("--machine", "profile", default=machine.DEFAULT, show_default=True, help="The machine profile.")
@click.option("--cpus", type=click.IntRange(1, 1), default=1, help="Processors: one.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="End the run after that many seconds.")
@click.option("--boot-timeout", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True,
              help="Seconds in which the application must have been started.")  # fmt: skip
@click.option("--accel", type=click.Choice(["auto", "kvm", "tcg"]), default="auto", help="How QEMU runs the guest.")
@click.option("--verbose", is_flag=True, help="Show the kernel's messages.")
@click.option(
    "--fresh-hash", is_flag=True, help="Of a frozen image: execute the program anew, with a hash seed of its own."
)
@click.option("--qemu-option", multiple=True, hidden=True, help="A further argument of QEMU.")
@options.compress
@options.build
@options.freezing
@options.output
def command(
    app: str,
    arguments: tuple[str, ...],
    publish: tuple[str, ...],
    volume: tuple[str, ...],
    memory: str | None,
    environment: tuple[str, ...],
    feed: bool,
    tty: bool,
    profile: str,
    cpus: int,
    timeout: float | None,
    boot_timeout: float,
    accel: str,
    verbose: bool,
    fresh_hash: bool,
    qemu_option: tuple[str, ...],
    compress: str | None,
    python: str | None,
    lwip: Path | None,
    freeze: bool | None,
    cpu_level: str | None,
    prune: Mode | None,
    warm: str | None,
    machine: bool,
    quiet: bool,
) -> None:
    """Boot APP, an image or an application (see `unikit build`); ends with the application's own status.

    Arguments of the application go after `--`. SIGINT, SIGTERM and their like go to the application; the third one ends
    the guest at once.
    """
    with reporting(machine, quiet) as progress:
        if tty and not sys.stdin.isatty():
            raise UserError("-t needs a terminal.", code=ExitCode.USAGE, hint="Without one, use -i alone.")
        forwards = tuple(ports.parse(text) for text in publish)
        chosen = boot.Options(
            machine=profile,
            memory=words.memory(memory),
            forwards=forwards,
            volumes=volumes.check(volumes.parse(text) for text in volume),
            environment=tuple(words.variable(text) for text in environment),
            arguments=arguments,
            tokens=_tokens(verbose=verbose, tty=tty, feed=feed, fresh=fresh_hash),
            interactive=tty,
            feed_input=feed or tty,
            boot_limit=boot_timeout,
            run_limit=timeout,
            accelerator=None if accel == "auto" else accel,
            extra=qemu_option,
        )
        if boot.is_image(Path(app)):
            found = image.read(Path(app))
        else:
            from unikit import pipeline  # what builds takes longer to load than a frozen image to boot

            request = pipeline.Request(app, python, lwip, freeze, cpu_level, prune, compress=compress, warm=warm)
            found = pipeline.image_of(request, progress)
        outcome = boot.run(found, chosen, progress, output=_json_console(progress) if machine else None)
        progress.event("exit", status=outcome.status)
        sys.exit(outcome.status)


def _tokens(*, verbose: bool, tty: bool, feed: bool, fresh: bool) -> tuple[tuple[str, str], ...]:
    """What the options say to the guest (docs/architecture.md, boot configuration)."""
    tokens = [("verbose", "1")] if verbose else []
    if fresh:
        tokens.append(("fresh", "1"))
    if tty:
        tokens.append(("tty", "1"))
    elif feed:
        tokens.append(("stdin", "console"))
    return tuple(tokens)


def _json_console(progress: Progress) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        try:
            progress.event("console", text=data.decode())
        except UnicodeDecodeError:
            progress.event("console", base64=base64.b64encode(data).decode())

    return write
