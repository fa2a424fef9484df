"""`tickwork export`: trades, orders, fills, alerts, days or bars as CSV, whole."""

import sys
from datetime import datetime
from pathlib import Path

import click

from cli.client.lookup import resolve_account
from cli.client.stack import connect
from cli.console.new_file import open_new_file
from cli.console.params import InstantType, account_option, require_span
from shared.db.engine import driver
from shared.db.exports import EXPORTS, copy_rows
from shared.domain.counting import count_of


@click.command("export")
@click.argument("kind", type=click.Choice(list(EXPORTS)))
@click.option("--since", type=InstantType(), metavar="TIME", help="Rows from this time on, such as 2026-03-09.")
@click.option("--until", type=InstantType(), metavar="TIME", help="Rows before this time.")
@account_option
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="A new file; default: stdout.")
def command(
    kind: str, since: datetime | None, until: datetime | None, account_word: str | None, file: Path | None
) -> None:
    """Write rows as CSV, oldest first, without a limit.

    Trades and fills are chosen by market time, orders and alerts by that of this computer, all in UTC; days by their
    trading day. docs/reference/tables.md says what the columns hold.
    """
    require_span(since, until)
    export = EXPORTS[kind]
    if account_word is not None and not export.has_account:
        raise click.UsageError(f"{kind} belong to no account: leave --account out")
    with connect() as connection:
        account_id = None if account_word is None else resolve_account(connection, account_word).id
        blocks = copy_rows(driver(connection), export, since=since, until=until, account_id=account_id)
        if file is None:
            for block in blocks:
                sys.stdout.write(block.decode())
            return
        with open_new_file(file) as target:
            written = sum(target.write(block) for block in blocks)
    click.echo(f"Wrote {count_of(written, 'byte')} to {file}.", err=True)
