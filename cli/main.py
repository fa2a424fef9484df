"""The command-line program `tickwork`."""

import logging
import sys
from importlib import import_module

import click

from cli.command_list import ALIASES, SECTIONS, list_names
from cli.console.errors import TRACEBACK_OPTION, wants_traceback
from cli.console.groups import CommandGroup
from cli.console.output import print_json
from shared.errors import TickworkError
from shared.log import mask_secrets

_USAGE, _INTERRUPTED = 2, 130


class _Commands(CommandGroup):
    """Imports a command's module on first use, so that `status` does not load the imports of `up`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list_names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in list_names():
            return None
        command: click.Command = import_module(f"cli.commands.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # as above
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tickwork", message="tickwork %(version)s")
@click.option(TRACEBACK_OPTION, is_flag=True, expose_value=False, help="Show the whole traceback of an error.")
@click.pass_context
def tickwork(ctx: click.Context) -> None:
    """Run and control the worker system behind your futures account.

    Without a command: show positions, profit, headroom, alerts and queues once, as `tickwork top` does live.
    """
    if ctx.invoked_subcommand is None:
        from cli.commands.top import show_once  # noqa: PLC0415  # imported by few commands, and takes long

        show_once()


def main() -> None:
    """Run one command; print an error as one short message on stderr, or as JSON on stdout with --json."""
    # Log records of the shared packages are dropped: a command prints its own messages.
    logging.basicConfig(handlers=[logging.NullHandler()])
    try:
        arguments = [one for one in sys.argv[1:] if one != TRACEBACK_OPTION]
        sys.exit(tickwork(arguments, prog_name="tickwork", standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit(_INTERRUPTED)
    except click.ClickException as error:
        from cli.console.usage_errors import describe_usage_error  # noqa: PLC0415  # of a failure alone

        _fail(describe_usage_error(error), error.exit_code)
    except Exception as error:
        from cli.client.failures import describe_failure  # noqa: PLC0415  # as above

        if wants_traceback() and not isinstance(error, TickworkError):
            raise
        _fail(describe_failure(error), 1)


def _wants_json(arguments: list[str]) -> bool:
    """Whether the command line asks for JSON: by --json, or as the form of a list or a statement."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        one in {"--json", "-ojson", "--output=json", "--format=json"}
        or (one in {"-o", "--output", "--format"} and following == "json")
        for one, following in pairs
    )


def _fail(message: str, status_code: int) -> None:
    text = mask_secrets(message)
    if _wants_json(sys.argv):
        print_json({"error": text})
    else:
        from shared.domain.market_data.contract_text import shorten_contracts  # noqa: PLC0415  # of a failure alone

        # An error of usage quotes what was typed.
        click.echo(f"tickwork: {text if status_code == _USAGE else shorten_contracts(text)}", err=True)
    sys.exit(status_code)


if __name__ == "__main__":
    main()
