"""`tickwork accounts balance-move`: a person tells that the firm, and no trade, moved a balance."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import click

from cli.client.change_check import confirm, confirm_effects, current_actor
from cli.client.lookup import resolve_account
from cli.client.stack import begin, connect, load_stack_settings
from cli.console.output import print_json
from cli.console.params import MoneyType, json_option, reason_option, yes_option
from shared.db.accounts import accounts, balance_moves
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import record_act
from shared.domain.risk.findings import dollars
from shared.errors import RefusedError


@click.command("balance-move", context_settings={"ignore_unknown_options": True})
@click.argument("account")
@click.argument("amount", type=MoneyType())
@reason_option
@yes_option
@json_option
def record_balance_move(account: str, amount: Decimal, *, reason: str | None, yes: bool, as_json: bool) -> None:
    """Record that the firm moved today's balance by AMOUNT: -2000 for a payout, 500 for a deposit.

    It then does not count as a result of the day. Most moves are found without this; the opposite AMOUNT undoes one.
    """
    if not amount:
        raise RefusedError("invalid amount 0: expected dollars such as -2000 for a payout, or 500 for a deposit")
    with connect() as connection:
        row = resolve_account(connection, account)
        changed = replace(row, **balance_moves.change_by_move(connection, row, amount, _require_day(row)))
        _confirm_covered(row, amount, yes=yes, as_json=as_json)
        confirm_effects(connection, load_stack_settings(), row, changed, yes=yes, as_json=as_json)
    with begin() as connection:
        asked_about, row = row, accounts.lock(connection, row.id) or row
        if (row.moved_today, _unexplained(row)) != (asked_about.moved_today, _unexplained(asked_about)):
            raise RefusedError(
                f"the balance of account {row.id} ({row.name}) was settled meanwhile, so nothing was recorded: "
                f"`tickwork accounts show {row.id}` lists what was found"
            )
        values = balance_moves.change_by_move(connection, row, amount, _require_day(row))
        before = {"moved_today": row.moved_today}
        after = {"moved_today": values["moved_today"]}
        record_act(connection, current_actor(), "balance_move", row.id, before=before, after=after, reason=reason)
        balance_moves.record(connection, row, amount, day=_require_day(row), origin="manual", values=values)
    if as_json:
        print_json({"id": row.id, "name": row.name, "amount": amount, "moved_today": values["moved_today"]})
        return
    click.echo(f"Balance of account {row.id} ({row.name}): {balance_moves.describe(row, amount, 'manual')}.")
    click.echo(f"Moved by the firm today: {dollars(values['moved_today'])}.")


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
