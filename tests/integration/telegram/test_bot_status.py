"""What `/status` says of what maintains it: a row that was not compared with the venue is no proof of being flat."""

from dataclasses import replace
from pathlib import Path

import pytest

from cli.local.processes.programs import TELEGRAM, other_programs
from shared.config import Settings, load_settings
from tests.fixtures.stack_config import stack_config
from tests.fixtures.telegram_bot import Person
from tests.fixtures.telegram_service import TOKEN
from tests.fixtures.worker_env import WorkerEnv
from workers.telegram.status import describe_status

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


def test_status_takes_no_heartbeat_of_a_clock_that_was_set_back_for_a_worker_that_runs(
    worker_env: WorkerEnv, anna: Person
) -> None:
    worker_env.execute(ADD_WORKER)
    worker_env.execute("UPDATE worker SET seen_at = now() + interval '90 minutes'")
    told = anna.ask("/status").splitlines()

    assert "Workers: NONE runs, so no order is sent and no position is closed." in told
    assert "Workers of the fleet critical: GONE, no heartbeat since the clock was set back." in told


@pytest.mark.parametrize("is_used", [True, False])
def test_status_names_a_paused_job_whose_secret_the_bot_does_not_have(
    worker_env: WorkerEnv, tmp_path: Path, *, is_used: bool
) -> None:
    worker_env.execute(
        "INSERT INTO schedule (name, job_name, clock, every, is_enabled) VALUES"
        " ('send_heartbeat', 'upkeep.send_heartbeat', 'machine', '1 min', false),"
        " ('send_notifications', 'notifications.send_notifications', 'machine', '15 s', false)"
    )
    secrets = {
        "TICKWORK_HEARTBEAT_URL": "https://hc.example/1",
        "TICKWORK_NOTIFY_CHANNELS": '[{"name":"phone","url":"json://localhost/x"}]',
    }
    bot = settings_of_bot(tmp_path, secrets if is_used else {})
    with worker_env.ledger.engine.connect() as connection:
        told = describe_status(connection, replace(worker_env.settings, withheld_secrets=bot.withheld_secrets))

    assert ("", ()) == (bot.heartbeat_url, bot.notify_channels)
    assert {is_used} == {f"{name} is paused: " in told for name in ("send_heartbeat", "send_notifications")}


def settings_of_bot(home: Path, secrets: dict[str, str]) -> Settings:
    """Return what `up` lets the bot know."""
    own = load_settings({"TICKWORK_HOME": str(home), "TICKWORK_TELEGRAM_TOKEN": TOKEN, **secrets})
    programs = other_programs(replace(stack_config(home), settings=own))
    return load_settings(next(one.environment for one in programs if one.name == TELEGRAM))
