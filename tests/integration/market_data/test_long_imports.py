"""An import of years of bars: what it makes complete, and that it holds no lock without doing something."""

from datetime import datetime, timedelta
from threading import Event, Thread

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.bars.bar_import import store_import
from shared.db.engine import autocommit
from shared.db.market_data import bar_coverage
from shared.db.upkeep.blocking_sessions import FROZEN_GRACE
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import BarColumns, seconds_of
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.coverage import Span, subtract, unite
from shared.domain.market_data.foreign_bars import ReadBars
from tests.fixtures.bar_tiers import BEGINS, Tiers
from tests.fixtures.venue import MNQ

YEARS_AGO = BEGINS - timedelta(days=700)
LONGEST_IDLE = """
    SELECT max(clock_timestamp() - state_change) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction'
"""

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=6).map(
    lambda found: unite(Span(BEGINS + start * MINUTE, BEGINS + (start + length) * MINUTE) for start, length in found)
)


def test_minutes_with_imported_bars_are_complete_and_wait_for_no_second_answer(tiers: Tiers) -> None:
    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(spans, spans, spans)
    def compare(complete: tuple[Span, ...], asked_once: tuple[Span, ...], added: tuple[Span, ...]) -> None:
        bar_coverage.write(tiers.connection, MNQ, BarCoverage(complete, asked_once, BEGINS))
        starts = [seconds_of(span.start) for span in added]
        bar_coverage.add(tiers.connection, MNQ, starts, [seconds_of(span.end) for span in added])

        expected = BarCoverage(unite(complete, added), subtract(asked_once, added), BEGINS)
        assert expected == bar_coverage.read(tiers.connection, MNQ)

    compare()


def test_an_import_of_years_of_single_minutes_does_not_sit_in_its_transaction_until_it_is_ended(tiers: Tiers) -> None:
    seconds = np.arange(seconds_of(YEARS_AGO), seconds_of(YEARS_AGO) + 200_000 * 120, 120)
    ones = np.ones(len(seconds), dtype=np.int64)
    given_bars = ReadBars(ones, BarColumns(seconds, *[ones] * 5), ones * 0)
    is_over, longest = Event(), timedelta(0)

    def watch() -> None:
        nonlocal longest
        with autocommit(tiers.worker_env.ledger.engine) as connection:
            while not is_over.wait(0.05):
                idle = connection.exec_driver_sql(LONGEST_IDLE).scalar_one()
                longest = max(longest, idle or timedelta(0))

    watching = Thread(target=watch)
    watching.start()
    try:
        for _ in range(2):
            store(tiers, given_bars, BEGINS)
    finally:
        is_over.set()
        watching.join()

    assert longest < FROZEN_GRACE
    assert [(len(seconds),)] == tiers.worker_env.rows(
        "SELECT count(*) FROM contract, unnest(coverage) WHERE contract.id = %s", MNQ
    )


def store(tiers: Tiers, given_bars: ReadBars, market_now: datetime) -> None:
    with tiers.recent.change(MNQ) as change, tiers.worker_env.ledger.engine.begin() as connection:
        store_import(connection, tiers.contract, given_bars, market_now, change=change, replaced_until=None)
