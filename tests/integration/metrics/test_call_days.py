"""The partitions of the calls to the venue: made ahead, dropped after a week; no query or insert waits for either."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from shared.db.metrics import call_days
from shared.db.upkeep.retention import delete_old
from tests.fixtures.query_plans import sum_rows_read

ADD_CALL = """
    INSERT INTO api_call (endpoint, method, called_at, duration_ms)
    SELECT '/api/Order/place', 'POST', now() + interval '1 day' * days, 1 FROM unnest(%s::float[]) AS days
"""
IS_AT_HOME = """
    SELECT (SELECT relname FROM pg_class WHERE oid = api_call.tableoid)
           = 'api_call_' || to_char(called_at AT TIME ZONE 'UTC', 'YYYYMMDD') FROM api_call ORDER BY called_at
"""
DAYS = """
    SELECT to_date(right(relname, 8), 'YYYYMMDD') - (now() AT TIME ZONE 'UTC')::date AS day
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'api_call'::regclass AND relname <> 'api_call_default' ORDER BY day
"""
ADD_DAYS = "SELECT add_api_call_day((now() AT TIME ZONE 'UTC')::date + day) FROM unnest(%s::integer[]) AS day"


def list_days(session: "psycopg.Connection[Any]") -> list[int]:
    """Return the days that have a partition, counted from today."""
    return [day for (day,) in session.execute(DAYS).fetchall()]


def test_the_partitions_of_the_next_days_are_there_before_their_calls(
    engine: Engine, session: "psycopg.Connection[Any]"
) -> None:
    call_days.add_days(engine)
    session.execute(ADD_CALL, [[0, 1, 2]])

    assert [0, 1, 2] == list_days(session)
    assert [(True,)] * 3 == session.execute(IS_AT_HOME).fetchall()
    assert 0 == call_days.add_days(engine)


def test_a_call_of_a_day_without_a_partition_is_stored_and_moved_into_it_later(
    engine: Engine, session: "psycopg.Connection[Any]"
) -> None:
    session.execute("DROP TABLE " + ", ".join(f"api_call_{name}" for name in read_names(session)))
    session.execute(ADD_CALL, [[0, 1, 5]])
    assert 3 == call_days.add_days(engine)

    assert [(True,), (True,), (False,)] == session.execute(IS_AT_HOME).fetchall()
    assert [(3,)] == session.execute("SELECT count(DISTINCT id) FROM api_call").fetchall()


def read_names(session: "psycopg.Connection[Any]") -> list[str]:
    names = "SELECT right(relname, 8) FROM pg_class WHERE relname ~ '^api_call_[0-9]{8}$'"
    return [name for (name,) in session.execute(names).fetchall()]


def test_days_are_dropped_once_all_their_calls_are_a_week_old(
    engine: Engine, session: "psycopg.Connection[Any]"
) -> None:
    session.execute(ADD_DAYS, [[-9, -8, -7, -1]])
    session.execute(ADD_CALL, [[-30, -20, -9, -8, -7, -1, 0]])
    deleted = dict(delete_old(engine, []))

    # Today is a part of a day: the calls of 7 days ago are not all a week old.
    assert (2, 2) == (deleted["days of api_call"], deleted["api_call"])
    assert [-7, -1, 0, 1, 2] == list_days(session)
    assert [(3,)] == session.execute("SELECT count(*) FROM api_call").fetchall()


def test_while_a_query_reads_the_calls_a_drop_gives_up_and_delays_no_insert(
    engine: Engine, session: "psycopg.Connection[Any]", database_url: str
) -> None:
    session.execute(ADD_DAYS, [[-9]])
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM api_call")
        assert 0 == call_days.drop_days(engine)
        session.execute("SET lock_timeout = '1s'")
        session.execute(ADD_CALL, [[0]])
    assert -9 in list_days(session)

    assert 1 == call_days.drop_days(engine)
    assert -9 not in list_days(session)


def test_a_day_is_added_while_calls_of_another_are_written(
    engine: Engine, session: "psycopg.Connection[Any]", database_url: str
) -> None:
    session.execute(f"DROP TABLE api_call_{read_names(session)[-1]}")
    with psycopg.connect(database_url) as writer:
        writer.execute(ADD_CALL, [[0]])

        assert 1 == call_days.add_days(engine)


@pytest.mark.parametrize("view", ["slow_endpoint"])
def test_a_query_of_the_last_hour_reads_no_more_than_its_calls(session: "psycopg.Connection[Any]", view: str) -> None:
    session.execute(ADD_DAYS, [list(range(-7, 0))])
    session.execute(ADD_CALL, [[-minute / 1440 for minute in range(7 * 1440)]])
    session.execute("VACUUM (ANALYZE) api_call")
    explained = session.execute(f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) SELECT * FROM {view}".encode()).fetchone()

    assert explained is not None
    assert 59 <= sum_rows_read(explained[0][0]["Plan"]) <= 62
