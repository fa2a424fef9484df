"""The questions of an alert about the jobs before it are read by an index, as the table keeps the jobs of two weeks."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, event

from shared.db.alerts import alerts, awaited_entries, precedence
from shared.db.alerts.alerts import StoredAlert
from shared.db.alerts.awaited_entries import EntryScope
from shared.db.orders import reversals
from shared.domain.orders.order import Side
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

REVERSALS = (
    "INSERT INTO entry_reversal"
    " (request_id, account_id, contract_id, side, quantity_closing, quantity_opening, closes_all)"
    f" SELECT gen_random_uuid(), 20001, '{MNQ}', 'SELL', 1, 1, true FROM generate_series(1, 5000)"
)
Ask = Callable[[Connection, StoredAlert, int], object]


def ask_other_unfinished(connection: Connection, stored: StoredAlert, account_id: int) -> bool:
    return reversals.is_other_unfinished(connection, stored.id, account_id, MNQ, Side.SELL, since=stored.received_at)


def explain(worker_env: WorkerEnv, ask: Ask) -> str:
    """Return the plan of the statement that answers a question."""
    job_id = worker_env.entry_alert()
    ((alert_id,),) = worker_env.rows("SELECT arguments->>'alert_id' FROM job WHERE id = %s", job_id)
    asked: list[tuple[str, Any]] = []
    with worker_env.ledger.engine.connect() as connection:
        stored = alerts.read_alert(connection, UUID(alert_id))
        assert stored is not None
        event.listen(connection, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
        ask(connection, stored, worker_env.venue.account_id)
        [(sql, values)] = asked
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return "\n".join(line for (line,) in connection.exec_driver_sql(f"EXPLAIN {sql}", values))


@pytest.mark.parametrize(
    "ask",
    [
        precedence.awaits_entry,
        precedence.awaits_exit,
        lambda connection, _, account_id: precedence.has_open_reduction(connection, account_id, MNQ),
        lambda connection, stored, account_id: connection.execute(
            awaited_entries.select_of_alerts(EntryScope(stored.id, account_id, MNQ, Side.BUY))
        ),
        lambda connection, stored, account_id: connection.execute(
            awaited_entries.select_of_persons(EntryScope(stored.id, account_id, MNQ, Side.BUY))
        ),
        ask_other_unfinished,
    ],
    ids=["entry", "exit", "reduction", "entries of alerts", "entries of persons", "other close"],
)
def test_unfinished_jobs_are_read_by_their_indexes(worker_env: WorkerEnv, ask: Ask) -> None:
    plan = explain(worker_env, ask)

    assert "ix_job_due" in plan, plan
    assert "Seq Scan on job" not in plan, plan


def test_what_an_unfinished_job_closes_is_read_by_its_key(worker_env: WorkerEnv) -> None:
    """Otherwise each of those jobs would be compared with every reversal of the account."""
    worker_env.execute(REVERSALS)
    worker_env.execute("ANALYZE entry_reversal")
    plan = explain(worker_env, ask_other_unfinished)

    assert "Index Cond: ((request_id = CASE" in plan, plan
