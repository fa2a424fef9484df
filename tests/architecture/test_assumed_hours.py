"""Who may take a day beyond the holiday table for a regular one: nothing that decides on an entry."""

from pathlib import Path

from tests.architecture.packages import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
ASSUMED = "assumed_calendar_of"
MAY_ASSUME = {
    # Exits and their limits: a position is never left because the table ended.
    "shared/db/risk/risk_snapshots.py": "what is held in a closed market is priced by its last bar",
    "shared/domain/risk/account_rules.py": "flat-by of what is held; a finding blocks entries beyond the table",
    "workers/risk/barred_entries.py": "cancels resting entries, all of them beyond the table",
    "workers/risk/confirmation.py": "a missing price is none while the market is closed",
    "workers/risk/enforcement.py": "which positions can be closed now",
    # Bars, quotes and the schedule: more is asked for or expected than there is, and nothing is lost.
    "cli/client/bar_exports.py": "the bars that are read",
    "cli/client/bar_gaps.py": "the minutes that should be there",
    "cli/client/bar_imports.py": "the sessions of a file, of which bars beyond the table are refused",
    "cli/client/backtest_bars.py": "the sessions of a file's bars",
    "cli/commands/strategy_backtest.py": "a backtest, of what has happened",
    "cli/commands/bar_continuous.py": "the bars that are shown",
    "shared/bars/bar_reader.py": "the bars that are read",
    "shared/db/market_data/contracts.py": "the regular hours themselves",
    "scheduler/beat.py": "which slots of the schedule run",
    "workers/feed/subscriptions.py": "which contracts should have quotes",
    "web/exporter/feed.py": "which contracts should have prices, for a rule of Prometheus",
    "shared/overview/feed_problem.py": "whether there should be prices",
    "workers/market_data/backfill_bars.py": "which minutes are asked for",
    "workers/market_data/fetch_contract_bars.py": "which minutes are asked for",
    "workers/market_data/heal_bars.py": "which minutes are asked for",
    "workers/market_data/store_answer.py": "which minutes should be there",
    "workers/strategies/evaluate_strategy.py": "the bars of a decision; `require_open_session` refuses its entry",
    "workers/strategies/read_bars.py": "whether a bar has closed",
    "workers/strategies/request_evaluations.py": "when a bar has closed",
    "shared/domain/trades/statistics.py": "the trading day of what has happened",
    # The simulator, which keeps our own hours.
    "simulator/market/recording.py": "the sessions of a file, which is refused beyond the table",
    "simulator/market/replay.py": "the sessions of a file, which is refused beyond the table",
    "simulator/market/seeded.py": "the sessions of a seeded market",
}


def test_only_what_decides_on_no_entry_assumes_regular_hours_beyond_the_table() -> None:
    using = {
        str(file.relative_to(ROOT))
        for program in PACKAGES
        for file in (ROOT / program).rglob("*.py")
        if ASSUMED in file.read_text()
    }

    assert set(MAY_ASSUME) | {"shared/domain/market_data/calendar.py"} == using
