"""Compares one account with the venue and repairs our rows; what does not add up halts it and says why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import contracts
from shared.db.orders import changes, fills, orders, positions
from shared.domain.market_data.calendar import trading_day_at, trading_day_begins
from shared.domain.orders.order import OrderState
from shared.errors import PositionMismatchError, PostponedError, RefusedError
from shared.ledger.jobs.orders import ChangeOrder, GuardPosition, PlaceOrder, ReconcileAccount, ResolveInDoubtOrder
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders import venue_state
from workers.orders.guard_position import load_state
from workers.orders.resolve_in_doubt_order import OVERLAP, entries_key
from workers.task import task

# Nothing we sent can still be under way after this: the HTTP timeout and the lease have both run out.
SUBMITTING_AT_MOST = timedelta(seconds=30)
LONGEST_LOOK = timedelta(days=1)
FIRST_LOOK = timedelta(minutes=10)
_LOOKS = 3
_PAUSE = timedelta(seconds=0.5)
_LISTED_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Gap:
    """A contract of which the venue says another quantity than our fills add up to; both signed."""

    contract_id: str
    ours: int
    theirs: int

    def __str__(self) -> str:
        return f"{self.contract_id}: the venue holds {self.theirs:+d}, our fills make {self.ours:+d}"


@task(ReconcileAccount)
def reconcile_account(job: ReconcileAccount, ctx: Context) -> dict[str, int | list[str]]:
    """Write down what the venue shows, settle what hangs; it only reads, so it may run any number of times."""
    with ctx.autocommit() as connection:
        account = accounts.get(connection, job.account_id)
    if account is None:
        raise RefusedError(f"account {job.account_id} is unknown: accounts.snapshot_accounts has not met it")
    since = _since(ctx, account)
    gaps: list[_Gap] = []
    for look in range(_LOOKS):
        # A fill may come between two answers: only what stays is a mismatch. The last look goes back a whole day.
        view = venue_state.fetch_complete(
            ctx, account.id, since if look < _LOOKS - 1 else ctx.market_now - LONGEST_LOOK
        )
        # Writing down may take long, and no entry must wait for it: the account is held only for the conclusion.
        with ctx.transaction() as tx:
            venue_state.apply(tx, view)
        with ctx.transaction() as tx:
            accounts.lock(tx.connection, account.id)
            before, gaps = gaps, _gaps(tx.connection, view)
            is_sure = look == _LOOKS - 1 and before == gaps and not _has_just_moved(tx.connection, ctx, account, gaps)
            if not gaps or is_sure:
                return _conclude(tx, ctx, account, view, gaps)
    raise PostponedError(f"account {account.id} moves too fast to be compared: {_listed(gaps)}", _PAUSE)


def _has_just_moved(connection: Connection, ctx: Context, account: AccountRow, gaps: Sequence[_Gap]) -> bool:
    """Whether a contract with a gap was ordered or filled moments ago: its fill may be listed after its position."""
    since = ctx.market_now - _LISTED_WITHIN * ctx.clock.speed
    return any(orders.moved_since(connection, account.id, gap.contract_id, since) for gap in gaps)


def _conclude(
    tx: Transaction, ctx: Context, account: AccountRow, view: venue_state.VenueView, gaps: Sequence[_Gap]
) -> dict[str, int | list[str]]:
    result: dict[str, int | list[str]] = {"orders": len(view.orders), "fills": len(view.fills)}
    if gaps:
        result["carried"] = [str(gap) for gap in gaps]
        _adopt_venue_position(tx.connection, account.id, view, gaps)
        if account.first_seen_at is not None:  # what it held at our first sight is no mismatch
            accounts.halt(tx.connection, f"{PositionMismatchError.__name__}: {_listed(gaps)}", account.id)
        accounts.note(tx.connection, account.id, "carried in", _listed(gaps))
    halt_on_external_orders(tx.connection, account, view)
    _resolve_pending(tx, account.id)
    _guard_what_is_held(tx, ctx, account.id)
    accounts.note_reconciled(tx.connection, account.id)
    tx.finish(result)
    return result


def _gaps(connection: Connection, view: venue_state.VenueView) -> list[_Gap]:
    readable = [one for one in view.positions if one.direction is not None]
    unreadable = {one.contract_id for one in view.positions} - {one.contract_id for one in readable}
    known = venue_state.known_contracts(connection, view.account_id, {one.contract_id for one in readable})
    ours = {row.contract_id: row.quantity for row in positions.of_account(connection, view.account_id)}
    found = []
    for contract_id in sorted((known | set(ours)) - unreadable):
        theirs = venue_state.quantity_at_venue(view, contract_id)
        if theirs != ours.get(contract_id, 0):
            found.append(_Gap(contract_id, ours.get(contract_id, 0), theirs))
    return found


def halt_on_external_orders(connection: Connection, account: AccountRow, view: venue_state.VenueView) -> None:
    """Stop entries while a product is held that is in no table of ours: no rule can count it and no guard closes it."""
    held = {one.contract_id for one in view.positions}
    strangers = sorted(held - venue_state.known_contracts(connection, account.id, held))
    if strangers and account.halted_at is None:
        reason = (
            f"it holds {', '.join(strangers)}, a product that we do not know: no rule can count it, close it by hand"
        )
        accounts.halt(connection, f"{PositionMismatchError.__name__}: {reason}", account.id)


def _adopt_venue_position(
    connection: Connection, account_id: int, view: venue_state.VenueView, gaps: Sequence[_Gap]
) -> None:
    """The venue is right: exits and stops must go by what is held there, whatever our fills say."""
    shown = {one.contract_id: one for one in view.positions}
    for gap in gaps:
        held = shown.get(gap.contract_id)
        positions.lock(connection, account_id, gap.contract_id)
        positions.set_opening(
            connection,
            account_id,
            contracts.require(connection, gap.contract_id),
            quantity=gap.theirs,
            price=held.average_price if held else None,
            opened_market_at=held.opened_market_at if held else None,
            until_fill_id=positions.newest_fill_id(connection, account_id, gap.contract_id),
        )


def _listed(gaps: Sequence[_Gap]) -> str:
    return "; ".join(map(str, gaps))


def _resolve_pending(tx: Transaction, account_id: int) -> None:
    now = machine_now()
    minute = f"{now:%Y%m%d%H%M}"
    for order in orders.open_of(tx.connection, account_id):
        hangs_since = now - (order.submitted_at or now)
        if order.state is OrderState.SUBMITTING and hangs_since > SUBMITTING_AT_MOST:
            orders.move(tx.connection, order.id, [OrderState.SUBMITTING], OrderState.IN_DOUBT, reason="no answer kept")
        if order.state in {OrderState.SUBMITTING, OrderState.IN_DOUBT} and hangs_since > SUBMITTING_AT_MOST:
            tx.enqueue(ResolveInDoubtOrder(order_id=order.id), key=f"settle:{order.id}:{minute}")
        if order.state is OrderState.CREATED and order.expires_at is not None and order.expires_at <= now:
            tx.enqueue(
                PlaceOrder(order_id=order.id),  # finds it expired and says so
                key=f"place:{order.id}:{minute}",
                sequence_key=entries_key(account_id),
            )
    for change in changes.open_of(tx.connection, account_id):
        if now - change.created_at > SUBMITTING_AT_MOST:
            tx.enqueue(ChangeOrder(change_id=change.id), key=f"change:{change.id}:{minute}")


def _guard_what_is_held(tx: Transaction, ctx: Context, account_id: int) -> None:
    """Have every contract looked at in which a stop is missing, or an order is left over."""
    touched = {row.contract_id for row in positions.of_account(tx.connection, account_id)}
    touched |= {row.contract_id for row in orders.open_of(tx.connection, account_id)}
    for contract_id in sorted(touched):
        if not load_state(tx.connection, account_id, contract_id).plan.is_empty:
            request = GuardPosition(account_id=account_id, contract_id=contract_id)
            key = f"guard:{account_id}:reconcile:{ctx.job.id}:{contract_id}"
            tx.enqueue_unless_queued(request, venue_state.guard_key(account_id, contract_id), key=key)


def _since(ctx: Context, account: AccountRow) -> datetime:
    """Look back to the last look, and to the oldest order whose id at the venue is not known, given up or not.

    What happened while nobody looked, as while this computer slept, lies behind the watermark; a day of it is read. A
    tag that was given up is searched for until the session ends.
    """
    day_began = ctx.clock.to_machine(trading_day_begins(trading_day_at(ctx.market_now)))
    with ctx.autocommit() as connection:
        hanging = orders.open_of(connection, account.id) + orders.given_up_since(connection, account.id, day_began)
        newest_fill_at = fills.newest_at(connection, account.id)
    watermark = newest_fill_at if account.reconciled_at is None else ctx.clock.to_market(account.reconciled_at)
    unseen = max(watermark or ctx.market_now - FIRST_LOOK, ctx.market_now - LONGEST_LOOK)
    submitted = [order.submitted_market_at for order in hanging if order.venue_order_id is None]
    return min([unseen, *(at for at in submitted if at is not None)]) - OVERLAP
