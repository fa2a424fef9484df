"""The order of a close has no tag: it is ours by the close that was sent, and what others place stays external."""

import pytest

from shared.db.accounts import accounts
from shared.db.risk import risk_snapshots
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

QUERY = "/api/Order/v2/query"
_UNTAGGED = "SELECT origin, role, state FROM orders WHERE client_order_id IS NULL ORDER BY created_at"


@pytest.fixture
def holding(worker_env: WorkerEnv) -> WorkerEnv:
    """Hold two contracts that an alert bought, with their bracket."""
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    return worker_env


def test_the_order_of_a_flatten_names_who_closed(holding: WorkerEnv) -> None:
    holding.flatten(MNQ)
    holding.run_due_jobs()

    assert [("manual", "EXIT", "FILLED")] == holding.rows(_UNTAGGED)
    assert [(True,)] == holding.rows(
        "SELECT orders.correlation_id = flatten_request.correlation_id FROM orders, flatten_request WHERE role = 'EXIT'"
    )
    assert [(2, True)] == holding.rows(
        "SELECT sum(fill.quantity), bool_and(role = 'EXIT') FROM fill JOIN orders ON orders.id = order_id"
        " WHERE fill.side = 'SELL'"
    )


def test_the_order_of_a_close_by_alert_has_the_alerts_origin_and_cause(holding: WorkerEnv) -> None:
    job = holding.critical_alert()
    holding.run_due_jobs()

    assert [("alert", "EXIT", "FILLED")] == holding.rows(_UNTAGGED)
    assert [(True,)] == holding.rows(
        "SELECT orders.correlation_id = job.correlation_id FROM orders, job WHERE role = 'EXIT' AND job.id = %s", job
    )


def test_the_order_of_a_flatten_that_is_seen_late_names_who_closed(holding: WorkerEnv) -> None:
    job = holding.flatten(MNQ)
    holding.venue.faults(path=QUERY, kind="status", status=500, count=None)
    holding.runner.run(job)
    assert [] == holding.rows(_UNTAGGED)
    holding.execute("UPDATE contract_close SET sent_at = sent_at - interval '1 minute'")
    holding.venue.remove_faults()
    holding.run_due_jobs()

    assert [("manual", "EXIT", "FILLED")] == holding.rows(_UNTAGGED)


def test_what_a_person_closes_elsewhere_stays_external_also_after_a_flatten(holding: WorkerEnv) -> None:
    holding.flatten(MNQ)
    holding.run_due_jobs()
    holding.venue.trade()
    holding.venue.close_position()
    holding.run(ReconcileAccounts())

    assert [("manual", "EXIT", "FILLED"), *[("external", "OTHER", "FILLED")] * 2] == holding.rows(_UNTAGGED)


@pytest.mark.parametrize("column", ["side", "sent_market_at"])
def test_an_order_of_another_side_or_of_before_the_close_stays_external(holding: WorkerEnv, column: str) -> None:
    other = {"side": "'BUY'", "sent_market_at": "sent_market_at + interval '1 minute'"}[column]
    job = holding.flatten(MNQ)
    holding.venue.faults(path=QUERY, kind="status", status=500, count=None)
    holding.runner.run(job)
    holding.execute(f"UPDATE contract_close SET {column} = {other}")
    holding.venue.remove_faults()
    holding.run_due_jobs()

    assert [("external", "OTHER", "FILLED")] == holding.rows(_UNTAGGED)


def test_a_close_that_still_works_when_nothing_is_held_counts_as_no_entry(holding: WorkerEnv) -> None:
    holding.flatten(MNQ)
    holding.run_due_jobs()
    holding.execute("UPDATE orders SET state = 'WORKING', filled_quantity = 0 WHERE role = 'EXIT'")
    with holding.ledger.engine.begin() as connection:
        found = risk_snapshots.read(
            connection, accounts.list_all(connection), holding.venue.clock, lambda _: lambda *_: None
        )

    assert () == found[holding.venue.account_id].risk.open_entries
