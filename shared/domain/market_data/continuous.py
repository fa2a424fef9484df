"""One series of bars from the contracts of a root that follow one another; it says where it is stitched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

import numpy as np

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import BarColumns, join, seconds_of, split_by_trading_day, time_of
from shared.domain.market_data.calendar import trading_day_at, trading_day_begins
from shared.domain.market_data.coverage import Span
from shared.errors import RefusedError

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
    or that `roll_days` gives by the id of the next one; if its own bars end before, from the first later bar of the
    next on. Without such a day too the next goes on after the last bar, but one without bars of a later trading day is
    left out: it was not rolled to yet. `difference` adds to all older prices what the next contract was dearer, and
    `ratio` multiplies them, rounded to ticks; the newest contract keeps its prices. Raise RefusedError for a ratio of
    closes of which one is not above 0.
    """
    used = _list_used(contracts, roll_days or {})
    taken: list[BarColumns] = []
    parts: list[SeriesPart] = []
    stitches: list[Stitch] = []
    for number, (contract_id, bars, _) in enumerate(used):
        start = stitches[-1].at if stitches else time_of(int(bars.seconds[0]))
        end = None
        if number + 1 < len(used):
            after_id, after, day = used[number + 1]
            end = max(start, _find_end(bars, after, day))
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


def _list_used(
    contracts: Sequence[tuple[str, BarColumns]], roll_days: Mapping[str, date]
) -> list[tuple[str, BarColumns, date | None]]:
    """Return the contracts that a series has, each with the trading day from which on it is used; None without one."""
    used: list[tuple[str, BarColumns, date | None]] = []
    for contract_id, bars in contracts:
        if not len(bars):
            continue
        day = (roll_days.get(contract_id) or _find_roll_day(used[-1][1], bars)) if used else None
        if used and day is None and _last_day_of(bars) <= _last_day_of(used[-1][1]):
            continue
        used.append((contract_id, bars, day))
    return used


def _last_day_of(bars: BarColumns) -> date:
    return trading_day_at(time_of(int(bars.seconds[-1])))


def _find_end(bars: BarColumns, after: BarColumns, day: date | None) -> datetime:
    """Return the instant from which on `after` follows: the beginning of `day`, or its first bar after `bars` end."""
    later = after.seconds[after.seconds > bars.seconds[-1]]
    ends = [] if day is None else [trading_day_begins(day)]
    return min([*ends, *(time_of(int(at)) for at in later[:1])])


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
        bars = parts[number]
        prices = np.vstack(bars.arrays[1:5])
        if adjustment == "difference":
            prices = prices + added
        elif adjustment == "ratio":
            _require_ratio(one)
            factor *= one.close_after / one.close_before
            prices = np.rint(prices * factor).astype(np.int64)
        adjusted[number] = BarColumns(bars.seconds, prices[0], prices[1], prices[2], prices[3], bars.volume)
    return adjusted


def _require_ratio(one: Stitch) -> None:
    if min(one.close_before, one.close_after) <= 0:
        raise RefusedError(
            f"cannot adjust by ratio where {one.after} follows {one.before} at {one.at:%Y-%m-%d %H:%M} UTC: a close is "
            "not above 0; adjust by difference"
        )
