"""What has just happened to alerts, orders, accounts and jobs, as lines for the console of `up`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from shared.clock import machine_now
from shared.domain.market_data.price_text import format_price_of
from shared.ids import CLOCK_SKEW, lowest_id_at

# Longest time between the instant of a row and its commit; an event whose row comes later is not found.
_COMMITTED_WITHIN = timedelta(seconds=10)
# Each part reads by an index: of ids, which begin with the time of their creation, or of the states.
_EVENTS = text("""
    SELECT 'alert' AS kind, id::text AS key, received_at AS at,
           format('hook %s: %s: %s', hook_name, verdict, reason) AS line,
           NULL::numeric AS price, NULL AS contract_id, NULL AS ending
    FROM (SELECT alert.*, hook.name AS hook_name FROM alert JOIN hook ON hook.id = hook_id
          WHERE alert.id > :lowest_id AND received_at > :since AND verdict = 'refused') AS refused
    UNION ALL
    SELECT CASE WHEN hook.name IS NOT NULL THEN 'alert' ELSE lower(signal.origin) END, signal.id::text, decided_at,
           concat_ws(' ', coalesce('hook ' || hook.name, strategy) || ':',
                     signal.action, signal.quantity, signal.contract_id, 'on ' || account.name || ':',
                     signal.verdict || coalesce(': ' || signal.reason, '')), NULL, NULL, NULL
    FROM signal JOIN account ON account.id = signal.account_id
    LEFT JOIN alert ON alert.id = alert_id LEFT JOIN hook ON hook.id = alert.hook_id
    WHERE signal.id > :lowest_id AND decided_at > :since
    UNION ALL
    SELECT 'filled', format('%s %s', account.id, venue_fill_id), recorded_at,
           concat_ws(' ', side, quantity, contract_id, 'at'), price, contract_id,
           concat_ws(' ', 'on ' || account.name, '(' || lower(replace(role, '_', ' ')) || ')')
    FROM account CROSS JOIN LATERAL (SELECT fill.*, orders.role FROM fill LEFT JOIN orders ON orders.id = order_id
                                     WHERE fill.account_id = account.id AND NOT is_voided
                                     ORDER BY venue_fill_id DESC LIMIT 50) AS newest
    WHERE recorded_at > :since
    UNION ALL
    SELECT 'rejected', orders.id::text, orders.updated_at,
           concat_ws(' ', side, quantity, contract_id, 'on ' || account.name || ':', reason), NULL, NULL, NULL
    FROM orders JOIN account ON account.id = account_id
    WHERE created_at > :since - interval '1 hour' AND state = 'REJECTED' AND orders.updated_at > :since
    UNION ALL
    SELECT kind, account_event.id::text, happened_at, format('%s: %s', account.name, message), NULL, NULL, NULL
    FROM account_event JOIN account ON account.id = account_id
    WHERE account_event.id > :lowest_id AND happened_at > :since
    UNION ALL
    SELECT 'dead job', id::text, finished_at,
           format('%s %s stays dead until you act: `tickwork jobs show %s`', name, id, id), NULL, NULL, NULL
    FROM job WHERE state = 'dead' AND finished_at > :since
    ORDER BY at, key
""")


@dataclass(frozen=True, slots=True)
class RecentEvent:
    """Something that happened `at` an instant of machine time; `key` names it among those of its kind."""

    kind: str
    key: str
    at: datetime
    line: str


def list_since(connection: Connection, since: datetime) -> list[RecentEvent]:
    """Return the events whose rows say that they happened after `since`, oldest first."""
    values = {"since": since, "lowest_id": lowest_id_at(since - CLOCK_SKEW)}
    return [
        RecentEvent(one.kind, one.key, one.at, one.line if one.price is None else _describe_fill(one))
        for one in connection.execute(_EVENTS, values)
    ]


def _describe_fill(one: Row[Any]) -> str:
    return f"{one.line} {format_price_of(one.contract_id, one.price)} {one.ending}"


class RecentEvents:
    """Reads the events from now on, each once."""

    def __init__(self) -> None:
        self._began_at = self._since = machine_now()
        self._seen: set[tuple[str, str]] = set()

    def read_new(self, connection: Connection) -> list[RecentEvent]:
        """Return the events since the last call, also those of rows that were committed late."""
        read_at = machine_now()
        found = list_since(connection, max(self._began_at, self._since - _COMMITTED_WITHIN))
        new = [one for one in found if (one.kind, one.key) not in self._seen]
        self._since, self._seen = read_at, {(one.kind, one.key) for one in found}
        return new
