"""The canary: a job that shows that its queue is served."""

from datetime import timedelta

from shared.db.engine import driver
from shared.fleets import Queue
from shared.ledger import queues
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.processes import until


def test_a_canary_passes_through_every_served_queue_and_shows_which_is_not_served(ledger_env: LedgerEnv) -> None:
    ledger_env.start("scheduler", "relay")
    ledger_env.start("workers", "critical")
    ledger_env.start("workers", "bulk")
    served = "SELECT queue FROM queue_state WHERE canary_done_at IS NOT NULL ORDER BY queue"
    until(lambda: 3 == len(ledger_env.rows(served)), 300, "three canaries")  # the bulk fleet has the lowest priority

    assert ["background", "critical", "low"] == [row["queue"] for row in ledger_env.rows(served)]
    assert [] == ledger_env.rows("SELECT 1 FROM queue_state WHERE canary_done_at IS NOT NULL AND canary_wait IS NULL")


def test_only_one_of_two_relays_requests_a_canary(ledger_env: LedgerEnv) -> None:
    with ledger_env.ledger.engine.begin() as one, ledger_env.ledger.engine.connect() as other:
        first = queues.request_canaries(driver(one), timedelta(seconds=10))
        one.commit()
        second = queues.request_canaries(driver(other), timedelta(seconds=10))

    assert (set(Queue), []) == (set(first), second)
