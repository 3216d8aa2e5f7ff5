"""A command line from type hints: arguments, options, an enumeration, errors, help."""

import enum

import typer
from typer.testing import CliRunner

app = typer.Typer()


class Kind(str, enum.Enum):
    pen = "pen"
    ink = "ink"


@app.command()
def buy(kind: Kind, count: int = typer.Option(1, min=1)) -> None:
    """Buy something."""
    typer.echo(f"{count} {kind.value}")


@app.command()
def leave() -> None:
    raise typer.Exit(3)


runner = CliRunner()
assert runner.invoke(app, ["buy", "pen", "--count", "2"]).output == "2 pen\n"
assert runner.invoke(app, ["leave"]).exit_code == 3
assert runner.invoke(app, ["buy", "tea"]).exit_code == 2
assert "Buy something" in runner.invoke(app, ["--help"]).output
