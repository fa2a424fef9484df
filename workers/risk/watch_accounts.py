"""Checks every account once a second: its rules, its trailing stops, and fills without a proven stop."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts, balance_moves
from shared.db.accounts.accounts import AccountRow
from shared.db.engine import limit_lock_wait, suppress_lock_timeout
from shared.db.market_data import contracts
from shared.db.orders import changes, fills, flatten_requests, orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.db.risk import risk_snapshots
from shared.db.risk.entry_check import describe_finding
from shared.db.risk.risk_snapshots import ExitPrice, RiskSnapshot
from shared.domain.market_data.calendar import assumed_calendar_of, trading_day_at, trading_week_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.orders.order import ChangeKind, OrderState, Origin, Role, direction_of
from shared.domain.risk.account_risk import Holding, mark_touched_limits
from shared.domain.risk.account_rules import check_account, session_of
from shared.domain.risk.entry_rules import SizedEntry, only_reduces, time_findings
from shared.domain.risk.findings import Finding, RuleAction, dollars, strongest_action
from shared.domain.risk.personal_limits import ENTRY_STOPS
from shared.domain.risk.watch_gap import describe_held
from shared.errors import RefusedError
from shared.hot.quotes import HotQuote, exit_price_from
from shared.ledger.jobs.accounts import CheckBalance
from shared.ledger.jobs.orders import ChangeOrder, Flatten, GuardPosition, ReducePosition, guard_key
from shared.ledger.jobs.risk import WatchAccounts
from shared.ledger.ledger import Transaction
from workers.context import Context
from workers.risk.confirmation import LOSS_RULES, WatchResult, confirm
from workers.risk.trail_stops import move_stops
from workers.risk.watch_record import record_watch
from workers.task import task

log = logging.getLogger(__name__)

UNGUARDED_FOR = timedelta(seconds=1)
ORPHANED_AFTER = timedelta(seconds=3)
LOCK_WAIT = timedelta(seconds=0.5)  # for rows that another session locks; what needs them waits for the next run
_REPEAT_AFTER_S = 5
_BALANCE_COLUMNS = ("unexplained_balance", "pending_balance", "pending_runs")
_ENTRY_STOPS = LOSS_RULES | ENTRY_STOPS
_UNREADABLE = (RefusedError, LookupError, ArithmeticError, ValueError, TypeError, AttributeError)


@task(WatchAccounts)
def watch_accounts(_: WatchAccounts, ctx: Context) -> dict[str, int]:
    """Check every account by itself, so that an error or a lock in one hides no other.

    A second check does not act again.
    """
    started_at = machine_now()
    with ctx.autocommit() as connection:
        all_accounts = accounts.list_all(connection)
        held = positions.list_in_accounts(connection, [account.id for account in all_accounts])
        quotes = ctx.quotes.read({row.contract_id for row in held})
        snapshots = _read_snapshots(connection, ctx, all_accounts, exit_price_from(quotes))
    _enqueue_missing_jobs(ctx)
    by_account: defaultdict[int, list[PositionRow]] = defaultdict(list)
    for row in held:
        by_account[row.account_id].append(row)
    acted, watched = 0, dict[int, str | None]()
    for account_id, snapshot in snapshots.items():
        received = [quotes[row.contract_id].received_at for row in by_account[account_id] if row.contract_id in quotes]
        try:
            acted += _check_account(ctx, snapshot, min(received, default=None))
            if ctx.may_guard(snapshot.account):
                _trail_stops(ctx, by_account[account_id], quotes)
            watched[account_id] = describe_held(snapshot.risk)
        except _UNREADABLE:
            log.exception("account %s could not be watched", account_id)
    with _transaction(ctx, "the next run of the watch is recorded instead of this one") as tx:
        record_watch(tx.connection, started_at, watched)
    return {"accounts": len(snapshots), "acted": acted}


def _read_snapshots(
    connection: Connection, ctx: Context, all_accounts: Sequence[AccountRow], prices: ExitPrice
) -> dict[int, RiskSnapshot]:
    """Return the snapshots of all accounts; of those that can be read if one cannot."""

    def read(some: Sequence[AccountRow]) -> dict[int, RiskSnapshot]:
        most = ctx.settings.max_quantity
        return risk_snapshots.read(connection, some, ctx.clock, lambda _: prices, max_quantity=most)

    try:
        return read(all_accounts)
    except _UNREADABLE:
        snapshots: dict[int, RiskSnapshot] = {}
    for account in all_accounts:
        try:
            snapshots |= read([account])
        except _UNREADABLE:
            log.exception("account %s could not be read, so it is not watched", account.id)
    return snapshots


@contextmanager
def _transaction(ctx: Context, consequence: str) -> Iterator[Transaction]:
    """Commit as ctx.transaction does; or nothing, with the `consequence` in the log, if another session has a lock."""
    with suppress_lock_timeout(consequence), ctx.transaction() as tx:
        limit_lock_wait(tx.connection, LOCK_WAIT)
        yield tx


def _enqueue_missing_jobs(ctx: Context) -> None:
    """Enqueue a guard for each fill still unprotected, and a job for each flatten request that has none."""
    with _transaction(ctx, "guards and flattenings without a job get one in the next watch") as tx:
        for account_id, contract_id in fills.list_unguarded(tx.connection, UNGUARDED_FOR):
            window = int(machine_now().timestamp()) // _REPEAT_AFTER_S
            request = GuardPosition(account_id=account_id, contract_id=contract_id)
            key = f"guard:{account_id}:{contract_id}:watch:{window}"
            tx.enqueue_unless_queued(request, guard_key(account_id, contract_id), key=key)
        for flatten_request in flatten_requests.list_orphaned(tx.connection, ORPHANED_AFTER):
            tx.enqueue(Flatten(flatten_request_id=flatten_request.id), correlation_id=ctx.job.id)


def _check_account(ctx: Context, snapshot: RiskSnapshot, quoted_at: datetime | None) -> int:
    market_now = ctx.market_now
    session = session_of(snapshot.risk, market_now)
    is_priced = session is not None or not snapshot.risk.holdings  # while no market trades, a price marks nothing
    touched = _find_touched_limits(snapshot, market_now) if is_priced else {}
    now_found = WatchResult(check_account(snapshot.risk, snapshot.book, market_now, session), touched)
    confirmed = confirm(snapshot, now_found, quoted_at, machine_now(), market_now)
    found = confirmed.findings
    blocking = [one for one in found if one.action >= RuleAction.BLOCK]
    reason = "; ".join(map(describe_finding, blocking)) or None
    account, day = snapshot.account, trading_day_at(market_now)
    # A closed market accepts no orders, and an account that is not ours to trade is not ours to close.
    may_act = session is not None and ctx.may_guard(account)
    action = strongest_action(found) if may_act else RuleAction.NONE
    if may_act and snapshot.risk.open_entries:
        _cancel_barred_entries(ctx, snapshot, found)
    if not confirmed.changed and reason == account.block_reason and action < RuleAction.REDUCE:
        return 0
    acted = 0
    with _transaction(ctx, f"the rules of account {account.id} are enforced in the next watch") as tx:
        locked = accounts.lock(tx.connection, account.id)
        if locked is None:
            return 0
        changed = _settle_balance(tx, ctx, account, locked, confirmed)
        if reason != account.block_reason:
            changed["block_reason"] = reason
            if account.block_reason is None or reason is None:
                accounts.record_event(tx.connection, account.id, "blocked" if reason else "unblocked", reason or "")
        if action is RuleAction.REDUCE and locked.reduced_on != day:  # another watch may have, since the snapshot
            changed["reduced_on"] = day
            _reduce(tx, ctx, snapshot, blocking)
        if changed:
            accounts.change(tx.connection, account.id, **changed)
        if action is RuleAction.FLATTEN:
            acted = _flatten(tx, ctx, snapshot, blocking)
    return acted


def _settle_balance(
    tx: Transaction, ctx: Context, before: AccountRow, locked: AccountRow, confirmed: WatchResult
) -> dict[str, object]:
    """Ask the venue about a balance that has moved, if it is time; return the changes of the account's row.

    What is outdated is left out: since the snapshot the balance was settled, or the day has ended.
    """
    columns = ("trading_day", "moved_today", *_BALANCE_COLUMNS)
    if any(getattr(before, name) != getattr(locked, name) for name in columns):
        return {name: value for name, value in confirmed.changed.items() if name not in _BALANCE_COLUMNS}
    pending, settled = locked.pending_balance, locked.unexplained_balance or 0
    if confirmed.asks_venue and pending is not None:
        request = CheckBalance(account_id=locked.id, pending_balance=pending, amount=pending - settled)
        tx.enqueue(request, correlation_id=ctx.job.id)
    if confirmed.is_unexplained and pending is not None:
        told = (
            f"{dollars(pending - settled)} that no fill explains; the venue could not be asked in time, so it counts "
            f"as a result of the day; {balance_moves.describe_command(locked.id)}"
        )
        accounts.record_event(tx.connection, locked.id, "balance_unexplained", told)
    return dict(confirmed.changed)


def _find_touched_limits(snapshot: RiskSnapshot, market_now: datetime) -> dict[str, object]:
    """Return the changes of the account's row that lock it for good, for the day or for the week."""
    account, day = snapshot.account, trading_day_at(market_now)
    now_marked = mark_touched_limits(snapshot.risk, snapshot.book)
    changed: dict[str, object] = {}
    if now_marked.is_breached and account.breached_market_at is None:
        changed["breached_market_at"] = market_now
    if now_marked.is_day_locked and account.locked_on != day:
        changed["locked_on"] = day
    if now_marked.is_profit_locked and account.profit_locked_on != day:
        changed["profit_locked_on"] = day
    if now_marked.is_week_locked and account.week_locked_on != trading_week_of(day):
        changed["week_locked_on"] = trading_week_of(day)
    return changed


def _cancel_barred_entries(ctx: Context, snapshot: RiskSnapshot, found: Sequence[Finding]) -> None:
    """Cancel resting entries that a halt, a limit of the account or the time forbids; exits stay."""
    reason_for_all = None if snapshot.account.halt is None else f"the account is halted: {snapshot.account.halt}"
    reason_for_all = reason_for_all or next(
        (describe_finding(one) for one in found if one.action >= RuleAction.BLOCK and one.rule in _ENTRY_STOPS), None
    )
    market_now = ctx.market_now
    with _transaction(ctx, f"barred entries of account {snapshot.account.id} are cancelled in the next watch") as tx:
        for order in orders.list_open(tx.connection, snapshot.account.id):
            if order.role is not Role.ENTRY or order.state is not OrderState.WORKING:
                continue
            contract = contracts.require(tx.connection, order.contract_id)
            # The quantity is 0, because the working order is counted already.
            if only_reduces(SizedEntry(contract, order.side, 0, None), snapshot.risk):
                continue
            reason = reason_for_all or _find_time_violation(contract, snapshot, market_now)
            if reason is not None and not changes.has_open(tx.connection, order.id):
                _request_change(tx, order, ChangeKind.CANCEL, reason)


def _request_change(tx: Transaction, order: OrderRow, kind: ChangeKind, reason: str) -> None:
    change = changes.create(
        tx.connection,
        order.id,
        kind,
        origin=Origin.PROTECTOR,
        reason=reason,
        correlation_id=order.correlation_id,
    )
    tx.enqueue(ChangeOrder(change_id=change.id), correlation_id=order.correlation_id)


def _find_time_violation(contract: Contract, snapshot: RiskSnapshot, market_now: datetime) -> str | None:
    calendar = assumed_calendar_of(ROOTS[contract.root].group)
    session = calendar.session_at(market_now)
    violations = time_findings(contract, snapshot.book, market_now, session=session, calendar=calendar)
    # A closed market cancels no order.
    return next((describe_finding(one) for one in violations if one.rule != "session"), None)


def _flatten(tx: Transaction, ctx: Context, snapshot: RiskSnapshot, found: Sequence[Finding]) -> int:
    """Request to flatten the account, or its contracts in open markets if it holds something in a closed one."""
    account_id = snapshot.account.id
    tradable = {one.contract_id for one in snapshot.risk.holdings if _is_open(one, ctx.market_now)}
    is_whole = len(tradable) == len(snapshot.risk.holdings)
    due = [
        contract_id
        for contract_id in ([None] if is_whole else sorted(tradable))
        if flatten_requests.find_open(tx.connection, account_id, contract_id) is None
    ]
    reason = "; ".join(one.message for one in found if one.action is RuleAction.FLATTEN)
    if due:
        accounts.record_event(tx.connection, account_id, "flattened", reason)
    for contract_id in due:
        request = flatten_requests.create(
            tx.connection,
            account_id,
            contract_id,
            origin=Origin.PROTECTOR,
            reason=reason,
            correlation_id=ctx.job.id,
        )
        tx.enqueue(Flatten(flatten_request_id=request), correlation_id=ctx.job.id)
    return len(due)


def _is_open(holding: Holding, market_now: datetime) -> bool:
    """Whether the market of a position has a session now, pauses included."""
    return assumed_calendar_of(ROOTS[holding.root].group).session_at(market_now) is not None


def _reduce(tx: Transaction, ctx: Context, snapshot: RiskSnapshot, found: Sequence[Finding]) -> None:
    """Close half of each position in an open market, rounded up, once a day."""
    accounts.record_event(tx.connection, snapshot.account.id, "reduced", "; ".join(one.message for one in found))
    for holding in snapshot.risk.holdings:
        if not _is_open(holding, ctx.market_now):
            continue
        tx.enqueue(
            ReducePosition(
                account_id=snapshot.account.id,
                contract_id=holding.contract_id,
                quantity=(abs(holding.quantity) + 1) // 2,
                direction=direction_of(holding.quantity),
                origin=Origin.PROTECTOR,
            )
        )


def _trail_stops(ctx: Context, held: Sequence[PositionRow], quotes: Mapping[str, HotQuote]) -> None:
    """Move the stops whose entry has a breakeven, or a trailing distance behind the best price."""
    for position in held:
        price = exit_price_from(quotes)(position.contract_id, position.quantity)
        if price is None:
            continue
        with _transaction(ctx, f"stops of account {position.account_id} are moved in the next watch") as tx:
            move_stops(tx, position, price)
