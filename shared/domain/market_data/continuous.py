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


@dataclass(frozen=True, slots=True, eq=False)
class _Used:
    """A contract that the series has from `start` on, with all its bars."""

    contract_id: str
    bars: BarColumns
    start: datetime

    @property
    def newest_end(self) -> datetime:
        return time_of(int(self.bars.seconds[-1])) + MINUTE


def stitch(
    contracts: Sequence[tuple[str, BarColumns]],
    adjustment: Adjustment = "none",
    *,
    roll_days: Mapping[str, date] | None = None,
    active_id: str | None = None,
) -> ContinuousBars:
    """Return one series from the one-minute bars of contracts in the order of their expiry.

    A contract is followed by the next from the trading day on after the first on which the next had the larger volume,
    or that `roll_days` gives by the id of the next one; if its own bars end before, from the first later bar of the
    next on. Without such a day too the next goes on after the last bar, but one without bars of a later trading day is
    left out: it was not rolled to yet. That of `active_id`, the contract that the venue calls active, goes on from the
    newest trading day on if it has bars of that. One that would begin no earlier than its successor is left out.
    `difference` adds to all older prices what the next contract was dearer, and `ratio` multiplies them, rounded to
    ticks; the newest contract keeps its prices. Raise RefusedError for a ratio of closes of which one is not above 0.
    """
    used = _list_used(contracts, roll_days or {}, active_id)
    taken: list[BarColumns] = []
    parts: list[SeriesPart] = []
    for number, one in enumerate(used):
        end = used[number + 1].start if number + 1 < len(used) else one.newest_end
        taken.append(one.bars[(one.bars.seconds >= seconds_of(one.start)) & (one.bars.seconds < seconds_of(end))])
        parts.append(SeriesPart(one.contract_id, Span(one.start, end), one.newest_end))
    stitches = [_make_stitch(before, after) for before, after in pairwise(used)]
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
    contracts: Sequence[tuple[str, BarColumns]], roll_days: Mapping[str, date], active_id: str | None
) -> list[_Used]:
    """Return the contracts that a series has; each has a minute at least between its start and that of the next."""
    used: list[_Used] = []
    for contract_id, bars in contracts:
        if not len(bars):
            continue
        kept, start = len(used), None
        while kept:
            start = _find_start(
                used[kept - 1].bars, bars, roll_days.get(contract_id), is_active=contract_id == active_id
            )
            if start is None or start > used[kept - 1].start:
                break
            kept -= 1  # such as a thin month between two that are traded: it was never traded more
        one = _Used(contract_id, bars, start if kept and start else time_of(int(bars.seconds[0])))
        if not kept or (start is not None and start < one.newest_end):
            used[kept:] = [one]
    return used


def _find_start(before: BarColumns, after: BarColumns, day: date | None, *, is_active: bool) -> datetime | None:
    """Return the instant from which on `after` follows, at the beginning of `day` if it is given; None if never."""
    later = after.seconds[after.seconds > before.seconds[-1]]
    starts = [time_of(int(at)) for at in later[:1]]
    day = day or _find_roll_day(before, after)
    if day is None:
        newest_before, newest_after = (trading_day_at(time_of(int(bars.seconds[-1]))) for bars in (before, after))
        if newest_after > newest_before:
            return starts[0]
        if newest_after < newest_before or not is_active:
            return None
        day = newest_after
    return min([*starts, trading_day_begins(day)])


def _make_stitch(one: _Used, other: _Used) -> Stitch:
    before, after, at = one.bars, other.bars, other.start
    common = np.intersect1d(before.seconds, after.seconds)
    common = common[common < seconds_of(at)]
    if len(common):
        closes = [int(bars.close[np.searchsorted(bars.seconds, common[-1])]) for bars in (before, after)]
    else:
        earlier = before.close[before.seconds < seconds_of(at)]
        first = after.open[after.seconds >= seconds_of(at)]
        closes = [int((earlier if len(earlier) else before.close)[-1]), int((first if len(first) else after.open)[0])]
    return Stitch(at, one.contract_id, other.contract_id, *closes)


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
