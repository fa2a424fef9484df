"""`tickwork flatten`: cancels and closes everything, and ends when the venue itself says flat."""

from collections.abc import Sequence

import click
from sqlalchemy import Connection

from cli.client.flatten import confirm, flatten, what_is_there
from cli.client.job_client import open_client
from cli.client.lookup import concerned_contract, some_accounts
from cli.client.risk_view import may_close, need_market
from shared.db.accounts.accounts import AccountRow
from shared.errors import RefusedError

wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Give up waiting after so long; without it, wait until the venue says flat.",
)


@click.command("flatten")
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; else all.")
@click.option("--contract", "symbol", metavar="SYMBOL", help="Only this contract, such as MNQ; else everything.")
@click.option("--reason", default="typed by hand", show_default=True, help="Kept with the flatten_request.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@wait_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(
    account_word: str | None, symbol: str | None, reason: str, wait_s: float | None, *, yes: bool, as_json: bool
) -> None:
    """Cancel every order and close every position, of every account or of one, until the venue says flat.

    Entries are refused meanwhile. It works with every worker dead: a process of its own then does it.
    """
    with open_client() as client:
        with client.connect() as connection:
            chosen, left = closable(connection, account_word)
            ids = [one.id for one in chosen]
            contract_id = None if symbol is None else concerned_contract(connection, ids, symbol).id
            found = what_is_there(connection, chosen, contract_id)
        if left and not as_json:
            click.echo(f"Left alone, live orders were never on: {', '.join(one.name for one in left)}.", err=True)
        confirm(f"Flatten {contract_id or 'everything'} of {found}?", yes=yes, as_json=as_json)
        flatten(client, chosen, contract_id, reason, wait_s, as_json=as_json)


def closable(connection: Connection, account_word: str | None) -> tuple[Sequence[AccountRow], Sequence[AccountRow]]:
    """Return the accounts to flatten, and those that the venue is never asked to close anything of."""
    is_simulated = need_market(connection).kind != "live"
    found = some_accounts(connection, account_word)
    chosen = [one for one in found if may_close(one, is_simulated=is_simulated)]
    left = [one for one in found if one not in chosen]
    if not chosen:
        names = ", ".join(f"{one.name} ({one.id})" for one in left)
        raise RefusedError(
            f"live orders of {names} were never on, so the venue is asked nothing: close by hand at the venue, or "
            "`tickwork accounts live ACCOUNT on` first"
        )
    return chosen, left
