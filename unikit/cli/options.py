"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from unikit import settings

Function = TypeVar("Function", bound=Callable[..., Any])


def build(function: Function) -> Function:
    """What every verb that builds takes."""
    function = click.option(
        "--lwip", type=click.Path(path_type=Path), help="Folder with lwIP's sources (default: Debian's package)."
    )(function)
    return click.option(
        "--python", metavar="PYTHON", help="The interpreter (default: the active virtual environment's, else this one)."
    )(function)


def asked(function: Function) -> Function:
    """What a question is asked of."""
    return click.argument("app", default=".", metavar="[APP]")(function)


def freezing(function: Function) -> Function:
    """What every verb takes that makes an image."""
    function = click.option(
        "--cpu-level", type=click.Choice(settings.CPU_LEVELS), help="What a frozen image wants of its CPU."
    )(function)
    return click.option(
        "--freeze/--cold", default=None, help="Make the memory of the started application the image (docs/freeze.md)."
    )(function)


def output(function: Function) -> Function:
    """How to speak."""
    function = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")(function)
    return click.option("--json", "machine", is_flag=True, help="Speak JSON, an object a line.")(function)
