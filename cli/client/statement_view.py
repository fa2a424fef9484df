"""A monthly statement as CSV for a spreadsheet, and as one HTML page to read or print."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Any

from cli.console.escape import escape_formula
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.price_text import format_price_of
from shared.domain.trades.statement import StatementLine

COLUMNS = (
    "trading_day", "closed_market_at", "trade", "contract", "direction", "quantity", "entry_price", "exit_price",
    "gross", "fees", "commissions", "net", "strategy", "tags", "note",
)  # fmt: skip
DAY_COLUMNS = ("trading_day", "trades", "gross", "fees", "commissions", "net")
_PRICES = {"entry_price", "exit_price"}
_TEXTS = {"strategy", "tags", "note"}
_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0 2em; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25em .6em; border-bottom: 1px solid #ccc; text-align: left; }
td.number, th.number { text-align: right; } tr.total { font-weight: bold; border-top: 2px solid #333; }
""".strip()


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of an account for one month; balances are None where no ended trading day has them."""

    account_id: int
    account_name: str
    month: date
    trades: Sequence[dict[str, Any]]
    days: Sequence[StatementLine]
    total: StatementLine
    opening_balance: Decimal | None
    closing_balance: Decimal | None
    moved: Decimal
    pending_count: int

    @property
    def balances(self) -> dict[str, Decimal | None]:
        """The balances of the month, and what the firm moved: payouts below zero, deposits above."""
        return {
            "opening balance": self.opening_balance,
            "closing balance": self.closing_balance,
            "payouts and deposits": self.moved,
        }


def to_csv(statement: Statement) -> str:
    """Return one line for each trade, amounts with two decimals; the sums are left to the spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in statement.trades:
        writer.writerow([_to_cell(name, row) for name in COLUMNS])
    return text.getvalue()


def to_html(statement: Statement) -> str:
    """Return one page with the sums of each day, the sum of the month, and every trade."""
    title = f"Statement {statement.month:%Y-%m}: {statement.account_name} ({statement.account_id})"
    days = [to_day_row(line) for line in (*statement.days, statement.total)]
    balances = "".join(f"<li>{name}: {format_value(value)}</li>" for name, value in statement.balances.items())
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n"
        "<p>Dollars. A trade counts on the trading day of its close (from 17:00 in Chicago on the evening before); "
        "times are UTC. Positions still open are not in it. This is a record of Tickwork and no document of the firm: "
        f"compare it with the firm's.</p>\n<ul>{balances}</ul>\n"
        f"<h2>By day</h2>\n{_table(DAY_COLUMNS, days, has_total=True)}\n"
        f"<h2>Trades</h2>\n{_table(COLUMNS, statement.trades, has_total=False)}\n</body>\n</html>\n"
    )


def to_day_row(line: StatementLine) -> dict[str, Any]:
    """Return a line by the names of DAY_COLUMNS."""
    return {
        "trading_day": line.trading_day or "total",
        "trades": line.count,
        "gross": line.gross,
        "fees": line.fees,
        "commissions": line.commissions,
        "net": line.net,
    }


def format_value(value: object) -> str:
    """Return a value as text: an amount with at least two decimals, an instant to the second."""
    match value:
        case None:
            return "-"
        case Decimal():
            plain = value.normalize()
            exponent = plain.as_tuple().exponent
            has_cents = isinstance(exponent, int) and exponent < -2  # noqa: PLR2004  # more than cents
            return f"{plain:f}" if has_cents else f"{value:.2f}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def _to_cell(name: str, row: Mapping[str, Any]) -> str:
    """Return a cell of the CSV; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    value = row[name]
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else _format_of(row, name)
    return escape_formula(text) if name in _TEXTS else text


def _format_of(row: Mapping[str, Any], name: str) -> str:
    """Return a value of a row as text; a price has the decimals of its contract."""
    value = row[name]
    is_price = name in _PRICES and isinstance(value, Decimal)
    return format_price_of(row["contract"], value) if is_price else format_value(value)


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, has_total: bool) -> str:
    numbers = {name for name in columns if all(isinstance(row[name], int | Decimal | None) for row in rows)}
    head = "".join(_cell("th", name.replace("_", " "), is_number=name in numbers) for name in columns)
    body = [
        "".join(_cell("td", shorten_contract(_format_of(row, name)), is_number=name in numbers) for name in columns)
        for row in rows
    ]
    lines = [f"<tr>{line}</tr>" for line in body]
    if has_total:
        lines[-1] = lines[-1].replace("<tr>", '<tr class="total">')
    return f"<table>\n<tr>{head}</tr>\n" + "\n".join(lines) + "\n</table>"


def _cell(tag: str, text: str, *, is_number: bool) -> str:
    kind = ' class="number"' if is_number else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"
