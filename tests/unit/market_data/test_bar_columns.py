"""Bars as columns: joined, split by trading day, packed and unpacked, each as plain Python does it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import from_bars, join, no_bars, split_by_trading_day
from shared.domain.market_data.bar_packing import pack, unpack
from shared.domain.market_data.calendar import trading_day_at
from shared.domain.market_data.coverage import Span

BEGINS = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)  # a Friday; the clocks change on the Sunday after
PRICES = st.integers(-(2**30), 2**30) | st.integers(-40_000, 40_000)


@st.composite
def series(draw: st.DrawFn) -> list[Bar]:
    bars = []
    for offset in sorted(draw(st.sets(st.integers(0, 5 * 1440), max_size=30))):
        low, first, last, high = sorted(draw(st.tuples(PRICES, PRICES, PRICES, PRICES)))
        bars.append(Bar(BEGINS + offset * MINUTE, first, high, low, last, draw(st.integers(0, 2**30))))
    return bars


@given(series())
def test_packed_bars_come_back_as_they_were(bars: list[Bar]) -> None:
    assert bars == from_bars(bars).to_bars()
    if bars:
        packed = pack(from_bars(bars))
        assert (len(bars), bars) == (packed.count, unpack(packed).to_bars())


def test_a_quiet_day_takes_fourteen_bytes_a_bar() -> None:
    bars = [Bar(BEGINS + n * MINUTE, 100_000, 100_010, 99_990, 100_001, 70_000) for n in range(100)]

    assert 1_400 == len(pack(from_bars(bars)).data)


@given(series(), series())
def test_joined_bars_are_in_order_and_a_later_one_replaces_an_earlier(first: list[Bar], then: list[Bar]) -> None:
    expected = {bar.start: bar for bar in [*first, *then]}

    assert [expected[at] for at in sorted(expected)] == join([from_bars(first), from_bars(then)]).to_bars()
    assert len(join([no_bars()])) == 0


@given(series())
def test_bars_are_split_by_trading_day(bars: list[Bar]) -> None:
    days = split_by_trading_day(from_bars(bars))

    assert bars == [bar for _, of_day in days for bar in of_day.to_bars()]
    assert [day for day, of_day in days for _ in of_day.to_bars()] == [trading_day_at(bar.start) for bar in bars]
    assert len(days) == len({day for day, _ in days})


@given(series(), st.integers(0, 9000), st.integers(0, 9000))
def test_bars_within_a_span_start_in_it(bars: list[Bar], first: int, minutes: int) -> None:
    span = Span(BEGINS + first * MINUTE, BEGINS + (first + minutes) * MINUTE)

    assert [bar for bar in bars if span.start <= bar.start < span.end] == from_bars(bars).within(span).to_bars()


@pytest.mark.parametrize("values", [{"high": 2**30 + 1}, {"low": -(2**30) - 1}, {"volume": 2**30 + 1}])
def test_a_bar_of_absurd_values_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected at most 1,073,741,824"):
        Bar(BEGINS, **{"open": 1, "high": 1, "low": 1, "close": 1, "volume": 1} | values)


def test_starts_are_instants_of_numpy() -> None:
    starts = from_bars([Bar(BEGINS, 1, 1, 1, 1, 1), Bar(BEGINS + timedelta(minutes=1), 1, 1, 1, 1, 1)]).starts

    assert ["2026-03-06T15:00:00", "2026-03-06T15:01:00"] == [str(start) for start in starts]
