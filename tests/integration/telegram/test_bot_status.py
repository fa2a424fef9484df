"""What `/status` says of what maintains it: a row that was not compared with the venue is no proof of being flat."""

import pytest

from tests.fixtures.telegram_bot import Person
from tests.fixtures.worker_env import WorkerEnv

pytestmark = pytest.mark.usefixtures("bot")

COMPARED = "UPDATE account SET compared_until_at = now() - interval '{}'"
ADD_WORKER = """
    INSERT INTO worker (id, fleet, host, process_id, version, seen_at)
    VALUES (gen_random_uuid(), 'critical', 'a', 1, '1', now() - interval '3 h')
"""


def test_status_calls_an_account_flat_only_if_it_was_compared_lately(worker_env: WorkerEnv, anna: Person) -> None:
    worker_env.execute(COMPARED.format("1 min"))
    assert anna.ask("/status").endswith(", flat")
    worker_env.execute(COMPARED.format("5 h"))
    told = anna.ask("/status")
    assert told.endswith(", no position known, NOT COMPARED with the venue for 5 h 0 min")
    assert "flat" not in told
    assert "no position, no order, but NOT COMPARED with the venue for 5 h 0 min." in anna.ask("/flatten")
    worker_env.execute("UPDATE account SET compared_until_at = NULL")
    assert anna.ask("/status").endswith(", no position known, NEVER COMPARED with the venue")


def test_status_says_that_no_risk_monitor_feed_or_worker_runs(worker_env: WorkerEnv, anna: Person) -> None:
    told = anna.ask("/status").splitlines()
    assert "Risk monitor: NONE runs." in told
    assert [line for line in told if line.startswith("Feed: no report")]
    assert "Workers: NONE runs, so no order is sent and no position is closed." in told
    worker_env.execute(
        "INSERT INTO risk_monitor (host, pid, active_since_at, ran_at, run_count, last_delay, p50_delay, max_delay)"
        " VALUES ('a', 1, now(), now() - interval '5 min', 1, '0 s', '0 s', '0 s')"
    )
    worker_env.execute(ADD_WORKER)
    told = anna.ask("/status").splitlines()
    assert "Risk monitor: SILENT for 5 min (process 1 on a)." in told
    assert "Workers of the fleet critical: GONE, no heartbeat for 3 h 0 min." in told
