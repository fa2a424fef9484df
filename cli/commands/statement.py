"""`tickwork statement`: the trades of one month of an account, with their fees."""

from datetime import date
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.lookup import resolve_account
from cli.client.stack import connect
from cli.client.statement_view import DAY_COLUMNS, Statement, format_value, to_csv, to_day_row, to_html
from cli.commands.trade_notes import trade_id_of
from cli.console.output import print_json
from cli.console.params import account_option
from cli.console.table import Table
from shared.db.accounts.account_days import read_month
from shared.db.accounts.accounts import AccountRow
from shared.db.trades import round_trips, trade_notes
from shared.db.trades.booking import book_newest
from shared.db.trades.round_trips import RoundTripFilter
from shared.domain.counting import count_of
from shared.domain.market_data.calendar import trading_day_at
from shared.domain.trades.statement import lines_by_day, month_span, next_month, parse_month, total_of
from shared.domain.trades.statistics import TripResult, label_of

_MOST = 1_000_000
DAYS = Table("Statement", DAY_COLUMNS, spare=("commissions", "fees"))


class _Month(click.ParamType[date]):
    """A month."""

    name = "month"
    expected = "a month such as 2026-11"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return its first day; fail for what is no month."""
        try:
            return parse_month(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("statement")
@click.argument("month", type=_Month())
@account_option
@click.option(
    "--format", "kind", type=click.Choice(["table", "csv", "html", "json"]), default="table", show_default=True,
    help="csv has a line for each trade, html is one page to print.",
)  # fmt: skip
def command(month: date, account_word: str | None, kind: str) -> None:
    """Show the trades of a month, with their fees.

    MONTH is one such as 2026-11. A trade counts in the month of the trading day of its close. The sums are those of
    `tickwork trades`, to the cent; positions still open are not in them. It is a record of this installation and no
    document of the firm.
    """
    with connect() as connection:
        book_newest(connection)
        statement = _read_statement(connection, resolve_account(connection, account_word), month)
    if statement.pending_count:
        click.echo(
            f"tickwork: fills of {count_of(statement.pending_count, 'contract')} are not booked yet: another session "
            "holds them up; repeat this in a minute",
            err=True,
        )
    if kind == "csv":
        click.echo(to_csv(statement), nl=False)
    elif kind == "html":
        click.echo(to_html(statement), nl=False)
    elif kind == "json":
        print_json(_to_json(statement))
    else:
        _print_statement(statement)


def _read_statement(connection: Connection, account: AccountRow, month: date) -> Statement:
    since, until = month_span(month)
    wanted = RoundTripFilter(account_id=account.id, since_market_at=since, until_market_at=until)
    rows = trade_notes.add_notes(connection, round_trips.list_page(connection, wanted, limit=_MOST))
    results = [TripResult(**{name: row[name] for name in TripResult.__dataclass_fields__}) for row in rows]
    balances = read_month(connection, account.id, month, next_month(month))
    return Statement(
        account_id=account.id,
        account_name=account.name,
        month=month,
        trades=[_to_trade(row) for row in reversed(rows)],
        days=lines_by_day(results),
        total=total_of(results),
        opening_balance=balances.opening,
        closing_balance=balances.closing,
        moved=balances.moved,
        pending_count=round_trips.count_due(connection, account.id),
    )


def _to_trade(row: dict[str, Any]) -> dict[str, Any]:
    shown = ("closed_market_at", "direction", "quantity", "entry_price", "exit_price", "gross", "fees", "commissions")
    return {name: row[name] for name in (*shown, "net", "note")} | {
        "trading_day": trading_day_at(row["closed_market_at"]),
        "trade": trade_id_of(row["opening_fill_id"], row["part"]),
        "contract": row["contract_id"],
        "strategy": label_of(row["strategy"], row["origin"]),
        "tags": ", ".join(row["tags"]),
    }


def _to_json(statement: Statement) -> dict[str, Any]:
    return {
        "account": statement.account_id,
        "month": f"{statement.month:%Y-%m}",
        "opening_balance": statement.opening_balance,
        "closing_balance": statement.closing_balance,
        "moved": statement.moved,
        "days": [to_day_row(one) | {"trading_day": str(one.trading_day)} for one in statement.days],
        "total": {name: value for name, value in to_day_row(statement.total).items() if name != "trading_day"},
        "trades": [row | {"trading_day": str(row["trading_day"])} for row in statement.trades],
    }


def _print_statement(statement: Statement) -> None:
    title = f"Statement {statement.month:%Y-%m} of {statement.account_name} ({statement.account_id}), in dollars"
    rows = [to_day_row(line) for line in (*statement.days, statement.total)]
    DAYS.print(rows if statement.days else [], empty=f"{title}: no trade was closed.", title=title)
    for name, value in statement.balances.items():
        click.echo(f"{name}: {format_value(value)}")
