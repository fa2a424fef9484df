"""`tickwork status` and `doctor` while every program runs, and jobs are dead, calls fail or a root is wrong."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from scheduler.beat import Beat
from scheduler.timetable import TIMETABLE
from shared.ids import new_id
from shared.overview.paused_jobs import NEEDED
from tests.fixtures.alert_steps import run_until
from tests.fixtures.feed_reports import report_feed
from tests.fixtures.operator import RunCommand
from tests.fixtures.telegram_service import BOT_ID, TOKEN
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

BARS = "/api/History/retrieveBars"
LATE_FILL = f"""
    WITH late AS (
        INSERT INTO orders (id, account_id, contract_id, origin, role, side, type, quantity, filled_quantity, state,
                            correlation_id)
        VALUES (gen_random_uuid(), 20001, '{MNQ}', 'alert', 'ENTRY', 'BUY', 'MARKET', 1, 1, 'FILLED', gen_random_uuid())
        RETURNING id
    ), filled AS (
        INSERT INTO fill (account_id, venue_fill_id, order_id, venue_order_id, contract_id, side, quantity, price, fees,
                          commissions, filled_market_at)
        SELECT 20001, 1, id, 1, '{MNQ}', 'BUY', 1, 20000, 0, 0, now() FROM late
    ), held AS (
        INSERT INTO position (account_id, contract_id, direction, quantity, opened_market_at)
        VALUES (20001, '{MNQ}', 'LONG', 1, now())
    )
    INSERT INTO entry_reversal (request_id, account_id, contract_id, side, quantity_closing, quantity_opening,
                                quantity_offset, unconfirmed_ids, closes_all)
    SELECT '{new_id()}', 20001, '{MNQ}', 'SELL', 0, 0, 1, ARRAY[id], true FROM late
"""


@pytest.fixture(autouse=True)
def running_stack(worker_env: WorkerEnv) -> Iterator[None]:
    """A stack that seems to run."""
    lock = Lock(Home(worker_env.settings.home).root)
    lock.acquire()
    write_running(worker_env)
    yield
    lock.close()


@pytest.fixture(autouse=True)
def working_feed(worker_env: WorkerEnv) -> None:
    """The report of a feed, which stays fresh for as long as a test takes."""
    report_feed(worker_env, is_subscribed=False, age=-timedelta(minutes=5))  # fills are polled


def write_running(worker_env: WorkerEnv, **more: str) -> None:
    settings = worker_env.settings
    environment = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url} | more
    state = {"pid": 1, "programs": [], "urls": {"receiver": "http://127.0.0.1:9"}, "environment": environment}
    write_state(Home(settings.home), state)


def add_job(worker_env: WorkerEnv, name: str, state: str, error: str) -> None:
    worker_env.execute(
        "INSERT INTO job (id, name, queue, arguments, max_attempts, correlation_id, sequence_id, state, error,"
        f" finished_at) VALUES ('{new_id()}', '{name}', 'high', '{{}}', 1, gen_random_uuid(), gen_random_uuid(),"
        f" '{state}', '{error}', now())"
    )


def problems(operator: RunCommand) -> dict[str, str]:
    found: dict[str, Any] = operator("status", "--json").json
    return {one["name"]: one["detail"] for one in found["problems"]}


def check(operator: RunCommand, name: str) -> dict[str, str]:
    return next(one for one in operator("doctor", "--json").json["checks"] if one["name"] == name)


def test_a_stack_without_trouble_has_no_problem(operator: RunCommand) -> None:
    assert {} == problems(operator)
    assert ("fine", "fine") == (check(operator, "jobs")["state"], check(operator, "venue calls")["state"])
    assert "PROBLEM" not in operator("status").words


def test_dead_jobs_are_named_with_what_to_do(operator: RunCommand, worker_env: WorkerEnv) -> None:
    for name in ("orders.place_order", "orders.place_order", "orders.place_order", "market_data.fetch_bars"):
        add_job(worker_env, name, "dead", "it broke")
    expected = "4 jobs are dead (orders.place_order 3, market_data.fetch_bars 1): `tickwork jobs dead` shows why"

    assert problems(operator)["dead jobs"].startswith(expected)
    assert f"PROBLEM, dead jobs: {expected}" in operator("status").words
    found = check(operator, "jobs")
    assert ("warning", True) == (found["state"], found["detail"].startswith(expected))
    for command in ((), ("top", "--once")):
        assert "PROBLEM: dead jobs. `tickwork status` says what to do." in operator(*command).words
    assert ["dead jobs"] == [one["name"] for one in operator("top", "--json").json["problems"]]


def test_an_endpoint_that_mostly_fails_is_named(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("DELETE FROM api_call")
    worker_env.execute(
        "INSERT INTO api_call (endpoint, method, called_at, duration_ms, error)"
        f" SELECT '{BARS}', 'POST', now(), 10, CASE WHEN number <= 43 THEN 'VenueDownError: HTTP 500' END"
        " FROM generate_series(1, 50) AS number"
    )
    worker_env.execute(
        "INSERT INTO api_call (endpoint, method, called_at, duration_ms, error)"
        " SELECT '/api/Order/search', 'POST', now(), 10, CASE WHEN number <= 4 THEN 'VenueDownError: HTTP 500' END"
        " FROM generate_series(1, 50) AS number"
    )
    found = problems(operator)["venue calls"]

    assert f"{BARS}: 43 of 50 calls failed (86 %), last with: HTTP 500. What failed is tried again" in found
    assert "/api/Order/search" not in found
    assert "wrong" == check(operator, "venue calls")["state"]


def test_bars_that_were_set_aside_are_named(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert "bars" not in problems(operator)
    worker_env.execute(
        "INSERT INTO rejected_bar (contract_id, record, reason) SELECT id, '{}', 'volume None is no whole number'"
        " FROM contract WHERE root = 'MNQ' LIMIT 1"
    )

    assert "within the last hour 1 of the venue's bars could not be true" in problems(operator)["bars"]
    assert ["volume None is no whole number"] == [row["reason"] for row in operator("bars", "--json").json["rejected"]]
    assert "Set aside" in operator("bars", "MNQ").words


def test_what_came_late_and_was_not_closed_is_named(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute(LATE_FILL)
    expected = "is LONG 1 of MNQ H26 that came late and was not closed"

    assert expected in problems(operator)["late fills"]
    found = check(operator, "late fills")
    assert ("warning", True) == (found["state"], expected in found["detail"])
    worker_env.execute("UPDATE position SET opened_market_at = now() + interval '1 minute'")
    assert "late fills" not in problems(operator)


def test_a_stop_placed_elsewhere_that_is_larger_than_its_position_is_named(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.entry_alert(quantity=2)
    run_until(worker_env, 2)
    worker_env.execute("UPDATE orders SET role = 'OTHER', origin = 'external' WHERE role = 'STOP_LOSS'")
    assert "stops of others" not in problems(operator)
    worker_env.execute("UPDATE position SET quantity = 1")

    expected = "holds 1 contract of MNQ H26, and stops that were placed elsewhere close 2"
    assert expected in problems(operator)["stops of others"]
    found = check(operator, "stops of others")
    assert ("warning", True) == (found["state"], expected in found["detail"])
    worker_env.execute("UPDATE orders SET side = 'BUY' WHERE role = 'OTHER'")
    assert "stops of others" not in problems(operator)


def test_a_bot_a_collector_and_jobs_of_messages_that_fail_are_named(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    settings = {"TICKWORK_TELEGRAM_TOKEN": TOKEN, "TICKWORK_TRACES_URL": "http://127.0.0.1:9/v1/traces"}
    write_running(worker_env, **settings)
    for name in ("upkeep.send_heartbeat", "notifications.send_notifications"):
        add_job(worker_env, name, "failed", "a test")
    assert {} == problems(operator), "none has begun, and two are not set"
    worker_env.execute("DELETE FROM job")
    write_running(worker_env, **settings, TICKWORK_WITHHELD_SECRETS="heartbeat_url,notify_channels")
    add_job(worker_env, "upkeep.send_heartbeat", "cancelled", "superseded by a job")
    assert {} == problems(operator), "a run that was left out says nothing"
    worker_env.execute(f"INSERT INTO telegram_bot (bot_id, polled_at) VALUES ({BOT_ID}, now())")
    worker_env.execute("INSERT INTO trace_progress (exported_until_at) VALUES (now())")
    for name in ("upkeep.send_heartbeat", "notifications.send_notifications"):
        add_job(worker_env, name, "failed", "a test")
    found = problems(operator)
    assert ["heartbeat", "notifications"] == [*found]
    assert found["heartbeat"].startswith("a test; docs/howto/heartbeat.md")
    assert found["notifications"].startswith("a test; it is tried again")
    worker_env.execute("DELETE FROM job")
    worker_env.execute("UPDATE telegram_bot SET error = 'Telegram answered 401', failing_since_at = now()")
    worker_env.execute("UPDATE trace_progress SET exported_until_at = now() - interval '5 minutes'")
    found = problems(operator)

    assert ["telegram", "traces"] == [*found]
    assert found["telegram"].endswith("UTC: Telegram answered 401")
    assert "http://127.0.0.1:9/v1/traces took none since" in found["traces"]


def test_a_paused_or_slowed_job_that_safety_needs_is_named(operator: RunCommand, worker_env: WorkerEnv) -> None:
    Beat(worker_env.ledger, worker_env.venue.clock).seed()
    worker_env.execute("UPDATE schedule SET is_enabled = false WHERE name IN ('pack_bars', 'reconcile_accounts')")
    worker_env.execute("UPDATE schedule SET every = '1 day' WHERE name = 'snapshot_accounts'")
    found = problems(operator)["schedule"]

    assert found.startswith("reconcile_accounts is paused: orders and positions are not compared with the venue")
    assert "`tickwork schedule resume reconcile_accounts` lets it run; snapshot_accounts is slowed down: " in found
    assert "pack_bars" not in found
    checked = check(operator, "scheduled jobs")
    assert ("warning", found) == (checked["state"], checked["detail"])
    worker_env.execute(
        "UPDATE schedule SET is_enabled = true, every = make_interval(secs => (defaults->>'every')::float)"
    )
    assert "schedule" not in problems(operator)


@pytest.mark.parametrize(
    ("name", "setting"),
    [("send_heartbeat", "TICKWORK_HEARTBEAT_URL"), ("probe_receiver", "TICKWORK_PUBLIC_URL")],
)
def test_a_paused_job_that_would_do_nothing_is_no_problem(
    operator: RunCommand, worker_env: WorkerEnv, name: str, setting: str
) -> None:
    Beat(worker_env.ledger, worker_env.venue.clock).seed()
    worker_env.execute(f"UPDATE schedule SET is_enabled = false WHERE name = '{name}'")
    assert "schedule" not in problems(operator)

    write_running(worker_env, **{setting: "https://alerts.example.com"})
    assert problems(operator)["schedule"].startswith(f"{name} is paused: ")


def test_every_job_that_safety_needs_is_one_of_the_timetable() -> None:
    assert set(NEEDED) <= {entry.name for entry in TIMETABLE}


def test_a_root_that_is_none_is_named_with_the_nearest(operator: RunCommand, worker_env: WorkerEnv) -> None:
    write_running(worker_env, TICKWORK_CONTRACTS="MNQ,MMQ")

    assert problems(operator)["contracts"].startswith(
        "the setting contracts names 'MMQ', which is no root: did you mean M"
    )
    assert "the setting contracts names 'MMQ'" in check(operator, "contract MMQ")["detail"]


def test_a_root_without_a_contract_is_named_once_the_venue_was_asked(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    write_running(worker_env, TICKWORK_CONTRACTS="MNQ,HO")
    worker_env.execute("UPDATE contract SET is_active = false WHERE root = 'HO'")
    assert "contracts" not in problems(operator)
    add_job(worker_env, "market_data.refresh_contracts", "failed", "RefusedError: the venue offers 0 contracts of HO")

    assert problems(operator)["contracts"].startswith(
        "HO: no contract of it is traded: the venue offers 0 contracts of HO. Correct the setting with "
        "`tickwork config set contracts ROOTS`"
    )
    assert "wrong" == check(operator, "contract HO")["state"]
