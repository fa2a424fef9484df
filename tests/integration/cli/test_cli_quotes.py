"""`tickwork quotes` shows the minute that has not ended as the feed writes it, if it has seen all of it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.market_data.bar import MINUTE, minute_of
from shared.hot.forming_bars import FormingBar, forming_bar_key
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


def write(worker_env: WorkerEnv, start: datetime, *, is_complete: bool = True) -> None:
    prices = {
        name: Decimal(value) for name, value in (("open", 20_000), ("high", 20_003), ("low", 19_999), ("close", 20_001))
    }
    bar = FormingBar(start=start, **prices, volume=7, is_complete=is_complete)
    worker_env.redis.set(forming_bar_key(MNQ), msgspec.json.encode(bar))


def read(operator: RunCommand) -> tuple[Any, ...]:
    (row,) = [row for row in operator("quotes", "--json").json["quotes"] if row["contract"] == MNQ]
    return tuple(row[f"minute_{name}"] for name in ("open", "high", "low", "volume"))


def test_the_minute_that_has_not_ended_is_shown(worker_env: WorkerEnv, operator: RunCommand) -> None:
    def is_shown() -> bool:
        write(worker_env, minute_of(worker_env.venue.clock.now()))  # again, if the minute ended before it was read
        return read(operator) == ("20000", "20003", "19999", 7)

    until(is_shown, 60, "the minute")
    assert "20003" in operator("quotes", "--columns", "contract,minute_high").out


def test_an_older_minute_and_one_that_was_not_seen_whole_are_left_out(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    now = minute_of(worker_env.venue.clock.now())
    for start, is_complete in ((now - MINUTE, True), (now + MINUTE, False), (now, False)):
        write(worker_env, start, is_complete=is_complete)
        assert (None, None, None, None) == read(operator)
    worker_env.redis.delete(forming_bar_key(MNQ))
    assert (None, None, None, None) == read(operator)
