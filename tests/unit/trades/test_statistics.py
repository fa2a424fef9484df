"""Statistics of round trips, and the excursions of each."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.calendar import calendar_of, trading_day_begins
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import Direction
from shared.domain.trades.round_trip import Lot
from shared.domain.trades.statistics import (
    Drawdown,
    Excursions,
    TripResult,
    group_statistics,
    measure_excursions,
    statistics_of,
)

BEGINS = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
MNQ = Contract("CON.F.US.MNQ.H26", "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.50"), is_active=True)


def at(minutes: float) -> datetime:
    return BEGINS + timedelta(minutes=minutes)


def result(net: object, minutes: int = 0, **fields: Any) -> TripResult:
    """Return a round trip with a result of `net` after costs of 1.22."""
    values: dict[str, Any] = {"account_id": 20001, "contract_id": MNQ.id, "strategy": None, "origin": None}
    values["closed_market_at"] = at(minutes)
    gross = Decimal(str(net)) + Decimal("1.22")
    return TripResult(**values | {"gross": gross, "fees": Decimal("0.72"), "commissions": Decimal("0.50")} | fields)


def lot(quantity: int, entry: object, entered: float, exited: float, entry_fill_id: int | None = 1) -> Lot:
    price = Decimal(str(entry))
    return Lot(entry_fill_id, 2, quantity, price, price, at(entered), at(exited), Decimal(0))


def bar(minute: int, low: int, high: int) -> Bar:
    """Return a bar with its low and high as prices."""
    return Bar(at(minute), low * 4, high * 4, low * 4, high * 4, 1)


def test_the_figures_of_round_trips_agree_with_values_computed_by_hand() -> None:
    figures = statistics_of([result(30, 1), result(-10, 2), result(0, 3), result(-5, 4), result(12, 5)])

    assert (5, 2, 2, 1) == (figures.count, figures.wins, figures.losses, figures.break_even)
    assert (Decimal("0.4"), Decimal("5.40")) == (figures.win_rate, figures.expectancy)
    assert (Decimal("33.10"), Decimal("3.60"), Decimal("2.50"), Decimal(27)) == (
        figures.gross, figures.fees, figures.commissions, figures.net,
    )  # fmt: skip
    assert (Decimal(21), Decimal("-7.50")) == (figures.average_win, figures.average_loss)
    assert (Decimal(30), Decimal(-10)) == (figures.largest_win, figures.largest_loss)
    assert Decimal("2.8") == figures.profit_factor  # 42 / 15
    assert Drawdown(Decimal(15), at(1), at(4)) == figures.max_drawdown


def test_costs_turn_a_gross_win_into_a_loss() -> None:
    figures = statistics_of([result("-0.22")])

    assert (Decimal("1.00"), 0, 1) == (figures.gross, figures.wins, figures.losses)


def test_without_a_loss_the_profit_factor_is_none_and_not_zero() -> None:
    """The first system showed 0 for a strategy that had never lost."""
    assert statistics_of([result(5)]).profit_factor is None
    assert Decimal(0) == statistics_of([result(-5)]).profit_factor


def test_without_round_trips_the_averages_are_none() -> None:
    figures = statistics_of([])

    assert (0, Decimal(0), Drawdown()) == (figures.count, figures.net, figures.max_drawdown)
    assert {None} == {
        figures.win_rate,
        figures.expectancy,
        figures.average_win,
        figures.largest_loss,
        figures.average_mae,
    }


def test_a_drawdown_from_the_beginning_has_no_time_of_its_high() -> None:
    assert Drawdown(Decimal(9), None, at(2)) == statistics_of([result(-4, 1), result(-5, 2)]).max_drawdown


def test_groups_are_named_by_strategy_else_origin_and_by_contract_and_day() -> None:
    evening = int(timedelta(hours=8).total_seconds() // 60)  # 18:00 in Chicago: the next trading day
    trips = [
        result(1, strategy="breakout", origin="strategy"),
        result(2, origin="manual"),
        result(4, evening, contract_id="CON.F.US.MES.H26"),
    ]

    assert [("breakout", Decimal(1)), ("manual", Decimal(2)), ("unknown", Decimal(4))] == nets(trips, "strategy")
    assert [("CON.F.US.MES.H26", Decimal(4)), (MNQ.id, Decimal(3))] == nets(trips, "contract")
    assert [("2026-03-10", Decimal(3)), ("2026-03-11", Decimal(4))] == nets(trips, "day")


def nets(trips: list[TripResult], by: str) -> list[tuple[str, Decimal]]:
    return [(name, one.net) for name, one in group_statistics(trips, by)]


def test_a_trading_day_begins_at_17_in_chicago_on_the_evening_before_in_winter_and_summer() -> None:
    days = [datetime(2026, 3, day, tzinfo=UTC).date() for day in (6, 10)]
    begins = [trading_day_begins(day) for day in days]

    assert [datetime(2026, 3, 5, 23, tzinfo=UTC), datetime(2026, 3, 9, 22, tzinfo=UTC)] == begins
    assert days == [calendar_of("equity").trading_day_of(one) for one in begins]


def test_excursions_are_the_worst_and_best_open_result() -> None:
    bars = [bar(0, 99, 101), bar(1, 95, 100), bar(2, 98, 107), bar(3, 0, 200)]

    assert Excursions(Decimal(-20), Decimal(28)) == measure_excursions(
        Direction.LONG, [lot(2, 100, 0.5, 2.9)], bars, MNQ
    )
    assert Excursions(Decimal(-28), Decimal(20)) == measure_excursions(
        Direction.SHORT, [lot(2, 100, 0.5, 2.9)], bars, MNQ
    )


def test_excursions_count_the_lots_held_in_each_minute() -> None:
    lots = [lot(1, 100, 0, 1.5), lot(1, 102, 1, 2.5)]
    bars = [bar(0, 98, 100), bar(1, 99, 102), bar(2, 101, 110)]

    # 0: one lot at -2 points; 1: two, of -1 and -3; 2: the second alone, at +8.
    assert Excursions(Decimal(-8), Decimal(16)) == measure_excursions(Direction.LONG, lots, bars, MNQ)


def test_a_trade_that_was_never_at_a_loss_has_an_adverse_excursion_of_zero() -> None:
    assert Excursions(Decimal(0), Decimal(10)) == measure_excursions(
        Direction.LONG, [lot(1, 100, 0, 0.5)], [bar(0, 101, 105)], MNQ
    )


def test_without_bars_or_a_known_entry_there_are_no_excursions() -> None:
    assert measure_excursions(Direction.LONG, [lot(1, 100, 0, 0.5)], [bar(1, 99, 101)], MNQ) is None
    assert measure_excursions(Direction.LONG, [lot(1, 100, 0, 0.5, None)], [bar(0, 99, 101)], MNQ) is None


def test_average_excursions_are_over_the_round_trips_that_have_them() -> None:
    figures = statistics_of(
        [result(1, mae=Decimal(-4), mfe=Decimal(6)), result(1), result(1, mae=Decimal(-5), mfe=Decimal(9))]
    )

    assert (2, Decimal("-4.50"), Decimal("7.50")) == (figures.measured_count, figures.average_mae, figures.average_mfe)


RESULTS = st.lists(
    st.builds(
        result,
        st.integers(-10_000, 10_000).map(lambda cents: Decimal(cents) / 100),
        st.integers(0, 5_000),
        strategy=st.sampled_from(["breakout", "reversion", None]),
    ),
    max_size=30,
)


@given(RESULTS)
def test_groups_add_up_to_the_whole_in_every_grouping(trips: list[TripResult]) -> None:
    total = statistics_of(trips)

    assert total.count == total.wins + total.losses + total.break_even
    assert total.net == total.gross - total.fees - total.commissions
    for by in ("strategy", "contract", "day"):
        groups = [one for _, one in group_statistics(trips, by)]
        assert total.count == sum(one.count for one in groups)
        assert total.net == sum((one.net for one in groups), start=Decimal(0))


@given(RESULTS)
def test_the_max_drawdown_is_the_deepest_of_all_falls(trips: list[TripResult]) -> None:
    totals = [Decimal(0)]
    for trip in sorted(trips, key=lambda trip: trip.closed_market_at):
        totals.append(totals[-1] + trip.net)
    falls = [high - low for index, high in enumerate(totals) for low in totals[index:]]

    assert max(falls) == statistics_of(trips).max_drawdown.amount


def test_the_ratios_of_a_day_agree_with_values_computed_by_hand() -> None:
    trips = [result(30, 0), result(-10, 1), result(-20, 24 * 60), result(10, 3 * 24 * 60)]  # 20, -20, 0 and 10 a day
    figures = statistics_of(trips)

    assert 4 == figures.day_count
    assert Decimal("0.1464") == figures.sharpe  # 2.5 / 17.0783
    assert Decimal("0.2500") == figures.sortino  # 2.5 / the root of 400 / 4


def test_days_without_a_trade_count_and_those_of_a_weekend_do_not() -> None:
    day = BEGINS.date()  # a Tuesday
    figures = statistics_of([result(10), result(-4, 24 * 60)], (day, day + timedelta(days=6)))

    assert 5 == figures.day_count
    assert Decimal("0.2301") == figures.sharpe  # 1.2 / 5.2154


def test_without_days_that_differ_there_are_no_ratios() -> None:
    assert (0, None, None) == ((one := statistics_of([])).day_count, one.sharpe, one.sortino)
    assert (1, None, None) == ((one := statistics_of([result(3)])).day_count, one.sharpe, one.sortino)
