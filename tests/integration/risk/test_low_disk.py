"""A disk that fills: a worker records it, entries are blocked on every computer, exits and the watch go on."""

import shutil
import socket

import pytest

from shared.ledger.jobs.upkeep import CheckDisk
from shared.overview.alarms import list_alarms
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

EVENTS = "SELECT kind FROM account_event WHERE kind IN ('disk_low', 'blocked', 'unblocked') ORDER BY id"


def record_disk(worker_env: WorkerEnv, free_bytes: int, age: str = "0 seconds") -> None:
    """Record the disk of another computer, as its worker does."""
    worker_env.execute(
        f"INSERT INTO disk_space VALUES ('elsewhere', '/data', {free_bytes}, now() - interval '{age}') "
        "ON CONFLICT (host, path) DO UPDATE SET free_bytes = excluded.free_bytes, checked_at = excluded.checked_at"
    )


def test_a_worker_records_the_free_space_of_its_home(worker_env: WorkerEnv) -> None:
    state, result, error = worker_env.run(CheckDisk())

    home = str(worker_env.settings.home)
    assert ("succeeded", None) == (state, error)
    ((host, free_bytes),) = worker_env.rows("SELECT host, free_bytes FROM disk_space WHERE path = %s", home)
    assert (socket.gethostname(), result[home]) == (host, free_bytes)
    assert 0 < free_bytes <= shutil.disk_usage(home).total


def test_an_event_tells_once_that_the_disk_gets_low(worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    worker_env.run(CheckDisk())
    assert [] == worker_env.rows(EVENTS)
    monkeypatch.setattr("shared.domain.risk.disk_space.WARN_BELOW", 10**18)
    worker_env.execute("DELETE FROM disk_space")
    worker_env.run(CheckDisk())
    worker_env.run(CheckDisk())

    assert [("disk_low",)] == worker_env.rows(EVENTS)


def test_without_space_entries_are_denied_with_the_reason_and_exits_pass_until_there_is_some_again(
    worker_env: WorkerEnv,
) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    record_disk(worker_env, 150_000_000)
    denied = worker_env.entry_alert()
    worker_env.run_due_jobs()

    error = worker_env.job(denied)[2] or ""
    assert "only 150 MB are free at /data on elsewhere: nothing is entered below 200 MB" in error
    worker_env.write_quote()
    worker_env.watch()
    worker_env.run_due_jobs()
    assert 1 == worker_env.venue.position(MNQ)
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    assert 0 == worker_env.venue.position(MNQ)
    record_disk(worker_env, 500_000_000)
    worker_env.write_quote()
    worker_env.watch()
    worker_env.run_due_jobs()
    allowed = worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert "succeeded" == worker_env.job(allowed)[0]
    assert [("blocked",), ("unblocked",)] == worker_env.rows(EVENTS)


def test_what_a_computer_recorded_that_has_gone_blocks_nothing(worker_env: WorkerEnv) -> None:
    record_disk(worker_env, 0, age="6 minutes")
    allowed = worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert "succeeded" == worker_env.job(allowed)[0]


def test_status_and_risk_show_a_disk_with_little_space(worker_env: WorkerEnv, operator: RunCommand) -> None:
    record_disk(worker_env, 800_000_000)
    with worker_env.ledger.engine.connect() as connection:
        alarms = " ".join(alarm.message for alarm in list_alarms(connection))

    assert "DISK: only 800 MB are free at /data on elsewhere" in alarms
    assert "WARN    only 800 MB are free at /data" in operator("risk").out
    assert operator("risk", "--json").json["accounts"][0]["may_enter"]
    record_disk(worker_env, 100_000_000)
    assert not operator("risk", "--json").json["accounts"][0]["may_enter"]
