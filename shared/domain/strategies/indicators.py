"""Indicators over columns of bars, by TA-Lib: arrays of ticks in, arrays of floats out, which are no prices.

An array has the length of its input; where the indicator needs more bars than came before, it is NaN. The formulas are
those of TA-Lib, https://ta-lib.org/functions, named in each.
"""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.domain.market_data.bar_columns import BarColumns

# TA-Lib imports these where they are installed, to take their series: 80 MB and half a second for what is never passed.
_loaded = {name: sys.modules.pop(name, None) for name in ("pandas", "polars")}
sys.modules |= dict.fromkeys(_loaded)  # type: ignore[arg-type]  # None: it counts as not installed
try:
    import talib
finally:
    for _name, _module in _loaded.items():
        del sys.modules[_name]
        if _module is not None:
            sys.modules[_name] = _module

Floats = NDArray[np.float64]


def sma(values: NDArray[Any], length: int) -> Floats:
    """Return the plain average of the last `length` values (SMA)."""
    return talib.SMA(_floats(values), length)


def ema(values: NDArray[Any], length: int) -> Floats:
    """Return the exponential average with the factor 2 / (length + 1), begun with the plain average (EMA)."""
    return talib.EMA(_floats(values), length)


def rsi(closes: NDArray[Any], length: int = 14) -> Floats:
    """Return Wilder's relative strength, 0 to 100 (RSI). It depends on all that came before: give it many bars."""
    return talib.RSI(_floats(closes), length)


def true_range(bars: BarColumns) -> Floats:
    """Return max(high - low, |high - previous close|, |low - previous close|) of each bar but the first (TRANGE)."""
    return talib.TRANGE(*_prices(bars))


def atr(bars: BarColumns, length: int = 14) -> Floats:
    """Return Wilder's average true range, in ticks (ATR). It depends on all that came before: give it many bars."""
    return talib.ATR(*_prices(bars), length)


def plain_atr(bars: BarColumns, length: int = 14) -> Floats:
    """Return the plain average of the last `length` true ranges, in ticks (SMA of TRANGE)."""
    ranges = true_range(bars)
    return np.append(np.nan, sma(ranges[1:], length)) if len(bars) > length else np.full(len(bars), np.nan)


def highest(values: NDArray[Any], length: int) -> Floats:
    """Return the highest of the last `length` values (MAX)."""
    return talib.MAX(_floats(values), length)


def lowest(values: NDArray[Any], length: int) -> Floats:
    """Return the lowest of the last `length` values (MIN)."""
    return talib.MIN(_floats(values), length)


def standard_deviation(values: NDArray[Any], length: int) -> Floats:
    """Return the standard deviation of the last `length` values, divided by `length` (STDDEV)."""
    return talib.STDDEV(_floats(values), length)


def _floats(values: NDArray[Any]) -> Floats:
    return values.astype(np.float64, copy=False)


def _prices(bars: BarColumns) -> tuple[Floats, Floats, Floats]:
    return _floats(bars.high), _floats(bars.low), _floats(bars.close)
