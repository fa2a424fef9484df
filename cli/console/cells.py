"""The text and the colour of a table's cells: by the type of a value and the name of its column."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from cli.console.escape import escape_text
from shared.clock import machine_now
from shared.domain.accounts.account_name import shorten_account
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.market_data.price_text import format_price_of

SHORT_ID = 8
_MOST_OF_MONEY = 4  # decimals: no tick is worth a smaller part of a dollar
_NUMBERS = (int, float, Decimal)
_HEADINGS = {"account_name": "account", "average_fill_price": "fill price"}
_ACCOUNTS = frozenset({"account", "account_name"})
_OF_PEOPLE = frozenset({"note", "tags"})  # as they were typed
_MONEY = frozenset({
    "allowance", "amount", "average_loss", "average_mae", "average_mfe", "average_win", "balance", "commissions",
    "costs", "equity", "expectancy", "fees", "gross", "gross_pnl", "headroom", "mae", "max_drawdown", "mfe", "net",
    "open_profit", "result", "result_today", "used",
})  # fmt: skip
_PRICES = frozenset({
    "ask", "average", "average_fill_price", "average_price", "bid", "close", "close_after", "close_before",
    "entry_price", "exit_price", "high", "last", "limit_price", "low", "minute_high", "minute_low", "minute_open",
    "open", "price", "stop_price",
})  # fmt: skip
_SIGNED = frozenset(["amount", "gross", "gross_pnl", "headroom", "net", "open_profit", "result", "result_today"])
_STYLES = {
    "green": "BUY FILLED LONG accepted fine ready running succeeded",
    "red": "REJECTED SELL SHORT dead failed refused wrong",
    "yellow": "DENIED IN_DOUBT check expired restarting unresponsive warning",
    "cyan": "WORKING queued SUBMITTING",
    "dim": "CANCELLED EXPIRED cancelled stopped SUSPENDED",
}
_STYLE_OF = {word: style for style, words in _STYLES.items() for word in words.split()}


def heading_of(column: str) -> str:
    """Return a column's heading; that of an instant of market time says so."""
    if column in _HEADINGS:
        return _HEADINGS[column]
    for ending, clock in (("_market_at", " market"), ("_at", "")):
        if column.endswith(ending):
            return column.removesuffix(ending).replace("_", " ") + clock
    return column.removesuffix("_id").replace("_", " ")


def is_account_column(column: str) -> bool:
    """Whether a column holds names of accounts."""
    return column in _ACCOUNTS


def is_number_column(values: Sequence[object]) -> bool:
    """Whether a column holds numbers alone, and at least one."""
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in present)


def format_column(column: str, rows: Sequence[Mapping[str, Any]], *, is_wide: bool) -> list[str]:
    """Return the text of each cell of a column.

    A price has the decimals of the contract of its row. Other decimals have as many places as the longest, two if it
    has any; money has at least two. With `is_wide` ids, contracts and accounts are whole.
    """
    values = [row.get(column) for row in rows]
    places = 2 if column in _MONEY else 0
    decimals = [value for value in values if isinstance(value, Decimal) and value.is_finite()]
    if column in _MONEY:
        decimals = [round(value, _MOST_OF_MONEY) for value in decimals]
    if decimals:
        exponents = [-int(value.normalize().as_tuple().exponent) for value in decimals]
        places = max(places, *exponents, 0)
        places = max(places, 2) if places else 0
    contracts = [_contract_of(row) if column in _PRICES else None for row in rows]
    return [
        format_price_of(contract, value)
        if contract is not None and isinstance(value, Decimal)
        else _format(column, value, places, is_wide=is_wide)
        for contract, value in zip(contracts, values, strict=True)
    ]


def style_of(column: str, value: object) -> str:
    """Return the colour of a cell: of a side, a state or a result; empty for none."""
    if column in _SIGNED and isinstance(value, Decimal):
        return "green" if value > 0 else "red" if value < 0 else ""
    return _STYLE_OF.get(value, "") if isinstance(value, str) else ""


def _contract_of(row: Mapping[str, Any]) -> str | None:
    found = row.get("contract_id") or row.get("contract")
    return found if isinstance(found, str) else None


def _format(  # noqa: C901, PLR0911  # one case per type
    column: str, value: object, places: int, *, is_wide: bool
) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case UUID():
            return str(value) if is_wide else str(value)[-SHORT_ID:]
        case datetime():
            is_this_year = value.year == machine_now().year
            return f"{value:%m-%d %H:%M:%S}" if is_this_year else f"{value:%Y-%m-%d %H:%M}"
        case timedelta():
            return str(value).partition(".")[0]
        case Decimal():
            return f"{value:.{places}f}"
        case date():
            return value.isoformat()
        case list() | tuple():
            return escape_text(", ".join(map(str, value)))
        case str() if column == "error":
            line = escape_text(value.strip().splitlines()[-1]) if value.strip() else ""
            return line if is_wide else shorten_contracts(line)
        case str():
            line = escape_text(" ".join(value.split()))
            if is_wide:
                return line
            if column in _OF_PEOPLE:
                return line
            return shorten_account(line) if column in _ACCOUNTS else shorten_contracts(line)
    return str(value)
