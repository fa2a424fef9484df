"""The bars that the feed makes of trades, beside those that REST gives, in a market that runs ten times as fast."""

from decimal import Decimal

import pytest

from shared.domain.market_data.bar import MINUTE
from shared.hot.forming_bars import FormingBar, read_ended_bar
from tests.fixtures.feeds import Feeds
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    return start_venue(speed=10)


def test_trap_11_the_bar_made_of_trades_in_arrays_is_the_one_that_rest_gives_later(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()

    def whole_minute() -> FormingBar | None:
        bar = read_ended_bar(feeds.hot, MNQ)
        return bar if bar is not None and bar.is_complete else None

    until(lambda: whole_minute() is not None, 200, "a minute that was heard whole")
    bar = whole_minute()
    assert bar is not None
    answer = feeds.worker_env.venue.post(
        "/api/History/retrieveBars", contractId=MNQ, live=False, startTime=bar.start.isoformat(),
        endTime=(bar.start + MINUTE).isoformat(), unit=2, unitNumber=1, limit=10, includePartialBar=False,
    )  # fmt: skip
    (rest,) = answer["bars"]
    assert [Decimal(str(rest[name])) for name in "ohlc"] == [bar.open, bar.high, bar.low, bar.close]
    assert rest["v"] == bar.volume
    assert [] == feeds.worker_env.rows("SELECT 1 FROM bar_minute WHERE start = %s", bar.start)
