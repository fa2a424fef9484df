"""The market protocol of the venue, and the path of the last price that follows from its bars."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import Session
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.orders.matching import Move, Quote, moves_of


class Market(Protocol):
    """Contracts and their one-minute bars. A bar exists before its minute is over: the caller must not read ahead."""

    name: str
    ends_market_at: datetime | None
    is_always_open: bool  # trades around the clock, without a time to be flat

    def contracts(self, at: datetime) -> list[Contract]:
        """Return the contracts that are active at a market instant."""
        ...

    def contract(self, contract_id: str, at: datetime) -> Contract | None:
        """Return a contract, active or not, or None if the market does not know it."""
        ...

    def is_open(self, contract: Contract, at: datetime) -> bool:
        """Whether the contract trades at a market instant."""
        ...

    def session(self, contract: Contract, at: datetime) -> Session:
        """Return the session that holds `at`, or the next one."""
        ...

    def session_start(self, contract: Contract, at: datetime) -> datetime:
        """Return when the session of `at` opened; bars longer than a minute are counted from there."""
        ...

    def bars_backwards(self, contract: Contract, span: Span) -> Iterator[Bar]:
        """Yield the one-minute bars that start in `span`, newest first."""
        ...

    def path(self, contract: Contract, bar: Bar) -> Sequence[Move]:
        """Return the path of the last price through one of the contract's whole bars, oldest move first."""
        ...

    def volume_until(self, contract: Contract, bar: Bar, at: datetime) -> int:
        """Return the volume of one of the contract's whole bars that is traded before an instant of its minute."""
        ...


class SteadyPaths:
    """The path through a bar of a market that has only bars: three moves, along which its volume is traded evenly."""

    def path(self, contract: Contract, bar: Bar) -> Sequence[Move]:  # noqa: ARG002 - the same for all contracts
        """Return the three moves of a bar."""
        return tuple(moves_of(bar))

    def volume_until(self, contract: Contract, bar: Bar, at: datetime) -> int:  # noqa: ARG002 - as above
        """Return the part of the volume that belongs to the time before `at`; the first contract opens the bar."""
        volume = bar.volume * ((at - bar.start) // _MICROSECOND) // (MINUTE // _MICROSECOND)
        return max(1, volume) if bar.volume and at > bar.start else volume


def find_moves(market: Market, contract: Contract, span: Span) -> Iterator[Move]:
    """Yield the path of the last price inside `span`, oldest first; a minute without a bar has no moves."""
    around = Span(span.start - MINUTE, span.end)
    for bar in reversed(list(market.bars_backwards(contract, around))):
        for move in market.path(contract, bar):
            if move.end > span.start and move.start < span.end:
                yield move.clip(span.start, span.end)


def find_quote(market: Market, contract: Contract, at: datetime) -> Quote | None:
    """Return the quote at a market instant: inside a bar, or as the last bar left it; None before the first bar."""
    move = find_move(market, contract, at)
    return move.quote_at(at) if move else None


def find_move(market: Market, contract: Contract, at: datetime) -> Move | None:
    """Return the move that gives the quote at a market instant, or None before the first bar."""
    bar = next(market.bars_backwards(contract, Span(_LONG_AGO.replace(tzinfo=at.tzinfo), at)), None)
    return _move_on(market.path(contract, bar), at) if bar else None


def quote_on(path: Sequence[Move], at: datetime) -> Quote:
    """Return the quote at an instant of a bar's path, or as the path left it."""
    return _move_on(path, at).quote_at(at)


def _move_on(path: Sequence[Move], at: datetime) -> Move:
    return next((move for move in path if at < move.end), path[-1])


def forming_bar(market: Market, contract: Contract, at: datetime) -> Bar | None:
    """Return the incomplete bar of the minute of `at`, up to `at`, or None."""
    minute = at.replace(second=0, microsecond=0)
    whole = next(market.bars_backwards(contract, Span(minute, minute + MINUTE)), None)
    if whole is None or at == minute:
        return None
    seen = [move.clip(minute, at) for move in market.path(contract, whole) if move.start < at]
    prices = [price for move in seen for price in (move.start_price, move.end_price)]
    volume = market.volume_until(contract, whole, at)
    return Bar(minute, prices[0], max(prices), min(prices), prices[-1], volume)


_MICROSECOND = timedelta(microseconds=1)
_LONG_AGO = datetime(1970, 1, 1)  # noqa: DTZ001 - gets the time zone of the caller
