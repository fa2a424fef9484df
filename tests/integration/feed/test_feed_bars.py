"""The bars the feed builds from trades, compared with those of REST, in a market at ten times the speed."""

from datetime import datetime
from decimal import Decimal

import pytest

from shared.domain.market_data.bar import MINUTE
from shared.hot.forming_bars import FormingBar
from tests.fixtures.feeds import Feeds
from tests.fixtures.hot_values import read_forming_bar
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    return start_venue(speed=10)


def test_trap_11_the_bar_built_from_trades_in_arrays_equals_the_later_bar_from_rest(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()
    newest_of: dict[datetime, FormingBar] = {}

    def has_ended_as_in_rest() -> bool:
        bar = read_forming_bar(feeds.hot, MNQ)
        if bar is None or not bar.is_complete:
            return False
        before = [start for start in newest_of if start < bar.start]
        newest_of[bar.start] = bar
        # What is read last of a minute may lack its last trade: then another minute is looked at.
        return any(is_that_of_rest(feeds, newest_of.pop(start)) for start in before)

    until(has_ended_as_in_rest, 200, "a minute whose bar is that of REST")
    assert [] == feeds.worker_env.rows("SELECT 1 FROM bar_minute WHERE start >= %s", min(newest_of))


def is_that_of_rest(feeds: Feeds, bar: FormingBar) -> bool:
    answer = feeds.worker_env.venue.post(
        "/api/History/retrieveBars", contractId=MNQ, live=False, startTime=bar.start.isoformat(),
        endTime=(bar.start + MINUTE).isoformat(), unit=2, unitNumber=1, limit=10, includePartialBar=False,
    )  # fmt: skip
    (rest,) = answer["bars"]
    prices = [Decimal(str(rest[name])) for name in "ohlc"]
    return (prices, rest["v"]) == ([bar.open, bar.high, bar.low, bar.close], bar.volume)
