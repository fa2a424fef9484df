"""A ticker publishes one contract: the day's prices, each new price, and trades that add up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.coverage import Span
from simulator.hubs.market import density_of
from simulator.hubs.ticker import Ticker
from simulator.market.market import Market, find_quote
from simulator.market.replay import ReplayMarket
from simulator.market.script import Script, Step
from simulator.market.scripted import ScriptedMarket
from simulator.market.seeded import SeededMarket
from simulator.market.tape import Print
from tests.fixtures.venue import MNQ, OPEN_AT, write_bars

TICK = Decimal("0.25")
MARKET = SeededMarket(7)
STAMPS = {"timestamp", "lastUpdated"}


def ticker_of(at: datetime, market: Market = MARKET, prints_per_minute: int = 240) -> Ticker:
    contract = market.contract(MNQ, at)
    assert contract is not None
    return Ticker(market, contract, density_of(prints_per_minute, 1), 1, at)


def bars_of(start: datetime, end: datetime, market: Market = MARKET) -> list[Bar]:
    contract = market.contract(MNQ, start)
    assert contract is not None
    return list(market.bars_backwards(contract, Span(start, end)))[::-1]


def bar_of_prints(prints: list[Print]) -> Bar:
    prices = [row.price_ticks for row in prints]
    minute = prints[0].at.replace(second=0, microsecond=0)
    return Bar(minute, prices[0], max(prices), min(prices), prices[-1], sum(row.volume for row in prints))


def content_of(quotes: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Return the merged fields of quotes, without their instants."""
    return {name: value for quote in quotes for name, value in (quote or {}).items() if name not in STAMPS}


@pytest.mark.parametrize("seconds", [0.025, 7, 59.9, 61, 500])
def test_advances_of_any_length_give_the_same_day(seconds: float) -> None:
    begin, length = OPEN_AT + timedelta(seconds=13), timedelta(seconds=seconds)
    ticker = ticker_of(begin)
    quotes, prints, at = [ticker.full_quote()], list[Print](), begin
    for _ in range(max(4, min(400, int(240 / seconds)))):
        at += length
        update = ticker.advance(at)
        quotes += update.quotes
        prints += update.prints
    minutes = [bar for bar in bars_of(begin, at) if bar.start + MINUTE <= at]

    assert_same_but_for_the_latest_trades(ticker_of(at), ticker)
    assert content_of([*quotes, ticker.full_quote()]).keys() == content_of(quotes).keys()
    assert minutes == [
        bar_of_prints([row for row in prints if bar.start <= row.at < bar.start + MINUTE]) for bar in minutes
    ]
    assert all(earlier.at <= later.at for earlier, later in pairwise(prints))


def test_a_day_has_the_extremes_and_the_volume_of_its_bars() -> None:
    contract = MARKET.contract(MNQ, OPEN_AT)
    assert contract is not None
    opened = MARKET.session_start(contract, OPEN_AT)
    bars, before = bars_of(opened, OPEN_AT), bars_of(opened - timedelta(days=4), opened)[-1]
    found = content_of([ticker_of(OPEN_AT).full_quote()])
    now = find_quote(MARKET, contract, OPEN_AT)
    assert now is not None

    assert {
        "symbol": "F.US.MNQ", "symbolName": "/MNQ", "contract": MNQ, "open": bars[0].open * TICK,
        "high": max(bar.high for bar in bars) * TICK, "low": min(bar.low for bar in bars) * TICK,
        "volume": sum(bar.volume for bar in bars), "lastPrice": now.last * TICK, "bestBid": now.bid * TICK,
        "bestAsk": now.ask * TICK, "change": (now.last - before.close) * TICK,
        "changePercent": round(Decimal(now.last - before.close) / before.close * 100, 4),
    } == found  # fmt: skip


def test_a_new_session_resets_the_day() -> None:
    contract = MARKET.contract(MNQ, OPEN_AT)
    assert contract is not None
    opens = MARKET.session(contract, OPEN_AT + timedelta(hours=8)).opens
    ticker = ticker_of(opens - timedelta(hours=2))
    ticker.advance(opens - timedelta(minutes=61))
    [first, *_] = ticker.advance(opens + timedelta(seconds=1)).quotes[-5:]
    bar = bars_of(opens, opens + MINUTE)[0]

    assert "symbolName" not in first
    assert bar.open * TICK == (ticker.full_quote() or {})["open"]
    assert bar.volume > (ticker.full_quote() or {})["volume"] > 0


def test_a_script_in_a_closed_market_opens_a_day_of_its_own() -> None:
    """As `PUT /sim/market` does in a market that is stepped by hand: its bar lies in no session."""
    market, saturday = ScriptedMarket(MARKET), datetime(2026, 3, 14, 15, 0, 30, tzinfo=UTC)
    ticker = ticker_of(saturday, market)
    ticker.advance(saturday)
    market.play(Script(contract_id=MNQ, starts_market_at=saturday, steps=[Step(price=100_000, seconds=5)]))
    for seconds in (0, 3, 10):
        ticker.advance(saturday + timedelta(seconds=seconds))
    found, ladder = ticker.full_quote() or {}, ticker.ladder()

    assert 100_000 * TICK == found["lastPrice"] == found["high"]
    assert found["open"] == found["low"] < found["high"]
    assert ladder is not None
    assert (found["low"], found["high"]) == (ladder.low * TICK, ladder.high * TICK)


def test_every_price_on_the_path_is_published_with_the_venues_quote() -> None:
    market = scripted_market(("25000.00", 1, 0), ("25002.00", 2, 0), ("24998.00", 2, 0))
    ticker = ticker_of(OPEN_AT + timedelta(seconds=1), market)
    quotes = [row for row in ticker.advance(OPEN_AT + timedelta(seconds=6)).quotes if "lastPrice" in row]
    path = [Decimal(25_000) + n * TICK for n in range(1, 9)] + [Decimal(25_002) - n * TICK for n in range(1, 17)]

    assert path == [quoted["lastPrice"] for quoted in quotes]
    for quoted in quotes:
        now = find_quote(market, ticker.contract, datetime.fromisoformat(quoted["timestamp"]))
        assert now is not None
        assert quoted["lastPrice"] == now.last * TICK


def test_the_prints_of_a_script_that_starts_within_a_minute_add_up_to_its_bar() -> None:
    market = ScriptedMarket(MARKET)
    ticker, at, prints = ticker_of(OPEN_AT, market), OPEN_AT, list[Print]()
    for price, volume in ((92_000, 300), (92_100, 45), (91_000, 7)):
        at += timedelta(seconds=11.3)
        prints += ticker.advance(at).prints
        market.play(Script(contract_id=MNQ, starts_market_at=at, steps=[Step(price=price, seconds=9, volume=volume)]))
    prints += ticker.advance(OPEN_AT + MINUTE).prints

    assert bars_of(OPEN_AT, OPEN_AT + MINUTE, market) == [bar_of_prints(prints)]


def test_an_advance_after_a_long_pause_covers_the_last_15_minutes() -> None:
    ticker, at = ticker_of(OPEN_AT), OPEN_AT + timedelta(hours=2, seconds=5)
    update = ticker.advance(at)

    assert timedelta(minutes=14, seconds=59) < at - update.prints[0].at <= timedelta(minutes=15)
    assert_same_but_for_the_latest_trades(ticker_of(at), ticker)


def test_an_advance_after_a_long_pause_starts_from_the_published_book() -> None:
    ticker, at = ticker_of(OPEN_AT), OPEN_AT + timedelta(hours=2)
    published = ticker.ladder()
    update = ticker.advance(at)

    assert published != ticker_of(at - timedelta(minutes=15)).ladder()
    assert (published, ticker.ladder()) == (update.before, update.after)


@pytest.mark.parametrize(
    ("since", "now"),
    [
        ("2026-03-10T13:10", "2026-03-10T14:10:07"),
        ("2026-03-10T15:00", "2026-03-10T15:16:07"),
        ("2026-03-13T19:00", "2026-03-14T17:00:07"),  # into the weekend: no bar in the catch-up time
        ("2026-03-13T19:00", "2026-03-16T00:00:07"),  # into the next session
    ],
)
def test_a_subscriber_has_the_whole_quote_after_a_long_pause(since: str, now: str) -> None:
    before, after = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (since, now))
    ticker = ticker_of(before)
    received = [ticker.full_quote(), *ticker.advance(after).quotes]

    assert content_of([ticker.full_quote()]) == content_of(received)
    assert_same_but_for_the_latest_trades(ticker_of(after), ticker)


def test_many_pauses_of_any_length_leave_a_subscriber_with_the_whole_quote() -> None:
    ticker, at = ticker_of(OPEN_AT), OPEN_AT
    received = [ticker.full_quote()]
    for minutes in (16, 61, 3, 240, 0.5, 1500, 17):
        at += timedelta(minutes=minutes)
        received += ticker.advance(at).quotes

        assert content_of([ticker.full_quote()]) | {"volume": 0} == content_of(received) | {"volume": 0}


@pytest.mark.parametrize("seconds", [0.9, 7, 60, 200])
def test_after_the_close_subscribers_have_the_last_quote_and_the_volume_of_the_day(seconds: float) -> None:
    contract = MARKET.contract(MNQ, OPEN_AT)
    assert contract is not None
    session = MARKET.session(contract, OPEN_AT)
    at = session.closes - 2 * MINUTE
    ticker = ticker_of(at)
    received = [ticker.full_quote()]
    while at <= session.closes:
        at += timedelta(seconds=seconds)
        received += ticker.advance(at).quotes
    closing = find_quote(MARKET, contract, at)
    assert closing is not None
    found = content_of(received)

    assert bars_of(session.opens, at)[-1].close == closing.last
    assert price_ticks(found) == (closing.bid, closing.ask, closing.last)
    assert found == content_of([ticker_of(at).full_quote()])
    assert found["volume"] == sum(bar.volume for bar in bars_of(session.opens, at))
    assert [] == ticker.advance(at + MINUTE).quotes


@pytest.mark.parametrize("seconds", [1, 45, 300])
def test_the_close_stays_until_the_next_bar(tmp_path: Path, seconds: float) -> None:
    rows = [(OPEN_AT + n * MINUTE).isoformat() for n in (0, 3)]
    file = write_bars(
        tmp_path / "mnqh6-1m-2026-03.csv", [(start, "25000", "25003", "24999", "25002", 10) for start in rows]
    )
    market = ReplayMarket(file)
    at, quotes = OPEN_AT + timedelta(seconds=1), list[dict[str, Any]]()
    ticker = ticker_of(at, market)
    while at < OPEN_AT + 5 * MINUTE:
        at += timedelta(seconds=seconds)
        quotes += ticker.advance(at).quotes
    before = [row for row in quotes if row["timestamp"] < (OPEN_AT + 3 * MINUTE).isoformat()]

    assert (Decimal(25_002), 10) == (content_of([*before])["lastPrice"], content_of([*before])["volume"])
    assert (OPEN_AT + MINUTE).isoformat() == before[-1]["timestamp"]
    assert (Decimal(25_002), 20) == (content_of([*quotes])["lastPrice"], content_of([*quotes])["volume"])


@pytest.mark.parametrize("seconds", [0.25, 0.5, 1])
def test_every_advance_ends_with_the_venues_quote_also_when_a_price_is_reached_just_then(seconds: float) -> None:
    market, at = scripted_market(("25000.00", 1, 0), ("25002.00", 2, 0), ("24998.00", 2, 0)), OPEN_AT
    ticker = ticker_of(at, market, prints_per_minute=4)
    received = [ticker.full_quote()]
    while at < OPEN_AT + timedelta(seconds=6):
        at += timedelta(seconds=seconds)
        received += ticker.advance(at).quotes
        now = find_quote(market, ticker.contract, at)
        assert now is not None

        assert price_ticks(content_of(received)) == (now.bid, now.ask, now.last)


def price_ticks(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(found[name] / TICK) for name in ("bestBid", "bestAsk", "lastPrice"))


def assert_same_but_for_the_latest_trades(fresh: Ticker, old: Ticker) -> None:
    """Compare two tickers; the trades since the last beat, 0.25 s ago, come only with the next quote."""
    expected, found = content_of([fresh.full_quote()]), content_of([old.full_quote()])
    assert expected | {"volume": 0} == found | {"volume": 0}
    assert 0 <= expected["volume"] - found["volume"] < 100


def test_a_faster_market_has_fewer_prints_but_at_least_four_a_minute() -> None:
    assert [240, 240, 200, 4, 4] == [density_of(240, speed).prints for speed in (1, 50, 60, 3600, 86_400)]
    assert 120_000 == density_of(120_000, 1).quotes


def scripted_market(*steps: tuple[str, float, int]) -> ScriptedMarket:
    """Return a market in which MNQ jumps to the first price at 15:00 and goes straight to each of the next."""
    market = ScriptedMarket(MARKET)
    pieces = [
        Step(
            price=int(Decimal(price) / TICK),
            seconds=seconds,
            open=int(Decimal(price) / TICK) if index == 0 else None,
            volume=volume,
        )
        for index, (price, seconds, volume) in enumerate(steps)
    ]
    market.play(Script(contract_id=MNQ, starts_market_at=OPEN_AT, steps=pieces))
    return market
