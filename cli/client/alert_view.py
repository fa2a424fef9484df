"""Received alerts with their outcomes, as `tickwork alerts` shows them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from cli.client.alert_reading import read_body
from shared.db import views
from shared.db.accounts import accounts
from shared.db.alerts import alert_history, hooks
from shared.db.alerts.alert_history import AlertRecord
from shared.domain.accounts.account_name import shorten_account
from shared.domain.alerts.copy_ratio import SAME
from shared.domain.error_text import shorten_error
from shared.domain.orders.order import OrderState, Role

_PENDING = {OrderState.CREATED, OrderState.SUBMITTING, OrderState.IN_DOUBT, OrderState.WORKING}
_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class AlertOutcome:
    """An alert with the signals made from it, its orders without the legs, and its flatten requests."""

    record: AlertRecord
    signals: Sequence[dict[str, Any]]
    trades: Sequence[dict[str, Any]]
    flatten_requests: Sequence[dict[str, Any]]

    @property
    def may_change(self) -> bool:
        """Whether a job of it has not ended, or an order of it may still fill."""
        return self.record.has_live_jobs or any(row["state"] in _PENDING for row in self.trades)

    @property
    def order_states(self) -> list[str]:
        """The states of its orders, and FLAT, FLATTENING or NOT_FLATTENED for each contract that is closed."""
        dropped = ["NOT_FLATTENED" for row in self.flatten_requests if row["dropped_at"]]
        closing = ["FLAT" if row["flat_at"] else "FLATTENING" for row in self.flatten_requests if not row["dropped_at"]]
        return [row["state"] for row in self.trades] + closing + dropped

    @property
    def reason(self) -> str | None:
        """Why it was refused or denied, or why its job failed, else its signal's reason; and that it is a replay."""
        record = self.record
        if record.verdict == "refused":
            return record.reason
        denied = _join(list(self._list_denials()), "; ")
        result = record.job_result if isinstance(record.job_result, dict) else {}
        candidates = [
            denied,
            # Of one that has done its work the error is that of an earlier attempt.
            record.job_error and record.job_state != "succeeded" and shorten_error(record.job_error),
            result.get("nothing_to_do"),
            result.get("test"),
            *(row["reason"] for row in self.signals),
            None if self.signals else result.get("waits_for_approval"),
        ]
        return _join([*filter(None, candidates)][:1] + ([record.reason] if record.reason else []), "; ")

    def _list_denials(self) -> Iterator[str]:
        """Yield why the entry was denied; where several accounts were asked, with the names of those it was denied."""
        denied: dict[str, list[str]] = defaultdict(list)
        for row in self.signals:
            if row["verdict"] == "denied":
                denied[row["reason"]].append(shorten_account(row["account_name"]))
        for reason, names in denied.items():
            yield f"{', '.join(names)}: {reason}" if len(self.signals) > 1 else reason


def read_outcomes(connection: Connection, records: Sequence[AlertRecord]) -> list[AlertOutcome]:
    """Return these alerts with their outcomes."""
    accepted = [one for one in records if one.job_id is not None]
    causes = [one.correlation_id for one in accepted if one.correlation_id is not None]
    signals = _group(alert_history.list_signals(connection, [one.id for one in accepted]), "alert_id")
    orders = _group(alert_history.list_orders(connection, causes), "correlation_id")
    flattens = _group(alert_history.list_flatten_requests(connection, causes), "correlation_id")
    return [
        AlertOutcome(
            one,
            _sort_by_account(signals.get(one.id, []), one),
            _sort_by_account(filter(_is_trade, orders.get(one.correlation_id, [])), one),
            _sort_by_account(flattens.get(one.correlation_id, []), one),
        )
        for one in records
    ]


def to_row(outcome: AlertOutcome) -> dict[str, Any]:
    """Return an alert and its outcome as one row of a list."""
    record, alert = outcome.record, read_body(outcome.record.body, outcome.record.dialect).alert
    submitted_at = min((row["submitted_at"] for row in outcome.trades if row["submitted_at"]), default=None)
    return {
        "id": record.id,
        "received_at": record.received_at,
        "hook": record.hook,
        "action": record.action or (alert and alert.kind),
        "root": record.root or (alert and alert.root.name),
        "quantity": alert.quantity if alert and alert.target_position is None else None,
        "target_position": alert and alert.target_position,
        "verdict": record.verdict,
        "job": record.job_state,
        "signals": [{name: row[name] for name in ("account_id", "account_name", "verdict")} for row in outcome.signals],
        "orders": outcome.order_states,
        "submitted_ms": submitted_at and _milliseconds(record.received_at, submitted_at),
        "reason": outcome.reason,
    }


def to_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `to_row` for a table: its signals and the states of its orders as text, None without any."""
    signals = row["signals"]
    return row | {
        "signal": _join(
            f"{shorten_account(one['account_name'])} {one['verdict']}" if len(signals) > 1 else one["verdict"]
            for one in signals
        ),
        "order": _join(state.replace("_", " ") if state == "NOT_FLATTENED" else state for state in row["orders"]),
    }


def describe_outcome(row: dict[str, Any]) -> str:
    """Return the outcome of an alert, a row of `to_row`, in one line without its reason."""
    cells = to_cells(row)
    states = [f"{name} {cells[name]}" for name in ("job", "signal", "order") if cells[name]]
    delay = [] if row["submitted_ms"] is None else [f"submitted after {row['submitted_ms']} ms"]
    return ", ".join([row["verdict"], *states, *delay])


def read_accounts(connection: Connection, outcome: AlertOutcome) -> list[dict[str, Any]]:
    """Return what the alert led to on each account, the hook's own account first."""
    record = outcome.record
    if record.job_id is None or record.correlation_id is None:
        return []
    names = {one.id: one.name for one in accounts.list_all(connection)}
    jobs = {
        _account_of(row, record): row
        for row in views.list_related_jobs(connection, record.job_id)
        if _handles(row, record)
    }
    signals = {row["account_id"]: row for row in outcome.signals}
    orders = alert_history.list_orders(connection, [record.correlation_id])
    for request in outcome.flatten_requests:
        orders += alert_history.list_closing_orders(connection, request)
    fills = alert_history.list_fills(connection, [row["id"] for row in orders])
    ids = dict.fromkeys([record.account_id, *jobs, *signals])
    ratios = hooks.list_followers(connection).get(record.hook_id, {})
    return [
        {
            "account_id": account_id,
            "account": names.get(account_id),
            "copy_ratio_now": ratios.get(account_id, SAME if account_id == record.account_id else None),
            "job": jobs.get(account_id),
            "signal": signals.get(account_id),
            "orders": _of_account(orders, account_id),
            "fills": _of_account(fills, account_id),
            "flatten_requests": _of_account(outcome.flatten_requests, account_id),
        }
        for account_id in ids
    ]


def _is_trade(order: dict[str, Any]) -> bool:
    """Whether the alert placed the order by itself: neither a leg nor the close of a flatten, which has no tag."""
    return order["role"] == Role.ENTRY or (order["role"] == Role.EXIT and order["client_order_id"] is not None)


def _handles(job: dict[str, Any], record: AlertRecord) -> bool:
    return job["id"] == record.job_id or {"alert_id", "account_id"}.issubset(job["arguments"])


def _account_of(job: dict[str, Any], record: AlertRecord) -> int:
    return int(job["arguments"].get("account_id", record.account_id))


def _group(rows: Iterable[dict[str, Any]], key: str) -> dict[UUID | None, list[dict[str, Any]]]:
    groups: dict[UUID | None, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _sort_by_account(rows: Iterable[dict[str, Any]], record: AlertRecord) -> list[dict[str, Any]]:
    """Return the rows with those of the hook's own account first."""
    return sorted(rows, key=lambda row: (row["account_id"] != record.account_id, row["account_id"]))


def _of_account(rows: Sequence[dict[str, Any]], account_id: int) -> list[dict[str, Any]]:
    return [row for row in rows if row["account_id"] == account_id]


def _join(words: Iterable[str], separator: str = ", ") -> str | None:
    return separator.join(words) or None


def _milliseconds(start: datetime, end: datetime) -> int:
    return round((end - start).total_seconds() * _MILLISECONDS)
