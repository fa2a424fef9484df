"""`tickwork positions`: what is held, what guards it, and what a person asks of it."""

from decimal import Decimal
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.flatten import flatten, what_is_there
from cli.client.job_client import JobClient, open_client, wait_option
from cli.client.lookup import concerned_contract, one_account
from cli.client.order_changes import OrderChangeRequest, carry_out
from cli.client.risk_view import alarms, fresh_quotes
from cli.client.stack import begin, connect, settings_of_stack
from cli.console.output import print_json, print_table
from cli.console.params import account_option, ticks_or_none
from shared.config import Settings
from shared.db import views
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import contracts
from shared.db.orders import orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import ChangeKind, Direction, OrderState, OrderType, Role, Side
from shared.domain.risk.account_risk import Holding, open_profit
from shared.errors import RefusedError
from shared.hot.quotes import exit_price_by
from shared.ledger.jobs.orders import ReducePosition

_COLUMNS = ("account", "contract", "direction", "quantity", "average", "price", "open_profit", "stop", "guarded_by")
_as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done; send nothing.")


@click.group(name="positions", invoke_without_command=True)
@_as_json
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List what is held, its open profit by a fresh quote, and its stop; with a verb, close or guard it."""
    if ctx.invoked_subcommand is not None:
        return
    settings = settings_of_stack()
    with connect() as connection:
        rows = _listed(connection, settings)
        warned = alarms(connection)
    if as_json:
        print_json({"positions": rows, "alarms": warned})
        return
    for line in warned:
        click.echo(line)
    print_table("Positions", rows, _COLUMNS, empty="Flat: no open position.")
    if any(row["price"] is None for row in rows):
        click.echo("Without a fresh quote no open profit is shown: is the feed running? `tickwork status` tells.")


@command.command("close")
@click.argument("symbol")
@click.argument("quantity", type=click.IntRange(min=1), required=False)
@account_option
@_dry_run
@wait_option
@_as_json
def close(
    symbol: str, quantity: int | None, account_word: str | None, wait_s: float, *, dry_run: bool, as_json: bool
) -> None:
    """Close a position with everything that works there, or QUANTITY contracts of it: `positions close MNQ 1`."""
    with open_client() as client:
        with client.connect() as connection:
            account = one_account(connection, account_word)
            contract = concerned_contract(connection, [account.id], symbol)
            held = positions.quantity_of(connection, account.id, contract.id)
            found = what_is_there(connection, [account], contract.id)
        if quantity is not None:
            if quantity > abs(held):
                raise RefusedError(f"{account.name} holds {abs(held)} of {contract.id}: {quantity} cannot be closed")
            _reduce(client, account, contract, quantity, wait_s, dry_run=dry_run, as_json=as_json)
        elif dry_run:
            said = f"cancel and close all of {contract.id}: {found}"
            if as_json:
                print_json({"rehearsal": "nothing was sent", "would": said})
            else:
                click.echo(f"Nothing was sent: this is a rehearsal. It would {said}.")
        else:
            flatten(client, [account], contract.id, "closed by hand", wait_s, as_json=as_json)


def _reduce(
    client: JobClient,
    account: AccountRow,
    contract: Contract,
    quantity: int,
    wait_s: float,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    request = ReducePosition(account_id=account.id, contract_id=contract.id, quantity=quantity, is_dry_run=dry_run)
    with client.transaction() as tx:
        job_id = tx.enqueue(request).job_id
    ending = client.wait([job_id], wait_s, quiet=as_json)
    ending.demand_success()
    result = ending.result(job_id)
    with client.connect() as connection:
        left = positions.quantity_of(connection, account.id, contract.id)
    if as_json:
        print_json(result | ({} if dry_run else {"held_now": left}))
    elif dry_run:
        click.echo(
            f"Nothing was sent: this is a rehearsal. It would {result['side']} {result['quantity']} {contract.id}."
        )
    else:
        click.echo(f"Closed {result['quantity']} of {contract.id} ({result['side']}); held now: {left}.")


@command.command("breakeven")
@click.argument("symbol")
@account_option
@_dry_run
@wait_option
@_as_json
def breakeven(symbol: str, account_word: str | None, wait_s: float, *, dry_run: bool, as_json: bool) -> None:
    """Move the stop to the entry's average price: `positions breakeven MNQ`."""
    with open_client() as client:
        with client.connect() as connection:
            position, contract, stops = _guarded(connection, symbol, account_word)
        wanted = _nearest(position.average_price, contract)
        way = Side.BUY if position.quantity > 0 else Side.SELL
        quotes = fresh_quotes(client.settings, [contract.id])
        price = exit_price_by(quotes)(contract.id, position.quantity)
        if price is None:
            raise RefusedError(
                f"there is no fresh quote of {contract.id}, so nobody knows if {wanted} is passed already"
            )
        if (price - wanted) * way.sign <= 0:
            raise RefusedError(
                f"the market is through it: {contract.id} could be closed at {price}, and the entry's average is "
                f"{position.average_price} ({wanted} to the tick): a stop there would be filled at once"
            )
        better = [stop for stop in stops if ((stop.stop_price or wanted) - wanted) * way.sign > 0]
        if better:
            raise RefusedError(
                f"the stop at {better[0].stop_price} guards more than the entry's average {wanted} would: "
                f"`tickwork orders modify {better[0].id} --stop {wanted}` moves it back all the same"
            )
        changes = [
            OrderChangeRequest(stop, ChangeKind.MODIFY, stop_price=wanted)
            for stop in stops
            if stop.stop_price != wanted
        ]
        if changes or as_json or dry_run:
            carry_out(client, changes, "modified", wait_s, dry_run=dry_run, as_json=as_json)
        if not as_json and not dry_run:
            click.echo(f"The stop of {contract.id} snapshots at {wanted}, the entry's average.")


@command.command("trail")
@click.argument("symbol")
@click.argument("ticks", metavar="TICKS|none")
@account_option
@_as_json
def trail(symbol: str, ticks: str, account_word: str | None, *, as_json: bool) -> None:
    """Let the stop follow TICKS behind the best price from now on: `positions trail MNQ 40`; `none` ends it."""
    distance = ticks_or_none(ticks)
    with begin() as connection:
        position, contract, _ = _guarded(connection, symbol, account_word)
        account = accounts.get(connection, position.account_id)
        entry = orders.newest_entry(connection, position.account_id, contract.id)
        if entry is None:
            raise RefusedError(
                f"the position in {contract.id} has no entry of ours that could carry the distance: move its stop "
                "with `tickwork orders modify ID --stop PRICE`"
            )
        orders.trail(connection, entry.id, distance)
        said = f"{contract.id}: the stop " + (
            "stays where it is" if distance is None else f"follows by {distance} ticks"
        )
        accounts.note(connection, position.account_id, "trail", f"{said}, by hand")
    if as_json:
        print_json({"order_id": entry.id, "account_id": position.account_id, "trail_ticks": distance})
    else:
        how = "" if distance is None else ", never back; the watch looks once a second while `up` runs"
        click.echo(f"{account.name if account else position.account_id}, {said} from now on{how}.")


def _listed(connection: Connection, settings: Settings) -> list[dict[str, Any]]:
    known = accounts.list_all(connection)
    names = {one.id: one.name for one in known}
    held = positions.in_accounts(connection, list(names))
    quotes = fresh_quotes(settings, {row.contract_id for row in held})
    guards = views.guards(connection)
    rows = []
    for row in held:
        contract = contracts.require(connection, row.contract_id)
        price = exit_price_by(quotes)(row.contract_id, row.quantity)
        stops = _stops(connection, row)
        at, how = guards.get((row.account_id, row.contract_id), (None, None))
        profit = None
        if row.average_price is not None:
            profit = open_profit([Holding(contract.id, contract.root, row.quantity, row.average_price, price)])
        rows.append(
            {
                "account": names[row.account_id],
                "account_id": row.account_id,
                "contract": contract.id,
                "direction": Direction.LONG if row.quantity > 0 else Direction.SHORT,
                "quantity": abs(row.quantity),
                "average": row.average_price,
                "price": price,
                "open_profit": profit,
                "stop": ", ".join(f"{stop.quantity} at {stop.stop_price}" for stop in stops) or "NONE",
                "guarded_at": at,
                "guarded_by": how if at is not None else "NOT PROVEN",
                "opened_market_at": row.opened_market_at,
            }
        )
    return rows


def _guarded(
    connection: Connection, symbol: str, account_word: str | None
) -> tuple[PositionRow, Contract, list[OrderRow]]:
    """Return the position that the words mean, with its working stops; refuse when there is none."""
    account = one_account(connection, account_word)
    contract = concerned_contract(connection, [account.id], symbol)
    held = [row for row in positions.of_account(connection, account.id) if row.contract_id == contract.id]
    if not held or held[0].average_price is None:
        raise RefusedError(f"{account.name} holds nothing of {contract.id}: `tickwork positions` shows what is held")
    stops = _stops(connection, held[0])
    if not stops:
        raise RefusedError(f"no stop works for the position in {contract.id}: the protector places one within seconds")
    return held[0], contract, stops


def _stops(connection: Connection, position: PositionRow) -> list[OrderRow]:
    closing = Side.SELL if position.quantity > 0 else Side.BUY
    return [
        order
        for order in orders.open_in(connection, position.account_id, position.contract_id)
        if order.role is Role.STOP_LOSS
        and order.type is OrderType.STOP
        and order.state is OrderState.WORKING
        and order.side is closing
    ]


def _nearest(price: Decimal | None, contract: Contract) -> Decimal:
    ticks = ((price or Decimal(0)) / contract.tick_size).to_integral_value()
    return ticks * contract.tick_size
