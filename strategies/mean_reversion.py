"""Mean reversion: it buys too far below the average, and sells too far above.

The figures are an example's, not a recommendation: no source proves that they earn.
"""

from math import ceil
from typing import Annotated, Any, Literal

import numpy as np

from tickwork_strategy import Decision, Enter, Side, Strategy, View, between, indicators


class MeanReversion(Strategy, frozen=True, kw_only=True):
    """LONG if RSI < oversold and the close is too many ATR below its average; SHORT mirrored; one position at a time.

    The RSI is Cutler's, with plain averages, and the ATR a plain average too.
    """

    rsi_length: Annotated[int, between(2, 200, "bars of the RSI")] = 14
    oversold: Annotated[float, between(0, 50, "RSI below which it buys")] = 30.0
    overbought: Annotated[float, between(50, 100, "RSI above which it sells")] = 70.0
    average_length: Annotated[int, between(2, 1000, "bars of the average")] = 20
    range_length: Annotated[int, between(2, 200, "true ranges of the ATR")] = 14
    distance_in_ranges: Annotated[float, between(0, 20, "ATR from the average at least")] = 2.0
    stop_in_ranges: Annotated[float, between(0.1, 20, "ATR to the stop")] = 1.5
    target: Literal["average", "ranges"] = "average"  # where the target is: the average, or target_in_ranges away
    target_in_ranges: Annotated[float, between(0.1, 50, "ATR to the target, with target=ranges")] = 2.0

    def decide(self, view: View) -> Decision | None:
        """Enter at the market while nothing is held and the close is stretched."""
        if not view.position.is_flat or view.has_entries:
            return None
        bars = view.bars(max(self.average_length, self.rsi_length + 1, self.range_length + 1))
        strength = relative_strength(bars.close, self.rsi_length)
        true_range = float(indicators.plain_atr(bars, self.range_length)[-1])
        away = float(bars.close[-1] - indicators.sma(bars.close, self.average_length)[-1])
        if strength < self.oversold and away < -self.distance_in_ranges * true_range:
            side = Side.BUY
        elif strength > self.overbought and away > self.distance_in_ranges * true_range:
            side = Side.SELL
        else:
            return None
        target = abs(away) if self.target == "average" else self.target_in_ranges * true_range
        distance = abs(away) / true_range if true_range else 0
        return Enter(
            side=side,
            stop_loss_ticks=max(1, ceil(self.stop_in_ranges * true_range)),
            take_profit_ticks=max(1, round(target)),
            reason=f"RSI {strength:.1f}, close {distance:.1f} ATR from its average",
        )


def relative_strength(closes: "np.ndarray[Any, np.dtype[np.int64]]", length: int) -> float:
    """Return the RSI of the last `length` changes with plain averages (Cutler's), 0 to 100; 50 if nothing moved."""
    changes = np.diff(closes[-length - 1 :])
    gain, loss = changes[changes > 0].sum(), -changes[changes < 0].sum()
    return float(100 * gain / (gain + loss)) if gain + loss else 50.0
