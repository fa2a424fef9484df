"""History/retrieveBars."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice

from shared.domain.bar import MINUTE, Bar
from shared.domain.contract import Contract
from shared.domain.coverage import Span
from simulator import wire
from simulator.market.aggregate import aggregated
from simulator.market.market import bar_so_far
from simulator.venue.venue import Venue

_MOST_BARS = 20_000
_UNITS = range(1, 8)
_MINUTE, _HOUR, _DAY = 2, 3, 4
_LENGTHS = {_MINUTE: MINUTE, _HOUR: timedelta(hours=1), _DAY: timedelta(days=1)}


def retrieve(venue: Venue, body: wire.RetrieveBars) -> bytes:
    """Answer with the newest `limit` bars that open in [start, end), newest first; the forming one only if asked."""
    now = venue.now()
    contract = venue.market.contract(body.contract_id, now)
    if contract is None:
        return wire.envelope(1, bars=None)
    if body.unit not in _UNITS:
        return wire.envelope(2, bars=None)
    if body.unit_number <= 0:
        return wire.envelope(3, bars=None)
    if not 1 <= body.limit <= _MOST_BARS:
        return wire.envelope(4, bars=None)
    if body.unit not in _LENGTHS or (body.unit == _DAY and body.unit_number != 1):
        return wire.envelope(2, "The simulator has bars of minutes, hours and single days.", bars=None)
    bars = [] if body.live else list(islice(_bars(venue, contract, body, now), body.limit))
    return wire.envelope(bars=wire.bar_models(bars, contract.tick_size))


def _bars(venue: Venue, contract: Contract, body: wire.RetrieveBars, now: datetime) -> Iterator[Bar]:
    wanted = Span(wire.utc(body.start_time), wire.utc(body.end_time))
    start_of = _start_of(venue, contract, body.unit, body.unit_number)
    length = _LENGTHS[body.unit] * body.unit_number
    # One longer than asked, so that a long bar that opens inside is whole; what is not over yet is not there.
    minutes_end = min(max(wanted.end, wanted.start) + length, now.replace(second=0, microsecond=0))
    minutes = venue.market.bars_backwards(contract, Span(wanted.start - length, minutes_end))
    forming = bar_so_far(venue.market, contract, now) if minutes_end < wanted.end + length else None
    for bar in aggregated(chain([forming] if forming else [], minutes), start_of):
        if bar.start < wanted.start:
            return
        if bar.start < wanted.end and (body.include_partial_bar or bar.start + length <= now):
            yield bar


def _start_of(venue: Venue, contract: Contract, unit: int, number: int) -> Callable[[datetime], datetime]:
    """Return what finds the start of the bar that holds a minute: counted from the session's opening."""
    if unit == _MINUTE and number == 1:
        return lambda at: at
    length = _LENGTHS[unit] * number
    session_start = venue.market.session_start

    def start_of(at: datetime) -> datetime:
        opened = session_start(contract, at)
        return opened if unit == _DAY else opened + (at - opened) // length * length

    return start_of
