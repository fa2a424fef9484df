"""`tickwork halt`: stops new entries on one account or all until `tickwork resume`; exits always pass."""

import click

from cli.client.flatten import confirm, describe_holdings, flatten
from cli.client.job_client import open_client
from cli.client.locks import end_blocking_sessions
from cli.client.lookup import resolve_accounts
from cli.client.stack import begin
from cli.commands.flatten import select_closable
from cli.console.output import print_json
from cli.console.params import json_option
from shared.db.accounts import accounts

_ENTRIES_ARE_HALTED = (
    "entries are halted, and the flattening is not confirmed: run `tickwork flatten`, which joins one under way"
)


@click.command("halt")
@click.argument("reason", nargs=-1, required=True)
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; default: all.")
@click.option("--flatten", "also_flattens", is_flag=True, help="Also flatten the halted accounts.")
@click.option("--yes", is_flag=True, help="With --flatten: skip the confirmation.")
@json_option
def command(
    reason: tuple[str, ...], account_word: str | None, *, also_flattens: bool, yes: bool, as_json: bool
) -> None:
    """Stop new entries at once. Store REASON with the halt; no worker is needed."""
    why = " ".join(reason)
    with end_blocking_sessions("no account was halted"), begin() as connection:
        chosen = resolve_accounts(connection, account_word)
        if account_word is None:
            halted = accounts.halt(connection, why)
        else:
            halted = accounts.halt(connection, why, chosen[0].id)
    already = [one for one in chosen if one.id not in halted]
    if as_json and not also_flattens:
        print_json(
            {
                "halted": [{"id": one.id, "name": one.name, "reason": why} for one in chosen if one.id in halted],
                "already_halted": [{"id": one.id, "name": one.name, "reason": one.halt} for one in already],
            }
        )
    if not as_json:
        for one in chosen:
            click.echo(
                f"Account {one.id} ({one.name}) is halted: {why}"
                if one.id in halted
                else f"Account {one.id} ({one.name}) was already halted: {one.halt}"
            )
    if not also_flattens:
        if not as_json:
            click.echo(
                "The account watch cancels working entries, which needs a worker; positions stay open, exits pass."
            )
            click.echo("`tickwork resume REASON` allows entries again.")
        return
    with end_blocking_sessions(_ENTRIES_ARE_HALTED), open_client() as client:
        with client.connect() as connection:
            to_flatten, _ = select_closable(connection, account_word)
            found = describe_holdings(connection, to_flatten, None)
        confirm(f"Entries are halted. Flatten everything: {found}?", yes=yes, as_json=as_json)
        flatten(client, to_flatten, None, f"halted: {why}", None, as_json=as_json)
