"""Enforces the rules of one account: marks its limits, blocks its entries, reduces or flattens its positions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shared.clock import machine_now
from shared.db.accounts import accounts, balance_moves, reductions
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.reductions import Reduction
from shared.db.orders import flatten_requests
from shared.db.risk.entry_check import describe_finding
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.market_data.calendar import assumed_calendar_of, trading_day_at
from shared.domain.market_data.contract import ROOTS
from shared.domain.orders.order import Origin, direction_of
from shared.domain.risk.account_risk import Holding, OpenEntry
from shared.domain.risk.account_rules import check_account, session_of
from shared.domain.risk.findings import Finding, RuleAction, dollars, strongest_action
from shared.ids import new_id
from shared.ledger.jobs.accounts import CheckBalance
from shared.ledger.jobs.orders import Flatten, ReducePosition
from shared.ledger.ledger import Transaction
from workers.risk.barred_entries import cancel_barred_entries
from workers.risk.confirmation import WatchResult, confirm
from workers.risk.touched_limits import find_touched_limits, keep_values
from workers.risk.watch_run import WatchRun

# What the findings follow from, and a person, a report or a check of the balance may change meanwhile.
_DECIDED_BY = (
    "trading_day", "day_opening_balance", "moved_today", "high_water_mark", "preset", "first_preset", "rule_changes",
    "unexplained_balance", "pending_balance", "pending_runs", "marked_limits", "breached_market_at", "locked_on",
    "profit_locked_on", "week_locked_on",
)  # fmt: skip


def enforce_rules(run: WatchRun, snapshot: RiskSnapshot, quoted_at: datetime | None) -> int:
    """Do what the rules of the account ask for now; return how many flattenings were requested.

    `quoted_at` is when the oldest quote of a held contract was received. A second run does not act again.
    """
    market_now = run.market_now
    session = session_of(snapshot.risk, market_now)
    is_priced = session is not None or not snapshot.risk.holdings  # while no market trades, a price marks nothing
    touched = find_touched_limits(snapshot, market_now) if is_priced else {}
    now_found = WatchResult(check_account(snapshot.risk, snapshot.book, market_now, session), touched)
    confirmed = confirm(snapshot, now_found, quoted_at, machine_now(), market_now)
    confirmed = replace(confirmed, changed={**confirmed.changed, **keep_values(snapshot, confirmed.changed)})
    found = confirmed.findings
    account = snapshot.account
    # A closed market accepts no orders, and an account that is not ours to trade is not ours to close.
    may_act = session is not None and run.may_guard(account)
    if may_act and snapshot.risk.open_entries:
        cancel_barred_entries(run, snapshot, found)
    action = strongest_action(found) if may_act else RuleAction.NONE
    blocking = [one for one in found if one.action >= RuleAction.BLOCK]
    reason = "; ".join(map(describe_finding, blocking)) or None
    if not confirmed.changed and reason == account.block_reason and action < RuleAction.REDUCE:
        return 0
    acted = 0
    with run.transaction(f"the rules of account {account.id} are enforced in the next watch") as tx:
        locked = accounts.lock(tx.connection, account.id)
        if locked is None or any(getattr(account, name) != getattr(locked, name) for name in _DECIDED_BY):
            return 0  # the snapshot is outdated: the next run, a second later, decides anew
        changed = dict(confirmed.changed)
        _settle_balance(tx, locked, confirmed)
        if reason != account.block_reason:
            changed["block_reason"] = reason
            if account.block_reason is None or reason is None:
                accounts.record_event(tx.connection, account.id, "blocked" if reason else "unblocked", reason or "")
        if changed:
            accounts.change(tx.connection, account.id, **changed)
        if action is RuleAction.REDUCE:
            _reduce(tx, snapshot, blocking, market_now)
        if action is RuleAction.FLATTEN:
            acted = _flatten(tx, run, snapshot, blocking)
    return acted


def _settle_balance(tx: Transaction, locked: AccountRow, confirmed: WatchResult) -> None:
    """Ask the venue about a balance that has moved, if it is time, or record that the amount counts as a result."""
    pending, settled = locked.pending_balance, locked.unexplained_balance or 0
    if confirmed.asks_venue and pending is not None:
        tx.enqueue(CheckBalance(account_id=locked.id, pending_balance=pending, amount=pending - settled))
    if confirmed.is_unexplained and pending is not None:
        told = (
            f"{dollars(pending - settled)} that no fill explains; the venue could not be asked in time, so it counts "
            f"as a result of the day; {balance_moves.describe_command(locked.id)}"
        )
        accounts.record_event(tx.connection, locked.id, "balance_unexplained", told)


def _flatten(tx: Transaction, run: WatchRun, snapshot: RiskSnapshot, found: Sequence[Finding]) -> int:
    """Request to flatten the account, or the contracts that the rules mean, without those in closed markets."""
    account_id, risk = snapshot.account.id, snapshot.risk
    groups, parts = _find_groups(found), list[Holding | OpenEntry]([*risk.holdings, *risk.open_entries])
    meant = [one for one in parts if groups is None or ROOTS[one.root].group in groups]
    tradable = {one.contract_id for one in meant if _is_open(one, run.market_now)}
    is_whole = groups is None and {one.contract_id for one in risk.holdings} <= tradable
    due = [
        contract_id
        for contract_id in ([None] if is_whole else sorted(tradable))
        if flatten_requests.find_open(tx.connection, account_id, contract_id) is None
    ]
    reason = "; ".join(one.message for one in found if one.action is RuleAction.FLATTEN)
    if due:
        accounts.record_event(tx.connection, account_id, "flatten_requested", reason)
    for contract_id in due:
        request = flatten_requests.create(
            tx.connection,
            account_id,
            contract_id,
            origin=Origin.PROTECTOR,
            reason=reason,
            correlation_id=run.id,
        )
        tx.enqueue(Flatten(flatten_request_id=request))
    return len(due)


def _find_groups(found: Sequence[Finding]) -> frozenset[str] | None:
    """Return the groups of contracts that are to be flat, None: all."""
    flattening = [one.groups for one in found if one.action is RuleAction.FLATTEN]
    return None if None in flattening else frozenset().union(*(one for one in flattening if one is not None))


def _is_open(holding: Holding | OpenEntry, market_now: datetime) -> bool:
    """Whether the market of a position or an entry has a session now, pauses included."""
    return assumed_calendar_of(ROOTS[holding.root].group).session_at(market_now) is not None


def _is_traded(holding: Holding, market_now: datetime) -> bool:
    """Whether the market of a position trades now: in a pause the venue rejects an exit."""
    return assumed_calendar_of(ROOTS[holding.root].group).is_open(market_now)


def _reduce(tx: Transaction, snapshot: RiskSnapshot, found: Sequence[Finding], market_now: datetime) -> None:
    """Close half of each position in a market that trades now, rounded up, once a day.

    It is down to a position, as a stop or a person may close a part before.
    Another watch may have requested it since the snapshot. The job and the exit of each have a correlation id of their
    own, by which a rejected exit is found: then it is requested again.
    """
    account_id, day = snapshot.account.id, trading_day_at(market_now)
    made = reductions.list_made(tx.connection, account_id, day)
    due = [one for one in snapshot.risk.holdings if one.contract_id not in made and _is_traded(one, market_now)]
    if due:
        accounts.record_event(tx.connection, account_id, "reduced", "; ".join(one.message for one in found))
    for holding in due:
        reduction = Reduction(account_id, holding.contract_id, day, holding.quantity, new_id())
        request = ReducePosition(
            account_id=account_id,
            contract_id=holding.contract_id,
            target_position=reductions.record(tx.connection, reduction),
            direction=direction_of(holding.quantity),
            origin=Origin.PROTECTOR,
        )
        tx.enqueue(request, correlation_id=reduction.correlation_id)
