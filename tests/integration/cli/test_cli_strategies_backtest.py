"""`tickwork strategies backtest`: over the bars of a file without a stack, and over stored ones."""

import csv
import gzip
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cli.commands import strategy_backtest
from shared.db.engine import autocommit
from shared.db.market_data import bar_coverage, bars
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import time_of
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.coverage import Span
from tests.fixtures.backtests import write_recording
from tests.fixtures.bar_walk import walk
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ, OPEN_AT
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.shell import Shell

WORDS = ("strategies", "backtest", "mean_reversion")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a week of bars."""
    written = tmp_path / "MNQ-2026-03.csv.gz"
    write_recording(written, walk(7), Decimal("0.25"))
    return written


def test_a_backtest_of_a_file_needs_no_stack(shell: Shell, file: Path) -> None:
    found = shell.json(*WORDS, "--contract", "MNQH26", "--file", str(file), expected=0)

    assert ("CON.F.US.MNQ.H26", "path", None, None) == tuple(
        found[name] for name in ("contract", "intrabar", "rules", "outcome")
    )
    assert found["statistics"]["count"] == len(found["trades"]) > 10
    assert found["closing_balance"] == found["trades"][-1]["balance"]
    assert -(-len(walk(7)) // 5) == found["evaluation_count"]
    assert {"name": "timeframe", "value": "5m"} in found["parameters"]
    assert [] == found["warnings"]


def test_options_set_parameters_rules_size_slippage_and_days(shell: Shell, file: Path) -> None:
    asked = ("--set", "timeframe=15m", "--set", "rsi_length=7", "--quantity", "2", "--slippage", "1", "--intrabar",
             "worst", "--rules", "combine-50k-dll", "--since", "2026-03-05", "--until", "2026-03-06")  # fmt: skip
    found = shell.json(*WORDS, "--contract", "MNQH6", "--file", str(file), *asked, expected=0)

    assert {"name": "rsi_length", "value": "7"} in found["parameters"]
    assert ["2026-03-05", "2026-03-06"] == [one["trading_day"] for one in found["days"]]
    assert (2, 1, "worst", "combine-50k-dll", "NEITHER") == (
        found["quantity"], found["slippage_ticks"], found["intrabar"], found["rules"], found["outcome"]["verdict"],
    )  # fmt: skip
    assert 0 == found["too_few_bars_count"]  # the days before are there to look back


def test_the_trades_are_written_to_a_new_file_and_a_table_is_shown(shell: Shell, file: Path, tmp_path: Path) -> None:
    target = tmp_path / "trades.csv"
    arguments = (*WORDS, "--contract", "MNQH26", "--file", str(file), "--trades", str(target))
    done = shell.run(*arguments)
    rows = list(csv.DictReader(target.read_text().splitlines()))

    assert (0, True) == (done.status, "mean_reversion on MNQ H26 5m" in done.stdout)
    assert f"Wrote {len(rows)} trades to" in done.stderr
    assert {"LONG", "SHORT"} == {row["direction"] for row in rows}
    assert "is there already: choose a new file" in shell.run(*arguments).stderr


def test_a_long_run_says_how_far_it_is(shell: Shell, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy_backtest, "_SILENT_FOR_S", 0.0)
    done = shell.run(*WORDS, "--contract", "MNQH26", "--file", str(file))

    assert "  2026-03-08, " in done.stderr  # Monday's trading day begins on Sunday evening, in UTC too


def test_an_account_that_begins_at_zero_has_its_limit_below(shell: Shell, file: Path) -> None:
    found = shell.json(*WORDS, "--contract", "MNQH26", "--file", str(file), "--rules", "express-50k", expected=0)

    assert "0" == found["opening_balance"]
    assert found["outcome"]["verdict"] in {"NEITHER", "BREACHED"}


def test_what_cannot_be_run_is_named(shell: Shell, file: Path) -> None:
    def fail(*arguments: str) -> str:
        done = shell.run("strategies", "backtest", *arguments, "--file", str(file))
        assert done.status != 0
        return done.stderr

    assert "unknown strategy 'nothing': expected one of mean_reversion" in fail("nothing", "--contract", "MNQH26")
    assert "expected the month of the file, such as MNQH26" in fail("mean_reversion", "--contract", "MNQ")
    assert "unknown parameter 'x'" in fail("mean_reversion", "--contract", "MNQH26", "--set", "x=1")
    assert "invalid --set 'x': expected NAME=VALUE" in fail("mean_reversion", "--contract", "MNQH26", "--set", "x")
    assert "no bars of the trading days" in fail("mean_reversion", "--contract", "MNQH26", "--since", "2026-04-01")


def test_lines_and_gaps_of_a_file_are_warned_of(shell: Shell, tmp_path: Path) -> None:
    file, made = tmp_path / "MNQ.csv.gz", walk(2)
    is_open = (made.seconds < made.seconds[300]) | (made.seconds >= made.seconds[345])
    write_recording(file, made[is_open], Decimal("0.25"))
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    lines[100] = ",".join([lines[100].split(",")[0], *["20000.10"] * 4, "1"])
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    done = shell.run(*WORDS, "--contract", "MNQH26", "--file", str(file))

    assert 0 == done.status
    assert f"Left out 1 of {len(lines) - 1:,} lines of MNQ.csv.gz: a price is between two ticks." in done.stderr
    assert "1 gap of 30 minutes or more in open sessions, the longest from" in done.stderr


def test_stored_bars_are_backtested_with_those_before_to_look_back(operator: RunCommand, worker_env: WorkerEnv) -> None:
    made = walk(9)
    hole = Span(OPEN_AT - timedelta(hours=2), OPEN_AT - timedelta(hours=1))
    worker_env.execute("DELETE FROM bar_minute; UPDATE contract SET coverage = '{}'")
    with autocommit(worker_env.ledger.engine) as connection:
        for span in (Span(time_of(int(made.seconds[0])), hole.start), Span(hole.end, OPEN_AT)):
            bars.store(connection, MNQ, made.within(span), OPEN_AT)
        complete = (Span(time_of(int(made.seconds[0])), hole.start), Span(hole.end, OPEN_AT))
        bar_coverage.write(connection, MNQ, BarCoverage(complete))
    found = operator(*WORDS, "--contract", "MNQ", "--since", "2026-03-06", "--json").json

    assert (MNQ, 0) == (found["contract"], found["too_few_bars_count"])
    assert datetime.fromisoformat(found["until_market_at"]) - OPEN_AT < MINUTE
    assert "2026-03-06" == found["days"][0]["trading_day"]
    assert ["Gaps: 60 minutes"] == [one[:16] for one in found["warnings"]]
