"""How long a backtest takes on one core, beside the bare decisions of its strategy on the same views."""

import time
from decimal import Decimal
from typing import ClassVar

import pytest

from shared.domain.market_data.bar_columns import time_of
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.coverage import Span
from shared.domain.risk.rule_book import PRESETS
from shared.domain.strategies.decision import Decision
from shared.domain.strategies.strategy_error import TooFewBarsError
from shared.domain.strategies.view import View
from strategies.backtest.engine import run_backtest
from strategies.backtest.report import report_of
from strategies.backtest.terms import BacktestTerms, usual_costs
from strategies.mean_reversion import MeanReversion
from tests.fixtures.bar_walk import walk
from tests.fixtures.figures import printed
from tests.fixtures.venue import MNQ, OPEN_AT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
MONTH, YEAR = 28_000, 350_000
CONTRACT = Contract(MNQ, "MNQH6", "MNQ", Decimal("0.25"), Decimal("0.50"), is_active=True)
LIMITS = {(MONTH, "5m"): 0.5, (MONTH, "1m"): 2.0, (YEAR, "5m"): 6.0, (YEAR, "1m"): 25.0}


class Remembering(MeanReversion, frozen=True, kw_only=True):
    """Mean reversion that keeps its views."""

    views: ClassVar[list[View]] = []

    def decide(self, view: View) -> Decision | None:
        self.views.append(view)
        return super().decide(view)


@pytest.mark.parametrize("rules", [None, "combine-50k"])
@pytest.mark.parametrize(("count", "timeframe"), LIMITS)
def test_backtest(capsys: pytest.CaptureFixture[str], count: int, timeframe: str, rules: str | None) -> None:
    bars = walk(30 if count == MONTH else 380)[-count:]
    terms = BacktestTerms(
        contract=CONTRACT, calendar=calendar_of("equity"), costs=usual_costs("MNQ"),
        rule_book=PRESETS[rules] if rules else None,
    )  # fmt: skip
    span = Span(time_of(int(bars.seconds[0])), OPEN_AT)
    strategy = MeanReversion(timeframe=timeframe)
    taken = []
    for _ in range(3 if count == MONTH else 1):
        started = time.process_time()  # of this core: others may use the computer
        report = report_of(run_backtest(strategy, bars, terms, span), bars, terms)
        taken.append(time.process_time() - started)
    Remembering.views.clear()
    run_backtest(Remembering(timeframe=timeframe), bars, terms, span)
    views = list(Remembering.views)
    started = time.process_time()
    for view in views:
        decide(strategy, view)
    bare = time.process_time() - started
    with printed(capsys, f"{len(bars):,} one-minute bars, a strategy of {timeframe}, rules {rules or 'none'}"):
        print(f"backtest {min(taken):.2f} s, asked for: at most {LIMITS[count, timeframe]} s")
        print(f"bare decisions {bare:.2f} s, so all else takes {min(taken) / bare - 1:.1f} times as long")
        print(f"{len(views):,} evaluations, {report.statistics.count:,} trades, {report.undecided_count} undecided")


def decide(strategy: MeanReversion, view: View) -> None:
    try:
        strategy.decide(view)
    except TooFewBarsError:
        return
