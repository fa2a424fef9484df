"""`tickwork orders`: positions, orders and fills; cancel and modify."""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.change_check import confirm
from cli.client.entry_seat_belts import confirm_price
from cli.client.job_client import open_client, wait_option
from cli.client.lookup import find_order, list_exit_contracts, require_tick_multiple, resolve_account, resolve_accounts
from cli.client.order_changes import OrderChangeRequest, apply_changes, require_open_orders
from cli.client.order_text import describe_order, describe_terms
from cli.client.stack import connect
from cli.commands import order_entry
from cli.console.groups import CommandGroup
from cli.console.list_options import echo_note, list_options
from cli.console.output import describe_none, print_json
from cli.console.params import OrderIdType, PriceType, account_option, json_option, yes_option
from cli.console.table import Table
from shared.db import views
from shared.db.market_data import contracts
from shared.db.orders import orders, positions
from shared.db.orders.external_orders import list_protecting
from shared.db.orders.orders import OrderRow
from shared.domain.counting import count_of
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.orders.order import PRICE_FIELDS, ChangeKind, OrderState, Role
from shared.errors import RefusedError, SettingsError
from shared.overview.alarms import list_alarms

_COLUMNS = ("id", "created_at", "account_name", "contract_id", "role", "side", "quantity", "type", "state", "price",
            "average_fill_price", "stop_price", "limit_price", "origin", "reason")  # fmt: skip
_SPARE = ("origin", "average_fill_price", "limit_price", "stop_price", "type", "account_name", "created_at", "role")
ORDERS = Table("Orders", _COLUMNS, spare=_SPARE, is_list=True)
RELATED = Table("Related orders", _COLUMNS, spare=_SPARE)
FILLS = Table(
    "Fills",
    (
        "filled_market_at",
        "account_name",
        "contract_id",
        "side",
        "quantity",
        "price",
        "gross_pnl",
        "fees",
        "commissions",
    ),
    spare=("account_name", "commissions", "fees"),
)
POSITIONS = Table(
    "Positions", ("account_name", "contract_id", "direction", "quantity", "average_price", "opened_market_at")
)
CHANGES = Table(
    "Change requests",
    ("created_at", "kind", "quantity", "limit_price", "stop_price", "state", "outcome", "origin", "reason"),
    spare=("origin", "outcome", "limit_price", "created_at"),
)

_ASKED_ABOUT = 5  # of the orders of a confirmation
_LEGS = {Role.STOP_LOSS, Role.TAKE_PROFIT}
_dry_run_option = click.option("--dry-run", is_flag=True, help="Show the requests; send nothing.")


@click.group(name="orders", cls=CommandGroup, invoke_without_command=True)
@click.option("--account", "account_word", metavar="ACCOUNT", help="Only this account, by id or name; default: all.")
@click.option("--state", type=click.Choice([state.value for state in OrderState]), help="Only orders in this state.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Most orders and fills to list."
)
@json_option
@list_options
@click.pass_context
def command(ctx: click.Context, account_word: str | None, state: str | None, limit: int, *, as_json: bool) -> None:
    """List positions, orders and fills. Newest first; the subcommands enter, cancel and modify orders."""
    if ctx.invoked_subcommand is not None:
        if account_word is not None:  # else the subcommand would be about another account, or all
            raise click.UsageError(_describe_misplaced(ctx.invoked_subcommand, account_word))
        return
    with connect() as connection:
        account_id = None if account_word is None else resolve_account(connection, account_word).id
        found = views.list_orders(connection, state=state, limit=limit, account_id=account_id)
        fills = views.list_fills(connection, limit=limit, account_id=account_id)
        held = views.list_positions(connection, account_id=account_id)
        alarms = list_alarms(connection)
    if as_json:
        print_json({"positions": held, "orders": found, "fills": fills, "alarms": alarms})
        return
    for alarm in alarms:
        echo_note(alarm.message)
    POSITIONS.print(held, empty="Flat: no open position.")
    ORDERS.print(list(map(_with_price, found)), empty=describe_none("orders", account=account_word, state=state))
    FILLS.print(fills, empty="No fills.")


def _describe_misplaced(subcommand: str, account_word: str) -> str:
    has_account = any("--account" in param.opts for param in command.commands[subcommand].params)
    if has_account:
        return f"give --account {account_word} after `orders {subcommand}`"
    return f"leave --account {account_word} out: the id that `orders {subcommand}` takes names the account"


for _command in order_entry.COMMANDS:
    command.add_command(_command)


@command.command("show")
@click.argument("digits", metavar="ID", type=OrderIdType())
@json_option
def show(digits: str, *, as_json: bool) -> None:
    """Show an order in full. Print its legs, change requests and fills."""
    with connect() as connection:
        found = views.read_order(connection, find_order(connection, digits).id)
    if as_json:
        print_json(found | {"order": found["order"][0]})
        return
    order = found["order"][0]
    click.echo(f"{order['role']} {order['id']} of {order['account_name']}: {describe_order(order)}")
    for name in ("reason", "origin", "venue_order_id", "client_order_id", "stop_loss_ticks", "take_profit_ticks",
                 "breakeven_ticks", "trail_ticks", "correlation_id"):  # fmt: skip
        if order[name] is not None:
            value = shorten_contracts(order[name]) if name == "reason" else order[name]
            click.echo(f"  {name.replace('_', ' '):18} {value}")
    for title in ("entry", "legs"):
        if found[title]:
            RELATED.print(list(map(_with_price, found[title])), empty="", title=title.capitalize())
    changes = [row | {"contract_id": order["contract_id"]} for row in found["changes"]]
    CHANGES.print(changes, empty="No change requests.")
    FILLS.print(found["fills"], empty="No fills.")


@command.command("cancel")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=OrderIdType())
@click.option("--all", "is_all", is_flag=True, help="Cancel every order, except stops and targets of open positions.")
@click.option("--contract", "symbol", metavar="SYMBOL", help="With --all: only orders in this contract.")
@account_option
@_dry_run_option
@wait_option
@yes_option
@json_option
def cancel(
    ids: tuple[str, ...],
    symbol: str | None,
    account_word: str | None,
    wait_s: float,
    *,
    is_all: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Cancel orders by id, or all. Allowed during a halt and while the market is closed.

    With --all it asks for confirmation.
    """
    if bool(ids) == is_all or (not is_all and (symbol or account_word)):
        raise SettingsError(
            "choose the orders: `orders cancel ID...`, or `orders cancel --all [--contract SYMBOL] [--account A]`"
        )
    with open_client() as client:
        with client.connect() as connection:
            if is_all:
                found = _list_cancellable(connection, account_word, symbol)
            else:
                found = list({one.id: one for one in (find_order(connection, digits) for digits in ids)}.values())
        changes = [OrderChangeRequest(order, ChangeKind.CANCEL) for order in found]
        require_open_orders(changes)
        if is_all and found and not (dry_run or yes):
            confirm(_describe_cancels(found), "cancel them", as_json=as_json)
        apply_changes(client, changes, "cancelled", wait_s, dry_run=dry_run, as_json=as_json)


@command.command("modify")
@click.argument("digits", metavar="ID", type=OrderIdType())
@click.option("--quantity", type=click.IntRange(min=1), help="New total quantity, filled contracts included.")
@click.option("--limit", "limit_price", type=PriceType(), metavar="PRICE", help="New limit price.")
@click.option("--stop", "stop_price", type=PriceType(), metavar="PRICE", help="New stop price.")
@_dry_run_option
@wait_option
@yes_option
@json_option
def modify(
    digits: str,
    quantity: int | None,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    wait_s: float,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Change the quantity or the price of a working order. A price far from the market asks for confirmation."""
    if quantity is None and limit_price is None and stop_price is None:
        raise SettingsError("nothing to change: give --quantity N, --limit PRICE or --stop PRICE")
    with open_client() as client:
        with client.connect() as connection:
            order = find_order(connection, digits)
            contract = contracts.require(connection, order.contract_id)
        change = OrderChangeRequest(order, ChangeKind.MODIFY, quantity, limit_price, stop_price)
        require_open_orders([change])
        for name, price in (("limit_price", limit_price), ("stop_price", stop_price)):
            if price is not None and PRICE_FIELDS.get(order.type) != name:
                raise RefusedError(f"order {order.id} is a {order.type} order: it has no {name} to set to {price}")
            require_tick_multiple(f"--{name.partition('_')[0]}", price, contract)
            if price is not None and order.role not in _LEGS and not dry_run:
                confirm_price(client.settings, order, price, yes=yes, as_json=as_json)
        if quantity is not None and quantity <= order.filled_quantity:
            raise RefusedError(
                f"invalid --quantity '{quantity}': {order.filled_quantity} of order {order.id} are already filled"
            )
        if quantity is not None and quantity > order.quantity and order.role not in _LEGS:
            raise RefusedError(
                f"invalid --quantity '{quantity}': the pre-trade checks allowed {order.quantity} for order {order.id}; "
                "enter the rest as a new order, such as `tickwork orders limit`"
            )
        apply_changes(client, [change], "modified", wait_s, dry_run=dry_run, as_json=as_json)


def _list_cancellable(connection: Connection, account_word: str | None, symbol: str | None) -> list[OrderRow]:
    """Return every open order, without suspended ones and without the stops and targets of open positions."""
    chosen = resolve_accounts(connection, account_word)
    ids = [one.id for one in chosen]
    named = None if symbol is None else {one.id for one in list_exit_contracts(connection, ids, symbol)}
    held = {(row.account_id, row.contract_id): row.quantity for row in positions.list_in_accounts(connection, ids)}
    found = [order for account_id in ids for order in orders.list_open(connection, account_id)]
    protecting = {
        order_id
        for key, quantity in held.items()
        for order_id in list_protecting([one for one in found if (one.account_id, one.contract_id) == key], quantity)
    }
    return [
        order
        for order in found
        if (named is None or order.contract_id in named)
        and order.state is not OrderState.SUSPENDED
        and order.id not in protecting
        and not (order.role in _LEGS and (order.account_id, order.contract_id) in held)
    ]


def _describe_cancels(found: Sequence[OrderRow]) -> str:
    told = ", ".join(describe_terms(asdict(one)) for one in found[:_ASKED_ABOUT])
    more = f" and {len(found) - _ASKED_ABOUT} more" if len(found) > _ASKED_ABOUT else ""
    accounts = ", ".join(str(one) for one in sorted({one.account_id for one in found}))
    return f"Cancel {count_of(len(found), 'order')} of account {accounts}: {told}{more}?"


def _with_price(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with the price that matters: that of its fills, else its stop or its limit."""
    prices = (row[name] for name in ("average_fill_price", "stop_price", "limit_price"))
    return row | {"price": next((price for price in prices if price is not None), None)}
