"""Alerts: the raw bytes, the parsed payload, the verdict, and the job that acts on it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
)

from shared.db.market_data import contracts
from shared.db.orders import reversals
from shared.db.orders.reversals import RecordedReversal
from shared.db.tables.alerts import alert, hook, hook_follower, signal
from shared.db.tables.orders import entry_reversal
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.hook_rules import apply_settings
from shared.domain.alerts.hook_settings import HookSettings, decode_settings
from shared.domain.alerts.parse import parse_alert
from shared.domain.market_data.contract import Contract


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as the receiver stored it, its hook, and the only active contract of its root, if there is one."""

    id: UUID
    body: bytes
    dialect: str
    received_at: datetime
    sent_at: datetime | None
    root: str | None
    hook_id: UUID
    hook_name: str
    settings: HookSettings
    is_hook_inactive: bool  # paused or removed
    account_id: int  # the hook's
    ratio: Decimal  # of the sizes of the account in question to those of the hook
    denial: str | None  # the reason why it was denied for the account in question, if it was
    contract: Contract | None
    reversal: RecordedReversal | None = None  # what its entry reverses there, once the close of that was requested
    is_copied: bool = False  # its hook has followers
    is_unfollowed: bool = False  # the account in question has followed the hook, and does so no longer

    def read_traded(self) -> Alert:
        """Return the alert as its hook trades it."""
        return apply_settings(parse_alert(self.body, self.dialect), self.settings)

    @property
    def risk(self) -> Decimal | None:
        """The dollars that an entry without a quantity may lose on the account in question."""
        return None if self.settings.size_value is None else self.settings.size_value * self.ratio


def _build_to_handle() -> Select[Any]:
    account_id = func.coalesce(bindparam("account", type_=BigInteger), hook.c.account_id)
    denial = select(signal.c.reason).where(
        signal.c.alert_id == alert.c.id, signal.c.account_id == account_id, signal.c.verdict == "denied"
    )
    is_reversal = and_(entry_reversal.c.request_id == alert.c.id, entry_reversal.c.account_id == account_id)
    ratio = select(hook_follower.c.ratio).where(
        hook_follower.c.hook_id == hook.c.id, hook_follower.c.account_id == account_id
    )
    is_follower = and_(hook_follower.c.hook_id == hook.c.id, hook_follower.c.unfollowed_at.is_(None))
    has_left = and_(hook_follower.c.account_id == account_id, hook_follower.c.unfollowed_at.is_not(None))
    active = contracts.select_active_of(alert.c.root)
    return (
        select(
            alert.c.id,
            alert.c.body,
            alert.c.dialect,
            alert.c.received_at,
            alert.c.sent_at,
            alert.c.root,
            alert.c.hook_id,
            hook.c.name.label("hook_name"),
            hook.c.settings,
            or_(hook.c.paused_at.is_not(None), hook.c.removed_at.is_not(None)).label("is_hook_inactive"),
            hook.c.account_id,
            func.coalesce(ratio.scalar_subquery(), 1).label("ratio"),
            denial.scalar_subquery().label("denial"),
            *reversals.COLUMNS,
            exists().where(is_follower).label("is_copied"),
            exists().where(hook_follower.c.hook_id == hook.c.id, has_left).label("is_unfollowed"),
            *active.c,
        )
        .join(hook, hook.c.id == alert.c.hook_id)
        .outerjoin(entry_reversal, is_reversal)
        .outerjoin(active, true())
        .where(alert.c.id == bindparam("alert", type_=Uuid))
    )


_TO_HANDLE = _build_to_handle()  # built once: it is on the path of an alert


def read_alert(connection: Connection, alert_id: UUID, account_id: int | None = None) -> StoredAlert | None:
    """Return an alert with its hook, None if there is none.

    `denial` and `ratio` are those of `account_id`, or of the hook's account.
    """
    row = connection.execute(_TO_HANDLE, {"alert": alert_id, "account": account_id}).one_or_none()
    if row is None:
        return None
    values = row._asdict()
    reversal = [values.pop(column.name) for column in reversals.COLUMNS]
    contract = contracts.pop_active(values)
    return StoredAlert(
        **values | {"settings": decode_settings(values["settings"])},
        contract=contract,
        reversal=None if reversal[0] is None else RecordedReversal(*reversal),
    )
