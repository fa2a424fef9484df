"""The statement of a month: each trade on one trading day, sums exact to the cent."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.trades.statement import lines_by_day, month_span, next_month, parse_month, total_of
from shared.domain.trades.statistics import TripResult

CENTS = st.decimals(min_value=-10_000, max_value=10_000, places=2)
COSTS = st.decimals(min_value=0, max_value=100, places=2)
NOVEMBER = parse_month("2026-11")


def trip(closed: datetime, gross: object, fees: object = 0, commissions: object = 0) -> TripResult:
    amounts = [Decimal(str(one)) for one in (gross, fees, commissions)]
    return TripResult(20001, "CON.F.US.MNQ.Z26", None, None, closed, *amounts)


TRIPS = st.lists(
    st.builds(
        trip, st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 28)).map(lambda at: at.replace(tzinfo=UTC)),
        CENTS, COSTS, COSTS,
    )
)  # fmt: skip


@given(TRIPS)
def test_the_days_add_up_to_the_total_and_to_the_trades(trips: list[TripResult]) -> None:
    days, total = lines_by_day(trips), total_of(trips)

    assert sum((one.net for one in trips), start=Decimal(0)) == total.net == sum((day.net for day in days), Decimal(0))
    assert len(trips) == total.count == sum(day.count for day in days)
    assert sorted({day.trading_day for day in days if day.trading_day}) == [day.trading_day for day in days]


def test_a_month_begins_on_the_evening_before_its_first_day_in_chicago() -> None:
    since, until = month_span(NOVEMBER)

    assert datetime(2026, 10, 31, 22, tzinfo=UTC) == since
    assert datetime(2026, 11, 30, 23, tzinfo=UTC) == until, "standard time by then"
    last = trip(until - timedelta(seconds=1), 5)
    assert [date(2026, 11, 30)] == [day.trading_day for day in lines_by_day([last])]
    assert [date(2026, 12, 1)] == [day.trading_day for day in lines_by_day([trip(until, 5)])]


def test_the_month_after_december_is_january() -> None:
    assert date(2027, 1, 1) == next_month(parse_month("2026-12"))


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-00", "november", "2026-11-01", "0000-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"invalid month '{text}': expected a month such as 2026-11"):
        parse_month(text)
