"""`tickwork accounts balance-move`: a person tells that the firm, and no trade, moved a balance."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import click
from sqlalchemy import Connection

from cli.client.change_check import confirm, confirm_effects, current_actor, foresee
from cli.client.lookup import resolve_account
from cli.client.stack import begin, connect, load_stack_settings
from cli.console.output import print_json
from cli.console.params import MoneyType, json_option, reason_option, yes_option
from shared.config import Settings
from shared.db.accounts import accounts, balance_moves
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import record_act
from shared.db.risk.false_locks import COLUMN_OF_MARK, change_by_lift, find_false_locks
from shared.domain.risk.findings import dollars
from shared.errors import RefusedError


@click.command("balance-move", context_settings={"ignore_unknown_options": True})
@click.argument("account")
@click.argument("amount", type=MoneyType())
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The earlier trading day on which it moved, as 2026-03-09.  [default: today]",
)
@reason_option
@yes_option
@json_option
def record_balance_move(
    account: str, amount: Decimal, *, day: datetime | None, reason: str | None, yes: bool, as_json: bool
) -> None:
    """Record that the firm moved the balance by AMOUNT: -2000 for a payout, 500 for a deposit.

    It then does not count as a result of the day, and a lock of day or week that it made alone is lifted. Most moves
    are found without this; the opposite AMOUNT undoes one.
    """
    if not amount:
        raise RefusedError("invalid amount 0: expected dollars such as -2000 for a payout, or 500 for a deposit")
    settings = load_stack_settings()
    with connect() as connection:
        row = resolve_account(connection, account)
        moved_on = _require_day(row) if day is None else day.date()
        is_today = moved_on == row.trading_day
        if is_today:
            changed = replace(row, **balance_moves.change_by_move(connection, row, amount, moved_on))
            _confirm_covered(row, amount, yes=yes, as_json=as_json)
            confirm_effects(connection, settings, row, changed, yes=yes, as_json=as_json)
        else:
            _confirm_earlier(row, amount, moved_on, yes=yes, as_json=as_json)
    with begin() as connection:
        asked_about, row = row, accounts.lock(connection, row.id) or row
        _require_unchanged(asked_about, row)
        if is_today:
            values = balance_moves.change_by_move(connection, row, amount, moved_on)
            balance_moves.record(connection, row, amount, day=moved_on, origin="manual", values=values)
        else:
            balance_moves.record_earlier(connection, row, amount, day=moved_on, origin="manual")
        lifted = _lift_false_locks(connection, settings, row, amount, is_today=is_today)
        after = accounts.get(connection, row.id) or row
        names = ("moved_today", *(COLUMN_OF_MARK[rule] for rule in lifted))
        told = [{name: getattr(one, name) for name in names} for one in (row, after)]
        about = {} if is_today else {"day": moved_on, "amount": amount}
        record_act(
            connection, current_actor(), "balance_move", row.id, before=told[0], after=told[1] | about, reason=reason
        )
    if as_json:
        figures = {"amount": amount, "day": str(moved_on), "moved_today": after.moved_today, "lifted": lifted}
        print_json({"id": row.id, "name": row.name, **figures})
        return
    if is_today:
        click.echo(f"Balance of account {row.id} ({row.name}): {balance_moves.describe(row, amount, 'manual')}.")
        click.echo(f"Moved by the firm today: {dollars(after.moved_today)}.")
    else:
        click.echo(f"{dollars(amount)} of account {row.id} ({row.name}) is no result of {moved_on}.")
    if row.breached_market_at is not None:
        click.echo(
            "The breach stays: if only this amount made it, set the mark and clear it: `tickwork accounts "
            f"high-water-mark {row.id} BALANCE`, `tickwork accounts clear-breach {row.id} --reason REASON`."
        )
    for rule in lifted:
        click.echo(f"Lifted: {rule.replace('_', ' ')}, which only this amount had touched.")


def _lift_false_locks(
    connection: Connection, settings: Settings, before: AccountRow, amount: Decimal, *, is_today: bool
) -> list[str]:
    """Lift the marks that the amount, which is recorded as a move, made alone; return their rules."""
    moved = accounts.get(connection, before.id) or before
    (after,) = foresee(connection, settings, moved)
    lifted = [] if after is None else find_false_locks(moved, after, amount, is_today=is_today)
    if moved.marked_limits:
        accounts.change(connection, before.id, **change_by_lift(moved, lifted, amount))
    for rule in lifted:
        message = f"{rule.replace('_', ' ')}: only {dollars(amount)}, which is no result, had touched it"
        accounts.record_event(connection, before.id, "lock_lifted", message)
    return lifted


def _require_unchanged(asked_about: AccountRow, row: AccountRow) -> None:
    now, before = (
        (one.trading_day, one.moved_today, _unexplained(one), one.marked_limits is None) for one in (row, asked_about)
    )
    if now != before:
        raise RefusedError(
            f"the balance of account {row.id} ({row.name}) was settled meanwhile, so nothing was recorded: "
            f"`tickwork accounts show {row.id}` lists what was found"
        )


def _confirm_earlier(row: AccountRow, amount: Decimal, day: date, *, yes: bool, as_json: bool) -> None:
    """Ask for confirmation, as the result of a day that has ended changes; refuse a day to come."""
    if row.trading_day is None or day > row.trading_day:
        raise RefusedError(f"invalid day {day}: expected an ended trading day, as 2026-03-09")
    if not yes:
        confirm(
            f"{dollars(amount)} of the result of {day} of account {row.id} ({row.name}) will count no more, nor in its "
            "week. Record it?",
            "record it",
            as_json=as_json,
        )


def _confirm_covered(row: AccountRow, amount: Decimal, *, yes: bool, as_json: bool) -> None:
    """Ask for confirmation of an amount that is neither unexplained by the fills of today nor the return of a move."""
    unexplained = _unexplained(row)
    if yes or _covers(unexplained or Decimal(0), amount) or _covers(row.moved_today, -amount):
        return
    confirm(
        f"The fills explain all but {dollars(unexplained)} of today's result of account {row.id} ({row.name}), and "
        f"{dollars(row.moved_today)} is known as moved. With {dollars(amount)} more, the limits of day and week count "
        "from another balance. Record it?",
        "record it",
        as_json=as_json,
    )


def _unexplained(row: AccountRow) -> Decimal | None:
    return row.unexplained_balance if row.pending_balance is None else row.pending_balance


def _covers(whole: Decimal, part: Decimal) -> bool:
    return whole * part > 0 and abs(part) <= abs(whole)


def _require_day(row: AccountRow) -> date:
    if row.trading_day is None:
        raise RefusedError(f"account {row.id} ({row.name}) has no balance of today yet: try again in a minute")
    return row.trading_day
