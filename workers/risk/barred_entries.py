"""Cancels resting entries that a halt, a limit of the account, the time or unknown market hours forbid."""

from collections.abc import Sequence
from datetime import datetime

from shared.db.market_data import contracts
from shared.db.orders import changes, orders
from shared.db.orders.orders import OrderRow
from shared.db.risk.entry_check import describe_finding
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.orders.order import ChangeKind, OrderState, Origin, Role
from shared.domain.risk.entry_rules import SizedEntry, only_reduces, time_findings
from shared.domain.risk.findings import Finding, RuleAction
from shared.domain.risk.personal_limits import ENTRY_STOPS
from shared.ledger.jobs.orders import ChangeOrder
from shared.ledger.ledger import Transaction
from workers.risk.confirmation import LOSS_RULES
from workers.risk.watch_run import WatchRun

_ENTRY_STOPS = LOSS_RULES | ENTRY_STOPS | {"calendar"}


def cancel_barred_entries(run: WatchRun, snapshot: RiskSnapshot, found: Sequence[Finding]) -> None:
    """Request the cancel of each resting entry that must not fill; those that only reduce a position stay."""
    reason_for_all = _find_reason_for_all(snapshot, found)
    market_now = run.market_now
    with run.transaction(f"barred entries of account {snapshot.account.id} are cancelled in the next watch") as tx:
        for order in orders.list_open(tx.connection, snapshot.account.id):
            if order.role is not Role.ENTRY or order.state is not OrderState.WORKING:
                continue
            contract = contracts.require(tx.connection, order.contract_id)
            # The quantity is 0, because the working order is counted already.
            if only_reduces(SizedEntry(contract, order.side, 0, None), snapshot.risk):
                continue
            reason = reason_for_all or _find_time_violation(contract, snapshot, market_now)
            if reason is not None and not changes.has_open(tx.connection, order.id):
                _request_cancel(tx, order, reason)


def _find_reason_for_all(snapshot: RiskSnapshot, found: Sequence[Finding]) -> str | None:
    if snapshot.account.halt is not None:
        return f"the account is halted: {snapshot.account.halt}"
    stops = (one for one in found if one.action >= RuleAction.BLOCK and one.rule in _ENTRY_STOPS)
    return next(map(describe_finding, stops), None)


def _find_time_violation(contract: Contract, snapshot: RiskSnapshot, market_now: datetime) -> str | None:
    calendar = assumed_calendar_of(ROOTS[contract.root].group)
    session = calendar.session_at(market_now)
    violations = time_findings(contract, snapshot.book, market_now, session=session, calendar=calendar)
    # A closed market cancels no order.
    return next((describe_finding(one) for one in violations if one.rule != "session"), None)


def _request_cancel(tx: Transaction, order: OrderRow, reason: str) -> None:
    change = changes.create(
        tx.connection,
        order.id,
        ChangeKind.CANCEL,
        origin=Origin.PROTECTOR,
        reason=reason,
        correlation_id=order.correlation_id,
    )
    tx.enqueue(ChangeOrder(change_id=change.id), correlation_id=order.correlation_id)
