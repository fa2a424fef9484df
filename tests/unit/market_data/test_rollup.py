"""Longer bars from one-minute bars."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.rollup import roll_up, start_of

OPEN = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
FIVE = timedelta(minutes=5)


@st.composite
def minutes(draw: st.DrawFn) -> list[Bar]:
    bars = []
    for offset in sorted(draw(st.sets(st.integers(0, 200), min_size=1))):
        low, high = sorted(draw(st.tuples(st.integers(1, 9000), st.integers(1, 9000))))
        first, last = draw(st.tuples(st.integers(low, high), st.integers(low, high)))
        bars.append(Bar(OPEN + offset * MINUTE, first, high, low, last, draw(st.integers(0, 999))))
    return bars


def test_five_minutes_become_one_bar() -> None:
    bars = [Bar(OPEN + n * MINUTE, 100 + n, 110 + n, 90 - n, 101 + n, 10) for n in range(5)]

    assert [Bar(OPEN, 100, 114, 86, 105, 50)] == roll_up(bars, FIVE, OPEN + FIVE)


def test_a_bar_that_has_not_closed_is_left_out() -> None:
    bars = [Bar(OPEN + n * MINUTE, 100, 110, 90, 101, 10) for n in range(9)]

    assert [OPEN] == [bar.start for bar in roll_up(bars, FIVE, OPEN + 9 * MINUTE)]


def test_without_bars_the_rollup_is_empty() -> None:
    assert [] == roll_up([], FIVE, OPEN)


@given(minutes())
def test_a_rollup_keeps_volume_and_price_extremes(bars: list[Bar]) -> None:
    rolled = roll_up(bars, FIVE, OPEN + timedelta(days=1))

    assert sum(bar.volume for bar in bars) == sum(bar.volume for bar in rolled)
    assert (max(bar.high for bar in bars), min(bar.low for bar in bars)) == (
        max(bar.high for bar in rolled),
        min(bar.low for bar in rolled),
    )
    assert (bars[0].open, bars[-1].close) == (rolled[0].open, rolled[-1].close)
    assert {start_of(bar.start, FIVE) for bar in bars} == {bar.start for bar in rolled}
