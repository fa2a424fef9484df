"""`tickwork accounts`: balances, loss limits, rules, and the switch for live orders."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import click

from cli.client import live_switch
from cli.client.change_check import confirm, confirm_effects, current_actor, describe_lowered_mark
from cli.client.lookup import resolve_account
from cli.client.risk_view import NO_FINDINGS, list_findings, require_market
from cli.client.stack import begin, connect, load_stack_settings
from cli.commands.account_acts import clear_breach, list_audit, lock_out_account, set_approval, take_over_account
from cli.commands.account_balance import record_balance_move
from cli.commands.account_news import news
from cli.commands.account_rules import change_rules, rule_rows, to_cells
from cli.console.cells import heading_of
from cli.console.groups import CommandGroup
from cli.console.list_options import echo_note, list_options
from cli.console.output import print_json
from cli.console.params import MoneyType, json_option, parse_ticks_or_none, reason_option, yes_option
from cli.console.table import Table
from shared.db.accounts import account_reports, accounts, balance_moves
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import describe_read_only
from shared.db.orders import orders
from shared.domain.accounts.stage import Stage, describe_unknown, parse_stage
from shared.domain.counting import count_of
from shared.domain.orders.order import OrderState, Role
from shared.domain.risk.account_risk import loss_limit_level
from shared.domain.risk.findings import chicago_time
from shared.errors import RefusedError
from shared.overview.risk_view import RiskView, find_lock_out, read_risk_view

ACCOUNTS = Table(
    "Accounts",
    ("id", "name", "stage", "balance", "equity", "headroom", "live_orders", "state", "halted", "locked_out_until",
     "blocked", "reconciled_at"),
    spare=("reconciled_at", "live_orders", "stage", "locked_out_until", "blocked", "equity", "balance"),
    is_list=True,
)  # fmt: skip
FINDINGS = Table("Findings", ("rule", "action", "finding"))
RULES = Table("Rules", ("rule", "value", "source"))
DAYS = Table("Trading days", ("trading_day", "result"))
MOVES = Table("Payouts and deposits", ("recorded_at", "trading_day", "amount", "origin"))
EVENTS = Table("Newest events", ("happened_at", "kind", "message"))
_FACTS = ("stage", "preset", "live_orders", "live_since_at", "approval", "can_trade", "state", "halted", "reduce_only",
          "locked_out_until", "blocked", "read_only", "reconciled_at", "default_stop_ticks", "balance", "equity",
          "loss_limit_level", "headroom", "day_opening_balance", "moved_today", "last_paid_on", "high_water_mark",
          "breached_market_at", "locked_on", "profit_locked_on", "week_locked_on")  # fmt: skip
_EVENTS_SHOWN = 20
_MOVES_SHOWN = 10


@click.group(name="accounts", cls=CommandGroup, invoke_without_command=True)
@json_option
@list_options
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the accounts. The subcommands show one or change its settings."""
    if ctx.invoked_subcommand is not None:
        return
    settings = load_stack_settings()
    with connect() as connection:
        found = read_risk_view(connection, settings)
    rows = [to_row(found, one) for one in found.accounts]
    if as_json:
        print_json({"accounts": rows})
    else:
        ACCOUNTS.print(list(map(_to_cells, rows)), empty="No account is known yet: `tickwork status` shows what runs.")
        for one in found.accounts:
            if parse_stage(one.name) is Stage.UNKNOWN:
                echo_note(describe_unknown(one.name))


for subcommand in (
    change_rules,
    clear_breach,
    list_audit,
    lock_out_account,
    news,
    record_balance_move,
    set_approval,
    take_over_account,
):
    command.add_command(subcommand)


@command.command("show")
@click.argument("account")
@json_option
def show(account: str, *, as_json: bool) -> None:
    """Show an account in full. Print its state, findings, rules, trading days and newest events."""
    settings = load_stack_settings()
    with connect() as connection:
        row = resolve_account(connection, account)
        found = read_risk_view(connection, settings)
        events = accounts.list_events(connection, row.id, limit=_EVENTS_SHOWN)
        moves = balance_moves.list_newest(connection, row.id, limit=_MOVES_SHOWN)
        days = [
            {"trading_day": str(day), "result": result} for day, result in account_reports.list_days(connection, row.id)
        ]
    account_facts = to_row(found, row)
    book = [] if found.snapshots.get(row.id) is None else rule_rows(row)
    findings = list_findings(found, row.id)
    if as_json:
        print_json(
            {
                "account": account_facts,
                "rules": book,
                "findings": findings,
                "events": events,
                "days": days,
                "balance_moves": moves,
            }
        )
        return
    click.echo(f"Account {row.id} ({row.name})")
    cells = _to_cells(account_facts)
    for name in _FACTS:
        click.echo(f"  {heading_of(name):20} {_to_text(cells[name])}")
    shown = [one | {"finding": one["message"]} for one in findings]
    FINDINGS.print(shown, empty=NO_FINDINGS)
    RULES.print(list(map(to_cells, book)), empty="No rules: the account's stage is unknown.")
    DAYS.print(days[-10:], empty="No trading day is over yet.")
    MOVES.print(moves, empty="No payout and no deposit is known.")
    EVENTS.print(events, empty="No events.")


@command.command("live")
@click.argument("account")
@click.argument("switch", type=click.Choice(["on", "off", "shadow"]))
@click.option("--name", help="The account's exact name; without it, `on` asks for it.")
@reason_option
@json_option
def switch_live(account: str, switch: str, name: str | None, *, reason: str | None, as_json: bool) -> None:
    """Turn live orders on or off. `on` needs the account's exact name.

    With `shadow`, entries go through every check and are recorded, and none is sent, also at the simulator; exits are
    as with `off`. `on` or `off` ends that.
    """
    is_on = switch == "on"
    with connect() as connection:
        row = resolve_account(connection, account)
        is_simulated = require_market(connection).kind != "live"
    if switch != "off" and parse_stage(row.name) is Stage.UNKNOWN:
        raise RefusedError(f"unknown stage of account {row.name!r}: trading is disabled")
    if is_on:
        live_switch.confirm_live(row, name, as_json=as_json)
    row = live_switch.switch_live(row, switch, reason=reason)
    if as_json:
        modes = {"is_live": is_on, "is_shadow": switch == "shadow"}
        print_json({"id": row.id, "name": row.name, **modes, "is_simulated": is_simulated})
        return
    if switch == "shadow":
        click.echo(
            f"Account {row.id} ({row.name}) is in shadow mode: entries are checked and recorded, and none is sent."
        )
    else:
        click.echo(f"Live orders of account {row.id} ({row.name}) are {'ON' if is_on else 'off'}.")
    if not is_on:
        click.echo(_describe_what_stays(row.id))
    if switch == "shadow":
        return
    if is_simulated:
        click.echo("This stack trades at the simulator: no order reaches real money, even with live orders on.")


def _describe_what_stays(account_id: int) -> str:
    """Return what the venue keeps of an account whose entries are no longer sent."""
    with connect() as connection:
        resting = [
            one
            for one in orders.list_open(connection, account_id)
            if one.role is Role.ENTRY and one.state is OrderState.WORKING
        ]
    if not resting:
        return "What is held and works stays at the venue: `tickwork positions` shows it."
    return (
        f"{count_of(len(resting), 'resting entry', 'resting entries')} may still fill at the venue: `tickwork orders "
        f"cancel --all --account {account_id}` cancels that."
    )


@command.command("default-stop")
@click.argument("account")
@click.argument("ticks", metavar="TICKS|none")
@json_option
def set_default_stop(account: str, ticks: str, *, as_json: bool) -> None:
    """Set the default stop in ticks. It protects entries without a stop; with `none`, such entries are denied."""
    distance = parse_ticks_or_none(ticks)
    with begin() as connection:
        row = resolve_account(connection, account)
        row = accounts.lock(connection, row.id) or row
        accounts.change_by_hand(connection, row, current_actor(), "default_stop", default_stop_ticks=distance)
        accounts.record_event(
            connection, row.id, "default_stop", f"{distance or 'none'}, by hand; it was {row.default_stop_ticks}"
        )
    if as_json:
        print_json({"id": row.id, "name": row.name, "default_stop_ticks": distance})
    elif distance is None:
        click.echo(f"Entries of account {row.id} ({row.name}) without a stop are denied.")
    else:
        click.echo(
            f"Entries of account {row.id} ({row.name}) without a stop get one {count_of(distance, 'tick')} away."
        )


@command.command("high-water-mark")
@click.argument("account")
@click.argument("balance", type=MoneyType())
@reason_option
@yes_option
@json_option
def set_high_water_mark(account: str, balance: Decimal, *, reason: str | None, yes: bool, as_json: bool) -> None:
    """Set the high-water mark. It is the highest end-of-day balance, as the firm's dashboard shows it.

    The loss limit level follows it. A mark that would breach the account at once asks for confirmation, and so does one
    that lowers the loss limit level, or is below the balance at which the day opened.
    """
    settings = load_stack_settings()
    with connect() as connection:
        row = resolve_account(connection, account)
        changed = replace(row, high_water_mark=balance)
        if not yes and (lowered := describe_lowered_mark(connection, settings, row, changed)) is not None:
            confirm(f"{lowered}. Change it?", "change it", as_json=as_json)
        confirm_effects(connection, settings, row, changed, yes=yes, as_json=as_json)
    with begin() as connection:
        row = accounts.lock(connection, row.id) or row
        accounts.change_by_hand(
            connection, row, current_actor(), "high_water_mark", reason=reason, high_water_mark=balance
        )
        accounts.record_event(
            connection, row.id, "high_water_mark", f"{balance}, by hand; it was {row.high_water_mark}"
        )
    if as_json:
        print_json({"id": row.id, "name": row.name, "high_water_mark": balance})
    else:
        click.echo(f"The high-water mark of account {row.id} ({row.name}) is {balance}.")
        click.echo(f"`tickwork accounts show {row.id}` shows its loss limit level.")


def to_row(found: RiskView, row: AccountRow) -> dict[str, Any]:
    """Return an account's identity, balances, limits and switches as one row."""
    snapshot = found.snapshots.get(row.id)
    equity = level = None
    if snapshot is not None:
        equity, level = snapshot.risk.equity, loss_limit_level(snapshot.risk, snapshot.book)
    return {
        "id": row.id,
        "name": row.name,
        "stage": parse_stage(row.name).value,
        "preset": None if snapshot is None else snapshot.book.name,
        "balance": row.balance,
        "equity": equity,
        "loss_limit_level": level,
        "headroom": None if equity is None or level is None else equity - level,
        "live_orders": row.live_status(is_simulated=found.is_simulated),
        "live_since_at": row.live_since_at,
        "is_approval_required": row.is_approval_required,
        "can_trade": row.can_trade,
        "state": row.state.value,
        "halted": row.halt,
        "reduce_only": row.reduce_only,
        "locked_out_until_market_at": find_lock_out(row, found.clock.now()),
        "blocked": row.block_reason,
        "read_only": describe_read_only(row, found.clock.now()),
        "reconciled_at": row.reconciled_at,
        "default_stop_ticks": row.default_stop_ticks,
        "day_opening_balance": row.day_opening_balance,
        "moved_today": row.moved_today,
        "last_paid_on": None if row.last_paid_on is None else str(row.last_paid_on),
        "high_water_mark": row.high_water_mark,
        "breached_market_at": row.breached_market_at,
        "locked_on": None if row.locked_on is None else str(row.locked_on),
        "profit_locked_on": None if row.profit_locked_on is None else str(row.profit_locked_on),
        "week_locked_on": None if row.week_locked_on is None else str(row.week_locked_on),
    }


def _to_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `to_row` for a table: the end of a lock-out in Chicago's time."""
    until = row["locked_out_until_market_at"]
    return row | {
        "approval": "on" if row["is_approval_required"] else "off",
        "locked_out_until": None if until is None else chicago_time(until),
    }


def _to_text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return str(value)
