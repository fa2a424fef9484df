"""The market data of one contract: its trades, the changes of its quote, and its order book."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.market_data.coverage import Span
from shared.domain.orders.matching import Move, Quote
from simulator.hubs.depth import Ladder
from simulator.market.market import Market, find_quote, quote_on
from simulator.market.tape import Print, prints_on

_MIN_CATCH_UP_LIMIT = timedelta(minutes=15)  # market time an advance catches up on after a long pause, at least
_MAX_PRICES = 20  # quoted prices of one advance, unless it spans many moves; further prices are thinned out evenly
_MOVE = MINUTE / 3
_MICROSECOND = timedelta(microseconds=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = "lastPrice"
_BEST = ("bestBid", "bestAsk")
_QUOTED = {_LAST, *_BEST, "open", "high", "low"}
_PRICES = _QUOTED | {"change"}
State = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """The most prints and quotes of a contract in a minute of market time."""

    prints: int
    quotes: int


@dataclass(slots=True)
class MarketUpdate:
    """The market data of a contract between two advances, oldest first."""

    prints: list[Print] = field(default_factory=list)
    quotes: list[dict[str, Any]] = field(default_factory=list)
    before: Ladder | None = None
    after: Ladder | None = None


class Ticker:
    """Follows a contract from `now` on. Prices are ticks until they are published.

    After a pause longer than the catch-up limit, subscribers get the changes of the whole pause in one quote.
    """

    def __init__(self, market: Market, contract: Contract, density: Density, speed: int, now: datetime) -> None:
        self.contract = contract
        self.symbol = f"F.US.{root_of_contract(contract.id).product}"
        self._market = market
        self._density = density
        self._catch_up_limit = max(_MIN_CATCH_UP_LIMIT, timedelta(seconds=5) * speed)
        self._state: State = {}
        self._published: State = {}  # the fields that subscribers have
        self._session: datetime | None = None
        self._previous_close = 0
        self._bar: Bar | None = None
        self._path: Sequence[Move] = ()
        self._prints: list[Print] = []
        self._volume = 0  # of the day, before the minute `_bar`
        self._reported_volume = 0  # of the volume of `_bar`
        self._max_prices = _MAX_PRICES
        self.until = now
        self._load_day(now)
        self._published = dict(self._state)  # by the full quote that each subscriber gets first

    def advance(self, now: datetime) -> MarketUpdate:
        """Return the market data since the last advance: trades before `now`, quotes until then.

        The last quote is that of the market at `now`, or at the end of the last bar: it stays until the next one.
        """
        update = MarketUpdate(before=self.ladder())  # as subscribers last saw it, however long ago
        if now - self.until > self._catch_up_limit:
            self.until = now - self._catch_up_limit
            self._load_day(self.until)
            self._publish(self.until, update)
        self._max_prices = max(2, _MAX_PRICES * _MOVE // max(_MOVE, now - self.until))
        minute = self.until.replace(second=0, microsecond=0)
        bars = list(self._market.bars_backwards(self.contract, Span(minute, now)))[::-1]
        starts = {bar.start for bar in bars}
        for bar in bars:
            ends = bar.start + MINUTE
            self._load_minute(bar)
            self._collect(max(self.until, bar.start), min(now, ends), update)
            if ends not in starts:
                self._settle(min(now, ends), update, is_over=ends <= now)
        self.until = now
        update.after = self.ladder()
        return update

    def full_quote(self) -> dict[str, Any] | None:
        """Return the full quote, or None before the first price."""
        return self._full_model(self.until) if _LAST in self._state else None

    def ladder(self) -> Ladder | None:
        """Return the order book's best prices, or None before the first price."""
        state = self._state
        return Ladder(state["bestBid"], state["bestAsk"], state["low"], state["high"]) if _LAST in state else None

    def _load_day(self, now: datetime) -> None:
        """Load the current quote, and the day's open, high, low and volume."""
        last = next(self._market.bars_backwards(self.contract, Span(_LONG_AGO, now)), None)
        current = find_quote(self._market, self.contract, now)
        if last is None or current is None:
            return
        self._session, self._reported_volume = None, 0
        opened = self._market.session_start(self.contract, last.start)
        earlier = list(self._market.bars_backwards(self.contract, Span(opened, last.start)))[::-1]
        self._start_session(earlier[0] if earlier else last)
        for bar in earlier:
            self._add_prices(bar.open, bar.high, bar.low, bar.close)
            self._volume += bar.volume
        self._bar = None
        self._load_minute(last)
        for print_ in self._prints[: self._print_index_at(now)]:
            self._add_prices(print_.price_ticks)
            self._reported_volume += print_.volume
        self._set_quote(current)

    def _start_session(self, bar: Bar) -> None:
        """Reset the day to a bar's open if it opens a new session, and keep the previous session's close."""
        session = self._market.session_start(self.contract, bar.start)
        if session == self._session:
            return
        before = next(self._market.bars_backwards(self.contract, Span(_LONG_AGO, session)), None)
        self._session, self._previous_close, self._volume = session, before.close if before else bar.open, 0
        self._published.pop("change", None)  # the same change is another percentage of another close
        self._state |= dict.fromkeys(("open", "high", "low"), bar.open)

    def _load_minute(self, bar: Bar) -> None:
        """Load the prints of a minute, or the rest of the current one if a script has changed it."""
        path = self._market.path(self.contract, bar)
        if self._bar and bar.start == self._bar.start:
            if bar == self._bar and path == self._path:
                return
            since = max(bar.start, self.until)
            path_left = [move.clip(since, move.end) for move in path if move.end > since]
            self._prints = list(prints_on(path_left, max(0, bar.volume - self._reported_volume), self._density.prints))
        else:
            self._volume += self._bar.volume if self._bar else 0
            self._start_session(bar)
            self._reported_volume = 0
            self._prints = list(prints_on(path, bar.volume, self._density.prints))
        self._bar, self._path = bar, path

    def _collect(self, start: datetime, end: datetime, update: MarketUpdate) -> None:
        """Add the prints and quotes in [start, end) of the minute to `update`."""
        prints = self._prints[self._print_index_at(start) : self._print_index_at(end)]
        update.prints += prints
        counted = 0
        for at, current, is_beat in self._due_quotes(start, end):
            while counted < len(prints) and prints[counted].at <= at:
                self._count_print(prints[counted])
                counted += 1
            self._set_quote(current)
            self._publish(at, update, is_beat=is_beat)
        for print_ in prints[counted:]:
            self._count_print(print_)

    def _settle(self, at: datetime, update: MarketUpdate, *, is_over: bool) -> None:
        """Add the quote at `at`, which no other follows yet; also the last volume of a minute that is over."""
        current = quote_on(self._path, at)
        shown = tuple(self._state.get(name) for name in (*_BEST, _LAST))
        if is_over or shown != (current.bid, current.ask, current.last):
            self._set_quote(current)
            self._publish(at, update)

    def _publish(self, at: datetime, update: MarketUpdate, *, is_beat: bool = False) -> None:
        """Add a quote of what has changed since the last one, also an empty one at a beat; the first one is full."""
        before = self._published
        changed = {name: value for name, value in self._state.items() if before.get(name) != value}
        if changed and not before:
            update.quotes.append(self._full_model(at))
        elif changed or is_beat:
            # Each message has a price: at least the best ones, also while only the volume changes.
            best = {} if _QUOTED & changed.keys() else {name: self._state[name] for name in _BEST}
            update.quotes.append(self._quote_model(best | changed, at))
        self._published = dict(self._state)

    def _due_quotes(self, start: datetime, end: datetime) -> list[tuple[datetime, Quote, bool]]:
        """Return the quotes to publish: at each new price, and (True) at each even beat."""
        found: list[tuple[datetime, Quote, bool]] = []
        for move in self._path:
            since, until = max(start, move.start), min(end, move.end)
            if since < until:
                found += ((at, current, False) for at, current in _price_quotes(move, since, until, self._max_prices))
                found += ((at, move.quote_at(at), True) for at in self._beats(since, until))
        found.sort(key=lambda quoted: quoted[0])
        return found

    def _beats(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the even beats in [start, end)."""
        minute = start.replace(second=0, microsecond=0)
        beats, whole = self._density.quotes, MINUTE // _MICROSECOND
        first = -(((minute - start) // _MICROSECOND) * beats // whole)
        for number in range(max(0, first), beats):
            at = minute + MINUTE * number / beats
            if at >= end:
                return
            if at >= start:
                yield at

    def _print_index_at(self, at: datetime) -> int:
        return bisect_left(self._prints, at, key=lambda print_: print_.at)

    def _count_print(self, print_: Print) -> None:
        self._add_prices(print_.price_ticks)
        self._reported_volume += print_.volume

    def _add_prices(self, *prices: int) -> None:
        """Add prices to the day's high and low."""
        self._state["high"] = max(self._state["high"], *prices)
        self._state["low"] = min(self._state["low"], *prices)

    def _set_quote(self, current: Quote) -> None:
        self._add_prices(current.last)
        self._state[_LAST], self._state["bestBid"], self._state["bestAsk"] = current.last, current.bid, current.ask
        self._state["change"] = current.last - self._previous_close
        self._state["volume"] = self._volume + self._reported_volume

    def _full_model(self, at: datetime) -> dict[str, Any]:
        return {"symbolName": f"/{self.contract.root}"} | self._quote_model(self._state, at)

    def _quote_model(self, state: State, at: datetime) -> dict[str, Any]:
        tick_size = self.contract.tick_size
        model: dict[str, Any] = {"symbol": self.symbol}
        model |= {name: value * tick_size if name in _PRICES else value for name, value in state.items()}
        if "change" in state and self._previous_close:
            model["changePercent"] = round(Decimal(state["change"]) / self._previous_close * 100, 4)
        stamp = at.isoformat()
        return model | {"lastUpdated": stamp, "timestamp": stamp, "contract": self.contract.id}


def _price_quotes(move: Move, since: datetime, until: datetime, most: int) -> Iterator[tuple[datetime, Quote]]:
    """Yield each price a move reaches in [since, until), with its quote; about `most` of them if there are more."""
    if since == move.start:
        yield since, move.quote_at(since)
    first, last = move.price_at(since), move.price_at(until - _MICROSECOND)
    sign = 1 if last > first else -1
    skip = max(1, abs(last - first) // most)
    prices = [*range(first + sign * skip, last, sign * skip), last] if last != first else []
    for price in prices:
        # The rounded instant may lie just before the move reaches the price.
        yield min(move.instant_of(price) + _MICROSECOND, until - _MICROSECOND), move.quote_of(price)
