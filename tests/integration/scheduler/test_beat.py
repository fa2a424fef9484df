"""The beat as a process: each slot of the table `schedule` becomes one job, and skipped slots are recorded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import psycopg
import pytest

from scheduler.timetable import TIMETABLE
from shared.clock import MarketClock, machine_now
from shared.db.market_data import contracts
from shared.domain.market_data.contract import Contract
from tests.fixtures.held_locks import running_statement
from tests.fixtures.ledger_env import LedgerEnv, OpenLedgerEnv, without_database
from tests.fixtures.processes import until

MNQ = Contract("CON.F.US.MNQ.H26", "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.5"), is_active=True)
SUNDAY_OPENING = datetime(2026, 3, 8, 22, tzinfo=UTC)  # 17:00 in Chicago, on the first day of summer time
SECOND = timedelta(seconds=1)


def schedule(ledger_env: LedgerEnv, name: str, every: str, more: str = "", values: str = "") -> None:
    """Add an entry for `upkeep.do_nothing` by machine time, as a person would."""
    ledger_env.execute(
        f"INSERT INTO schedule (name, job_name, clock, every{more}) "
        f"VALUES ('{name}', 'upkeep.do_nothing', 'machine', interval '{every}'{values})"
    )


def slots(ledger_env: LedgerEnv, name: str, outcome: str = "enqueued") -> list[datetime]:
    """Return the slots of an entry with this outcome, oldest first."""
    found = ledger_env.rows(
        f"SELECT slot FROM schedule_slot WHERE name = '{name}' AND outcome = '{outcome}' ORDER BY slot"
    )
    return [row["slot"] for row in found]


def last_slot(ledger_env: LedgerEnv, name: str) -> datetime | None:
    """Return the newest processed slot of an entry."""
    found: datetime | None = ledger_env.rows(f"SELECT last_slot FROM schedule WHERE name = '{name}'")[0]["last_slot"]
    return found


def wait_for_slots(ledger_env: LedgerEnv, name: str, count: int) -> None:
    """Wait until an entry has run for that many slots."""
    until(lambda: len(slots(ledger_env, name)) >= count, 60, f"{count} slots of {name}")


def assert_each_slot_is_one_job(ledger_env: LedgerEnv, name: str) -> None:
    """Compare the recorded slots with the jobs: only that of the newest slot is still queued."""
    recorded = ledger_env.rows(
        f"SELECT job_id FROM schedule_slot WHERE name = '{name}' AND outcome = 'enqueued' ORDER BY slot"
    )
    jobs = ledger_env.rows(f"SELECT id, state FROM job WHERE schedule = '{name}' ORDER BY id")
    assert [row["job_id"] for row in recorded] == [row["id"] for row in jobs]
    assert {"cancelled"} >= {row["state"] for row in jobs[:-1]}
    assert {"queued"} >= {row["state"] for row in jobs[-1:]}


def test_the_first_beat_seeds_the_schedule_and_enqueues_each_entry_once(ledger_env: LedgerEnv) -> None:
    beat = ledger_env.start("scheduler", "beat")
    beat.wait_until_running()
    machine = [entry for entry in TIMETABLE if not entry.only_when_open]
    for entry in machine:
        wait_for_slots(ledger_env, entry.name, 1)

    assert {entry.name for entry in TIMETABLE} == {row["name"] for row in ledger_env.rows("SELECT name FROM schedule")}
    enqueued = {row["name"] for row in ledger_env.rows("SELECT name FROM job")}
    assert {entry.request.job_name() for entry in machine} == enqueued  # no contract is tracked, so no bars
    (rollup,) = ledger_env.rows(
        "SELECT arguments, expires_at - enqueued_at AS lasts FROM job WHERE name = 'metrics.roll_up'"
    )
    assert {"slot": slots(ledger_env, "roll_up_metrics")[0].isoformat()} == {
        name: datetime.fromisoformat(value).isoformat() for name, value in rollup["arguments"].items()
    }
    assert timedelta(minutes=2) == rollup["lasts"]
    assert [] == ledger_env.rows("SELECT 1 FROM job_key")
    assert 0 == beat.stop()


def test_each_start_of_a_beat_lets_entries_wait_for_a_reconcile(ledger_env: LedgerEnv) -> None:
    """Docker starts a beat again with the computer, and not the command that prepares the database."""
    ledger_env.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (20001, 'PRACTICE', 1, true)")
    for count in (1, 2):
        ledger_env.execute("UPDATE account SET reconciled_at = now()")
        beat = ledger_env.start("scheduler", "beat")
        until(lambda: [] != ledger_env.rows("SELECT 1 FROM account WHERE reconciled_at IS NULL"), 60, "the start")
        beat.stop()
        jobs = ledger_env.rows("SELECT 1 FROM job WHERE name = 'orders.reconcile_accounts'")
        assert count <= len(jobs)


def test_a_beat_runs_its_schedule_while_another_session_locks_the_accounts(ledger_env: LedgerEnv) -> None:
    ledger_env.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (20001, 'PRACTICE', 1, true)")
    ledger_env.execute("UPDATE account SET reconciled_at = now()")
    schedule(ledger_env, "drill", "1 second")
    with running_statement(ledger_env.database_url, "SELECT 1 FROM account FOR UPDATE"):
        ledger_env.start("scheduler", "beat")
        wait_for_slots(ledger_env, "drill", 2)
        assert [] == ledger_env.rows("SELECT 1 FROM account WHERE reconciled_at IS NULL")
    until(lambda: [] != ledger_env.rows("SELECT 1 FROM account WHERE reconciled_at IS NULL"), 60, "the start")


def test_two_beats_run_one_schedule_and_either_goes_on_alone(ledger_env: LedgerEnv) -> None:
    schedule(ledger_env, "drill", "1 second")
    first, second = ledger_env.start("scheduler", "beat"), ledger_env.start("scheduler", "beat")
    for beat in (first, second):
        beat.wait_until_running()
    wait_for_slots(ledger_env, "drill", len(slots(ledger_env, "drill")) + 2)
    first.kill()
    wait_for_slots(ledger_env, "drill", len(slots(ledger_env, "drill")) + 1)

    second.stop()
    for entry in TIMETABLE:
        assert_each_slot_is_one_job(ledger_env, entry.name)
    assert_each_slot_is_one_job(ledger_env, "drill")
    processed = sorted(slots(ledger_env, "drill") + slots(ledger_env, "drill", "skipped"))
    assert [SECOND] * (len(processed) - 1) == [after - before for before, after in pairwise(processed)]
    assert processed[-1] == last_slot(ledger_env, "drill")


def test_a_lagging_beat_records_no_slot_that_another_has_processed(ledger_env: LedgerEnv) -> None:
    schedule(ledger_env, "drill", "1 hour", ", last_slot", ", date_trunc('hour', now()) - interval '3 hours'")
    with psycopg.connect(ledger_env.database_url) as other:
        other.execute("SELECT * FROM schedule WHERE name = 'drill' FOR UPDATE")
        beat = ledger_env.start("scheduler", "beat")
        until(
            lambda: [] != ledger_env.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
            60,
            "a beat that waits for the lock",
        )
        next_slot = "date_trunc('hour', clock_timestamp()) + interval '1 hour'"
        other.execute(f"UPDATE schedule SET last_slot = {next_slot} WHERE name = 'drill'")
    beat.wait_until_running()

    assert 0 == beat.stop()
    assert ([], []) == (slots(ledger_env, "drill"), slots(ledger_env, "drill", "skipped"))
    assert [] == ledger_env.rows("SELECT 1 FROM schedule WHERE stepped_back_at IS NOT NULL")


def test_two_beats_of_a_fast_market_run_an_entry_once_a_second(open_ledger_env: OpenLedgerEnv) -> None:
    ledger_env = open_ledger_env(MarketClock(machine_now(), SUNDAY_OPENING, speed=600))
    schedule(ledger_env, "fast", "1 minute")
    ledger_env.execute("UPDATE schedule SET clock = 'market'")
    ledger_env.execute("CREATE TABLE run (at timestamptz)")
    ledger_env.execute(
        "CREATE FUNCTION note_run() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO run VALUES (NEW.ran_at); RETURN NEW; END $$"
    )
    ledger_env.execute(
        "CREATE TRIGGER note_run AFTER UPDATE OF ran_at ON schedule FOR EACH ROW WHEN (NEW.name = 'fast') "
        "EXECUTE FUNCTION note_run()"
    )
    beats = [ledger_env.start("scheduler", "beat") for _ in range(2)]
    for beat in beats:
        beat.wait_until_running()
    wait_for_slots(ledger_env, "fast", 3)

    ran_at = [
        row["at"] for row in ledger_env.rows("SELECT at FROM run ORDER BY at")
    ]  # when the beat found the slot due
    assert len(ran_at) >= 3
    assert all(after - before > 0.9 * SECOND for before, after in pairwise(ran_at))


def test_bars_are_fetched_only_for_minutes_of_a_session(open_ledger_env: OpenLedgerEnv) -> None:
    ledger_env = open_ledger_env(MarketClock(machine_now(), SUNDAY_OPENING - timedelta(minutes=2), speed=60))
    with ledger_env.ledger.engine.begin() as connection:
        contracts.store(connection, [MNQ])
        contracts.track_only(connection, [MNQ.id], machine_now())
    ledger_env.execute(
        "INSERT INTO schedule (name, job_name, clock, every, only_when_open, last_slot) VALUES ('fetch_bars', "
        f"'market_data.fetch_bars', 'market', interval '1 minute', true, '{SUNDAY_OPENING - timedelta(minutes=5)}')"
    )
    ledger_env.start("scheduler", "beat").wait_until_running()
    wait_for_slots(ledger_env, "fetch_bars", 2)

    first_bar_closed = SUNDAY_OPENING + timedelta(minutes=1)
    recorded = sorted(slots(ledger_env, "fetch_bars") + slots(ledger_env, "fetch_bars", "skipped"))
    assert first_bar_closed == recorded[0]
    enqueued = ledger_env.rows("SELECT arguments FROM job WHERE name = 'market_data.fetch_bars' ORDER BY id")
    assert slots(ledger_env, "fetch_bars")[: len(enqueued)] == [
        datetime.fromisoformat(row["arguments"]["slot"]) for row in enqueued
    ]


def test_bars_of_a_closed_market_are_not_fetched_and_their_slots_are_processed(open_ledger_env: OpenLedgerEnv) -> None:
    saturday = SUNDAY_OPENING - timedelta(days=1)
    ledger_env = open_ledger_env(MarketClock(machine_now(), saturday, speed=60))
    with ledger_env.ledger.engine.begin() as connection:
        contracts.store(connection, [MNQ])
        contracts.track_only(connection, [MNQ.id], machine_now())
    ledger_env.start("scheduler", "beat").wait_until_running()
    until(lambda: (last_slot(ledger_env, "fetch_bars") or saturday) >= saturday + timedelta(minutes=2), 60)
    wait_for_slots(ledger_env, "reconcile_accounts", 1)

    assert [] == ledger_env.rows(
        "SELECT name FROM job WHERE name LIKE 'market_data.fetch%' OR name LIKE 'strategies.%'"
    )
    assert [] == slots(ledger_env, "fetch_bars") + slots(ledger_env, "fetch_bars", "skipped")


@pytest.mark.parametrize("missed", ["run_once", "skip", "catch_up"])
def test_slots_missed_while_no_beat_ran_are_run_or_skipped_as_their_entry_defines(
    ledger_env: LedgerEnv, missed: str
) -> None:
    schedule(
        ledger_env,
        "drill",
        "1 hour",
        ", missed, last_slot",
        f", '{missed}', date_trunc('hour', now()) - interval '3 hours'",
    )
    last = last_slot(ledger_env, "drill")
    assert last is not None
    ledger_env.start("scheduler", "beat").wait_until_running()
    newest = last + timedelta(hours=3)  # or later, should the hour end while this runs
    until(lambda: (last_slot(ledger_env, "drill") or last) >= newest, 60, "every slot processed")

    run, skipped = slots(ledger_env, "drill"), slots(ledger_env, "drill", "skipped")
    hours = [last + timedelta(hours=number) for number in range(1, len(run) + len(skipped) + 1)]
    assert hours == sorted(run + skipped)
    assert len(hours) >= 3
    expected = {"run_once": hours[-1:], "skip": [], "catch_up": hours}
    assert expected[missed] == run
    enqueued = ledger_env.rows("SELECT j.id FROM job j WHERE j.name = 'upkeep.do_nothing' ORDER BY j.id")
    recorded = ledger_env.rows(
        "SELECT job_id AS id FROM schedule_slot WHERE name = 'drill' AND job_id IS NOT NULL ORDER BY slot"
    )
    assert recorded == enqueued


def test_edits_of_the_schedule_table_stay_and_take_effect(ledger_env: LedgerEnv) -> None:
    ledger_env.execute(
        "INSERT INTO schedule (name, job_name, clock, every, is_enabled) "
        "VALUES ('snapshot_accounts', 'accounts.snapshot_accounts', 'machine', interval '1 second', false)"
    )
    schedule(ledger_env, "drill", "1 second", ", arguments", """, '{"note": "by hand"}'""")
    ledger_env.start("scheduler", "beat").wait_until_running()
    wait_for_slots(ledger_env, "drill", 2)

    assert [] == ledger_env.rows("SELECT id FROM job WHERE name = 'accounts.snapshot_accounts'")
    found = ledger_env.rows("SELECT arguments FROM job WHERE name = 'upkeep.do_nothing'")
    assert {"by hand"} == {row["arguments"]["note"] for row in found}
    ledger_env.execute("UPDATE schedule SET is_enabled = NOT is_enabled WHERE name IN ('drill', 'snapshot_accounts')")
    wait_for_slots(ledger_env, "snapshot_accounts", 1)


@pytest.mark.parametrize(
    ("job_name", "arguments"), [("unknown.job", "{}"), ("upkeep.do_nothing", '{"seconds": "soon"}')]
)
def test_an_invalid_entry_does_not_stop_the_others(ledger_env: LedgerEnv, job_name: str, arguments: str) -> None:
    ledger_env.execute(
        "INSERT INTO schedule (name, job_name, arguments, clock, every) "
        f"VALUES ('a typo', '{job_name}', '{arguments}', 'machine', interval '1 second')"
    )
    schedule(ledger_env, "drill", "1 second")
    beat = ledger_env.start("scheduler", "beat")

    until(lambda: len(slots(ledger_env, "drill")) >= 2 or not beat.is_alive(), 60, "two slots")
    assert beat.is_alive(), beat.log.read_text()


def test_a_beat_survives_an_outage_of_postgres_and_records_missed_slots(ledger_env: LedgerEnv) -> None:
    schedule(ledger_env, "drill", "1 second")
    beat = ledger_env.start("scheduler", "beat")
    beat.wait_until_running()
    wait_for_slots(ledger_env, "drill", 1)
    with without_database(ledger_env.database_url):
        until(lambda: beat.log.read_text().count("the schedule cannot be read") > 4, 60)
    count = len(slots(ledger_env, "drill"))
    wait_for_slots(ledger_env, "drill", count + 1)

    assert 0 == beat.stop()
    assert [] != slots(ledger_env, "drill", "skipped")
    processed = sorted(slots(ledger_env, "drill") + slots(ledger_env, "drill", "skipped"))
    assert processed[-1] - processed[0] == SECOND * (len(processed) - 1)
    assert_each_slot_is_one_job(ledger_env, "drill")


def test_a_beat_on_a_database_without_a_market_ends_with_a_hint(open_ledger_env: OpenLedgerEnv) -> None:
    beat = open_ledger_env(None).start("scheduler", "beat")

    assert 0 != beat.process.wait(60)
    assert "this database has no market yet: run `tickwork up`" in beat.log.read_text()


def test_a_locked_entry_keeps_no_other_from_running(ledger_env: LedgerEnv) -> None:
    for name in ("a locked one", "another"):
        schedule(ledger_env, name, "1 second")
    lock = "SELECT 1 FROM schedule WHERE name = 'a locked one' FOR UPDATE"
    with running_statement(ledger_env.database_url, lock):
        ledger_env.start("scheduler", "beat")
        wait_for_slots(ledger_env, "another", 3)
        assert [] == slots(ledger_env, "a locked one")
    wait_for_slots(ledger_env, "a locked one", 1)
