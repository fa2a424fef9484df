"""Alarms: accounts whose entries go elsewhere than usual or nowhere, what is not watched, and disks without space."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts, watch_times
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.installations import describe_read_only
from shared.db.market_data import market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.db.upkeep.disk_space import list_low
from shared.domain.risk.findings import chicago_time
from shared.domain.risk.watch_gap import LONGEST_PAUSE
from shared.overview.risk_view import find_lock_out


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
