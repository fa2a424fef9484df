"""Every table, view and column says in the catalog what it means: its unit, and what empty means."""

import re

import psycopg

from tests.fixtures.sql_comments import list_views, read_comments

RELATIONS = """
    SELECT relname, obj_description(oid, 'pg_class') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
"""
COLUMNS = """
    SELECT relname || '.' || attname, col_description(pg_class.oid, attnum), format_type(atttypid, atttypmod),
           relkind = 'v', attnotnull
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
          AND attnum > 0 AND NOT attisdropped
"""
UNITS = re.compile(r"dollars|\bprice|\btick|milliseconds|ratio|points|share|\bP&L\b|seconds|contracts", re.IGNORECASE)
COUNTED = re.compile(r"_count$|\.version_num$")


def test_every_table_view_and_column_has_the_comment_of_the_files(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        relations = connection.execute(RELATIONS).fetchall()
        columns = connection.execute(COLUMNS).fetchall()

    assert [] == [name for name, comment, *_ in [*relations, *columns] if not comment]
    assert read_comments() == {name: comment for name, comment, *_ in [*relations, *columns]}
    assert {"alert_story", "trade", "daily_pnl", "dead_job", "slow_endpoint", "queue_now", "account_now"} <= set(
        list_views()
    )


def test_a_column_that_may_be_empty_says_what_that_means(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        columns = connection.execute(COLUMNS).fetchall()

    # Postgres does not know of a view's column whether it may be empty.
    assert [] == [
        name for name, comment, _, is_of_view, is_required in columns
        if not is_of_view and is_required == ("empty" in comment)
    ]  # fmt: skip


def test_a_number_has_a_unit(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        columns = connection.execute(COLUMNS).fetchall()

    assert [] == [
        name for name, comment, kind, *_ in columns
        if kind == "numeric" and not UNITS.search(comment) and not COUNTED.search(name)
    ]  # fmt: skip


def test_no_view_shows_money_or_a_price_as_a_float(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        columns = connection.execute(COLUMNS).fetchall()

    assert [] == [name for name, _, kind, *_ in columns if kind in {"real", "double precision"}]
