"""`tickwork flatten`: closes every position, cancels every order, and waits until the venue confirms flat."""

from collections.abc import Sequence

import click
from sqlalchemy import Connection

from cli.client.flatten import confirm, flatten
from cli.client.job_client import open_client
from cli.client.locks import end_blocking_sessions
from cli.client.lookup import list_exit_contracts, resolve_accounts
from cli.client.risk_view import require_market
from cli.console.params import json_option
from shared.db.accounts.accounts import AccountRow
from shared.errors import RefusedError
from shared.overview.holdings import describe_holdings, split_closable

wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Longest wait for the venue's confirmation; default: no limit.",
)


@click.command("flatten")
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; default: all.")
@click.option("--contract", "symbol", metavar="SYMBOL", help="Only this symbol, such as MNQ; default: all.")
@click.option("--reason", default="typed by hand", show_default=True, help="Reason stored with the flatten request.")
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@wait_option
@json_option
def command(
    account_word: str | None, symbol: str | None, reason: str, wait_s: float | None, *, yes: bool, as_json: bool
) -> None:
    """Close all positions, then cancel all orders.

    The command covers all accounts, or one, and ends when the venue confirms flat. No entry is submitted meanwhile.
    Without a live worker, the command runs the job in a process of its own.
    """
    with end_blocking_sessions(), open_client() as client:
        with client.connect() as connection:
            chosen, left = select_closable(connection, account_word)
            ids = [one.id for one in chosen]
            contract_ids = None
            if symbol is not None:
                contract_ids = [one.id for one in list_exit_contracts(connection, ids, symbol)]
            found = describe_holdings(connection, chosen, contract_ids)
        if left and not as_json:
            click.echo(f"Skipped, because live orders were never on: {', '.join(one.name for one in left)}.", err=True)
        confirm(f"Flatten {', '.join(contract_ids or ['everything'])}: {found}?", yes=yes, as_json=as_json)
        flatten(client, chosen, contract_ids, reason, wait_s, as_json=as_json)


def select_closable(
    connection: Connection, account_word: str | None
) -> tuple[Sequence[AccountRow], Sequence[AccountRow]]:
    """Return the accounts to flatten, and the accounts to skip because live orders were never on.

    Raise RefusedError when there is no account to flatten.
    """
    is_simulated = require_market(connection).kind != "live"
    chosen, left = split_closable(resolve_accounts(connection, account_word), is_simulated=is_simulated)
    if not chosen:
        names = ", ".join(f"{one.name} ({one.id})" for one in left)
        raise RefusedError(
            f"live orders of {names} were never on, so nothing was sent to the venue: close by hand at the venue, or "
            "run `tickwork accounts live ACCOUNT on` first"
        )
    return chosen, left
