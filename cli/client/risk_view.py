"""Where accounts snapshot, as commands show it: rules, fresh quotes, and what the rules say right now."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy import Connection

from shared.clock import MarketClock
from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.db.orders import positions
from shared.db.risk import risk_snapshots
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.risk.account_rules import Finding, session_of, watch, when
from shared.errors import SettingsError
from shared.hot.connection import CircuitBreaker
from shared.hot.connection import connect as connect_redis
from shared.hot.quotes import HotQuote, QuoteReader, exit_price_by


@dataclass(frozen=True, slots=True)
class RiskView:
    """All accounts, their standings, and the quotes that were fresh; `is_simulated` is about the venue."""

    accounts: list[AccountRow]
    snapshots: dict[int, RiskSnapshot]
    quotes: Mapping[str, HotQuote]
    clock: MarketClock
    is_simulated: bool

    def findings(self, account_id: int) -> list[Finding]:
        """Return what the watch finds of an account now; nothing of one whose rules nobody knows."""
        snapshot = self.snapshots.get(account_id)
        if snapshot is None:
            return []
        market_now = self.clock.now()
        return watch(snapshot.risk, snapshot.book, market_now, session_of(snapshot.risk, market_now))


def picture(connection: Connection, settings: Settings) -> RiskView:
    """Return where every account snapshots now."""
    everyone = accounts.list_all(connection)
    ids = [one.id for one in everyone]
    row = need_market(connection)
    held = {position.contract_id for position in positions.in_accounts(connection, ids)}
    quotes = fresh_quotes(settings, held)
    prices, max_quantity = exit_price_by(quotes), settings.max_quantity
    snapshots = risk_snapshots.read(connection, everyone, row.clock, lambda _: prices, max_quantity=max_quantity)
    return RiskView(everyone, snapshots, quotes, row.clock, is_simulated=row.kind != "live")


def findings_of(found: RiskView, account_id: int) -> list[dict[str, Any]]:
    """Return what the rules say of an account now, as rows."""
    return [
        {
            "rule": one.rule,
            "action": one.action.name,
            "says": one.message,
            "lifts": None if one.lifts_market_at is None else when(one.lifts_market_at),
        }
        for one in found.findings(account_id)
    ]


def print_findings(rows: Sequence[dict[str, Any]]) -> None:
    """Show them whole, a line each: a table would cut the figures off."""
    if not rows:
        click.echo("The rules say nothing against it.")
    for row in rows:
        click.echo(f"  {row['action']:7} {row['says']}" + (f" (lifts {row['lifts']})" if row["lifts"] else ""))


def need_market(connection: Connection) -> MarketRow:
    """Return which market the database belongs to."""
    row = market_clock.read(connection)
    if row is None:
        raise SettingsError("this database has met no market yet: start the stack with `tickwork up`")
    return row


def fresh_quotes(settings: Settings, contract_ids: Collection[str]) -> dict[str, HotQuote]:
    """Return the fresh quotes there are; none while Redis is away."""
    if not contract_ids or not settings.redis_url:
        return {}
    with _redis(settings) as reader:
        return reader.read(contract_ids)


@contextmanager
def _redis(settings: Settings) -> Iterator[QuoteReader]:
    client = connect_redis(settings.redis_url)
    try:
        yield QuoteReader(client, CircuitBreaker())
    finally:
        client.close()


def may_close(account: AccountRow, *, is_simulated: bool) -> bool:
    """Whether the venue would be asked to close anything of the account: not where live orders were never on."""
    return is_simulated or account.live_orders or account.live_since_at is not None


def alarms(connection: Connection) -> list[str]:
    """Return what a person must know at any glance about the accounts there are; see `alarming`."""
    row = market_clock.read(connection)
    return alarming(accounts.list_all(connection), is_simulated=row is not None and row.kind != "live")


def alarming(known: Sequence[AccountRow], *, is_simulated: bool) -> list[str]:
    """Return a line for each account that a person must know about at any glance: it is live, or halted."""
    found = []
    for one in known:
        words = []
        if one.live_word(is_simulated=is_simulated) == "LIVE":
            words.append("LIVE: orders reach real money")
        if one.halt is not None:
            words.append(f"HALTED: {one.halt}")
        if words:
            found.append(f"Account {one.id} ({one.name}) is {'; '.join(words)}.")
    return found
