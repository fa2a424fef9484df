"""The open positions as commands show them: price, open profit, stops and how they were proven."""

from typing import Any

from sqlalchemy import Connection

from shared.config import Settings
from shared.db import views
from shared.db.accounts import accounts
from shared.db.market_data import contracts
from shared.db.orders import positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.stops import list_external, list_working
from shared.domain.market_data.price_text import format_price_of
from shared.domain.orders.order import direction_of
from shared.domain.risk.account_risk import Holding, open_profit
from shared.hot.quotes import exit_price_from
from shared.overview.risk_view import read_fresh_quotes


def list_positions(connection: Connection, settings: Settings) -> list[dict[str, Any]]:
    """Return the open positions of all accounts; price and profit are None without a fresh quote."""
    known = accounts.list_all(connection)
    names = {one.id: one.name for one in known}
    held = positions.list_in_accounts(connection, list(names))
    quotes = read_fresh_quotes(settings, {row.contract_id for row in held})
    guards = views.read_guards(connection)
    rows = []
    for row in held:
        contract = contracts.require(connection, row.contract_id)
        price = exit_price_from(quotes)(row.contract_id, row.quantity)
        stops = [_to_stop(stop, is_external=False) for stop in list_working(connection, row)]
        stops += [_to_stop(stop, is_external=True) for stop in list_external(connection, row)]
        at, how = guards.get((row.account_id, row.contract_id), (None, None))
        profit = None
        if row.average_price is not None:
            profit = open_profit([Holding(contract.id, contract.root, row.quantity, row.average_price, price)])
        rows.append(
            {
                "account": names[row.account_id],
                "account_id": row.account_id,
                "contract": contract.id,
                "direction": direction_of(row.quantity),
                "quantity": abs(row.quantity),
                "average": row.average_price,
                "price": price,
                "open_profit": profit,
                "stops": stops,
                "guarded_at": at,
                "guarded_by": None if at is None else how,
                "opened_market_at": row.opened_market_at,
            }
        )
    return rows


def to_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `list_positions` for a table: its stops as text, and NONE or NOT PROVEN where there is none."""
    stops = [_describe_stop(row["contract"], stop) for stop in row["stops"]]
    return row | {"stop": ", ".join(stops) or "NONE", "guarded_by": row["guarded_by"] or "NOT PROVEN"}


def _describe_stop(contract_id: str, stop: dict[str, Any]) -> str:
    price = stop["stop_price"]
    at = "a price that the venue does not say" if price is None else format_price_of(contract_id, price)
    return f"{stop['quantity']} at {at}{', external' if stop['is_external'] else ''}"


def _to_stop(stop: OrderRow, *, is_external: bool) -> dict[str, Any]:
    return {
        "order_id": stop.id,
        "quantity": stop.quantity,
        "stop_price": stop.stop_price,
        "is_external": is_external,
    }
