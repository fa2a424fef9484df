"""`tickwork orders`: orders, fills and positions."""

import click

from cli.output import print_json, print_table
from cli.stack import connect
from shared.db import views
from shared.domain.order import OrderState

_ORDERS = (
    "intended_at",
    "contract_id",
    "role",
    "side",
    "quantity",
    "type",
    "state",
    "average_fill_price",
    "stop_price",
    "limit_price",
    "origin",
    "reason",
)
_FILLS = ("filled_market_at", "contract_id", "side", "quantity", "price", "gross_pnl", "fees", "commissions")
_POSITIONS = ("account_name", "contract_id", "direction", "quantity", "average_price", "opened_market_at")


@click.command(name="orders")
@click.option("--state", type=click.Choice([state.value for state in OrderState]), help="Only orders in this state.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(state: str | None, limit: int, *, as_json: bool) -> None:
    """List positions, orders and fills, newest first."""
    with connect() as connection:
        orders = views.orders_of(connection, state=state, limit=limit)
        fills = views.fills(connection, limit=limit)
        positions = views.positions(connection)
    if as_json:
        print_json({"positions": positions, "orders": orders, "fills": fills})
        return
    print_table("Positions", positions, _POSITIONS, empty="Flat: no open position.")
    print_table("Orders", orders, _ORDERS, empty="No such orders.")
    print_table("Fills (market time)", fills, _FILLS, empty="No fills.")
