"""`tickwork halt`: stops new entries, or those that do not only reduce, until `tickwork resume`; exits always pass."""

from dataclasses import dataclass, field
from datetime import timedelta

import click

from cli.client.change_check import current_actor
from cli.client.flatten import confirm, flatten
from cli.client.job_client import open_client
from cli.client.locks import end_blocking_sessions, list_names, require_unlocked
from cli.client.lookup import resolve_accounts
from cli.client.stack import connect
from cli.commands.flatten import select_closable
from cli.console.output import print_json
from cli.console.params import json_option
from shared.db.accounts import halts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.in_turn import visit_accounts
from shared.db.engine import limit_lock_wait
from shared.domain.accounts.trading_state import TradingState
from shared.errors import RefusedError
from shared.overview.holdings import describe_holdings


@click.command("halt")
@click.argument("reason", nargs=-1, required=True)
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; default: all.")
@click.option("--reduce-only", "is_reduce_only", is_flag=True, help="Let entries pass that make a position smaller.")
@click.option("--flatten", "also_flattens", is_flag=True, help="Also flatten the halted accounts.")
@click.option("--yes", is_flag=True, help="With --flatten: skip the confirmation.")
@json_option
def command(
    reason: tuple[str, ...],
    account_word: str | None,
    *,
    is_reduce_only: bool,
    also_flattens: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Stop new entries at once. Store REASON with the halt; no worker is needed.

    With --reduce-only an entry passes that only makes a position smaller. It changes nothing on an account that is
    halted, and a halt replaces it.
    """
    if is_reduce_only and also_flattens:
        raise click.UsageError("give --reduce-only or --flatten, not both: a flat account has nothing to reduce")
    why = " ".join(reason)
    halted = _halt(account_word, why, is_reduce_only=is_reduce_only)
    if as_json and not also_flattens:
        halted.require_all()
        print_json(
            {
                "state": (TradingState.REDUCING if is_reduce_only else TradingState.HALTED).value,
                "halted": [{"id": one.id, "name": one.name, "reason": why} for one in halted.now],
                "already_halted": [
                    {"id": one.id, "name": one.name, "state": one.state.value, "reason": one.halt_reason}
                    for one in halted.before
                ],
            }
        )
    if not as_json:
        _print(halted, why, "reduce-only" if is_reduce_only else "halted")
    if not also_flattens:
        if not as_json:
            click.echo(
                "The account watch cancels working entries that do not only reduce, which needs a worker; positions "
                "stay open, exits pass."
            )
            click.echo("`tickwork resume REASON` allows entries again.")
        halted.require_all()
        return
    state = f"entries are halted{f', but of {list_names(halted.locked)}' if halted.locked else ''}"
    unconfirmed = f"{state}; the flattening is not confirmed: run `tickwork flatten`, which joins one under way"
    with end_blocking_sessions(unconfirmed), open_client() as client:
        with client.connect() as connection:
            to_flatten, _ = select_closable(connection, account_word)
            found = describe_holdings(connection, to_flatten, None)
        confirm(f"{state.capitalize()}. Flatten everything: {found}?", yes=yes, as_json=as_json)
        flatten(client, to_flatten, None, f"halted: {why}", None, as_json=as_json)
    halted.require_all()


@dataclass
class _Halted:
    """The accounts that were halted now, and before, and those that another session locks, with the error."""

    now: list[AccountRow] = field(default_factory=list)
    before: list[AccountRow] = field(default_factory=list)
    locked: list[AccountRow] = field(default_factory=list)
    error: RefusedError | None = None

    def require_all(self) -> None:
        """Raise the error if an account is locked."""
        if self.error is not None:
            raise self.error


def _halt(account_word: str | None, reason: str, *, is_reduce_only: bool) -> _Halted:
    """Halt one account or all, each by itself, so that a lock on one leaves no other trading."""
    done, actor = _Halted(), current_actor()
    try:
        with end_blocking_sessions("no account was halted"), connect() as connection:
            chosen = resolve_accounts(connection, account_word)
            connection.commit()

            def halt(one: AccountRow, wait: timedelta) -> None:
                with connection.begin():
                    limit_lock_wait(connection, wait)
                    is_new = bool(halts.halt(connection, reason, one.id, actor=actor, is_reduce_only=is_reduce_only))
                (done.now if is_new else done.before).append(one)

            done.locked = visit_accounts(chosen, halt)
            require_unlocked(done.locked, chosen, "halted")
    except RefusedError as error:
        if not done.locked:
            raise
        done.error = error
    return done


def _print(halted: _Halted, reason: str, wanted: str) -> None:
    for one in halted.now:
        click.echo(f"Account {one.id} ({one.name}) is {wanted}: {reason}")
    for one in halted.before:
        before = "reduce-only" if one.state is TradingState.REDUCING else "halted"
        click.echo(f"Account {one.id} ({one.name}) was already {before}, which stays: {one.halt_reason}")
    for one in halted.locked:
        click.echo(f"Account {one.id} ({one.name}) is NOT {wanted}: another session locks it.")
