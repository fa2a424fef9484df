"""`tickwork resume`: allows entries again on halted and reduce-only accounts."""

import click

from cli.client.change_check import current_actor
from cli.client.lookup import resolve_accounts
from cli.client.stack import begin
from cli.console.output import print_json
from cli.console.params import json_option
from shared.db.accounts import halts
from shared.domain.accounts.trading_state import TradingState

_WORDS = {TradingState.HALTED: "halted", TradingState.REDUCING: "reduce-only"}


@click.command("resume")
@click.argument("reason", nargs=-1, required=True)
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; default: all.")
@json_option
def command(reason: tuple[str, ...], account_word: str | None, *, as_json: bool) -> None:
    """Allow entries again. End the halts, also those that are reduce-only, and store REASON in the account's events."""
    why = " ".join(reason)
    with begin() as connection:
        chosen = resolve_accounts(connection, account_word)
        account_id = chosen[0].id if account_word is not None else None
        resumed = halts.resume(connection, why, account_id, actor=current_actor())
    if as_json:
        rows = [
            {"id": one.id, "name": one.name, "was_halted": one.halt, "was_reduce_only": one.reduce_only}
            for one in chosen
            if one.id in resumed
        ]
        print_json({"resumed": rows, "not_halted": [one.id for one in chosen if one.id not in resumed]})
        return
    for one in chosen:
        click.echo(
            f"Account {one.id} ({one.name}) is no longer {_WORDS[one.state]}; the reason was: {one.halt_reason}"
            if one.id in resumed
            else f"Account {one.id} ({one.name}) was neither halted nor reduce-only."
        )
