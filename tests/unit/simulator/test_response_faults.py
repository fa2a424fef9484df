"""Spoiled answers differ from the true ones in what their name says, and in nothing else."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.response_faults import LISTS, RESPONSE_FAULTS, document_of
from simulator.wire import envelope

ORDERS, BARS = "/api/Order/searchOpen", "/api/History/retrieveBars"
instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
prices = st.integers(1, 10**9).map(lambda ticks: ticks * Decimal("0.0000005"))
orders = st.lists(
    st.fixed_dictionaries(
        {"creationTimestamp": instants.map(datetime.isoformat), "status": st.just(1), "filledPrice": prices}
    ),
    max_size=5,
)


def answer(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return document_of(envelope(orders=rows))


def spoiled(kind: str, path: str, document: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    return RESPONSE_FAULTS[kind].spoiled(path, document, before)


@given(orders)
def test_prices_stay_what_they_were_to_the_last_digit(rows: list[dict[str, Any]]) -> None:
    assert [row["filledPrice"] for row in rows] == [row["filledPrice"] for row in answer(rows)["orders"]]


@given(orders)
def test_an_instant_without_offset_is_the_same_instant_in_utc(rows: list[dict[str, Any]]) -> None:
    odd = spoiled("naive_timestamps", ORDERS, answer(rows))["orders"]

    assert [row["creationTimestamp"] for row in rows] == [f"{row['creationTimestamp']}+00:00" for row in odd]


@given(orders)
def test_seven_digits_are_the_same_instant(rows: list[dict[str, Any]]) -> None:
    odd = spoiled("seven_digits", ORDERS, answer(rows))["orders"]

    for row, one in zip(rows, odd, strict=True):
        seconds, _, digits = one["creationTimestamp"].removesuffix("+00:00").partition(".")
        assert 7 == len(digits)
        assert datetime.fromisoformat(row["creationTimestamp"]) == datetime.fromisoformat(
            f"{seconds}.{digits[:6]}+00:00"
        )


@given(orders)
def test_the_answer_handed_in_is_left_as_it_is(rows: list[dict[str, Any]]) -> None:
    document = answer(rows)
    for kind in RESPONSE_FAULTS:
        if RESPONSE_FAULTS[kind].can_spoil(ORDERS):
            spoiled(kind, ORDERS, document, answer([]))

    assert answer(rows) == document


@given(st.lists(st.integers(), max_size=30))
def test_a_short_page_is_the_newer_half(bars: list[int]) -> None:
    assert bars[: len(bars) // 2] == spoiled("short_page", BARS, {"success": True, "bars": bars})["bars"]


def test_nothing_is_open_for_one_who_never_asked() -> None:
    assert [] == spoiled("stale_search_open", ORDERS, answer([{"status": 1}]))["orders"]


@pytest.mark.parametrize("kind", sorted(RESPONSE_FAULTS))
def test_no_answer_without_rows_can_be_spoiled(kind: str) -> None:
    assert not RESPONSE_FAULTS[kind].can_spoil("/api/Order/place")
    assert any(RESPONSE_FAULTS[kind].can_spoil(path) for path in LISTS)
