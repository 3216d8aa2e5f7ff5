"""A command with groups, options, a prompt, errors and help, called as its own test runner does."""

import click
from click.testing import CliRunner


@click.group()
@click.option("--loud/--soft", default=False)
@click.pass_context
def main(context: click.Context, loud: bool) -> None:
    context.obj = loud


@main.command()
@click.argument("name")
@click.option("--times", type=click.IntRange(1, 3), default=1, show_default=True)
@click.pass_obj
def greet(loud: bool, name: str, times: int) -> None:
    """Say hello."""
    for _ in range(times):
        click.secho(f"Hello {name}".upper() if loud else f"Hello {name}", fg="green")


runner = CliRunner()
assert runner.invoke(main, ["--loud", "greet", "ada", "--times", "2"]).output == "HELLO ADA\nHELLO ADA\n"
assert runner.invoke(main, ["greet", "ada", "--times", "9"]).exit_code == 2
assert "Say hello." in runner.invoke(main, ["greet", "--help"]).output
