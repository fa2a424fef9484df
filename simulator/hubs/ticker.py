"""One contract as its listeners hear it: its trades, its quote as far as it changes, and its order book."""

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
from simulator.market.market import Market, quote
from simulator.market.tape import Print, prints_on

_LONGEST_LOOK = timedelta(minutes=15)  # market time a look makes up for at least, if the one before is long ago
_MOST_STEPS = 20  # prices that are shown in one look, unless it spans many moves; more are skipped evenly
_MOVE = MINUTE / 3
_STEP = timedelta(microseconds=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = "lastPrice"
_PRICES = {_LAST, "bestBid", "bestAsk", "change", "open", "high", "low"}
State = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """How often a contract is heard: prints and quotes in a minute of market time, at most."""

    prints: int
    quotes: int


@dataclass(slots=True)
class Heard:
    """What happened to a contract between two looks, oldest first."""

    prints: list[Print] = field(default_factory=list)
    quotes: list[dict[str, Any]] = field(default_factory=list)
    before: Ladder | None = None
    after: Ladder | None = None


class Ticker:
    """Follows a contract from the instant it is made. Prices are ticks until they are told."""

    def __init__(self, market: Market, contract: Contract, density: Density, speed: int, now: datetime) -> None:
        self.contract = contract
        self.symbol = f"F.US.{root_of_contract(contract.id).product}"
        self._market = market
        self._density = density
        self._longest_look = max(_LONGEST_LOOK, timedelta(seconds=5) * speed)
        self._state: State = {}
        self._shown: State = {}  # what listeners know
        self._session: datetime | None = None
        self._settled = 0
        self._bar: Bar | None = None
        self._path: Sequence[Move] = ()
        self._prints: list[Print] = []
        self._volume = 0  # of the day, before the minute `_bar`
        self._told = 0  # of the volume of `_bar`
        self._most_steps = _MOST_STEPS
        self.until = now
        self._begin(now)

    def go_on(self, now: datetime) -> Heard:
        """Return what happened since the last look, before `now`."""
        heard = Heard(before=self.ladder())  # what listeners know, however long ago it was
        if now - self.until > self._longest_look:
            self.until = now - self._longest_look
            self._begin(self.until)
        self._most_steps = max(2, _MOST_STEPS * _MOVE // max(_MOVE, now - self.until))
        minute = self.until.replace(second=0, microsecond=0)
        for bar in reversed(list(self._market.bars_backwards(self.contract, Span(minute, now)))):
            self._take_up(bar)
            self._walk(max(self.until, bar.start), min(now, bar.start + MINUTE), heard)
        self.until = now
        heard.after = self.ladder()
        return heard

    def full_quote(self) -> dict[str, Any] | None:
        """Return the whole quote, or None before the first price."""
        return self._whole(self.until) if _LAST in self._state else None

    def ladder(self) -> Ladder | None:
        """Return the order book's best prices, or None before the first price."""
        return Ladder(self._state["bestBid"], self._state["bestAsk"]) if _LAST in self._state else None

    def _begin(self, now: datetime) -> None:
        """RiskSnapshot where the market is: the quote, and the day so far."""
        last = next(self._market.bars_backwards(self.contract, Span(_LONG_AGO, now)), None)
        current = quote(self._market, self.contract, now)
        if last is None or current is None:
            return
        self._session, self._told = None, 0
        self._begin_session(last)
        opened = self._market.session_start(self.contract, last.start)
        for bar in reversed(list(self._market.bars_backwards(self.contract, Span(opened, last.start)))):
            self._count(bar.open, bar.high, bar.low, bar.close)
            self._volume += bar.volume
        self._bar = None
        self._take_up(last)
        for print_ in self._prints[: self._print_at(now)]:
            self._count(print_.price_ticks)
            self._told += print_.volume
        self._quote(current)

    def _begin_session(self, bar: Bar) -> None:
        """Forget the day before if a bar opens another, and remember where that ended."""
        session = self._market.session_start(self.contract, bar.start)
        if session == self._session:
            return
        before = next(self._market.bars_backwards(self.contract, Span(_LONG_AGO, session)), None)
        self._session, self._settled, self._volume = session, before.close if before else bar.open, 0
        for name in ("open", "high", "low"):
            self._state.pop(name, None)

    def _take_up(self, bar: Bar) -> None:
        """Turn to a minute, or to another future of the same one if somebody wrote it meanwhile."""
        path = self._market.path(self.contract, bar)
        if self._bar and bar.start == self._bar.start:
            if bar == self._bar and path == self._path:
                return
            since = max(bar.start, self.until)
            path_left = [move.clipped(since, move.end) for move in path if move.end > since]
            self._prints = list(prints_on(path_left, max(0, bar.volume - self._told), self._density.prints))
        else:
            self._volume += self._bar.volume if self._bar else 0
            self._begin_session(bar)
            self._told = 0
            self._prints = list(prints_on(path, bar.volume, self._density.prints))
        self._bar, self._path = bar, path

    def _walk(self, start: datetime, end: datetime, heard: Heard) -> None:
        """Hear what happens in [start, end) of the minute."""
        prints = self._prints[self._print_at(start) : self._print_at(end)]
        heard.prints += prints
        counted = 0
        for at, current, is_beat in self._quotes(start, end):
            while counted < len(prints) and prints[counted].at <= at:
                self._hear(prints[counted])
                counted += 1
            before = self._shown
            self._quote(current)
            changed = {name: value for name, value in self._state.items() if before.get(name) != value}
            if not before:
                heard.quotes.append(self._whole(at))
            elif changed or is_beat:
                heard.quotes.append(self._in_words(changed, at))
        for print_ in prints[counted:]:
            self._hear(print_)

    def _quotes(self, start: datetime, end: datetime) -> list[tuple[datetime, Quote, bool]]:
        """Return the instants at which the quote is told: each new price, and (True) at an even beat."""
        found: list[tuple[datetime, Quote, bool]] = []
        for move in self._path:
            since, until = max(start, move.start), min(end, move.end)
            if since < until:
                found += ((at, current, False) for at, current in _steps(move, since, until, self._most_steps))
                found += ((at, move.quote_at(at), True) for at in self._beats(since, until))
        found.sort(key=lambda quoted: quoted[0])
        return found

    def _beats(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the even beats in [start, end)."""
        minute = start.replace(second=0, microsecond=0)
        beats, whole = self._density.quotes, MINUTE // _STEP
        first = -(((minute - start) // _STEP) * beats // whole)
        for number in range(max(0, first), beats):
            at = minute + MINUTE * number / beats
            if at >= end:
                return
            if at >= start:
                yield at

    def _print_at(self, at: datetime) -> int:
        return bisect_left(self._prints, at, key=lambda print_: print_.at)

    def _hear(self, print_: Print) -> None:
        self._count(print_.price_ticks)
        self._told += print_.volume

    def _count(self, *prices: int) -> None:
        """Let prices be part of the day."""
        self._state.setdefault("open", prices[0])
        self._state["high"] = max(self._state.get("high", prices[0]), *prices)
        self._state["low"] = min(self._state.get("low", prices[0]), *prices)

    def _quote(self, current: Quote) -> None:
        self._count(current.last)
        self._state[_LAST], self._state["bestBid"], self._state["bestAsk"] = current.last, current.bid, current.ask
        self._state["change"] = current.last - self._settled
        self._state["volume"] = self._volume + self._told
        self._shown = dict(self._state)

    def _whole(self, at: datetime) -> dict[str, Any]:
        names = {"symbol": self.symbol, "symbolName": f"/{self.contract.root}"}
        return names | self._in_words(self._state, at)

    def _in_words(self, state: State, at: datetime) -> dict[str, Any]:
        tick_size = self.contract.tick_size
        words: dict[str, Any] = {
            name: value * tick_size if name in _PRICES else value for name, value in state.items()
        }  # fmt: skip
        if "change" in state and self._settled:
            words["changePercent"] = round(Decimal(state["change"]) / self._settled * 100, 4)
        stamp = at.isoformat()
        return words | {"lastUpdated": stamp, "timestamp": stamp}


def _steps(move: Move, since: datetime, until: datetime, most: int) -> Iterator[tuple[datetime, Quote]]:
    """Yield each price a move comes to in [since, until), with its quote; about `most` if there are more."""
    if since == move.start:
        yield since, move.quote_at(since)
    first, last = move.price_at(since), move.price_at(until - _STEP)
    sign = 1 if last > first else -1
    skip = max(1, abs(last - first) // most)
    prices = [*range(first + sign * skip, last, sign * skip), last] if last != first else []
    for price in prices:
        # Rounded, the instant may lie just before the price is there.
        yield min(move.when(price) + _STEP, until - _STEP), move.quote_of(price)
