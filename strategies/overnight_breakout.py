"""Overnight range breakout: it buys above the range of the night, or sells below it, once a day.

It differs from the system that this one replaces:

- The two entries cancel each other, and a side that was stopped out is not entered again: there both could fill.
- A side whose target or price makes no sense is left out, and the other stays: there both were dropped.
- The ATR of days comes from closed days, and without enough of them it does not trade: there that of five minutes
  took its place and made the zones several times smaller.
- The zones begin at the last price before the opening: there at any later minute.
- The target is the near edge of its zone, else the far one, else some ATR away, on both sides alike.
- The stop moves to the entry, and all is closed at `flat_at`: there neither was ever done.
"""

from datetime import time, timedelta
from math import ceil
from typing import Annotated

from tickwork_strategy import (
    BarColumns,
    Cancel,
    Decision,
    Enter,
    EnterEither,
    Exit,
    MoveStop,
    OrderType,
    Side,
    Strategy,
    StrategyError,
    View,
    between,
    indicators,
)

_ZONE = "America/New_York"
_NEAR, _FAR = 0.5, 0.618  # where a zone begins and ends, in halves of a day's ATR from the opening
_LEAST_BARS = 10


class OvernightBreakout(Strategy, frozen=True, kw_only=True):
    """At `opens_at` two stop entries beyond the range since `range_from`, of which one cancels the other.

    Times are by the clocks of New York. A filter of 0 is off.
    """

    timeframe: str = "1m"
    range_from: str = "18:00"
    opens_at: str = "09:30"
    flat_at: str = "15:45"
    offset_ticks: Annotated[int, between(0, 100, "ticks beyond the range at which it enters")] = 1
    range_length: Annotated[int, between(2, 200, "true ranges of the ATR of five minutes")] = 14
    day_length: Annotated[int, between(2, 100, "true ranges of the ATR of days")] = 14
    stop_in_ranges: Annotated[float, between(0.1, 20, "ATR of five minutes to the stop")] = 1.25
    target_in_ranges: Annotated[float, between(0.1, 50, "ATR to the target, if its zone is inside the range")] = 2.0
    breakeven_points: Annotated[float, between(0, 10_000, "points of profit that move the stop to the entry")] = 15.0
    least_range_points: Annotated[float, between(0, 100_000, "points of the range at least")] = 0.0
    most_range_points: Annotated[float, between(0, 100_000, "points of the range at most")] = 0.0
    most_drift_points: Annotated[float, between(0, 100_000, "points from its first to its last price at most")] = 0.0
    least_atr_points: Annotated[float, between(0, 100_000, "points of the ATR at least")] = 0.0
    most_atr_points: Annotated[float, between(0, 100_000, "points of the ATR at most")] = 0.0

    def check(self) -> None:
        """Require times of day, the opening before the end."""
        if not _time_of("opens_at", self.opens_at) < _time_of("flat_at", self.flat_at):
            raise StrategyError(f"invalid flat_at {self.flat_at}: expected a time after opens_at {self.opens_at}")
        _time_of("range_from", self.range_from)

    def decide(self, view: View) -> Decision | None:
        """Place both entries at the opening, move the stop to the entry, and leave at the end."""
        now = view.local(_ZONE).time()
        if now >= _time_of("flat_at", self.flat_at) or now < _time_of("opens_at", self.opens_at):
            return self._leave(view)
        if not view.position.is_flat:
            return self._protect(view)
        is_opening = now == _time_of("opens_at", self.opens_at)
        return self._enter(view) if is_opening and not view.has_entries else None

    def _leave(self, view: View) -> Decision | None:
        if not view.position.is_flat:
            return Exit(reason=f"flat at {self.flat_at} in New York")
        return Cancel(reason=f"nothing filled until {self.flat_at} in New York") if view.has_entries else None

    def _protect(self, view: View) -> Decision | None:
        held, stop = view.position, view.stop_price
        if held.average_price is None or held.best is None or stop is None or not self.breakeven_points:
            return None
        entry = round(held.average_price)
        if (stop - entry) * held.sign >= 0 or (held.best - entry) * held.sign < view.ticks(self.breakeven_points):
            return None
        return MoveStop(price=entry, reason=f"{self.breakeven_points:g} points of profit")

    def _enter(self, view: View) -> Decision | None:
        opening = view.local(_ZONE)
        start = _time_of("range_from", self.range_from)
        since = opening.replace(hour=start.hour, minute=start.minute)
        night = view.bars_since(since if since < opening else since - timedelta(days=1), "1m")
        if len(night) < _LEAST_BARS:
            return None
        five = indicators.plain_atr(view.bars(self.range_length + 1, "5m"), self.range_length)[-1]
        day = indicators.plain_atr(view.bars(self.day_length + 1, "1d"), self.day_length)[-1]
        if not self._passes(view, night, float(five)):
            return None
        entries = [
            entry
            for side in (Side.BUY, Side.SELL)
            if (entry := self._entry(side, night, float(five), float(day))) is not None
        ]
        if not entries:
            return None
        return EnterEither(first=entries[0], second=entries[1]) if entries[1:] else entries[0]

    def _passes(self, view: View, night: BarColumns, five: float) -> bool:
        width = int(night.high.max() - night.low.min())
        drift = abs(int(night.close[-1] - night.open[0]))
        limits = (
            (width, self.least_range_points, self.most_range_points),
            (drift, 0, self.most_drift_points),
            (five, self.least_atr_points, self.most_atr_points),
        )
        return all(view.ticks(low) <= value and (not high or value <= view.ticks(high)) for value, low, high in limits)

    def _entry(self, side: Side, night: BarColumns, five: float, day: float) -> Enter | None:
        sign, last = side.sign, int(night.close[-1])
        edge = int(night.high.max() if side is Side.BUY else night.low.min())
        price = edge + sign * self.offset_ticks
        if (last - price) * sign >= 0:
            return None  # the price is there already: a stop would fill at once
        edges = (last + sign * round(part * day / 2) for part in (_NEAR, _FAR))
        fallback = price + sign * ceil(self.target_in_ranges * five)
        target = next((one for one in edges if (one - price) * sign > 0), fallback)
        return Enter(
            side=side,
            type=OrderType.STOP,
            price=price,
            stop_loss_ticks=max(1, ceil(self.stop_in_ranges * five)),
            take_profit_ticks=max(1, (target - price) * sign),
            reason=f"beyond the night's range of {int(night.high.max() - night.low.min())} ticks",
        )


def _time_of(name: str, text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise StrategyError(f"invalid {name} {text!r}: expected a time such as 09:30") from None
