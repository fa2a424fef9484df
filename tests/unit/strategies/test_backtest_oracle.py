"""The fills of a backtest are those of the simulator's venue: each price, quantity and instant."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from shared.domain.market_data.bar_columns import BarColumns
from shared.domain.risk.rule_book import PRESETS
from simulator.market.replay import ReplayMarket
from strategies.backtest import admission
from tests.fixtures.backtests import (
    TradedAtVenue,
    backtest_market,
    columns_of_market,
    fills_of,
    random_trader,
    told,
    write_recording,
)
from tests.fixtures.bar_walk import walk

TICK = Decimal("0.25")


def replay(folder: Path, bars: BarColumns) -> ReplayMarket:
    file = folder / "mnqh6-1m-2026-03.csv.gz"
    write_recording(file, bars, TICK)
    return ReplayMarket(file)


def with_holes(bars: BarColumns, seed: int) -> BarColumns:
    """Return the bars without every tenth minute, as in a quiet market."""
    return bars[np.random.default_rng(seed).random(len(bars)) > 0.1]


@pytest.mark.parametrize("timeframe", ["1m", "5m", "4h"])
@pytest.mark.parametrize("seed", range(6))
def test_every_fill_of_a_random_trader_is_that_of_the_venue(tmp_path: Path, seed: int, timeframe: str) -> None:
    market = replay(tmp_path, with_holes(walk(7), seed))
    trader = random_trader(seed, reach=10 + 20 * (seed % 3))
    slippage = seed % 2
    at_venue = TradedAtVenue(market, trader, tmp_path, slippage_ticks=slippage).run(timeframe)
    run = backtest_market(market, told(trader, timeframe), slippage_ticks=slippage)

    assert at_venue == fills_of(run)
    assert len(at_venue) > (100 if timeframe != "4h" else 2)


def wild(bars: BarColumns) -> BarColumns:
    """Return the bars with moves ten times as wide."""
    open_, high, low, close = (80_000 + 10 * (column - 80_000) for column in bars.arrays[1:5])
    return BarColumns(bars.seconds, open_, high, low, close, bars.volume)


@pytest.mark.parametrize(("kind", "preset"), [("50KTC", "combine-50k"), ("50KTC-DLL", "combine-50k-dll")])
@pytest.mark.parametrize("seed", range(4))
def test_a_loss_limit_ends_the_account_or_the_day_at_the_instant_of_the_venue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, kind: str, preset: str
) -> None:
    # The venue does not know the rules that keep an entry from reaching a limit, so they are left out.
    monkeypatch.setattr(admission, "_list_broken_rules", lambda *_: iter(()))
    market = replay(tmp_path, wild(with_holes(walk(7), seed)))
    trader = random_trader(seed, reach=300)
    venue = TradedAtVenue(market, trader, tmp_path, account_kind=kind)
    at_venue = venue.run()
    run = backtest_market(market, told(trader), rule_book=PRESETS[preset])
    account = venue.venue.state.accounts[venue.account_id]

    assert at_venue == fills_of(run)
    assert run.limits is not None
    assert (account.balance, account.loss_state.is_violated) == (run.balance, run.limits.is_breached)
    assert run.limits.is_breached or run.day_lock_count


@pytest.mark.parametrize("timeframe", ["1m", "15m"])
def test_a_month_of_recorded_gold_is_traded_as_by_the_venue(
    tmp_path: Path, recorded_december: Path, timeframe: str
) -> None:
    market = ReplayMarket(recorded_december)
    trader = random_trader(1)
    at_venue = TradedAtVenue(market, trader, tmp_path).run(timeframe)
    run = backtest_market(market, told(trader, timeframe))

    assert at_venue == fills_of(run)
    assert len(columns_of_market(market)) == run.evaluation_count or timeframe != "1m"
