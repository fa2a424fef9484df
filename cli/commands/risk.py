"""`tickwork risk`: the headroom of each rule, and the reasons that block entries."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from cli.client.entry_outlook import EntryOutlook, describe_exceptions, list_common_obstacles, list_outlooks
from cli.client.lookup import resolve_accounts
from cli.client.risk_view import list_findings, print_findings
from cli.client.stack import connect, load_stack_settings
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.sparkline import draw_share
from cli.console.table import Table
from shared.db.accounts import watch_times
from shared.db.accounts.accounts import AccountRow
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.accounts.trading_state import TradingState
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.risk.account_risk import loss_limit_level
from shared.domain.risk.assumed_size import describe_assumed_size
from shared.domain.risk.payouts import list_payout_ways
from shared.domain.risk.rule_usage import DOLLARS, list_usage
from shared.overview.risk_view import RiskView, read_risk_view

_BAR_WIDTH = 20
_LABELS = {
    "max_micros": "contracts (micros)",
    "max_by_root": "contracts of {}",
    "max_trades_per_day": "trades a day",
    "max_consecutive_losses": "losses in a row",
    "max_orders_per_minute": "orders a minute",
}
HEADROOM = Table("Headroom by rule", ("rule", "used", "allowance", "headroom", "of_allowance"))
PAYOUT = Table("Next payout", ("way", "days", "most", "still_needed"))


@click.command("risk")
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; default: all.")
@json_option
def command(account_word: str | None, *, as_json: bool) -> None:
    """Show the headroom of each rule. Also show whether an entry of each tracked contract would be sent now.

    That is asked for one contract with the nearest stop, of both sides: a larger entry may be denied all the same.
    """
    settings = load_stack_settings()
    with connect() as connection:
        chosen = resolve_accounts(connection, account_word)
        found = read_risk_view(connection, settings)
        gaps = watch_times.list_open_gaps(connection, found.clock)
        outlooks = {one.id: list_outlooks(connection, found, one) for one in chosen}
    rows_by_account = [_to_row(found, one, outlooks[one.id]) | {"unwatched": gaps.get(one.id)} for one in chosen]
    if as_json:
        print_json({"accounts": rows_by_account})
        return
    for one in rows_by_account:
        state = "" if one["state"] == TradingState.TRADING else f", {one['state']}"
        click.echo(f"{one['name']} ({one['id']}, {one['live_orders']}{state}): {shorten_contracts(one['summary'])}")
        if one["unwatched"] is not None:
            click.echo(f"It was {one['unwatched']}")
        if one["assumed_size"] is not None:
            click.echo(f"A guess: {one['assumed_size']}.")
        for line in describe_exceptions(outlooks[one["id"]]) if one["may_enter"] else ():
            click.echo(shorten_contracts(line))
        if one["halted"] is not None:
            click.echo(f"`tickwork resume REASON --account {one['id']}` ends the halt.")
        HEADROOM.print(list(map(_to_cells, one["rules"])), empty="No rules: the account's stage is unknown.")
        if one["payout"]:
            PAYOUT.print([_payout_text(way) for way in one["payout"]], empty="")
        if one["findings"] or one["may_enter"]:
            print_findings(one["findings"])


def _to_row(found: RiskView, row: AccountRow, outlooks: Sequence[EntryOutlook]) -> dict[str, Any]:
    snapshot = found.snapshots.get(row.id)
    findings = list_findings(found, row.id)
    obstacles = list_common_obstacles(outlooks)
    return {
        "id": row.id,
        "name": row.name,
        "live_orders": row.live_status(is_simulated=found.is_simulated),
        "state": row.state.value,
        "may_enter": not obstacles,
        "summary": (
            _describe_entries(row) if not obstacles else f"NO ENTRY: {'; '.join(one.message for one in obstacles)}"
        ),
        "is_approval_required": row.is_approval_required,
        "obstacles": obstacles,
        "entries": [asdict(one) for one in outlooks],
        "halted": row.halt,
        "assumed_size": (
            None if snapshot is None else describe_assumed_size(row.id, row.name, row.preset, snapshot.book)
        ),
        "contracts_being_flattened": _contracts_being_flattened(snapshot),
        "equity": None if snapshot is None else snapshot.risk.equity,
        "loss_limit_level": None if snapshot is None else loss_limit_level(snapshot.risk, snapshot.book),
        "rules": [] if snapshot is None else [asdict(one) for one in list_usage(snapshot.risk, snapshot.book)],
        "payout": [] if snapshot is None else [asdict(way) for way in list_payout_ways(snapshot.risk, snapshot.book)],
        "findings": findings,
    }


def _to_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a rule's row with its label and its share; what is counted has no cents."""
    figures = {name: row[name] for name in ("used", "allowance", "headroom")}
    if row["unit"] != DOLLARS:
        figures = {name: None if figure is None else int(figure) for name, figure in figures.items()}
    label = _LABELS.get(row["rule"], row["rule"]).format(row["root"])
    return figures | {"rule": label, "of_allowance": draw_share(row["headroom"], row["allowance"], _BAR_WIDTH)}


def _payout_text(way: dict[str, Any]) -> dict[str, Any]:
    days = f"{way['days']} of {way['days_needed']}"
    return {"way": way["name"], "days": days, "most": way["most"], "still_needed": way["lacks"] or "nothing"}


def _describe_entries(row: AccountRow) -> str:
    """Return what becomes of the entries of an account that nothing forbids."""
    waits = "those of alerts and strategies wait for approval" if row.is_approval_required else None
    shadow = "they are recorded, and not sent" if row.is_shadow else None
    return "; ".join(["entries are allowed", *filter(None, [waits, shadow])])


def _contracts_being_flattened(snapshot: RiskSnapshot | None) -> list[str]:
    requests = snapshot.flatten_requests if snapshot is not None else ()
    return [contract_id for contract_id, _ in requests if contract_id]
