"""The accounts' risk as commands show it: rules, fresh quotes, findings and alarms."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import click
from sqlalchemy import Connection

from cli.console.cells import shorten_contracts
from shared.clock import MarketClock, machine_now
from shared.config import Settings
from shared.db.accounts import accounts, watch_times
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import describe_read_only
from shared.db.market_data import contracts, market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.db.orders import positions
from shared.db.risk import risk_snapshots
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.db.upkeep.disk_space import list_low
from shared.domain.risk.account_rules import check_account, session_of
from shared.domain.risk.findings import Finding, chicago_time
from shared.domain.risk.watch_gap import LONGEST_PAUSE
from shared.hot.quotes import HotQuote, exit_price_from, open_quotes

NO_FINDINGS = "The risk monitor has nothing to act on."  # which is not to say that an entry is allowed


@dataclass(frozen=True, slots=True)
class RiskView:
    """All accounts, their risk snapshots and the fresh quotes; `is_simulated` is true of a simulated venue."""

    accounts: list[AccountRow]
    snapshots: dict[int, RiskSnapshot]
    quotes: Mapping[str, HotQuote]
    clock: MarketClock
    is_simulated: bool

    def findings(self, account_id: int) -> list[Finding]:
        """Return the current findings of an account; none for an account without known rules."""
        snapshot = self.snapshots.get(account_id)
        if snapshot is None:
            return []
        market_now = self.clock.now()
        return check_account(snapshot.risk, snapshot.book, market_now, session_of(snapshot.risk, market_now))


def read_risk_view(connection: Connection, settings: Settings) -> RiskView:
    """Return the risk of every account now, with the fresh quotes of what is held and of what is tracked."""
    all_accounts = accounts.list_all(connection)
    ids = [one.id for one in all_accounts]
    row = require_market(connection)
    held = {position.contract_id for position in positions.list_in_accounts(connection, ids)}
    quotes = read_fresh_quotes(settings, held | {one.id for one in contracts.list_tracked(connection)})
    prices, max_quantity = exit_price_from(quotes), settings.max_quantity
    snapshots = risk_snapshots.read(connection, all_accounts, row.clock, lambda _: prices, max_quantity=max_quantity)
    return RiskView(all_accounts, snapshots, quotes, row.clock, is_simulated=row.kind != "live")


def list_findings(found: RiskView, account_id: int) -> list[dict[str, Any]]:
    """Return the current findings of an account, as rows."""
    return [
        {
            "rule": one.rule,
            "action": one.action.name,
            "message": one.message,
            "lifts_market_at": one.lifts_market_at,
        }
        for one in found.findings(account_id)
    ]


def print_findings(rows: Sequence[dict[str, Any]]) -> None:
    """Print each finding on a line of its own: a table would cut off the figures."""
    if not rows:
        click.echo(NO_FINDINGS)
    for row in rows:
        lifts = "" if row["lifts_market_at"] is None else f" (lifts {chicago_time(row['lifts_market_at'])})"
        click.echo(f"  {row['action']:7} {shorten_contracts(row['message'])}{lifts}")


def require_market(connection: Connection) -> MarketRow:
    """Return the database's market; raise SettingsError when there is none yet."""
    return market_clock.require(connection)


def read_fresh_quotes(settings: Settings, contract_ids: Collection[str]) -> dict[str, HotQuote]:
    """Return the fresh quotes; none while Redis is unavailable."""
    if not contract_ids or not settings.cache_url:
        return {}
    with open_quotes(settings.cache_url) as reader:
        return reader.read(contract_ids)


def may_close(account: AccountRow, *, is_simulated: bool) -> bool:
    """Whether positions of the account may be closed: at the real venue only if live orders were ever on."""
    return is_simulated or account.live_orders or account.live_since_at is not None


class AlarmCode(StrEnum):
    """The reasons for an alarm."""

    DISK_LOW = "disk_low"
    LIVE = "live"
    SHADOW = "shadow"
    APPROVAL = "approval"
    HALTED = "halted"
    REDUCING = "reducing"
    LOCKED_OUT = "locked_out"
    READ_ONLY = "read_only"
    NOT_WATCHED = "not_watched"
    WAS_NOT_WATCHED = "was_not_watched"
    SENDERS_UNSEEN = "senders_unseen"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A line that a person should not miss, and its reasons; `account_id` is None if it is about no account."""

    codes: Sequence[AlarmCode]
    account_id: int | None
    message: str


def find_lock_out(account: AccountRow, market_now: datetime) -> datetime | None:
    """Return the end of an account's lock-out; None if it is not locked out."""
    until = account.locked_out_until_market_at
    return until if until is not None and market_now < until else None


def list_alarms(connection: Connection) -> list[Alarm]:
    """Return an alarm for each disk without space, and each account whose entries go elsewhere than usual, or nowhere.

    It trades real money, is in shadow mode, asks for approval, is halted, reduce-only or locked out, or not watched.
    What was not watched for a while `list_gap_alarms` returns.
    """
    row = market_clock.read(connection)
    if row is None:
        return []  # before the first `tickwork up`, which adds the accounts
    found = [Alarm([AlarmCode.DISK_LOW], None, f"DISK: {disk.describe()}.") for disk in list_low(connection)]
    overdue = watch_times.list_overdue(connection, machine_now() - LONGEST_PAUSE)
    for one in accounts.list_all(connection):
        states = dict(_list_unusual_states(one, row))
        if one.id in overdue:
            states[AlarmCode.NOT_WATCHED] = f"NOT WATCHED since {overdue[one.id]:%H:%M:%S} UTC"
        if states:
            told = "; ".join(states.values())
            found.append(Alarm(list(states), one.id, f"Account {one.id} ({one.name}) is {told}."))
    return found


def list_gap_alarms(connection: Connection) -> list[Alarm]:
    """Return an alarm for each account with a position from a time in which nothing watched it, at most 12 h ago."""
    row = market_clock.read(connection)
    gaps = {} if row is None else watch_times.list_open_gaps(connection, row.clock)
    names = {one.id: one.name for one in accounts.list_all(connection)}
    return [
        Alarm([AlarmCode.WAS_NOT_WATCHED], account_id, f"Account {account_id} ({names[account_id]}) was {gap}.")
        for account_id, gap in gaps.items()
    ]


def _list_unusual_states(account: AccountRow, market: MarketRow) -> Iterator[tuple[AlarmCode, str]]:
    if account.live_status(is_simulated=market.kind != "live") == "LIVE":
        yield AlarmCode.LIVE, "LIVE: orders reach real money"
    if account.is_shadow:
        yield AlarmCode.SHADOW, "in SHADOW mode: entries are recorded, and not sent"
    if account.is_approval_required:
        yield AlarmCode.APPROVAL, "in APPROVAL mode: `tickwork approvals` lists the entries that wait for you"
    if account.halt is not None:
        yield AlarmCode.HALTED, f"HALTED: {account.halt}"
    if account.reduce_only is not None:
        yield AlarmCode.REDUCING, f"REDUCING: {account.reduce_only}"
    if (until := find_lock_out(account, market.clock.now())) is not None:
        yield AlarmCode.LOCKED_OUT, f"LOCKED OUT until {chicago_time(until)}"
    if (other := describe_read_only(account, market.clock.now())) is not None:
        yield AlarmCode.READ_ONLY, f"READ-ONLY: {other}"
