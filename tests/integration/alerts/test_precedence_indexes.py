"""The questions of an alert about the jobs before it are read by an index, as the table keeps the jobs of two weeks."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, event

from shared.db.alerts import alerts, precedence
from shared.db.alerts.alerts import StoredAlert
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


@pytest.mark.parametrize(
    "ask",
    [
        precedence.awaits_entry,
        precedence.awaits_exit,
        lambda connection, _, account_id: precedence.has_open_reduction(connection, account_id, MNQ),
    ],
    ids=["entry", "exit", "reduction"],
)
def test_unfinished_jobs_are_read_by_their_indexes(
    worker_env: WorkerEnv, ask: Callable[[Connection, StoredAlert, int], bool]
) -> None:
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
        plan = "\n".join(line for (line,) in connection.exec_driver_sql(f"EXPLAIN {sql}", values))

    assert "ix_job_due" in plan, plan
    assert "Seq Scan on job" not in plan, plan
