"""`tickwork orders`: what was sent, filled and is working, and what a person asks of it."""

from decimal import Decimal
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.job_client import open_client, wait_option
from cli.client.lookup import concerned_contract, need_tick, one_order, short_id, some_accounts
from cli.client.order_changes import OrderChangeRequest, carry_out, refuse_ended
from cli.client.risk_view import alarms
from cli.client.stack import connect
from cli.commands import order_entry
from cli.commands.order_entry import sentence
from cli.console.output import print_json, print_table
from cli.console.params import OrderIdType, PriceType, account_option
from shared.db import views
from shared.db.market_data import contracts
from shared.db.orders import orders, positions
from shared.db.orders.orders import OrderRow
from shared.domain.orders.order import ChangeKind, OrderState, OrderType, Role
from shared.errors import RefusedError, SettingsError

_ORDERS = (
    "id",
    "created_at",
    "account",
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
_CHANGES = ("created_at", "kind", "quantity", "limit_price", "stop_price", "state", "outcome", "origin", "reason")
_PRICE_OF = {"limit_price": {OrderType.LIMIT}, "stop_price": {OrderType.STOP}}
_LEGS = {Role.STOP_LOSS, Role.TAKE_PROFIT}
_as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be sent; send nothing.")


@click.group(name="orders", invoke_without_command=True)
@click.option("--state", type=click.Choice([state.value for state in OrderState]), help="Only orders in this state.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@_as_json
@click.pass_context
def command(ctx: click.Context, state: str | None, limit: int, *, as_json: bool) -> None:
    """List positions, orders and fills, newest first; with a verb, enter, cancel or modify."""
    if ctx.invoked_subcommand is not None:
        return
    with connect() as connection:
        found = views.orders_of(connection, state=state, limit=limit)
        fills = views.fills(connection, limit=limit)
        held = views.positions(connection)
        warned = alarms(connection)
    if as_json:
        print_json({"positions": held, "orders": found, "fills": fills, "alarms": warned})
        return
    for line in warned:
        click.echo(line)
    print_table("Positions", held, _POSITIONS, empty="Flat: no open position.")
    print_table("Orders", [_listed(row) for row in found], _ORDERS, empty="No such orders.")
    print_table("Fills (market time)", fills, _FILLS, empty="No fills.")


for _command in order_entry.COMMANDS:
    command.add_command(_command)


@command.command("show")
@click.argument("digits", metavar="ID", type=OrderIdType())
@_as_json
def show(digits: str, *, as_json: bool) -> None:
    """Show an order, its legs, what was asked of it, and its fills."""
    with connect() as connection:
        found = views.one_order(connection, one_order(connection, digits).id)
    if as_json:
        print_json(found | {"order": found["order"][0]})
        return
    order = found["order"][0]
    click.echo(f"{order['role']} {order['id']} of {order['account_name']}: {sentence(order)}")
    for name in ("reason", "origin", "venue_order_id", "client_order_id", "stop_loss_ticks", "take_profit_ticks",
                 "breakeven_ticks", "trail_ticks", "correlation_id"):  # fmt: skip
        if order[name] is not None:
            click.echo(f"  {name.replace('_', ' '):18} {order[name]}")
    for title in ("entry", "legs"):
        if found[title]:
            rows = [_listed(row) for row in found[title]]
            print_table({"entry": "Its entry", "legs": "Its legs"}[title], rows, _ORDERS, empty="")
    print_table("Changes asked of it", found["changes"], _CHANGES, empty="No change was asked of it.")
    print_table("Its fills (market time)", found["fills"], _FILLS, empty="No fills.")


@command.command("cancel")
@click.argument("ids", metavar="ID...", nargs=-1, type=OrderIdType())
@click.option("--all", "is_all", is_flag=True, help="Every order but the stops and targets of what is held.")
@click.option("--contract", "symbol", metavar="SYMBOL", help="With --all: only of this contract.")
@account_option
@_dry_run
@wait_option
@_as_json
def cancel(
    ids: tuple[str, ...],
    symbol: str | None,
    account_word: str | None,
    wait_s: float,
    *,
    is_all: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Cancel orders, by id or all; halts and closed markets do not matter."""
    if bool(ids) == is_all or (not is_all and (symbol or account_word)):
        raise SettingsError(
            "say which: `orders cancel ID...`, or `orders cancel --all [--contract SYMBOL] [--account A]`"
        )
    with open_client() as client:
        with client.connect() as connection:
            if is_all:
                found = _every(connection, account_word, symbol)
            else:
                found = list({one.id: one for one in (one_order(connection, digits) for digits in ids)}.values())
        changes = [OrderChangeRequest(order, ChangeKind.CANCEL) for order in found]
        refuse_ended(changes)
        carry_out(client, changes, "cancelled", wait_s, dry_run=dry_run, as_json=as_json)


@command.command("modify")
@click.argument("digits", metavar="ID", type=OrderIdType())
@click.option("--quantity", type=click.IntRange(min=1), help="How many contracts in all, with those filled.")
@click.option("--limit", "limit_price", type=PriceType(), metavar="PRICE", help="Another limit price.")
@click.option("--stop", "stop_price", type=PriceType(), metavar="PRICE", help="Another stop price.")
@_dry_run
@wait_option
@_as_json
def modify(
    digits: str,
    quantity: int | None,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    wait_s: float,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Change the size or the price of a working order."""
    if quantity is None and limit_price is None and stop_price is None:
        raise SettingsError("say what is to change: --quantity N, --limit PRICE or --stop PRICE")
    with open_client() as client:
        with client.connect() as connection:
            order = one_order(connection, digits)
            contract = contracts.require(connection, order.contract_id)
        change = OrderChangeRequest(order, ChangeKind.MODIFY, quantity, limit_price, stop_price)
        refuse_ended([change])
        for name, price in (("limit_price", limit_price), ("stop_price", stop_price)):
            if price is not None and order.type not in _PRICE_OF[name]:
                raise RefusedError(f"order {order.id} is a {order.type}, which has no {name} to set to {price}")
            need_tick(f"--{name.partition('_')[0]}", price, contract)
        if quantity is not None and quantity <= order.filled_quantity:
            raise RefusedError(
                f"{order.filled_quantity} of order {order.id} are filled: --quantity {quantity} is too few"
            )
        if quantity is not None and quantity > order.quantity and order.role not in _LEGS:
            raise RefusedError(
                f"order {order.id} was judged with {order.quantity} contracts: place another for the rest, which risk "
                "judges, as `tickwork orders market, limit, stop` do"
            )
        carry_out(client, [change], "modified", wait_s, dry_run=dry_run, as_json=as_json)


def _every(connection: Connection, account_word: str | None, symbol: str | None) -> list[OrderRow]:
    """Return every open order but the legs that protect what is held, or will."""
    chosen = some_accounts(connection, account_word)
    ids = [one.id for one in chosen]
    contract = None if symbol is None else concerned_contract(connection, ids, symbol).id
    held = {(row.account_id, row.contract_id) for row in positions.in_accounts(connection, ids)}
    found = [order for account_id in ids for order in orders.open_of(connection, account_id)]
    return [
        order
        for order in found
        if contract in {None, order.contract_id}
        and order.state is not OrderState.SUSPENDED
        and not (order.role in _LEGS and (order.account_id, order.contract_id) in held)
    ]


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"id": short_id(row["id"]), "account": row["account_name"]}
