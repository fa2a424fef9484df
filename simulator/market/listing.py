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


# The 51 products that TopstepX listed on 2026-08-19, with the venue's descriptions (venue.md section 7.6). The prices
# are of the order of magnitude of 2026.
LISTINGS: dict[str, Listing] = {
    listing.root.name: listing
    for listing in map(
        _parse_listing,
        """
        6A  6A  .655   40  Australian Dollar (Globex)
        M6A 6A  .655   10  E-Micro AUD/USD
        6B  6B  1.32   50  British Pound (Globex)
        M6B 6B  1.32   10  E-Micro GBP/USD
        6C  6C  .715   30  Canadian Dollar (Globex)
        6E  6E  1.16   80  Euro FX (Globex)
        E7  6E  1.16   5   E-mini Euro FX
        M6E 6E  1.16   15  E-Micro EUR/USD
        6J  6J  .0065  60  Japanese Yen (Globex)
        6M  6M  .0545  20  Mexican Peso (Globex)
        6N  6N  .575   15  New Zealand Dollar (Globex)
        6S  6S  1.25   15  Swiss Franc (Globex)
        CL  CL  62     120 Crude Light (Globex)
        MCL CL  62     60  Micro WTI Crude Oil
        QM  CL  62     5   E-Mini Crude Oil
        NG  NG  4.1    70  Natural Gas (Globex)
        MNG NG  4.1    20  Micro Henry Hub Natural Gas
        QG  NG  4.1    5   E-Mini Natural Gas
        HO  HO  2.35   20  NY Harbor ULSD
        RB  RB  1.95   20  RBOB Gasoline (Globex)
        GC  GC  4050   90  Gold (Globex)
        MGC GC  4050   110 Micro Gold
        SI  SI  49     40  Silver (Globex)
        SIL SI  49     30  Micro Silver
        HG  HG  5.05   30  Copper (Globex)
        MHG HG  5.05   15  Micro Copper
        PL  PL  1580   8   Platinum (Globex)
        ES  ES  6800   400 E-Mini S&P 500
        MES ES  6800   300 Micro E-mini S&P 500
        NQ  NQ  25000  200 E-mini NASDAQ-100
        MNQ NQ  25000  500 Micro E-mini Nasdaq-100
        YM  YM  47500  60  E-mini Dow ($5)
        MYM YM  47500  50  Micro E-mini Dow $0.50
        RTY RTY 2480   90  E-mini Russell 2000
        M2K RTY 2480   80  Micro E-mini Russell 2000
        NKD NKD 50000  8   Nikkei 225 (Globex)
        MBT MBT 98000  20  Micro Bitcoin
        MET MET 3400   15  Micro Ether
        ZT  ZT  104.25 300 2 Year US Treasury Note (Globex)
        ZF  ZF  109.5  400 5 Year US Treasury Notes (Globex)
        ZN  ZN  113    600 10yr US Treasury Notes (Globex)
        TN  ZN  115.5  120 Ultra 10yr Treasury Note (Globex)
        ZB  ZB  117.5  200 30yr US Treasury Bonds (Globex)
        UB  ZB  121    80  Ultra T-Bond (Globex)
        ZC  ZC  440    90  Corn (Globex)
        ZW  ZW  540    50  Wheat (Globex)
        ZS  ZS  1120   70  Soybeans (Globex)
        ZM  ZM  315    30  Soybean Meal (Globex)
        ZL  ZL  50     40  Soybean Oil (Globex)
        LE  LE  215    25  Live Cattle (Globex)
        HE  HE  82     20  Lean Hogs (Globex)
        """.strip().splitlines(),
    )
}
# Months that are listed but never the front contract: gold's October (venue.md section 8.3); those of the grains follow
# from the contracts that were active on 2026-08-19 (section 7.6).
_NEVER_FRONT = {"GC": "V", "MGC": "V", "ZC": "U", "ZS": "QU", "ZM": "QUV", "ZL": "QUV"}
# The day of the month before delivery from which the next contract is the front one. [SIM] in agreement with the
# contracts that were active on 2026-08-19; natural gas expires later in its month than crude oil.
_ROLL_DAY_OF_GROUP = {"energy": 18, "grains": 15}
_ROLL_DAY_OF_ROOT = dict.fromkeys(("NG", "MNG", "QG"), 25)
_ROLL_DAY = 25


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
    return before.replace(day=_ROLL_DAY_OF_ROOT.get(root.name, _ROLL_DAY_OF_GROUP.get(root.group, _ROLL_DAY)))


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
