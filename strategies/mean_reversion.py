"""Mean reversion on five-minute bars: it buys too far below the average, and sells too far above."""

from collections.abc import Sequence
from math import ceil

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.orders.order import Direction, Side
from shared.domain.strategies.decision import Decision
from shared.domain.strategies.indicators import average_true_range, relative_strength, simple_average

TIMEFRAME = Timeframe.parse("5m")
RSI_LENGTH, OVERSOLD, OVERBOUGHT = 14, 30, 70
AVERAGE_LENGTH, RANGE_LENGTH = 20, 14
DISTANCE_IN_RANGES = 2.0
STOP_IN_RANGES = 1.5
BARS_NEEDED = max(AVERAGE_LENGTH, RSI_LENGTH + 1, RANGE_LENGTH + 1)


def decide(bars: Sequence[Bar], position: Direction) -> Decision | None:
    """Decide on closed bars, oldest first; one position at a time, and no decision with fewer than BARS_NEEDED bars.

    LONG if RSI(14) < 30 and close < SMA(20) - 2 ATR(14); SHORT mirrored. Stop 1.5 ATR away, target the average.
    The figures are an example's, not a recommendation: no source proves that they earn.
    """
    if position is not Direction.FLAT or len(bars) < BARS_NEEDED:
        return None
    closes = [bar.close for bar in bars]
    strength = relative_strength(closes, RSI_LENGTH)
    away = closes[-1] - simple_average(closes, AVERAGE_LENGTH)
    true_range = average_true_range(bars, RANGE_LENGTH)
    if strength < OVERSOLD and away < -DISTANCE_IN_RANGES * true_range:
        side, excess = Side.BUY, (OVERSOLD - strength) / OVERSOLD
    elif strength > OVERBOUGHT and away > DISTANCE_IN_RANGES * true_range:
        side, excess = Side.SELL, (strength - OVERBOUGHT) / (100 - OVERBOUGHT)
    else:
        return None
    return Decision(
        side=side,
        stop_loss_ticks=max(1, ceil(STOP_IN_RANGES * true_range)),
        take_profit_ticks=max(1, round(abs(away))),
        confidence=min(1.0, excess + 0.5),
        reason=f"RSI {strength:.1f}, close {abs(away) / true_range if true_range else 0:.1f} ATR from its average",
    )
