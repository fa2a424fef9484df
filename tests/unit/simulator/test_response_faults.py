"""A response fault changes only what its name says."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.response_faults import LISTS, RESPONSE_FAULTS, decode_answer
from simulator.wire import encode_envelope

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
    return decode_answer(encode_envelope(orders=rows))


def apply_fault(kind: str, path: str, document: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    return RESPONSE_FAULTS[kind].apply(path, document, before)


@given(orders)
def test_decoded_prices_are_exact_to_the_last_digit(rows: list[dict[str, Any]]) -> None:
    assert [row["filledPrice"] for row in rows] == [row["filledPrice"] for row in answer(rows)["orders"]]


@given(orders)
def test_an_instant_without_offset_is_the_same_instant_in_utc(rows: list[dict[str, Any]]) -> None:
    changed = apply_fault("naive_timestamps", ORDERS, answer(rows))["orders"]

    assert [row["creationTimestamp"] for row in rows] == [f"{row['creationTimestamp']}+00:00" for row in changed]


@given(orders)
def test_an_instant_with_seven_digits_is_the_same_instant(rows: list[dict[str, Any]]) -> None:
    changed = apply_fault("seven_digits", ORDERS, answer(rows))["orders"]

    for row, one in zip(rows, changed, strict=True):
        seconds, _, digits = one["creationTimestamp"].removesuffix("+00:00").partition(".")
        assert 7 == len(digits)
        assert datetime.fromisoformat(row["creationTimestamp"]) == datetime.fromisoformat(
            f"{seconds}.{digits[:6]}+00:00"
        )


@given(orders)
def test_a_fault_does_not_change_its_input(rows: list[dict[str, Any]]) -> None:
    document = answer(rows)
    for kind in RESPONSE_FAULTS:
        if RESPONSE_FAULTS[kind].applies_to(ORDERS):
            apply_fault(kind, ORDERS, document, answer([]))

    assert answer(rows) == document


@given(st.lists(st.integers(), max_size=30))
def test_a_short_page_is_the_newer_half(bars: list[int]) -> None:
    assert bars[: len(bars) // 2] == apply_fault("short_page", BARS, {"success": True, "bars": bars})["bars"]


def test_a_stale_answer_without_an_earlier_request_is_empty() -> None:
    assert [] == apply_fault("stale_search_open", ORDERS, answer([{"status": 1}]))["orders"]


@pytest.mark.parametrize("kind", sorted(RESPONSE_FAULTS))
def test_no_response_fault_applies_to_an_answer_without_rows(kind: str) -> None:
    assert not RESPONSE_FAULTS[kind].applies_to("/api/Order/place")
    assert any(RESPONSE_FAULTS[kind].applies_to(path) for path in LISTS)
