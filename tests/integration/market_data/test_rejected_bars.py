"""Records of the venue that cannot be bars: set aside with their reason, and withdrawn once it sends them no more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.market_data.bar import MINUTE
from tests.fixtures.fetched_bars import AT_HALF_PAST, IS_COMPLETE, SPAN, STARTS, change, fetch, minutes_until
from tests.fixtures.operator import RunCommand
from tests.fixtures.other_gateway import OtherGateway
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"o": 25000.1}, "price 25000.1 is not a multiple of the tick 0.25"),
        ({"l": 99999}, "do not enclose"),
        ({"v": None}, "volume None is no whole number"),
        ({"v": 2.5}, "volume 2.5 is no whole number"),
        ({"v": -1}, "negative volume -1"),
        ({"o": 0, "h": 0, "l": 0, "c": 0}, "price 0.00 is not above 0"),
        ({"o": 1e30, "h": 1e30, "l": 1e30, "c": 1e30}, "is beyond"),
        ({"t": AT_HALF_PAST}, "is no whole minute"),
        ({"t": None}, "TypeError"),
        ({"c": "high"}, "InvalidOperation"),
        ({"v": "a\0b"}, "volume a\ufffdb is no whole number"),
        ({"t": "\0"}, "Invalid isoformat string"),
    ],
    ids=str,
)
def test_a_record_that_is_no_bar_is_set_aside_and_the_others_are_stored(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime, spoilt: dict[str, Any], reason: str
) -> None:
    if spoilt.get("t") == AT_HALF_PAST:
        spoilt = {"t": (closed_until - 6 * MINUTE + timedelta(seconds=30)).isoformat()}
    change(gateway, lambda rows: [*rows[:5], rows[5] | spoilt, *rows[6:]])
    fetch(worker_env, gateway, closed_until)
    left = [start for start in minutes_until(closed_until) if start[0] != closed_until - 6 * MINUTE]
    assert left == worker_env.rows(STARTS)
    ((found,),) = worker_env.rows("SELECT reason FROM rejected_bar")
    assert reason in found

    gateway.changes.clear()
    fetch(worker_env, gateway, closed_until)
    assert minutes_until(closed_until) == worker_env.rows(STARTS)


def test_a_minute_whose_records_cannot_be_bars_never_passes_for_one_without_a_trade(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime, operator: RunCommand
) -> None:
    minute = closed_until - 6 * MINUTE
    change(gateway, lambda rows: [row | {"v": None} if row["t"] == minute.isoformat() else row for row in rows])
    for _ in range(2):
        fetch(worker_env, gateway, closed_until)
    assert [(True,)] == [row[:1] for row in worker_env.rows(IS_COMPLETE, closed_until - SPAN, closed_until)]

    gaps = operator("bars", "gaps", "MNQ", "--json").json["gaps"]
    assert [(minute.isoformat(), 1, "set aside")] == [
        (gap["start"], gap["minutes"], gap["state"])
        for gap in gaps
        if minute.isoformat() <= gap["start"] < closed_until.isoformat()
    ]
    (checked,) = operator("bars", "check", "MNQ", "--days", "1", "--json").json["contracts"]
    assert [("set_aside", 1, minute.isoformat())] == [
        (one["fault"], one["count"], one["start"]) for one in checked["findings"] if one["fault"] == "set_aside"
    ]
    assert 1 == len(worker_env.rows("SELECT 1 FROM rejected_bar"))
    words = operator("bars", "show", "MNQ", "--count", "60").words
    assert "but for 1 of which the venue sent what cannot be a bar: `tickwork bars list`" in words


def test_a_minute_that_passed_for_one_without_a_trade_marks_what_used_it_once_a_record_is_set_aside(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    minute = closed_until - 6 * MINUTE
    change(gateway, lambda rows: [row for row in rows if row["t"] != minute.isoformat()])
    for _ in range(2):
        fetch(worker_env, gateway, closed_until)
    worker_env.execute(
        "INSERT INTO strategy_run (strategy, contract_id, closed_until_market_at, decision, reason, duration_ms)"
        f" VALUES ('one', '{MNQ}', '{closed_until}', 'none', '', 1)"
    )
    marked = "SELECT bars_corrected_at FROM strategy_run WHERE strategy = 'one'"
    change(gateway, lambda rows: [row | {"v": None} if row["t"] == minute.isoformat() else row for row in rows])
    later = closed_until + MINUTE * (5 - closed_until.minute % 5)
    assert [(None,)] == worker_env.rows(marked)
    fetch(worker_env, gateway, later)
    ((first,),) = worker_env.rows(marked)
    fetch(worker_env, gateway, later + 5 * MINUTE)

    assert first is not None
    assert [(first,)] == worker_env.rows(marked), "the same record changes nothing"


def test_a_record_that_two_answers_have_no_more_is_withdrawn_until_it_comes_again(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime, operator: RunCommand
) -> None:
    minute = closed_until - 6 * MINUTE
    state = "SELECT lacked_at IS NOT NULL, withdrawn_at IS NOT NULL FROM rejected_bar"
    later = closed_until + MINUTE * (5 - closed_until.minute % 5)

    def answer(rows_of: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> tuple[bool, bool]:
        gateway.changes.clear()
        change(gateway, rows_of)
        fetch(worker_env, gateway, later)
        ((is_lacked, is_withdrawn),) = worker_env.rows(state)
        worker_env.execute("UPDATE rejected_bar SET lacked_at = lacked_at - interval '30 seconds'")
        return is_lacked, is_withdrawn

    spoilt = answer(lambda rows: [row | {"v": None} if row["t"] == minute.isoformat() else row for row in rows])
    assert (False, False) == spoilt
    cut = answer(lambda rows: [row for row in rows if row["t"] < minute.isoformat()])
    assert (False, False) == cut, "an answer that ends before it shows nothing"
    assert (True, False) == answer(lambda rows: [row for row in rows if row["t"] != minute.isoformat()])
    assert (True, True) == answer(lambda rows: [row for row in rows if row["t"] != minute.isoformat()])
    gaps = operator("bars", "gaps", "MNQ", "--json").json["gaps"]
    assert [] == [gap for gap in gaps if gap["state"] == "set aside"]
    again = answer(lambda rows: [row | {"v": None} if row["t"] == minute.isoformat() else row for row in rows])
    assert (False, False) == again


def test_a_record_of_another_age_stops_no_other(
    worker_env: WorkerEnv, gateway: OtherGateway, closed_until: datetime
) -> None:
    ages = [{"t": "9999-12-31T23:59:00Z"}, {"t": "0001-01-01T00:00:00+05:00"}]
    change(gateway, lambda rows: [*rows, *(rows[0] | age for age in ages)])
    fetch(worker_env, gateway, closed_until)

    assert minutes_until(closed_until) == worker_env.rows(STARTS)
