"""Looks once a second at every account: its rules, the stops that follow a price, and fills without a proven stop."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.market_data import contracts
from shared.db.orders import changes, fills, flatten_requests, orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.db.risk import risk_snapshots
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.market_data.calendar import calendar_of, trading_day_at
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.orders.order import ChangeKind, OrderState, OrderType, Origin, Role, Side
from shared.domain.orders.protection import trailed_stop
from shared.domain.risk.account_risk import marked
from shared.domain.risk.account_rules import Finding, RuleAction, session_of, strongest, watch
from shared.domain.risk.entry_rules import EntryIntent, only_reduces, time_findings
from shared.errors import RefusedError
from shared.hot.quotes import HotQuote, exit_price_by
from shared.ledger.jobs.orders import ChangeOrder, Flatten, GuardPosition, ReducePosition
from shared.ledger.jobs.risk import WatchAccounts
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.orders.entry import describe_violation
from workers.orders.venue_state import guard_key
from workers.task import task

log = logging.getLogger(__name__)

UNGUARDED_FOR = timedelta(seconds=1)
FORSAKEN_AFTER = timedelta(seconds=3)
_AGAIN_AFTER_S = 5
_LOSSES = {"max_loss_limit", "daily_loss_limit"}


@task(WatchAccounts)
def watch_accounts(_: WatchAccounts, ctx: Context) -> dict[str, int]:
    """Judge every account by itself, so that one account's trouble hides no other; judging twice acts once."""
    with ctx.autocommit() as connection:
        everyone = accounts.list_all(connection)
        held = positions.in_accounts(connection, [account.id for account in everyone])
        quotes = ctx.quotes.read({row.contract_id for row in held})
        max_quantity = ctx.settings.max_quantity
        prices = exit_price_by(quotes)
        snapshots = risk_snapshots.read(connection, everyone, ctx.clock, lambda _: prices, max_quantity=max_quantity)
    _ask_again(ctx)
    by_account: defaultdict[int, list[PositionRow]] = defaultdict(list)
    for row in held:
        by_account[row.account_id].append(row)
    acted = 0
    for account_id, snapshot in snapshots.items():
        try:
            acted += _watch(ctx, snapshot)
            if ctx.may_act_for(snapshot.account):
                _follow(ctx, by_account[account_id], quotes)
        except (RefusedError, LookupError, ArithmeticError, ValueError):
            log.exception("account %s could not be watched", account_id)
    return {"accounts": len(snapshots), "acted": acted}


def _ask_again(ctx: Context) -> None:
    """Enqueue a guard for each fill still unprotected, and a job for each flatten request that has none."""
    with ctx.transaction() as tx:
        for account_id, contract_id in fills.unguarded(tx.connection, UNGUARDED_FOR):
            slot = int(machine_now().timestamp()) // _AGAIN_AFTER_S
            request = GuardPosition(account_id=account_id, contract_id=contract_id)
            key = f"guard:{account_id}:{contract_id}:watch:{slot}"
            tx.enqueue_unless_queued(request, guard_key(account_id, contract_id), key=key)
        for flatten_request in flatten_requests.forsaken(tx.connection, FORSAKEN_AFTER):
            tx.enqueue(Flatten(flatten_request_id=flatten_request.id), correlation_id=ctx.job.id)


def _watch(ctx: Context, snapshot: RiskSnapshot) -> int:
    market_now = ctx.market_now
    session = session_of(snapshot.risk, market_now)
    found = watch(snapshot.risk, snapshot.book, market_now, session)
    now_marked = marked(snapshot.risk, snapshot.book)
    serious = [one for one in found if one.action >= RuleAction.BLOCK]
    reason = "; ".join(map(describe_violation, serious)) or None
    account, day = snapshot.account, trading_day_at(market_now)
    changed: dict[str, object] = {}
    if now_marked.is_breached and account.breached_market_at is None:
        changed["breached_market_at"] = market_now
    if now_marked.is_day_locked and account.locked_on != day:
        changed["locked_on"] = day
    # What is closed cannot be closed, and what is not ours to trade is not ours to close.
    may_act = session is not None and ctx.may_act_for(account)
    action = strongest(found) if may_act else RuleAction.NONE
    if may_act and snapshot.risk.working:
        _take_entries_back(ctx, snapshot, found)
    if not changed and reason == account.block_reason and action < RuleAction.REDUCE:
        return 0
    with ctx.transaction() as tx:
        if accounts.lock(tx.connection, account.id) is None:
            return 0
        if reason != account.block_reason:
            changed["block_reason"] = reason
            if account.block_reason is None or reason is None:
                accounts.note(tx.connection, account.id, "blocked" if reason else "unblocked", reason or "")
        if action is RuleAction.REDUCE:
            changed["reduced_on"] = day
            _reduce(tx, snapshot, serious)
        if changed:
            accounts.change(tx.connection, account.id, **changed)
        return _flatten(tx, ctx, snapshot, serious) if action is RuleAction.FLATTEN else 0


def _take_entries_back(ctx: Context, snapshot: RiskSnapshot, found: Sequence[Finding]) -> None:
    """Cancel entries that rest and could not be placed now: a fill would be a new position. Exits stay."""
    why = None if snapshot.account.halt is None else f"the account is halted: {snapshot.account.halt}"
    why = why or next(
        (describe_violation(one) for one in found if one.action >= RuleAction.BLOCK and one.rule in _LOSSES), None
    )
    market_now = ctx.market_now
    with ctx.transaction() as tx:
        for order in orders.open_of(tx.connection, snapshot.account.id):
            if order.role is not Role.ENTRY or order.state is not OrderState.WORKING:
                continue
            contract = contracts.require(tx.connection, order.contract_id)
            if only_reduces(EntryIntent(contract, order.side, 0, None), snapshot.risk):  # it is counted already
                continue
            reason = why or _barred(contract, snapshot, market_now)
            if reason is not None and not changes.has_open(tx.connection, order.id):
                _ask_for_change(tx, order, ChangeKind.CANCEL, reason)


def _ask_for_change(
    tx: Transaction, order: OrderRow, kind: ChangeKind, reason: str, stop_price: Decimal | None = None
) -> None:
    change = changes.create(
        tx.connection,
        order.id,
        kind,
        origin=Origin.PROTECTOR,
        reason=reason,
        correlation_id=order.correlation_id,
        stop_price=stop_price,
    )
    tx.enqueue(ChangeOrder(change_id=change.id), correlation_id=order.correlation_id)


def _barred(contract: Contract, snapshot: RiskSnapshot, market_now: datetime) -> str | None:
    calendar = calendar_of(ROOTS[contract.root].group)
    session = calendar.session_at(market_now)
    barred = time_findings(contract, snapshot.book, market_now, session=session, calendar=calendar)
    return next(
        (describe_violation(one) for one in barred if one.rule != "session"), None
    )  # a closed market cancels nothing


def _flatten(tx: Transaction, ctx: Context, snapshot: RiskSnapshot, found: Sequence[Finding]) -> int:
    if flatten_requests.open_on(tx.connection, snapshot.account.id) is not None:
        return 0
    reason = "; ".join(one.message for one in found if one.action is RuleAction.FLATTEN)
    accounts.note(tx.connection, snapshot.account.id, "flattened", reason)
    request = flatten_requests.ask(
        tx.connection,
        snapshot.account.id,
        None,
        origin=Origin.PROTECTOR,
        reason=reason,
        correlation_id=ctx.job.id,
    )
    tx.enqueue(Flatten(flatten_request_id=request), correlation_id=ctx.job.id)
    return 1


def _reduce(tx: Transaction, snapshot: RiskSnapshot, found: Sequence[Finding]) -> None:
    """Close half of everything, rounded up, once a day."""
    accounts.note(tx.connection, snapshot.account.id, "cut", "; ".join(one.message for one in found))
    for holding in snapshot.risk.holdings:
        tx.enqueue(
            ReducePosition(
                account_id=snapshot.account.id,
                contract_id=holding.contract_id,
                quantity=(abs(holding.quantity) + 1) // 2,
            )
        )


def _follow(ctx: Context, held: Sequence[PositionRow], quotes: Mapping[str, HotQuote]) -> None:
    """Move the stops whose entry asked for breakeven or for a distance behind the best price."""
    for position in held:
        price = exit_price_by(quotes)(position.contract_id, position.quantity)
        if price is None:
            continue
        with ctx.transaction() as tx:
            entry = orders.newest_entry(tx.connection, position.account_id, position.contract_id)
            if entry is None or (entry.breakeven_ticks is None and entry.trail_ticks is None):
                continue
            _move_stops(tx, position, price, entry.breakeven_ticks, entry.trail_ticks)


def _move_stops(
    tx: Transaction, position: PositionRow, price: Decimal, breakeven_ticks: int | None, trail_ticks: int | None
) -> None:
    contract = contracts.require(tx.connection, position.contract_id)
    side = Side.BUY if position.quantity > 0 else Side.SELL
    for order in orders.open_in(tx.connection, position.account_id, position.contract_id):
        is_stop = order.role is Role.STOP_LOSS and order.type is OrderType.STOP and order.state is OrderState.WORKING
        if not is_stop or order.stop_price is None or position.average_price is None:
            continue
        now = _ticks(order.stop_price, contract)
        wanted = trailed_stop(
            side,
            _ticks(position.average_price, contract),
            _ticks(price, contract),
            now,
            breakeven_ticks=breakeven_ticks,
            trail_ticks=trail_ticks,
        )
        if wanted == now or changes.has_open(tx.connection, order.id):
            continue
        _ask_for_change(tx, order, ChangeKind.MODIFY, f"the price is {price}", wanted * contract.tick_size)


def _ticks(price: Decimal, contract: Contract) -> int:
    return int((price / contract.tick_size).to_integral_value())
