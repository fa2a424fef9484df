"""Trading accounts: the venue's last report of them, our permissions for them, their halts and their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Text, bindparam, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.accounts.audit import PROGRAM, Actor, record_act
from shared.db.tables.accounts import account, account_day, account_event, account_snapshot
from shared.domain.accounts.stage import parse_stage
from shared.domain.market_data.calendar import count_trading_days, trading_day_at
from shared.domain.risk.account_risk import AccountRisk, start_next_day
from shared.domain.risk.rule_book import first_preset, initial_high_water_mark
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A row of the table `account`; `rule_changes` are a person's changes to its rules.

    `preset` is the one that a person chose; without one, `first_preset` counts.
    """

    id: int
    name: str
    balance: Decimal
    can_trade: bool
    halted_at: datetime | None
    halt_reason: str | None
    reconciled_at: datetime | None
    first_seen_at: datetime | None
    reported_at: datetime | None
    live_orders: bool
    live_since_at: datetime | None
    preset: str | None
    first_preset: str | None
    rule_changes: Mapping[str, str]
    default_stop_ticks: int | None
    trading_day: date | None
    day_opening_balance: Decimal | None
    high_water_mark: Decimal | None
    breached_market_at: datetime | None
    locked_on: date | None
    profit_locked_on: date | None
    week_locked_on: date | None
    locked_out_until_market_at: datetime | None
    reduced_on: date | None
    unexplained_balance: Decimal | None
    pending_balance: Decimal | None
    pending_runs: int
    losses_seen: Mapping[str, int] | None
    losses_seen_at: datetime | None
    unpriced_runs: int
    block_reason: str | None
    other_installation: str | None
    other_ordered_market_at: datetime | None
    other_gone_market_at: datetime | None

    @property
    def halt(self) -> str | None:
        """The reason why entries are halted, or None."""
        return None if self.halted_at is None else self.halt_reason or "no reason was kept"

    def live_status(self, *, is_simulated: bool) -> str:
        """Return whether orders reach real money: `simulator`, LIVE or `off`; `is_simulated` is about the venue."""
        if is_simulated:
            return "simulator"
        return "LIVE" if self.live_orders else "off"


NEVER_LIVE = (
    "live orders of account {0} were never on: run `tickwork accounts live {0} on` to let them reach the real venue"
)
_COLUMNS = [account.c[name] for name in AccountRow.__dataclass_fields__]
# Built once: they are on the path of an entry.
_GET = select(*_COLUMNS).where(account.c.id == bindparam("account"))
_LOCK = _GET.with_for_update(key_share=True)
_FAMILY_LOCK = (
    select(func.pg_advisory_xact_lock(func.hashtext(bindparam("family", type_=Text))).label("held"))
    .cte()
    .prefix_with("MATERIALIZED")
)
# One round trip; the row is locked last and read as it is then.
_LOCK_TO_ENTER = (
    select(*_COLUMNS)
    .join_from(account, _FAMILY_LOCK, true())
    .where(account.c.id == bindparam("account"))
    .with_for_update(key_share=True, of=account)
)


def _row(row: Row[tuple[object, ...]]) -> AccountRow:
    return AccountRow(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name


def list_all(connection: Connection) -> list[AccountRow]:
    """Return all accounts."""
    return [_row(row) for row in connection.execute(select(*_COLUMNS).order_by(account.c.id))]


def get(connection: Connection, account_id: int) -> AccountRow | None:
    """Return the account, or None if there is none."""
    row = connection.execute(_GET, {"account": account_id}).one_or_none()
    return None if row is None else _row(row)


def lock(connection: Connection, account_id: int) -> AccountRow | None:
    """Return the account and lock its row, so that two entries cannot both pass a limit; foreign keys still work."""
    row = connection.execute(_LOCK, {"account": account_id}).one_or_none()
    return None if row is None else _row(row)


def lock_to_enter(connection: Connection, account_id: int, family: str) -> AccountRow | None:
    """Return the account; lock its row and a product family, so that no two accounts enter its opposite sides at once.

    Read everything else in a later statement: if this one waited, it sees the rows as they were before the wait.
    """
    row = connection.execute(_LOCK_TO_ENTER, {"account": account_id, "family": f"family {family}"}).one_or_none()
    return None if row is None else _row(row)


def store(
    connection: Connection,
    taken_market_at: datetime,
    *,
    account_id: int,
    name: str,
    balance: Decimal,
    can_trade: bool,
    is_simulated: bool | None,
    reported_at: datetime,
) -> None:
    """Store the venue's report of one account, a snapshot of it, and the trading day that ended since the last report.

    On first sight the balance at which the day opened is not known: see `record_opening`.
    `reported_at` is when the venue reported it (a balance has no time of its own); an older report is ignored.
    """
    before = lock(connection, account_id)
    if before is not None and before.reported_at is not None and before.reported_at > reported_at:
        return
    today = trading_day_at(taken_market_at)
    values: dict[str, Any] = {"name": name, "balance": balance, "can_trade": can_trade, "is_simulated": is_simulated}
    values["reported_at"] = reported_at
    if before is None or before.trading_day is None:
        values["trading_day"] = today
    elif before.trading_day < today:
        values |= _start_day(connection, before, before.trading_day, today, balance)
    statement = insert(account).values(id=account_id, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["id"], set_={**values, "updated_at": func.now()})
    )
    snapshot = insert(account_snapshot).values(
        account_id=account_id, taken_market_at=taken_market_at, balance=balance, can_trade=can_trade
    )
    connection.execute(snapshot.on_conflict_do_nothing())


def _start_day(
    connection: Connection, before: AccountRow, ended: date, today: date, balance: Decimal
) -> dict[str, Any]:
    """Store the trading day that ended; return the columns of the new day, by the rule of `start_next_day`."""
    opening = before.day_opening_balance
    if opening is None:
        return {"trading_day": today, **_values_of_first_opening(before.name, max(before.balance, balance))}
    day = insert(account_day).values(
        account_id=before.id, trading_day=ended, opening_balance=opening, closing_balance=before.balance
    )
    connection.execute(day.on_conflict_do_nothing())
    risk = start_next_day(
        AccountRisk(balance=before.balance, day_opening_balance=opening, high_water_mark=before.high_water_mark),
        balance,
        ended_day_count=count_trading_days(ended, today),
        stage=parse_stage(before.name),
    )
    return {
        "trading_day": today,
        "day_opening_balance": risk.day_opening_balance,
        "high_water_mark": risk.high_water_mark,
    }


def list_without_opening(connection: Connection) -> list[AccountRow]:
    """Return the accounts that were first seen today and whose opening balance is not known yet."""
    statement = select(*_COLUMNS).where(account.c.day_opening_balance.is_(None)).order_by(account.c.id)
    return [_row(row) for row in connection.execute(statement)]


def record_opening(connection: Connection, before: AccountRow, opening: Decimal) -> None:
    """Record the opening balance of an account that has none, and what follows from it: high-water mark and preset.

    It is computed from `before`; if its balance has changed or its day has ended since, nothing is recorded.
    """
    unchanged = (
        account.c.id == before.id,
        account.c.balance == before.balance,
        account.c.trading_day == before.trading_day,
    )
    values = _values_of_first_opening(before.name, opening)
    connection.execute(
        update(account)
        .where(*unchanged, account.c.day_opening_balance.is_(None))
        .values(**values, updated_at=func.now())
    )


def _values_of_first_opening(name: str, opening: Decimal) -> dict[str, Any]:
    return {
        "day_opening_balance": opening,
        "high_water_mark": initial_high_water_mark(name, opening),
        "first_preset": first_preset(name, opening),
    }


def mark_unlisted(connection: Connection, seen: Sequence[int]) -> None:
    """Mark the accounts that the venue no longer lists as not tradable."""
    connection.execute(update(account).where(account.c.id.not_in(seen)).values(can_trade=False, updated_at=func.now()))


def require_reconciliation(connection: Connection) -> None:
    """Require a new reconciliation of every account before its next entry; called at each start."""
    connection.execute(update(account).values(reconciled_at=None))


def record_reconciled(connection: Connection, account_id: int) -> None:
    """Record that the account was compared with the venue just now."""
    values = {"reconciled_at": func.now(), "first_seen_at": func.coalesce(account.c.first_seen_at, func.now())}
    connection.execute(update(account).where(account.c.id == account_id).values(**values))


def halt(connection: Connection, reason: str, account_id: int | None = None, *, actor: Actor = PROGRAM) -> list[int]:
    """Stop new entries on the account, or on all; an older halt keeps its reason. Return the accounts halted."""
    statement = update(account).where(account.c.halted_at.is_(None)).values(halted_at=func.now(), halt_reason=reason)
    if account_id is not None:
        statement = statement.where(account.c.id == account_id)
    halted = list(connection.execute(statement.returning(account.c.id)).scalars())
    for one in halted:
        record_event(connection, one, "halted", reason)
        record_act(connection, actor, "halt", one, before={"halt": None}, after={"halt": reason}, reason=reason)
    return halted


def resume(connection: Connection, reason: str, account_id: int | None = None, *, actor: Actor = PROGRAM) -> list[int]:
    """Allow entries again on the account, or on all. Return the accounts that were halted."""
    find = select(account.c.id, account.c.halt_reason).where(account.c.halted_at.is_not(None)).order_by(account.c.id)
    if account_id is not None:
        find = find.where(account.c.id == account_id)
    halted = {row.id: row.halt_reason for row in connection.execute(find.with_for_update(key_share=True))}
    for one, halt_reason in halted.items():
        change(connection, one, halted_at=None, halt_reason=None)
        record_event(connection, one, "resumed", reason)
        record_act(connection, actor, "resume", one, before={"halt": halt_reason}, after={"halt": None}, reason=reason)
    return list(halted)


def change(connection: Connection, account_id: int, **values: object) -> None:
    """Set columns of an account that a person or the watch decides."""
    connection.execute(update(account).where(account.c.id == account_id).values(updated_at=func.now(), **values))


def change_by_hand(
    connection: Connection, before: AccountRow, actor: Actor, act: str, *, reason: str | None = None, **values: object
) -> None:
    """Set columns of an account as a person says, and record the act: `before` is the locked row."""
    change(connection, before.id, **values)
    told = {name: getattr(before, name) for name in values}
    record_act(connection, actor, act, before.id, before=told, after=values, reason=reason)


def switch_live(
    connection: Connection, before: AccountRow, actor: Actor, *, is_on: bool, reason: str | None = None
) -> None:
    """Allow orders to the real venue, or stop them; positions opened while allowed can still be closed."""
    switch = "on" if is_on else "off"
    change_by_hand(connection, before, actor, f"live_{switch}", reason=reason, live_orders=is_on)
    if is_on:
        change(connection, before.id, live_since_at=func.now())
    record_event(connection, before.id, f"live_{switch}", f"live orders {switch}, by hand")


def record_event(connection: Connection, account_id: int, kind: str, message: str) -> None:
    """Record an event of an account, for good."""
    connection.execute(insert(account_event).values(id=new_id(), account_id=account_id, kind=kind, message=message))


def list_events(connection: Connection, account_id: int, *, limit: int) -> list[dict[str, Any]]:
    """Return the events of an account, newest first."""
    columns = (account_event.c.happened_at, account_event.c.kind, account_event.c.message)
    statement = select(*columns).where(account_event.c.account_id == account_id)
    rows = connection.execute(statement.order_by(account_event.c.id.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]
