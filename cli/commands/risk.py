"""`tickwork risk`: how much headroom each rule leaves, what is blocked, and when it lifts."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import click

from cli.client.lookup import some_accounts
from cli.client.risk_view import RiskView, findings_of, picture, print_findings
from cli.client.stack import connect, settings_of_stack
from cli.console.output import print_json, print_table
from shared.db.accounts.accounts import AccountRow
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.accounts.stage import Stage, stage_of
from shared.domain.risk.account_risk import loss_limit_level
from shared.domain.risk.account_rules import RuleAction, when

_BAR_WIDTH = 20
_COLUMNS = ("rule", "used", "limit", "left", "room_left")


@click.command("risk")
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; else all.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(account_word: str | None, *, as_json: bool) -> None:
    """Show per account what the rules allow now, in figures, and whether the next entry would pass."""
    settings = settings_of_stack()
    with connect() as connection:
        chosen = some_accounts(connection, account_word)
        found = picture(connection, settings)
        told = [_told(found, one) for one in chosen]
    if as_json:
        print_json({"accounts": told})
        return
    for one in told:
        click.echo(f"{one['name']} ({one['id']}, {one['live_orders']}): {one['verdict']}")
        rows = [row | {"room_left": _bar(row["left"], row["limit"])} for row in one["rules"]]
        print_table("Room by rule", rows, _COLUMNS, empty="No rules are known for it.")
        print_findings(one["findings"])


def _told(found: RiskView, row: AccountRow) -> dict[str, Any]:
    snapshot = found.snapshots.get(row.id)
    findings = findings_of(found, row.id)
    obstacles = list(_obstacles(found, row))
    return {
        "id": row.id,
        "name": row.name,
        "live_orders": row.live_word(is_simulated=found.is_simulated),
        "may_enter": not obstacles,
        "verdict": "entries are let through" if not obstacles else f"NO ENTRY: {'; '.join(obstacles)}",
        "obstacles": obstacles,
        "equity": None if snapshot is None else snapshot.risk.equity,
        "loss_limit_level": None if snapshot is None else loss_limit_level(snapshot.risk, snapshot.book),
        "rules": [] if snapshot is None else list(_headroom(snapshot)),
        "findings": findings,
    }


def _obstacles(found: RiskView, row: AccountRow) -> Iterator[str]:
    """Yield what refuses any entry of the account now, in the order in which risk asks."""
    if stage_of(row.name) is Stage.UNKNOWN:
        yield "its name is of no stage we know, so it is never traded"
    if not row.can_trade:
        yield "the venue says that it may not trade"
    if row.live_word(is_simulated=found.is_simulated) == "off":
        yield f"live orders are off: `tickwork accounts live {row.id} on`"
    if row.halt is not None:
        yield f"halted: {row.halt}; `tickwork resume REASON --account {row.id}`"
    if row.reconciled_at is None:
        yield "not reconciled with the venue since the start"
    snapshot = found.snapshots.get(row.id)
    if snapshot is not None and snapshot.has_in_doubt_order:
        yield "the fate of an order is unknown, which is being settled"
    for contract_id, reason in snapshot.flatten_requests if snapshot is not None else ():
        yield f"{contract_id or 'everything'} is being flattened: {reason}"
    for one in found.findings(row.id):
        if one.action >= RuleAction.BLOCK:
            lifts = "" if one.lifts_market_at is None else f" (lifts {when(one.lifts_market_at)})"
            yield f"{one.message}{lifts}"


def _headroom(snapshot: RiskSnapshot) -> Iterator[dict[str, Any]]:
    """Yield the rules that have figures: what is used, the limit, and what is left."""
    risk, book = snapshot.risk, snapshot.book
    equity, opening, least = risk.equity, risk.day_opening_balance, loss_limit_level(risk, book)
    used = None if equity is None or opening is None else max(Decimal(0), opening - equity)
    if least is not None and opening is not None:
        yield _row("max_loss_limit", used, opening - least)
    if book.daily_loss_limit is not None:
        yield _row("daily_loss_limit", used, book.daily_loss_limit)
    if opening is not None:
        held = sum(book.micros(one.root, abs(one.quantity)) for one in risk.holdings)
        working = sum(book.micros(one.root, one.quantity) for one in risk.working)
        yield _row("contracts (micros)", Decimal(held + working), Decimal(book.most_micros(opening)))
    if book.max_trades_per_day is not None:
        trades = risk.trade_count_today + len(risk.working)
        yield _row("trades a day", Decimal(trades), Decimal(book.max_trades_per_day))
    yield _row("orders a minute", Decimal(risk.order_count_last_minute), Decimal(book.max_orders_per_minute))


def _row(rule: str, used: Decimal | None, limit: Decimal) -> dict[str, Any]:
    return {"rule": rule, "used": used, "limit": limit, "left": None if used is None else limit - used}


def _bar(left: Decimal | None, limit: Decimal) -> str:
    """Return the headroom left as a bar: full is all of it."""
    if left is None:
        return "unknown"
    share = max(Decimal(0), min(Decimal(1), left / limit)) if limit > 0 else Decimal(0)
    full = int((share * _BAR_WIDTH).to_integral_value())
    return f"{'█' * full}{'░' * (_BAR_WIDTH - full)} {share:.0%}"
