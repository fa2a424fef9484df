"""The command `tickwork`: everything an operator types."""

import sys
from importlib import import_module

import click

from cli.output import print_json
from shared.errors import TradingError
from shared.log import masked

_INTERRUPTED = 130


class _Commands(click.Group):
    """Loads a command's module when it is needed: `status` must not wait for what `up` imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"cli.{cmd_name}").command
        return command


COMMANDS = ("up", "status", "down", "jobs", "orders", "bars", "hooks", "metrics", "db", "doctor")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def tickwork() -> None:
    """The worker system behind your futures account."""


def main() -> None:
    """Run one command; an error is one short message, and JSON when JSON was asked for."""
    try:
        tickwork(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(_INTERRUPTED)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except TradingError as error:
        _fail(str(error), 1)
    except Exception as error:
        if not _says_the_database_is_away(error):
            raise
        _fail(f"the database does not answer: {str(getattr(error, 'orig', error)).strip()}", 1)


def _says_the_database_is_away(error: Exception) -> bool:
    # By name: importing the libraries would slow down every command that needs neither.
    return any(
        base.__name__ == "OperationalError" and base.__module__.split(".")[0] in {"sqlalchemy", "psycopg"}
        for base in type(error).__mro__
    )


def _fail(message: str, status_code: int) -> None:
    text = masked(message)
    if "--json" in sys.argv:
        print_json({"error": text})
    else:
        click.echo(f"tickwork: {text}", err=True)
    sys.exit(status_code)


if __name__ == "__main__":
    main()
