"""One series of bars from the contracts of a root that follow one another; it says where it is stitched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

import numpy as np

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import BarColumns, join, seconds_of, split_by_trading_day, time_of
from shared.domain.market_data.calendar import trading_day_begins
from shared.domain.market_data.coverage import Span

Adjustment = Literal["none", "difference", "ratio"]


@dataclass(frozen=True, slots=True)
class Stitch:
    """Where one contract follows another: the bars from `at` on are those of `after`.

    `close_before` and `close_after` are the closes, in ticks, of the last minute that both traded before; without such
    a minute the last close of the one and the first open of the other.
    """

    at: datetime
    before: str
    after: str
    close_before: int
    close_after: int


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """The contract that a series has in a span of time; that of the newest ends with its newest bar.

    `newest_end` is the end of the contract's newest bar, used or not: nothing is known of the minutes after it.
    """

    contract_id: str
    span: Span
    newest_end: datetime


@dataclass(frozen=True, slots=True, eq=False)
class ContinuousBars:
    """One-minute bars without an overlap, where they are stitched, and the parts between, oldest first."""

    bars: BarColumns
    stitches: tuple[Stitch, ...]
    parts: tuple[SeriesPart, ...]


def stitch(
    contracts: Sequence[tuple[str, BarColumns]],
    adjustment: Adjustment = "none",
    roll_days: Mapping[str, date] | None = None,
) -> ContinuousBars:
    """Return one series from the one-minute bars of contracts in the order of their expiry.

    A contract is followed by the next from the trading day on after the first on which the next had the larger volume,
    or that `roll_days` gives by the id of the next one. Each contract is used: after the last bar of one without such a
    day the next goes on. `difference` adds to all older prices what the next contract was dearer, and `ratio`
    multiplies them, rounded to ticks; the newest contract keeps its prices.
    """
    used = [(contract_id, bars) for contract_id, bars in contracts if len(bars)]
    taken: list[BarColumns] = []
    parts: list[SeriesPart] = []
    stitches: list[Stitch] = []
    for number, (contract_id, bars) in enumerate(used):
        start = stitches[-1].at if stitches else time_of(int(bars.seconds[0]))
        end = None
        if number + 1 < len(used):
            after_id, after = used[number + 1]
            day = (roll_days or {}).get(after_id) or _find_roll_day(bars, after)
            end = max(start, time_of(int(bars.seconds[-1])) if day is None else trading_day_begins(day))
            if day is None:
                end = _next_start(after, end)
            stitches.append(_make_stitch((contract_id, bars), (after_id, after), end))
        is_used = bars.seconds >= seconds_of(start)
        if end is not None:
            is_used &= bars.seconds < seconds_of(end)
        taken.append(bars[is_used])
        newest_end = time_of(int(bars.seconds[-1])) + MINUTE
        parts.append(SeriesPart(contract_id, Span(start, newest_end if end is None else end), newest_end))
    return ContinuousBars(join(_adjust(taken, stitches, adjustment)), tuple(stitches), tuple(parts))


def _find_roll_day(before: BarColumns, after: BarColumns) -> date | None:
    """Return the trading day that follows the first on which `after` had the larger volume; None without one."""
    volumes = {day: int(bars.volume.sum()) for day, bars in split_by_trading_day(before)}
    days = [(day, int(bars.volume.sum())) for day, bars in split_by_trading_day(after)]
    for (day, volume), (following, _) in pairwise(days):
        if day in volumes and volume > volumes[day]:
            return following
    return None


def _next_start(bars: BarColumns, at: datetime) -> datetime:
    later = bars.seconds[bars.seconds > seconds_of(at)]
    return time_of(int(later[0])) if len(later) else at


def _make_stitch(one: tuple[str, BarColumns], other: tuple[str, BarColumns], at: datetime) -> Stitch:
    (before_id, before), (after_id, after) = one, other
    common = np.intersect1d(before.seconds, after.seconds)
    common = common[common < seconds_of(at)]
    if len(common):
        closes = [int(bars.close[np.searchsorted(bars.seconds, common[-1])]) for bars in (before, after)]
    else:
        earlier = before.close[before.seconds < seconds_of(at)]
        first = after.open[after.seconds >= seconds_of(at)]
        closes = [int((earlier if len(earlier) else before.close)[-1]), int((first if len(first) else after.open)[0])]
    return Stitch(at, before_id, after_id, *closes)


def _adjust(parts: Sequence[BarColumns], stitches: Sequence[Stitch], adjustment: Adjustment) -> list[BarColumns]:
    adjusted, added, factor = [*parts], 0, 1.0
    for number in range(len(parts) - 2, -1, -1):
        one = stitches[number]
        added += one.close_after - one.close_before
        factor *= one.close_after / one.close_before if one.close_before else 1.0
        bars = parts[number]
        prices = np.vstack(bars.arrays[1:5])
        if adjustment == "difference":
            prices = prices + added
        elif adjustment == "ratio":
            prices = np.rint(prices * factor).astype(np.int64)
        adjusted[number] = BarColumns(bars.seconds, prices[0], prices[1], prices[2], prices[3], bars.volume)
    return adjusted
