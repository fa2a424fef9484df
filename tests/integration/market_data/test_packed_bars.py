"""Older days are packed, which neither SQL nor Python nor a second store can tell."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Connection

from shared.db.market_data import bar_coverage, bars
from shared.db.market_data.bars import StoredBars
from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import from_bars, time_of
from shared.domain.market_data.calendar import calendar_of, trading_day_at, trading_day_begins
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.rollup import roll_up
from shared.domain.market_data.timeframe import Timeframe
from shared.ledger.jobs.market_data import PackBars
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

# The clocks change on the Sunday between these two weeks.
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 12)
NOW = trading_day_begins(date(2026, 3, 13))
DAYS = "SELECT trading_day, bar_count FROM bar_day ORDER BY trading_day"
ROW_DAYS = "SELECT DISTINCT trading_day_at(start) FROM bar_minute ORDER BY 1"


def make_bars(first: date, last: date, every: int = 7) -> list[Bar]:
    """Return a bar for each seventh minute of the sessions of these trading days."""
    made: list[Bar] = []
    for span in calendar_of("equity").open_spans(
        Span(trading_day_begins(first), trading_day_begins(last) + timedelta(days=1))
    ):
        at = span.start
        while at < span.end:
            number = len(made)
            made.append(Bar(at, 80_000 + number, 80_010 + number, 79_990 - number % 9, 80_001, number % 50))
            at += every * MINUTE
    return made


@pytest.fixture
def connection(worker_env: WorkerEnv) -> Iterator[Connection]:
    """A database without bars, of which MNQ is tracked."""
    worker_env.execute("DELETE FROM bar_minute; UPDATE contract SET coverage = '{}'")
    with worker_env.ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def store(connection: Connection, made: list[Bar], now: datetime = NOW) -> StoredBars:
    return bars.store(connection, MNQ, from_bars(made), now)


def read_all(connection: Connection) -> list[Bar]:
    return bars.read(connection, MNQ, Span(NOW - timedelta(days=60), NOW + timedelta(days=60))).to_bars()


def test_days_that_are_fetched_no_more_are_packed_as_they_come(worker_env: WorkerEnv, connection: Connection) -> None:
    made = make_bars(FIRST, LAST)
    stored = store(connection, made)

    assert [bar.start for bar in made] == sorted(time_of(int(at)) for at in stored.new)
    assert [date(2026, 3, day) for day in (2, 3, 4, 5, 6)] == [day for day, _ in worker_env.rows(DAYS)]
    assert [date(2026, 3, day) for day in (9, 10, 11, 12)] == [day for (day,) in worker_env.rows(ROW_DAYS)]
    assert made == read_all(connection)


def test_a_second_store_of_the_same_bars_stores_nothing(worker_env: WorkerEnv, connection: Connection) -> None:
    made = make_bars(FIRST, LAST)
    store(connection, made)
    again = store(connection, made)

    assert (0, 0) == (len(again.new), len(again.corrected))
    assert [] == worker_env.rows("SELECT * FROM bar_correction")


@pytest.mark.parametrize("day", [FIRST, LAST], ids=["packed", "rows"])
def test_a_corrected_bar_replaces_the_first_one_which_is_kept(
    worker_env: WorkerEnv, connection: Connection, day: date
) -> None:
    made = make_bars(FIRST, LAST)
    store(connection, made)
    number = next(n for n, bar in enumerate(made) if trading_day_at(bar.start) == day) + 3
    old = made[number]
    made[number] = Bar(old.start, old.open, old.high + 5, old.low, old.close, old.volume + 1)
    late = Bar(old.start + MINUTE, 1, 2, 1, 2, 3)
    stored = store(connection, [made[number], late])

    assert ([late.start], [old.start]) == tuple(
        [time_of(int(at)) for at in starts] for starts in (stored.new, stored.corrected)
    )
    assert [(old.start, old.high)] == worker_env.rows("SELECT start, high_ticks FROM bar_correction")
    assert [*made[: number + 1], late, *made[number + 1 :]] == read_all(connection)


def test_the_newest_day_of_a_contract_stays_rows_however_old_it_is(
    worker_env: WorkerEnv, connection: Connection
) -> None:
    made = make_bars(FIRST, LAST)
    store(connection, made, NOW + timedelta(days=300))

    assert [(LAST,)] == worker_env.rows(ROW_DAYS)
    assert made == read_all(connection)


def test_the_job_packs_what_has_become_old_and_a_second_run_nothing(worker_env: WorkerEnv) -> None:
    (before,) = worker_env.rows("SELECT count(*), sum(volume), min(start) FROM bars")
    ((newest,),) = worker_env.rows("SELECT max(trading_day) FROM bars")
    worker_env.execute(
        "INSERT INTO bar_minute SELECT contract_id, start - interval '70 days', 1, 2, 1, 2, 3 FROM bar_minute"
    )
    state, result, _ = worker_env.run(PackBars())
    assert "succeeded" == state
    assert result["days"] >= 3
    assert {"days": 0} == worker_env.run(PackBars())[1]

    ((days,),) = worker_env.rows(f"SELECT count(*) FROM bar_day WHERE trading_day < '{newest}'")
    assert days > 0
    assert [(2 * before[0], newest)] == worker_env.rows("SELECT count(*), max(trading_day) FROM bars")
    assert [] == worker_env.rows("SELECT 1 FROM bar_minute JOIN bar_day USING (contract_id)"
                                 " WHERE trading_day_at(start) = trading_day")  # fmt: skip


def test_the_view_shows_packed_days_and_rows_alike(worker_env: WorkerEnv, connection: Connection) -> None:
    made = make_bars(FIRST, LAST)
    made[3] = Bar(made[3].start, 80_000, 200_000, -40_000, 80_001, 5)  # does not fit two bytes
    store(connection, made)
    shown = worker_env.rows(
        "SELECT start, open * 4, high * 4, low * 4, close * 4, volume, trading_day FROM bars ORDER BY start"
    )

    assert [
        (*(getattr(bar, name) for name in bar.__struct_fields__), trading_day_at(bar.start)) for bar in made
    ] == shown


@pytest.mark.parametrize("text", ["1m", "7m", "30m", "4h", "1d", "1w", "1mo"])
def test_the_function_shows_any_timeframe_as_python_makes_it(
    worker_env: WorkerEnv, connection: Connection, text: str
) -> None:
    made = make_bars(FIRST, date(2026, 4, 10))
    now = trading_day_begins(date(2026, 4, 13))
    store(connection, made, now)
    worker_env.execute(f"UPDATE market_clock SET market_origin_at = '{now}', machine_origin_at = now(), speed = 1")
    expected = roll_up(from_bars(made), Timeframe.parse(text), now, calendar_of("equity")).to_bars()
    query = "SELECT start, open * 4, high * 4, low * 4, close * 4, volume FROM bars_between(%s, %s, %s, %s, %s)"

    def ask(since: datetime | None = None, until: datetime | None = None, newest: int | None = None) -> list[Bar]:
        return [Bar(*row) for row in worker_env.rows(query, MNQ, text, since, until, newest)]

    assert expected == ask()
    assert expected[-3:] == ask(newest=3)
    middle = expected[len(expected) // 2].start
    assert [bar for bar in expected if bar.start >= middle] == ask(since=middle)
    before = [bar for bar in expected if bar.start < middle]
    assert before == ask(until=middle)
    assert before[-40:] == ask(until=middle, newest=40)
    assert before[-1_000:] == ask(until=middle, newest=1_000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (f"bars_between('{MNQ}', '30s')", "timeframe '30s' is none of 1m to 1440m"),
        (f"bars_between('{MNQ}', '2w')", "timeframe '2w' is none of"),
        ("bars_between('MNQ')", "unknown contract 'MNQ': the table contract lists them"),
    ],
)
def test_what_the_function_cannot_show_is_refused_by_name(worker_env: WorkerEnv, call: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        worker_env.rows(f"SELECT * FROM {call}")


def test_a_question_for_one_day_reads_no_other(worker_env: WorkerEnv, connection: Connection) -> None:
    store(connection, make_bars(FIRST, LAST))
    bar_coverage.read(connection, MNQ)
    plan = "\n".join(
        line
        for (line,) in worker_env.rows(
            f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT * FROM bars WHERE contract = '{MNQ}'"
            f" AND trading_day = '{FIRST}'"
        )
    )

    assert "Index Scan using pk_bar_day on bar_day (actual rows=1" in plan.replace(".00", "")
