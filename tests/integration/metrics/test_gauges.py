"""Gauges: stored by minute, summed up by hour and day, shown by `tickwork metrics`, and deleted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest

from shared.clock import machine_now
from shared.db.metrics import gauges, rollups
from shared.db.upkeep.retention import delete_old
from shared.domain.metrics.gauge_sums import Gauge, GaugeSums
from shared.ledger.jobs.metrics import RollUp
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv

MEMORY = Gauge("program", "laptop/feed", "memory_mb")
AGE = Gauge("feed", "CON.F.US.MNQ.H26", "price_age_ms")
DELAY = Gauge("monitor", "risk-monitor", "round_delay_ms")
LEFT = Gauge("budget", "bars", "left_percent")
LOAD = Gauge("host", "laptop", "load_1m")
ALL = (MEMORY, AGE, DELAY, LEFT, LOAD)
SUMS = "SELECT period_start_at, count, total, min, max FROM gauge_rollup WHERE span = %s AND name = %s ORDER BY 1"
OF_MINUTES = """
    SELECT kind, source, name, sum(count)::int, round(sum(total) / sum(count), 3)::float, min(min)::float,
           max(max)::float
    FROM gauge_rollup WHERE span = 'minute' AND period_start_at >= %s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
EVERYTHING = "SELECT * FROM gauge_rollup ORDER BY span, period_start_at, kind, source, name"


def store(worker_env: WorkerEnv, *values: tuple[Gauge, datetime, float]) -> None:
    sums = GaugeSums()
    for gauge, at, value in values:
        sums.add(gauge, value, at)
    with worker_env.ledger.engine.begin() as connection:
        gauges.store(connection, sums.take())


def store_minutes(worker_env: WorkerEnv, first: datetime, minutes: int, read: Sequence[Gauge] = ALL) -> None:
    """Store a value of each gauge in each of so many minutes."""
    store(worker_env, *[
        (gauge, first + timedelta(minutes=one), 10 + one * 7 % 31 + number)
        for one in range(minutes) for number, gauge in enumerate(read)
    ])  # fmt: skip


def roll_up(worker_env: WorkerEnv, slot: datetime) -> None:
    worker_env.enqueue(RollUp(slot=slot))
    worker_env.run_due_jobs()


def this_minute() -> datetime:
    return machine_now().replace(second=0, microsecond=0)


def test_what_is_stored_in_a_minute_adds_up_also_after_a_restart_of_its_program(worker_env: WorkerEnv) -> None:
    minute = this_minute()
    store(worker_env, (MEMORY, minute, 5), (MEMORY, minute + timedelta(seconds=9), 3.5))
    store(worker_env, (MEMORY, minute + timedelta(seconds=50), 8), (LOAD, minute, 1))

    assert [(minute, 3, Decimal("16.5"), Decimal("3.5"), 8)] == worker_env.rows(SUMS, "minute", MEMORY.name)
    assert [(minute, 1, 1, 1, 1)] == worker_env.rows(SUMS, "minute", LOAD.name)


def test_programs_that_store_the_same_minute_at_once_lose_nothing(worker_env: WorkerEnv) -> None:
    minute, barrier = this_minute(), Barrier(4)

    def write(order: Sequence[Gauge]) -> None:
        barrier.wait()
        for _ in range(25):
            store(worker_env, *[(gauge, minute, 2) for gauge in order])

    threads = [Thread(target=write, args=(order,)) for order in (ALL, ALL[::-1], ALL, ALL[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert {(100, 200, 2, 2)} == {row[1:] for gauge in ALL for row in worker_env.rows(SUMS, "minute", gauge.name)}


def test_hours_and_days_are_the_sums_of_their_minutes_however_often_they_are_made(worker_env: WorkerEnv) -> None:
    hour = (this_minute() - timedelta(hours=3)).replace(minute=0)
    worker_env.execute(f"INSERT INTO metric_progress (rolled_up_until_at) VALUES ('{hour.isoformat()}')")
    store_minutes(worker_env, hour, 120)
    slot = hour + timedelta(hours=2)
    roll_up(worker_env, slot)
    by_hour = worker_env.rows(
        "SELECT date_trunc('hour', period_start_at, 'UTC'), sum(count)::bigint, sum(total), min(min), max(max)"
        " FROM gauge_rollup WHERE span = 'minute' AND name = %s GROUP BY 1 ORDER BY 1",
        AGE.name,
    )
    before = worker_env.rows(EVERYTHING)

    assert 2 == len(by_hour)
    assert by_hour == worker_env.rows(SUMS, "hour", AGE.name)
    assert 120 == sum(row[1] for row in worker_env.rows(SUMS, "day", AGE.name))
    assert sum(row[2] for row in by_hour) == sum(row[2] for row in worker_env.rows(SUMS, "day", AGE.name))
    roll_up(worker_env, slot)
    roll_up(worker_env, slot - timedelta(minutes=3))  # a slot that ran late
    run_together(worker_env, slot)
    assert before == worker_env.rows(EVERYTHING)


def run_together(worker_env: WorkerEnv, slot: datetime) -> None:
    """Make the sums in four sessions at once, as so many beats would."""

    def run() -> None:
        with worker_env.ledger.engine.begin() as connection:
            rollups.roll_up(connection, slot, [])

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_a_minute_that_is_stored_after_its_rollup_is_in_the_next_one(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    minute = slot - timedelta(minutes=1)
    store(worker_env, (AGE, minute, 4))
    roll_up(worker_env, slot)
    store(worker_env, (AGE, minute + timedelta(seconds=58), 6))
    roll_up(worker_env, slot + timedelta(minutes=1))

    (hour,) = worker_env.rows(SUMS, "hour", AGE.name)
    assert (2, 10, 4, 6) == hour[1:]


def test_days_stay_once_their_minutes_and_hours_are_deleted(worker_env: WorkerEnv) -> None:
    slot = this_minute()
    stopped = slot - timedelta(days=9)
    store_minutes(worker_env, stopped - timedelta(minutes=5), 5)
    roll_up(worker_env, stopped)
    before = worker_env.rows(SUMS, "day", AGE.name)
    worker_env.execute("DELETE FROM gauge_rollup WHERE span = 'minute'")
    for _ in range(30):
        with worker_env.ledger.engine.begin() as connection:
            rollups.roll_up(connection, slot, [])

    assert before
    assert before == worker_env.rows(SUMS, "day", AGE.name)


@pytest.mark.parametrize(("window", "span"), [("1h", "minute"), ("1d", "minute"), ("2d", "hour")])
def test_the_figures_of_metrics_equal_the_rows(
    worker_env: WorkerEnv, operator: RunCommand, window: str, span: str
) -> None:
    slot = this_minute()
    worker_env.execute(f"INSERT INTO metric_progress VALUES (true, '{(slot - timedelta(hours=30)).isoformat()}')")
    store_minutes(worker_env, slot - timedelta(hours=30), 30 * 60)
    for _ in range(6):
        with worker_env.ledger.engine.begin() as connection:
            rollups.roll_up(connection, slot, [])
    while True:
        first = first_minute(window, span)
        expected = worker_env.rows(OF_MINUTES, first)
        found = operator("metrics", "--json", "--last", window).json["gauges"]
        if first == first_minute(window, span):  # else the window has moved on between the two reads
            break

    assert len(ALL) == len(expected)
    assert expected == [tuple(row.values()) for row in found]


def first_minute(window: str, span: str) -> datetime:
    """Return the first minute, or the first of the first hour, of a window that ends now."""
    since = machine_now() - timedelta(hours={"1h": 1, "1d": 24, "2d": 48}[window])
    return since.replace(second=0, microsecond=0, minute=since.minute if span == "minute" else 0)


def test_each_section_shows_its_gauges(worker_env: WorkerEnv, operator: RunCommand) -> None:
    store_minutes(worker_env, this_minute() - timedelta(minutes=3), 3)

    for section, kinds in {"calls": {"budget"}, "feed": {"feed"}, "system": {"host", "program", "monitor"}}.items():
        found = operator("metrics", "--json", "--section", section).json
        assert kinds == {row["kind"] for row in found["gauges"]}, section
    assert "Venue requests that were left" in operator("metrics", "--section", "calls").out
    assert "Age of the last price in open sessions, read each second, last 1h" in operator("metrics").out
    text = operator("metrics", "--section", "system").out
    assert "Delay of the risk monitor's runs, last 1h" in text
    assert "laptop/feed" not in text


def test_the_newest_value_is_none_of_a_clock_that_was_ahead(worker_env: WorkerEnv) -> None:
    store(worker_env, (LOAD, this_minute() + timedelta(minutes=90), 9))
    with worker_env.ledger.engine.connect() as connection:
        assert LOAD not in {(one.kind, one.source, one.name) for one in gauges.list_newest(connection)}
    store(worker_env, (LOAD, this_minute(), 1))
    with worker_env.ledger.engine.connect() as connection:
        newest = {(one.kind, one.source, one.name): one.mean for one in gauges.list_newest(connection)}

    assert 1 == newest[LOAD]


def test_programs_of_two_computers_have_the_names_of_both(worker_env: WorkerEnv, operator: RunCommand) -> None:
    at = this_minute()
    store(worker_env, (MEMORY, at, 70), (MEMORY._replace(source="server/feed"), at, 90))
    text = operator("metrics", "--section", "system").out

    assert "laptop/feed" in text
    assert "server/feed" in text


def test_without_gauges_no_table_of_them_is_shown(worker_env: WorkerEnv, operator: RunCommand) -> None:
    worker_env.execute("DELETE FROM gauge_rollup")

    assert [] == operator("metrics", "--json").json["gauges"]
    assert "Programs with their child processes" not in operator("metrics").out


def test_minutes_are_kept_for_a_week_hours_for_four_hundred_days_and_days_for_good(worker_env: WorkerEnv) -> None:
    worker_env.execute(
        "INSERT INTO gauge_rollup SELECT span, date_trunc(span, now() - interval '1 day' * days, 'UTC'), 'host',"
        " 'laptop', 'load_1m', 1, 1, 1, 1 FROM (VALUES ('minute', 6), ('minute', 8), ('hour', 399), ('hour', 402),"
        " ('day', 5000)) AS one(span, days)"
    )
    deleted = dict(delete_old(worker_env.ledger.engine, []))

    assert (1, 1) == (deleted["minutes of gauges"], deleted["hours of gauges"])
    found = worker_env.rows("SELECT span FROM gauge_rollup ORDER BY 1")
    assert [("day",), ("hour",), ("minute",)] == found
