"""The schedule runs by Postgres' clock: a computer's wrong clock does not matter, and one set back silences nothing."""

import logging
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scheduler.beat import Beat
from shared.clock import live_clock, machine_now
from shared.config import environment
from shared.domain.upkeep.slots import MAX_CAUGHT_UP, MAX_SKIPPED
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.processes import until
from tests.fixtures.wrong_clock import build_wrong_clock, wrong_clock_env

MINUTE = timedelta(minutes=1)
HOURS = timedelta(hours=5)


def add_entry(ledger_env: LedgerEnv, missed: str = "run_once") -> Beat:
    """Add an entry that has run for the slot of this minute; return a beat without other entries."""
    ledger_env.execute(
        "INSERT INTO schedule (name, job_name, clock, every, missed, last_slot, ran_at) VALUES ('drill', "
        f"'upkeep.do_nothing', 'machine', interval '1 minute', '{missed}', date_trunc('minute', now()), now())"
    )
    return Beat(ledger_env.ledger, live_clock())


def set_clock(ledger_env: LedgerEnv, by: timedelta) -> None:
    """Let Postgres' clock appear set by that much: all that the entry has done lies so much the other way."""
    shift = f"- interval '{by.total_seconds()} seconds'"
    ledger_env.execute(f"UPDATE schedule SET last_slot = last_slot {shift}, ran_at = ran_at {shift}")
    ledger_env.execute(f"UPDATE schedule_slot SET slot = slot {shift}")


def count_jobs(ledger_env: LedgerEnv) -> int:
    return len(ledger_env.rows("SELECT 1 FROM job WHERE name = 'upkeep.do_nothing'"))


@pytest.mark.parametrize("missed", ["run_once", "skip", "catch_up"])
def test_a_clock_that_is_set_back_is_recorded_logged_and_the_schedule_goes_on_from_now(
    ledger_env: LedgerEnv, caplog: pytest.LogCaptureFixture, missed: str
) -> None:
    beat = add_entry(ledger_env, missed)
    set_clock(ledger_env, -HOURS)
    with caplog.at_level(logging.WARNING):
        beat.tick()

    (row,) = ledger_env.rows("SELECT *, now() AS now FROM schedule")
    assert row["now"] - MINUTE < row["last_slot"] <= row["now"]
    assert abs(row["stepped_back_by"] - HOURS) <= MINUTE
    assert row["now"] - MINUTE < row["stepped_back_at"] <= row["now"]
    assert 1 == count_jobs(ledger_env)
    assert 1 == caplog.text.count("schedule drill: the clock was set back by")


def test_slots_that_come_again_after_a_clock_was_set_back_run_again(ledger_env: LedgerEnv) -> None:
    beat = add_entry(ledger_env)
    set_clock(ledger_env, MINUTE)
    beat.tick()
    (before,) = ledger_env.rows("SELECT job_id, slot FROM schedule_slot")
    ledger_env.execute(
        f"UPDATE schedule SET last_slot = last_slot + interval '{HOURS}', ran_at = ran_at - interval '1 s'"
    )
    beat.tick()

    assert 2 == count_jobs(ledger_env)
    after = ledger_env.rows("SELECT job_id, slot FROM schedule_slot ORDER BY slot DESC LIMIT 1")[0]
    assert after["slot"] >= before["slot"]
    assert after["job_id"] != before["job_id"]


def test_a_clock_that_is_set_far_ahead_runs_no_flood(ledger_env: LedgerEnv) -> None:
    beat = add_entry(ledger_env, "catch_up")
    set_clock(ledger_env, timedelta(days=365))
    for _ in range(MAX_CAUGHT_UP + 5):
        ledger_env.execute("UPDATE schedule SET ran_at = ran_at - interval '1 second'")  # one a second
        beat.tick()

    assert MAX_CAUGHT_UP <= count_jobs(ledger_env) <= MAX_CAUGHT_UP + 2  # a minute may end meanwhile
    (row,) = ledger_env.rows("SELECT now() - last_slot AS behind FROM schedule")
    assert row["behind"] < 2 * MINUTE
    assert MAX_SKIPPED == len(ledger_env.rows("SELECT 1 FROM schedule_slot WHERE outcome = 'skipped'"))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("a wrong clock needs a C compiler called cc")
    return build_wrong_clock(tmp_path)


@pytest.mark.parametrize("wrong_by", [-HOURS, HOURS])
def test_a_beat_on_a_computer_with_a_wrong_clock_keeps_the_schedule(
    ledger_env: LedgerEnv, library: Path, tmp_path: Path, wrong_by: timedelta
) -> None:
    add_entry(ledger_env)
    set_clock(ledger_env, MINUTE)
    urls = {"DATABASE_URL": ledger_env.database_url, "REDIS_URL": ledger_env.redis_url, "TICKWORK_HOME": str(tmp_path)}
    env = environment() | urls | wrong_clock_env(library, int(wrong_by.total_seconds()))
    with (tmp_path / "beat.log").open("w") as log:
        beat = subprocess.Popen([sys.executable, "-m", "scheduler", "beat"], env=env, stderr=log, stdout=log)
        try:
            until(lambda: count_jobs(ledger_env) > 0, 60, "a job of the slot that is due")
        finally:
            beat.kill()
            beat.wait()

    (row,) = ledger_env.rows(
        "SELECT last_slot, ran_at, stepped_back_at, now() AS now FROM schedule WHERE name = 'drill'"
    )
    assert row["stepped_back_at"] is None
    assert all(row["now"] - 2 * MINUTE < row[name] <= row["now"] for name in ("last_slot", "ran_at"))


def test_the_skew_between_this_computer_and_postgres_is_measured(ledger_env: LedgerEnv, library: Path) -> None:
    code = (
        "from sqlalchemy import create_engine; from cli.client.clock_skew import measure_database_skew; import sys\n"
        "with create_engine(sys.argv[1]).connect() as connection: print(measure_database_skew(connection))"
    )
    engine_url = ledger_env.ledger.engine.url.render_as_string(hide_password=False)
    found = subprocess.run(
        [sys.executable, "-c", code, engine_url],
        env=environment() | wrong_clock_env(library, int(HOURS.total_seconds())),
        capture_output=True,
        check=True,
        text=True,
    )
    at = datetime.strptime(found.stdout.strip().partition(".")[0], "%H:%M:%S").replace(tzinfo=machine_now().tzinfo)
    assert 4 <= at.hour <= 5
