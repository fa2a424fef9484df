"""Why the entry of an alert is not made: its age, its precedence, the contract, and the settings of its hook.

The worker asks it of an alert that was received, and `tickwork alerts mock` of a message that was not sent.
"""

from datetime import timedelta

from sqlalchemy import Connection

from shared.db.alerts import precedence, signals
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.precedence import ENTRY_KINDS
from shared.db.orders.root_state import RootState
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.copy_ratio import CopyOrder, OwnPart
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderType, Side
from shared.domain.orders.position import show_position

LATE = "late: an alert for the same symbol that was sent later was received first"


def describe_inactive(alert: Alert, contract: Contract | None) -> str | None:
    """Return why an entry cannot be made in the active contract of its root, None if it can."""
    symbol, root = alert.symbol.text, alert.root.name
    if contract is None:
        return f"the venue offers no single active contract of {root} (symbol {symbol})"
    if alert.symbol.names(contract.id):
        return None
    return f"{symbol} is not the active contract of {root}, which is {contract.id}: send {root} or {root}1!"


def describe_stale(stored: StoredAlert) -> str | None:
    """Return that an entry was sent too long before it was received, None if it was not."""
    if stored.sent_at is None or stored.received_at - stored.sent_at <= timedelta(seconds=stored.settings.max_age_s):
        return None
    age = (stored.received_at - stored.sent_at).total_seconds()
    takes = f"hook {stored.hook_name} takes {stored.settings.max_age_s} s"
    return f"stale: it was sent {age:,.0f} s before it was received, and {takes}"


def came_too_late(connection: Connection, stored: StoredAlert) -> bool:
    """Whether an entry or exit that was sent later was received first: what is held may be what that one has opened."""
    return precedence.is_late(connection, stored, (*ENTRY_KINDS, "CLOSE"))


def find_late(connection: Connection, stored: StoredAlert, alert: Alert) -> str | None:
    """Return that an alert that was sent later was received before this entry, None if none was."""
    return LATE if precedence.is_late(connection, stored, late_kinds(alert)) else None


def late_kinds(alert: Alert) -> tuple[str, ...]:
    """Return the kinds of alerts that make an entry late if they were sent later and received first."""
    return (*ENTRY_KINDS, "CLOSE", *(["CANCEL"] if alert.type is not OrderType.MARKET else []))


def describe_idle_hook(stored: StoredAlert, side: Side, contract_id: str, state: RootState) -> str | None:
    """Return why the hook enters nothing now, None if it does.

    It is paused or removed, or adds to no position, or the account follows it no longer.
    """
    if stored.is_hook_inactive:
        return f"hook {stored.hook_name} is paused or removed, and enters nothing"
    if stored.is_unfollowed:
        return f"the account follows hook {stored.hook_name} no longer, and enters nothing of it"
    if not stored.settings.has_pyramiding and (planned := state.planned_quantity(contract_id, side)):
        held = show_position(planned * side.sign)
        return f"{held} is held or about to be, and hook {stored.hook_name} adds to no position"
    return None


def build_copy(
    stored: StoredAlert, alert: Alert, contract_id: str, state: RootState, part: OwnPart | None
) -> CopyOrder:
    """Return the order of an entry that is no position, for the account with this state and the ratio of `stored`."""
    side = Side(alert.action)
    return CopyOrder(
        alert.quantity,
        stored.ratio,
        is_market=alert.type is OrderType.MARKET,
        held=max(0, -state.quantity(contract_id) * side.sign),
        resting=state.resting_quantity(contract_id, side),
        part=part,
    )


def find_cooldown(connection: Connection, stored: StoredAlert, account_id: int, contract_id: str) -> str | None:
    """Return that the hook has entered the contract too short a time ago, None if it has not."""
    seconds = stored.settings.cooldown_s
    if not seconds or not signals.has_entered_within(connection, stored, account_id, contract_id, seconds):
        return None
    return f"hook {stored.hook_name} enters once in {seconds} s"


def describe_disagreement(alert: Alert, contract_id: str, state: RootState) -> str | None:
    """Return that the chart was in another direction than the account is, None if they agree.

    A target position on the side that is held agrees: the sender may be about to add.
    """
    chart, held = alert.prev_direction, state.quantity(contract_id)
    if chart is None or chart is state.direction(contract_id) or held * (alert.target_position or 0) > 0:
        return None
    return f"chart and account disagree: the chart was {chart.lower()}, and {show_position(held)} is held"
