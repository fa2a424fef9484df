"""Compares one account with the venue and repairs our rows; a lasting position mismatch halts the account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts, halts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import contracts
from shared.db.orders import changes, fills, orders, positions
from shared.domain.accounts.installation import ACTIVE_FOR
from shared.domain.market_data.calendar import trading_day_at, trading_day_begins
from shared.domain.orders.order import ChangeKind, OrderState, Origin, Role
from shared.errors import PositionMismatchError, PostponedError, RefusedError
from shared.fleets import Queue
from shared.ids import CLOCK_SKEW
from shared.ledger.jobs.orders import (
    ChangeOrder,
    GuardPosition,
    PlaceOrder,
    ReconcileAccount,
    ResolveInDoubtOrder,
    guard_key,
)
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders import venue_state, venue_view
from workers.orders.protection_state import load_state
from workers.orders.resolve_in_doubt_order import OVERLAP
from workers.orders.venue_view import VenueView, quantity_at_venue
from workers.task import task

# No request of ours can still be in flight after this: the HTTP timeout and the lease have both run out.
SUBMITTING_AT_MOST = timedelta(seconds=30)
MAX_LOOKBACK = timedelta(days=30)  # of an absence; after a longer one, what the venue holds is adopted
RECENT = timedelta(days=1)  # read again after a start, and where the positions differ
FIRST_LOOKBACK = timedelta(minutes=10)
_ATTEMPTS = 3
_RETRY_AFTER = timedelta(seconds=0.5)
_LISTED_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Mismatch:
    """A contract whose quantity at the venue is not the sum of our fills; both are signed."""

    contract_id: str
    by_fills: int
    at_venue: int

    def __str__(self) -> str:
        return f"{self.contract_id}: the venue holds {self.at_venue:+d}, our fills make {self.by_fills:+d}"


@task(ReconcileAccount)
def reconcile_account(job: ReconcileAccount, ctx: Context) -> dict[str, int | list[str]]:
    """Apply the venue's orders, fills and positions, and enqueue the resolution of pending orders and changes.

    It only reads from the venue, so it may run any number of times. Raise PostponedError while the account changes too
    fast to be compared.
    """
    with ctx.autocommit() as connection:
        account = accounts.get(connection, job.account_id)
    if account is None:
        raise RefusedError(f"unknown account {job.account_id}: accounts.snapshot_accounts has not seen it")
    since = _search_start(ctx, account)
    if account.reconciled_at is None:
        # Orders of another installation, which the search from the last fill may not reach.
        venue_view.fetch_orders_since(ctx, account.id, ctx.market_now - ACTIVE_FOR)
    mismatches: list[_Mismatch] = []
    for attempt in range(_ATTEMPTS):
        # A fill may come between two answers: only a lasting difference counts. The last attempt reads at least a day.
        is_last = attempt == _ATTEMPTS - 1
        view = venue_view.fetch_complete(ctx, account.id, min(since, ctx.market_now - RECENT) if is_last else since)
        # Applying may take long, and no entry must wait for it: the account is locked only for the comparison.
        with ctx.transaction() as tx:
            venue_state.apply(tx, view)
        with ctx.transaction() as tx:
            accounts.lock(tx.connection, account.id)
            before, mismatches = mismatches, _find_mismatches(tx.connection, view)
            is_sure = is_last and before == mismatches and not _has_just_moved(tx.connection, ctx, account, mismatches)
            if not mismatches or is_sure:
                return _finish(tx, ctx, account, view, mismatches)
    raise PostponedError(
        f"account {account.id} changes too fast to be compared: {_list_mismatches(mismatches)}", _RETRY_AFTER
    )


def _has_just_moved(connection: Connection, ctx: Context, account: AccountRow, mismatches: Sequence[_Mismatch]) -> bool:
    """Whether a contract with a mismatch was ordered or filled moments ago: the venue may list its fill later."""
    since_market_at, since = ctx.market_now - _LISTED_WITHIN * ctx.clock.speed, machine_now() - _LISTED_WITHIN
    return any(
        orders.has_moved_since(connection, account.id, mismatch.contract_id, since_market_at, since)
        for mismatch in mismatches
    )


def _finish(
    tx: Transaction, ctx: Context, account: AccountRow, view: VenueView, mismatches: Sequence[_Mismatch]
) -> dict[str, int | list[str]]:
    result: dict[str, int | list[str]] = {"orders": len(view.orders), "fills": len(view.fills)}
    _resolve_pending(tx, account.id)  # before a position is locked: orders are locked first everywhere
    if mismatches:
        result["mismatches"] = [str(mismatch) for mismatch in mismatches]
        _adopt_venue_position(tx.connection, view, mismatches, ctx.clock.to_market(view.requested_at))
        if account.first_seen_at is not None:  # a position from before we first saw the account is no mismatch
            halts.halt(tx.connection, f"{PositionMismatchError.__name__}: {_list_mismatches(mismatches)}", account.id)
        kind = "position_baseline" if account.first_seen_at is None else "position_mismatch"
        accounts.record_event(tx.connection, account.id, kind, _list_mismatches(mismatches))
    halt_on_unknown_product(tx.connection, account, view)
    _guard_positions(tx, ctx, account.id)
    accounts.record_reconciled(tx.connection, account.id, view.requested_at)
    tx.finish(result)
    return result


def _find_mismatches(connection: Connection, view: VenueView) -> list[_Mismatch]:
    readable = [one for one in view.positions if one.direction is not None]
    unreadable = {one.contract_id for one in view.positions} - {one.contract_id for one in readable}
    known = venue_state.known_contracts(connection, view.account_id, {one.contract_id for one in readable})
    by_fills = {row.contract_id: row.quantity for row in positions.list_of_account(connection, view.account_id)}
    found = []
    for contract_id in sorted((known | set(by_fills)) - unreadable):
        at_venue = quantity_at_venue(view, contract_id)
        if at_venue != by_fills.get(contract_id, 0):
            found.append(_Mismatch(contract_id, by_fills.get(contract_id, 0), at_venue))
    return found


def halt_on_unknown_product(connection: Connection, account: AccountRow, view: VenueView) -> None:
    """Halt the account while it holds a product that is in no table of ours: no rule counts it, no guard closes it."""
    held = {one.contract_id for one in view.positions}
    unknown = sorted(held - venue_state.known_contracts(connection, account.id, held))
    if unknown and account.halt is None:
        reason = f"it holds {', '.join(unknown)}, a product that we do not know: no rule can count it, close it by hand"
        halts.halt(connection, f"{PositionMismatchError.__name__}: {reason}", account.id)


def _adopt_venue_position(
    connection: Connection, view: VenueView, mismatches: Sequence[_Mismatch], market_at: datetime
) -> None:
    """Set our positions to the venue's at `market_at`, which is right even if our fills differ.

    Exits and stops depend on it.
    """
    account_id = view.account_id
    shown = {one.contract_id: one for one in view.positions}
    for mismatch in mismatches:
        held = shown.get(mismatch.contract_id)
        positions.lock(connection, account_id, mismatch.contract_id)
        positions.set_baseline(
            connection,
            account_id,
            contracts.require(connection, mismatch.contract_id),
            quantity=mismatch.at_venue,
            price=held.average_price if held else None,
            opened_market_at=held.opened_market_at if held else None,
            until_market_at=market_at,
        )


def _list_mismatches(mismatches: Sequence[_Mismatch]) -> str:
    return "; ".join(map(str, mismatches))


def _resolve_pending(tx: Transaction, account_id: int) -> None:
    now = machine_now()
    minute = f"{now:%Y%m%d%H%M}"
    for order in orders.list_open(tx.connection, account_id):
        age = now - (order.submitted_at or now)
        if order.state is OrderState.SUBMITTING and age > SUBMITTING_AT_MOST:
            orders.change_state(
                tx.connection, order.id, [OrderState.SUBMITTING], OrderState.IN_DOUBT, reason="no answer recorded"
            )
        if order.state in {OrderState.SUBMITTING, OrderState.IN_DOUBT} and age > SUBMITTING_AT_MOST:
            tx.enqueue(ResolveInDoubtOrder(order_id=order.id), key=f"resolve:{order.id}:{minute}")
        if order.state is OrderState.CREATED and order.expires_at is not None and order.expires_at <= now:
            tx.enqueue(
                PlaceOrder(order_id=order.id),  # finds it expired and records that
                key=f"place:{order.id}:{minute}",
            )
        if (
            order.state is OrderState.CREATED
            and order.role is Role.EXIT
            and now - order.created_at > SUBMITTING_AT_MOST + CLOCK_SKEW
        ):
            request = PlaceOrder(order_id=order.id)  # lets the position be read again
            tx.enqueue(request, key=f"place:{order.id}:{minute}", queue=Queue.CRITICAL)
    for order_id, cause in changes.list_outlived_cancels(tx.connection, account_id):
        reason = "it was cancelled, and the venue listed it later"
        cancel = changes.create(
            tx.connection, order_id, ChangeKind.CANCEL, origin=Origin.PROTECTOR, reason=reason, correlation_id=cause
        )
        tx.enqueue(ChangeOrder(change_id=cancel.id), correlation_id=cause)
    for change in changes.list_open(tx.connection, account_id):
        if now - change.created_at > SUBMITTING_AT_MOST:
            tx.enqueue(ChangeOrder(change_id=change.id), key=f"change:{change.id}:{minute}")


def _guard_positions(tx: Transaction, ctx: Context, account_id: int) -> None:
    """Enqueue a guard for every contract that one has something to do in: see ProtectionState."""
    touched = {row.contract_id for row in positions.list_of_account(tx.connection, account_id)}
    touched |= {row.contract_id for row in orders.list_open(tx.connection, account_id)}
    for contract_id in sorted(touched):
        if not load_state(tx.connection, account_id, contract_id).is_settled:
            request = GuardPosition(account_id=account_id, contract_id=contract_id)
            key = f"guard:{account_id}:reconcile:{ctx.job.id}:{contract_id}"
            tx.enqueue_unless_queued(request, guard_key(account_id, contract_id), key=key)


def _search_start(ctx: Context, account: AccountRow) -> datetime:
    """Return the start of the search: the last reconcile, or the oldest order without a venue id if it is earlier.

    After a start it is the newest fill of the last day if that is earlier still.

    Events from a time without a reconcile, such as the sleep of this computer or days without a start, lie after it;
    at most MAX_LOOKBACK of them is read. An order that was given up is searched for until the end of its trading day.
    """
    day_began = ctx.clock.to_machine(trading_day_begins(trading_day_at(ctx.market_now)))
    with ctx.autocommit() as connection:
        pending = orders.list_open(connection, account.id) + orders.list_given_up_since(
            connection, account.id, day_began
        )
        newest_fill_at = fills.find_newest_time(connection, account.id)
    unseen = [order.submitted_market_at for order in pending if order.venue_order_id is None]
    if account.compared_until_at is not None:
        unseen.append(max(ctx.clock.to_market(account.compared_until_at), ctx.market_now - MAX_LOOKBACK))
    if account.reconciled_at is None or account.compared_until_at is None:
        unseen.append(max(newest_fill_at or ctx.market_now - FIRST_LOOKBACK, ctx.market_now - RECENT))
    return min(at for at in unseen if at is not None) - OVERLAP
