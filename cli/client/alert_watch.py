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
_COMMITTED_WITHIN = timedelta(seconds=10)  # an alert may be committed after one with a later id


class AlertWatch:
    """Reads what is new at each poll; an alert is read again while its outcome may change."""

    def __init__(self, chosen: AlertFilter) -> None:
        self._chosen = chosen
        self._printed: dict[UUID, dict[str, Any]] = {}
        self._may_change: set[UUID] = set()
        self._after = lowest_id_at(machine_now() - _COMMITTED_WITHIN)

    def start(self, connection: Connection, limit: int) -> list[dict[str, Any]]:
        """Return the newest alerts, oldest first."""
        return self._changed_rows(connection, alert_history.list_newest(connection, self._chosen, limit)[::-1])

    def poll(self, connection: Connection) -> Iterator[dict[str, Any]]:
        """Yield each alert that is new, or has another outcome than when it was yielded last."""
        followed = alert_history.list_by_ids(connection, self._may_change) if self._may_change else []
        yield from self._changed_rows(connection, followed)
        floor, after = lowest_id_at(machine_now() - _COMMITTED_WITHIN), self._after
        while page := alert_history.list_after(connection, self._chosen, after, _PAGE):
            yield from self._changed_rows(connection, [one for one in page if one.id not in self._printed])
            after = page[-1].id
        self._after = floor
        self._printed = {
            alert_id: row for alert_id, row in self._printed.items() if alert_id > floor or alert_id in self._may_change
        }

    def _changed_rows(self, connection: Connection, records: Sequence[AlertRecord]) -> list[dict[str, Any]]:
        changed = []
        for outcome in read_outcomes(connection, records):
            row = to_row(outcome)
            if self._printed.get(outcome.record.id) != row:
                self._printed[outcome.record.id] = row
                changed.append(row)
            (self._may_change.add if outcome.may_change else self._may_change.discard)(outcome.record.id)
        return changed
