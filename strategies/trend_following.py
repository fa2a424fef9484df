"""Trend following: it goes with two averages that are apart, and trails its stop behind the price.

It differs from the system that this one replaces, whose rules hardly ever traded:

- The distance of the averages is measured in ATR, not in percent of the price: 2.5 % never came.
- The averages have ten times their length to settle, and not only the bars that give them their name.
- The stop is moved at each bar; there it was a number in memory. A cross of the averages closes; there it was logged.
- It adds to no position: the setting for that was never read.
"""

from math import ceil
from typing import Annotated

from tickwork_strategy import Decision, Enter, Exit, MoveStop, Side, Strategy, StrategyError, View, between, indicators

_SETTLING = 10  # times its length, until the first value of an exponential average no longer counts


class TrendFollowing(Strategy, frozen=True, kw_only=True):
    """LONG if the fast average is some ATR above the slow one and the close above the fast one; SHORT mirrored."""

    timeframe: str = "15m"
    fast_length: Annotated[int, between(2, 200, "bars of the fast average")] = 10
    slow_length: Annotated[int, between(3, 500, "bars of the slow average")] = 30
    range_length: Annotated[int, between(2, 200, "true ranges of the ATR")] = 14
    distance_in_ranges: Annotated[float, between(0, 20, "ATR between the averages at least")] = 0.5
    stop_in_ranges: Annotated[float, between(0.1, 20, "ATR to the stop")] = 2.0
    target_in_ranges: Annotated[float, between(0.1, 50, "ATR to the target")] = 5.0
    trail_in_ranges: Annotated[float, between(0.1, 20, "ATR from the close to which the stop follows")] = 3.0

    def check(self) -> None:
        """Require that the fast average is the faster one."""
        if self.fast_length >= self.slow_length:
            raise StrategyError(
                f"invalid fast_length {self.fast_length}: expected less than slow_length, which is {self.slow_length}"
            )

    def decide(self, view: View) -> Decision | None:
        """Enter with the trend, follow with the stop, and leave when the averages cross."""
        bars = view.bars(max(_SETTLING * self.slow_length, self.range_length + 1))
        fast = float(indicators.ema(bars.close, self.fast_length)[-1])
        slow = float(indicators.ema(bars.close, self.slow_length)[-1])
        true_range = float(indicators.plain_atr(bars, self.range_length)[-1])
        close = int(bars.close[-1])
        if not view.position.is_flat:
            return self._manage(view, close, true_range, fast - slow)
        sign = 1 if fast > slow else -1
        if view.has_entries or true_range == 0 or abs(fast - slow) < self.distance_in_ranges * true_range:
            return None
        if (close - fast) * sign <= 0:
            return None
        return Enter(
            side=Side.BUY if sign > 0 else Side.SELL,
            stop_loss_ticks=max(1, ceil(self.stop_in_ranges * true_range)),
            take_profit_ticks=max(1, round(self.target_in_ranges * true_range)),
            reason=f"averages {abs(fast - slow) / true_range:.1f} ATR apart",
        )

    def _manage(self, view: View, close: int, true_range: float, difference: float) -> Decision | None:
        sign = view.position.sign
        if difference * sign < 0:
            return Exit(reason="the averages have crossed")
        wanted = close - sign * ceil(self.trail_in_ranges * true_range)
        if view.stop_price is not None and (wanted - view.stop_price) * sign > 0:
            return MoveStop(price=wanted, reason=f"{self.trail_in_ranges:g} ATR behind {view.price(close)}")
        return None
