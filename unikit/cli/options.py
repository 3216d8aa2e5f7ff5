"""Options that several verbs share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from unikit import settings
from unikit.image.pack import METHODS
from unikit.model import Mode

Function = TypeVar("Function", bound=Callable[..., Any])


def build(function: Function) -> Function:
    """What every verb that builds takes."""
    function = click.option(
        "--prune",
        type=click.Choice(["none", "safe", "traced"]),
        help="What is kept: all, what can be reached, what unikit.lock saw (default: the settings', else safe).",
    )(function)
    function = click.option(
        "--lwip", type=click.Path(path_type=Path), help="Folder with lwIP's sources (default: Debian's package)."
    )(function)
    return click.option(
        "--python", metavar="PYTHON", help="The interpreter (default: the active virtual environment's, else this one)."
    )(function)


def asked(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a question is asked of; the function gets it as `request`."""

    @functools.wraps(function)
    def ask(*, app: str, python: str | None, lwip: Path | None, prune: Mode | None, **others: Any) -> Any:
        from unikit import pipeline  # not for `run` of an image

        return function(request=pipeline.Request(app, python, lwip, prune=prune), **others)

    return click.argument("app", default=".", metavar="[APP]")(build(ask))


def freezing(function: Function) -> Function:
    """What every verb takes that makes an image."""
    function = click.option(
        "--cpu-level", type=click.Choice(settings.CPU_LEVELS), help="What a frozen image wants of its CPU."
    )(function)
    function = click.option(
        "--warm", metavar="COMMAND", help="Drive the application with it before it is frozen; $UNIKIT_URL leads there."
    )(function)
    return click.option(
        "--freeze/--cold", default=None, help="Make the memory of the started application the image (docs/freeze.md)."
    )(function)


class Command(click.Command):
    """`--compress` without a value is the usual way to compress; click would take the next word for its value."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        usual = f"--compress={METHODS[0]}"
        head = [usual if word == "--compress" else word for word in args[:end]]
        return super().parse_args(context, [*head, *args[end:]])


def compress(function: Function) -> Function:
    """For verbs that make an image; they have to be a `Command`."""
    return click.option(
        "--compress",
        type=click.Choice([*METHODS, "none"]),
        help="Compress the image; it unpacks itself when it boots. Alone: zstd; lz4 is larger and faster.",
    )(function)


def output(function: Function) -> Function:
    """How to speak."""
    function = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")(function)
    return click.option("--json", "machine", is_flag=True, help="Speak JSON, an object a line.")(function)
