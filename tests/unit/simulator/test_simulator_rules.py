"""The firm's rules as an account meets them: loss limits, sizes, 15:10, and the next day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.orders.order import OrderState, OrderType, Side
from simulator.venue.records import AccountSettings, Stage
from tests.fixtures.venue import MNQ
from tests.fixtures.venue_core import OpenPit, Pit

ES = "CON.F.US.EP.H26"
NOT_NEW, FLAT, REOPENS = (
    datetime(2026, 3, 10, hour, minute, tzinfo=UTC) for hour, minute in ((20, 8), (20, 10), (22, 0))
)  # 15:08, 15:10 and 17:00 in Chicago, summer time


def test_a_touch_of_the_loss_limit_cancels_closes_and_ends_the_account(pit: Pit) -> None:
    pit.open_account(Stage.COMBINE)
    entry = pit.enter(quantity=50, stop_loss=-900)
    resting = pit.place(type=OrderType.LIMIT, side=Side.SELL, quantity=1, price="25100.00").order_id
    assert resting is not None
    # 50 MNQ are 100 dollars a point: with the fees of the entry, 2000 are gone before 20 points are.
    pit.goes_to("24980.00")
    pit.step(milliseconds=20)

    assert 0 == pit.position()
    assert [OrderState.CANCELLED] * 2 == [pit.state(entry.id + 1), pit.state(resting)]
    assert (False, True) == (pit.account().may_trade, pit.account().standing.is_violated)
    assert Decimal(47_900) < pit.account().balance < Decimal(48_000)
    assert 4 == pit.place().code


def test_a_limit_not_quite_touched_changes_nothing(pit: Pit) -> None:
    pit.open_account(Stage.COMBINE)
    pit.enter(quantity=50)
    pit.goes_to("24981.00", "25000.00")

    assert (50, True) == (pit.position(), pit.account().may_trade)


def test_a_touch_between_two_looks_counts(pit: Pit) -> None:
    pit.open_account(Stage.COMBINE)
    pit.enter(quantity=50)
    pit.goes_to("24970.00", "25000.00")

    assert pit.account().standing.is_violated


def test_fees_alone_may_touch_the_limit(pit: Pit) -> None:
    pit.open_account(Stage.COMBINE, balance=Decimal(48_030))
    pit.enter(quantity=50)
    pit.step(seconds=1)

    assert pit.account().standing.is_violated


def test_the_floor_follows_the_balance_of_the_days_end_and_stops_at_the_start(open_pit: OpenPit) -> None:
    pit = open_pit()
    pit.open_account(Stage.COMBINE)
    floors = [pit.account().standing.floor]
    for day, balance in enumerate((51_000, 50_500, 56_000)):
        pit.venue.set_account(pit.account_id, AccountSettings(balance=Decimal(balance)))
        intraday = pit.account().standing.floor
        assert floors[-1] == intraday
        pit.step_to(REOPENS + timedelta(days=day))
        floors.append(pit.account().standing.floor)

    assert [Decimal(48_000), Decimal(49_000), Decimal(49_000), Decimal(50_000)] == floors


def test_an_express_account_begins_at_nothing_and_two_thousand_below(pit: Pit) -> None:
    account = pit.open_account(Stage.EXPRESS)

    assert (Decimal(0), Decimal(-2_000)) == (account.balance, account.standing.floor)
    assert account.name.startswith("EXPRESS-")


def test_the_daily_loss_limit_locks_until_the_next_trading_day(pit: Pit) -> None:
    pit.open_account(Stage.COMBINE)
    pit.venue.set_account(pit.account_id, AccountSettings(daily_loss_limit=Decimal(1_000)))
    pit.enter(quantity=50)
    pit.goes_to("24985.00")
    pit.step(seconds=1)
    locked = pit.place()

    assert 0 == pit.position()
    assert (10, False) == (locked.code, pit.account().standing.is_violated)
    pit.step_to(REOPENS)
    assert 0 == pit.place().code


@pytest.mark.parametrize(
    ("stage", "size", "balance", "most"),
    [
        (Stage.PRACTICE, 50_000, None, 50),
        (Stage.COMBINE, 150_000, None, 150),
        (Stage.EXPRESS, 50_000, None, 20),
        (Stage.EXPRESS, 50_000, Decimal(1_500), 30),
        (Stage.EXPRESS, 50_000, Decimal(2_001), 50),
    ],
)
def test_no_position_is_larger_than_the_stage_allows(
    pit: Pit, stage: Stage, size: int, balance: Decimal | None, most: int
) -> None:
    pit.open_account(stage, size, balance=balance)
    over = pit.place(quantity=most + 1)

    assert (2, True) == (over.code, "Maximum position exceeded" in (over.message or ""))
    assert 0 == pit.place(quantity=most).code
    pit.step(seconds=1)
    assert 2 == pit.place().code
    assert 0 == pit.place(side=Side.SELL, quantity=most).code, "an exit is never too large"


def test_working_orders_of_a_side_and_other_contracts_count_but_legs_do_not(pit: Pit) -> None:
    pit.open_account(Stage.COMBINE)
    pit.enter(quantity=20, stop_loss=-400, take_profit=400)
    pit.place(type=OrderType.LIMIT, price="24900.00", quantity=10)
    minis = [pit.place(contract_id=ES, quantity=quantity).code for quantity in (3, 2)]

    assert [2, 0] == minis
    assert 0 == pit.place(type=OrderType.LIMIT, side=Side.SELL, price="25100.00", quantity=50).code


def test_after_1508_nothing_opens_and_from_1510_all_is_cancelled_and_closed(open_pit: OpenPit) -> None:
    pit = open_pit(market_at=NOT_NEW - timedelta(minutes=5))
    entry = pit.enter(quantity=2, stop_loss=-400)
    resting = pit.place(type=OrderType.LIMIT, price="24900.00").order_id
    pit.step_to(NOT_NEW)
    late = pit.place()
    reducing = pit.place(side=Side.SELL)
    pit.step_to(FLAT - timedelta(milliseconds=1))
    before = (pit.position(), pit.state(entry.id + 1))
    pit.step_to(FLAT + timedelta(milliseconds=20))

    assert (2, True) == (late.code, "15:08" in (late.message or ""))
    assert 0 == reducing.code
    assert (1, OrderState.WORKING) == before
    assert 0 == pit.position()
    assert resting is not None
    assert [OrderState.CANCELLED] * 2 == [pit.state(entry.id + 1), pit.state(resting)]
    assert 2 == pit.place(side=Side.SELL).code
    pit.step_to(REOPENS)
    assert 0 == pit.place().code


def test_a_day_that_closes_early_is_flat_a_quarter_of_an_hour_before(open_pit: OpenPit) -> None:
    # The day after Thanksgiving: equities close at 12:15 in Chicago.
    pit = open_pit(market_at=datetime(2026, 11, 27, 17, 50, tzinfo=UTC))
    mnq = "CON.F.US.MNQ.Z26"
    pit.enter(contract_id=mnq)
    closes = pit.venue.market.session(pit.venue.market.contracts(pit.now())[0], pit.now()).closes
    pit.step_to(closes - timedelta(minutes=17, seconds=1))
    in_time = pit.place(contract_id=mnq).code
    pit.step_to(closes - timedelta(minutes=15) + timedelta(seconds=1))

    assert 0 == in_time
    assert 0 == pit.position(mnq)


def test_around_the_clock_nobody_is_closed_out(open_pit: OpenPit) -> None:
    friday = datetime(2026, 3, 6, 21, 5, tzinfo=UTC)  # 15:05 in Chicago, winter time
    pit = open_pit(market_at=friday, is_always_open=True)
    pit.enter(stop_loss=-4000)
    pit.step_to(friday + timedelta(hours=1))

    assert 1 == pit.position()
    assert 0 == pit.place().code
    pit.step_to(friday + timedelta(days=1))
    assert 0 == pit.place().code


def test_a_follower_and_a_live_account_hear_why_they_cannot(pit: Pit) -> None:
    entry = pit.enter(stop_loss=-40)
    pit.venue.set_account(pit.account_id, AccountSettings(is_follower=True))
    follower = pit.venue.cancel(pit.account_id, entry.id + 1)
    pit.venue.set_account(pit.account_id, AccountSettings(is_follower=False, is_live=True))
    live = pit.venue.cancel(pit.account_id, entry.id + 1)
    closing = [pit.venue.close(pit.account_id, MNQ, quantity).code for quantity in (None, 1)]

    assert (6, "Follower accounts cannot cancel orders") == (follower.code, follower.message)
    assert (6, "Live accounts not supported") == (live.code, live.message)
    assert [8, 9] == closing
