"""The roots of the seeded market: their approximate prices and volumes, and when their contracts roll."""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from shared.domain.market_data.contract import MONTHS, ROOTS, Contract, Root, contract_id

_DAY = timedelta(days=1)
_WEDNESDAY, _FRIDAY = 2, 4


@dataclass(frozen=True, slots=True)
class Listing:
    """A root of the seeded market. Roots with the same `walk` (ES and MES) share their daily moves."""

    root: Root
    walk: str
    price: Decimal  # where the walk begins, and to which it is pulled back
    volume: int  # contracts in a quiet minute
    description: str


def _parse_listing(row: str) -> Listing:
    name, walk, price, volume, description = row.split(maxsplit=4)
    return Listing(ROOTS[name], walk, Decimal(price), int(volume), description)


# The prices are of the order of magnitude of 2026.
LISTINGS: dict[str, Listing] = {
    listing.root.name: listing
    for listing in map(
        _parse_listing,
        """
        ES  ES  6800   400 E-mini S&P 500
        MES ES  6800   300 Micro E-mini S&P 500
        NQ  NQ  25000  200 E-mini NASDAQ-100
        MNQ NQ  25000  500 Micro E-mini NASDAQ-100
        YM  YM  47500  60  E-mini Dow ($5)
        MYM YM  47500  50  Micro E-mini Dow ($0.50)
        RTY RTY 2480   90  E-mini Russell 2000
        M2K RTY 2480   80  Micro E-mini Russell 2000
        CL  CL  62     120 Crude Oil
        MCL CL  62     60  Micro Crude Oil
        NG  NG  4.1    70  Natural Gas
        MNG NG  4.1    20  Micro Henry Hub Natural Gas
        RB  RB  1.95   20  RBOB Gasoline
        HO  HO  2.35   20  NY Harbor ULSD
        GC  GC  4050   90  Gold
        MGC GC  4050   110 Micro Gold
        SI  SI  49     40  Silver
        SIL SI  49     30  Micro Silver
        HG  HG  5.05   30  Copper
        MHG HG  5.05   15  Micro Copper
        PL  PL  1580   8   Platinum
        6E  6E  1.16   80  Euro FX
        M6E 6E  1.16   15  Micro EUR/USD
        6B  6B  1.32   50  British Pound
        6A  6A  .655   40  Australian Dollar
        6J  6J  .0065  60  Japanese Yen
        6C  6C  .715   30  Canadian Dollar
        ZT  ZT  104.25 300 2-Year T-Note
        ZF  ZF  109.5  400 5-Year T-Note
        ZN  ZN  113    600 10-Year T-Note
        ZB  ZB  117.5  200 U.S. Treasury Bond
        MBT MBT 98000  20  Micro Bitcoin
        MET MET 3400   15  Micro Ether
        """.strip().splitlines(),
    )
}
# Gold's October is listed but never the front contract (venue.md section 8.3).
_NEVER_FRONT = {"GC": "V", "MGC": "V"}


def make_contract(root: Root, year: int, month: str, *, is_active: bool) -> Contract:
    """Return one contract of a root; `month` is its letter, `year` has four digits."""
    return Contract(
        id=contract_id(root, month, year),
        name=f"{root.name}{month}{year % 10}",
        root=root.name,
        tick_size=root.tick_size,
        tick_value=root.tick_value,
        is_active=is_active,
    )


def roll_date(root: Root, year: int, month: str) -> date:
    """Return the trading day from which the next contract is the front one, some days before this one expires.

    Source: venue.md section 8.3; for the groups it does not name, the 25th of the month before delivery.
    """
    number = MONTHS.index(month) + 1
    if root.group == "equity":
        return _nth_weekday(year, number, _FRIDAY, 3) - 4 * _DAY  # Monday of expiry week
    if root.group == "currency":
        return _nth_weekday(year, number, _WEDNESDAY, 3) - 9 * _DAY  # the Monday before expiry week
    if root.group == "crypto":
        return _last_weekday(year, number, _FRIDAY) - 4 * _DAY
    before = date(year, number, 1) - _DAY
    return before.replace(day=18 if root.group == "energy" else 25)


def front_month(root: Root, on: date) -> tuple[int, str]:
    """Return year and month letter of the contract that is active on a trading day."""
    return next((year, month) for year, month in _series(root, on.year) if roll_date(root, year, month) > on)


def _series(root: Root, since_year: int) -> Iterator[tuple[int, str]]:
    skipped = _NEVER_FRONT.get(root.name, "")
    for year in range(since_year, since_year + 3):
        yield from ((year, month) for month in root.months if month not in skipped)


def _nth_weekday(year: int, month: int, weekday: int, count: int) -> date:
    first = date(year, month, 1)
    return first + ((weekday - first.weekday()) % 7 + 7 * (count - 1)) * _DAY


def _last_weekday(year: int, month: int, weekday: int) -> date:
    last = date(year, month, calendar.monthrange(year, month)[1])
    return last - ((last.weekday() - weekday) % 7) * _DAY
