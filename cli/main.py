"""The command `tickwork`: everything an operator types."""

import logging
import sys
from importlib import import_module

import click

from cli.console.output import print_json
from shared.errors import TickworkError
from shared.log import masked

_INTERRUPTED = 130


class _Commands(click.Group):
    """Loads a command's module when it is needed: `status` must not wait for what `up` imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"cli.commands.{cmd_name}").command
        return command


COMMANDS = (
    "up",
    "status",
    "down",
    "sim",
    "accounts",
    "positions",
    "orders",
    "risk",
    "flatten",
    "halt",
    "resume",
    "trades",
    "jobs",
    "bars",
    "strategies",
    "hooks",
    "metrics",
    "db",
    "doctor",
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def tickwork() -> None:
    """The worker system behind your futures account."""


def main() -> None:
    """Run one command; an error is one short message, and JSON when JSON was asked for."""
    # What a library of ours logs, as that the broker is away, is no word of the command: what it says is.
    logging.basicConfig(handlers=[logging.NullHandler()])
    try:
        sys.exit(tickwork(standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit(_INTERRUPTED)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except TickworkError as error:
        _fail(str(error), 1)
    except Exception as error:
        said = _about_the_database(error)
        if said is None:
            raise
        _fail(said, 1)


def _about_the_database(error: Exception) -> str | None:
    # By name: importing the libraries would slow down every command that needs neither.
    cause = getattr(error, "orig", error)
    kinds = {base.__name__ for base in type(cause).__mro__ if base.__module__.split(".")[0] == "psycopg"}
    if "OperationalError" in kinds:
        return f"the database does not answer: {str(cause).strip()}"
    if kinds & {"UndefinedTable", "UndefinedColumn"}:
        first = str(cause).strip().partition("\n")[0]
        return f"the database has not the newest schema ({first}): `tickwork db upgrade` brings it"
    return None


def _fail(message: str, status_code: int) -> None:
    text = masked(message)
    if "--json" in sys.argv:
        print_json({"error": text})
    else:
        click.echo(f"tickwork: {text}", err=True)
    sys.exit(status_code)


if __name__ == "__main__":
    main()
