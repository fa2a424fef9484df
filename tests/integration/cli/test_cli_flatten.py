"""`tickwork flatten`, `halt` and `resume`: they work without workers and broker, and report the venue's answer."""

import signal
import subprocess
import sys

import psycopg
import pytest

from shared.clock import monotonic
from shared.db.orders import flatten_requests
from shared.domain.orders.order import Origin
from shared.ids import new_id
from shared.ledger.jobs.orders import Flatten
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

CLOSE, POSITIONS = "/api/Position/closeContract", "/api/Position/searchOpen"
IS_DELAYED = "SELECT 1 FROM flatten_request WHERE progress LIKE '%%could not be asked%%'"
FLAT = "flat: no position, no working order"


def hold_two(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    assert 2 == worker_env.venue.position(MNQ)


def test_flatten_works_with_every_worker_dead_and_the_broker_away(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_two(worker_env)
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    result = operator("flatten", "--yes", "--reason", "going home")

    assert 0 == result.status, result
    assert FLAT in result.out
    assert 0 == worker_env.venue.position(MNQ)
    assert [("manual", "going home", FLAT)] == worker_env.rows(
        "SELECT origin, reason, progress FROM flatten_request WHERE flat_at IS NOT NULL"
    )
    assert [] == worker_env.rows("SELECT id FROM orders WHERE state IN ('WORKING', 'SUSPENDED')")


def test_one_contract_is_flattened_by_a_worker_and_reported_as_json(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    hold_two(worker_env)
    with worker_at(worker_env):
        result = operator("flatten", "--contract", "MNQ", "--account", "20001", "--yes", "--json")

    assert (0, "") == (result.status, result.error)
    (row,) = result.json["flattened"]
    assert (20001, MNQ, FLAT, True) == tuple(
        row[name] for name in ("account_id", "contract", "venue_status", "is_flat")
    )


def test_flatten_asks_for_confirmation_and_needs_yes_in_a_script(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold_two(worker_env)
    (name,) = worker_env.rows("SELECT name FROM account")[0]
    declined = operator("flatten", typed="n\n")
    assert (1, "") == (declined.status, declined.out)
    assert f"Flatten everything: {name} (20001) LONG 2 MNQ H26" in declined.error
    assert "nothing was flattened" in declined.error
    for more in ((), ("--json",)):
        result = operator("flatten", *more)
        assert 1 == result.status
        assert "add --yes" in result.words
    for wrong, words in {
        ("--account", "7"): "account 7 is unknown; known: 20001",
        ("--contract", "XYZ"): "unknown symbol 'XYZ'",
        ("--contract", "CON.F.US.MNQ.Z30"): "contract MNQ Z30 is unknown",
    }.items():
        assert words in operator("flatten", "--yes", *wrong).error
    assert [] == worker_env.rows("SELECT id FROM flatten_request")


def test_a_flatten_beside_an_open_request_sends_no_second_close_and_ends_both(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    hold_two(worker_env)
    job = worker_env.flatten()
    result = operator("flatten", "--yes")
    worker_env.run_due_jobs()

    assert 0 == result.status, result
    assert ("succeeded", {"venue_status": FLAT}, None) == worker_env.job(job)
    assert [(True,)] * 2 == worker_env.rows("SELECT flat_at IS NOT NULL FROM flatten_request")
    assert 1 == len(worker_env.venue.requests(CLOSE))


@pytest.mark.parametrize("command", [("flatten", "--yes"), ("positions", "close", "MNQ")], ids=" ".join)
@pytest.mark.parametrize("origin", [Origin.PROTECTOR, Origin.MANUAL])
def test_an_entry_from_before_it_is_not_made_after_it_though_another_request_was_open(
    operator: RunCommand, worker_env: WorkerEnv, command: tuple[str, ...], origin: Origin
) -> None:
    """A guard or a person asked for a flatten, an alert for an entry, which waits for that, and then a person again."""
    hold_two(worker_env)
    about = (worker_env.venue.account_id, None if command[0] == "flatten" else MNQ)
    with worker_env.ledger.transaction() as tx:
        request = flatten_requests.create(
            tx.connection, *about, origin=origin, reason="a test", correlation_id=new_id()
        )
        tx.enqueue(Flatten(flatten_request_id=request), publish_on_commit=False)
    entry = worker_env.entry_alert()
    result = operator(*command)
    worker_env.run_due_jobs()

    assert 0 == result.status, result
    assert f"{MNQ} was closed by a later request" in (worker_env.job(entry)[2] or "")
    assert 0 == worker_env.venue.position(MNQ)


def test_flatten_reports_its_obstacle_and_stops_waiting_after_the_limit(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_two(worker_env)
    worker_env.venue.kill()
    # The wait ends as soon as the flatten request has recorded an obstacle.
    monkeypatch.setattr(
        "cli.client.job_client.monotonic", lambda: monotonic() + 1000 * len(worker_env.rows(IS_DELAYED))
    )
    result = operator("flatten", "--yes", "--wait", "900")
    assert 1 == result.status
    assert "the venue could not be asked" in result.words
    assert "the workers continue with it: `tickwork jobs show" in result.words
    worker_env.venue.start()
    until(
        lambda: worker_env.rows("SELECT 1 FROM flatten_request WHERE flat_at IS NOT NULL") == [(1,)],
        60,
        "flat without a waiting command",
    )
    assert 0 == worker_env.venue.position(MNQ)


def test_a_flatten_does_not_wait_for_the_job_of_a_dead_worker(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold_two(worker_env)
    lost = "state = 'running', process_id = 2, lease_until = now() - interval '5 seconds'"
    worker_env.execute(f"UPDATE job SET {lost}, attempt = 1 WHERE id = '{worker_env.flatten()}'")
    result = operator("flatten", "--yes")

    assert 0 == result.status, result
    assert 0 == worker_env.venue.position(MNQ)
    assert [(True,)] * 2 == worker_env.rows("SELECT flat_at IS NOT NULL FROM flatten_request")


def test_a_failing_one_shot_process_is_reported_and_the_job_stays_queued(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_two(worker_env)
    monkeypatch.setenv("BROKER_URL", worker_env.settings.redis_url)
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.setattr("cli.client.job_client._MAX_ONE_SHOT_EXITS", 1)  # each takes seconds to start
    result = operator("flatten", "--yes", "--json")

    assert (1, "") == (result.status, result.error)
    assert "a process of its own ends with status 1: read the end of" in result.json["error"]
    assert "REDIS_URL is not set" in (worker_env.settings.home / "logs" / "one_shot.log").read_text()
    assert [("queued",)] == worker_env.rows("SELECT state FROM job WHERE name = 'orders.flatten'")


@pytest.mark.usefixtures("operator")  # its environment
def test_ctrl_c_leaves_the_flatten_to_the_workers(worker_env: WorkerEnv) -> None:
    hold_two(worker_env)
    worker_env.venue.kill()
    command = [sys.executable, "-m", "cli.main", "flatten", "--yes"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: worker_env.rows(IS_DELAYED) == [(1,)], 60, "a first attempt")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert 130 == process.returncode
    assert "the flatten request is" in error
    assert "the workers continue with it" in error
    worker_env.venue.start()
    until(
        lambda: worker_env.rows("SELECT 1 FROM flatten_request WHERE flat_at IS NOT NULL") == [(1,)],
        60,
        "flat without a waiting command",
    )


# --- halt and resume ----------------------------------------------------------------------------------------------


def test_a_halt_denies_the_next_entry_and_a_resume_allows_it(operator: RunCommand, worker_env: WorkerEnv) -> None:
    result = operator("halt", "news", "in", "an", "hour")
    assert (0, "") == (result.status, result.error)
    assert "is halted: news in an hour" in result.out
    again = operator("halt", "something", "else")
    assert "was already halted, which stays: news in an hour" in again.out
    refused = worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert "failed" == worker_env.job(refused)[0]
    assert "halted: news in an hour" in str(worker_env.job(refused)[2])
    assert ["news in an hour"] == [one["halted"] for one in operator("accounts", "--json").json["accounts"]]
    told = operator("risk").words
    assert "is halted: news in an hour" in told.partition("NO ENTRY")[2]
    assert "`tickwork resume REASON --account 20001` ends the halt." in told

    assert "is no longer halted; the reason was: news in an hour" in operator("resume", "it", "is", "over").out
    assert "was neither halted nor reduce-only" in operator("resume", "once more").out
    assert [("halted", "news in an hour"), ("resumed", "it is over")] == worker_env.rows(
        "SELECT kind, message FROM account_event WHERE kind IN ('halted', 'resumed') ORDER BY id"
    )
    hold_two(worker_env)


def test_halt_with_flatten_halts_even_without_yes(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold_two(worker_env)
    result = operator("halt", "enough", "--flatten")
    assert 1 == result.status
    assert "add --yes" in result.error
    assert [("enough",)] == worker_env.rows("SELECT halt_reason FROM account")
    result = operator("halt", "enough", "--flatten", "--yes", "--account", "20001")

    assert 0 == result.status, result
    assert FLAT in result.out
    assert 0 == worker_env.venue.position(MNQ)
    assert "account 7 is unknown" in operator("halt", "x", "--account", "7").error
    assert "REASON" in operator("halt", "--account", "20001").error
    assert "account 7 is unknown" in operator("resume", "x", "--account", "7").error


@pytest.mark.parametrize(
    "command", [("flatten", "--yes"), ("halt", "a", "test"), ("positions", "close", "MNQ")], ids=" ".join
)
def test_a_person_who_holds_the_account_in_psql_stops_no_command_that_ends_risk(
    operator: RunCommand, worker_env: WorkerEnv, command: tuple[str, ...]
) -> None:
    hold_two(worker_env)
    with psycopg.connect(worker_env.settings.require_database(), application_name="psql") as session:
        session.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", [worker_env.venue.account_id])
        result = operator(*command)

        assert 0 == result.status, result
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert (2 if command[0] == "halt" else 0) == worker_env.venue.position(MNQ)


def test_another_command_names_the_session_that_may_hold_the_lock(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert 0 == operator("halt", "a", "test").status
    with psycopg.connect(worker_env.settings.require_database(), application_name="psql") as session:
        session.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", [worker_env.venue.account_id])
        pid = session.info.backend_pid
        result = operator("resume", "a", "test")

    assert 1 == result.status, result
    assert f"perhaps innocent: session {pid} (psql, user" in result.error
