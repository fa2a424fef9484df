"""The size of each table after a month: the rows of an hour, counted in a running stack, over 30 days of retention."""

import time
from dataclasses import replace

import psycopg
import pytest
import requests

from shared.db.engine import make_engine
from shared.db.upkeep.retention import delete_old
from shared.ledger.jobs import job_names_with
from tests.fixtures.many_rows import Series, fill, years_of_rows
from tests.fixtures.stack import ALERT, Stack

MINUTES = 10
EVERY_S = 30  # between two alerts: an entry with its bracket, then a close
DAYS = 30
# What the rows of a month belong to.
SETUP = (
    "INSERT INTO account (id, name, balance, can_trade) VALUES (20001, 'ONE', 1, true), (20002, 'TWO', 1, true)",
    "INSERT INTO contract VALUES ('CON.F.US.MNQ.Z26', 'MNQZ6', 'MNQ', 0.25, 0.5, true, NULL, true)",
    "INSERT INTO hook (id, name, token_hash, account_id) VALUES (gen_random_uuid(), 'test', 'x', 20001)",
    "INSERT INTO market_clock VALUES (true, 'a test', 'seeded', now(), now(), 1)",
)
SIZES = """
    SELECT coalesce(pg_partition_root(oid), oid)::regclass::text, sum(greatest(reltuples, 0))::bigint,
           sum(pg_total_relation_size(oid))::bigint FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace GROUP BY 1 ORDER BY 3 DESC
"""
INSERTED = """
    SELECT coalesce(pg_partition_root(relid), relid)::regclass::text, sum(n_tup_ins)::bigint
    FROM pg_stat_user_tables GROUP BY 1
"""


def count_inserted(stack: Stack) -> dict[str, int]:
    """Return how many rows each table was given until now; probes do not count, as they stay for minutes only."""
    counts = dict(stack.rows(INSERTED))
    probes = job_names_with("is_probe")
    [(jobs,)] = stack.rows("SELECT count(*) FROM job WHERE name <> ALL(%s)", probes)
    [(slots,)] = stack.rows(
        "SELECT count(*) FROM schedule_slot JOIN schedule USING (name) WHERE job_name <> ALL(%s)", probes
    )
    return counts | {"job": jobs, "schedule_slot": slots}


def measure_rates(stack: Stack, hook: str) -> dict[str, float]:
    """Trade for MINUTES; return how many rows an hour each table receives."""
    before, began = count_inserted(stack), time.monotonic()
    number = 0
    while time.monotonic() - began < MINUTES * 60:
        alert = ALERT if number % 2 == 0 else {"action": "close", "symbol": "MNQ"}
        assert 202 == requests.post(hook, json=alert, timeout=60).status_code
        number += 1
        time.sleep(EVERY_S)
    hours = (time.monotonic() - began) / 3600
    return {table: (count - before[table]) / hours for table, count in count_inserted(stack).items()}


def month_of(series: Series, rates: dict[str, float]) -> Series:
    """Return the rows of one table in a month at these rates."""
    return replace(series, count=round(rates.get(series.table, 0) * 24 * DAYS), days=DAYS)


def fill_month(url: str, rates: dict[str, float]) -> dict[str, Series]:
    """Insert the rows of a month into a database without programs; return them by table."""
    month = {one.table: month_of(one, rates) for one in reversed(years_of_rows(0))}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in SETUP:
            connection.execute(statement)
    fill(url, list(month.values()))
    return month


def print_sizes(url: str, rates: dict[str, float]) -> None:
    """Print the rows and the size of each table after a month at these rates, packed, with its indexes."""
    month = fill_month(url, rates)
    engine = make_engine(url, program="bench", pool_size=1)
    began = time.monotonic()
    deleted = sum(count for _, count in delete_old(engine, job_names_with("is_probe")))
    took = time.monotonic() - began
    engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (FULL, ANALYZE)")
        sizes = connection.execute(SIZES).fetchall()
        ((database,),) = connection.execute("SELECT pg_database_size(current_database())").fetchall()
    print(f"\n30 days of {24 * 3600 // EVERY_S:,} alerts each; {deleted:,} rows deleted in {took:.0f} s")
    print(f"{'table':20} {'rows an hour':>14} {'rows of a month':>16} {'kept':>12} {'size':>12}")
    for table, rows, size in sizes:
        if table in month and month[table].count:
            hourly, monthly = rates[table], month[table].count
            print(f"{table:20} {hourly:14,.0f} {monthly:16,} {rows:12,} {size / 1e6:9,.1f} MB")
    print(f"{'the database':20} {'':14} {'':16} {'':12} {database / 1e6:9,.1f} MB")


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_the_sizes_of_the_tables_after_a_month(
    stack: Stack, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.up()
    hook = stack.hook()
    stack.loosen_rules()
    rates = measure_rates(stack, hook)
    stack.stop()
    with capsys.disabled():
        print_sizes(database_url, rates)
