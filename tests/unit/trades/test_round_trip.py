"""Round trips from fills: first in first out, exact to the cent, in any order of arrival."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any, TypedDict, Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.orders.order import Direction, Side
from shared.domain.orders.position import Baseline, Position, apply_fill, to_dollars
from shared.domain.trades.round_trip import Fill, RoundTrip, build_round_trips

BUY, SELL = Side.BUY, Side.SELL
BEGINS = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
MNQ = Fraction(2)


class FillFields(TypedDict, total=False):
    fees: Decimal
    commissions: Decimal
    is_voided: bool
    strategy: str | None


def fill(
    id_: int, side: Side, quantity: int, price: object, gross_pnl: object = None, **fields: Unpack[FillFields]
) -> Fill:
    """Return a fill in the minute of its id, at 0.36 fees and 0.25 commissions a contract."""
    pnl = None if gross_pnl is None else Decimal(str(gross_pnl))
    plain = Fill(
        id_, side, quantity, Decimal(str(price)), Decimal("0.36") * quantity, Decimal("0.25") * quantity, pnl,
        is_voided=False, filled_market_at=BEGINS + timedelta(minutes=id_),
    )  # fmt: skip
    return replace(plain, **fields)


def trips(*fills: Fill, point_value: Fraction = MNQ) -> Sequence[RoundTrip]:
    return build_round_trips(fills, point_value).round_trips


def test_an_average_price_has_the_places_that_it_needs_and_no_exponent() -> None:
    (trip,) = trips(fill(1, BUY, 1, 20000), fill(2, BUY, 1, "20000.25"), fill(3, SELL, 2, 20000))

    assert ("20000.125", "20000") == (str(trip.entry_price), str(trip.exit_price))


def test_a_buy_and_a_sell_are_one_round_trip() -> None:
    (trip,) = trips(fill(1, BUY, 2, 20000, strategy="breakout"), fill(2, SELL, 2, "20010.25", 41))

    assert (Direction.LONG, 2, Decimal(20000), Decimal("20010.25")) == (
        trip.direction, trip.quantity, trip.entry_price, trip.exit_price,
    )  # fmt: skip
    assert (Decimal("41.00"), Decimal("1.44"), Decimal("1.00")) == (trip.gross, trip.fees, trip.commissions)
    assert Decimal("38.56") == trip.net
    assert ((1, 2), "breakout", 1, 0, False) == (
        trip.fill_ids, trip.strategy, trip.opening_fill_id, trip.part, trip.has_unknown_entry,
    )  # fmt: skip


def test_a_short_earns_when_the_price_falls() -> None:
    (trip,) = trips(fill(1, SELL, 1, 20000), fill(2, BUY, 1, 19990, 20))

    assert (Direction.SHORT, Decimal(20)) == (trip.direction, trip.gross)


def test_partial_fills_and_scaling_out_are_one_round_trip_of_many_lots() -> None:
    (trip,) = trips(
        fill(1, BUY, 2, 100), fill(2, BUY, 1, 103), fill(3, SELL, 1, 110, 18), fill(4, SELL, 2, 104, 12),
    )  # fmt: skip

    assert [(1, 3, 1), (1, 4, 1), (2, 4, 1)] == [
        (lot.entry_fill_id, lot.exit_fill_id, lot.quantity) for lot in trip.lots
    ]
    assert [Decimal(20), Decimal(8), Decimal(2)] == [lot.gross for lot in trip.lots]  # the venue reports 18 and 12
    assert (3, Decimal(30)) == (trip.quantity, trip.gross)
    assert (Decimal(101), Decimal(106)) == (trip.entry_price, trip.exit_price)


def test_an_open_position_is_no_round_trip() -> None:
    history = build_round_trips([fill(1, SELL, 3, 100), fill(2, BUY, 1, 90, 20)], MNQ)

    assert ((), -2) == (history.round_trips, history.held)


@pytest.mark.parametrize("gross_pnl", [None, 20])
def test_a_reversal_ends_one_and_begins_another_and_splits_its_costs_to_the_cent(gross_pnl: int | None) -> None:
    reversal = fill(2, SELL, 3, 110, gross_pnl, fees=Decimal("1.00"), commissions=Decimal("0.50"))
    first, second = trips(fill(1, BUY, 1, 100), reversal, fill(3, BUY, 2, 100, 40))

    assert [(1, 0), (2, 1)] == [(trip.opening_fill_id, trip.part) for trip in (first, second)]
    assert (Direction.SHORT, 2, Decimal(40)) == (second.direction, second.quantity, second.gross)
    assert (Decimal("0.67"), Decimal("0.33")) == (second.fees - Decimal("0.72"), first.fees - Decimal("0.36"))
    assert Decimal("0.50") == first.commissions - Decimal("0.25") + second.commissions - Decimal("0.50")


def test_the_closing_part_of_a_reversal_bears_the_odd_cent() -> None:
    reversal = fill(2, SELL, 2, 100, fees=Decimal("0.05"), commissions=Decimal(0))
    first, second = trips(fill(1, BUY, 1, 100, fees=Decimal(0)), reversal, fill(3, BUY, 1, 100, 0, fees=Decimal(0)))

    assert (Decimal("0.03"), Decimal("0.02")) == (first.fees, second.fees)


def test_a_first_order_outside_the_window_does_not_flip_the_pairing() -> None:
    """The first system made of two longs, +40 and +20, one SHORT of -40 once the first BUY lay outside its window."""
    later = [fill(2, SELL, 1, 20020, 40), fill(3, BUY, 1, 20040), fill(4, SELL, 1, 20050, 20)]
    whole = trips(fill(1, BUY, 1, 20000), *later)
    windowed = trips(*later)

    for result in (whole, windowed):
        assert [(Direction.LONG, Decimal(40)), (Direction.LONG, Decimal(20))] == [
            (trip.direction, trip.gross) for trip in result
        ]
    assert [True, False] == [trip.has_unknown_entry for trip in windowed]
    assert Decimal(20000) == windowed[0].entry_price  # 20020 - 40 / 2


def test_the_filled_quantity_counts_and_not_the_ordered_one() -> None:
    """An order of 5, filled 2 and sold 2, left the first system a phantom 3 that the next short would close."""
    history = build_round_trips(
        [fill(1, BUY, 2, 100), fill(2, SELL, 2, 101, 4), fill(3, SELL, 1, 110), fill(4, BUY, 1, 100, 20)], MNQ
    )

    assert 0 == history.held
    assert [(Direction.LONG, 2), (Direction.SHORT, 1)] == [
        (trip.direction, trip.quantity) for trip in history.round_trips
    ]


def test_a_duplicate_row_counts_once() -> None:
    """Duplicate rows of its cache doubled the first system's trades."""
    rows = [fill(1, BUY, 1, 100), fill(2, SELL, 1, 110, 20)]

    assert trips(*rows) == trips(*rows, *rows)
    assert [Decimal(20)] == [trip.gross for trip in trips(*rows, *rows)]


def test_a_voided_fill_does_not_count() -> None:
    voided = fill(2, BUY, 1, 90, is_voided=True)
    rows = (fill(1, BUY, 1, 100), fill(3, SELL, 1, 110, 20))

    assert trips(*rows) == trips(*rows, voided) == trips(*rows, fill(2, BUY, 1, 90), voided)


def test_a_point_of_m2k_is_worth_5_dollars() -> None:
    root = ROOTS["M2K"]
    contract = Contract("CON.F.US.M2K.H26", "M2KH6", "M2K", root.tick_size, root.tick_value, is_active=True)
    (trip,) = trips(fill(1, BUY, 1, "2100.0"), fill(2, SELL, 1, "2110.0", 50), point_value=contract.point_value)

    assert (Fraction(5), Decimal(50)) == (contract.point_value, trip.gross)


def test_closing_fills_of_one_opening_position_are_one_round_trip() -> None:
    (trip, later) = trips(
        fill(1, BUY, 1, 90, 20), fill(2, BUY, 2, 95, 20), fill(3, BUY, 1, 95), fill(4, SELL, 1, 96, 2)
    )

    assert (Direction.SHORT, 3, Decimal(40), True) == (
        trip.direction,
        trip.quantity,
        trip.gross,
        trip.has_unknown_entry,
    )
    assert [Decimal(100), Decimal(100)] == [lot.entry_price for lot in trip.lots]
    assert trip.entry_order_id is None
    assert not later.has_unknown_entry


def test_closing_more_than_was_known_reveals_an_opening_position_and_opens_no_reversal() -> None:
    """Two were held before the first fill: BUY 1 adds to them, SELL 3 closes all, which is no reversal."""
    history = build_round_trips([fill(1, BUY, 1, 103), fill(2, SELL, 3, 110, 54)], MNQ)
    (trip,) = history.round_trips

    assert (0, Decimal(54), 3, True) == (history.held, trip.gross, trip.quantity, trip.has_unknown_entry)
    assert [Decimal(103), Decimal(100)] == [lot.entry_price for lot in trip.lots]


def test_an_average_between_two_ticks_keeps_ten_decimals_and_the_cents_are_exact() -> None:
    (trip,) = trips(fill(1, BUY, 1, 100), fill(2, BUY, 2, "100.25"), fill(3, SELL, 3, 100, -1))

    assert (Decimal("100.1666666667"), Decimal("-1.00")) == (trip.entry_price, trip.gross)


STEPS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5), st.integers(79_900, 80_100)), max_size=25)


@st.composite
def tapes(draw: st.DrawFn, *, ends_flat: bool) -> list[Fill]:
    """Fills as the venue reports them, their results by average price; a reversal is one row or two."""
    is_split = draw(st.booleans())
    steps = draw(STEPS)
    held = sum(side.sign * quantity for side, quantity, _ in steps)
    if ends_flat and held:
        steps.append((SELL if held > 0 else BUY, abs(held), draw(st.integers(79_900, 80_100))))
    position, ids, fills = Position(), count(1), []
    for side, quantity, ticks in steps:
        position, parts = apply_fill(position, side, quantity, ticks)
        rows = [(part.quantity, part.realised) for part in parts] if is_split else [(quantity, parts[0].realised)]
        for size, realised in rows:
            pnl = None if realised is None else to_dollars(realised, Decimal("0.50"))
            costs = draw(st.tuples(st.integers(0, 500), st.integers(0, 500)))
            fees, commissions = (Decimal(cents) / 100 for cents in costs)
            price = ticks * Decimal("0.25")
            fills.append(fill(next(ids), side, size, price, pnl, fees=fees, commissions=commissions))
    return fills


@given(tapes(ends_flat=True))
def test_from_flat_to_flat_the_net_result_is_the_cash_flow_and_agrees_with_the_venue(fills: list[Fill]) -> None:
    history = build_round_trips(fills, MNQ)

    cash = sum((-one.side.sign * one.quantity * one.price * 2 for one in fills), start=Decimal(0))
    costs = sum((one.fees + one.commissions for one in fills), start=Decimal(0))
    assert cash - costs == sum((trip.net for trip in history.round_trips), start=Decimal(0))
    assert 0 == history.held
    # The venue rounds each fill to the cent, from its average price.
    closing = [one.gross_pnl for one in fills if one.gross_pnl is not None]
    assert abs(cash - sum(closing, start=Decimal(0))) <= Decimal("0.005") * len(closing)
    assert not any(trip.has_unknown_entry for trip in history.round_trips)


@given(tapes(ends_flat=False), st.randoms(use_true_random=False))
def test_order_of_arrival_and_duplicates_do_not_matter(fills: list[Fill], random: Any) -> None:
    arrived = fills + random.sample(fills, k=len(fills) // 2)
    random.shuffle(arrived)

    assert build_round_trips(fills, MNQ) == build_round_trips(arrived, MNQ)


@given(tapes(ends_flat=False))
def test_every_contract_is_in_one_lot_on_each_side_or_still_held(fills: list[Fill]) -> None:
    history = build_round_trips(fills, MNQ)
    lots = [lot for trip in history.round_trips for lot in trip.lots]

    assert history.held == sum(one.side.sign * one.quantity for one in fills)
    if history.held == 0:
        assert sum(one.quantity for one in fills) == 2 * sum(lot.quantity for lot in lots)
    assert len(history.round_trips) == len({(trip.opening_fill_id, trip.part) for trip in history.round_trips})


@given(tapes(ends_flat=True), st.integers(0, 30))
def test_the_later_round_trips_can_be_rebuilt_from_any_that_began_flat(fills: list[Fill], index: int) -> None:
    whole = build_round_trips(fills, MNQ).round_trips
    begun_flat = [trip for trip in whole if trip.part == 0]
    if not begun_flat:
        return
    chosen = begun_flat[index % len(begun_flat)]
    rest = build_round_trips([one for one in fills if one.id >= chosen.opening_fill_id], MNQ).round_trips

    assert tuple(trip for trip in whole if trip.opening_fill_id >= chosen.opening_fill_id) == rest


def test_round_trips_start_anew_from_what_was_held_where_a_fill_is_not_known() -> None:
    """The first position was closed while nothing ran, and its closing fill is not known."""
    later = [one for minute in (10, 20) for one in (fill(minute, BUY, 1, 100), fill(minute + 1, SELL, 1, 110, 20))]
    fills = [fill(1, BUY, 1, 90), *later]
    flat = Baseline(0, BEGINS + timedelta(minutes=5))

    assert () == build_round_trips(fills, MNQ).round_trips
    assert [10, 20] == [trip.opening_fill_id for trip in build_round_trips(fills, MNQ, flat).round_trips]


def test_a_round_trip_keeps_what_it_had_closed_before_a_fill_that_is_not_known() -> None:
    fills = [fill(1, BUY, 3, 100), fill(2, SELL, 1, 110, 20), fill(10, SELL, 1, 120, 40)]
    first, second = build_round_trips(fills, MNQ, Baseline(1, BEGINS + timedelta(minutes=5))).round_trips

    assert (Decimal(20), False) == (first.gross, first.has_unknown_entry)
    assert (Decimal(40), Decimal(100), True) == (second.gross, second.entry_price, second.has_unknown_entry)


def test_a_fill_that_is_recorded_after_all_completes_the_round_trip_of_before() -> None:
    fills = [fill(1, BUY, 1, 90), fill(2, SELL, 1, 110, 40), fill(10, BUY, 1, 100), fill(11, SELL, 1, 110, 20)]

    found = build_round_trips(fills, MNQ, Baseline(0, BEGINS + timedelta(minutes=5))).round_trips
    assert [40, 20] == [trip.gross for trip in found]
