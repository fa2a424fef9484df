"""Quotes merged from sparse ones, and bars built from trades; pure."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.domain.market_data.bar import MINUTE
from shared.gateway.hubs import messages
from shared.gateway.hubs.messages import QuoteChange, Trade
from workers.feed.prices import Prices

NINE = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EARLIER = NINE - timedelta(hours=1)
MNQ = "CON.F.US.MNQ.H26"


def raw(*arguments: object) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps(one).encode()) for one in arguments]


def trade(seconds: float, price: str = "100", quantity: int = 1) -> Trade:
    return Trade(Decimal(price), quantity, NINE + timedelta(seconds=seconds), is_buy=True)


def subscribed_prices(since: datetime = EARLIER) -> Prices:
    prices = Prices()
    prices.mark_subscribed(MNQ, since)
    return prices


def test_trap_11_a_sparse_quote_changes_only_what_it_names_and_never_becomes_zero() -> None:
    prices = Prices()
    whole = {
        "symbol": "F.US.MNQ",
        "bestBid": 25000.25,
        "bestAsk": 25000.5,
        "lastPrice": 25000.25,
        "timestamp": "2026-03-10T15:00:00Z",
    }
    prices.take_quote(MNQ, messages.parse_quote(raw(MNQ, whole)), NOW)
    prices.take_quote(MNQ, messages.parse_quote(raw(MNQ, {"symbol": "F.US.MNQ", "bestBid": 25000.0})), NOW)
    quote = prices.take_updates().quotes[MNQ]

    assert (Decimal("25000.0"), Decimal("25000.5"), Decimal("25000.25")) == (quote.bid, quote.ask, quote.last)
    assert datetime(2026, 3, 10, 15, 0, tzinfo=UTC) == quote.at


def test_the_last_trade_is_in_every_quote_also_after_a_reconnect() -> None:
    prices = Prices()
    prices.take_trade(MNQ, trade(30, "25000.25"), NOW)
    prices.take_quote(MNQ, QuoteChange(best_bid=Decimal(25000)), NOW)
    assert (Decimal("25000.25"), NOW) == traded(prices)
    prices.take_trade(MNQ, trade(31, "25001"), NOW + MINUTE)
    assert (Decimal(25001), NOW + MINUTE) == traded(prices)
    prices.reset()
    prices.take_quote(MNQ, QuoteChange(best_bid=Decimal(21000)), NOW + 2 * MINUTE)
    assert (Decimal(25001), NOW + MINUTE) == traded(prices)


def traded(prices: Prices) -> tuple[Decimal | None, datetime | None]:
    quote = prices.take_updates().quotes[MNQ]
    return quote.traded, quote.trade_received_at


def test_trap_11_quotes_are_separate_by_contract_though_their_symbol_is_the_same() -> None:
    prices = Prices()
    for contract_id, bid in ((MNQ, 1), ("CON.F.US.MNQ.M26", 2)):
        arguments = raw(contract_id, {"symbol": "F.US.MNQ", "bestBid": bid})
        prices.take_quote(messages.contract_of(arguments), messages.parse_quote(arguments), NOW)

    assert [Decimal(1), Decimal(2)] == [quote.bid for quote in prices.take_updates().quotes.values()]


ONE = {
    "symbolId": "F.US.MNQ",
    "price": 25000.5,
    "timestamp": "2026-03-10T15:00:00.1234567+00:00",
    "type": 0,
    "volume": 2,
}


@pytest.mark.parametrize(
    ("payload", "count"), [(ONE, 1), ([ONE], 1), ([ONE, None, ONE, None], 2), ([None], 0), ([], 0)]
)
def test_trap_11_trades_come_as_object_or_array_padded_with_nulls(payload: object, count: int) -> None:
    found = list(messages.parse_trades(raw(MNQ, payload)))

    assert count == len(found)
    assert all((Decimal("25000.5"), 2) == (one.price, one.quantity) for one in found)


ENTITY = {"id": 1, "accountId": 7}


@pytest.mark.parametrize(
    "payload",
    [ENTITY, {"action": 1, "data": ENTITY}, [ENTITY], {"action": 0, "data": [ENTITY]}, [{"action": 2, "data": ENTITY}]],
)
def test_trap_12_entities_come_wrapped_unwrapped_or_in_arrays(payload: object) -> None:
    assert [ENTITY] == list(messages.parse_entities(raw(payload)))


def test_prices_are_decimals_to_the_last_digit() -> None:
    (argument,) = [msgspec.Raw(b'{"price":0.000000500000000001,"volume":1,"timestamp":"2026-03-10T15:00:00"}')]

    assert [Decimal("0.000000500000000001")] == [one.price for one in messages.parse_trades([argument, argument])]


def test_a_burst_of_quotes_is_one_write_of_the_newest() -> None:
    prices = Prices()
    for bid in range(1, 1001):
        prices.take_quote(MNQ, QuoteChange(best_bid=Decimal(bid)), NOW)

    assert [Decimal(1000)] == [quote.bid for quote in prices.take_updates().quotes.values()]
    assert not prices.take_updates()


@given(some.lists(some.tuples(some.floats(0, 59.999), some.integers(1, 400), some.integers(1, 9)), min_size=1))
def test_a_bar_equals_its_trades(trades: list[tuple[float, int, int]]) -> None:
    prices = subscribed_prices()
    for seconds, price, quantity in sorted(trades, key=lambda one: one[0]):
        prices.take_trade(MNQ, trade(seconds, str(price), quantity), NOW)
    in_order = [Decimal(price) for _, price, _ in sorted(trades, key=lambda one: one[0])]
    bar = prices.take_updates().forming[MNQ]

    assert (in_order[0], max(in_order), min(in_order), in_order[-1]) == (bar.open, bar.high, bar.low, bar.close)
    assert sum(quantity for _, _, quantity in trades) == bar.volume
    assert bar.is_complete


def test_the_next_minutes_trade_ends_a_bar() -> None:
    prices = subscribed_prices()
    prices.take_trade(MNQ, trade(30), NOW)
    prices.take_trade(MNQ, trade(60), NOW)
    updates = prices.take_updates()

    assert ({MNQ}, NINE + MINUTE) == (updates.ended, updates.forming[MNQ].start)


def test_the_clock_ends_a_bar_without_a_next_trade() -> None:
    prices = subscribed_prices()
    prices.take_trade(MNQ, trade(30), NOW)
    prices.end_minutes(NINE + MINUTE + timedelta(seconds=1))
    assert not prices.take_updates().ended
    prices.end_minutes(NINE + MINUTE + timedelta(seconds=2))
    updates = prices.take_updates()

    assert {MNQ} == updates.ended
    assert not updates.forming


def test_a_trade_that_comes_after_its_bar_has_ended_changes_no_bar() -> None:
    prices = subscribed_prices()
    prices.take_trade(MNQ, trade(30), NOW)
    prices.take_trade(MNQ, trade(61), NOW)
    prices.take_updates()
    prices.take_trade(MNQ, trade(59), NOW)
    assert not prices.take_updates().forming
    prices.end_minutes(NINE + 3 * MINUTE)
    prices.take_updates()
    prices.take_trade(MNQ, trade(62), NOW)

    assert not prices.take_updates()


def test_a_bar_that_began_before_the_subscription_is_incomplete_and_the_next_is_complete() -> None:
    prices = subscribed_prices(NINE + timedelta(seconds=10))
    prices.take_trade(MNQ, trade(30), NOW)
    first = prices.take_updates()
    prices.take_trade(MNQ, trade(61), NOW)
    second = prices.take_updates()

    assert (False, True) == (first.forming[MNQ].is_complete, second.forming[MNQ].is_complete)


def test_a_lost_connection_makes_the_forming_bar_incomplete_and_drops_the_quote() -> None:
    prices = subscribed_prices()
    prices.take_quote(MNQ, QuoteChange(best_bid=Decimal(1), best_ask=Decimal(2)), NOW)
    prices.take_trade(MNQ, trade(10), NOW)
    prices.take_updates()
    prices.reset()
    prices.mark_subscribed(MNQ, NINE + timedelta(seconds=40))
    prices.take_quote(MNQ, QuoteChange(best_bid=Decimal(3)), NOW)
    prices.take_trade(MNQ, trade(50), NOW)
    updates = prices.take_updates()

    assert (Decimal(3), None) == (updates.quotes[MNQ].bid, updates.quotes[MNQ].ask)
    assert not updates.forming[MNQ].is_complete
