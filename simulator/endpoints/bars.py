"""History/retrieveBars."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain

import msgspec

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.calendar import Session
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from simulator import request_bodies, wire
from simulator.market.aggregate import aggregate_bars, period_start, second_bars
from simulator.market.market import Market, forming_bar
from simulator.turns import LongAnswer
from simulator.venue.user_view import UserView

_MAX_BARS = 20_000
_UNITS = range(1, 8)
_SECOND, _MINUTE, _HOUR, _DAY, _WEEK, _MONTH, _TICK = _UNITS
_LENGTHS = {_SECOND: timedelta(seconds=1), _MINUTE: MINUTE, _HOUR: timedelta(hours=1)}
_LONGEST = {_DAY: timedelta(days=1), _WEEK: timedelta(days=7), _MONTH: timedelta(days=31)}


def retrieve(user_view: UserView, body: request_bodies.RetrieveBarsBody) -> LongAnswer[bytes]:
    """Answer with the newest `limit` bars that open in [start, end), newest first; the forming bar only on request.

    [SIM] The market has one-minute bars. Longer bars are aggregated from them. Second bars follow the path of the price
    through the minute: they add up to it, and need not agree with the prints of the hub. Tick bars and the live data
    tier are empty.
    """
    now = user_view.now()
    contract = user_view.venue.market.contract(body.contract_id, now)
    if contract is None:
        return wire.encode_envelope(1, bars=None)
    if body.unit not in _UNITS:
        return wire.encode_envelope(2, bars=None)
    if body.unit_number <= 0:
        return wire.encode_envelope(3, bars=None)
    if not 1 <= body.limit <= _MAX_BARS:
        return wire.encode_envelope(4, bars=None)
    oldest_start = _oldest_start(user_view, contract, body, now)
    yield  # what follows reads only the market of the past
    rows: list[msgspec.Raw] = []
    prices: dict[int, Decimal] = {}
    if not (body.live or body.unit == _TICK):
        for bar in _bars(user_view.venue.market, contract, body, now):
            yield
            if bar is None:
                continue
            if oldest_start is not None and bar.start < oldest_start:
                break
            rows.append(wire.encode_bar(bar, contract.tick_size, prices))
            if len(rows) == body.limit:
                break
    return wire.encode_envelope(bars=rows)


def _oldest_start(
    user_view: UserView, contract: Contract, body: request_bodies.RetrieveBarsBody, now: datetime
) -> datetime | None:
    """Return before when bars are no longer kept, or None if they are kept for ever: see Behaviour.minute_days."""
    days = user_view.state.behaviour.minute_days
    if days is None or body.unit not in {_SECOND, _MINUTE}:
        return None
    return now - timedelta(days=days) if contract.is_active else now


def _bars(
    market: Market, contract: Contract, body: request_bodies.RetrieveBarsBody, now: datetime
) -> Iterator[Bar | None]:
    """Yield the bars, newest first; None for a step of the computation that gives no bar."""
    wanted = Span(wire.to_utc(body.start_time), wire.to_utc(body.end_time))
    start_of = _make_start_of(market, contract, body.unit, body.unit_number)
    longest = _LONGEST.get(body.unit, _LENGTHS.get(body.unit, MINUTE)) * body.unit_number
    # One bar longer than the window, so that a long bar that opens inside is whole; never past the current minute.
    minutes_end = min(max(wanted.end, wanted.start) + max(longest, MINUTE), now.replace(second=0, microsecond=0))
    since, has_forming = wanted.start - max(longest, MINUTE), minutes_end < wanted.end + longest
    newest_first: Iterator[Bar]
    if body.unit == _SECOND:
        minutes = market.bars_backwards(contract, Span(since, minutes_end + MINUTE if has_forming else minutes_end))
        newest_first = (second for minute in minutes for second in second_bars(market, contract, minute, now))
    else:
        forming = forming_bar(market, contract, now) if has_forming else None
        minutes = market.bars_backwards(contract, Span(since, minutes_end))
        newest_first = chain([forming] if forming else [], minutes)
    for bar in aggregate_bars(newest_first, start_of):
        if bar is None or bar.start >= wanted.end:
            yield None
            continue
        if bar.start < wanted.start:
            return
        is_wanted = body.include_partial_bar or _is_over(bar, body, now, start_of)
        yield bar if is_wanted else None


def _is_over(
    bar: Bar, body: request_bodies.RetrieveBarsBody, now: datetime, start_of: Callable[[datetime], datetime]
) -> bool:
    if body.unit in _LENGTHS:
        return bar.start + _LENGTHS[body.unit] * body.unit_number <= now
    return start_of(now) != bar.start


def _make_start_of(market: Market, contract: Contract, unit: int, number: int) -> Callable[[datetime], datetime]:
    """Return a function from an instant to the start of its bar, counted from the opening of the session.

    Days, weeks and months follow the trading day; [SIM] groups of several are counted from the calendar's beginning.
    """
    if unit in {_SECOND, _MINUTE} and number == 1:
        return lambda at: at

    def within_session(at: datetime) -> datetime:
        length = _LENGTHS[unit] * number
        opened = market.session_start(contract, at)
        return opened + (at - opened) // length * length

    session: Session | None = None
    starts: datetime | None = None

    def by_trading_day(at: datetime) -> datetime:
        nonlocal session, starts
        if starts is not None and session is not None and session.opens <= at < session.closes:
            return starts
        session = market.session(contract, at)
        starts = session.opens
        if unit != _DAY or number != 1:
            starts = period_start(session.trading_day, {_DAY: "day", _WEEK: "week"}.get(unit, "month"), number)
        return starts

    return within_session if unit in _LENGTHS else by_trading_day
