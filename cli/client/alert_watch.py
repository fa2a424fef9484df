"""Follows the received alerts: the new ones, and those whose outcome has changed."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from cli.client.alert_view import read_outcomes, to_row
from shared.clock import machine_now
from shared.db.alerts import alert_history
from shared.db.alerts.alert_history import AlertFilter, AlertRecord
from shared.ids import lowest_id_at

_PAGE = 1_000
# Of its receipt, which makes its id: an alert of the spool is stored after an outage.
_STORED_WITHIN = timedelta(days=7)
_MOST_KNOWN = 20_000  # alerts by which a later poll tells the new ones, the newest


class AlertWatch:
    """Reads what is new at each poll; an alert is read again while its outcome may change."""

    def __init__(self, chosen: AlertFilter) -> None:
        self._chosen = chosen
        self._printed: dict[UUID, dict[str, Any]] = {}
        self._may_change: set[UUID] = set()
        self._known: set[UUID] = set()
        self._after = lowest_id_at(machine_now() - _STORED_WITHIN)

    def start(self, connection: Connection, limit: int) -> list[dict[str, Any]]:
        """Return the newest alerts, oldest first."""
        self._list_unknown(connection)
        return self._changed_rows(connection, alert_history.list_newest(connection, self._chosen, limit)[::-1])

    def poll(self, connection: Connection) -> Iterator[dict[str, Any]]:
        """Yield each alert that is new, or has another outcome than when it was yielded last.

        New is one whose row was not there before, also if it was received before others that were.
        """
        followed = alert_history.list_by_ids(connection, self._may_change) if self._may_change else []
        yield from self._changed_rows(connection, followed)
        unknown = self._list_unknown(connection)
        for start in range(0, len(unknown), _PAGE):
            page = alert_history.list_by_ids(connection, unknown[start : start + _PAGE], self._chosen)
            yield from self._changed_rows(connection, page)
        self._printed = {alert_id: row for alert_id, row in self._printed.items() if alert_id in self._may_change}

    def _list_unknown(self, connection: Connection) -> list[UUID]:
        """Return the ids of the alerts of any kind that were not there before, oldest first; they are known then."""
        ids = alert_history.list_ids_after(connection, self._after, 2 * _MOST_KNOWN)
        unknown = sorted(set(ids) - self._known)
        self._after = max(self._after, lowest_id_at(machine_now() - _STORED_WITHIN), *ids[_MOST_KNOWN:][:1])
        self._known = {alert_id for alert_id in ids if alert_id > self._after}
        return unknown

    def _changed_rows(self, connection: Connection, records: Sequence[AlertRecord]) -> list[dict[str, Any]]:
        changed = []
        for outcome in read_outcomes(connection, records):
            row = to_row(outcome)
            if self._printed.get(outcome.record.id) != row:
                self._printed[outcome.record.id] = row
                changed.append(row)
            (self._may_change.add if outcome.may_change else self._may_change.discard)(outcome.record.id)
        return changed
