"""A backtest's report as a table, as JSON, and its trades as CSV."""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from cli.client.backtest_bars import BacktestBars
from cli.console.new_file import open_new_file
from shared.domain.counting import count_of
from shared.domain.strategies.strategy import Strategy
from strategies.backtest.report import AccountOutcome, BacktestTrade, Report, Verdict
from strategies.backtest.terms import BacktestTerms

_TRADE_FIELDS = (
    "opened_market_at", "closed_market_at", "direction", "quantity", "entry_price", "exit_price", "gross", "fees",
    "commissions", "net", "mae", "mfe", "balance",
)  # fmt: skip


def to_json(name: str, strategy: Strategy, terms: BacktestTerms, bars: BacktestBars, report: Report) -> dict[str, Any]:
    """Return everything that is known of a backtest, for scripts."""
    costs, rules = terms.costs, terms.rule_book
    return {
        "strategy": name,
        "parameters": [{"name": key, "value": str(value)} for key, value in msgspec.structs.asdict(strategy).items()],
        "contract": terms.contract.id,
        "since_market_at": bars.span.start,
        "until_market_at": bars.span.end,
        "quantity": terms.quantity,
        "opening_balance": terms.balance,
        "closing_balance": report.balance,
        "held": report.held,
        "open_result": report.open_result,
        "fees_per_side": costs.fees,
        "commissions_per_side": costs.commissions,
        "slippage_ticks": costs.slippage_ticks,
        "latency_ms": round(costs.latency.total_seconds() * 1000),
        "intrabar": terms.intrabar,
        "rules": None if rules is None else rules.name,
        "outcome": None if report.outcome is None else asdict(report.outcome),
        "evaluation_count": report.evaluation_count,
        "too_few_bars_count": report.too_few_bars_count,
        "decision_count": report.decision_count,
        "entry_count": report.entry_count,
        "rejections": [{"rule": rule, "count": count} for rule, count in report.rejections.items()],
        "undecided_count": report.undecided_count,
        "statistics": asdict(report.statistics),
        "days": [{"trading_day": day, "net": net} for day, net in report.days],
        "trades": [_row_of(one) for one in report.trades],
        "warnings": bars.warnings,
    }


def list_figures(terms: BacktestTerms, bars: BacktestBars, report: Report) -> list[dict[str, Any]]:
    """Return the figures of a report as rows of a table, the most important first."""
    return [{"figure": name, "value": value} for name, value in _figures(terms, bars, report)]


def write_trades(file: Path, report: Report) -> None:
    """Write the trades to a new CSV file, oldest first; raise RefusedError if it is there already."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_TRADE_FIELDS)
    for one in report.trades:
        row = _row_of(one)
        row |= {name: row[name].isoformat() for name in ("opened_market_at", "closed_market_at")}
        writer.writerow([f"{value:f}" if hasattr(value, "as_tuple") else value for value in row.values()])
    with open_new_file(file) as target:
        target.write(text.getvalue().encode())


def _figures(terms: BacktestTerms, bars: BacktestBars, report: Report) -> Iterator[tuple[str, str | None]]:
    one, costs = report.statistics, terms.costs
    yield "from", f"{bars.span.start:%Y-%m-%d %H:%M} UTC"
    yield "to", f"{bars.span.end:%Y-%m-%d %H:%M} UTC"
    yield "net", f"{one.net:,.2f}"
    yield "balance", f"{terms.balance:,.2f} to {report.balance:,.2f}"
    if report.held:
        yield "still held", f"{report.held:+}, open result {report.open_result:,.2f}"
    if report.outcome is not None:
        yield "account", _describe_outcome(report.outcome)
    yield "trades", f"{one.count:,}"
    yield "win rate", None if one.win_rate is None else f"{100 * one.win_rate:.1f} %"
    yield "profit factor", None if one.profit_factor is None else f"{one.profit_factor:.2f}"
    for name in ("expectancy", "average_win", "average_loss", "average_mae", "average_mfe"):
        amount = getattr(one, name)
        yield name.replace("_", " "), None if amount is None else f"{amount:,.2f}"
    fall = one.max_drawdown
    low = f", low on {fall.to_market_at:%Y-%m-%d %H:%M}" if fall.to_market_at else ""
    yield "max drawdown", f"{fall.amount:,.2f}{low}"
    yield "trading days", f"{one.day_count:,}"
    yield "Sharpe ratio of a day", None if one.sharpe is None else f"{one.sharpe:.3f}"
    yield "Sortino ratio of a day", None if one.sortino is None else f"{one.sortino:.3f}"
    yield "gross", f"{one.gross:,.2f}"
    yield "fees and commissions", f"{one.fees + one.commissions:,.2f}, {costs.fees + costs.commissions} a side"
    few = f", too few bars for {report.too_few_bars_count:,}" if report.too_few_bars_count else ""
    yield "evaluations", f"{report.evaluation_count:,}{few}"
    yield "decisions", f"{report.decision_count:,}, {report.entry_count:,} entries filled"
    if report.rejections:
        yield "rejected", ", ".join(f"{count:,} by {rule}" for rule, count in report.rejections.items())
    yield "undecided minutes", f"{report.undecided_count:,}"


def _describe_outcome(outcome: AccountOutcome) -> str:
    words = {Verdict.PASSED: "passed", Verdict.BREACHED: "breached", Verdict.NEITHER: "neither passed nor breached"}
    when = f" on {outcome.day}" if outcome.day else ""
    locks = outcome.day_lock_count
    return f"{words[outcome.verdict]}{when}" + (f"; {count_of(locks, 'day')} ended by the daily limit" if locks else "")


def _row_of(trade: BacktestTrade) -> dict[str, Any]:
    trip, result = trade.trip, trade.result
    values = {name: getattr(trip, name) for name in _TRADE_FIELDS[:10]}
    return values | {"mae": result.mae, "mfe": result.mfe, "balance": trade.balance}
