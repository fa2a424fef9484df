"""The market entries of an account that were requested before another one and are still to be made or approved."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Numeric, Select, cast, select

from shared.db.alerts import alerts, entry_obstacles, precedence
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.entry_denials import describe_idle_hook, describe_inactive, describe_stale
from shared.db.orders import entry_approvals, flatten_requests, reversals
from shared.db.orders.root_state import RootState
from shared.db.tables.ledger import HAS_TIME, IS_UNFINISHED, job
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.copy_ratio import scale_alert
from shared.domain.market_data.contract import root_of_contract
from shared.domain.market_data.symbol import parse_symbol
from shared.domain.orders.order import OrderType, Side
from shared.errors import RefusedError
from shared.fleets import Queue


@dataclass(frozen=True, slots=True)
class EntryScope:
    """The entries on a side of a contract on an account that were requested before an alert or a job."""

    before: UUID
    account_id: int
    contract_id: str
    side: Side


@dataclass(frozen=True, slots=True)
class AwaitedEntry:
    """What an entry is to open: contracts, or what a target position lacks, or the less of both; with none no size."""

    id: UUID
    quantity: int | None
    target_position: int | None = None


def count_contracts(connection: Connection, scope: EntryScope, state: RootState, *, planned: int) -> int | None:
    """Return the contracts that entries which are still to be made would open; None if one has no size.

    `planned` is the position on their side without them, by which a target position is measured. The caller has locked
    the account, so an entry is made or awaited, and never both. One that will be denied for its age, its hook or a
    later request opens nothing.
    """
    found = [
        *_list_of_alerts(connection, scope, state),
        *_list_of_persons(connection, scope),
        *_list_of_approvals(connection, scope, state),
    ]
    total = 0
    for one in sorted(found, key=lambda entry: entry.id):
        sizes = [] if one.quantity is None else [one.quantity]
        if one.target_position is not None:
            sizes.append(abs(one.target_position) - planned - total)
        if not sizes:
            return None
        total += max(0, min(sizes))
    return total


def _list_of_alerts(connection: Connection, scope: EntryScope, state: RootState) -> Iterator[AwaitedEntry]:
    for alert_id, correlation_id in connection.execute(select_of_alerts(scope)).all():
        stored = alerts.read_alert(connection, alert_id, scope.account_id)
        alert = None if stored is None else _read_entry(stored, scope, state)
        if stored is None or alert is None:
            continue
        later = entry_obstacles.read_later(
            connection,
            stored,
            alert,
            account_id=scope.account_id,
            contract_id=scope.contract_id,
            correlation_id=correlation_id,
        )
        if not later.has_later_close and not later.was_reversed_since:
            yield _measure(stored, alert)


def select_of_alerts(scope: EntryScope) -> Select[Any]:
    """Return the alerts that enter on the side, or set a target position on any, with what their jobs correlate.

    Those that wait for an approval, or were approved, are found by that.
    """
    root, kinds = root_of_contract(scope.contract_id).name, (scope.side.value, "TARGET")
    statement = precedence.select_awaited(scope.account_id, root, kinds, Queue.HIGH, before=scope.before)
    return statement.add_columns(job.c.correlation_id).where(job.c.name != "orders.enter_approved")


def _read_entry(stored: StoredAlert, scope: EntryScope, state: RootState) -> Alert | None:
    """Return an alert as the account trades it if it enters in the scope, None if not, or if it will be denied."""
    try:
        alert = scale_alert(stored.read_traded(), stored.ratio)
    except RefusedError:  # the settings of its hook have changed, and do not take it any more
        return None
    if alert.type is not OrderType.MARKET or Side(alert.action) is not scope.side or stored.denial is not None:
        return None
    if stored.contract is None or stored.contract.id != scope.contract_id:
        return None
    idle = describe_idle_hook(stored, scope.side, scope.contract_id, state)
    return None if idle or describe_stale(stored) or describe_inactive(alert, stored.contract) else alert


def _measure(stored: StoredAlert, alert: Alert) -> AwaitedEntry:
    if alert.target_position is not None:
        return AwaitedEntry(stored.id, None, alert.target_position)
    if stored.reversal is not None:
        return AwaitedEntry(stored.id, stored.reversal.opening)
    return AwaitedEntry(stored.id, None if alert.quantity is None else int(alert.quantity * stored.ratio))


def _list_of_persons(connection: Connection, scope: EntryScope) -> Iterator[AwaitedEntry]:
    account_id, contract_id = scope.account_id, scope.contract_id
    for row in connection.execute(select_of_persons(scope)).all():
        job_id, symbol, quantity, correlation_id, since = row
        if (
            not _means(symbol, contract_id)
            or flatten_requests.was_closed_since(connection, account_id, contract_id, correlation_id, since)
            or reversals.was_reversed_since(connection, account_id, contract_id, scope.side, after=job_id, since=since)
        ):
            continue
        reversal = reversals.find(connection, job_id, account_id)
        if reversal is not None:
            quantity = reversal.opening
        yield AwaitedEntry(job_id, None if quantity is None else int(quantity))


def select_of_persons(scope: EntryScope) -> Select[Any]:
    """Return the unfinished jobs that enter at the market, as a person typed it, in any contract."""
    arguments = job.c.arguments
    return select(
        job.c.id,
        arguments["symbol"].astext,
        cast(arguments["quantity"].astext, Numeric),  # no rule has seen it yet
        job.c.correlation_id,
        job.c.enqueued_at,
    ).where(
        IS_UNFINISHED,
        job.c.queue == Queue.HIGH.value,
        job.c.name == "orders.enter_manually",
        HAS_TIME,
        job.c.id < scope.before,
        arguments["account_id"].astext == str(scope.account_id),
        arguments["side"].astext == scope.side.value,
        arguments["type"].astext == OrderType.MARKET.value,
        arguments["is_dry_run"].astext == "false",
    )


def _list_of_approvals(connection: Connection, scope: EntryScope, state: RootState) -> Iterator[AwaitedEntry]:
    account_id, contract_id, side = scope.account_id, scope.contract_id, scope.side
    for row in entry_approvals.list_to_be_made(connection, account_id, contract_id, side, before=scope.before):
        stored = None if row.alert_id is None else alerts.read_alert(connection, row.alert_id, account_id)
        if stored is not None and describe_idle_hook(stored, side, contract_id, state):
            continue
        if next(entry_obstacles.list_later_requests(connection, row, stored), None) is not None:
            continue
        reversal = None if stored is None else stored.reversal
        quantity = row.quantity if reversal is None else row.find_opening(reversal)
        yield AwaitedEntry(row.alert_id or row.id, quantity, row.target_position)


def _means(symbol: str, contract_id: str) -> bool:
    try:
        return parse_symbol(symbol).names(contract_id)
    except ValueError:  # its job refuses it
        return False
