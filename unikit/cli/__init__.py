"""The command line. A verb is a file of unikit/commands that defines `command`; nothing lists them."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterator

import click

from unikit import __version__, commands, progress
from unikit.errors import ExitCode, UserError


class Verbs(click.Group):
    """Finds the commands by their files."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        found: click.Command = importlib.import_module(f"unikit.commands.{name.replace('-', '_')}").command
        return found


def _exit_codes() -> str:
    lines = [f"{int(code):4}  {code.meaning}" for code in ExitCode]
    return "\b\nExit codes (after `run`, any other is the application's own):\n" + "\n".join(lines)


@click.group(cls=Verbs, epilog=_exit_codes(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unikit")
def root() -> None:
    """Turn a Python application into one bootable VM image, and boot it."""


@contextlib.contextmanager
def reporting(machine: bool, quiet: bool = False) -> Iterator[progress.Progress]:
    """A progress for a command; errors are shown through it and end the program with their code."""
    shown = progress.choose(machine=machine, quiet=quiet)
    try:
        yield shown
    except UserError as error:
        shown.error(error)
        sys.exit(int(error.code))
    except KeyboardInterrupt:
        sys.exit(128 + 2)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the interpreter flushes it at its end
        sys.exit(128 + 13)
    except Exception as error:
        if os.environ.get("UNIKIT_DEBUG"):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        shown.error(
            UserError(
                f"unikit failed: {type(error).__name__}: {error} ({last.filename}:{last.lineno}).",
                code=ExitCode.INTERNAL,
                hint="This is a bug. UNIKIT_DEBUG=1 shows the whole traceback.",
            )
        )
        sys.exit(int(ExitCode.INTERNAL))


def main() -> None:
    """The entry point."""
    gc.set_threshold(100_000, 100)  # what a build makes lives to its end: a fifth of it would be looking for garbage
    root(prog_name="unikit")
