"""An order between the commit that makes it SUBMITTING and the call: its visibility, its sender and its expiry."""

import subprocess
import sys
from datetime import timedelta
from threading import Thread

import psycopg
import pytest

from shared.clock import machine_now
from shared.domain.orders.order import OrderState
from shared.gateway.client import GatewayClient
from shared.gateway.orders.mutations import Mutations
from shared.gateway.orders.order_request import OrderRequest
from shared.ledger import recovery
from tests.fixtures.entries import ENTRY, age_in_doubt_order, tags_at_venue
from tests.fixtures.processes import until
from tests.fixtures.program_env import make_program_env
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.orders import submit
from workers.wiring import open_runner

WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_an_order_is_committed_as_submitting_before_the_call(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled, seen = worker_env.entry_alert(), list[tuple[str, str, list[str]]]()
    place = Mutations.place

    def read_rows_first(gateway: GatewayClient, request: OrderRequest) -> int:
        seen.extend((row[0], row[2], tags_at_venue(worker_env)) for row in worker_env.rows(ENTRY))
        return place(gateway, request)

    monkeypatch.setattr(Mutations, "place", read_rows_first)
    worker_env.runner.run(handled)

    assert [(OrderState.SUBMITTING, tags_at_venue(worker_env)[0], [])] == seen
    assert "succeeded" == worker_env.job(handled)[0]


def test_an_order_of_a_process_killed_before_the_call_is_searched_for_before_it_is_sent(
    worker_env: WorkerEnv,
) -> None:
    handled = worker_env.entry_alert()
    command = [sys.executable, "-m", "tests.fixtures.crash_before_submit", "dying/1", str(handled)]
    subprocess.run(command, env=make_program_env(worker_env), check=True, timeout=100)
    assert [OrderState.SUBMITTING] == [row[0] for row in worker_env.rows(ENTRY)]
    assert [] == tags_at_venue(worker_env)
    ((place,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.place_order' AND state = 'running'")
    connection = worker_env.ledger.connection.open()
    assert 1 == len(recovery.release_lost(connection, process("dying/1"), "its process is gone"))
    worker_env.runner.run(place)

    assert [] == tags_at_venue(worker_env)
    age_in_doubt_order(worker_env)
    worker_env.run_due_jobs()
    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert 1 == len(tags_at_venue(worker_env))


def test_an_entry_that_expires_while_it_waits_for_the_account_is_not_sent(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled = worker_env.entry_alert()
    with psycopg.connect(worker_env.settings.database_url) as holding:
        holding.execute("SELECT 1 FROM account FOR UPDATE")

        def expire_entry() -> None:
            until(lambda: [] != worker_env.rows(WAITS_FOR_A_LOCK), 60, "an entry that waits")
            past_expiry = worker_env.settings.entry_ttl + timedelta(minutes=1)
            monkeypatch.setattr(submit, "machine_now", lambda: machine_now() + past_expiry)
            holding.rollback()

        expiry = Thread(target=expire_entry)
        expiry.start()
        worker_env.runner.run(handled)
        expiry.join()

    assert [OrderState.EXPIRED] == [row[0] for row in worker_env.rows(ENTRY)]
    assert [] == tags_at_venue(worker_env)


def test_an_entry_expires_at_the_last_entry_of_the_day_even_if_its_alert_lasts_longer(
    worker_env: WorkerEnv,
) -> None:
    """At 15:00 in Chicago, eight minutes before the last entry of the day; the alert itself expires after an hour."""
    ((market_began_at,),) = worker_env.rows(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 20:00:00+00', speed = 1 "
        "RETURNING machine_origin_at"
    )
    handled = worker_env.entry_alert()
    with open_runner(worker_env.settings, process("late/1"), program="test") as late:
        late.run(handled)

    assert [(market_began_at + timedelta(minutes=8),)] == worker_env.rows(
        "SELECT expires_at FROM orders WHERE role = 'ENTRY' AND created_at < expires_at"
    )


def test_an_order_without_a_token_waits_for_a_login_before_it_is_submitting(worker_env: WorkerEnv) -> None:
    logins = len(worker_env.venue.requests("/api/Auth/loginKey"))
    worker_env.redis.delete(*worker_env.redis.keys("*token*"))
    worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert logins + 1 == len(worker_env.venue.requests("/api/Auth/loginKey"))
    assert [OrderState.FILLED] == [row[0] for row in worker_env.rows(ENTRY)]
