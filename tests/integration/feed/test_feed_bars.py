"""The bars the feed builds from trades, compared with those of REST, in a market at ten times the speed."""

from decimal import Decimal

import pytest

from shared.domain.market_data.bar import MINUTE
from shared.hot.forming_bars import FormingBar
from tests.fixtures.feeds import Feeds
from tests.fixtures.hot_values import read_ended_bar
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    return start_venue(speed=10)


def test_trap_11_the_bar_built_from_trades_in_arrays_equals_the_later_bar_from_rest(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()

    def read_complete_bar() -> FormingBar | None:
        bar = read_ended_bar(feeds.hot, MNQ)
        return bar if bar is not None and bar.is_complete else None

    until(lambda: read_complete_bar() is not None, 200, "a complete minute")
    bar = read_complete_bar()
    assert bar is not None
    answer = feeds.worker_env.venue.post(
        "/api/History/retrieveBars", contractId=MNQ, live=False, startTime=bar.start.isoformat(),
        endTime=(bar.start + MINUTE).isoformat(), unit=2, unitNumber=1, limit=10, includePartialBar=False,
    )  # fmt: skip
    (rest,) = answer["bars"]
    assert [Decimal(str(rest[name])) for name in "ohlc"] == [bar.open, bar.high, bar.low, bar.close]
    assert rest["v"] == bar.volume
    assert [] == feeds.worker_env.rows("SELECT 1 FROM bar_minute WHERE start = %s", bar.start)
