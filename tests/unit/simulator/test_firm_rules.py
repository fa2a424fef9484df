"""The firm's rules agree with slower computations of the same results."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import calendar_of
from shared.domain.orders.matching import Move
from shared.domain.orders.order import Side
from shared.domain.orders.stake import Stake, first_touch
from simulator.venue import rules
from simulator.venue.accounts import kind_of, new_account
from simulator.venue.records import AccountRecord, AccountStage

START = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TICK_VALUE = Decimal("0.5")
STAGES = st.sampled_from([AccountStage.COMBINE, AccountStage.EXPRESS])
SIZES = st.sampled_from(rules.SIZES)
LOSS = {50_000: 2_000, 100_000: 3_000, 150_000: 4_500}


def account(stage: AccountStage, size: int, balance: int | None = None) -> AccountRecord:
    return new_account(20002, "", kind_of(stage, size), None if balance is None else Decimal(balance))


@given(STAGES, SIZES, st.lists(st.integers(-5_000, 10_000), min_size=1, max_size=20))
def test_the_loss_limit_level_trails_the_highest_end_of_day_up_to_the_starting_balance(
    stage: AccountStage, size: int, ends: list[int]
) -> None:
    row, start = account(stage, size), 0 if stage is AccountStage.EXPRESS else size
    for end in ends:
        row = AccountRecord(
            id=1, name="", balance=Decimal(start + end), stage=stage, size=size, loss_state=row.loss_state
        )
        row = AccountRecord(
            id=1, name="", balance=row.balance, stage=stage, size=size, loss_state=rules.next_day_loss_state(row)
        )

    assert min(start, max(start, *(start + end for end in ends)) - LOSS[size]) == row.loss_state.loss_limit_level


@given(
    st.integers(-20, 20),
    st.integers(900, 1100),
    st.integers(900, 1100),
    st.integers(900, 1100),
    st.integers(-3_000, 100),
)
def test_first_touch_finds_the_same_instant_as_a_search_of_every_tick(
    quantity: int, average: int, first: int, last: int, least: int
) -> None:
    move = Move(START, START + MINUTE, first, last, is_rising=last > first)
    stake = Stake(quantity, Fraction(average), TICK_VALUE, move)
    found = first_touch(Decimal(least), Decimal(0), [stake], START, START + MINUTE)

    prices = range(first, last + 1) if last >= first else range(first, last - 1, -1)
    touched = next((price for price in prices if quantity * (price - average) * TICK_VALUE <= least), None)
    assert (touched is None) == (found is None)
    if touched is not None and found is not None:
        assert abs(found - move.instant_of(touched)) <= timedelta(milliseconds=2)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(950, 1050), st.integers(950, 1050)), min_size=2, max_size=3))
def test_first_touch_of_several_positions_is_not_before_the_breach(rows: list[tuple[int, int, int]]) -> None:
    stakes = [
        Stake(quantity, Fraction(1000), TICK_VALUE, Move(START, START + MINUTE, a, b, is_rising=b > a))
        for quantity, a, b in rows
    ]
    found = first_touch(Decimal(-50), Decimal(0), stakes, START, START + MINUTE)

    def equity(at: datetime) -> Fraction:
        return sum((stake.worth(stake.move.price_at(at)) for stake in stakes), start=Fraction(0))

    instants = [START + n * SECOND for n in range(61)]
    if found is None:
        assert all(equity(at) > -50 for at in instants)
    else:
        assert equity(found) <= -50
        assert all(equity(at) > -50 for at in instants if at < found - SECOND)


@pytest.mark.parametrize(
    ("size", "scaling_plan"),
    [
        (50_000, {1_499: 2, 1_500: 3, 2_000: 3, 2_001: 5}),
        (100_000, {1_499: 3, 1_500: 4, 2_000: 5, 3_000: 5, 3_001: 10}),
        (150_000, {1_499: 3, 1_500: 4, 2_000: 5, 3_000: 10, 4_500: 10, 4_501: 15}),
    ],
)
def test_an_express_account_scales_with_the_balance_at_the_start_of_its_day(
    size: int, scaling_plan: dict[int, int]
) -> None:
    assert {balance: 10 * minis for balance, minis in scaling_plan.items()} == {
        balance: rules.max_micros(account(AccountStage.EXPRESS, size, balance)) for balance in scaling_plan
    }


def test_a_mini_counts_as_ten_micros() -> None:
    assert [50, 5, 10] == [rules.count_micros("ES", 5), rules.count_micros("MNQ", 5), rules.count_micros("SIL", 5)]


def test_the_size_of_a_side_includes_its_working_orders_and_every_position() -> None:
    held = {"MNQ": 20, "MES": -10}

    assert 30 == rules.micros_on_side(held, {}, Side.BUY) == rules.micros_on_side(held, {}, Side.SELL)
    assert 45 == rules.micros_on_side(held, {"MNQ": 15}, Side.BUY)
    assert 30 == rules.micros_on_side(held, {"MNQ": 20}, Side.SELL), "a closing order adds nothing"
    assert 40 == rules.micros_on_side(held, {"MNQ": 50}, Side.SELL), "a reversal from 20 to 30"


@given(st.integers(-10, 10), st.sampled_from(Side), st.integers(1, 20))
def test_an_order_is_opening_unless_it_only_reduces(held: int, side: Side, quantity: int) -> None:
    after = held + side.sign * quantity
    is_reduced = held * after >= 0 and abs(after) < abs(held)

    assert is_reduced != rules.is_opening(held, side, quantity)


@pytest.mark.parametrize(
    ("group", "day", "flat_by"),
    [
        ("equity", date(2026, 3, 10), "20:10"),
        ("equity", date(2026, 1, 6), "21:10"),
        ("grains", date(2026, 3, 10), "18:05"),
    ],
)
def test_a_contract_must_be_flat_by_1510_or_15_minutes_before_its_close(group: str, day: date, flat_by: str) -> None:
    session = calendar_of(group).session_on(day)
    assert session is not None

    assert flat_by == f"{rules.flat_by(session):%H:%M}"
    assert rules.flat_by(session) - rules.last_entry(session) == timedelta(minutes=2)


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))
def test_the_next_day_begins_at_1700_in_chicago_within_25_hours(after: datetime) -> None:
    begins = rules.next_day_begins(after)

    assert timedelta(0) < begins - after <= timedelta(hours=25)
    assert begins.hour in {22, 23}
