"""The watch after a pause, as of a computer that slept: an account that held something learns what was not watched."""

from datetime import timedelta

from sqlalchemy import text

from shared.clock import machine_now
from shared.overview.alarms import list_alarms, list_gap_alarms
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from workers.risk.watch_record import record_watch


def watch(worker_env: WorkerEnv) -> None:
    worker_env.write_quote()
    worker_env.watch()


def sleep_for(worker_env: WorkerEnv, pause: str) -> None:
    """Let the computer have slept for so long since the last run of the watch."""
    worker_env.execute(f"UPDATE account_watch SET watched_at = watched_at - interval '{pause}'")


def read_gaps(worker_env: WorkerEnv) -> list[str]:
    return [message for (message,) in worker_env.rows("SELECT message FROM account_event WHERE kind = 'unwatched'")]


def read_gap_alarms(worker_env: WorkerEnv) -> str:
    with worker_env.ledger.engine.connect() as connection:
        return " ".join(alarm.message for alarm in list_gap_alarms(connection))


def test_an_account_that_held_a_position_learns_what_was_not_watched_and_for_how_long(long_two: WorkerEnv) -> None:
    watch(long_two)
    sleep_for(long_two, "5 hours 10 minutes")
    ((since,),) = long_two.rows("SELECT watched_at FROM account_watch")
    watch(long_two)
    watch(long_two)

    (gap,) = read_gaps(long_two)
    assert f"{since:%H:%M:%S} to " in gap
    assert "(5 h 10 min) while it held 2 MNQ long: the stops at the venue stood" in gap


def test_a_position_that_was_closed_meanwhile_was_held_without_being_watched(long_two: WorkerEnv) -> None:
    watch(long_two)
    sleep_for(long_two, "2 days 1 hour")
    long_two.execute("UPDATE position SET quantity = 0, direction = 'FLAT'")
    watch(long_two)

    assert ["while it held 2 MNQ long: the stops at the venue stood"] == [
        gap[gap.index("while") :] for gap in read_gaps(long_two)
    ]


def test_a_flat_account_misses_nothing_and_a_stop_between_two_runs_is_no_gap(worker_env: WorkerEnv) -> None:
    watch(worker_env)
    sleep_for(worker_env, "1 day")
    watch(worker_env)
    watch(worker_env)

    assert [] == read_gaps(worker_env)


def test_a_clock_that_was_set_back_begins_the_time_anew(long_two: WorkerEnv) -> None:
    watch(long_two)
    long_two.execute("UPDATE account_watch SET watched_at = now() + interval '1 day'")
    watch(long_two)

    assert [(True,)] == long_two.rows("SELECT watched_at <= now() FROM account_watch")
    assert [] == read_gaps(long_two)
    sleep_for(long_two, "2 hours")
    watch(long_two)
    assert 1 == len(read_gaps(long_two))


def test_a_run_that_slept_in_its_middle_hides_no_gap_from_the_next(long_two: WorkerEnv) -> None:
    """It has read the account before it fell asleep, and records it only after a later run has told the gap."""
    watch(long_two)
    fell_asleep_at = machine_now() - timedelta(hours=5)
    sleep_for(long_two, "5 hours 1 minute")
    watch(long_two)
    with long_two.ledger.engine.begin() as connection:
        record_watch(connection, fell_asleep_at, {long_two.venue.account_id: "2 MNQ long"})
    watch(long_two)

    assert 1 == len(read_gaps(long_two))


def test_the_time_counts_from_the_beginning_of_a_run(long_two: WorkerEnv) -> None:
    began_at = machine_now() - timedelta(hours=5)
    with long_two.ledger.engine.begin() as connection:
        record_watch(connection, began_at, {long_two.venue.account_id: "2 MNQ long"})
    watch(long_two)

    assert 1 == len(read_gaps(long_two))


def test_status_and_risk_show_a_gap_and_a_watch_that_does_not_run(long_two: WorkerEnv, operator: RunCommand) -> None:
    watch(long_two)
    sleep_for(long_two, "5 hours 10 minutes")
    with long_two.ledger.engine.connect() as connection:
        (overdue,) = list_alarms(connection)
    assert (["not_watched"], 20001) == (overdue.codes, overdue.account_id)
    assert "is NOT WATCHED since " in overdue.message
    watch(long_two)

    assert "was not watched from " in read_gap_alarms(long_two)
    assert "It was not watched from" in operator("risk").out
    assert "while it held 2 MNQ long" in operator("risk", "--json").json["accounts"][0]["unwatched"]
    assert "unwatched" in operator("accounts", "show", "20001").out
    with long_two.ledger.engine.begin() as connection:
        connection.execute(text("UPDATE account_event SET happened_at = now() - interval '13 hours'"))
    assert "not watched" not in operator("risk").out


def test_a_gap_stands_above_no_other_list_and_goes_once_the_position_is_closed(
    long_two: WorkerEnv, operator: RunCommand
) -> None:
    watch(long_two)
    sleep_for(long_two, "2 hours")
    watch(long_two)
    assert "was not watched from " in read_gap_alarms(long_two)
    for command in (("orders",), ("positions",), ("top", "--once")):
        assert "not watched" not in operator(*command).words
    long_two.execute("UPDATE position SET opened_market_at = opened_market_at + interval '1 day'")
    assert "" == read_gap_alarms(long_two), "another position"
    long_two.execute("UPDATE position SET opened_market_at = opened_market_at - interval '1 day'")
    long_two.execute("UPDATE position SET quantity = 0, direction = 'FLAT'")

    assert "" == read_gap_alarms(long_two)
    assert "not watched" not in operator("risk").out
    assert "not watched" in operator("accounts", "show", "20001").words
