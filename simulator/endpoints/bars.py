"""History/retrieveBars."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from simulator import request_bodies, wire
from simulator.market.aggregate import aggregated, period_of, seconds_of
from simulator.market.market import Market, bar_so_far
from simulator.venue.user_view import UserView

_MOST_BARS = 20_000
_UNITS = range(1, 8)
_SECOND, _MINUTE, _HOUR, _DAY, _WEEK, _MONTH, _TICK = _UNITS
_LENGTHS = {_SECOND: timedelta(seconds=1), _MINUTE: MINUTE, _HOUR: timedelta(hours=1)}
_LONGEST = {_DAY: timedelta(days=1), _WEEK: timedelta(days=7), _MONTH: timedelta(days=31)}


def retrieve(user_view: UserView, body: request_bodies.RetrieveBarsBody) -> bytes:
    """Answer with the newest `limit` bars that open in [start, end), newest first; the forming one only if asked.

    [SIM] Minutes are what the market has, longer bars are made of them, and seconds of the path the price takes
    through them: they add up to the minute, and need not agree with the prints a hub sent. There are no bars of ticks,
    and none of the live data tier.
    """
    now = user_view.now()
    contract = user_view.venue.market.contract(body.contract_id, now)
    if contract is None:
        return wire.envelope(1, bars=None)
    if body.unit not in _UNITS:
        return wire.envelope(2, bars=None)
    if body.unit_number <= 0:
        return wire.envelope(3, bars=None)
    if not 1 <= body.limit <= _MOST_BARS:
        return wire.envelope(4, bars=None)
    found = iter(()) if body.live or body.unit == _TICK else _bars(user_view.venue.market, contract, body, now)
    days = user_view.state.behaviour.minute_days
    if days is not None and body.unit in {_SECOND, _MINUTE}:
        kept_from = now - timedelta(days=days)
        found = takewhile(lambda bar: contract.is_active and bar.start >= kept_from, found)
    return wire.envelope(bars=wire.bar_models(list(islice(found, body.limit)), contract.tick_size))


def _bars(market: Market, contract: Contract, body: request_bodies.RetrieveBarsBody, now: datetime) -> Iterator[Bar]:
    wanted = Span(wire.utc(body.start_time), wire.utc(body.end_time))
    start_of = _start_of(market, contract, body.unit, body.unit_number)
    longest = _LONGEST.get(body.unit, _LENGTHS.get(body.unit, MINUTE)) * body.unit_number
    # One longer than asked, so that a long bar that opens inside is whole; what is not over yet is not there.
    minutes_end = min(max(wanted.end, wanted.start) + max(longest, MINUTE), now.replace(second=0, microsecond=0))
    minutes = market.bars_backwards(contract, Span(wanted.start - max(longest, MINUTE), minutes_end))
    forming = bar_so_far(market, contract, now) if minutes_end < wanted.end + longest else None
    newest_first: Iterator[Bar] = chain([forming] if forming else [], minutes)
    if body.unit == _SECOND:
        newest_first = (second for bar in newest_first for second in seconds_of(market.path(contract, bar), bar, now))
    for bar in aggregated(newest_first, start_of):
        if bar.start < wanted.start:
            return
        if bar.start < wanted.end and (body.include_partial_bar or _is_over(bar, body, now, start_of)):
            yield bar


def _is_over(
    bar: Bar, body: request_bodies.RetrieveBarsBody, now: datetime, start_of: Callable[[datetime], datetime]
) -> bool:
    if body.unit in _LENGTHS:
        return bar.start + _LENGTHS[body.unit] * body.unit_number <= now
    return start_of(now) != bar.start


def _start_of(market: Market, contract: Contract, unit: int, number: int) -> Callable[[datetime], datetime]:
    """Return what finds the start of the bar that holds an instant: counted from its session's opening.

    Days, weeks and months go by the trading day; [SIM] several of them are counted from the calendar's beginning.
    """
    if unit in {_SECOND, _MINUTE} and number == 1:
        return lambda at: at

    def within_session(at: datetime) -> datetime:
        length = _LENGTHS[unit] * number
        opened = market.session_start(contract, at)
        return opened + (at - opened) // length * length

    def by_trading_day(at: datetime) -> datetime:
        session = market.session(contract, at)
        if unit == _DAY and number == 1:
            return session.opens
        return period_of(session.trading_day, {_DAY: "day", _WEEK: "week"}.get(unit, "month"), number)

    return within_session if unit in _LENGTHS else by_trading_day
