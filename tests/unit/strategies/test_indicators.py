"""Indicators against vectors that were published or computed with exact fractions."""

import subprocess
import sys
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.strategies import indicators
from tests.fixtures.strategy_views import bars_closing_at

# StockCharts, "Relative Strength Index (RSI)", the spreadsheet of QQQQ closes: RSI(14) of bars 15 to 20.
QQQQ = [44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
        45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439]  # fmt: skip
RSI_OF_QQQQ = [70.53, 66.32, 66.55, 69.41, 66.36, 57.97]
# StockCharts, "Moving Averages", the spreadsheet of INTC closes: SMA(10) and EMA(10) of bars 10 to 15.
INTC = [22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39, 22.38, 22.61, 23.36]
SMA_OF_INTC = [22.22, 22.21, 22.23, 22.26, 22.31, 22.42]
EMA_OF_INTC = [22.22, 22.21, 22.24, 22.27, 22.33, 22.52]


def test_the_indicators_load_no_pandas() -> None:
    """A program would take 80 MB more for it."""
    loaded = "import sys, shared.domain.strategies.indicators; print('pandas' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert "False" == found.stdout.strip()


def test_wilders_rsi_agrees_with_the_published_one() -> None:
    found = indicators.rsi(np.array(QQQQ), 14)

    assert np.isnan(found[:14]).all()
    assert pytest.approx(RSI_OF_QQQQ, abs=0.01) == found[14:].tolist()


def test_averages_agree_with_the_published_ones() -> None:
    assert pytest.approx(SMA_OF_INTC, abs=0.0101) == indicators.sma(np.array(INTC), 10)[9:].tolist()
    assert pytest.approx(EMA_OF_INTC, abs=0.0101) == indicators.ema(np.array(INTC), 10)[9:].tolist()


def test_a_true_range_reaches_to_the_close_before() -> None:
    bars = bars_closing_at([100, 110, 95], reach=2)

    assert [12.0, 17.0] == indicators.true_range(bars)[1:].tolist()
    assert 14.5 == indicators.plain_atr(bars, 2)[-1]
    assert np.isnan(indicators.plain_atr(bars, 3)).all()


def test_highest_lowest_and_deviation() -> None:
    values = np.array([3, 9, 4, 7])

    assert [9.0, 9.0, 7.0] == indicators.highest(values, 2)[1:].tolist()
    assert [3.0, 4.0, 4.0] == indicators.lowest(values, 2)[1:].tolist()
    assert indicators.standard_deviation(values, 2)[-1] == pytest.approx(1.5)


@given(st.lists(st.integers(1, 100_000), min_size=30, max_size=80), st.integers(2, 20))
def test_averages_agree_with_exact_fractions(closes: list[int], length: int) -> None:
    factor, average = Fraction(2, length + 1), Fraction(sum(closes[:length]), length)
    for close in closes[length:]:
        average += factor * (close - average)

    assert indicators.ema(np.array(closes), length)[-1] == pytest.approx(float(average), rel=1e-9)
    assert indicators.sma(np.array(closes), length)[-1] == pytest.approx(sum(closes[-length:]) / length, rel=1e-9)


@given(st.lists(st.integers(1, 100_000), min_size=30, max_size=80), st.integers(2, 14))
def test_wilders_range_agrees_with_exact_fractions(closes: list[int], length: int) -> None:
    bars = bars_closing_at(closes, reach=3)
    ranges = [max(6, abs(after + 3 - before), abs(after - 3 - before)) for before, after in pairwise(closes)]
    average = Fraction(sum(ranges[:length]), length)
    for one in ranges[length:]:
        average = (average * (length - 1) + one) / length

    assert indicators.atr(bars, length)[-1] == pytest.approx(float(average), rel=1e-9)
