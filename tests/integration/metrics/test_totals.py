"""The sums since the beginning: equal to the days, whatever is kept of them, and read by an index however many are."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event

from shared.db.metrics.totals import Total, TotalsReader
from tests.fixtures.query_plans import sum_rows_read

# Days, each with so many names in two spans; the newest day is today.
DAYS = """
    INSERT INTO metric_rollup (span, period_start_at, kind, name, count, error_count, total_ms, max_ms, buckets, counts)
    SELECT span, %(today)s::timestamptz - day * interval '1 day', 'job', 'job.' || name, 3, 1, 10, 9,
           ARRAY[0, 210 + day %% 600], ARRAY[1, 2]
    FROM generate_series(0, %(days)s - 1) AS day, generate_series(1, %(names)s) AS name,
         unnest(ARRAY['day', 'hour']) AS span
"""
PROGRESS = """
    INSERT INTO metric_progress (rolled_up_until_at) VALUES (%s)
    ON CONFLICT (is_only) DO UPDATE SET rolled_up_until_at = excluded.rolled_up_until_at
"""
TODAY = datetime(2026, 11, 30, tzinfo=UTC)


def store_days(session: "psycopg.Connection[Any]", days: int, names: int, until: datetime) -> None:
    session.execute(DAYS, {"today": TODAY, "days": days, "names": names})
    session.execute(PROGRESS, [until])


def read(reader: TotalsReader, engine: Engine) -> Total:
    with engine.connect() as connection:
        return reader.read(connection)[1]["job", "job.1"]


def test_without_any_sum_there_is_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        assert (None, {}) == TotalsReader().read(connection)


def test_every_day_since_the_beginning_counts_once(engine: Engine, session: "psycopg.Connection[Any]") -> None:
    store_days(session, 730, 2, TODAY + timedelta(hours=5))
    found = read(TotalsReader(), engine)

    assert (3 * 730, 730, Decimal(7300)) == (found.count, found.error_count, found.total_ms)
    assert 3 * 730 == sum(found.counts) == found.cumulate()[-1]
    assert 730 == found.counts[0]  # bucket 0 is shorter than the first end


@pytest.mark.parametrize("hours", [0, 1, 3, 23.5])
def test_what_is_kept_of_the_days_before_hides_no_change_of_the_newest(
    engine: Engine, session: "psycopg.Connection[Any]", hours: float
) -> None:
    reader, until = TotalsReader(), TODAY + timedelta(hours=hours)
    store_days(session, 10, 1, until)
    before = read(reader, engine).count
    newest = (until - timedelta(minutes=40)).date()  # a rollup computes at most 40 minutes again
    session.execute("UPDATE metric_rollup SET count = count + 5 WHERE period_start_at >= %s AND span = 'day'", [newest])
    after = read(reader, engine).count

    expected = session.execute(
        "SELECT sum(count)::int FROM metric_rollup WHERE span = 'day' AND period_start_at < %s", [until]
    )
    assert (after,) == expected.fetchone()
    assert after > before


def test_what_is_kept_is_read_anew_each_day(engine: Engine, session: "psycopg.Connection[Any]") -> None:
    reader = TotalsReader()
    store_days(session, 10, 1, TODAY + timedelta(hours=5))
    read(reader, engine)
    session.execute("UPDATE metric_rollup SET count = 100 WHERE span = 'day'")
    session.execute(PROGRESS, [TODAY + timedelta(days=1, hours=5)])

    assert 100 * 10 == read(reader, engine).count


def test_a_scrape_reads_the_newest_days_by_their_index_and_no_other_sum(
    engine: Engine, session: "psycopg.Connection[Any]"
) -> None:
    names = 40
    store_days(session, 400, names, TODAY + timedelta(hours=5))
    session.execute("VACUUM (ANALYZE) metric_rollup")
    reader = TotalsReader()
    read(reader, engine)
    with engine.connect() as connection:
        plans = explain_all(reader, connection)

    assert 0 < max(map(sum_rows_read, plans)) <= 2 * names  # the statement reads the rows of today twice
    assert "Seq Scan on metric_rollup" not in str(plans)


def explain_all(reader: TotalsReader, connection: Connection) -> list[dict[str, Any]]:
    """Return the plans of the statements that a reader sends."""
    sent: list[tuple[str, Any]] = []
    event.listen(connection, "before_cursor_execute", lambda *told: sent.append((told[2], told[3])))
    reader.read(connection)
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    plans = []
    for statement, values in sent:
        found = driver.execute(f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) {statement}".encode(), values).fetchone()
        assert found is not None
        plans.append(found[0][0]["Plan"])
    return plans
