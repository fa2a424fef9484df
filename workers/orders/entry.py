"""Turns an entry request into an order: pre-trade checks, signal and order in one transaction, the account locked."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from shared.clock import machine_now, monotonic
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.alerts.signals import NewSignal
from shared.db.orders import entry_approvals, flatten_requests, orders, positions, reversals
from shared.db.orders.orders import OrderRow
from shared.db.risk import entry_check
from shared.db.risk.entry_check import EntryCheck
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.product_family import family_of
from shared.domain.orders.order import NEVER_SENT, Direction, OrderState, Role
from shared.domain.risk.preconditions import check_session
from shared.errors import PostponedError, RefusedError, RiskLimitError
from shared.hot.quotes import exit_price_from
from shared.ids import new_id
from shared.ledger.jobs.orders import PlaceOrder
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders.approval import AwaitedApproval, ask_if_required
from workers.orders.entry_request import EntryRequest
from workers.orders.submit import PreparedOrder

_RETRY_AFTER = timedelta(seconds=0.1)
_SHADOW = "shadow mode: it passed every check and would have been sent"


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """The order recorded for a request, and the error with which the risk rules denied it, if they did.

    `note` says why it is smaller than requested, or what was closed before it.
    """

    order: OrderRow
    signal_id: UUID
    denial: RiskLimitError | None
    note: str | None = None

    @property
    def obstacle(self) -> str | None:
        """Why the order is not sent: it was denied, or its account is in shadow mode; None if it is sent next."""
        if self.denial is not None:
            return str(self.denial)
        return _SHADOW if self.order.state is OrderState.SHADOW else None

    @property
    def result(self) -> dict[str, str]:
        """The result of the job that asked for the entry."""
        note = {} if self.note is None else {"note": self.note}
        shadow = {"not_sent": _SHADOW} if self.order.state is OrderState.SHADOW else {}
        return {"signal_id": str(self.signal_id), "order_id": str(self.order.id)} | note | shadow


def require_open_session(ctx: Context, contract: Contract) -> None:
    """Raise MarketClosedError unless the firm accepts entries in `contract` now; reads no database."""
    check_session(calendar_of(ROOTS[contract.root].group), contract, ctx.market_now, speed=ctx.clock.speed)


def submit_entry(ctx: Context, request: EntryRequest) -> dict[str, str]:
    """Record the entry and send it next in this process; raise RiskLimitError after recording a denied order.

    If the call can follow at once, one commit records the order as SUBMITTING together with the follow-up job.
    Otherwise the order is CREATED. Nothing follows an entry that waits for approval, or that shadow mode only records.
    """
    is_next = ctx.gateway.is_ready() and (request.expires_at is None or machine_now() < request.expires_at)
    with ctx.transaction() as tx:
        recorded = record_entry(tx, ctx, request, is_sent_next=is_next)
        if isinstance(recorded, AwaitedApproval) or recorded.order.state is OrderState.SHADOW:
            tx.finish(recorded.result)
        elif recorded.denial is None:
            submitted = PreparedOrder(recorded.order, request.contract, machine_now(), monotonic()) if is_next else None
            tx.continue_with(recorded.result, PlaceOrder(order_id=recorded.order.id), submitted)
    if isinstance(recorded, RecordedEntry) and recorded.denial is not None:
        raise recorded.denial
    return recorded.result


def record_entry(
    tx: Transaction, ctx: Context, request: EntryRequest, *, is_sent_next: bool = False
) -> RecordedEntry | AwaitedApproval:
    """Check the request and record its signal and order; a denied order is recorded as DENIED and is never sent.

    So is one in shadow mode, as SHADOW. One that must be approved first is recorded as an approval, without signal and
    order. With `is_sent_next` the order is SUBMITTING: no halt can come before this commits, and a flatten waits 0.5 s
    for it. Raise PostponedError, with nothing written, while a fact is missing that may still arrive, or for a market
    order that would reverse what is held by now, or what an order on the other side may fill, and RefusedError for an
    account that we do not know, or an approved entry that has ended.
    """
    account = accounts.lock_to_enter(tx.connection, request.account_id, family_of(request.contract.root))
    if account is None:
        raise RefusedError(f"unknown account {request.account_id}: accounts.snapshot_accounts has not seen it")
    check = check_entry(tx.connection, ctx, request, account)
    find_obstacle = request.find_obstacle or partial(_find_later_close, ctx=ctx, request=request)
    obstacle = find_obstacle(tx.connection)
    if obstacle is not None:
        check = replace(check, denial=RiskLimitError(obstacle))
    elif check.is_reversing and not account.is_shadow:
        raise PostponedError(f"what is held of {request.contract.id} has changed: it is closed first", _RETRY_AFTER)
    elif check.may_reverse and not account.is_shadow:
        raise PostponedError(f"an order against it in {request.contract.id} is not confirmed", _RETRY_AFTER)
    if check.denial is not None and request.closed_note is not None:
        check = replace(check, denial=RiskLimitError(f"{request.closed_note}, nothing is opened: {check.denial}"))
    entry, bracket, note = check.entry, check.bracket, request.closed_note or check.note
    denial = None if check.denial is None else str(check.denial)
    if denial is None:
        awaited = ask_if_required(tx, ctx, request, account, entry)
        if awaited is not None:
            return awaited
    order_id, signal_id = new_id(), new_id()
    state, reason = _choose_state(request, account, denial, note, is_sent_next=is_sent_next)
    signal = NewSignal(
        id=signal_id,
        origin=request.origin,
        account_id=account.id,
        contract_id=request.contract.id,
        action=entry.side,
        quantity=entry.quantity,
        verdict="accepted" if denial is None else "denied",
        reason=reason,
        correlation_id=ctx.job.correlation_id,
        decided_market_at=ctx.market_now,
        alert_id=request.alert_id,
        strategy=request.strategy,
        figures=check.figures,
    )
    extra: dict[str, object] = {"reason": reason if state in NEVER_SENT else None}
    if state is OrderState.SUBMITTING:
        extra |= {"submitted_at": machine_now(), "submitted_market_at": ctx.market_now}
    order = orders.create(
        tx.connection,
        order_id=order_id,
        account_id=account.id,
        contract_id=request.contract.id,
        signal_id=signal_id,
        origin=request.origin,
        role=Role.ENTRY,
        side=entry.side,
        type_=entry.type,
        quantity=max(entry.quantity, 1),  # an entry beyond its risk budget has 0 and is denied; a row needs 1
        limit_price=entry.limit_price,
        stop_price=entry.stop_price,
        trail_price=entry.trail_price,
        stop_loss_ticks=bracket.stop_loss_ticks if bracket else entry.stop_loss_ticks,
        take_profit_ticks=bracket.take_profit_ticks if bracket else entry.take_profit_ticks,
        breakeven_ticks=entry.breakeven_ticks,
        trail_ticks=entry.trail_ticks,
        expires_at=_entry_expiry(ctx, request),
        correlation_id=ctx.job.correlation_id,
        state=state,
        along=signal,
        **extra,
    )
    if request.approval is not None and not entry_approvals.record_order(
        tx.connection, request.approval.id, order_id, denial=denial
    ):
        raise RefusedError(f"approval {request.approval.id} has ended already")
    return RecordedEntry(order, signal_id, check.denial, note)


def _choose_state(
    request: EntryRequest, account: AccountRow, denial: str | None, note: str | None, *, is_sent_next: bool
) -> tuple[OrderState, str | None]:
    """Return the state in which an order is recorded, and the reason of its signal."""
    if denial is not None:
        return OrderState.DENIED, denial
    approved = None if request.approval is None else f"approved by {request.approval.decided_by}"
    reasons = [request.reason, note, approved, _SHADOW if account.is_shadow else None]
    reason = "; ".join(filter(None, reasons)) or None
    if account.is_shadow:
        return OrderState.SHADOW, reason
    return OrderState.SUBMITTING if is_sent_next else OrderState.CREATED, reason


def _find_later_close(connection: Connection, ctx: Context, request: EntryRequest) -> str | None:
    """Return why the entry is not made, if its contract was closed or reversed by a request after the job of it."""
    account_id, contract_id = request.account_id, request.contract.id
    was_closed = flatten_requests.was_closed_since(
        connection, account_id, contract_id, ctx.job.correlation_id, ctx.job.enqueued_at
    )
    if was_closed:
        return flatten_requests.describe_later_close(contract_id)
    was_reversed = reversals.was_reversed_since(
        connection, account_id, contract_id, request.entry.side, after=ctx.job.id, since=ctx.job.enqueued_at
    )
    return reversals.describe_later_reversal(contract_id) if was_reversed else None


def _entry_expiry(ctx: Context, request: EntryRequest) -> datetime | None:
    """Return the time until which the entry may be sent: its own expiry, or the session's last entry if earlier."""
    session = calendar_of(ROOTS[request.contract.root].group).session_at(ctx.market_now)
    last_entry = None if session is None else ctx.clock.to_machine(session.last_entry)
    return min((at for at in (request.expires_at, last_entry) if at is not None), default=None)


def check_entry(connection: Connection, ctx: Context, request: EntryRequest, account: AccountRow) -> EntryCheck:
    """Check a request against every rule; raise PostponedError while a fact is missing that may still arrive."""
    check = entry_check.check(
        connection,
        account,
        request.contract,
        request.entry,
        settings=ctx.settings,
        clock=ctx.clock,
        exit_prices=lambda held: exit_price_from(ctx.quotes.read(held)),
        risk=request.risk,
    )
    approval = request.approval
    if approval is not None and check.entry.quantity > approval.quantity:  # the stop that it was sized by has moved
        approved = replace(request, entry=replace(request.entry, quantity=approval.quantity), risk=None)
        return check_entry(connection, ctx, approved, account)
    return check


def is_flat(connection: Connection, account_id: int, contract_id: str) -> bool:
    """Whether the account holds nothing of the contract and no entry in it is under way."""
    return positions.direction_of(connection, account_id, contract_id) is Direction.FLAT and not any(
        order.role is Role.ENTRY for order in orders.list_open_in_contract(connection, account_id, contract_id)
    )
