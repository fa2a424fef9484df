"""The firm's rules applied to accounts: loss limits, sizes, 15:10, and the next day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.orders.order import OrderState, OrderType, Side
from simulator.venue.records import AccountSettings, AccountStage
from tests.fixtures.venue import MNQ
from tests.fixtures.venue_core import OpenVenueCore, VenueCore

ES = "CON.F.US.EP.H26"
LAST_ENTRY, FLAT_BY, REOPENS = (
    datetime(2026, 3, 10, hour, minute, tzinfo=UTC) for hour, minute in ((20, 8), (20, 10), (22, 0))
)  # 15:08, 15:10 and 17:00 in Chicago, summer time


def test_a_breach_of_the_loss_limit_cancels_orders_closes_positions_and_ends_trading(venue_core: VenueCore) -> None:
    venue_core.open_account(AccountStage.COMBINE)
    entry = venue_core.enter(quantity=50, stop_loss=-900)
    resting = venue_core.place(type=OrderType.LIMIT, side=Side.SELL, quantity=1, price="25100.00").order_id
    assert resting is not None
    # 50 MNQ are 100 dollars a point: with the fees of the entry, the loss is 2000 before 20 points.
    venue_core.move_price("24980.00")
    venue_core.step(milliseconds=20)

    assert 0 == venue_core.position()
    assert [OrderState.CANCELLED] * 2 == [venue_core.state(entry.id + 1), venue_core.state(resting)]
    assert (False, True) == (venue_core.account().may_trade, venue_core.account().loss_state.is_violated)
    assert Decimal(47_900) < venue_core.account().balance < Decimal(48_000)
    assert 4 == venue_core.place().code


def test_an_equity_just_above_the_loss_limit_changes_nothing(venue_core: VenueCore) -> None:
    venue_core.open_account(AccountStage.COMBINE)
    venue_core.enter(quantity=50)
    venue_core.move_price("24981.00", "25000.00")

    assert (50, True) == (venue_core.position(), venue_core.account().may_trade)


def test_a_breach_between_two_requests_counts(venue_core: VenueCore) -> None:
    venue_core.open_account(AccountStage.COMBINE)
    venue_core.enter(quantity=50)
    venue_core.move_price("24970.00", "25000.00")

    assert venue_core.account().loss_state.is_violated


def test_fees_alone_may_breach_the_loss_limit(venue_core: VenueCore) -> None:
    venue_core.open_account(AccountStage.COMBINE, balance=Decimal(48_030))
    venue_core.enter(quantity=50)
    venue_core.step(seconds=1)

    assert venue_core.account().loss_state.is_violated


def test_the_loss_limit_level_follows_the_end_of_day_balance_up_to_the_starting_balance(
    open_venue_core: OpenVenueCore,
) -> None:
    venue_core = open_venue_core()
    venue_core.open_account(AccountStage.COMBINE)
    levels = [venue_core.account().loss_state.loss_limit_level]
    for day, balance in enumerate((51_000, 50_500, 56_000)):
        venue_core.venue.set_account(venue_core.account_id, AccountSettings(balance=Decimal(balance)))
        intraday = venue_core.account().loss_state.loss_limit_level
        assert levels[-1] == intraday
        venue_core.step_to(REOPENS + timedelta(days=day))
        levels.append(venue_core.account().loss_state.loss_limit_level)

    assert [Decimal(48_000), Decimal(49_000), Decimal(49_000), Decimal(50_000)] == levels


def test_an_express_account_starts_at_zero_with_a_limit_at_minus_two_thousand(venue_core: VenueCore) -> None:
    account = venue_core.open_account(AccountStage.EXPRESS)

    assert (Decimal(0), Decimal(-2_000)) == (account.balance, account.loss_state.loss_limit_level)
    assert account.name.startswith("EXPRESS-")


def test_the_daily_loss_limit_locks_until_the_next_trading_day(venue_core: VenueCore) -> None:
    venue_core.open_account(AccountStage.COMBINE)
    venue_core.venue.set_account(venue_core.account_id, AccountSettings(daily_loss_limit=Decimal(1_000)))
    venue_core.enter(quantity=50)
    venue_core.move_price("24985.00")
    venue_core.step(seconds=1)
    locked = venue_core.place()

    assert 0 == venue_core.position()
    assert (10, False) == (locked.code, venue_core.account().loss_state.is_violated)
    venue_core.step_to(REOPENS)
    assert 0 == venue_core.place().code


@pytest.mark.parametrize(
    ("stage", "size", "balance", "most"),
    [
        (AccountStage.PRACTICE, 50_000, None, 50),
        (AccountStage.COMBINE, 150_000, None, 150),
        (AccountStage.EXPRESS, 50_000, None, 20),
        (AccountStage.EXPRESS, 50_000, Decimal(1_500), 30),
        (AccountStage.EXPRESS, 50_000, Decimal(2_001), 50),
    ],
)
def test_an_order_beyond_the_largest_position_of_the_stage_is_rejected(
    venue_core: VenueCore, stage: AccountStage, size: int, balance: Decimal | None, most: int
) -> None:
    venue_core.open_account(stage, size, balance=balance)
    over = venue_core.place(quantity=most + 1)

    assert (2, True) == (over.code, "Maximum position exceeded" in (over.message or ""))
    assert 0 == venue_core.place(quantity=most).code
    venue_core.step(seconds=1)
    assert 2 == venue_core.place().code
    assert 0 == venue_core.place(side=Side.SELL, quantity=most).code, "an exit is never too large"


def test_working_orders_of_a_side_and_other_contracts_count_but_legs_do_not(venue_core: VenueCore) -> None:
    venue_core.open_account(AccountStage.COMBINE)
    venue_core.enter(quantity=20, stop_loss=-400, take_profit=400)
    venue_core.place(type=OrderType.LIMIT, price="24900.00", quantity=10)
    minis = [venue_core.place(contract_id=ES, quantity=quantity).code for quantity in (3, 2)]

    assert [2, 0] == minis
    assert 0 == venue_core.place(type=OrderType.LIMIT, side=Side.SELL, price="25100.00", quantity=50).code


def test_entries_end_at_1508_and_everything_is_cancelled_and_closed_at_1510(open_venue_core: OpenVenueCore) -> None:
    venue_core = open_venue_core(market_at=LAST_ENTRY - timedelta(minutes=5))
    entry = venue_core.enter(quantity=2, stop_loss=-400)
    resting = venue_core.place(type=OrderType.LIMIT, price="24900.00").order_id
    venue_core.step_to(LAST_ENTRY)
    late = venue_core.place()
    reducing = venue_core.place(side=Side.SELL)
    venue_core.step_to(FLAT_BY - timedelta(milliseconds=1))
    before = (venue_core.position(), venue_core.state(entry.id + 1))
    venue_core.step_to(FLAT_BY + timedelta(milliseconds=20))

    assert (2, True) == (late.code, "15:08" in (late.message or ""))
    assert 0 == reducing.code
    assert (1, OrderState.WORKING) == before
    assert 0 == venue_core.position()
    assert resting is not None
    assert [OrderState.CANCELLED] * 2 == [venue_core.state(entry.id + 1), venue_core.state(resting)]
    assert 2 == venue_core.place(side=Side.SELL).code
    venue_core.step_to(REOPENS)
    assert 0 == venue_core.place().code


def test_a_day_that_closes_early_is_flat_15_minutes_before_the_close(open_venue_core: OpenVenueCore) -> None:
    # The day after Thanksgiving: equities close at 12:15 in Chicago.
    venue_core = open_venue_core(market_at=datetime(2026, 11, 27, 17, 50, tzinfo=UTC))
    mnq = "CON.F.US.MNQ.Z26"
    venue_core.enter(contract_id=mnq)
    contract = venue_core.venue.market.contract(mnq, venue_core.now())
    assert contract is not None
    closes = venue_core.venue.market.session(contract, venue_core.now()).closes
    venue_core.step_to(closes - timedelta(minutes=17, seconds=1))
    on_time = venue_core.place(contract_id=mnq).code
    venue_core.step_to(closes - timedelta(minutes=15) + timedelta(seconds=1))

    assert 0 == on_time
    assert 0 == venue_core.position(mnq)


def test_a_market_around_the_clock_closes_no_positions(open_venue_core: OpenVenueCore) -> None:
    friday = datetime(2026, 3, 6, 21, 5, tzinfo=UTC)  # 15:05 in Chicago, winter time
    venue_core = open_venue_core(market_at=friday, is_always_open=True)
    venue_core.enter(stop_loss=-4000)
    venue_core.step_to(friday + timedelta(hours=1))

    assert 1 == venue_core.position()
    assert 0 == venue_core.place().code
    venue_core.step_to(friday + timedelta(days=1))
    assert 0 == venue_core.place().code


def test_follower_and_live_accounts_are_refused_with_a_reason(venue_core: VenueCore) -> None:
    entry = venue_core.enter(stop_loss=-40)
    venue_core.venue.set_account(venue_core.account_id, AccountSettings(is_follower=True))
    follower = venue_core.venue.cancel(venue_core.account_id, entry.id + 1)
    venue_core.venue.set_account(venue_core.account_id, AccountSettings(is_follower=False, is_live=True))
    live = venue_core.venue.cancel(venue_core.account_id, entry.id + 1)
    closing = [venue_core.venue.close(venue_core.account_id, MNQ, quantity).code for quantity in (None, 1)]

    assert (6, "Follower accounts cannot cancel orders") == (follower.code, follower.message)
    assert (6, "Live accounts not supported") == (live.code, live.message)
    assert [8, 9] == closing
