"""How long everyday reads take in a database with years of trading, and a year of bars packed."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from shared.clock import machine_now
from shared.db import views
from shared.db.engine import autocommit
from shared.db.market_data import bars
from shared.db.metrics import figures, gauges, metrics
from shared.db.trades import round_trips
from shared.db.trades.round_trips import RoundTripFilter
from shared.domain.market_data.coverage import Span
from tests.fixtures.bar_walk import walk
from tests.fixtures.figures import line
from tests.fixtures.many_rows import fill, years_of_rows
from tests.fixtures.venue import MNQ, OPEN_AT
from tests.fixtures.worker_env import WorkerEnv

JOBS = 300_000  # and 10,000 trades, 30,000 orders, 30,000 calls and snapshots
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HISTORY = text("""
    SELECT taken_market_at, balance FROM account_snapshot
    WHERE account_id = (SELECT min(id) FROM account) AND taken_market_at > market_now() - interval '1 day'
    ORDER BY taken_market_at
""")


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_everyday_reads(worker_env: WorkerEnv, capsys: pytest.CaptureFixture[str]) -> None:
    with worker_env.ledger.engine.begin() as connection:
        bars.store(connection, MNQ, walk(365), OPEN_AT)
    hook_id = worker_env.add_hook()
    worker_env.execute(f"UPDATE hook SET name = 'test' WHERE id = '{hook_id}'")  # as the rows of alerts expect it
    rows = [series for series in years_of_rows(JOBS) if series.table != "bar_minute"]
    fill(worker_env.settings.require_database(), rows)
    with autocommit(worker_env.ledger.engine) as connection:
        reads: dict[str, Callable[[], object]] = {
            "bars of a trading day": lambda: bars.read(connection, MNQ, Span(OPEN_AT - 9 * DAY, OPEN_AT - 8 * DAY)),
            "accounts as they are now": lambda: connection.execute(text("SELECT * FROM account_now")).all(),
            "an account's balance over a day": lambda: connection.execute(HISTORY).all(),
            "strategies, last hour": lambda: metrics.strategy_summary(connection, HOUR),
            "calls, jobs, orders, last hour": lambda: figures.summarize(
                connection, machine_now() - HOUR, machine_now(), []
            ),
            "gauges, last hour": lambda: gauges.summarize(connection, machine_now() - HOUR, machine_now()),
            "the newest 50 trades": lambda: round_trips.list_page(connection, RoundTripFilter(), limit=50),
            "the newest 50 orders": lambda: views.list_orders(connection, state=None, limit=50),
        }
        taken = {name: [_measure(read) for _ in range(53)][3:] for name, read in reads.items()}
    with capsys.disabled():
        print("\neveryday reads")  # a bench prints
        for name, values in taken.items():
            print(line(name, values))  # as above


def _measure(read: Callable[[], object]) -> float:
    began = time.perf_counter()
    read()
    return (time.perf_counter() - began) * 1000
