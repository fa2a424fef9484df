"""`tickwork strategies backtest`: a strategy over stored bars, or over those of a file."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any, get_args

import click

from cli.client.backtest_bars import read_file, read_stored
from cli.client.backtest_view import list_figures, to_json, write_trades
from cli.commands.strategy_show import StrategyType
from cli.console.output import print_json
from cli.console.params import DayType, MoneyType, SymbolType, json_option
from cli.console.table import Table
from shared.domain.counting import count_of
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.symbol import Symbol
from shared.domain.risk.rule_book import PRESETS
from shared.domain.strategies.strategy import Strategy
from shared.errors import RefusedError
from strategies.backtest.engine import run_backtest
from strategies.backtest.report import report_of
from strategies.backtest.terms import BacktestTerms, Intrabar, usual_costs
from strategies.registry import strategy_named

FIGURES = Table("Backtest", ("figure", "value"))
_SILENT_FOR_S = 2.0
_DEFAULT_BALANCE = Decimal(50_000)


@click.command("backtest")
@click.argument("name", metavar="STRATEGY", type=StrategyType())
@click.option("--set", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the strategy.")
@click.option("--contract", "symbol", required=True, type=SymbolType(), help="MNQ or MNQZ26; of a file its month.")
@click.option("--since", type=DayType(), metavar="DATE", help="The first trading day; default: of the first bar.")
@click.option("--until", type=DayType(), metavar="DATE", help="The last trading day; default: of the newest bar.")
@click.option("--quantity", type=click.IntRange(1, 100), default=1, show_default=True,
              help="Contracts of an entry that names no size.")  # fmt: skip
@click.option("--balance", type=MoneyType(), help="At the start; default: that of the rules, else 50000.")
@click.option("--slippage", type=click.IntRange(0, 1000), default=0, show_default=True,
              help="Ticks by which market orders and stops fill worse.")  # fmt: skip
@click.option("--rules", type=click.Choice(list(PRESETS)), metavar="PRESET",
              help="The rules of the account, such as combine-50k; default: none.")  # fmt: skip
@click.option("--intrabar", type=click.Choice(get_args(Intrabar)), default="path", show_default=True,
              help="The order of prices within a minute: the simulator's path, or whichever leaves less.")  # fmt: skip
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Bars of this file instead, as `bars import` takes it; needs no stack.")  # fmt: skip
@click.option("--trades", "trades_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the trades to this new CSV file.")  # fmt: skip
@json_option
def backtest(
    name: str,
    parameters: tuple[str, ...],
    symbol: Symbol,
    since: date | None,
    until: date | None,
    *,
    rules: str | None,
    file: Path | None,
    trades_file: Path | None,
    as_json: bool,
    **terms: Any,  # noqa: ANN401 - the options that _terms_of takes
) -> None:
    """Run a strategy over one-minute bars, and show what it would have earned.

    It decides as in life on each closed bar; its orders fill by the rules of the simulator. Bars before --since are
    there for it to look back.
    """
    if since and until and since > until:
        raise click.UsageError(f"--since {since} is later than --until {until}: swap them")
    if trades_file is not None and trades_file.exists():
        raise RefusedError(f"{trades_file} is there already: choose a new file")
    strategy = _read_strategy(name, parameters)
    bars = read_file(file, symbol, since, until) if file else read_stored(symbol, since, until, _echo_progress)
    calendar = assumed_calendar_of(ROOTS[bars.contract.root].group)
    book = None if rules is None else PRESETS[rules]
    balance = terms["balance"]
    if balance is None:
        balance = _DEFAULT_BALANCE if book is None else book.starting_balance
    chosen = BacktestTerms(
        contract=bars.contract, calendar=calendar, costs=usual_costs(bars.contract.root, terms["slippage"]),
        quantity=terms["quantity"], balance=balance, rule_book=book, intrabar=terms["intrabar"], name=name,
    )  # fmt: skip
    report = report_of(run_backtest(strategy, bars.minutes, chosen, bars.span, _tell(bars.span)), bars.minutes, chosen)
    if trades_file is not None:
        write_trades(trades_file, report)
    if as_json:
        print_json(to_json(name, strategy, chosen, bars, report))
        return
    title = f"{name} on {shorten_contract(bars.contract.id)} {strategy.timeframe}"
    FIGURES.print(list_figures(chosen, bars, report), empty="", title=title)
    for warning in bars.warnings:
        click.echo(f"tickwork: {warning}", err=True)
    if trades_file is not None:
        click.echo(f"Wrote {count_of(len(report.trades), 'trade')} to {trades_file}.", err=True)


def _read_strategy(name: str, parameters: tuple[str, ...]) -> Strategy:
    pairs = [one.partition("=") for one in parameters]
    if wrong := next((one for one, (_, sign, _) in zip(parameters, pairs, strict=True) if not sign), None):
        raise click.UsageError(f"invalid --set {wrong!r}: expected NAME=VALUE, such as timeframe=5m")
    return strategy_named(name).read({key: value for key, _, value in pairs})


def _tell(span: Span) -> Callable[[datetime], None]:
    """Return what reports the progress of a long run on stderr."""
    reported_at = monotonic()

    def tell(market_at: datetime) -> None:
        nonlocal reported_at
        if monotonic() - reported_at >= _SILENT_FOR_S:
            reported_at = monotonic()
            done = max(0.0, (market_at - span.start) / span.duration)
            _echo_progress(f"{market_at:%Y-%m-%d}, {done:.0%}")

    return tell


def _echo_progress(text: str) -> None:
    click.echo(f"  {text}", err=True)
