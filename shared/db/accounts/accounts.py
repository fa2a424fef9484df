"""Trading accounts: our permissions for them, and their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, bindparam, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

from shared.db.accounts.audit import Actor, record_act
from shared.db.accounts.order_limits import notify_receivers
from shared.db.tables.accounts import account, account_event, installation
from shared.domain.accounts.trading_state import TradingState
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A row of the table `account`, and the id of this installation.

    `rule_changes` are a person's changes to its rules. `preset` is the one that a person chose; without one,
    `first_preset` counts.
    """

    id: int
    name: str
    balance: Decimal
    can_trade: bool
    halted_at: datetime | None
    halt_reason: str | None
    is_reduce_only: bool
    reconciled_at: datetime | None
    compared_until_at: datetime | None
    first_seen_at: datetime | None
    reported_at: datetime | None
    live_orders: bool
    live_since_at: datetime | None
    is_shadow: bool
    is_approval_required: bool
    preset: str | None
    first_preset: str | None
    rule_changes: Mapping[str, str]
    default_stop_ticks: int | None
    trading_day: date | None
    day_opening_balance: Decimal | None
    moved_today: Decimal
    last_paid_on: date | None
    high_water_mark: Decimal | None
    breached_market_at: datetime | None
    locked_on: date | None
    profit_locked_on: date | None
    week_locked_on: date | None
    marked_limits: Mapping[str, Sequence[str]] | None
    locked_out_until_market_at: datetime | None
    unexplained_balance: Decimal | None
    unsettled_since_at: datetime | None
    pending_balance: Decimal | None
    pending_runs: int
    losses_seen: Mapping[str, int] | None
    losses_seen_at: datetime | None
    unpriced_runs: int
    block_reason: str | None
    other_installation: str | None
    other_ordered_market_at: datetime | None
    other_gone_market_at: datetime | None
    own_installation: str

    @property
    def unsettled_fall(self) -> Decimal:
        """The part of a fall of the balance, zero or below, of which it is not known yet whether it is a payout."""
        if self.pending_balance is None or self.unexplained_balance is None:
            return Decimal(0)
        return min(Decimal(0), self.pending_balance - self.unexplained_balance)

    @property
    def state(self) -> TradingState:
        """The entries that its halt, if it has one, lets pass."""
        if self.halted_at is None:
            return TradingState.TRADING
        return TradingState.REDUCING if self.is_reduce_only else TradingState.HALTED

    @property
    def halt(self) -> str | None:
        """The reason why every entry is denied, or None."""
        return self._reason if self.state is TradingState.HALTED else None

    @property
    def reduce_only(self) -> str | None:
        """The reason why only entries that make a position smaller pass, or None."""
        return self._reason if self.state is TradingState.REDUCING else None

    @property
    def _reason(self) -> str:
        return self.halt_reason or "no reason was kept"

    def live_status(self, *, is_simulated: bool) -> str:
        """Return where entries go: `shadow` (nowhere), `simulator`, LIVE (real money) or `off` (they are denied).

        `is_simulated` is about the venue.
        """
        if self.is_shadow:
            return "shadow"
        if is_simulated:
            return "simulator"
        return "LIVE" if self.live_orders else "off"


NEVER_LIVE = (
    "live orders of account {0} were never on: run `tickwork accounts live {0} on` to let them reach the real venue"
)
_OWN_INSTALLATION = select(installation.c.id).scalar_subquery().label("own_installation")
COLUMNS = [account.c.get(name, _OWN_INSTALLATION) for name in AccountRow.__dataclass_fields__]
# Built once: they are on the path of an entry.
_GET = select(*COLUMNS).where(account.c.id == bindparam("account"))
_LOCK = _GET.with_for_update(key_share=True)
_FAMILY_LOCK = (
    select(func.pg_advisory_xact_lock(func.hashtext(bindparam("family", type_=Text))).label("held"))
    .cte()
    .prefix_with("MATERIALIZED")
)
# One round trip; the row is locked last and read as it is then.
_LOCK_TO_ENTER = (
    select(*COLUMNS)
    .join_from(account, _FAMILY_LOCK, true())
    .where(account.c.id == bindparam("account"))
    .with_for_update(key_share=True, of=account)
)


def to_account(row: Row[tuple[object, ...]]) -> AccountRow:
    """Return the account of a row of `COLUMNS`."""
    return AccountRow(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name


def list_all(connection: Connection) -> list[AccountRow]:
    """Return all accounts."""
    return [to_account(row) for row in connection.execute(select(*COLUMNS).order_by(account.c.id))]


def get(connection: Connection, account_id: int) -> AccountRow | None:
    """Return the account, or None if there is none."""
    row = connection.execute(_GET, {"account": account_id}).one_or_none()
    return None if row is None else to_account(row)


def lock(connection: Connection, account_id: int) -> AccountRow | None:
    """Return the account and lock its row, so that two entries cannot both pass a limit; foreign keys still work."""
    row = connection.execute(_LOCK, {"account": account_id}).one_or_none()
    return None if row is None else to_account(row)


def lock_where(connection: Connection, condition: ColumnElement[bool], account_id: int | None) -> list[AccountRow]:
    """Return the accounts that meet a condition, or the one if it does, and lock their rows as `lock` does."""
    statement = select(*COLUMNS).where(condition).order_by(account.c.id)
    if account_id is not None:
        statement = statement.where(account.c.id == account_id)
    return [to_account(row) for row in connection.execute(statement.with_for_update(key_share=True))]


def lock_to_enter(connection: Connection, account_id: int, family: str) -> AccountRow | None:
    """Return the account; lock its row and a product family, so that no two accounts enter its opposite sides at once.

    Read everything else in a later statement: if this one waited, it sees the rows as they were before the wait.
    """
    row = connection.execute(_LOCK_TO_ENTER, {"account": account_id, "family": f"family {family}"}).one_or_none()
    return None if row is None else to_account(row)


def require_reconciliation(connection: Connection) -> None:
    """Require a new reconciliation of every account before its next entry; called at each start."""
    connection.execute(update(account).values(reconciled_at=None))


def record_reconciled(connection: Connection, account_id: int, requested_at: datetime) -> None:
    """Record that the account was compared with what the venue was asked for at an instant."""
    connection.execute(
        update(account)
        .where(account.c.id == account_id)
        .values(
            reconciled_at=requested_at,
            compared_until_at=requested_at,
            first_seen_at=func.coalesce(account.c.first_seen_at, func.now()),
        )
    )


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
    if "rule_changes" in values:
        notify_receivers(connection)


def record_event(connection: Connection, account_id: int, kind: str, message: str) -> None:
    """Record an event of an account; `retention` deletes it after a while if it tells of a moment only."""
    connection.execute(insert(account_event).values(id=new_id(), account_id=account_id, kind=kind, message=message))


def list_events(connection: Connection, account_id: int, *, limit: int) -> list[dict[str, Any]]:
    """Return the events of an account, newest first."""
    columns = (account_event.c.happened_at, account_event.c.kind, account_event.c.message)
    statement = select(*columns).where(account_event.c.account_id == account_id)
    rows = connection.execute(statement.order_by(account_event.c.id.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]
