"""Between the commit that makes an order SUBMITTING and the call: who sees it, who may still send it, until when."""

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
from shared.gateway.orders.order_request import OrderTicket
from shared.ledger import recovery
from tests.fixtures.entries import ENTRY, believe_absence, tags_at_venue
from tests.fixtures.processes import until
from tests.fixtures.program_env import env_of
from tests.fixtures.worker_env import Desk
from workers.orders import submit
from workers.wiring import open_runner

WAITS_FOR_A_LOCK = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_an_order_is_submitting_for_all_to_see_before_the_venue_hears_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled, seen = desk.alert(), list[tuple[str, str, list[str]]]()
    place = Mutations.place

    def look_first(gateway: GatewayClient, ticket: OrderTicket) -> int:
        seen.extend((row[0], row[2], tags_at_venue(desk)) for row in desk.rows(ENTRY))
        return place(gateway, ticket)

    monkeypatch.setattr(Mutations, "place", look_first)
    desk.runner.run(handled)

    assert [(OrderState.SUBMITTING, tags_at_venue(desk)[0], [])] == seen
    assert "succeeded" == desk.job(handled)[0]


def test_a_process_killed_between_the_commit_and_the_call_leaves_an_order_that_is_looked_for_first(desk: Desk) -> None:
    handled = desk.alert()
    command = [sys.executable, "-m", "tests.fixtures.crash_before_submit", "dying/1", str(handled)]
    subprocess.run(command, env=env_of(desk), check=True, timeout=100)
    assert [OrderState.SUBMITTING] == [row[0] for row in desk.rows(ENTRY)]
    assert [] == tags_at_venue(desk)
    ((place,),) = desk.rows("SELECT id FROM job WHERE name = 'orders.place_order' AND state = 'running'")
    assert 1 == recovery.release_lost(desk.ledger.line.open(), "dying/1", "its process is gone")
    desk.runner.run(place)

    assert [] == tags_at_venue(desk)
    believe_absence(desk)
    desk.work()
    assert [OrderState.FILLED] == [row[0] for row in desk.rows(ENTRY)]
    assert 1 == len(tags_at_venue(desk))


def test_an_entry_whose_time_ran_out_while_it_waited_for_the_account_is_not_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled = desk.alert()
    with psycopg.connect(desk.settings.database_url) as holding:
        holding.execute("SELECT 1 FROM account FOR UPDATE")

        def let_its_time_run_out() -> None:
            until(lambda: [] != desk.rows(WAITS_FOR_A_LOCK), 60, "an entry that waits")
            after_it = desk.settings.entry_ttl + timedelta(minutes=1)
            monkeypatch.setattr(submit, "machine_now", lambda: machine_now() + after_it)
            holding.rollback()

        time_runs = Thread(target=let_its_time_run_out)
        time_runs.start()
        desk.runner.run(handled)
        time_runs.join()

    assert [OrderState.EXPIRED] == [row[0] for row in desk.rows(ENTRY)]
    assert [] == tags_at_venue(desk)


def test_no_entry_is_sent_after_the_last_entry_of_the_day_however_long_the_alert_is_worth_it(desk: Desk) -> None:
    """At 15:00 in Chicago, eight minutes before nothing new may be entered; the alert itself is worth an hour."""
    ((market_began_at,),) = desk.rows(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 20:00:00+00', speed = 1 "
        "RETURNING machine_origin_at"
    )
    handled = desk.alert()
    with open_runner(desk.settings, "late/1", program="test") as late:
        late.run(handled)

    assert [(market_began_at + timedelta(minutes=8),)] == desk.rows(
        "SELECT expires_at FROM orders WHERE role = 'ENTRY' AND intended_at < expires_at"
    )


def test_without_a_login_at_hand_the_order_waits_for_one_before_it_is_submitting(desk: Desk) -> None:
    logins = len(desk.venue.requests("/api/Auth/loginKey"))
    desk.redis.delete(*desk.redis.keys("*token*"))
    desk.alert()
    desk.work()

    assert logins + 1 == len(desk.venue.requests("/api/Auth/loginKey"))
    assert [OrderState.FILLED] == [row[0] for row in desk.rows(ENTRY)]
