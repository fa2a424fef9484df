"""A random market from a seed: the same seed, contract and trading day always give the same bars."""

import random
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache, lru_cache

from shared.domain.market_data.bar import MINUTE, Bar, to_ticks
from shared.domain.market_data.calendar import Calendar, Session, assumed_calendar_of
from shared.domain.market_data.contract import MONTHS, Contract, root_of_contract
from shared.domain.market_data.coverage import Span
from simulator.market.around_the_clock import AROUND_THE_CLOCK
from simulator.market.listing import LISTINGS, Listing, front_month, make_contract, roll_date
from simulator.market.market import SteadyPaths

_BEGINS = date(2018, 1, 1)  # no bars before; levels are millionths of the listing's price, counted from here
_LISTED_BEFORE_ROLL, _TRADED_AFTER_ROLL = timedelta(days=200), timedelta(days=7)
_DAILY_STEP, _PULL = (
    15_000,
    60,
)  # millionths: the largest daily move; the divisor of the daily pull back to the listed price
_CARRY = 400  # millionths of price difference between consecutive contract months
_BUSY_FROM, _BUSY_UNTIL = 930, 1320  # minutes after 17:00: 8:30 to 15:00
_DAYS_KEPT = 128  # the hub reads the day of each of the 51 products all the time, also beside long histories


class SeededMarket(SteadyPaths):
    """A random walk over the session calendar, or around the clock; a bar for every minute that trades."""

    ends_market_at: datetime | None = None

    def __init__(self, seed: int, *, is_always_open: bool = False) -> None:
        self.name = f"seed {seed}{' around the clock' if is_always_open else ''}"
        self.is_always_open = is_always_open
        self._seed = seed
        self._day = lru_cache(_DAYS_KEPT)(self._make_day)
        self._levels = cache(self._begin_levels)

    def contracts(self, at: datetime) -> list[Contract]:
        """Return the front contract of every listed root."""
        return [self._front(listing, at) for listing in LISTINGS.values()]

    def contract(self, contract_id: str, at: datetime) -> Contract | None:
        """Return any contract of a listed root, also an expired or a future one."""
        try:
            root = root_of_contract(contract_id)
        except ValueError:
            return None
        month, year = contract_id[-3], 2000 + int(contract_id[-2:])
        if root.name not in LISTINGS or month not in root.months:
            return None
        is_active = (year, month) == front_month(root, assumed_calendar_of(root.group).trading_day_of(at))
        return make_contract(root, year, month, is_active=is_active)

    def is_open(self, contract: Contract, at: datetime) -> bool:
        """Whether the root's session is open."""
        return self.is_always_open or assumed_calendar_of(LISTINGS[contract.root].root.group).is_open(at)

    def session(self, contract: Contract, at: datetime) -> Session:
        """Return the session that holds `at`, or the next one."""
        calendar = self._calendar(LISTINGS[contract.root])
        return calendar.session_at(at) or calendar.next_session(at)

    def session_start(self, contract: Contract, at: datetime) -> datetime:
        """Return when the session of `at` opened, or `at` itself outside a session."""
        session = self._calendar(LISTINGS[contract.root]).session_at(at)
        return session.opens if session else at

    def bars_backwards(self, contract: Contract, span: Span) -> Iterator[Bar]:
        """Yield the bars that start in `span`, newest first; each day is generated when it is reached."""
        listing = LISTINGS[contract.root]
        calendar = self._calendar(listing)
        rolls = roll_date(listing.root, 2000 + int(contract.id[-2:]), contract.id[-3])
        first = max(rolls - _LISTED_BEFORE_ROLL, _BEGINS)
        day = min(calendar.trading_day_of(span.end), rolls + _TRADED_AFTER_ROLL)
        while day >= first:
            session = calendar.session_on(day)
            if session is not None and session.closes <= span.start:
                return
            if session is not None:
                bars = self._day(contract.id, day)
                # Each minute is generated, so the newest one before the end of the span has a known index.
                for index in range(min(len(bars), -((session.opens - span.end) // MINUTE)) - 1, -1, -1):
                    start = bars[index].start
                    if start < span.start:
                        return
                    if not any(pause.start <= start < pause.end for pause in session.pauses):
                        yield bars[index]
            day -= timedelta(days=1)

    def _calendar(self, listing: Listing) -> Calendar:
        return AROUND_THE_CLOCK if self.is_always_open else assumed_calendar_of(listing.root.group)

    def _front(self, listing: Listing, at: datetime) -> Contract:
        year, month = front_month(listing.root, assumed_calendar_of(listing.root.group).trading_day_of(at))
        return make_contract(listing.root, year, month, is_active=True)

    def _make_day(self, contract_id: str, day: date) -> tuple[Bar, ...]:
        listing = LISTINGS[root_of_contract(contract_id).name]
        calendar = self._calendar(listing)
        session = calendar.session_on(day)
        if session is None:
            return ()
        # Each day's walk is adjusted to end where the next one begins: the price is continuous across days.
        opens = self._level(listing, contract_id, day)
        closes = self._level(listing, contract_id, calendar.next_session(session.closes).trading_day)
        return _make_bars(random.Random(f"{self._seed} {contract_id} {day}"), listing, session, opens, closes)  # noqa: S311 - prices, not secrets

    def _level(self, listing: Listing, contract_id: str, day: date) -> int:
        """Return the price in ticks at which a contract opens on `day`."""
        months = (int(contract_id[-2:]) - _BEGINS.year % 100) * 12 + MONTHS.index(contract_id[-3])
        levels = self._levels(listing.walk)
        millionths = levels[(day - _BEGINS).days] + months * _CARRY
        return _base_ticks(listing) * (1_000_000 + millionths) // 1_000_000

    def _begin_levels(self, walk: str) -> "_Levels":
        return _Levels(random.Random(f"{self._seed} {walk}"))  # noqa: S311 - prices, not secrets


class _Levels:
    """The level of one walk on each calendar day since it began, in millionths of the listed price."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._levels = [0]
        self._growing = threading.Lock()  # histories are computed in a thread of their own

    def __getitem__(self, day: int) -> int:
        with self._growing:
            while len(self._levels) <= day:
                level = self._levels[-1]
                self._levels.append(level + self._source.randint(-_DAILY_STEP, _DAILY_STEP) - level // _PULL)
        return self._levels[day]


def _base_ticks(listing: Listing) -> int:
    return to_ticks(listing.price, listing.root.tick_size)


def _make_bars(source: random.Random, listing: Listing, session: Session, opens: int, closes: int) -> tuple[Bar, ...]:
    minutes = (session.closes - session.opens) // MINUTE
    # A day's move is about a minute's times the square root of the number of minutes; sqrt(1380) is 37.
    step = max(1, _base_ticks(listing) * _DAILY_STEP // (1_000_000 * 37))
    steps = source.choices(range(-step, step + 1), k=minutes)
    highs = source.choices(range(step + 1), k=minutes)
    lows = source.choices(range(step + 1), k=minutes)
    gaps = source.choices((-1, 0, 0, 0, 1), k=minutes)
    volumes = source.choices(range(listing.volume // 2, listing.volume * 3 // 2 + 1), k=minutes)
    bend = closes - opens - sum(steps)
    bars, walked, last = [], 0, opens
    for minute in range(minutes):
        walked += steps[minute]
        start = last + gaps[minute]
        last = opens + walked + bend * (minute + 1) // minutes
        volume = max(1, volumes[minute] * (4 if _BUSY_FROM <= minute < _BUSY_UNTIL else 1))
        high, low = max(start, last) + highs[minute] // 2, min(start, last) - lows[minute] // 2
        bars.append(Bar(session.opens + minute * MINUTE, start, high, low, last, volume))
    return tuple(bars)
