"""What keeps an entry of an alert, or one that a person approves, from being made: what else was requested."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Select, select

from shared.db.alerts import precedence
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.entry_denials import late_kinds
from shared.db.orders import flatten_requests, reversals, root_state
from shared.db.orders.entry_approvals import EntryApproval
from shared.db.orders.root_state import RootState
from shared.domain.alerts.alert import Alert
from shared.domain.market_data.contract import root_of_contract
from shared.domain.orders.order import OrderType, Side


@dataclass(frozen=True, slots=True)
class EntryObstacles:
    """Whether an alert that was sent later came first, an exit is not done, or the contract was closed or reversed.

    `has_reversal` says that the alert itself closes something there.
    """

    is_late: bool
    awaits_exit: bool
    is_being_reduced: bool
    is_being_closed: bool
    has_later_close: bool
    was_reversed_since: bool
    has_reversal: bool

    @property
    def waits(self) -> bool:
        """Whether what was received before is not done yet, so that the position is about to change."""
        return self.awaits_exit or self.is_being_reduced or self.is_being_closed


@dataclass(frozen=True, slots=True)
class LaterRequests:
    """Whether the contract of an alert was closed or reversed by a later request, and the alert itself closes there."""

    has_later_close: bool
    was_reversed_since: bool
    has_reversal: bool


def read(
    connection: Connection,
    stored: StoredAlert,
    alert: Alert,
    *,
    account_id: int,
    contract_id: str,
    correlation_id: UUID,
) -> tuple[EntryObstacles, RootState]:
    """Return the obstacles to an entry of the alert, which the job with this correlation id makes.

    Return also the state of its root: one database snapshot has shown both.
    """
    statements = (
        precedence.select_sent_later(stored, late_kinds(alert)),
        precedence.select_awaited_exits(stored, account_id),
        precedence.select_open_reductions(account_id, contract_id),
        flatten_requests.select_open_closes(account_id, contract_id),
        *_select_later(stored, alert, account_id, contract_id, correlation_id),
        reversals.select_recorded(stored.id, account_id),
    )
    state, found = root_state.read_with(
        connection, account_id, alert.root, [statement.exists() for statement in statements]
    )
    return EntryObstacles(*found), state


def read_later(
    connection: Connection,
    stored: StoredAlert,
    alert: Alert,
    *,
    account_id: int,
    contract_id: str,
    correlation_id: UUID,
) -> LaterRequests:
    """Return what has come between the run that makes an entry of the alert and its lock of the account."""
    statements = (
        *_select_later(stored, alert, account_id, contract_id, correlation_id),
        reversals.select_recorded(stored.id, account_id),
    )
    found = connection.execute(select(*(statement.exists() for statement in statements))).one()
    return LaterRequests(*map(bool, found))


def _select_later(
    stored: StoredAlert, alert: Alert, account_id: int, contract_id: str, correlation_id: UUID
) -> tuple[Select[tuple[UUID]], Select[tuple[UUID]]]:
    """Return the later closes and reversals, which leave no place for an entry of the alert."""
    return (
        flatten_requests.select_later_closes(account_id, contract_id, correlation_id, stored),
        reversals.select_reversed_since(
            account_id, contract_id, Side(alert.action), after=stored.id, since=stored.received_at
        ),
    )


def list_later_requests(connection: Connection, row: EntryApproval, stored: StoredAlert | None) -> Iterator[str]:
    """Yield what was requested after an entry that a person approves, and leaves no place for it."""
    account_id, contract_id = row.account_id, row.contract_id
    was_closed = (
        flatten_requests.was_closed_since(connection, account_id, contract_id, row.correlation_id, row.requested_at)
        if stored is None
        else flatten_requests.has_later_close(connection, account_id, contract_id, row.correlation_id, stored)
    )
    if was_closed:
        yield flatten_requests.describe_later_close(contract_id)
    if reversals.was_reversed_since(
        connection, account_id, contract_id, row.side, after=row.alert_id, since=row.requested_at
    ):
        yield reversals.describe_later_reversal(contract_id)
    root = root_of_contract(contract_id).name
    kinds = ["CLOSE", "TARGET", *(["CANCEL"] if row.type is not OrderType.MARKET else [])]
    if precedence.has_later_alert(connection, account_id, root, kinds, since=row.requested_at, stored=stored):
        yield f"an alert that closes, cancels or sets the position in {root} was received after this entry"
