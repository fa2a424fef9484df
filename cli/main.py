"""The command-line program `tickwork`."""

import logging
import sys
from importlib import import_module

import click

from cli.console.output import print_json
from shared.errors import TickworkError
from shared.log import mask_secrets

_INTERRUPTED = 130


class _Commands(click.Group):
    """Imports a command's module on first use, so that `status` does not load the imports of `up`."""

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
    "conformance",
    "setup",
    "accounts",
    "positions",
    "orders",
    "approvals",
    "risk",
    "flatten",
    "halt",
    "resume",
    "trades",
    "jobs",
    "schedule",
    "bars",
    "strategies",
    "hooks",
    "alerts",
    "tokens",
    "metrics",
    "db",
    "doctor",
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def tickwork() -> None:
    """Run and control the worker system behind your futures account."""


def main() -> None:
    """Run one command; print an error as one short message on stderr, or as JSON on stdout with --json."""
    # Log records of the shared packages are dropped: a command prints its own messages.
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
        message = _describe_database_error(error)
        if message is None:
            raise
        _fail(message, 1)


def _describe_database_error(error: Exception) -> str | None:
    # Compare class names: importing psycopg and SQLAlchemy here would slow down the commands that need neither.
    cause = getattr(error, "orig", error)
    kinds = {base.__name__ for base in type(cause).__mro__ if base.__module__.split(".")[0] == "psycopg"}
    if "LockNotAvailable" in kinds:
        from cli.client.locks import describe_locks  # noqa: PLC0415  # as above

        return describe_locks()
    if "OperationalError" in kinds:
        return f"the database does not answer: {str(cause).strip()}"
    if kinds & {"UndefinedTable", "UndefinedColumn"}:
        first = str(cause).strip().partition("\n")[0]
        return f"the database schema is out of date ({first}): run `tickwork db upgrade`"
    return None


def _fail(message: str, status_code: int) -> None:
    text = mask_secrets(message)
    if "--json" in sys.argv:
        print_json({"error": text})
    else:
        click.echo(f"tickwork: {text}", err=True)
    sys.exit(status_code)


if __name__ == "__main__":
    main()
